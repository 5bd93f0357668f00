import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../testing/wait.js';
import { identityOf, isAlive, type ProcessIdentity } from './identity.js';
import {
  type ComponentSpec,
  childEnvironment,
  DEFAULT_TIMINGS,
  restartDelayMs,
  Supervisor,
} from './supervisor.js';

const silent = pino({ level: 'silent' });
let folder: string;
let supervisor: Supervisor;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-supervisor-'));
  supervisor = new Supervisor({ logger: silent, timings: { firstDelayMs: 5, maxDelayMs: 50 } });
});
afterEach(async () => {
  await supervisor.stopAll();
  rmSync(folder, { recursive: true, force: true });
});

/** A child that runs `script`; `$LOG` in it is a file that all children of a test append to. */
function child(name: string, script: string, options: Partial<ComponentSpec> = {}): ComponentSpec {
  const prelude = `const fs = require('fs'); const note = (t) => fs.appendFileSync(${JSON.stringify(join(folder, 'notes'))}, t + '\\n');
    const ready = (more) => console.log(JSON.stringify({ ready: true, component: ${JSON.stringify(name)}, pid: process.pid, ...more }));
    process.on('SIGTERM', () => { note(${JSON.stringify(`${name} stopped`)}); process.exit(0); });`;
  return {
    name,
    command: () => ({ file: process.execPath, args: ['-e', prelude + script], env: {} }),
    logFile: join(folder, `${name}.log`),
    readyTimeoutMs: 120_000,
    stopTimeoutMs: 10_000,
    ...options,
  };
}
const notes = (): string[] =>
  existsSync(join(folder, 'notes')) ? readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n') : [];
