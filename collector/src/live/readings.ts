import { formatTimestamp, type LiveItem, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import { LIST_ITEMS } from './list-topic.js';

/** A wallet's newest readings, of all meters that were its own at the time. */
export async function walletReadings(pool: pg.Pool, wallet: string): Promise<LiveItem[]> {
  const { rows } = await pool.query(
    `SELECT * FROM meter_readings WHERE user_id = (SELECT id FROM users WHERE wallet_address = $1)
     ORDER BY reading_timestamp DESC, meter_id, sequence DESC LIMIT $2`,
    [wallet, LIST_ITEMS],
  );
  return rows.map(readingItem);
}

/** @param wallet only readings of the time in which the meter was its own; undefined: all */
export async function meterReadings(
  pool: pg.Pool,
  meterId: string,
  wallet: string | undefined,
): Promise<LiveItem[]> {
  const { rows } = await pool.query(
    `SELECT * FROM meter_readings WHERE meter_id = $1 AND ($2::text IS NULL OR wallet_address = $2)
     ORDER BY sequence DESC LIMIT $3`,
    [meterId, wallet ?? null, LIST_ITEMS],
  );
  return rows.map(readingItem);
}

/** As in the list of the HTTP interface, without what only a verifier needs. */
function readingItem(row: pg.QueryResultRow): LiveItem {
  const { id, meter_id, wallet_address, sequence, produced_total, consumed_total, surplus_total } = row;
  return {
    id,
    meter_id,
    wallet_address,
    sequence,
    flags: Number(row.flags),
    interval_start: Number(row.interval_start),
    interval_end: Number(row.interval_end),
    produced_total,
    consumed_total,
    surplus_total,
    kwh_amount: nkwhToKwh(BigInt(row.amount_nkwh)),
    reading_timestamp: formatTimestamp(Number(row.interval_end)),
    submitted_at: row.submitted_at.toISOString(),
    status: row.status,
    minted: row.minted,
    mint_tx_signature: row.mint_tx_signature,
  };
}
