import { createServer, type Server, type Socket } from 'node:net';
import { loadProfile } from '@gridtokenx/firmware-profiles';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceReader } from './measure.js';
import { ModbusLine } from './modbus-line.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const text = (value: string, registers: number) =>
  Array.from(
    { length: registers },
    (_, index) => ((value.charCodeAt(2 * index) || 0) << 8) | (value.charCodeAt(2 * index + 1) || 0),
  );
const common = (serial: string) => [
  1,
  66,
  ...text('Maker', 16),
  ...text('Model', 16),
  ...text('', 8),
  ...text('1.0', 8),
  ...text(serial, 16),
  1,
  0x8000,
];
/** A model of SunSpec's reference: id, length, then words at offsets from the id on. */
const model = (id: number, length: number, points: Record<number, number[]>) => {
  const words = [id, length, ...Array<number>(length).fill(0x8000)];
  for (const [offset, content] of Object.entries(points)) {
    for (const [index, word] of content.entries()) words[Number(offset) + index] = word & 0xffff;
  }
  return words;
};
/** Model 103: PhVphA 10 to 12 with V_SF 13, W 14, Hz 16, WH 24 and their scale factors. */
const inverter = (wattHours: number, factor = 0) =>
  model(103, 50, {
    10: [2301, 2302, 2303, -1],
    14: [4321, 0],
    16: [5000, -2],
    24: [wattHours >>> 16, wattHours & 0xffff, factor],
  });
const image = (...models: number[][]) => [0x5375, 0x6e53, ...models.flat(), 0xffff, 0];

/** A Modbus TCP device that holds words from 40000 on. */
class Device {
  words: number[] = [];
  /** Answered to every request while set. */
  exception: number | undefined;
  asked = 0;
  private server: Server | undefined;

