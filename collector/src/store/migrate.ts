import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import type { Logger } from 'pino';

/** A table that is in use is waited for so long; longer, and whoever reads it would keep ingestion waiting as well. */
const LOCK_MILLIS = 600_000;

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Brings the schema up to date with the plain SQL files in `migrations/`.
 * Collectors that start together wait for each other on an advisory lock; all pending files run in one
 * transaction. Returns the names of the files that were applied. It has a connection of its own: one of the pool's gives
 * up on statements that take longer than half a minute, as adding something to a table of many millions of rows may.
 *
 * @param schema another schema than the database's own; it is made when it is not there. The pool's connections have it
 *   as their search path.
 */
export async function migrate(pool: pg.Pool, logger: Logger, schema?: string): Promise<string[]> {
  const client = new pg.Client({
    ...pool.options,
    statement_timeout: false,
    query_timeout: 0,
    lock_timeout: LOCK_MILLIS,
    idle_in_transaction_session_timeout: 0,
    application_name: 'gtx-migrate',
  });
  // What breaks is told by the statement that is under way.
  client.on('error', (error) =>
    logger.debug({ reason: error.message }, 'the connection for migrations broke'),
  );
  try {
    await client.connect();
    const applied = await runner({
      dbClient: client,
      dir: MIGRATIONS_FOLDER,
      direction: 'up',
      migrationsTable: 'schema_migrations',
      // Two number ranges grow side by side, so a lower number may arrive after a higher one.
      checkOrder: false,
      advisoryLockMode: 'wait',
      ...(schema === undefined
        ? {}
        : { schema, migrationsSchema: schema, createSchema: true, createMigrationsSchema: true }),
      logger: {
        debug: (message: string) => logger.debug(message),
        info: (message: string) => logger.debug(message),
        warn: (message: string) => logger.warn(message),
        error: (message: string) => logger.error(message),
      },
    });
    return applied.map((migration) => migration.name);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** File names of all migrations, in the order in which they run. */
export async function migrationFiles(): Promise<string[]> {
  const names = await readdir(MIGRATIONS_FOLDER);
  return names.filter((name) => name.endsWith('.sql')).sort();
}
