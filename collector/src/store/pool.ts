import pg from 'pg';
import type { Logger } from 'pino';

/**
 * A connection pool that notices a dead database in seconds: nothing here may hang for ever on a lock or a
 * lost connection.
 */
export function createPool(
  databaseUrl: string,
  connections: number,
  logger: Logger,
  { statementSeconds = 30 }: { statementSeconds?: number } = {},
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statementSeconds * 1000,
    lock_timeout: 10_000,
    query_timeout: (statementSeconds + 5) * 1000,
    idle_in_transaction_session_timeout: 60_000,
    application_name: 'gtx-collector',
  });
  // An idle connection that breaks is not an error of any caller; the pool opens another.
  pool.on('error', (error) => logger.warn({ reason: error.message }, 'a database connection was lost'));
  // A connection in use can break between two queries: then no query is there to fail, and without a
  // listener the event would end the process. The next query on it fails.
  pool.on('connect', (client) => {
    client.on('error', (error) => logger.debug({ reason: error.message }, 'a database connection broke'));
  });
  return pool;
}
