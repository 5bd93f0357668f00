import {
  BookReplica,
  LIVE_PATH,
  ListReplica,
  type LiveAnswer,
  type LiveChannel,
  LiveFrame,
  type LiveItem,
  type LiveLevel,
  type LiveRefusal,
} from '@gridtokenx/protocol';
import { type Signal, signal } from '@preact/signals';
import { ApiError, collectorNow, credentials, EARLY_MS } from './api.js';

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
  /** Why there are none. */
  readonly problem: ApiError | undefined;
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
/** A login is not renewed more often than this: the last one of a session ends with it, however often it is renewed. */
const SOONEST_MS = 5_000;
/** What was refused for now is asked for again after a second, two, four, up to this. */
const LONGEST_PAUSE_MS = 30_000;

/** @param failures so far */
function pause(failures: number, error?: LiveRefusal['error']): number {
  const told = Number(error?.details.retry_after_seconds ?? 0) * 1_000;
  return Math.max(Math.min(1_000 * 2 ** failures, LONGEST_PAUSE_MS), told) * (1 + Math.random() / 2);
}

class Subscription {
  private static made = 0;
  /** What its requests are called. */
  readonly number = ++Subscription.made;
  readonly news: Signal<Followed> = signal(NOTHING);
  users = 0;
  /** `asked`: without an answer yet; `lost`: refused, or ended. */
  state: 'asked' | 'on' | 'lost' = 'asked';
  /** In a row. */
  refusals = 0;
  timer: ReturnType<typeof setTimeout> | undefined;
  private book = new BookReplica();
  private list: ListReplica;

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
      this.begun();
      this.news.value =
        this.topic.channel === 'book'
          ? { ...NOTHING, asks: this.book.asks, bids: this.book.bids, ready: true }
          : { ...NOTHING, items: this.list.items, ready: true };
    }
    return outcome !== 'missed';
  }

  /** The collector follows: where it has nothing to add to what is there, no news come. */
  begun(): void {
    this.state = 'on';
    this.refusals = 0;
    const { position } = this.topic.channel === 'book' ? this.book : this.list;
    if (position !== undefined && this.news.value.problem !== undefined)
      this.news.value = { ...this.news.value, problem: undefined };
  }

  fail({ code, message, details }: LiveRefusal['error']): void {
    this.state = 'lost';
    const problem = new ApiError(code, message, 0, details);
    this.news.value = { ...this.news.value, problem, ready: true };
  }

  /** What was told to somebody else is no beginning. */
  forget(): void {
    this.book = new BookReplica();
    this.list = new ListReplica(this.topic.channel);
    this.news.value = NOTHING;
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
  /** Whether this connection was told who asks, or that nobody does. */
  private introduced = false;
  /** The access token that this connection was told last. */
  private token: string | undefined;
  /** Attempts since a login was taken. */
  private logins = 0;
  private renewal: { readonly at: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  private renewing = false;
  /** Of the password, in a row. */
  private passwordRefusals = 0;
  private passwordTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly url: string) {}

  start(): void {
    this.watchdog = setInterval(() => this.watch(), 10_000);
    globalThis.addEventListener?.('online', () => this.connect());
    this.connect();
  }

  stop(): void {
    clearInterval(this.watchdog);
    clearTimeout(this.timer);
    clearTimeout(this.passwordTimer);
    this.noRenewal();
    for (const { timer } of this.subscriptions.values()) clearTimeout(timer);
    // Its end is no reason to connect again.
    if (this.socket) this.socket.onclose = null;
    this.socket?.close();
  }

  /** Follows a topic as long as the returned function has not been called. */
  follow(topic: Topic): { news: Signal<Followed>; end: () => void } {
    const key = keyOf(topic);
    let subscription = this.subscriptions.get(key);
    if (!subscription) {
      subscription = new Subscription(topic);
      this.subscriptions.set(key, subscription);
      this.ask(subscription);
    }
    subscription.users += 1;
    const { news } = subscription;
    return { news, end: () => this.leave(key) };
  }

  /** Logged in or out: what is private begins anew. */
  loginChanged(): void {
    for (const subscription of this.subscriptions.values())
      if (PRIVATE.has(subscription.topic.channel)) subscription.forget();
    this.socket?.close();
    this.connect();
  }

  private leave(key: string): void {
    const subscription = this.subscriptions.get(key);
    if (!subscription) return;
    subscription.users -= 1;
    if (subscription.users > 0) return;
    this.subscriptions.delete(key);
    clearTimeout(subscription.timer);
    if (this.introduced) this.send(subscription.request('unsubscribe'));
  }

  private send(message: Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private ask(subscription: Subscription): void {
    clearTimeout(subscription.timer);
    subscription.state = 'asked';
    // Asked for by nobody, what is private would be refused. Once it is known who asks, everything on show is asked for.
    if (this.introduced) this.send(subscription.request('subscribe'));
  }

  private connect(): void {
    clearTimeout(this.timer);
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.noRenewal();
    clearTimeout(this.passwordTimer);
    this.introduced = false;
    this.token = undefined;
    this.logins = 0;
    this.passwordRefusals = 0;
    this.renewing = false;
    socket.onopen = () => void this.opened(socket);
    socket.onmessage = (event) => this.heard(socket, event.data);
    socket.onclose = () => this.closed(socket);
  }

  private async opened(socket: WebSocket): Promise<void> {
    this.heardAt = Date.now();
    let token: string | undefined;
    try {
      token = await credentials.token();
    } catch {
      // Whoever is logged in would be nobody for as long as the connection lasts: it is tried again.
      socket.close();
      return;
    }
    if (!this.isOpen(socket)) return;
    this.failures = 0;
    this.state.value = 'up';
    // The collector allows what either of them does.
    if (token !== undefined) this.logIn(token);
    this.sendPassword();
    this.introduced = true;
    for (const subscription of this.subscriptions.values()) this.ask(subscription);
  }

  private isOpen(socket: WebSocket | undefined): boolean {
    return this.socket === socket && socket?.readyState === WebSocket.OPEN;
  }

  private logIn(token: string): void {
    this.token = token;
    this.logins += 1;
    this.send({ op: 'auth', id: 'auth', access_token: token });
  }

  private sendPassword(): void {
    const operator = credentials.password();
    if (operator !== undefined) this.send({ op: 'password', id: 'password', ...operator });
  }

  /** @param refused another token than this one is wanted; without it, the one that counts */
  private async renew(refused: string | undefined): Promise<void> {
    this.noRenewal();
    if (this.renewing) return;
    const { socket } = this;
    this.renewing = true;
    try {
      const token = await credentials.token(refused);
      if (!this.isOpen(socket)) return;
      this.renewing = false;
      if (token !== undefined) this.logIn(token);
    } catch {
      if (!this.isOpen(socket)) return;
      this.renewing = false;
      this.logins += 1;
      this.renewIn(pause(this.logins), refused);
    }
  }

  /** Or sooner, where that is due anyway. */
  private renewIn(millis: number, refused: string | undefined): void {
    const at = performance.now() + millis;
    if (this.renewal && this.renewal.at <= at) return;
    this.noRenewal();
    this.renewal = { at, timer: setTimeout(() => void this.renew(refused), millis) };
  }

  private noRenewal(): void {
    clearTimeout(this.renewal?.timer);
    this.renewal = undefined;
  }

  private heard(socket: WebSocket, data: unknown): void {
    if (this.socket !== socket) return;
    this.heardAt = Date.now();
    const frame = LiveFrame.safeParse(typeof data === 'string' ? JSON.parse(data) : undefined);
    if (!frame.success) return;
    const news = frame.data;
    if ('error' in news && 'id' in news) {
      this.refused(news);
      return;
    }
    if ('ok' in news) {
      this.granted(news);
      return;
    }
    const { channel, market, meter_id: meterId } = news;
    const ofChannel = [...this.subscriptions.values()].filter(({ topic }) => topic.channel === channel);
    const subscription =
      ofChannel.find(({ topic }) => topic.market === market && topic.meterId === meterId) ??
      ofChannel.find(({ topic }) => topic.market === undefined && topic.meterId === undefined);
    if (!subscription) return;
    if (news.type === 'ended') {
      subscription.fail(news.error);
      if (news.error.code === 'UNAUTHENTICATED' && this.token !== undefined) void this.renew(this.token);
      return;
    }
    if (!subscription.apply(news)) this.ask(subscription);
  }

  private granted({ id, expires_at: end }: LiveAnswer): void {
    if (id === 'auth') {
      this.logins = 0;
      this.noRenewal();
      if (end != null)
        this.renewIn(Math.max(Date.parse(end) - collectorNow() - EARLY_MS, SOONEST_MS), this.token);
    }
    if (id === 'password') this.passwordRefusals = 0;
    if (id === 'auth' || id === 'password') {
      for (const subscription of this.subscriptions.values())
        if (subscription.state === 'lost') this.ask(subscription);
    } else this.numbered(id)?.begun();
  }

  private refused({ id, error }: LiveRefusal): void {
    const later = error.retry === 'later';
    if (id === 'auth') {
      // Refused only for now, it still counts. The first one may have been taken for one that counts by a wrong clock.
      if (later) this.renewIn(pause(this.logins, error), undefined);
      else this.renewIn(this.logins === 1 ? 0 : pause(this.logins, error), this.token);
      return;
    }
    if (id === 'password') {
      const { socket } = this;
      clearTimeout(this.passwordTimer);
      if (later)
        this.passwordTimer = setTimeout(
          () => this.isOpen(socket) && this.sendPassword(),
          pause(this.passwordRefusals++, error),
        );
      return;
    }
    for (const subscription of this.subscriptions.values()) {
      // Whose frame it was is not known where there were too many.
      if (id === null ? !later || subscription.state !== 'asked' : subscription.number !== id) continue;
      subscription.fail(error);
      if (later) {
        clearTimeout(subscription.timer);
        subscription.timer = setTimeout(() => this.ask(subscription), pause(subscription.refusals++, error));
      } else if (error.code === 'UNAUTHENTICATED' && this.token !== undefined && !this.renewing)
        this.renewIn(pause(this.logins), this.token);
    }
  }

  private numbered(id: unknown): Subscription | undefined {
    return [...this.subscriptions.values()].find(({ number }) => number === id);
  }

  private closed(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.noRenewal();
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
