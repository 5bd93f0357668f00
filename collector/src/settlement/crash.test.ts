import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fetchMeter } from '@gridtokenx/chain';
import type { Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runAudit } from '../audit/audit.js';
import { KILL_POINTS, type KillPoint } from './testing/crash-child.js';
import { World, type WorldMeter } from './testing/world.js';

// A process of its own runs the built code: `npm test` builds before it tests.
const CHILD = fileURLToPath(new URL('../../dist/settlement/testing/crash-child.js', import.meta.url));

const world = new World();
let owner: Keypair;

beforeAll(async () => {
  expect(existsSync(CHILD), 'run npx tsc -b first').toBe(true);
  await world.start();
  owner = await world.addOwner();
});
afterAll(() => world.stop());
beforeEach(() => world.useEmptyDatabase());

/** Runs settlement in a process that is killed at the given point. Returns the signal it died of. */
function settleAndDie(at: KillPoint): Promise<string | null> {
  const child = spawn(process.execPath, [CHILD], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      CRASH_AT: at,
      CRASH_DATABASE_URL: world.databaseUrl,
      CRASH_RPC_URL: world.rpcUrl,
      CRASH_FEE_PAYER: JSON.stringify([...world.feePayer.secretKey]),
      CRASH_OFFSET_MS: String(world.now() - Date.now()),
    },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (_code, signal) => resolve(signal));
  });
}

async function minted({ meter }: WorldMeter): Promise<bigint> {
  return (await fetchMeter(world.connection, meter.meterId))?.minted ?? -1n;
}

describe('a collector that is killed while it settles', () => {
  it.each(KILL_POINTS)('loses nothing and mints nothing twice: %s', async (at) => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    await world.measure([home]);
    expect(await settleAndDie(at)).toBe('SIGKILL');
    const states = await world.states();
    expect(states).toEqual(at === 'leased' ? [] : at === 'applied' ? ['confirmed'] : ['prepared']);

    // The next reading is there before anybody looks after the first one.
    await world.measure([home]);
    const settlement = world.settlement(mirror);
    if (at === 'leased') {
      await settlement.settleNow();
      expect(await minted(home)).toBe(0n); // the dead collector's lease still holds ...
      await world.pool.query(`UPDATE settlement_meters SET lease_until = now()`); // ... until it ends
    }
    await settlement.settleNow();
    expect(await minted(home)).toBe(1_200_000_000n);
    const readings = await world.readings(home.meter.meterId);
    expect(readings.map(({ minted: done }) => done)).toEqual([true, true]);
    const { pool, connection, logger, now } = world;
    expect((await runAudit({ pool, connection, logger, now })).differences).toEqual([]);
  });
});
