import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Simulator, type SimulatorConfigInput, socatInstalled, startSimulator } from './index.js';
import { crc16, rtuFrame } from './rtu-framing.js';

const logger = pino({ level: 'silent' });
const KWH = 1_000_000_000n;
let folder: string;
let now: number;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-faults-'));
  now = Date.UTC(2026, 5, 1, 12);
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(config: SimulatorConfigInput): Promise<Simulator> {
  const simulator = await startSimulator(
    { transport: { type: 'rtu_over_tcp' }, units: [{ unit: 1, scenario: { shape: 'flat' } }], ...config },
    { logger, now: () => now },
  );
  cleanups.push(() => simulator.stop());
  return simulator;
}

/** Raw bytes over a line of RTU frames. */
class Wire {
  bytes: Buffer = Buffer.alloc(0);
  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => {
      this.bytes = Buffer.concat([this.bytes, data]);
    });
    socket.on('error', () => undefined);
  }

  static async open({ connection }: Simulator): Promise<Wire> {
    if (connection.type === 'rtu') throw new Error('expected TCP');
    const socket = connect(connection.port, connection.host);
    await once(socket, 'connect');
    cleanups.push(() => void socket.destroy());
    return new Wire(socket);
  }

  /** Sends a request for the energy registers and takes so many bytes. */
  async ask(length: number, unit = 1): Promise<Buffer> {
    this.socket.write(REQUEST(unit));
    while (this.bytes.length < length) await once(this.socket, 'data');
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }
}

const REQUEST = (unit: number) => rtuFrame(unit, Buffer.from([4, 0, 0x48, 0, 4]));
/** Unit, function, length, eight bytes, CRC. */
const ANSWER = 13;
const valid = (frame: Buffer) => crc16(frame.subarray(0, -2)) === frame.readUInt16LE(frame.length - 2);

describe('an answer over RTU', () => {
  it('is whole without a fault, on RTU over TCP too', async () => {
    const wire = await Wire.open(await start({}));
    const answer = await wire.ask(ANSWER);
    expect(valid(answer)).toBe(true);
    expect([...answer.subarray(0, 3)]).toEqual([1, 4, 8]);
  });

  it.each([
    ['noise', { type: 'noise', bytes: 5 }, 5 + ANSWER, (b: Buffer) => valid(b.subarray(5)) && b[0] === 0],
    ['bad-crc', { type: 'bad-crc' }, ANSWER, (b: Buffer) => !valid(b) && b[0] === 1],
    ['garbage', { type: 'garbage' }, ANSWER, (b: Buffer) => !valid(b) && b[0] === 0],
    ['truncated', { type: 'truncated' }, 6, (b: Buffer) => b[0] === 1 && b[2] === 8],
    ['split', { type: 'split', pause_ms: 5 }, ANSWER, valid],
    ['wrong-unit', { type: 'wrong-unit' }, ANSWER, (b: Buffer) => valid(b) && b[0] === 2],
    [
      'echo',
      { type: 'echo' },
      8 + ANSWER,
      (b: Buffer) => b.subarray(0, 8).equals(REQUEST(1)) && valid(b.subarray(8)),
    ],
    ['exception', { type: 'exception', code: 8 }, 5, (b: Buffer) => valid(b) && b[1] === 0x84 && b[2] === 8],
  ] as const)('with %s is what it should be', async (_, fault, length, check) => {
    const simulator = await start({});
    const wire = await Wire.open(simulator);
    simulator.setFault(1, { ...fault, times: 1 });
    const bytes = await wire.ask(length);
    expect(check(bytes), bytes.toString('hex')).toBe(true);
    expect([...simulator.faults()]).toEqual([[`1/${fault.type}`, 1]]);
    // The next one is whole again.
    wire.bytes = Buffer.alloc(0);
    expect(valid(await wire.ask(ANSWER))).toBe(true);
  });

  it('joined comes behind the former one', async () => {
    const simulator = await start({});
    const wire = await Wire.open(simulator);
    const former = await wire.ask(ANSWER);
    now += 3_600_000;
    simulator.setFault(1, { type: 'joined', times: 1 });
    const both = await wire.ask(2 * ANSWER);
    expect(both.subarray(0, ANSWER).equals(former)).toBe(true);
    expect(both.subarray(ANSWER).equals(former)).toBe(false);
    expect(valid(both.subarray(ANSWER))).toBe(true);
  });

  it('late holds up those behind it', async () => {
    const simulator = await start({});
    const wire = await Wire.open(simulator);
    simulator.setFault(1, { type: 'late', delay_ms: 80, times: 1 });
    wire.socket.write(REQUEST(1));
    wire.socket.write(rtuFrame(1, Buffer.from([4, 0, 0x48, 0, 2])));
    while (wire.bytes.length < ANSWER + 9) await once(wire.socket, 'data');
    // Lengths of the answers, in the order of the questions.
    expect([wire.bytes[2], wire.bytes[ANSWER + 2]]).toEqual([8, 4]);
  });
});

