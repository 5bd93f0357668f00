import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeEnergy, decodeMeasure, loadProfile, type Quantity } from '@gridtokenx/firmware-profiles';
import modbusSerial from 'modbus-serial';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, type SimulatorConfigInput, socatInstalled, startSimulator } from './index.js';

// The package is CommonJS: its class is the `default` of its exports.
const ModbusClient = modbusSerial.default;
type ModbusClient = InstanceType<typeof ModbusClient>;

const logger = pino({ level: 'silent' });
const profile = loadProfile('eastron-sdm630');
const KWH = 1_000_000_000n;

let folder: string;
let now: number;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-simulator-'));
  now = Date.UTC(2026, 5, 1, 12);
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(config: SimulatorConfigInput): Promise<Simulator> {
  const simulator = await startSimulator(config, { logger, now: () => now });
  cleanups.push(() => simulator.stop());
  return simulator;
}

/** Expects that no valid answer comes, without waiting long, but until the request is there; all others may take their time. */
async function expectSilence(modbus: ModbusClient, request: () => Promise<unknown>): Promise<void> {
  modbus.setTimeout(2_000);
  await expect(request()).rejects.toThrow();
  modbus.setTimeout(10_000);
}

/** A real Modbus client on the simulator's line. */
async function client(simulator: Simulator, unit = 1): Promise<ModbusClient> {
  const modbus = new ModbusClient();
  const { connection } = simulator;
  if (connection.type !== 'rtu') await modbus.connectTCP(connection.host, { port: connection.port });
  else {
    await modbus.connectRTUBuffered(connection.path, {
      baudRate: connection.baud_rate,
      parity: connection.parity,
    });
  }
  modbus.setID(unit);
  modbus.setTimeout(10_000);
  cleanups.push(() => close(modbus));
  return modbus;
}

function close(modbus: ModbusClient): Promise<void> {
  return modbus.isOpen ? new Promise((done) => modbus.close(() => done())) : Promise.resolve();
}

async function energy(modbus: ModbusClient, quantity: 'energy_import' | 'energy_export'): Promise<bigint> {
  const address = Number(profile.registers[quantity]?.address);
  return decodeEnergy(profile, quantity, (await modbus.readInputRegisters(address, 2)).data);
}

async function measure(modbus: ModbusClient, quantity: Quantity): Promise<number> {
  const address = Number(profile.registers[quantity]?.address);
  return decodeMeasure(profile, quantity, (await modbus.readInputRegisters(address, 2)).data);
}

const flat = { solar_watts: 8000, household_watts: 500, shape: 'flat' as const };
const one = (unit: object = {}) => [{ unit: 1, scenario: flat, ...unit }];

const transports: [string, boolean, () => SimulatorConfigInput['transport']][] = [
  ['Modbus TCP', true, () => ({ type: 'tcp' })],
  ['a serial line', socatInstalled(), () => ({ type: 'pty', link: join(folder, 'tty') })],
];

