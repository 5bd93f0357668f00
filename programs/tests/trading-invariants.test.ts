/*
 * Random sequences of trading's instructions by several users, right and wrong ones, with the books checked after each.
 * A failure prints its seed; GTX_TEST_SEED repeats it, GTX_FUZZ_STEPS makes the sequences longer.
 */
import { createTransferInstruction } from '@solana/spl-token';
import type { Keypair } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pda } from './support.js';
import { BUY, feeOf, ONE, plain, quoteDown, quoteUp, SELL, type TestOrder, TradingWorld } from './trading.js';

const LOT = 350_000_000n;
const TICK = 4n;
const USERS = 4;

type Step =
  | { kind: 'create'; user: number; side: number; lots: number; ticks: number; seconds: number }
  | { kind: 'match'; user: number; order: number; lots: number }
  | { kind: 'cross'; first: number; second: number; third: number; fourth: number }
  | { kind: 'cancel'; order: number; user: number }
  | { kind: 'expire'; order: number }
  | { kind: 'gift'; user: number; order: number; amount: number }
  | { kind: 'fee'; bps: number }
  | { kind: 'pause'; paused: boolean }
  | { kind: 'wait'; seconds: number };

const user = fc.nat(USERS - 1);
const order = fc.nat(30);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      user,
      side: fc.constantFrom(SELL, BUY),
      lots: fc.integer({ min: 1, max: 12 }),
      // Prices from 1 to 8 base units for 1 GRID: every quote has a fraction.
      ticks: fc.integer({ min: 1, max: 4 }),
      seconds: fc.integer({ min: 1, max: 300 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('match' as const),
      user,
      order,
      lots: fc.integer({ min: 0, max: 14 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('cross' as const),
      first: order,
      second: order,
      third: order,
      fourth: order,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), order, user }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), order }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('gift' as const),
      user,
      order,
      amount: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fee' as const), bps: fc.integer({ min: 0, max: 1_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), paused: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 0, max: 60 }) }),
  },
);

/** What the books must say; kept apart from the chain and compared with it. */
class Books {
  readonly world: TradingWorld;
  readonly users: Keypair[];
  readonly #grid: bigint;
  readonly #grx: bigint;
  orders: TestOrder[] = [];
  readonly gifts = new Map<string, bigint>();
  counts = { done: 0, refused: 0 };

  /** GRX of the classic token program, or of Token-2022. */
  constructor(token2022: boolean) {
    const extensions = token2022 ? { quoteExtensions: [] } : {};
    this.world = new TradingWorld({ lotSize: LOT, tickSize: TICK, feeBps: 100, ...extensions });
    this.users = Array.from({ length: USERS }, () => this.world.trader(20n * ONE, 1_000n));
    for (const user of this.users) this.world.open(user);
    this.#grid = this.world.supply();
    this.#grx = this.world.quoteSupply();
  }

  pick(index: number): TestOrder | undefined {
    return this.orders[index % Math.max(1, this.orders.length)];
  }

  run(next: Step): void {
    const { world } = this;
    const send = (...args: Parameters<TradingWorld['send']>) => {
      const result = world.send(...args);
      this.counts[result.ok ? 'done' : 'refused']++;
      // Refusals are the program's own, or the token program's "insufficient funds": never a crash.
      if (!result.ok) {
        expect(result.error).toMatch(/^([A-Z][A-Za-z]+|Custom\(1\))$/);
        expect(result.error).not.toMatch(
          /InvariantViolated|ArithmeticOverflow|ProgramFailedToComplete|ZeroQuote|QuoteOverflow/,
        );
      }
      if (result.ok)
        for (const { name, data } of result.events) if (name === 'TradeExecuted') this.trade(plain(data));
      return result;
    };
    if (next.kind === 'create') {
      const owner = this.users[next.user] as Keypair;
      const planned = world.planned(owner, {
        side: next.side,
        amount: BigInt(next.lots) * LOT,
        price: BigInt(next.ticks) * TICK,
        expiresAt: BigInt(world.now() + next.seconds),
      });
      world.nextSlot();
      if (send([world.createOrder(planned)], [owner]).ok) {
        world.used(planned);
        this.orders.push(planned);
      }
    } else if (next.kind === 'match') {
      const [taker, target] = [this.users[next.user] as Keypair, this.pick(next.order)];
      if (!target) return;
      const amount = BigInt(next.lots) * LOT;
      send([world.matchOrder(taker.publicKey, target, { amount, minAmount: 1n })], [taker]);
    } else if (next.kind === 'cross') {
      const picked = [next.first, next.second, next.third, next.fourth].map((index) => this.pick(index));
      const [a, b, c, d] = picked;
      if (!a || !b || !c || !d) return;
      const sorted = (x: TestOrder, y: TestOrder): [TestOrder, TestOrder] =>
        x.side === SELL ? [x, y] : [y, x];
      send([world.crossOrders([sorted(a, b), sorted(c, d)])]);
    } else if (next.kind === 'cancel') {
      const target = this.pick(next.order);
      if (!target) return;
      const signer = this.users[next.user] as Keypair;
      const own = signer.publicKey.equals(target.owner.publicKey);
      const result = send([world.cancelOrder(target, { owner: signer.publicKey })], [signer]);
      if (!own) expect(result.ok).toBe(false);
    } else if (next.kind === 'expire') {
      const target = this.pick(next.order);
      if (target) send([world.expireOrder(target)]);
    } else if (next.kind === 'gift') {
      const [giver, target] = [this.users[next.user] as Keypair, this.pick(next.order)];
      if (!target || !world.order(target)) return;
      const source =
        target.side === SELL ? pda.tokenAccount(giver.publicKey) : world.quoteAccount(giver.publicKey);
      const amount = BigInt(next.amount);
      if (
        world.send(
          [
            createTransferInstruction(
              source,
              target.escrow,
              giver.publicKey,
              amount,
              [],
              world.programOf(target),
            ),
          ],
          [giver],
        ).ok
      ) {
        const key = target.address.toBase58();
        this.gifts.set(key, (this.gifts.get(key) ?? 0n) + amount);
      }
    } else if (next.kind === 'fee') {
      send([world.marketAdmin('set_fee', { fee_bps: next.bps })], [world.upgradeAuthority]);
    } else if (next.kind === 'pause') {
      send([world.pauseMarket(next.paused)], [world.upgradeAuthority]);
    } else {
      world.setClock(world.now() + next.seconds);
    }
  }

