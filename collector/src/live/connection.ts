import type { Duplex } from 'node:stream';
import {
  errorBody,
  formatTimestamp,
  GtxError,
  LIVE_CLOSE,
  type LivePosition,
  LiveRequest,
  parseJsonWith,
  type TrafficFilter,
} from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../login/index.js';
import { storageFailure } from '../store/errors.js';
import { Bucket, type LiveLimits } from './limits.js';
import type { LiveMetrics } from './metrics.js';
import { type Receiver, Subscription, type Topic, type TopicName } from './topic.js';

export interface ConnectionDeps {
  /** @throws GtxError UNAUTHENTICATED; or the database's error */
  authenticate: (accessToken: string) => Promise<Principal>;
  /** @throws GtxError UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED */
  operator: (username: string, password: string) => Promise<Principal>;
  /**
   * The topic that is asked for.
   * @throws GtxError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, INVALID_BODY; or the database's error
   */
  topic: (name: TopicName, principal: Principal | undefined, filter?: TrafficFilter) => Promise<Topic>;
  limits: LiveLimits;
  metrics: LiveMetrics;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

type Subscribe = Extract<LiveRequest, { op: 'subscribe' }>;

/** Bytes that wait for a client, as a part of the limit, when it counts as having caught up. */
const CAUGHT_UP = 4;
/** Requests that wait for the database. */
const MAX_REQUESTS = 16;
/** A page that is open for weeks is refused now and then. */
const REFUSALS_PER_SECOND = 0.1;
/** For a closing handshake before the connection is cut. */
const CLOSE_MILLIS = 2_000;

const PUBLIC: ReadonlySet<string> = new Set(['book', 'trades', 'prices', 'overview']);
const OPERATORS: ReadonlySet<string> = new Set(['alerts', 'reviews', 'traffic', 'fleet']);

/** One client of the WebSocket: its login, its subscriptions, and how far behind it is. */
export class LiveConnection implements Receiver {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly waiting = new Set<Subscription>();
  private readonly bucket: Bucket;
  private readonly patience: Bucket;
  /** Since when it is behind, by a clock that does not go back. */
  private behindSince: number | undefined;
  private requests: Promise<void> = Promise.resolve();
  private requestsWaiting = 0;
  private alive = true;
  private closing = false;
  /** Who logged in with `auth`. */
  private login: Principal | undefined;

  /**
   * @param stream what the WebSocket was made on
   * @param from who it is without `auth`: an operator by password or by this machine, or nobody; `password` changes it
   */
  constructor(
    private readonly socket: WebSocket,
    private readonly stream: Duplex,
    private from: Principal | undefined,
    private readonly deps: ConnectionDeps,
  ) {
    const { burst, framesPerSecond, refusals } = deps.limits;
    this.bucket = new Bucket(burst, framesPerSecond);
    this.patience = new Bucket(refusals, REFUSALS_PER_SECOND);
    socket.on('message', (data, binary) => this.receive(data, binary));
    socket.on('pong', () => {
      this.alive = true;
    });
    // Broken frames, too long ones, a connection that is reset: `ws` closes it, and `close` follows.
    socket.on('error', (error) => deps.logger.debug({ reason: error.message }, 'a WebSocket client failed'));
    socket.on('close', () => this.endAll());
  }

  /** The login that private subscriptions depend on; undefined without one, and for what does not end. */
  get session(): { id: string; expiresAt: number } | undefined {
    const { login } = this;
    return login?.expiresAt === undefined ? undefined : { id: login.sessionId, expiresAt: login.expiresAt };
  }

  // --- sending

  /**
   * Whole frames go past the library, which writes its own whole and at once too (it does not compress here), so that
   * the two never mix.
   */
  deliver(frame: Buffer): boolean {
    if (this.behindSince !== undefined || this.closing || this.socket.readyState !== this.socket.OPEN)
      return false;
    if (this.stream.writableLength > this.deps.limits.bufferedBytes) return false;
    this.stream.write(frame);
    return true;
  }

  behind(subscription: Subscription): void {
    this.waiting.add(subscription);
    this.behindSince ??= performance.now();
  }

