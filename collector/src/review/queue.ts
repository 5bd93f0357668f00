import { GtxError, type Nkwh, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import { type AlertSeverity, jsonBigint, openAlert } from '../alerts.js';
import { REVIEW_KINDS, type ReviewKind, type ReviewStatus } from './kinds.js';

/** What a review is about: a reading, or anything else that has a lasting name. */
export type ReviewSubject =
  | { readonly meterId: string; readonly sequence: bigint; readonly key?: undefined }
  | { readonly key: string; readonly meterId?: string | undefined; readonly sequence?: undefined };

export interface NewReview {
  readonly kind: ReviewKind;
  readonly subject: ReviewSubject;
  readonly amountNkwh?: Nkwh | undefined;
  /** Why a person is needed, as a sentence. */
  readonly reason: string;
  readonly details?: Record<string, unknown> | undefined;
  /** Of the alert that is raised with it. Default `warning`. */
  readonly severity?: AlertSeverity | undefined;
}

/**
 * Puts something into the review queue and raises its alert, in the caller's transaction. While a review of the same
 * kind and subject is open, another call only brings its reason, amount and details up to date.
 * @returns the review's id, and whether it is new
 */
export async function openReview(
  client: pg.ClientBase,
  review: NewReview,
): Promise<{ id: string; opened: boolean }> {
  const { kind, subject, amountNkwh = 0n, reason, details = {}, severity = 'warning' } = review;
  const { meterId, sequence, key } = subject;
  const target = key === undefined ? '(kind, meter_id, sequence)' : '(kind, key)';
  const json = JSON.stringify(details, jsonBigint);
  const { rows } = await client.query<{ id: string; subject: string; opened: boolean }>(
    `INSERT INTO reviews (kind, meter_id, sequence, key, amount_nkwh, reason, details)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT ${target} WHERE status = 'open'${key === undefined ? '' : ' AND key IS NOT NULL'}
     DO UPDATE SET reason = excluded.reason, amount_nkwh = excluded.amount_nkwh, details = excluded.details
     RETURNING id, subject, xmax = 0 AS opened`,
    [kind, meterId ?? null, sequence?.toString() ?? null, key ?? null, amountNkwh.toString(), reason, json],
  );
  const row = rows[0] as { id: string; subject: string; opened: boolean };
  const { alert } = REVIEW_KINDS[kind];
  // The alert has no such columns: what the review knows of its own goes with the rest.
  const facts = {
    ...details,
    review_id: row.id,
    ...(meterId !== undefined && { meter_id: meterId }),
    ...(sequence !== undefined && { sequence }),
    ...(amountNkwh > 0n && { amount_kwh: nkwhToKwh(amountNkwh) }),
  };
  await openAlert(client, {
    kind: alert.kind,
    key: alert.key === 'meter' ? (meterId ?? row.subject) : row.subject,
    severity,
    message: reason,
    details: facts,
  });
  return { id: row.id, opened: row.opened };
}

/**
 * Ends the open review of this kind and subject, and its alert, because what it was about went away by itself; in the
 * caller's transaction.
 * @param note what happened
 * @returns false when no such review is open
 */
export async function closeReview(
  client: pg.ClientBase,
  kind: ReviewKind,
  subject: ReviewSubject,
  note: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE reviews SET status = 'resolved', resolved_at = now(), resolved_by = 'collector', resolution_note = $3
     WHERE kind = $1 AND subject = $2 AND status = 'open'`,
    [kind, subject.key ?? `${subject.meterId}/${subject.sequence}`, note],
  );
  return (rowCount ?? 0) > 0;
}

/** A row of `reviews`. Amounts and sequences as decimal text, as the driver gives them. */
export interface ReviewRecord {
  id: string;
  kind: string;
  meter_id: string | null;
  sequence: string | null;
  key: string | null;
  subject: string;
  amount_nkwh: string;
  reason: string;
  details: Record<string, unknown>;
  status: ReviewStatus;
  created_at: Date;
  resolved_at: Date | null;
  resolved_by: string | null;
  resolution_note: string | null;
}

/** Locks an open review, its meter first, as those do who write both. @throws GtxError NOT_FOUND, CONFLICT */
export async function lockOpen(client: pg.ClientBase, reviewId: string): Promise<ReviewRecord> {
  await client.query(
    'SELECT FROM meters WHERE meter_id = (SELECT meter_id FROM reviews WHERE id = $1) FOR UPDATE',
    [reviewId],
  );
  const { rows } = await client.query<ReviewRecord>('SELECT * FROM reviews WHERE id = $1 FOR UPDATE', [
    reviewId,
  ]);
  const review = rows[0];
  if (review === undefined) throw new GtxError('NOT_FOUND', 'there is no such review');
  if (review.status !== 'open') {
    throw new GtxError('CONFLICT', `the review ended already: ${review.status} by ${review.resolved_by}`, {
      status: review.status,
      resolved_by: review.resolved_by,
    });
  }
  return review;
}
