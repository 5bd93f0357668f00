/** `gtx agent scan` on real pseudo-terminals, against simulated meters. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/protocol/testing/port';
import {
  type Simulator,
  type SimulatorConfigInput,
  socatInstalled,
  startSimulator,
} from '@gridtokenx/simulator';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { until } from '../testing/wait.js';

const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
let folder: string;
const endings: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-scan-'));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

interface Found {
  unit: number;
  profile: string | null;
  certainty: string | null;
  candidates: { profile: string }[];
  serial_number: string | null;
  values: { voltage_volts: number[]; power_watts: number; import_kwh: string; export_kwh: string } | null;
  connection: Record<string, unknown>;
  device: string | null;
  problem: string | null;
}
interface Scanned {
  devices: Found[];
  complete: boolean;
  hints: string[];
}

async function gtx(args: readonly string[], onErr: (text: string) => void = () => {}) {
  let out = '';
  let err = '';
  const code = await runCommandLine(['agent', 'scan', ...args], {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
        onErr(text);
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder },
  });
  return { code, out, err, json: () => JSON.parse(out) as Scanned };
}

async function line(
  transport: SimulatorConfigInput['transport'],
  units: NonNullable<SimulatorConfigInput['units']>,
): Promise<Simulator> {
  const simulator = await startSimulator({ transport, units }, { logger });
  endings.push(() => simulator.stop());
  return simulator;
}
const flat = { shape: 'flat', solar_watts: 3000, household_watts: 1000 } as const;
const registers = { import_nkwh: '12345600000000', export_nkwh: '6789000000000' };
const link = () => join(folder, 'tty');
/** One settings, and time enough for a busy machine: what is dead costs it twice. */
const calm = ['--baud', '9600', '--parity', 'none', '--timeout', '1500', '--gap', '10'];

describe.runIf(socatInstalled())('gtx agent scan on a serial line', () => {
  it('names meters of several makes among dead addresses, with what they show', async () => {
    await line({ type: 'pty', link: link() }, [
      { unit: 1, profile: 'eastron-sdm630', role: 'grid', scenario: flat, registers },
      { unit: 3, profile: 'eastron-sdm120', role: 'grid', scenario: flat, registers },
      { unit: 4, profile: 'carlo-gavazzi-em340', role: 'grid', scenario: flat, registers },
      { unit: 5, profile: 'sunspec-inverter', role: 'production', scenario: flat, registers },
    ]);
    const { code, json, err } = await gtx(['--port', link(), '--units', '1-5', ...calm, '--json']);
    const { devices, complete } = json();
    expect(code).toBe(0);
    expect(complete).toBe(true);
    expect(devices.map(({ unit, problem }) => ({ unit, problem }))).toEqual(
      [1, 3, 4, 5].map((unit) => ({ unit, problem: null })),
    );
    const [three, one, gavazzi, inverter] = devices as [Found, Found, Found, Found];
    expect(three.candidates.map(({ profile }) => profile)).toContain('eastron-sdm630');
    expect(one.candidates.map(({ profile }) => profile)).toContain('eastron-sdm120');
    expect(gavazzi.candidates.map(({ profile }) => profile)).toContain('carlo-gavazzi-em340');
    expect(inverter.profile).toContain('sunspec');
    for (const { values } of [three, gavazzi]) {
      expect(values?.voltage_volts.every((volts) => volts > 200 && volts < 260)).toBe(true);
      expect(values?.power_watts).toBeCloseTo(-2000, -3);
      expect(Number(values?.import_kwh)).toBeCloseTo(12_345.6, 0);
      expect(Number(values?.export_kwh)).toBeCloseTo(6_789, 0);
    }
    expect(err).toMatch(/Trying .*9600 baud, parity none/);
    expect(err).toMatch(/found at address 4: Carlo Gavazzi/);
    expect(err).toMatch(/ left at most/);
    expect(three.connection).toMatchObject({ type: 'rtu', path: link(), baud_rate: 9600, parity: 'none' });
    expect(three.device).toContain(`,${link()},unit=1,baud=9600,parity=none,stop=1`);
  });

  // A pseudo-terminal carries no bits, but it knows the rate that it was opened with. To ask it while another has it
  // locked takes root.
  it.runIf(process.getuid?.() === 0)('goes through the settings until something answers', async () => {
    const { connection } = await line({ type: 'rtu_over_tcp' }, [
      { unit: 1, profile: 'eastron-sdm630', scenario: flat, registers },
    ]);
    if (connection.type === 'rtu') throw new Error('not TCP');
    const socket = connect(connection.port, connection.host);
    const socat = spawn('socat', ['-d', '-d', `PTY,rawer,link=${link()}`, 'STDIO'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    endings.push(async () => {
      socket.destroy();
      socat.kill();
      if (socat.exitCode === null && socat.signalCode === null) await once(socat, 'exit');
    });
    socat.stderr.resume();
    // It speaks of its terminal before it has made the link.
    await until('the link is there', () => existsSync(link()));
    socat.stdout.on('data', (bytes: Buffer) => {
      if (spawnSync('stty', ['-F', link(), 'speed'], { encoding: 'utf8' }).stdout.trim() === '2400')
        socket.write(bytes);
    });
    socket.on('data', (bytes: Buffer) => socat.stdin.write(bytes));
    const { code, json, err } = await gtx([
      '--port',
      link(),
      '--units',
      '1',
      '--parity',
      'none',
      '--timeout',
      '700',
      '--profile',
      'eastron-sdm630',
      '--json',
    ]);
    expect(err).toContain('9600 baud');
    expect(json().devices).toMatchObject([
      { unit: 1, profile: 'eastron-sdm630', connection: { baud_rate: 2400, parity: 'none' } },
    ]);
    expect(code).toBe(0);
  });

  it('refuses a port that another program has open, and says which', async () => {
    await line({ type: 'pty', link: link() }, [{ unit: 1, scenario: flat }]);
    const holder = spawn('sh', ['-c', `exec 3<>"$0"; echo open; read -r _`, link()], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    endings.push(async () => {
      holder.kill();
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    });
    await once(holder.stdout, 'data');
    const { code, err, out } = await gtx(['--port', link(), ...calm, '--json']);
    expect(code).toBe(5);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'PORT_IN_USE' } });
    expect(err).toContain(`process ${holder.pid} (sh -c`);
    expect(err).toContain('systemctl stop gridtokenx-agent');
  });

  it('says which port is not there', async () => {
    const { code, err } = await gtx(['--port', join(folder, 'none'), ...calm]);
    expect(code).not.toBe(0);
    expect(err).toContain('is the adapter plugged in?');
  });

  it('ends at Ctrl-C with what it has, and lets the port go', async () => {
    await line({ type: 'pty', link: link() }, [
      { unit: 1, profile: 'eastron-sdm630', scenario: flat, registers },
    ]);
    let interrupted = false;
    const { code, json } = await gtx(['--port', link(), '--units', '1-200', ...calm, '--json'], (text) => {
      if (interrupted || !text.includes('found at address 1')) return;
      interrupted = true;
      process.kill(process.pid, 'SIGINT');
    });
    expect(code).toBe(130);
    expect(json()).toMatchObject({ complete: false, devices: [{ unit: 1 }] });
    expect((await gtx(['--port', link(), '--units', '1', ...calm])).code).toBe(0);
  });
});

