import { join } from 'node:path';
import { migrate } from '@gridtokenx/collector';
import { Keypair } from '@solana/web3.js';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlanReader, plansIn, tableReadWhole, writePlans } from './plans.js';
import { ask, logIn, questions } from './questions.js';
import { type RunningCollector, Stack } from './stack.js';
import { fillTown, OWNERS_METERS } from './town.js';

/*
 * What pages ask, of a town of ten thousand meters: PostgreSQL finds it by indexes. 200,000 readings are enough for it to
 * plan as it would with twenty million; how fast that is, `npm run bench -- page` measures.
 */

const owner = Keypair.generate();
const operator = Keypair.generate();
/** Yesterday at noon: the sun has shone on these readings, and not everything that ever happened is of the last hour. */
const NEWEST = Math.floor(Date.now() / 86_400_000) * 86_400 - 86_400 + 6 * 3600;
const stack = new Stack({ say: () => {}, profileDir: undefined, keep: false });
let client: pg.Client;
let collector: RunningCollector;
let plans: PlanReader;
const tokens: Record<string, string | undefined> = {};

beforeAll(async () => {
  await stack.start();
  const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 1 });
  await migrate(pool, pino({ level: 'silent' }));
  await pool.end();
  client = new pg.Client({ connectionString: stack.databaseUrl });
  await client.connect();
  await fillTown(client, {
    meters: 10_000,
    wallets: 3_000,
    readings: 20,
    owner: owner.publicKey.toBase58(),
    endSeconds: NEWEST,
    orders: 2_000,
    say: () => {},
  });
  await writePlans(client);
  plans = new PlanReader(join(stack.layout.logs, 'postgres.log'));
  collector = await stack.startCollector({
    settlement: 'interval',
    settlementSeconds: 86_400,
    env: {
      GTX_OPERATOR_WALLETS: operator.publicKey.toBase58(),
      // None of it is on the chain: nobody is to look for it there.
      GTX_MATCHING: 'off',
      GTX_RECONCILE: 'off',
      GTX_SETTLEMENT_MIN_KWH: '1000000',
      GTX_SETTLEMENT_MAX_WAIT_SECONDS: '31536000',
    },
  });
  tokens.owner = (await logIn(collector.httpUrl, owner)).access_token;
  tokens.operator = (await logIn(collector.httpUrl, operator)).access_token;
}, 600_000);
afterAll(async () => {
  await client?.end();
  await stack.stop();
});

describe('ten thousand meters', () => {
  test('are all there, and counted by the collector’s own triggers', async () => {
    const { rows } = await client.query(
      `SELECT (SELECT count(*)::int FROM meters) AS meters, (SELECT count(*)::int FROM meter_readings) AS readings,
         (SELECT count(*)::int FROM reading_keys) AS keys, (SELECT count(*)::int FROM meters m JOIN users u
           ON u.id = m.user_id WHERE u.wallet_address = $1) AS own`,
      [owner.publicKey.toBase58()],
    );
    expect(rows[0]).toEqual({ meters: 10_000, readings: 200_000, keys: 200_000, own: OWNERS_METERS });
    const { body } = await ask(collector.httpUrl, '/api/status', tokens.operator);
    expect(body).toMatchObject({ meters: 10_000, readings: { stored: 200_000 } });
  });

  test('what pages ask is found by indexes, page after page', async () => {
    const { rows } = await client.query<{ address: string }>('SELECT address FROM markets');
    const asked = questions({
      wallet: owner.publicKey.toBase58(),
      meter: 'TOWN-00001',
      market: rows[0]?.address as string,
      newest: NEWEST,
    });
    plans.next();
    const whole: string[] = [];
    let statements = 0;
    for (const { path, as } of asked) {
      let next: string | null = null;
      for (let page = 0; page < 3; page += 1) {
        const cursor: string = next === null ? '' : `&cursor=${encodeURIComponent(next)}`;
        const { body } = await ask(collector.httpUrl, path + cursor, tokens[as]);
        next = (body as { next_cursor?: string | null }).next_cursor ?? null;
        if (next === null) break;
      }
      for (const plan of plans.next()) {
        statements += 1;
        const table = tableReadWhole(plan);
        if (table !== undefined) whole.push(`${path}: ${table}\n${plan.statement}\n${plan.plan}`);
      }
    }
    // The log has been read: as many statements as questions at the very least.
    expect(statements).toBeGreaterThan(asked.length);
    expect(whole).toEqual([]);
  }, 240_000);

  test('a statement that reads all readings is noticed', async () => {
    const other = new pg.Client({ connectionString: stack.databaseUrl });
    await other.connect();
    plans.next();
    await other.query('SELECT status, count(*) FROM meter_readings GROUP BY status');
    await other.end();
    expect(plans.next().map(tableReadWhole)).toContainEqual(expect.stringMatching(/^meter_readings/));
  });
});

test('plans are read from a log as the server writes it', () => {
  const log = [
    '2026-11-23 02:22:08.653 UTC [1] LOG:  duration: 12.345 ms  plan:',
    '\tQuery Text: SELECT *',
    '\t  FROM orders',
    '\tLimit  (cost=0.00..900.00 rows=1 width=4)',
    '\t  ->  Seq Scan on orders  (cost=0.00..900.00 rows=1 width=4)',
    '2026-11-23 02:22:09.000 UTC [1] LOG:  checkpoint starting: time',
    '',
  ].join('\n');
  const [plan, ...others] = plansIn(log);
  expect(others).toEqual([]);
  expect(plan).toMatchObject({ millis: 12.345, statement: 'SELECT *\n  FROM orders' });
  expect(plan && tableReadWhole(plan)).toBe('orders');
});