describe.each(transports)('over %s', (_, available, transport) => {
  const test = it.runIf(available);

  test('a grid meter counts exactly what flowed, and never more', async () => {
    const simulator = await start({ transport: transport(), units: one() });
    const modbus = await client(simulator);
    expect(await energy(modbus, 'energy_export')).toBe(0n);
    now += 15_000;
    // 7.5 kW for 15 s: 31.25 Wh, 0.03125 kWh, is 2^-5 and so a float32 itself.
    expect(await energy(modbus, 'energy_export')).toBe(31_250_000n);
    now += 3000;
    // 37.5 Wh is no float32 of kWh: the meter shows the next lower one, 0.03749999776...
    expect(await energy(modbus, 'energy_export')).toBe(37_499_997n);
    expect(await energy(modbus, 'energy_import')).toBe(0n);
    expect(await measure(modbus, 'power_total')).toBe(-7500);
    expect(await measure(modbus, 'voltage_l1')).toBeGreaterThan(220);
  });

  test('several units answer for themselves, an absent one does not', async () => {
    const simulator = await start({
      transport: transport(),
      units: [
        { unit: 1, role: 'production', scenario: flat },
        { unit: 2, role: 'consumption', scenario: flat, profile: 'eastron-sdm120' },
        { unit: 3, role: 'grid', scenario: flat },
      ],
    });
    const modbus = await client(simulator);
    now += 3_600_000;
    const read: [bigint, bigint][] = [];
    for (const unit of [1, 2, 3]) {
      modbus.setID(unit);
      read.push([await energy(modbus, 'energy_import'), await energy(modbus, 'energy_export')]);
    }
    expect(read).toEqual([
      [8n * KWH, 0n],
      [KWH / 2n, 0n],
      [0n, (15n * KWH) / 2n],
    ]);
    modbus.setID(9);
    await expectSilence(modbus, () => modbus.readInputRegisters(0, 2));
    modbus.setID(3);
    expect(await energy(modbus, 'energy_import')).toBe(0n);
  });

  test('unknown functions, addresses and counts are answered with the exceptions of the standard', async () => {
    const simulator = await start({ transport: transport(), units: one() });
    const modbus = await client(simulator);
    const code = async (request: Promise<unknown>) =>
      await request.then(
        () => undefined,
        (error: { modbusCode?: number }) => error.modbusCode,
      );
    expect(await code(modbus.readCoils(0, 1))).toBe(1);
    expect(await code(modbus.writeRegister(0, 1))).toBe(1);
    expect(await code(modbus.readInputRegisters(0x2000, 2))).toBe(2);
    expect(await code(modbus.readHoldingRegisters(0x0000, 2))).toBe(2);
    expect(await code(modbus.readInputRegisters(0x0047, 2))).toBe(2);
    expect(await code(modbus.readInputRegisters(0x0048, 1))).toBe(2);
    expect(await code(modbus.readInputRegisters(0, 82))).toBe(2);
    expect(await code(modbus.readInputRegisters(0, 126))).toBe(3);
    // The line goes on afterwards.
    expect((await modbus.readInputRegisters(0, 76)).data).toHaveLength(76);
    const identity = (await modbus.readHoldingRegisters(0xfc00, 4)).data;
    expect(decodeMeasure(profile, 'serial_number', identity.slice(0, 2))).toBe(20_000_001);
    expect((await modbus.readHoldingRegisters(0xfc02, 1)).data).toEqual([0x70]);
  });

  test('a dead, a busy, a disturbed and a frozen meter', async () => {
    const simulator = await start({ transport: transport(), units: one() });
    const modbus = await client(simulator);
    const read = () => energy(modbus, 'energy_export');
    now += 3_600_000;
    expect(await read()).toBe((15n * KWH) / 2n);

    simulator.setFault(1, { type: 'dead', times: 1 });
    await expectSilence(modbus, read);
    simulator.setFault(1, { type: 'exception', code: 6, times: 1 });
    await expect(read()).rejects.toMatchObject({ modbusCode: 6 });
    for (const type of ['garbage', 'bad-crc', 'truncated'] as const) {
      if (simulator.connection.type === 'tcp' && type === 'bad-crc') continue; // TCP carries no CRC
      simulator.setFault(1, { type, times: 1 });
      await expectSilence(modbus, read);
      expect(simulator.state()[0]?.fault).toBeNull();
    }
    simulator.setFault(1, { type: 'freeze' });
    now += 3_600_000;
    // What a former timeout left on the line stays with the former connection.
    await close(modbus);
    const fresh = await client(simulator);
    expect(await energy(fresh, 'energy_export')).toBe((15n * KWH) / 2n);
    simulator.setFault(1, { type: 'value', value: 'nan', times: 1 });
    await expect(energy(fresh, 'energy_export')).rejects.toMatchObject({ code: 'METER_VALUE_INVALID' });
    simulator.setFault(1, { type: 'value', value: 'zero', times: 1 });
    expect(await energy(fresh, 'energy_export')).toBe(0n);
    expect(await energy(fresh, 'energy_export')).toBe(15n * KWH);
  });

  test('a fragile meter restarts when it is asked too fast', async () => {
    const simulator = await start({ transport: transport(), units: one() });
    const modbus = await client(simulator);
    simulator.setFault(1, { type: 'fragile', min_gap_ms: 200, restart_ms: 3000 });
    now += 1000;
    await energy(modbus, 'energy_export');
    now += 100;
    await expectSilence(modbus, () => energy(modbus, 'energy_export'));
    now += 2000;
    await expectSilence(modbus, () => energy(modbus, 'energy_export'));
    now += 2000;
    expect(await energy(modbus, 'energy_export')).toBeGreaterThan(0n);
  });
});