  /** Looks whether a client that was behind has caught up, or never will. */
  look(): void {
    if (this.behindSince === undefined || this.closing) return;
    const { limits, metrics } = this.deps;
    if (this.stream.writableLength <= limits.bufferedBytes / CAUGHT_UP) {
      this.behindSince = undefined;
      const waiting = [...this.waiting];
      this.waiting.clear();
      for (const subscription of waiting) subscription.topic.sendSnapshot(subscription);
    } else if (performance.now() - this.behindSince > limits.drainMillis) {
      metrics.closed.inc({ reason: 'slow' });
      void this.close(LIVE_CLOSE.tooSlow, 'the connection takes nothing');
    }
  }

  private answer(frame: object): void {
    if (this.closing) return;
    // Answers are few, since requests are limited; a client that reads none of them is cut off.
    if (this.stream.writableLength > 2 * this.deps.limits.bufferedBytes) {
      this.deps.metrics.closed.inc({ reason: 'slow' });
      void this.close(LIVE_CLOSE.tooSlow, 'the connection takes nothing');
      return;
    }
    this.socket.send(JSON.stringify(frame));
  }

  // --- receiving

  private receive(data: RawData, binary: boolean): void {
    if (this.closing) return;
    const { metrics } = this.deps;
    if (binary) {
      metrics.closed.inc({ reason: 'abuse' });
      void this.close(LIVE_CLOSE.binary, 'frames are text');
      return;
    }
    if (!this.bucket.take(performance.now())) {
      this.refuse(null, new GtxError('RATE_LIMITED', 'too many frames', { retry_after_seconds: 1 }));
      return;
    }
    let request: LiveRequest;
    try {
      request = parseJsonWith(LiveRequest, data as Buffer);
    } catch (error) {
      this.refuse(idOf(data as Buffer), error);
      return;
    }
    if (this.requestsWaiting >= MAX_REQUESTS) {
      this.refuse(request.id ?? null, new GtxError('RATE_LIMITED', 'earlier requests are not answered yet'));
      return;
    }
    this.requestsWaiting += 1;
    // One after the other: a subscription that follows a login finds it.
    this.requests = this.requests
      .then(() => this.handle(request))
      .catch((error: unknown) => this.refuse(request.id ?? null, error))
      .finally(() => {
        this.requestsWaiting -= 1;
      });
  }

  private refuse(id: string | number | null, error: unknown): void {
    const known = knownError(error);
    this.deps.metrics.requests.inc({ outcome: known.code });
    if (known.code === 'INTERNAL') this.deps.logger.error({ err: error }, 'a WebSocket request failed');
    this.answer({ id, ...errorBody(known) });
    if (this.patience.take(performance.now()) || this.closing) return;
    this.deps.metrics.closed.inc({ reason: 'abuse' });
    void this.close(LIVE_CLOSE.abuse, 'too many refused frames');
  }

  private async handle(request: LiveRequest): Promise<void> {
    if (this.closing) return;
    const ok = (more: object = {}) => {
      this.deps.metrics.requests.inc({ outcome: 'ok' });
      this.answer({ id: request.id ?? null, ok: true, ...more });
    };
    switch (request.op) {
      case 'ping':
        return ok({ time: new Date(this.deps.now()).toISOString() });
      case 'auth':
        return ok(await this.logIn(request.access_token));
      case 'password': {
        this.from = await this.deps.operator(request.username, request.password);
        return ok({ wallet: null, roles: this.from.roles, expires_at: null });
      }
      case 'subscribe':
        return this.subscribe(request, ok);
      case 'unsubscribe': {
        const key = keyOf(request);
        const subscription = this.subscriptions.get(key);
        if (subscription === undefined) throw new GtxError('NOT_FOUND', 'there is no such subscription');
        this.end(key, subscription);
        return ok();
      }
    }
  }

  private async logIn(accessToken: string): Promise<object> {
    const before = this.login;
    const login = await this.deps.authenticate(accessToken);
    this.login = login;
    if (before !== undefined && before.wallet !== login.wallet) {
      this.endPrivate(new GtxError('FORBIDDEN', 'the connection has logged in as somebody else'));
    }
    return {
      wallet: login.wallet ?? null,
      roles: login.roles,
      expires_at: login.expiresAt === undefined ? null : formatTimestamp(login.expiresAt),
    };
  }

