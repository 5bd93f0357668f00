import { GtxError, nkwhToKwh, parseWith } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { z } from 'zod';
import { decodeCursor, page } from '../http/cursor.js';
import { actionsOf, type ReviewStatus } from './kinds.js';
import type { ReviewRecord } from './queue.js';
import {
  type AlertItem,
  type AlertPage,
  type AlertQuery,
  Id,
  type ReviewItem,
  type ReviewPage,
  type ReviewQuery,
  type ReviewWithHistory,
} from './schemas.js';

/** Reviews, newest first. */
export async function listReviews(pool: pg.Pool, query: ReviewQuery): Promise<z.infer<typeof ReviewPage>> {
  const { kind, status, meter_id, limit, cursor } = query;
  const after = placeOf(cursor);
  const { rows } = await pool.query<ReviewRecord & { place: string }>(
    `SELECT *, ${micros('created_at')} FROM reviews
     WHERE ($1::text IS NULL OR kind = $1) AND ($2 = 'all' OR status = $2) AND ($3::text IS NULL OR meter_id = $3)
       AND ${behind('created_at', '$4', '$5')}
     ORDER BY created_at DESC, id DESC LIMIT $6`,
    [kind ?? null, status, meter_id ?? null, after.at, after.id, limit + 1],
  );
  return page(rows, limit, reviewItem, (row) => [row.place, row.id]);
}

/** @throws GtxError NOT_FOUND */
export async function reviewById(pool: pg.Pool, id: string): Promise<ReviewWithHistory> {
  const { rows } = await pool.query<ReviewRecord>('SELECT * FROM reviews WHERE id = $1', [id]);
  const review = rows[0];
  if (review === undefined) throw new GtxError('NOT_FOUND', 'there is no such review');
  const { rows: actions } = await pool.query<{
    action: ReviewWithHistory['history'][number]['action'];
    actor: string;
    reason: string;
    details: Record<string, unknown>;
    at: Date;
  }>('SELECT action, actor, reason, details, at FROM review_actions WHERE review_id = $1 ORDER BY id', [id]);
  return {
    ...reviewItem(review),
    history: actions.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
  };
}

function reviewItem(row: ReviewRecord): ReviewItem {
  const status: ReviewStatus = row.status;
  return {
    id: row.id,
    kind: row.kind,
    status,
    subject: row.subject,
    meter_id: row.meter_id,
    sequence: row.sequence,
    amount_kwh: nkwhToKwh(BigInt(row.amount_nkwh)),
    reason: row.reason,
    details: row.details,
    actions: status === 'open' ? actionsOf(row.kind) : [],
    created_at: row.created_at.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null,
    resolved_by: row.resolved_by,
    resolution_note: row.resolution_note,
  };
}

interface AlertRecord {
  id: string;
  kind: string;
  dedupe_key: string;
  severity: AlertItem['severity'];
  message: string;
  details: Record<string, unknown>;
  occurrences: string;
  first_seen: Date;
  last_seen: Date;
  resolved_at: Date | null;
  acknowledged_at: Date | null;
  acknowledged_by: string | null;
  acknowledgement: string | null;
}

/** Alerts, the one first seen last at the front. */
export async function listAlerts(pool: pg.Pool, query: AlertQuery): Promise<z.infer<typeof AlertPage>> {
  const { kind, status, min_severity, limit, cursor } = query;
  const after = placeOf(cursor);
  const { rows } = await pool.query<AlertRecord & { place: string }>(
    `SELECT *, ${micros('first_seen')} FROM alerts
     WHERE ($1::text IS NULL OR kind = $1) AND ($2 = 'all' OR (resolved_at IS NULL) = ($2 = 'open'))
       AND array_position(ARRAY['info', 'warning', 'critical'], severity)
         >= array_position(ARRAY['info', 'warning', 'critical'], $3::text)
       AND ${behind('first_seen', '$4', '$5')}
     ORDER BY first_seen DESC, id DESC LIMIT $6`,
    [kind ?? null, status, min_severity, after.at, after.id, limit + 1],
  );
  return page(rows, limit, alertItem, (row) => [row.place, row.id]);
}

/**
 * Marks an open alert as seen: it is not repeated any more. A second acknowledgement replaces the first.
 * @throws GtxError NOT_FOUND, CONFLICT when it is over
 */
export async function acknowledgeAlert(
  pool: pg.Pool,
  id: string,
  { by, reason }: { by: string; reason: string },
): Promise<AlertItem> {
  const { rows } = await pool.query<AlertRecord>(
    `UPDATE alerts SET acknowledged_at = now(), acknowledged_by = $2, acknowledgement = $3
     WHERE id = $1 AND resolved_at IS NULL RETURNING *`,
    [id, by, reason],
  );
  if (rows[0] !== undefined) return alertItem(rows[0]);
  const { rowCount } = await pool.query('SELECT FROM alerts WHERE id = $1', [id]);
  if (rowCount === 0) throw new GtxError('NOT_FOUND', 'there is no such alert');
  throw new GtxError('CONFLICT', 'the alert is over');
}

function alertItem(row: AlertRecord): AlertItem {
  return {
    id: row.id,
    kind: row.kind,
    key: row.dedupe_key,
    severity: row.severity,
    message: row.message,
    details: row.details,
    occurrences: Number(row.occurrences),
    first_seen: row.first_seen.toISOString(),
    last_seen: row.last_seen.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null,
    acknowledged_at: row.acknowledged_at?.toISOString() ?? null,
    acknowledged_by: row.acknowledged_by,
    acknowledgement: row.acknowledgement,
  };
}

/** Microseconds since 1970: a Date has milliseconds only, and would skip rows of one millisecond. */
const micros = (column: string) => `(extract(epoch FROM ${column}) * 1000000)::bigint AS place`;
/** Whether a row stands behind a cursor's place. */
const behind = (column: string, at: string, id: string) =>
  `(${at}::bigint IS NULL
    OR (${column}, id) < (timestamptz 'epoch' + ${at}::bigint * interval '1 microsecond', ${id}::uuid))`;

function placeOf(cursor: string | undefined): { at: string | null; id: string | null } {
  const [at, id] = decodeCursor(cursor, ['integer', 'text']) ?? [];
  if (id === undefined || at === undefined) return { at: null, id: null };
  return { at, id: parseWith(Id, { id }, 'INVALID_BODY').id };
}
