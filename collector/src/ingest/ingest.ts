/**
 * From a submitted reading to a durable one: a bounded queue, micro-batches, one transaction for each batch.
 *
 * A reading is answered exactly once, and only after its transaction has ended. Memory is bounded: beyond
 * the queue's limits readings are answered `overloaded` and the sender keeps them.
 */
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Alerts } from '../alerts.js';
import type { Metrics } from '../metrics.js';
import type { ChainMirrorPort } from '../ports.js';
import { storageFailure } from '../store/errors.js';
import { monthOf, type Partitions } from '../store/partitions.js';
import {
  type MeterProgress,
  REGISTRY_CODES,
  type ReadingSource,
  type StoreItem,
  storeBatch,
} from '../store/readings.js';
import {
  DEFAULT_RULES,
  type Judgement,
  type Refusal,
  type Rules,
  type StoredStatus,
} from '../validate/rules.js';
import type { Submission } from '../validate/submission.js';
import { SignatureVerifier } from '../validate/verifier.js';

/**
 * How a reading comes: `mqtt`, from a gateway that logged in at the broker; `delivery`, from one that logged in over
 * HTTP; `http`, from anybody.
 */
export type Channel = 'mqtt' | 'delivery' | 'http';

export type Outcome =
  | { kind: 'stored'; status: StoredStatus; amountNkwh: bigint; duplicate: boolean }
  | { kind: 'refused'; refusal: Refusal; authentic: boolean }
  /** Not stored and nothing decided: send it again. */
  | { kind: 'unavailable'; reason: 'storage' | 'chain' | 'overloaded' | 'stopping' };

export interface Answer {
  submission: Submission;
  outcome: Outcome;
  /** The meter's progress after the batch; absent when the meter is unknown or nothing was decided. */
  progress?: MeterProgress;
}

export interface IngestLimits {
  intervalSeconds: number;
  batchRows: number;
  batchMillis: number;
  /** Readings received and not yet answered, of all meters and of one. */
  maxQueued: number;
  maxQueuedPerMeter: number;
}

export interface IngestDeps {
  pool: pg.Pool;
  partitions: Partitions;
  mirror: Pick<ChainMirrorPort, 'meter'>;
  alerts: Alerts;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
  limits: IngestLimits;
  /** Called after a batch with the answers that it gave; acknowledgements are made from this. */
  onAnswers: (answers: readonly Answer[], source: ReadingSource) => void;
  /** Called after a batch that stored a reading which can settle. */
  onStored: () => void;
}

interface Item extends StoreItem {
  receivedAt: number;
  refreshed: boolean;
  done: ((answer: Answer) => void) | undefined;
}

/**
 * Batches on their way to the database at once. A meter keeps to its lane, so that its readings stay in order
 * and two batches never wait for the same row.
 */
const LANES = 2;

/** Signatures verified together: enough to be worth telling a thread, few enough that storing need not wait long. */
const VERIFY_ROWS = 128;

/** First in, first out, for one reader. */
class Queue {
  items: Item[] = [];
  private wake: (() => void) | undefined;

  add(items: readonly Item[]): void {
    for (const item of items) this.items.push(item);
    this.look();
  }

  take(most: number): Item[] {
    const taken = this.items.slice(0, most);
    this.items = this.items.slice(taken.length);
    return taken;
  }

