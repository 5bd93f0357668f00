import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { expect, it } from 'vitest';
import { freePort, freePortPair } from './port.js';

const listen = async (port: number): Promise<Server> => {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

it('gives ports that servers can have, that nobody gets who asks for any, and each once', async () => {
  const firsts = await Promise.all([freePort(), ...Array.from({ length: 50 }, freePortPair)]);
  const ports = firsts.flatMap((port, index) => (index === 0 ? [port] : [port, port + 1]));
  expect(new Set(ports).size).toBe(ports.length);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(20_000);
  expect(Math.max(...ports)).toBeLessThan(30_000);
  const servers = await Promise.all(ports.map(listen));
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
});

it('keeps them for this process', async () => {
  const port = await freePortPair();
  for (const taken of [port, port + 1]) {
    const other = createSocket('udp4').bind({ port: taken, address: '127.0.0.1', exclusive: true });
    const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('EADDRINUSE');
    other.close();
  }
});
