import { formatTimestamp, GtxError, nkwhToKwh, type Status } from '@gridtokenx/protocol';
import type pg from 'pg';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import { METER_POWER } from './power.js';
import type { FleetItem, FleetPlaces, FleetQuery, FleetSummary } from './schemas.js';
import {
  FLEET_STATES,
  type FleetProblem,
  type FleetRules,
  type FleetState,
  POWER_SECONDS,
  stateSql,
} from './state.js';

type Pool = Pick<pg.Pool, 'query'>;
/** Where a meter is, if that is known. */
export type SiteOf = (
  meterId: string,
) => { latitude: number | undefined; longitude: number | undefined } | undefined;

const WALLET_LEAST_LENGTH = 33;
/** Meters that one question goes through, where the state is looked for: it changes by itself and is in no index. */
const WINDOW = 5_000;
const MOST_VERSIONS = 20;

const PROBLEM_SQL: Record<FleetProblem, string> = {
  clock: 'NOT f.clock_synchronised',
  bus: 'NOT f.bus_ok',
  outbox: 'f.outbox_waiting',
  alert: 'f.alert_count > 0',
};

const seconds = (column: string) => `floor(extract(epoch FROM ${column}))::bigint`;
const ITEM = `m.meter_id, m.wallet_address, m.status AS chain_status, m.last_sequence, m.last_end, m.holds, m.chain_minted,
  f.version, f.outbox_depth, f.clock_synchronised, f.clock_offset_ms, f.bus_ok, f.bus_failures, f.bus_last_error, f.bus_devices,
  f.alerts, f.production_watts, f.consumption_watts, f.grid_watts, ${seconds('f.changed_at')} AS changed_at,
  ${seconds('f.heard_at')} AS heard_at, ${seconds('f.telemetry_seen')} AS telemetry_seen`;
const ALL = 'FROM meters m LEFT JOIN fleet f ON f.meter_id = m.meter_id';
/* Where only some are wanted: the other table is asked row by row, by its key (OFFSET keeps the planner from reading it whole). */
const FROM_METERS = `FROM meters m
  LEFT JOIN LATERAL (SELECT * FROM fleet WHERE meter_id = m.meter_id OFFSET 0) AS f ON true`;
const FROM_FLEET = `FROM fleet f
  CROSS JOIN LATERAL (SELECT * FROM meters WHERE meter_id = f.meter_id OFFSET 0) AS m`;

const time = (unixSeconds: string | number | null): string | null =>
  unixSeconds === null ? null : formatTimestamp(Number(unixSeconds));

type Devices = NonNullable<Status['bus']>['devices'];
type GatewayAlerts = NonNullable<Status['alerts']>;

function itemOf(row: pg.QueryResultRow, siteOf: SiteOf): FleetItem {
  const state = row.state as FleetState;
  const readAt = row.last_sequence === '0' ? null : Number(row.last_end);
  const site = siteOf(row.meter_id);
  const since = {
    online: row.heard_at === null ? readAt : row.changed_at,
    silent: row.heard_at ?? readAt,
    offline: row.changed_at,
    never: null,
  }[state];
  return {
    meter_id: row.meter_id,
    wallet_address: row.wallet_address,
    chain_status: row.chain_status,
    state,
    since: time(since),
    last_heard_at: time(row.heard_at),
    last_reading_at: time(readAt),
    version: row.version,
    outbox_depth: row.outbox_depth === null ? null : Number(row.outbox_depth),
    clock:
      row.clock_synchronised === null
        ? null
        : { synchronised: row.clock_synchronised, offset_ms: row.clock_offset_ms },
    bus:
      row.bus_ok === null
        ? null
        : {
            ok: row.bus_ok,
            failures: row.bus_failures,
            last_error: row.bus_last_error,
            devices: (row.bus_devices as Devices).map(
              ({ role, unit, ok, failures, last_success, last_error }) => ({
                role,
                unit,
                ok,
                failures,
                last_success: time(last_success ?? null),
                last_error: last_error ?? null,
              }),
            ),
          },
    alerts: ((row.alerts ?? []) as GatewayAlerts).map(({ code, message, since: from }) => ({
      code,
      message,
      since: formatTimestamp(from),
    })),
    power:
      row.telemetry_seen === null
        ? null
        : {
            production_watts: row.production_watts,
            consumption_watts: row.consumption_watts,
            grid_watts: row.grid_watts,
            at: formatTimestamp(Number(row.telemetry_seen)),
          },
    holds: row.holds,
    minted_grid: nkwhToKwh(BigInt(row.chain_minted)),
    site:
      site?.latitude === undefined || site.longitude === undefined
        ? null
        : { latitude: site.latitude, longitude: site.longitude },
  };
}

export interface FleetAsked {
  rules: FleetRules;
  nowSeconds: number;
  siteOf: SiteOf;
}

type FleetFilter = Omit<FleetQuery, 'limit' | 'cursor'>;

