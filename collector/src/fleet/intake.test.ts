import type pg from 'pg';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Alerts } from '../alerts.js';
import { migrate } from '../store/migrate.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { FleetIntake, type FleetIntakeDeps } from './intake.js';
import { type FleetMetrics, fleetMetrics } from './metrics.js';
import { fleetSummary, meterLive } from './queries.js';
import { FleetWatch } from './watch.js';

const METERS = 10_000;
const rules = { silentSeconds: 180, intervalSeconds: 900 };
const id = (n: number) => `M-${String(n).padStart(5, '0')}`;

let postgres: TestPostgres;
let pool: pg.Pool;
/** The collectors' clock, Unix seconds. */
let now = 1_800_000_000;
const intakes: FleetIntake[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('fleet'), 6);
  await migrate(pool, pino({ level: 'silent' }));
  await pool.query(`INSERT INTO users (wallet_address, verified) VALUES ('owner', true)`);
  await pool.query(
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key)
     SELECT 'M-' || lpad(n::text, 5, '0'), 'A' || n, u.id, 'owner', 'K' || n FROM generate_series(1, ${METERS}) AS n, users u`,
  );
});
beforeEach(async () => {
  now += 100_000;
  await pool.query('TRUNCATE fleet, alerts CASCADE');
});
afterEach(async () => {
  for (const intake of intakes.splice(0)) await intake.stop();
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** A collector's intake; `clock` is how many seconds its clock is ahead. */
function collector(
  limits: FleetIntakeDeps['limits'] = { flushMillis: 20 },
  clock = 0,
): FleetIntake & { metrics: FleetMetrics } {
  const metrics = fleetMetrics(new Registry(), async () => undefined);
  const intake = new FleetIntake({
    pool,
    metrics,
    logger: pino({ level: 'silent' }),
    now: () => (now + clock) * 1000,
    silentSeconds: rules.silentSeconds,
    limits,
  });
  intakes.push(intake);
  intake.start();
  return Object.assign(intake, { metrics });
}

const status = (extra: object = {}) =>
  Buffer.from(
    JSON.stringify({
      state: 'online',
      version: '0.2.0',
      time: now,
      outbox_depth: 0,
      clock: { synchronised: true, offset_ms: 2 },
      bus: { ok: true, devices: [{ role: 'grid', unit: 1, ok: true, failures: 0, last_success: now }] },
      alerts: [],
      ...extra,
    }),
  );
const offline = (time = now) => Buffer.from(JSON.stringify({ state: 'offline', version: '0.2.0', time }));
const telemetry = (n: number, watts: number, time = now) =>
  Buffer.from(JSON.stringify({ meter_id: id(n), time, grid_watts: watts, devices: [] }));

const live = (n: number) =>
  meterLive(pool, id(n), undefined, { rules, nowSeconds: now, siteOf: () => undefined });
/** Waits until a meter is as expected. */
const becomes = (n: number, expected: object) =>
  until(
    async () => {
      const item = await live(n);
      try {
        expect(item).toMatchObject(expected);
        return item;
      } catch {
        // Not yet.
        return undefined;
      }
    },
    `${id(n)} ${JSON.stringify(expected)}`,
  );
async function countOf(metrics: FleetMetrics, kind: string, outcome: string): Promise<number> {
  const { values } = await metrics.messages.get();
  return values.find(({ labels }) => labels.kind === kind && labels.outcome === outcome)?.value ?? 0;
}

test('what a gateway says is there in a moment, and stays what it was when it takes leave', async () => {
  const intake = collector();
  const devices = [
    { role: 'grid', unit: 1, ok: false, failures: 4, last_success: now - 20, last_error: 'METER_BUS_ERROR' },
  ];
  const alerts = [{ code: 'METER_BUS_ERROR', message: 'unit 1 does not answer', since: now - 15 }];
  const said = { outbox_depth: 7, clock: { synchronised: false }, bus: { ok: false, devices }, alerts };
  intake.take('status', id(1), status(said), false);
  intake.take('telemetry', id(1), telemetry(1, -7481.5), false);
  const first = await becomes(1, {
    state: 'online',
    version: '0.2.0',
    outbox_depth: 7,
    clock: { synchronised: false, offset_ms: null },
    bus: {
      ok: false,
      failures: 4,
      last_error: 'METER_BUS_ERROR',
      devices: [{ unit: 1, last_error: 'METER_BUS_ERROR' }],
    },
    alerts: [{ code: 'METER_BUS_ERROR' }],
    power: { grid_watts: -7481, production_watts: null },
  });
  now += 60;
  intake.take('status', id(1), offline(), false);
  const last = await becomes(1, { state: 'offline', outbox_depth: 7, bus: { ok: false } });
  expect(last.last_heard_at).toBe(first.last_heard_at);
  expect(Date.parse(last.since ?? '')).toBe(now * 1000);
});

test('a gateway that is gone without a last will is silent after three periods, and back with its first word', async () => {
  const intake = collector();
  intake.take('status', id(2), status(), false);
  const first = await becomes(2, { state: 'online' });
  now += 179;
  expect((await live(2)).state).toBe('online');
  now += 2;
  expect(await live(2)).toMatchObject({ state: 'silent', since: first.last_heard_at });
  intake.take('status', id(2), status(), false);
  const back = await becomes(2, { state: 'online' });
  expect(Date.parse(back.since ?? '')).toBe(now * 1000);
  // A reading shows that it is there, whatever is heard over MQTT.
  now += 3_600;
  expect((await live(2)).state).toBe('silent');
  await pool.query('UPDATE meters SET last_sequence = 5, last_end = $2 WHERE meter_id = $1', [
    id(2),
    now - 100,
  ]);
  expect((await live(2)).state).toBe('online');
});

describe('an older word does not replace a newer one', () => {
  test('that comes late, from the broker or by another collector', async () => {
    const one = collector();
    const two = collector();
    one.take('status', id(3), status({ outbox_depth: 1 }), false);
    one.take('telemetry', id(3), telemetry(3, 100), false);
    await becomes(3, { outbox_depth: 1, power: { grid_watts: 100 } });
    now += 10;
    const old = { time: now - 20, outbox_depth: 99 };
    for (const [at, intake] of [one, two].entries()) {
      intake.take('status', id(3), status(old), false);
      intake.take('status', id(3), status({ ...old, time: now - 500 }), true);
      intake.take('telemetry', id(3), telemetry(3, 99, now - 20), false);
      intake.take('telemetry', id(3), telemetry(3, 98, now - 500), true);
      // Written after them.
      intake.take('status', id(4), status({ outbox_depth: at }), false);
      intake.take('telemetry', id(4), telemetry(4, at, now + at), false);
      await becomes(4, { outbox_depth: at, power: { grid_watts: at } });
      expect(await live(3)).toMatchObject({ outbox_depth: 1, power: { grid_watts: 100 } });
    }
  });

  test('that waited in a collector while the database was away from it', async () => {
    const slow = collector({ flushMillis: 3_600_000 });
    slow.take('status', id(6), status({ outbox_depth: 50 }), false);
    slow.take('telemetry', id(6), telemetry(6, 50), false);
    // Of this one's clock nothing can be told: it stands.
    slow.take('status', id(16), status({ time: 7, outbox_depth: 50 }), false);
    now += 30;
    const quick = collector();
    for (const n of [6, 16])
      quick.take('status', id(n), status({ time: n === 6 ? now : 7, outbox_depth: 2 }), false);
    quick.take('telemetry', id(6), telemetry(6, 2), false);
    await becomes(16, { outbox_depth: 2 });
    await becomes(6, { outbox_depth: 2, power: { grid_watts: 2 } });
    now += 200;
    await slow.stop();
    expect(await live(6)).toMatchObject({ outbox_depth: 2, power: { grid_watts: 2 } });
    expect(await live(16)).toMatchObject({ outbox_depth: 2 });
  });

  test('but the broker’s last word counts when the collector starts again', async () => {
    const before = collector();
    before.take('status', id(7), status(), false);
    before.take('status', id(8), status(), false);
    await becomes(8, { state: 'online' });
    await before.stop();
    now += 30;
    const after = collector();
    // Kept by the broker: a will, with the time at which its connection began; and the status of before, once more.
    after.take('status', id(7), offline(now - 86_400), true);
    after.take('status', id(8), status({ time: now - 30 }), true);
    const gone = await becomes(7, { state: 'offline' });
    expect(gone.since).toBe(gone.last_heard_at);
    now += 160;
    expect((await live(8)).state).toBe('silent');
    // Of one that is new to the database it is told when it was said.
    after.take('status', id(9), status({ time: now - 5_000 }), true);
    expect((await becomes(9, { state: 'silent' })).last_heard_at).toBe(
      `${new Date((now - 5_000) * 1000).toISOString().slice(0, 19)}Z`,
    );
  });

  test('two collectors that hear the same write it once', async () => {
    const pair = [collector(), collector({ flushMillis: 20 }, 2)];
    for (let round = 0; round < 3; round += 1) {
      for (const one of pair) one.take('status', id(10), status({ outbox_depth: round }), false);
      await becomes(10, { outbox_depth: round });
      now += 60;
    }
    for (const one of pair) await one.stop();
    const written = await Promise.all(pair.map(async ({ metrics }) => (await metrics.rows.get()).values));
    expect(written.flat().reduce((sum, { value }) => sum + value, 0)).toBe(3);
  });
});

describe('a clock that jumps', () => {
  test('ahead and back again is followed at once', async () => {
    const intake = collector();
    intake.take('status', id(11), status({ time: now + 86_400, outbox_depth: 1 }), false);
    intake.take('telemetry', id(11), telemetry(11, 1, now + 86_400), false);
    await becomes(11, { state: 'online', outbox_depth: 1, power: { grid_watts: 1 } });
    now += 10;
    intake.take('status', id(11), status({ outbox_depth: 2 }), false);
    intake.take('telemetry', id(11), telemetry(11, 2), false);
    await becomes(11, { outbox_depth: 2, power: { grid_watts: 2 } });
  });

  test('to 1970 is followed within two minutes, and told of', async () => {
    const intake = collector();
    intake.take('status', id(12), status(), false);
    await becomes(12, { state: 'online' });
    now += 120;
    intake.take('status', id(12), status({ time: 30, clock: { synchronised: false } }), false);
    await becomes(12, { state: 'online', clock: { synchronised: false } });
    now += 60;
    intake.take('status', id(12), status({ outbox_depth: 3 }), false);
    await becomes(12, { clock: { synchronised: true }, outbox_depth: 3 });
  });

  test('of a collector holds up the others no longer than it takes them to see it', async () => {
    const wrong = collector({ flushMillis: 20 }, 86_400);
    wrong.take('status', id(13), status({ outbox_depth: 1 }), false);
    wrong.take('telemetry', id(13), telemetry(13, 1), false);
    await becomes(13, { outbox_depth: 1, power: { grid_watts: 1 } });
    now += 10;
    const right = collector();
    right.take('status', id(13), status({ outbox_depth: 2 }), false);
    right.take('telemetry', id(13), telemetry(13, 2), false);
    const item = await becomes(13, { outbox_depth: 2, power: { grid_watts: 2 } });
    expect(Date.parse(item.last_heard_at ?? '')).toBe(now * 1000);
  });
});

test('live values shared out among collectors count by their own time, whoever took them first', async () => {
  const ahead = collector({ flushMillis: 20 }, 2);
  ahead.take('telemetry', id(15), telemetry(15, 19, now - 1), false);
  await becomes(15, { power: { grid_watts: 19 } });
  const other = collector();
  other.take('telemetry', id(15), telemetry(15, 20), false);
  await becomes(15, { power: { grid_watts: 20 } });
  // The earlier one again, seen last of all.
  ahead.take('telemetry', id(15), telemetry(15, 19, now - 1), false);
  ahead.take('telemetry', id(17), telemetry(17, 1), false);
  await becomes(17, { power: { grid_watts: 1 } });
  expect(await live(15)).toMatchObject({ power: { grid_watts: 20 } });
});

test('live values that do not change their time get old: the gateway measures nothing any more', async () => {
  const intake = collector();
  intake.take('telemetry', id(14), telemetry(14, 500), false);
  const { power } = await becomes(14, { power: { grid_watts: 500 } });
  now += 50;
  intake.take('telemetry', id(14), telemetry(14, 500, now - 50), false);
  intake.take('status', id(14), status(), false);
  expect((await becomes(14, { version: '0.2.0' })).power?.at).toBe(power?.at);
});

test('what is no message, what is too large, and what belongs to no meter changes nothing', async () => {
  const intake = collector();
  intake.take('status', id(15), status(), false);
  await becomes(15, { state: 'online' });
  const bad = [Buffer.from('{'), Buffer.alloc(20_000, 0x20), status({ version: '\u0000' }), Buffer.alloc(0)];
  for (const payload of bad)
    for (const kind of ['status', 'telemetry'] as const) intake.take(kind, id(15), payload, false);
  intake.take('telemetry', id(15), telemetry(16, 1), false);
  for (const stranger of ['M-99999', 'no-such-meter']) intake.take('status', stranger, status(), false);
  intake.take('status', id(17), status(), false);
  await becomes(17, { state: 'online' });
  expect((await live(15)).power).toBeNull();
  const { rows } = await pool.query('SELECT meter_id FROM fleet ORDER BY meter_id');
  expect(rows.map(({ meter_id }) => meter_id)).toEqual([id(15), id(17)]);
  expect(await countOf(intake.metrics, 'status', 'malformed')).toBe(3);
  expect(await countOf(intake.metrics, 'status', 'oversized')).toBe(1);
  expect(await countOf(intake.metrics, 'telemetry', 'malformed')).toBe(4);
});

test('a row that the database does not take keeps no other from being written', async () => {
  await pool.query(`ALTER TABLE fleet ADD CONSTRAINT poison CHECK (version <> 'poison')`);
  try {
    const intake = collector({ flushMillis: 200 });
    for (let n = 20; n < 60; n += 1) {
      intake.take('status', id(n), status({ version: n === 33 ? 'poison' : 'good' }), false);
    }
    await becomes(59, { version: 'good' });
    const { rows } = await pool.query("SELECT count(*)::int AS count FROM fleet WHERE version = 'good'");
    expect(rows[0].count).toBe(39);
  } finally {
    await pool.query('ALTER TABLE fleet DROP CONSTRAINT poison');
  }
});

test('of ten thousand meters at once each is taken, and memory holds one message for each', async () => {
  const intake = collector({ flushMillis: 20 });
  const begun = performance.now();
  for (let round = 0; round < 3; round += 1) {
    for (let n = 1; n <= METERS; n += 1) {
      intake.take('status', id(n), status({ outbox_depth: round, time: now + round }), false);
      intake.take('telemetry', id(n), telemetry(n, round, now + round), false);
    }
  }
  const taken = performance.now() - begun;
  await until(async () => {
    const { states, outbox_readings } = await fleetSummary(pool, rules, now);
    return states.online === METERS && outbox_readings === 2 * METERS;
  }, 'all of them');
  await until(
    async () => (await pool.query('SELECT FROM fleet WHERE grid_watts = 2')).rowCount === METERS,
    'all live values',
  );
  const written = performance.now() - begun;
  if (process.env.GTX_TEST_FIGURES) console.log({ taken, written });
  // Rounds, and not messages: what was overtaken while it waited was never written.
  const { values } = await intake.metrics.rows.get();
  for (const { value } of values) expect(value).toBeLessThan(2 * METERS);

  const full = collector({ flushMillis: 3_600_000, waitingMeters: 100 });
  for (let n = 1; n <= 200; n += 1) full.take('status', id(n), status({ outbox_depth: 9 }), false);
  expect(await countOf(full.metrics, 'status', 'full')).toBe(100);
});

test('while the database is away nothing is lost but what was overtaken', async () => {
  const intake = collector();
  intake.take('status', id(70), status({ outbox_depth: 1 }), false);
  await becomes(70, { outbox_depth: 1 });
  await postgres.kill();
  for (let depth = 2; depth <= 6; depth += 1) {
    now += 60;
    intake.take('status', id(70), status({ outbox_depth: depth }), false);
    intake.take('telemetry', id(70), telemetry(70, depth), false);
  }
  await until(async () => (await intake.metrics.writeFailures.get()).values.length > 0, 'a failure');
  now += 60;
  intake.take('status', id(70), status({ outbox_depth: 7 }), false);
  await postgres.restart();
  await becomes(70, { outbox_depth: 7, power: { grid_watts: 6 } });
});

test('what came while a write failed is not replaced by what had failed', async () => {
  const intake = collector();
  intake.take('status', id(71), status({ outbox_depth: 1 }), false);
  await becomes(71, { outbox_depth: 1 });
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT FROM fleet WHERE meter_id = $1 FOR UPDATE', [id(71)]);
    now += 60;
    intake.take('status', id(71), status({ outbox_depth: 2 }), false);
    const waiting = async () =>
      (
        await pool.query<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO fleet%'",
        )
      ).rows[0]?.pid;
    const pid = await until(waiting, 'the write waits for the row');
    now += 60;
    intake.take('status', id(71), status({ outbox_depth: 3 }), false);
    await client.query('SELECT pg_terminate_backend($1)', [pid]);
    await until(async () => (await intake.metrics.writeFailures.get()).values.length > 0, 'the failure');
  } finally {
    await client.query('COMMIT');
    client.release();
  }
  await becomes(71, { outbox_depth: 3 });
});

describe('alerts', () => {
  const openAlerts = async () =>
    (
      await pool.query<{ kind: string; dedupe_key: string; severity: string; occurrences: string }>(
        'SELECT kind, dedupe_key, severity, occurrences FROM alerts WHERE resolved_at IS NULL ORDER BY kind, dedupe_key',
      )
    ).rows;
  const keys = async () => (await openAlerts()).map(({ kind, dedupe_key }) => `${kind}/${dedupe_key}`);
  let connected = true;
  function watch(on: Pick<pg.Pool, 'connect'> = pool): FleetWatch {
    const logger = pino({ level: 'silent' });
    const config = { alertSeconds: 3_600 };
    return new FleetWatch({
      pool: on as pg.Pool,
      alerts: new Alerts(pool, logger),
      logger,
      now: () => now * 1000,
      rules,
      config,
      connected: () => connected,
    });
  }

  test('tell of gateways that are silent for long, and end when they are back', async () => {
    const intake = collector();
    const [one, two] = [watch(), watch()];
    for (const n of [1, 2, 3]) intake.take('status', id(n), status(), false);
    await becomes(3, { state: 'online' });
    await pool.query("UPDATE meters SET status = 'suspended' WHERE meter_id = $1", [id(3)]);
    await one.look();
    now += 3_590;
    await one.look();
    expect(await keys()).toEqual([]);
    now += 20;
    await two.look();
    // This one has only begun to listen.
    expect(await keys()).toEqual([]);
    for (let look = 0; look < 3; look += 1) await one.look();
    expect(await openAlerts()).toEqual([
      { kind: 'gateway_silent', dedupe_key: id(1), severity: 'warning', occurrences: '1' },
      { kind: 'gateway_silent', dedupe_key: id(2), severity: 'warning', occurrences: '1' },
    ]);
    intake.take('status', id(1), status(), false);
    await becomes(1, { state: 'online' });
    await two.look();
    expect(await keys()).toEqual([`gateway_silent/${id(2)}`]);
    await pool.query('UPDATE meters SET last_sequence = 1, last_end = $2 WHERE meter_id = $1', [id(2), now]);
    await two.look();
    expect(await keys()).toEqual([]);
    await pool.query("UPDATE meters SET status = 'active', last_sequence = 0, last_end = 0");
  });

  test('do not tell of the broker’s silence', async () => {
    const intake = collector();
    intake.take('status', id(1), status(), false);
    await becomes(1, { state: 'online' });
    const one = watch();
    await one.look();
    connected = false;
    now += 7_200;
    await one.look();
    connected = true;
    await one.look();
    now += 170;
    await one.look();
    expect(await keys()).toEqual([]);
    now += 20;
    await one.look();
    expect(await keys()).toEqual([`gateway_silent/${id(1)}`]);
  });

  test('tell of a silence also when a look has lost a deadlock', async () => {
    const intake = collector();
    intake.take('status', id(1), status(), false);
    await becomes(1, { state: 'online' });
    let lost = false;
    const one = watch({
      connect: (async () => {
        if (lost) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
        return pool.connect();
      }) as pg.Pool['connect'],
    });
    await one.look();
    now += 7_200;
    lost = true;
    await expect(one.look()).rejects.toThrow('deadlock detected');
    lost = false;
    await one.look();
    expect(await keys()).toEqual([`gateway_silent/${id(1)}`]);
  });

  test('do not tell of a silence of the database’s, which had no room for what the gateways said', async () => {
    const intake = collector();
    for (let n = 1; n <= 200; n += 1) intake.take('status', id(n), status(), false);
    await becomes(200, { state: 'online' });
    let away = false;
    const one = watch({
      connect: (async () => {
        if (away) throw new Error('connection refused');
        return pool.connect();
      }) as pg.Pool['connect'],
    });
    await one.look();
    away = true;
    now += 7_200;
    await expect(one.look()).rejects.toThrow('connection refused');
    away = false;
    // The watch is there before those who write down what was said meanwhile.
    await one.look();
    expect(await keys()).toEqual([]);
    for (let n = 2; n <= 200; n += 1) intake.take('status', id(n), status(), false);
    await becomes(200, { state: 'online' });
    now += 170;
    await one.look();
    expect(await keys()).toEqual([]);
    now += 20;
    await one.look();
    expect(await keys()).toEqual([`gateway_silent/${id(1)}`]);
  });

  test('tell of a bus and a clock that stay bad, once', async () => {
    const intake = collector();
    const bad = { bus: { ok: false, devices: [] }, clock: { synchronised: false } };
    intake.take('status', id(1), status(bad), false);
    await becomes(1, { bus: { ok: false } });
    const one = watch();
    await one.look();
    now += 60;
    intake.take('status', id(2), status(bad), false);
    await becomes(2, { bus: { ok: false } });
    await one.look();
    intake.take('status', id(2), status({ time: now + 1 }), false);
    await becomes(2, { bus: { ok: true } });
    await one.look();
    expect(await keys()).toEqual([]);
    now += 70;
    for (let look = 0; look < 3; look += 1) await one.look();
    expect(await openAlerts()).toMatchObject([
      { kind: 'gateway_bus', dedupe_key: id(1), occurrences: '1' },
      { kind: 'gateway_clock', dedupe_key: id(1), occurrences: '1' },
    ]);
    intake.take('status', id(1), status(), false);
    await becomes(1, { bus: { ok: true } });
    await one.look();
    expect(await keys()).toEqual([]);
  });

  test('are one alert where most of them fall silent', async () => {
    const intake = collector();
    for (let n = 1; n <= 200; n += 1) intake.take('status', id(n), status(), false);
    await becomes(200, { state: 'online' });
    const one = watch();
    await one.look();
    now += 3_700;
    for (let look = 0; look < 2; look += 1) await one.look();
    expect(await openAlerts()).toEqual([
      { kind: 'gateway_silent', dedupe_key: '*', severity: 'critical', occurrences: '1' },
    ]);
    for (let n = 3; n <= 200; n += 1) intake.take('status', id(n), status(), false);
    await becomes(200, { state: 'online' });
    await one.look();
    expect(await keys()).toEqual([`gateway_silent/${id(1)}`, `gateway_silent/${id(2)}`]);
  });
});
