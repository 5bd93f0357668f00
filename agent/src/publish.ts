/**
 * The way to the collector: one MQTT connection for all meters of the gateway (3.1.1, QoS 1), readings in
 * order until the collector itself has decided upon them, live values and health beside.
 *
 * The MQTT library only carries bytes: it is given no session to keep, no queue and no reconnecting,
 * because the outbox is the queue and must stay the only one.
 */
import {
  type Command,
  decodeReading,
  encodeBase58,
  fromReading,
  GtxError,
  parseTopic,
  type Status,
  type SubmitReading,
  type Telemetry,
  topicFor,
} from '@gridtokenx/protocol';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import { type CommandMark, checkCommand, openEnvelope, readAck, readCommand } from './acknowledge.js';
import type { Alerts } from './alerts.js';
import type { ClockGuard } from './clock.js';
import type { TlsTexts } from './collector-http.js';
import type { AgentConfig } from './config.js';
import { DeliveryWindow, Pace, reconnectWaitMs, TRIES_BEFORE_ALERT } from './deliver.js';
import { deliverOverHttp, MAX_READINGS_PER_REQUEST } from './http-delivery.js';
import type { Outbox, OutboxReading } from './outbox.js';
import { Presence } from './presence.js';
import { readPasswordFile } from './secret-file.js';
import { readClockOffset } from './server-time.js';
import type { MeterSigner } from './sign.js';
import { brokerTls, collectorTls } from './tls-files.js';

/** What the publisher needs of one meter. */
export interface PublishedMeter {
  id: string;
  wallet: string;
  signer: MeterSigner;
  telemetry(): Telemetry | undefined;
  status(state: 'online' | 'offline'): Status;
  /** @throws GtxError COMMAND_INVALID when the command is outside the gateway's limits */
  setSampleSeconds(seconds: number): void;
}

/** For metrics; only counts up. */
export interface PublishCounters {
  published: number;
  acks: number;
  acksRefused: number;
  commands: number;
  commandsRefused: number;
  connects: number;
  connectFailures: number;
  stored: number;
  refused: number;
  postponed: number;
  /** Readings sent over HTTP, and requests for it that brought no acknowledgement. */
  httpReadings: number;
  httpFailures: number;
}

export const NOTHING_COUNTED: Readonly<PublishCounters> = {
  published: 0,
  acks: 0,
  acksRefused: 0,
  commands: 0,
  commandsRefused: 0,
  connects: 0,
  connectFailures: 0,
  stored: 0,
  refused: 0,
  postponed: 0,
  httpReadings: 0,
  httpFailures: 0,
};

