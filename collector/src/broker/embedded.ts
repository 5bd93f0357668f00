import type { EventEmitter } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { GtxError, MAX_PAYLOAD_BYTES, parseTopic, type Status, topicFor } from '@gridtokenx/protocol';
import { Aedes, type AedesPublishPacket, type Client, type PublishPacket } from 'aedes';
import type { Logger } from 'pino';
import { readStatus } from '../fleet/news.js';
import type { Metrics } from '../metrics.js';
import { mayPublish, mayReceive, maySubscribe } from './access.js';
import type { MqttBus, MqttHandlers, PassingMessage } from './bus.js';
import type { TlsSource } from './certificates.js';
import { LogLimiter } from './log-limiter.js';
import type { LoginEntry, Logins } from './login.js';
import { keepFresh, serverOptions } from './tls.js';

export interface EmbeddedBrokerOptions {
  host: string;
  port: number;
  tls: TlsSource | undefined;
  maxConnections: number;
}

interface Gateway {
  role: 'gateway';
  username: string;
  /** Meters of the login; true once granted. */
  meters: Map<string, boolean>;
  waiting: Map<string, { entry: LoginEntry; triedAt: number }>;
  /** Version told by each meter that is online, to tell of a lost connection. */
  online: Map<string, string>;
}
type Session = Gateway | { role: 'operator'; username: string };

/** MQTT 3.1.1 CONNACK return codes, 3.2.2.3. */
const IDENTIFIER_REJECTED = 2;
const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;

/** The largest packet read into memory: an login for many meters is the largest of ours. */
const MAX_PACKET_BYTES = 64 * 1024;
const MAX_LOGINS_AT_ONCE = 64;
const GRANT_RETRY_MILLIS = 10_000;
/**
 * aedes can refuse a message only by closing the connection. A message that is merely useless must not
 * cost the gateway its connection (it would send it again after each reconnect): it is sent here, where
 * nobody may listen.
 */
const NOWHERE = '$gtx/dropped';

