import type { Ack, Command } from '@gridtokenx/protocol';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Alerts } from '../alerts.js';
import { Ingest } from '../ingest/ingest.js';
import { Metrics } from '../metrics.js';
import { migrate } from '../store/migrate.js';
import { Partitions } from '../store/partitions.js';
import { resolveHold } from '../store/reviews.js';
import { newSecretKey } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { TestRegistry } from '../testing/registry.js';
import { toSubmission } from '../validate/submission.js';
import { Acks } from './acks.js';
import { EnvelopeSigner } from './envelope.js';

const DAY = 86_400;
const logger = pino({ level: 'silent' });
let postgres: TestPostgres;
let pool: pg.Pool;
let registry: TestRegistry;
let ingest: Ingest;
let acks: Acks;
let time = 1_760_000_400;
let sent: { topic: string; content: Ack & Command }[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url);
  await migrate(pool, logger);
  registry = new TestRegistry(pool);
  const metrics = new Metrics();
  const now = () => time * 1000;
  acks = new Acks({
    pool,
    metrics,
    logger,
    now,
    signer: new EnvelopeSigner(newSecretKey()),
    maxAgeSeconds: 7 * DAY,
    bus: {
      publish: async (topic, payload) => {
        sent.push({ topic, content: JSON.parse(JSON.parse(payload).payload) });
      },
    },
  });
  ingest = new Ingest({
    pool,
    partitions: new Partitions(pool),
    mirror: registry,
    alerts: new Alerts(pool, logger),
    metrics,
    logger,
    now,
    limits: {
      intervalSeconds: 900,
      batchRows: 100,
      batchMillis: 0,
      maxQueued: 1000,
      maxQueuedPerMeter: 1000,
    },
    onAnswers: (answers) => acks.acknowledge(answers),
    onStored: () => undefined,
  });
  ingest.start();
});
afterAll(async () => {
  await ingest.stop();
  await pool.end();
  await postgres.stop();
});

async function submit(...bodies: ReturnType<TestMeter['next']>[]): Promise<void> {
  sent = [];
  for (const body of bodies) await ingest.submitAndWait(toSubmission(body), 'mqtt');
}

test('missing readings are asked for after a while, not at once and not again and again', async () => {
  const meter = new TestMeter('MTR-hole', time - 9000);
  registry.register(meter);
  const bodies = [meter.next(), meter.next(), meter.next(), meter.next()] as const;
  await submit(bodies[0], bodies[3]);
  expect(sent.at(-1)?.content).toMatchObject({ through: '1', stored: ['4'] });
  sent = [];
  await acks.askForMissing();
  expect(sent).toEqual([]);
  time += 31;
  await acks.askForMissing();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({
    topic: 'gtx/v1/MTR-hole/command',
    content: { type: 'resend', from_sequence: '2', time },
  });
  time += 60;
  await acks.askForMissing();
  expect(sent).toHaveLength(1);
  await submit(bodies[1], bodies[2]);
  expect(sent.at(-1)?.content).toMatchObject({ through: '4' });
  sent = [];
  time += 700;
  await acks.askForMissing();
  expect(sent).toEqual([]);
});

test('missing readings are asked for once, also when a look at the database outlasts the time to the next one', async () => {
  const meter = new TestMeter('MTR-twice', time - 9000);
  registry.register(meter);
  const [first, , third] = [meter.next(), meter.next(), meter.next()];
  await submit(first, third);
  time += 31;
  sent = [];
  await Promise.all([acks.askForMissing(), acks.askForMissing()]);
  expect(sent.map(({ topic }) => topic)).toEqual(['gtx/v1/MTR-twice/command']);
});

test('a hole that nobody can fill any more is closed', async () => {
  const meter = new TestMeter('MTR-old', time - 9000);
  registry.register(meter);
  const bodies = [meter.next(), meter.next(), meter.next()] as const;
  await submit(bodies[0], bodies[2]);
  time += 8 * DAY;
  await acks.askForMissing();
  const through = async () =>
    (await pool.query(`SELECT through FROM meters WHERE meter_id = 'MTR-old'`)).rows[0].through;
  expect(await through()).toBe('3');
  await acks.sendCurrent('MTR-old');
  expect(sent.at(-1)?.content).toMatchObject({ through: '3', stored: [] });
});

