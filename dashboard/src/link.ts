import {
  BookReplica,
  LIVE_PATH,
  ListReplica,
  type LiveChannel,
  LiveFrame,
  type LiveItem,
  type LiveLevel,
} from '@gridtokenx/protocol';
import { type Signal, signal } from '@preact/signals';
import { credentials } from './api.js';

export type LinkState = 'connecting' | 'up' | 'down';

/** Which of the traffic is to be told. */
export interface TrafficFilter {
  /** Beginning of a meter's id. */
  readonly meter?: string;
  readonly kinds?: readonly string[];
  readonly outcome?: string;
}

/** What a subscription is about. */
export interface Topic {
  readonly channel: LiveChannel;
  readonly market?: string;
  readonly meterId?: string;
  /** Of `traffic`. */
  readonly filter?: TrafficFilter;
}

/** News of a topic, as the page shows it. */
export interface Followed {
  readonly asks: readonly LiveLevel[];
  readonly bids: readonly LiveLevel[];
  readonly items: readonly LiveItem[];
  /** Why there are none: the collector's words. */
  readonly problem: string | undefined;
  readonly ready: boolean;
}

const NOTHING: Followed = { asks: [], bids: [], items: [], problem: undefined, ready: false };
const PRIVATE: ReadonlySet<LiveChannel> = new Set([
  'readings',
  'orders',
  'balances',
  'settlements',
  'alerts',
  'reviews',
  'traffic',
  'power',
  'fleet',
]);
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 45_000;

class Subscription {
  private static made = 0;
  /** What its requests are called. */
  readonly number = ++Subscription.made;
  readonly news: Signal<Followed> = signal(NOTHING);
  users = 0;
  private readonly book = new BookReplica();
  private readonly list: ListReplica;

  constructor(readonly topic: Topic) {
    this.list = new ListReplica(topic.channel);
  }

  get key(): string {
    return keyOf(this.topic);
  }

  request(op: 'subscribe' | 'unsubscribe'): Record<string, unknown> {
    const { channel, market, meterId, filter } = this.topic;
    const last = channel === 'book' ? this.book.position : this.list.position;
    return {
      op,
      id: this.number,
      channel,
      ...(market !== undefined && { market }),
      ...(meterId !== undefined && { meter_id: meterId }),
      ...(op === 'subscribe' && filter !== undefined && { filter }),
      ...(op === 'subscribe' && last !== undefined && { last }),
    };
  }

  /** False: something was missed. */
  apply(frame: Extract<LiveFrame, { type: 'snapshot' | 'delta' | 'event' }>): boolean {
    const replica = this.topic.channel === 'book' ? this.book : this.list;
    const outcome = replica.apply(frame);
    if (outcome === 'applied') {
      this.news.value =
        this.topic.channel === 'book'
          ? { ...NOTHING, asks: this.book.asks, bids: this.book.bids, ready: true }
          : { ...NOTHING, items: this.list.items, ready: true };
    }
    return outcome !== 'missed';
  }

  fail(problem: string): void {
    this.news.value = { ...this.news.value, problem, ready: true };
  }
}

function keyOf({ channel, market = '', meterId = '', filter }: Topic): string {
  return [channel, market, meterId, filter === undefined ? '' : JSON.stringify(filter)].join(' ');
}

/**
 * The page's one connection to the collector's WebSocket. It connects again by itself, subscribes again to everything that
 * is on show, and resumes where it was.
 */
export class Link {
  readonly state: Signal<LinkState> = signal<LinkState>('connecting');
  private readonly subscriptions = new Map<string, Subscription>();
  private socket: WebSocket | undefined;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setInterval> | undefined;
  private heardAt = 0;

  constructor(private readonly url: string) {}

  start(): void {
    this.watchdog = setInterval(() => this.watch(), 10_000);
    globalThis.addEventListener?.('online', () => this.connect());
    this.connect();
  }

  stop(): void {
    clearInterval(this.watchdog);
    clearTimeout(this.timer);
    this.socket?.close();
  }

  /** Follows a topic as long as the returned function has not been called. */
  follow(topic: Topic): { news: Signal<Followed>; end: () => void } {
    const key = keyOf(topic);
    let subscription = this.subscriptions.get(key);
    if (!subscription) {
      subscription = new Subscription(topic);
      this.subscriptions.set(key, subscription);
      this.send(subscription.request('subscribe'));
    }
    subscription.users += 1;
    const { news } = subscription;
    return { news, end: () => this.leave(key) };
  }

  /** Logged in or out: what is private begins anew. */
  async loginChanged(): Promise<void> {
    for (const subscription of this.subscriptions.values())
      if (PRIVATE.has(subscription.topic.channel)) subscription.news.value = NOTHING;
    this.socket?.close();
    this.connect();
  }

  private leave(key: string): void {
    const subscription = this.subscriptions.get(key);
    if (!subscription) return;
    subscription.users -= 1;
    if (subscription.users > 0) return;
    this.subscriptions.delete(key);
    this.send(subscription.request('unsubscribe'));
  }

  private send(message: Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private connect(): void {
    clearTimeout(this.timer);
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => void this.opened(socket);
    socket.onmessage = (event) => this.heard(socket, event.data);
    socket.onclose = () => this.closed(socket);
  }

  private async opened(socket: WebSocket): Promise<void> {
    const token = await credentials.token().catch(() => undefined);
    if (this.socket !== socket) return;
    this.heardAt = Date.now();
    this.failures = 0;
    this.state.value = 'up';
    const operator = credentials.password();
    if (token !== undefined) this.send({ op: 'auth', id: 'auth', access_token: token });
    else if (operator !== undefined) this.send({ op: 'password', id: 'password', ...operator });
    for (const subscription of this.subscriptions.values()) this.send(subscription.request('subscribe'));
  }

  private heard(socket: WebSocket, data: unknown): void {
    if (this.socket !== socket) return;
    this.heardAt = Date.now();
    const frame = LiveFrame.safeParse(typeof data === 'string' ? JSON.parse(data) : undefined);
    if (!frame.success) return;
    const news = frame.data;
    if ('error' in news && 'id' in news) {
      this.numbered(news.id)?.fail(news.error.message);
      return;
    }
    if (!('channel' in news)) return;
    const { channel, market, meter_id: meterId } = news;
    const ofChannel = [...this.subscriptions.values()].filter(({ topic }) => topic.channel === channel);
    const subscription =
      ofChannel.find(({ topic }) => topic.market === market && topic.meterId === meterId) ??
      ofChannel.find(({ topic }) => topic.market === undefined && topic.meterId === undefined);
    if (!subscription) return;
    if (news.type === 'ended') {
      subscription.fail(news.error.message);
      return;
    }
    if (!subscription.apply(news)) this.send(subscription.request('subscribe'));
  }

  private numbered(id: unknown): Subscription | undefined {
    return [...this.subscriptions.values()].find(({ number }) => number === id);
  }

  private closed(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.state.value = 'down';
    this.failures += 1;
    // Many pages lose the collector at once: they do not come back at once.
    const wait = Math.min(500 * 2 ** this.failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  /** A connection that died without a word is given up. */
  private watch(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.heardAt > SILENCE_MS) {
      const dead = this.socket;
      dead.onclose = null;
      dead.close();
      this.closed(dead);
    } else this.send({ op: 'ping', id: 'ping' });
  }
}

export const link = new Link(`${globalThis.location?.origin.replace(/^http/, 'ws') ?? ''}${LIVE_PATH}`);
