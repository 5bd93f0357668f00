-- Up Migration

-- What the reconciler goes through, again and again: one row for each range, worked on by one collector at a time.
CREATE TABLE reconcile_ranges (
  name text PRIMARY KEY,
  -- Where the round goes on; '' at its beginning.
  cursor text NOT NULL DEFAULT '',
  leased_by text,
  lease_until timestamptz,
  -- Not before this time again.
  next_at timestamptz NOT NULL DEFAULT '-infinity',
  looked_at timestamptz NOT NULL DEFAULT '-infinity',
  round_started_at timestamptz,
  round_finished_at timestamptz,
  rounds bigint NOT NULL DEFAULT 0,
  -- Why the last look failed; NULL after one that did not.
  error text
);

-- What chain, database and wallets say differently, from the first look that saw it until it is gone.
CREATE TABLE reconcile_differences (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  subject text NOT NULL,
  -- The difference as the audit tells it: what it is about, what was expected, what was found.
  found jsonb NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz NOT NULL DEFAULT now(),
  looks integer NOT NULL DEFAULT 1,
  -- When a second look had found it too: from then on it counts.
  confirmed_at timestamptz,
  -- When a person was told, by a review and its alert.
  reviewed_at timestamptz,
  next_look_at timestamptz NOT NULL DEFAULT now(),
  -- Attempts to make it go away by reading the chain again, and what the last one did.
  repairs integer NOT NULL DEFAULT 0,
  repair text,
  repaired_at timestamptz,
  resolved_at timestamptz
);
CREATE UNIQUE INDEX idx_reconcile_differences_open ON reconcile_differences (kind, subject)
  WHERE resolved_at IS NULL;
CREATE INDEX idx_reconcile_differences_due ON reconcile_differences (next_look_at) WHERE resolved_at IS NULL;
CREATE INDEX idx_reconcile_differences_resolved ON reconcile_differences (resolved_at)
  WHERE resolved_at IS NOT NULL;

-- Reports of whole audits; the newest are kept.
CREATE TABLE audit_reports (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  checked_at timestamptz NOT NULL,
  ok boolean NOT NULL,
  slot bigint NOT NULL,
  report jsonb NOT NULL
);

-- Down Migration
DROP TABLE audit_reports;
DROP TABLE reconcile_differences;
DROP TABLE reconcile_ranges;
