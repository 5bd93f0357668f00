-- Up Migration

-- Users and meters mirror the chain, which is their registry. The mirror writes every column but the ones
-- that a comment below gives to ingestion.
CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  wallet_address varchar(88) NOT NULL UNIQUE,
  verified boolean NOT NULL DEFAULT FALSE,
  registered_at timestamptz,
  slot numeric(20, 0) NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE meters (
  meter_id varchar(32) PRIMARY KEY,
  address varchar(44) NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES users (id),
  wallet_address varchar(88) NOT NULL,
  public_key varchar(44) NOT NULL,
  rated_watts bigint NOT NULL DEFAULT 0,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'rebase')),
  registered_at timestamptz,
  -- What the chain has accepted and paid.
  chain_sequence numeric(20, 0) NOT NULL DEFAULT 0,
  chain_end bigint NOT NULL DEFAULT 0,
  chain_produced_total numeric(20, 0) NOT NULL DEFAULT 0,
  chain_consumed_total numeric(20, 0) NOT NULL DEFAULT 0,
  chain_surplus_total numeric(20, 0) NOT NULL DEFAULT 0,
  chain_eligible numeric(20, 0) NOT NULL DEFAULT 0,
  chain_settled numeric(20, 0) NOT NULL DEFAULT 0,
  chain_minted numeric(20, 0) NOT NULL DEFAULT 0,
  chain_held numeric(20, 0) NOT NULL DEFAULT 0,
  slot numeric(20, 0) NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  -- Ingestion's own: the newest stored reading, how far acknowledgements reach without a hole, the number
  -- of open holds (nothing of the meter settles while it is above 0) and the newest login.
  last_sequence numeric(20, 0) NOT NULL DEFAULT 0,
  last_end bigint NOT NULL DEFAULT 0,
  last_produced_total numeric(20, 0) NOT NULL DEFAULT 0,
  last_consumed_total numeric(20, 0) NOT NULL DEFAULT 0,
  last_surplus_total numeric(20, 0) NOT NULL DEFAULT 0,
  through numeric(20, 0) NOT NULL DEFAULT 0,
  holds integer NOT NULL DEFAULT 0 CHECK (holds >= 0),
  last_login bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE INDEX idx_meters_user ON meters (user_id);

-- One row for each stored reading. Partitioned by month of the interval's end, so that old months can be
-- moved or dropped whole.
CREATE TABLE meter_readings (
  id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id),
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id),
  wallet_address varchar(88) NOT NULL,
  sequence numeric(20, 0) NOT NULL,
  flags bigint NOT NULL,
  interval_start bigint NOT NULL,
  interval_end bigint NOT NULL,
  produced_total numeric(20, 0) NOT NULL,
  consumed_total numeric(20, 0) NOT NULL,
  surplus_total numeric(20, 0) NOT NULL,
  -- Surplus since the previous accepted reading.
  amount_nkwh numeric(20, 0) NOT NULL CHECK (amount_nkwh >= 0),
  kwh_amount numeric(20, 9) GENERATED ALWAYS AS (amount_nkwh * 0.000000001) STORED,
  reading_timestamp timestamptz NOT NULL,
  submitted_at timestamptz NOT NULL DEFAULT now(),
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'covered', 'held', 'minted', 'review', 'written_off')),
  minted boolean NOT NULL DEFAULT FALSE,
  mint_tx_signature varchar(88),
  message bytea NOT NULL CHECK (octet_length(message) = 48),
  meter_signature text NOT NULL,
  public_key varchar(44) NOT NULL,
  source text NOT NULL DEFAULT 'mqtt' CHECK (source IN ('mqtt', 'http', 'chain')),
  PRIMARY KEY (id, reading_timestamp)
) PARTITION BY RANGE (reading_timestamp);

CREATE INDEX idx_unminted ON meter_readings (minted, submitted_at) WHERE minted = FALSE;
CREATE INDEX idx_user_time ON meter_readings (user_id, reading_timestamp);
CREATE INDEX idx_meter_sequence ON meter_readings (meter_id, sequence);

-- Makes the partition of the month (UTC) that holds `at`, if it is not there yet.
CREATE FUNCTION ensure_reading_partition(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month_start timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  month_end timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
  partition_name text := 'meter_readings_' || to_char(at AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF to_regclass(partition_name) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('gridtokenx.reading_partition'));
  BEGIN
    EXECUTE format('CREATE TABLE %I PARTITION OF meter_readings FOR VALUES FROM (%L) TO (%L)',
      partition_name, month_start, month_end);
  EXCEPTION WHEN duplicate_table THEN
    -- Another collector made it while this one waited for the lock.
    NULL;
  END;
END
$$;

-- What makes (meter, sequence) unique: a unique key of a partitioned table would have to contain its
-- partition column. Written in the same transaction as the reading.
CREATE TABLE reading_keys (
  meter_id varchar(32) NOT NULL,
  sequence numeric(20, 0) NOT NULL,
  message_hash bytea NOT NULL CHECK (octet_length(message_hash) = 32),
  reading_id uuid NOT NULL,
  reading_timestamp timestamptz NOT NULL,
  PRIMARY KEY (meter_id, sequence)
);

-- Readings refused for good over MQTT: acknowledgements count past them.
CREATE TABLE refused_readings (
  meter_id varchar(32) NOT NULL,
  sequence numeric(20, 0) NOT NULL,
  code text NOT NULL,
  details jsonb,
  -- Empty where the payload did not even hold a whole reading.
  interval_end bigint,
  message bytea,
  meter_signature text,
  public_key varchar(44),
  refused_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (meter_id, sequence)
);

CREATE TABLE alerts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind text NOT NULL,
  dedupe_key text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  message text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}',
  occurrences bigint NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz
);
CREATE UNIQUE INDEX idx_alerts_open ON alerts (kind, dedupe_key) WHERE resolved_at IS NULL;
CREATE INDEX idx_alerts_time ON alerts (last_seen);

-- What waits for a person. `held_amount`: a reading above the limit; `settlement_failed`: refused by the
-- chain too often.
CREATE TABLE reviews (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind text NOT NULL,
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id),
  sequence numeric(20, 0) NOT NULL,
  amount_nkwh numeric(20, 0) NOT NULL DEFAULT 0,
  reason text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'released', 'written_off', 'dismissed')),
  created_at timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz,
  resolved_by text,
  resolution_note text
);
CREATE UNIQUE INDEX idx_reviews_open ON reviews (kind, meter_id, sequence) WHERE status = 'open';
CREATE INDEX idx_reviews_meter ON reviews (meter_id, status);

-- Down Migration
DROP TABLE reviews;
DROP TABLE alerts;
DROP TABLE refused_readings;
DROP TABLE reading_keys;
DROP TABLE meter_readings;
DROP FUNCTION ensure_reading_partition(timestamptz);
DROP TABLE meters;
DROP TABLE users;