export interface PublisherDeps {
  config: AgentConfig;
  meters: readonly PublishedMeter[];
  outbox: Outbox;
  clock: ClockGuard;
  alerts: Alerts;
  logger: Logger;
  now: () => number;
  monotonic: () => number;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** SUBACK return code of a subscription that is refused (MQTT 3.1.1, 3.9.3). */
const SUBSCRIPTION_REFUSED = 0x80;
/** How long the broker may take to answer a subscription. */
const SUBSCRIBE_TIMEOUT_MS = 10_000;
/** How long nothing is tried after a fault of the store. */
const STORE_AGAIN_MS = 5_000;
/** CONNACK return codes 4 and 5: the login, not the network, is refused (MQTT 3.1.1, table 3.1). */
const BAD_CREDENTIALS = 4;
const NOT_AUTHORISED = 5;
/** How long a forged message keeps its alert open after the last one. */
const FORGERY_ALERT_MS = 600_000;
/** How often the collector is asked for the time while connected. */
const OFFSET_EVERY_MS = 900_000;
/** How often it is asked while nothing is signed for want of an answer. */
const CONFIRM_EVERY_MS = 2_000;
/** A clock that moved by more than this against the monotonic one while the collector answered was set meanwhile. */
const SET_MEANWHILE_MS = 1_000;
/** While readings go over HTTP: how long until it is looked again whether there are any. */
const HTTP_IDLE_MS = 60_000;
/** Each request needs a later second for its login. */
const HTTP_BETWEEN_MS = 1_000;

/** One meter's readings on their way. */
interface Lane {
  window: DeliveryWindow;
  pace: Pace;
  timer: NodeJS.Timeout | undefined;
  /** The broker does not let this meter hear its acknowledgements: what it sent would be sent again for ever. */
  deaf: boolean;
  /** The broker has refused one of the meter's topics, or both. */
  refused: boolean;
}

export class Publisher {
  readonly counters: PublishCounters = { ...NOTHING_COUNTED };
  private client: MqttClient | undefined;
  /** Connected, logged in and subscribed. */
  private ready = false;
  private failures = 0;
  private stopping = false;
  private connectTimer: NodeJS.Timeout | undefined;
  private readonly intervals: NodeJS.Timeout[] = [];
  private readonly windows = new Map<string, Lane>();
  /** Readings go over HTTP, since the broker has been away for long. */
  private overHttp = false;
  private httpTimer: NodeJS.Timeout | undefined;
  /** When it fires, while readings go over HTTP. */
  private httpDueMs = 0;
  /** The request that is under way; never rejects. */
  private httpRound: Promise<void> = Promise.resolve();
  private httpFailuresInRow = 0;
  /** There has been something new since the round began. */
  private httpWoken = false;
  private readonly abort = new AbortController();
  /** Collector's time minus own, for logins only. */
  private loginOffsetMs = 0;
  private readonly lastLogin = new Map<string, number>();
  private lastForgeryMs: number | undefined;
  private outboxFull = false;
  private learning = false;
  private readonly presences: Presence[] = [];
  /** At a broker that is not the collector's own; undefined: a signed login. */
  private password: string | undefined;
  private tls: TlsTexts = {};
  private httpTls: TlsTexts = {};

  constructor(private readonly deps: PublisherDeps) {
    const { mqtt, delivery } = deps.config;
    const perMeter = delivery.max_readings_per_second / deps.meters.length;
    for (const meter of deps.meters) {
      const pace = new Pace(perMeter, mqtt.window);
      const window = new DeliveryWindow();
      this.windows.set(meter.id, { window, pace, timer: undefined, deaf: false, refused: false });
    }
  }

  get connected(): boolean {
    return this.ready;
  }

  /** The way that readings take now. */
  get way(): 'mqtt' | 'http' | 'none' {
    return this.ready ? 'mqtt' : this.overHttp ? 'http' : 'none';
  }

  /** @throws GtxError CONFIG_INVALID, KEY_FILE_PERMISSIONS for the files of `mqtt` and `collector_ca_file` */
  start(): void {
    const { mqtt } = this.deps.config;
    if (mqtt.password_file !== undefined) this.password = readPasswordFile(mqtt.password_file);
    this.tls = brokerTls(this.deps.config);
    this.httpTls = collectorTls(this.deps.config);
    this.intervals.push(setInterval(() => this.publishTelemetry(), mqtt.telemetry_seconds * 1000));
    this.intervals.push(
      setInterval(() => {
        this.publishStatus('online');
        void this.subscribeAgain();
      }, mqtt.status_seconds * 1000),
    );
    if (this.deps.config.collector_url !== undefined) {
      this.intervals.push(setInterval(() => void this.learnOffset(), OFFSET_EVERY_MS));
      this.intervals.push(setInterval(() => this.confirmClock(), CONFIRM_EVERY_MS));
      this.confirmClock();
    }
    this.dial();
    this.watchBroker();
    if (mqtt.last_wills === 'gateway') return;
    for (const meter of this.deps.meters.slice(1)) {
      const presence = new Presence({
        meterId: meter.id,
        url: mqtt.url,
        options: () => this.connectOptions(meter),
        onPresent: () => {
          if (this.ready) this.emit(topicFor(meter.id, 'status'), meter.status('online'), true);
        },
        logger: this.deps.logger,
      });
      this.presences.push(presence);
      presence.start();
    }
  }

