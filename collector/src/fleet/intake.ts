import { GtxError, MAX_PAYLOAD_BYTES } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import { LogLimiter } from '../broker/log-limiter.js';
import { storageFailure } from '../store/errors.js';
import type { FleetMetrics } from './metrics.js';
import { type StatusNews, statusNews, supersedes, type TelemetryNews, telemetryNews } from './news.js';
import { storeNews } from './store.js';

type Kind = 'status' | 'telemetry';

export interface FleetIntakeDeps {
  pool: pg.Pool;
  metrics: FleetMetrics;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  /** See `FleetRules`. */
  silentSeconds: number;
  limits?: Partial<FleetIntakeLimits>;
}

export interface FleetIntakeLimits {
  /** Between two rounds of writing. */
  flushMillis: number;
  /** Rows of one round, and of one statement: readings want the database too. */
  roundRows: number;
  statementRows: number;
  /** Meters of which something may wait in memory. */
  waitingMeters: number;
}

const LIMITS: FleetIntakeLimits = {
  flushMillis: 2_000,
  roundRows: 5_000,
  statementRows: 1_000,
  waitingMeters: 200_000,
};
const LONGEST_PAUSE_MILLIS = 30_000;

/**
 * Takes what gateways say of themselves, and writes the newest of each meter in batches. It never waits: a message replaces the
 * one of the same meter that has not been written yet, so that memory and database see at most one for each meter, however
 * many come and however long the database is away.
 */
export class FleetIntake {
  /** By meter; the one that has waited longest first. */
  private readonly waiting = {
    status: new Map<string, StatusNews>(),
    telemetry: new Map<string, TelemetryNews>(),
  };
  private readonly limits: FleetIntakeLimits;
  private readonly log: LogLimiter;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;
  private failures = 0;
  private stopped = false;

  constructor(private readonly deps: FleetIntakeDeps) {
    this.limits = { ...LIMITS, ...deps.limits };
    this.log = new LogLimiter(deps.logger, deps.now);
  }

  start(): void {
    this.schedule(this.limits.flushMillis);
  }

  /** Writes what waits, once: what the database does not take now the gateways will say again. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.writing;
    await this.flush(Number.POSITIVE_INFINITY);
  }

  /**
   * A message on `gtx/v1/{meter}/status` or `.../telemetry`.
   * @param retained it was kept by the broker, and said before
   */
  take(kind: Kind, meterId: string, payload: Uint8Array, retained: boolean): void {
    const outcome = this.judge(kind, meterId, payload, retained);
    this.deps.metrics.messages.inc({ kind, outcome });
  }

  private judge(kind: Kind, meterId: string, payload: Uint8Array, retained: boolean): string {
    if (payload.length > MAX_PAYLOAD_BYTES)
      return this.refuse('oversized', kind, meterId, `${payload.length} bytes`);
    try {
      const nowMillis = this.deps.now();
      if (kind === 'status')
        return this.keep(this.waiting.status, statusNews(meterId, payload, retained, nowMillis));
      return this.keep(this.waiting.telemetry, telemetryNews(meterId, payload, retained, nowMillis));
    } catch (error) {
      if (!(error instanceof GtxError)) {
        // A fault of ours that some message brings out must not end the collector for everybody.
        this.deps.logger.error({ err: error, meterId }, `a ${kind} could not be handled`);
      }
      return this.refuse('malformed', kind, meterId, (error as Error).message);
    }
  }

  private keep<News extends StatusNews | TelemetryNews>(waiting: Map<string, News>, news: News): string {
    const last = waiting.get(news.meter_id);
    if (last !== undefined && !supersedes(news, last)) return 'late';
    if (last === undefined && waiting.size >= this.limits.waitingMeters) return 'full';
    waiting.set(news.meter_id, news);
    return 'taken';
  }

  private refuse(outcome: 'malformed' | 'oversized', kind: Kind, meterId: string, reason: string): string {
    this.log.warn(`${outcome} ${kind}`, { meterId, reason }, `a message on a ${kind} topic is none`);
    return outcome;
  }

  private schedule(millis: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      const begun = performance.now();
      this.writing = this.flush(this.limits.roundRows).finally(() => {
        this.writing = undefined;
        // At most half of the time goes into writing; a database that is away is asked less and less often.
        const took = performance.now() - begun;
        const pause = Math.max(this.limits.flushMillis, took) * 2 ** Math.min(this.failures, 4);
        this.schedule(Math.min(pause, LONGEST_PAUSE_MILLIS));
      });
    }, millis);
    this.timer.unref();
  }

  /** Who is there comes before what is measured. Never rejects. */
  private async flush(mostRows: number): Promise<void> {
    let left = mostRows;
    for (const kind of ['status', 'telemetry'] as const) {
      const waiting: Map<string, StatusNews | TelemetryNews> = this.waiting[kind];
      while (left > 0 && waiting.size > 0) {
        const batch = [...firstOf(waiting, Math.min(left, this.limits.statementRows))];
        left -= batch.length;
        for (const { meter_id } of batch) waiting.delete(meter_id);
        try {
          await this.write(kind, batch);
          this.failures = 0;
        } catch (error) {
          this.putBack(waiting, batch);
          this.failures += 1;
          this.log.warn('write', { err: error }, 'what gateways say of themselves cannot be written');
          this.report();
          return;
        }
      }
    }
    this.report();
  }

  /** @throws the database's error where it is not the rows' fault */
  private async write(kind: Kind, batch: readonly (StatusNews | TelemetryNews)[]): Promise<void> {
    const { pool, now, silentSeconds, metrics, logger } = this.deps;
    const end = metrics.writeSeconds.startTimer();
    try {
      metrics.rows.inc({ kind }, await storeNews(pool, kind, batch, { nowMillis: now(), silentSeconds }));
      end();
    } catch (error) {
      const reason = storageFailure(error);
      metrics.writeFailures.inc({ reason });
      if (reason !== 'data') throw error;
      // One of them is what the database does not take: the others must not suffer for it.
      const [only] = batch;
      if (batch.length === 1) {
        logger.error({ err: error, meterId: only?.meter_id, kind }, 'what a gateway says cannot be stored');
        return;
      }
      const half = batch.length >> 1;
      await this.write(kind, batch.slice(0, half));
      await this.write(kind, batch.slice(half));
    }
  }

  /** What came meanwhile is newer. */
  private putBack(
    waiting: Map<string, StatusNews | TelemetryNews>,
    batch: readonly (StatusNews | TelemetryNews)[],
  ): void {
    for (const news of batch) if (!waiting.has(news.meter_id)) waiting.set(news.meter_id, news);
  }

  private report(): void {
    for (const kind of ['status', 'telemetry'] as const) {
      this.deps.metrics.waiting.set({ kind }, this.waiting[kind].size);
    }
  }
}

function* firstOf<T>(map: Map<string, T>, most: number): Generator<T> {
  let count = 0;
  for (const value of map.values()) {
    if (count >= most) return;
    count += 1;
    yield value;
  }
}
