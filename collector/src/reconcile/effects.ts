import type { ReviewEffects } from '../review/reviews.js';

/** What an operator's decision about a difference changes. One that is dismissed stays known and is not told again. */
export const differenceEffects: NonNullable<ReviewEffects['audit_difference']> = {
  /** Looked at again at once; it comes back if it is still there. */
  async retry(client, review) {
    await client.query(
      `UPDATE reconcile_differences SET next_look_at = now(), reviewed_at = NULL, repairs = 0
       WHERE left(kind || '/' || subject, 300) = $1 AND resolved_at IS NULL`,
      [review.key],
    );
  },
};
