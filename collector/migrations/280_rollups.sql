-- Up Migration

-- Figures about millions of readings that nobody has to count when they are asked for.

-- The network's energy: of the readings whose interval ended in (quarter, quarter + 15 minutes], each against the stored
-- reading of its meter before it. Quarters of an hour are the parts of which every time zone's hours and days are made.
CREATE TABLE energy_quarters (
  quarter timestamptz PRIMARY KEY,
  produced numeric(30, 0) NOT NULL,
  consumed numeric(30, 0) NOT NULL,
  surplus numeric(30, 0) NOT NULL,
  readings bigint NOT NULL,
  -- How many meters they are of.
  meters integer NOT NULL
) WITH (fillfactor = 50);

-- Up to which reading a meter is in them, and that reading's totals: the next one is counted against them. Without a
-- reference to the meter: checking it would lock the meter's row, for which ingestion would wait.
CREATE TABLE energy_meters (
  meter_id varchar(32) PRIMARY KEY,
  sequence numeric(20, 0) NOT NULL,
  interval_end bigint NOT NULL,
  produced_total numeric(20, 0) NOT NULL,
  consumed_total numeric(20, 0) NOT NULL,
  surplus_total numeric(20, 0) NOT NULL
) WITH (fillfactor = 50);

-- Readings that were stored after a later one of their meter, and are not counted yet. Written with the reading; a
-- meter's row is locked by then, so that whoever sees a later reading counted sees this.
CREATE TABLE energy_late (
  meter_id varchar(32) NOT NULL,
  sequence numeric(20, 0) NOT NULL,
  PRIMARY KEY (meter_id, sequence)
);

