import { buildTransaction, instructions, quoteOf, Side } from '@gridtokenx/chain';
import { type AddressLookupTableAccount, Keypair, PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderBook } from './book.js';
import { type Band, crossFill, inBand, takeFill } from './fill.js';
import type { BookOrder, OrderState } from './order.js';
import { crossSize, type PlannedPair, packLimits, packPairs, planPairs } from './plan.js';
import { LOT, newOrder, runs, TICK } from './testing.js';

const market = { lotSize: LOT, tickSize: TICK };

function bookOf(
  ...orders: (Partial<OrderState> & Pick<OrderState, 'address' | 'owner' | 'side'>)[]
): OrderBook {
  const book = new OrderBook(market);
  orders.forEach((order, index) => {
    const position = { slot: index + 1, transaction: 0, event: 0 };
    book.insert(newOrder({ price: 8n, amount: 4n * LOT, position, ...order }));
  });
  return book;
}

const told = (pairs: readonly PlannedPair[]) =>
  pairs.map(({ sell, buy, fill }) => `${sell.address}-${buy.address} ${fill.amount / LOT} at ${fill.price}`);

const { Sell, Buy } = Side;

describe('planPairs', () => {
  it('fills the best first, at the price of the older order', () => {
    const book = bookOf(
      { address: 's1', owner: 'a', side: Sell, price: 8n },
      { address: 's2', owner: 'b', side: Sell, price: 4n, amount: 2n * LOT },
      { address: 'b1', owner: 'c', side: Buy, price: 8n, amount: 3n * LOT },
      { address: 'b2', owner: 'd', side: Buy, price: 12n, amount: 2n * LOT },
      { address: 's3', owner: 'e', side: Sell, price: 4n, amount: 20n * LOT },
    );
    expect(told(planPairs(book, { feeBps: 0 }))).toEqual(['s2-b2 2 at 4', 's3-b1 3 at 8']);
  });

  it('passes over own orders, which keep their place for others', () => {
    const book = bookOf(
      { address: 's1', owner: 'x', side: Sell, price: 4n },
      { address: 's2', owner: 'a', side: Sell, price: 8n, amount: 2n * LOT },
      { address: 'b1', owner: 'x', side: Buy, price: 16n, amount: 3n * LOT },
      { address: 'b2', owner: 'b', side: Buy, price: 8n, amount: 5n * LOT },
    );
    expect(told(planPairs(book, { feeBps: 0 }))).toEqual(['s1-b2 4 at 4', 's2-b1 2 at 8']);
    const alone = bookOf(
      { address: 's1', owner: 'x', side: Sell, price: 4n },
      { address: 'b1', owner: 'x', side: Buy, price: 16n },
    );
    expect(planPairs(alone, { feeBps: 0 })).toEqual([]);
  });

  it('leaves alone what expires too soon, is blocked, or would trade outside the band', () => {
    const book = bookOf(
      { address: 's1', owner: 'a', side: Sell, price: 4n, expiresAt: 110 },
      { address: 's2', owner: 'b', side: Sell, price: 8n },
      { address: 's3', owner: 'c', side: Sell, price: 8n },
      { address: 'b1', owner: 'd', side: Buy, price: 8n },
    );
    book.advance(100);
    expect(told(planPairs(book, { feeBps: 0 }))).toEqual(['s1-b1 4 at 4']);
    expect(told(planPairs(book, { feeBps: 0, marginSeconds: 10 }))).toEqual(['s2-b1 4 at 8']);
    const terms = { feeBps: 0, marginSeconds: 10, blocked: ({ address }: BookOrder) => address === 's2' };
    expect(told(planPairs(book, terms))).toEqual(['s3-b1 4 at 8']);
    expect(told(planPairs(book, { feeBps: 0, band: { reference: 8n, bandBps: 1_000 } }))).toEqual([
      's2-b1 4 at 8',
    ]);
    expect(planPairs(book, { feeBps: 0, maxPairs: 0 })).toEqual([]);
  });

  it('foresees the transfers of a trade with fee and refund', () => {
    const book = bookOf(
      { address: 's', owner: 'a', side: Sell, price: 3_000_000_000n, amount: 40n * LOT, feeBps: 30 },
      { address: 'b', owner: 'c', side: Buy, price: 4_000_000_000n, amount: 40n * LOT },
    );
    const [pair] = planPairs(book, { feeBps: 25 });
    expect(pair?.transfers).toEqual([
      { token: 'GRID', from: 'escrow:s', to: 'grid:c', amount: 14_000_000_000n },
      { token: 'GRX', from: 'escrow:b', to: 'grx:a', amount: 41_895_000_000n },
      { token: 'GRX', from: 'escrow:b', to: 'treasury', amount: 105_000_000n },
      { token: 'GRX', from: 'escrow:b', to: 'grx:c', amount: 14_000_000_000n },
    ]);
  });

  it('is not slowed down by a wallet with thousands of own orders on both sides', () => {
    let looks = 0;
    /** Counts how often a plan looks at whose an order is. */
    class Watched extends OrderBook {
      override *queue(side: Side): Generator<BookOrder> {
        for (const order of super.queue(side)) {
          yield new Proxy(order, {
            get: (target, key) => {
              if (key === 'owner') looks += 1;
              return Reflect.get(target, key, target);
            },
          });
        }
      }
    }
    const book = new Watched(market);
    const each = 2_000;
    for (let index = 0; index < each; index += 1) {
      for (const side of [Sell, Buy]) {
        const position = { slot: index + 1, transaction: side, event: 0 };
        const price = side === Sell ? 4n : 16n;
        const address = `${side}-${index}`;
        book.insert(newOrder({ address, owner: 'x', side, price, amount: LOT, position }));
      }
    }
    expect(planPairs(book, { feeBps: 0 })).toEqual([]);
    // Each order is passed over once or so: the product would be 4 million.
    expect(looks).toBeLessThan(10 * each);
  });
});

