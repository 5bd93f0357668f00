import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import { Reviews } from '../review/reviews.js';

export interface HoldDecision {
  /** `reviews.id`. */
  reviewId: string;
  decision: 'released' | 'written_off';
  /** Who decided, and why. */
  by: string;
  note: string;
}

/**
 * Ends the review of a reading held for its amount. Afterwards its meter settles again, unless another of
 * its readings is still held. Released: the reading is pending like any other. Written off: it is kept and
 * never marked minted by itself; what the chain does with its energy is decided on chain (`write_off_held`).
 * @throws GtxError NOT_FOUND for no such review, CONFLICT when it has ended already
 */
export async function resolveHold(pool: pg.Pool, decision: HoldDecision): Promise<void> {
  const { reviewId, by, note: reason } = decision;
  const { rowCount } = await pool.query(`SELECT FROM reviews WHERE id = $1 AND kind = 'held_amount'`, [
    reviewId,
  ]);
  if (rowCount === 0) throw new GtxError('NOT_FOUND', 'there is no such held reading');
  const reviews = new Reviews({ pool });
  if (decision.decision === 'released') await reviews.accept(reviewId, { by, reason });
  else await reviews.dismiss(reviewId, { by, reason });
}
