import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Alerts } from '../alerts.js';
import type { ChannelTests } from '../review/schemas.js';
import { type DeliveryMetrics, deliveryMetrics } from './metrics.js';
import { type AlertChannel, MAX_NOTICES, type Notice } from './notice.js';
import { AlertOutbox, CHANNEL_FAILED, type LeasedNotice } from './outbox.js';

export interface AlertDeliveryDeps {
  readonly pool: pg.Pool;
  readonly alerts: Alerts;
  readonly channels: readonly AlertChannel[];
  readonly logger: Logger;
  readonly registry: Registry;
  readonly now: () => number;
  /** Milliseconds between two looks. Default 10 s. */
  readonly pollMillis?: number;
  /** How long news are gathered before they are told, so that a burst is one message. Default 2 s. */
  readonly gatherMillis?: number;
}

/** Longer than any channel takes for a message. */
const LEASE_SECONDS = 180;
/** Failures of a channel in a row after which it is an alert of its own. */
const FAILURES_UNTIL_ALERT = 3;

/**
 * Tells people of alerts, over every channel once however many collectors share the database. It runs beside
 * everything else and is waited for by nothing: a mail server that hangs delays mails.
 *
 * A notice counts as told when the other side has taken it. A collector that dies between that and writing it down
 * tells it again: notices have an id by which receivers can leave out the second.
 */
export class AlertDelivery {
  private readonly collector = randomUUID();
  private readonly outbox: AlertOutbox;
  private readonly metrics: DeliveryMetrics;
  private readonly failures = new Map<string, number>();
  private loops: Promise<void>[] = [];
  private stopping = false;
  private readonly sleepers = new Set<() => void>();

  constructor(private readonly deps: AlertDeliveryDeps) {
    this.outbox = new AlertOutbox(deps.pool, this.collector);
    this.metrics = deliveryMetrics(deps.registry, {
      alerts: this.figure(
        `SELECT kind, severity, count(*)::int AS count FROM alerts WHERE resolved_at IS NULL GROUP BY kind, severity`,
      ),
      reviews: this.figure(
        `SELECT kind, count(*)::int AS count FROM reviews WHERE status = 'open' GROUP BY kind`,
      ),
      due: this.figure(
        `SELECT channel, count(*)::int AS count FROM alert_notices WHERE state = 'due' GROUP BY channel`,
      ),
    });
  }

  start(): void {
    // A loop for each channel: one that hangs holds up itself alone.
    this.loops = this.deps.channels.map((channel) => this.follow(channel));
  }

  /** Ends after the messages at hand. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await Promise.all(this.loops);
    for (const channel of this.deps.channels) channel.close();
    await this.outbox.abandon().catch((error: unknown) => {
      this.deps.logger.warn(
        { err: error },
        'notices could not be given back; their leases end by themselves',
      );
    });
  }

  /** An alert has changed: looks soon. */
  wake(): void {
    for (const wake of [...this.sleepers]) wake();
  }

  /** Sends a test notice over every channel. */
  async test(by: string): Promise<ChannelTests> {
    const { channels, now } = this.deps;
    const results = await Promise.all(
      channels.map(async (channel) => {
        try {
          await channel.test(testNotice(by, new Date(now())));
          return { channel: channel.name, delivered: true, error: null };
        } catch (error) {
          return { channel: channel.name, delivered: false, error: textOf(error) };
        }
      }),
    );
    return { channels: results };
  }

  /** Tells what is due on one channel, once. */
  async run(channel: AlertChannel): Promise<void> {
    await this.outbox.plan(channel.name, channel.minimumSeverity);
    for (const alone of [false, true]) {
      // Messages one after the other; a channel that fails is not tried again at once.
      for (let delivered = true; delivered && !this.stopping; ) {
        const notices = await this.outbox.lease(channel.name, {
          limit: MAX_NOTICES,
          leaseSeconds: LEASE_SECONDS,
          alone,
        });
        delivered = notices.length > 0 && (await this.deliver(channel, notices));
      }
    }
  }

  private async deliver(channel: AlertChannel, notices: readonly LeasedNotice[]): Promise<boolean> {
    const { logger, alerts } = this.deps;
    const { name } = channel;
    try {
      await channel.send(notices);
    } catch (error) {
      const message = textOf(error);
      const failures = (this.failures.get(name) ?? 0) + 1;
      this.failures.set(name, failures);
      this.metrics.failed(name, notices.length);
      logger[failures === 1 ? 'warn' : 'debug'](
        { channel: name, reason: message, notices: notices.length, failures },
        'notices of alerts were not delivered; they are tried again',
      );
      await this.outbox.failed(notices, message);
      if (failures === FAILURES_UNTIL_ALERT) {
        await alerts.raise({
          kind: CHANNEL_FAILED,
          key: name,
          severity: 'warning',
          message: `alerts do not get through by ${name}: ${message}`,
          details: { channel: name },
        });
      }
      return false;
    }
    this.metrics.sent(name, notices.length);
    await this.outbox.sent(notices);
    // Another collector may have raised it.
    if (this.failures.get(name) !== 0) await alerts.resolve(CHANNEL_FAILED, name);
    this.failures.set(name, 0);
    return true;
  }

  private async follow(channel: AlertChannel): Promise<void> {
    const { logger, pollMillis = 10_000, gatherMillis = 2_000 } = this.deps;
    let failures = 0;
    while (!this.stopping) {
      try {
        await this.run(channel);
        failures = 0;
      } catch (error) {
        failures += 1;
        logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, channel: channel.name, failures },
          'notices of alerts have to wait: the database does not answer',
        );
      }
      if (await this.sleep(pollMillis)) await this.sleep(gatherMillis, false);
    }
  }

  /** @returns true when it was woken */
  private async sleep(milliseconds: number, wakeable = true): Promise<boolean> {
    if (this.stopping) return false;
    return new Promise((resolve) => {
      const end = (woken: boolean) => {
        clearTimeout(timer);
        this.sleepers.delete(wake);
        resolve(woken);
      };
      const wake = () => {
        if (wakeable || this.stopping) end(true);
      };
      const timer = setTimeout(() => end(false), milliseconds);
      this.sleepers.add(wake);
    });
  }

  /** For metrics; while the database is away the last figures stand. */
  private figure<Row>(sql: string): () => Promise<readonly Row[]> {
    const { pool, logger } = this.deps;
    let last: readonly Row[] = [];
    return async () => {
      try {
        last = (await pool.query(sql)).rows;
      } catch (error) {
        logger.debug({ err: error }, 'the figures of alerts could not be read');
      }
      return last;
    };
  }
}

function testNotice(by: string, at: Date): Notice {
  return {
    id: randomUUID(),
    event: 'opened',
    number: 1,
    alert: {
      id: randomUUID(),
      kind: 'test',
      key: 'test',
      severity: 'info',
      message: 'this is a test: alerts of this collector arrive here',
      details: { asked_for_by: by },
      occurrences: 1,
      firstSeen: at,
      lastSeen: at,
      resolvedAt: undefined,
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
