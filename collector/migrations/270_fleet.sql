-- Up Migration

-- What gateways say of themselves over MQTT, the newest of each meter: health (`status`) and live values (`telemetry`). Written
-- in batches by every collector that hears it; `status_seen` and `telemetry_seen` keep an older word from replacing a newer one.
CREATE TABLE fleet (
  meter_id varchar(32) PRIMARY KEY REFERENCES meters (meter_id) ON DELETE CASCADE,
  -- What it said last; NULL: nothing yet.
  online boolean,
  -- When `online` became what it is, or the gateway was heard again after a silence.
  changed_at timestamptz,
  -- When a collector last heard the gateway itself.
  heard_at timestamptz,

  -- The gateway's own clock, and when a collector took the message.
  status_at timestamptz,
  status_seen timestamptz,
  version text,
  outbox_depth bigint,
  -- More than what is on its way anyway.
  outbox_waiting boolean NOT NULL DEFAULT FALSE,
  clock_synchronised boolean,
  clock_offset_ms double precision,
  bus_ok boolean,
  -- Failures of all devices since their last success, and the last error of the one that fails most.
  bus_failures integer,
  bus_last_error text,
  bus_devices jsonb,
  alerts jsonb NOT NULL DEFAULT '[]',
  alert_count integer NOT NULL DEFAULT 0,

  telemetry_at timestamptz,
  telemetry_seen timestamptz,
  production_watts integer,
  consumption_watts integer,
  grid_watts integer
-- Rewritten every few seconds: rows stay in their page as long as no indexed column changes, so the times are in no index.
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- For the lists of those with trouble, which are few.
CREATE INDEX idx_fleet_offline ON fleet (meter_id) WHERE NOT online;
CREATE INDEX idx_fleet_clock ON fleet (meter_id) WHERE NOT clock_synchronised;
CREATE INDEX idx_fleet_bus ON fleet (meter_id) WHERE NOT bus_ok;
CREATE INDEX idx_fleet_outbox ON fleet (meter_id) WHERE outbox_waiting;
CREATE INDEX idx_fleet_alerts ON fleet (meter_id) WHERE alert_count > 0;
CREATE INDEX idx_fleet_version ON fleet (version, meter_id);
-- For looking meters up by the beginning of their id, whatever the database's collation.
CREATE INDEX idx_meters_prefix ON meters (meter_id varchar_pattern_ops);

-- Down Migration
DROP INDEX idx_meters_prefix;
DROP TABLE fleet;
