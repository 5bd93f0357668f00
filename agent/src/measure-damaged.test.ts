import { createServer, type Socket } from 'node:net';
import { loadProfile } from '@gridtokenx/firmware-profiles';
import { afterEach, expect, it, vi } from 'vitest';
import { DeviceReader } from './measure.js';
import { crc16 } from './modbus-frames.js';
import { ModbusLine } from './modbus-line.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const end of endings.splice(0).reverse()) await end();
});

/** A serial line behind a server: a device at address 1 whose answers come as they are told to. */
async function line(answers: () => 'damaged' | 'silent'): Promise<{ port: number; asked: () => number }> {
  let asked = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      asked++;
      if (answers() === 'silent') return;
      const count = request.readUInt16BE(4);
      const frame = Buffer.alloc(3 + 2 * count + 2);
      frame.set([1, request[1] as number, 2 * count]);
      frame.writeUInt16LE(crc16(frame, 0, frame.length - 2) ^ 0x0101, frame.length - 2);
      socket.write(frame);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, asked: () => asked };
}

const LIMIT_MS = 200;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('a device whose answers come damaged is asked again within seconds, however often, and though some do not come at all', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let kind: 'damaged' | 'silent' = 'damaged';
  const { port, asked } = await line(() => kind);
  let clockMs = 1_000_000;
  const bus = new ModbusLine({ type: 'rtu_over_tcp', host: '127.0.0.1', port }, () => clockMs);
  endings.push(() => bus.close());
  const profile = loadProfile('eastron-sdm630');
  const reader = new DeviceReader(
    {
      role: 'grid',
      profile: profile.id,
      unit: 1,
      timeout_ms: LIMIT_MS,
      gap_ms: 0,
      connection: { type: 'rtu_over_tcp', host: '127.0.0.1', port },
    },
    profile,
    bus,
    () => clockMs,
    () => clockMs,
  );
  /** Fails, and tells after how many ms it would be asked again. */
  const waitAfter = async (how: 'damaged' | 'silent'): Promise<number> => {
    kind = how;
    const before = asked();
    const received = () => (Reflect.get(bus, 'received') as Buffer).length;
    const failed = expect(reader.sample()).rejects.toMatchObject({ code: 'METER_BUS_ERROR' });
    // The time is over when what comes has come, and not before.
    while (asked() === before || (how === 'damaged' && received() === 0)) await nextTurn();
    vi.advanceTimersByTime(LIMIT_MS);
    await failed;
    const begun = clockMs;
    const notBefore = Reflect.get(reader, 'notBeforeMs') as number;
    clockMs = Math.max(clockMs, notBefore);
    return clockMs - begun;
  };
  const damaged: number[] = [];
  for (let attempt = 0; attempt < 12; attempt++) damaged.push(await waitAfter('damaged'));
  expect(damaged.slice(0, 3)).toEqual([1_000, 2_000, 4_000]);
  expect(Math.max(...damaged)).toBe(4_000);
  // Half of them do not come at all: never long, since in between it was heard.
  for (let attempt = 0; attempt < 6; attempt++) {
    expect(await waitAfter('silent')).toBe(1_000);
    expect(await waitAfter('damaged')).toBe(4_000);
  }
  // A device that is gone is left alone for longer and longer.
  const silent: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) silent.push(await waitAfter('silent'));
  expect(silent).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});
