import {
  decodeOrder,
  instructions,
  openConnection,
  Side,
  setUpFeed,
  TRADING_PROGRAM_ID,
} from '@gridtokenx/chain';
import { type Connection, Keypair, PublicKey, type VersionedTransactionResponse } from '@solana/web3.js';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Change, ChangeFeed } from '../feed/index.js';
import { MarketWorld, ONE, type TestOrder, units } from '../matching/testing/market-world.js';
import { until } from '../settlement/testing/world.js';
import { EMPTY_SNAPSHOT } from './accounts.js';
import { applyTransactions, undoTransaction } from './apply.js';
import { type LandedTransaction, readLanded } from './landed.js';
import { ChainMirror } from './mirror.js';
import { TransactionReader } from './reader.js';
import { type ReplayReport, replay } from './replay.js';
import { webSocketUrl } from './subscription.js';
import { inTransaction } from './transaction.js';

const world = new MarketWorld();
const SYMBOL = 'GRX/GRID';
let alice: Keypair;
let bob: Keypair;
/** The story's transactions of the market, in order. */
let story: { signature: string; response: VersionedTransactionResponse }[];

const ref = (order: TestOrder) => ({
  owner: order.owner.publicKey,
  orderId: order.orderId,
  side: order.side,
  rentPayer: order.owner.publicKey,
});

function match(order: TestOrder, taker: Keypair, amount: number, price: number): Promise<string> {
  return world.send(
    [
      instructions.matchOrder({
        taker: taker.publicKey,
        market: world.account,
        order: ref(order),
        price: units(price),
        amount: units(amount),
        maxFeeBps: 1000,
      }),
    ],
    [taker],
  );
}

beforeAll(async () => {
  await world.startMarket(200);
  alice = await world.trader({ grid: 60, grx: 500 });
  bob = await world.trader({ grid: 60, grx: 500 });
  const publisher = Keypair.generate();
  await world.fund(publisher, 1);
  await setUpFeed(world.connection, {
    authority: world.authority,
    guardian: world.guardian.publicKey,
    symbol: SYMBOL,
    settings: {
      maxAgeSeconds: 600,
      guardSeconds: 600,
      maxDeviationBps: 5000,
      minPublishers: 1,
      overridePublishers: 0,
    },
    publishers: [publisher.publicKey],
    firstPrice: { publisher, price: 3n * ONE },
  });

  const sell = await world.order(alice, 'sell', 10, 3);
  await match(sell, bob, 4, 3);
  await match(sell, bob, 6, 3);
  const buy = await world.order(bob, 'buy', 8, 2.5);
  await match(buy, alice, 3, 2.5);
  const cheap = await world.order(alice, 'sell', 5, 2);
  const dear = await world.order(alice, 'sell', 2, 2.4);
  const wish = await world.order(bob, 'buy', 6, 2.2);
  // Two pairs trade, one of them is impossible and skipped.
  await world.send(
    [
      instructions.crossOrders({
        market: world.account,
        pairs: [
          { sell: ref(cheap), buy: ref(wish) },
          { sell: ref(dear), buy: ref(wish) },
        ],
      }),
    ],
    [],
  );
  await world.send(
    [instructions.crossOrders({ market: world.account, pairs: [{ sell: ref(dear), buy: ref(buy) }] })],
    [],
  );
  await world.cancel(buy);
  const short = await world.order(alice, 'sell', 1, 9, { seconds: 400 });
  await world.order(bob, 'buy', 1, 1);
  // A refused transaction: somebody else's order cannot be taken back.
  await expect(
    world.send([instructions.cancelOrder({ market: world.account, order: ref(short) })], []),
  ).rejects.toThrow();
  world.pass(500);
  await world.send([instructions.expireOrder({ market: world.account, order: ref(short) })], []);

  const listed = await world.connection.getSignaturesForAddress(TRADING_PROGRAM_ID, {}, 'confirmed');
  story = [];
  for (const { signature } of listed.filter(({ err }) => err === null).reverse()) {
    const response = await world.connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    if (!response) throw new Error('a listed transaction is not shown');
    story.push({ signature, response });
  }
}, 300_000);
afterAll(() => world.stop());

const TABLES = ['markets', 'orders', 'trades', 'user_balances', 'price_feeds', 'prices'];

/** Rows without what a clock put there, and but for these columns. */
async function state(but: readonly string[] = [], tables = TABLES): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const table of tables) {
    const { rows } = await world.pool.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
    found[table] = rows
      .map((row) =>
        JSON.stringify(
          Object.fromEntries(Object.entries(row).filter(([name]) => ![...but, 'updated_at'].includes(name))),
        ),
      )
      .sort();
  }
  return found;
}

