import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { refuseUnreadable } from './errors.js';

const server = createServer(
  { headersTimeout: 200, requestTimeout: 200, connectionsCheckingInterval: 50 },
  (_request, response) => response.end(),
).on('clientError', (error, socket) => refuseUnreadable(error, socket as Socket));

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

/** All that the server says until it closes the connection, to a client that sends this and then waits. */
async function told(sent: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  if (sent !== '') socket.write(sent);
  await once(socket, 'close');
  return text;
}

test('a connection that asks nothing is closed without a word: it would be taken for the answer to what is asked later', async () => {
  expect(await told('')).toBe('');
});

test('half a request is told that it took too long', async () => {
  expect(await told('GET / HTTP/1.1\r\nHost: a')).toMatch(/^HTTP\/1\.1 504 [\s\S]*"TIMEOUT"/);
});