  /** Says goodbye and disconnects. What is undelivered stays in the outbox. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.connectTimer);
    this.clearHttpTimer();
    this.abort.abort();
    await this.httpRound;
    for (const timer of this.intervals) clearInterval(timer);
    for (const { timer } of this.windows.values()) clearTimeout(timer);
    const client = this.client;
    this.client = undefined;
    if (client && this.ready) await this.goodbye(client);
    await Promise.all(this.presences.map((presence) => presence.stop()));
    if (!client) return;
    await new Promise<void>((resolve) => client.end(true, {}, () => resolve()));
  }

  /** A reading is in the outbox: send it. */
  wake(meterId: string): void {
    const entry = this.windows.get(meterId);
    const meter = this.deps.meters.find((one) => one.id === meterId);
    if (!entry || !meter || this.stopping) return;
    if (!this.ready) {
      // A new reading is a reason to look; while requests fail, their wait holds.
      this.httpWoken = true;
      if (this.overHttp && this.httpFailuresInRow === 0) this.hastenHttp();
      return;
    }
    clearTimeout(entry.timer);
    if (entry.deaf) return;
    const { alerts, logger } = this.deps;
    try {
      this.send(meter, entry);
      alerts.clear('INTERNAL', meterId, 'delivery');
    } catch (error) {
      // Without the note that it was sent, the reading's acknowledgement would not be believed: wait.
      if (!this.noteFull(error)) {
        // Called from timers: it must end neither the measuring nor the other meters' delivery.
        logger.error({ err: error, meter_id: meterId }, 'readings could not be sent');
        alerts.raise('INTERNAL', `readings cannot be sent: ${(error as Error).message}`, meterId, 'delivery');
      }
      entry.timer = setTimeout(() => this.wake(meterId), STORE_AGAIN_MS);
    }
  }

  /** Raises the alert where the store does not take what delivery has to note. @returns whether it was that */
  private noteFull(error: unknown): boolean {
    if (!(error instanceof GtxError) || error.code !== 'OUTBOX_FULL') return false;
    this.outboxFull = true;
    this.deps.alerts.raise('OUTBOX_FULL', error.message, undefined, 'delivery');
    return true;
  }

  /** The store has taken a note again. */
  private noteWritten(): void {
    if (!this.outboxFull) return;
    this.outboxFull = false;
    this.deps.alerts.clear('OUTBOX_FULL', undefined, 'delivery');
  }

  /** What carries these readings. One that is damaged in the store is refused for good and left out. */
  private bodiesOf(meter: PublishedMeter, rows: readonly OutboxReading[]): Map<number, SubmitReading> {
    const { outbox, now, logger } = this.deps;
    const bodies = new Map<number, SubmitReading>();
    for (const row of rows) {
      try {
        bodies.set(row.sequence, bodyOf(meter, row));
      } catch (error) {
        logger.error({ err: error, meter_id: meter.id, sequence: row.sequence }, 'a reading is damaged');
        outbox.refuseDamaged(meter.id, row.sequence, now());
        this.counters.refused++;
      }
    }
    return bodies;
  }

  private send(meter: PublishedMeter, entry: Lane): void {
    const { outbox, now, monotonic, config, alerts } = this.deps;
    const wall = now();
    const open = outbox.open(meter.id, wall, config.mqtt.window);
    const { send, nextMs, held } = entry.window.plan(
      open.map((reading) => reading.sequence),
      monotonic(),
      entry.pace.available(monotonic()),
    );
    entry.pace.spend(send.length);
    if (entry.window.stalled) {
      alerts.raise(
        'BROKER_UNAVAILABLE',
        `the collector has not acknowledged reading ${open[0]?.sequence} of ${meter.id} after ${TRIES_BEFORE_ALERT} tries`,
        meter.id,
        'delivery',
      );
    } else if (open.length === 0) {
      alerts.clear('BROKER_UNAVAILABLE', meter.id, 'delivery');
    }
    if (send.length > 0) {
      const wanted = new Set(send);
      const bodies = this.bodiesOf(
        meter,
        open.filter(({ sequence }) => wanted.has(sequence)),
      );
      if (outbox.markSent(meter.id, [...bodies.keys()], wall) > 0) this.noteWritten();
      for (const body of bodies.values()) {
        this.counters.published++;
        this.emit(topicFor(meter.id, 'reading'), body, false);
      }
    }
    const waits = nextMs === undefined ? [] : [nextMs - monotonic()];
    if (held) waits.push(entry.pace.waitMs(monotonic()));
    const laterMs = outbox.nextRetryMs(meter.id, wall);
    if (laterMs !== undefined) waits.push(laterMs - wall);
    if (waits.length > 0) {
      entry.timer = setTimeout(() => this.wake(meter.id), Math.max(1, Math.min(...waits, 60_000)));
    }
  }