describe('gtx agent scan over TCP', () => {
  it.each(['tcp', 'rtu_over_tcp'] as const)('finds what is behind %s', async (type) => {
    const { connection } = await line({ type }, [
      { unit: 2, profile: 'siemens-pac2200', role: 'grid', scenario: flat, registers },
    ]);
    if (connection.type === 'rtu') throw new Error('not TCP');
    const flag = type === 'tcp' ? '--tcp' : '--rtu-over-tcp';
    const { code, out } = await gtx([
      flag,
      `127.0.0.1:${connection.port}`,
      '--units',
      '2',
      '--timeout',
      '2000',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('Siemens');
    expect(out).toMatch(/ V, -?\d+ W, import 12345\.\d+ kWh/);
    expect(out).toMatch(
      new RegExp(
        `for init  \\S+,${type === 'tcp' ? 'tcp' : 'rtu\\+tcp'}://127.0.0.1:${connection.port},unit=2`,
      ),
    );
  });

  it('tells an empty line from one that is not there', async () => {
    const transport = { type: 'rtu_over_tcp', port: await freePort() } as const;
    const { connection } = await line(transport, [{ unit: 2, scenario: flat }]);
    if (connection.type === 'rtu') throw new Error('not TCP');
    const empty = await gtx([
      '--rtu-over-tcp',
      `127.0.0.1:${connection.port}`,
      '--units',
      '9',
      '--timeout',
      '300',
      '--json',
    ]);
    expect(empty.code).toBe(1);
    expect(empty.json()).toMatchObject({ devices: [], complete: true });
    expect(empty.json().hints[0]).toContain('Not one byte came');
    await endings.pop()?.();
    const gone = await gtx(['--rtu-over-tcp', `127.0.0.1:${connection.port}`, '--units', '9']);
    expect(gone.code).not.toBe(0);
    expect(gone.err).toContain('METER_BUS_ERROR');
  });

  it.each([
    [['--tcp', 'a:1', '--port', '/dev/x'], 'one of --port'],
    [['--tcp', 'a:1', '--baud', '9600'], 'belong to a serial port'],
    [['--port', '/dev/x', '--parity', 'mark'], '--parity is none, even or odd'],
    [['--port', '/dev/x', '--units', '0-3'], '1 to 247'],
    [['--port', '/dev/x', '--units', '9-3'], '1-10,33'],
    [['--port', '/dev/x', '--profile', 'no-such'], 'no meter profile'],
    [['--tcp', 'a b'], 'not host:port'],
  ])('refuses %j', async (flags, words) => {
    const { code, err } = await gtx(flags);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });
});
