-- Up Migration

-- What the event processor derives from the chain. Every row here is a function of the chain's history: `gtx replay`
-- makes the same rows again (updated_at aside, and the slot at which a balance was last looked at).
-- Amounts are base units (GRID and GRX have 9 decimals), bigint times Unix seconds by the chain's clock.

-- Index of the transaction in its block; NULL in rows of a version that did not ask for it.
ALTER TABLE chain_transactions ADD COLUMN tx_index integer;
ALTER TABLE chain_queue ADD COLUMN tx_index integer;
DROP INDEX idx_chain_queue_order;
CREATE INDEX idx_chain_queue_order ON chain_queue (slot, tx_index, position DESC);

ALTER TABLE chain_events ADD COLUMN tx_index integer NOT NULL DEFAULT 0;
-- The total order of events on the chain: slot * 2^30 + index of the transaction * 2^14 + event_index.
ALTER TABLE chain_events ADD COLUMN position bigint NOT NULL DEFAULT 0;
ALTER TABLE chain_events ADD COLUMN block_time bigint;
-- Every address that the event names.
ALTER TABLE chain_events ADD COLUMN accounts varchar(44)[] NOT NULL DEFAULT '{}';
-- The account whose state the event is about (an order, a market, a feed, a book of certificates, a proposal).
ALTER TABLE chain_events ADD COLUMN subject varchar(44);
UPDATE chain_events e SET
  position = slot * 1073741824 + event_index,
  block_time = (SELECT t.block_time FROM chain_transactions t WHERE t.signature = e.signature),
  accounts = coalesce((SELECT array_agg(DISTINCT v.value) FROM jsonb_each_text(e.data) AS v
    WHERE v.value ~ '^[1-9A-HJ-NP-Za-km-z]{32,44}$' AND v.key <> 'meterId'), '{}');
CREATE INDEX idx_chain_events_accounts ON chain_events USING gin (accounts);
CREATE INDEX idx_chain_events_position ON chain_events (position);
CREATE INDEX idx_chain_events_subject ON chain_events (subject, name, position) WHERE subject IS NOT NULL;

CREATE TABLE markets (
  address varchar(44) PRIMARY KEY,
  base_mint varchar(44) NOT NULL,
  quote_mint varchar(44) NOT NULL,
  -- The quote mint's owner, which never changes; no event tells it, so it is read from the market's account.
  quote_token_program varchar(44),
  treasury varchar(44) NOT NULL,
  -- NULL: no band.
  feed varchar(44),
  admin varchar(44) NOT NULL,
  guardian varchar(44) NOT NULL,
  lot_size numeric(20, 0) NOT NULL,
  tick_size numeric(20, 0) NOT NULL,
  fee_bps integer NOT NULL,
  band_bps integer NOT NULL,
  paused boolean NOT NULL,
  slot bigint NOT NULL,
  position bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
  address varchar(44) PRIMARY KEY,
  market varchar(44) NOT NULL,
  owner varchar(44) NOT NULL,
  order_id numeric(20, 0) NOT NULL,
  side text NOT NULL CHECK (side IN ('sell', 'buy')),
  price numeric(20, 0) NOT NULL,
  -- GRID at the start, and of it not yet traded.
  amount numeric(20, 0) NOT NULL,
  remaining numeric(20, 0) NOT NULL CHECK (remaining >= 0),
  -- What the escrow holds for the order: GRID of a sell order, GRX of a buy order; 0 once it is closed.
  escrowed numeric(20, 0) NOT NULL CHECK (escrowed >= 0),
  -- What was put into the escrow at the start.
  deposited numeric(20, 0) NOT NULL,
  fee_bps integer NOT NULL,
  rent_payer varchar(44) NOT NULL,
  expires_at bigint NOT NULL,
  -- What "earlier" means in the book.
  created_slot bigint NOT NULL,
  created_tx_index integer NOT NULL,
  created_event_index integer NOT NULL,
  created_signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  -- open includes past expires_at and not yet returned; filled may still be waiting for its escrow's return.
  status text NOT NULL CHECK (status IN ('open', 'filled', 'cancelled', 'expired')),
  -- The transaction that closed the account.
  closed_signature varchar(88),
  closed_at timestamptz,
  -- When nothing of it remained.
  filled_at timestamptz,
  -- Of the newest transaction that changed it.
  slot bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (owner, order_id)
);
CREATE INDEX idx_orders_book ON orders (market, side, price, created_slot, created_tx_index, created_event_index)
  WHERE status = 'open';
