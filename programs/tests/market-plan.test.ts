/*
 * The collector's plan of trades against the compiled program: books of random orders on the chain, a plan of all that
 * crosses, and each transfer, event and rest that the plan foresees compared with what the program does.
 * A failure prints its seed; GTX_TEST_SEED repeats it, GTX_PROPERTY_RUNS makes it longer.
 */
import { decodeOrder, eventsOf } from '@gridtokenx/chain';
import { type Keypair, PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyEvent,
  isBookEvent,
  OrderBook,
  orderState,
  packLimits,
  packPairs,
  planPairs,
} from '../../collector/src/market/index.js';
import { pda, program, type Result } from './support.js';
import { BUY, ONE, plain, SELL, type TestOrder, TradingWorld } from './trading.js';

// One lot at one tick is worth 1.4 base units: nearly every quote has a fraction.
const LOT = 350_000_000n;
const TICK = 4n;
const USERS = 4;

const anyOrder = fc.record({
  owner: fc.nat(USERS - 1),
  side: fc.constantFrom(SELL, BUY),
  lots: fc.integer({ min: 1, max: 12 }),
  ticks: fc.integer({ min: 1, max: 6 }),
  /** Whether it is made in the same slot as the one before. */
  sameSlot: fc.boolean(),
  feeBps: fc.constantFrom(undefined, undefined, undefined, 0, 100, 1_000),
});
type Order = typeof anyOrder extends fc.Arbitrary<infer Value> ? Value : never;
const scenario = fc.record({
  orders: fc.array(anyOrder, { minLength: 6, maxLength: 14 }),
  /** The fee at the time of trading. */
  feeBps: fc.nat(1_000),
  /** A part taken of an order beforehand: order, lots. */
  takes: fc.array(fc.record({ order: fc.nat(13), lots: fc.integer({ min: 1, max: 4 }) }), { maxLength: 3 }),
  band: fc.option(
    fc.record({ price: fc.bigInt({ min: 4n, max: 24n }), bps: fc.integer({ min: 1_000, max: 9_000 }) }),
    { nil: undefined, freq: 3 },
  ),
});

/** The chain, and a book that hears its events. */
class Market {
  readonly world = new TradingWorld({ lotSize: LOT, tickSize: TICK, feeBps: 100 });
  readonly users: Keypair[] = Array.from({ length: USERS }, () => this.world.trader(200n * ONE, 100_000n));
  readonly book = new OrderBook({ lotSize: LOT, tickSize: TICK });
  readonly orders = new Map<string, TestOrder>();
  #transactions = 0;

  constructor() {
    for (const user of this.users) this.world.open(user);
    this.book.advance(this.world.now());
  }

