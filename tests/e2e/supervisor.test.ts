import { afterAll, expect, test } from 'vitest';
import { newDataDir, RunningSystem, removeDataDir } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/* kill -9 of `gtx up` itself: nothing is left running, and the next start goes on from the same data. */

const dataDir = newDataDir();
afterAll(() => removeDataDir(dataDir));

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a killed supervisor leaves no process behind, and the next start goes on', async () => {
  const first = await RunningSystem.start({ dataDir, args: ['--interval-seconds', '2'] });
  await waitFor(
    'a reading is minted',
    async () => (await first.count('SELECT count(*) FROM meter_readings WHERE minted')) > 0,
  );
  const pids = first.runFile.components.flatMap(({ process: identity, otherPids }) =>
    identity === undefined ? otherPids : [identity.pid, ...otherPids],
  );
  expect(pids.length).toBeGreaterThanOrEqual(5);
  await first.killSupervisor();
  await waitFor('every component has stopped', () => !pids.some(isAlive));

  const second = await RunningSystem.start({ dataDir, args: ['--interval-seconds', '2'] });
  const before = await second.count('SELECT count(*) FROM meter_readings');
  expect(before).toBeGreaterThan(0);
  await waitFor(
    'new readings are minted',
    async () =>
      (await second.count('SELECT count(*) FROM meter_readings WHERE minted AND sequence > $1', [before])) >
      0,
  );
  // What could not be stored just when it came is sent again, after readings that came later.
  await waitFor('no sequence is missing', async () => {
    const [row] = await second.query<{ last: string; count: string }>(
      'SELECT max(sequence) AS last, count(*) FROM meter_readings',
    );
    return row !== undefined && row.count === row.last;
  });
  await waitFor('the audit passes', async () => (await second.gtx('audit')).code === 0, { everyMs: 1_000 });
  expect(await second.stop()).toBe(0);
}, 600_000);
