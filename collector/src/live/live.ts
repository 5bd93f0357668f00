import type { IncomingMessage } from 'node:http';
import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GtxError, LIVE_CLOSE, MAX_LIVE_REQUEST_BYTES, type TrafficFilter } from '@gridtokenx/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer } from 'ws';
import type { PassingMessage } from '../broker/bus.js';
import { assertReadable } from '../http/queries.js';
import { type HttpContext, serve } from '../http/route.js';
import type { Principal, Sessions, Sites } from '../login/index.js';
import { LiveConnection } from './connection.js';
import { clientOf, type LiveLimits } from './limits.js';
import { openLive } from './route.js';
import type { Seen } from './seen.js';
import type { Topic, TopicName } from './topic.js';
import { Topics, type TopicsDeps } from './topics.js';

export interface LiveDeps extends TopicsDeps {
  sessions: Pick<Sessions, 'authenticate' | 'ended'>;
  limits: LiveLimits;
}

const LOOK_MILLIS = 250;

/** What an upgrade leaves for the route: the bytes that came after the request's head. */
const HEAD = Symbol('head');
type Upgrading = IncomingMessage & { [HEAD]?: Buffer };

/**
 * The WebSocket at `/ws`. An upgrade goes through the application's router like any request, so that limits, addresses
 * behind proxies and refusals are those of the HTTP interface.
 */
