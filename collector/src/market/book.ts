import { Side } from '@gridtokenx/chain';
import { Entry } from './entry.js';
import { ExpiryIndex } from './expiry.js';
import { Levels } from './levels.js';
import { type BookOrder, type ChainPosition, comparePositions, type OrderState, UNPLACED } from './order.js';

/**
 * What became of a fact that the book was told:
 * - `applied`: the book changed.
 * - `known`: it was told before.
 * - `closed`: the order has been closed; the fact is older.
 * - `early`: the order is not known yet; the fact waits for it.
 * - `stale`: the fact is older than what the book has.
 * - `contradiction`: the fact cannot be true together with what the book was told; nothing changed. Read the order's
 *   account and {@link OrderBook.update} it.
 */
export type BookOutcome = 'applied' | 'known' | 'closed' | 'early' | 'stale' | 'contradiction';

/** A trade of an order, from `TradeExecuted`. */
export interface OrderFill {
  order: string;
  slot: number;
  /** GRID base units. */
  amount: bigint;
  /** GRX base units that the buyer paid. */
  quote: bigint;
  /** GRID base units left afterwards. */
  remaining: bigint;
  /** The order's accounts are gone. */
  closed: boolean;
}

/** All open orders at one price. */
export interface PriceLevel {
  /** GRX base units for 1 GRID. */
  price: bigint;
  /** GRID base units; 0 in a delta: the level is gone. */
  amount: bigint;
  orders: number;
}

/** The book at one moment: levels best first. */
export interface DepthSnapshot {
  /** The next delta for this snapshot is the one with `sequence + 1`. */
  sequence: number;
  asks: PriceLevel[];
  bids: PriceLevel[];
}

/** The levels that changed, as they are now: setting them (or removing those of amount 0) brings a snapshot up to date. */
export interface DepthDelta {
  /** Rises by one from delta to delta: whoever misses one needs a snapshot. */
  sequence: number;
  asks: PriceLevel[];
  bids: PriceLevel[];
}

interface Early {
  fills: OrderFill[];
  /** The order was closed; kept so that a late word of its making does not bring it back. */
  closed: boolean;
  slot: number;
}

/**
 * The order book of one market, in memory: a pure projection of what the chain says.
 *
 * Facts may come twice and out of order; the book ends up the same. An order's queue position is the chain's: slot,
 * transaction, event. Nothing here decides a trade (see `plan.ts`), and no method reads a clock: {@link advance} is told.
 * A fork that dropped something is answered by making the book anew.
 */
export class OrderBook {
  readonly lotSize: bigint;
  readonly tickSize: bigint;
  readonly #orders = new Map<string, Entry>();
  readonly #asks = new Levels(true);
  readonly #bids = new Levels(false);
  readonly #expiry = new ExpiryIndex();
  readonly #early = new Map<string, Early>();
  #dirtyAsks = new Set<bigint>();
  #dirtyBids = new Set<bigint>();
  #sequence = 0;
  #now = 0;
  #through = -1;

  /** Lot (GRID base units) and tick (GRX base units for 1 GRID) as the market has them. */
  constructor({ lotSize, tickSize }: { lotSize: bigint; tickSize: bigint }) {
    if (lotSize <= 0n || tickSize <= 0n) throw new RangeError('lot and tick are above zero');
    this.lotSize = lotSize;
    this.tickSize = tickSize;
  }

  /** Orders in the book, of any status. */
  get size(): number {
    return this.#orders.size;
  }

  /** Facts that wait, and closed orders that are still remembered. */
  get waiting(): number {
    return this.#early.size;
  }

  /** Unix seconds that {@link advance} was told last. */
  get now(): number {
    return this.#now;
  }

  get(address: string): BookOrder | undefined {
    return this.#orders.get(address);
  }

  /** Every order, of any status, in no particular order. */
  all(): Iterable<BookOrder> {
    return this.#orders.values();
  }

  /** The best price of a side. */
  best(side: Side): bigint | undefined {
    return this.#levels(side).best()?.price;
  }

  /** A side's open orders, best price first, then the oldest first. The book must not change meanwhile. */
  *queue(side: Side): Generator<BookOrder> {
    for (const level of this.#levels(side)) {
      for (let entry = level.head; entry !== undefined; entry = entry.next) yield entry;
    }
  }

  // --- facts

