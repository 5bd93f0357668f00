import { request } from 'node:http';
import { connect } from 'node:net';
import { Keypair, SystemProgram, Transaction } from '@solana/web3.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startLocalnet } from './localnet.js';
import { MAX_BATCH, MAX_REQUEST_BYTES } from './server.js';
import { fund, rpc, silent, startTestNet, type TestNet, temporaryDirectory } from './test-support.js';

let net: TestNet;
beforeAll(async () => {
  net = await startTestNet({ allowedOrigins: ['http://localhost:5173'] });
});
afterAll(() => net.close());

const HEALTH = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getHealth' });

/** A request with any headers, Host included (which fetch does not allow). */
function send(
  headers: Record<string, string>,
  options: { method?: string; path?: string; body?: string } = {},
) {
  const { port } = new URL(net.localnet.rpcUrl);
  return new Promise<{ status: number; text: string; headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const call = request(
        { host: '127.0.0.1', port, method: options.method ?? 'POST', path: options.path ?? '/', headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
          );
        },
      );
      call.on('error', reject);
      call.end(options.method === 'GET' ? undefined : (options.body ?? HEALTH));
    },
  );
}

const JSON_TYPE = { 'content-type': 'application/json' };

function upgrade(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('open', () => {
      socket.close();
      resolve(101);
    });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', reject);
  });
}

describe('who may come in', () => {
  test.each(['0.0.0.0', '192.168.1.5', '::', 'example.org', ''])('refuses to listen on %j', async (host) => {
    const dataDir = temporaryDirectory();
    await expect(startLocalnet({ dataDir, host, logger: silent })).rejects.toThrow('loopback');
  });

  test('takes loopback names in the Host header and no others', async () => {
    for (const host of ['localhost', '127.0.0.1:1', '[::1]:8899', 'LOCALHOST:80']) {
      expect((await send({ ...JSON_TYPE, host })).status, host).toBe(200);
    }
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', '10.0.0.1', '[::2]']) {
      expect((await send({ ...JSON_TYPE, host })).status, host).toBe(403);
      expect((await send({ host }, { method: 'GET', path: '/metrics' })).status, host).toBe(403);
    }
  });

  test('answers web pages only from origins that were asked for', async () => {
    expect((await send({ ...JSON_TYPE, origin: 'http://evil.example' })).status).toBe(403);
    expect((await send({ ...JSON_TYPE, origin: 'null' })).status).toBe(403);
    expect((await send({ ...JSON_TYPE, origin: 'http://localhost:3000' })).status).toBe(403);
    const allowed = await send({ ...JSON_TYPE, origin: 'http://localhost:5173' });
    expect(allowed.status).toBe(200);
    expect(allowed.headers['access-control-allow-origin']).toBe('http://localhost:5173');
    const plain = await send(JSON_TYPE);
    expect(plain.headers['access-control-allow-origin']).toBeUndefined();
    // What a page may send without asking first: never JSON.
    expect((await send({ 'content-type': 'text/plain' })).status).toBe(415);
    const preflight = await send({ origin: 'http://evil.example' }, { method: 'OPTIONS' });
    expect(preflight.status).toBe(403);
  });

  test('holds WebSocket to the same rules, on both ports', async () => {
    const ownPort = net.localnet.rpcUrl.replace('http', 'ws');
    expect(Number(new URL(net.localnet.wsUrl).port)).toBe(Number(new URL(ownPort).port) + 1);
    for (const url of [net.localnet.wsUrl, ownPort]) {
      expect(await upgrade(url, {})).toBe(101);
      expect(await upgrade(url, { origin: 'http://localhost:5173' })).toBe(101);
      expect(await upgrade(url, { origin: 'http://evil.example' })).toBe(403);
      expect(await upgrade(url, { host: 'evil.example' })).toBe(403);
    }
  });
});

describe('limits', () => {
  test('bodies up to the limit, announced or not', async () => {
    const body = (size: number) => HEALTH.replace('}', `,"x":"${'x'.repeat(size - HEALTH.length - 7)}"}`);
    expect(Buffer.byteLength(body(MAX_REQUEST_BYTES))).toBe(MAX_REQUEST_BYTES);
    expect((await send(JSON_TYPE, { body: body(MAX_REQUEST_BYTES) })).status).toBe(200);
    expect((await send(JSON_TYPE, { body: body(MAX_REQUEST_BYTES + 1) })).status).toBe(413);
    const chunked = { ...JSON_TYPE, 'transfer-encoding': 'chunked' };
    expect((await send(chunked, { body: body(MAX_REQUEST_BYTES + 1) })).status).toBe(413);
  });

  test('batches up to the limit', async () => {
    const batch = (count: number) => ({ body: `[${Array(count).fill(HEALTH).join(',')}]` });
    expect(JSON.parse((await send(JSON_TYPE, batch(MAX_BATCH))).text)).toHaveLength(MAX_BATCH);
    expect(JSON.parse((await send(JSON_TYPE, batch(MAX_BATCH + 1))).text)).toMatchObject({
      error: { code: -32600 },
    });
  });

  test('a WebSocket message that is too large ends the connection, and no other', async () => {
    const socket = new WebSocket(net.localnet.wsUrl);
    await new Promise((resolve) => socket.on('open', resolve));
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    socket.send('x'.repeat(100_000));
    expect(await closed).toBe(1009);
    expect((await rpc(net.localnet.rpcUrl, 'getHealth')).result).toBe('ok');
  });
});

