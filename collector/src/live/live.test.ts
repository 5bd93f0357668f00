import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BookReplica, ListReplica, type LoginTokens } from '@gridtokenx/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { TestLiveClient } from '../testing/live-client.js';
import { TestMarket } from '../testing/market-rows.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, postJson, TestWallet } from '../testing/wallet.js';

let postgres: TestPostgres;
let collector: TestCollector;
/** Another collector on the same database. */
let other: TestCollector;
let market: TestMarket;
/** Seconds that the collectors' clock is ahead. */
let ahead = 0;
const operatorWallet = new TestWallet();
const clients: TestLiveClient[] = [];

const env = {
  GTX_OPERATOR_USERNAME: 'ops',
  GTX_OPERATOR_PASSWORD: 'long enough',
  GTX_OPERATOR_WALLETS: operatorWallet.address,
  GTX_LIVE_CLIENTS: '40',
  GTX_LIVE_CLIENTS_PER_ADDRESS: '30',
  GTX_HTTP_LOGINS_PER_MINUTE: '10000',
};

beforeAll(async () => {
  postgres = await startTestPostgres();
  const now = () => Date.now() + ahead * 1000;
  collector = await startTestCollector(postgres, { env, now });
  await bindTestNetwork(collector.pool);
  other = await startTestCollector(postgres, { env, now, databaseUrl: collector.databaseUrl });
  market = new TestMarket(collector.pool);
  await market.open();
  for (const { httpUrl } of [collector, other]) {
    const url = `${httpUrl}/api/book?market=${market.address}`;
    await until(async () => (await fetch(url)).status === 200, 'the market is known');
  }
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await other?.stop();
  await collector?.stop();
  await postgres?.stop();
});

async function open(at = collector, options = {}): Promise<TestLiveClient> {
  const client = await TestLiveClient.connect(at.httpUrl, options);
  clients.push(client);
  return client;
}

/** A connection with a wallet's login. */
async function logIn(wallet: TestWallet, at = collector): Promise<TestLiveClient & { tokens: LoginTokens }> {
  const tokens = await wallet.login(at.httpUrl);
  const client = await open(at);
  await client.must({ op: 'auth', access_token: tokens.access_token });
  return Object.assign(client, { tokens });
}

const bookOf = (client: TestLiveClient) => {
  const replica = new BookReplica();
  for (const frame of client.of('book')) expect(replica.apply(frame)).not.toBe('missed');
  return replica;
};
const listOf = (
  client: TestLiveClient,
  channel: Parameters<typeof ListReplica.prototype.apply>[0]['channel'],
) => {
  const replica = new ListReplica(channel);
  for (const frame of client.of(channel)) expect(replica.apply(frame)).not.toBe('missed');
  return replica;
};

