/**
 * A fleet of meters for load tests: signs readings and publishes them over MQTT as so many gateways would, at a given
 * rate, and says what that cost. What a meter measures is not simulated in detail: a fleet loads the collector, not
 * gateways.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  Ack,
  decodeBase58,
  encodeBase58,
  encodeEnvelopeMessage,
  GtxError,
  MAX_METERS_PER_LOGIN,
  meterIdText,
  parseJsonWith,
  parseWith,
  publicKeyText,
  SignedEnvelope,
  topicFor,
} from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { z } from 'zod';
import { derivedSeed, FleetMeter, keyOf, publicKeyOf } from './fleet-meter.js';
import { type PreparedPublish, preparePublish, WireClient } from './mqtt-wire.js';

const DAY_SECONDS = 86_400;

export const FleetConfig = z.strictObject({
  mqtt_url: z
    .string()
    .refine((text) => URL.canParse(text) && new URL(text).protocol === 'mqtt:', 'must be mqtt://host:port')
    .describe("The collector's broker (`mqtt://`, without TLS)"),
  meters: z.int().min(1).max(1_000_000).default(100).describe('How many meters'),
  rate: z.number().min(0.01).max(1_000_000).default(10).describe('Readings a second, of all meters together'),
  seconds: z.number().min(0.1).max(31_536_000).default(60).describe('How long to publish'),
  seed: z
    .union([z.string(), z.number()])
    .transform(String)
    .default('1')
    .describe("Meters' and owners' keys follow from it: for tests only"),
  prefix: z.string().min(1).max(24).default('FLEET').describe('Meter ids are this, a dash and a number'),
  wallets: z.int().min(1).max(1_000_000).default(8).describe('How many owners share the meters'),
  meters_per_gateway: z
    .int()
    .min(1)
    .max(MAX_METERS_PER_LOGIN)
    .default(MAX_METERS_PER_LOGIN)
    .describe('Meters behind one connection, each with its signed login'),
  interval_seconds: z
    .int()
    .min(1)
    .max(DAY_SECONDS)
    .default(900)
    .describe("Between two readings of a meter, in the meters' own time; not below the collector's"),
  epoch: z
    .int()
    .min(0)
    .optional()
    .describe(
      'Unix seconds at which the meters begin to count: reading n ends n intervals later. Six days ago when left out, so that there is room for a backlog',
    ),
  published: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Readings that this fleet has published before, of all meters together: the run goes on after them',
    ),
  acks: z
    .boolean()
    .default(true)
    .describe("Subscribe to the collector's acknowledgements and wait for them at the end"),
  ack_key: publicKeyText
    .optional()
    .describe('Key that acknowledgements must be signed with (base58); not checked when left out'),
  drain_seconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(60)
    .describe('How long to wait for outstanding acknowledgements at the end'),
});
export type FleetConfig = z.infer<typeof FleetConfig>;
export type FleetConfigInput = z.input<typeof FleetConfig>;

/** What a run did and cost. */
export interface FleetResult {
  meters: number;
  gateways: number;
  readings: number;
  seconds: number;
  per_second: number;
  /** Publishing only: processor time of this process for each reading (signing, encoding, sending, acknowledgements). */
  cpu_us_per_reading: number;
  /** Deriving the keys. */
  key_seconds: number;
  key_cpu_us_per_meter: number;
  /** Connecting and logging in, with a signature for each meter. */
  login_seconds: number;
  /** Memory of this process (resident), after the keys were made and at the end. */
  rss_mb: number;
  peak_rss_mb: number;
  payload_bytes: number;
  reconnects: number;
  /** Meters whose newest readings end in the present already: the run was ahead of the meters' time. */
  out_of_time: boolean;
  acknowledged: number;
  refused: Record<string, number>;
  /** For the next run. */
  next: { epoch: number; published: number };
}

/** One meter as it has to be registered. */
export interface FleetIdentity {
  meter_id: string;
  public_key: string;
  wallet: string;
}

/** A gateway signs in for these meters. */
interface Gateway {
  meters: FleetMeter[];
  client: WireClient | undefined;
  connected: boolean;
  lastLogin: number;
}