describe('fills', () => {
  it('are refused for the reasons of the program', () => {
    const sell = newOrder({
      address: 's',
      owner: 'a',
      side: Sell,
      price: 8n,
      amount: LOT,
      position: { slot: 1, transaction: 0, event: 0 },
    });
    const buy = { ...sell, address: 'b', owner: 'b', side: Buy, escrowed: 2n };
    const refusal = (first: OrderState, second: OrderState, band?: Band) => crossFill(first, second, 0, band);
    expect(refusal(buy, sell)).toEqual({ refused: 'SideMismatch' });
    expect(refusal(sell, { ...buy, owner: 'a' })).toEqual({ refused: 'SelfTrade' });
    expect(refusal(sell, { ...buy, remaining: 0n })).toEqual({ refused: 'OrderFilled' });
    expect(refusal(sell, { ...buy, price: 4n })).toEqual({ refused: 'NotCrossing' });
    expect(refusal({ ...sell, remaining: 1n }, { ...buy, position: { ...buy.position, slot: 0 } })).toEqual({
      refused: 'ZeroQuote',
    });
    expect(refusal(sell, buy, { reference: 16n, bandBps: 4_999 })).toEqual({ refused: 'OutOfBand' });
    expect(refusal(sell, buy, { reference: 16n, bandBps: 5_000 })).toMatchObject({ quote: 2n });
    const huge = { ...sell, price: 2n ** 60n, remaining: 2n ** 60n };
    expect(refusal(huge, { ...huge, owner: 'b', side: Buy })).toEqual({ refused: 'QuoteOverflow' });
    expect(takeFill(huge, 2n ** 60n, 0)).toEqual({ refused: 'QuoteOverflow' });
    expect(takeFill(sell, 1n, 0)).toMatchObject({ quote: 1n, taker: Buy });
    expect(takeFill(buy, 1n, 0)).toEqual({ refused: 'ZeroQuote' });
    expect(takeFill(buy, 0n, 0)).toEqual({ refused: 'OrderFilled' });
    expect(takeFill(buy, LOT, 0, { reference: 20n, bandBps: 100 })).toEqual({ refused: 'OutOfBand' });
  });
});

