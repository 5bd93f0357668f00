import { chainTime, escrowAddress, instructions, setUpFeed } from '@gridtokenx/chain';
import { noticeOf } from '@gridtokenx/protocol';
import { createCloseAccountInstruction, createSetAuthorityInstruction } from '@solana/spl-token';
import { Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { planPairs } from '../market/index.js';
import { undoTransaction } from '../mirror/apply.js';
import { inTransaction } from '../mirror/transaction.js';
import { Reviews } from '../review/reviews.js';
import { noMatchingMetrics } from './metrics.js';
import { matchEffects } from './store.js';
import { FEE_BPS, MarketWorld, type TestOrder, units } from './testing/market-world.js';

const world = new MarketWorld();

beforeAll(() => world.startMarket(300), 240_000);
afterAll(() => world.stop());
afterEach(async () => {
  // No order of one test is left for the next one.
  await world.stopCollectors();
  await world.cancelAll();
  await world.pool.query(
    'TRUNCATE matching_transactions, matching_pairs, matching_refusals, reviews CASCADE',
  );
});

type Collector = Awaited<ReturnType<typeof world.collector>>;

/** Rounds until nothing is left to do. Returns how many did something. */
async function matchAll({ matching, books }: Collector): Promise<number> {
  for (let rounds = 0; ; rounds += 1) {
    await world.follow(books);
    const result = await matching.round();
    if (result !== 'again') return rounds;
  }
}

async function remaining(order: TestOrder): Promise<bigint | undefined> {
  return (await world.accountOf(order))?.remaining;
}

async function trades(): Promise<{ price: number; amount: number; skipped: string | null; state: string }[]> {
  const { rows } = await world.pool.query(
    `SELECT p.price, p.amount, p.skipped, t.state FROM matching_pairs p
     JOIN matching_transactions t ON t.id = p.transaction_id WHERE t.kind = 'cross' ORDER BY t.id, p.position`,
  );
  return rows.map((row) => ({
    price: Number(row.price) / 1e9,
    amount: Number(row.amount) / 1e9,
    skipped: row.skipped,
    state: row.state,
  }));
}

describe('matching', { timeout: 240_000 }, () => {
  it("trades crossing orders at the older one's price, and conserves both tokens", async () => {
    const seller = await world.trader({ grid: 10 });
    const buyer = await world.trader({ grx: 100 });
    const before = await world.sums();
    const sell = await world.order(seller, 'sell', 10, 3);
    const buy = await world.order(buyer, 'buy', 10, 4);
    const collector = await world.collector();
    expect(await matchAll(collector)).toBe(1);
    expect(await trades()).toEqual([{ price: 3, amount: 10, skipped: null, state: 'confirmed' }]);
    expect(await world.grid(buyer.publicKey)).toBe(units(10));
    const fee = (units(30) * BigInt(FEE_BPS)) / 10_000n;
    expect(await world.grxOf(seller.publicKey)).toBe(units(30) - fee);
    expect(await world.grxOf(buyer.publicKey)).toBe(units(70));
    expect(await world.sums()).toEqual(before);
    expect(await remaining(sell)).toBeUndefined();
    expect(await remaining(buy)).toBeUndefined();
    expect(collector.books.snapshot(world.market)).toMatchObject({ asks: [], bids: [] });
    // The younger buyer's order came second: had it been there first, its price would hold.
    const later = await world.order(buyer, 'buy', 1, 5);
    const seller2 = await world.trader({ grid: 1 });
    await world.order(seller2, 'sell', 1, 2);
    await matchAll(collector);
    expect((await trades()).at(-1)).toMatchObject({ price: 5, amount: 1 });
    expect(await remaining(later)).toBeUndefined();
  });

  it('fills in parts, by price and then by age, and nobody with themselves', async () => {
    const [a, b, c] = await Promise.all([
      world.trader({ grid: 10, grx: 100 }),
      world.trader({ grid: 10 }),
      world.trader({ grx: 100 }),
    ]);
    const own = await world.order(a, 'sell', 2, 2);
    const older = await world.order(b, 'sell', 3, 3);
    const younger = await world.order(b, 'sell', 3, 3);
    const bid = await world.order(a, 'buy', 4, 3);
    const collector = await world.collector();
    await matchAll(collector);
    // Its own ask at 2 is better, and is passed over.
    expect(await remaining(own)).toBe(units(2));
    expect(await remaining(older)).toBeUndefined();
    expect(await remaining(younger)).toBe(units(2));
    expect(await remaining(bid)).toBeUndefined();
    // It has kept its place for everybody else.
    await world.order(c, 'buy', 1, 3);
    await matchAll(collector);
    expect(await remaining(own)).toBe(units(1));
    expect(await remaining(younger)).toBe(units(2));
  });

  it('packs pairs, and with a lookup table up to five', async () => {
    const sellers = await Promise.all(Array.from({ length: 5 }, () => world.trader({ grid: 2 })));
    const buyers = await Promise.all(Array.from({ length: 5 }, () => world.trader({ grx: 20 })));
    const collector = await world.collector();
    const cross = async () => {
      for (const each of sellers) await world.order(each, 'sell', 1, 3);
      for (const each of buyers) await world.order(each, 'buy', 1, 3);
      await matchAll(collector);
    };
    const before = await world.sums();
    const sizes = async () => {
      const { rows } = await world.pool.query<{ pairs: number }>(
        `SELECT count(*)::int AS pairs FROM matching_pairs GROUP BY transaction_id ORDER BY transaction_id`,
      );
      return rows.map(({ pairs }) => pairs);
    };
    await cross();
    // They go at the same time, in whatever order.
    expect((await sizes()).sort()).toEqual([1, 2, 2]);
    await world.growTables(collector.matching, [...sellers, ...buyers]);
    await cross();
    expect((await sizes()).slice(3)).toEqual([5]);
    expect(await world.sums()).toEqual(before);
  });

  it('leaves out an order that was cancelled between plan and sending', async () => {
    const [a, b, c] = await Promise.all([
      world.trader({ grid: 5 }),
      world.trader({ grid: 5 }),
      world.trader({ grx: 100 }),
    ]);
    const first = await world.order(a, 'sell', 1, 2);
    await world.order(b, 'sell', 1, 3);
    const bid = await world.order(c, 'buy', 2, 3);
    // The chain shows the order while the plan is made, and loses it right before the plan is simulated, or sent.
    const cancelBefore = async (moment: string, order: TestOrder) => {
      let cancelled: Promise<void> | undefined;
      const connection = world.intercept(async (method) => {
        if (method !== moment) return;
        cancelled ??= world.cancel(order);
        await cancelled;
      });
      await matchAll(await world.collector({ connection }));
      await world.stopCollectors();
    };
    await cancelBefore('simulateTransaction', first);
    expect(await trades()).toEqual([{ price: 3, amount: 1, skipped: null, state: 'confirmed' }]);
    expect(await remaining(bid)).toBe(units(1));
    const last = await world.order(a, 'sell', 1, 1);
    await cancelBefore('sendTransaction', last);
    expect((await trades()).map(({ state }) => state)).toEqual(['confirmed', 'failed']);
    expect(await remaining(bid)).toBe(units(1));
    // Neither counts against a pair: the accounts show why.
    const { rows } = await world.pool.query('SELECT * FROM matching_refusals');
    expect(rows).toEqual([]);
  });

  it('does without an order whose owner closed or gave away the account that receives', async () => {
    const [closed, given, fine] = await Promise.all([
      world.trader({ grid: 5 }),
      world.trader({ grid: 5 }),
      world.trader({ grid: 5 }),
    ]);
    const buyer = await world.trader({ grx: 100 });
    const quote = (wallet: Keypair) => world.quoteAccount(wallet.publicKey);
    const orders = [];
    for (const each of [closed, given, fine]) orders.push(await world.order(each, 'sell', 1, 2));
    const program = world.account.quoteTokenProgram;
    await world.send(
      [createCloseAccountInstruction(quote(closed), closed.publicKey, closed.publicKey, [], program)],
      [closed],
    );
    await world.send(
      [createSetAuthorityInstruction(quote(given), given.publicKey, 2, buyer.publicKey, [], program)],
      [given],
    );
    await world.order(buyer, 'buy', 3, 3);
    const refusals: string[] = [];
    const metrics = { ...noMatchingMetrics, refused: (error: string) => void refusals.push(error) };
    const collector = await world.collector({ metrics });
    await matchAll(collector);
    // The accounts were looked at before: nothing was asked of the chain in vain.
    expect(refusals).toEqual([]);
    expect(await Promise.all(orders.map(remaining))).toEqual([units(1), units(1), undefined]);
    expect((await world.pool.query('SELECT * FROM matching_refusals')).rows).toEqual([]);
    // The account is there again: the order is tried again after a while.
    await world.openQuoteAccount(closed);
    world.pass(60);
    await matchAll(collector);
    expect(await remaining(orders[0] as TestOrder)).toBeUndefined();
  });

  it('returns expired orders to their owners', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    const sell = await world.order(seller, 'sell', 5, 3, { seconds: 600 });
    const buy = await world.order(buyer, 'buy', 5, 2, { seconds: 600 });
    const lasting = await world.order(buyer, 'buy', 1, 2);
    const collector = await world.collector();
    expect(await collector.matching.returnExpired()).toBe(0);
    world.pass(700);
    // The book's clock is ours; what is returned the chain decides.
    await world.until(async () => (await collector.matching.returnExpired()) === 2);
    expect(await remaining(sell)).toBeUndefined();
    expect(await remaining(buy)).toBeUndefined();
    expect(await remaining(lasting)).toBe(units(1));
    expect(await world.grid(seller.publicKey)).toBe(units(5));
    expect(await world.grxOf(buyer.publicKey)).toBe(units(98));
    expect(await collector.matching.returnExpired()).toBe(0);
  });

  it('waits while the market is paused', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    const sell = await world.order(seller, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    const market = world.marketKey;
    const pause = (paused: boolean) =>
      world.send(
        [instructions.setMarketPaused({ authority: world.authority.publicKey, market, paused })],
        [world.authority],
      );
    await pause(true);
    const collector = await world.collector();
    expect(await collector.matching.round()).toBe('later');
    await pause(false);
    await matchAll(collector);
    expect(await remaining(sell)).toBeUndefined();
  });

  it('trades within the band around the price of the feed, and not at all while that is stale', async () => {
    const { authority, connection, marketKey: market } = world;
    const publisher = Keypair.generate();
    const symbol = 'GRX/GRID';
    const { feed } = await setUpFeed(connection, {
      authority,
      guardian: world.guardian.publicKey,
      symbol,
      settings: {
        maxAgeSeconds: 300,
        guardSeconds: 300,
        maxDeviationBps: 5_000,
        minPublishers: 1,
        overridePublishers: 0,
      },
      publishers: [publisher.publicKey],
      firstPrice: { publisher, price: units(3) },
    });
    const band = (bandBps: number) =>
      world.send(
        [
          instructions.setMarketBand({
            admin: authority.publicKey,
            market,
            feed: bandBps === 0 ? PublicKey.default : feed,
            bandBps,
          }),
        ],
        [authority],
      );
    const waits: string[] = [];
    const metrics = { ...noMatchingMetrics, waiting: (reason: string) => void waits.push(reason) };
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    try {
      // 2.7 to 3.3: only the second ask can trade, although the first buyer would pay more.
      await band(1_000);
      const outside = await world.order(seller, 'sell', 1, 5);
      const inside = await world.order(seller, 'sell', 1, 3.2);
      await world.order(buyer, 'buy', 2, 6);
      let simulated = 0;
      const asked = world.intercept(async (method) => {
        if (method === 'simulateTransaction') simulated += 1;
      });
      const collector = await world.collector({ metrics, connection: asked });
      await matchAll(collector);
      expect(await trades()).toEqual([{ price: 3.2, amount: 1, skipped: null, state: 'confirmed' }]);
      expect(await remaining(inside)).toBeUndefined();
      expect(await remaining(outside)).toBe(units(1));
      expect(await collector.matching.round()).toBe('idle');
      // A band that reaches 5 again; but nobody knows the price any more.
      world.pass(301);
      await band(9_000);
      await world.follow(collector.books);
      simulated = 0;
      expect(await collector.matching.round()).toBe('later');
      expect(waits).toContain('FeedStale');
      // The feed's account tells; the program is not asked in vain.
      expect(simulated).toBe(0);
      expect(await remaining(outside)).toBe(units(1));
      const observedAt = await chainTime(connection);
      await world.send(
        [
          instructions.submitPrice({
            publisher: publisher.publicKey,
            symbol,
            price: units(3),
            observedAt,
          }),
        ],
        [publisher],
      );
      await matchAll(collector);
      expect((await trades()).map(({ price }) => price)).toEqual([3.2, 5]);
      expect(await remaining(outside)).toBeUndefined();
      // None of this counted against a pair.
      expect((await world.pool.query('SELECT * FROM matching_refusals')).rows).toEqual([]);
    } finally {
      await band(0);
    }
  });

  it('does without orders whose account is frozen, and takes them up when it is thawed', async () => {
    const [frozen, fine] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grid: 5 })]);
    const [stuck, buyer] = await Promise.all([world.trader({ grx: 100 }), world.trader({ grx: 100 })]);
    const waits: string[] = [];
    const metrics = { ...noMatchingMetrics, waiting: (reason: string) => void waits.push(reason) };
    const cannotReceive = await world.order(frozen, 'sell', 1, 2);
    const sells = await world.order(fine, 'sell', 1, 3);
    // The best bid: its GRX lie in an escrow that is frozen.
    const cannotPay = await world.order(stuck, 'buy', 1, 5);
    const pays = await world.order(buyer, 'buy', 1, 4);
    const accounts = [world.quoteAccount(frozen.publicKey), escrowAddress(cannotPay.address)];
    for (const account of accounts) await world.freeze(account, true);
    const collector = await world.collector({ metrics });
    await matchAll(collector);
    expect(await trades()).toEqual([{ price: 3, amount: 1, skipped: null, state: 'confirmed' }]);
    expect(await Promise.all([cannotReceive, sells, cannotPay, pays].map(remaining))).toEqual([
      units(1),
      undefined,
      units(1),
      undefined,
    ]);
    expect(new Set(waits)).toEqual(new Set(['ReceiverUnusable', 'EscrowUnusable']));
    expect((await world.pool.query('SELECT * FROM matching_refusals')).rows).toEqual([]);
    for (const account of accounts) await world.freeze(account, false);
    world.pass(60);
    await matchAll(collector);
    expect((await trades()).at(-1)).toMatchObject({ price: 2, amount: 1 });
    expect(await Promise.all([cannotReceive, cannotPay].map(remaining))).toEqual([undefined, undefined]);
  });

  it('finds out anew what became of a match that a fork took back', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    await world.order(seller, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    const collector = await world.collector();
    await matchAll(collector);
    const rows = async () =>
      (
        await world.pool.query(
          `SELECT t.signature, t.state, t.slot, t.closed_at IS NULL AS open, p.skipped
           FROM matching_transactions t JOIN matching_pairs p ON p.transaction_id = t.id`,
        )
      ).rows;
    const confirmed = await rows();
    expect(confirmed).toMatchObject([{ state: 'confirmed', open: false }]);
    const { signature } = confirmed[0];
    await world.pool.query(`UPDATE matching_pairs SET skipped = 'as if the chain had passed over it'`);
    await inTransaction(world.pool, (client) => undoTransaction(client, signature));
    expect(await rows()).toEqual([{ signature, state: 'prepared', slot: null, open: true, skipped: null }]);
    // The chain has it after all: it is confirmed again, once, and nothing is matched a second time.
    await matchAll(collector);
    expect(await rows()).toEqual(confirmed);
    const { rows: trades } = await world.pool.query('SELECT signature FROM trades WHERE signature = $1', [
      signature,
    ]);
    expect(trades).toHaveLength(1);
  });

  it('does not match what may be younger than an order that is not applied yet', async () => {
    const [first, second] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grid: 5 })]);
    const buyer = await world.trader({ grx: 100 });
    const older = await world.order(first, 'sell', 1, 3);
    const younger = await world.order(second, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    const collector = await world.collector();
    // As if the event processor had found the first order last.
    const { rows } = await world.pool.query(`SELECT * FROM orders WHERE address = $1`, [
      older.address.toBase58(),
    ]);
    const signature = rows[0].created_signature;
    await world.pool.query('DELETE FROM chain_transactions WHERE signature = $1', [signature]);
    await world.pool.query('INSERT INTO chain_queue (signature, slot) VALUES ($1, $2)', [
      signature,
      rows[0].slot,
    ]);
    await collector.books.refresh([older.address.toBase58()]);
    await world.until(async () => collector.books.snapshot(world.market).asks[0]?.orders === 1);
    expect(await collector.matching.round()).toBe('later');
    await matchAll(collector);
    expect(await remaining(older)).toBeUndefined();
    expect(await remaining(younger)).toBe(units(1));
  });

  it('is not held up by transactions that only name the market', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    const sell = await world.order(seller, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    const { publicKey } = seller;
    const dust = { fromPubkey: publicKey, toPubkey: world.marketKey, lamports: 1 };
    await world.send([SystemProgram.transfer(dust)], [seller]);
    await matchAll(await world.collector());
    expect(await remaining(sell)).toBeUndefined();
  });

  it('puts a pair that the chain refuses ten times into review, and an operator lets it go on', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    const sell = await world.order(seller, 'sell', 1, 3);
    const buy = await world.order(buyer, 'buy', 1, 3);
    let refusing = true;
    const connection = world.intercept(async (method) =>
      refusing && method === 'simulateTransaction'
        ? { value: { err: { InstructionError: [2, { Custom: 6048 }] }, logs: [], unitsConsumed: 0 } }
        : undefined,
    );
    const collector = await world.collector({ connection });
    const attempts = async () => {
      const { rows } = await world.pool.query('SELECT attempts, held FROM matching_refusals');
      return rows[0];
    };
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await matchAll(collector);
      expect(await attempts()).toEqual({ attempts: attempt, held: attempt === 10 });
      await world.pool.query(`UPDATE matching_refusals SET next_attempt_at = '-infinity'`);
    }
    await matchAll(collector);
    expect(await attempts()).toEqual({ attempts: 10, held: true });
    const { rows } = await world.pool.query(
      `SELECT id, kind, subject, details FROM reviews WHERE status = 'open'`,
    );
    expect(rows).toMatchObject([
      { kind: 'match_failed', subject: `${sell.address.toBase58()}/${buy.address.toBase58()}` },
    ]);
    expect(noticeOf('match_failed', rows[0]?.details)?.facts).toMatchObject({ attempts: 10 });
    refusing = false;
    await matchAll(collector);
    expect(await remaining(sell)).toBe(units(1));
    const reviews = new Reviews({ pool: world.pool, effects: { match_failed: matchEffects } });
    await reviews.retry(rows[0].id, { by: 'operator', reason: 'the node was wrong' });
    await matchAll(collector);
    expect(await remaining(sell)).toBeUndefined();
  });

  it('trades a random book as planned from what rested, and conserves both tokens', async () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    console.log(`GTX_TEST_SEED=${seed}`);
    const [orders] = fc.sample(
      fc.array(
        fc.record({
          owner: fc.nat(4),
          side: fc.constantFrom('sell' as const, 'buy' as const),
          tenths: fc.integer({ min: 1, max: 12 }),
          price: fc.integer({ min: 2_990, max: 3_010 }),
        }),
        { minLength: 20, maxLength: 26 },
      ),
      { seed, numRuns: 1 },
    );
    // Each has what its orders ask for, also where nearly all are one trader's.
    const traders = await Promise.all(
      Array.from({ length: 5 }, (_, index) => {
        const asked = { sell: 1, buy: 1 };
        for (const { owner, side, tenths } of orders ?? []) if (owner === index) asked[side] += tenths;
        return world.trader({ grid: asked.sell / 10, grx: (asked.buy / 10) * 3.01 });
      }),
    );
    const before = await world.sums();
    const placed = new Map<string, TestOrder>();
    for (const { owner, side, tenths, price } of orders ?? []) {
      const order = await world.order(traders[owner] as Keypair, side, tenths / 10, price / 1000);
      placed.set(order.address.toBase58(), order);
    }
    const collector = await world.collector();
    // The core's plan of the whole book is what has to come about.
    const expected = new Map([...placed.keys()].map((address) => [address, 0n]));
    const book = collector.books.book(world.market);
    for (const { address, remaining: rest } of book.all()) expected.set(address, rest);
    const plan = planPairs(book, { feeBps: FEE_BPS });
    for (const { sell, buy, sellRemaining, buyRemaining } of plan) {
      expected.set(sell.address, sellRemaining);
      expected.set(buy.address, buyRemaining);
    }
    const planned = plan.map(({ fill }) => Number(fill.price));
    await matchAll(collector);
    const found = await trades();
    expect(found.every(({ state, skipped }) => state === 'confirmed' && skipped === null)).toBe(true);
    expect(found.map(({ price }) => Math.round(price * 1e9)).sort()).toEqual(planned.sort());
    for (const [address, order] of placed) {
      expect((await remaining(order)) ?? 0n, address).toBe(expected.get(address));
    }
    expect(await world.sums()).toEqual(before);
  });

  it('does nothing while another collector matches, and takes over when that one is gone', async () => {
    const [seller, buyer] = await Promise.all([world.trader({ grid: 5 }), world.trader({ grx: 100 })]);
    const one = await world.collector();
    const two = await world.collector();
    expect(await one.matching.round()).toBe('idle');
    expect(await two.matching.round()).toBeUndefined();
    const sell = await world.order(seller, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    await world.follow();
    await two.matching.start();
    await one.matching.start();
    await world.until(async () => (await remaining(sell)) === undefined);
    expect([one.matching.leads, two.matching.leads]).toEqual([true, false]);
    await one.matching.stop();
    const again = await world.order(seller, 'sell', 1, 3);
    await world.order(buyer, 'buy', 1, 3);
    await world.follow();
    await world.until(async () => (await remaining(again)) === undefined);
    expect(two.matching.leads).toBe(true);
  });
});
