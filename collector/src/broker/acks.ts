import { randomUUID } from 'node:crypto';
import { type Ack, ERRORS, type SignedEnvelope } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Answer } from '../ingest/ingest.js';
import type { Metrics } from '../metrics.js';
import { sharedAnswer } from '../shared-answer.js';
import { walk } from '../store/readings.js';
import type { MqttBus } from './bus.js';
import type { EnvelopeSigner } from './envelope.js';

const MAX_LISTED = 1000;
/** A hole may only be readings that overtook each other: it is asked for when it has lasted this long. */
const RESEND_AFTER_MILLIS = 30_000;
/** And not again before this. */
const RESEND_AGAIN_MILLIS = 600_000;
const RESEND_CHECK_MILLIS = 10_000;
const MAX_HOLES_WATCHED = 100_000;
const LONGEST_GOODBYE_MILLIS = 3_000;
/**
 * Meters whose present state is read at once. A fleet that comes back together would otherwise keep the connections to the
 * database from ingestion; of the fewest that can be set, 4, one is left.
 */
const CURRENT_AT_ONCE = 3;
const MAX_CURRENT_WAITING = 100_000;

export interface AcksDeps {
  pool: pg.Pool;
  signer: EnvelopeSigner;
  bus: Pick<MqttBus, 'publish'>;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
  maxAgeSeconds: number;
}

/**
 * Tells gateways what is stored: one signed acknowledgement for each meter of a batch, the present state
 * when a gateway comes back, and a request to resend when readings are missing in between.
 */
export class Acks {
  private readonly holes = new Map<string, { since: number; askedAt: number | undefined }>();
  private timer: NodeJS.Timeout | undefined;
  /** On their way to the broker. */
  private readonly sending = new Set<Promise<void>>();
  /** Meters whose present state is to be told, the one that has waited longest first. */
  private readonly waiting = new Map<string, { done: Promise<void>; end: () => void }>();
  /** Present states that are being read. */
  private readonly reading = new Set<Promise<void>>();

  constructor(private readonly deps: AcksDeps) {}

  start(): void {
    this.timer = setInterval(() => void this.askForMissing(), RESEND_CHECK_MILLIS);
    this.timer.unref();
  }

  /** Resolves when what was to be said has left, or after a moment when the broker does not take it. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    for (const { end } of this.waiting.values()) end();
    this.waiting.clear();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LONGEST_GOODBYE_MILLIS);
    });
    const left = async () => {
      await Promise.all(this.reading);
      await Promise.all(this.sending);
    };
    await Promise.race([left(), late]);
    clearTimeout(timer);
  }

  /** Acknowledges a batch's answers. What was neither stored nor refused is left out: it comes again. */
  acknowledge(answers: readonly Answer[]): void {
    const byMeter = new Map<string, Answer[]>();
    for (const answer of answers) {
      if (answer.outcome.kind === 'unavailable') continue;
      const { meterId } = answer.submission;
      const list = byMeter.get(meterId);
      if (list === undefined) byMeter.set(meterId, [answer]);
      else list.push(answer);
    }
    for (const [meterId, list] of byMeter) this.send(this.ackOf(meterId, list));
  }

  /**
   * The acknowledgement of one meter's answers in its envelope, for a gateway that waits for it itself.
   * @param unreadable sequences refused because the rest of their payload could not be taken
   */
  sealed(meterId: string, answers: readonly Answer[], unreadable: readonly bigint[] = []): SignedEnvelope {
    const ack = this.ackOf(meterId, answers);
    for (const sequence of unreadable) {
      ack.refused.push({ sequence: sequence.toString(), code: 'INVALID_BODY', retry: 'never' });
    }
    this.deps.metrics.acks.inc();
    return JSON.parse(this.deps.signer.ack(ack).payload) as SignedEnvelope;
  }

  private ackOf(meterId: string, answers: readonly Answer[]): Ack {
    const ack = this.empty(meterId);
    for (const { submission, outcome, progress } of answers) {
      if (outcome.kind === 'unavailable') continue;
      const sequence = submission.reading.sequence.toString();
      if (progress !== undefined) {
        // Answers of several batches: the meter only ever goes on.
        if (progress.through > BigInt(ack.through)) ack.through = progress.through.toString();
        this.watchHole(meterId, progress.lastSequence > progress.through);
      }
      if (outcome.kind === 'stored') {
        ack.stored.push(sequence);
        if (outcome.status === 'held') ack.held.push({ sequence });
      } else {
        const { code } = outcome.refusal;
        ack.refused.push({ sequence, code, retry: ERRORS[code].retry });
      }
    }
    return ack;
  }

  /** Refuses a payload whose sequence could be made out although the rest could not be taken. */
  refuse(meterId: string, sequence: string, code: 'INVALID_BODY', through: bigint): void {
    const ack = this.empty(meterId);
    ack.through = through.toString();
    ack.refused.push({ sequence, code, retry: ERRORS[code].retry });
    this.send(ack);
  }

  /**
   * Publishes how far the meter has come, for a gateway that has just come back. A few are told at a time, and a meter that is
   * waiting already is told once. One that does not fit any more is answered when it sends its readings again.
   * @returns when that has been done, or could not be. Never rejects
   */
  sendCurrent(meterId: string): Promise<void> {
    const known = this.waiting.get(meterId);
    if (known !== undefined) return known.done;
    if (this.waiting.size >= MAX_CURRENT_WAITING) return Promise.resolve();
    let end = () => {};
    const done = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.waiting.set(meterId, { done, end });
    this.tellWaiting();
    return done;
  }

