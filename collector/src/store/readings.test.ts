import { noticeOf } from '@gridtokenx/protocol';
import fc from 'fast-check';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestMeter } from '../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { TestRegistry } from '../testing/registry.js';
import { DEFAULT_RULES, type Judgement } from '../validate/rules.js';
import { isSigned } from '../validate/signature.js';
import { toSubmission } from '../validate/submission.js';
import { migrate } from './migrate.js';
import { Partitions } from './partitions.js';
import { importReading, storeBatch } from './readings.js';

const NOW = 1_760_000_400;
let postgres: TestPostgres;
let pool: pg.Pool;
let registry: TestRegistry;
let count = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url);
  await migrate(pool, pino({ level: 'silent' }));
  await new Partitions(pool).ensureAround(NOW);
  registry = new TestRegistry(pool);
});
afterAll(async () => {
  await pool.end();
  await postgres.stop();
});

async function newMeter(): Promise<TestMeter> {
  count += 1;
  const meter = new TestMeter(`MTR-${count}`, NOW - 20 * 900);
  registry.register(meter);
  await registry.meter(meter.meterId);
  return meter;
}

async function store(...bodies: ReturnType<TestMeter['next']>[]): Promise<Judgement[]> {
  const client = await pool.connect();
  try {
    const items = bodies.map((body) => {
      const submission = toSubmission(body);
      return {
        submission,
        signed: isSigned(submission),
        source: 'mqtt' as const,
        recheck: false,
        rules: { ...DEFAULT_RULES, intervalSeconds: 900, amount: 'pipelined' as const },
      };
    });
    return (await storeBatch(client, items, NOW * 1000)).judgements;
  } finally {
    client.release();
  }
}

async function importFromChain(body: ReturnType<TestMeter['next']>, amountNkwh: bigint): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const stored = await importReading(client, {
      submission: toSubmission(body),
      amountNkwh,
      status: 'minted',
      mintSignature: 'transaction',
    });
    await client.query('COMMIT');
    return stored;
  } finally {
    client.release();
  }
}

const row = async (meter: TestMeter) =>
  (
    await pool.query('SELECT last_sequence, through, last_surplus_total FROM meters WHERE meter_id = $1', [
      meter.meterId,
    ])
  ).rows[0];

describe('a reading imported from the chain', () => {
  test('is stored once, and the next one follows it', async () => {
    const meter = await newMeter();
    await store(meter.next());
    const direct = meter.next();
    expect(await importFromChain(direct, 600_000_000n)).toBe(true);
    expect(await importFromChain(direct, 600_000_000n)).toBe(false);
    expect(await row(meter)).toMatchObject({ last_sequence: '2', through: '2' });
    expect(await store(direct)).toMatchObject([{ kind: 'duplicate', status: 'minted' }]);
    expect(await store(meter.next())).toMatchObject([
      { kind: 'store', status: 'pending', amountNkwh: 600_000_000n },
    ]);
    const { rows } = await pool.query(
      'SELECT status, minted, mint_tx_signature, source FROM meter_readings WHERE meter_id = $1 AND sequence = 2',
      [meter.meterId],
    );
    expect(rows).toEqual([
      { status: 'minted', minted: true, mint_tx_signature: 'transaction', source: 'chain' },
    ]);
  });

  test('beyond a hole leaves the hole open', async () => {
    const meter = await newMeter();
    await store(meter.next());
    const late = meter.next();
    await importFromChain(meter.next(), 1_200_000_000n);
    expect(await row(meter)).toMatchObject({ last_sequence: '3', through: '1' });
    expect(await store(late)).toMatchObject([{ kind: 'store', status: 'covered' }]);
    expect(await row(meter)).toMatchObject({ last_sequence: '3', through: '3' });
  });
});

test('a database restored from a backup counts from what the chain has accepted', async () => {
  const meter = await newMeter();
  const bodies = [meter.next(), meter.next(), meter.next(), meter.next()] as const;
  const third = toSubmission(bodies[2]).reading;
  await store(bodies[0]);
  await pool.query(
    `UPDATE meters SET chain_sequence = 3, chain_end = $2, chain_produced_total = $3, chain_consumed_total = $4,
       chain_surplus_total = $5 WHERE meter_id = $1`,
    [
      meter.meterId,
      third.intervalEnd,
      third.producedTotal.toString(),
      third.consumedTotal.toString(),
      third.surplusTotal.toString(),
    ],
  );
  // Above the chain's: only the rise since then is new.
  expect(await store(bodies[3])).toMatchObject([
    { kind: 'store', status: 'pending', amountNkwh: 600_000_000n },
  ]);
  // Below it and at it: the chain has their energy already.
  expect(await store(bodies[1], bodies[2])).toMatchObject([
    { kind: 'store', status: 'covered' },
    { kind: 'store', status: 'covered' },
  ]);
  expect(await row(meter)).toMatchObject({ last_sequence: '4', through: '4' });
});

