import { randomBytes } from 'node:crypto';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Alerts } from '../alerts.js';
import { Metrics } from '../metrics.js';
import { migrate } from '../store/migrate.js';
import { Partitions } from '../store/partitions.js';
import { createPool } from '../store/pool.js';
import { startTestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { TestRegistry } from '../testing/registry.js';
import { type Submission, toSubmission } from '../validate/submission.js';
import { type Answer, Ingest, type IngestLimits } from './ingest.js';

const logger = pino({ level: process.env.GTX_TEST_LOG ?? 'silent' });
const NOW = 1_760_000_400;
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres?.stop());

interface Bench {
  ingest: Ingest;
  pool: pg.Pool;
  registry: TestRegistry;
  answers: Answer[];
  stop(): Promise<void>;
}

async function startIngest(url: string, limits: Partial<IngestLimits> = {}): Promise<Bench> {
  const pool = createPool(url, 6, logger);
  await migrate(pool, logger);
  const registry = new TestRegistry(pool);
  const answers: Answer[] = [];
  const ingest = new Ingest({
    pool,
    partitions: new Partitions(pool),
    mirror: registry,
    alerts: new Alerts(pool, logger),
    metrics: new Metrics(),
    logger,
    now: () => NOW * 1000,
    limits: {
      intervalSeconds: 900,
      batchRows: 100,
      batchMillis: 1,
      maxQueued: 5000,
      maxQueuedPerMeter: 1000,
      ...limits,
    },
    onAnswers: (batch) => answers.push(...batch),
    onStored: () => undefined,
  });
  ingest.start();
  return {
    ingest,
    pool,
    registry,
    answers,
    stop: async () => {
      await ingest.stop();
      await pool.end();
    },
  };
}

const newDatabase = () => postgres.createDatabase(`c_${randomBytes(6).toString('hex')}`);

function fleet(registry: TestRegistry, meters: number, readings: number): Submission[][] {
  return Array.from({ length: meters }, (_, index) => {
    const meter = new TestMeter(`M-${index}`, NOW - (readings + 1) * 900);
    registry.register(meter, { wallet: meter.publicKey });
    return Array.from({ length: readings }, () => toSubmission(meter.next()));
  });
}

/** Every reading of the fleet is in the database exactly once, with its key, and each meter's row agrees. */
async function expectWhole(pool: pg.Pool, fleetReadings: Submission[][]): Promise<void> {
  const wanted = fleetReadings
    .flat()
    .map((one) => `${one.meterId}/${one.reading.sequence}`)
    .sort();
  const stored = await pool.query<{ name: string }>(
    `SELECT meter_id || '/' || sequence AS name FROM meter_readings`,
  );
  expect(stored.rows.map((row) => row.name).sort()).toEqual(wanted);
  const keys = await pool.query<{ name: string }>(
    `SELECT k.meter_id || '/' || k.sequence AS name FROM reading_keys k
     JOIN meter_readings r ON r.id = k.reading_id AND r.reading_timestamp = k.reading_timestamp
       AND r.meter_id = k.meter_id AND r.sequence = k.sequence AND sha256(r.message) = k.message_hash`,
  );
  expect(keys.rows.map((row) => row.name).sort()).toEqual(wanted);
  const meters = await pool.query<{ meter_id: string; sum: string; through: string; last: string }>(
    `SELECT m.meter_id, m.through, m.last_surplus_total AS last,
       (SELECT sum(amount_nkwh) FROM meter_readings r WHERE r.meter_id = m.meter_id) AS sum
     FROM meters m`,
  );
  for (const row of meters.rows) {
    expect(row.sum).toBe(row.last);
    expect(row.through).toBe(String(fleetReadings[0]?.length));
  }
}

describe('the database is killed', () => {
  test('kill -9 in the middle of batches: nothing lost, nothing doubled, back without help', async () => {
    const bench = await startIngest(await newDatabase());
    const readings = fleet(bench.registry, 20, 40);
    const acknowledged = new Set<string>();
    const nameOf = (one: Submission) => `${one.meterId}/${one.reading.sequence}`;
    // A gateway's duty: send again until it is acknowledged, in order.
    let kills = 0;
    const gateways = readings.map(async (own) => {
      for (const submission of own) {
        for (;;) {
          const { outcome } = await bench.ingest.submitAndWait(submission, 'mqtt');
          if (outcome.kind === 'stored') break;
          if (outcome.kind === 'refused') throw new Error(JSON.stringify(outcome.refusal));
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        acknowledged.add(nameOf(submission));
      }
    });
    const work = Promise.all(gateways);
    for (const share of [0.15, 0.4, 0.7]) {
      await until(() => acknowledged.size >= share * 800, `${share} acknowledged`);
      await postgres.kill();
      kills += 1;
      await until(() => !bench.ingest.storageUp, 'noticed');
      // What was acknowledged before the crash is there after it.
      const before = [...acknowledged];
      await postgres.restart();
      await until(() => bench.ingest.storageUp, 'recovered');
      const { rows } = await bench.pool.query<{ name: string }>(
        `SELECT meter_id || '/' || sequence AS name FROM meter_readings`,
      );
      const stored = new Set(rows.map((row) => row.name));
      expect(before.filter((name) => !stored.has(name))).toEqual([]);
    }
    await work;
    expect(kills).toBe(3);
    await expectWhole(bench.pool, readings);
    await bench.stop();
  });

  test('meanwhile HTTP answers 503 and health says so; afterwards all is well', async () => {
    const collector = await startTestCollector(postgres, { now: () => NOW * 1000 });
    const meter = new TestMeter('MTR-1', NOW - 9000);
    collector.registry.register(meter);
    expect((await collector.post(meter.next())).status).toBe(201);
    await postgres.kill();
    const body = meter.next();
    const refused = await collector.post(body);
    expect(refused.status).toBe(503);
    expect(refused.body.error).toMatchObject({ code: 'STORAGE_UNAVAILABLE', retry: 'later' });
    expect(refused.headers.get('retry-after')).toBeTruthy();
    const health = await fetch(`${collector.httpUrl}/healthz`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ status: 'degraded', checks: { database: 'unavailable' } });
    expect((await fetch(`${collector.httpUrl}/metrics`)).status).toBe(200);
    expect((await fetch(`${collector.httpUrl}/api/status`)).status).toBe(503);
    await postgres.restart();
    await until(async () => (await collector.post(body)).status < 300, 'stored again');
    // A database that takes long to answer counts as away.
    await until(async () => (await fetch(`${collector.httpUrl}/healthz`)).status === 200, 'healthy again');
    await collector.stop();
  });
});

