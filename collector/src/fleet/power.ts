import { formatTimestamp } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Power } from './schemas.js';
import { POWER_SECONDS } from './state.js';

/* What a meter measures differs: production and consumption, one of them, or only what flows through the connection to the
 * grid. What is not measured follows from the others where it can; an export was produced, an import is consumed. */
const PRODUCTION = `coalesce(f.production_watts, CASE WHEN f.consumption_watts IS NOT NULL
  THEN greatest(f.consumption_watts - f.grid_watts, 0) ELSE greatest(-f.grid_watts, 0) END, 0)`;
const CONSUMPTION = `coalesce(f.consumption_watts, CASE WHEN f.production_watts IS NOT NULL
  THEN greatest(f.production_watts + f.grid_watts, 0) ELSE greatest(f.grid_watts, 0) END, 0)`;
const SURPLUS = `greatest(coalesce(f.production_watts - f.consumption_watts, -f.grid_watts, f.production_watts, 0), 0)`;

/**
 * Live values are not signed: no meter counts with more than can flow through it, where that is known. What is consumed may
 * come from both sides.
 */
const within = (watts: string, times: number) =>
  `least(${watts}, CASE WHEN m.rated_watts > 0 THEN ${times} * m.rated_watts ELSE 2147483647 END)`;

/** SQL expressions for one meter's power in watts, over `fleet f` and `meters m`. */
export const METER_POWER = {
  production: within(PRODUCTION, 1),
  consumption: within(CONSUMPTION, 2),
  surplus: within(SURPLUS, 1),
} as const;

/**
 * Live power now: the sum over the meters whose live values of the last minute are known.
 * @param of a wallet's meters (base58); without, all
 * @param nowSeconds Unix time by the collector's clock
 */
export async function powerNow(
  pool: Pick<pg.Pool, 'query'>,
  { wallet }: { wallet?: string | undefined },
  nowSeconds: number,
): Promise<Power> {
  const values: unknown[] = [nowSeconds - POWER_SECONDS];
  // A wallet has few: the fleet is asked for each of them.
  const whose =
    wallet === undefined
      ? 'LEFT JOIN fleet f ON f.meter_id = m.meter_id'
      : `LEFT JOIN LATERAL (SELECT * FROM fleet WHERE meter_id = m.meter_id OFFSET 0) AS f ON true
         WHERE m.user_id = (SELECT id FROM users WHERE wallet_address = $${values.push(wallet)})`;
  const { rows } = await pool.query(
    `SELECT count(*)::int AS all_meters, count(*) FILTER (WHERE fresh)::int AS meters,
       coalesce(sum(production) FILTER (WHERE fresh), 0)::float8 AS production,
       coalesce(sum(consumption) FILTER (WHERE fresh), 0)::float8 AS consumption,
       coalesce(sum(surplus) FILTER (WHERE fresh), 0)::float8 AS surplus,
       extract(epoch FROM max(telemetry_seen) FILTER (WHERE fresh))::float8 AS at
     FROM (SELECT f.telemetry_seen, coalesce(f.telemetry_seen >= to_timestamp($1::float8), false) AS fresh,
         ${METER_POWER.production}::bigint AS production, ${METER_POWER.consumption}::bigint AS consumption,
         ${METER_POWER.surplus}::bigint AS surplus
       FROM meters m ${whose}) AS p`,
    values,
  );
  const { all_meters, meters, production, consumption, surplus, at } = rows[0];
  return {
    at: at === null ? null : formatTimestamp(Math.floor(at)),
    production_watts: production,
    consumption_watts: consumption,
    surplus_watts: surplus,
    meters,
    silent: all_meters - meters,
  };
}
