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
    `SELECT width_bucket(extract(epoch FROM quarter)::bigint, $1::bigint[]) AS part, ${SUMS}
     FROM energy_quarters WHERE quarter >= to_timestamp($2) AND quarter < to_timestamp($3) GROUP BY 1`,
    [starts, starts[0], starts.at(-1), leastMeters],
  );
  const found = new Map(
    rows.map((row) => [Number(row.part), { ...quarterOf(row), shown: Number(row.shown) }]),
  );
  const items = starts.slice(0, -1).map((start, part) => {
    const sum = found.get(part + 1) ?? { ...NOTHING, shown: 0 };
    const hidden = sum.readings > 0 && sum.shown === 0;
    return itemOf(start, starts[part + 1] as number, sum, { hidden, meters: sum.meters });
  });
  return { step, zone, items };
}

const NOTHING: Quarter = { producedNkwh: 0n, consumedNkwh: 0n, surplusNkwh: 0n, readings: 0, meters: 0 };

/** Sums of quarters of an hour; of the energy only of those with as many meters as $4. */
const SUMS = `${['produced', 'consumed', 'surplus']
  .map((name) => `coalesce(sum(${name}) FILTER (WHERE meters >= $4), 0) AS ${name}`)
  .join(', ')}, coalesce(sum(readings), 0) AS readings, coalesce(max(meters), 0) AS meters,
  count(*) FILTER (WHERE meters >= $4) AS shown`;

function quarterOf(row: Record<string, string>): Quarter {
  return {
    producedNkwh: BigInt(row.produced as string),
    consumedNkwh: BigInt(row.consumed as string),
    surplusNkwh: BigInt(row.surplus as string),
    readings: Number(row.readings),
    meters: Number(row.meters),
  };
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
    `SELECT ${SUMS.replaceAll('$4', '$2')} FROM energy_quarters WHERE quarter >= to_timestamp($1)`,
    [since, leastMeters],
  );
  const sum = quarterOf(rows[0] as Record<string, string>);
  return { ...sum, hidden: sum.readings > 0 && rows[0]?.shown === '0' };
}

/** A meter whose readings are added up to an hour before its newest is up to date: what just came is counted within seconds. */
const BEHIND_SECONDS = 3600;

/** How many meters have readings from before that are not in the network's quarters yet. */
export async function metersBehind(pool: Database): Promise<number> {
  const { rows } = await pool.query<{ meters: number }>(
    `SELECT count(*)::int AS meters FROM meters m LEFT JOIN energy_meters e USING (meter_id)
     WHERE m.last_sequence > 0 AND m.last_end > coalesce(e.interval_end, 0) + $1`,
    [BEHIND_SECONDS],
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
    const sum = found.get(part + 1) ?? NOTHING;
    return itemOf(start, starts[part + 1] as number, sum, { hidden: false, meters: null });
  });
  return { step, zone, items, counted: true };
}

/** Midnight in UTC before a moment, and whether a moment is the beginning of a quarter of an hour; all in Unix seconds. */
export const utcMidnight = (nowMillis: number) => Math.floor(nowMillis / SECOND / 86_400) * 86_400;
export const isQuarter = (at: number) => at % QUARTER_SECONDS === 0;