export class Live {
  private readonly topics: Topics;
  private readonly server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_LIVE_REQUEST_BYTES,
    // Compression would cost memory for each client, and each client its own.
    perMessageDeflate: false,
    clientTracking: false,
  });
  private readonly connections = new Set<LiveConnection>();
  private readonly perAddress = new Map<string, number>();
  private timers: NodeJS.Timeout[] = [];
  private checking: Promise<void> = Promise.resolve();
  private stopping = false;
  private turn = 0;

  constructor(private readonly deps: LiveDeps) {
    this.topics = new Topics(deps);
  }

  start(): void {
    this.topics.start();
    const { pingMillis, sessionsMillis } = this.deps.limits;
    const every = (millis: number, work: () => void) => {
      const timer = setInterval(work, millis);
      timer.unref();
      this.timers.push(timer);
    };
    every(LOOK_MILLIS, () => this.look());
    every(pingMillis, () => {
      for (const connection of this.connections) connection.ping();
    });
    every(sessionsMillis, () => {
      this.checking = this.checkSessions().catch((error: unknown) =>
        this.deps.logger.warn({ err: error }, 'ended logins of WebSocket clients cannot be read'),
      );
    });
  }

  /** Closes every connection (1001), so that clients connect elsewhere. */
  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    for (const timer of this.timers) clearInterval(timer);
    const { metrics } = this.deps;
    const closed = [...this.connections].map((connection) => {
      metrics.closed.inc({ reason: 'stopping' });
      return connection.close(LIVE_CLOSE.stopping, 'the collector stops');
    });
    await Promise.all(closed);
    await this.checking;
    await this.topics.stop();
  }

  /** Readings that ingestion has decided about, for operators who watch. */
  see(readings: readonly Seen[]): void {
    this.topics.see(readings);
  }

  /** A message that passes the broker, for operators who watch. */
  pass(message: PassingMessage): void {
    this.topics.pass(message);
  }

  /** Puts `/ws` into the application. */
  attach(app: FastifyInstance, context: HttpContext, sites: () => Sites): void {
    app.server.on('upgrade', (request: Upgrading, socket: Duplex, head: Buffer) => {
      socket.on('error', (error) => {
        this.deps.logger.debug({ reason: error.message }, 'a connection broke while it was upgraded');
        socket.destroy();
      });
      request[HEAD] = head;
      const response = new ServerResponse(request);
      // Whatever is answered instead of an upgrade ends the connection.
      response.shouldKeepAlive = false;
      response.on('finish', () => socket.end());
      response.assignSocket(socket as never);
      app.routing(request, response);
    });
    // Upgraded connections would keep the server from closing.
    app.addHook('preClose', () => this.stop());
    serve(app, context, openLive, ({ request, reply }) => this.accept(request, reply, context, sites()));
  }

  private async accept(
    request: FastifyRequest,
    reply: FastifyReply,
    { guards, limits: httpLimits }: HttpContext,
    sites: Sites,
  ): Promise<FastifyReply> {
    const { limits, metrics } = this.deps;
    const raw = request.raw as Upgrading;
    const head = raw[HEAD];
    if (head === undefined || request.headers.upgrade?.toLowerCase() !== 'websocket') {
      reply.header('upgrade', 'websocket');
      throw new GtxError('UPGRADE_REQUIRED');
    }
    const refuse = (reason: string, error: GtxError) => {
      metrics.refused.inc({ reason });
      return error;
    };
    const { origin } = request.headers;
    // A page of another site would use the login that this machine, or a remembered password, gives to a browser.
    if (origin !== undefined && !sites.allows(origin)) {
      throw refuse('origin', new GtxError('FORBIDDEN', 'this page is not one of the collector'));
    }
    const principal = await this.principalOf(request, guards);
    if (this.stopping) throw refuse('stopping', new GtxError('SERVICE_STOPPING'));
    if (this.connections.size >= limits.clients) {
      throw refuse('full', new GtxError('SERVICE_STOPPING', 'there are as many clients as may be'));
    }
    const address = clientOf(request.ip);
    if ((this.perAddress.get(address) ?? 0) >= limits.clientsPerAddress) {
      throw refuse(
        'address',
        new GtxError('RATE_LIMITED', 'this address has as many connections as it may', {
          retry_after_seconds: 10,
        }),
      );
    }
    reply.hijack();
    this.server.handleUpgrade(raw, raw.socket, head, (socket) => {
      const { sessions } = this.deps;
      const connection = new LiveConnection(socket, raw.socket, principal, {
        ...this.deps,
        authenticate: (token) => sessions.authenticate(token),
        operator: async (username, password) => {
          // Frames are many more than requests: without the limit of logins a password could be guessed with them.
          await httpLimits.address('login', request);
          const basic = Buffer.from(`${username}:${password}`).toString('base64');
          const headers = { ...request.headers, authorization: `Basic ${basic}` };
          return guards.requireOperator({ headers, socket: request.socket });
        },
        topic: (name, asker, filter) => this.topicOf(name, asker, filter),
      });
      this.connections.add(connection);
      this.perAddress.set(address, (this.perAddress.get(address) ?? 0) + 1);
      metrics.clients.set(this.connections.size);
      socket.once('close', () => {
        this.connections.delete(connection);
        const left = (this.perAddress.get(address) ?? 1) - 1;
        if (left > 0) this.perAddress.set(address, left);
        else this.perAddress.delete(address);
        metrics.clients.set(this.connections.size);
      });
    });
    return reply;
  }

  /** An operator by password, or by this machine. A wallet logs in with its first frame. */
  private async principalOf(
    request: FastifyRequest,
    guards: HttpContext['guards'],
  ): Promise<Principal | undefined> {
    try {
      return await guards.requireOperator(request);
    } catch (error) {
      // Then it is nobody yet: most channels need no login.
      if (error instanceof GtxError) return undefined;
      throw error;
    }
  }

  private async topicOf(
    name: TopicName,
    principal: Principal | undefined,
    filter: TrafficFilter | undefined,
  ): Promise<Topic> {
    const { channel, market, meter_id } = name;
    const { topics } = this;
    if (market !== undefined && channel !== 'book' && channel !== 'trades') {
      throw invalid('market', 'is for the channels book and trades');
    }
    if (meter_id !== undefined && channel !== 'readings')
      throw invalid('meter_id', 'is for the channel readings');
    if (filter !== undefined && channel !== 'traffic') throw invalid('filter', 'is for the channel traffic');
    switch (channel) {
      case 'book':
        if (market === undefined) throw invalid('market', 'is needed for the channel book');
        return topics.book(market);
      case 'trades':
        return topics.trades(market);
      case 'prices':
        return topics.prices();
      case 'overview':
        return topics.overview();
      case 'alerts':
      case 'reviews':
      case 'traffic':
      case 'fleet':
        if (principal === undefined) throw new GtxError('UNAUTHENTICATED', 'this channel is for operators');
        if (!principal.roles.includes('operator'))
          throw new GtxError('FORBIDDEN', 'this channel is for operators');
        return channel === 'traffic' ? topics.traffic(filter) : topics.operators(channel);
      default: {
        if (principal === undefined)
          throw new GtxError('UNAUTHENTICATED', "send auth with a wallet's access token");
        const { wallet } = principal;
        if (channel === 'power') {
          if (wallet === undefined && !principal.roles.includes('operator'))
            throw new GtxError('FORBIDDEN', "this channel is a wallet's own, or an operator's");
          return topics.power(wallet);
        }
        if (meter_id !== undefined) {
          const whose = principal.roles.includes('operator') ? undefined : wallet;
          await assertReadable(this.deps.pool, {
            meterId: meter_id,
            wallet: whose,
            from: undefined,
            to: undefined,
          });
          return topics.meterReadings(meter_id, whose);
        }
        if (wallet === undefined)
          throw new GtxError('FORBIDDEN', "this channel is a wallet's own: log in with one");
        return topics.own(channel, wallet);
      }
    }
  }

  private look(): void {
    for (const connection of this.connections) connection.look();
    this.turn += 1;
    if (this.turn % 4 !== 0) return;
    const now = this.deps.now() / 1000;
    for (const connection of this.connections) {
      const { session } = connection;
      if (session !== undefined && session.expiresAt <= now) connection.expire();
    }
  }

  /** Logins that were ended, here or at another collector, end what depends on them. */
  private async checkSessions(): Promise<void> {
    const ids = new Set<string>();
    for (const { session } of this.connections) if (session !== undefined) ids.add(session.id);
    if (ids.size === 0) return;
    const ended = await this.deps.sessions.ended([...ids]);
    for (const connection of this.connections) {
      const { session } = connection;
      if (session !== undefined && ended.has(session.id)) connection.expire();
    }
  }
}

function invalid(path: string, message: string): GtxError {
  return new GtxError('INVALID_BODY', `${path}: ${message}`, { issues: [{ path, message }] });
}
