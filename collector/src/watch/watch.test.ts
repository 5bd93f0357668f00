import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Alerts } from '../alerts.js';
import { Reviews } from '../review/reviews.js';
import { migrate } from '../store/migrate.js';
import { randomKey } from '../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { ProductionWatch, type WatchConfig } from './watch.js';

const logger = pino({ level: process.env.GTX_TEST_LOG ?? 'silent' });
let postgres: TestPostgres;
let pool: pg.Pool;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-watch-'));
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('watch'));
  await migrate(pool, logger);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});
/** 0:00 UTC two days before a test began, Unix seconds: also of a test in which a day begins. */
let start: number;
beforeEach(async () => {
  start = Math.floor(Date.now() / 1000 / DAY) * DAY - 2 * DAY;
  await pool.query(
    'TRUNCATE users, meters, meter_readings, reviews, review_actions, alerts, alert_notices, watch_state, watch_meters, watch_days CASCADE',
  );
  // As if the watch had run for long: it looks at everything that is stored from here on.
  await pool.query(`INSERT INTO watch_state (name, day) VALUES ('days', $1)`, [dateOf(start)]);
});

const watch = (config: Partial<WatchConfig> = {}, registry = new Registry()) =>
  new ProductionWatch({
    pool,
    alerts: new Alerts(pool, logger),
    logger,
    registry,
    config: { sitesFile: undefined, neighbours: 5, graceSeconds: 0, ...config },
  });

const INTERVAL = 900;
const DAY = 86_400;
const dateOf = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

async function addMeters(count: number, name = 'MTR'): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
  for (const meterId of ids) {
    await pool.query(
      `WITH u AS (INSERT INTO users (wallet_address) VALUES ($2) RETURNING id)
       INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, rated_watts)
       SELECT $1, $1, id, $2, $3, 1000 FROM u`,
      [meterId, randomKey(), randomKey()],
    );
  }
  return ids;
}

/** Stores readings with these mean powers (W), the first of which begins at `from`; each when its interval ended. */
async function store(meterId: string, watts: readonly number[], from: number): Promise<void> {
  await pool.query('SELECT ensure_reading_partition(to_timestamp($1)), ensure_reading_partition(now())', [
    from,
  ]);
  const totals: string[] = [];
  let total = 0n;
  for (const power of [0, ...watts]) {
    total += BigInt(Math.round((power * INTERVAL) / 0.0036));
    totals.push(total.toString());
  }
  await pool.query(
    `INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end,
       produced_total, consumed_total, surplus_total, amount_nkwh, reading_timestamp, submitted_at, message,
       meter_signature, public_key)
     SELECT gen_random_uuid(), user_id, meter_id, wallet_address, n, 0, e - $3::bigint, e, t, 0, t, 0, to_timestamp(e),
       to_timestamp(e + 5), decode(repeat('00', 48), 'hex'), 'none', public_key
     FROM meters, unnest($2::numeric[]) WITH ORDINALITY AS r (t, n), LATERAL (SELECT $4::bigint + (n - 1) * $3 AS e) AS i
     WHERE meter_id = $1`,
    [meterId, totals, INTERVAL, from],
  );
  await pool.query('UPDATE meters SET last_sequence = $2, last_end = $3 WHERE meter_id = $1', [
    meterId,
    watts.length + 1,
    from + watts.length * INTERVAL,
  ]);
}

