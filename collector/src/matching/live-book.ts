import { randomUUID } from 'node:crypto';
import { gridMintAddress } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import {
  applyEvent,
  type BookEvent,
  type BookOutcome,
  comparePositions,
  type DepthDelta,
  type DepthSnapshot,
  OrderBook,
  type OrderState,
  type PriceLevel,
  UNPLACED,
} from '../market/index.js';
import { asOfOneMoment } from '../mirror/transaction.js';
import { type MarketInfo, type OrderRow, readMarkets, readOpenOrders, readOrders } from './rows.js';

/** What the books need of the change feed. */
export interface BookChanges {
  onChange(listener: (change: BookChange) => void): () => void;
}

/** A change, as far as books look at it. */
export interface BookChange {
  kind: string;
  /** Of `transaction`. */
  events?: readonly { name: string; data: Record<string, unknown> }[];
  /** Of `orders`: rows that changed without an event. */
  addresses?: readonly string[];
}

export interface LiveBooksDeps {
  pool: pg.Pool;
  feed: BookChanges;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
  /** Milliseconds between two comparisons of the books with the database. Default 60,000. */
  compareMillis?: number;
}

/** Levels of a book at one moment. `epoch` names the run of sequence numbers that `sequence` belongs to. */
export type LiveSnapshot = DepthSnapshot & { epoch: string };
export type LiveDelta = DepthDelta & { epoch: string };

interface Live {
  market: MarketInfo;
  book: OrderBook;
  epoch: string;
  /** As told to {@link OrderBook.settledThrough}. */
  through: number;
  /** The highest slot of a fact so far, and as it was at the last comparison. */
  newest: number;
  before: number;
}

const ORDER_EVENTS: ReadonlySet<string> = new Set([
  'OrderCreated',
  'OrderCancelled',
  'OrderExpired',
  'TradeExecuted',
]);
const ORDER_FIELDS = ['order', 'sellOrder', 'buyOrder'];
const CLOCK_MILLIS = 1_000;
const LONGEST_RETRY_MILLIS = 10_000;

/**
 * The books of all GRID markets, in memory, one of each in a collector. They are loaded from the `orders` table and then
 * follow the change feed: an order that changed, whichever collector wrote it, is read again from its row. So facts that come
 * twice, late or in another order are no matter, and neither is a truncated log that the event processor made good.
 *
 * A fork that took something back, and nothing else, makes a book anew: under a new epoch, whose sequence begins at 0.
 */
export class LiveBooks {
  private lives = new Map<string, Live>();
  private readonly deltaListeners = new Set<(market: string, delta: LiveDelta) => void>();
  private readonly resetListeners = new Set<(market: string, epoch: string) => void>();
  private readonly changed = new Set<string>();
  private anew = false;
  private compare = false;
  private marketsChanged = false;
  private stopping = false;
  private working: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private timers: NodeJS.Timeout[] = [];
  private wakeUp: (() => void) | undefined;

  constructor(private readonly deps: LiveBooksDeps) {}

  /** Loads the books. @throws the database's error */
  async start(): Promise<void> {
    // Listening comes first: what changes while the rows are read is read again.
    this.unlisten = this.deps.feed.onChange((change) => this.hear(change));
    try {
      await this.load();
    } catch (error) {
      this.unlisten();
      throw error;
    }
    const clock = setInterval(() => this.tell(), CLOCK_MILLIS);
    const compare = setInterval(() => {
      this.compare = true;
      this.work();
    }, this.deps.compareMillis ?? 60_000);
    this.timers = [clock, compare];
    for (const timer of this.timers) timer.unref();
    this.work();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.unlisten?.();
    for (const timer of this.timers) clearInterval(timer);
    this.wakeUp?.();
    await this.working;
  }

  /** The markets of GRID that the database knows, by address. */
  markets(): MarketInfo[] {
    return [...this.lives.values()].map(({ market }) => market);
  }

  /** @throws GtxError NOT_FOUND */
  market(address: string): MarketInfo {
    return this.live(address).market;
  }

  /**
   * A market's book. It changes between two turns of the event loop and may be replaced: do not keep it, and do not take its
   * deltas, which are for the listeners here.
   * @throws GtxError NOT_FOUND
   */
  book(market: string): OrderBook {
    return this.live(market).book;
  }