const anyOrder = fc.record({
  owner: fc.nat(3),
  side: fc.constantFrom(Sell, Buy),
  lots: fc.integer({ min: 1, max: 9 }),
  ticks: fc.integer({ min: 1, max: 6 }),
  slot: fc.integer({ min: 1, max: 6 }),
  transaction: fc.nat(3),
  feeBps: fc.nat(1_000),
  expiresAt: fc.integer({ min: 1, max: 200 }),
});
const anyBook = fc.array(anyOrder, { minLength: 2, maxLength: 40 }).map((orders) => {
  const book = new OrderBook(market);
  orders.forEach(({ lots, ticks, owner, slot, transaction, ...rest }, index) => {
    book.insert(
      newOrder({
        address: `order-${String(index).padStart(2, '0')}`,
        owner: `owner-${owner}`,
        amount: BigInt(lots) * LOT,
        price: BigInt(ticks) * TICK,
        position: { slot, transaction, event: 0 },
        ...rest,
      }),
    );
  });
  book.advance(20);
  return book;
});
const anyBand = fc.option(
  fc.record({ reference: fc.bigInt({ min: 4n, max: 24n }), bandBps: fc.integer({ min: 1, max: 10_000 }) }),
  { nil: undefined },
);

/** Whether `a` comes before `b` of the same side. */
function better(a: BookOrder, b: BookOrder): boolean {
  if (a.price !== b.price) return a.side === Sell ? a.price < b.price : a.price > b.price;
  const [p, q] = [a.position, b.position];
  if (p.slot !== q.slot) return p.slot < q.slot;
  return p.transaction !== q.transaction ? p.transaction < q.transaction : a.address < b.address;
}

/** Whether the chain would let two orders trade, as its documentation says it. */
function couldTrade(sell: BookOrder, buy: BookOrder, band: Band | undefined): boolean {
  const price = sell.position.slot <= buy.position.slot ? sell.price : buy.price;
  return sell.owner !== buy.owner && sell.price <= buy.price && inBand(price, band);
}