describe('what happens to a meter once', () => {
  const state = (simulator: Simulator) => simulator.state()[0];

  it('brown-out: counts nothing while off, forgets what it had not saved, then zeros', async () => {
    const simulator = await start({});
    const wire = await Wire.open(simulator);
    now += 3_600_000;
    expect(state(simulator)?.export_kwh).toBe('7.5');
    simulator.setFault(1, {
      type: 'brown-out',
      off_ms: 1_800_000,
      lost_export_nkwh: String(KWH),
      zero_answers: 1,
    });
    now += 3_600_000;
    // Half an hour off, half an hour on.
    expect(state(simulator)?.export_kwh).toBe('10.25');
    const zeros = await wire.ask(ANSWER);
    expect(zeros.subarray(3, 11).every((byte) => byte === 0)).toBe(true);
    expect((await wire.ask(ANSWER)).readUInt32BE(7)).toBeGreaterThan(0);
  });

  it('exchange: another serial number, other registers, and none of it lost in a restart', async () => {
    const state_file = join(folder, 'state.json');
    const simulator = await start({ state_file });
    now += 3_600_000;
    simulator.setFault(1, { type: 'exchange', import_nkwh: String(77n * KWH), export_nkwh: '5' });
    expect(state(simulator)).toMatchObject({
      serial_number: 20_000_002,
      import_kwh: '77',
      export_kwh: '0.000000005',
    });
    await simulator.stop();
    expect(state(await start({ state_file }))).toMatchObject({ serial_number: 20_000_002, import_kwh: '77' });
  });

  it('by schedule happens at its own moment, whenever somebody asks', async () => {
    const simulator = await start({
      faults: [{ unit: 1, fault: { type: 'exchange' }, at_seconds: 3600 }],
    });
    now += 7_200_000;
    // An hour with each meter.
    expect(state(simulator)).toMatchObject({ export_kwh: '7.5', serial_number: 20_000_002 });
    expect(simulator.faults().get('1/exchange')).toBe(1);
  });
});

describe('rules', () => {
  it('can be replaced while it runs, over HTTP too, and are counted in the metrics', async () => {
    const simulator = await start({ control: {}, faults: [{ fault: { type: 'echo' }, at_seconds: 0 }] });
    const wire = await Wire.open(simulator);
    expect((await wire.ask(8 + ANSWER)).subarray(0, 8).equals(REQUEST(1))).toBe(true);
    const call = async (method: string, path: string, body?: unknown) => {
      const options = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      return (await fetch(`${simulator.controlUrl}${path}`, options)).status;
    };
    expect(
      await call('PUT', '/faults', [{ unit: 1, fault: { type: 'exception', code: 4 }, chance: 1 }]),
    ).toBe(200);
    expect((await wire.ask(5))[2]).toBe(4);
    expect(await call('DELETE', '/faults')).toBe(200);
    expect(valid(await wire.ask(ANSWER))).toBe(true);
    expect(await call('PUT', '/faults', [{ unit: 1, fault: { type: 'dead' } }])).toBe(400);
    const metrics = await (await fetch(`${simulator.controlUrl}/metrics`)).text();
    expect(metrics).toContain('gtx_simulator_faults_total{unit="1",fault="echo"} 1');
    expect(metrics).toContain('gtx_simulator_faults_total{unit="1",fault="exception"} 1');
  });

  it('freeze registers for their time only', async () => {
    const simulator = await start({
      faults: [
        { unit: 1, fault: { type: 'freeze' }, at_seconds: 10, for_seconds: 7200, every_seconds: 20_000 },
      ],
    });
    const wire = await Wire.open(simulator);
    const energy = async () => (await wire.ask(ANSWER)).readUInt32BE(7);
    now += 100_000;
    const frozen = await energy();
    now += 3_600_000;
    expect(await energy()).toBe(frozen);
    now += 7_200_000;
    const later = await energy();
    expect(later).toBeGreaterThan(frozen);
    now += 20_000_000 - 7_300_000;
    expect(await energy()).toBeGreaterThan(later);
  });
});

