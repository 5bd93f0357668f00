import { errorBody, GtxError, MAX_PAYLOAD_BYTES, parseU64 } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Acks } from '../broker/acks.js';
import { LogLimiter } from '../broker/log-limiter.js';
import type { Metrics } from '../metrics.js';
import { recordUnreadable } from '../store/refused.js';
import { type Submission, toSubmission } from '../validate/submission.js';
import type { Ingest } from './ingest.js';

export interface ReceiverDeps {
  ingest: Ingest;
  acks: Acks;
  pool: pg.Pool;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
}

/** Refusals of unreadable payloads being written; further ones are only counted. */
const MAX_WRITING = 16;
/** A sender is slowed down no longer than this: a gateway that is not read from cannot ping either. */
const MAX_SLOWDOWN_MILLIS = 1_000;

/**
 * Takes what arrives on `gtx/v1/{meter}/reading`. What is no reading is counted, logged and, where its
 * sequence can be made out, refused for good; it never stands in the way of the next message.
 */
export class Receiver {
  private readonly log: LogLimiter;
  private writing = 0;

  constructor(private readonly deps: ReceiverDeps) {
    this.log = new LogLimiter(deps.logger, deps.now);
  }

  /** @returns a promise when the sender should wait before its next message */
  receive(meterId: string, payload: Uint8Array): Promise<void> | undefined {
    const submission = this.read(meterId, payload);
    if (submission === undefined) return undefined;
    const { ingest } = this.deps;
    ingest.submit(submission, 'mqtt');
    if (!ingest.congested || !ingest.storageUp) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, MAX_SLOWDOWN_MILLIS);
    });
    return Promise.race([ingest.room(), timeout]).finally(() => clearTimeout(timer));
  }

  private read(meterId: string, payload: Uint8Array): Submission | undefined {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      this.poison('oversized', meterId, { bytes: payload.length });
      return undefined;
    }
    let body: unknown;
    try {
      body = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'));
    } catch {
      // The parser's own message would quote the payload.
      this.poison('not_json', meterId, { bytes: payload.length });
      return undefined;
    }
    try {
      const submission = toSubmission(body);
      if (submission.meterId === meterId) return submission;
      this.poison('wrong_meter', meterId, { payloadMeterId: submission.meterId });
      this.refuse(meterId, body, new GtxError('INVALID_BODY', 'meter_id is not the meter of the topic'));
    } catch (error) {
      if (error instanceof GtxError) {
        this.poison('invalid_body', meterId, { reason: error.message });
        this.refuse(meterId, body, error);
      } else {
        // A fault of ours that some message brings out must not end the collector for everybody.
        this.deps.metrics.poison.inc({ reason: 'unforeseen' });
        this.deps.logger.error({ err: error, meterId }, 'a message could not be handled');
      }
    }
    return undefined;
  }

  private poison(reason: string, meterId: string, facts: Record<string, unknown>): void {
    this.deps.metrics.poison.inc({ reason });
    this.log.warn(reason, { meterId, ...facts }, 'a message on a reading topic is no reading');
  }

  /** Refuses for good what names a sequence, so that the gateway does not send it for ever. */
  private refuse(meterId: string, body: unknown, error: GtxError): void {
    const sequence = sequenceOf(body);
    if (sequence === undefined || this.writing >= MAX_WRITING) return;
    this.writing += 1;
    const { pool, acks, logger } = this.deps;
    recordUnreadable(pool, meterId, sequence, 'INVALID_BODY', errorBody(error).error.details)
      .then((through) => {
        if (through !== undefined) acks.refuse(meterId, sequence.toString(), 'INVALID_BODY', through);
      })
      .catch((failure: unknown) => logger.warn({ err: failure, meterId }, 'a refusal could not be stored'))
      .finally(() => {
        this.writing -= 1;
      });
  }
}

/** The sequence of what claims to be a reading, if it can be made out. */
export function sequenceOf(body: unknown): bigint | undefined {
  const reading = (body as { reading?: { sequence?: unknown } } | null)?.reading;
  const text = typeof reading === 'object' && reading !== null ? reading.sequence : undefined;
  if (typeof text !== 'string' || !/^[1-9][0-9]{0,19}$/.test(text)) return undefined;
  try {
    return parseU64(text);
  } catch {
    return undefined;
  }
}