  /** Begins the time after which readings go over HTTP, unless the broker is there before. */
  private watchBroker(): void {
    const { config, logger } = this.deps;
    const afterSeconds = config.delivery.http_after_seconds;
    if (config.collector_url === undefined || afterSeconds === 0 || this.stopping) return;
    this.httpTimer = setTimeout(() => {
      if (this.ready || this.stopping) return;
      logger.warn(
        { away_seconds: afterSeconds, collector_url: config.collector_url },
        'the broker is away: readings go over HTTP',
      );
      this.overHttp = true;
      this.httpFailuresInRow = 0;
      this.scheduleHttp(0);
    }, afterSeconds * 1000);
  }

  private clearHttpTimer(): void {
    clearTimeout(this.httpTimer);
    this.httpTimer = undefined;
  }

  /** There is something new: no later than in a moment. What is to come sooner anyway is never put off. */
  private hastenHttp(): void {
    const sooner = this.httpDueMs > this.deps.monotonic() + HTTP_BETWEEN_MS;
    if (this.httpTimer !== undefined && sooner) this.scheduleHttp(HTTP_BETWEEN_MS);
  }

  private scheduleHttp(afterMs: number): void {
    this.clearHttpTimer();
    if (!this.overHttp || this.stopping) return;
    this.httpDueMs = this.deps.monotonic() + afterMs;
    this.httpTimer = setTimeout(() => {
      this.httpTimer = undefined;
      // One after the other: a round that is under way decides itself when the next one comes.
      this.httpRound = this.httpRound.then(() => this.deliverRound());
    }, afterMs);
  }

  /** One request for each meter with something to send. Never rejects. */
  private async deliverRound(): Promise<void> {
    const { meters, alerts, logger } = this.deps;
    let waitMs = HTTP_IDLE_MS;
    let failure: unknown;
    this.httpWoken = false;
    for (const meter of meters) {
      if (!this.overHttp || this.stopping) return;
      try {
        waitMs = Math.min(waitMs, await this.deliverMeter(meter));
      } catch (error) {
        // One meter that is refused (not registered yet) keeps no other from being heard.
        const full = this.noteFull(error);
        if (!full || failure === undefined) failure = error;
        if (!full) this.counters.httpFailures++;
        if (!this.stopping) {
          logger.warn({ meter_id: meter.id, reason: (error as Error).message }, 'not delivered over HTTP');
        }
      }
    }
    if (!this.overHttp || this.stopping) return;
    if (failure === undefined) {
      this.httpFailuresInRow = 0;
      if (this.httpWoken) waitMs = Math.min(waitMs, HTTP_BETWEEN_MS);
      alerts.clear('COLLECTOR_UNAVAILABLE', undefined, 'delivery');
    } else {
      waitMs = Math.max(reconnectWaitMs(this.httpFailuresInRow++, Math.random), retryAfterMs(failure));
      // A store that takes no note has an alert of its own, and says nothing of the collector.
      const full = failure instanceof GtxError && failure.code === 'OUTBOX_FULL';
      if (!full && this.httpFailuresInRow >= TRIES_BEFORE_ALERT) {
        alerts.raise(
          'COLLECTOR_UNAVAILABLE',
          `nothing was delivered over HTTP either, ${this.httpFailuresInRow} times: ${(failure as Error).message}`,
          undefined,
          'delivery',
        );
      }
      if (failure instanceof GtxError && failure.code === 'LOGIN_STALE') await this.learnOffset();
    }
    this.scheduleHttp(waitMs);
  }

