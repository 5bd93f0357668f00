import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Aedes } from 'aedes';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newDataDir, removeDataDir, runGtx } from '../support/up.js';

const RETAINED = 40;
const dataDir = newDataDir();
let broker: Aedes;
let server: ReturnType<typeof createServer>;

beforeAll(async () => {
  broker = await Aedes.createBroker();
  // All that one turn of the broker writes leaves in one segment, so that messages come together.
  server = createServer((socket) => {
    const write = socket.write.bind(socket);
    socket.write = ((...args: Parameters<typeof write>) => {
      if (socket.writableCorked === 0) {
        socket.cork();
        setImmediate(() => socket.uncork());
      }
      return write(...args);
    }) as typeof socket.write;
    broker.handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (let at = 0; at < RETAINED; at += 1) {
    await new Promise<void>((resolve, reject) => {
      broker.publish(
        {
          cmd: 'publish',
          topic: `gtx/v1/MTR-${at}/status`,
          payload: Buffer.from('{}'),
          qos: 0,
          retain: true,
          dup: false,
        },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  }
});

afterAll(async () => {
  await new Promise<void>((resolve) => broker.close(resolve));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  removeDataDir(dataDir);
});

it('gtx watch shows as many messages as it was told, also when more come at once', async () => {
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const count of [1, 2, 5]) {
    const { code, stdout, stderr } = await runGtx(
      ['watch', '--mqtt', url, '--count', String(count), '--json'],
      { dataDir },
    );
    expect(code, stderr).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(count);
  }
}, 60_000);
