import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadProfile, type MeterProfile } from '@gridtokenx/firmware-profiles';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { socatInstalled } from '@gridtokenx/simulator';
import modbusSerial from 'modbus-serial';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceReader, type DeviceSample } from './measure.js';
import { BusError, ModbusLine } from './modbus-line.js';
import { ANSWER_MS, device, registers, TestHome, until } from './testing/home.js';
import { SerialDevice } from './testing/serial-device.js';

const request = { unit: 1, function: 4, start: 0, count: 2 } as const;
const endings: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** What became of a read: the first register, or why not. */
async function outcome(read: Promise<Uint8Array>): Promise<number | string> {
  try {
    return Buffer.from(await read).readUInt16BE(0);
  } catch (error) {
    if (error instanceof BusError) return error.failure;
    throw error;
  }
}

/** A TCP server that hands each frame to the test. */
async function tcpDevice(
  onFrame: (frame: Buffer, socket: Socket, index: number) => void,
): Promise<{ line: ModbusLine; sockets: Set<Socket> }> {
  let index = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', (bytes) => onFrame(bytes as Buffer, socket, index++));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const line = new ModbusLine({
    type: 'tcp',
    host: '127.0.0.1',
    port: (server.address() as { port: number }).port,
  });
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  endings.push(() => line.close());
  return { line, sockets };
}

function tcpAnswer(frame: Buffer, value: number): Buffer {
  const answer = Buffer.from([0, 0, 0, 0, 0, 7, 0, 4, 4, 0, 0, 0, 0]);
  frame.copy(answer, 0, 0, 2);
  answer[6] = frame[6] as number;
  answer.writeUInt16BE(value, 9);
  return answer;
}

