/**
 * A small collector for tests: a real MQTT broker (aedes) that keeps every reading once and acknowledges it
 * with signed envelopes, and that can be told to misbehave. Signatures are checked with node:crypto, which
 * shares no code with the gateway's.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import {
  type Ack,
  type Command,
  DeliverReadings,
  decodeBase58,
  encodeBase58,
  encodeEnvelopeMessage,
  encodeLoginMessage,
  encodeReading,
  LoginPassword,
  parseJsonWith,
  parseLoginHeader,
  parseTopic,
  type Reading,
  SubmitReading,
  topicFor,
  toReading,
} from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { Aedes } from 'aedes';

export interface StoredReading {
  reading: Reading;
  bytes: Buffer;
  amount: string;
  /** How often it arrived. */
  arrivals: number;
}

type Verdict = 'store' | 'ignore' | { code: string; retry: 'never' | 'later' };

/** The 12 bytes before a raw Ed25519 seed in PKCS #8 (RFC 8410, section 7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** ... and before a raw public key in SubjectPublicKeyInfo. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** A key as the tests need it: raw halves, and node's object. */
export function makeKey(): { seed: Buffer; publicKey: Buffer; text: string; key: KeyObject } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8.length);
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI.length);
  return { seed, publicKey, text: encodeBase58(publicKey), key: privateKey };
}

/** Content of a key file (Solana CLI format). */
export function keyFileText(key: { seed: Buffer; publicKey: Buffer }): string {
  return JSON.stringify([...key.seed, ...key.publicKey]);
}

/** Ed25519 by node:crypto. */
export function verifyRaw(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}

