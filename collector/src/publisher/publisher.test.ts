import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  confirmTransaction,
  fetchFeed,
  instructions,
  ORACLE_PROGRAM_ID,
  openConnection,
  sendAndConfirm,
  setUpFeed,
  writeKeypairFile,
} from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { GtxError } from '@gridtokenx/protocol';
import { type Connection, Keypair, LAMPORTS_PER_SOL } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadPublisherConfig, type PublisherConfig, PublisherSettings } from './config.js';
import { startPublisher } from './publisher.js';

/* The publisher against a chain with the compiled oracle, and sources that lie, lag and fail. */

const ONE = 1_000_000_000n;
const quiet = pino({ level: 'silent' });
const authority = Keypair.generate();
let folder: string;
let chain: Localnet;
let connection: Connection;
/** Added to the wall clock of chain and publisher. */
let aheadMs = 0;
const now = () => Date.now() + aheadMs;
let feeds = 0;
let symbol: string;
let key: Keypair;
let keyFile: string;
const running: { stop(): Promise<void> }[] = [];

const settings = {
  maxAgeSeconds: 600,
  guardSeconds: 600,
  maxDeviationBps: 5_000,
  minPublishers: 1,
  overridePublishers: 0,
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-publisher-'));
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: [
      {
        id: ORACLE_PROGRAM_ID.toBase58(),
        soPath: fileURLToPath(new URL('../../../programs/artifacts/oracle.so', import.meta.url)),
      },
    ],
    upgradeAuthority: authority.publicKey.toBase58(),
    logger: quiet,
    now,
  });
  connection = openConnection(chain.rpcUrl);
  await fund(authority);
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  feeds += 1;
  symbol = `TEST/${feeds}`;
  key = Keypair.generate();
  keyFile = join(folder, `key-${feeds}.json`);
  writeKeypairFile(keyFile, key);
  await fund(key);
  await setUpFeed(connection, {
    authority,
    guardian: authority.publicKey,
    symbol,
    settings,
    publishers: [key.publicKey],
  });
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

async function fund(wallet: Keypair): Promise<void> {
  const signature = await connection.requestAirdrop(wallet.publicKey, LAMPORTS_PER_SOL);
  await confirmTransaction(connection, { signature, lastValidBlockHeight: Number.MAX_SAFE_INTEGER });
}

const feed = async () => {
  const found = await fetchFeed(connection, symbol);
  if (!found) throw new Error('no feed');
  return found;
};
const price = async () => (await feed()).price;
const eventually = <T>(probe: () => T | Promise<T>) => vi.waitFor(probe, { timeout: 120_000, interval: 30 });

const file = (name = 'price.json') => join(folder, `${feeds}-${name}`);
const write = (text: string, name?: string) => writeFileSync(file(name), text);

/** A configuration that asks its sources all the time. */
function config(wish: { sources: unknown[]; [setting: string]: unknown }): PublisherConfig {
  const parsed = PublisherSettings.parse({
    rpc_url: chain.rpcUrl,
    key_file: keyFile,
    symbol,
    min_price: '0.5',
    max_price: '20',
    ...wish,
  });
  return { ...parsed, poll_seconds: 0.03 };
}
async function start(wish: Parameters<typeof config>[0]) {
  const started = await startPublisher(config(wish), { logger: quiet, now });
  running.push(started);
  return started;
}
const fileSource = (extra: object = {}) => ({ type: 'file', name: 'file', path: file(), ...extra });

