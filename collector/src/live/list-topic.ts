import { randomUUID } from 'node:crypto';
import { type LiveItem, type LivePosition, liveKey } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import type { LiveMetrics } from './metrics.js';
import { KEEP_LITTLE, KEEP_MUCH, Topic, type TopicName, type TopicState } from './topic.js';

/** Items of a snapshot. Whoever wants more asks for pages over HTTP. */
export const LIST_ITEMS = 100;
/** News that come close together are read and told together. */
const REFRESH_PAUSE_MILLIS = 50;
const FIRST_RETRY_MILLIS = 250;
const LONGEST_RETRY_MILLIS = 10_000;

export interface ListTopicDeps {
  logger: Logger;
  metrics: LiveMetrics;
  /** Runs a question to the database when there is room for one. */
  ask: <T>(question: () => Promise<T>) => Promise<T>;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** How a list is read: its newest items, newest first, at most `LIST_ITEMS`. */
export interface ListSource {
  load: () => Promise<readonly LiveItem[]>;
  /** Many follow it. */
  shared?: boolean;
  /** Unix milliseconds at which the list changes by itself, if it does. */
  changesAt?: (items: readonly LiveItem[]) => number | undefined;
}

/**
 * A list whose rows are in the database. News are found by reading it again and comparing: so a change that is announced
 * twice, late or together with others is told once and rightly, and one that was not announced is told with the next.
 */
export class ListTopic extends Topic {
  private readonly epoch = randomUUID();
  private sequence = 0;
  /** Key and JSON of each item, newest first; undefined before the first reading. */
  private items: Map<string, string> | undefined;
  private dirty = false;
  private timer: NodeJS.Timeout | undefined;
  private timed: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> | undefined;
  private failures = 0;
  private stopped = false;
  /** When the last subscriber left, for whoever removes topics that nobody needs. */
  idleSince: number | undefined;

  constructor(
    name: TopicName,
    private readonly source: ListSource,
    private readonly deps: ListTopicDeps,
  ) {
    super(name, deps.metrics, source.shared ? KEEP_MUCH : KEEP_LITTLE);
  }

  /** The rows may have changed. */
  changed(): void {
    this.dirty = true;
    this.refreshIn(this.items === undefined ? 0 : REFRESH_PAUSE_MILLIS);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.timed);
    await this.refreshing;
  }

  private refreshIn(millis: number): void {
    if (this.stopped || this.timer !== undefined || this.refreshing !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.refreshing = this.refresh().finally(() => {
        this.refreshing = undefined;
        if (!this.dirty) return;
        const wait = FIRST_RETRY_MILLIS * 2 ** Math.min(this.failures - 1, 10);
        this.refreshIn(this.failures > 0 ? Math.min(wait, LONGEST_RETRY_MILLIS) : REFRESH_PAUSE_MILLIS);
      });
    }, millis);
  }

  private async refresh(): Promise<void> {
    this.dirty = false;
    let rows: readonly LiveItem[];
    try {
      rows = await this.deps.ask(this.source.load);
      this.failures = 0;
    } catch (error) {
      this.failures += 1;
      this.dirty = true;
      const level = this.failures === 1 ? 'warn' : 'debug';
      this.deps.logger[level]({ err: error, topic: this.name }, 'news for WebSocket clients cannot be read');
      return;
    }
    if (this.stopped) return;
    this.watchClock(rows);
    const before = this.items;
    this.items = new Map(rows.map((row) => [liveKey(this.name.channel, row), JSON.stringify(row)]));
    if (before === undefined) {
      this.resync();
      return;
    }
    const news = [...this.items].filter(([key, text]) => before.get(key) !== text).map(([, text]) => text);
    const removed = removedKeys(before, this.items);
    if (news.length === 0 && removed.length === 0) return;
    const after = this.sequence;
    this.sequence += 1;
    const data = `{"items":[${news.join(',')}],"removed":${JSON.stringify(removed)}}`;
    this.publish('event', { epoch: this.epoch, after, sequence: this.sequence }, data);
  }

  private watchClock(rows: readonly LiveItem[]): void {
    clearTimeout(this.timed);
    const at = this.source.changesAt?.(rows);
    if (at === undefined) return;
    // A timer holds at most 2^31 - 1 ms; it is set again when it has run.
    const wait = Math.min(Math.max(at - this.deps.now(), 100), 3_600_000);
    this.timed = setTimeout(() => this.changed(), wait);
    this.timed.unref();
  }

  protected position(): LivePosition | undefined {
    if (this.items !== undefined) return { epoch: this.epoch, sequence: this.sequence };
    this.changed();
    return undefined;
  }

  protected state(): TopicState | undefined {
    const at = this.position();
    if (at === undefined || this.items === undefined) return undefined;
    return { ...at, data: `{"items":[${[...this.items.values()].join(',')}]}` };
  }
}

/**
 * Keys of the items that are gone. Those that only made room for newer ones are not: they stand behind all that stayed.
 */
function removedKeys(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const gone = [...before.keys()].filter((key) => !now.has(key));
  if (now.size < LIST_ITEMS) return gone;
  const keys = [...before.keys()];
  const lastKept = keys.findLastIndex((key) => now.has(key));
  return gone.filter((key) => keys.indexOf(key) < lastKept);
}

/** Things that were only seen, not stored: the newest of them, as they come. */
export class StreamTopic extends Topic {
  constructor(name: TopicName, metrics: LiveMetrics) {
    super(name, metrics, KEEP_LITTLE);
  }

  private readonly epoch = randomUUID();
  private sequence = 0;
  private items: string[] = [];

  add(items: readonly LiveItem[]): void {
    if (items.length === 0) return;
    const texts = items.map((item) => JSON.stringify(item));
    this.items = [...texts, ...this.items].slice(0, LIST_ITEMS);
    const after = this.sequence;
    this.sequence += 1;
    const data = `{"items":[${texts.join(',')}],"removed":[]}`;
    this.publish('event', { epoch: this.epoch, after, sequence: this.sequence }, data);
  }

  protected position(): LivePosition {
    return { epoch: this.epoch, sequence: this.sequence };
  }

  protected state(): TopicState {
    return { ...this.position(), data: `{"items":[${this.items.join(',')}]}` };
  }
}
