import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';

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
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ meter_id: string; sequence: string; status: string }>(
      `SELECT meter_id, sequence, status FROM reviews WHERE id = $1 AND kind = 'held_amount' FOR UPDATE`,
      [decision.reviewId],
    );
    const review = rows[0];
    if (review === undefined) throw new GtxError('NOT_FOUND', 'there is no such held reading');
    if (review.status !== 'open') {
      throw new GtxError('CONFLICT', `the review ended already: ${review.status}`);
    }
    await client.query('UPDATE meters SET holds = holds - 1 WHERE meter_id = $1', [review.meter_id]);
    await client.query(
      `UPDATE meter_readings SET status = $3 WHERE meter_id = $1 AND sequence = $2 AND status = 'held'`,
      [review.meter_id, review.sequence, decision.decision === 'released' ? 'pending' : 'written_off'],
    );
    await client.query(
      `UPDATE reviews SET status = $2, resolved_at = now(), resolved_by = $3, resolution_note = $4 WHERE id = $1`,
      [decision.reviewId, decision.decision, decision.by, decision.note],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
