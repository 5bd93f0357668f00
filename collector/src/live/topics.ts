import type { LiveItem, TrafficFilter } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { PassingMessage } from '../broker/bus.js';
import type { Change } from '../feed/index.js';
import { balancesOf, feedsNow, ordersPage, settlementsPage, tradesPage } from '../http/market-queries.js';
import { listAlerts, listReviews } from '../review/list.js';
import { type Books, BookTopic } from './book-topic.js';
import { LIST_ITEMS, type ListSource, ListTopic } from './list-topic.js';
import type { LiveMetrics } from './metrics.js';
import { meterReadings, walletReadings } from './readings.js';
import type { Seen } from './seen.js';
import type { Topic, TopicName } from './topic.js';
import { passingTraffic, seenTraffic, type Traffic, TrafficTopic } from './traffic.js';

export interface TopicsDeps {
  pool: pg.Pool;
  books: Books;
  feed: { onChange(listener: (change: Change) => void): () => void };
  /** The present price guides. */
  guides: () => Promise<readonly object[]> | readonly object[];
  fleet: {
    summary(): Promise<object>;
    networkPower(): Promise<object>;
    walletPower(wallet: string, most: number): Promise<LiveItem[]>;
  };
  /** The network as everybody may see it; the same object while nothing has changed. */
  overview: { news(): Promise<object> };
  logger: Logger;
  metrics: LiveMetrics;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Questions to the database at once: ingestion has the same connections. */
const QUESTIONS = 2;
/** How long a list without subscribers is kept up to date: for a client that comes back. */
const IDLE_MILLIS = 30_000;
const PRICES_MILLIS = 10_000;
/** Between two looks at what gateways say of themselves. */
const FLEET_MILLIS = 2_000;

/** Between two looks at the network as a whole. */
const OVERVIEW_MILLIS = 2_000;

/** Events that change something of the wallets that they name. */
const EVENT_CHANNELS: Record<string, readonly string[]> = {
  OrderCreated: ['orders', 'balances'],
  OrderCancelled: ['orders', 'balances'],
  OrderExpired: ['orders', 'balances'],
  TradeExecuted: ['orders', 'balances'],
  MeterBalanceSettled: ['settlements', 'readings', 'balances'],
  MeterRegistered: ['settlements', 'readings'],
  MeterTransferred: ['settlements', 'readings'],
};
const PRICE_EVENTS = new Set(['PriceSubmitted', 'FeedChanged', 'PublisherChanged', 'MarketChanged']);

const ORDER_OWNERS = 'SELECT DISTINCT owner AS wallet FROM orders WHERE address = ANY($1)';
const METER_OWNERS = `SELECT DISTINCT u.wallet_address AS wallet FROM meters m JOIN users u ON u.id = m.user_id
  WHERE m.meter_id = ANY($1)`;

/** All topics of a collector, and who of them hears of which change. */
export class Topics {
  private readonly books = new Map<string, BookTopic>();
  private readonly lists = new Map<string, ListTopic>();
  /** By filter; one without subscribers is forgotten. */
  private readonly streams = new Map<string, TrafficTopic>();
  private readonly undo: (() => void)[] = [];
  private sweeper: NodeJS.Timeout | undefined;
  private asking = 0;
  private readonly askers: (() => void)[] = [];
  private readonly lookUps = new Set<Promise<void>>();
  private meters = new Set<string>();
  private passed = 0;

  constructor(private readonly deps: TopicsDeps) {}

  start(): void {
    const { books, feed } = this.deps;
    this.undo.push(
      books.onDelta((market, delta) => this.books.get(market)?.take(delta)),
      books.onReset((market) => this.books.get(market)?.reset()),
      feed.onChange((change) => this.hear(change)),
    );
    this.sweeper = setInterval(() => this.sweep(), 1_000);
    this.sweeper.unref();
  }

  async stop(): Promise<void> {
    for (const undo of this.undo.splice(0)) undo();
    clearInterval(this.sweeper);
    for (const book of this.books.values()) book.stop();
    await Promise.all([...this.lists.values()].map((list) => list.stop()));
    await Promise.all(this.lookUps);
  }

  /** @throws GtxError NOT_FOUND for a market that there is not */
  book(market: string): Topic {
    const known = this.books.get(market);
    if (known) return known;
    // Throws when there is no such market.
    this.deps.books.snapshot(market, 0);
    const topic = new BookTopic(market, this.deps.books, this.deps.metrics);
    this.books.set(market, topic);
    return topic;
  }