async function health(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(new URL('/healthz', url));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const metric = async (url: string, name: string): Promise<number> => {
  const text = await (await fetch(new URL('/metrics', url))).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
};

/** A server whose answer a test sets. */
async function answering(): Promise<{
  url: string;
  server: Server;
  answer: { status: number; text: string };
}> {
  const answer = { status: 200, text: '{}' };
  const server = createServer((_, response) => response.writeHead(answer.status).end(answer.text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/price`, server, answer };
}

/** The chain's node behind a line that a test cuts. `swallow`: what is sent arrives, its answer does not. */
async function line(): Promise<{ url: string; mode: { is: 'open' | 'cut' | 'swallow' } }> {
  const mode: { is: 'open' | 'cut' | 'swallow' } = { is: 'open' };
  const server = createServer(async (request, response) => {
    if (mode.is === 'cut') return void response.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const answer = await fetch(chain.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await answer.text();
    if (mode.is === 'swallow' && body.includes('"sendTransaction"')) return void response.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.unshift({
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, mode };
}

describe('a publisher', () => {
  it('submits what a file says, again when it moves, and after each interval', async () => {
    write('3');
    const { httpUrl } = await start({ sources: [fileSource()], interval_seconds: 200 });
    await eventually(async () => expect(await price()).toBe(3n * ONE));
    await eventually(async () =>
      expect(await health(httpUrl)).toMatchObject({
        status: 200,
        body: { component: 'publisher', price: '3' },
      }),
    );
    const before = (await feed()).updates;
    // Too small a step waits for the interval.
    write('3.001');
    await eventually(async () =>
      expect(await metric(httpUrl, 'gtx_publisher_price_grx_per_kwh')).toBe(3.001),
    );
    expect((await feed()).updates).toBe(before);
    write('3.5');
    await eventually(async () => expect(await price()).toBe(3_500_000_000n));
    const { updates } = await feed();
    aheadMs += 201_000;
    await eventually(async () => expect((await feed()).updates).toBe(updates + 1n));
    await eventually(async () =>
      expect(await metric(httpUrl, 'gtx_publisher_submissions_total{outcome="published"}')).toBe(
        Number(updates) + 1,
      ),
    );
  });

  it('takes the median of several sources, without those that fail, lie or lag', async () => {
    const [first, second] = [await answering(), await answering()];
    write('{"energy":{"price":"4"}}');
    first.answer.text = '{"data":[{"eur":3.0}]}';
    second.answer.text = '{"price":5000,"time":"2020-01-01T00:00:00Z"}';
    const { httpUrl } = await start({
      sources: [
        fileSource({ pointer: '/energy/price', max_age_seconds: 3_600 }),
        { type: 'http', name: 'first', url: first.url, pointer: '/data/0/eur' },
        {
          type: 'http',
          name: 'second',
          url: second.url,
          pointer: '/price',
          time_pointer: '/time',
          scale: '0.001',
          max_age_seconds: 3_600,
        },
      ],
      min_sources: 2,
    });
    utimesSync(file(), now() / 1_000, now() / 1_000);
    await eventually(async () => expect(await price()).toBe(3_500_000_000n));
    expect(
      await metric(httpUrl, 'gtx_publisher_source_reads_total{source="second",outcome="stale"}'),
    ).toBeGreaterThan(0);
    second.answer.text = `{"price":5000,"time":${Math.floor(now() / 1_000)}}`;
    await eventually(async () => expect(await price()).toBe(4n * ONE));
    // Too few are left: nothing is submitted, and that is said.
    first.answer.status = 500;
    second.answer.text = '{"price":"a lot"}';
    await eventually(async () =>
      expect(await health(httpUrl)).toMatchObject({
        status: 503,
        body: { reason: 'only 1 of 3 sources have a good price' },
      }),
    );
    // The round that saw only one of the two may have published once more: the rounds from here on see both.
    const { updates } = await feed();
    const refused = () =>
      metric(httpUrl, 'gtx_publisher_source_reads_total{source="second",outcome="no_answer"}');
    const before = await refused();
    await eventually(async () => expect(await refused()).toBeGreaterThanOrEqual(before + 3));
    expect((await feed()).updates).toBe(updates);
    first.answer.status = 200;
    first.answer.text = '{"data":[{"eur":4.4}]}';
    await eventually(async () => expect(await price()).toBe(4_200_000_000n));
    await eventually(async () => expect((await health(httpUrl)).status).toBe(200));
  });

  it('takes the first good source in the order of trust', async () => {
    const { url, answer } = await answering();
    answer.status = 503;
    write('6');
    await start({
      sources: [{ type: 'http', name: 'web', url }, fileSource()],
      combine: 'first',
    });
    await eventually(async () => expect(await price()).toBe(6n * ONE));
    answer.status = 200;
    answer.text = '7';
    await eventually(async () => expect(await price()).toBe(7n * ONE));
  });

  it('keeps within its bounds, and says when the feed’s guard holds a price back', async () => {
    write('3');
    const { httpUrl } = await start({ sources: [fileSource()] });
    await eventually(async () => expect(await price()).toBe(3n * ONE));
    write('21');
    await eventually(async () =>
      expect(
        await metric(httpUrl, 'gtx_publisher_source_reads_total{source="file",outcome="out_of_bounds"}'),
      ).toBeGreaterThan(0),
    );
    expect(await price()).toBe(3n * ONE);
    write('10');
    await eventually(async () =>
      expect(await metric(httpUrl, 'gtx_publisher_submissions_total{outcome="guarded"}')).toBeGreaterThan(0),
    );
    expect(await price()).toBe(3n * ONE);
    // It is said when the round is over, which counts it before that.
    await eventually(async () => expect((await health(httpUrl)).body.reason).toContain('guard'));
  });

  it('submits nothing twice after a restart', async () => {
    write('3');
    const first = await start({ sources: [fileSource()], interval_seconds: 3_000 });
    await eventually(async () => expect(await price()).toBe(3n * ONE));
    await first.stop();
    running.splice(0);
    const { updates } = await feed();
    const second = await start({ sources: [fileSource()], interval_seconds: 3_000 });
    // With the third reading of its source two rounds are over.
    await eventually(async () =>
      expect(
        await metric(second.httpUrl, 'gtx_publisher_source_reads_total{source="file",outcome="good"}'),
      ).toBeGreaterThanOrEqual(3),
    );
    expect((await feed()).updates).toBe(updates);
    expect((await health(second.httpUrl)).status).toBe(200);
  });

  it('submits once where the node’s answer is lost, and goes on after an outage', async () => {
    const { url, mode } = await line();
    write('3');
    const { httpUrl } = await start({ sources: [fileSource()], rpc_url: url, interval_seconds: 3_000 });
    await eventually(async () => expect(await price()).toBe(3n * ONE));
    mode.is = 'swallow';
    write('3.3');
    await eventually(async () => expect(await price()).toBe(3_300_000_000n));
    const submissions = 'gtx_publisher_submissions_total{outcome="published"}';
    await eventually(async () => expect(await metric(httpUrl, submissions)).toBe(2));
    mode.is = 'cut';
    write('3.6');
    await eventually(async () => expect((await health(httpUrl)).status).toBe(503));
    expect(await price()).toBe(3_300_000_000n);
    mode.is = 'open';
    await eventually(async () => expect(await price()).toBe(3_600_000_000n));
    await eventually(async () => expect((await health(httpUrl)).status).toBe(200));
    await eventually(async () => expect(await metric(httpUrl, submissions)).toBe(3));
    expect((await feed()).updates).toBe(3n);
  });

  it('waits while the feed is paused', async () => {
    const pause = (paused: boolean) =>
      sendAndConfirm(connection, {
        payer: authority,
        instructions: [instructions.setFeedPaused({ authority: authority.publicKey, symbol, paused })],
      });
    await pause(true);
    write('3');
    const { httpUrl } = await start({ sources: [fileSource()] });
    await eventually(async () => expect((await health(httpUrl)).body.reason).toBe('the feed is paused'));
    await pause(false);
    await eventually(async () => expect(await price()).toBe(3n * ONE));
  });

  it('does not begin without its feed or its right to submit', async () => {
    const source = fileSource();
    await expect(start({ sources: [source], symbol: 'NONE' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const stranger = join(folder, `stranger-${feeds}.json`);
    writeKeypairFile(stranger, Keypair.generate());
    await expect(start({ sources: [source], key_file: stranger })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    chmodSync(stranger, 0o644);
    await expect(start({ sources: [source], key_file: stranger })).rejects.toMatchObject({
      code: 'KEY_FILE_PERMISSIONS',
    });
  });
});

describe('a configuration', () => {
  const good = {
    rpc_url: 'http://127.0.0.1:8899',
    key_file: 'key.json',
    min_price: '1',
    max_price: '9',
    sources: [{ type: 'file', name: 'file', path: 'price.json' }],
  };
  const load = (value: unknown) => {
    write(JSON.stringify(value), 'config.json');
    return loadPublisherConfig(file('config.json'));
  };

  it('needs little, and names files from where it lies', () => {
    expect(load(good)).toMatchObject({
      key_file: join(folder, 'key.json'),
      symbol: 'GRX/GRID',
      combine: 'median',
      interval_seconds: 300,
      sources: [{ path: join(folder, 'price.json'), pointer: '', scale: ONE }],
    });
  });

  it.each([
    ['unknown settings', { ...good, max_prize: '3' }],
    ['bounds the wrong way round', { ...good, min_price: '10' }],
    ['a price that is none', { ...good, min_price: 'cheap' }],
    ['no source', { ...good, sources: [] }],
    ['a kind of source that is not there', { ...good, sources: [{ type: 'ftp', name: 'x' }] }],
    ['the same name twice', { ...good, sources: [good.sources[0], good.sources[0]] }],
    ['more sources than there are', { ...good, min_sources: 2 }],
    ['a pointer that is none', { ...good, sources: [{ ...good.sources[0], pointer: 'price' }] }],
    [
      'an address that is none',
      { ...good, sources: [{ type: 'http', name: 'x', url: 'file:///etc/passwd' }] },
    ],
  ])('does not take %s', (_, value) => {
    expect(() => load(value)).toThrow(GtxError);
  });
});
