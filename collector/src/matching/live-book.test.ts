import { gridMintAddress, Side } from '@gridtokenx/chain';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ChangeFeed, notifyChange } from '../feed/index.js';
import type { DepthDelta, DepthSnapshot, PriceLevel } from '../market/index.js';
import { migrate } from '../store/migrate.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { LiveBooks, type LiveDelta } from './live-book.js';
import { MatcherLock } from './lock.js';

const logger = pino({ level: 'silent' });
const MARKET = 'market';
const LOT = 1_000_000n;
let postgres: TestPostgres;
let url: string;
let pool: pg.Pool;
let feed: ChangeFeed;
let books: LiveBooks;
let now = 1_000_000;

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.createDatabase('books');
  pool = openTestPool(url);
  await migrate(pool, logger);
  await pool.query(
    `INSERT INTO markets (address, base_mint, quote_mint, treasury, admin, guardian, lot_size, tick_size, fee_bps, band_bps,
       paused, slot, position) VALUES ($1, $2, 'grx', 'treasury', 'admin', 'guardian', $3, 1, 0, 0, FALSE, 1, 1)`,
    [MARKET, gridMintAddress().toBase58(), LOT.toString()],
  );
  feed = new ChangeFeed({ databaseUrl: url, logger });
  await feed.start();
});
afterAll(async () => {
  await feed?.stop();
  await pool?.end();
  await postgres?.stop();
});
beforeEach(() => {
  now = 1_000_000;
  books = new LiveBooks({ pool, feed, logger, now: () => now * 1000 });
});
afterEach(async () => {
  await books.stop();
  await pool.query('TRUNCATE orders, chain_events, chain_transactions CASCADE');
});

/** Writes an order as the event processor does, and tells of it. */
async function order(
  address: string,
  { side = 'sell', price = 3, lots = 1, slot = 10, expiresAt = 2_000_000, tell = true } = {},
): Promise<void> {
  const amount = (BigInt(lots) * LOT).toString();
  const signature = `tx ${address}`;
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO chain_transactions (signature, slot, last_valid_block_height) VALUES ($1, $2, 1)`,
    [signature, slot],
  );
  await client.query(
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
       rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at, status, slot)
     VALUES ($1, $2, $1, 1, $3, $4, $5, $5, $5, $5, 0, $1, $6, $7, 1, 0, $8, now(), 'open', $7)`,
    [address, MARKET, side, price, amount, expiresAt, slot, signature],
  );
  await client.query(
    `INSERT INTO chain_events (signature, event_index, slot, program_id, name, data)
     VALUES ($1, 0, $2, 'trading', 'OrderCreated', $3)`,
    [signature, slot, { order: address }],
  );
  if (tell) await notifyChange(client, { kind: 'transactions', signatures: [signature] });
  await client.query('COMMIT');
  client.release();
}

async function change(address: string, set: string, slot: number): Promise<void> {
  await pool.query(`UPDATE orders SET ${set}, slot = $2 WHERE address = $1`, [address, slot]);
  await notifyChange(pool, { kind: 'orders', addresses: [address] });
}

const asks = () => books.snapshot(MARKET).asks.map(({ price, amount }) => [price, amount / LOT]);

it('loads what is open, and follows what any collector writes', async () => {
  await order('a');
  await order('b', { price: 4, lots: 2 });
  await order('gone', { tell: false });
  await pool.query(`UPDATE orders SET status = 'cancelled' WHERE address = 'gone'`);
  await books.start();
  expect(books.markets()).toMatchObject([{ address: MARKET, lotSize: LOT, feed: undefined }]);
  expect(asks()).toEqual([
    [3n, 1n],
    [4n, 2n],
  ]);
  await order('c', { price: 3, lots: 5, slot: 11 });
  await until(() => asks()[0]?.[1] === 6n, 'the new order');
  await change('c', `remaining = ${4n * LOT}, escrowed = ${4n * LOT}`, 12);
  await until(() => asks()[0]?.[1] === 5n, 'the part');
  await change('a', `status = 'filled', remaining = 0`, 13);
  await until(() => asks()[0]?.[1] === 4n, 'the end');
  // The queue is by the place on the chain, not by when it was heard.
  await order('older', { price: 3, slot: 9 });
  await until(() => asks()[0]?.[1] === 5n, 'the older one');
  expect([...books.book(MARKET).queue(Side.Sell)].map(({ address }) => address)).toEqual(['older', 'c', 'b']);
  expect(() => books.snapshot('another')).toThrow(/no such market/);
});

it('tells deltas that keep a snapshot up to date', async () => {
  await books.start();
  const snapshot = books.snapshot(MARKET);
  const deltas: LiveDelta[] = [];
  books.onDelta((market, delta) => {
    expect(market).toBe(MARKET);
    deltas.push(delta);
  });
  for (let index = 1; index <= 5; index += 1)
    await order(`s${index}`, {
      price: 3 + (index % 2),
      slot: 10 + index,
      expiresAt: 1_000_000 + 100 * index,
    });
  await order('buy', { side: 'buy', price: 2 });
  await until(() => books.book(MARKET).size === 6, 'all orders');
  await change('s1', `status = 'cancelled'`, 20);
  await until(() => books.book(MARKET).size === 5, 'the end of one');
  // Orders leave by the clock too.
  now += 250;
  await until(() => [...books.book(MARKET).queue(Side.Sell)].length === 3, 'the expiry of one');
  expect(deltas.map(({ sequence }) => sequence)).toEqual(
    deltas.map((_, index) => snapshot.sequence + 1 + index),
  );
  expect(new Set(deltas.map(({ epoch }) => epoch))).toEqual(new Set([snapshot.epoch]));
  expect(apply(snapshot, deltas)).toEqual(levels(books.snapshot(MARKET)));
});

