/* Histories of a market for tests: a small model of the trading program, apart from the book. */
import { quoteOf, Side } from '@gridtokenx/chain';
import fc from 'fast-check';
import type { OrderBook, OrderFill } from './book.js';
import { crossFill, takeFill } from './fill.js';
import type { ChainPosition, OrderState } from './order.js';

/** One lot at one tick is worth 1.4 base units: nearly every quote has a fraction. */
export const LOT = 350_000_000n;
export const TICK = 4n;

/** What the chain tells about one order. */
export type Fact =
  | { kind: 'created'; order: OrderState }
  | { kind: 'filled'; fill: OrderFill }
  | { kind: 'removed'; order: string; slot: number };

/** How many runs a property has: GTX_PROPERTY_RUNS makes it longer. */
export const runs = (usual: number): number => Number(process.env.GTX_PROPERTY_RUNS ?? usual);

/** An order of the start: everything is left. */
export function newOrder(
  order: Pick<OrderState, 'address' | 'owner' | 'side' | 'price' | 'amount' | 'position'> &
    Partial<OrderState>,
): OrderState {
  return {
    rentPayer: order.owner,
    orderId: 1n,
    remaining: order.amount,
    escrowed: order.side === Side.Sell ? order.amount : quoteOf(order.amount, order.price, 'up'),
    expiresAt: 1_000_000,
    feeBps: 100,
    ...order,
  };
}

export type Step =
  | { kind: 'create'; owner: number; side: Side; lots: number; ticks: number; expiresAt: number }
  | { kind: 'take'; pick: number; lots: number }
  | { kind: 'cross'; first: number; second: number }
  | { kind: 'remove'; pick: number }
  | { kind: 'slot' };

const pick = fc.nat(40);

/** Steps of a market: most of them can be done. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('create' as const),
        owner: fc.nat(4),
        side: fc.constantFrom(Side.Sell, Side.Buy),
        lots: fc.integer({ min: 1, max: 12 }),
        ticks: fc.integer({ min: 1, max: 6 }),
        expiresAt: fc.integer({ min: 1, max: 300 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('take' as const),
        pick,
        lots: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('cross' as const), first: pick, second: pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), pick }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('slot' as const) }) },
  ),
  { minLength: 1, maxLength: 80 },
);

/** A market on its chain: what its accounts say, and every fact in the order in which it happened. */
export class ModelMarket {
  readonly accounts = new Map<string, OrderState>();
  readonly facts: Fact[] = [];
  slot = 10;
  #transaction = 0;
  #made = 0;

  run(step: Step): void {
    this.#transaction += 1;
    const open = [...this.accounts.values()].filter(({ remaining }) => remaining > 0n);
    const at = (index: number) => open[index % Math.max(1, open.length)];
    if (step.kind === 'slot') {
      this.slot += 1;
      this.#transaction = 0;
    } else if (step.kind === 'create') {
      this.#made += 1;
      const position: ChainPosition = { slot: this.slot, transaction: this.#transaction, event: 0 };
      const order = newOrder({
        address: `order-${String(this.#made).padStart(3, '0')}`,
        owner: `owner-${step.owner}`,
        side: step.side,
        price: BigInt(step.ticks) * TICK,
        amount: BigInt(step.lots) * LOT,
        expiresAt: step.expiresAt,
        position,
      });
      this.accounts.set(order.address, { ...order });
      this.facts.push({ kind: 'created', order });
    } else if (step.kind === 'take') {
      const order = at(step.pick);
      const fill = order && takeFill(order, BigInt(step.lots) * LOT, 100);
      if (order && fill && !('refused' in fill)) this.#book(order, fill.amount, fill.quote);
    } else if (step.kind === 'cross') {
      const [a, b] = [at(step.first), at(step.second)];
      if (!a || !b) return;
      const [sell, buy] = a.side === Side.Sell ? [a, b] : [b, a];
      const fill = crossFill(sell, buy, 100);
      if ('refused' in fill) return;
      this.#book(sell, fill.amount, fill.quote);
      this.#book(buy, fill.amount, fill.quote);
    } else {
      const order = at(step.pick);
      if (!order) return;
      this.accounts.delete(order.address);
      this.facts.push({ kind: 'removed', order: order.address, slot: this.slot });
    }
  }

  #book(order: OrderState, amount: bigint, quote: bigint): void {
    order.remaining -= amount;
    order.escrowed -= order.side === Side.Sell ? amount : quote;
    const closed = order.remaining === 0n;
    if (closed) this.accounts.delete(order.address);
    const { remaining } = order;
    this.facts.push({
      kind: 'filled',
      fill: { order: order.address, slot: this.slot, amount, quote, remaining, closed },
    });
  }
}

/** Tells a book a fact. */
export function tell(book: OrderBook, fact: Fact): string {
  if (fact.kind === 'created') return book.insert(fact.order);
  if (fact.kind === 'filled') return book.fill(fact.fill);
  return book.remove(fact.order, fact.slot);
}