describe('the book', () => {
  test('follows the orders of the database at every collector, and is the one that HTTP tells', async () => {
    const here = await open();
    const there = await open(other);
    for (const client of [here, there]) {
      await client.must({ op: 'subscribe', channel: 'book', market: market.address });
    }
    const owner = new TestWallet().address;
    const first = await market.order(owner, 'sell', 3000, 10_000);
    await market.order(owner, 'sell', 3500, 1_500);
    await market.order(owner, 'buy', 2000, 4_000);
    const full = { asks: [10, 1.5], bids: [4] };
    const amounts = (client: TestLiveClient) => {
      const { asks, bids } = bookOf(client);
      return {
        asks: asks.map(({ amount }) => Number(amount)),
        bids: bids.map(({ amount }) => Number(amount)),
      };
    };
    for (const client of [here, there]) {
      await until(
        () => JSON.stringify(amounts(client)) === JSON.stringify(full),
        'the orders are in the book',
      );
    }
    const told = (await (await fetch(`${collector.httpUrl}/api/book?market=${market.address}`)).json()) as {
      epoch: string;
      sequence: number;
      asks: unknown[];
      bids: unknown[];
    };
    const replica = bookOf(here);
    expect(replica.position).toEqual({ epoch: told.epoch, sequence: told.sequence });
    expect({ asks: replica.asks, bids: replica.bids }).toEqual({ asks: told.asks, bids: told.bids });
    await market.cancel(first, owner);
    for (const client of [here, there]) {
      await until(() => amounts(client).asks.join() === '1.5', 'the order has gone');
    }

    // A client that comes back goes on where it was.
    here.close();
    await market.order(owner, 'sell', 4000, 2_000);
    await until(() => amounts(there).asks.join() === '1.5,2', 'the order is in the book');
    const back = await open();
    const last = bookOf(here).position;
    await back.must({ op: 'subscribe', channel: 'book', market: market.address, ...(last && { last }) });
    await until(() => back.of('book').length > 0, 'what was missed');
    const [missed] = back.of('book');
    expect(missed?.type).toBe('delta');
    const followed = bookOf(here);
    expect(followed.apply(missed as never)).toBe('applied');
    expect(followed.asks.map(({ amount }) => amount)).toEqual(['1.5', '2']);
  });

  test('of a market that is not there, or not named, is refused', async () => {
    const client = await open();
    const subscribe = { op: 'subscribe', channel: 'book' } as const;
    expect(await client.refusal(subscribe)).toBe('INVALID_BODY');
    expect(await client.refusal({ ...subscribe, market: new TestWallet().address })).toBe('NOT_FOUND');
    expect(await client.refusal({ op: 'subscribe', channel: 'prices', market: market.address })).toBe(
      'INVALID_BODY',
    );
    expect(await client.refusal({ op: 'unsubscribe', channel: 'book', market: market.address })).toBe(
      'NOT_FOUND',
    );
  });
});