  /** Lets the reader look again. */
  look(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** Resolves at the next `add` or `look`. */
  news(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

/** A reading's way: `unverified`, then `verified`, then the database. */
interface Lane {
  unverified: Queue;
  verified: Queue;
}

/** The chain is asked about one meter at most this often because of refusals. */
const REFRESH_MILLIS = 5_000;
const MAX_REFRESH_MEMORY = 10_000;
const PROBE_MILLIS = 500;

export class Ingest {
  private readonly lanes: Lane[] = Array.from({ length: LANES }, () => ({
    unverified: new Queue(),
    verified: new Queue(),
  }));
  private readonly verifier: SignatureVerifier;
  private pending = 0;
  private readonly perMeter = new Map<string, number>();
  private readonly refreshes = new Map<string, Promise<'known' | 'unavailable'>>();
  private readonly refreshedAt = new Map<string, number>();
  private workers: Promise<void>[] = [];
  private stopping = false;
  private up = true;
  private probe: NodeJS.Timeout | undefined;
  private waiting: (() => void)[] = [];
  private readonly rules: Record<Channel, Rules>;

  constructor(private readonly deps: IngestDeps) {
    const { intervalSeconds } = deps.limits;
    this.verifier = new SignatureVerifier(deps.logger);
    const pipelined: Rules = { ...DEFAULT_RULES, intervalSeconds, amount: 'pipelined' };
    this.rules = {
      mqtt: pipelined,
      delivery: pipelined,
      http: { ...DEFAULT_RULES, intervalSeconds, amount: 'exact' },
    };
  }

  start(): void {
    this.deps.metrics.storageUp.set(1);
    this.workers = this.lanes.flatMap((lane) => [this.verify(lane), this.run(lane)]);
  }

  /** Answers what is queued, then ends. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.probe);
    this.wakeAll();
    await Promise.all(this.workers);
    await this.verifier.stop();
  }

  /** False while the database cannot be written. */
  get storageUp(): boolean {
    return this.up;
  }

  /** Readings received and not yet answered. */
  get queued(): number {
    return this.pending;
  }

  /** True while senders should be slowed down. */
  get congested(): boolean {
    return this.pending > this.deps.limits.maxQueued / 2;
  }

  /** Resolves when the queue has room again (or at once). */
  room(): Promise<void> {
    if (!this.congested) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Submits a reading; `answered` is called once, after the transaction has ended. */
  submit(submission: Submission, channel: Channel, answered?: (answer: Answer) => void): void {
    const { limits, now, metrics } = this.deps;
    const count = this.perMeter.get(submission.meterId) ?? 0;
    const reason = this.stopping
      ? 'stopping'
      : !this.up
        ? 'storage'
        : this.pending >= limits.maxQueued || count >= limits.maxQueuedPerMeter
          ? 'overloaded'
          : undefined;
    if (reason !== undefined) {
      metrics.dropped.inc({ reason });
      answered?.({ submission, outcome: { kind: 'unavailable', reason } });
      return;
    }
    this.pending += 1;
    metrics.queued.set(this.pending);
    this.perMeter.set(submission.meterId, count + 1);
    this.laneOf(submission).unverified.add([
      {
        submission,
        signed: false,
        source: channel === 'mqtt' ? 'mqtt' : 'http',
        fromGateway: channel !== 'http',
        rules: this.rules[channel],
        recheck: true,
        receivedAt: now(),
        refreshed: false,
        done: answered,
      },
    ]);
  }

  /** The same as a promise, for one caller that waits. */
  submitAndWait(submission: Submission, channel: Channel): Promise<Answer> {
    return new Promise((resolve) => this.submit(submission, channel, resolve));
  }

  private laneOf(submission: Submission): Lane {
    return this.lanes[laneOf(submission.meterId)] as Lane;
  }

  private wakeAll(): void {
    for (const { unverified, verified } of this.lanes) {
      unverified.look();
      verified.look();
    }
  }

  /** All that was submitted is answered, and nothing more is taken. */
  private get done(): boolean {
    return this.stopping && this.pending === 0;
  }

  /** Verifies one lane's signatures, in order. */
  private async verify({ unverified, verified }: Lane): Promise<void> {
    const { batchMillis } = this.deps.limits;
    while (!this.done) {
      if (unverified.items.length === 0) {
        await unverified.news();
        continue;
      }
      if (unverified.items.length < VERIFY_ROWS && batchMillis > 0 && !this.stopping) {
        // Let the batch fill: readings come in bursts, and a transaction costs the same for one as for many.
        await new Promise((resolve) => setTimeout(resolve, batchMillis));
      }
      const batch = unverified.take(VERIFY_ROWS);
      const verdicts = await this.verifier.verify(batch.map((item) => item.submission));
      for (const [index, item] of batch.entries()) item.signed = verdicts[index] === true;
      verified.add(batch);
    }
  }

  /** Stores one lane's readings, in order: whatever has come while the last batch was on its way. */
  private async run({ verified }: Lane): Promise<void> {
    while (!this.done) {
      if (verified.items.length === 0) await verified.news();
      else await this.process(verified.take(this.deps.limits.batchRows));
    }
  }

  private async process(batch: Item[]): Promise<void> {
    if (!this.up) {
      this.answerAll(batch, 'storage');
      return;
    }
    const { now } = this.deps;
    for (const item of batch) {
      const last = this.refreshedAt.get(item.submission.meterId);
      item.recheck = !item.refreshed && (last === undefined || now() - last >= REFRESH_MILLIS);
    }
    try {
      await this.store(batch);
    } catch (error) {
      await this.recover(batch, error);
    }
  }

  private async store(batch: Item[]): Promise<void> {
    const { pool, partitions, metrics, now } = this.deps;
    const fresh = batch.filter((item) => item.signed && !isFar(item.submission.reading.intervalEnd, now()));
    await partitions.ensure(monthsOf(fresh));
    const started = performance.now();
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      const { judgements, progress } = await storeBatch(client, batch, now());
      metrics.batchRows.observe(batch.length);
      metrics.batchSeconds.observe((performance.now() - started) / 1000);
      this.answerJudged(batch, judgements, progress);
    } catch (error) {
      if (storageFailure(error) === 'unavailable') broken = asError(error);
      throw error;
    } finally {
      // A connection that failed is not given to the next batch.
      client.release(broken);
    }
  }

  /** After a failed transaction: again, in halves so that one bad row fails alone, or not now. */
  private async recover(batch: Item[], error: unknown): Promise<void> {
    const { logger, alerts } = this.deps;
    const failure = storageFailure(error);
    if (failure === 'unavailable') {
      logger.error({ err: error, readings: batch.length }, 'the database cannot store readings now');
      this.goDown();
      this.answerAll(batch, 'storage');
      return;
    }
    if (failure === 'retry') {
      logger.warn({ err: error, readings: batch.length }, 'the transaction was chosen to be repeated');
      await this.process(batch);
      return;
    }
    if (batch.length > 1) {
      const half = batch.length >> 1;
      await this.process(batch.slice(0, half));
      await this.process(batch.slice(half));
      return;
    }
    const item = batch[0] as Item;
    const { meterId, reading } = item.submission;
    logger.error(
      { err: error, meterId, sequence: reading.sequence.toString() },
      'a reading cannot be stored',
    );
    void alerts.raise({
      kind: 'reading_not_storable',
      key: `${meterId}/${reading.sequence}`,
      severity: 'critical',
      message: 'the database refuses a valid reading',
      details: { meter_id: meterId, sequence: reading.sequence.toString() },
    });
    this.finish(item, {
      submission: item.submission,
      outcome: {
        kind: 'refused',
        refusal: { code: 'INTERNAL', message: 'the reading could not be stored', details: {} },
        authentic: false,
      },
    });
  }

  private answerJudged(
    batch: readonly Item[],
    judgements: readonly Judgement[],
    progress: ReadonlyMap<string, MeterProgress>,
  ): void {
    const { metrics, now, alerts, onAnswers, onStored } = this.deps;
    const answers: Record<'mqtt' | 'http', Answer[]> = { mqtt: [], http: [] };
    const finished: [Item, Answer][] = [];
    let settles = false;
    for (const [index, item] of batch.entries()) {
      const judgement = judgements[index] as Judgement;
      const { submission, source } = item;
      if (judgement.kind === 'refuse' && item.recheck && REGISTRY_CODES.has(judgement.refusal.code)) {
        this.recheck(item, judgement);
        continue;
      }
      const outcome = outcomeOf(judgement);
      if (outcome.kind === 'stored' && !outcome.duplicate) {
        metrics.storeSeconds.observe((now() - item.receivedAt) / 1000);
        if (outcome.status === 'pending' && outcome.amountNkwh > 0n) settles = true;
        if (outcome.status === 'held') this.logHeld(submission, outcome.amountNkwh);
      }
      if (outcome.kind === 'refused' && outcome.refusal.code === 'SEQUENCE_CONFLICT' && outcome.authentic) {
        void alerts.raise({
          kind: 'sequence_conflict',
          key: submission.meterId,
          severity: 'critical',
          message: `meter ${submission.meterId} signed two different readings with one sequence`,
          details: { meter_id: submission.meterId, sequence: submission.reading.sequence.toString() },
        });
      }
      const meterProgress = progress.get(submission.meterId);
      const answer: Answer = { submission, outcome, ...(meterProgress && { progress: meterProgress }) };
      answers[source as 'mqtt' | 'http'].push(answer);
      finished.push([item, answer]);
    }
    for (const [item, answer] of finished) this.finish(item, answer);
    for (const source of ['mqtt', 'http'] as const) {
      if (answers[source].length > 0) onAnswers(answers[source], source);
    }
    if (settles) onStored();
  }

  /** The alert itself was stored with the reading. */
  private logHeld({ meterId, reading }: Submission, amountNkwh: bigint): void {
    this.deps.logger.warn(
      {
        alert: 'reading_held',
        key: `${meterId}/${reading.sequence}`,
        severity: 'warning',
        amount_kwh: nkwhToKwh(amountNkwh),
      },
      `a reading of meter ${meterId} is above the limit and waits for review`,
    );
  }

  /** Asks the chain about the meter, once for all its readings that wait, and judges them again. */
  private recheck(item: Item, judgement: Judgement & { kind: 'refuse' }): void {
    const { meterId } = item.submission;
    let refresh = this.refreshes.get(meterId);
    if (refresh === undefined) {
      refresh = this.refresh(meterId).finally(() => this.refreshes.delete(meterId));
      this.refreshes.set(meterId, refresh);
    }
    void refresh.then((result) => {
      item.refreshed = true;
      if (result === 'known') {
        this.laneOf(item.submission).verified.add([item]);
        return;
      }
      // The chain did not answer, so nothing final may be said.
      const later =
        judgement.refusal.code === 'USER_NOT_VERIFIED' || judgement.refusal.code === 'METER_SUSPENDED';
      const answer: Answer = {
        submission: item.submission,
        outcome: later ? outcomeOf(judgement) : { kind: 'unavailable', reason: 'chain' },
      };
      this.finish(item, answer);
      this.deps.onAnswers([answer], item.source);
    });
  }

  private async refresh(meterId: string): Promise<'known' | 'unavailable'> {
    const { mirror, logger, now } = this.deps;
    try {
      await mirror.meter(meterId, { refresh: true });
      if (this.refreshedAt.size >= MAX_REFRESH_MEMORY) this.refreshedAt.clear();
      this.refreshedAt.set(meterId, now());
      return 'known';
    } catch (error) {
      logger.warn({ err: error, meterId }, 'the chain could not be asked about a meter');
      return 'unavailable';
    }
  }

  private answerAll(batch: readonly Item[], reason: 'storage'): void {
    for (const item of batch) {
      this.deps.metrics.dropped.inc({ reason });
      this.finish(item, { submission: item.submission, outcome: { kind: 'unavailable', reason } });
    }
  }

  private finish(item: Item, answer: Answer): void {
    const { metrics, limits } = this.deps;
    this.pending -= 1;
    metrics.queued.set(this.pending);
    const { meterId } = item.submission;
    const count = (this.perMeter.get(meterId) ?? 1) - 1;
    if (count <= 0) this.perMeter.delete(meterId);
    else this.perMeter.set(meterId, count);
    if (answer.outcome.kind !== 'unavailable') {
      metrics.readings.inc({ source: item.source, outcome: outcomeLabel(answer.outcome) });
    }
    item.done?.(answer);
    if (this.waiting.length > 0 && this.pending < limits.maxQueued / 4) {
      const waiting = this.waiting;
      this.waiting = [];
      for (const resume of waiting) resume();
    }
    if (this.stopping && this.pending === 0) this.wakeAll();
  }

  /** Refuses quickly while the database is away, and looks for it until it is back. */
  private goDown(): void {
    if (!this.up) return;
    const { pool, logger, metrics } = this.deps;
    this.up = false;
    metrics.storageUp.set(0);
    const waiting = this.waiting;
    this.waiting = [];
    for (const resume of waiting) resume();
    const look = () => {
      pool.query('SELECT 1').then(
        () => {
          this.up = true;
          metrics.storageUp.set(1);
          logger.info('the database stores readings again');
        },
        () => {
          if (!this.stopping) this.probe = setTimeout(look, PROBE_MILLIS);
        },
      );
    };
    this.probe = setTimeout(look, PROBE_MILLIS);
  }
}

function laneOf(meterId: string): number {
  let sum = 0;
  for (let index = 0; index < meterId.length; index += 1) sum = (sum * 31 + meterId.charCodeAt(index)) >>> 0;
  return sum % LANES;
}

function outcomeOf(judgement: Judgement): Outcome {
  switch (judgement.kind) {
    case 'store':
      return { kind: 'stored', status: judgement.status, amountNkwh: judgement.amountNkwh, duplicate: false };
    case 'duplicate':
      return { kind: 'stored', status: judgement.status, amountNkwh: judgement.amountNkwh, duplicate: true };
    case 'refuse':
      return { kind: 'refused', refusal: judgement.refusal, authentic: judgement.authentic };
  }
}

function outcomeLabel(outcome: Outcome): string {
  if (outcome.kind === 'stored') return outcome.duplicate ? 'duplicate' : outcome.status;
  return outcome.kind === 'refused' ? outcome.refusal.code : outcome.reason;
}

function isFar(end: number, nowMillis: number): boolean {
  return Math.abs(end - nowMillis / 1000) > 40 * 24 * 3600;
}

function monthsOf(items: readonly Item[]): number[] {
  const ends = new Map<string, number>();
  for (const item of items) {
    const end = item.submission.reading.intervalEnd;
    ends.set(monthOf(end), end);
  }
  return [...ends.values()];
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The error with which an unavailable outcome is answered over HTTP. */
export function unavailableError(reason: (Outcome & { kind: 'unavailable' })['reason']): GtxError {
  switch (reason) {
    case 'storage':
      return new GtxError('STORAGE_UNAVAILABLE');
    case 'chain':
      return new GtxError('CHAIN_UNAVAILABLE');
    case 'overloaded':
      return new GtxError('RATE_LIMITED', 'the collector has too many readings waiting');
    case 'stopping':
      return new GtxError('SERVICE_STOPPING');
  }
}