/** The broker inside the collector. Everything that leaves or enters is checked against the login. */
export class EmbeddedBroker implements MqttBus {
  private broker: Aedes | undefined;
  private server: Server | undefined;
  private closed: Promise<void> | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly sessions = new WeakMap<object, Session>();
  private readonly log: LogLimiter;
  private loggingIn = 0;
  private keeper: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: EmbeddedBrokerOptions,
    private readonly deps: {
      logins: Logins;
      handlers: MqttHandlers;
      metrics: Metrics;
      logger: Logger;
      now: () => number;
    },
  ) {
    this.log = new LogLimiter(deps.logger, deps.now);
  }

  get connected(): boolean {
    return this.server?.listening ?? false;
  }

  get url(): string {
    const { host, tls } = this.options;
    const address = this.server?.address() as AddressInfo | null | undefined;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'mqtt' : 'mqtts'}://${name}:${address?.port ?? this.options.port}`;
  }

  async start(): Promise<void> {
    const { host, port, tls, maxConnections } = this.options;
    const broker = await Aedes.createBroker({
      connectTimeout: 10_000,
      drainTimeout: 30_000,
      maxTopicLevels: 8,
      maxInflightInbound: 100,
      queueLimit: 1000,
      preConnect: (_client, packet, done) => {
        // No session outlives its connection: nothing is kept in memory for a gateway that is away, and
        // one that comes back is told the present state.
        packet.clean = true;
        done(null, true);
      },
      authenticate: (client, username, password, done) => {
        this.authenticate(client, username, password).then(
          () => done(null, true),
          (error: unknown) => done(Object.assign(asError(error), { returnCode: returnCodeOf(error) }), false),
        );
      },
      authorizePublish: (client, packet, done) => done(this.authorizePublish(client, packet)),
      authorizeSubscribe: (client, subscription, done) => {
        const allowed = maySubscribe(this.sessions.get(client), subscription.topic);
        if (!allowed) {
          this.log.warn(
            'subscription',
            { clientId: client.id, filter: subscription.topic.slice(0, 100) },
            'subscription refused',
          );
        }
        done(null, allowed ? subscription : null);
      },
      authorizeForward: (client, packet) =>
        mayReceive(this.sessions.get(client), packet.topic) ? packet : null,
      published: (packet, client, done) => this.published(packet, client, done),
    });
    this.broker = broker;
    broker.on('client', () => this.deps.metrics.mqttClients.set(broker.connectedClients));
    broker.on('clientDisconnect', (client) => this.disconnected(client));
    broker.on('subscribe', (subscriptions, client) => this.subscribed(subscriptions, client));
    broker.on('clientError', (client, error) => this.clientTrouble(client, error));
    broker.on('connectionError', (client, error) => this.clientTrouble(client, error));
    // Not in the package's types, but emitted when its store fails.
    (broker as EventEmitter).on('error', (error: Error) =>
      this.deps.logger.error({ err: error }, 'broker error'),
    );

    const accept = (socket: Socket) => this.accept(socket);
    const server = tls === undefined ? createTcpServer(accept) : await this.tlsServer(tls, accept);
    server.maxConnections = maxConnections;
    server.on('tlsClientError', (error: Error) => {
      this.log.warn('tls', { reason: error.message }, 'a TLS connection failed');
    });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE'
            ? new GtxError('PORT_IN_USE', `the MQTT port ${port} on ${host} is taken`)
            : error,
        );
      });
      server.listen(port, host, resolve);
    });
  }

  /** Nobody new is let in. Who is connected still gets acknowledgements. */
  async quiesce(): Promise<void> {
    const { server } = this;
    this.closed ??= server && new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async stop(): Promise<void> {
    const { broker } = this;
    clearInterval(this.keeper);
    await this.quiesce();
    if (broker !== undefined) await new Promise<void>((resolve) => broker.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await this.closed;
  }

  private async tlsServer(source: TlsSource, accept: (socket: Socket) => void): Promise<TlsServer> {
    const material = await source.load();
    const server = createTlsServer(serverOptions(material), accept);
    const { logger } = this.deps;
    this.keeper = keepFresh(
      source,
      material,
      (fresh) => server.setSecureContext(serverOptions(fresh)),
      logger,
    );
    return server;
  }

  publish(topic: string, payload: string, options: { retain?: boolean } = {}): Promise<void> {
    const { broker } = this;
    if (broker === undefined || broker.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const packet = {
        cmd: 'publish',
        topic,
        payload,
        qos: 1,
        retain: options.retain ?? false,
        dup: false,
      } as PublishPacket;
      broker.publish(packet, (error) => {
        if (error) this.deps.logger.warn({ err: error, topic }, 'a message could not be published');
        resolve();
      });
    });
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // Finds dead peers also where a client asked for no keep-alive.
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    const client = (this.broker as Aedes).handle(socket);
    limitPacketSize(client, socket);
  }

  private async authenticate(
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<void> {
    const { logins, metrics, logger } = this.deps;
    if (username === undefined || password === undefined) {
      metrics.logins.inc({ outcome: 'LOGIN_REFUSED' });
      throw new GtxError('LOGIN_REFUSED', 'a login needs a username and a password');
    }
    if (this.loggingIn >= MAX_LOGINS_AT_ONCE) {
      metrics.logins.inc({ outcome: 'busy' });
      throw new GtxError('SERVICE_STOPPING', 'too many logins at once');
    }
    this.loggingIn += 1;
    try {
      const result = await logins.check(username, password);
      const session: Session =
        result.role === 'operator'
          ? { role: 'operator', username }
          : {
              role: 'gateway',
              username,
              meters: new Map([
                ...result.waiting.map((entry) => [entry.meter_id, false] as const),
                ...result.granted.map((meterId) => [meterId, true] as const),
              ]),
              waiting: new Map(
                result.waiting.map((entry) => [entry.meter_id, { entry, triedAt: this.deps.now() }]),
              ),
              online: new Map(),
            };
      // Taking over a client id closes the old connection [MQTT-3.1.4-2]: only its own login may.
      const holder = this.clientById(client.id);
      const held = holder && this.sessions.get(holder);
      if (held !== undefined && (held.role !== session.role || held.username !== session.username)) {
        throw Object.assign(new GtxError('LOGIN_REFUSED', 'the client id is in use by another login'), {
          returnCode: IDENTIFIER_REJECTED,
        });
      }
      this.sessions.set(client, session);
      metrics.logins.inc({ outcome: session.role });
      logger.info({ clientId: client.id, role: session.role, username }, 'mqtt login');
    } catch (error) {
      const code = error instanceof GtxError ? error.code : 'STORAGE_UNAVAILABLE';
      metrics.logins.inc({ outcome: code });
      this.log.warn(
        `login ${code}`,
        { clientId: client.id, username, reason: asError(error).message },
        'mqtt login refused',
      );
      throw error;
    } finally {
      this.loggingIn -= 1;
    }
  }

  private clientById(clientId: string): Client | undefined {
    const clients = Reflect.get(this.broker as Aedes, 'clients') as Record<string, Client>;
    return clients[clientId];
  }

  private authorizePublish(client: Client | null, packet: PublishPacket): Error | null {
    if (client === null) return null;
    const session = this.sessions.get(client);
    const target = mayPublish(session, packet.topic);
    if (target === undefined) {
      this.log.warn('publish', { clientId: client.id, topic: packet.topic.slice(0, 100) }, 'publish refused');
      this.tellRefused(packet, 'forbidden');
      return new GtxError('TOPIC_FORBIDDEN');
    }
    if (target.waiting) {
      this.tryGrant(session as Gateway, target.meterId);
      this.tellRefused(packet, 'waiting');
      divert(packet);
      return null;
    }
    if (packet.payload.length > MAX_PAYLOAD_BYTES) {
      this.deps.metrics.poison.inc({ reason: 'oversized' });
      this.log.warn(
        'oversized',
        { meterId: target.meterId, bytes: packet.payload.length },
        'a message is too large',
      );
      this.tellRefused(packet, 'oversized');
      divert(packet);
      return null;
    }
    if (target.kind === 'reading') packet.retain = false;
    return null;
  }

  private tellRefused(
    { topic, payload, retain }: PublishPacket,
    refused: PassingMessage['refused'] & string,
  ): void {
    const target = parseTopic(topic);
    if (target === undefined) return;
    this.deps.handlers.onTraffic?.({ ...target, topic, direction: 'in', payload, retained: retain, refused });
  }

  /** A meter of the login was not registered when the gateway came: perhaps it is by now. */
  private tryGrant(session: Gateway, meterId: string): void {
    const { logins, now, logger, handlers } = this.deps;
    const waiting = session.waiting.get(meterId);
    if (waiting === undefined || now() - waiting.triedAt < GRANT_RETRY_MILLIS) return;
    waiting.triedAt = now();
    logins.grant(waiting.entry).then(
      (granted) => {
        if (!granted) return;
        session.meters.set(meterId, true);
        session.waiting.delete(meterId);
        logger.info({ meterId, username: session.username }, 'a waiting meter may send now');
        handlers.onListening(meterId);
      },
      (error: unknown) => logger.warn({ err: error, meterId }, 'a waiting meter could not be looked up'),
    );
  }

  private published(
    packet: AedesPublishPacket,
    client: Client | null,
    done: (error?: Error | null) => void,
  ): void {
    const target = parseTopic(packet.topic);
    if (target === undefined) {
      done();
      return;
    }
    const { handlers } = this.deps;
    const { meterId, kind } = target;
    handlers.onTraffic?.({
      ...target,
      topic: packet.topic,
      direction: client === null ? 'out' : 'in',
      payload: packet.payload,
      retained: false,
    });
    if (kind === 'reading') {
      const wait = client === null ? undefined : handlers.onReading(meterId, bytesOf(packet.payload));
      if (wait !== undefined) {
        void wait.then(() => done());
        return;
      }
    } else if (kind === 'status' || kind === 'telemetry') {
      const session = client === null ? undefined : this.sessions.get(client);
      const payload = bytesOf(packet.payload);
      if (kind === 'status' && session?.role === 'gateway') noteStatus(session, meterId, payload);
      // Also what this broker says itself for a gateway that is gone.
      handlers.onNews?.(kind, meterId, payload, false);
    }
    done();
  }

  private subscribed(subscriptions: { topic: string; qos: number }[], client: Client): void {
    const session = this.sessions.get(client);
    if (session?.role !== 'gateway') return;
    for (const { topic, qos } of subscriptions) {
      const target = qos === 128 ? undefined : parseTopic(topic);
      if (target?.kind === 'ack' && session.meters.get(target.meterId) === true) {
        this.deps.handlers.onListening(target.meterId);
      }
    }
  }

  /** MQTT gives a connection one last will; a gateway may serve many meters. The broker speaks for the rest. */
  private disconnected(client: Client): void {
    this.deps.metrics.mqttClients.set((this.broker as Aedes).connectedClients);
    const session = this.sessions.get(client);
    this.sessions.delete(client);
    if (session?.role !== 'gateway' || (this.broker as Aedes).closed) return;
    for (const [meterId, version] of session.online) {
      if (this.isServed(meterId)) continue;
      const time = Math.floor(this.deps.now() / 1000);
      void this.publish(topicFor(meterId, 'status'), JSON.stringify({ state: 'offline', version, time }), {
        retain: true,
      });
    }
  }

  private isServed(meterId: string): boolean {
    const clients = Reflect.get(this.broker as Aedes, 'clients') as Record<string, Client>;
    return Object.values(clients).some((client) => {
      const session = this.sessions.get(client);
      return session?.role === 'gateway' && session.meters.get(meterId) === true;
    });
  }

  private clientTrouble(client: Client, error: Error): void {
    this.log.warn(
      'connection',
      { clientId: client.id, reason: error.message },
      'an MQTT connection ended in error',
    );
  }
}

function divert(packet: PublishPacket): void {
  packet.topic = NOWHERE;
  packet.retain = false;
  packet.payload = Buffer.alloc(0);
}

function bytesOf(payload: string | Buffer): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

/** Only what counts as a status: the broker repeats its version, and what it says must count too. */
function noteStatus(session: Gateway, meterId: string, payload: Uint8Array): void {
  let status: Status;
  try {
    status = readStatus(payload);
  } catch {
    // No status; nothing to remember. Who takes the news says why.
    return;
  }
  if (status.state === 'online') session.online.set(meterId, status.version);
  else session.online.delete(meterId);
}

/**
 * Closes a connection whose unfinished packet grows beyond the limit. MQTT allows 256 MB, and the parser
 * collects a packet whole before anybody may judge it.
 */
function limitPacketSize(client: Client, socket: Socket): void {
  const parser = Reflect.get(client, '_parser') as {
    parse(chunk: Buffer): number;
    _list: { length: number };
  };
  const parse = parser.parse.bind(parser);
  parser.parse = (chunk: Buffer) => {
    const rest = parse(chunk);
    if (parser._list.length > MAX_PACKET_BYTES) {
      socket.destroy(new GtxError('PAYLOAD_TOO_LARGE', 'an MQTT packet is larger than the limit'));
    }
    return rest;
  };
}

function returnCodeOf(error: unknown): number {
  if (error instanceof Error && 'returnCode' in error) return Number(error.returnCode);
  if (!(error instanceof GtxError)) return SERVER_UNAVAILABLE;
  return error.code === 'LOGIN_REFUSED' || error.code === 'LOGIN_STALE' ? NOT_AUTHORIZED : SERVER_UNAVAILABLE;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