describe("a wallet's channels", () => {
  test('tell its owner what was written through another collector, and nobody else', async () => {
    const seller = new TestWallet();
    const buyer = new TestWallet();
    const stranger = new TestWallet();
    const hers = await logIn(seller, other);
    const his = await logIn(buyer);
    const theirs = await logIn(stranger);
    const anybody = await open();
    for (const client of [hers, his, theirs]) {
      for (const channel of ['orders', 'balances', 'settlements'] as const) {
        await client.must({ op: 'subscribe', channel });
      }
    }
    for (const client of [hers, his, theirs, anybody])
      await client.must({ op: 'subscribe', channel: 'trades' });
    const order = await market.order(seller.address, 'sell', 3000, 10_000);
    await until(
      () =>
        listOf(hers, 'orders').items.some(({ address, status }) => address === order && status === 'open'),
      'her order',
    );
    await market.take(order, seller.address, buyer.address);
    await until(() => listOf(hers, 'orders').items[0]?.status === 'filled', 'her order is filled');
    for (const client of [hers, his, theirs, anybody]) {
      await until(
        () => listOf(client, 'trades').items.some(({ sell_order }) => sell_order === order),
        'the trade',
      );
    }
    expect(listOf(anybody, 'trades').items[0]).toMatchObject({ price: '3', amount: '10', quote: '30' });
    expect(listOf(theirs, 'orders').items).toEqual([]);
    expect(listOf(his, 'orders').items).toEqual([]);
  });

  test('tell of readings and their status as they are stored', async () => {
    const wallet = new TestWallet();
    const meter = new TestMeter('LIVE-1', Math.floor(Date.now() / 1000) - 90_000);
    collector.registry.register(meter, { wallet: wallet.address });
    other.registry.register(meter, { wallet: wallet.address });
    const client = await logIn(wallet, other);
    const operator = await open(collector, { auth: 'ops:long enough' });
    await operator.must({ op: 'subscribe', channel: 'traffic' });
    await client.must({ op: 'subscribe', channel: 'readings' });
    await until(() => client.of('readings').length > 0, 'the snapshot');
    expect((await collector.post(meter.next())).status).toBe(201);
    await until(() => listOf(client, 'readings').items.length === 1, 'the reading');
    expect(listOf(client, 'readings').items[0]).toMatchObject({
      meter_id: 'LIVE-1',
      sequence: '1',
      kwh_amount: '0.6',
      status: 'pending',
    });
    // The meter is known by now.
    await client.must({ op: 'subscribe', channel: 'readings', meter_id: 'LIVE-1' });
    await until(() => operator.of('traffic').some(({ type }) => type === 'event'), 'traffic');
    expect(listOf(operator, 'traffic').items[0]).toMatchObject({ meter_id: 'LIVE-1', outcome: 'stored' });
    const stranger = await logIn(new TestWallet());
    expect(await stranger.refusal({ op: 'subscribe', channel: 'readings', meter_id: 'LIVE-1' })).toBe(
      'FORBIDDEN',
    );
    await stranger.must({ op: 'subscribe', channel: 'readings' });
    await until(() => stranger.of('readings').length > 0, 'the snapshot');
    expect(listOf(stranger, 'readings').items).toEqual([]);
  });

  test('are refused without a login, with a forged one, and to others than operators', async () => {
    const client = await open();
    for (const channel of [
      'readings',
      'orders',
      'balances',
      'settlements',
      'alerts',
      'reviews',
      'traffic',
    ] as const) {
      expect(await client.refusal({ op: 'subscribe', channel }), channel).toBe('UNAUTHENTICATED');
    }
    const { access_token, refresh_token } = await new TestWallet().login(collector.httpUrl);
    const forged = [
      randomBytes(32).toString('base64url'),
      refresh_token,
      `${access_token}x`,
      'ops:long enough',
    ];
    for (const token of forged) {
      expect(await client.refusal({ op: 'auth', access_token: token })).toBe('UNAUTHENTICATED');
    }
    expect(await client.refusal({ op: 'subscribe', channel: 'orders' })).toBe('UNAUTHENTICATED');
    const { wallet } = await client.must({ op: 'auth', access_token });
    expect(wallet).toMatch(/^[1-9A-HJ-NP-Za-km-z]+$/);
    for (const channel of ['alerts', 'reviews', 'traffic'] as const) {
      expect(await client.refusal({ op: 'subscribe', channel }), channel).toBe('FORBIDDEN');
    }
    const wrong = await open(collector, { auth: 'ops:wrong password' });
    expect(await wrong.refusal({ op: 'subscribe', channel: 'alerts' })).toBe('UNAUTHENTICATED');
  });

  test('are for operators what concerns all: by password or by wallet', async () => {
    const byPassword = await open(collector, { auth: 'ops:long enough' });
    const byWallet = await logIn(operatorWallet, other);
    for (const client of [byPassword, byWallet]) await client.must({ op: 'subscribe', channel: 'alerts' });
    expect(await byPassword.refusal({ op: 'subscribe', channel: 'orders' })).toBe('FORBIDDEN');
    await collector.pool.query(
      `INSERT INTO alerts (kind, dedupe_key, severity, message) VALUES ('test', 'a', 'warning', 'look here')`,
    );
    for (const client of [byPassword, byWallet]) {
      await until(
        () => listOf(client, 'alerts').items.some(({ message }) => message === 'look here'),
        'the alert',
      );
    }
    await collector.pool.query(`UPDATE alerts SET resolved_at = now() WHERE kind = 'test'`);
    await until(() => listOf(byWallet, 'alerts').items.length === 0, 'the alert is over');
  });

  test('take the operator’s password as a frame too, which is all that a page can send', async () => {
    const client = await open(collector);
    const login = { op: 'password', username: 'ops' } as const;
    expect(await client.refusal({ ...login, password: 'wrong password' })).toBe('UNAUTHENTICATED');
    expect(await client.refusal({ op: 'subscribe', channel: 'alerts' })).toBe('UNAUTHENTICATED');
    expect(await client.must({ ...login, password: 'long enough' })).toMatchObject({ roles: ['operator'] });
    await client.must({ op: 'subscribe', channel: 'alerts' });
    expect(await client.refusal({ op: 'subscribe', channel: 'orders' })).toBe('FORBIDDEN');
  });
});

