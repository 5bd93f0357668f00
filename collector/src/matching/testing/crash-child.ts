/**
 * A collector's matcher as a process of its own that kills itself (SIGKILL: nothing is tidied up) at a chosen point.
 * Started by crash.test.ts.
 */
import { openConnection } from '@gridtokenx/chain';
import { Keypair } from '@solana/web3.js';
import pg from 'pg';
import pino from 'pino';
import { Alerts } from '../../alerts.js';
import { ChangeFeed } from '../../feed/index.js';
import { LiveBooks } from '../live-book.js';
import { Matching } from '../matching.js';

/**
 * - `planned`: the plan is checked against the accounts, nothing is signed.
 * - `committed`: the row is committed, nothing is sent.
 * - `sent`: sent, the outcome unknown here.
 * - `confirmed`: known to be executed, nothing of it written down.
 * - `closing`: in the middle of the database transaction that writes it down.
 */
export const KILL_POINTS = ['planned', 'committed', 'sent', 'confirmed', 'closing'] as const;
export type KillPoint = (typeof KILL_POINTS)[number];

async function main(): Promise<void> {
  const {
    CRASH_DATABASE_URL = '',
    CRASH_RPC_URL = '',
    CRASH_FEE_PAYER,
    CRASH_AT,
    CRASH_OFFSET_MS,
  } = process.env;
  const at = CRASH_AT as KillPoint;
  const die = () => process.kill(process.pid, 'SIGKILL');
  const logger = pino({ level: 'silent' });
  const now = () => Date.now() + Number(CRASH_OFFSET_MS);
  const pool = new pg.Pool({ connectionString: CRASH_DATABASE_URL, max: 5 });
  const connection = openConnection(CRASH_RPC_URL);

  const rpc = connection as unknown as { _rpcRequest(method: string, args: unknown[]): Promise<unknown> };
  const request = rpc._rpcRequest.bind(rpc);
  rpc._rpcRequest = async (method, args) => {
    if (at === 'planned' && method === 'simulateTransaction') die();
    if (at === 'committed' && method === 'sendTransaction') die();
    if (at === 'confirmed' && method === 'getTransaction') die();
    const answer = await request(method, args);
    if (at === 'sent' && method === 'sendTransaction') die();
    return answer;
  };
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Reflect.set(client, 'query', (...args: unknown[]) => {
      if (at === 'closing' && String(args[0]).includes('DELETE FROM matching_refusals')) die();
      return query(...args);
    });
  });

  const feed = new ChangeFeed({ databaseUrl: CRASH_DATABASE_URL, logger });
  await feed.start();
  const books = new LiveBooks({ pool, feed, logger, now });
  await books.start();
  const matching = new Matching({
    pool,
    connection,
    feePayer: Keypair.fromSecretKey(Uint8Array.from(JSON.parse(CRASH_FEE_PAYER ?? '[]') as number[])),
    logger,
    now,
    alerts: new Alerts(pool, logger),
    config: {},
    databaseUrl: CRASH_DATABASE_URL,
    books,
  });
  // It leads before the one that is to take over looks.
  await matching.round();
  process.stdout.write('leading\n');
  await matching.start();
}

if (process.env.CRASH_AT !== undefined) await main();
