import type pg from 'pg';

/** A pool that keeps PostgreSQL's plan of everything it is asked. */
export function watchPlans(pool: pg.Pool): { pool: pg.Pool; plans: string[] } {
  const plans: string[] = [];
  const query = async (text: string, values?: unknown[]) => {
    const explained = await pool.query(`EXPLAIN ${text}`, values);
    plans.push(explained.rows.map((row) => row['QUERY PLAN']).join('\n'));
    return pool.query(text, values);
  };
  return { pool: { query } as unknown as pg.Pool, plans };
}