  /** Trades of a market, or of all. */
  trades(market: string | undefined): Topic {
    const { pool } = this.deps;
    if (market !== undefined) this.deps.books.snapshot(market, 0);
    const load = async () => (await tradesPage(pool, { market, limit: LIST_ITEMS })).items;
    return this.list(
      ['trades', market ?? ''],
      { channel: 'trades', ...(market && { market }) },
      {
        load,
        shared: true,
      },
    );
  }

  prices(): Topic {
    const { pool, now, guides } = this.deps;
    const load = async () => {
      const feeds = await feedsNow(pool, Math.floor(now() / 1000));
      const all = await guides();
      return [
        ...feeds.map((feed) => ({ kind: 'feed', key: feed.address, ...feed })),
        ...all.map((guide) => ({ kind: 'guide', key: (guide as { market: string }).market, ...guide })),
      ];
    };
    // A price that is too old to count says so without any news.
    return this.list(
      ['prices'],
      { channel: 'prices' },
      { load, changesAt: () => now() + PRICES_MILLIS, shared: true },
    );
  }

  /** The network at one glance, as one item. */
  overview(): Topic {
    const { overview, now } = this.deps;
    return this.list(
      ['overview'],
      { channel: 'overview' },
      {
        load: async () => [{ key: 'network', ...(await overview.news()) }],
        changesAt: () => now() + OVERVIEW_MILLIS,
        shared: true,
      },
    );
  }

  /** A wallet's own; readings of one of its meters where that is named. */
  own(channel: 'readings' | 'orders' | 'balances' | 'settlements', wallet: string): Topic {
    const { pool, now } = this.deps;
    const sources: Record<typeof channel, ListSource> = {
      readings: { load: () => walletReadings(pool, wallet) },
      orders: {
        load: async () => {
          const query = { owner: wallet, limit: LIST_ITEMS };
          return (await ordersPage(pool, query, Math.floor(now() / 1000))).items;
        },
        changesAt: (items) => nextExpiry(items),
      },
      balances: { load: async () => (await balancesOf(pool, wallet)).balances },
      settlements: {
        load: async () => (await settlementsPage(pool, wallet, { limit: LIST_ITEMS })).items,
      },
    };
    return this.list([channel, wallet], { channel }, sources[channel]);
  }

  /** Readings of one meter: those of the time in which it was the wallet's, or all. */
  meterReadings(meterId: string, wallet: string | undefined): Topic {
    const load = () => meterReadings(this.deps.pool, meterId, wallet);
    return this.list(['meter', meterId, wallet ?? ''], { channel: 'readings', meter_id: meterId }, { load });
  }

  operators(channel: 'alerts' | 'reviews' | 'fleet'): Topic {
    const { pool, fleet, now } = this.deps;
    const sources: Record<typeof channel, ListSource> = {
      alerts: {
        load: async () =>
          (await listAlerts(pool, { status: 'open', min_severity: 'info', limit: LIST_ITEMS })).items,
      },
      reviews: { load: async () => (await listReviews(pool, { status: 'open', limit: LIST_ITEMS })).items },
      // Gateways fall silent without any news.
      fleet: {
        load: async () => [{ key: 'summary', ...(await fleet.summary()) }],
        changesAt: () => now() + FLEET_MILLIS,
        shared: true,
      },
    };
    return this.list([channel], { channel }, sources[channel]);
  }

  /** Power of each of a wallet's meters; of the network, as one item, without a wallet. */
  power(wallet: string | undefined): Topic {
    const { fleet, now } = this.deps;
    const load = () =>
      wallet === undefined
        ? fleet.networkPower().then((power) => [{ meter_id: 'network', ...power }])
        : fleet.walletPower(wallet, LIST_ITEMS);
    return this.list(
      ['power', wallet ?? ''],
      { channel: 'power' },
      { load, changesAt: () => now() + FLEET_MILLIS },
    );
  }

  /** What passes, as far as it fits the filter. */
  traffic(filter: TrafficFilter = {}): Topic {
    const { meter, kinds, outcome } = filter;
    const key = JSON.stringify([meter, kinds && [...new Set(kinds)].toSorted(), outcome]);
    const known = this.streams.get(key);
    if (known) return known;
    const stream = new TrafficTopic(filter, this.deps.metrics);
    this.streams.set(key, stream);
    return stream;
  }

  /** Readings that ingestion has decided about: some of them are shown to operators. */
  see(readings: readonly Seen[]): void {
    if (this.streams.size === 0) return;
    for (const reading of readings) this.show(seenTraffic(reading));
  }

  /** Another message; readings are shown once they are decided about. */
  pass(message: PassingMessage): void {
    if (this.streams.size === 0) return;
    if (message.kind === 'reading' && message.refused === undefined) return;
    this.show(passingTraffic(message));
  }