test('a refusal beyond a hole is remembered when the hole is filled', async () => {
  const meter = new TestMeter('MTR-refused', time - 9000);
  registry.register(meter);
  const [one, two] = [meter.next(), meter.next()];
  const last = meter.reading;
  const bad = meter.submission(
    {
      ...last,
      sequence: 3n,
      intervalStart: last.intervalEnd,
      intervalEnd: last.intervalEnd + 900,
      producedTotal: 0n,
    },
    0n,
  );
  await submit(one, bad);
  expect(sent.at(-1)?.content).toMatchObject({
    through: '1',
    refused: [{ sequence: '3', code: 'TOTALS_DECREASED', retry: 'never' }],
  });
  await acks.sendCurrent('MTR-refused');
  expect(sent.at(-1)?.content.refused).toEqual([{ sequence: '3', code: 'TOTALS_DECREASED', retry: 'never' }]);
  await submit(two);
  expect(sent.at(-1)?.content.through).toBe('2');
  const four = meter.submission(
    { ...last, sequence: 4n, intervalStart: last.intervalEnd + 900, intervalEnd: last.intervalEnd + 1800 },
    0n,
  );
  await submit(four);
  expect(sent.at(-1)?.content.through).toBe('4');
});

test('of a fleet that comes back at once a few are told at a time, each once, and the others after them', async () => {
  const meters = Array.from({ length: 500 }, (_, at) => `MTR-back-${at}`);
  /** Queries that are not answered yet. */
  const open: (() => void)[] = [];
  const asked: string[] = [];
  const told: string[] = [];
  const slow = {
    query: (_text: string, [meterId]: [string]) => {
      asked.push(meterId);
      // One row does for all of them.
      const rows = [{ through: '7', last_sequence: '7', sequence: '8', code: 'TOTALS_DECREASED' }];
      return new Promise((resolve) => open.push(() => resolve({ rows })));
    },
  };
  const busy = new Acks({
    pool: slow as unknown as pg.Pool,
    metrics: new Metrics(),
    logger,
    now: () => time * 1000,
    signer: new EnvelopeSigner(newSecretKey()),
    maxAgeSeconds: 7 * DAY,
    bus: { publish: async (topic) => void told.push(topic.split('/')[2] ?? '') },
  });
  const all = [...meters, ...meters].map((meterId) => busy.sendCurrent(meterId));
  let most = 0;
  while (open.length > 0) {
    most = Math.max(most, open.length);
    for (const answer of open.splice(0)) answer();
    await new Promise(setImmediate);
  }
  await Promise.all(all);
  expect(most).toBeLessThanOrEqual(3);
  expect(new Set(told)).toEqual(new Set(meters));
  // The few that were being read when they came again are read again: what was read may have been out of date.
  expect(told.length - meters.length).toBeLessThanOrEqual(3);
  expect(new Set(asked)).toEqual(new Set(meters));

  // What has not begun when the collector stops is left: whoever comes back to another one is told there.
  const begun = told.length;
  const left = meters.map((meterId) => busy.sendCurrent(meterId));
  const stopped = busy.stop();
  while (open.length > 0) {
    for (const answer of open.splice(0)) answer();
    await new Promise(setImmediate);
  }
  await stopped;
  await Promise.all(left);
  expect(told.length - begun).toBeLessThanOrEqual(3);
});

test('a held reading settles again after its review, which ends once', async () => {
  const meter = new TestMeter('MTR-held', time - 9000);
  registry.register(meter);
  await submit(meter.next('200', '0'), meter.next('1', '0'));
  await acks.sendCurrent('MTR-held');
  expect(sent.at(-1)?.content).toMatchObject({ through: '2', held: [{ sequence: '1' }] });
  const { rows } = await pool.query(`SELECT id FROM reviews WHERE meter_id = 'MTR-held'`);
  const decision = {
    reviewId: rows[0].id,
    decision: 'released' as const,
    by: 'operator',
    note: 'a big roof',
  };
  const both = await Promise.allSettled([resolveHold(pool, decision), resolveHold(pool, decision)]);
  expect(both.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  const state = await pool.query(
    `SELECT holds, (SELECT status FROM meter_readings r WHERE r.meter_id = m.meter_id AND sequence = 1) FROM meters m
     WHERE meter_id = 'MTR-held'`,
  );
  expect(state.rows[0]).toEqual({ holds: 0, status: 'pending' });
  await acks.sendCurrent('MTR-held');
  expect(sent.at(-1)?.content.held).toEqual([]);
});