describe('a restarted simulator', () => {
  it('goes on from the registers that somebody has read, even without a clean stop', async () => {
    const config = { state_file: join(folder, 'state', 'meters.json'), units: one() };
    const first = await start(config);
    const modbus = await client(first);
    now += 3_600_000;
    expect(await energy(modbus, 'energy_export')).toBe((15n * KWH) / 2n);
    // No stop: what is on disk now is what a killed process leaves.
    const second = await start(config);
    expect(await energy(await client(second), 'energy_export')).toBe((15n * KWH) / 2n);
    expect(existsSync(`${config.state_file}.new`)).toBe(false);
  });

  it('does not begin at zero from a damaged file', async () => {
    const file = join(folder, 'meters.json');
    const config = { state_file: file, units: one() };
    await (await start(config)).stop();
    for (const content of [
      '',
      '{',
      '{"version":1,"units":{"1":{}}}',
      readFileSync(file, 'utf8').slice(0, -4),
    ]) {
      writeFileSync(file, content);
      await expect(start(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect(readFileSync(file, 'utf8')).toBe(content);
    }
  });

  it('counts nothing for a clock that went back or slept', async () => {
    const simulator = await start({ units: one() });
    now += 3_600_000;
    expect(simulator.state()[0]?.export_kwh).toBe('7.5');
    now -= 7_200_000;
    expect(simulator.state()[0]?.export_kwh).toBe('7.5');
    now += 30 * 24 * 3_600_000;
    expect(simulator.state()[0]?.export_kwh).toBe('7.5');
    now += 3_600_000;
    expect(simulator.state()[0]?.export_kwh).toBe('15');
  });
});

describe('the controls', () => {
  it('set powers and registers from this moment on', async () => {
    const simulator = await start({ units: one(), control: {} });
    now += 3_600_000;
    simulator.setPower(1, { solar_watts: 0, household_watts: 2000 });
    now += 1_800_000;
    expect(simulator.state()[0]).toMatchObject({ export_kwh: '7.5', import_kwh: '1', power_watts: 2000 });
    simulator.setPower(1, {});
    now += 3_600_000;
    expect(simulator.state()[0]).toMatchObject({ export_kwh: '15', import_kwh: '1' });
    simulator.setEnergy(1, { exportNkwh: 0n });
    expect(simulator.state()[0]).toMatchObject({ export_kwh: '0', import_kwh: '1' });
  });

  it('are there over HTTP', async () => {
    const simulator = await start({ units: one(), control: {} });
    const call = async (method: string, path: string, body?: unknown) => {
      const answer = await fetch(`${simulator.controlUrl}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, never> };
    };
    expect(await call('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await call('PUT', '/units/1/power', { solar_watts: 1000 })).toMatchObject({
      status: 200,
      body: { unit: { power_watts: -500 } },
    });
    expect(await call('PUT', '/units/1/fault', { type: 'dead' })).toMatchObject({
      body: { unit: { fault: { type: 'dead' } } },
    });
    expect(await call('DELETE', '/units/1/fault')).toMatchObject({ body: { unit: { fault: null } } });
    expect(await call('PUT', '/units/1/energy', { import_nkwh: '5000000000' })).toMatchObject({
      body: { unit: { import_kwh: '5' } },
    });
    expect(await call('DELETE', '/units/1/power')).toMatchObject({ body: { unit: { power_watts: -7500 } } });
    expect(await call('GET', '/nothing')).toMatchObject({ status: 404 });
    expect(await call('PUT', '/units/7/power', {})).toMatchObject({ status: 404 });
    expect(await call('POST', '/units/1/power', {})).toMatchObject({ status: 405 });
    expect(await call('PUT', '/units/1/power', { solar: 1 })).toMatchObject({
      status: 400,
      body: { error: { code: 'INVALID_BODY' } },
    });
    const metrics = await (await fetch(`${simulator.controlUrl}/metrics`)).text();
    expect(metrics).toContain('gtx_simulator_imported_joules_total{unit="1"} 18000000');
  });
});

describe('configuration', () => {
  it('has a default for everything', async () => {
    const simulator = await start({});
    expect(simulator.connection).toMatchObject({ type: 'tcp', host: '127.0.0.1' });
    expect(simulator.state()).toHaveLength(1);
  });

  it.each([
    ['a unit twice', { units: [{ unit: 1 }, { unit: 1 }] }, 'CONFIG_INVALID'],
    ['an unknown setting', { speed: 2 } as object, 'CONFIG_INVALID'],
    ['an unknown meter', { units: [{ unit: 1, profile: 'none' }] }, 'PROFILE_INVALID'],
  ])('with %s is refused', async (_, config, code) => {
    await expect(start(config)).rejects.toMatchObject({ code });
  });

  it('says when a port is taken', async () => {
    const first = await start({});
    if (first.connection.type !== 'tcp') throw new Error('expected TCP');
    await expect(start({ transport: { type: 'tcp', port: first.connection.port } })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
  });

  it('never replaces a file by a serial line', async () => {
    const link = join(folder, 'precious');
    writeFileSync(link, 'x');
    await expect(start({ transport: { type: 'pty', link } })).rejects.toMatchObject({
      code: socatInstalled() ? 'CONFIG_INVALID' : 'DEPENDENCY_MISSING',
    });
    expect(readFileSync(link, 'utf8')).toBe('x');
  });

  it('takes a serial line where socat is there and TCP otherwise', async () => {
    const simulator = await start({ transport: { type: 'auto', link: join(folder, 'tty') } });
    expect(simulator.connection.type).toBe(socatInstalled() ? 'rtu' : 'tcp');
  });
});

describe('the serial line', () => {
  const test = it.runIf(socatInstalled());

  test('survives gateways that come and go, and is gone after a stop', async () => {
    const link = join(folder, 'tty');
    const simulator = await start({ transport: { type: 'pty', link }, units: one() });
    for (let round = 0; round < 3; round++) {
      const modbus = await client(simulator);
      expect(await energy(modbus, 'energy_import')).toBe(0n);
      await close(modbus);
    }
    expect(realpathSync(link)).toMatch(/^\/dev\/pts\//);
    await simulator.stop();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('goes over to a new simulator without the old one removing it', async () => {
    const link = join(folder, 'tty');
    const old = await start({ transport: { type: 'pty', link }, units: one() });
    const simulator = await start({ transport: { type: 'pty', link }, units: one() });
    await old.stop();
    expect(await energy(await client(simulator), 'energy_import')).toBe(0n);
  });
});

describe('Modbus TCP', () => {
  it('says that nobody answered for an absent unit, and closes on what is not Modbus', async () => {
    const simulator = await start({});
    const modbus = await client(simulator, 77);
    await expect(modbus.readInputRegisters(0, 2)).rejects.toMatchObject({ modbusCode: 11 });
    if (simulator.connection.type !== 'tcp') throw new Error('expected TCP');
    const socket = connect(simulator.connection.port, simulator.connection.host);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
  });

  it('sends a late answer after the ones that were asked for later', async () => {
    const simulator = await start({ units: [{ unit: 1 }, { unit: 2 }] });
    if (simulator.connection.type !== 'tcp') throw new Error('expected TCP');
    simulator.setFault(1, { type: 'late', delay_ms: 50, times: 1 });
    const socket = connect(simulator.connection.port, simulator.connection.host);
    cleanups.push(() => void socket.destroy());
    let bytes = Buffer.alloc(0);
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
    });
    const request = (unit: number) => Buffer.from([0, unit, 0, 0, 0, 6, unit, 4, 0, 0x48, 0, 2]);
    socket.write(Buffer.concat([request(1), request(2)]));
    while (bytes.length < 26) await once(socket, 'data');
    expect([bytes[6], bytes[19]]).toEqual([2, 1]);
  });

  it('takes requests in pieces and several at once', async () => {
    const simulator = await start({});
    if (simulator.connection.type !== 'tcp') throw new Error('expected TCP');
    const socket = connect(simulator.connection.port, simulator.connection.host);
    cleanups.push(() => void socket.destroy());
    const request = (id: number) => Buffer.from([0, id, 0, 0, 0, 6, 1, 4, 0, 0x48, 0, 2]);
    const answers: Buffer[] = [];
    socket.on('data', (data) => answers.push(data));
    const all = Buffer.concat([request(1), request(2), request(3)]);
    for (const byte of all.subarray(0, 15)) {
      await new Promise((done) => socket.write(Buffer.of(byte), done));
    }
    socket.write(all.subarray(15));
    while (Buffer.concat(answers).length < 39) await once(socket, 'data');
    const bytes = Buffer.concat(answers);
    expect([0, 13, 26].map((offset) => bytes.readUInt16BE(offset))).toEqual([1, 2, 3]);
  });
});
