import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { expectBooksToAgree, supplyOf } from '../support/books.js';
import { isRunning } from '../support/process.js';
import { lastJson, newDataDir, RunningSystem, removeDataDir, runGtx } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * What the README promises: from nothing to a token with one command; the next start goes on from the data of the
 * first; every way to stop leaves nothing running.
 */

const dataDir = newDataDir();
const systems: RunningSystem[] = [];
afterAll(async () => {
  for (const system of systems) await system.destroy();
  removeDataDir(dataDir);
});

/** The pids that the run file names while `running` goes on. */
async function pidsDuring(running: Promise<unknown>): Promise<Set<number>> {
  const pids = new Set<number>();
  let over = false;
  void running.finally(() => {
    over = true;
  });
  await waitFor(
    'the command ends',
    () => {
      if (over) return true;
      if (!existsSync(join(dataDir, 'up.json'))) return false;
      for (const { process, otherPids } of JSON.parse(readFileSync(join(dataDir, 'up.json'), 'utf8'))
        .components) {
        if (process !== undefined) pids.add(process.pid);
        for (const pid of otherPids) pids.add(pid);
      }
      return false;
    },
    { timeoutMs: 300_000 },
  );
  return pids;
}

let firstSequence = 0;
let firstMinted = '';

test('gtx up --mints 3 --json: from nothing to three mints and a clean audit', async () => {
  const running = runGtx(['up', '--mints', '3', '--json', '--ports', 'free', '--interval-seconds', '2'], {
    dataDir,
  });
  const pids = await pidsDuring(running);
  const result = await running;
  expect(result.code, result.stderr).toBe(0);
  const summary = lastJson(result);
  expect(summary).toMatchObject({
    ok: true,
    audit: { ok: true, difference_count: 0, differences: [] },
    data_dir: dataDir,
    restarts: { postgres: 0, localnet: 0, simulator: 0, collector: 0, agent: 0 },
  });
  // It looks once a second: more than one may have been confirmed since.
  expect(summary.mints).toBeGreaterThanOrEqual(3);
  expect(summary.transactions).toHaveLength(summary.mints);
  for (const { signature, meters } of summary.transactions) {
    expect(signature).toMatch(/^[1-9A-HJ-NP-Za-km-z]{80,88}$/);
    expect(meters).toEqual(['MTR-DEMO-001']);
  }
  // The parts add up to the whole, in decimal GRID without a float.
  const nano = (grid: string): bigint => {
    const [whole, fraction = ''] = grid.split('.');
    return BigInt(`${whole}${fraction.padEnd(9, '0')}`);
  };
  const parts: bigint[] = summary.transactions.map(({ grid }: { grid: string }) => nano(grid));
  expect(parts.every((part) => part > 0n)).toBe(true);
  expect(nano(summary.grid.minted)).toBe(parts.reduce((sum, part) => sum + part, 0n));
  expect(summary.grid.unit).toBe('GRID');
  const { figures } = summary.audit;
  // The meters' own counters, of a moment before the audit.
  expect(nano(summary.grid.minted_total)).toBeGreaterThan(0n);
  expect(nano(summary.grid.minted_total)).toBeLessThanOrEqual(BigInt(figures.total_minted));
  expect(figures.supply).toBe(figures.total_minted);
  // The meter runs on while the audit looks at one thing after another: exact equality is for the next test.
  for (const later of [figures.sum_of_minted_counters, figures.sum_of_mint_events]) {
    expect(BigInt(later)).toBeGreaterThanOrEqual(parts.reduce((sum, part) => sum + part, 0n));
  }
  expect(figures.signatures_verified).toBeGreaterThanOrEqual(3);
  expect(summary.readings.stored).toBeGreaterThanOrEqual(3);
  expect(summary.timings).toMatchObject({ unit: 'ms' });
  for (const step of ['started_ms', 'first_reading_ms', 'first_mint_ms', 'audit_ms', 'total_ms']) {
    expect(summary.timings[step], step).toBeGreaterThan(0);
  }
  // Six components and PostgreSQL's own server ran, and none is left.
  expect(pids.size).toBeGreaterThanOrEqual(7);
  expect([...pids].filter(isRunning)).toEqual([]);
  expect(existsSync(join(dataDir, 'up.json'))).toBe(false);
  firstSequence = summary.readings.stored_total;
  firstMinted = figures.total_minted;
}, 600_000);