describe('a login', () => {
  test('that ends, ends what is private, and may be renewed on the same connection', async () => {
    const wallet = new TestWallet();
    const client = await logIn(wallet);
    await client.must({ op: 'subscribe', channel: 'orders' });
    for (const channel of ['trades', 'prices', 'overview'] as const) {
      await client.must({ op: 'subscribe', channel });
    }
    await client.must({ op: 'subscribe', channel: 'book', market: market.address });
    ahead += 600;
    await until(() => client.ends.length > 0, 'the end');
    expect(client.ends).toHaveLength(1);
    expect(client.ends[0]).toMatchObject({ channel: 'orders', error: { code: 'UNAUTHENTICATED' } });
    expect(await client.refusal({ op: 'subscribe', channel: 'orders' })).toBe('UNAUTHENTICATED');
    const { body } = await postJson(`${collector.httpUrl}/api/auth/refresh`, {
      refresh_token: client.tokens.refresh_token,
    });
    await client.must({ op: 'auth', access_token: (body as LoginTokens).access_token });
    await client.must({ op: 'subscribe', channel: 'orders' });
    expect(client.closed).toBeUndefined();
  });

  test('of somebody else on the same connection ends what is private', async () => {
    const client = await logIn(new TestWallet());
    await client.must({ op: 'subscribe', channel: 'orders' });
    await client.must({ op: 'subscribe', channel: 'overview' });
    const { access_token } = await new TestWallet().login(collector.httpUrl);
    await client.must({ op: 'auth', access_token });
    expect(client.ends.map(({ channel }) => channel)).toEqual(['orders']);
  });
});

