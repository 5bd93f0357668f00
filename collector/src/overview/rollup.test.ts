import type { Reading } from '@gridtokenx/protocol';
import fc from 'fast-check';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../store/migrate.js';
import { Partitions } from '../store/partitions.js';
import { importReading, storeBatch } from '../store/readings.js';
import { until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { TestRegistry } from '../testing/registry.js';
import { DEFAULT_RULES } from '../validate/rules.js';
import { toSubmission } from '../validate/submission.js';
import { comparableDays, compareEnergy } from './check.js';
import { readingCounts } from './figures.js';
import { ROLLUP_LOCK } from './lock.js';
import { noRollupMetrics } from './metrics.js';
import { Rollup } from './rollup.js';

/* Readings come in any order, again and late, while two workers add up and are cut off: in the end the figures are those that an
 * independent model finds from the readings that are stored. */

const NOW = 1_760_000_400;
/** The quarter of an hour that begins a week of time for readings, across the end of a month. */
const START = Math.floor(Date.UTC(2025, 8, 30, 12) / 1000);
const logger = pino({ level: 'silent' });
const feed = { onChange: () => () => {} };

let postgres: TestPostgres;
let pool: pg.Pool;
let registry: TestRegistry;
let made = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url, 12);
  await migrate(pool, logger);
  await new Partitions(pool).ensure([START, NOW]);
  registry = new TestRegistry(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});
beforeEach(async () => {
  await pool.query('DELETE FROM meter_readings');
  await pool.query(
    'TRUNCATE reading_keys, energy_quarters, energy_meters, energy_late, reading_count_changes',
  );
  await pool.query('DELETE FROM reading_counts');
  await pool.query('UPDATE meters SET last_sequence = 0, last_end = 0, through = 0');
});

const worker = (on = pool) => new Rollup({ pool: on, feed, logger, metrics: noRollupMetrics });

async function newMeter(): Promise<TestMeter> {
  made += 1;
  const meter = new TestMeter(`ROLL-${made}`, START);
  registry.register(meter);
  await registry.meter(meter.meterId);
  return meter;
}

interface Made {
  meter: TestMeter;
  reading: Reading;
}

async function store(readings: readonly Made[]): Promise<void> {
  const client = await pool.connect();
  try {
    const items = readings.map(({ meter, reading }) => ({
      submission: toSubmission(meter.submission(reading, 0n)),
      signed: true,
      source: 'mqtt' as const,
      recheck: false,
      // Any amount may be claimed: what is stored are the signed totals.
      rules: {
        ...DEFAULT_RULES,
        maxAgeSeconds: 60 * 86_400,
        intervalSeconds: 60,
        amount: 'pipelined' as const,
      },
    }));
    await storeBatch(client, items, NOW * 1000);
  } finally {
    client.release();
  }
}

async function importAs(made: Made): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await importReading(client, {
      submission: { ...toSubmission(made.meter.submission(made.reading, 0n)) },
      amountNkwh: 0n,
      status: 'pending',
    });
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

const TOTALS = ['produced', 'consumed', 'surplus'] as const;

/** What the stored readings add up to, by an own way: in memory, meter by meter. */
async function model(): Promise<Record<string, string>> {
  const { rows } = await pool.query(
    'SELECT meter_id, sequence, interval_end, produced_total, consumed_total, surplus_total FROM meter_readings',
  );
  const sums = new Map<
    number,
    { produced: bigint; consumed: bigint; surplus: bigint; readings: number; meters: Set<string> }
  >();
  const meters = new Map<string, typeof rows>();
  for (const row of rows) meters.set(row.meter_id, [...(meters.get(row.meter_id) ?? []), row]);
  for (const [meterId, own] of meters) {
    own.sort((a, b) => Number(BigInt(a.sequence) - BigInt(b.sequence)));
    own.forEach((row, index) => {
      const quarter = Math.ceil(Number(row.interval_end) / 900) * 900 - 900;
      const sum = sums.get(quarter) ?? {
        produced: 0n,
        consumed: 0n,
        surplus: 0n,
        readings: 0,
        meters: new Set(),
      };
      sums.set(quarter, sum);
      for (const total of TOTALS) {
        const more = BigInt(row[`${total}_total`]) - BigInt(own[index - 1]?.[`${total}_total`] ?? 0);
        if (more > 0n) sum[total] += more;
      }
      sum.readings += 1;
      sum.meters.add(meterId);
    });
  }
  return Object.fromEntries(
    [...sums].map(([quarter, { produced, consumed, surplus, readings, meters: of }]) => [
      new Date(quarter * 1000).toISOString(),
      [produced, consumed, surplus, readings, of.size].join(' '),
    ]),
  );
}

async function rolled(): Promise<Record<string, string>> {
  const { rows } = await pool.query('SELECT * FROM energy_quarters');
  return Object.fromEntries(
    rows.map((row) => [
      row.quarter.toISOString(),
      [row.produced, row.consumed, row.surplus, row.readings, row.meters].join(' '),
    ]),
  );
}

async function expectExact(): Promise<void> {
  expect(await rolled()).toEqual(await model());
  for (const day of await comparableDays(pool))
    expect((await compareEnergy(pool, day)).differences).toEqual([]);
  const { rows } = await pool.query('SELECT count(*)::int AS late FROM energy_late');
  expect(rows[0].late).toBe(0);
  const { rows: counted } = await pool.query(
    'SELECT status, count(*)::int AS readings FROM meter_readings GROUP BY status',
  );
  expect(
    Object.entries(await readingCounts(pool))
      .filter(([, count]) => count > 0)
      .sort(),
  ).toEqual(counted.map(({ status, readings }) => [status, readings]).sort());
}

