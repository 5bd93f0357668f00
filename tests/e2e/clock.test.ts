import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksOf } from '../support/books.js';
import { expectNothingLost, Home, storedOf } from '../support/home.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * A gateway whose clock is wrong, as a real process: libfaketime shifts the wall clock that it sees by what stands in
 * a file, and leaves the monotonic clock alone, as setting a clock does. (Debian package: faketime.)
 */

const library = ((): string | undefined => {
  const folders = existsSync('/usr/lib')
    ? ['/usr/lib/faketime', ...readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime`)]
    : [];
  return folders.map((folder) => join(folder, 'libfaketime.so.1')).find(existsSync);
})();
if (library === undefined && process.env.CI !== undefined) {
  throw new Error('the clock tests need libfaketime: apt-get install faketime');
}
if (library === undefined) {
  console.warn('skipped: libfaketime is not installed (apt-get install faketime)');
}

let system: RunningSystem;
beforeAll(async () => {
  if (library !== undefined) system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
}, 600_000);
afterAll(() => system?.destroy());

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** A home whose gateway sees the clock that the test sets. */
async function homeWithClock(meterId: string, offsetSeconds: number) {
  const home = await Home.create(system, { meterId });
  const file = join(system.dataDir, `home-${meterId}`, 'clock');
  const setClock = (seconds: number): void =>
    writeFileSync(file, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
  setClock(offsetSeconds);
  const agent = await home.startAgent({
    LD_PRELOAD: library as string,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  return { home, agent, setClock };
}

/** Nothing that is stored was dated by a wrong clock, and intervals follow one another. */
async function expectRightDates(meterId: string, startedAt: number): Promise<void> {
  const { firstStart, lastEnd } = await storedOf(system, meterId);
  // Of later than that: the meter at rest goes on signing.
  const nowSeconds = Math.floor(Date.now() / 1000);
  expect(firstStart).toBeGreaterThanOrEqual(startedAt - 2);
  expect(lastEnd).toBeLessThanOrEqual(nowSeconds + 2);
  const [line] = await system.query<{ breaks: string; count: string; last: string }>(
    `SELECT count(*) AS count, max(sequence) AS last, count(*) FILTER (WHERE interval_start <> before) AS breaks
     FROM (SELECT sequence, interval_start, lag(interval_end) OVER (ORDER BY sequence) AS before
           FROM meter_readings WHERE meter_id = $1) AS line`,
    [meterId],
  );
  expect(line).toEqual({ breaks: '0', count: line?.last, last: line?.count });
}

const metersOf = async (home: Home) => (await home.status()).meters[0];

test.runIf(library !== undefined).each([
  { meterId: 'MTR-AHEAD', offset: 5 * HOUR, words: 'five hours ahead' },
  { meterId: 'MTR-BEHIND', offset: -3 * DAY, words: 'three days behind' },
])(
  'a clock $words: measured and not signed; right again, the first reading covers it',
  async ({ meterId, offset }) => {
    const startedAt = Math.floor(Date.now() / 1000);
    const { home, agent, setClock } = await homeWithClock(meterId, offset);
    try {
      const base = await home.base();
      await home.setPower(60_000);
      await waitFor('the gateway says that its clock is wrong', async () =>
        (await home.alerts()).includes('CLOCK_UNSYNCHRONISED'),
      );
      expect(Math.abs((await home.status()).time_ms - Date.now() - offset * 1000)).toBeLessThan(60_000);
      await waitFor('it measures on', async () => BigInt((await metersOf(home)).surplus_total) > 60_000_000n);
      expect((await metersOf(home)).sequence).toBe(0);
      expect((await storedOf(system, meterId)).count).toBe(0);

      setClock(0);
      await waitFor('it signs again', async () => (await storedOf(system, meterId)).count > 0);
      const total = await expectNothingLost(system, home, base);
      expect(total).toBeGreaterThan(60_000_000n);
      expect(await home.alerts()).not.toContain('CLOCK_UNSYNCHRONISED');
      await expectRightDates(meterId, startedAt);
      await waitFor('all is minted', async () => (await booksOf(system, meterId)).chain.minted === total);
      expect(await agent.stop()).toBe(0);
    } finally {
      await home.stop();
    }
  },
  600_000,
);

test.runIf(library !== undefined)(
  'jumps back and ahead while it runs: nothing is dated wrongly, nothing is lost',
  async () => {
    const meterId = 'MTR-JUMPS';
    const startedAt = Math.floor(Date.now() / 1000);
    const { home, agent, setClock } = await homeWithClock(meterId, 0);
    try {
      const base = await home.base();
      await home.setPower(60_000);
      for (const jump of [-2 * HOUR, 3 * HOUR, -2 * DAY]) {
        const { count } = await storedOf(system, meterId);
        // What waited is stored also while the clock is still doubted: the alert that is awaited next must be a new one.
        await waitFor(
          'readings flow, by a clock that is trusted',
          async () =>
            (await storedOf(system, meterId)).count > count + 1 &&
            !(await home.alerts()).includes('CLOCK_UNSYNCHRONISED'),
        );
        setClock(jump);
        await waitFor(`the gateway notices the jump by ${jump} s`, async () =>
          (await home.alerts()).includes('CLOCK_UNSYNCHRONISED'),
        );
        const { sequence, surplus_total } = await metersOf(home);
        await waitFor('it measures on', async () => {
          return BigInt((await metersOf(home)).surplus_total) > BigInt(surplus_total) + 30_000_000n;
        });
        expect((await metersOf(home)).sequence).toBe(sequence);
        setClock(0);
      }
      const { count } = await storedOf(system, meterId);
      await waitFor('readings flow', async () => (await storedOf(system, meterId)).count > count + 1);
      const total = await expectNothingLost(system, home, base);
      await expectRightDates(meterId, startedAt);
      // The readings after a jump say that the clock was set during their interval.
      const set = await system.count(
        'SELECT count(*) FROM meter_readings WHERE meter_id = $1 AND flags & 1 = 1',
        [meterId],
      );
      expect(set).toBeGreaterThanOrEqual(3);
      await waitFor('all is minted', async () => (await booksOf(system, meterId)).chain.minted === total);
      expect(await agent.stop()).toBe(0);
      await system.auditPasses();
    } finally {
      await home.stop();
    }
  },
  600_000,
);