const CONNECT_AT_ONCE = 16;
const TICK_MS = 10;
const MOST_AT_ONCE = 2000;
/** More bytes than this waiting on a connection: the broker is slower than the rate. */
const FULL_BYTES = 1_000_000;
const RECONNECT_MS = 1000;
const MOST_AHEAD_SECONDS = 60;

/** A fleet's keys: pure but for their memory. */
export class Fleet {
  readonly config: FleetConfig & { epoch: number };

  /** @throws GtxError CONFIG_INVALID */
  constructor(
    input: FleetConfigInput,
    private readonly deps: { logger: Logger; now?: () => number },
  ) {
    const config = parseWith(FleetConfig, input, 'CONFIG_INVALID');
    const nowSeconds = Math.floor((deps.now ?? Date.now)() / 1000);
    const multiple = (seconds: number) =>
      Math.floor(seconds / config.interval_seconds) * config.interval_seconds;
    this.config = { ...config, epoch: multiple(config.epoch ?? nowSeconds - 6 * DAY_SECONDS) };
    const longest = this.meterId(config.meters - 1);
    if (!meterIdText.safeParse(longest).success) {
      throw new GtxError('CONFIG_INVALID', `"${longest}" is no meter id: choose another prefix`);
    }
  }

  meterId(index: number): string {
    return `${this.config.prefix}-${String(index + 1).padStart(6, '0')}`;
  }

  /** The 32 secret bytes of an owner's key. */
  walletSecret(index: number): Buffer {
    return derivedSeed(this.config.seed, `wallet ${index}`);
  }

  /** The meters, with their keys. Costs some 50 microseconds of processor time and 3 kB each. */
  meters(): FleetMeter[] {
    const { meters, wallets, seed } = this.config;
    const owners = Array.from({ length: Math.min(wallets, meters) }, (_, index) =>
      encodeBase58(publicKeyOf(keyOf(this.walletSecret(index)))),
    );
    const times = { epoch: this.config.epoch, intervalSeconds: this.config.interval_seconds };
    return Array.from({ length: meters }, (_, index) => {
      const meterId = this.meterId(index);
      const wallet = owners[index % owners.length] as string;
      return new FleetMeter(meterId, wallet, derivedSeed(seed, `meter ${meterId}`), times);
    });
  }

  /** What has to be registered before the fleet can log in. */
  identities(): FleetIdentity[] {
    return this.meters().map(({ meterId, publicKeyText: key, wallet }) => ({
      meter_id: meterId,
      public_key: key,
      wallet,
    }));
  }

  /**
   * Connects, publishes for the given time at the given rate, waits for what is not acknowledged yet.
   * @param signal ends it early
   * @throws GtxError BROKER_UNAVAILABLE, LOGIN_REFUSED, TOPIC_FORBIDDEN, ACK_INVALID
   */
  async run(signal?: AbortSignal): Promise<FleetResult> {
    const keysBegan = measure();
    const meters = this.meters();
    const keys = keysBegan();
    const run = new FleetRun(this.config, meters, this.deps.logger, this.deps.now ?? Date.now);
    try {
      return await run.run(keys, signal);
    } finally {
      run.stop();
    }
  }
}