describe('bad clients', () => {
  test('a thousand malformed frames: each is refused, then the client is closed, and others are served', async () => {
    const served = await open();
    const bad = await open();
    for (const frame of malformed(1000)) bad.socket.send(frame);
    expect((await bad.gone()).code).toBe(1008);
    expect(bad.answers.length).toBeGreaterThan(0);
    expect(bad.answers.every((answer) => 'error' in answer)).toBe(true);
    expect(await served.must({ op: 'ping' })).toMatchObject({ ok: true });
  });

  test('frames that are no frames of WebSocket, too long or binary, end the connection', async () => {
    const long = await open();
    long.socket.send(JSON.stringify({ op: 'ping', id: 'x'.repeat(17_000) }));
    expect((await long.gone()).code).toBe(1009);
    const binary = await open();
    binary.socket.send(Buffer.from('{"op":"ping"}'), { binary: true });
    expect((await binary.gone()).code).toBe(1003);
    const broken = await open();
    // A reserved opcode without a mask.
    (broken.socket as unknown as { _socket: { write(data: Buffer): void } })._socket.write(
      Buffer.from([0x8b, 0x05, 1, 2, 3, 4, 5]),
    );
    expect((await broken.gone()).code).toBe(1002);
  });

  test('a flood by one client is refused and ended while another is served', async () => {
    const served = await open();
    await served.must({ op: 'subscribe', channel: 'book', market: market.address });
    const flood = await open();
    const ping = JSON.stringify({ op: 'ping' });
    for (let count = 0; count < 20_000; count += 1) flood.socket.send(ping);
    const before = served.of('book').length;
    await market.order(new TestWallet().address, 'buy', 1000, 1_000);
    await until(() => served.of('book').length > before, 'the order is told');
    expect((await flood.gone()).code).toBe(1008);
    expect(flood.answers.filter((answer) => 'ok' in answer).length).toBeLessThan(1000);
    expect(await served.must({ op: 'ping' })).toMatchObject({ ok: true });
  });

  test('one that subscribes to too much is refused', async () => {
    const client = await open(collector, { auth: 'ops:long enough' });
    const codes: (string | undefined)[] = [];
    await collector.pool.query(
      `INSERT INTO users (wallet_address) VALUES ('many') ON CONFLICT DO NOTHING;
       INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key)
       SELECT 'MANY-' || n, 'many' || n, u.id, 'many', 'key' || n FROM users u, generate_series(1, 40) n
       WHERE u.wallet_address = 'many'`,
    );
    for (let count = 1; count <= 33; count += 1) {
      codes.push(await client.refusal({ op: 'subscribe', channel: 'readings', meter_id: `MANY-${count}` }));
    }
    expect(codes.slice(0, 32).every((code) => code === undefined)).toBe(true);
    expect(codes[32]).toBe('RATE_LIMITED');
    await client.must({ op: 'unsubscribe', channel: 'readings', meter_id: 'MANY-1' });
    expect(await client.refusal({ op: 'subscribe', channel: 'trades' })).toBeUndefined();
  });

  test('one that goes without a word leaves nothing behind', async () => {
    const client = await open();
    await client.must({ op: 'subscribe', channel: 'trades' });
    await client.must({ op: 'subscribe', channel: 'book', market: market.address });
    const metric = async (name: string) => {
      const text = await (await fetch(`${collector.httpUrl}/metrics`)).text();
      const values = [...text.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\d+)`, 'gm'))];
      return values.reduce((sum, [, value]) => sum + Number(value), 0);
    };
    expect(await metric('gtx_collector_live_clients')).toBeGreaterThan(0);
    expect(await metric('gtx_collector_live_subscriptions')).toBeGreaterThan(0);
    client.close();
    await until(async () => (await metric('gtx_collector_live_clients')) === 0, 'it is gone');
    expect(await metric('gtx_collector_live_subscriptions')).toBe(0);
  });

  test('connections beyond the limit of an address, of pages of other sites, and without an upgrade are refused', async () => {
    const opened: TestLiveClient[] = [];
    for (let count = 0; count < 30; count += 1) opened.push(await open());
    await expect(open()).rejects.toThrow(/^429 .*RATE_LIMITED/);
    opened[0]?.close();
    await until(
      () =>
        open().then(
          () => true,
          () => false,
        ),
      'there is room again',
    );
    for (const origin of ['https://evil.example', 'null']) {
      await expect(open(other, { origin })).rejects.toThrow(/^403 .*FORBIDDEN/);
    }
    const page = await open(other, { origin: other.httpUrl });
    await page.must({ op: 'ping' });
    expect((await fetch(`${other.httpUrl}/ws`)).status).toBe(426);
  });

  test('upgrades to something else, at other paths, or broken off, are answered or dropped', async () => {
    const { hostname, port } = new URL(collector.httpUrl);
    const say = (text: string) =>
      new Promise<string>((resolve) => {
        const socket = connectTcp(Number(port), hostname, () => socket.write(text));
        let heard = '';
        socket.on('data', (chunk) => {
          heard += chunk;
        });
        socket.on('error', () => resolve(heard));
        socket.on('close', () => resolve(heard));
      });
    const head = (path: string, more: string) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${more}\r\n\r\n`;
    expect(await say(head('/ws', 'h2c'))).toMatch(/^HTTP\/1.1 426 /);
    expect(await say(head('/ws', 'websocket'))).toMatch(/^HTTP\/1.1 (400|426) /);
    expect(await say(head('/nowhere', 'websocket'))).toMatch(/^HTTP\/1.1 404 /);
    expect(await say(head('/api/time', 'websocket'))).toMatch(/^HTTP\/1.1 200 /);
  });
});

test('the operator’s password can be tried as often as an address may log in, however many connections it has', async () => {
  const guarded = await startTestCollector(postgres, {
    env: { ...env, GTX_HTTP_LOGINS_PER_MINUTE: '5' },
    databaseUrl: collector.databaseUrl,
  });
  try {
    const pair = [await open(guarded), await open(guarded)] as const;
    const wrong = { op: 'password', username: 'ops', password: 'wrong password' } as const;
    const codes: (string | undefined)[] = [];
    for (let tries = 0; tries < 6; tries += 1) codes.push(await pair[tries % 2 ? 1 : 0].refusal(wrong));
    expect(codes).toEqual([...new Array(5).fill('UNAUTHENTICATED'), 'RATE_LIMITED']);
    // Not even the right one is looked at.
    expect(await pair[0].refusal({ ...wrong, password: 'long enough' })).toBe('RATE_LIMITED');
  } finally {
    await guarded.stop();
  }
});

test('behind a proxy the limit of an address is that of the client', async () => {
  const proxied = await startTestCollector(postgres, {
    env: { ...env, GTX_HTTP_TRUST_PROXY: '127.0.0.1', GTX_LIVE_CLIENTS_PER_ADDRESS: '1' },
    databaseUrl: collector.databaseUrl,
  });
  try {
    const from = (address: string) => open(proxied, { headers: { 'x-forwarded-for': address } });
    await from('192.0.2.1');
    await from('2001:db8:1:2::1');
    await expect(from('192.0.2.1')).rejects.toThrow(/^429 /);
    // Its neighbour in the same /64.
    await expect(from('2001:db8:1:2::2')).rejects.toThrow(/^429 /);
    await from('2001:db8:1:3::1');
  } finally {
    await proxied.stop();
  }
});

test('behind TLS it is the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gtx-live-tls-'));
  const secure = await startTestCollector(postgres, {
    env: { ...env, GTX_TLS_DIR: folder, GTX_HTTP_TLS: 'on' },
    databaseUrl: collector.databaseUrl,
  });
  try {
    const client = await open(secure, { ca: await readFile(secure.caFile as string) });
    await client.must({ op: 'subscribe', channel: 'book', market: market.address });
    await until(() => client.of('book').length > 0, 'the snapshot');
    const before = client.of('book').length;
    await market.order(new TestWallet().address, 'buy', 1000, 1_000);
    await until(() => client.of('book').length > before, 'the order is told');
  } finally {
    await secure.stop();
    await rm(folder, { recursive: true });
  }
});