  private tellWaiting(): void {
    for (const [meterId, { end }] of this.waiting) {
      if (this.reading.size >= CURRENT_AT_ONCE) return;
      this.waiting.delete(meterId);
      const told = this.tellCurrent(meterId).finally(() => {
        this.reading.delete(told);
        end();
        this.tellWaiting();
      });
      this.reading.add(told);
    }
  }

  private async tellCurrent(meterId: string): Promise<void> {
    try {
      const ack = await this.current(meterId);
      if (ack !== undefined) this.send(ack);
    } catch (error) {
      this.deps.logger.warn({ err: error, meterId }, 'the present acknowledgement could not be read');
    }
  }

  private async current(meterId: string): Promise<Ack | undefined> {
    const { pool } = this.deps;
    const meter = await pool.query<{ through: string; last_sequence: string }>(
      'SELECT through, last_sequence FROM meters WHERE meter_id = $1',
      [meterId],
    );
    const row = meter.rows[0];
    if (row === undefined) return undefined;
    const ack = this.empty(meterId);
    ack.through = row.through;
    this.watchHole(meterId, BigInt(row.last_sequence) > BigInt(row.through));
    // One after the other: together they would take three connections.
    const stored = await pool.query<{ sequence: string }>(
      'SELECT sequence FROM reading_keys WHERE meter_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3',
      [meterId, row.through, MAX_LISTED],
    );
    const refused = await pool.query<{ sequence: string; code: string }>(
      'SELECT sequence, code FROM refused_readings WHERE meter_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3',
      [meterId, row.through, MAX_LISTED],
    );
    const held = await pool.query<{ sequence: string }>(
      `SELECT sequence FROM reviews WHERE meter_id = $1 AND kind = 'held_amount' AND status = 'open'
       ORDER BY sequence LIMIT $2`,
      [meterId, MAX_LISTED],
    );
    ack.stored = stored.rows.map(({ sequence }) => sequence);
    ack.refused = refused.rows.map(({ sequence, code }) => ({ sequence, code, retry: 'never' }));
    ack.held = held.rows;
    return ack;
  }

  private empty(meterId: string): Ack {
    const time = Math.floor(this.deps.now() / 1000);
    return { meter_id: meterId, time, through: '0', stored: [], refused: [], held: [] };
  }

  private send(ack: Ack): void {
    const { topic, payload } = this.deps.signer.ack(ack);
    this.deps.metrics.acks.inc();
    const sent = this.deps.bus.publish(topic, payload).finally(() => this.sending.delete(sent));
    this.sending.add(sent);
  }

  private watchHole(meterId: string, hole: boolean): void {
    if (!hole) this.holes.delete(meterId);
    else if (!this.holes.has(meterId) && this.holes.size < MAX_HOLES_WATCHED) {
      this.holes.set(meterId, { since: this.deps.now(), askedAt: undefined });
    }
  }

  /**
   * Looks at the meters with readings missing in between: closes holes that are too old, asks for the others. While one look is
   * under way, with a database that is slow, there is no second one.
   */
  readonly askForMissing = sharedAnswer(() => this.lookForMissing());

  private async lookForMissing(): Promise<void> {
    const { now, logger } = this.deps;
    for (const [meterId, hole] of this.holes) {
      const time = now();
      const due =
        hole.askedAt === undefined
          ? time - hole.since >= RESEND_AFTER_MILLIS
          : time - hole.askedAt >= RESEND_AGAIN_MILLIS;
      if (!due) continue;
      try {
        const missing = await this.firstMissing(meterId, Math.floor(time / 1000));
        if (missing === undefined) {
          this.holes.delete(meterId);
          continue;
        }
        hole.askedAt = time;
        const { topic, payload } = this.deps.signer.command(meterId, {
          id: randomUUID(),
          time: Math.floor(time / 1000),
          type: 'resend',
          from_sequence: missing.toString(),
        });
        logger.info({ meterId, fromSequence: missing.toString() }, 'readings are missing, asking for them');
        void this.deps.bus.publish(topic, payload);
      } catch (error) {
        logger.warn({ err: error, meterId }, 'missing readings could not be looked up');
        return;
      }
    }
  }

  private async firstMissing(meterId: string, nowSeconds: number): Promise<bigint | undefined> {
    const client = await this.deps.pool.connect();
    try {
      await client.query('BEGIN');
      const { rows } = await client.query<{ through: string; last_sequence: string }>(
        'SELECT through, last_sequence FROM meters WHERE meter_id = $1 FOR UPDATE',
        [meterId],
      );
      const row = rows[0];
      let missing: bigint | undefined;
      if (row !== undefined) {
        const before = BigInt(row.through);
        const through = await walk(client, meterId, before, nowSeconds - this.deps.maxAgeSeconds);
        if (through > before) {
          await client.query('UPDATE meters SET through = $2 WHERE meter_id = $1', [
            meterId,
            through.toString(),
          ]);
        }
        if (BigInt(row.last_sequence) > through) missing = through + 1n;
      }
      await client.query('COMMIT');
      return missing;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  }
}
