import { randomBytes } from 'node:crypto';
import { parseTopic, READINGS_FILTER, TOPIC_ROOT } from '@gridtokenx/protocol';
import mqtt, { type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import type { MqttBus, MqttHandlers } from './bus.js';
import { readPem, readSecretPem } from './certificates.js';

export interface ExternalBrokerOptions {
  url: string;
  username: string | undefined;
  password: string | undefined;
  caFile: string | undefined;
  /** Client certificate and its key, where the broker wants one. */
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /** Shared subscription (MQTT 5, 4.8.2): several collectors divide the readings between them. */
  shareGroup: string | undefined;
}

/** Topic filters, and how they are asked for. */
type Filters = Record<string, { qos: 0 | 1 }>;

/** From here on the codes of a SUBACK are refusals [MQTT 3.9.3]. */
const REFUSED = 0x80;
/** What the broker has set aside for us still comes after the end of the subscription, in one go. */
const SILENCE_MILLIS = 200;
const LONGEST_DRAIN_MILLIS = 5_000;
/** After a subscription was refused: somebody may be setting the broker's rules right. */
const SUBSCRIBE_AGAIN_MILLIS = 2_000;
/** Meters whose gateways are known to be there. Of more of them each status counts as a new one. */
const MAX_PRESENT = 200_000;

/** The collector as a client of somebody else's broker, which then has to keep the topics apart. */
export class ExternalBroker implements MqttBus {
  private client: MqttClient | undefined;
  private quiet = false;
  /** The broker gives us what we have asked for. */
  private granted = false;
  private again: NodeJS.Timeout | undefined;
  /** Meters whose gateways have said on this connection that they are there, and not yet that they are gone. */
  private readonly present = new Set<string>();
  /** When a reading came last, by a clock that is never set; and how many have come. */
  private heardAt = 0;
  private heard = 0;

  constructor(
    private readonly options: ExternalBrokerOptions,
    private readonly deps: { handlers: MqttHandlers; logger: Logger },
  ) {}

  get url(): string {
    return this.options.url;
  }

  get connected(): boolean {
    return this.granted && (this.client?.connected ?? false);
  }

  /** Begins to connect and goes on trying: a broker that is away does not keep the collector from starting. */
  async start(): Promise<void> {
    const { url, username, password, caFile, certFile, keyFile, shareGroup } = this.options;
    const { logger } = this.deps;
    const client = mqtt.connect(url, {
      // Unique, so that two collectors never throw each other out [MQTT-3.1.4-2].
      clientId: `gtx-collector-${randomBytes(8).toString('hex')}`,
      protocolVersion: shareGroup === undefined ? 4 : 5,
      // What arrives while the collector is away is not kept by the broker: gateways send again.
      clean: true,
      // The client's own way to subscribe again does not tell what the broker says to it.
      resubscribe: false,
      reconnectPeriod: 2_000,
      connectTimeout: 10_000,
      queueQoSZero: false,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(caFile !== undefined && { ca: readPem(caFile) }),
      ...(certFile !== undefined && { cert: readPem(certFile) }),
      ...(keyFile !== undefined && { key: readSecretPem(keyFile) }),
    });
    this.client = client;
    client.on('connect', () => {
      logger.info({ url }, 'connected to the broker');
      this.present.clear();
      this.subscribe(client, this.filters);
    });
    client.on('close', () => {
      this.granted = false;
    });
    client.on('error', (error) => logger.warn({ reason: error.message, url }, 'broker connection error'));
    client.on('offline', () => logger.warn({ url }, 'the broker is away'));
    // Replaces the default handler, which would take messages without bound: the next packet of the
    // stream is read when `done` is called.
    client.handleMessage = (packet, done) => {
      const target = parseTopic(packet.topic);
      if (target === undefined) {
        done();
        return;
      }
      const { handlers } = this.deps;
      const { meterId, kind } = target;
      const { topic, payload, retain: retained } = packet;
      handlers.onTraffic?.({ ...target, topic, direction: 'in', payload, retained });
      if (kind === 'reading') {
        this.heardAt = performance.now();
        this.heard += 1;
        const wait = handlers.onReading(meterId, bytesOf(payload));
        if (wait === undefined) done();
        else void wait.then(() => done());
        return;
      }
      if (kind === 'status' && !retained) this.status(meterId, payload);
      if (kind === 'status' || kind === 'telemetry') {
        handlers.onNews?.(kind, meterId, bytesOf(payload), retained);
      }
      done();
    };
  }

  /** Asks for these until all of them are granted, or the connection ends. */
  private subscribe(client: MqttClient, filters: Filters, attempt = 1): void {
    if (this.quiet || !client.connected) return;
    client.subscribe(filters, (error, _granted, answer) => {
      // A connection that ended meanwhile is made anew, and this with it.
      if (this.quiet || !client.connected) return;
      this.granted = error === null;
      if (error === null) return;
      // Only what was refused: for the others the broker would send again all that it keeps.
      const codes = (answer?.granted ?? []) as number[];
      const refused = Object.fromEntries(
        Object.entries(filters).filter((_filter, at) => (codes[at] ?? REFUSED) >= REFUSED),
      );
      // A broker that is set up wrongly would fill the log.
      const level = attempt === 1 ? 'error' : 'debug';
      const facts = { reason: error.message, refused: Object.keys(refused), attempt };
      this.deps.logger[level](facts, 'the broker refuses a subscription');
      this.again = setTimeout(() => this.subscribe(client, refused, attempt + 1), SUBSCRIBE_AGAIN_MILLIS);
      this.again.unref();
    });
  }

  async quiesce(): Promise<void> {
    const { client } = this;
    this.quiet = true;
    clearTimeout(this.again);
    if (client === undefined || !client.connected) return;
    const begun = performance.now();
    const leftMillis = () => LONGEST_DRAIN_MILLIS - (performance.now() - begun);
    const filters = Object.keys(this.filters);
    try {
      await inTime(client.unsubscribeAsync(filters), leftMillis());
      // A broker that is slow is quiet too. It takes packets in their order, so the answer to a second one comes after what our
      // acknowledgements of before have made it send: where nothing came until then, it has nothing left for us.
      for (let before = -1; before !== this.heard && leftMillis() > 0; ) {
        before = this.heard;
        await inTime(client.unsubscribeAsync(filters), leftMillis());
        await this.silence(leftMillis);
      }
    } catch (error) {
      // The broker has gone too: then nothing more comes from it either.
      this.deps.logger.debug({ err: error }, 'the subscriptions could not be ended');
    }
  }

  /** Resolves when no reading has come for a while, or no time is left. */
  private async silence(leftMillis: () => number): Promise<void> {
    this.heardAt = performance.now();
    for (;;) {
      const silentMillis = performance.now() - this.heardAt;
      if (silentMillis >= SILENCE_MILLIS || leftMillis() <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MILLIS - silentMillis));
    }
  }

  async stop(): Promise<void> {
    this.quiet = true;
    clearTimeout(this.again);
    await this.client?.endAsync();
  }

  publish(topic: string, payload: string, options: { retain?: boolean } = {}): Promise<void> {
    const { client } = this;
    // Not queued for later: by then it is out of date, and gateways ask again.
    if (client === undefined || !client.connected) return Promise.resolve();
    const target = parseTopic(topic);
    if (target !== undefined) {
      this.deps.handlers.onTraffic?.({ ...target, topic, direction: 'out', payload, retained: false });
    }
    return new Promise((resolve) => {
      client.publish(topic, payload, { qos: 1, retain: options.retain ?? false }, (error) => {
        if (error)
          this.deps.logger.warn({ reason: error.message, topic }, 'a message could not be published');
        resolve();
      });
    });
  }

  /**
   * What is subscribed to, and with which QoS. Readings and live values are divided between the collectors where there are
   * several; what a gateway says of itself is for all of them. Nothing kept is delivered to a shared subscription
   * [MQTT-5 4.8.2]: live values of before are in the database.
   */
  private get filters(): Filters {
    const { shareGroup } = this.options;
    const share = shareGroup === undefined ? '' : `$share/${shareGroup}/`;
    return {
      [`${share}${READINGS_FILTER}`]: { qos: 1 },
      [`${TOPIC_ROOT}/+/status`]: { qos: 1 },
      // The next one comes in seconds.
      [`${share}${TOPIC_ROOT}/+/telemetry`]: { qos: 0 },
    };
  }

  /**
   * A gateway that has just come is told where it stands. It says again and again that it is there: only the first time counts,
   * or answers would be as many as statuses, from each collector. A gateway that comes back before the broker has missed it needs
   * no answer: it sends what is not acknowledged again, and is answered then.
   */
  private status(meterId: string, payload: string | Buffer): void {
    let state: unknown;
    try {
      state = (JSON.parse(payload.toString()) as { state?: unknown } | null)?.state;
    } catch {
      this.deps.logger.debug({ meterId }, 'a status is not JSON');
      return;
    }
    if (state === 'offline') this.present.delete(meterId);
    if (state !== 'online' || this.present.has(meterId)) return;
    if (this.present.size < MAX_PRESENT) this.present.add(meterId);
    this.deps.handlers.onListening(meterId);
  }
}

function bytesOf(payload: string | Buffer): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

/** @throws Error when it takes longer */
async function inTime<T>(what: Promise<T>, millis: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the broker does not answer')), millis);
  });
  try {
    return await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}
