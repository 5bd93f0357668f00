import { encodeBase58, formatTimestamp, GtxError, type LastReading, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { z } from 'zod';
import { readingCounts, sumOf } from '../overview/figures.js';
import { decodeCursor, page } from './cursor.js';
import {
  type CollectorStatus,
  CSV_COLUMNS,
  type MeterState,
  type ReadingsPage,
  type StoredReading,
} from './schemas.js';

type Meter = z.infer<typeof MeterState>;

const METER = 'SELECT m.*, (SELECT verified FROM users WHERE id = m.user_id) FROM meters m';

function meterItem(row: pg.QueryResultRow): Meter {
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

/** Meters by their ids: a wallet's, or all. */
export async function metersPage(
  pool: pg.Pool,
  wallet: string | undefined,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ items: Meter[]; next_cursor: string | null }> {
  const [after] = decodeCursor(cursor, ['text']) ?? [];
  const { rows } = await pool.query(
    `${METER} WHERE m.meter_id > $1 ${wallet === undefined ? '' : 'AND user_id = (SELECT id FROM users WHERE wallet_address = $3)'}
     ORDER BY m.meter_id LIMIT $2`,
    [after ?? '', limit + 1, ...(wallet === undefined ? [] : [wallet])],
  );
  return page(rows, limit, meterItem, (row) => [row.meter_id]);
}

/**
 * @param wallet who asks; undefined: an operator
 * @throws GtxError NOT_FOUND, FORBIDDEN for another's
 */
export async function meterState(pool: pg.Pool, meterId: string, wallet: string | undefined): Promise<Meter> {
  const { rows } = await pool.query(`${METER} WHERE m.meter_id = $1`, [meterId]);
  const row = rows[0];
  if (row === undefined) throw new GtxError('NOT_FOUND', 'no such meter');
  if (wallet !== undefined && row.wallet_address !== wallet) throw notYours();
  return meterItem(row);
}

const notYours = () => new GtxError('FORBIDDEN', "this is another wallet's meter");

/** Whose readings of which meter, and from when. */
export interface ReadingsAsked {
  meterId: string;
  /** Only readings of the time in which the meter was this wallet's; undefined: all. */
  wallet: string | undefined;
  /** Unix seconds. */
  from: number | undefined;
  to: number | undefined;
}

/** @throws GtxError NOT_FOUND, FORBIDDEN for a meter that never was the wallet's */
export async function assertReadable(pool: pg.Pool, { meterId, wallet }: ReadingsAsked): Promise<void> {
  const { rows } = await pool.query<{ wallet_address: string }>(
    'SELECT wallet_address FROM meters WHERE meter_id = $1',
    [meterId],
  );
  if (rows[0] === undefined) throw new GtxError('NOT_FOUND', 'no such meter');
  if (wallet === undefined || rows[0].wallet_address === wallet) return;
  // Looked for among what the asker measured: a stranger, who measured nothing, costs nothing.
  const { rowCount } = await pool.query(
    `SELECT FROM meter_readings WHERE user_id = (SELECT id FROM users WHERE wallet_address = $1) AND meter_id = $2
     LIMIT 1`,
    [wallet, meterId],
  );
  if (rowCount === 0) throw notYours();
}

function readingsWhere({ meterId, wallet, from, to }: ReadingsAsked, values: unknown[]): string {
  const parts = [`meter_id = $${values.push(meterId)}`];
  if (wallet !== undefined) parts.push(`wallet_address = $${values.push(wallet)}`);
  if (from !== undefined) parts.push(`reading_timestamp >= to_timestamp($${values.push(from)})`);
  if (to !== undefined) parts.push(`reading_timestamp < to_timestamp($${values.push(to)})`);
  return parts.join(' AND ');
}

/**
 * A page of a meter's readings, newest sequence first.
 * @param cursor sequences below this one
 * @throws GtxError NOT_FOUND, FORBIDDEN
 */
export async function readingsPage(
  pool: pg.Pool,
  asked: ReadingsAsked,
  limit: number,
  cursor: string | undefined,
): Promise<z.infer<typeof ReadingsPage>> {
  await assertReadable(pool, asked);
  const values: unknown[] = [];
  const where = readingsWhere(asked, values);
  const before = cursor === undefined ? '' : `AND sequence < $${values.push(cursor)}::numeric`;
  const { rows } = await pool.query(
    `SELECT * FROM meter_readings WHERE ${where} ${before} ORDER BY sequence DESC LIMIT $${values.push(limit + 1)}`,
    values,
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(
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

/** Rows of a table that are read, and held in memory, at once. */
const CSV_ROWS = 1_000;

/** A meter's readings as lines of CSV, oldest first, read as fast as they are taken. */
export async function* readingsCsv(pool: pg.Pool, asked: ReadingsAsked): AsyncGenerator<string> {
  const total = (text: string) => nkwhToKwh(BigInt(text));
  let after = '-1';
  for (;;) {
    const values: unknown[] = [];
    const { rows } = await pool.query(
      `SELECT * FROM meter_readings WHERE ${readingsWhere(asked, values)} AND sequence > $${values.push(after)}::numeric
       ORDER BY sequence LIMIT ${CSV_ROWS}`,
      values,
    );
    if (after === '-1') yield `${CSV_COLUMNS.join(',')}\r\n`;
    const lines = rows.map((row) =>
      // Numbers, times, names of ours and base58: nothing to quote, and nothing that a table calculation would execute.
      [
        formatTimestamp(Number(row.interval_start)),
        formatTimestamp(Number(row.interval_end)),
        row.sequence,
        total(row.produced_total),
        total(row.consumed_total),
        total(row.surplus_total),
        total(row.amount_nkwh),
        row.status,
        row.mint_tx_signature ?? '',
      ].join(','),
    );
    if (lines.length > 0) yield `${lines.join('\r\n')}\r\n`;
    if (rows.length < CSV_ROWS) return;
    after = rows.at(-1)?.sequence;
  }
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
    readingCounts(pool),
  ]);
  const row = counts.rows[0];
  return {
    meters: row.meters,
    users: row.users,
    readings: { stored: sumOf(byStatus), by_status: byStatus },
    minted_grid: nkwhToKwh(BigInt(row.minted)),
    open_alerts: row.alerts,
    open_reviews: row.reviews,
  };
}
