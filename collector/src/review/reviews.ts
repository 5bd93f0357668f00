import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import { inTransaction } from '../mirror/transaction.js';
import { actionsOf, kindEntry, type ReviewAction, type ReviewKind, type ReviewStatus } from './kinds.js';
import { lockOpen, type ReviewRecord } from './queue.js';

/** Who decides, and why. */
export interface Decision {
  readonly by: string;
  readonly reason: string;
}

/** What an action changes beside the review itself; in the action's own transaction, with the review locked. */
export type ReviewEffect = (client: pg.ClientBase, review: ReviewRecord) => Promise<void>;

export type ReviewEffects = Partial<
  Record<ReviewKind, Partial<Record<Exclude<ReviewAction, 'prepare'>, ReviewEffect>>>
>;

/** Lets a reading that the chain refused too often be tried again. */
export const retrySettlement: ReviewEffect = async (client, review) => {
  await client.query(
    `UPDATE meter_readings SET status = 'pending' WHERE meter_id = $1 AND sequence = $2 AND status = 'review'`,
    [review.meter_id, review.sequence],
  );
  await client.query(
    `UPDATE settlement_meters SET attempts = 0, next_attempt_at = '-infinity' WHERE meter_id = $1`,
    [review.meter_id],
  );
};

/** Ends the hold of a reading above the limit: its meter settles again unless another of its readings is held. */
export function endLocalHold(readingStatus: 'pending' | 'written_off'): ReviewEffect {
  return async (client, review) => {
    await client.query('UPDATE meters SET holds = holds - 1 WHERE meter_id = $1', [review.meter_id]);
    await client.query(
      `UPDATE meter_readings SET status = $3 WHERE meter_id = $1 AND sequence = $2 AND status = 'held'`,
      [review.meter_id, review.sequence, readingStatus],
    );
  };
}

const OWN_EFFECTS: ReviewEffects = {
  held_amount: { accept: endLocalHold('pending'), dismiss: endLocalHold('written_off') },
  settlement_failed: { retry: retrySettlement },
};

export interface ReviewsDeps {
  readonly pool: pg.Pool;
  /** What the actions on the kinds of other parts change. */
  readonly effects?: ReviewEffects;
}

/**
 * The queue of what waits for a person. Each action is one transaction: the first of two operators who decide at once
 * wins, and the other is told so.
 */
export class Reviews {
  constructor(private readonly deps: ReviewsDeps) {}

  /** Tries again what failed too often. @throws GtxError NOT_FOUND, CONFLICT */
  retry(reviewId: string, decision: Decision): Promise<ReviewRecord> {
    return this.act(reviewId, 'retry', decision);
  }

  /** Takes it as it is: a held reading is released. @throws GtxError NOT_FOUND, CONFLICT */
  accept(reviewId: string, decision: Decision): Promise<ReviewRecord> {
    return this.act(reviewId, 'accept', decision);
  }

  /** Puts it aside: a held reading is written off. @throws GtxError NOT_FOUND, CONFLICT */
  dismiss(reviewId: string, decision: Decision): Promise<ReviewRecord> {
    return this.act(reviewId, 'dismiss', decision);
  }

  private act(
    reviewId: string,
    action: Exclude<ReviewAction, 'prepare'>,
    { by, reason }: Decision,
  ): Promise<ReviewRecord> {
    return inTransaction(this.deps.pool, async (client) => {
      const review = await lockOpen(client, reviewId);
      const offered = actionsOf(review.kind);
      if (!offered.includes(action)) throw notOffered(review, action);
      const kind = review.kind as ReviewKind;
      await OWN_EFFECTS[kind]?.[action]?.(client, review);
      await this.deps.effects?.[kind]?.[action]?.(client, review);
      const { rows } = await client.query<ReviewRecord>(
        `UPDATE reviews SET status = $2, resolved_at = now(), resolved_by = $3, resolution_note = $4
         WHERE id = $1 RETURNING *`,
        [reviewId, endOf(kind, action), by, reason],
      );
      return rows[0] as ReviewRecord;
    });
  }
}

function endOf(kind: ReviewKind, action: Exclude<ReviewAction, 'prepare'>): ReviewStatus {
  const entry = kindEntry(kind);
  if (action === 'retry') return 'retried';
  return (action === 'accept' ? entry?.accepted : entry?.dismissed) ?? 'dismissed';
}

/** An action that the review's kind does not have; says which it has. */
export function notOffered(review: ReviewRecord, action: ReviewAction): GtxError {
  const actions = actionsOf(review.kind);
  const hint = actions.includes('prepare')
    ? 'it is decided on the chain: prepare the transaction and have the registrar or admin sign it'
    : `it offers ${actions.join(', ') || 'nothing'}`;
  return new GtxError('CONFLICT', `a review of kind ${review.kind} cannot be ended by ${action}: ${hint}`, {
    kind: review.kind,
    actions,
  });
}
