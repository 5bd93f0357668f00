import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemdNotifier, watchdogIntervalMs } from './notify.js';
import { runService } from './service.js';

const has = (command: string): boolean => spawnSync('which', [command]).status === 0;
const able = has('perl') && has('systemd-notify');
/** The other end of the socket. It takes no descriptors: systemd-notify waits until the one it passes is closed. */
const LISTEN = `socket(S, PF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!; $| = 1;
  print "listening\\n"; while (defined recv(S, $m, 4096, 0)) { print "$m\\n" }`;

describe('watchdogIntervalMs', () => {
  it('is half of what systemd allows, for the process that systemd means', () => {
    expect(watchdogIntervalMs({ WATCHDOG_USEC: '60000000' }, 7)).toBe(30_000);
    expect(watchdogIntervalMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, 7)).toBe(30_000);
    expect(watchdogIntervalMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, 7)).toBeUndefined();
  });

  it.each([
    {},
    { WATCHDOG_USEC: '' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: 'soon' },
    { WATCHDOG_USEC: '-5' },
  ])('asks for nothing with %j', (env) => {
    expect(watchdogIntervalMs(env, 7)).toBeUndefined();
  });
});

// Needs the real systemd-notify, and perl for a socket of a kind that Node does not have.
describe.skipIf(!able)('a service under systemd', () => {
  let folder: string;
  let listener: ChildProcess;
  let heard: string;
  let env: NodeJS.ProcessEnv;

  const said = (what: string) => vi.waitFor(() => expect(heard).toContain(what), { timeout: 120_000 });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gtx-notify-'));
    const socket = join(folder, 'notify');
    heard = '';
    listener = spawn('perl', ['-MSocket', '-e', LISTEN, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    listener.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk;
    });
    await said('listening');
    heard = '';
    env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket };
  });
  afterEach(() => {
    listener.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  it('says that it is ready once it is, that it stops when asked to, and names its process', async () => {
    let started: () => void = () => {};
    let fail: (error: Error) => void = () => {};
    const running = runService(
      'test',
      async () => {
        await new Promise<void>((resolve) => {
          started = resolve;
        });
        return {
          info: {},
          stop: async () => {},
          failed: new Promise<never>((_, reject) => {
            fail = reject;
          }),
        };
      },
      { env, print: () => {} },
    );
    expect(heard).toBe('');
    started();
    await said('READY=1');
    await said(`MAINPID=${process.pid}`);
    fail(new Error('the end of this test'));
    await expect(running).rejects.toThrow('the end of this test');
    await said('STOPPING=1');
  });

  it('answers the watchdog while it is healthy, and only then', async () => {
    let healthy = false;
    let asked = 0;
    const warnings: string[] = [];
    const notifier = systemdNotifier({ ...env, WATCHDOG_USEC: '20000' }, (text) => warnings.push(text));
    await notifier.ready(() => {
      asked += 1;
      return healthy;
    });
    await vi.waitFor(() => expect(asked).toBeGreaterThan(3), { timeout: 120_000 });
    expect(heard).not.toContain('WATCHDOG=1');
    expect(warnings.join('\n')).toContain('not healthy');
    healthy = true;
    await said('WATCHDOG=1');
    await notifier.stopping();
    await said('STOPPING=1');
  });

  it('goes on when systemd cannot be told, and says so', async () => {
    const warnings: string[] = [];
    const notifier = systemdNotifier({ ...env, NOTIFY_SOCKET: join(folder, 'nobody') }, (text) =>
      warnings.push(text),
    );
    await notifier.ready(() => true);
    expect(warnings.join('\n')).toContain('READY=1');
  });
});

describe('a service without systemd', () => {
  it('runs no other program', async () => {
    const warn = vi.fn();
    const notifier = systemdNotifier({ PATH: '/nonexistent' }, warn);
    await notifier.ready(() => true);
    await notifier.stopping();
    expect(warn).not.toHaveBeenCalled();
  });
});
