import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Alerts } from '../alerts.js';
import { migrate } from '../store/migrate.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { OutageAlert } from './outage.js';

const logger = pino({ level: 'silent' });
const away = new Error('no answer');
let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url);
  await migrate(pool, logger);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** The mirror of one of the collectors on this database. */
function collector(now = () => 0): OutageAlert {
  const alerts = new Alerts(pool, logger);
  return new OutageAlert({
    alerts,
    now,
    part: 'mirror',
    severity: 'critical',
    says: 'the mirror does not get on',
  });
}

async function open(): Promise<string[]> {
  const { rows } = await pool.query('SELECT message FROM alerts WHERE resolved_at IS NULL');
  return rows.map(({ message }) => message);
}

it('tells of the fifth failure in a row, and of the end', async () => {
  const mirror = collector();
  await mirror.worked();
  for (let failures = 1; failures <= 4; failures++) await mirror.failed(failures, away);
  expect(await open()).toEqual([]);
  await mirror.failed(5, away);
  expect(await open()).toEqual(['the mirror does not get on: no answer']);
  await mirror.worked();
  expect(await open()).toEqual([]);
});

it('stays open, or is opened again, while another collector fails', async () => {
  const [first, second] = [collector(), collector()];
  await first.worked();
  await second.worked();
  for (let failures = 1; failures <= 6; failures++) {
    await first.failed(failures, away);
    await second.failed(failures, away);
  }
  await first.worked();
  await second.failed(7, away);
  await first.worked();
  expect(await open()).toHaveLength(1);
  await second.worked();
  expect(await open()).toEqual([]);
});

it('is ended by a collector that starts, when the one that raised it is gone', async () => {
  const dead = collector();
  for (let failures = 1; failures <= 5; failures++) await dead.failed(failures, away);
  expect(await open()).toHaveLength(1);
  await collector().worked();
  expect(await open()).toEqual([]);
});

it('is ended by one that has worked all along, when the one that raised it never comes back', async () => {
  let time = 0;
  const [working, dead] = [collector(() => time), collector()];
  await working.worked();
  for (let failures = 1; failures <= 5; failures++) await dead.failed(failures, away);
  const passes = async (minutes: number) => {
    time += minutes * 60_000;
    await pool.query(`UPDATE alerts SET last_seen = last_seen - $1 * interval '1 minute'`, [minutes]);
  };
  // One that still fails says so again every half minute at the latest.
  await passes(14);
  await working.worked();
  expect(await open()).toHaveLength(1);
  await passes(2);
  await working.worked();
  expect(await open()).toEqual([]);
});

it('is ended with the next success when the database was away at the first', async () => {
  const mirror = collector();
  for (let failures = 1; failures <= 5; failures++) await mirror.failed(failures, away);
  await postgres.kill();
  await mirror.worked();
  await postgres.restart();
  expect(await open()).toHaveLength(1);
  await mirror.worked();
  expect(await open()).toEqual([]);
});

it('says once what cannot be stored while the database is away', async () => {
  const lines: { level: number; alert: string; key: string }[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const alerts = new Alerts(pool, pino({ level: 'debug' }, stream));
  const raise = (part: 'mirror' | 'matching') =>
    alerts.raise({
      kind: 'chain_unavailable',
      key: part,
      severity: 'critical',
      message: 'it does not get on',
      details: { part },
    });
  await postgres.kill();
  await raise('mirror');
  await raise('mirror');
  await raise('matching');
  await alerts.resolve('chain_unavailable', 'mirror');
  await alerts.resolve('chain_unavailable', 'mirror');
  await postgres.restart();
  const errors = () => lines.splice(0).flatMap(({ level, key }) => (level === 50 ? [key] : []));
  expect(errors()).toEqual(['mirror', 'matching', 'mirror']);
  // The next time the database is away it is news again.
  await alerts.resolve('chain_unavailable', 'mirror');
  await postgres.kill();
  await raise('mirror');
  await postgres.restart();
  expect(errors()).toEqual(['mirror']);
});