test('one batch may hold anything: new, repeated, conflicting, late, in any order', async () => {
  const meter = await newMeter();
  const [one, two, three] = [meter.next(), meter.next(), meter.next()];
  const conflict = meter.submission({ ...toSubmission(two).reading, flags: 2 }, 600_000_000n);
  const judgements = await store(three, one, two, two, conflict);
  expect(
    judgements.map((judgement) => (judgement.kind === 'refuse' ? judgement.refusal.code : judgement.kind)),
  ).toEqual(['store', 'store', 'store', 'duplicate', 'SEQUENCE_CONFLICT']);
  expect(await row(meter)).toMatchObject({
    last_sequence: '3',
    through: '3',
    last_surplus_total: '1800000000',
  });
});

test('a reading above the limit is stored with its review and its alert, all or none of it', async () => {
  const meter = await newMeter();
  const alerts = async () =>
    (
      await pool.query(
        `SELECT severity, message, details FROM alerts WHERE kind = 'reading_held' AND dedupe_key = $1
           AND resolved_at IS NULL`,
        [`${meter.meterId}/2`],
      )
    ).rows;
  expect(await store(meter.next(), meter.next('101', '0'))).toMatchObject([
    { status: 'pending' },
    { status: 'held', amountNkwh: 101_000_000_000n },
  ]);
  const [alert, ...others] = await alerts();
  expect(others).toEqual([]);
  expect(alert).toMatchObject({ severity: 'warning', message: expect.stringContaining(meter.meterId) });
  expect(noticeOf('reading_held', alert.details)).toEqual({
    name: 'reading_held',
    facts: { meter_id: meter.meterId, sequence: '2', amount_kwh: '101' },
  });
  // Ended by whoever decides, and with the review.
  const { rows } = await pool.query(
    `UPDATE reviews SET status = 'released', resolved_by = 'test' WHERE id = $1 RETURNING subject`,
    [alert.details.review_id],
  );
  expect(rows).toEqual([{ subject: `${meter.meterId}/2` }]);
  expect(await alerts()).toEqual([]);
});

test('a meter whose id reads NULL is a meter', async () => {
  const meter = new TestMeter('NULL', NOW - 9000);
  registry.register(meter);
  await registry.meter('NULL');
  expect(await store(meter.next())).toMatchObject([{ kind: 'store' }]);
});

test('whatever the order in which readings arrive, each has the surplus since the one before, and all together the register', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 8 }),
      fc.constantFrom(undefined, 0, 3, 7),
      async (order, sizes, onChain) => {
        const meter = await newMeter();
        const bodies = Array.from({ length: 8 }, (_, index) => meter.next(String(index + 2), '1'));
        const left = [...order];
        for (const size of sizes) {
          const batch = left.splice(0, size);
          const imported = batch.filter((index) => index === onChain);
          const sent = batch.filter((index) => index !== onChain);
          if (sent.length > 0) await store(...sent.map((index) => bodies[index] as never));
          for (const index of imported) {
            const body = bodies[index] as ReturnType<TestMeter['next']>;
            // What its mirror knows: the rise since the newest one below it.
            const { rows } = await pool.query<{ total: string }>(
              `SELECT coalesce(max(surplus_total), 0) AS total FROM meter_readings WHERE meter_id = $1 AND sequence < $2`,
              [meter.meterId, index + 1],
            );
            const total = toSubmission(body).reading.surplusTotal;
            await importFromChain(body, total - BigInt(rows[0]?.total ?? 0));
          }
        }
        const { rows } = await pool.query<{ amount_nkwh: string; surplus_total: string }>(
          'SELECT amount_nkwh, surplus_total FROM meter_readings WHERE meter_id = $1 ORDER BY sequence',
          [meter.meterId],
        );
        let before = 0n;
        for (const { amount_nkwh, surplus_total } of rows) {
          expect(BigInt(amount_nkwh)).toBe(BigInt(surplus_total) - before);
          before = BigInt(surplus_total);
        }
        expect(rows).toHaveLength(8);
      },
    ),
    { numRuns: 40 },
  );
});
