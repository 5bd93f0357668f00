/** Writes what gateways said: many meters in one statement, and never an older word over a newer one. */
import type pg from 'pg';
import { ORDER, type StatusNews, type TelemetryNews } from './news.js';

/** A time of another collector's clock that lies so far ahead of this one's is wrong, and holds nobody up. */
const FUTURE_SECONDS = 30;

/**
 * `supersedes` of news.ts between a message and the stored row `f`. `$2`: now, in milliseconds.
 * @param n the message, with the columns' names
 * @param sooner what is newer whichever was taken first
 * @param always what is newer if it was taken later, whatever the gateway's own time says
 */
function newer(n: string, kind: 'status' | 'telemetry', { sooner = 'false', always = 'false' }): string {
  const [at, seen] = [`${kind}_at`, `${kind}_seen`];
  return `(f.${seen} IS NULL OR ${sooner}
    OR (${n}.${seen} >= f.${seen} OR f.${seen} > to_timestamp($2::float8 / 1000) + interval '${FUTURE_SECONDS} seconds')
      AND (${always} OR ${n}.${at} >= f.${at} OR f.${at} > f.${seen} + interval '${ORDER.aheadSeconds} seconds'
        OR ${n}.${seen} > f.${seen} + interval '${ORDER.lateSeconds} seconds'))`;
}

/** Every collector hears every status, in its order. A will counts, with whatever time it bears. */
const newerStatus = (n: string): string => newer(n, 'status', { always: `NOT ${n}.online` });

/**
 * Live values are shared out among collectors, each with a clock and a queue of its own: a later time of the gateway's counts, unless
 * it is ahead of the time at which it was taken.
 */
const newerTelemetry = (n: string): string =>
  newer(n, 'telemetry', {
    sooner: `(${n}.telemetry_at > f.telemetry_at
      AND ${n}.telemetry_at <= ${n}.telemetry_seen + interval '${ORDER.aheadSeconds} seconds')`,
  });

/** Whether a status says anything that is not stored: another collector may have been there a moment ago. */
function unknown(n: string): string {
  const said = (row: string) =>
    [
      'online',
      'status_at',
      'version',
      'outbox_depth',
      'clock_synchronised',
      'bus_ok',
      'bus_failures',
      'alert_count',
    ]
      .map((column) => `${row}.${column}`)
      .join(', ');
  return `CASE WHEN ${n}.online THEN (${said('f')}) IS DISTINCT FROM (${said(n)})
    ELSE (f.online, f.status_at) IS DISTINCT FROM (${n}.online, ${n}.status_at) END`;
}

/* Every collector hears every status: the one that comes second finds it there, and writes nothing. Rows are locked in the order
 * of their ids, so that collectors wait for each other and not in a circle. */
