import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Keypair } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KILL_POINTS, type KillPoint } from './testing/crash-child.js';
import { FEE_BPS, MarketWorld, units } from './testing/market-world.js';

// A process of its own runs the built code: `npm test` builds before it tests.
const CHILD = fileURLToPath(new URL('../../dist/matching/testing/crash-child.js', import.meta.url));

const world = new MarketWorld();
const children: ChildProcess[] = [];

beforeAll(async () => {
  expect(existsSync(CHILD), 'run npx tsc -b first').toBe(true);
  await world.startMarket(100);
}, 240_000);
afterAll(() => world.stop());
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await world.stopCollectors();
  await world.cancelAll();
  await world.pool.query('TRUNCATE matching_transactions, matching_pairs, matching_refusals CASCADE');
});

/** A matcher that leads when this returns, and kills itself at the given point. */
async function startChild(at: KillPoint): Promise<{ died: Promise<string | null> }> {
  const child = spawn(process.execPath, [CHILD], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      CRASH_AT: at,
      CRASH_DATABASE_URL: world.databaseUrl,
      CRASH_RPC_URL: world.rpcUrl,
      CRASH_FEE_PAYER: JSON.stringify([...world.feePayer.secretKey]),
      CRASH_OFFSET_MS: String(world.now() - Date.now()),
    },
  });
  children.push(child);
  const died = new Promise<string | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (_code, signal) => resolve(signal));
  });
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
  return { died };
}

async function states(): Promise<string[]> {
  const { rows } = await world.pool.query<{ state: string }>(
    'SELECT state FROM matching_transactions ORDER BY id',
  );
  return rows.map(({ state }) => state);
}

describe('a collector that is killed while it matches', { timeout: 360_000 }, () => {
  it.each(KILL_POINTS)('is followed by another one, and nothing trades twice: %s', async (at) => {
    const seller = await world.trader({ grid: 10 });
    const buyers: Keypair[] = [await world.trader({ grx: 100 }), await world.trader({ grx: 100 })];
    const before = await world.sums();
    const { died } = await startChild(at);
    // The one that stands by is there all the time.
    const standby = await world.collector();
    await standby.matching.start();
    const sell = await world.order(seller, 'sell', 5, 3);
    for (const buyer of buyers) await world.order(buyer, 'buy', 1, 3);
    // As a collector does, again and again.
    const done = new AbortController();
    const following = (async () => {
      while (!done.signal.aborted) {
        await world.follow().catch(() => {});
        await sleep(100, undefined, { signal: done.signal }).catch(() => {});
      }
    })();
    try {
      expect(await died).toBe('SIGKILL');
      await world.until(async () => (await world.accountOf(sell))?.remaining === units(3));
      await world.until(async () => !(await states()).includes('prepared'));
    } finally {
      // The last one writes into tables that are emptied after the test.
      done.abort();
      await following;
    }
    expect(standby.matching.leads).toBe(true);
    expect(new Set(await states())).toEqual(new Set(['confirmed']));
    for (const buyer of buyers) expect(await world.grid(buyer.publicKey)).toBe(units(1));
    const fee = (units(3) * BigInt(FEE_BPS)) / 10_000n;
    expect(await world.grxOf(seller.publicKey)).toBe(units(6) - 2n * fee);
    expect(await world.sums()).toEqual(before);
  });
});