test('the second start goes on, tells how it is, books agree everywhere, SIGTERM stops all', async () => {
  const system = await RunningSystem.start({ dataDir, args: ['--interval-seconds', '2'] });
  systems.push(system);

  // On a busy machine a component may be late with its answer: then the command says so, and ends with another code.
  const status = await waitFor('it is healthy', async () => {
    const told = await system.gtxJson('status');
    return told.healthy && told;
  });
  expect(status).toMatchObject({
    running: true,
    healthy: true,
    pid: system.pid,
    data_dir: dataDir,
    meter_id: 'MTR-DEMO-001',
  });
  const urlsOf: Record<string, string[]> = {
    postgres: ['database'],
    localnet: ['rpc', 'ws'],
    simulator: ['modbus', 'status'],
    collector: ['http', 'mqtt'],
    publisher: ['status'],
    agent: ['status'],
  };
  expect(status.components.map(({ name }: { name: string }) => name).sort()).toEqual(
    Object.keys(urlsOf).sort(),
  );
  for (const { name, state, pid, urls, log_file, health, data_dir, restarts } of status.components) {
    expect({ name, state, health: health.ok, restarts }).toEqual({
      name,
      state: 'running',
      health: true,
      restarts: 0,
    });
    expect(isRunning(pid), name).toBe(true);
    expect(Object.keys(urls), name).toEqual(expect.arrayContaining(urlsOf[name] ?? []));
    expect(existsSync(log_file), log_file).toBe(true);
    if (['postgres', 'localnet', 'agent'].includes(name)) expect(existsSync(data_dir), name).toBe(true);
  }
  await waitFor('the same in words', async () => {
    const { code, stdout } = await system.gtx('status');
    for (const name of Object.keys(urlsOf))
      expect(stdout).toMatch(new RegExp(`^${name}: running, process .*healthy$`, 'm'));
    return code === 0;
  });

  await waitFor('a later reading is minted', async () => {
    const minted = 'SELECT count(*) FROM meter_readings WHERE minted AND sequence > $1';
    return (await system.count(minted, [firstSequence])) > 0;
  });
  await system.standStill();
  const wallet = system.key('owner').publicKey.toBase58();
  const total = await expectBooksToAgree(system, { wallet, meters: [system.meterId] });
  expect(total).toBeGreaterThan(BigInt(firstMinted));
  expect(await supplyOf(system)).toEqual({ supply: total, totalMinted: total });
  // Sequences run on from 1 without a gap over both starts, and each carries on where the one before ended.
  // The meter at rest goes on signing: count and last are of one moment.
  const [line] = await system.query<{ count: string; last: string; breaks: string }>(
    `SELECT count(*) AS count, max(sequence) AS last,
       count(*) FILTER (WHERE before IS NOT NULL AND interval_start <> before) AS breaks
     FROM (SELECT sequence, interval_start, lag(interval_end) OVER (ORDER BY sequence) AS before
           FROM meter_readings WHERE meter_id = $1) AS line`,
    [system.meterId],
  );
  expect(line?.breaks).toBe('0');
  expect(line?.count).toBe(line?.last);
  await system.auditPasses();

  const pids = system.pids;
  expect(pids.length).toBeGreaterThanOrEqual(7);
  expect(await system.stop()).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
  expect((await runGtx(['status'], { dataDir })).code).toBe(3);
}, 600_000);

test('Ctrl-C stops all, while it runs and while it still starts', async () => {
  const running = await RunningSystem.start({ dataDir, ownGroup: true });
  systems.push(running);
  const pids = running.pids;
  expect(await running.interrupt()).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);

  const starting = RunningSystem.launch({ dataDir, ownGroup: true });
  systems.push(starting);
  await waitFor('the chain is starting', () => {
    const { process } = starting.component('localnet');
    return process !== undefined && isRunning(process.pid);
  });
  const early = starting.pids;
  expect(await starting.interrupt()).toBe(0);
  expect(early.filter(isRunning)).toEqual([]);
  expect(existsSync(join(dataDir, 'up.json'))).toBe(false);
  expect(existsSync(join(dataDir, 'up.lock'))).toBe(false);
}, 600_000);
