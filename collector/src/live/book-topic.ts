import { type LivePosition, nkwhToKwh } from '@gridtokenx/protocol';
import type { PriceLevel } from '../market/index.js';
import type { LiveDelta, LiveSnapshot } from '../matching/index.js';
import type { LiveMetrics } from './metrics.js';
import { KEEP_MUCH, Topic, type TopicState } from './topic.js';

/** What the book's topics need of the live books. */
export interface Books {
  snapshot(market: string, depth?: number): LiveSnapshot;
  onDelta(listener: (market: string, delta: LiveDelta) => void): () => void;
  onReset(listener: (market: string, epoch: string) => void): () => void;
}

/** After a change the next one waits at least this long, and takes all that came meanwhile with it. */
const PAUSE_MILLIS = 20;
/** And this many times as long as sending took, so that sending never takes more than half of the time. */
const PAUSE_FACTOR = 1;

interface Pending extends LivePosition {
  after: number;
  asks: Map<bigint, PriceLevel>;
  bids: Map<bigint, PriceLevel>;
}

/** The order book of one market, under the epochs and sequence numbers of `LiveBooks`. */
export class BookTopic extends Topic {
  private pending: Pending | undefined;
  private timer: NodeJS.Timeout | undefined;
  private nextMillis = 0;

  constructor(
    private readonly market: string,
    private readonly books: Books,
    metrics: LiveMetrics,
  ) {
    super({ channel: 'book', market }, metrics, KEEP_MUCH);
  }

  /** A change of the book. Changes that come close together are sent as one: levels are told as they are. */
  take(delta: LiveDelta): void {
    const { epoch, sequence } = delta;
    if (this.pending?.epoch !== epoch) {
      this.pending = { epoch, sequence, after: sequence - 1, asks: new Map(), bids: new Map() };
    }
    const { pending } = this;
    pending.sequence = sequence;
    for (const side of ['asks', 'bids'] as const) {
      for (const level of delta[side]) pending[side].set(level.price, level);
    }
    this.timer ??= setTimeout(() => this.flush(), Math.max(0, this.nextMillis - performance.now()));
  }

  /** The book was made anew. */
  reset(): void {
    this.pending = undefined;
    this.resync();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private flush(): void {
    this.timer = undefined;
    const { pending } = this;
    if (pending === undefined) return;
    this.pending = undefined;
    const begin = performance.now();
    this.publish('delta', pending, levelsText([...pending.asks.values()], [...pending.bids.values()]));
    const end = performance.now();
    this.nextMillis = end + Math.max(PAUSE_MILLIS, PAUSE_FACTOR * (end - begin));
  }

  protected position(): LivePosition {
    const { epoch, sequence } = this.books.snapshot(this.market, 0);
    return { epoch, sequence };
  }

  protected state(): TopicState {
    const { epoch, sequence, asks, bids } = this.books.snapshot(this.market);
    return { epoch, sequence, data: levelsText(asks, bids) };
  }

  protected override announces(last: LivePosition): boolean {
    const { pending } = this;
    return pending !== undefined && pending.epoch === last.epoch && pending.after <= last.sequence;
  }
}

function levelsText(asks: readonly PriceLevel[], bids: readonly PriceLevel[]): string {
  const text = (levels: readonly PriceLevel[]) =>
    levels
      .map(
        ({ price, amount, orders }) =>
          `{"price":"${nkwhToKwh(price)}","amount":"${nkwhToKwh(amount)}","orders":${orders}}`,
      )
      .join(',');
  return `{"asks":[${text(asks)}],"bids":[${text(bids)}]}`;
}