describe('properties of plans', () => {
  it('nobody is passed over, nobody trades with themselves, nothing comes about or is lost', () => {
    fc.assert(
      fc.property(anyBook, anyBand, fc.nat(1_000), fc.nat(30), (book, band, feeBps, marginSeconds) => {
        const pairs = planPairs(book, { band, feeBps, marginSeconds });
        const orders = [...book.all()].filter(
          ({ status, expiresAt }) => status === 'open' && expiresAt > 20 + marginSeconds,
        );
        const left = new Map(
          orders.map(({ address, remaining, escrowed }) => [address, { remaining, escrowed }]),
        );
        const of = ({ address }: BookOrder) => {
          const found = left.get(address);
          if (found === undefined) throw new Error(`${address} cannot trade`);
          return found;
        };
        const open = (side: Side) => orders.filter((each) => each.side === side && of(each).remaining > 0n);
        for (const { sell, buy, fill, sellRemaining, buyRemaining, buyRefund, transfers } of pairs) {
          expect(couldTrade(sell, buy, band)).toBe(true);
          // No trade-through, no queue jump: no better order of either side could have this counterpart.
          for (const other of open(Sell)) {
            if (better(other, sell)) expect(couldTrade(other, buy, band)).toBe(false);
          }
          for (const other of open(Buy)) {
            if (better(other, buy)) expect(couldTrade(sell, other, band)).toBe(false);
          }
          const [from, to] = [of(sell), of(buy)];
          expect(fill.amount).toBeGreaterThan(0n);
          expect(fill.amount).toBe(from.remaining < to.remaining ? from.remaining : to.remaining);
          expect(fill.amount % LOT).toBe(0n);
          expect(fill.price).toBeGreaterThanOrEqual(sell.price);
          expect(fill.price).toBeLessThanOrEqual(buy.price);
          expect(fill.quote).toBeGreaterThanOrEqual(quoteOf(fill.amount, fill.price, 'down'));
          expect(fill.quote).toBeLessThanOrEqual(quoteOf(fill.amount, fill.price, 'up'));
          expect(fill.fee * 10_000n).toBeLessThanOrEqual(fill.quote * BigInt(Math.min(feeBps, sell.feeBps)));
          expect(fill.fee + fill.proceeds).toBe(fill.quote);
          from.remaining -= fill.amount;
          from.escrowed -= fill.amount;
          to.remaining -= fill.amount;
          to.escrowed -= fill.quote;
          // Every escrow still covers what its order wants.
          expect(from.escrowed).toBe(from.remaining);
          expect(to.escrowed).toBeGreaterThanOrEqual(quoteOf(to.remaining, buy.price, 'up'));
          expect([sellRemaining, buyRemaining]).toEqual([from.remaining, to.remaining]);
          expect(buyRefund).toBe(to.remaining === 0n ? to.escrowed : 0n);
          const sent = (token: string, key: 'from' | 'to', name: RegExp) =>
            transfers
              .filter((each) => each.token === token && name.test(each[key]))
              .reduce((sum, { amount }) => sum + amount, 0n);
          expect(sent('GRID', 'from', /^escrow:/)).toBe(fill.amount);
          expect(sent('GRID', 'to', /^grid:/)).toBe(fill.amount);
          expect(sent('GRX', 'from', /^escrow:/)).toBe(fill.quote + buyRefund);
          expect(sent('GRX', 'to', /^(grx:|treasury)/)).toBe(fill.quote + buyRefund);
        }
        // Nothing that could trade is left.
        for (const sell of open(Sell)) {
          for (const buy of open(Buy)) expect(couldTrade(sell, buy, band)).toBe(false);
        }
        // A shorter plan is the beginning of the longer one.
        const some = Math.ceil(pairs.length / 2);
        expect(planPairs(book, { band, feeBps, marginSeconds, maxPairs: some })).toEqual(
          pairs.slice(0, some),
        );
      }),
      { numRuns: runs(300) },
    );
  });

  it('a book that is told what the plan does has nothing left to trade, in whichever order it is told', () => {
    fc.assert(
      fc.property(anyBook, fc.nat(1_000), fc.boolean(), (book, feeBps, backwards) => {
        const pairs = planPairs(book, { feeBps });
        const ordered = backwards ? [...pairs].reverse() : pairs;
        for (const twice of [1, 2]) {
          for (const { sell, buy, fill, sellRemaining, buyRemaining } of ordered) {
            for (const [{ address }, remaining] of [
              [sell, sellRemaining],
              [buy, buyRemaining],
            ] as const) {
              const { amount, quote } = fill;
              const outcome = book.fill({ order: address, slot: 9, amount, quote, remaining, closed: false });
              expect(outcome).toBe(twice === 1 ? 'applied' : 'known');
            }
          }
        }
        expect(planPairs(book, { feeBps })).toEqual([]);
        for (const order of book.all()) {
          expect(order.escrowExact).toBe(true);
          if (order.side === Buy) {
            expect(order.escrowed).toBeGreaterThanOrEqual(quoteOf(order.remaining, order.price, 'up'));
          }
        }
      }),
      { numRuns: runs(200) },
    );
  });
});

