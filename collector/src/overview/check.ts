/** Whether the energy that was added up is that of the readings, and putting right what is not. */
import type pg from 'pg';
import { inTransaction } from '../mirror/transaction.js';
import { ROLLUP_LOCK } from './lock.js';
import { QUARTER_SECONDS } from './zones.js';

type Database = Pick<pg.Pool, 'query'>;

/** Quarters of an hour that begin in [from, to): Unix seconds, both the beginning of a quarter. */
export interface Quarters {
  readonly from: number;
  readonly to: number;
}

/** Energy in nkWh, readings and meters, each as decimal text. */
export type QuarterFigures = Record<(typeof FIGURES)[number], string>;

/** A quarter of an hour of which the readings say something else than the figures that were added up. */
export interface QuarterDifference {
  quarter: Date;
  /** null where there is no such quarter. */
  added: QuarterFigures | null;
  readings: QuarterFigures | null;
}

export interface EnergyComparison {
  /** Compared ones. */
  readonly quarters: number;
  /** Counted readings in them. */
  readonly readings: number;
  /** Quarters that cannot be compared: what one of their readings adds is told by a reading that was moved elsewhere. */
  readonly unproved: number;
  readonly differences: readonly QuarterDifference[];
}

const FIGURES = ['produced', 'consumed', 'surplus', 'readings', 'meters'] as const;
const ENERGY = ['produced', 'consumed', 'surplus'] as const;
const DAY_SECONDS = 86_400;
const names = (table: string) => FIGURES.map((name) => `${table}.${name}`).join(', ');
const asText = (table: string) =>
  `CASE WHEN ${table}.quarter IS NULL THEN NULL ELSE json_build_object(${FIGURES.map(
    (name) => `'${name}', ${table}.${name}::text`,
  ).join(', ')}) END`;

const NOT_LATE = (reading: string) =>
  `NOT EXISTS (SELECT FROM energy_late l WHERE l.meter_id = ${reading}.meter_id AND l.sequence = ${reading}.sequence)`;

/**
 * The figures of the quarters from $1 until $2 by the readings that are marked as counted, in `again`, and in `unproved` the quarters
 * of which they do not tell: those with the first stored reading of a meter that had others before, whose month was moved elsewhere.
 * Readings of a meter lie one after the other in time as in number, so that the one before each is in the period too, but for the
 * first. They are found by their owner and time, which is an index; OFFSET keeps the planner from reading whole months instead.
 */
const AGAIN = `shown AS MATERIALIZED (
    SELECT r.* FROM users u CROSS JOIN LATERAL (
      SELECT n.meter_id, n.sequence, n.interval_end, n.produced_total, n.consumed_total, n.surplus_total FROM meter_readings n
      WHERE n.user_id = u.id AND n.reading_timestamp > to_timestamp($1) AND n.reading_timestamp <= to_timestamp($2)
      OFFSET 0) AS r
    JOIN energy_meters e ON e.meter_id = r.meter_id AND r.sequence <= e.sequence
    WHERE ${NOT_LATE('r')}
  ), firsts AS MATERIALIZED (
    SELECT f.meter_id, f.interval_end AS first_end, b.*, b.sequence IS NULL AND EXISTS (
      SELECT FROM reading_keys r WHERE r.meter_id = f.meter_id AND r.sequence < f.first AND ${NOT_LATE('r')}) AS moved
    FROM (SELECT meter_id, min(sequence) AS first, min(interval_end) AS interval_end FROM shown GROUP BY meter_id) AS f
    LEFT JOIN LATERAL (SELECT sequence, interval_end, produced_total, consumed_total, surplus_total FROM meter_readings r
      WHERE r.meter_id = f.meter_id AND r.sequence < f.first AND ${NOT_LATE('r')} ORDER BY r.sequence DESC LIMIT 1) AS b ON TRUE
  ), unproved AS (
    SELECT DISTINCT quarter_of(first_end) AS quarter FROM firsts WHERE moved
  ), steps AS (
    SELECT wanted, quarter_of(interval_end) AS quarter, quarter_of(lag(interval_end) OVER before) AS last_quarter,
      ${ENERGY.map((name) => `${name}_total - lag(${name}_total, 1, 0::numeric) OVER before AS ${name}`).join(', ')}
    FROM (SELECT meter_id, sequence, interval_end, produced_total, consumed_total, surplus_total, true AS wanted FROM shown
      UNION ALL SELECT meter_id, sequence, interval_end, produced_total, consumed_total, surplus_total, false FROM firsts
        WHERE sequence IS NOT NULL) AS s
    WINDOW before AS (PARTITION BY meter_id ORDER BY sequence)
  ), again AS (
    SELECT quarter, ${ENERGY.map((name) => `sum(greatest(0, ${name})) AS ${name}`).join(', ')}, count(*) AS readings,
      count(*) FILTER (WHERE quarter IS DISTINCT FROM last_quarter) AS meters
    FROM steps WHERE wanted GROUP BY quarter
  )`;