  /**
   * An order was made (`OrderCreated`): `remaining` and `escrowed` are those of the start.
   * @throws RangeError for an order that no such market has
   */
  insert(order: OrderState): BookOutcome {
    const existing = this.#orders.get(order.address);
    if (existing !== undefined) return this.#place(existing, order.position);
    const early = this.#early.get(order.address);
    if (early?.closed) return 'closed';
    if (order.position.slot <= this.#through) return 'stale';
    this.#check(order);
    this.#early.delete(order.address);
    this.#add(order, order.position.slot);
    for (const fill of early?.fills ?? []) this.fill(fill);
    return 'applied';
  }

  /** An order traded (`TradeExecuted`). */
  fill(fill: OrderFill): BookOutcome {
    const entry = this.#orders.get(fill.order);
    if (entry === undefined) {
      const early = this.#early.get(fill.order);
      if (early?.closed || fill.slot <= this.#through) return early?.closed ? 'closed' : 'stale';
      if (fill.closed) {
        // Nothing is to be learned any more.
        this.#bury(fill.order, fill.slot);
      } else if (early === undefined) {
        this.#early.set(fill.order, { fills: [fill], closed: false, slot: fill.slot });
      } else {
        if (early.fills.some(({ remaining }) => remaining === fill.remaining)) return 'known';
        early.fills.push(fill);
        early.slot = Math.max(early.slot, fill.slot);
      }
      return 'early';
    }
    const { level } = entry;
    const less = entry.fill(fill, entry.side === Side.Sell);
    if (less === 'contradiction') return less;
    if (less !== undefined) {
      entry.knownSlot = Math.max(entry.knownSlot, fill.slot);
      if (level !== undefined && less > 0n) {
        level.total -= less;
        this.#touch(entry.side, level.price);
        if (entry.remaining === 0n) this.#leaveQueue(entry, 'filled');
      } else if (entry.remaining === 0n) entry.status = 'filled';
    }
    if (fill.closed) {
      this.#drop(entry, fill.slot);
      return 'applied';
    }
    return less === undefined ? 'known' : 'applied';
  }

  /** An order is gone: cancelled, or returned after its expiry (`OrderCancelled`, `OrderExpired`). */
  remove(address: string, slot: number): BookOutcome {
    const entry = this.#orders.get(address);
    if (entry !== undefined) {
      this.#drop(entry, slot);
      return 'applied';
    }
    if (this.#early.get(address)?.closed) return 'known';
    if (slot <= this.#through) return 'stale';
    this.#bury(address, slot);
    return 'early';
  }

  /**
   * What an order's account says, read at `slot`: right where the book is not, unless the book knows something newer.
   * For an order of which no event was heard, `account.position` places it ({@link unplaced} when only the slot is known).
   *
   * @param account undefined when there is no such account
   * @throws RangeError for an order that no such market has
   */
  update(address: string, account: OrderState | undefined, slot: number): BookOutcome {
    const entry = this.#orders.get(address);
    if (entry === undefined) {
      const early = this.#early.get(address);
      if (account === undefined) return this.remove(address, slot);
      if (early !== undefined && (early.closed || early.slot > slot))
        return early.closed ? 'closed' : 'stale';
      if (slot < this.#through) return 'stale';
      this.#check(account);
      this.#early.delete(address);
      this.#add(account, slot);
      return 'applied';
    }
    if (slot < entry.knownSlot) return 'stale';
    if (account === undefined) {
      this.#drop(entry, slot);
      return 'applied';
    }
    this.#check(account);
    entry.knownSlot = slot;
    if (entry.remaining === account.remaining && entry.escrowed === account.escrowed && entry.escrowExact) {
      return 'known';
    }
    const { level } = entry;
    const more = account.remaining - entry.remaining;
    entry.set(account.remaining, account.escrowed);
    if (level !== undefined && more !== 0n) {
      level.total += more;
      this.#touch(entry.side, level.price);
    }
    if (entry.remaining === 0n) this.#leaveQueue(entry, 'filled');
    else if (entry.status === 'filled') this.#admit(entry);
    return 'applied';
  }

  /**
   * Moves the clock, which never goes back. Orders whose time has come leave the queue: the chain refuses them from
   * `expiresAt` on. They stay in the book until their account is closed.
   *
   * @param now Unix seconds of the chain's clock
   * @returns addresses of the orders that expired
   */
  advance(now: number): string[] {
    this.#now = Math.max(this.#now, now);
    const expired: string[] = [];
    for (let entry = this.#expiry.pop(this.#now); entry !== undefined; entry = this.#expiry.pop(this.#now)) {
      if (entry.gone || entry.status !== 'open') continue;
      this.#leaveQueue(entry, 'expired');
      expired.push(entry.address);
    }
    return expired;
  }

  /**
   * Every event up to and with this slot was told: what waits for older ones waits in vain and is forgotten, and older
   * facts about unknown orders are refused. It bounds what is remembered of closed orders.
   */
  settledThrough(slot: number): void {
    if (slot <= this.#through) return;
    this.#through = slot;
    for (const [address, early] of this.#early) if (early.slot <= slot) this.#early.delete(address);
  }

  // --- depth

  /**
   * The best `depth` levels of each side, all unless given. A client that follows deltas needs all levels, or has to
   * take a new snapshot once its last one has moved up.
   */
  snapshot(depth = Number.POSITIVE_INFINITY): DepthSnapshot {
    const take = (levels: Levels): PriceLevel[] => {
      const taken: PriceLevel[] = [];
      for (const { price, total, count } of levels) {
        if (taken.length >= depth) break;
        taken.push({ price, amount: total, orders: count });
      }
      return taken;
    };
    return { sequence: this.#sequence, asks: take(this.#asks), bids: take(this.#bids) };
  }

  /**
   * What changed since the last call; undefined when nothing did. Several changes of one level become one, so whoever
   * calls this rarely sends little.
   *
   * A level that a snapshot already showed is told again: levels are told as they are, not by how much they changed.
   */
  takeDelta(): DepthDelta | undefined {
    if (this.#dirtyAsks.size === 0 && this.#dirtyBids.size === 0) return undefined;
    const take = (levels: Levels, prices: Set<bigint>): PriceLevel[] =>
      [...prices].map((price) => {
        const level = levels.get(price);
        return { price, amount: level?.total ?? 0n, orders: level?.count ?? 0 };
      });
    this.#sequence += 1;
    const delta = {
      sequence: this.#sequence,
      asks: take(this.#asks, this.#dirtyAsks),
      bids: take(this.#bids, this.#dirtyBids),
    };
    this.#dirtyAsks = new Set();
    this.#dirtyBids = new Set();
    return delta;
  }

  // --- inside

  #levels(side: Side): Levels {
    return side === Side.Sell ? this.#asks : this.#bids;
  }

  #touch(side: Side, price: bigint): void {
    (side === Side.Sell ? this.#dirtyAsks : this.#dirtyBids).add(price);
  }

  #check(order: OrderState): void {
    const wrong =
      order.amount <= 0n || order.amount % this.lotSize !== 0n
        ? 'amount is not in lots'
        : order.remaining < 0n || order.remaining > order.amount || order.remaining % this.lotSize !== 0n
          ? 'remaining amount is not in lots'
          : order.price <= 0n || order.price % this.tickSize !== 0n
            ? 'price is not in ticks'
            : undefined;
    if (wrong !== undefined) throw new RangeError(`order ${order.address}: ${wrong}`);
  }

  #add(order: OrderState, knownSlot: number): void {
    const entry = new Entry(order, knownSlot);
    this.#orders.set(entry.address, entry);
    if (entry.remaining === 0n) entry.status = 'filled';
    else this.#admit(entry);
  }

  /** Lets an order with something left into its queue, unless its time is over. */
  #admit(entry: Entry): void {
    entry.status = entry.expiresAt <= this.#now ? 'expired' : 'open';
    if (entry.status === 'expired') return;
    this.#levels(entry.side).at(entry.price).add(entry);
    this.#expiry.add(entry, this.#orders.size);
    this.#touch(entry.side, entry.price);
  }

  #leaveQueue(entry: Entry, status: 'expired' | 'filled'): void {
    entry.status = status;
    const { level } = entry;
    if (level === undefined) return;
    level.remove(entry);
    if (level.count === 0) this.#levels(entry.side).delete(level.price);
    this.#touch(entry.side, level.price);
  }

  #drop(entry: Entry, slot: number): void {
    this.#leaveQueue(entry, 'filled');
    entry.gone = true;
    this.#orders.delete(entry.address);
    this.#bury(entry.address, slot);
  }

  #bury(address: string, slot: number): void {
    if (slot > this.#through) this.#early.set(address, { fills: [], closed: true, slot });
    else this.#early.delete(address);
  }

  /** An order that the book has is heard of again: from its event it gets the place that an account does not tell. */
  #place(entry: Entry, position: ChainPosition): BookOutcome {
    if (entry.position.transaction !== UNPLACED || comparePositions(entry.position, position) === 0)
      return 'known';
    const { level } = entry;
    level?.remove(entry);
    entry.position = position;
    level?.add(entry);
    return 'applied';
  }
}
