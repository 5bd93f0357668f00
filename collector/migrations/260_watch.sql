-- Up Migration

-- How far the watch over production has got: readings by the time they were stored, and days.
CREATE TABLE watch_state (
  name text PRIMARY KEY,
  at timestamptz NOT NULL,
  id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- Readings are stored in the order of their time, so a block range index finds a minute or a day of them, and costs
-- next to nothing when they are written.
CREATE INDEX idx_readings_times ON meter_readings USING brin (submitted_at, reading_timestamp)
  WITH (pages_per_range = 16, autosummarize = on);

-- Down Migration
DROP INDEX idx_readings_times;
DROP TABLE watch_state;