test('an answer is given only after the commit', async () => {
  const url = await newDatabase();
  const bench = await startIngest(url);
  const [own] = fleet(bench.registry, 1, 2);
  const [first, second] = own as [Submission, Submission];
  await bench.ingest.submitAndWait(first, 'mqtt');
  // Somebody holds the meter's row: the batch can neither finish nor be answered.
  const blocker = new pg.Client({ connectionString: url });
  await blocker.connect();
  await blocker.query('BEGIN');
  await blocker.query('SELECT FROM meters FOR UPDATE');
  let answered = false;
  const answer = bench.ingest.submitAndWait(second, 'mqtt').then((value) => {
    answered = true;
    return value;
  });
  await until(async () => {
    const { rows } = await bench.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  }, 'the batch waits for the row');
  expect(answered).toBe(false);
  expect(bench.answers).toHaveLength(1);
  await blocker.query('COMMIT');
  await blocker.end();
  expect((await answer).outcome).toMatchObject({ kind: 'stored', duplicate: false });
  const { rowCount } = await bench.pool.query('SELECT FROM meter_readings');
  expect(rowCount).toBe(2);
  await bench.stop();
});

test('two collectors on one database store every reading once, whoever gets it', async () => {
  const url = await newDatabase();
  const a = await startIngest(url, { batchRows: 37 });
  const b = await startIngest(url, { batchRows: 23 });
  const readings = fleet(a.registry, 15, 30);
  for (const [id, entry] of a.registry.chain) b.registry.chain.set(id, entry);
  const jobs: Promise<Answer>[] = [];
  for (let index = 0; index < 30; index += 1) {
    for (const own of readings) {
      const submission = own[index] as Submission;
      // Each goes to one of the two, every third to both.
      if (index % 3 === 0 || index % 2 === 0) jobs.push(a.ingest.submitAndWait(submission, 'mqtt'));
      if (index % 3 === 0 || index % 2 === 1) jobs.push(b.ingest.submitAndWait(submission, 'mqtt'));
    }
  }
  const answers = await Promise.all(jobs);
  const others = answers.filter(({ outcome }) => outcome.kind !== 'stored');
  expect(others.map(({ outcome }) => JSON.stringify(outcome))).toEqual([]);
  const fresh = answers.filter(({ outcome }) => outcome.kind === 'stored' && !outcome.duplicate);
  expect(fresh).toHaveLength(15 * 30);
  await expectWhole(a.pool, readings);
  await a.stop();
  await b.stop();
});

test('a reading that the database refuses fails alone', async () => {
  const bench = await startIngest(await newDatabase());
  const readings = fleet(bench.registry, 10, 1).flat();
  // The same meters must be known before, so that all are in one batch.
  for (const { meterId } of readings) await bench.registry.meter(meterId, { refresh: true });
  await bench.pool.query(
    `ALTER TABLE meter_readings ADD CONSTRAINT trouble CHECK (meter_id <> 'M-7') NOT VALID`,
  );
  const answers = await Promise.all(readings.map((one) => bench.ingest.submitAndWait(one, 'mqtt')));
  const failed = answers.filter(({ outcome }) => outcome.kind !== 'stored');
  expect(failed).toHaveLength(1);
  expect(failed[0]).toMatchObject({
    submission: { meterId: 'M-7' },
    outcome: { kind: 'refused', refusal: { code: 'INTERNAL' } },
  });
  const { rowCount } = await bench.pool.query('SELECT FROM meter_readings');
  expect(rowCount).toBe(9);
  await until(
    async () =>
      (await bench.pool.query(`SELECT FROM alerts WHERE kind = 'reading_not_storable'`)).rowCount === 1,
    'alert',
  );
  await bench.stop();
});

test('memory is bounded: beyond the queue readings are left to be sent again, and no meter takes it all', async () => {
  const url = await newDatabase();
  const bench = await startIngest(url, { maxQueued: 50, maxQueuedPerMeter: 30 });
  const [loud, quiet] = fleet(bench.registry, 2, 40) as [Submission[], Submission[]];
  const submit = (all: Submission[]) => all.map((one) => bench.ingest.submitAndWait(one, 'mqtt'));
  const jobs = [submit(loud), submit(quiet.slice(0, 20)), submit(quiet.slice(20))];
  const [ofLoud, ofQuiet, late] = await Promise.all(jobs.map((job) => Promise.all(job)));
  const overloaded = (answers: Answer[] | undefined) =>
    answers?.filter(({ outcome }) => outcome.kind === 'unavailable' && outcome.reason === 'overloaded')
      .length;
  expect(overloaded(ofLoud)).toBe(10);
  expect(overloaded(ofQuiet)).toBe(0);
  expect(overloaded(late)).toBe(20);
  await bench.stop();
});