  send(...args: Parameters<TradingWorld['must']>): Result {
    const result = this.world.must(...args);
    this.#transactions += 1;
    const slot = Number(this.world.svm.getClock().slot);
    const { events } = eventsOf({ err: null, logMessages: result.logs });
    for (const event of events) {
      if (!isBookEvent(event)) continue;
      const position = { slot, transaction: this.#transactions, event: event.index };
      for (const { outcome } of applyEvent(this.book, event, position)) expect(outcome).toBe('applied');
    }
    return result;
  }

  place(order: Omit<Order, 'feeBps'>): TestOrder {
    const { world } = this;
    if (!order.sameSlot) world.nextSlot();
    const owner = this.users[order.owner] as Keypair;
    const planned = world.planned(owner, {
      side: order.side,
      amount: BigInt(order.lots) * LOT,
      price: BigInt(order.ticks) * TICK,
    });
    this.send([world.createOrder(planned)], [owner]);
    world.used(planned);
    this.orders.set(planned.address.toBase58(), planned);
    return planned;
  }

  setFee(feeBps: number): void {
    const { world } = this;
    world.must([world.marketAdmin('set_fee', { fee_bps: feeBps })], [world.upgradeAuthority]);
  }

  /** The token account that the plan means. */
  account(name: string): PublicKey {
    const [kind, key] = name.split(':') as [string, string | undefined];
    if (kind === 'treasury') return this.world.treasury;
    if (kind === 'grid') return pda.tokenAccount(new PublicKey(key as string));
    if (kind === 'grx') return this.world.quoteAccount(new PublicKey(key as string));
    return (this.orders.get(key as string) as TestOrder).escrow;
  }

  balance(account: PublicKey): bigint {
    return this.world.account(account) === undefined ? 0n : this.world.balance(account);
  }

  /** Each order's account says what the book says. */
  expectBookIsChain(): void {
    let open = 0;
    for (const [address, order] of this.orders) {
      const data = this.world.order(order) && this.world.account(order.address)?.data;
      const entry = this.book.get(address);
      if (data === undefined) {
        expect(entry).toBeUndefined();
        continue;
      }
      open += 1;
      const { position: _, ...state } = orderState(address, decodeOrder(data));
      expect(entry).toMatchObject(state);
      expect(entry?.escrowExact).toBe(true);
      // The slot of the event is the age that the program compares.
      expect(entry?.position.slot).toBe(Number(decodeOrder(data).createdSlot));
    }
    expect(this.book.size).toBe(open);
  }
}

describe('a plan', () => {
  it('foresees every transfer that the program makes', () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    const order = (owner: number, side: Order['side'], lots: number, ticks: number): Order => {
      return { owner, side, lots, ticks, sameSlot: false, feeBps: undefined };
    };
    // Orders that certainly trade, whatever the random ones do.
    const trading = [
      order(0, SELL, 3, 2),
      order(1, BUY, 2, 4),
      order(2, SELL, 2, 3),
      order(3, BUY, 4, 5),
      order(1, SELL, 1, 1),
      order(0, BUY, 2, 6),
    ];
    const counts = { pairs: 0, banded: 0, several: 0, refunds: 0, skippedOwn: 0 };
    console.log(`GTX_TEST_SEED=${seed}`);
    fc.assert(
      fc.property(scenario, ({ orders, feeBps, takes, band }) => {
        const market = new Market();
        const { world, book } = market;
        for (const order of orders) {
          if (order.feeBps !== undefined) market.setFee(order.feeBps);
          market.place(order);
        }
        const taker = world.trader(200n * ONE, 100_000n);
        for (const take of takes) {
          const open = [...market.orders.values()].filter((each) => world.order(each));
          const target = open[take.order % Math.max(1, open.length)];
          if (target === undefined) continue;
          const amount = BigInt(take.lots) * LOT;
          market.send([world.matchOrder(taker.publicKey, target, { amount, minAmount: 1n })], [taker]);
        }
        market.expectBookIsChain();
        market.setFee(feeBps);
        if (band !== undefined) {
          const feed = world.key().publicKey;
          world.setFeed(feed, { price: band.price }, program('oracle').id);
          const admin = world.upgradeAuthority;
          world.must([world.marketAdmin('set_band', { feed, band_bps: band.bps })], [admin]);
          world.feed = feed;
        }

        const terms = { feeBps, band: band && { reference: band.price, bandBps: band.bps } };
        const pairs = planPairs(book, terms);
        const limits = packLimits(world.payer.publicKey.toBase58());
        const named = (address: string) => market.orders.get(address) as TestOrder;
        for (const transaction of packPairs(pairs, limits)) {
          const expected = new Map<string, { account: PublicKey; change: bigint }>();
          const move = (name: string, amount: bigint) => {
            const account = market.account(name);
            const key = account.toBase58();
            expected.set(key, { account, change: (expected.get(key)?.change ?? 0n) + amount });
          };
          for (const { from, to, amount } of transaction.pairs.flatMap(({ transfers }) => transfers)) {
            move(from, -amount);
            move(to, amount);
          }
          const before = new Map([...expected].map(([key, { account }]) => [key, market.balance(account)]));
          const call = world.crossOrders(
            transaction.pairs.map(({ sell, buy }) => [named(sell.address), named(buy.address)]),
          );
          // What was planned is kept: the book changes as the events come.
          const told = transaction.pairs.map((pair) => ({
            sell_order: pair.sell.address,
            buy_order: pair.buy.address,
            seller: pair.sell.owner,
            buyer: pair.buy.owner,
            price: pair.fill.price,
            amount: pair.fill.amount,
            quote: pair.fill.quote,
            fee: pair.fill.fee,
            taker_side: pair.fill.taker,
            sell_remaining: pair.sellRemaining,
            buy_remaining: pair.buyRemaining,
            buy_refunded: pair.buyRefund,
            sell_refunded: 0n,
          }));
          const result = market.send([call]);
          expect(result.events.map(({ name }) => name)).toEqual(told.map(() => 'TradeExecuted'));
          expect(result.events.map(({ data }) => plain(data))).toMatchObject(told);
          for (const [key, { account, change }] of expected) {
            expect(market.balance(account) - (before.get(key) ?? 0n)).toBe(change);
          }
          market.expectBookIsChain();
          counts.several += transaction.pairs.length > 1 ? 1 : 0;
        }
        // Nothing is left that the plan should have seen.
        expect(planPairs(book, terms)).toEqual([]);
        for (const sell of book.queue(SELL)) {
          for (const buy of book.queue(BUY)) {
            if (sell.price > buy.price) continue;
            const result = world.send([world.crossOrders([[named(sell.address), named(buy.address)]])]);
            expect(result.ok ? 'traded' : result.error).toMatch(/^(SelfTrade|OutOfBand)$/);
            if (result.error === 'SelfTrade') counts.skippedOwn += 1;
            else counts.banded += 1;
          }
        }
        counts.pairs += pairs.length;
        counts.refunds += pairs.filter(({ buyRefund }) => buyRefund > 0n).length;
      }),
      {
        seed,
        numRuns: Number(process.env.GTX_PROPERTY_RUNS ?? 12),
        endOnFailure: true,
        examples: [[{ orders: trading, feeBps: 100, takes: [], band: undefined }]],
      },
    );
    console.log(JSON.stringify(counts));
    expect(counts.pairs).toBeGreaterThan(0);
  }, 600_000);
});
