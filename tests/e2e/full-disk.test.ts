import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksOf } from '../support/books.js';
import { expectNothingLost, Home, storedOf } from '../support/home.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The gateway's disk is full, for real: its data folder is a file system of a few hundred kilobytes that something
 * else has filled. It raises an alert, signs nothing that it cannot keep, and once there is room again the next
 * reading carries all the energy. Mounting needs root on Linux.
 */

const mount = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'gtx-test', folder], { stdio: 'pipe' });
};
const unmount = (folder: string): void => void execFileSync('umount', [folder]);

/** Root alone may mount, and in some containers not even root. */
const canMount = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'gtx-mount-'));
  try {
    mount(folder);
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
})();
if (!canMount) console.warn('skipped: mounting a small file system needs root on Linux');

let system: RunningSystem;
let home: Home;
let mounted: string | undefined;

beforeAll(async () => {
  if (!canMount) return;
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  const disk = join(system.dataDir, 'small-disk');
  mkdirSync(disk, { mode: 0o700 });
  mount(disk);
  mounted = disk;
  home = await Home.create(system, { meterId: 'MTR-FULL', dataDir: disk });
}, 600_000);
afterAll(async () => {
  await home?.stop();
  if (mounted !== undefined) unmount(mounted);
  await system?.destroy();
});

test.runIf(canMount)(
  'a full disk: alert, no signature, and nothing lost once there is room',
  async () => {
    const disk = mounted as string;
    const agent = await home.startAgent();
    const base = await home.base();
    await home.setPower(60_000);
    await waitFor('readings flow', async () => (await storedOf(system, 'MTR-FULL')).total > 0n);

    const ballast = join(disk, 'ballast');
    const fill = (): void => {
      const { bavail, bsize } = statfsSync(disk);
      if (bavail > 0) writeFileSync(ballast, Buffer.alloc(bavail * bsize, 1), { flag: 'a' });
    };
    await waitFor('the gateway tells that its store is full', async () => {
      fill();
      return (await home.alerts()).includes('OUTBOX_FULL');
    });
    // What it cannot keep it does not sign: its sequence stands still over several samples, its energy counts on.
    const full = (await home.status()).meters[0];
    const signedBefore = await system.metric('agent', 'gtx_agent_readings_total');
    const counted = await waitFor('it goes on measuring', async () => {
      const { surplus_total, sequence } = (await home.status()).meters[0];
      return BigInt(surplus_total) > BigInt(full.surplus_total) + 50_000_000n ? { sequence } : undefined;
    });
    expect(counted.sequence).toBe(full.sequence);
    expect(agent.running).toBe(true);
    // The demo's gateway, on another disk, is not concerned.
    await waitFor('the other gateway signs', async () => {
      return (await system.metric('agent', 'gtx_agent_readings_total')) > signedBefore;
    });

    rmSync(ballast);
    await waitFor('the alert ends', async () => !(await home.alerts()).includes('OUTBOX_FULL'));
    const total = await expectNothingLost(system, home, base);
    const { count } = await storedOf(system, 'MTR-FULL');
    const [line] = await system.query<{ last: string; gaps: string }>(
      `SELECT max(sequence) AS last, count(*) FILTER (WHERE flags & 2 = 2) AS gaps
     FROM meter_readings WHERE meter_id = 'MTR-FULL'`,
    );
    // No sequence is missing or used twice, and the reading after the trouble says that its interval is long.
    expect(line?.last).toBe(String(count));
    expect(Number(line?.gaps)).toBeGreaterThanOrEqual(1);
    await waitFor(
      'all of it is minted',
      async () => (await booksOf(system, 'MTR-FULL')).chain.minted === total,
    );
    expect(await agent.stop()).toBe(0);
    await system.auditPasses();
  },
  600_000,
);
