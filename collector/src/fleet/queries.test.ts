import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCursor } from '../http/cursor.js';
import { migrate } from '../store/migrate.js';
import { watchPlans } from '../testing/plans.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { powerNow } from './power.js';
import { fleetPage, fleetPlaces, fleetSummary, meterLive, walletPower } from './queries.js';
import { FleetItem, FleetPlaces, FleetSummary, Power } from './schemas.js';
import type { FleetState } from './state.js';

/* The fleet against tables with thousands of rows: states, filters that fit together, and plans that read no table from end to
 * end where only some rows are wanted. */

const ROWS = 12_000;
const NOW = 1_800_000_000;
const WALLET = encodeBase58(new Uint8Array(32).fill(7));
const asked = {
  rules: { silentSeconds: 180, intervalSeconds: 900 },
  nowSeconds: NOW,
  siteOf: (meterId: string) =>
    meterId === 'MTR-00007'
      ? { latitude: 52.5, longitude: 13.4 }
      : { latitude: undefined, longitude: undefined },
};

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('fleet'), 4);
  await migrate(pool, pino({ level: 'silent' }));
  const fill = `FROM generate_series(1, ${ROWS}) AS n`;
  for (const statement of [
    `INSERT INTO users (wallet_address, verified) VALUES ('${WALLET}', true)`,
    `INSERT INTO users (wallet_address, verified) SELECT 'W' || n, true ${fill}`,
    // Every hundredth from 7 on is this wallet's. Of every twentieth from 0 on nothing has come yet.
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, rated_watts, last_sequence, last_end)
     SELECT 'MTR-' || lpad(n::text, 5, '0'), 'A' || n, u.id, u.wallet_address, 'K' || n, 10000,
       CASE WHEN n % 20 = 0 THEN 0 ELSE 9 END, CASE WHEN n % 20 = 0 THEN 0 WHEN n % 20 = 5 THEN ${NOW} - 600 ELSE ${NOW} - 9000 END
     ${fill} JOIN users u ON u.wallet_address = CASE WHEN n % 100 = 7 THEN '${WALLET}' ELSE 'W' || n END`,
    // n % 20: 0 never; 1 said offline; 2 silent; 3 offline, but live values came afterwards; 4 and 5 have no gateway that
    // speaks MQTT, of which 5 delivers readings; the others are online.
    `INSERT INTO fleet (meter_id, online, changed_at, heard_at, status_at, status_seen, version, outbox_depth, outbox_waiting,
       clock_synchronised, clock_offset_ms, bus_ok, bus_failures, bus_last_error, bus_devices, alerts, alert_count,
       telemetry_at, telemetry_seen, production_watts, consumption_watts, grid_watts)
     SELECT 'MTR-' || lpad(n::text, 5, '0'), n % 20 NOT IN (1, 3), to_timestamp(${NOW} - 3600), heard, heard, heard,
       CASE WHEN n % 400 = 6 THEN '0.1.0' ELSE '0.2.0' END, CASE WHEN n % 200 = 6 THEN 9 ELSE 0 END, n % 200 = 6,
       n % 500 <> 6, 12.5, n % 500 <> 8, CASE WHEN n % 500 = 8 THEN 4 ELSE 0 END, CASE WHEN n % 500 = 8 THEN 'METER_BUS_ERROR' END,
       '[{"role":"grid","unit":1,"ok":true,"failures":0,"last_success":${NOW - 5}}]',
       CASE WHEN n % 500 = 8 THEN '[{"code":"METER_BUS_ERROR","message":"unit 1 does not answer","since":${NOW - 60}}]'::jsonb ELSE '[]' END,
       CASE WHEN n % 500 = 8 THEN 1 ELSE 0 END,
       heard, heard, CASE WHEN n % 2 = 0 THEN 3000 END, CASE WHEN n % 2 = 0 THEN 1000 END, CASE WHEN n % 2 = 1 THEN -500 END
     ${fill} CROSS JOIN LATERAL (SELECT to_timestamp(${NOW} - CASE n % 20 WHEN 1 THEN 3600 WHEN 2 THEN 600 ELSE 8 END) AS heard) AS h
     WHERE n % 20 NOT IN (0, 4, 5)`,
    'VACUUM ANALYZE',
  ]) {
    await pool.query(statement);
  }
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

type Query = Parameters<typeof fleetPage>[1];
const of20 = (...rests: number[]) => (rests.length * ROWS) / 20;
const LISTS: [name: string, query: Partial<Query>, count: number][] = [
  ['all', { limit: 500 }, ROWS],
  ['online', { state: 'online', limit: 500 }, ROWS - of20(0, 1, 2, 4)],
  ['silent', { state: 'silent', limit: 300 }, of20(2, 4)],
  ['offline', { state: 'offline', limit: 300 }, of20(1)],
  ['never', { state: 'never', limit: 300 }, of20(0)],
  ['clock', { problem: 'clock', limit: 5 }, ROWS / 500],
  ['bus', { problem: 'bus', limit: 5 }, ROWS / 500],
  ['outbox', { problem: 'outbox', limit: 5 }, ROWS / 200],
  ['alert', { problem: 'alert', limit: 5 }, ROWS / 500],
  ['version', { version: '0.1.0', limit: 7 }, ROWS / 400],
  ['outbox of those online', { problem: 'outbox', state: 'online', limit: 5 }, ROWS / 200],
  ['the beginning of an id', { q: 'MTR-0012', limit: 3 }, 10],
  ['a wallet', { q: WALLET, limit: 50 }, ROWS / 100],
  ['silent ones of a wallet', { q: WALLET, state: 'silent', limit: 50 }, 0],
];

describe.each(LISTS)('meters by %s', (name, query, count) => {
  test('come in pages that hold everything once, by an index', async () => {
    const { pool: db, plans } = watchPlans(pool);
    const seen = new Set<string>();
    let [cursor, total]: [string | undefined, number] = [undefined, 0];
    do {
      const page = await fleetPage(db, { limit: 100, ...query, cursor } as Query, asked);
      for (const item of page.items.slice(0, 3)) FleetItem.parse(item);
      for (const item of page.items) {
        seen.add(item.meter_id);
        if (query.state !== undefined) expect(item.state).toBe(query.state);
      }
      total += page.items.length;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(total).toBe(count);
    expect(seen.size).toBe(count);
    for (const plan of plans) expect(plan, name).not.toMatch(/Seq Scan/);
  });
});

test.each(LISTS)(
  'places of meters by %s: those of the list, found by an index',
  async (name, query, count) => {
    const { pool: db, plans } = watchPlans(pool);
    // Every tenth has a place.
    const siteOf = (meterId: string) => {
      const n = Number(meterId.slice(4));
      return n % 10 === 7 ? { latitude: n / 1000, longitude: -n / 1000 } : undefined;
    };
    const { limit: _, ...filter } = query;
    const places = FleetPlaces.parse(await fleetPlaces(db, filter, { ...asked, siteOf }));
    expect(places.meters).toBe(Math.min(count, 2_000));
    expect(places.more).toBe(count > 2_000);
    const { items } = await fleetPage(pool, { ...filter, limit: 2_000 } as Query, { ...asked, siteOf });
    expect(places.items).toEqual(
      items.flatMap(({ meter_id, state, site }) => (site === null ? [] : [{ meter_id, state, ...site }])),
    );
    for (const plan of plans) expect(plan, name).not.toMatch(/Seq Scan/);
  },
);

test('a cursor of another kind is refused', async () => {
  for (const cursor of ['"; DROP TABLE fleet; --', encodeCursor([]), encodeCursor(["1'; SELECT 1; --"])]) {
    await expect(fleetPage(pool, { limit: 5, cursor }, asked)).rejects.toThrow(GtxError);
  }
});

test('the state follows from what was said and what was heard', async () => {
  const stateOf = async (n: number) =>
    (await meterLive(pool, `MTR-${String(n).padStart(5, '0')}`, undefined, asked)).state;
  const states: [number, FleetState][] = [
    [20, 'never'],
    [1, 'offline'],
    [2, 'silent'],
    [3, 'online'],
    [4, 'silent'],
    [5, 'online'],
    [6, 'online'],
  ];
  for (const [n, state] of states) expect(await stateOf(n), `${n}`).toBe(state);
  const item = await meterLive(pool, 'MTR-00007', WALLET, asked);
  expect(item).toMatchObject({
    state: 'online',
    since: '2027-01-15T07:00:00Z',
    last_heard_at: '2027-01-15T07:59:52Z',
    clock: { synchronised: true, offset_ms: 12.5 },
    power: { production_watts: null, consumption_watts: null, grid_watts: -500 },
    site: { latitude: 52.5, longitude: 13.4 },
  });
  await expect(meterLive(pool, 'MTR-00008', WALLET, asked)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(meterLive(pool, 'MTR-99999', WALLET, asked)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('the figures are those of the lists', async () => {
  const summary = FleetSummary.parse(await fleetSummary(pool, asked.rules, NOW));
  expect(summary).toMatchObject({
    meters: ROWS,
    states: { online: ROWS - of20(0, 1, 2, 4), silent: of20(2, 4), offline: of20(1), never: of20(0) },
    problems: { clock: ROWS / 500, bus: ROWS / 500, outbox: ROWS / 200, alerts: ROWS / 500 },
    outbox_readings: (9 * ROWS) / 200,
    versions: [
      { version: '0.2.0', meters: of20(0) * 17 - ROWS / 400 },
      { version: '0.1.0', meters: ROWS / 400 },
    ],
  });
});

test('power is that of the last minute, of each meter no more than it can have', async () => {
  const mine = Power.parse(await powerNow(pool, { wallet: WALLET }, NOW));
  // All of this wallet's are those with n % 20 = 7: they export 500 W.
  expect(mine).toEqual({
    at: '2027-01-15T07:59:52Z',
    production_watts: 500 * (ROWS / 100),
    consumption_watts: 0,
    surplus_watts: 500 * (ROWS / 100),
    meters: ROWS / 100,
    silent: 0,
  });
  const { pool: db, plans } = watchPlans(pool);
  expect(await walletPower(db, WALLET, asked, 100)).toHaveLength(100);
  await powerNow(db, { wallet: WALLET }, NOW);
  for (const plan of plans) expect(plan).not.toMatch(/Seq Scan/);

  await pool.query('UPDATE fleet SET grid_watts = -2000000000 WHERE meter_id = $1', ['MTR-00007']);
  expect((await powerNow(pool, { wallet: WALLET }, NOW)).surplus_watts).toBe(500 * (ROWS / 100 - 1) + 10_000);
  await pool.query('UPDATE fleet SET grid_watts = 2000000000 WHERE meter_id = $1', ['MTR-00007']);
  expect((await powerNow(pool, { wallet: WALLET }, NOW)).consumption_watts).toBe(20_000);
  await pool.query('UPDATE fleet SET grid_watts = -500 WHERE meter_id = $1', ['MTR-00007']);
  const all = await powerNow(pool, {}, NOW);
  expect(all.meters).toBe(of20(3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
  expect(all.silent).toBe(ROWS - all.meters);
});
