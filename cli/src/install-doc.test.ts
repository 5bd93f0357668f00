/**
 * The commands of docs/install-pi.md: those of the gateway are run in the order of the page, against a simulated line; what
 * they need of the system (apt, systemd) is compared with the package. The package itself is installed and run by
 * deploy/debian/test.mjs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAgentConfig, startAgent } from '@gridtokenx/agent';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { socatInstalled, startSimulator } from '@gridtokenx/simulator';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from './agent-tools/testing/gateway.js';
import { runCommandLine } from './command-line.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const page = read('docs/install-pi.md');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  (block as string).trim().split('\n'),
);
const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

describe('docs/install-pi.md', () => {
  it('has commands that a shell understands, and none that nothing here vouches for', () => {
    expect(commands.length).toBeGreaterThan(12);
    const known = [
      'node',
      'scp',
      'apt-get',
      'gtx',
      'timedatectl',
      'ls',
      'cp',
      'systemctl',
      'journalctl',
      'tar',
    ];
    for (const command of commands) {
      expect(spawnSync('sh', ['-n', '-c', command], { encoding: 'utf8' }), command).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(known, command).toContain(command.replace(/^sudo /, '').split(' ')[0]);
    }
  });

  it('names what the package has', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    const built = read('deploy/debian/build.mjs');
    expect(built).toMatch(/gridtokenx-agent_\$\{version\}_\$\{arch\}\.deb/);
    for (const [, named] of page.matchAll(/gridtokenx-agent_([^_]+)_arm64\.deb/g))
      expect(named).toBe(version);
    const build = commands.find((one) => one.startsWith('node ')) ?? '';
    for (const [flag] of build.matchAll(/--[a-z-]+/g)) expect(built).toContain(flag);
    const unit = read('deploy/systemd/gridtokenx-agent.service');
    for (const [, name] of page.matchAll(/(?:systemctl \w+|journalctl -u) (\S+?)(?=[\s`]|$)/g)) {
      expect(built).toContain(`${name}.service`);
    }
    expect(unit).toContain('/etc/gridtokenx/agent.yaml');
    expect(unit).toContain('StateDirectory=gridtokenx\n');
    expect(unit).toContain('SupplementaryGroups=dialout');
    expect(read('deploy/udev/60-gridtokenx.rules')).toContain('SYMLINK+="gridtokenx/');
    expect(read('deploy/debian/postinst')).toContain('--append --groups dialout gridtokenx');
  });

  it.runIf(socatInstalled())('leads to a reading', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-install-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    const port = join(folder, 'tty');
    const simulator = await startSimulator(
      {
        transport: { type: 'pty', link: port },
        units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: 6_000, household_watts: 1_000 } }],
      },
      { logger },
    );
    endings.push(() => simulator.stop());
    const gtx = async (command: string): Promise<{ code: number; out: string; err: string }> => {
      let out = '';
      let err = '';
      const words = command
        .replace(/^sudo /, '')
        .replaceAll('/dev/ttyUSB0', port)
        // Nobody answers there; a status page of its own, so that tests can run side by side.
        .replace('https://collector.example', 'http://127.0.0.1:9')
        .split(' ')
        .slice(1);
      const code = await runCommandLine(words, {
        streams: {
          out: (text) => {
            out += text;
          },
          err: (text) => {
            err += text;
          },
          isTty: false,
        },
        env: { GTX_DATA_DIR: folder, PATH: process.env.PATH },
      });
      return { code, out, err };
    };
    const next = (() => {
      const left = commands.filter((one) => /^(sudo )?gtx /.test(one));
      return (begins: string): string => {
        const command = left.shift() ?? '';
        expect(command).toContain(begins);
        return command;
      };
    })();

    const list = await gtx(next('gtx profile list'));
    expect(list.out).toContain('eastron-sdm630');

    // As on the page, but not through 32 addresses.
    const scan = await gtx(`${next('gtx agent scan')} --units 1,2 --timeout 5000`);
    expect(scan.code, scan.err).toBe(0);
    const word = /for init +(\S+)/.exec(scan.out)?.[1];

    const init = next('gtx agent init');
    expect(word).toBe(/--grid (\S+)/.exec(init)?.[1]?.replace('/dev/ttyUSB0', port));
    const made = await gtx(init);
    expect(made.code, made.err).toBe(0);
    expect(made.out).toContain('registrar');

    const doctor = await gtx(next('gtx agent doctor'));
    expect(doctor.out).toMatch(/^ok {4}device MTR-001\/grid/m);
    expect(doctor.out).toMatch(/^ok {4}port /m);
    expect(doctor.out).toMatch(/^FAIL {2}broker/m);

    const file = join(folder, 'agent.yaml');
    const config = {
      ...loadAgentConfig(file, {}),
      // A quarter of an hour is too long for a test; the clock of this machine is nobody's business here.
      interval_seconds: 1,
      sample_seconds: 1,
      collector_url: undefined,
      http: { host: '127.0.0.1', port: await freePort() },
    };
    const agent = await startAgent(config as never, { logger, ntpStatus: async () => true });
    endings.push(() => agent.stop());
    await until('a reading', () => (agent.status().meters[0]?.sequence ?? 0) > 0);

    const status = await gtx(`${next('gtx agent status')} --url ${agent.url}`);
    expect(status.out).toMatch(/^MTR-001: healthy/m);
    const readings = await gtx(next('gtx agent readings'));
    expect(readings.code, readings.err).toBe(0);
    expect(readings.out).toMatch(/ MTR-001 {2}#1 /);

    next('gtx agent doctor');
    await agent.stop();
    const passphrase = join(folder, 'passphrase');
    writeFileSync(passphrase, 'as if it were typed\n', { mode: 0o600 });
    // There is nobody to ask, and no stick.
    const kept = (command: string) =>
      `${command.replace('/media/safe', folder)} --passphrase-file ${passphrase}`;
    const backup = await gtx(kept(next('gtx agent backup')));
    expect(backup.code, backup.err).toBe(0);
    expect(backup.out).toMatch(/^MTR-001: key, books up to reading \d+/m);
    // Its store is there: nothing to restore, and nobody is asked.
    expect(await gtx(kept(next('gtx agent restore --backup')))).toMatchObject({
      code: 0,
      out: expect.stringContaining('left alone'),
    });
    expect(await gtx(next('gtx agent restore'))).toMatchObject({
      code: 0,
      out: expect.stringContaining('left alone'),
    });
  });
});
