import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { migrate, migrationFiles } from './migrate.js';

const logger = pino({ level: 'silent' });
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres?.stop());

test('collectors that start together apply every migration once', async () => {
  const url = await postgres.createDatabase('together');
  const pools = [1, 2, 3].map(() => openTestPool(url, 2));
  const applied = await Promise.all(pools.map((pool) => migrate(pool, logger)));
  const files = (await migrationFiles()).map((name) => name.replace(/\.sql$/, ''));
  expect(applied.flat().sort()).toEqual(files);
  const again = await migrate(pools[0] as pg.Pool, logger);
  expect(again).toEqual([]);
  await Promise.all(pools.map((pool) => pool.end()));
});

test('a reading lands in the partition of its month, which is made at need', async () => {
  const url = await postgres.createDatabase('partitions');
  const pool = openTestPool(url);
  await migrate(pool, logger);
  // The last second of a month in UTC, whatever the server's own time zone.
  await pool.query(`SET TIME ZONE 'Asia/Bangkok'`);
  await pool.query(
    `SELECT ensure_reading_partition('2026-02-28T23:59:59Z'), ensure_reading_partition('2026-02-01T00:00:00Z')`,
  );
  const { rows } = await pool.query(
    `SELECT inhrelid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds FROM pg_inherits
     JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'meter_readings'::regclass`,
  );
  expect(rows.map((row) => row.name)).toEqual(['meter_readings_2026_02']);
  await pool.end();
});

test('may take longer than the statements of a pool', async () => {
  const url = await postgres.createDatabase('slow');
  // No migration is that fast.
  const pool = new pg.Pool({ connectionString: url, max: 1, statement_timeout: 1, query_timeout: 1 });
  expect(await migrate(pool, logger)).toHaveLength((await migrationFiles()).length);
  await pool.end();
});