CREATE FUNCTION quarter_of(unix_seconds bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN to_timestamp((unix_seconds - 1) / 900 * 900);

-- How many readings have which status. What has changed since somebody added up stands in the second table: a row for
-- each statement that changed something, so that nobody waits for anybody. The figure is the sum of both.
CREATE TABLE reading_counts (status text PRIMARY KEY, readings bigint NOT NULL);
CREATE TABLE reading_count_changes (status text NOT NULL, change bigint NOT NULL);

-- How many readings came to a stage of their way, when (to 10 s, later to the minute), and how long after the end of
-- their interval (rounded). Two hours are kept.
CREATE TABLE pipeline_counts (
  slot timestamptz NOT NULL,
  stage text NOT NULL,
  lag_seconds integer NOT NULL,
  readings bigint NOT NULL,
  PRIMARY KEY (slot, stage, lag_seconds)
);
CREATE TABLE pipeline_changes (
  slot timestamptz NOT NULL,
  stage text NOT NULL,
  lag_seconds integer NOT NULL,
  readings bigint NOT NULL
);

CREATE FUNCTION pipeline_slot(at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
  RETURN date_bin('10 seconds', at, 'epoch'::timestamptz);

-- Two digits are enough for a lag: seconds, then 5 s, 30 s, 5 minutes, hours.
CREATE FUNCTION pipeline_lag(at timestamptz, since timestamptz) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE
    WHEN at <= since THEN 0
    WHEN at - since <= interval '10 seconds' THEN round(extract(epoch FROM at - since))
    WHEN at - since <= interval '1 minute' THEN round(extract(epoch FROM at - since) / 5) * 5
    WHEN at - since <= interval '10 minutes' THEN round(extract(epoch FROM at - since) / 30) * 30
    WHEN at - since <= interval '1 hour' THEN round(extract(epoch FROM at - since) / 300) * 300
    ELSE least(round(extract(epoch FROM at - since) / 3600) * 3600, 31 * 86400)
  END;

-- Energy minted, by the quarter of an hour of its block; of blocks without a time by that of 1970.
CREATE TABLE mint_quarters (quarter timestamptz PRIMARY KEY, minted numeric(30, 0) NOT NULL, mints bigint NOT NULL);
CREATE TABLE mint_changes (quarter timestamptz NOT NULL, minted numeric(30, 0) NOT NULL, mints bigint NOT NULL);

-- Written here and not by each of those who store readings and change them, so that none can forget it.
CREATE FUNCTION count_stored_readings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO reading_count_changes SELECT status, count(*) FROM stored GROUP BY status;
  INSERT INTO pipeline_changes
    SELECT pipeline_slot(submitted_at), 'stored', pipeline_lag(submitted_at, reading_timestamp), count(*)
    FROM stored WHERE submitted_at > now() - interval '2 hours' GROUP BY 1, 3;
  RETURN NULL;
END $$;
CREATE TRIGGER readings_stored AFTER INSERT ON meter_readings REFERENCING NEW TABLE AS stored
  FOR EACH STATEMENT EXECUTE FUNCTION count_stored_readings();

-- Accepted: the chain has its energy. One that is minted at once comes to both stages at once.
CREATE FUNCTION count_changed_readings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO reading_count_changes
    SELECT status, sum(n) FROM (SELECT status, 1 AS n FROM now_so UNION ALL SELECT status, -1 FROM before_that) AS c
    GROUP BY status HAVING sum(n) <> 0;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO pipeline_changes
    SELECT pipeline_slot(now()), stage, pipeline_lag(now(), n.reading_timestamp), count(*)
    FROM now_so n JOIN before_that b USING (id)
    CROSS JOIN LATERAL (VALUES
      ('accepted', b.status IN ('pending', 'covered', 'held', 'review', 'nothing_to_settle')
        AND n.status IN ('accepted', 'chain_held', 'minted')),
      ('minted', b.status <> 'minted' AND n.status = 'minted')) AS s (stage, reached)
    WHERE reached GROUP BY 2, 3;
  RETURN NULL;
END $$;
CREATE TRIGGER readings_changed AFTER UPDATE ON meter_readings
  REFERENCING OLD TABLE AS before_that NEW TABLE AS now_so
  FOR EACH STATEMENT EXECUTE FUNCTION count_changed_readings();

CREATE FUNCTION count_deleted_readings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO reading_count_changes SELECT status, -count(*) FROM gone GROUP BY status;
  RETURN NULL;
END $$;
CREATE TRIGGER readings_deleted AFTER DELETE ON meter_readings REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_readings();

-- Final: no fork can take the mint back. An accepted reading brings along those of its meter since the accepted one
-- before it; of those that had nothing to mint no stage after the storing tells.
CREATE FUNCTION count_final_readings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO pipeline_changes
    SELECT pipeline_slot(now()), 'final', pipeline_lag(now(), k.reading_timestamp), count(*)
    FROM chain_readings c
    CROSS JOIN LATERAL (SELECT max(sequence) AS sequence FROM chain_readings b
      WHERE b.meter_id = c.meter_id AND b.sequence < c.sequence) AS before
    -- OFFSET and the inner question keep this on indexes, whatever the planner expects to find.
    CROSS JOIN LATERAL (SELECT reading_id, reading_timestamp FROM reading_keys
      WHERE meter_id = c.meter_id AND sequence > coalesce(before.sequence, 0) AND sequence <= c.sequence OFFSET 0) AS k
    WHERE c.mint_signature = NEW.signature AND (SELECT r.minted FROM meter_readings r
      WHERE r.id = k.reading_id AND r.reading_timestamp = k.reading_timestamp)
    GROUP BY 3;
  RETURN NULL;
END $$;
CREATE TRIGGER transaction_final AFTER UPDATE OF finalized ON chain_transactions FOR EACH ROW
  WHEN (NEW.finalized AND NOT OLD.finalized) EXECUTE FUNCTION count_final_readings();

CREATE FUNCTION count_mint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO mint_changes VALUES (quarter_of(coalesce(NEW.block_time, 1)), (NEW.data ->> 'amount')::numeric, 1);
  ELSE
    INSERT INTO mint_changes VALUES (quarter_of(coalesce(OLD.block_time, 1)), -(OLD.data ->> 'amount')::numeric, -1);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER mint_seen AFTER INSERT ON chain_events FOR EACH ROW
  WHEN (NEW.name = 'ProductionMinted') EXECUTE FUNCTION count_mint();
CREATE TRIGGER mint_undone AFTER DELETE ON chain_events FOR EACH ROW
  WHEN (OLD.name = 'ProductionMinted') EXECUTE FUNCTION count_mint();

-- What is there already. Energy is added up by the collectors, while they work.
INSERT INTO reading_counts SELECT status, count(*) FROM meter_readings GROUP BY status;
INSERT INTO mint_quarters
  SELECT quarter_of(coalesce(block_time, 1)), sum((data ->> 'amount')::numeric), count(*)
  FROM chain_events WHERE name = 'ProductionMinted' GROUP BY 1;

-- Settlements by when they were made and by what became of them, for those who look after them.
CREATE INDEX idx_settlements_failed ON settlements (id) WHERE state = 'failed';
CREATE INDEX idx_settlements_created ON settlements (created_at);

-- The collectors on this database, by what they say of themselves.
CREATE TABLE collectors (
  id text PRIMARY KEY,
  version text NOT NULL,
  roles text[] NOT NULL,
  started_at timestamptz NOT NULL,
  last_seen timestamptz NOT NULL DEFAULT now()
);

-- Down Migration
DROP TABLE collectors;
DROP INDEX idx_settlements_created;
DROP INDEX idx_settlements_failed;
DROP TRIGGER mint_undone ON chain_events;
DROP TRIGGER mint_seen ON chain_events;
DROP FUNCTION count_mint();
DROP TRIGGER transaction_final ON chain_transactions;
DROP FUNCTION count_final_readings();
DROP TRIGGER readings_deleted ON meter_readings;
DROP FUNCTION count_deleted_readings();
DROP TRIGGER readings_changed ON meter_readings;
DROP FUNCTION count_changed_readings();
DROP TRIGGER readings_stored ON meter_readings;
DROP FUNCTION count_stored_readings();
DROP TABLE mint_changes;
DROP TABLE mint_quarters;
DROP FUNCTION pipeline_lag(timestamptz, timestamptz);
DROP FUNCTION pipeline_slot(timestamptz);
DROP TABLE pipeline_changes;
DROP TABLE pipeline_counts;
DROP TABLE reading_count_changes;
DROP TABLE reading_counts;
DROP FUNCTION quarter_of(bigint);
DROP TABLE energy_late;
DROP TABLE energy_meters;
DROP TABLE energy_quarters;