async function followed(connection: Connection = world.connection): Promise<ChainMirror> {
  await world.useEmptyDatabase();
  const { pool, logger, now, alerts } = world;
  const mirror = new ChainMirror({ pool, connection, logger, now, alerts, config: { wsUrl: false } });
  await mirror.catchUp();
  return mirror;
}

describe('the mirror of a market', () => {
  it('says what the accounts say, of orders and of wallets', async () => {
    const mirror = await followed();
    const { rows: orders } = await world.pool.query<Record<string, string>>('SELECT * FROM orders');
    expect(orders.map(({ status }) => status).sort()).toEqual([
      'cancelled',
      'expired',
      'filled',
      'filled',
      'filled',
      'open',
      'open',
    ]);
    for (const order of orders) {
      const account = await world.connection.getAccountInfo(new PublicKey(order.address ?? ''), 'confirmed');
      expect(account === null).toBe(order.closed_signature !== null);
      if (!account) {
        expect(order.escrowed).toBe('0');
        continue;
      }
      const { remaining, escrowed, price, amount, side, feeBps, expiresAt, createdSlot } = decodeOrder(
        account.data,
      );
      expect(order).toMatchObject({
        status: 'open',
        remaining: remaining.toString(),
        escrowed: escrowed.toString(),
        price: price.toString(),
        amount: amount.toString(),
        side: side === Side.Sell ? 'sell' : 'buy',
        fee_bps: feeBps,
        expires_at: expiresAt.toString(),
        created_slot: createdSlot.toString(),
      });
    }
    const { rows: trades } = await world.pool.query(
      `SELECT taker_side, price::text, amount::text, quote::text, fee::text, sell_order IS NULL AS sell_taker,
         buy_order IS NULL AS buy_taker FROM trades ORDER BY position`,
    );
    const trade = (side: string, amount: number, price: number, takers: [boolean, boolean]) => ({
      taker_side: side,
      price: units(price).toString(),
      amount: units(amount).toString(),
      quote: units(amount * price).toString(),
      fee: (units(amount * price) / 100n).toString(),
      sell_taker: takers[0],
      buy_taker: takers[1],
    });
    expect(trades).toEqual([
      trade('buy', 4, 3, [false, true]),
      trade('buy', 6, 3, [false, true]),
      trade('sell', 3, 2.5, [true, false]),
      trade('buy', 5, 2, [false, false]),
      trade('sell', 2, 2.5, [false, false]),
    ]);
    const balances = async () =>
      (await world.pool.query('SELECT wallet, mint, amount::text FROM user_balances ORDER BY 1, 2')).rows;
    const before = await balances();
    for (const wallet of [alice, bob]) {
      const own = before.filter((row) => row.wallet === wallet.publicKey.toBase58());
      expect(own.find((row) => row.mint === world.grx.publicKey.toBase58())?.amount).toBe(
        (await world.grxOf(wallet.publicKey)).toString(),
      );
      expect(own.map((row) => row.amount)).toContain((await world.grid(wallet.publicKey)).toString());
    }
    const wallets = [...new Set(before.map((row) => row.wallet as string))];
    expect(await mirror.refreshBalances(wallets)).toEqual([]);
    const { rows: feeds } = await world.pool.query('SELECT symbol, price::text, publishers FROM price_feeds');
    expect(feeds).toEqual([{ symbol: SYMBOL, price: (3n * ONE).toString(), publishers: 1 }]);
    const { rows: markets } = await world.pool.query('SELECT quote_token_program FROM markets');
    expect(markets).toEqual([{ quote_token_program: world.account.quoteTokenProgram.toBase58() }]);
    // The chain lists in its own order.
    const { rows: order } = await world.pool.query<{ signature: string }>(
      `SELECT signature FROM chain_events WHERE program_id = $1 GROUP BY signature ORDER BY min(position)`,
      [TRADING_PROGRAM_ID.toBase58()],
    );
    const signatures = new Set(order.map(({ signature }) => signature));
    expect(order.map(({ signature }) => signature)).toEqual(
      story.map(({ signature }) => signature).filter((signature) => signatures.has(signature)),
    );
  });

  it('asks the block where a node does not tell the place, and singly where it takes no batches', async () => {
    await followed();
    const tables = ['markets', 'orders', 'trades', 'prices', 'chain_events', 'chain_transactions'];
    const expected = await state(['applied', 'applied_at', 'last_valid_block_height', 'finalized'], tables);
    const { rows: places } = await world.pool.query<{ signature: string; slot: string; tx_index: number }>(
      'SELECT signature, slot, tx_index FROM chain_transactions',
    );
    const connection = openConnection(world.rpcUrl);
    const rpc = connection as unknown as Record<
      '_rpcRequest' | '_rpcBatchRequest',
      (method: string, args: unknown[]) => Promise<Record<string, unknown>>
    >;
    const request = rpc._rpcRequest.bind(rpc);
    let blocks = 0;
    rpc._rpcRequest = async (method, args) => {
      if (method !== 'getBlock') {
        const answer = JSON.stringify(await request(method, args));
        return JSON.parse(answer, (name, value) => (name === 'transactionIndex' ? undefined : value));
      }
      // The embedded chain does not offer blocks: as a validator answers for signatures alone.
      blocks += 1;
      const [slot, options] = args;
      expect(options).toMatchObject({ transactionDetails: 'signatures', commitment: 'confirmed' });
      const inBlock = places.filter((place) => Number(place.slot) === slot);
      const signatures = Array.from(
        { length: 1 + Math.max(...inBlock.map((place) => place.tx_index)) },
        () => 'vote',
      );
      for (const { tx_index, signature } of inBlock) signatures[tx_index] = signature;
      const blockhash = '11111111111111111111111111111111';
      const result = { blockhash, previousBlockhash: blockhash, parentSlot: 1, blockTime: null, signatures };
      return { jsonrpc: '2.0', id: '1', result };
    };
    rpc._rpcBatchRequest = async () => {
      throw new Error('413 Payload Too Large: batches are not for you');
    };
    await followed(connection);
    // Each block is asked for once.
    expect(blocks).toBe(new Set(places.map(({ slot }) => slot)).size);
    expect(await state(['applied', 'applied_at', 'last_valid_block_height', 'finalized'], tables)).toEqual(
      expected,
    );
  });

  it('tells orders and trades from their calls where the log is cut off, wherever', async () => {
    await followed();
    const found = (await state(
      ['event_index', 'created_event_index', 'position'],
      ['orders', 'trades'],
    )) as Record<string, string[]>;
    const reader = new TransactionReader(world.connection);
    const complete = await reader.read(story.map(({ signature }) => signature));
    const apply = (transactions: readonly LandedTransaction[]) =>
      inTransaction(world.pool, (client) => applyTransactions(client, transactions, EMPTY_SNAPSHOT, 1));
    for (const [index, { signature, response }] of story.entries()) {
      const logs = response.meta?.logMessages ?? [];
      const cuts = logs.flatMap((line, at) => (line.startsWith('Program data: ') ? [at] : []));
      // Before each event, and before everything.
      for (const at of new Set([0, ...cuts])) {
        const meta = { ...response.meta, logMessages: [...logs.slice(0, at), 'Log truncated'] };
        const cut = readLanded(signature, { ...response, meta } as VersionedTransactionResponse);
        expect(cut.recovery).toBeDefined();
        await world.pool.query('TRUNCATE orders, trades, chain_events, chain_transactions CASCADE');
        const all = complete.map((each, position) =>
          position === index ? cut : (each as LandedTransaction),
        );
        await apply(all.filter((each) => each.error === undefined));
        expect(await state(['event_index', 'created_event_index', 'position'], ['orders', 'trades'])).toEqual(
          found,
        );
      }
    }
  });

  it('gives back what a fork took, and finds it again', async () => {
    const mirror = await followed();
    const expected = await state(['slot', 'tx_index', 'signature']);
    const undone: pg.QueryResult<{ signature: string }> = await world.pool.query(
      `SELECT signature FROM trades ORDER BY position DESC LIMIT 3`,
    );
    for (const { signature } of undone.rows)
      await inTransaction(world.pool, (client) => undoTransaction(client, signature));
    expect((await state(['slot', 'tx_index', 'signature'])).trades).toHaveLength(2);
    const { rows } = await world.pool.query(`SELECT count(*)::int AS n FROM orders WHERE status = 'open'`);
    expect(rows[0].n).toBeGreaterThan(2);
    world.pass(61);
    await mirror.catchUp();
    expect(await state(['slot', 'tx_index', 'signature'])).toEqual(expected);
    // The same on purpose, and of rows that somebody altered.
    await world.pool.query(`UPDATE trades SET amount = amount + 1`);
    await world.pool.query(`UPDATE orders SET remaining = amount, status = 'open'`);
    await mirror.reapply(undone.rows.map(({ signature }) => signature));
    const { rows: all } = await world.pool.query<{ signature: string }>('SELECT signature FROM trades');
    await mirror.reapply(all.map(({ signature }) => signature));
    const { rows: orders } = await world.pool.query<{ address: string }>('SELECT address FROM orders');
    await world.pool.query('DELETE FROM orders WHERE price = 0 OR status = $1', ['expired']);
    await mirror.reproject({ orders: orders.map(({ address }) => address) });
    await mirror.refreshBalances([alice.publicKey.toBase58(), bob.publicKey.toBase58()]);
    expect(await state(['slot', 'tx_index', 'signature'])).toEqual(expected);
  });

  it('tells every collector of an order within moments, also after the node was away', async () => {
    await world.useEmptyDatabase();
    const { pool, connection, logger, now, alerts, databaseUrl } = world;
    const wsUrl = webSocketUrl(world.rpcUrl);
    const mirror = new ChainMirror({
      pool,
      connection,
      logger,
      now,
      alerts,
      config: { wsUrl, pollSeconds: 3600 },
    });
    const feed = new ChangeFeed({ databaseUrl, logger });
    const heard: Change[] = [];
    feed.onChange((change) => heard.push(change));
    await feed.start();
    await mirror.start();
    try {
      const made = await world.order(alice, 'sell', 1, 4);
      const told = async (order: TestOrder) =>
        heard.some(
          (change) =>
            change.kind === 'transaction' &&
            change.events.some(
              ({ name, data }) => name === 'OrderCreated' && data.order === order.address.toBase58(),
            ),
        );
      await until(() => told(made));
      const port = await world.stopChain();
      await world.startChain(port);
      const later = await world.order(alice, 'sell', 1, 5);
      await until(() => told(later));
      const { rows } = await pool.query(`SELECT status FROM orders WHERE address = ANY($1)`, [
        [made, later].map(({ address }) => address.toBase58()),
      ]);
      expect(rows).toEqual([{ status: 'open' }, { status: 'open' }]);
    } finally {
      await mirror.stop();
      await feed.stop();
    }
  });
});

