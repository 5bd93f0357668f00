import { Side } from '@gridtokenx/chain';
import type { Books } from '../live/book-topic.js';
import { OrderBook, type OrderState } from '../market/index.js';
import type { LiveDelta } from '../matching/index.js';

/** The one market of `TestBooks`; base58 of 32 bytes as all are. */
export const TEST_MARKET = 'TestMarket111111111111111111111111111111111';
const GRID = 1_000_000_000n;

/** A real book with the epochs and deltas of `LiveBooks`, without a database. */
export class TestBooks implements Books {
  private book = new OrderBook({ lotSize: 1n, tickSize: 1n });
  private epochs = 1;
  private orders = 0;
  private slot = 1;
  private open: OrderState[] = [];
  private readonly deltas = new Set<(market: string, delta: LiveDelta) => void>();
  private readonly resets = new Set<(market: string, epoch: string) => void>();

  snapshot(_market: string, depth?: number) {
    return { ...this.book.snapshot(depth), epoch: `epoch ${this.epochs}` };
  }
  onDelta(listener: (market: string, delta: LiveDelta) => void) {
    this.deltas.add(listener);
    return () => this.deltas.delete(listener);
  }
  onReset(listener: (market: string, epoch: string) => void) {
    this.resets.add(listener);
    return () => this.resets.delete(listener);
  }

  add(side: Side, price: number, amount: number): void {
    this.slot += 1;
    this.orders += 1;
    const order = {
      address: `order ${this.orders}`,
      owner: 'owner',
      rentPayer: 'owner',
      orderId: BigInt(this.orders),
      side,
      price: BigInt(price) * GRID,
      amount: BigInt(amount) * GRID,
      remaining: BigInt(amount) * GRID,
      escrowed: BigInt(amount) * GRID * (side === Side.Sell ? 1n : BigInt(price)),
      expiresAt: 2_000_000_000,
      feeBps: 0,
      position: { slot: this.slot, transaction: 0, event: 0 },
    };
    this.open.push(order);
    this.book.insert(order);
  }

  remove(index: number): void {
    const [order] = this.open.splice(index % Math.max(1, this.open.length), 1);
    this.slot += 1;
    if (order !== undefined) this.book.remove(order.address, this.slot);
  }

  /** Tells what has changed, as `LiveBooks` does after each step. */
  tell(): void {
    const delta = this.book.takeDelta();
    if (delta === undefined) return;
    const { epoch } = this.snapshot(TEST_MARKET, 0);
    for (const listener of this.deltas) listener(TEST_MARKET, { ...delta, epoch });
  }

  anew(): void {
    this.epochs += 1;
    this.book = new OrderBook({ lotSize: 1n, tickSize: 1n });
    for (const order of this.open) this.book.insert(order);
    this.book.takeDelta();
    const { epoch } = this.snapshot(TEST_MARKET, 0);
    for (const listener of this.resets) listener(TEST_MARKET, epoch);
  }
}
