import type pg from 'pg';
import type { IntervalVolume, PriceGuideSettings } from '../market/index.js';

export interface VolumesQuery {
  market: string;
  /** Unix seconds: the end of the newest interval. */
  end: number;
  intervalSeconds: number;
  /** GRX base units for 1 GRID: orders far from it are no offers. */
  oraclePrice: bigint;
}

const WHOLE = 10_000n;
/** How far before a reading the one before it is looked for. Without one nothing is known of what was consumed. */
const LOOK_BACK_SECONDS = 2 * 86_400;

/**
 * What was offered and wanted in the last intervals, in nkWh, the oldest first:
 *
 * - of each order made in an interval what its owner has not taken back: traded, or still there. Orders whose price no guide
 *   could have are left out: nobody is meant to take them.
 * - of each reading that ends in an interval the surplus (supply) and the net consumption (demand), as far as the settings
 *   count them. The collector has the readings of its own meters only.
 */
export async function volumes(
  client: pg.Pool | pg.ClientBase,
  { market, end, intervalSeconds, oraclePrice }: VolumesQuery,
  settings: Pick<PriceGuideSettings, 'intervals' | 'readings_bps' | 'min_bps' | 'max_bps'>,
): Promise<IntervalVolume[]> {
  const start = end - settings.intervals * intervalSeconds;
  const offered = await client.query<{ interval: number; side: string; amount: string }>(
    `SELECT floor((extract(epoch FROM created_at) - $2::bigint) / $4::int)::int AS interval, side,
       sum(CASE WHEN status IN ('cancelled', 'expired') THEN amount - remaining ELSE amount END) AS amount
     FROM orders
     WHERE market = $1 AND created_at >= to_timestamp($2::bigint) AND created_at < to_timestamp($3::bigint)
       AND ((side = 'sell' AND price <= $6) OR (side = 'buy' AND price >= $5))
     GROUP BY 1, 2`,
    [
      market,
      start,
      end,
      intervalSeconds,
      ((oraclePrice * BigInt(settings.min_bps)) / WHOLE).toString(),
      ((oraclePrice * BigInt(settings.max_bps)) / WHOLE).toString(),
    ],
  );
  const list: IntervalVolume[] = Array.from({ length: settings.intervals }, () => ({
    supply: 0n,
    demand: 0n,
  }));
  for (const { interval, side, amount } of offered.rows) {
    const volume = list[interval];
    if (volume) volume[side === 'sell' ? 'supply' : 'demand'] += BigInt(amount);
  }
  if (settings.readings_bps === 0) return list;
  // What a meter consumed beyond what it produced: dConsumed - dProduced + dSurplus, as surplus is the other way round.
  const measured = await client.query<{ interval: number; surplus: string; consumed: string }>(
    `SELECT floor((extract(epoch FROM r.reading_timestamp) - 1 - $1::bigint) / $3::int)::int AS interval,
       sum(r.amount_nkwh) AS surplus,
       coalesce(sum(greatest(0, (r.consumed_total - p.consumed_total) - (r.produced_total - p.produced_total)
         + (r.surplus_total - p.surplus_total))), 0) AS consumed
     FROM meter_readings r
     LEFT JOIN LATERAL (
       SELECT consumed_total, produced_total, surplus_total FROM meter_readings b
       WHERE b.meter_id = r.meter_id AND b.sequence < r.sequence
         AND b.reading_timestamp >= to_timestamp($1::bigint - $4::int) AND b.reading_timestamp <= to_timestamp($2::bigint)
       ORDER BY b.sequence DESC LIMIT 1
     ) p ON TRUE
     WHERE r.reading_timestamp > to_timestamp($1::bigint) AND r.reading_timestamp <= to_timestamp($2::bigint)
       AND r.status NOT IN ('held', 'review', 'written_off', 'superseded')
     GROUP BY 1`,
    [start, end, intervalSeconds, LOOK_BACK_SECONDS],
  );
  const share = BigInt(settings.readings_bps);
  for (const { interval, surplus, consumed } of measured.rows) {
    const volume = list[interval];
    if (volume === undefined) continue;
    volume.supply += (BigInt(surplus) * share) / WHOLE;
    volume.demand += (BigInt(consumed) * share) / WHOLE;
  }
  return list;
}
