import type pg from 'pg';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { migrate } from '../store/migrate.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { type Change, notifyChange, payloads } from './change.js';
import { ChangeFeed } from './feed.js';

const logger = pino({ level: 'silent' });
let postgres: TestPostgres;
let url: string;
let pool: pg.Pool;
const feeds: ChangeFeed[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.createDatabase('feed');
  pool = openTestPool(url);
  await migrate(pool, logger);
});
afterEach(async () => {
  await Promise.all(feeds.splice(0).map((feed) => feed.stop()));
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function listen(options: { maxWaiting?: number } = {}): Promise<{ feed: ChangeFeed; heard: Change[] }> {
  const feed = new ChangeFeed({ databaseUrl: url, logger, ...options });
  feeds.push(feed);
  const heard: Change[] = [];
  feed.onChange((change) => heard.push(change));
  await feed.start();
  return { feed, heard };
}

/** Writes a transaction with so many events. */
async function store(client: pg.ClientBase | pg.Pool, signature: string, slot: number, events: number) {
  await client.query(
    `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, last_valid_block_height)
     VALUES ($1, $2, 3, 1700000000, 1)`,
    [signature, slot],
  );
  for (let index = 0; index < events; index++) {
    await client.query(
      `INSERT INTO chain_events (signature, event_index, slot, tx_index, program_id, name, data)
       VALUES ($1, $2, $3, 3, 'program', 'OrderCreated', $4)`,
      [signature, index, slot, { order: `order ${index}` }],
    );
  }
}

test('every collector hears what one wrote, when it is committed and not before', async () => {
  const a = await listen();
  const b = await listen();
  const client = await pool.connect();
  await client.query('BEGIN');
  await store(client, 'first', 7, 2);
  await notifyChange(client, { kind: 'transactions', signatures: ['first'] });
  await notifyChange(client, { kind: 'balances', wallets: ['w1', 'w2'] }, { kind: 'guide' });
  // Told from another transaction, and so before.
  await notifyChange(pool, { kind: 'review', id: '1' });
  await until(() => a.heard.length > 0 && b.heard.length > 0, 'heard');
  expect(a.heard).toEqual([{ kind: 'review', id: '1' }]);
  await client.query('COMMIT');
  client.release();
  await until(() => a.heard.length === 4 && b.heard.length === 4, 'heard');
  expect(b.heard).toEqual(a.heard);
  expect(a.heard.slice(1)).toEqual([
    {
      kind: 'transaction',
      signature: 'first',
      slot: 7,
      events: [0, 1].map((index) => ({
        name: 'OrderCreated',
        programId: 'program',
        index,
        txIndex: 3,
        slot: 7,
        signature: 'first',
        blockTime: 1_700_000_000,
        data: { order: `order ${index}` },
      })),
    },
    { kind: 'balances', wallets: ['w1', 'w2'] },
    { kind: 'guide' },
  ]);
});

test('what was rolled back is never heard of', async () => {
  const { heard } = await listen();
  const client = await pool.connect();
  await client.query('BEGIN');
  await notifyChange(client, { kind: 'alert', id: 'never' });
  await client.query('ROLLBACK');
  client.release();
  await notifyChange(pool, { kind: 'alert', id: 'told' });
  await until(() => heard.length > 0, 'heard');
  expect(heard).toEqual([{ kind: 'alert', id: 'told' }]);
});

test('long lists travel in several notifications, each under the limit of Postgres', async () => {
  const signatures = Array.from({ length: 500 }, (_, index) => `${index}`.padStart(88, 'x'));
  const texts = payloads({ kind: 'transactions', signatures });
  expect(texts.every((text) => Buffer.byteLength(text) < 8000)).toBe(true);
  expect(texts.flatMap((text) => JSON.parse(text).id)).toEqual(signatures);
  expect(payloads({ kind: 'balances', wallets: [] })).toEqual([]);

  const { heard } = await listen();
  for (const [index, signature] of signatures.slice(0, 200).entries())
    await store(pool, signature, 9 + index, 0);
  await notifyChange(pool, { kind: 'transactions', signatures: signatures.slice(0, 200) });
  await until(() => heard.length >= 200, 'heard');
  expect(heard.map((change) => (change.kind === 'transaction' ? change.signature : change))).toEqual(
    signatures.slice(0, 200),
  );
});

test('a broken connection is made anew, and a gap is told', async () => {
  const { heard } = await listen();
  await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gtx-feed'`,
  );
  await until(() => heard.some(({ kind }) => kind === 'gap'), 'heard');
  await notifyChange(pool, { kind: 'alert', id: 'after' });
  await until(() => heard.at(-1)?.kind === 'alert', 'heard');
  expect(heard).toEqual([{ kind: 'gap' }, { kind: 'alert', id: 'after' }]);
});

test('a server that was killed, and is away at the start, costs a gap', async () => {
  const { heard } = await listen();
  await postgres.kill();
  const late = await listen();
  await postgres.restart();
  await until(() => heard.length > 0 && late.heard.length > 0, 'heard');
  expect(heard[0]).toEqual({ kind: 'gap' });
  expect(late.heard[0]).toEqual({ kind: 'gap' });
  await notifyChange(pool, { kind: 'guide' });
  await until(() => heard.at(-1)?.kind === 'guide' && late.heard.at(-1)?.kind === 'guide', 'heard');
});

test('a flood beyond what is kept becomes a gap, and so does what nobody understands', async () => {
  const { feed, heard } = await listen({ maxWaiting: 3 });
  const client = await pool.connect();
  await client.query('BEGIN');
  for (let index = 0; index < 50; index++) {
    await notifyChange(client, { kind: 'transactions', signatures: [`unknown ${index}`] });
  }
  await client.query('COMMIT');
  client.release();
  await until(() => heard.some(({ kind }) => kind === 'gap'), 'heard');
  heard.length = 0;
  await pool.query(`SELECT pg_notify('gtx_changes', '{"k":"of the future"}')`);
  await until(() => heard.length > 0, 'heard');
  expect(heard[0]).toEqual({ kind: 'gap' });
  // A listener that fails keeps nobody else from it.
  feed.onChange(() => {
    throw new Error('mine');
  });
  const others: Change[] = [];
  feed.onChange((change) => others.push(change));
  await notifyChange(pool, { kind: 'guide' });
  await until(() => others.length > 0, 'heard');
  expect(others).toEqual([{ kind: 'guide' }]);
});