  /**
   * The best `depth` levels of each side; all unless given. Follow it with the deltas of the same epoch and the sequence
   * numbers after it; after an epoch of another name, or a number that is missing, take a snapshot again.
   * @throws GtxError NOT_FOUND
   */
  snapshot(market: string, depth?: number): LiveSnapshot {
    const { book, epoch } = this.live(market);
    return { ...book.snapshot(depth), epoch };
  }

  /** How many open orders each market has. */
  figures(): { market: string; sells: number; buys: number }[] {
    return this.markets().map(({ address }) => {
      const { asks, bids } = this.book(address).snapshot();
      const count = (levels: readonly PriceLevel[]) => levels.reduce((sum, { orders }) => sum + orders, 0);
      return { market: address, sells: count(asks), buys: count(bids) };
    });
  }

  /** Told of each change of the levels. @returns ends it */
  onDelta(listener: (market: string, delta: LiveDelta) => void): () => void {
    this.deltaListeners.add(listener);
    return () => this.deltaListeners.delete(listener);
  }

  /** Told when a market's book was made anew (or first of all): earlier snapshots are worth nothing. @returns ends it */
  onReset(listener: (market: string, epoch: string) => void): () => void {
    this.resetListeners.add(listener);
    return () => this.resetListeners.delete(listener);
  }

  /**
   * What the account of an order in the book says, read from the chain at `slot`: so the book has it before the event
   * processor tells.
   * @param account undefined when there is none
   */
  correct(market: string, address: string, account: OrderState | undefined, slot: number): BookOutcome {
    const live = this.live(market);
    const known = live.book.get(address);
    if (known === undefined) return 'closed';
    // Only the event tells the place in the queue; an account tells the slot.
    const state = account && { ...account, position: known.position };
    const outcome = live.book.update(address, state, slot);
    this.tell();
    return outcome;
  }

  /** Reads these orders' rows now. @throws the database's error */
  async refresh(addresses: readonly string[]): Promise<void> {
    const rows = await readOrders(this.deps.pool, addresses);
    for (const address of addresses) this.take(address, rows.get(address));
    this.tell();
    this.work();
  }

  /** Tells a market's book of a trade that this collector has seen executed, before the event processor does. */
  traded(market: string, trade: BookEvent, slot: number): void {
    applyEvent(this.live(market).book, trade, { slot, transaction: UNPLACED, event: 0 });
    this.tell();
  }

  private live(market: string): Live {
    const live = this.lives.get(market);
    if (live === undefined) throw new GtxError('NOT_FOUND', 'there is no such market', { market });
    return live;
  }

  private hear(change: BookChange): void {
    if (change.kind === 'undone') this.anew = true;
    else if (change.kind === 'gap') this.compare = this.marketsChanged = true;
    else if (change.kind === 'orders')
      for (const address of change.addresses ?? []) this.changed.add(address);
    else if (change.kind === 'transaction') {
      for (const { name, data } of change.events ?? []) {
        if (name === 'MarketChanged') this.marketsChanged = true;
        if (!ORDER_EVENTS.has(name)) continue;
        for (const field of ORDER_FIELDS) {
          const address = data[field];
          if (typeof address === 'string') this.changed.add(address);
        }
      }
    } else return;
    this.work();
  }

  private get hasWork(): boolean {
    return this.anew || this.compare || this.marketsChanged || this.changed.size > 0;
  }

