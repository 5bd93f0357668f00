import { encodeBase58, formatTimestamp, GtxError, type LastReading, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { z } from 'zod';
import { STORED_STATUSES, type StoredStatus } from '../validate/rules.js';
import type { CollectorStatus, MeterState, ReadingsPage, StoredReading } from './schemas.js';

/** @throws GtxError NOT_FOUND */
export async function meterState(pool: pg.Pool, meterId: string): Promise<z.infer<typeof MeterState>> {
  const { rows } = await pool.query(
    `SELECT m.*, u.verified FROM meters m JOIN users u ON u.id = m.user_id WHERE m.meter_id = $1`,
    [meterId],
  );
  const row = rows[0];
  if (row === undefined) throw new GtxError('NOT_FOUND', 'no such meter');
  return {
    meter_id: row.meter_id,
    wallet_address: row.wallet_address,
    public_key: row.public_key,
    rated_watts: Number(row.rated_watts),
    status: row.status,
    user_verified: row.verified,
    last_sequence: row.last_sequence,
    through: row.through,
    last_reading_at: row.last_sequence === '0' ? null : formatTimestamp(Number(row.last_end)),
    surplus_kwh: nkwhToKwh(BigInt(row.last_surplus_total)),
    minted_grid: nkwhToKwh(BigInt(row.chain_minted)),
    holds: row.holds,
  };
}

/**
 * A page of a meter's readings, newest sequence first.
 * @param cursor sequences below this one
 * @throws GtxError NOT_FOUND
 */
export async function readingsPage(
  pool: pg.Pool,
  meterId: string,
  limit: number,
  cursor: string | undefined,
): Promise<z.infer<typeof ReadingsPage>> {
  const known = await pool.query('SELECT FROM meters WHERE meter_id = $1', [meterId]);
  if (known.rowCount === 0) throw new GtxError('NOT_FOUND', 'no such meter');
  const { rows } = await pool.query(
    `SELECT * FROM meter_readings WHERE meter_id = $1 AND ($2::numeric IS NULL OR sequence < $2::numeric)
     ORDER BY sequence DESC LIMIT $3`,
    [meterId, cursor ?? null, limit + 1],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(
      (row): StoredReading => ({
        id: row.id,
        meter_id: row.meter_id,
        wallet_address: row.wallet_address,
        sequence: row.sequence,
        flags: Number(row.flags),
        interval_start: Number(row.interval_start),
        interval_end: Number(row.interval_end),
        produced_total: row.produced_total,
        consumed_total: row.consumed_total,
        surplus_total: row.surplus_total,
        kwh_amount: nkwhToKwh(BigInt(row.amount_nkwh)),
        reading_timestamp: formatTimestamp(Number(row.interval_end)),
        submitted_at: row.submitted_at.toISOString(),
        status: row.status,
        minted: row.minted,
        mint_tx_signature: row.mint_tx_signature,
        meter_signature: row.meter_signature,
        public_key: row.public_key,
      }),
    ),
    next_cursor: rows.length > limit && last !== undefined ? last.sequence : null,
  };
}

/**
 * The stored reading with a meter's highest sequence, and where the meter stands on the chain.
 * @throws GtxError METER_NOT_REGISTERED
 */
export async function lastReading(pool: pg.Pool, meterId: string, nowSeconds: number): Promise<LastReading> {
  const { rows } = await pool.query(
    `SELECT m.through, m.chain_sequence, m.chain_end, m.chain_produced_total, m.chain_consumed_total,
       m.chain_surplus_total, r.sequence, r.message, r.meter_signature, r.public_key
     FROM meters m LEFT JOIN LATERAL (
       SELECT sequence, message, meter_signature, public_key FROM meter_readings
       WHERE meter_id = m.meter_id ORDER BY sequence DESC LIMIT 1
     ) AS r ON true
     WHERE m.meter_id = $1`,
    [meterId],
  );
  const row = rows[0];
  if (row === undefined) throw new GtxError('METER_NOT_REGISTERED');
  return {
    meter_id: meterId,
    time: nowSeconds,
    through: row.through,
    reading:
      row.sequence === null
        ? null
        : {
            sequence: row.sequence,
            message: encodeBase58(row.message),
            signature: row.meter_signature,
            public_key: row.public_key,
          },
    chain: {
      last_sequence: row.chain_sequence,
      last_end: Number(row.chain_end),
      produced_total: row.chain_produced_total,
      consumed_total: row.chain_consumed_total,
      surplus_total: row.chain_surplus_total,
    },
  };
}

export async function collectorFigures(
  pool: pg.Pool,
): Promise<Omit<z.infer<typeof CollectorStatus>, 'time' | 'mqtt_url' | 'ack_public_key'>> {
  const [counts, byStatus] = await Promise.all([
    pool.query(
      `SELECT (SELECT count(*) FROM meters)::int AS meters, (SELECT count(*) FROM users)::int AS users,
         (SELECT coalesce(sum(chain_minted), 0) FROM meters)::text AS minted,
         (SELECT count(*) FROM alerts WHERE resolved_at IS NULL)::int AS alerts,
         (SELECT count(*) FROM reviews WHERE status = 'open')::int AS reviews`,
    ),
    pool.query<{ status: string; count: number }>(
      'SELECT status, count(*)::int AS count FROM meter_readings GROUP BY status',
    ),
  ]);
  const count = (status: string) => byStatus.rows.find((row) => row.status === status)?.count ?? 0;
  const row = counts.rows[0];
  const byName = Object.fromEntries(STORED_STATUSES.map((status) => [status, count(status)])) as Record<
    StoredStatus,
    number
  >;
  return {
    meters: row.meters,
    users: row.users,
    readings: { stored: byStatus.rows.reduce((sum, { count: n }) => sum + n, 0), by_status: byName },
    minted_grid: nkwhToKwh(BigInt(row.minted)),
    open_alerts: row.alerts,
    open_reviews: row.reviews,
  };
}
