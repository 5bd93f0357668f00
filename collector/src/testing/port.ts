import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below those that systems give to outgoing connections (RFC 6335 lets them begin at 49152, Linux begins at 32768): what asks
 * for "any port" never gets one of these.
 */
const FIRST = 20_000;
const COUNT = 10_000;

/**
 * A port for a server that cannot choose one itself, free for TCP on 127.0.0.1 and kept for this process as long as it
 * lives: other tests' processes that ask here do not get it, however long the server takes to start, or is down.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    // UDP has ports of its own: whoever holds the one of this number holds its place.
    if ((await hold(port)) && (await takesServer(port))) return port;
  }
}

function hold(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      resolve(true);
    });
  });
}

function takesServer(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
