/** Energy by parts of time: the network's from its quarters of an hour, an owner's from the readings themselves. */
import { formatTimestamp, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import { assertReadable } from '../http/queries.js';
import type { EnergyAnswer, EnergyItem, Step } from './schemas.js';
import { partsOf, QUARTER_SECONDS } from './zones.js';

type Database = Pick<pg.Pool, 'query'>;

export interface Period {
  /** Unix seconds. */
  from: number;
  to: number;
  step: Step;
  /** IANA name. */
  zone: string;
}

export interface Energy {
  producedNkwh: bigint;
  consumedNkwh: bigint;
  surplusNkwh: bigint;
}

const SECOND = 1000;

interface Quarter extends Energy {
  readings: number;
  meters: number;
}

/**
 * The network's energy of a period.
 * @param leastMeters quarters of an hour with fewer meters are left out of every sum
 */
export async function networkEnergy(
  pool: Database,
  { from, to, step, zone }: Period,
  leastMeters: number,
): Promise<Omit<EnergyAnswer, 'counted'>> {
  const starts = partsOf(from, to, step, zone);
  const { rows } = await pool.query<Record<string, string>>(
    `SELECT extract(epoch FROM quarter)::bigint AS at, produced, consumed, surplus, readings, meters
     FROM energy_quarters WHERE quarter >= to_timestamp($1) AND quarter < to_timestamp($2) ORDER BY quarter`,
    [starts[0], starts.at(-1)],
  );
  const quarters = rows.map((row) => ({ at: Number(row.at), ...quarterOf(row) }));
  let next = 0;
  const items = starts.slice(0, -1).map((start, part): EnergyItem => {
    const end = starts[part + 1] as number;
    const sum = { producedNkwh: 0n, consumedNkwh: 0n, surplusNkwh: 0n, readings: 0, meters: 0 };
    let shown = 0;
    for (let quarter = quarters[next]; quarter !== undefined && quarter.at < end; quarter = quarters[next]) {
      next += 1;
      sum.readings += quarter.readings;
      sum.meters = Math.max(sum.meters, quarter.meters);
      if (quarter.meters < leastMeters) continue;
      shown += 1;
      add(sum, quarter);
    }
    return itemOf(start, end, sum, { hidden: sum.readings > 0 && shown === 0, meters: sum.meters });
  });
  return { step, zone, items };
}

function quarterOf(row: Record<string, string>): Quarter {
  return {
    producedNkwh: BigInt(row.produced as string),
    consumedNkwh: BigInt(row.consumed as string),
    surplusNkwh: BigInt(row.surplus as string),
    readings: Number(row.readings),
    meters: Number(row.meters),
  };
}

function add(sum: Energy, more: Energy): void {
  sum.producedNkwh += more.producedNkwh;
  sum.consumedNkwh += more.consumedNkwh;
  sum.surplusNkwh += more.surplusNkwh;
}

function itemOf(
  start: number,
  end: number,
  sum: Energy & { readings: number },
  { hidden, meters }: { hidden: boolean; meters: number | null },
): EnergyItem {
  return {
    start: formatTimestamp(start),
    end: formatTimestamp(end),
    ...energyFields(sum, hidden),
    readings: sum.readings,
    meters,
  };
}

/** Energy as the interface tells it. */
export function energyFields(
  { producedNkwh, consumedNkwh, surplusNkwh }: Energy,
  hidden: boolean,
): Pick<EnergyItem, 'produced_kwh' | 'consumed_kwh' | 'surplus_kwh' | 'hidden'> {
  return {
    produced_kwh: hidden ? null : nkwhToKwh(producedNkwh),
    consumed_kwh: hidden ? null : nkwhToKwh(consumedNkwh),
    surplus_kwh: hidden ? null : nkwhToKwh(surplusNkwh),
    hidden: hidden ? 'too_few_meters' : null,
  };
}

/** The network's energy since a moment (Unix seconds), which is the beginning of a quarter of an hour. */
export async function networkEnergySince(
  pool: Database,
  since: number,
  leastMeters: number,
): Promise<Energy & { readings: number; hidden: boolean }> {
  const { rows } = await pool.query<Record<string, string>>(
    `SELECT coalesce(sum(produced) FILTER (WHERE meters >= $2), 0) AS produced,
       coalesce(sum(consumed) FILTER (WHERE meters >= $2), 0) AS consumed,
       coalesce(sum(surplus) FILTER (WHERE meters >= $2), 0) AS surplus,
       coalesce(sum(readings), 0) AS readings, count(*) FILTER (WHERE meters >= $2) AS meters
     FROM energy_quarters WHERE quarter >= to_timestamp($1)`,
    [since, leastMeters],
  );
  const { meters: shown, ...sum } = quarterOf(rows[0] as Record<string, string>);
  return { ...sum, hidden: sum.readings > 0 && shown === 0 };
}

/** How many meters have readings that are not in the network's quarters yet. */
export async function metersBehind(pool: Database): Promise<number> {
  const { rows } = await pool.query<{ meters: number }>(
    `SELECT count(*)::int AS meters FROM meters m LEFT JOIN energy_meters e USING (meter_id)
     WHERE m.last_sequence > coalesce(e.sequence, 0)`,
  );
  return rows[0]?.meters ?? 0;
}

/** Readings of a meter, or of all of a wallet's, in the time in which they were that wallet's. */
export interface EnergyAsked {
  meterId?: string;
  /** undefined: whoever had the meter. */
  wallet: string | undefined;
}

/**
 * Energy of a period by the readings themselves.
 * @throws GtxError NOT_FOUND, FORBIDDEN for a meter that never was the wallet's
 */
export async function readingsEnergy(
  pool: pg.Pool,
  { meterId, wallet }: EnergyAsked,
  { from, to, step, zone }: Period,
): Promise<EnergyAnswer> {
  if (meterId !== undefined) await assertReadable(pool, { meterId, wallet, from: undefined, to: undefined });
  const starts = partsOf(from, to, step, zone);
  const values: unknown[] = [starts, starts[0], starts.at(-1)];
  const parts = ['r.reading_timestamp > to_timestamp($2)', 'r.reading_timestamp <= to_timestamp($3)'];
  if (meterId !== undefined) parts.push(`r.meter_id = $${values.push(meterId)}`);
  if (wallet !== undefined) {
    parts.push(`r.user_id = (SELECT id FROM users WHERE wallet_address = $${values.push(wallet)})`);
  }
  // The reading before each is the one before it in the period, and of a meter's first one there the one before that.
  const { rows } = await pool.query<Record<string, string>>(
    `WITH shown AS MATERIALIZED (
       SELECT r.meter_id, r.sequence, r.interval_end, r.produced_total, r.consumed_total, r.surplus_total
       FROM meter_readings r WHERE ${parts.join(' AND ')}
     ), firsts AS (
       SELECT f.meter_id, b.* FROM (SELECT meter_id, min(sequence) AS first FROM shown GROUP BY meter_id) AS f
       CROSS JOIN LATERAL (SELECT sequence, interval_end, produced_total, consumed_total, surplus_total FROM meter_readings b
         WHERE b.meter_id = f.meter_id AND b.sequence < f.first ORDER BY b.sequence DESC LIMIT 1) AS b
     ), steps AS (
       SELECT meter_id, sequence, interval_end, wanted,
         produced_total - lag(produced_total, 1, 0::numeric) OVER before AS produced,
         consumed_total - lag(consumed_total, 1, 0::numeric) OVER before AS consumed,
         surplus_total - lag(surplus_total, 1, 0::numeric) OVER before AS surplus
       FROM (SELECT *, true AS wanted FROM shown UNION ALL SELECT *, false FROM firsts) AS s
       WINDOW before AS (PARTITION BY meter_id ORDER BY sequence)
     )
     SELECT width_bucket(interval_end - 1, $1::bigint[]) AS part, sum(greatest(0, produced)) AS produced,
       sum(greatest(0, consumed)) AS consumed, sum(greatest(0, surplus)) AS surplus, count(*) AS readings, 0 AS meters
     FROM steps WHERE wanted GROUP BY 1`,
    values,
  );
  const found = new Map(rows.map((row) => [Number(row.part), quarterOf(row)]));
  const items = starts.slice(0, -1).map((start, part) => {
    const sum = found.get(part + 1) ?? { producedNkwh: 0n, consumedNkwh: 0n, surplusNkwh: 0n, readings: 0 };
    return itemOf(start, starts[part + 1] as number, sum, { hidden: false, meters: null });
  });
  return { step, zone, items, counted: true };
}

/** Midnight in UTC before a moment, and whether a moment is the beginning of a quarter of an hour; all in Unix seconds. */
export const utcMidnight = (nowMillis: number) => Math.floor(nowMillis / SECOND / 86_400) * 86_400;
export const isQuarter = (at: number) => at % QUARTER_SECONDS === 0;
