import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below those that systems give to outgoing connections (RFC 6335 lets them begin at 49152, Linux begins at 32768): what asks
 * for "any port" never gets one of these.
 */
const FIRST = 20_000;
const COUNT = 10_000;

/**
 * A port for a server that cannot choose one itself, or comes back to its port after it was down: free for TCP on 127.0.0.1
 * and kept for this process as long as it lives. Other tests' processes that ask here do not get it, however long the server
 * takes to start, or is down.
 */
export const freePort = (): Promise<number> => freePorts(1);

/** The first of two such ports, one above the other: localnet takes the second for WebSocket. */
export const freePortPair = (): Promise<number> => freePorts(2);

async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = FIRST + Math.floor(Math.random() * (COUNT - count + 1));
    const held: Socket[] = [];
    for (let port = first; port < first + count; port += 1) {
      // UDP has ports of its own: whoever holds the one of this number holds its place.
      const socket = await hold(port);
      if (socket === undefined) break;
      held.push(socket);
      if (!(await takesServer(port))) break;
      if (port === first + count - 1) return first;
    }
    for (const socket of held) socket.close();
  }
}

function hold(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      resolve(socket);
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
