import {
  errorBody,
  GtxError,
  MAX_READINGS_PER_REQUEST,
  parseWith,
  type SignedEnvelope,
} from '@gridtokenx/protocol';
import type pg from 'pg';
import { z } from 'zod';
import type { Acks } from '../broker/acks.js';
import { type Ingest, unavailableError } from '../ingest/ingest.js';
import { sequenceOf } from '../ingest/receive.js';
import type { Metrics } from '../metrics.js';
import { recordUnreadable } from '../store/refused.js';
import { type Submission, toSubmission } from '../validate/submission.js';

export interface DeliveriesDeps {
  ingest: Ingest;
  acks: Pick<Acks, 'sealed'>;
  pool: pg.Pool;
  metrics: Metrics;
}

/** The frame only: each reading is judged by itself, so that one that cannot be taken holds up no other. */
const Frame = z.strictObject({ readings: z.array(z.unknown()).min(1).max(MAX_READINGS_PER_REQUEST) });

/** Takes what a gateway delivers over HTTP as if it had come over MQTT, and answers as the broker would. */
export class Deliveries {
  constructor(private readonly deps: DeliveriesDeps) {}

  /**
   * @param meterId the meter whose key signed the request
   * @returns the acknowledgement, when everything in it is durable
   * @throws GtxError INVALID_BODY; STORAGE_UNAVAILABLE, CHAIN_UNAVAILABLE, RATE_LIMITED or SERVICE_STOPPING when
   *   none of the readings could be decided upon
   */
  async deliver(meterId: string, body: unknown): Promise<SignedEnvelope> {
    const { ingest, acks, pool, metrics } = this.deps;
    const { readings } = parseWith(Frame, body);
    const submissions: Submission[] = [];
    const unreadable: { sequence: bigint; error: GtxError }[] = [];
    for (const reading of readings) {
      try {
        submissions.push(submissionOf(meterId, reading));
      } catch (error) {
        if (!(error instanceof GtxError)) throw error;
        metrics.poison.inc({ reason: 'invalid_body' });
        const sequence = sequenceOf(reading);
        // Without a sequence there is nothing to refuse: the request is wrong as a whole.
        if (sequence === undefined) throw error;
        unreadable.push({ sequence, error });
      }
    }
    // All are queued before the first is waited for, in their order: they are judged and stored together.
    const answers = await Promise.all(submissions.map((one) => ingest.submitAndWait(one, 'delivery')));
    const refused: bigint[] = [];
    for (const { sequence, error } of unreadable) {
      const details = errorBody(error).error.details;
      const through = await recordUnreadable(pool, meterId, sequence, 'INVALID_BODY', details);
      if (through !== undefined) refused.push(sequence);
    }
    const undecided = answers.map((answer) => answer.outcome).find((one) => one.kind === 'unavailable');
    const decided = answers.some((answer) => answer.outcome.kind !== 'unavailable') || refused.length > 0;
    if (undecided?.kind === 'unavailable' && !decided) throw unavailableError(undecided.reason);
    return acks.sealed(meterId, answers, refused);
  }
}

function submissionOf(meterId: string, reading: unknown): Submission {
  const submission = toSubmission(reading);
  if (submission.meterId === meterId) return submission;
  throw new GtxError('INVALID_BODY', 'meter_id is not the meter of the login');
}
