import type pg from 'pg';

/** A quarter of an hour of which the readings say something else than the figures that were added up. */
export interface QuarterDifference {
  quarter: Date;
  /** Energy in nkWh, readings and meters, each as decimal text; null where there is no such quarter. */
  added: Record<string, string> | null;
  readings: Record<string, string> | null;
}

const FIGURES = ['produced', 'consumed', 'surplus', 'readings', 'meters'] as const;
const text = (table: string) =>
  `CASE WHEN ${table}.quarter IS NULL THEN NULL ELSE json_build_object(${FIGURES.map(
    (name) => `'${name}', ${table}.${name}::text`,
  ).join(', ')}) END`;

/**
 * Adds everything up again from the readings that are marked as counted, and compares: in one statement, so that it sees one
 * state of the database, also while readings come in. It reads the whole table.
 */
export async function compareEnergy(pool: Pick<pg.Pool, 'query'>): Promise<QuarterDifference[]> {
  const { rows } = await pool.query<QuarterDifference>(
    `WITH again AS (
       SELECT quarter, sum(greatest(0, produced)) AS produced, sum(greatest(0, consumed)) AS consumed,
         sum(greatest(0, surplus)) AS surplus, count(*) AS readings,
         count(*) FILTER (WHERE quarter IS DISTINCT FROM last_quarter) AS meters
       FROM (
         SELECT quarter_of(r.interval_end) AS quarter, quarter_of(lag(r.interval_end) OVER before) AS last_quarter,
           r.produced_total - lag(r.produced_total, 1, 0::numeric) OVER before AS produced,
           r.consumed_total - lag(r.consumed_total, 1, 0::numeric) OVER before AS consumed,
           r.surplus_total - lag(r.surplus_total, 1, 0::numeric) OVER before AS surplus
         FROM meter_readings r JOIN energy_meters e ON e.meter_id = r.meter_id AND r.sequence <= e.sequence
         WHERE NOT EXISTS (SELECT FROM energy_late l WHERE l.meter_id = r.meter_id AND l.sequence = r.sequence)
         WINDOW before AS (PARTITION BY r.meter_id ORDER BY r.sequence)) AS s
       GROUP BY quarter)
     SELECT coalesce(q.quarter, a.quarter) AS quarter, ${text('q')} AS added, ${text('a')} AS readings
     FROM energy_quarters q FULL JOIN again a USING (quarter)
     WHERE (q.produced, q.consumed, q.surplus, q.readings, q.meters)
       IS DISTINCT FROM (a.produced, a.consumed, a.surplus, a.readings, a.meters)
     ORDER BY 1`,
  );
  return rows;
}
