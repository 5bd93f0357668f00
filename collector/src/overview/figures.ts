/**
 * Figures about all readings, without counting them: from what the database adds up as they are stored and changed
 * (migration 280). What has been added up since and what still stands beside it is one sum, in one statement.
 */
import { formatTimestamp, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import { STORED_STATUSES, type StoredStatus } from '../validate/rules.js';
import { type Mint, type PipelineStage, STAGES, type Stage } from './schemas.js';

type Database = Pick<pg.Pool, 'query'>;

/** How many stored readings have each status. */
export async function readingCounts(pool: Database): Promise<Record<StoredStatus, number>> {
  const { rows } = await pool.query<{ status: StoredStatus; readings: string }>(
    `SELECT status, sum(readings)::bigint AS readings FROM (
       SELECT status, readings FROM reading_counts UNION ALL SELECT status, change FROM reading_count_changes) AS c
     GROUP BY status`,
  );
  const found = new Map(rows.map(({ status, readings }) => [status, Number(readings)]));
  return Object.fromEntries(STORED_STATUSES.map((status) => [status, found.get(status) ?? 0])) as Record<
    StoredStatus,
    number
  >;
}

export function sumOf(counts: Readonly<Record<StoredStatus, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** GRID minted in all, and since a moment (Unix seconds), which is the beginning of a quarter of an hour. */
export async function mintedSince(pool: Database, since: number): Promise<{ total: bigint; since: bigint }> {
  const { rows } = await pool.query<{ total: string; since: string }>(
    `SELECT coalesce(sum(minted), 0) AS total,
       coalesce(sum(minted) FILTER (WHERE quarter >= to_timestamp($1)), 0) AS since
     FROM (SELECT quarter, minted FROM mint_quarters UNION ALL SELECT quarter, minted FROM mint_changes) AS m`,
    [since],
  );
  return { total: BigInt(rows[0]?.total ?? 0), since: BigInt(rows[0]?.since ?? 0) };
}

/**
 * Readings whose mint no fork is sure to leave alone yet: as many as settle in half a minute. The inner questions keep this on indexes,
 * whatever the planner expects to find.
 */
const NOT_FINAL = `SELECT coalesce(sum(k.readings), 0)::int AS readings FROM chain_transactions t
  JOIN chain_readings c ON c.mint_signature = t.signature
  CROSS JOIN LATERAL (SELECT max(sequence) AS sequence FROM chain_readings b
    WHERE b.meter_id = c.meter_id AND b.sequence < c.sequence) AS before
  CROSS JOIN LATERAL (SELECT count(*) AS readings FROM reading_keys n
    WHERE n.meter_id = c.meter_id AND n.sequence > coalesce(before.sequence, 0) AND n.sequence <= c.sequence
      AND (SELECT r.minted FROM meter_readings r
        WHERE r.id = n.reading_id AND r.reading_timestamp = n.reading_timestamp)) AS k
  WHERE NOT t.finalized`;

/**
 * The way of the readings, stage by stage.
 * @param counts see {@link readingCounts}
 * @param queued readings that this collector has received and not stored
 */
export async function pipeline(
  pool: Database,
  counts: Readonly<Record<StoredStatus, number>>,
  queued: number,
): Promise<PipelineStage[]> {
  const [{ rows }, notFinal] = await Promise.all([
    pool.query<{ stage: Stage; lag_seconds: number; minute: string; hour: string }>(
      `SELECT stage, lag_seconds, sum(readings) AS hour,
         coalesce(sum(readings) FILTER (WHERE slot > now() - interval '1 minute'), 0) AS minute
       FROM (SELECT * FROM pipeline_counts WHERE slot > now() - interval '1 hour'
         UNION ALL SELECT * FROM pipeline_changes WHERE slot > now() - interval '1 hour') AS p
       GROUP BY stage, lag_seconds ORDER BY stage, lag_seconds`,
    ),
    pool.query<{ readings: number }>(NOT_FINAL),
  ]);
  const waiting: Record<Stage, number> = {
    received: queued,
    stored: counts.pending + counts.covered + counts.held + counts.review,
    accepted: counts.accepted + counts.chain_held,
    minted: notFinal.rows[0]?.readings ?? 0,
    final: 0,
  };
  return STAGES.map((stage) => {
    const lags = rows
      .filter((row) => row.stage === stage)
      .map((row) => ({ seconds: row.lag_seconds, minute: Number(row.minute), readings: Number(row.hour) }));
    return {
      stage,
      count_minute: lags.reduce((sum, { minute }) => sum + minute, 0),
      count_hour: lags.reduce((sum, { readings }) => sum + readings, 0),
      waiting: waiting[stage],
      lag_seconds_p50: quantile(lags, 0.5),
      lag_seconds_p95: quantile(lags, 0.95),
    };
  });
}

/**
 * The lag below or at which this share of the readings lies; null without readings.
 * @param lags ascending by seconds
 */
export function quantile(
  lags: readonly { seconds: number; readings: number }[],
  share: number,
): number | null {
  const all = lags.reduce((sum, { readings }) => sum + readings, 0);
  if (all <= 0) return null;
  let below = 0;
  for (const { seconds, readings } of lags) {
    below += readings;
    if (below >= share * all) return seconds;
  }
  return lags.at(-1)?.seconds ?? null;
}

/** Mints looked at for the latest transactions: five of them fit into one. */
const EVENTS = 100;

/** The latest transactions that minted, the newest first. */
export async function latestMints(pool: Database, limit: number): Promise<Mint[]> {
  const { rows } = await pool.query<{
    signature: string;
    amount: string;
    block_time: string | null;
    meters: number;
    finalized: boolean;
  }>(
    `SELECT m.signature, sum(m.amount) AS amount, max(m.block_time) AS block_time, count(DISTINCT m.meter)::int AS meters,
       (SELECT finalized FROM chain_transactions t WHERE t.signature = m.signature) AS finalized
     FROM (SELECT signature, slot, position, meter, block_time, (data ->> 'amount')::numeric AS amount FROM chain_events
       WHERE name = 'ProductionMinted' ORDER BY slot DESC LIMIT ${EVENTS}) AS m
     GROUP BY m.signature ORDER BY max(m.slot) DESC, max(m.position) DESC LIMIT $1`,
    [limit],
  );
  return rows.map((row) => ({
    signature: row.signature,
    amount: nkwhToKwh(BigInt(row.amount)),
    time: row.block_time === null ? null : formatTimestamp(Number(row.block_time)),
    meters: row.meters,
    state: row.finalized ? 'finalized' : 'confirmed',
  }));
}