  /** Sends the oldest readings of a meter over HTTP. @returns after how many ms there may be more to send */
  private async deliverMeter(meter: PublishedMeter): Promise<number> {
    const { outbox, now, monotonic, config } = this.deps;
    const lane = this.windows.get(meter.id) as Lane;
    const wall = now();
    const open = outbox.open(meter.id, wall, Math.min(config.mqtt.window, MAX_READINGS_PER_REQUEST));
    if (open.length === 0) {
      const laterMs = outbox.nextRetryMs(meter.id, wall);
      return laterMs === undefined ? HTTP_IDLE_MS : Math.max(HTTP_BETWEEN_MS, laterMs - wall);
    }
    const readings = open.slice(0, lane.pace.available(monotonic()));
    if (readings.length === 0) return Math.max(HTTP_BETWEEN_MS, lane.pace.waitMs(monotonic()));
    const bodies = this.bodiesOf(meter, readings);
    if (bodies.size === 0) return HTTP_BETWEEN_MS;
    lane.pace.spend(bodies.size);
    if (outbox.markSent(meter.id, [...bodies.keys()], wall) > 0) this.noteWritten();
    this.counters.httpReadings += bodies.size;
    const { time, signature } = this.loginOf(meter);
    const envelope = await deliverOverHttp({
      collectorUrl: config.collector_url as string,
      meterId: meter.id,
      login: { time, signature },
      readings: [...bodies.values()],
      tls: this.httpTls,
      signal: this.abort.signal,
    });
    const topic = topicFor(meter.id, 'ack');
    try {
      this.onAck(meter, topic, envelope);
    } catch (error) {
      this.refuse(meter, 'ack', error);
      throw error;
    }
    return HTTP_BETWEEN_MS;
  }

  /** QoS 1. Whether the broker took it does not matter here: only the collector's word counts. */
  private emit(topic: string, body: unknown, retain: boolean): void {
    this.client?.publish(topic, JSON.stringify(body), { qos: 1, retain }, (error) => {
      if (error) this.deps.logger.debug({ topic, reason: error.message }, 'not taken by the broker');
    });
  }

  private publishTelemetry(): void {
    if (!this.ready) return;
    for (const meter of this.deps.meters) {
      const telemetry = meter.telemetry();
      if (telemetry) this.emit(topicFor(meter.id, 'telemetry'), telemetry, true);
    }
  }

  private publishStatus(state: 'online'): void {
    if (!this.ready) return;
    for (const meter of this.deps.meters) this.emit(topicFor(meter.id, 'status'), meter.status(state), true);
  }

  /** How to connect, with a new login and the last will of one meter. */
  private connectOptions(meter: PublishedMeter): IClientOptions {
    const { config, meters } = this.deps;
    return {
      clientId: `gtx-agent-${meter.id}`,
      // The login is the gateway's, whichever meter's will the connection carries.
      username: config.mqtt.username ?? (meters[0] as PublishedMeter).id,
      password: this.password ?? this.login(),
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepalive: config.mqtt.keepalive_seconds,
      queueQoSZero: false,
      // Its cache of all 65,536 packet ids as buffers takes 7 MB.
      writeCache: false,
      rejectUnauthorized: true,
      will: {
        topic: topicFor(meter.id, 'status'),
        payload: Buffer.from(JSON.stringify(meter.status('offline'))),
        qos: 1,
        retain: true,
      },
      ...this.tls,
    };
  }

  private dial(): void {
    if (this.stopping) return;
    const { config, meters, logger } = this.deps;
    const client = connect(config.mqtt.url, this.connectOptions(meters[0] as PublishedMeter));
    this.client = client;
    let reason = 'the connection was closed';
    let refused = false;
    let over = false;
    const lost = () => {
      if (over) return;
      over = true;
      client.end(true);
      this.onLost(client, reason, refused);
    };
    client.on('error', (error: Error & { code?: unknown }) => {
      reason = error.message;
      refused = error.code === BAD_CREDENTIALS || error.code === NOT_AUTHORISED;
      lost();
    });
    client.on('close', lost);
    client.on('message', (topic, payload) => this.onMessage(topic, payload));
    client.on('connect', () => {
      this.onConnected(client).catch((error: Error) => {
        reason = error.message;
        logger.warn({ reason }, 'the broker does not let this gateway subscribe');
        lost();
      });
    });
  }

