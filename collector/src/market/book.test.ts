import { Side } from '@gridtokenx/chain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DepthSnapshot, OrderBook, type OrderFill } from './book.js';
import { type BookOrder, type OrderState, unplaced } from './order.js';
import { LOT, ModelMarket, newOrder, runs, steps, TICK, tell } from './testing.js';

const market = { lotSize: LOT, tickSize: TICK };
const at = (slot: number, transaction = 0, event = 0) => ({ slot, transaction, event });

function order(address: string, options: Partial<OrderState> = {}): OrderState {
  return newOrder({
    address,
    owner: 'ann',
    side: Side.Sell,
    price: 8n,
    amount: 4n * LOT,
    position: at(1),
    ...options,
  });
}

function fill(address: string, lots: bigint, left: bigint, options: Partial<OrderFill> = {}): OrderFill {
  return {
    order: address,
    slot: 2,
    amount: lots * LOT,
    quote: 2n * lots,
    remaining: left * LOT,
    closed: left === 0n,
    ...options,
  };
}

const addresses = (orders: Iterable<BookOrder>) => [...orders].map(({ address }) => address);

/** All that can be said about a book. */
function picture(book: OrderBook) {
  const orders = [...book.all()]
    .map((each) => ({
      address: each.address,
      remaining: each.remaining,
      escrowed: each.escrowed,
      escrowExact: each.escrowExact,
      status: each.status,
      position: each.position,
    }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const { asks, bids } = book.snapshot();
  return {
    orders,
    asks,
    bids,
    sell: addresses(book.queue(Side.Sell)),
    buy: addresses(book.queue(Side.Buy)),
  };
}

/** The same, worked out anew from nothing but the orders. */
function expectConsistent(book: OrderBook): void {
  for (const side of [Side.Sell, Side.Buy]) {
    const open = [...book.all()].filter((each) => each.side === side && each.status === 'open');
    open.sort(
      (a, b) =>
        Number(side === Side.Sell ? a.price - b.price : b.price - a.price) ||
        a.position.slot - b.position.slot ||
        a.position.transaction - b.position.transaction ||
        a.position.event - b.position.event,
    );
    expect(addresses(book.queue(side))).toEqual(addresses(open));
    const levels = new Map<bigint, { price: bigint; amount: bigint; orders: number }>();
    for (const { price, remaining } of open) {
      const level = levels.get(price) ?? { price, amount: 0n, orders: 0 };
      levels.set(price, { price, amount: level.amount + remaining, orders: level.orders + 1 });
    }
    expect(book.snapshot()[side === Side.Sell ? 'asks' : 'bids']).toEqual([...levels.values()]);
    expect(book.best(side)).toBe(open[0]?.price);
  }
}

describe('the queue', () => {
  it('is by price, then by slot, transaction and event, in whichever order the orders come', () => {
    const book = new OrderBook(market);
    const places: [string, Partial<OrderState>][] = [
      ['cheap and late', { price: 4n, position: at(9) }],
      ['c', { position: at(2, 5, 1) }],
      ['a', { position: at(1, 9, 9) }],
      ['d', { position: at(3, 0, 0) }],
      ['b', { position: at(2, 5, 0) }],
    ];
    for (const [address, options] of places) expect(book.insert(order(address, options))).toBe('applied');
    expect(addresses(book.queue(Side.Sell))).toEqual(['cheap and late', 'a', 'b', 'c', 'd']);
    for (const [address, options] of places) {
      book.insert(order(`buy ${address}`, { ...options, side: Side.Buy }));
    }
    expect(addresses(book.queue(Side.Buy))).toEqual([
      'buy a',
      'buy b',
      'buy c',
      'buy d',
      'buy cheap and late',
    ]);
  });

  it('keeps an order where it stands when part of it is filled', () => {
    const book = new OrderBook(market);
    book.insert(order('a', { position: at(1) }));
    book.insert(order('b', { position: at(2) }));
    expect(book.fill(fill('a', 1n, 3n))).toBe('applied');
    expect(addresses(book.queue(Side.Sell))).toEqual(['a', 'b']);
    expect(book.get('a')).toMatchObject({ remaining: 3n * LOT, escrowed: 3n * LOT });
    expect(book.snapshot().asks).toEqual([{ price: 8n, amount: 7n * LOT, orders: 2 }]);
  });

  it('puts an order of which only the account is known last in its slot, until its event tells its place', () => {
    const book = new OrderBook(market);
    expect(book.update('a', order('a', { position: unplaced(1) }), 5)).toBe('applied');
    book.insert(order('b', { position: at(1, 3) }));
    book.insert(order('c', { position: at(2) }));
    expect(addresses(book.queue(Side.Sell))).toEqual(['b', 'a', 'c']);
    expect(book.insert(order('a', { position: at(1, 2) }))).toBe('applied');
    expect(book.insert(order('a', { position: at(1, 2) }))).toBe('known');
    expect(addresses(book.queue(Side.Sell))).toEqual(['a', 'b', 'c']);
  });

  it('refuses what no such market has', () => {
    const book = new OrderBook(market);
    expect(() => book.insert(order('a', { amount: LOT + 1n }))).toThrow(/lots/);
    expect(() => book.insert(order('a', { price: 5n }))).toThrow(/ticks/);
    expect(() => book.insert(order('a', { remaining: 5n * LOT }))).toThrow(/remaining/);
    expect(() => new OrderBook({ lotSize: 0n, tickSize: 1n })).toThrow(/above zero/);
  });
});

describe('expiry', () => {
  it('takes orders out of the queue at their time, and leaves them in the book until they are returned', () => {
    const book = new OrderBook(market);
    for (const [address, expiresAt] of [
      ['late', 30],
      ['soon', 10],
      ['next', 20],
    ] as const) {
      book.insert(order(address, { expiresAt }));
    }
    expect(book.advance(9)).toEqual([]);
    expect(book.advance(20)).toEqual(['soon', 'next']);
    // The clock does not go back.
    expect(book.advance(5)).toEqual([]);
    expect(book.now).toBe(20);
    expect(addresses(book.queue(Side.Sell))).toEqual(['late']);
    expect(book.get('soon')?.status).toBe('expired');
    book.insert(order('over', { expiresAt: 20 }));
    expect(book.get('over')?.status).toBe('expired');
    expect(book.remove('soon', 3)).toBe('applied');
    expect(book.get('soon')).toBeUndefined();
    expectConsistent(book);
  });

  it('forgets those that left before, however many', () => {
    const book = new OrderBook(market);
    book.insert(order('first', { expiresAt: 50, position: at(0) }));
    for (let index = 0; index < 5_000; index += 1) {
      const address = `order ${index}`;
      book.insert(order(address, { expiresAt: 10 + (index % 7), position: at(index + 1) }));
      book.remove(address, index + 1);
      book.settledThrough(index + 1);
    }
    book.insert(order('last', { expiresAt: 12, position: at(5_001) }));
    expect(book.advance(100)).toEqual(['last', 'first']);
    expect(book.waiting).toBe(0);
  });
});

describe('facts that come twice or out of order', () => {
  it('books a fill once', () => {
    const book = new OrderBook(market);
    book.insert(order('a', { side: Side.Buy, escrowed: 8n }));
    expect(book.fill(fill('a', 1n, 3n))).toBe('applied');
    expect(book.fill(fill('a', 1n, 3n))).toBe('known');
    // The second of two fills first: what both paid is known once both are.
    expect(book.fill(fill('a', 1n, 1n))).toBe('applied');
    expect(book.get('a')).toMatchObject({ remaining: LOT, escrowExact: false });
    expect(book.fill(fill('a', 1n, 2n))).toBe('applied');
    expect(book.fill(fill('a', 1n, 2n))).toBe('known');
    expect(book.get('a')).toMatchObject({ remaining: LOT, escrowed: 2n, escrowExact: true });
  });

  it('tells fills that contradict each other, and changes nothing', () => {
    const book = new OrderBook(market);
    book.insert(order('a'));
    book.fill(fill('a', 1n, 1n));
    const before = picture(book);
    for (const wrong of [fill('a', 2n, 0n), fill('a', 9n, 0n), fill('a', 0n, 1n), fill('a', 3n, 1n)]) {
      expect(book.fill({ ...wrong, closed: false })).toBe('contradiction');
    }
    expect(picture(book)).toEqual(before);
  });

  it('does not bring back what is closed', () => {
    const book = new OrderBook(market);
    expect(book.fill(fill('a', 1n, 3n))).toBe('early');
    expect(book.remove('a', 3)).toBe('early');
    expect(book.remove('a', 3)).toBe('known');
    expect(book.insert(order('a'))).toBe('closed');
    expect(book.fill(fill('a', 1n, 3n))).toBe('closed');
    book.settledThrough(3);
    expect(book.waiting).toBe(0);
    expect(book.insert(order('a'))).toBe('stale');
    expect(book.fill(fill('a', 1n, 3n))).toBe('stale');
    expect(book.update('a', order('a'), 2)).toBe('stale');
    expect(book.size).toBe(0);
  });

  it('believes an account unless it knows something newer', () => {
    const book = new OrderBook(market);
    book.insert(order('a'));
    book.fill(fill('a', 1n, 1n, { slot: 7 }));
    expect(book.update('a', order('a'), 6)).toBe('stale');
    expect(book.update('a', undefined, 6)).toBe('stale');
    const read = order('a', { remaining: 2n * LOT, escrowed: 2n * LOT });
    expect(book.update('a', read, 8)).toBe('applied');
    expect(book.update('a', read, 9)).toBe('known');
    expect(book.get('a')).toMatchObject({ remaining: 2n * LOT, escrowExact: true });
    expectConsistent(book);
    expect(book.update('a', order('a', { remaining: 0n, escrowed: 0n }), 10)).toBe('applied');
    expect(book.get('a')?.status).toBe('filled');
    expectConsistent(book);
    expect(book.update('a', read, 11)).toBe('applied');
    expect(book.get('a')?.status).toBe('open');
    expectConsistent(book);
    expect(book.update('a', undefined, 12)).toBe('applied');
    expect(book.size).toBe(0);
  });
});

describe('properties', () => {
  it('a book after all events is the book of the final accounts, also when events come twice and shuffled', () => {
    fc.assert(
      fc.property(
        steps,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.nat(300),
        (all, random, now) => {
          const model = new ModelMarket();
          for (const step of all) model.run(step);

          const inOrder = new OrderBook(market);
          for (const fact of model.facts) {
            expect(tell(inOrder, fact)).toBe('applied');
            expectConsistent(inOrder);
          }
          const fromAccounts = new OrderBook(market);
          for (const account of model.accounts.values()) {
            expect(fromAccounts.update(account.address, account, model.slot)).toBe('applied');
          }
          const keys = [...random.take(2 * model.facts.length)];
          const shuffled = [...model.facts, ...model.facts]
            .map((fact, index) => ({ fact, key: keys[index] as number }))
            .sort((a, b) => a.key - b.key);
          const outOfOrder = new OrderBook(market);
          for (const { fact } of shuffled) {
            expect(tell(outOfOrder, fact)).not.toBe('contradiction');
            expectConsistent(outOfOrder);
          }
          const books = [inOrder, fromAccounts, outOfOrder];
          expect(picture(inOrder)).toEqual(picture(fromAccounts));
          expect(picture(outOfOrder)).toEqual(picture(fromAccounts));
          for (const book of books) {
            book.advance(now);
            expectConsistent(book);
            if (book === fromAccounts) continue;
            // And told everything once more, nothing changes.
            const before = picture(book);
            for (const fact of model.facts) tell(book, fact);
            expect(picture(book)).toEqual(before);
          }
          expect(picture(inOrder)).toEqual(picture(outOfOrder));
        },
      ),
      { numRuns: runs(60) },
    );
  });

  it('a book made from accounts goes on from there: older events change nothing, newer ones count', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const model = new ModelMarket();
        for (const step of before) model.run(step);
        const book = new OrderBook(market);
        for (const account of model.accounts.values())
          book.update(account.address, { ...account }, model.slot);
        book.settledThrough(model.slot);
        const start = picture(book);
        for (const fact of model.facts) tell(book, fact);
        expect(picture(book)).toEqual(start);
        model.run({ kind: 'slot' });
        const known = model.facts.length;
        for (const step of after) model.run(step);
        for (const fact of model.facts.slice(known)) expect(tell(book, fact)).toBe('applied');
        expect(book.size).toBe(model.accounts.size);
        for (const account of model.accounts.values()) {
          expect(book.get(account.address)).toMatchObject({
            remaining: account.remaining,
            escrowed: account.escrowed,
            escrowExact: true,
          });
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it('a snapshot and the deltas after it are the book, wherever one begins', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(4), { minLength: 80, maxLength: 80 }), (all, acts) => {
        const model = new ModelMarket();
        for (const step of all) model.run(step);
        const book = new OrderBook(market);
        const clients: DepthSnapshot[] = [];
        const drain = () => {
          const delta = book.takeDelta();
          if (delta === undefined) return;
          for (const client of clients) {
            expect(delta.sequence).toBe(client.sequence + 1);
            client.sequence = delta.sequence;
            for (const side of ['asks', 'bids'] as const) {
              const levels = new Map(client[side].map((level) => [level.price, level]));
              for (const level of delta[side]) {
                if (level.amount === 0n) levels.delete(level.price);
                else levels.set(level.price, level);
              }
              client[side] = [...levels.values()].sort((a, b) =>
                Number(side === 'asks' ? a.price - b.price : b.price - a.price),
              );
            }
          }
          const now = book.snapshot();
          for (const client of clients) expect(client).toEqual(now);
        };
        model.facts.forEach((fact, index) => {
          tell(book, fact);
          const act = acts[index % acts.length] as number;
          if (act === 0) clients.push(book.snapshot());
          if (act === 1) book.advance(index);
          if (act >= 3) drain();
        });
        drain();
        expect(book.takeDelta()).toBeUndefined();
        const two = book.snapshot(2);
        expect(two.asks).toEqual(book.snapshot().asks.slice(0, 2));
        expect(two.bids).toEqual(book.snapshot().bids.slice(0, 2));
      }),
      { numRuns: runs(60) },
    );
  });
});