  /** Starts what is to be done, unless it is under way: then it goes on until nothing is left. */
  private work(): void {
    if (this.stopping || this.working !== undefined || this.timers.length === 0 || !this.hasWork) return;
    this.working = this.run().finally(() => {
      this.working = undefined;
      this.work();
    });
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.stopping && this.hasWork) {
      try {
        await this.step();
        failures = 0;
      } catch (error) {
        failures += 1;
        this.deps.logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures },
          'the order books cannot be brought up to date',
        );
        await this.pause(Math.min(100 * 2 ** failures, LONGEST_RETRY_MILLIS));
      }
    }
  }

  /** Does one thing. What it was about is only forgotten when it is done; what comes meanwhile is not lost. */
  private async step(): Promise<void> {
    const { pool } = this.deps;
    if (this.anew) {
      this.anew = false;
      try {
        await this.load();
      } catch (error) {
        this.anew = true;
        throw error;
      }
      return;
    }
    if (this.marketsChanged) {
      this.marketsChanged = false;
      try {
        await this.loadMarkets();
      } catch (error) {
        this.marketsChanged = true;
        throw error;
      }
    }
    if (this.compare) {
      this.compare = false;
      try {
        this.compareWith(await readOpenOrders(pool));
      } catch (error) {
        this.compare = true;
        throw error;
      }
    }
    const addresses = [...this.changed];
    if (addresses.length > 0) {
      this.changed.clear();
      try {
        const rows = await readOrders(pool, addresses);
        for (const address of addresses) this.take(address, rows.get(address));
      } catch (error) {
        for (const address of addresses) this.changed.add(address);
        throw error;
      }
    }
    this.tell();
  }

  /** Makes every book anew from the database, as it is at one moment. */
  private async load(): Promise<void> {
    this.changed.clear();
    const { markets, rows } = await asOfOneMoment(this.deps.pool, async (client) => ({
      markets: await readMarkets(client, gridMintAddress().toBase58()),
      rows: await readOpenOrders(client),
    }));
    const lives = new Map(markets.map((market) => [market.address, this.newLive(market)]));
    this.lives = lives;
    for (const { market, state, slot } of rows) {
      const live = lives.get(market);
      if (live) this.put(live, state, slot);
    }
    for (const live of lives.values()) {
      live.book.takeDelta();
      for (const listener of this.resetListeners) listener(live.market.address, live.epoch);
    }
    this.deps.logger.info({ markets: markets.length, orders: rows.length }, 'order books loaded');
  }

  private newLive(market: MarketInfo): Live {
    const book = new OrderBook(market);
    book.advance(this.seconds());
    return { market, book, epoch: randomUUID(), through: -1, newest: -1, before: -1 };
  }

  private async loadMarkets(): Promise<void> {
    for (const market of await readMarkets(this.deps.pool, gridMintAddress().toBase58())) {
      const live = this.lives.get(market.address);
      if (live) {
        live.market = market;
        continue;
      }
      const made = this.newLive(market);
      this.lives.set(market.address, made);
      for (const listener of this.resetListeners) listener(market.address, made.epoch);
      // Orders of it may have been passed over for want of a book.
      this.compare = true;
    }
  }

  /** What the database says now against what the books have. */
  private compareWith(rows: readonly OrderRow[]): void {
    const open = new Set<string>();
    for (const { market, state, slot } of rows) {
      open.add(state.address);
      const live = this.lives.get(market);
      if (live) this.put(live, state, slot);
    }
    for (const live of this.lives.values()) {
      // An order that is open here and not there: its row says why, or there is none any more.
      for (const { address } of live.book.all()) if (!open.has(address)) this.changed.add(address);
      // Closed orders are remembered for one or two comparisons: long enough for rows that come late.
      live.through = live.before;
      live.before = live.newest;
      live.book.settledThrough(live.through);
    }
  }

  private take(address: string, row: OrderRow | undefined): void {
    if (row === undefined) {
      // Its making was undone; or it was not told yet, and then no book has it.
      for (const { book } of this.lives.values()) if (book.get(address) !== undefined) this.anew = true;
      return;
    }
    const live = this.lives.get(row.market);
    if (live === undefined) return;
    if (row.open) this.put(live, row.state, row.slot);
    else {
      live.newest = Math.max(live.newest, row.slot);
      live.book.update(address, undefined, Math.max(row.slot, live.through));
    }
  }

  private put(live: Live, state: OrderState, rowSlot: number): void {
    live.newest = Math.max(live.newest, rowSlot);
    const { book } = live;
    const known = book.get(state.address);
    // A row tells how things are, however old its newest fact is: it is never too late.
    const slot = Math.max(rowSlot, live.through);
    try {
      if (
        known &&
        state.position.transaction !== UNPLACED &&
        comparePositions(known.position, state.position)
      )
        book.insert(state);
      book.update(state.address, state, slot);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // No market accepts such an order. One bad row must not keep the others out.
      this.deps.logger.error({ err: error, order: state.address }, 'an order cannot be in its market');
    }
  }

  /** Moves the clock and tells listeners what has changed. */
  private tell(): void {
    for (const { market, book, epoch } of this.lives.values()) {
      book.advance(this.seconds());
      const delta = book.takeDelta();
      if (delta === undefined) continue;
      for (const listener of this.deltaListeners) listener(market.address, { ...delta, epoch });
    }
  }

  private seconds(): number {
    return Math.floor(this.deps.now() / 1000);
  }

  private async pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
