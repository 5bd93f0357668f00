-- Up Migration

-- A review can be about anything that has a name, not only about a reading: a pair of orders, a difference that
-- the audit found. `key` names what is no reading; `subject` is the one or the other.
ALTER TABLE reviews ALTER COLUMN meter_id DROP NOT NULL;
ALTER TABLE reviews ALTER COLUMN sequence DROP NOT NULL;
ALTER TABLE reviews ADD COLUMN key text CHECK (length(key) BETWEEN 1 AND 300);
ALTER TABLE reviews ADD COLUMN subject text NOT NULL
  GENERATED ALWAYS AS (coalesce(key, meter_id || '/' || sequence::text)) STORED;
CREATE UNIQUE INDEX idx_reviews_open_key ON reviews (kind, key) WHERE status = 'open' AND key IS NOT NULL;
CREATE INDEX idx_reviews_time ON reviews (created_at, id);
CREATE INDEX idx_reviews_status ON reviews (status, created_at, id);

-- retried: it is tried again; resolved: what it was about went away by itself.
ALTER TABLE reviews DROP CONSTRAINT reviews_status_check;
ALTER TABLE reviews ADD CONSTRAINT reviews_status_check
  CHECK (status IN ('open', 'released', 'written_off', 'dismissed', 'retried', 'resolved'));

-- What was done with a review, by whom, why and when. Rows are only ever added.
CREATE TABLE review_actions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  review_id uuid NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
  action text NOT NULL
    CHECK (action IN ('opened', 'prepared', 'released', 'written_off', 'dismissed', 'retried', 'resolved')),
  actor text NOT NULL,
  reason text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_review_actions_review ON review_actions (review_id, id);

-- The history is written here and not by each of those who open and end reviews, so that none can forget it. So is the
-- end of the alert that goes with a review.
CREATE FUNCTION record_review_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO review_actions (review_id, action, actor, reason) VALUES (NEW.id, 'opened', 'collector', NEW.reason);
  ELSE
    INSERT INTO review_actions (review_id, action, actor, reason)
    VALUES (NEW.id, NEW.status, coalesce(NEW.resolved_by, 'collector'), coalesce(NEW.resolution_note, ''));
    -- The alert that was raised with it is over, unless another review stands behind it.
    UPDATE alerts SET resolved_at = now()
    WHERE kind = CASE NEW.kind WHEN 'held_amount' THEN 'reading_held' ELSE NEW.kind END
      AND dedupe_key = CASE NEW.kind WHEN 'settlement_failed' THEN NEW.meter_id ELSE NEW.subject END
      AND resolved_at IS NULL
      AND NOT (NEW.kind = 'settlement_failed' AND EXISTS (SELECT FROM reviews r
        WHERE r.kind = NEW.kind AND r.meter_id = NEW.meter_id AND r.status = 'open'));
  END IF;
  PERFORM pg_notify('gtx_changes', json_build_object('k', 'review', 'id', NEW.id)::text);
  RETURN NULL;
END $$;
CREATE TRIGGER review_opened AFTER INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION record_review_change();
CREATE TRIGGER review_ended AFTER UPDATE OF status ON reviews FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND NEW.status <> 'open') EXECUTE FUNCTION record_review_change();

-- Reviews from before have the history that their own columns tell.
INSERT INTO review_actions (review_id, action, actor, reason, at)
  SELECT id, 'opened', 'collector', reason, created_at FROM reviews ORDER BY created_at;
INSERT INTO review_actions (review_id, action, actor, reason, at)
  SELECT id, status, coalesce(resolved_by, 'collector'), coalesce(resolution_note, ''), coalesce(resolved_at, now())
  FROM reviews WHERE status <> 'open' ORDER BY resolved_at;

-- An operator who has seen an alert says so: it is not repeated any more.
ALTER TABLE alerts ADD COLUMN acknowledged_at timestamptz;
ALTER TABLE alerts ADD COLUMN acknowledged_by text;
ALTER TABLE alerts ADD COLUMN acknowledgement text;
CREATE INDEX idx_alerts_resolved ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX idx_alerts_first_seen ON alerts (first_seen, id);

-- Not for each occurrence: an alert that is raised a thousand times a second is one piece of news.
CREATE FUNCTION notify_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gtx_changes', json_build_object('k', 'alert', 'id', NEW.id)::text);
  RETURN NULL;
END $$;
CREATE TRIGGER alert_raised AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION notify_alert();
CREATE TRIGGER alert_changed AFTER UPDATE ON alerts FOR EACH ROW
  WHEN ((OLD.severity, OLD.resolved_at, OLD.acknowledged_at)
    IS DISTINCT FROM (NEW.severity, NEW.resolved_at, NEW.acknowledged_at))
  EXECUTE FUNCTION notify_alert();

-- What is to be told to whom: one row for each notice on each channel. Several collectors share them.
CREATE TABLE alert_notices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  alert_id uuid NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  channel text NOT NULL,
  -- 1, 2, 3 ... for each alert and channel: two collectors that plan the same notice write it once.
  number integer NOT NULL CHECK (number >= 1),
  event text NOT NULL CHECK (event IN ('opened', 'escalated', 'repeated', 'recovered')),
  severity text NOT NULL,
  -- The newest of its alert and channel, until the alert is over and that has been told.
  current boolean NOT NULL DEFAULT TRUE,
  -- dropped: the alert was over before anybody had been told.
  state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sent', 'dropped', 'failed')),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  leased_by text,
  lease_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz,
  error text,
  UNIQUE (alert_id, channel, number)
);
CREATE INDEX idx_alert_notices_due ON alert_notices (channel, next_attempt_at) WHERE state = 'due';
CREATE INDEX idx_alert_notices_current ON alert_notices (channel) WHERE current;

-- Down Migration
DROP TABLE alert_notices;
DROP TRIGGER alert_changed ON alerts;
DROP TRIGGER alert_raised ON alerts;
DROP FUNCTION notify_alert();
DROP INDEX idx_alerts_first_seen;
DROP INDEX idx_alerts_resolved;
ALTER TABLE alerts DROP COLUMN acknowledgement;
ALTER TABLE alerts DROP COLUMN acknowledged_by;
ALTER TABLE alerts DROP COLUMN acknowledged_at;
DROP TRIGGER review_ended ON reviews;
DROP TRIGGER review_opened ON reviews;
DROP FUNCTION record_review_change();
DROP TABLE review_actions;
UPDATE reviews SET status = 'released' WHERE status = 'retried';
UPDATE reviews SET status = 'dismissed' WHERE status = 'resolved';
ALTER TABLE reviews DROP CONSTRAINT reviews_status_check;
ALTER TABLE reviews ADD CONSTRAINT reviews_status_check
  CHECK (status IN ('open', 'released', 'written_off', 'dismissed'));
DROP INDEX idx_reviews_status;
DROP INDEX idx_reviews_time;
DROP INDEX idx_reviews_open_key;
DELETE FROM reviews WHERE meter_id IS NULL OR sequence IS NULL;
ALTER TABLE reviews DROP COLUMN subject;
ALTER TABLE reviews DROP COLUMN key;
ALTER TABLE reviews ALTER COLUMN sequence SET NOT NULL;
ALTER TABLE reviews ALTER COLUMN meter_id SET NOT NULL;
