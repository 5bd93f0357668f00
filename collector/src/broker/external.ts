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

/** What the broker has set aside for us still comes after the end of the subscription, in one go. */
const SILENCE_MILLIS = 200;
const LONGEST_DRAIN_MILLIS = 5_000;

/** The collector as a client of somebody else's broker, which then has to keep the topics apart. */
export class ExternalBroker implements MqttBus {
  private client: MqttClient | undefined;
  private quiet = false;
  /** When a reading came last, by a clock that is never set. */
  private heardAt = 0;

  constructor(
    private readonly options: ExternalBrokerOptions,
    private readonly deps: { handlers: MqttHandlers; logger: Logger },
  ) {}

  get url(): string {
    return this.options.url;
  }

  get connected(): boolean {
    return this.client?.connected ?? false;
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
      if (this.quiet) return;
      client.subscribe(this.filters, (error, granted) => {
        const refused = granted?.filter((grant) => grant.qos >= 128);
        if (error || (refused && refused.length > 0)) {
          logger.error({ err: error, refused }, 'the broker refuses a subscription');
        }
      });
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

  async quiesce(): Promise<void> {
    const { client } = this;
    this.quiet = true;
    if (client === undefined || !client.connected) return;
    const begun = performance.now();
    const leftMillis = () => LONGEST_DRAIN_MILLIS - (performance.now() - begun);
    try {
      await inTime(client.unsubscribeAsync(Object.keys(this.filters)), leftMillis());
    } catch (error) {
      // The broker has gone too: then nothing more comes from it either.
      this.deps.logger.debug({ err: error }, 'the subscriptions could not be ended');
      return;
    }
    this.heardAt = performance.now();
    for (;;) {
      const silentMillis = performance.now() - this.heardAt;
      if (silentMillis >= SILENCE_MILLIS || leftMillis() <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MILLIS - silentMillis));
    }
  }

  async stop(): Promise<void> {
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
  private get filters(): Record<string, { qos: 0 | 1 }> {
    const { shareGroup } = this.options;
    const share = shareGroup === undefined ? '' : `$share/${shareGroup}/`;
    return {
      [`${share}${READINGS_FILTER}`]: { qos: 1 },
      [`${TOPIC_ROOT}/+/status`]: { qos: 1 },
      // The next one comes in seconds.
      [`${share}${TOPIC_ROOT}/+/telemetry`]: { qos: 0 },
    };
  }

  private status(meterId: string, payload: string | Buffer): void {
    let state: unknown;
    try {
      state = (JSON.parse(payload.toString()) as { state?: unknown } | null)?.state;
    } catch {
      this.deps.logger.debug({ meterId }, 'a status is not JSON');
      return;
    }
    if (state === 'online') this.deps.handlers.onListening(meterId);
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