  /** Who asks: with what the login allows, and what coming from this machine, or with a password, does. */
  private principal(): Principal | undefined {
    const { login, from } = this;
    if (login === undefined || from === undefined) return login ?? from;
    return { ...login, roles: [...new Set([...login.roles, ...from.roles])] };
  }

  private async subscribe(request: Subscribe, ok: () => void): Promise<void> {
    const key = keyOf(request);
    const { limits, metrics } = this.deps;
    const known = this.subscriptions.get(key);
    if (known === undefined && this.subscriptions.size >= limits.subscriptionsPerClient) {
      throw new GtxError('RATE_LIMITED', `at most ${limits.subscriptionsPerClient} subscriptions`);
    }
    const { login } = this;
    const { channel, market, meter_id } = request;
    const name = { channel, ...(market && { market }), ...(meter_id && { meter_id }) };
    const topic = await this.deps.topic(name, this.principal(), request.filter);
    // Looking a meter up takes a while: the login it was done for may be over.
    if (this.closing) return;
    if (this.login !== login) throw new GtxError('UNAUTHENTICATED', 'the login has ended');
    if (known) this.end(key, known);
    const subscription = new Subscription(topic, this);
    this.subscriptions.set(key, subscription);
    metrics.subscriptions.inc({ channel });
    ok();
    topic.begin(subscription, request.last as LivePosition | undefined);
  }

  // --- ending

  /** The login is over: what depends on it ends, and the client may log in again. */
  expire(): void {
    if (this.login === undefined) return;
    this.login = undefined;
    this.endPrivate(new GtxError('UNAUTHENTICATED', 'the login has ended: refresh it and send auth again'));
  }

  private endPrivate(error: GtxError): void {
    for (const [key, subscription] of this.subscriptions) {
      const { channel } = subscription.topic.name;
      if (PUBLIC.has(channel) || (OPERATORS.has(channel) && this.from !== undefined)) continue;
      this.end(key, subscription);
      this.answer({ ...subscription.topic.name, type: 'ended', ...errorBody(error) });
    }
  }

  private end(key: string, subscription: Subscription): void {
    subscription.topic.end(subscription);
    this.waiting.delete(subscription);
    this.subscriptions.delete(key);
    this.deps.metrics.subscriptions.dec({ channel: subscription.topic.name.channel });
  }

  private endAll(): void {
    this.closing = true;
    for (const [key, subscription] of this.subscriptions) this.end(key, subscription);
  }

  /** Asks whether the client is there. One that has not answered the question before is cut off. */
  ping(): void {
    if (this.closing) return;
    if (!this.alive) {
      this.deps.metrics.closed.inc({ reason: 'silent' });
      this.socket.terminate();
      return;
    }
    this.alive = false;
    this.socket.ping();
  }

  /** Closes the connection; resolves when it is gone, which is soon whatever the client does. */
  close(code: number, reason: string): Promise<void> {
    this.endAll();
    return new Promise((resolve) => {
      if (this.socket.readyState === this.socket.CLOSED) {
        resolve();
        return;
      }
      const timer = setTimeout(() => this.socket.terminate(), CLOSE_MILLIS);
      this.socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.socket.close(code, reason);
    });
  }
}

function keyOf({
  channel,
  market,
  meter_id,
}: {
  channel: string;
  market?: string | undefined;
  meter_id?: string | undefined;
}): string {
  return `${channel}/${market ?? ''}/${meter_id ?? ''}`;
}

/** The id of a frame that is refused, if one can be made out. */
function idOf(data: Buffer): string | number | null {
  try {
    const id: unknown = JSON.parse(data.toString('utf8')).id;
    return (typeof id === 'string' && id.length <= 64) || Number.isInteger(id) ? (id as string) : null;
  } catch {
    // Not JSON, or nothing with an id: the answer goes without one.
    return null;
  }
}

function knownError(error: unknown): GtxError {
  if (error instanceof GtxError) return error;
  if (storageFailure(error) === 'unavailable') return new GtxError('STORAGE_UNAVAILABLE');
  return new GtxError('INTERNAL');
}