/** Wall and processor seconds since the call. */
function measure(): () => { seconds: number; cpuSeconds: number } {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { seconds: (performance.now() - wall) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}

class FleetRun {
  readonly #gateways: Gateway[];
  readonly #ackKey: KeyObject | undefined;
  /** Readings published, by former runs too. Meters take turns, so their sequences follow from it. */
  #published: number;
  /** Of each meter the highest sequence that the collector is done with. */
  readonly #through = new Map<string, number>();
  readonly #refused: Record<string, number> = {};
  #acknowledged = 0;
  #failure: GtxError | undefined;
  #reconnects = 0;
  #stopping = false;
  #peakRss = 0;

  constructor(
    private readonly config: FleetConfig & { epoch: number },
    private readonly meters: readonly FleetMeter[],
    private readonly logger: Logger,
    private readonly now: () => number,
  ) {
    const size = config.meters_per_gateway;
    this.#gateways = Array.from({ length: Math.ceil(meters.length / size) }, (_, index) => ({
      meters: meters.slice(index * size, (index + 1) * size),
      client: undefined,
      connected: false,
      lastLogin: 0,
    }));
    this.#published = config.published;
    for (const [index, { meterId }] of meters.entries()) {
      this.#through.set(meterId, Math.floor((config.published + meters.length - 1 - index) / meters.length));
    }
    this.#ackKey =
      config.ack_key === undefined
        ? undefined
        : createPublicKey({
            format: 'jwk',
            key: {
              kty: 'OKP',
              crv: 'Ed25519',
              x: Buffer.from(decodeBase58(config.ack_key, 32)).toString('base64url'),
            },
          });
  }

  async run(
    keys: { seconds: number; cpuSeconds: number },
    signal: AbortSignal | undefined,
  ): Promise<FleetResult> {
    const { config, meters, logger } = this;
    logger.info({ meters: meters.length, seconds: keys.seconds }, 'keys derived');
    this.#watchMemory();
    const loginBegan = measure();
    await this.#connectAll();
    const login = loginBegan();
    const rss = this.#watchMemory();
    logger.info({ gateways: this.#gateways.length, seconds: login.seconds }, 'logged in');

    const began = measure();
    const published = await this.#publishAll(signal);
    const sending = began();
    await this.#drain(published.readings, signal);
    // Acknowledgements are part of what a reading costs, waiting for them is not.
    const { cpuSeconds } = began();
    if (this.#failure !== undefined) throw this.#failure;
    this.#watchMemory();
    const { readings } = published;
    return {
      meters: meters.length,
      gateways: this.#gateways.length,
      readings,
      seconds: round(sending.seconds, 3),
      per_second: round(readings / sending.seconds, 1),
      cpu_us_per_reading: round((cpuSeconds / Math.max(1, readings)) * 1e6, 1),
      key_seconds: round(keys.seconds, 3),
      key_cpu_us_per_meter: round((keys.cpuSeconds / meters.length) * 1e6, 1),
      login_seconds: round(login.seconds, 3),
      rss_mb: round(rss / 1e6, 1),
      peak_rss_mb: round(this.#peakRss / 1e6, 1),
      payload_bytes: published.payloadBytes,
      reconnects: this.#reconnects,
      out_of_time: published.outOfTime,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      next: { epoch: config.epoch, published: this.#published },
    };
  }

  stop(): void {
    this.#stopping = true;
    for (const { client } of this.#gateways) client?.stop();
  }

  async #connectAll(): Promise<void> {
    const todo = this.#gateways.entries();
    const worker = async () => {
      for (const [index, gateway] of todo) {
        // Another one has failed, and the run with it.
        if (this.#stopping) return;
        await this.#connect(gateway, index);
      }
    };
    await Promise.all(Array.from({ length: CONNECT_AT_ONCE }, worker));
  }

  async #connect(gateway: Gateway, index: number): Promise<void> {
    // A login must be newer than the last one.
    const time = Math.max(Math.floor(this.now() / 1000), gateway.lastLogin + 1);
    gateway.lastLogin = time;
    const client = new WireClient({
      url: this.config.mqtt_url,
      clientId: `${this.config.prefix}-gateway-${index}`,
      username: gateway.meters[0]?.meterId ?? '',
      password: JSON.stringify(gateway.meters.map((meter) => meter.login(time))),
      onMessage: (topic, payload) => this.#onAck(topic, payload),
      onLost: (error) => this.#onLost(gateway, index, error),
    });
    gateway.client = client;
    await client.start();
    if (this.config.acks)
      await client.subscribe(gateway.meters.map(({ meterId }) => topicFor(meterId, 'ack')));
    gateway.connected = true;
  }

  #onLost(gateway: Gateway, index: number, error: Error): void {
    gateway.connected = false;
    if (this.#stopping || this.#failure !== undefined) return;
    this.#reconnects += 1;
    this.logger.warn({ err: error, gateway: index }, 'connection lost: again');
    setTimeout(() => {
      if (this.#stopping) return;
      this.#connect(gateway, index).catch((again: Error) => this.#onLost(gateway, index, again));
    }, RECONNECT_MS).unref();
  }

  /**
   * Meters take turns, and none is passed over: one whose connection is gone or full holds up the others until it is
   * back. A reading that would end in the future ends the run, since no collector takes it.
   */
  async #publishAll(
    signal: AbortSignal | undefined,
  ): Promise<{ readings: number; payloadBytes: number; outOfTime: boolean }> {
    const { config, meters } = this;
    const beganMs = performance.now();
    const batches = this.#gateways.map((): PreparedPublish[] => []);
    const first = this.#published;
    let payloadBytes = 0;
    let outOfTime = false;
    while (!outOfTime && signal?.aborted !== true && this.#failure === undefined) {
      const elapsed = (performance.now() - beganMs) / 1000;
      const due = first + Math.floor(Math.min(elapsed, config.seconds) * config.rate) - this.#published;
      if (elapsed >= config.seconds && due <= 0) break;
      const touched = new Set<number>();
      // What is overdue is worked off in parts, so that acknowledgements are read between.
      for (let count = 0; count < Math.min(due, MOST_AT_ONCE); count++) {
        const index = this.#published % meters.length;
        const at = Math.floor(index / config.meters_per_gateway);
        const gateway = this.#gateways[at] as Gateway;
        if (!gateway.connected || (gateway.client?.backlogBytes ?? 0) > FULL_BYTES) break;
        const sequence = Math.floor(this.#published / meters.length) + 1;
        const end = config.epoch + sequence * config.interval_seconds;
        outOfTime = end > this.now() / 1000 + MOST_AHEAD_SECONDS;
        if (outOfTime) break;
        const meter = meters[index] as FleetMeter;
        const text = meter.submission(sequence, sequence - 1);
        payloadBytes = text.length;
        batches[at]?.push(preparePublish(topicFor(meter.meterId, 'reading'), text));
        this.#published += 1;
        touched.add(at);
      }
      for (const at of touched) this.#gateways[at]?.client?.publish(batches[at]?.splice(0) ?? []);
      this.#watchMemory();
      await new Promise((done) => setTimeout(done, due > MOST_AT_ONCE ? 0 : TICK_MS));
    }
    return { readings: this.#published - first, payloadBytes, outOfTime };
  }

  async #drain(readings: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.config.acks) return;
    const deadline = performance.now() + this.config.drain_seconds * 1000;
    while (
      this.#acknowledged < readings &&
      performance.now() < deadline &&
      this.#failure === undefined &&
      signal?.aborted !== true
    ) {
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  #onAck(topic: string, payload: Buffer): void {
    try {
      const envelope = parseJsonWith(SignedEnvelope, payload, 'ACK_INVALID');
      if (this.#ackKey !== undefined) {
        const message = encodeEnvelopeMessage(topic, envelope.payload);
        if (!verify(null, message, this.#ackKey, decodeBase58(envelope.signature, 64))) {
          throw new GtxError('ACK_INVALID', `an acknowledgement on ${topic} has another signature`);
        }
      }
      const ack = parseJsonWith(Ack, envelope.payload, 'ACK_INVALID');
      if (topic !== topicFor(ack.meter_id, 'ack')) throw new GtxError('ACK_INVALID', `${topic} is another's`);
      const before = this.#through.get(ack.meter_id);
      const through = Number(ack.through);
      if (before !== undefined && through > before) {
        this.#acknowledged += through - before;
        this.#through.set(ack.meter_id, through);
      }
      for (const { code } of ack.refused) this.#refused[code] = (this.#refused[code] ?? 0) + 1;
    } catch (error) {
      this.#failure = error instanceof GtxError ? error : new GtxError('INTERNAL', String(error));
    }
  }

  #watchMemory(): number {
    const rss = process.memoryUsage.rss();
    this.#peakRss = Math.max(this.#peakRss, rss);
    return rss;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
