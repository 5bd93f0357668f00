-- Up Migration

-- One row for each transaction of the matcher, committed before the transaction is sent.
--   prepared   perhaps sent, outcome unknown: the only state in which it may be sent
--   confirmed  the chain executed it
--   failed     the chain executed it and refused it, all of it
--   expired    too old to be executed, and never was
CREATE TABLE matching_transactions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  signature varchar(88) NOT NULL UNIQUE,
  -- cross: brings orders together; expire: returns expired orders to their owners.
  kind text NOT NULL CHECK (kind IN ('cross', 'expire')),
  market varchar(44) NOT NULL,
  wire bytea NOT NULL,
  last_valid_block_height bigint NOT NULL,
  state text NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'confirmed', 'failed', 'expired')),
  collector text NOT NULL,
  slot bigint,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz
);
CREATE INDEX idx_matching_transactions_open ON matching_transactions (id) WHERE state = 'prepared';
CREATE INDEX idx_matching_transactions_closed ON matching_transactions (closed_at) WHERE state <> 'prepared';

-- What each of them was to do, in its order. Of a returned order only its side is set.
CREATE TABLE matching_pairs (
  transaction_id bigint NOT NULL REFERENCES matching_transactions (id) ON DELETE CASCADE,
  position integer NOT NULL,
  sell_order varchar(44),
  buy_order varchar(44),
  -- As planned: GRX base units for 1 GRID, GRID base units.
  price numeric(20, 0),
  amount numeric(20, 0),
  -- The error for which the chain passed over the pair.
  skipped text,
  PRIMARY KEY (transaction_id, position),
  CHECK (sell_order IS NOT NULL OR buy_order IS NOT NULL)
);

-- Pairs that the chain refused for no reason that the accounts show.
CREATE TABLE matching_refusals (
  sell_order varchar(44) NOT NULL,
  buy_order varchar(44) NOT NULL,
  attempts integer NOT NULL,
  error text NOT NULL,
  next_attempt_at timestamptz NOT NULL,
  -- A person looks at it, or has decided that these two are not to be matched.
  held boolean NOT NULL DEFAULT FALSE,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (sell_order, buy_order)
);

-- Filled orders whose accounts still exist: what is left in their escrow is to be returned.
CREATE INDEX idx_orders_unreturned ON orders (market) WHERE status = 'filled' AND closed_signature IS NULL;

-- Who fills a lookup table: settlement, or the matcher of a market (its address).
ALTER TABLE lookup_tables ADD COLUMN purpose text NOT NULL DEFAULT 'settlement';

-- The price guide, as it was at each end of an interval.
CREATE TABLE price_guides (
  market varchar(44) NOT NULL,
  -- When it was worked out.
  at timestamptz NOT NULL,
  -- NULL: the oracle's price did not count, so that there was no guide.
  price numeric(20, 0),
  oracle_price numeric(20, 0),
  -- Weighted sums of the last intervals, in nkWh.
  supply numeric(40, 0) NOT NULL,
  demand numeric(40, 0) NOT NULL,
  imbalance_bps integer,
  tariff_bps integer,
  bound text CHECK (bound IN ('min', 'max')),
  PRIMARY KEY (market, at)
);

-- Down Migration
DROP TABLE price_guides;
ALTER TABLE lookup_tables DROP COLUMN purpose;
DROP INDEX idx_orders_unreturned;
DROP TABLE matching_refusals;
DROP TABLE matching_pairs;
DROP TABLE matching_transactions;
