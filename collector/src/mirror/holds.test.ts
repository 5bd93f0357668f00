import { PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate } from '../store/migrate.js';
import { untilBlockedBy } from '../testing/locks.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import type { AccountSnapshot, MeterAccount } from './accounts.js';
import { applyTransactions } from './apply.js';
import { writeAccounts } from './holds.js';
import { inTransaction } from './transaction.js';

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url);
  await migrate(pool, pino({ level: 'silent' }));
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const key = (name: string): PublicKey => new PublicKey(Buffer.alloc(32, name.padEnd(32, '.')));

/** The accounts of a meter and its owner, with these amounts held back by sequence. */
function accounts(slot: number, meterId: string, holds: Record<number, bigint>): AccountSnapshot {
  const owner = key('owner');
  const meter: MeterAccount = {
    meterId,
    owner,
    publicKey: key(`key of ${meterId}`),
    tokenAccount: key('tokens'),
    lastSequence: 3n,
    producedTotal: 9n,
    consumedTotal: 0n,
    surplusTotal: 9n,
    basis: 9n,
    eligible: 0n,
    settled: 0n,
    minted: 0n,
    held: Object.values(holds).reduce((sum, amount) => sum + amount, 0n),
    registeredAt: 1_700_000_000n,
    holds: Object.entries(holds).map(([sequence, amount]) => ({ sequence: BigInt(sequence), amount })),
    lastEnd: 1_700_003_600,
    ratedWatts: 5000,
    status: 0,
    bump: 255,
    dailyMintCap: 0n,
    mintedToday: 0n,
    mintedOn: 0n,
    settledAtTransfer: 0n,
    endAtTransfer: 0,
    transfers: 0,
  };
  const user = { wallet: owner, registeredAt: 1_700_000_000n, meters: 1, verified: true, bump: 255 };
  return {
    slot,
    meters: new Map([[key(meterId).toBase58(), meter]]),
    users: new Map([[owner.toBase58(), user]]),
  };
}

const apply = (snapshot: AccountSnapshot) =>
  inTransaction(pool, (client) => applyTransactions(client, [], snapshot, 1));

/** Open reviews of a meter's held energy, and open alerts: by sequence. */
async function open(meterId: string): Promise<{ reviews: string[]; alerts: string[] }> {
  const { rows: reviews } = await pool.query(
    `SELECT subject FROM reviews WHERE kind = 'energy_held' AND meter_id = $1 AND status = 'open' ORDER BY subject`,
    [meterId],
  );
  const { rows: alerts } = await pool.query(
    `SELECT dedupe_key AS subject FROM alerts WHERE kind = 'energy_held' AND dedupe_key LIKE $1 || '/%'
       AND resolved_at IS NULL ORDER BY dedupe_key`,
    [meterId],
  );
  const sequence = ({ subject }: { subject: string }) => subject.slice(meterId.length + 1);
  return { reviews: reviews.map(sequence), alerts: alerts.map(sequence) };
}

it('does not end the review of held energy for an account that was read before it was held', async () => {
  await apply(accounts(100, 'MTR-1', { 3: 7n }));
  expect(await open('MTR-1')).toEqual({ reviews: ['3'], alerts: ['3'] });
  await apply(accounts(99, 'MTR-1', {}));
  expect(await open('MTR-1')).toEqual({ reviews: ['3'], alerts: ['3'] });
  await apply(accounts(101, 'MTR-1', {}));
  expect(await open('MTR-1')).toEqual({ reviews: [], alerts: [] });
});

it('does not ask again about energy that is not held any more, for an account that was read before', async () => {
  await apply(accounts(100, 'MTR-2', {}));
  await apply(accounts(99, 'MTR-2', { 2: 4n }));
  expect(await open('MTR-2')).toEqual({ reviews: [], alerts: [] });
  // As new as what is known: another part of the same slot's accounts.
  await apply(accounts(100, 'MTR-2', { 3: 5n }));
  expect(await open('MTR-2')).toEqual({ reviews: ['3'], alerts: ['3'] });
});

it('asks about held energy when the account was read on its own, before the transaction is applied', async () => {
  await inTransaction(pool, (client) => writeAccounts(client, accounts(105, 'MTR-3', { 3: 7n })));
  await apply(accounts(104, 'MTR-3', {}));
  expect(await open('MTR-3')).toEqual({ reviews: ['3'], alerts: ['3'] });
});

it('locks meters before users, as does whoever applies their transactions', async () => {
  const snapshot = accounts(100, 'MTR-4', {});
  await apply(snapshot);
  const other = await pool.connect();
  try {
    await other.query('BEGIN');
    await other.query("SELECT FROM meters WHERE meter_id = 'MTR-4' FOR UPDATE");
    const writing = inTransaction(pool, (client) => writeAccounts(client, snapshot));
    await untilBlockedBy(other, pool);
    // A deadlock, if it had the users by now, which this one would find first.
    await other.query(`SET LOCAL deadlock_timeout = '1ms'`);
    await other.query('UPDATE users SET slot = slot');
    await other.query('COMMIT');
    await writing;
  } finally {
    other.release();
  }
});