  private async onConnected(client: MqttClient): Promise<void> {
    const { meters, config, alerts, logger } = this.deps;
    await Promise.all(meters.map((meter) => this.subscribe(client, meter)));
    if (meters.every(({ id }) => this.windows.get(id)?.deaf)) {
      throw new Error('it refuses the topics of every meter');
    }
    if (this.client !== client || this.stopping) return;
    this.failures = 0;
    this.counters.connects++;
    this.overHttp = false;
    this.clearHttpTimer();
    // What is on its way over HTTP is not sent a second time here.
    await this.httpRound;
    if (this.client !== client || this.stopping) return;
    this.ready = true;
    alerts.clear('COLLECTOR_UNAVAILABLE', undefined, 'delivery');
    alerts.clear('BROKER_UNAVAILABLE');
    alerts.clear('LOGIN_REFUSED');
    logger.info(
      { broker: config.mqtt.url, meters: meters.map((meter) => meter.id) },
      'connected to the broker',
    );
    // Retained values do not survive every broker's restart: say again what is so.
    this.publishStatus('online');
    this.publishTelemetry();
    for (const [meterId, entry] of this.windows) {
      entry.window.reconnected();
      this.wake(meterId);
    }
    if (config.collector_url !== undefined) void this.learnOffset();
  }