describe('replay', () => {
  const again = (repair: boolean) => {
    const { databaseUrl, connection, logger, now } = world;
    return replay({ databaseUrl, connection, logger, now, repair });
  };
  const schemas = async () =>
    (await world.pool.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'gtx_replay%'`)).rowCount;

  it('makes the same rows again, also when every connection was cut again and again while they were made', async () => {
    await world.useEmptyDatabase();
    const { pool, connection, logger, now, alerts } = world;
    const settling = world.settlement(world.mirror());
    const home = await world.addMeter(await world.addOwner());
    let cuts = 0;
    for (let round = 0; round < 12; round++) {
      const mirror = new ChainMirror({ pool, connection, logger, now, alerts, config: { wsUrl: false } });
      const work = Promise.allSettled([mirror.catchUp(), mirror.catchUp(), settling.settleNow()]);
      const cut = await pool.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7`,
      );
      cuts += cut.rowCount ?? 0;
      await work;
      if (round === 5) {
        await world.mirror().catchUp();
        await world.measure([home], '2', '0.5');
      }
      if (round === 7) await world.order(alice, 'sell', 1, 6);
    }
    expect(cuts).toBeGreaterThan(0);
    await world.mirror().catchUp();
    await settling.settleNow();
    const report = await again(false);
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ identical: true, repaired: 0 });
    expect(report.tables.find(({ table }) => table === 'trades')).toEqual({
      table: 'trades',
      rows: 5,
      differing: 0,
    });
    expect(report.tables.find(({ table }) => table === 'chain_readings')?.rows).toBeGreaterThan(0);
    expect(await schemas()).toBe(0);
  });

  it('names what differs, changes nothing when it only checks, and reads it again otherwise', async () => {
    const { pool } = world;
    await pool.query(`CREATE SCHEMA gtx_replay_left`);
    await pool.query(`UPDATE orders SET remaining = 1 WHERE status = 'filled'`);
    await pool.query(`DELETE FROM trades WHERE taker_side = 'sell'`);
    await pool.query(
      `UPDATE chain_events SET data = data || '{"amount":"1"}' WHERE name = 'ProductionMinted'`,
    );
    await pool.query(`UPDATE user_balances SET amount = amount + 1, slot = 1000000000`);
    await pool.query(`UPDATE meters SET chain_minted = 0, slot = 1000000000`);
    await pool.query(`UPDATE prices SET median = 7`);
    await pool.query(`DELETE FROM price_feeds`);
    await pool.query(
      `INSERT INTO chain_transactions (signature, slot, last_valid_block_height) VALUES ('never on the chain', 5, 1)`,
    );
    const seen = await again(false);
    expect(seen.identical).toBe(false);
    const kinds = (report: ReplayReport) =>
      [...new Set(report.differences.map(({ table, kind }) => `${table} ${kind}`))].sort();
    expect(kinds(seen)).toEqual([
      'chain_events differs',
      'chain_transactions extra',
      'meters differs',
      'orders differs',
      'price_feeds missing',
      'prices differs',
      'trades missing',
      'user_balances differs',
    ]);
    const order = seen.differences.find(({ table }) => table === 'orders');
    expect(order?.columns).toEqual({ remaining: { database: 1, chain: 0 } });
    expect(await schemas()).toBe(0);
    const repaired = await again(true);
    expect(repaired.differences).toEqual([]);
    expect(repaired.identical).toBe(true);
    expect(repaired.repaired).toBeGreaterThan(0);
    expect((await again(false)).identical).toBe(true);
  });
});