/** Readings of a meter one after the other: seconds between, and what each adds. */
function chain(
  meter: TestMeter,
  steps: readonly { seconds: number; produced: number; consumed: number }[],
): Made[] {
  let end = START;
  let [producedTotal, consumedTotal, surplusTotal] = [0n, 0n, 0n];
  return steps.map(({ seconds, produced, consumed }, index) => {
    const start = end;
    end += seconds;
    producedTotal += BigInt(produced);
    consumedTotal += BigInt(consumed);
    surplusTotal += BigInt(Math.max(0, produced - consumed));
    return {
      meter,
      reading: {
        flags: 1,
        sequence: BigInt(index + 1),
        intervalStart: start,
        intervalEnd: end,
        producedTotal,
        consumedTotal,
        surplusTotal,
      },
    };
  });
}

test('a worker that another one keeps from its work does not say that it has caught up', async () => {
  const holder = await pool.connect();
  await holder.query(`SELECT pg_advisory_lock(hashtext('${ROLLUP_LOCK}'))`);
  let attempts = 0;
  let caughtUp = 0;
  const counted = {
    query: pool.query.bind(pool),
    connect: () => {
      attempts += 1;
      return pool.connect();
    },
  } as unknown as pg.Pool;
  const metrics = {
    ...noRollupMetrics,
    caughtUp: () => {
      caughtUp += 1;
    },
  };
  const rollup = new Rollup({ pool: counted, feed, logger, metrics, pollMillis: 1 });
  rollup.start();
  try {
    // Counting and folding in the first round; the next attempt is in the second one.
    await until(() => attempts >= 3, 'two rounds');
    expect(caughtUp).toBe(0);
    await holder.query(`SELECT pg_advisory_unlock(hashtext('${ROLLUP_LOCK}'))`);
    await until(() => caughtUp > 0, 'it has caught up');
  } finally {
    holder.release(true);
    await rollup.stop();
  }
});

describe('the energy of the network', () => {
  test('is that of the readings, whatever their order, and whoever is cut off while adding up', async () => {
    const step = fc.record({
      seconds: fc.constantFrom(60, 300, 900, 900, 1_800, 86_400),
      produced: fc.integer({ min: 0, max: 2_000_000_000 }),
      consumed: fc.integer({ min: 0, max: 2_000_000_000 }),
    });
    const plan = fc.record({
      meters: fc.array(fc.array(step, { minLength: 1, maxLength: 24 }), { minLength: 1, maxLength: 4 }),
      order: fc.infiniteStream(fc.nat()),
      // How many readings are stored together, and what is done at the same time.
      batches: fc.array(
        fc.record({
          size: fc.integer({ min: 1, max: 9 }),
          beside: fc.constantFrom('nothing', 'count', 'two count', 'killed', 'fold', 'again'),
          late: fc.boolean(),
          imported: fc.boolean(),
        }),
        { minLength: 1, maxLength: 30 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ meters, order, batches }) => {
        await pool.query('DELETE FROM meter_readings');
        await pool.query('TRUNCATE reading_keys, energy_quarters, energy_meters, energy_late');
        await pool.query('UPDATE meters SET last_sequence = 0, last_end = 0, through = 0');
        const all: Made[] = [];
        for (const steps of meters) all.push(...chain(await newMeter(), steps));
        const numbers = order[Symbol.iterator]();
        const pick = () => (numbers.next().value as number) % Math.max(1, all.length);
        const past: Made[] = [];
        const doings: Promise<unknown>[] = [];
        const beside: Record<string, () => Promise<unknown>> = {
          nothing: async () => {},
          count: () => worker().catchUp(),
          'two count': () => Promise.all([worker().catchUp(), worker().catchUp()]),
          fold: () => worker().fold(),
          again: () => store(past.slice(-5)),
          killed: () => killedWhileCounting(),
        };
        for (let at = 0; all.length > 0; at++) {
          const {
            size,
            beside: what,
            late,
            imported,
          } = batches[at % batches.length] as (typeof batches)[number];
          const batch: Made[] = [];
          for (let n = 0; n < size && all.length > 0; n++) {
            batch.push(...all.splice(late ? pick() : 0, 1));
          }
          past.push(...batch);
          // At the same time: that a reading becomes visible between two questions of a worker is the point.
          doings.push((beside[what] as () => Promise<unknown>)());
          if (imported) for (const one of batch) await importAs(one);
          else await store(batch);
        }
        await Promise.all(doings);
        while (!(await worker().catchUp())) {
          // Another is at it still.
        }
        await expectExact();
      }),
      { numRuns: Number(process.env.GTX_RUNS ?? 25), endOnFailure: true },
    );
  }, 240_000);
});

/** A worker whose connection is ended by the server in the middle of its work. */
async function killedWhileCounting(): Promise<void> {
  const own = openTestPool(postgres.url, 1);
  own.on('connect', (client) => client.on('error', () => {}));
  try {
    const { rows } = await own.query('SELECT pg_backend_pid() AS pid');
    const counting = worker(own)
      .catchUp()
      .catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await counting;
  } finally {
    await own.end();
  }
}
