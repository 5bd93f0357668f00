import { getEventListeners } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterEach, describe, expect, it } from 'vitest';
import { openSocket, type WireEvents } from './modbus-wire.js';

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});

/** A port of this machine, and the connections that are made to it. */
async function listen(accept: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer(accept);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

const quiet: WireEvents = { data: () => undefined, lost: () => undefined };
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('a TCP connection', () => {
  it('leaves nothing behind at the signal of its line: not when it is refused, lost or closed', async () => {
    const { signal } = new AbortController();
    const dead = { host: '127.0.0.1', port: await freePort() };
    for (let k = 0; k < 20; k++)
      await expect(openSocket(dead, quiet, signal)).rejects.toThrow('ECONNREFUSED');
    expect(listeners(signal)).toBe(0);

    const alive = await listen((socket) => socket.on('error', () => undefined));
    for (let k = 0; k < 20; k++) await (await openSocket(alive, quiet, signal)).close();
    expect(listeners(signal)).toBe(0);

    const hangsUp = await listen((socket) => void socket.destroy());
    for (let k = 0; k < 20; k++) {
      await new Promise<void>((lost) => void openSocket(hangsUp, { ...quiet, lost: () => lost() }, signal));
    }
    expect(listeners(signal)).toBe(0);
  });

  it('ends with its line, also while it is being made, and is not made for a line that has ended', async () => {
    const ended = new AbortController();
    const accepted: Socket[] = [];
    const alive = await listen((socket) => void accepted.push(socket.on('error', () => undefined)));
    const lost = new Promise<void>((resolve) => {
      void openSocket(alive, { ...quiet, lost: () => resolve() }, ended.signal).then(() => ended.abort());
    });
    await lost;
    const during = new AbortController();
    const attempt = openSocket(alive, quiet, during.signal);
    during.abort();
    await expect(attempt).rejects.toThrow('aborted');
    await expect(openSocket(alive, quiet, during.signal)).rejects.toThrow('aborted');
    for (const socket of accepted) socket.destroy();
  });
});
