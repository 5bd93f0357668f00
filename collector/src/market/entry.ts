import type { Side } from '@gridtokenx/chain';
import type { Level } from './levels.js';
import {
  type BookOrder,
  type ChainPosition,
  comparePositions,
  type OrderState,
  type OrderStatus,
} from './order.js';

/** What a part of an order traded, as a fill's event tells it. */
interface Traded {
  amount: bigint;
  /** GRX base units that the buyer paid. */
  quote: bigint;
  /** GRID base units left afterwards. */
  remaining: bigint;
}

/** An order in the book, with its place in its level's queue. */
export class Entry implements BookOrder {
  readonly address: string;
  readonly owner: string;
  readonly rentPayer: string;
  readonly orderId: bigint;
  readonly side: Side;
  readonly price: bigint;
  readonly amount: bigint;
  readonly expiresAt: number;
  readonly feeBps: number;
  position: ChainPosition;
  remaining: bigint;
  escrowed: bigint;
  status: OrderStatus = 'open';
  /** The latest slot from which something is known about the order. */
  knownSlot: number;
  gone = false;
  /** In the index of expiries. */
  scheduled = false;
  level: Level | undefined;
  previous: Entry | undefined;
  next: Entry | undefined;
  /** Parts between `remaining` and `amount` whose fills were not heard of yet, as [from, to). Nearly always none. */
  #gaps: [from: bigint, to: bigint][] | undefined;

  constructor(order: OrderState, knownSlot: number) {
    this.address = order.address;
    this.owner = order.owner;
    this.rentPayer = order.rentPayer;
    this.orderId = order.orderId;
    this.side = order.side;
    this.price = order.price;
    this.amount = order.amount;
    this.remaining = order.remaining;
    this.escrowed = order.escrowed;
    this.expiresAt = order.expiresAt;
    this.feeBps = order.feeBps;
    this.position = order.position;
    this.knownSlot = knownSlot;
  }

  get escrowExact(): boolean {
    return this.#gaps === undefined;
  }

  isYoungerThan(other: Entry): boolean {
    const order = comparePositions(this.position, other.position);
    return order > 0 || (order === 0 && this.address > other.address);
  }

  /**
   * Books a trade, once. A fill takes [remaining after, remaining before) of what the order had, and no other fill takes
   * any of that: so a fill says itself whether it was booked, however often and in whichever order fills come.
   *
   * @returns how much less remains; undefined for a fill that was booked before; `'contradiction'` when it overlaps another
   */
  fill({ amount, quote, remaining: from }: Traded, isSell: boolean): bigint | undefined | 'contradiction' {
    const to = from + amount;
    if (amount <= 0n || from < 0n || to > this.amount) return 'contradiction';
    if (from < this.remaining) {
      if (to > this.remaining) return 'contradiction';
      if (to < this.remaining) {
        this.#gaps ??= [];
        this.#gaps.push([to, this.remaining]);
      }
      const less = this.remaining - from;
      this.remaining = from;
      this.#pay(isSell, quote);
      return less;
    }
    const gap = this.#gaps?.find((each) => from < each[1] && to > each[0]);
    if (this.#gaps === undefined || gap === undefined) return undefined;
    if (from < gap[0] || to > gap[1]) return 'contradiction';
    const rest: [bigint, bigint][] = [];
    if (gap[0] < from) rest.push([gap[0], from]);
    if (to < gap[1]) rest.push([to, gap[1]]);
    const gaps = [...this.#gaps.filter((each) => each !== gap), ...rest];
    this.#gaps = gaps.length > 0 ? gaps : undefined;
    this.#pay(isSell, quote);
    return 0n;
  }

  /** Takes over what the order's account says. */
  set(remaining: bigint, escrowed: bigint): void {
    this.remaining = remaining;
    this.escrowed = escrowed;
    this.#gaps = undefined;
  }

  #pay(isSell: boolean, quote: bigint): void {
    // What a sell order's escrow holds for it is what remains.
    this.escrowed = isSell ? this.remaining : this.escrowed - quote;
  }
}
