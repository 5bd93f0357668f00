import type pg from 'pg';
import { until } from './collector.js';

/** Waits until a statement of another connection waits for the transaction of this one. */
export async function untilBlockedBy(holder: pg.PoolClient, pool: pg.Pool): Promise<void> {
  const { rows } = await holder.query('SELECT pg_backend_pid() AS pid');
  await until(async () => {
    const { rowCount } = await pool.query(
      'SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))',
      [rows[0].pid],
    );
    return rowCount === 1;
  }, 'somebody waits for this transaction');
}
