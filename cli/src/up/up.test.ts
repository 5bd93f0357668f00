import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.js';
import { identityOf, isAlive } from '../process/identity.js';
import { type RunFile, readRunFile } from '../run-file.js';
import { until } from '../testing/wait.js';

/**
 * The real thing: the compiled command, real processes, PostgreSQL, chain, broker, serial line. One data folder goes
 * through a first start, a killed run and a later start.
 */
const bin = fileURLToPath(new URL('../../bin/gtx.mjs', import.meta.url));
const SLOW = 600_000;
let folder: string;
let dataDir: string;
const started: ChildProcess[] = [];

interface Ended {
  code: number | null;
  out: string;
  err: string;
  /** The last line of stdout, as JSON. */
  last: Record<string, unknown>;
}

function environment(): NodeJS.ProcessEnv {
  const { DATABASE_URL: _d, MQTT_URL: _m, SOLANA_RPC_URL: _s, ...env } = process.env;
  return { ...env, GTX_DATA_DIR: dataDir };
}

/** Starts `gtx` and collects what it prints. */
function launch(...args: string[]): {
  child: ChildProcess;
  text: () => { out: string; err: string };
  ended: Promise<Ended>;
} {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
  });
  started.push(child);
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8');
  });
  const ended = once(child, 'close').then(([code]): Ended => {
    const line = out.trimEnd().split('\n').at(-1) ?? '';
    return { code: code as number | null, out, err, last: line.startsWith('{') ? JSON.parse(line) : {} };
  });
  return { child, text: () => ({ out, err }), ended };
}

const gtx = (...args: string[]): Promise<Ended> => launch(...args, '--json').ended;
const up = (...args: string[]) =>
  launch('up', '--json', '--ports', 'free', '--interval-seconds', '5', ...args);

/** A running `gtx up`, once it says that it is ready. */
async function upAndReady() {
  const running = up();
  await until(
    'gtx up is ready',
    () => {
      if (running.child.exitCode !== null) throw new Error(`gtx up ended:\n${running.text().err}`);
      return running.text().out.includes('"ready":true');
    },
    240_000,
  );
  return running;
}