const STATUS_SQL = `
INSERT INTO fleet AS f (meter_id, online, changed_at, heard_at, status_at, status_seen, version, outbox_depth, outbox_waiting,
  clock_synchronised, clock_offset_ms, bus_ok, bus_failures, bus_last_error, bus_devices, alerts, alert_count)
SELECT n.* FROM (
  SELECT m.meter_id, j.online, to_timestamp(j.heard / 1000) AS changed_at,
    CASE WHEN j.online THEN to_timestamp(j.heard / 1000) END AS heard_at, to_timestamp(j.at) AS status_at,
    -- What a broker had kept: an \`online\` is as old as it says, an \`offline\` is the broker's word of now.
    to_timestamp(CASE WHEN j.online THEN j.heard ELSE j.seen END / 1000) AS status_seen,
    j.version, j.outbox AS outbox_depth, coalesce(j.waiting, false) AS outbox_waiting, j.synchronised AS clock_synchronised,
    j.clock_offset AS clock_offset_ms, j.bus_ok, j.bus_failures, j.bus_error AS bus_last_error, j.bus_devices,
    coalesce(j.alerts, '[]') AS alerts, coalesce(jsonb_array_length(j.alerts), 0) AS alert_count
  FROM json_to_recordset($1::json) AS j(meter_id text, at float8, seen float8, heard float8, online boolean, version text,
    outbox bigint, waiting boolean, synchronised boolean, clock_offset float8, bus_ok boolean, bus_failures int, bus_error text,
    bus_devices jsonb, alerts jsonb)
  JOIN meters m ON m.meter_id = j.meter_id
) AS n LEFT JOIN fleet f ON f.meter_id = n.meter_id
WHERE ${newerStatus('n')}
  AND ${unknown('n')}
ORDER BY n.meter_id
ON CONFLICT (meter_id) DO UPDATE SET
  online = excluded.online,
  changed_at = CASE
    WHEN f.online IS DISTINCT FROM excluded.online THEN greatest(excluded.changed_at, f.heard_at)
    WHEN excluded.online AND f.heard_at < excluded.heard_at - make_interval(secs => $3) THEN excluded.changed_at
    ELSE f.changed_at END,
  heard_at = ${latest('heard_at')},
  status_at = excluded.status_at,
  status_seen = excluded.status_seen,
  version = excluded.version,
  -- A will says nothing but \`offline\`: the rest stays as it was.
  ${[
    'outbox_depth',
    'outbox_waiting',
    'clock_synchronised',
    'clock_offset_ms',
    'bus_ok',
    'bus_failures',
    'bus_last_error',
    'bus_devices',
    'alerts',
    'alert_count',
  ]
    .map((column) => `${column} = CASE WHEN excluded.online THEN excluded.${column} ELSE f.${column} END`)
    .join(',\n  ')}
WHERE ${newerStatus('excluded')} AND ${unknown('excluded')}`;

const TELEMETRY_SQL = `
INSERT INTO fleet AS f (meter_id, heard_at, telemetry_at, telemetry_seen, production_watts, consumption_watts, grid_watts)
SELECT n.* FROM (
  SELECT m.meter_id, to_timestamp(j.heard / 1000) AS heard_at, to_timestamp(j.at) AS telemetry_at,
    to_timestamp(j.heard / 1000) AS telemetry_seen, j.production, j.consumption, j.grid
  FROM json_to_recordset($1::json) AS j(meter_id text, at float8, heard float8, production int, consumption int, grid int)
  JOIN meters m ON m.meter_id = j.meter_id
) AS n LEFT JOIN fleet f ON f.meter_id = n.meter_id
-- The same time again: the gateway measures nothing, and what it measured last gets old.
WHERE ${newerTelemetry('n')} AND f.telemetry_at IS DISTINCT FROM n.telemetry_at
ORDER BY n.meter_id
ON CONFLICT (meter_id) DO UPDATE SET
  heard_at = ${latest('heard_at')},
  telemetry_at = excluded.telemetry_at,
  telemetry_seen = excluded.telemetry_seen,
  production_watts = excluded.production_watts,
  consumption_watts = excluded.consumption_watts,
  grid_watts = excluded.grid_watts
WHERE ${newerTelemetry('excluded')} AND f.telemetry_at IS DISTINCT FROM excluded.telemetry_at`;

/** The later of two times, of which the stored one may be by a clock that was wrong. */
function latest(column: string): string {
  return `CASE WHEN f.${column} > to_timestamp($2::float8 / 1000) + interval '${FUTURE_SECONDS} seconds'
    THEN excluded.${column} ELSE greatest(f.${column}, excluded.${column}) END`;
}

/**
 * Stores messages of different meters in one statement. Those of meters that are not registered are passed over.
 * @returns rows that were written: fewer where others had the news already
 */
export async function storeNews(
  pool: Pick<pg.Pool, 'query'>,
  kind: 'status' | 'telemetry',
  news: readonly (StatusNews | TelemetryNews)[],
  { nowMillis, silentSeconds }: { nowMillis: number; silentSeconds: number },
): Promise<number> {
  const values = [JSON.stringify(news), nowMillis];
  const { rowCount } = await (kind === 'status'
    ? pool.query(STATUS_SQL, [...values, silentSeconds])
    : pool.query(TELEMETRY_SQL, values));
  return rowCount ?? 0;
}