  async start(): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      let held = Buffer.alloc(0);
      socket.on('data', (bytes) => {
        held = Buffer.concat([held, bytes]);
        while (held.length >= 12) {
          socket.write(this.answer(held.subarray(0, 12)));
          held = held.subarray(12);
        }
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(() => {
      for (const socket of sockets) socket.destroy();
      this.server?.close();
    });
    return (server.address() as { port: number }).port;
  }

  /** A request of 12 bytes: transaction, protocol, length, unit, function code, address, count. */
  private answer(request: Buffer): Buffer {
    this.asked++;
    const [code, address, count] = [
      request[7] as number,
      request.readUInt16BE(8) - 40_000,
      request.readUInt16BE(10),
    ];
    const there = code === 3 && address >= 0 && address + count <= this.words.length;
    const refusal = this.exception ?? (there ? undefined : 2);
    const body =
      refusal === undefined
        ? [
            code,
            count * 2,
            ...this.words.slice(address, address + count).flatMap((word) => [word >> 8, word & 255]),
          ]
        : [code | 0x80, refusal];
    const head = Buffer.from(request.subarray(0, 7));
    head.writeUInt16BE(body.length + 1, 4);
    return Buffer.concat([head, Buffer.from(body)]);
  }
}

async function gateway(words: number[]) {
  const device = new Device();
  device.words = words;
  const port = await device.start();
  const line = new ModbusLine({ type: 'tcp', host: '127.0.0.1', port });
  endings.push(() => line.close());
  let clock = 0;
  const reader = new DeviceReader(
    {
      role: 'production',
      profile: 'sunspec-inverter',
      unit: 1,
      connection: { type: 'tcp', host: 'unused', port: 1 },
      timeout_ms: 20_000,
      gap_ms: 0,
    },
    loadProfile('sunspec-inverter'),
    line,
    Date.now,
    () => clock,
  );
  const sample = async () => {
    // Past every backoff.
    clock += 3_600_000;
    try {
      return await reader.sample();
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { device, reader, sample };
}

const NKWH_PER_WH = 1_000_000n;

describe('a device that speaks SunSpec', () => {
  it('is found by its models, read where they stand, and walked once', async () => {
    const { device, reader, sample } = await gateway(
      image(common('S-1'), model(64_001, 10, {}), inverter(1_234_567)),
    );
    expect(reader.registerLimits('produced').rolloverNkwh).toBeUndefined();
    expect(await sample()).toMatchObject({
      produced: 1_234_567n * NKWH_PER_WH,
      // Given power is negative import.
      powerWatts: -4321,
      voltageVolts: [230.1, 230.2, 230.3],
      frequencyHertz: 50,
      serialNumber: 'S-1',
    });
    expect(reader.registerLimits('produced').rolloverNkwh).toBe(2n ** 32n * NKWH_PER_WH);
    const { asked } = device;
    device.words = image(common('S-1'), model(64_001, 10, {}), inverter(1_234_999));
    expect(await sample()).toMatchObject({ produced: 1_234_999n * NKWH_PER_WH });
    // One block, and the serial number, which was due after so long a time.
    expect(device.asked - asked).toBeLessThanOrEqual(2);
  });

  it('is walked again when it was away and its models have moved, and nothing is counted in between', async () => {
    const { device, sample } = await gateway(image(common('S-1'), inverter(1_000)));
    expect(await sample()).toMatchObject({ produced: 1_000n * NKWH_PER_WH });
    device.exception = 4;
    expect(await sample()).toBe('METER_BUS_ERROR');
    device.exception = undefined;
    // After an update another model stands before it; where energy was there is something else now.
    device.words = image(common('S-1'), model(120, 26, {}), inverter(1_500));
    expect(await sample()).toBe('METER_VALUE_INVALID');
    expect(await sample()).toMatchObject({ produced: 1_500n * NKWH_PER_WH, serialNumber: 'S-1' });
  });

  it('is walked again when it refuses the registers that it had', async () => {
    const { device, sample } = await gateway(image(common('S-1'), model(64_001, 40, {}), inverter(1_000)));
    expect(await sample()).toMatchObject({ produced: 1_000n * NKWH_PER_WH });
    device.words = image(common('S-1'), inverter(1_001));
    expect(await sample()).toBe('METER_BUS_ERROR');
    expect(await sample()).toMatchObject({ produced: 1_001n * NKWH_PER_WH });
  });

  it('takes over a changed scale factor at once', async () => {
    const { device, sample } = await gateway(image(common('S-1'), inverter(10_000, 0)));
    expect(await sample()).toMatchObject({ produced: 10_000n * NKWH_PER_WH });
    device.words = image(common('S-1'), inverter(1_001, 1));
    expect(await sample()).toMatchObject({ produced: 10_010n * NKWH_PER_WH });
  });

  it('moves in steps of its scale factor, once two samples have said so', async () => {
    const { device, reader, sample } = await gateway(image(common('S-1'), inverter(10_000, 1)));
    expect(reader.registerLimits('produced').stepNkwh).toBeUndefined();
    await sample();
    expect(reader.registerLimits('produced').stepNkwh).toBe(10n * NKWH_PER_WH);
    device.words = image(common('S-1'), inverter(1_000, 2));
    await sample();
    expect(reader.registerLimits('produced').stepNkwh).toBe(10n * NKWH_PER_WH);
    await sample();
    expect(reader.registerLimits('produced').stepNkwh).toBe(100n * NKWH_PER_WH);
  });

  it('counts nothing while its energy has no scale factor', async () => {
    const { sample } = await gateway(image(common('S-1'), inverter(1_000, 0x8000)));
    expect(await sample()).toBe('METER_VALUE_INVALID');
  });

  it.each([
    ['no SunSpec', [1, 2, 3]],
    ['no model of the profile', image(common('S-1'), model(64_001, 4, {}))],
    ['a broken chain', [0x5375, 0x6e53, 103, 50]],
  ])('needs somebody when it has %s, and is left alone meanwhile', async (_, words) => {
    const { device, reader, sample } = await gateway(words);
    expect(await sample()).toBe('METER_VALUE_INVALID');
    expect(reader.health).toMatchObject({ online: false, needsPerson: true });
    expect(reader.health.whatToDo).toMatch(/SunSpec/);
    expect(reader.backingOff).toBe(true);
    const { asked } = device;
    await expect(reader.sample()).rejects.toMatchObject({ code: 'METER_BUS_ERROR' });
    expect(device.asked).toBe(asked);
    device.words = image(common('S-1'), inverter(7));
    expect(await sample()).toMatchObject({ produced: 7n * NKWH_PER_WH });
    expect(reader.health.needsPerson).toBeUndefined();
  });

  it('is no failure of the configuration while it does not answer', async () => {
    const { device, reader, sample } = await gateway(image(common('S-1'), inverter(7)));
    device.exception = 11;
    expect(await sample()).toBe('METER_BUS_ERROR');
    expect(reader.health.needsPerson).toBeUndefined();
    device.exception = undefined;
    // Exception 11 of a gateway leaves an answer owed: the next question has another length.
    expect(await sample()).toMatchObject({ produced: 7n * NKWH_PER_WH });
  });
});