async function found(): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT subject FROM reviews WHERE kind = 'implausible_production' AND status = 'open' ORDER BY subject`,
  );
  return rows.map(({ subject }) => subject);
}

it('finds production that nobody around has, and touches no reading', async () => {
  const [odd = '', ...others] = await addMeters(9);
  for (const meterId of others) await store(meterId, [0, 0, 1], start);
  await store(odd, [0, 400, 3], start);
  const before = await pool.query('SELECT * FROM meter_readings ORDER BY meter_id, sequence');
  const registry = new Registry();
  await watch({}, registry).look();
  expect(await found()).toEqual([`${odd}/neighbours_silent`]);
  expect((await pool.query('SELECT * FROM meter_readings ORDER BY meter_id, sequence')).rows).toEqual(
    before.rows,
  );
  const { rows } = await pool.query('SELECT meter_id, amount_nkwh, details FROM reviews');
  expect(rows).toEqual([
    {
      meter_id: odd,
      amount_nkwh: '100000000',
      details: expect.objectContaining({ sequence: '3', mean_watts: 400, neighbours: 8, silent: 8 }),
    },
  ]);
  const alerts = await pool.query('SELECT kind, dedupe_key FROM alerts WHERE resolved_at IS NULL');
  expect(alerts.rows).toEqual([{ kind: 'implausible_production', dedupe_key: `${odd}/neighbours_silent` }]);
  expect(await registry.metrics()).toContain(
    'gtx_collector_watch_findings_total{rule="neighbours_silent"} 1',
  );
  // Everything has been looked at: once.
  await watch().look();
  expect((await pool.query('SELECT occurrences FROM alerts')).rows).toEqual([{ occurrences: '1' }]);
});

it('looks at each reading once, however many collectors and however many readings of one moment', async () => {
  const ids = await addMeters(30);
  for (const meterId of ids) await store(meterId, [1500], start);
  const registries = [1, 2, 3].map(() => new Registry());
  await Promise.all(registries.map((registry) => watch({}, registry).look()));
  // Whoever came second has left the work to the first; a later look finds nothing more.
  await watch().look();
  const counts = await Promise.all(registries.map(async (registry) => registry.metrics()));
  const looked = counts.map((text) =>
    Number(/gtx_collector_watch_readings_total (\d+)/.exec(text)?.[1] ?? 0),
  );
  expect(looked.reduce((sum, count) => sum + count, 0)).toBe(60);
  expect(await found()).toEqual(ids.map((meterId) => `${meterId}/above_rated`).toSorted());
  expect((await pool.query('SELECT DISTINCT occurrences FROM alerts')).rows).toEqual([{ occurrences: '1' }]);
});

it('does not ask again for a month what an operator found plausible', async () => {
  const [odd = ''] = await addMeters(1);
  await store(odd, [1500], start);
  await watch().look();
  const { rows } = await pool.query('SELECT id FROM reviews');
  await new Reviews({ pool }).accept(rows[0].id, { by: 'ann', reason: 'a second inverter, registered soon' });
  const again = async () => {
    await pool.query('DELETE FROM watch_meters');
    await watch().look();
    return found();
  };
  expect(await again()).toEqual([]);
  await pool.query(`UPDATE reviews SET resolved_at = now() - interval '31 days'`);
  expect(await again()).toEqual([`${odd}/above_rated`]);
});

it('compares whole days between neighbours, once each day', async () => {
  const [odd = '', ...others] = await addMeters(9);
  const midday = (peak: number) =>
    Array.from({ length: 95 }, (_, index) => (index > 30 && index < 60 ? peak : 0));
  for (const [index, meterId] of others.entries()) await store(meterId, midday(160 + 10 * index), start);
  await store(odd, midday(990), start);
  const [late = ''] = await addMeters(1, 'LATE');
  // As much in less than a day: nothing to compare with days.
  await store(late, Array(29).fill(990), start + 31 * INTERVAL);
  // Nor what a gap of days brings along.
  await addMeters(1, 'GAP');
  await pool.query(
    `INSERT INTO watch_days (day, meter_id, produced_nkwh, seconds) VALUES ($1, 'GAP-1', 30e9, 3 * 86400)`,
    [dateOf(start)],
  );
  await watch({ neighbours: 8 }).look();
  expect(await found()).toEqual([`${odd}/above_neighbours`]);
  await watch({ neighbours: 8 }).look();
  expect((await pool.query('SELECT occurrences FROM alerts')).rows).toEqual([{ occurrences: '1' }]);
});

it('takes places from a file, reads it again when it changes, and keeps to the earlier one when it is wrong', async () => {
  const [odd = '', mill = '', ...others] = await addMeters(9);
  const file = join(folder, 'sites.json');
  let written = 0;
  const write = (text: string) => {
    writeFileSync(file, text);
    written += 1;
    utimesSync(file, written, written);
  };
  // On the date line, where this is the middle of the day or of the night.
  const noon = { latitude: 10, longitude: 179.5 };
  const midnight = { latitude: 10, longitude: 0.5 };
  const sites = (place: object) => JSON.stringify({ meters: { [odd]: place, [mill]: { kind: 'wind' } } });
  for (const meterId of others) await store(meterId, [0], start);
  await store(odd, [300], start);
  await store(mill, [300], start);
  const again = async (sites: ProductionWatch) => {
    await pool.query('DELETE FROM watch_meters');
    await sites.look();
    return found();
  };
  write(sites(noon));
  const watching = watch({ sitesFile: file });
  expect(await again(watching)).toEqual([]);
  write('{"meters":');
  expect(await again(watching)).toEqual([]);
  const alert = `SELECT message FROM alerts WHERE kind = 'sites_file_invalid' AND resolved_at IS NULL`;
  expect((await pool.query(alert)).rows[0].message).toMatch(/earlier sites stay in force.*not valid JSON/);
  write(sites(midnight));
  expect(await again(watching)).toEqual([`${odd}/sun_below_horizon`]);
  expect((await pool.query(alert)).rowCount).toBe(0);
  // A file that is wrong at the start is a wrong configuration.
  write('[]');
  await expect(watch({ sitesFile: file }).start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('waits for the neighbours before it judges, and goes on where another run stopped', async () => {
  const [odd = '', ...others] = await addMeters(9);
  const recent = Math.floor(Date.now() / 1000) - 2 * INTERVAL - 60;
  for (const meterId of others) await store(meterId, [0], recent);
  await store(odd, [500], recent);
  // Stored three quarters of an hour ago at most.
  await watch({ graceSeconds: 3600 }).look();
  expect(await found()).toEqual([]);
  const running = watch({ graceSeconds: 0, pollSeconds: 3600 });
  await running.start();
  await running.stop();
  await watch().look();
  expect(await found()).toEqual([`${odd}/neighbours_silent`]);
});
