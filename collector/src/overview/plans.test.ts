import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectorFigures } from '../http/queries.js';
import { migrate } from '../store/migrate.js';
import { watchPlans } from '../testing/plans.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { addUpAgain, comparableDays, compareEnergy } from './check.js';
import { networkEnergy, networkEnergySince, readingsEnergy } from './energy.js';
import { latestMints, mintedSince, pipeline, readingCounts } from './figures.js';
import { noRollupMetrics } from './metrics.js';
import { Rollup } from './rollup.js';
import { settlementFigures } from './settlement.js';

/* Every figure against a database with tens of thousands of readings over two months: no plan reads all readings, events or
 * settlements. What is stored while the triggers are there is what is counted. */

const METERS = 200;
const EACH = 300;
/** 2023-11-14, so that 300 readings of 6 hours reach into the third month. */
const START = 1_700_000_100;
const STEP = 21_600;
const END = START + EACH * STEP;
const WALLET = `W${'x'.repeat(43)}`;
const logger = pino({ level: 'silent' });

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url, 4);
  await migrate(pool, logger);
  const months = [0, 1, 2].map(
    (month) => `ensure_reading_partition('2023-11-01Z'::timestamptz + interval '${month} months')`,
  );
  for (const statement of [
    `SELECT ${months.join(', ')}`,
    `INSERT INTO users (wallet_address, verified) SELECT CASE n WHEN 7 THEN '${WALLET}' ELSE 'wallet-' || n END, TRUE
     FROM generate_series(1, ${METERS}) AS n`,
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, last_sequence)
     SELECT 'P-' || n, 'a' || n, u.id, u.wallet_address, 'k' || n, ${EACH} FROM generate_series(1, ${METERS}) AS n
     JOIN users u ON u.wallet_address = CASE n WHEN 7 THEN '${WALLET}' ELSE 'wallet-' || n END`,
    `INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end, produced_total,
       consumed_total, surplus_total, amount_nkwh, reading_timestamp, submitted_at, message, meter_signature, public_key, status, minted)
     SELECT gen_random_uuid(), m.user_id, m.meter_id, m.wallet_address, n, 0, at - ${STEP}, at, n * 1000, n * 400, n * 600, 600,
       to_timestamp(at), to_timestamp(at), decode(repeat('00', 48), 'hex'), 's', 'k', CASE WHEN n < 298 THEN 'minted' ELSE 'pending' END,
       n < 298
     FROM generate_series(1, ${EACH}) AS n CROSS JOIN LATERAL (SELECT ${START} + n * ${STEP} AS at) AS t CROSS JOIN meters m`,
    `INSERT INTO reading_keys SELECT meter_id, sequence, decode(repeat('00', 32), 'hex'), id, reading_timestamp FROM meter_readings`,
    `INSERT INTO chain_transactions (signature, slot, block_time, finalized, last_valid_block_height)
     SELECT 't' || n, n, ${START} + n * 60, n < 9990, n + 150 FROM generate_series(1, 10000) AS n`,
    `INSERT INTO chain_events (signature, event_index, slot, program_id, name, meter, data, block_time, position)
     SELECT 't' || n, 0, n, 'p', CASE WHEN n % 2 = 0 THEN 'ProductionMinted' ELSE 'MeterBalanceSettled' END, 'a1', '{"amount": "5"}',
       ${START} + n * 60, n FROM generate_series(1, 10000) AS n`,
    `INSERT INTO chain_readings SELECT 'P-' || (1 + n / 100), n % 100 + 1, 't' || (n + 1), n, 'k', 1, 1, 1, 1, 1, 0, 'minted', 't' || (n + 1)
     FROM generate_series(0, 9999) AS n`,
    `INSERT INTO settlements (signature, wire, blockhash, last_valid_block_height, collector, lease_until, state, created_at)
     SELECT 's' || n, '', '', 1, 'c', now(), CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'finalized' END, now() - n * interval '1 minute'
     FROM generate_series(1, 10000) AS n`,
    `INSERT INTO settlement_items SELECT id, 'P-' || (1 + id % ${METERS}), 'submit', 0, 1, 1, 1, false FROM settlements`,
    'VACUUM ANALYZE',
  ]) {
    await pool.query(statement);
  }
  const rollup = new Rollup({
    pool,
    feed: { onChange: () => () => {} },
    logger,
    metrics: noRollupMetrics,
    stepMillis: 50,
  });
  expect(await rollup.catchUp()).toBe(true);
  await rollup.fold();
  await pool.query('ANALYZE');
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const LONG =
  /Seq Scan on (meter_readings\w*|reading_keys|chain_events|chain_readings|chain_transactions|settlements|settlement_items)\b/;
const dayOf = (at: number) => ({ from: at - (at % 86_400), to: at - (at % 86_400) + 86_400 });
const DAYS = { from: END - 30 * 86_400, to: END, step: 'day', zone: 'Asia/Bangkok' } as const;

const QUESTIONS: [name: string, ask: (db: pg.Pool) => Promise<unknown>][] = [
  ['figures of the collector', (db) => collectorFigures(db)],
  ['counts by status', (db) => readingCounts(db)],
  ['the way of the readings', async (db) => pipeline(db, await readingCounts(db), 0)],
  ['minted today', (db) => mintedSince(db, END - 86_400)],
  ['the latest mints', (db) => latestMints(db, 10)],
  ['energy of today', (db) => networkEnergySince(db, END - 86_400, 5)],
  ['energy of a month', (db) => networkEnergy(db, DAYS, 5)],
  ["energy of a wallet's meters", (db) => readingsEnergy(db, { wallet: WALLET }, DAYS)],
  ['energy of a meter, for its owner', (db) => readingsEnergy(db, { meterId: 'P-7', wallet: WALLET }, DAYS)],
  [
    'energy of a meter, for an operator',
    (db) => readingsEnergy(db, { meterId: 'P-7', wallet: undefined }, DAYS),
  ],
  ['the settlement queue', (db) => settlementFigures(db)],
  ["a day's energy against its readings", (db) => compareEnergy(db, dayOf(END - 20 * 86_400))],
  ['the days to compare', (db) => comparableDays(db)],
];

test.each(QUESTIONS)('%s: found by indexes and from what is added up', async (_name, ask) => {
  const { pool: db, plans } = watchPlans(pool);
  await ask(db);
  expect(plans.length).toBeGreaterThan(0);
  for (const plan of plans) expect(plan).not.toMatch(LONG);
});

test('a plan that reads all readings is noticed', async () => {
  const { pool: db, plans } = watchPlans(pool);
  await db.query('SELECT count(*) FROM meter_readings WHERE flags = 0');
  expect(plans.join('\n')).toMatch(LONG);
});

test('what is found is right: figures of the filled database', async () => {
  for (const day of await comparableDays(pool))
    expect((await compareEnergy(pool, day)).differences).toEqual([]);
  expect(await readingCounts(pool)).toMatchObject({ minted: 297 * METERS, pending: 3 * METERS, held: 0 });
  expect(await mintedSince(pool, 0)).toEqual({ total: 25_000n, since: 25_000n });
  expect(await latestMints(pool, 2)).toMatchObject([
    { signature: 't10000', state: 'confirmed', amount: '0.000000005' },
    { signature: 't9998' },
  ]);
  const { items } = await networkEnergy(pool, DAYS, 5);
  expect(items[1]).toMatchObject({
    readings: 4 * METERS,
    meters: METERS,
    produced_kwh: '0.0008',
    hidden: null,
  });
  const own = await readingsEnergy(pool, { wallet: WALLET }, DAYS);
  expect(own.items[1]).toMatchObject({ readings: 4, produced_kwh: '0.000004' });
  // As many readings of the last minutes as there are: none here was stored in the last two hours.
  const stages = await pipeline(pool, await readingCounts(pool), 3);
  expect(stages.map(({ waiting }) => waiting)).toEqual([3, 3 * METERS, 0, 11, 0]);
});

test('of months that were moved elsewhere nothing is compared, and what began in them is not taken for a difference', async () => {
  const energy = async () => (await pool.query('SELECT * FROM energy_quarters ORDER BY quarter')).rows;
  const before = await energy();
  const all = await comparableDays(pool);
  await pool.query('ALTER TABLE meter_readings DETACH PARTITION meter_readings_2023_11');
  const days = await comparableDays(pool);
  expect(all.length - days.length).toBe(30);
  const found = await Promise.all(days.map((day) => compareEnergy(pool, day)));
  expect(found.flatMap(({ differences }) => differences)).toEqual([]);
  // The first reading of every meter that is left, six hours after the last one of November.
  expect(found.reduce((sum, { unproved }) => sum + unproved, 0)).toBe(1);
  const first = found.at(-1);
  expect(first).toMatchObject({ unproved: 1, quarters: 3, readings: 3 * METERS });

  const december = before.find(({ quarter }) => quarter >= new Date('2023-12-01'));
  expect(await addUpAgain(pool, december.quarter.getTime() / 1000)).toBe(false);
  await pool.query('UPDATE energy_quarters SET meters = 0 WHERE quarter = $1', [before.at(-1).quarter]);
  expect(await addUpAgain(pool, before.at(-1).quarter.getTime() / 1000)).toBe(true);
  expect(await energy()).toEqual(before);
});