describe('a Modbus line', () => {
  it('reads what an independent implementation serves (modbus-serial)', async () => {
    const server = new modbusSerial.ServerTCP(
      {
        getInputRegister: (address: number, unit: number) => address * 100 + unit,
        getHoldingRegister: (address: number) => address + 7,
      },
      { host: '127.0.0.1', port: 0, unitID: 255 },
    );
    const port = await new Promise<number>((resolve) => {
      server.on('initialized', () => {
        const inner = (server as unknown as { _server: Server })._server;
        resolve((inner.address() as { port: number }).port);
      });
    });
    endings.push(() => new Promise((resolve) => server.close(resolve)));
    const line = new ModbusLine({ type: 'tcp', host: '127.0.0.1', port });
    endings.push(() => line.close());
    const bytes = Buffer.from(await line.read({ unit: 3, function: 4, start: 5, count: 2 }, ANSWER_MS, 0));
    expect([bytes.readUInt16BE(0), bytes.readUInt16BE(2)]).toEqual([503, 603]);
    expect(await outcome(line.read({ unit: 3, function: 3, start: 5, count: 1 }, ANSWER_MS, 0))).toBe(12);
  });

  it('has one request on the line at a time, in the order of asking', async () => {
    let open = 0;
    const order: number[] = [];
    const { line } = await tcpDevice((frame, socket) => {
      expect(frame).toHaveLength(12);
      expect(++open).toBe(1);
      order.push(frame.readUInt16BE(8));
      setTimeout(() => {
        open--;
        socket.write(tcpAnswer(frame, frame.readUInt16BE(8)));
      }, 5);
    });
    const reads = [9, 4, 7, 1].map((start) => outcome(line.read({ ...request, start }, ANSWER_MS, 0)));
    expect(await Promise.all(reads)).toEqual([9, 4, 7, 1]);
    expect(order).toEqual([9, 4, 7, 1]);
  });

  it('failure 4: a late reply shifts every later answer by one until restart (grid-x/modbus #78)', async () => {
    const held: (() => void)[] = [];
    const { line } = await tcpDevice((frame, socket, index) => {
      const send = () => socket.write(tcpAnswer(frame, 1_000 + index));
      // The first answer is sent when the second question is there, and so on.
      if (index === 0) held.push(send);
      else {
        for (const late of held.splice(0)) late();
        send();
      }
    });
    expect(await outcome(line.read(request, 50, 0))).toBe('timeout');
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(1_001);
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(1_002);
    expect(line.counters.staleFrames).toBe(1);
  });

  it('failure 3: a Modbus exception ends the poll loop (thingsboard-gateway #2132)', async () => {
    const { line } = await tcpDevice((frame, socket, index) => {
      if (index === 0) {
        const exception = Buffer.from([0, 0, 0, 0, 0, 3, 1, 0x84, 6]);
        frame.copy(exception, 0, 0, 2);
        socket.write(exception);
      } else if (index === 1) {
        const wrong = tcpAnswer(frame, 1);
        wrong[7] = 3;
        socket.write(wrong);
      } else socket.write(tcpAnswer(frame, 42));
    });
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe('exception');
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe('mismatch');
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(42);
  });

  it('comes back after a lost connection, garbage, and a peer that went silent', async () => {
    let mode: 'answer' | 'close' | 'garbage' | 'silent' = 'answer';
    const { line, sockets } = await tcpDevice((frame, socket) => {
      if (mode === 'answer') socket.write(tcpAnswer(frame, 5));
      else if (mode === 'close') socket.destroy();
      else if (mode === 'garbage') socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(5);
    for (const bad of ['close', 'garbage'] as const) {
      mode = bad;
      expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe('connection');
      mode = 'answer';
      expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(5);
    }
    mode = 'silent';
    const before = sockets.size;
    for (let index = 0; index < 3; index++) expect(await outcome(line.read(request, 20, 0))).toBe('timeout');
    mode = 'answer';
    expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe(5);
    expect(sockets.size).toBe(before + 1);
  });

  it('does not hammer a port that nobody listens on', async () => {
    const line = new ModbusLine({ type: 'tcp', host: '127.0.0.1', port: await freePort() });
    endings.push(() => line.close());
    for (let index = 0; index < 50; index++)
      expect(await outcome(line.read(request, ANSWER_MS, 0))).toBe('connection');
    expect(line.counters.connectFailures).toBeLessThan(5);
  });

  it('keeps the gap that a meter needs', async () => {
    const at: number[] = [];
    const { line } = await tcpDevice((frame, socket) => {
      at.push(performance.now());
      socket.write(tcpAnswer(frame, 1));
    });
    for (let index = 0; index < 4; index++) await line.read(request, ANSWER_MS, 60);
    const gaps = at.slice(1).map((time, index) => time - (at[index] as number));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(59);
  });
});

/** A profile whose devices are not asked for a serial number, so that each sample is one request. */
function anonymous(profile: MeterProfile): MeterProfile {
  const { serial_number: _, ...registers } = profile.registers;
  return { ...profile, registers };
}

function reader(
  line: ModbusLine,
  unit: number,
  more: { timeout_ms?: number; gap_ms?: number } = {},
  profile?: MeterProfile,
) {
  return new DeviceReader(
    {
      role: 'grid',
      profile: 'eastron-sdm630',
      unit,
      connection: { type: 'tcp', host: 'unused', port: 1 },
      timeout_ms: ANSWER_MS,
      gap_ms: 5,
      ...more,
    },
    profile ?? anonymous(loadProfile('eastron-sdm630')),
    line,
    Date.now,
    () => performance.now(),
  );
}

async function sampleOf(device: DeviceReader): Promise<DeviceSample | string> {
  try {
    return await device.sample();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('devices on a simulated line', () => {
  async function simulated(units: number[], transport: 'tcp' | 'pty' = 'tcp') {
    const home = new TestHome();
    endings.push(() => home.close());
    const simulator = await home.simulate(
      units.map((unit) => ({ unit })),
      transport,
    );
    const { connection } = device('grid', simulator, 1);
    const line = new ModbusLine(
      connection.type === 'tcp'
        ? { type: 'tcp', host: connection.host, port: connection.port as number }
        : {
            type: 'rtu',
            path: (connection as { path: string }).path,
            baudRate: 9600,
            parity: 'none',
            dataBits: 8,
            stopBits: 1,
          },
    );
    endings.push(() => line.close());
    return { simulator, line };
  }

  it('failure 1: one dead device on the bus stalls the others (telegraf #11782)', async () => {
    const { simulator, line } = await simulated([1, 2, 3]);
    for (const unit of [1, 2, 3]) expect(typeof (await sampleOf(reader(line, unit)))).toBe('object');
    const devices = [1, 2, 3].map((unit) => reader(line, unit, unit === 2 ? { timeout_ms: 500 } : {}));
    simulator.setFault(2, { type: 'dead' });
    for (let round = 0; round < 30; round++) {
      const [first, second, third] = await Promise.all(devices.map(sampleOf));
      expect([typeof first, second, typeof third]).toEqual(['object', 'METER_BUS_ERROR', 'object']);
    }
    const asked = simulator.state().map((state) => state.requests);
    expect(asked[0]).toBe(31);
    expect(asked[2]).toBe(31);
    // Asked once, then left alone; thirty rounds take well under the second minute.
    expect(asked[1]).toBeLessThan(8);
    expect(devices[1]?.health).toMatchObject({ online: false, lastError: 'METER_BUS_ERROR' });
  });

  it('a busy meter is asked again, other exceptions are failures that pass', async () => {
    const { simulator, line } = await simulated([1]);
    const one = reader(line, 1);
    simulator.setFault(1, { type: 'exception', code: 6, times: 2 });
    expect(typeof (await sampleOf(one))).toBe('object');
    expect(one.counters.busy).toBe(2);
    simulator.setFault(1, { type: 'exception', code: 4, times: 1 });
    expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
    expect(one.health.lastMessage).toContain('server device failure');
    await until('the wait is over', () => !one.backingOff);
    expect(typeof (await sampleOf(one))).toBe('object');
  });

  it('failure 6: a meter restarts when polled too fast (SDM_Energy_Meter #50)', async () => {
    const { simulator, line } = await simulated([1, 2]);
    // The gap of its profile; its neighbour on the line wants none.
    const config = {
      role: 'grid' as const,
      unit: 1,
      connection: { type: 'tcp' as const, host: 'unused', port: 1 },
      timeout_ms: ANSWER_MS,
    };
    const fragile = new DeviceReader(
      { ...config, profile: 'eastron-sdm120' },
      { ...anonymous(loadProfile('eastron-sdm630')), modbus: loadProfile('eastron-sdm120').modbus },
      line,
      Date.now,
      () => performance.now(),
    );
    const hasty = reader(line, 2, { gap_ms: 0 });
    simulator.setFault(1, { type: 'fragile', min_gap_ms: 240, restart_ms: 60_000 });
    let asked = 0;
    for (let round = 0; round < 5; round++) {
      const [slow] = await Promise.all([fragile.sample(), hasty.sample(), hasty.sample(), fragile.sample()]);
      expect(slow.produced).toBeDefined();
      asked += 2;
    }
    expect(simulator.state()[0]?.requests).toBe(asked);
    // The device is as fragile as it should be: without the gap it restarts.
    const reckless = reader(line, 1, { gap_ms: 0, timeout_ms: 500 });
    await until('it restarts', async () => {
      await sampleOf(reckless);
      return simulator.faults().has('1/fragile');
    });
  });

  it('a value that is not a number is no sample', async () => {
    const { simulator, line } = await simulated([1]);
    const one = reader(line, 1);
    simulator.setFault(1, { type: 'value', value: 'nan', times: 1 });
    expect(await sampleOf(one)).toBe('METER_VALUE_INVALID');
    expect(one.backingOff).toBe(false);
    expect(typeof (await sampleOf(one))).toBe('object');
  });

  it.skipIf(!socatInstalled())(
    'reads over a serial line through noise, broken frames and late replies',
    async () => {
      const { simulator, line } = await simulated([1, 2], 'pty');
      const [one, two] = [reader(line, 1, { timeout_ms: 800 }), reader(line, 2)];
      for (const fault of [
        { type: 'garbage', times: 1 },
        { type: 'bad-crc', times: 1 },
        { type: 'truncated', times: 1 },
        { type: 'late', delay_ms: 1_100, times: 1 },
      ] as const) {
        simulator.setFault(1, fault);
        expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
        for (let round = 0; round < 3; round++) {
          const sample = await sampleOf(two);
          if (typeof sample === 'string') throw new Error(`${fault.type}: ${sample}`);
          const now = registers(simulator, 2);
          expect(sample.produced as bigint).toBeLessThanOrEqual(now.exportNkwh);
          expect(now.exportNkwh - (sample.produced as bigint)).toBeLessThan(1_000_000_000n);
        }
        await until(`an answer after ${fault.type}`, async () => {
          const again = await sampleOf(one);
          if (typeof again === 'string') return false;
          const now = registers(simulator, 1);
          expect(again.consumed).toBe(0n);
          expect(again.produced as bigint).toBeLessThanOrEqual(now.exportNkwh);
          return true;
        });
      }
      expect(line.counters.strayBytes).toBeGreaterThan(0);
    },
  );
});

describe.skipIf(!socatInstalled())('a device that answers in order but late, on a serial line', () => {
  it('failure 4: a late reply shifts every later answer by one until restart (grid-x/modbus #78): never the value of one register for another', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-serial-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    // Each register tells its own address, as a small float: any mix-up shows.
    const serial = new SerialDevice(join(folder, 'tty'), (_unit, address) =>
      address % 2 === 0 ? 0x4000 + address : 0,
    );
    await serial.start();
    endings.push(() => serial.stop());
    const line = new ModbusLine({
      type: 'rtu',
      path: serial.link,
      baudRate: 9600,
      parity: 'none',
      dataBits: 8,
      stopBits: 1,
    });
    endings.push(() => line.close());
    const base = anonymous(loadProfile('eastron-sdm630'));
    // Power, import and export in requests of their own and of equal length: the worst case.
    const range = (first: string, last: string) => ({ function_code: 4 as const, first, last });
    const split: MeterProfile = {
      ...base,
      readable: [range('0x0034', '0x0045'), range('0x0048', '0x0049'), range('0x004A', '0x004F')],
    };
    const good = await reader(line, 1, { gap_ms: 1 }, split).sample();
    const one = reader(line, 1, { timeout_ms: 500, gap_ms: 1 }, split);
    expect(good.produced).not.toBe(good.consumed);
    // From the question for the import register on, the device is one answer behind.
    let behind = false;
    serial.lagging = (frame) => {
      behind ||= frame.readUInt16BE(2) === 0x48;
      return behind;
    };
    expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
    const right = { produced: good.produced, consumed: good.consumed };
    for (let round = 0; round < 2; round++) {
      await until('the wait is over', () => !one.backingOff);
      const sample = await sampleOf(one);
      if (typeof sample !== 'string') expect(sample).toMatchObject(right);
    }
    serial.lagging = () => false;
    await until('right again', async () => {
      const sample = await sampleOf(one);
      if (typeof sample === 'string') return false;
      expect(sample).toMatchObject(right);
      return true;
    });
    expect(line.counters.strayBytes).toBeGreaterThan(0);
  });

  it('is read through an adapter that echoes requests, and through noise', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-serial-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    const serial = new SerialDevice(join(folder, 'tty'), (_unit, address) => address);
    serial.echo = true;
    serial.noise = Uint8Array.of(0, 1, 4, 0xff, 1);
    await serial.start();
    endings.push(() => serial.stop());
    const line = new ModbusLine({
      type: 'rtu',
      path: serial.link,
      baudRate: 9600,
      parity: 'none',
      dataBits: 8,
      stopBits: 1,
    });
    endings.push(() => line.close());
    for (let start = 10; start < 20; start++) {
      expect(await outcome(line.read({ ...request, start }, ANSWER_MS, 1))).toBe(start);
    }
  });
});