test('tells clients that it keeps idle connections longer than web3.js does', async () => {
  const { headers } = await send({ ...JSON_TYPE, connection: 'keep-alive' });
  expect(Number(/timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1])).toBeGreaterThan(20);
});

test('serves health and metrics', async () => {
  await rpc(net.localnet.rpcUrl, 'getSlot');
  await rpc(net.localnet.rpcUrl, 'getMoon');
  expect((await send({}, { method: 'GET', path: '/health' })).text).toBe('ok');
  expect(JSON.parse((await send({}, { method: 'GET', path: '/healthz' })).text)).toMatchObject({
    component: 'localnet',
    genesis_hash: net.localnet.genesisHash,
    status: 'ok',
  });
  const { text } = await send({}, { method: 'GET', path: '/metrics' });
  expect(text).toMatch(/^gtx_localnet_healthy 1$/m);
  expect(text).toMatch(/^gtx_localnet_rpc_requests_total\{method="getSlot",code="0"\} \d+$/m);
  expect(text).toMatch(/^gtx_localnet_rpc_requests_total\{method="unknown",code="-32601"\} \d+$/m);
  expect(text).not.toContain('getMoon');
});

test('finds a free pair of ports, and says when a wanted one is taken', async () => {
  const other = await startTestNet();
  try {
    expect(other.localnet.genesisHash).not.toBe(net.localnet.genesisHash);
    const port = Number(new URL(net.localnet.rpcUrl).port);
    const dataDir = temporaryDirectory();
    await expect(startLocalnet({ dataDir, port, logger: silent })).rejects.toThrow('EADDRINUSE');
    // The port above a free one may be taken: by this localnet's WebSocket.
    await expect(startLocalnet({ dataDir, port: port + 1, logger: silent })).rejects.toThrow('EADDRINUSE');
  } finally {
    await other.close();
  }
});

test('a data directory belongs to one process', async () => {
  await expect(startLocalnet({ dataDir: net.dataDir, logger: silent })).rejects.toThrow(
    'in use by another process',
  );
});

test('stops although clients hold connections open', async () => {
  const other = await startTestNet();
  const socket = new WebSocket(other.localnet.wsUrl);
  await new Promise((resolve) => socket.on('open', resolve));
  const raw = connect(Number(new URL(other.localnet.rpcUrl).port), '127.0.0.1');
  await new Promise((resolve) => raw.on('connect', resolve));
  raw.on('error', () => raw.destroy());
  await other.close();
  socket.terminate();
  raw.destroy();
});

test('property: damaged transactions are refused in JSON and never hurt the node', async () => {
  const payer = Keypair.generate();
  await fund(net.connection, payer, 1);
  const { blockhash } = await net.connection.getLatestBlockhash();
  const transaction = new Transaction({ recentBlockhash: blockhash, feePayer: payer.publicKey }).add(
    SystemProgram.transfer({
      fromPubkey: payer.publicKey,
      toPubkey: Keypair.generate().publicKey,
      lamports: 5,
    }),
  );
  transaction.sign(payer);
  const wire = transaction.serialize();
  const change = fc.record({ at: fc.nat(wire.length - 1), to: fc.integer({ min: 0, max: 255 }) });
  const damaged = fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    const copy = Buffer.from(wire);
    for (const { at, to } of changes) copy[at] = to;
    return copy;
  });
  await fc.assert(
    fc.asyncProperty(fc.array(damaged, { minLength: 60, maxLength: 60 }), async (transactions) => {
      const body = transactions.flatMap((bytes, id) => [
        {
          jsonrpc: '2.0',
          id,
          method: 'sendTransaction',
          params: [bytes.toString('base64'), { encoding: 'base64', skipPreflight: true }],
        },
        {
          jsonrpc: '2.0',
          id,
          method: 'simulateTransaction',
          params: [bytes.toString('base64'), { encoding: 'base64' }],
        },
      ]);
      const { status, text } = await send(JSON_TYPE, { body: JSON.stringify(body) });
      expect(status).toBe(200);
      for (const answer of JSON.parse(text)) {
        if (answer.error) expect([-32602, -32002]).toContain(answer.error.code);
      }
    }),
    { numRuns: 15 },
  );
  expect((await rpc(net.localnet.rpcUrl, 'getHealth')).result).toBe('ok');
});