CREATE INDEX idx_orders_owner ON orders (owner, created_at);
CREATE INDEX idx_orders_signature ON orders (created_signature);

CREATE TABLE trades (
  signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  event_index integer NOT NULL,
  market varchar(44) NOT NULL,
  slot bigint NOT NULL,
  tx_index integer NOT NULL,
  position bigint NOT NULL,
  seller varchar(44) NOT NULL,
  buyer varchar(44) NOT NULL,
  -- NULL for a side that took the other's order directly.
  sell_order varchar(44),
  buy_order varchar(44),
  sell_order_id numeric(20, 0),
  buy_order_id numeric(20, 0),
  -- The order that stood in the book; of two that were crossed, the older one.
  maker_order varchar(44) NOT NULL,
  taker_side text NOT NULL CHECK (taker_side IN ('sell', 'buy')),
  price numeric(20, 0) NOT NULL,
  amount numeric(20, 0) NOT NULL,
  quote numeric(20, 0) NOT NULL,
  fee numeric(20, 0) NOT NULL,
  -- Whether the trade closed the order's account.
  sell_closed boolean NOT NULL,
  buy_closed boolean NOT NULL,
  executed_at timestamptz NOT NULL,
  PRIMARY KEY (signature, event_index)
);
CREATE INDEX idx_trades_market ON trades (market, executed_at, position);
CREATE INDEX idx_trades_seller ON trades (seller, executed_at);
CREATE INDEX idx_trades_buyer ON trades (buyer, executed_at);
CREATE INDEX idx_trades_sell_order ON trades (sell_order) WHERE sell_order IS NOT NULL;
CREATE INDEX idx_trades_buy_order ON trades (buy_order) WHERE buy_order IS NOT NULL;
-- Trades of transactions with a cut log, as long as an order of theirs is not known.
CREATE INDEX idx_trades_unfinished ON trades (signature) WHERE price = 0
  OR (sell_order IS NOT NULL AND sell_order_id IS NULL) OR (buy_order IS NOT NULL AND buy_order_id IS NULL);

-- Wallets' associated token accounts of GRID and of the markets' quote tokens.
CREATE TABLE user_balances (
  wallet varchar(44) NOT NULL,
  mint varchar(44) NOT NULL,
  token_account varchar(44) NOT NULL UNIQUE,
  amount numeric(20, 0) NOT NULL,
  -- The state at the end of this transaction, or of everything before this slot (-1, the account was read). Slot 0: to
  -- be read anew.
  slot bigint NOT NULL,
  tx_index integer NOT NULL DEFAULT -1,
  signature varchar(88),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (wallet, mint)
);
CREATE INDEX idx_user_balances_slot ON user_balances (slot);
CREATE INDEX idx_user_balances_signature ON user_balances (signature) WHERE signature IS NOT NULL;

CREATE TABLE certificates (
  address varchar(44) PRIMARY KEY,
  book varchar(44) NOT NULL,
  meter varchar(44) NOT NULL,
  meter_id varchar(32) NOT NULL,
  producer varchar(44) NOT NULL,
  -- The last holder of a retired one: who retired it.
  holder varchar(44) NOT NULL,
  attested_by varchar(44) NOT NULL,
  serial numeric(20, 0) NOT NULL,
  -- The serial that it was split from; NULL when it was issued whole.
  split_from numeric(20, 0),
  from_total numeric(20, 0) NOT NULL,
  to_total numeric(20, 0) NOT NULL,
  period_start bigint NOT NULL,
  period_end bigint NOT NULL,
  source text NOT NULL,
  status text NOT NULL CHECK (status IN ('held', 'retired')),
  beneficiary text,
  reason text,
  retirement varchar(44),
  issued_signature varchar(88) NOT NULL,
  issued_at timestamptz NOT NULL,
  retired_signature varchar(88),
  retired_at timestamptz,
  slot bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (book, serial)
);
CREATE INDEX idx_certificates_holder ON certificates (holder, issued_at);
CREATE INDEX idx_certificates_meter ON certificates (meter_id, serial);

