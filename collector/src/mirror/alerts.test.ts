import type { ChainEvent } from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Alerts } from '../alerts.js';
import { migrate } from '../store/migrate.js';
import { untilBlockedBy } from '../testing/locks.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { EMPTY_SNAPSHOT } from './accounts.js';
import { applyTransactions, undoTransaction } from './apply.js';
import { type LandedTransaction, landedEvent } from './landed.js';
import { inTransaction } from './transaction.js';

const logger = pino({ level: 'silent' });
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
beforeEach(() => pool.query('TRUNCATE chain_transactions, alerts CASCADE'));

function transaction(signature: string, slot: number, paused?: boolean): LandedTransaction {
  const event = {
    name: 'PausedSet',
    programId: 'program',
    index: 0,
    data: { paused, authority: PublicKey.default, timestamp: BigInt(slot) },
  };
  return {
    signature,
    slot,
    txIndex: 0,
    blockTime: slot,
    error: undefined,
    events: paused === undefined ? [] : [landedEvent(event as unknown as ChainEvent)],
    accepted: [],
    balances: [],
    recovery: undefined,
  };
}

const applyIn = (client: pg.ClientBase, ...transactions: LandedTransaction[]) =>
  applyTransactions(client, transactions, EMPTY_SNAPSHOT, 1);
const apply = (...transactions: LandedTransaction[]) =>
  inTransaction(pool, (client) => applyIn(client, ...transactions));

async function open(): Promise<string[]> {
  const { rows } = await pool.query(
    'SELECT kind, dedupe_key FROM alerts WHERE resolved_at IS NULL ORDER BY kind',
  );
  return rows.map(({ kind, dedupe_key }) => `${kind} ${dedupe_key}`);
}

it('tells of a pause with the transaction that makes it, and of its end', async () => {
  await apply(transaction('pausing', 10, true));
  expect(await open()).toEqual(['paused registry']);
  await apply(transaction('unpausing', 12, false));
  expect(await open()).toEqual([]);
  await apply(transaction('again', 13, true));
  expect(await open()).toEqual(['paused registry']);
  // A fork takes it back.
  await inTransaction(pool, (client) => undoTransaction(client, 'again'));
  expect(await open()).toEqual([]);
});

it('does not tell of a pause that is over by the time it is applied', async () => {
  await apply(transaction('unpausing', 12, false));
  const { pauseTold } = await apply(transaction('pausing', 10, true));
  expect(await open()).toEqual([]);
  // Nor does the log.
  expect(pauseTold).toBe(undefined);
  expect(await apply(transaction('pausing again', 13, true))).toMatchObject({ pauseTold: true });
  expect(await apply(transaction('and again', 14, true))).toMatchObject({ pauseTold: false });
});

it('ends a pause that another collector is about to tell of', async () => {
  const other = await pool.connect();
  try {
    await other.query('BEGIN');
    await applyIn(other, transaction('pausing', 10, true));
    const unpausing = apply(transaction('unpausing', 12, false));
    await untilBlockedBy(other, pool);
    await other.query('COMMIT');
    await unpausing;
  } finally {
    other.release();
  }
  expect(await open()).toEqual([]);
});

it('ends what was told of a transaction that could not be applied when somebody applies it', async () => {
  const alerts = new Alerts(pool, logger);
  for (const signature of ['broken', 'still broken'])
    await alerts.raise({
      kind: 'mirror_failed',
      key: signature,
      severity: 'critical',
      message: 'cannot be applied',
      details: { signature },
    });
  await apply(transaction('broken', 10), transaction('other', 10));
  expect(await open()).toEqual(['mirror_failed still broken']);
  // After a fork it landed again, refused: there is nothing to apply any more.
  await apply({ ...transaction('still broken', 11), error: 'Refused: it is' });
  expect(await open()).toEqual([]);
});