  private show(traffic: Traffic): void {
    let item: LiveItem | undefined;
    for (const stream of this.streams.values()) {
      if (!stream.wants(traffic)) continue;
      if (item === undefined) {
        this.passed += 1;
        item = { key: String(this.passed), time: new Date(this.deps.now()).toISOString(), ...traffic.item() };
      }
      stream.show(item);
    }
  }

  private list(keys: readonly string[], name: TopicName, source: ListSource): ListTopic {
    const key = keys.join('/');
    const known = this.lists.get(key);
    if (known) return known;
    const { logger, metrics, now } = this.deps;
    const ask = <T>(question: () => Promise<T>) => this.ask(question);
    const topic = new ListTopic(name, source, { logger, metrics, now, ask });
    this.lists.set(key, topic);
    return topic;
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.asking >= QUESTIONS) await new Promise<void>((resolve) => this.askers.push(resolve));
    else this.asking += 1;
    try {
      return await question();
    } finally {
      const next = this.askers.shift();
      if (next) next();
      else this.asking -= 1;
    }
  }

  private sweep(): void {
    const now = performance.now();
    for (const [key, stream] of this.streams) {
      stream.flush();
      if (stream.isIdle(now, IDLE_MILLIS)) this.streams.delete(key);
    }
    for (const [key, list] of this.lists) {
      if (list.subscriptions.size > 0) list.idleSince = undefined;
      else if (list.idleSince === undefined) list.idleSince = now;
      else if (now - list.idleSince > IDLE_MILLIS) {
        this.lists.delete(key);
        void list.stop();
      }
    }
  }

  private mark(...keys: string[]): void {
    this.lists.get(keys.join('/'))?.changed();
  }

  private markAll(prefix = ''): void {
    for (const [key, list] of this.lists) if (key.startsWith(prefix)) list.changed();
  }

  private hear(change: Change): void {
    switch (change.kind) {
      case 'transaction':
        for (const { name, data } of change.events) this.hearEvent(name, data);
        break;
      case 'undone':
      case 'gap':
        this.markAll();
        break;
      case 'orders':
        this.lookUp('orders', ORDER_OWNERS, [...change.addresses]);
        break;
      case 'readings':
        this.hearMeters(change.meterIds);
        break;
      case 'balances':
        for (const wallet of change.wallets) this.mark('balances', wallet);
        break;
      case 'alert':
        this.mark('alerts');
        break;
      case 'review':
        this.mark('reviews');
        break;
      case 'guide':
        this.mark('prices');
        break;
    }
  }

  private hearEvent(name: string, data: Record<string, unknown>): void {
    if (PRICE_EVENTS.has(name)) this.mark('prices');
    if (name === 'TradeExecuted') {
      this.mark('trades', '');
      this.mark('trades', String(data.market));
    }
    const channels = EVENT_CHANNELS[name];
    if (channels === undefined) return;
    const wallets = new Set([data.owner, data.seller, data.buyer, data.oldOwner, data.newOwner]);
    for (const wallet of wallets) {
      if (typeof wallet !== 'string') continue;
      for (const channel of channels) this.mark(channel, wallet);
    }
  }

  private hearMeters(meterIds: readonly string[]): void {
    for (const meterId of meterIds) this.markAll(`meter/${meterId}/`);
    const wanted = [...this.lists.keys()].some(
      (key) => key.startsWith('readings/') || key.startsWith('settlements/'),
    );
    if (!wanted) return;
    // One question for all meters that are told while the one before is answered.
    const first = this.meters.size === 0;
    for (const meterId of meterIds) this.meters.add(meterId);
    if (!first) return;
    setImmediate(() => {
      const ids = [...this.meters];
      this.meters = new Set();
      this.lookUp('readings', METER_OWNERS, ids);
      this.lookUp('settlements', METER_OWNERS, ids);
    });
  }

  /** Marks the lists of the wallets that a question finds; all of the channel when it cannot be answered. */
  private lookUp(channel: string, question: string, ids: string[]): void {
    if (![...this.lists.keys()].some((key) => key.startsWith(`${channel}/`))) return;
    const found = this.ask(() => this.deps.pool.query<{ wallet: string }>(question, [ids])).then(
      ({ rows }) => {
        for (const { wallet } of rows) this.mark(channel, wallet);
      },
      (error: unknown) => {
        this.deps.logger.debug({ err: error }, 'whose rows have changed cannot be read');
        this.markAll(`${channel}/`);
      },
    );
    this.lookUps.add(found);
    void found.finally(() => this.lookUps.delete(found));
  }
}

/** When the next open order expires. */
function nextExpiry(items: readonly LiveItem[]): number | undefined {
  const times = items
    .filter(({ status }) => status === 'open')
    .map(({ expires_at }) => Date.parse(String(expires_at)));
  return times.length === 0 ? undefined : Math.min(...times);
}
