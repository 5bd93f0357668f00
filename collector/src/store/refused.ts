import type pg from 'pg';

/**
 * Writes down that a payload with this sequence cannot be taken, unless a reading with the sequence is
 * stored or the sequence is far ahead of the meter's.
 * @returns the meter's `through`; undefined when nothing was (or had been) written down
 */
export async function recordUnreadable(
  pool: pg.Pool,
  meterId: string,
  sequence: bigint,
  code: string,
  details: Record<string, unknown>,
): Promise<bigint | undefined> {
  const { rows } = await pool.query<{ through: string }>(
    `WITH meter AS (
       SELECT through FROM meters m WHERE meter_id = $1 AND $2::numeric > through AND $2::numeric <= through + 10000
         AND NOT EXISTS (SELECT FROM reading_keys k WHERE k.meter_id = $1 AND k.sequence = $2::numeric)
     ), written AS (
       INSERT INTO refused_readings (meter_id, sequence, code, details)
       SELECT $1, $2::numeric, $3, $4::jsonb FROM meter ON CONFLICT DO NOTHING
     )
     SELECT through FROM meter`,
    [meterId, sequence.toString(), code, JSON.stringify(details)],
  );
  const row = rows[0];
  return row === undefined ? undefined : BigInt(row.through);
}
