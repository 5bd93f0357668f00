-- Up Migration

-- What a reading can be, beside what ingestion sets:
--   accepted           the chain has it (or a later one of the meter) and the mint of its energy is still to come
--   chain_held         the chain has it and holds its energy back (more than the meter's rated power allows)
--   minted             the chain has it and its energy has been minted: minted = TRUE, mint_tx_signature
--   nothing_to_settle  it carries no energy that could be minted: a zero surplus, or a new base on the chain
--   superseded         the chain accepted other bytes under this sequence
ALTER TABLE meter_readings DROP CONSTRAINT meter_readings_status_check;
ALTER TABLE meter_readings ADD CONSTRAINT meter_readings_status_check CHECK (status IN (
  'pending', 'covered', 'held', 'review', 'written_off',
  'accepted', 'chain_held', 'minted', 'nothing_to_settle', 'superseded'));

-- The index holds what still waits for a mint and nothing else: a night's zero readings leave it, or it would grow
-- for ever.
DROP INDEX idx_unminted;
CREATE INDEX idx_unminted ON meter_readings (minted, submitted_at)
  WHERE minted = FALSE AND status IN ('pending', 'covered', 'accepted');
-- The same rows by meter: which meters wait, since when, up to which reading.
CREATE INDEX idx_unminted_meter ON meter_readings (meter_id, sequence) INCLUDE (submitted_at, status)
  WHERE minted = FALSE AND status IN ('pending', 'covered', 'accepted', 'chain_held');

-- The one chain that this database mirrors.
CREATE TABLE chain_network (
  singleton boolean PRIMARY KEY DEFAULT TRUE CHECK (singleton),
  genesis_hash varchar(44) NOT NULL,
  registry_program varchar(44) NOT NULL,
  energy_token_program varchar(44) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- How far each program's history has been listed: everything up to this transaction is applied or queued.
CREATE TABLE cursors (
  name text PRIMARY KEY,
  signature varchar(88),
  slot bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Listed, not yet applied. Oldest first is (slot, position DESC): the chain lists newest first.
CREATE TABLE chain_queue (
  signature varchar(88) PRIMARY KEY,
  slot bigint NOT NULL,
  position bigint GENERATED ALWAYS AS IDENTITY,
  -- Looks that did not find it, or could not apply it: it waits a little and holds up nothing else.
  tries integer NOT NULL DEFAULT 0,
  next_try_at timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX idx_chain_queue_order ON chain_queue (slot, position DESC);

-- Every transaction of the programs whose effects are in this database.
CREATE TABLE chain_transactions (
  signature varchar(88) PRIMARY KEY,
  slot bigint NOT NULL,
  block_time bigint,
  error text,
  finalized boolean NOT NULL DEFAULT FALSE,
  -- Past this height finality has judged it; ours: no block can contain it any more.
  last_valid_block_height bigint NOT NULL,
  applied bigint GENERATED ALWAYS AS IDENTITY,
  applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_chain_transactions_open ON chain_transactions (slot) WHERE NOT finalized;

CREATE TABLE chain_events (
  signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  event_index integer NOT NULL,
  slot bigint NOT NULL,
  program_id varchar(44) NOT NULL,
  name text NOT NULL,
  -- Address of the meter's account, where the event names one.
  meter varchar(44),
  data jsonb NOT NULL,
  PRIMARY KEY (signature, event_index)
);
CREATE INDEX idx_chain_events_meter ON chain_events (meter, slot) WHERE meter IS NOT NULL;
CREATE INDEX idx_chain_events_name ON chain_events (name, slot);

-- Every reading that the chain has accepted, with what became of its energy.
--   mint_due  counted, its mint still to come;  minted  by mint_signature;  nothing  no energy to mint;
--   held      all of its energy is held back on the chain
CREATE TABLE chain_readings (
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id),
  sequence numeric(20, 0) NOT NULL,
  signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  slot bigint NOT NULL,
  public_key varchar(44) NOT NULL,
  interval_end bigint NOT NULL,
  produced_total numeric(20, 0) NOT NULL,
  consumed_total numeric(20, 0) NOT NULL,
  surplus_total numeric(20, 0) NOT NULL,
  counted numeric(20, 0) NOT NULL,
  held numeric(20, 0) NOT NULL,
  state text NOT NULL CHECK (state IN ('mint_due', 'minted', 'nothing', 'held')),
  mint_signature varchar(88),
  -- TRUE: its event was cut off from the log; counted and held are worked out from the accounts.
  inferred boolean NOT NULL DEFAULT FALSE,
  PRIMARY KEY (meter_id, sequence),
  CHECK ((state = 'minted') = (mint_signature IS NOT NULL))
);
CREATE INDEX idx_chain_readings_signature ON chain_readings (signature);
CREATE INDEX idx_chain_readings_mint ON chain_readings (mint_signature) WHERE mint_signature IS NOT NULL;
CREATE INDEX idx_chain_readings_due ON chain_readings (meter_id) WHERE state IN ('mint_due', 'held');

-- Which key a meter had on the chain, and when: a key serves one meter once.
CREATE TABLE meter_keys (
  public_key varchar(44) PRIMARY KEY,
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id),
  from_slot bigint NOT NULL,
  from_signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  -- Sequences above this one, up to the next key's.
  after_sequence numeric(20, 0) NOT NULL
);
CREATE INDEX idx_meter_keys_meter ON meter_keys (meter_id, from_slot);

-- One row for each settlement transaction, committed before the transaction is sent.
CREATE TABLE settlements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  signature varchar(88) NOT NULL UNIQUE,
  wire bytea NOT NULL,
  blockhash varchar(44) NOT NULL,
  last_valid_block_height bigint NOT NULL,
  state text NOT NULL DEFAULT 'prepared'
    CHECK (state IN ('prepared', 'confirmed', 'finalized', 'failed', 'expired', 'superseded', 'dropped')),
  collector text NOT NULL,
  lease_until timestamptz NOT NULL,
  slot bigint,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  confirmed_at timestamptz,
  closed_at timestamptz
);
CREATE INDEX idx_settlements_open ON settlements (id) WHERE state IN ('prepared', 'confirmed');

CREATE TABLE settlement_items (
  settlement_id bigint NOT NULL REFERENCES settlements (id) ON DELETE CASCADE,
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id),
  -- submit: accept the reading `through_sequence` and mint; mint: only mint what the chain has counted before.
  kind text NOT NULL CHECK (kind IN ('submit', 'mint')),
  -- Readings above the first and up to the second are covered.
  after_sequence numeric(20, 0) NOT NULL,
  through_sequence numeric(20, 0) NOT NULL,
  expected_nkwh numeric(20, 0) NOT NULL,
  minted_nkwh numeric(20, 0),
  -- TRUE while the settlement is prepared: a meter is never in two open settlements.
  open boolean NOT NULL DEFAULT TRUE,
  PRIMARY KEY (settlement_id, meter_id),
  CHECK (through_sequence >= after_sequence)
);
CREATE UNIQUE INDEX idx_settlement_items_open ON settlement_items (meter_id) WHERE open;
CREATE INDEX idx_settlement_items_meter ON settlement_items (meter_id, through_sequence);

-- Who works on a meter, and when it may be tried again.
CREATE TABLE settlement_meters (
  meter_id varchar(32) PRIMARY KEY REFERENCES meters (meter_id),
  leased_by text,
  lease_until timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
  -- TRUE: a transaction with several meters failed; this one goes alone until one succeeds.
  alone boolean NOT NULL DEFAULT FALSE,
  reason text
);

-- Address lookup tables that settlements use, written down before they are made.
CREATE TABLE lookup_tables (
  address varchar(44) PRIMARY KEY,
  authority varchar(44) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Wallets whose GRID account has been paid for: that is done once, or closing it again would be an income.
CREATE TABLE token_accounts (
  wallet_address varchar(44) PRIMARY KEY,
  paid_at timestamptz NOT NULL DEFAULT now()
);

-- When the mirror first saw energy of this meter counted on the chain and not minted.
ALTER TABLE meters ADD COLUMN mint_due_since timestamptz;
CREATE INDEX idx_meters_mint_due ON meters (mint_due_since) WHERE mint_due_since IS NOT NULL;
ALTER TABLE meters ADD COLUMN token_account varchar(44);

-- Down Migration
ALTER TABLE meters DROP COLUMN token_account;
ALTER TABLE meters DROP COLUMN mint_due_since;
DROP TABLE token_accounts;
DROP TABLE lookup_tables;
DROP TABLE settlement_meters;
DROP TABLE settlement_items;
DROP TABLE settlements;
DROP TABLE meter_keys;
DROP TABLE chain_readings;
DROP TABLE chain_events;
DROP TABLE chain_transactions;
DROP TABLE chain_queue;
DROP TABLE cursors;
DROP TABLE chain_network;
DROP INDEX idx_unminted_meter;
DROP INDEX idx_unminted;
CREATE INDEX idx_unminted ON meter_readings (minted, submitted_at) WHERE minted = FALSE;
UPDATE meter_readings SET status = 'pending' WHERE status IN ('accepted', 'chain_held', 'nothing_to_settle', 'superseded');
ALTER TABLE meter_readings DROP CONSTRAINT meter_readings_status_check;
ALTER TABLE meter_readings ADD CONSTRAINT meter_readings_status_check
  CHECK (status IN ('pending', 'covered', 'held', 'minted', 'review', 'written_off'));