export class TestCollector {
  readonly key = makeKey();
  readonly stored = new Map<string, Map<number, StoredReading>>();
  /** Every arrival, in order. */
  readonly arrivals: { meterId: string; sequence: number }[] = [];
  /** Bodies that broke a rule: tests expect none. */
  readonly faults: string[] = [];
  readonly logins: LoginPassword[] = [];
  readonly retained = new Map<string, unknown>();
  /** What to do with a reading. */
  verdict: (meterId: string, reading: Reading) => Verdict = () => 'store';
  /** What to do with an acknowledgement that is due. */
  deliverAck: (send: () => void, ack: Ack) => void = (send) => send();
  /** Refuses a login by throwing. */
  checkLogin: (login: LoginPassword) => void = () => undefined;
  /** How a subscription is answered: granted, refused, or not at all. */
  subscription: (topic: string) => 'granted' | 'refused' | 'silence' = () => 'granted';
  /** A broker that knows passwords, and no signed logins. */
  passwords: ReadonlyMap<string, string> | undefined;
  /** Stands in for the collector's clock, Unix seconds. */
  now: () => number = () => Math.floor(Date.now() / 1000);
  port = 0;
  /** Logins over HTTP. */
  readonly httpLogins: LoginPassword = [];
  /** How a request over HTTP is answered. */
  httpAnswer: (response: ServerResponse, envelope: string) => void = (response, envelope) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(envelope);
  };
  /** With these the broker speaks TLS. */
  tls: TlsOptions | undefined;
  private http: HttpServer | HttpsServer | undefined;
  private broker: Aedes | undefined;
  private server: Server | undefined;
  private sockets = new Set<Socket>();
  private readonly refused = new Map<string, Set<number>>();

  get url(): string {
    return `${this.tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${this.port}`;
  }

  /** Opens the broker; a second time on the port of the first. */
  async start(): Promise<void> {
    const broker = await Aedes.createBroker({
      authenticate: (_client, username, password, done) => {
        try {
          if (this.passwords !== undefined) {
            const right =
              password !== undefined && this.passwords.get(username ?? '') === password.toString();
            done(right ? null : Object.assign(new Error('refused'), { returnCode: 4 }), right);
            return;
          }
          const login = parseJsonWith(LoginPassword, password ?? Buffer.alloc(0), 'LOGIN_REFUSED');
          this.checkLogin(login);
          this.logins.push(login);
          done(null, true);
        } catch (error) {
          done(Object.assign(error as Error, { returnCode: 5 }), false);
        }
      },
      authorizeSubscribe: (_client, subscription, done) => {
        const answer = this.subscription(subscription.topic);
        if (answer !== 'silence') done(null, answer === 'granted' ? subscription : null);
      },
    });
    broker.on('publish', (packet) => {
      const parsed = parseTopic(packet.topic);
      if (!parsed) return;
      const payload = Buffer.from(packet.payload as Buffer);
      if (parsed.kind === 'reading') this.receive(parsed.meterId, payload);
      else if (parsed.kind === 'status' || parsed.kind === 'telemetry') {
        this.retained.set(packet.topic, JSON.parse(payload.toString('utf8')));
      }
    });
    const accept = (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      broker.handle(socket);
    };
    const server = this.tls ? createTlsServer(this.tls, accept) : createServer(accept);
    this.port ||= await freePort();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => resolve());
    });
    this.broker = broker;
    this.server = server;
  }

  /** Ends the broker as a power cut would: connections are cut, nothing is said. */
  async stop(): Promise<void> {
    const { broker, server } = this;
    this.broker = undefined;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
    if (broker) await new Promise<void>((resolve) => broker.close(() => resolve()));
  }

  /** Gateways' connections that are logged in, with their wills. */
  get connections(): number {
    return this.broker?.connectedClients ?? 0;
  }

  /** Cuts all connections; the broker goes on. */
  cutConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  sequences(meterId: string): number[] {
    return [...(this.stored.get(meterId)?.keys() ?? [])].sort((a, b) => a - b);
  }

  last(meterId: string): StoredReading | undefined {
    const sequence = this.sequences(meterId).at(-1);
    return sequence === undefined ? undefined : this.stored.get(meterId)?.get(sequence);
  }

  /** Highest sequence up to which all are stored or refused for good. */
  through(meterId: string): number {
    let through = 0;
    while (this.stored.get(meterId)?.has(through + 1) || this.refused.get(meterId)?.has(through + 1))
      through++;
    return through;
  }

  sendAck(meterId: string, part: Partial<Ack>, key: { key: KeyObject; text: string } = this.key): void {
    const ack: Ack = {
      meter_id: meterId,
      time: this.now(),
      through: String(this.through(meterId)),
      stored: [],
      refused: [],
      held: [],
      ...part,
    };
    this.seal(topicFor(meterId, 'ack'), ack, key);
  }

  sendCommand(meterId: string, command: Command, key: { key: KeyObject; text: string } = this.key): void {
    this.seal(topicFor(meterId, 'command'), command, key);
  }

  publishRaw(topic: string, payload: string): void {
    this.broker?.publish(
      { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false },
      () => undefined,
    );
  }

  /** The envelope for a payload, as text. */
  envelope(topic: string, payload: string, key: { key: KeyObject; text: string } = this.key): string {
    const signature = sign(null, encodeEnvelopeMessage(topic, payload), key.key);
    return JSON.stringify({ payload, public_key: key.text, signature: encodeBase58(signature) });
  }

  private seal(topic: string, body: Ack | Command, key: { key: KeyObject; text: string }): void {
    this.publishRaw(topic, this.envelope(topic, JSON.stringify(body), key));
  }

  /** Answers `POST /api/meters/{meter}/readings` and `/api/time`, as the collector does. @returns its URL */
  async startHttp(tls?: { cert: string; key: string }): Promise<string> {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (request.url === '/api/time') {
          response.end(JSON.stringify({ time: this.now() }));
          return;
        }
        const meterId = /^\/api\/meters\/([^/]+)\/readings$/.exec(request.url ?? '')?.[1];
        if (meterId === undefined || request.method !== 'POST') {
          response.writeHead(404).end();
          return;
        }
        const entry = parseLoginHeader(meterId, request.headers.authorization);
        this.httpLogins.push(entry);
        const { readings } = parseJsonWith(DeliverReadings, Buffer.concat(parts));
        const ack: Ack = {
          meter_id: meterId,
          time: this.now(),
          through: '0',
          stored: [],
          refused: [],
          held: [],
        };
        for (const reading of readings) {
          const part = this.take(meterId, reading);
          ack.stored.push(...(part?.stored ?? []));
          ack.refused.push(...(part?.refused ?? []));
        }
        ack.through = String(this.through(meterId));
        this.httpAnswer(response, this.envelope(topicFor(meterId, 'ack'), JSON.stringify(ack)));
      });
    };
    const server = tls === undefined ? createHttpServer(answer) : createHttpsServer(tls, answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    this.http = server;
    return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  async stopHttp(): Promise<void> {
    const server = this.http;
    this.http = undefined;
    server?.closeAllConnections();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private receive(meterId: string, payload: Buffer): void {
    const part = this.take(meterId, parseJsonWith(SubmitReading, payload));
    if (part) this.acknowledge(meterId, part);
  }

  /** Judges a reading. @returns what is to be acknowledged, if anything */
  private take(meterId: string, body: SubmitReading): Partial<Ack> | undefined {
    const reading = toReading(body);
    const sequence = Number(reading.sequence);
    const bytes = Buffer.from(encodeReading(reading));
    this.arrivals.push({ meterId, sequence });
    const publicKey = decodeBase58(body.public_key, 32);
    if (!verifyRaw(decodeBase58(body.meter_signature, 64), bytes, publicKey)) {
      this.faults.push(`${meterId}/${sequence}: signature`);
    }
    const verdict = this.verdict(meterId, reading);
    if (verdict === 'ignore') return undefined;
    if (verdict !== 'store') {
      if (verdict.retry === 'never') {
        const set = this.refused.get(meterId) ?? new Set();
        this.refused.set(meterId, set.add(sequence));
      }
      return { refused: [{ sequence: String(sequence), code: verdict.code, retry: verdict.retry }] };
    }
    const readings = this.stored.get(meterId) ?? new Map<number, StoredReading>();
    this.stored.set(meterId, readings);
    const known = readings.get(sequence);
    if (known) {
      known.arrivals++;
      if (!known.bytes.equals(bytes)) this.faults.push(`${meterId}/${sequence}: a sequence was used twice`);
    } else readings.set(sequence, { reading, bytes, amount: String(body.kwh_amount), arrivals: 1 });
    return { stored: [String(sequence)] };
  }

  private acknowledge(meterId: string, part: Partial<Ack>): void {
    const ack = { through: String(this.through(meterId)), ...part };
    this.deliverAck(() => this.sendAck(meterId, ack), ack as Ack);
  }

  /** Checks a login's signatures by node:crypto. */
  static verifyLogin(login: LoginPassword, keys: ReadonlyMap<string, Uint8Array>): boolean {
    return login.every((entry) => {
      const message = encodeLoginMessage({ unixSeconds: entry.time, meterId: entry.meter_id });
      const key = keys.get(entry.meter_id);
      return key !== undefined && verifyRaw(decodeBase58(entry.signature, 64), message, key);
    });
  }
}

/** Node's key object for a raw seed. */
export function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}