CREATE TABLE price_feeds (
  address varchar(44) PRIMARY KEY,
  symbol text NOT NULL,
  -- 0 before the first.
  price numeric(20, 0) NOT NULL,
  -- 0: readers refuse the price.
  published_at bigint NOT NULL,
  paused boolean NOT NULL,
  max_age_seconds bigint NOT NULL,
  guard_seconds bigint NOT NULL,
  max_deviation_bps integer NOT NULL,
  min_publishers integer NOT NULL,
  override_publishers integer NOT NULL,
  publishers integer NOT NULL,
  slot bigint NOT NULL,
  position bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Every submission of a publisher with what it led to.
CREATE TABLE prices (
  signature varchar(88) NOT NULL REFERENCES chain_transactions (signature) ON DELETE CASCADE,
  event_index integer NOT NULL,
  feed varchar(44) NOT NULL,
  publisher varchar(44) NOT NULL,
  submitted numeric(20, 0) NOT NULL,
  median numeric(20, 0) NOT NULL,
  -- The feed's price and its time afterwards.
  price numeric(20, 0) NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('published', 'too_few', 'guarded')),
  observed_at bigint NOT NULL,
  published_at bigint NOT NULL,
  submitted_at timestamptz NOT NULL,
  slot bigint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (signature, event_index)
);
CREATE INDEX idx_prices_feed ON prices (feed, position);
CREATE INDEX idx_prices_published ON prices (feed, published_at) WHERE outcome = 'published';

CREATE TABLE proposals (
  address varchar(44) PRIMARY KEY,
  id numeric(20, 0) NOT NULL,
  proposer varchar(44) NOT NULL,
  title text NOT NULL,
  uri text NOT NULL,
  description_hash text NOT NULL,
  status text NOT NULL CHECK (status IN ('draft', 'voting', 'queued', 'executed', 'defeated', 'cancelled')),
  yes numeric(20, 0) NOT NULL DEFAULT 0,
  no numeric(20, 0) NOT NULL DEFAULT 0,
  abstain numeric(20, 0) NOT NULL DEFAULT 0,
  supply numeric(20, 0),
  quorum numeric(20, 0),
  threshold_bps integer,
  instructions integer NOT NULL DEFAULT 0,
  executed integer NOT NULL DEFAULT 0,
  -- NULL until voting begins.
  voting_ends_at bigint,
  executable_at bigint,
  expires_at bigint,
  created_signature varchar(88) NOT NULL,
  created_at timestamptz NOT NULL,
  -- When its account was closed, for which it is done or has expired.
  removed_at timestamptz,
  slot bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_proposals_id ON proposals (id);

CREATE TABLE votes (
  proposal varchar(44) NOT NULL,
  wallet varchar(44) NOT NULL,
  choice text NOT NULL CHECK (choice IN ('no', 'yes', 'abstain')),
  weight numeric(20, 0) NOT NULL,
  voted_at timestamptz NOT NULL,
  signature varchar(88) NOT NULL,
  slot bigint NOT NULL,
  position bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (proposal, wallet)
);
CREATE INDEX idx_votes_wallet ON votes (wallet);
CREATE INDEX idx_votes_signature ON votes (signature);

-- Down Migration
DROP TABLE votes;
DROP TABLE proposals;
DROP TABLE prices;
DROP TABLE price_feeds;
DROP TABLE certificates;
DROP TABLE user_balances;
DROP TABLE trades;
DROP TABLE orders;
DROP TABLE markets;
DROP INDEX idx_chain_events_subject;
DROP INDEX idx_chain_events_position;
DROP INDEX idx_chain_events_accounts;
ALTER TABLE chain_events DROP COLUMN subject;
ALTER TABLE chain_events DROP COLUMN accounts;
ALTER TABLE chain_events DROP COLUMN block_time;
ALTER TABLE chain_events DROP COLUMN position;
ALTER TABLE chain_events DROP COLUMN tx_index;
DROP INDEX idx_chain_queue_order;
CREATE INDEX idx_chain_queue_order ON chain_queue (slot, position DESC);
ALTER TABLE chain_queue DROP COLUMN tx_index;
ALTER TABLE chain_transactions DROP COLUMN tx_index;
