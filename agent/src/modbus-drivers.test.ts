/** What a line and its devices do in the field: serial servers, adapters, exceptions, dead neighbours, pulled cables. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadProfile, type MeterProfile } from '@gridtokenx/firmware-profiles';
import { socatInstalled } from '@gridtokenx/simulator';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceReader, type DeviceSample } from './measure.js';
import { DEFINED_EXCEPTIONS, exceptionMeaning } from './modbus-exceptions.js';
import { crc16 } from './modbus-frames.js';
import { BusError, frameSilenceMs, ModbusLine, transmissionMs } from './modbus-line.js';
import { ANSWER_MS, until } from './testing/home.js';
import { SerialDevice } from './testing/serial-device.js';

const endings: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const profile = loadProfile('eastron-sdm630');
/** Not asked for a serial number, so that each sample is one request. */
const anonymous: MeterProfile = (() => {
  const { serial_number: _, ...registers } = profile.registers;
  return { ...profile, registers };
})();

function withCrc(body: number[]): Buffer {
  const crc = crc16(Uint8Array.from(body));
  return Buffer.from([...body, crc & 0xff, crc >> 8]);
}

/** An RTU answer whose registers hold their address, as small floats. */
function rtuAnswer(frame: Buffer): Buffer {
  const [unit, code, start, count] = [
    frame[0] as number,
    frame[1] as number,
    frame.readUInt16BE(2),
    frame.readUInt16BE(4),
  ];
  const words = Array.from({ length: count }, (_, index) => 0x4000 + start + index);
  return withCrc([unit, code, count * 2, ...words.flatMap((word) => [word >> 8, word & 0xff])]);
}

const exception = (frame: Buffer, code: number) =>
  withCrc([frame[0] as number, (frame[1] as number) | 0x80, code]);

/** A transparent serial server: RTU frames in a TCP connection. `answer` gives what comes back, piece by piece. */
async function serialServer(
  answer: (frame: Buffer, socket: Socket, index: number) => void,
): Promise<{ line: ModbusLine; sockets: Set<Socket>; server: Server; asked: () => number }> {
  let index = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => answer(bytes as Buffer, socket, index++));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const line = new ModbusLine({ type: 'rtu_over_tcp', host: '127.0.0.1', port });
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  endings.push(() => line.close());
  return { line, sockets, server, asked: () => index };
}

