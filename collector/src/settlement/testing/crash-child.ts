/**
 * A collector's settlement as a process of its own that kills itself (SIGKILL: nothing is tidied up) at a chosen
 * point. Started by crash.test.ts.
 */
import { openConnection } from '@gridtokenx/chain';
import { Keypair } from '@solana/web3.js';
import pg from 'pg';
import pino from 'pino';
import { Alerts } from '../../alerts.js';
import { ChainMirror } from '../../mirror/mirror.js';
import { Settlement } from '../settlement.js';

/**
 * - `leased`: meters are leased, nothing is signed.
 * - `committed`: the row is committed, nothing is sent.
 * - `sent`: sent, the outcome unknown here.
 * - `confirmed`: known to be executed, nothing of it written down.
 * - `applying`: in the middle of the database transaction that writes it down.
 * - `applied`: written down, everything behind it not.
 */
export const KILL_POINTS = ['leased', 'committed', 'sent', 'confirmed', 'applying', 'applied'] as const;
export type KillPoint = (typeof KILL_POINTS)[number];

async function main(): Promise<void> {
  const { CRASH_DATABASE_URL, CRASH_RPC_URL, CRASH_FEE_PAYER, CRASH_AT, CRASH_OFFSET_MS } = process.env;
  const at = CRASH_AT as KillPoint;
  const die = () => process.kill(process.pid, 'SIGKILL');
  const logger = pino({ level: 'silent' });
  const pool = new pg.Pool({ connectionString: CRASH_DATABASE_URL, max: 5 });
  const connection = openConnection(CRASH_RPC_URL ?? '');

  const rpc = connection as unknown as { _rpcRequest(method: string, args: unknown[]): Promise<unknown> };
  const request = rpc._rpcRequest.bind(rpc);
  rpc._rpcRequest = async (method, args) => {
    if (at === 'leased' && method === 'simulateTransaction') die();
    if (at === 'committed' && method === 'sendTransaction') die();
    if (at === 'confirmed' && method === 'getTransaction') die();
    const answer = await request(method, args);
    if (at === 'sent' && method === 'sendTransaction') die();
    return answer;
  };
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Reflect.set(client, 'query', (...args: unknown[]) => {
      if (at === 'applying' && String(args[0]).includes('INTO chain_events')) die();
      return query(...args);
    });
  });

  const common = {
    pool,
    connection,
    logger,
    now: () => Date.now() + Number(CRASH_OFFSET_MS),
    alerts: new Alerts(pool, logger),
  };
  const mirror = new ChainMirror({ ...common, config: { wsUrl: false } });
  mirror.onApplied(() => {
    if (at === 'applied') die();
  });
  const feePayer = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(CRASH_FEE_PAYER ?? '[]') as number[]));
  // What it has leased when it dies stays leased until the test says otherwise, however slow the machine is.
  const config = { leaseSeconds: 3_600 };
  await new Settlement({ ...common, feePayer, mirror, config }).settleNow();
  await pool.end();
}

if (process.env.CRASH_AT !== undefined) await main();