  /** A trade's own numbers: within the orders' prices, rounded by less than one base unit, the fee no more than it may be. */
  trade(event: Record<string, unknown>): void {
    const [amount, price, quote, fee] = ['amount', 'price', 'quote', 'fee'].map((name) => event[name]) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    expect(quote).toBeGreaterThanOrEqual(quoteDown(amount, price));
    expect(quote).toBeLessThanOrEqual(quoteUp(amount, price));
    if (event.taker_side === SELL) expect(quote).toBe(quoteDown(amount, price));
    expect(fee).toBeLessThanOrEqual(feeOf(quote, 1_000));
    expect(event.seller).not.toBe(event.buyer);
    for (const each of this.orders) {
      const address = each.address.toBase58();
      if (address === event.sell_order) expect(price).toBeGreaterThanOrEqual(each.price);
      if (address === event.buy_order) expect(price).toBeLessThanOrEqual(each.price);
    }
  }

  check(): void {
    const { world } = this;
    let grid = 0n;
    let grx = world.balance(world.treasury);
    for (const { publicKey } of this.users) {
      grid += world.grid(publicKey);
      grx += world.quote(publicKey);
    }
    this.orders = this.orders.filter((each) => {
      const state = world.order(each);
      const key = each.address.toBase58();
      if (!state) {
        // A closed order leaves no escrow behind.
        expect(world.account(each.escrow)).toBeUndefined();
        this.gifts.delete(key);
        return false;
      }
      const held = world.balance(each.escrow);
      expect(state.remaining).toBeLessThanOrEqual(state.amount);
      expect(state.remaining % LOT).toBe(0n);
      // The escrow holds what the order still offers, and what was given to it besides.
      expect(held).toBe(state.escrowed + (this.gifts.get(key) ?? 0n));
      if (each.side === SELL) expect(state.escrowed).toBe(state.remaining);
      else expect(state.escrowed).toBeGreaterThanOrEqual(quoteUp(state.remaining, each.price));
      expect(world.lamports(each.address)).toBe(world.rent(272));
      expect(world.lamports(each.escrow)).toBe(world.rent(165));
      if (each.side === SELL) grid += held;
      else grx += held;
      return true;
    });
    // Nothing comes about and nothing is lost.
    expect(grid).toBe(this.#grid);
    expect(grx).toBe(this.#grx);
    expect(world.supply()).toBe(this.#grid);
  }

  /** Every order can be ended, and then all lamports and tokens are back. */
  end(): void {
    const { world } = this;
    for (const each of this.orders) world.must([world.cancelOrder(each)], [each.owner]);
    this.check();
    expect(this.orders).toEqual([]);
  }
}

describe('random sequences', () => {
  it('keep the books', () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    const steps = Number(process.env.GTX_FUZZ_STEPS ?? 100);
    const total = { done: 0, refused: 0 };
    console.log(`GTX_TEST_SEED=${seed}`);
    fc.assert(
      fc.property(
        fc.array(step, { minLength: steps, maxLength: steps }),
        fc.boolean(),
        (sequence, token2022) => {
          const books = new Books(token2022);
          const rent = books.world.lamports(books.world.payer.publicKey);
          for (const next of sequence) {
            books.run(next);
            books.check();
          }
          books.end();
          // Fees and the traders' accounts aside, the payer of all rent has it back.
          const spent = rent - books.world.lamports(books.world.payer.publicKey);
          expect(spent).toBeLessThan(BigInt(USERS) * books.world.rent(184) + BigInt(steps + 40) * 50_000n);
          total.done += books.counts.done;
          total.refused += books.counts.refused;
        },
      ),
      { seed, numRuns: 10, endOnFailure: true },
    );
    // The sequences are worth something: much of it works, much of it is refused.
    expect(total.done).toBeGreaterThan(steps);
    expect(total.refused).toBeGreaterThan(steps);
  }, 600_000);
});