/** How meters that fit are found. */
interface Search {
  /** The tables, and the column of the id that they are in order by. */
  from: string;
  id: string;
  /** The condition for those beyond an id; what it needs is added to the statement's values. */
  where: (beyond: string, values: unknown[]) => string;
}

function searchFor({ state, problem, version, q }: FleetFilter): Search {
  // Few have these: they are found by an index on the fleet. No other state than `offline` has said so.
  const said = [
    ...(problem === undefined ? [] : [PROBLEM_SQL[problem]]),
    ...(state === 'offline' ? ['NOT f.online'] : []),
  ];
  const byFleet = said.length > 0 || version !== undefined;
  const id = byFleet ? 'f.meter_id' : 'm.meter_id';
  const where = (beyond: string, values: unknown[]): string => {
    const parts = [`${id} > $${values.push(beyond)}`, ...said];
    if (version !== undefined) parts.push(`f.version = $${values.push(version)}`);
    if (q !== undefined && q.length >= WALLET_LEAST_LENGTH)
      parts.push(`m.user_id = (SELECT id FROM users WHERE wallet_address = $${values.push(q)})`);
    else if (q !== undefined) parts.push(`${id} LIKE $${values.push(`${q.replaceAll('_', '\\_')}%`)}`);
    return parts.join(' AND ');
  };
  return { from: byFleet ? FROM_FLEET : FROM_METERS, id, where };
}

/** The first meters beyond an id that are in a state, and perhaps some more. */
async function inState(
  pool: Pool,
  state: FleetState,
  { from, id, where }: Search,
  { after, most }: { after: string; most: number },
  { rules, nowSeconds }: FleetAsked,
): Promise<string[]> {
  const found: string[] = [];
  for (let beyond: string | null = after; beyond !== null && found.length < most; ) {
    const values: unknown[] = [];
    const { rows }: pg.QueryResult = await pool.query(
      `SELECT count(*)::int AS looked, max(meter_id) AS last,
         array_agg(meter_id ORDER BY meter_id) FILTER (WHERE state = $${values.push(state)}) AS found
       FROM (SELECT m.meter_id, ${stateSql(rules, nowSeconds, values)} AS state ${from}
         WHERE ${where(beyond, values)} ORDER BY ${id} LIMIT ${WINDOW}) AS window_of_meters`,
      values,
    );
    found.push(...(rows[0].found ?? []));
    beyond = rows[0].looked < WINDOW ? null : rows[0].last;
  }
  return found;
}

/** One page of meters by their ids, with what their gateways said. */
export async function fleetPage(
  pool: Pool,
  { limit, cursor, ...filter }: FleetQuery,
  asked: FleetAsked,
): Promise<{ items: FleetItem[]; next_cursor: string | null }> {
  const { rules, nowSeconds, siteOf } = asked;
  const [after = ''] = decodeCursor(cursor, ['text']) ?? [];
  const search = searchFor(filter);
  const most = limit + 1;
  if (filter.state === undefined) {
    const values: unknown[] = [];
    const { rows } = await pool.query(
      `SELECT ${ITEM}, ${stateSql(rules, nowSeconds, values)} AS state ${search.from}
       WHERE ${search.where(after, values)} ORDER BY ${search.id} LIMIT $${values.push(most)}`,
      values,
    );
    return pageOf(rows, limit, siteOf);
  }
  const found = await inState(pool, filter.state, search, { after, most }, asked);
  // They may be in another state by now: told is the one that they were found in.
  const { rows } = await pool.query(
    `SELECT ${ITEM}, $1::text AS state ${FROM_METERS} WHERE m.meter_id = ANY($2::text[]) ORDER BY m.meter_id`,
    [filter.state, found.slice(0, most)],
  );
  return pageOf(rows, limit, siteOf);
}

/** Meters that a map is drawn of: more would only cover each other. */
const MOST_PLACES = 2_000;

/** Where the first meters are that fit, as far as it is known, and how their gateways do. */
export async function fleetPlaces(pool: Pool, filter: FleetFilter, asked: FleetAsked): Promise<FleetPlaces> {
  const { rules, nowSeconds, siteOf } = asked;
  const search = searchFor(filter);
  const most = MOST_PLACES + 1;
  let found: { meter_id: string; state: FleetState }[];
  if (filter.state === undefined) {
    const values: unknown[] = [];
    const { rows } = await pool.query(
      `SELECT m.meter_id, ${stateSql(rules, nowSeconds, values)} AS state ${search.from}
       WHERE ${search.where('', values)} ORDER BY ${search.id} LIMIT $${values.push(most)}`,
      values,
    );
    found = rows;
  } else {
    const { state } = filter;
    const ids = await inState(pool, state, search, { after: '', most }, asked);
    found = ids.map((meter_id) => ({ meter_id, state }));
  }
  const looked = found.slice(0, MOST_PLACES);
  return {
    items: looked.flatMap(({ meter_id, state }) => {
      const { latitude, longitude } = siteOf(meter_id) ?? {};
      return latitude === undefined || longitude === undefined
        ? []
        : [{ meter_id, state, latitude, longitude }];
    }),
    meters: looked.length,
    more: found.length > looked.length,
  };
}