describe('a line that is cut', () => {
  it('breaks connections, refuses new ones, and is back on the same port', async () => {
    const simulator = await start({
      transport: { type: 'rtu_over_tcp', port: await freePort() },
      control: {},
    });
    const wire = await Wire.open(simulator);
    await wire.ask(ANSWER);
    const closed = once(wire.socket, 'close');
    const cut = async (off_ms: number) => {
      const answer = await fetch(`${simulator.controlUrl}/line/fault`, {
        method: 'PUT',
        body: JSON.stringify({ type: 'cut', off_ms }),
      });
      return answer.json();
    };
    // For longer than the test looks; a second cut ends it.
    expect(await cut(3_600_000)).toEqual({ faults: { 'line/cut': 1 } });
    await closed;
    await expect(Wire.open(simulator)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await cut(300)).toEqual({ faults: { 'line/cut': 2 } });
    for (;;) {
      try {
        expect(valid(await (await Wire.open(simulator)).ask(ANSWER))).toBe(true);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  });

  it('that is due when the simulator ends brings nothing back', async () => {
    const simulator = await start({
      faults: [{ fault: { type: 'cut', off_ms: 3_600_000 }, at_seconds: 10 }],
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    cleanups.push(() => void vi.useRealTimers());
    now += 20_000;
    await simulator.stop();
    expect(simulator.faults().get('line/cut')).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.runIf(socatInstalled())('takes a serial device away and brings it back by itself', async () => {
    const link = join(folder, 'tty');
    const simulator = await startSimulator(
      {
        transport: { type: 'pty', link },
        faults: [{ fault: { type: 'cut', off_ms: 400 }, at_seconds: 0.3 }],
      },
      { logger },
    );
    cleanups.push(() => simulator.stop());
    const until = async (there: boolean) => {
      while (existsSync(link) !== there) await new Promise((done) => setTimeout(done, 10));
    };
    await until(true);
    await until(false);
    await until(true);
    expect(simulator.faults().get('line/cut')).toBe(1);
  });
});

describe('a scenario of a described site', () => {
  it('keeps its battery over a restart, and tells its parts', async () => {
    const config: SimulatorConfigInput = {
      state_file: join(folder, 'state.json'),
      control: {},
      sites: {
        home: {
          parts: [
            { type: 'constant', kind: 'production', name: 'roof', watts: 3000 },
            { type: 'constant', name: 'house', watts: 1000 },
            { type: 'battery', capacity_kwh: 10, charged: 0, efficiency: 1 },
          ],
        },
      },
      units: [{ unit: 1, site: 'home' }],
    };
    const simulator = await start(config);
    now += 3_600_000;
    expect(simulator.sites()).toEqual({
      home: { parts: { roof: 3000, house: -1000, battery: -2000 }, batteries: { battery: 0.2 } },
    });
    expect(simulator.state()[0]).toMatchObject({ import_kwh: '0', export_kwh: '0' });
    const metrics = await (await fetch(`${simulator.controlUrl}/metrics`)).text();
    expect(metrics).toContain('gtx_simulator_flow_watts{site="home",part="battery"} -2000');
    await simulator.stop();
    expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')).batteries).toEqual({
      home: { battery: 7.2e12 },
    });
    expect((await start(config)).sites().home?.batteries.battery).toBe(0.2);
  });
});