const processes = (run: RunFile): { pid: number; startedAt: string }[] =>
  run.components.flatMap(({ process }) => (process === undefined ? [] : [process]));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-up-'));
  // As root, PostgreSQL's account has to come in.
  chmodSync(folder, 0o755);
  dataDir = join(folder, 'data');
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM'))
      await once(child, 'exit');
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.sequential('gtx up', () => {
  let firstTotal = 0;

  it('brings energy from a meter to a token at the first start', { timeout: SLOW }, async () => {
    const { code, last, err } = await up('--mints', '1').ended;
    expect(code, err).toBe(EXIT.ok);
    expect(last).toMatchObject({
      ok: true,
      audit: { ok: true, differences: [] },
      data_dir: dataDir,
      restarts: { postgres: 0, localnet: 0, collector: 0, simulator: 0, agent: 0 },
    });
    const { readings, mints, grid, transactions, timings } = last as {
      readings: { stored: number };
      mints: number;
      grid: { minted: string; minted_total: string };
      transactions: { signature: string; grid: string; meters: string[] }[];
      timings: Record<string, number>;
    };
    expect(readings.stored).toBeGreaterThanOrEqual(1);
    expect(mints).toBeGreaterThanOrEqual(1);
    expect(Number(grid.minted)).toBeGreaterThan(0);
    expect(transactions).toHaveLength(mints);
    expect(transactions[0]?.meters).toEqual(['MTR-DEMO-001']);
    expect(transactions[0]?.signature).toMatch(/^[1-9A-HJ-NP-Za-km-z]{80,88}$/);
    expect(Object.keys(timings)).toEqual(
      expect.arrayContaining(['started_ms', 'first_reading_ms', 'first_mint_ms', 'audit_ms', 'total_ms']),
    );
    firstTotal = Number(grid.minted_total);
    expect(existsSync(join(dataDir, 'up.json'))).toBe(false);
    expect(existsSync(join(dataDir, 'up.lock'))).toBe(false);
  });

  it('keeps secrets to itself', () => {
    const files = (path: string): string[] =>
      statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => files(join(path, name))) : [path];
    const keys = files(join(dataDir, 'keys'));
    expect(keys.length).toBeGreaterThanOrEqual(9);
    for (const file of keys) expect(statSync(file).mode & 0o777, file).toBe(0o600);
    expect(statSync(join(dataDir, 'keys')).mode & 0o777).toBe(0o700);
    const logs = files(join(dataDir, 'logs')).map((file) => readFileSync(file, 'utf8'));
    for (const key of keys) {
      const secret = readFileSync(key, 'utf8').trim();
      const needle = secret.startsWith('[') ? secret.slice(1, 80) : secret;
      for (const log of logs) expect(log.includes(needle), key).toBe(false);
    }
  });

  it('goes on from its data; other commands find it; a killed run leaves nothing behind', {
    timeout: SLOW,
  }, async () => {
    const running = await upAndReady();
    const run = readRunFile(join(dataDir, 'up.json')) as RunFile;
    expect(statSync(join(dataDir, 'up.json')).mode & 0o777).toBe(0o600);
    expect(run.components.map(({ name }) => name).sort()).toEqual([
      'agent',
      'collector',
      'localnet',
      'postgres',
      'publisher',
      'simulator',
    ]);

    // On a busy machine a component may be late with its answer: then the command says so.
    const status = await until('it is healthy', async () => {
      const told = await gtx('status');
      return told.code === EXIT.ok ? told : undefined;
    });
    expect(status.last).toMatchObject({
      running: true,
      healthy: true,
      data_dir: dataDir,
      pid: running.child.pid,
    });
    // The market is open, its price published, and lists of it come from the collector.
    const made = await gtx('create-order', '--side', 'buy', '--amount', '1', '--price', '3');
    expect(made.last.error).toMatchObject({ code: 'BALANCE_TOO_LOW' });
    expect((await gtx('faucet', '--amount', '3')).last).toMatchObject({ given: '3' });
    const bought = ['create-order', '--side', 'buy', '--amount', '1', '--price', '3'];
    expect((await gtx(...bought)).last).toMatchObject({ escrowed: '3', note: null });
    await until('the collector shows the order', async () => {
      const { last } = await gtx('orders', '--status', 'open', '--source', 'collector');
      return (last.orders as object[] | undefined)?.length === 1;
    });
    // A collector that is late with its answer is passed over: the chain answers, and the list says so.
    for (const list of ['book', 'trades'])
      await until(`the collector answers ${list}`, async () => {
        const { code, last } = await gtx(list);
        return code === EXIT.ok && (last.source as { from: string }).from === 'collector';
      });
    const price = await until('the collector answers price', async () => {
      const { code, last } = await gtx('price', '--source', 'collector');
      return code === EXIT.ok && last;
    });
    expect(price).toMatchObject({ feed: { price: '3', counts: true } });

    const password = readFileSync(join(dataDir, 'keys', 'postgres-password'), 'utf8').trim();
    expect(status.out).not.toContain(password);
    for (const component of status.last.components as {
      urls: object;
      pid: number;
      health: { ok: boolean };
    }[]) {
      expect(component.pid).toBeGreaterThan(1);
      expect(component.health.ok).toBe(true);
      expect(Object.keys(component.urls).length).toBeGreaterThan(0);
    }

    // No second one in the same data folder.
    const second = await up().ended;
    expect(second).toMatchObject({ code: EXIT.busy, last: { error: { code: 'DATA_DIR_IN_USE' } } });

    // A software meter, over HTTP and straight to the chain, beside the demo's.
    const registered = await gtx('register-meter', '--rated-watts', '100000000');
    expect(registered).toMatchObject({ code: EXIT.ok, last: { meter_id: 'MTR-001', changed: true } });
    expect(await gtx('register-meter', '--rated-watts', '100000000')).toMatchObject({
      code: EXIT.ok,
      last: { changed: false },
    });
    const dayEnd = (await gtx('chain', 'meter-cap')).last.next_day;
    const submitted = await until('the software meter’s first interval is not empty', async () => {
      const result = await gtx('submit-reading', '--production', '25', '--consumption', '10');
      return result.code === EXIT.ok
        ? result
        : result.last.error !== undefined && JSON.stringify(result.last).includes('VALUE_INVALID')
          ? undefined
          : result;
    });
    expect(submitted).toMatchObject({
      code: EXIT.ok,
      last: { meter_id: 'MTR-001', sequence: '1', kwh_amount: '15', http_status: 201 },
    });
    const minted = await until('15 GRID are minted for it', async () => {
      const { last } = await gtx('settle-meter-balance');
      return last.total_minted_grid === '15' ? last : undefined;
    });
    expect(minted).toMatchObject({ held_kwh: '0' });
    const direct = await until('a second later', async () => {
      const result = await gtx('submit-reading', '--production', '1', '--consumption', '0.25', '--direct');
      return result.code === EXIT.ok ? result : undefined;
    });
    expect(direct.last).toMatchObject({ sequence: '2', counted_kwh: '0.75', held_kwh: '0' });
    const settled = await gtx('settle-meter-balance');
    expect(settled).toMatchObject({ code: EXIT.ok, last: { total_minted_grid: '15.75' } });
    expect(await gtx('burn', '--amount', '0.5', '--meter-id', 'MTR-001')).toMatchObject({
      code: EXIT.ok,
      last: { burned_grid: '0.5', meter_id: 'MTR-001' },
    });
    const tooMuch = await gtx('burn', '--amount', '1000000');
    expect(tooMuch).toMatchObject({ code: EXIT.refused, last: { error: { code: 'CHAIN_REFUSED' } } });

    const token = await gtx('chain', 'token');
    expect(token).toMatchObject({
      code: EXIT.ok,
      last: { name: 'GRID', symbol: 'GRID', decimals: 9, uri: '', fields: { unit: '1 kWh' }, changed: false },
    });
    expect(token.last).toMatchObject({ burned_grid: '0.5', retired_grid: '0.5' });
    const uri = 'https://example.org/grid.json';
    expect(await gtx('chain', 'token', '--uri', uri)).toMatchObject({ last: { uri, changed: true } });
    expect(await gtx('chain', 'limits')).toMatchObject({
      code: EXIT.ok,
      last: { changed: false, daily_mint_cap_kwh: '0' },
    });
    // Of what it made today 15.75 kWh are minted: nothing is left of a cap of 2, unless a day (UTC) has begun since.
    const capped = await gtx('chain', 'meter-cap', '--daily-mint-cap', '2');
    expect(capped).toMatchObject({
      code: EXIT.ok,
      last: { meter_id: 'MTR-001', changed: true, cap_kwh: '2', due_kwh: '0' },
    });
    expect(['0', '1.25', '2']).toContain(capped.last.left_today_kwh);
    if (capped.last.next_day === dayEnd) expect(capped.last.left_today_kwh).toBe('0');
    expect(await gtx('chain', 'meter-cap', '--daily-mint-cap', '0')).toMatchObject({
      last: { changed: true, cap_kwh: null, own_cap_kwh: '0' },
    });
    expect(await gtx('chain', 'limits', '--daily-mint-cap', '1000')).toMatchObject({
      last: { changed: true, daily_mint_cap_kwh: '1000' },
    });
    expect(await gtx('chain', 'meter-cap')).toMatchObject({ last: { cap_kwh: '1000', own_cap_kwh: '0' } });

    const watched = await gtx('watch', '--count', '3');
    expect(watched.code).toBe(EXIT.ok);
    expect(watched.last).toMatchObject({ understood: true, topic: expect.stringMatching(/^gtx\/v1\//) });

    running.child.kill('SIGKILL');
    await running.ended;
    for (const one of processes(run)) {
      await until(`process ${one.pid} has noticed that its supervisor is gone`, () => !isAlive(one));
    }
    const server = run.components.find(({ name }) => name === 'postgres')?.otherPids[0] as number;
    await until('PostgreSQL itself is gone', () => identityOf(server) === undefined);
    expect((await gtx('status')).last).toMatchObject({ running: false });
  });

  it('starts again after that, mints on, and the books agree', { timeout: SLOW }, async () => {
    const { code, last, err } = await up('--mints', '1').ended;
    expect(code, err).toBe(EXIT.ok);
    expect(last).toMatchObject({ ok: true, audit: { ok: true, differences: [] } });
    const total = Number((last.grid as { minted_total: string }).minted_total);
    // The demo's first run, and the software meter's 15.75 GRID.
    expect(total).toBeGreaterThan(firstTotal + 15.75);
  });

  it('brings a killed component back, and stops all of them on Ctrl-C', { timeout: SLOW }, async () => {
    const running = await upAndReady();
    const before = readRunFile(join(dataDir, 'up.json')) as RunFile;
    const victim = before.components.find(({ name }) => name === 'collector')?.process as { pid: number };
    process.kill(victim.pid, 'SIGKILL');
    const after = await until('the collector runs again', () => {
      const run = readRunFile(join(dataDir, 'up.json'));
      const collector = run?.components.find(({ name }) => name === 'collector');
      return collector?.state === 'running' && collector.process?.pid !== victim.pid ? run : undefined;
    });
    const urls = (run: RunFile) => run.components.find(({ name }) => name === 'collector')?.urls;
    expect(urls(after)).toEqual(urls(before));
    await until('the books agree', async () => (await gtx('audit')).code === EXIT.ok);

    running.child.kill('SIGINT');
    const { code } = await running.ended;
    expect(code).toBe(EXIT.ok);
    for (const one of processes(after)) expect(isAlive(one), String(one.pid)).toBe(false);
    expect(existsSync(join(dataDir, 'up.lock'))).toBe(false);
  });

  it('says what cannot be reached, and stops what it has started', { timeout: SLOW }, async () => {
    const broken = spawn(process.execPath, [bin, 'up', '--json', '--ports', 'free'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      // Nobody listens there.
      env: {
        ...environment(),
        GTX_DATA_DIR: join(folder, 'broken'),
        DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
      },
    });
    started.push(broken);
    let out = '';
    broken.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
    });
    const [code] = (await once(broken, 'close')) as [number];
    expect(code).not.toBe(EXIT.ok);
    expect(JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      error: { code: expect.any(String) },
    });
  });
});