describe('packPairs', () => {
  const feePayer = 'payer';

  it('keeps the order, the limits, and says which transactions must wait for which', () => {
    fc.assert(
      fc.property(
        anyBook,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 800, max: 1_232 }),
        (book, maxPairs, maxBytes) => {
          const pairs = planPairs(book, { feeBps: 0 });
          const limits = { ...packLimits(feePayer), maxPairs, maxBytes };
          const transactions = packPairs(pairs, limits);
          expect(transactions.flatMap((each) => each.pairs)).toEqual(pairs);
          transactions.forEach((each, index) => {
            expect(each.pairs.length).toBeGreaterThan(0);
            expect(each.pairs.length).toBeLessThanOrEqual(maxPairs);
            expect(each.bytes).toBeLessThanOrEqual(maxBytes);
            expect(each.accounts).toBeLessThanOrEqual(limits.maxAccounts);
            expect({ bytes: each.bytes, accounts: each.accounts }).toEqual(crossSize(each.pairs, limits));
            // As full as it gets.
            const following = transactions[index + 1]?.pairs[0];
            if (following !== undefined && each.pairs.length < maxPairs) {
              expect(crossSize([...each.pairs, following], limits).bytes).toBeGreaterThan(maxBytes);
            }
            const orders = new Set(each.pairs.flatMap(({ sell, buy }) => [sell.address, buy.address]));
            const last = new Map<string, number>();
            transactions.slice(0, index).forEach((before, at) => {
              for (const { sell, buy } of before.pairs) {
                for (const { address } of [sell, buy]) if (orders.has(address)) last.set(address, at);
              }
            });
            expect(each.after).toEqual([...new Set(last.values())].sort((a, b) => a - b));
          });
        },
      ),
      { numRuns: runs(100) },
    );
  });

  it('refuses limits into which no pair fits', () => {
    const book = bookOf({ address: 's', owner: 'a', side: Sell }, { address: 'b', owner: 'c', side: Buy });
    const pairs = planPairs(book, { feeBps: 0 });
    expect(() => packPairs(pairs, { ...packLimits(feePayer), maxBytes: 300 })).toThrow(/not even one/);
  });

  it('knows the size of a transaction to the byte, with a lookup table and without', () => {
    const key = () => Keypair.generate().publicKey;
    const payer = key();
    const ref = { quoteMint: key(), quoteTokenProgram: key(), treasury: key(), feed: key() };
    const [big, other] = [key(), key()];
    const side = (side: Side, owner: PublicKey, rentPayer: PublicKey, orderId: bigint) => ({
      side,
      owner,
      rentPayer,
      orderId,
    });
    const shared = side(Buy, big, payer, 1n);
    const cases = [
      [{ sell: side(Sell, key(), payer, 1n), buy: side(Buy, key(), key(), 1n) }],
      [1n, 2n, 3n].map((id) => ({ sell: side(Sell, other, other, id), buy: shared })),
      [1n, 2n].map((id) => ({ sell: side(Sell, key(), payer, id), buy: shared })),
    ];
    for (const pairs of cases) {
      const name = (each: (typeof pairs)[number]['sell']) =>
        ({
          address: `${each.owner.toBase58()} ${each.orderId}`,
          owner: each.owner.toBase58(),
          rentPayer: each.rentPayer.toBase58(),
        }) as BookOrder;
      const named = pairs.map(({ sell, buy }) => ({ sell: name(sell), buy: name(buy) }));
      const call = instructions.crossOrders({ market: ref, pairs });
      const build = (lookupTables: AddressLookupTableAccount[]) =>
        buildTransaction({
          payer,
          instructions: [call],
          blockhash: PublicKey.default.toBase58(),
          computeUnitLimit: 100_000,
          microLamportsPerCu: 1,
          lookupTables,
        });
      const plain = build([]);
      const size = crossSize(named, { feePayer: payer.toBase58() });
      expect(size.bytes).toBe(plain.serialize().length);
      expect(size.accounts).toBe(plain.message.staticAccountKeys.length);

      // A table that holds the market's own accounts and all wallets.
      const wallets = pairs.flatMap(({ sell, buy }) => [sell.rentPayer, buy.rentPayer]);
      const addresses = [
        ...call.keys.slice(0, call.keys.length - 9 * pairs.length).map(({ pubkey }) => pubkey),
        ...wallets,
      ];
      const table = {
        key: key(),
        isActive: () => true,
        state: {
          addresses,
          authority: undefined,
          deactivationSlot: 0n,
          lastExtendedSlot: 0,
          lastExtendedSlotStartIndex: 0,
        },
      } as unknown as AddressLookupTableAccount;
      const looked = build([table]);
      const inTable = (account: string) => /^(fixed|wallet):/.test(account);
      expect(crossSize(named, { feePayer: payer.toBase58(), inTable }).bytes).toBe(looked.serialize().length);
    }
  });
});
