-- Up Migration

-- How far the watch over production has got with each meter. It follows sequences, for which there is an index, and
-- needs none of its own on the readings.
CREATE TABLE watch_meters (
  meter_id varchar(32) PRIMARY KEY REFERENCES meters (meter_id) ON DELETE CASCADE,
  sequence numeric(20, 0) NOT NULL
) WITH (fillfactor = 50);

-- What the readings that were looked at add up to, by the UTC day of their end.
CREATE TABLE watch_days (
  day date NOT NULL,
  meter_id varchar(32) NOT NULL REFERENCES meters (meter_id) ON DELETE CASCADE,
  produced_nkwh numeric(20, 0) NOT NULL,
  seconds bigint NOT NULL,
  PRIMARY KEY (day, meter_id)
) WITH (fillfactor = 50);

-- Days that have been compared, and one row from the beginning on.
CREATE TABLE watch_state (
  name text PRIMARY KEY,
  day date NOT NULL
);

-- Down Migration
DROP TABLE watch_state;
DROP TABLE watch_days;
DROP TABLE watch_meters;