/** Nothing else happens in this process until `condition` holds. */
function blockUntil(condition: () => boolean): void {
  while (!condition()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}
const stayUp = 'setInterval(() => {}, 1000);';

describe('the supervisor', () => {
  it('waits for the ready line and passes over other output', async () => {
    const line = await supervisor.start(
      child(
        'a',
        `console.log('hello'); console.log('{"not":"ready"}'); console.log('{broken'); ready({ port: 7 }); ${stayUp}`,
      ),
    );
    expect(line).toMatchObject({ component: 'a', port: 7 });
    expect(supervisor.status()[0]).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('stops in reverse order and waits for each', async () => {
    for (const name of ['first', 'second', 'third'])
      await supervisor.start(child(name, `ready(); ${stayUp}`));
    await supervisor.stopAll();
    expect(notes()).toEqual(['third stopped', 'second stopped', 'first stopped']);
    expect(supervisor.status().map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped']);
  });

  it('asks each to stop once, also when it is told to stop again while it does', async () => {
    // Whoever is asked twice ends at once and leaves behind what it has running.
    const enough = join(folder, 'enough');
    const count = `process.removeAllListeners('SIGTERM'); let asked = 0;
      process.on('SIGTERM', () => {
        note('asked ' + (asked += 1));
        setInterval(() => { if (fs.existsSync(${JSON.stringify(enough)})) process.exit(0); }, 20);
      });`;
    for (const name of ['first', 'second'])
      await supervisor.start(child(name, `${count} ready(); ${stayUp}`));
    const once = supervisor.stopAll();
    await until('the second is asked', () => notes().length > 0);
    const again = supervisor.stopAll();
    writeFileSync(enough, '');
    await Promise.all([once, again]);
    expect(notes()).toEqual(['asked 1', 'asked 1']);
  });

  it('starts nothing any more once it stops, also between two attempts', async () => {
    const stops: Promise<void>[] = [];
    const warn = () => void stops.push(supervisor.stopAll());
    supervisor = new Supervisor({
      logger: Object.assign(Object.create(silent), { warn }),
      timings: { firstDelayMs: 5, maxDelayMs: 50 },
    });
    await expect(supervisor.start(child('broken', `note('tried'); process.exit(1);`))).rejects.toMatchObject({
      code: 'SERVICE_STOPPING',
    });
    await Promise.all(stops);
    expect(stops).toHaveLength(1);
    expect(notes()).toEqual(['tried']);
  });

  it('has given up on a child whose ready line is read after its time', async () => {
    let launched = 0;
    const late = child('late', `ready(); note('said'); ${stayUp}`);
    const spec: ComponentSpec = {
      ...late,
      get readyTimeoutMs() {
        return launched === 1 ? 50 : 120_000;
      },
      command: (previous) => {
        launched += 1;
        return launched === 1 ? late.command(previous) : child('late', 'process.exit(2)').command(previous);
      },
    };
    // This process gets no time until the line waits in the pipe and the time is over; then timers come before pipes.
    const { started } = await new Promise<{ started: Promise<unknown> }>((resolve) =>
      setImmediate(() => {
        resolve({ started: supervisor.start(spec) });
        const began = Date.now();
        blockUntil(() => notes().length > 0 && Date.now() - began >= 100);
      }),
    );
    await expect(started).rejects.toMatchObject({ code: 'START_FAILED', details: { attempts: 2 } });
    expect(supervisor.status()[0]).toMatchObject({ state: 'starting', ready: undefined, restarts: 0 });
    expect(launched).toBe(2);
  });

  it('restarts what was killed, with what it said at its last start', async () => {
    const seen: unknown[] = [];
    const spec = child('a', '');
    await supervisor.start({
      ...spec,
      command: (previous) => {
        seen.push(previous?.port);
        return child('a', `ready({ port: 4711 }); ${stayUp}`).command(previous);
      },
    });
    const before = supervisor.status()[0]?.process as ProcessIdentity;
    process.kill(before.pid, 'SIGKILL');
    await until('it runs again', () => {
      const now = supervisor.status()[0];
      return now?.state === 'running' && now.process?.pid !== before.pid;
    });
    expect(supervisor.status()[0]).toMatchObject({ restarts: 1, lastExit: 'signal SIGKILL' });
    expect(seen).toEqual([undefined, 4711]);
  });

  it('restarts a child that crashes again and again', async () => {
    await supervisor.start(child('a', `ready(); setTimeout(() => process.exit(3), 5);`));
    await until('it was restarted three times', () => (supervisor.status()[0]?.restarts ?? 0) >= 3);
    expect(supervisor.status()[0]?.lastExit).toBe('exit code 3');
  });

  it('kills a child that does not stop in its time', async () => {
    const spec: ComponentSpec = {
      ...child(
        'stubborn',
        `process.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => note('asked')); ready(); ${stayUp}`,
      ),
      // Its time is over once it has been asked, however long it gets no time.
      get stopTimeoutMs() {
        blockUntil(() => notes().length > 0);
        return 1;
      },
    };
    await supervisor.start(spec);
    const { process: identity } = supervisor.status()[0] as { process: ProcessIdentity };
    await supervisor.stopAll();
    expect(notes()).toEqual(['asked']);
    expect(supervisor.status()[0]?.lastExit).toBe('signal SIGKILL');
    expect(isAlive(identity)).toBe(false);
  });

  it('gives up on a component that never starts, with the end of its log', async () => {
    const spec = child('broken', `note('tried'); console.error('the cable is missing'); process.exit(1);`);
    await expect(supervisor.start(spec)).rejects.toMatchObject({
      code: 'START_FAILED',
      details: {
        component: 'broken',
        attempts: DEFAULT_TIMINGS.startAttempts,
        log_tail: expect.arrayContaining(['the cable is missing']),
      },
    });
    expect(notes()).toEqual(['tried', 'tried', 'tried']);
  });

  it('does not repeat what was wrong use', async () => {
    await expect(supervisor.start(child('wrong', `note('tried'); process.exit(2);`))).rejects.toMatchObject({
      details: { attempts: 1 },
    });
    expect(notes()).toEqual(['tried']);
  });

  it('gives up on a component that stays silent', async () => {
    await expect(supervisor.start(child('mute', stayUp, { readyTimeoutMs: 200 }))).rejects.toMatchObject({
      code: 'START_FAILED',
    });
    await until('it is gone', () => supervisor.status()[0]?.process === undefined);
  });

  it('says when the program is not there', async () => {
    const spec = child('absent', '');
    await expect(
      supervisor.start({
        ...spec,
        command: () => ({ file: join(folder, 'no-such-program'), args: [], env: {} }),
      }),
    ).rejects.toMatchObject({ code: 'START_FAILED', message: expect.stringContaining('ENOENT') });
  });

  it('shows a child only what it needs of the environment', () => {
    const env = childEnvironment({ DATABASE_URL: 'x' }, { PATH: '/bin', SECRET: 's', DATABASE_URL: 'other' });
    expect(env).toEqual({ PATH: '/bin', DATABASE_URL: 'x', GTX_SUPERVISED: '1' });
  });

  it('leaves no orphan when it is killed itself', async () => {
    const script = join(folder, 'parent.mjs');
    // The real, compiled code, because two processes more than this one have to load it.
    const library = (name: string): string => new URL(`../../dist/process/${name}.js`, import.meta.url).href;
    writeFileSync(
      script,
      `import { Supervisor } from ${JSON.stringify(library('supervisor'))};
       const logger = { info() {}, warn() {} };
       const supervisor = new Supervisor({ logger });
       const line = await supervisor.start({ name: 'service', logFile: ${JSON.stringify(join(folder, 'service.log'))},
         readyTimeoutMs: 120000, stopTimeoutMs: 5000,
         command: () => ({ file: process.execPath, args: ['--input-type=module', '-e', ${JSON.stringify(
           `import { appendFileSync } from 'node:fs'; import { runService } from ${JSON.stringify(library('service'))};
            process.exitCode = await runService('service', async () => ({ info: {}, stop: async () => appendFileSync(${JSON.stringify(join(folder, 'notes'))}, 'stopped by itself\\n') }));`,
         )}], env: {} }) });
       console.log(line.pid);`,
    );
    const parent: ChildProcess = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => {
      if (parent.stdout !== null)
        createInterface({ input: parent.stdout }).once('line', (text) => resolve(Number(text)));
    });
    const identity = identityOf(pid) as ProcessIdentity;
    expect(isAlive(identity)).toBe(true);
    parent.kill('SIGKILL');
    await until('the child has noticed', () => !isAlive(identity));
    expect(notes()).toEqual(['stopped by itself']);
  });
});

describe('the delay before a restart', () => {
  it('never falls, starts at the first delay and stays within the greatest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (failures) => {
        const delay = restartDelayMs(failures);
        expect(delay).toBeGreaterThanOrEqual(DEFAULT_TIMINGS.firstDelayMs);
        expect(delay).toBeLessThanOrEqual(DEFAULT_TIMINGS.maxDelayMs);
        expect(restartDelayMs(failures + 1)).toBeGreaterThanOrEqual(delay);
      }),
    );
    expect(restartDelayMs(1)).toBe(DEFAULT_TIMINGS.firstDelayMs);
    expect(restartDelayMs(60)).toBe(DEFAULT_TIMINGS.maxDelayMs);
  });
});