function reader(
  line: ModbusLine,
  unit = 1,
  more: { timeout_ms?: number; gap_ms?: number } = {},
  own = anonymous,
) {
  return new DeviceReader(
    {
      role: 'grid',
      profile: own.id,
      unit,
      connection: { type: 'tcp', host: 'unused', port: 1 },
      timeout_ms: ANSWER_MS,
      gap_ms: 1,
      ...more,
    },
    own,
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

async function outcome(read: Promise<Uint8Array>): Promise<number | string> {
  try {
    return Buffer.from(await read).readUInt16BE(0);
  } catch (error) {
    if (error instanceof BusError) return error.failure;
    throw error;
  }
}

describe('a serial line', () => {
  it('keeps the silence that the standard wants before a request', () => {
    // V1.02, 2.5.1.1: 3.5 characters of 11 bits; a fixed 1.750 ms above 19,200 bit/s.
    expect(frameSilenceMs(9_600)).toBeCloseTo(4.01, 2);
    expect(frameSilenceMs(2_400)).toBeCloseTo(16.04, 2);
    expect(frameSilenceMs(115_200)).toBe(1.75);
  });

  it('allows a slow line the time that an answer takes', () => {
    // 80 registers at 2400 bit/s: 173 characters of 4.58 ms.
    expect(transmissionMs(2_400, 80)).toBeCloseTo(793, 0);
  });
});

describe('RTU through a transparent serial server', () => {
  it('reads, whatever the pieces in which the bytes come', async () => {
    const { line } = await serialServer((frame, socket, index) => {
      const bytes = rtuAnswer(frame);
      if (index === 0) socket.write(bytes);
      else {
        socket.write(bytes.subarray(0, index));
        setTimeout(() => socket.write(bytes.subarray(index)), 5);
      }
    });
    for (let start = 0; start < 8; start++) {
      const read = line.read({ unit: 1, function: 4, start, count: 2 }, ANSWER_MS, 0);
      expect(await outcome(read)).toBe(0x4000 + start);
    }
  });

  it('passes over an echo, another unit’s frame, noise and joined frames, and counts them', async () => {
    const { line } = await serialServer((frame, socket, index) => {
      const good = rtuAnswer(frame);
      const foreign = rtuAnswer(Buffer.from([9, ...frame.subarray(1)]));
      const before = [frame, foreign, Buffer.from([0xff, 0, 0x81]), Buffer.concat([frame, foreign])][
        index % 4
      ];
      socket.write(Buffer.concat([before as Buffer, good]));
    });
    for (let start = 0; start < 8; start++) {
      const read = line.read({ unit: 1, function: 4, start, count: 2 }, ANSWER_MS, 0);
      expect(await outcome(read)).toBe(0x4000 + start);
    }
    expect(line.counters.echoes).toBe(4);
    expect(line.counters.strayBytes).toBeGreaterThan(0);
  });

  it('never takes a late answer for the one it asked for', async () => {
    const late: Buffer[] = [];
    const { line } = await serialServer((frame, socket, index) => {
      const answer = rtuAnswer(frame);
      if (index === 0) late.push(answer);
      else socket.write(Buffer.concat([...late.splice(0), answer]));
    });
    const ask = (start: number, count: number, timeoutMs = ANSWER_MS) =>
      outcome(line.read({ unit: 1, function: 4, start, count }, timeoutMs, 0));
    expect(await ask(10, 2, 100)).toBe('timeout');
    // The same length would be answered by the late frame: it is not asked at all.
    expect(await ask(20, 2)).toBe('owed');
    expect(await ask(20, 4)).toBe(0x4000 + 20);
    expect(await ask(30, 2)).toBe(0x4000 + 30);
  });

  it('discards half a frame and garbage, and is in step again with the next request', async () => {
    const { line } = await serialServer((frame, socket, index) => {
      const good = rtuAnswer(frame);
      if (index === 0) socket.write(good.subarray(0, 4));
      else if (index === 1) socket.write(Buffer.from('no modbus at all'));
      else if (index === 2) socket.write(Buffer.from(good).fill(0xaa, 5));
      else socket.write(good);
    });
    const one = reader(line, 1, { timeout_ms: 2_000 });
    for (let round = 0; round < 3; round++) {
      expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
      expect(one.health.lastMessage).toMatch(/bytes came that are no answer/);
      await until('the wait is over', () => !one.backingOff);
    }
    const patient = reader(line);
    expect(typeof (await sampleOf(patient))).toBe('object');
    expect(patient.health.online).toBe(true);
    await until('it is back', async () => typeof (await sampleOf(one)) === 'object');
    expect(one.health.online).toBe(true);
  });

  it('asks again when the server cuts the connection', async () => {
    const { line, sockets } = await serialServer((frame, socket, index) => {
      if (index === 1) socket.destroy();
      else socket.write(rtuAnswer(frame));
    });
    const ask = () => outcome(line.read({ unit: 1, function: 4, start: 1, count: 2 }, ANSWER_MS, 0));
    expect([await ask(), await ask(), await ask()]).toEqual([0x4001, 'connection', 0x4001]);
    expect(sockets.size).toBe(2);
  });
});

describe('a Modbus exception is taken by its meaning', () => {
  /** A device that answers each request with the exception of the moment. */
  async function refusing() {
    const state: { code: number | undefined } = { code: undefined };
    const { line, asked } = await serialServer((frame, socket) => {
      socket.write(state.code === undefined ? rtuAnswer(frame) : exception(frame, state.code));
    });
    return { state, one: reader(line), asked, line };
  }

  it('1, 2 and 3: configuration or profile are wrong; reported at once, asked again after a minute', async () => {
    for (const code of [1, 2, 3]) {
      const { state, one, asked } = await refusing();
      state.code = code;
      expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
      const before = asked();
      for (let round = 0; round < 20; round++) expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
      expect(asked()).toBe(before);
      expect(one.health).toMatchObject({ needsPerson: true, whatToDo: exceptionMeaning(code).whatToDo });
      expect(one.health.lastMessage).toContain('`profile`');
      expect(one.counters.misconfigured).toBe(1);
    }
  });

  it('5 and 6: the device works on it; asked again in the same sample, without holding up its neighbours', async () => {
    for (const code of [5, 6]) {
      const waits: number[] = [];
      let answered = 0;
      const { line } = await serialServer((frame, socket) => {
        if (frame[0] === 2) {
          answered++;
          socket.write(rtuAnswer(frame));
          return;
        }
        waits.push(answered);
        socket.write(waits.length < 3 ? exception(frame, code) : rtuAnswer(frame));
      });
      const [busy, other] = [reader(line, 1), reader(line, 2)];
      const result = sampleOf(busy);
      await until('the neighbour is served meanwhile', async () => {
        expect(typeof (await sampleOf(other))).toBe('object');
        return waits.length >= 3;
      });
      expect(typeof (await result)).toBe('object');
      expect(busy.counters.busy).toBe(2);
      // Between two questions to the busy one the other was answered.
      expect(waits[1]).toBeGreaterThan(waits[0] as number);
    }
  });

  it('4 and 8, and one that nobody knows: a fault of the device; asked again soon, then ever later', async () => {
    for (const code of [4, 8, 77]) {
      const { state, one } = await refusing();
      state.code = code;
      expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
      expect(one.health.needsPerson).toBeUndefined();
      expect(one.health.lastMessage).toContain(exceptionMeaning(code).whatToDo);
      state.code = undefined;
      await until('it is asked again', async () => typeof (await sampleOf(one)) === 'object');
      expect(one.health).toEqual({ online: true, failures: 0, lastSuccessMs: expect.any(Number) });
    }
  });

  it('10 and 11: the gateway speaks and the device is silent; the answer may still come and is not believed', async () => {
    for (const code of [10, 11]) {
      let count = 0;
      const { line } = await serialServer((frame, socket, index) => {
        if (index === 0) {
          count = frame.readUInt16BE(4);
          socket.write(exception(frame, code));
        } else {
          // What comes first is the answer to the question before.
          const late = rtuAnswer(Buffer.concat([frame.subarray(0, 4), Buffer.from([0, count])]));
          if (frame.readUInt16BE(4) === count) expect.unreachable('the same length was asked again');
          socket.write(Buffer.concat([late, rtuAnswer(frame)]));
        }
      });
      const one = reader(line);
      expect(await sampleOf(one)).toBe('METER_BUS_ERROR');
      expect(line.owedBy(1)).toEqual(new Set([count]));
      expect(one.health.lastMessage).toContain('gateway');
    }
  });

  it('each code that the standard defines says what to do', () => {
    expect(DEFINED_EXCEPTIONS).toEqual([1, 2, 3, 4, 5, 6, 8, 10, 11]);
    for (const code of [...DEFINED_EXCEPTIONS, 200]) {
      expect(exceptionMeaning(code).whatToDo.length).toBeGreaterThan(20);
    }
  });
});

describe('devices that answer nothing', () => {
  it('take a fifth of the line at most, all together', async () => {
    // A clock that runs fifty times as fast: the 20 ms after which a request is given up are a second.
    const clock = () => performance.now() * 50;
    const asked = new Map<number, number>();
    const server = createServer((socket) => {
      socket.on('data', (bytes: Buffer) => {
        const unit = bytes[0] as number;
        asked.set(unit, (asked.get(unit) ?? 0) + 1);
        if (unit === 1) socket.write(rtuAnswer(bytes));
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const line = new ModbusLine({ type: 'rtu_over_tcp', host: '127.0.0.1', port }, clock);
    endings.push(() => server.close());
    endings.push(() => line.close());
    const devices = Array.from({ length: 16 }, (_, index) => {
      const config = {
        role: 'grid' as const,
        profile: anonymous.id,
        unit: index + 1,
        connection: { type: 'tcp' as const, host: 'unused', port: 1 },
        timeout_ms: index === 0 ? ANSWER_MS : 20,
        gap_ms: 0,
      };
      return new DeviceReader(config, anonymous, line, Date.now, clock);
    });
    const began = clock();
    let rounds = 0;
    const everyoneAgain = () => devices.every(({ config: { unit } }) => (asked.get(unit) ?? 0) > 1);
    // Long enough to count, and until each was asked again: none is given up.
    while (clock() - began < 250_000 || !everyoneAgain()) {
      const roundBegan = clock();
      for (const device of devices) await sampleOf(device);
      rounds++;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, (1_000 - (clock() - roundBegan)) / 50)));
    }
    // Each request that nobody answered took a second at least; a busy machine only makes them fewer. A fifth of the
    // time, what may be used up at the beginning, and the request that goes beyond.
    const unanswered = [...asked].reduce((sum, [unit, times]) => sum + (unit === 1 ? 0 : times), 0);
    expect(unanswered * 1_000).toBeLessThan((clock() - began) / 5 + 25_000);
    expect(asked.get(1)).toBeGreaterThanOrEqual(rounds);
  });
});

describe('what a device is', () => {
  /** A device with a serial number and settings of its own. */
  async function device(own: MeterProfile, registers: (code: number, address: number) => number | undefined) {
    const { line, asked } = await serialServer((frame, socket) => {
      const [start, count] = [frame.readUInt16BE(2), frame.readUInt16BE(4)];
      const words = Array.from({ length: count }, (_, index) => registers(frame[1] as number, start + index));
      if (words.some((word) => word === undefined)) {
        socket.write(exception(frame, 2));
        return;
      }
      const bytes = (words as number[]).flatMap((word) => [word >> 8, word & 0xff]);
      socket.write(withCrc([frame[0] as number, frame[1] as number, count * 2, ...bytes]));
    });
    return { one: reader(line, 1, {}, own), asked };
  }

  it('is read with the first sample, after each failure, and when somebody asks', async () => {
    let serial = 0x1234;
    const { one, asked } = await device(profile, (code, address) =>
      code === 3 ? (address === 0xfc01 ? serial : 0) : 0x4000 + address,
    );
    expect((await one.sample()).serialNumber).toBe(String(0x1234));
    const before = asked();
    serial = 0x5678;
    expect((await one.sample()).serialNumber).toBe(String(0x1234));
    expect(asked()).toBe(before + 1);
    one.askIdentity();
    expect((await one.sample()).serialNumber).toBe(String(0x5678));
  });

  it('is unknown where the device has no such register, and that is no failure', async () => {
    const { one, asked } = await device(profile, (code, address) =>
      code === 3 ? undefined : 0x4000 + address,
    );
    for (let round = 0; round < 3; round++) {
      const sample = await sampleOf(one);
      if (typeof sample === 'string') throw new Error(sample);
      expect(sample.serialNumber).toBeUndefined();
    }
    expect(asked()).toBe(4);
  });

  it('is refused while a setting on which the registers depend is another', async () => {
    const own: MeterProfile = {
      ...anonymous,
      assumes: [
        {
          name: 'Measurement mode',
          function_code: 3,
          address: '0xF920',
          type: 'uint16',
          equals: [1, 4],
          otherwise: 'export is counted as import: set the mode to 1',
        },
      ],
    };
    let mode = 3;
    const { one } = await device(own, (code, address) => (code === 3 ? mode : 0x4000 + address));
    expect(await sampleOf(one)).toBe('METER_VALUE_INVALID');
    expect(one.health).toMatchObject({ needsPerson: true, whatToDo: own.assumes?.[0]?.otherwise });
    mode = 4;
    expect(typeof (await sampleOf(one))).toBe('object');
    expect(one.health.needsPerson).toBeUndefined();
  });
});

describe.skipIf(!socatInstalled())('a serial port that vanishes', () => {
  it('is opened again when it is back, whatever it was doing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-serial-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    const link = join(folder, 'tty');
    const plug = async () => {
      const serial = new SerialDevice(link, (_unit, address) => 0x4000 + address);
      await serial.start();
      return serial;
    };
    let serial = await plug();
    endings.push(() => serial.stop());
    const line = new ModbusLine({
      type: 'rtu',
      path: link,
      baudRate: 9600,
      parity: 'none',
      dataBits: 8,
      stopBits: 1,
    });
    endings.push(() => line.close());
    const one = reader(line, 1, { timeout_ms: 1_000 });
    await until('it reads', async () => typeof (await sampleOf(one)) === 'object');
    for (let round = 0; round < 3; round++) {
      // Pulled while nothing is asked, then with a request under way, then between two attempts to open it.
      const asking = round === 1 ? sampleOf(one) : undefined;
      await serial.stop();
      rmSync(link, { force: true });
      await asking;
      await until('the loss is noticed', async () => (await sampleOf(one)) === 'METER_BUS_ERROR');
      await until('it is named', async () => {
        await sampleOf(one);
        return one.health.lastMessage?.includes(link) ?? false;
      });
      serial = await plug();
      await until('it reads again', async () => typeof (await sampleOf(one)) === 'object');
    }
    expect(line.counters.connects).toBeGreaterThanOrEqual(4);
  });
});
