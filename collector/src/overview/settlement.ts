import { fetchConfig } from '@gridtokenx/chain';
import { formatTimestamp, GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type pg from 'pg';
import { readingCounts } from './figures.js';
import type { SettlementAnswer } from './schemas.js';

const IN_FLIGHT = 100;
const FAILED = 20;

const seconds = (value: number | null | undefined) =>
  value === null || value === undefined ? null : Math.round(value * 10) / 10;
const iso = (at: Date) => formatTimestamp(Math.floor(at.getTime() / 1000));

/** The settlement queue, without whether the chain is paused. */
export async function settlementFigures(pool: pg.Pool): Promise<Omit<SettlementAnswer, 'time' | 'paused'>> {
  const [counts, oldest, flying, flyingCount, failed, hour] = await Promise.all([
    readingCounts(pool),
    // Repeats the predicate of `idx_unminted`, whose first entry it is.
    pool.query<{ age: number | null }>(
      `SELECT extract(epoch FROM now() - min(submitted_at))::float8 AS age FROM meter_readings
       WHERE minted = FALSE AND status IN ('pending', 'covered', 'accepted')`,
    ),
    pool.query<{
      signature: string;
      state: 'prepared' | 'confirmed';
      meters: number;
      created_at: Date;
      age: number;
    }>(
      `SELECT s.signature, s.state, s.created_at, extract(epoch FROM now() - s.created_at)::float8 AS age,
         (SELECT count(*)::int FROM settlement_items i WHERE i.settlement_id = s.id) AS meters
       FROM settlements s WHERE s.state IN ('prepared', 'confirmed') ORDER BY s.id LIMIT ${IN_FLIGHT}`,
    ),
    pool.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM settlements WHERE state IN ('prepared', 'confirmed')`,
    ),
    pool.query<{ signature: string; error: string | null; created_at: Date }>(
      `SELECT signature, error, created_at FROM settlements WHERE state = 'failed' ORDER BY id DESC LIMIT ${FAILED}`,
    ),
    pool.query<{
      confirmed: number;
      failed: number;
      expired: number;
      p50: number | null;
      p95: number | null;
    }>(
      `SELECT count(*) FILTER (WHERE confirmed_at IS NOT NULL)::int AS confirmed,
         count(*) FILTER (WHERE state = 'failed')::int AS failed,
         count(*) FILTER (WHERE state = 'expired')::int AS expired,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM confirmed_at - created_at))::float8 AS p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM confirmed_at - created_at))::float8 AS p95
       FROM settlements WHERE created_at > now() - interval '1 hour'`,
    ),
  ]);
  const last = hour.rows[0];
  return {
    queue: {
      pending: counts.pending,
      covered: counts.covered,
      accepted: counts.accepted,
      held: counts.held + counts.chain_held,
      review: counts.review,
    },
    oldest_waiting_seconds: seconds(oldest.rows[0]?.age),
    in_flight: flying.rows.map((row) => ({
      signature: row.signature,
      state: row.state,
      meters: row.meters,
      created_at: iso(row.created_at),
      age_seconds: seconds(row.age) ?? 0,
    })),
    in_flight_count: flyingCount.rows[0]?.count ?? 0,
    failed: failed.rows.map((row) => ({ ...row, created_at: iso(row.created_at) })),
    last_hour: {
      confirmed: last?.confirmed ?? 0,
      failed: last?.failed ?? 0,
      expired: last?.expired ?? 0,
      p50_seconds: seconds(last?.p50),
      p95_seconds: seconds(last?.p95),
    },
  };
}

/** Whether the registry takes no readings now; null when the chain does not tell. */
export async function registryPaused(connection: Connection): Promise<boolean | null> {
  try {
    return (await fetchConfig(connection))?.paused ?? null;
  } catch (error) {
    if (error instanceof GtxError && error.code === 'CHAIN_UNAVAILABLE') return null;
    throw error;
  }
}
