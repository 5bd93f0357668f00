import { z } from 'zod';

/*
 * Lists from the collector's API, as far as the terminal shows them. A field more than these is no error: the collector
 * may be newer than this command.
 */

const text = z.string();
const Order = z.object({
  address: text,
  owner: text,
  order_id: text,
  side: z.enum(['sell', 'buy']),
  price: text,
  amount: text,
  remaining: text,
  status: z.enum(['open', 'filled', 'cancelled', 'expired']),
  expires_at: text,
  created_at: text,
  slot: z.number(),
});
export type ListedOrder = Omit<z.infer<typeof Order>, 'slot'>;

const Trade = z.object({
  signature: text,
  seller: text,
  buyer: text,
  taker_side: z.enum(['sell', 'buy']),
  price: text,
  amount: text,
  quote: text,
  fee: text,
  executed_at: text,
  slot: z.number(),
});
export type ListedTrade = Omit<z.infer<typeof Trade>, 'slot'>;

const Level = z.object({ price: text, amount: text, orders: z.number() });
export type ListedLevel = z.infer<typeof Level>;

const Markets = z.object({ items: z.array(z.object({ address: text, slot: z.number() })) });
const Orders = z.object({ items: z.array(Order) });
const Trades = z.object({ items: z.array(Trade) });
const Book = z.object({ market: text, asks: z.array(Level), bids: z.array(Level) });
const Guides = z.object({
  guides: z.array(z.object({ market: text, price: text, imbalance_bps: z.number(), tariff_bps: z.number() })),
});
export type ListedGuide = z.infer<typeof Guides>['guides'][number];

/** Where a list is from. */
export interface Source {
  readonly from: 'collector' | 'chain';
  readonly url: string;
  /** The newest slot that it tells of; null: the collector's list does not say. */
  readonly slot: number | null;
}

/** A list together with where it is from. */
export interface Listed<T> {
  readonly source: Source;
  readonly value: T;
}

const PATIENCE_MS = 5_000;

/** A collector that knows the market in question; there may be none, and it may serve another chain. */
export class CollectorLists {
  private constructor(
    private readonly base: string,
    private readonly market: string,
    private readonly marketSlot: number,
  ) {}

  /** @returns undefined when no collector answers there that knows this market */
  static async open(httpUrl: string, market: string): Promise<CollectorLists | undefined> {
    const markets = await get(new URL('/api/markets', httpUrl), Markets);
    const known = markets?.items.find(({ address }) => address === market);
    return known && new CollectorLists(httpUrl, market, known.slot);
  }

  private at(path: string, query: Record<string, string | undefined>): URL {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries({ market: this.market, ...query }))
      if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }

  private listed<T>(value: T, slots: readonly number[] | undefined): Listed<T> {
    return {
      source: {
        from: 'collector',
        url: new URL(this.base).origin,
        slot: slots === undefined ? null : Math.max(this.marketSlot, ...slots),
      },
      value,
    };
  }

  /** Orders, newest first; undefined when the collector cannot say now. */
  async orders(query: {
    owner?: string | undefined;
    status?: string | undefined;
    limit: number;
  }): Promise<Listed<ListedOrder[]> | undefined> {
    const { limit, ...rest } = query;
    const page = await get(this.at('/api/orders', { ...rest, limit: String(limit) }), Orders);
    return (
      page &&
      this.listed(
        page.items,
        page.items.map(({ slot }) => slot),
      )
    );
  }

  /** Trades, newest first. */
  async trades(query: {
    wallet?: string | undefined;
    limit: number;
  }): Promise<Listed<ListedTrade[]> | undefined> {
    const page = await get(
      this.at('/api/trades', { wallet: query.wallet, limit: String(query.limit) }),
      Trades,
    );
    return (
      page &&
      this.listed(
        page.items,
        page.items.map(({ slot }) => slot),
      )
    );
  }

  /** The book's best levels. */
  async book(depth: number): Promise<Listed<{ asks: ListedLevel[]; bids: ListedLevel[] }> | undefined> {
    const book = await get(this.at('/api/book', { depth: String(depth) }), Book);
    return book && this.listed({ asks: book.asks, bids: book.bids }, undefined);
  }

  /** The price guide of the market; undefined when there is none now. */
  async guide(): Promise<ListedGuide | undefined> {
    const prices = await get(new URL('/api/prices', this.base), Guides);
    return prices?.guides.find(({ market }) => market === this.market);
  }
}

/** An answer of the API; undefined for none, for an error and for something else than the collector's. */
async function get<T>(url: URL, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    return schema.safeParse(await response.json()).data;
  } catch {
    // Not there, or no JSON: the chain answers instead, and the list says so.
    return undefined;
  }
}