test('a collector that stops says so to its clients, and takes no new ones', async () => {
  const last = await startTestCollector(postgres, { env, databaseUrl: collector.databaseUrl });
  const client = await open(last);
  await client.must({ op: 'subscribe', channel: 'trades' });
  // One that answers nothing any more does not keep it.
  const dead = await open(last);
  dead.socket.pause();
  await last.stop();
  expect((await client.gone()).code).toBe(1001);
  await expect(open(last)).rejects.toThrow();
});

test('a database that was away costs clients nothing but time', async () => {
  const wallet = new TestWallet();
  const client = await logIn(wallet);
  await client.must({ op: 'subscribe', channel: 'book', market: market.address });
  await client.must({ op: 'subscribe', channel: 'orders' });
  await until(() => client.of('book').length > 0 && client.of('orders').length > 0, 'the snapshots');
  const levels = bookOf(client).bids.length;
  await postgres.kill();
  expect(await client.refusal({ op: 'auth', access_token: client.tokens.access_token })).toBe(
    'STORAGE_UNAVAILABLE',
  );
  // Public and known: it needs no database.
  await client.must({ op: 'ping' });
  await postgres.restart();
  const order = await market.order(wallet.address, 'buy', 1234, 1_000);
  await until(() => listOf(client, 'orders').items.some(({ address }) => address === order), 'the order');
  await until(() => bookOf(client).bids.length > levels, 'the book');
  expect(client.ends).toEqual([]);
});

function malformed(count: number): string[] {
  const kinds = [
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '1e999',
    '{"op":"subscribe"}',
    '{"op":"subscribe","channel":"nothing"}',
    '{"op":"subscribe","channel":"book","market":"0OIl"}',
    '{"op":"subscribe","channel":"book","last":{"epoch":1,"sequence":-1}}',
    '{"op":"auth"}',
    '{"op":"auth","access_token":{}}',
    '{"op":"explode"}',
    '{"op":"ping","__proto__":{"x":1}}',
    '{"op":"ping","more":true}',
    `${'['.repeat(5000)}`,
    '{"op":"ping","id":{"a":1}}',
    '\u0000\u0001',
  ];
  return Array.from({ length: count }, (_, index) => kinds[index % kinds.length] as string);
}