it('makes a book anew, under another name, when a fork took something back', async () => {
  await order('a');
  await books.start();
  const { epoch } = books.snapshot(MARKET);
  const resets: string[] = [];
  books.onReset((_market, name) => resets.push(name));
  await pool.query(`DELETE FROM chain_transactions WHERE signature = 'tx a'`);
  await notifyChange(pool, { kind: 'undone', signature: 'tx a' });
  await until(() => resets.length > 0, 'the reset');
  expect(asks()).toEqual([]);
  // Twice, when what is told of the order's making comes only after it was taken back.
  expect(books.snapshot(MARKET)).toMatchObject({ epoch: resets.at(-1), sequence: 0 });
  expect(resets).not.toContain(epoch);
  // A trade that is undone leaves the row as it was at an earlier slot.
  await order('b', { lots: 3 });
  await until(() => asks().length === 1, 'the order');
  await change('b', `remaining = ${LOT}, escrowed = ${LOT}`, 30);
  await until(() => asks()[0]?.[1] === 1n, 'the trade');
  await pool.query(`UPDATE orders SET remaining = $1, escrowed = $1, slot = 10 WHERE address = 'b'`, [
    (3n * LOT).toString(),
  ]);
  await notifyChange(pool, { kind: 'undone', signature: 'tx trade' });
  await until(() => asks()[0]?.[1] === 3n, 'what was before the trade');
});

it('finds by comparing what it was not told, and lets accounts read later than rows stand', async () => {
  await order('a');
  await order('b');
  await books.start();
  await pool.query(`UPDATE orders SET status = 'cancelled', slot = 30 WHERE address = 'a'`);
  await order('silent', { price: 7, tell: false, slot: 31 });
  await notifyChange(pool, { kind: 'gap' });
  await until(() => asks().length === 2 && asks()[0]?.[1] === 1n, 'the comparison');
  // The chain said at slot 50 that b is gone; the row of slot 10 does not bring it back.
  expect(books.correct(MARKET, 'b', undefined, 50)).toBe('applied');
  await change('b', 'fee_bps = 1', 40);
  await order('last', { price: 9, slot: 41 });
  await until(() => asks().length === 2, 'the last one');
  expect(asks()).toEqual([
    [7n, 1n],
    [9n, 1n],
  ]);
});

it('believes the later of a row and an account', async () => {
  await order('a', { lots: 5 });
  await books.start();
  const known = books.book(MARKET).get('a');
  if (known === undefined) throw new Error('the order is missing');
  const { address, owner, rentPayer, orderId, side, price, amount, expiresAt, feeBps, position } = known;
  const account = { address, owner, rentPayer, orderId, side, price, amount, expiresAt, feeBps, position };
  books.correct(MARKET, 'a', { ...account, remaining: 3n * LOT, escrowed: 3n * LOT }, 50);
  expect(asks()).toEqual([[3n, 3n]]);
  await change('a', `remaining = ${4n * LOT}, escrowed = ${4n * LOT}`, 40);
  await order('b', { price: 9, slot: 41 });
  await until(() => asks().length === 2, 'the other order');
  expect(asks()[0]).toEqual([3n, 3n]);
  await change('a', `remaining = ${2n * LOT}, escrowed = ${2n * LOT}`, 60);
  await until(() => asks()[0]?.[1] === 2n, 'the newer row');
});

it('lets one matcher lead, and another one as soon as its connection ends', async () => {
  const [one, two] = [1, 2].map(() => new MatcherLock({ databaseUrl: url, logger })) as [
    MatcherLock,
    MatcherLock,
  ];
  expect(await one.hold()).toBe(true);
  expect(await two.hold()).toBe(false);
  expect(await one.hold()).toBe(true);
  await pool.query(
    `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'gtx-matcher' AND l.objid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  await until(() => !one.held, 'the loss');
  await until(async () => two.hold(), 'the takeover');
  expect(await one.hold()).toBe(false);
  await two.release();
  expect(await one.hold()).toBe(true);
  await one.release();
});

function levels({ asks: sells, bids }: Pick<DepthSnapshot, 'asks' | 'bids'>): unknown {
  const sorted = (list: readonly PriceLevel[]) => [...list].sort((a, b) => Number(a.price - b.price));
  return { asks: sorted(sells), bids: sorted(bids) };
}

/** A snapshot after its deltas, as a client keeps it. */
function apply(snapshot: DepthSnapshot, deltas: readonly DepthDelta[]): unknown {
  const side = (name: 'asks' | 'bids') => {
    const map = new Map(snapshot[name].map((level) => [level.price, level]));
    for (const delta of deltas)
      for (const level of delta[name]) {
        if (level.amount === 0n) map.delete(level.price);
        else map.set(level.price, level);
      }
    return [...map.values()];
  };
  return levels({ asks: side('asks'), bids: side('bids') });
}