function pageOf(rows: pg.QueryResultRow[], limit: number, siteOf: SiteOf) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map((row) => itemOf(row, siteOf)),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor([last.meter_id]) : null,
  };
}

/**
 * @param wallet who asks; undefined: an operator
 * @throws GtxError NOT_FOUND, FORBIDDEN for another's
 */
export async function meterLive(
  pool: Pool,
  meterId: string,
  wallet: string | undefined,
  { rules, nowSeconds, siteOf }: FleetAsked,
): Promise<FleetItem> {
  const values: unknown[] = [meterId];
  const { rows } = await pool.query(
    `SELECT ${ITEM}, ${stateSql(rules, nowSeconds, values)} AS state ${FROM_METERS} WHERE m.meter_id = $1`,
    values,
  );
  const row = rows[0];
  if (row === undefined) throw new GtxError('NOT_FOUND', 'no such meter');
  if (wallet !== undefined && row.wallet_address !== wallet) {
    throw new GtxError('FORBIDDEN', "this is another wallet's meter");
  }
  return itemOf(row, siteOf);
}

/** All meters in figures; goes through all of them once. */
export async function fleetSummary(pool: Pool, rules: FleetRules, nowSeconds: number): Promise<FleetSummary> {
  const values: unknown[] = [];
  const { rows } = await pool.query(
    `SELECT state, version, count(*)::int AS meters, count(*) FILTER (WHERE clock)::int AS clock,
       count(*) FILTER (WHERE bus)::int AS bus, count(*) FILTER (WHERE outbox_waiting)::int AS outbox,
       count(*) FILTER (WHERE alerting)::int AS alerts, coalesce(sum(outbox_depth), 0)::float8 AS outbox_readings
     FROM (SELECT ${stateSql(rules, nowSeconds, values)} AS state, f.version, f.outbox_depth, f.outbox_waiting,
         ${PROBLEM_SQL.clock} AS clock, ${PROBLEM_SQL.bus} AS bus, ${PROBLEM_SQL.alert} AS alerting ${ALL}) AS meters
     GROUP BY state, version`,
    values,
  );
  const sum = (field: string, of = rows): number => of.reduce((total, row) => total + row[field], 0);
  const versions = new Map<string, number>();
  for (const { version, meters } of rows) {
    if (version !== null) versions.set(version, (versions.get(version) ?? 0) + meters);
  }
  const states = Object.fromEntries(
    FLEET_STATES.map((name) => [
      name,
      sum(
        'meters',
        rows.filter(({ state }) => state === name),
      ),
    ]),
  ) as Record<FleetState, number>;
  return {
    time: formatTimestamp(nowSeconds),
    meters: sum('meters'),
    states,
    problems: { clock: sum('clock'), bus: sum('bus'), outbox: sum('outbox'), alerts: sum('alerts') },
    outbox_readings: sum('outbox_readings'),
    versions: [...versions]
      .map(([version, meters]) => ({ version, meters }))
      .toSorted((a, b) => b.meters - a.meters || (a.version < b.version ? -1 : 1))
      .slice(0, MOST_VERSIONS),
  };
}

/** A meter's power as the live channel tells it. */
export interface MeterPower {
  [field: string]: unknown;
  meter_id: string;
  at: string | null;
}

/** The power of each of a wallet's meters; null where nothing was heard in the last minute. */
export async function walletPower(
  pool: Pool,
  wallet: string,
  { rules, nowSeconds }: Pick<FleetAsked, 'rules' | 'nowSeconds'>,
  most: number,
): Promise<MeterPower[]> {
  const values: unknown[] = [wallet, nowSeconds - POWER_SECONDS, most];
  const { rows } = await pool.query(
    `SELECT m.meter_id, ${stateSql(rules, nowSeconds, values)} AS state, ${seconds('f.telemetry_seen')} AS at, f.grid_watts,
       coalesce(f.telemetry_seen >= to_timestamp($2::float8), false) AS fresh, ${METER_POWER.production} AS production,
       ${METER_POWER.consumption} AS consumption, ${METER_POWER.surplus} AS surplus
     ${FROM_METERS} WHERE m.user_id = (SELECT id FROM users WHERE wallet_address = $1) ORDER BY m.meter_id LIMIT $3`,
    values,
  );
  return rows.map(({ meter_id, state, at, grid_watts, fresh, production, consumption, surplus }) => ({
    meter_id,
    state,
    at: time(at),
    production_watts: fresh ? Number(production) : null,
    consumption_watts: fresh ? Number(consumption) : null,
    grid_watts: fresh ? grid_watts : null,
    surplus_watts: fresh ? Number(surplus) : null,
  }));
}