/**
 * Adds the energy of some quarters of an hour up again from the readings that are marked as counted, and compares: in one
 * statement, so that it sees one state of the database, also while readings come in. It reads the readings of the period and no others.
 */
export async function compareEnergy(db: Database, { from, to }: Quarters): Promise<EnergyComparison> {
  const { rows } = await db.query<
    QuarterDifference & { readings_count: string; same: boolean; proved: boolean }
  >(
    `WITH ${AGAIN}
     SELECT coalesce(q.quarter, a.quarter) AS quarter, ${asText('q')} AS added, ${asText('a')} AS readings,
       coalesce(a.readings, 0) AS readings_count, u.quarter IS NULL AS proved,
       (${names('q')}) IS NOT DISTINCT FROM (${names('a')}) AS same
     FROM (SELECT * FROM energy_quarters WHERE quarter >= to_timestamp($1) AND quarter < to_timestamp($2)) AS q
     FULL JOIN again a USING (quarter) LEFT JOIN unproved u ON u.quarter = coalesce(q.quarter, a.quarter)
     ORDER BY 1`,
    [from, to],
  );
  const proved = rows.filter((row) => row.proved);
  return {
    quarters: proved.length,
    readings: proved.reduce((sum, row) => sum + Number(row.readings_count), 0),
    unproved: rows.length - proved.length,
    differences: proved
      .filter(({ same }) => !same)
      .map(({ quarter, added, readings }) => ({ quarter, added, readings })),
  };
}

/**
 * The days (UTC) whose readings are here, newest first: those of every month that is not moved elsewhere, until the newest reading
 * that is counted.
 */
export async function comparableDays(db: Database): Promise<Quarters[]> {
  const { rows } = await db.query<{ months: string[]; newest: string | null }>(
    `SELECT ARRAY(SELECT replace(right(c.relname, 7), '_', '-') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'meter_readings'::regclass) AS months,
       greatest((SELECT max(interval_end) - 1 FROM energy_meters),
         (SELECT extract(epoch FROM max(quarter))::bigint FROM energy_quarters)) AS newest`,
  );
  const { months = [], newest = null } = rows[0] ?? {};
  if (newest === null) return [];
  const here = new Set(months);
  const monthOf = (at: number) => new Date(at * 1000).toISOString().slice(0, 7);
  const begins = months.map((month) => Date.parse(`${month}-01T00:00:00Z`) / 1000);
  const first = Math.min(...begins);
  // Whatever a quarter says of itself: no later than the last month.
  const latest = Math.min(Number(newest), Math.max(...begins) + 31 * DAY_SECONDS);
  const last = latest - (latest % DAY_SECONDS);
  const days: Quarters[] = [];
  for (let from = last; from >= first; from -= DAY_SECONDS) {
    const to = from + DAY_SECONDS;
    // What ended at midnight lies in the month that begins then.
    if (here.has(monthOf(from)) && (here.has(monthOf(to)) || from === last)) days.push({ from, to });
  }
  return days;
}

/**
 * Adds a quarter of an hour up again and stores what comes out. Nobody adds up meanwhile.
 * @param quarter its beginning, Unix seconds
 * @returns false where its readings are not all here, so that nothing was written
 */
export async function addUpAgain(pool: pg.Pool, quarter: number): Promise<boolean> {
  const period = [quarter, quarter + QUARTER_SECONDS];
  return inTransaction(pool, async (client) => {
    // In a statement of its own: the next one sees what whoever had the lock before has committed.
    await client.query('SELECT pg_advisory_xact_lock(hashtext($1))', [ROLLUP_LOCK]);
    const { rows } = await client.query<{ unproved: number }>(
      `WITH ${AGAIN}, gone AS (
         DELETE FROM energy_quarters WHERE quarter >= to_timestamp($1) AND quarter < to_timestamp($2)
           AND NOT EXISTS (SELECT FROM again) AND NOT EXISTS (SELECT FROM unproved)
       ), written AS (
         INSERT INTO energy_quarters (quarter, ${FIGURES.join(', ')})
         SELECT quarter, ${FIGURES.join(', ')} FROM again WHERE NOT EXISTS (SELECT FROM unproved)
         ON CONFLICT (quarter) DO UPDATE SET ${FIGURES.map((name) => `${name} = excluded.${name}`).join(', ')}
       )
       SELECT count(*)::int AS unproved FROM unproved`,
      period,
    );
    return rows[0]?.unproved === 0;
  });
}