  /**
   * Subscribes to what the collector says to one meter: a refusal concerns no other.
   * @throws Error when the connection is lost or the broker does not answer
   */
  private async subscribe(client: MqttClient, { id }: PublishedMeter): Promise<void> {
    const { alerts } = this.deps;
    const lane = this.windows.get(id) as Lane;
    const topics = [topicFor(id, 'ack'), topicFor(id, 'command')];
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('it does not answer the subscription')),
        SUBSCRIBE_TIMEOUT_MS,
      );
    });
    try {
      await Promise.race([client.subscribeAsync(topics, { qos: 1 }), limit]);
      lane.deaf = false;
      lane.refused = false;
      alerts.clear('LOGIN_REFUSED', id);
    } catch (error) {
      // With the broker's answer (MQTT 3.1.1, 3.9.3): 0x80 for each topic that is refused, in the order of asking.
      const { packet } = error as { packet?: { granted?: number[] } };
      if (packet?.granted?.length !== topics.length) throw error;
      lane.deaf = packet.granted[0] === SUBSCRIPTION_REFUSED;
      lane.refused = true;
      alerts.raise('LOGIN_REFUSED', `the broker refuses ${id}'s topics`, id);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks again for the meters of whose topics the broker has refused any. Never rejects. */
  private async subscribeAgain(): Promise<void> {
    const { client } = this;
    if (client === undefined || !this.ready) return;
    for (const meter of this.deps.meters) {
      const lane = this.windows.get(meter.id) as Lane;
      if (!lane.refused) continue;
      try {
        await this.subscribe(client, meter);
      } catch (error) {
        // The connection is told of by itself.
        this.deps.logger.debug({ meter_id: meter.id, reason: (error as Error).message }, 'not subscribed');
        return;
      }
      if (this.client !== client) return;
      if (!lane.deaf) this.wake(meter.id);
    }
  }

  private onLost(client: MqttClient, reason: string, refused: boolean): void {
    if (this.client !== client || this.stopping) return;
    const { logger, alerts, config } = this.deps;
    this.client = undefined;
    this.ready = false;
    if (!this.overHttp && this.httpTimer === undefined) this.watchBroker();
    for (const { timer } of this.windows.values()) clearTimeout(timer);
    this.failures++;
    this.counters.connectFailures++;
    const waitMs = reconnectWaitMs(this.failures - 1, Math.random);
    logger.warn({ reason, refused, failures: this.failures, wait_ms: waitMs }, 'not connected to the broker');
    if (this.failures >= TRIES_BEFORE_ALERT) {
      alerts.raise(
        'BROKER_UNAVAILABLE',
        `${this.failures} attempts to connect to ${config.mqtt.url} failed: ${reason}`,
      );
    }
    if (refused && this.failures >= 2)
      alerts.raise('LOGIN_REFUSED', `the broker refuses the login: ${reason}`);
    const again = () => {
      if (this.stopping) return;
      clearTimeout(this.connectTimer);
      this.connectTimer = setTimeout(() => this.dial(), waitMs);
    };
    if (refused && config.collector_url !== undefined) void this.learnOffset().finally(again);
    else again();
  }

  /** The password: for each meter a login message of now, signed by its key. */
  private login(): string {
    return JSON.stringify(
      this.deps.meters.map((meter) => {
        const { time, signature } = this.loginOf(meter);
        return { meter_id: meter.id, time, signature: encodeBase58(signature) };
      }),
    );
  }

  /** A login message of now, newer than the meter's last. */
  private loginOf({ id, signer }: PublishedMeter): { time: number; signature: Uint8Array } {
    // Each login must be newer than the last; two within a second would be equal.
    const wanted = Math.floor((this.deps.now() + this.loginOffsetMs) / 1000);
    const last = this.lastLogin.get(id) ?? 0;
    // A clock that was set back far must not be chased by counting up from the future.
    const time = wanted <= last && last - wanted < 60 ? last + 1 : Math.max(0, wanted);
    this.lastLogin.set(id, time);
    return { time, signature: signer.signLogin(id, time) };
  }

  /** Asks the collector for its time when nobody has confirmed the clock. Never throws. */
  confirmClock(): void {
    if (this.deps.clock.unconfirmed && !this.stopping) void this.learnOffset();
  }

  private async learnOffset(): Promise<void> {
    const { config, clock, now, monotonic, logger } = this.deps;
    if (config.collector_url === undefined || this.learning) return;
    this.learning = true;
    const before = now() - monotonic();
    try {
      const offsetMs = await readClockOffset(config.collector_url, now, this.httpTls, this.abort.signal);
      if (Math.abs(now() - monotonic() - before) > SET_MEANWHILE_MS) return;
      clock.setOffset(offsetMs);
      this.loginOffsetMs = Math.abs(offsetMs) > 5_000 ? -offsetMs : 0;
    } catch (error) {
      logger.debug({ reason: (error as Error).message }, 'the collector did not tell the time');
    } finally {
      this.learning = false;
    }
  }

  private onMessage(topic: string, payload: Uint8Array): void {
    const parsed = parseTopic(topic);
    const meter = parsed && this.deps.meters.find((one) => one.id === parsed.meterId);
    if (!parsed || !meter) return;
    try {
      if (parsed.kind === 'ack') this.onAck(meter, topic, payload);
      else if (parsed.kind === 'command') this.onCommand(meter, topic, payload);
    } catch (error) {
      this.refuse(meter, parsed.kind === 'ack' ? 'ack' : 'command', error);
    }
  }

  private onAck(meter: PublishedMeter, topic: string, payload: Uint8Array): void {
    const { config, outbox, now, clock, alerts, logger } = this.deps;
    const text = openEnvelope(topic, payload, config.collector_key, 'ACK_INVALID');
    const { decision, timeSeconds } = readAck(text, meter.id, outbox.highestSent(meter.id));
    // Acknowledgements from before a request to resend speak of readings that the collector has lost since.
    if (timeSeconds < outbox.resendTime(meter.id)) return;
    const result = outbox.decide(meter.id, decision, now());
    this.counters.acks++;
    this.counters.stored += result.stored;
    this.counters.refused += result.refused;
    this.counters.postponed += result.later;
    for (const { sequence, code, retry } of decision.refused) {
      logger.warn({ meter_id: meter.id, sequence, code, retry }, 'the collector refuses a reading');
    }
    this.learnFromAck(timeSeconds);
    if (result.stored + result.refused + result.later > 0) {
      this.noteWritten();
      this.windows.get(meter.id)?.window.answered();
      alerts.clear('BROKER_UNAVAILABLE', meter.id, 'delivery');
    }
    if (this.lastForgeryMs !== undefined && clock.steadyMs() - this.lastForgeryMs > FORGERY_ALERT_MS) {
      this.lastForgeryMs = undefined;
      alerts.clear('ACK_INVALID');
      alerts.clear('COMMAND_INVALID');
    }
    this.wake(meter.id);
  }

  /** A signed time that lies ahead of our clock proves that ours is slow; an old one proves nothing. */
  private learnFromAck(timeSeconds: number): void {
    const { clock, now } = this.deps;
    clock.noteSignedTime(now() - (timeSeconds + 1) * 1000);
  }

  private onCommand(meter: PublishedMeter, topic: string, payload: Uint8Array): void {
    const { config, outbox, now, clock, logger } = this.deps;
    const command = readCommand(openEnvelope(topic, payload, config.collector_key, 'COMMAND_INVALID'));
    const name = `command/${meter.id}`;
    const kept = outbox.setting(name);
    const trusted = clock.verdict(0).trusted;
    const mark = checkCommand(
      command,
      kept === undefined ? undefined : (JSON.parse(kept) as CommandMark),
      trusted ? Math.floor(now() / 1000) : undefined,
    );
    this.obey(meter, command);
    outbox.saveSetting(name, JSON.stringify(mark));
    this.counters.commands++;
    logger.info({ meter_id: meter.id, command }, 'obeyed the collector');
    this.wake(meter.id);
  }

  private obey(meter: PublishedMeter, command: Command): void {
    const { outbox } = this.deps;
    if (command.type === 'sampling') {
      meter.setSampleSeconds(command.sample_seconds);
      return;
    }
    const from = BigInt(command.from_sequence);
    const highest = outbox.highestSent(meter.id);
    if (from > BigInt(highest)) return;
    const first = outbox.reading(meter.id, Number(from));
    if (first?.state === 'pending' || first?.state === 'sent') {
      // Not lost but never decided: it is in the queue anyway and only has to come now.
      outbox.retryNow(meter.id, Number(from));
    } else if (outbox.resendFrom(meter.id, Number(from), command.time) === 0) return;
    this.windows.get(meter.id)?.window.reconnected();
  }

  private refuse(meter: PublishedMeter, kind: 'ack' | 'command', error: unknown): void {
    const { alerts, clock, logger } = this.deps;
    if (!(error instanceof GtxError)) {
      logger.error({ err: error, meter_id: meter.id }, `a ${kind} could not be taken`);
      return;
    }
    // Not noted, so the reading is sent again and acknowledged again.
    if (this.noteFull(error)) return;
    if (kind === 'ack') this.counters.acksRefused++;
    else this.counters.commandsRefused++;
    this.lastForgeryMs = clock.steadyMs();
    alerts.raise(
      kind === 'ack' ? 'ACK_INVALID' : 'COMMAND_INVALID',
      `refused for ${meter.id}: ${error.message}`,
    );
  }

  private async goodbye(client: MqttClient): Promise<void> {
    const sent = this.deps.meters.map((meter) =>
      client
        .publishAsync(topicFor(meter.id, 'status'), JSON.stringify(meter.status('offline')), {
          qos: 1,
          retain: true,
        })
        .catch((error: Error) => this.deps.logger.debug({ reason: error.message }, 'goodbye not taken')),
    );
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, 2_000);
    });
    await Promise.race([Promise.all(sent), limit]);
    clearTimeout(timer);
  }
}

/** What carries a reading, by either way. */
function bodyOf(meter: PublishedMeter, row: OutboxReading): SubmitReading {
  return fromReading({
    meterId: meter.id,
    wallet: meter.wallet,
    reading: decodeReading(row.bytes),
    amountNkwh: row.amount,
    signature: row.signature,
    publicKey: row.publicKey,
  });
}

/** How long a refusal asks to wait. */
function retryAfterMs(error: unknown): number {
  const seconds = error instanceof GtxError ? Number(error.details?.retry_after_seconds) : Number.NaN;
  return Number.isFinite(seconds) ? Math.min(seconds, 3_600) * 1000 : 0;
}
