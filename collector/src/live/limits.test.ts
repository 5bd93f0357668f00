import { Side } from '@gridtokenx/chain';
import { BookReplica, GtxError } from '@gridtokenx/protocol';
import Fastify, { type FastifyInstance } from 'fastify';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Sites } from '../login/index.js';
import { TEST_MARKET, TestBooks } from '../testing/books.js';
import { until } from '../testing/collector.js';
import { TestLiveClient } from '../testing/live-client.js';
import { Bucket, clientOf, LIVE_LIMITS, type LiveLimits } from './limits.js';
import { Live } from './live.js';
import { liveMetrics } from './metrics.js';

interface World {
  url: string;
  books: TestBooks;
  registry: Registry;
  /** Ids of logins that were ended. */
  ended: Set<string>;
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
}

const worlds: World[] = [];
const clients: TestLiveClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const world of worlds.splice(0)) await world.stop();
});

/** Whoever is held up in these tests is let go for the reason that the test is about. */
const UNHURRIED = { pingMillis: 3_600_000, drainMillis: 3_600_000 };

/** The WebSocket alone, with a book and limits of the test's own. */
async function start(limits: Partial<LiveLimits> = {}): Promise<World> {
  const books = new TestBooks();
  const registry = new Registry();
  const ended = new Set<string>();
  const nobody = async () => {
    throw new GtxError('UNAUTHENTICATED');
  };
  const live = new Live({
    pool: { query: async () => ({ rows: [] }) } as never,
    feed: { onChange: () => () => {} },
    books,
    guides: () => [],
    overview: { news: async () => ({}) },
    fleet: { summary: async () => ({}), networkPower: async () => ({}), walletPower: async () => [] },
    sessions: {
      authenticate: async (token) => ({
        wallet: token,
        roles: ['owner'],
        sessionId: token,
        expiresAt: 4_000_000_000,
      }),
      ended: async (ids) => new Set(ids.filter((id) => ended.has(id))),
    },
    logger: pino({ level: 'silent' }),
    now: Date.now,
    metrics: liveMetrics(registry),
    limits: { ...LIVE_LIMITS, clients: 1000, clientsPerAddress: 1000, ...limits },
  });
  const app: FastifyInstance = Fastify();
  const sites = new Sites({ host: '127.0.0.1', port: 1, tls: false, publicUrl: undefined, domains: [] });
  const context = {
    guards: { requireWallet: nobody, requireOperator: nobody },
    limits: { address: async () => {}, principal: async () => {} },
  };
  live.attach(app, context as never, () => sites);
  live.start();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const world: World = {
    url,
    books,
    registry,
    ended,
    async metric(name, labels = {}) {
      const metric = await registry.getSingleMetric(name)?.get();
      const fits = metric?.values.filter((value) =>
        Object.entries(labels).every(([label, text]) => value.labels[label as never] === text),
      );
      return fits?.reduce((sum, { value }) => sum + value, 0) ?? 0;
    },
    stop: () => app.close(),
  };
  worlds.push(world);
  return world;
}

async function open(world: World): Promise<TestLiveClient> {
  const client = await TestLiveClient.connect(world.url);
  clients.push(client);
  return client;
}

/** Makes a change of the book that is many kilobytes long. */
function bigChange({ books }: World, from: number): void {
  for (let level = 0; level < 2_000; level += 1) books.add(Side.Sell, from + level, 1);
  books.tell();
}

describe('a client that takes nothing', () => {
  test('is skipped, gets a snapshot when it has caught up, and costs the others nothing', async () => {
    const world = await start(UNHURRIED);
    const slow = await open(world);
    const quick = await open(world);
    for (const client of [slow, quick]) {
      await client.must({ op: 'subscribe', channel: 'book', market: TEST_MARKET });
      await until(() => client.of('book').length === 1, 'the snapshot');
    }
    slow.socket.pause();
    let price = 1;
    await until(async () => {
      // First the buffers of the operating system fill, at both ends.
      const before = quick.of('book').length;
      bigChange(world, price);
      price += 2_000;
      await until(() => quick.of('book').length > before, 'the others are served');
      return (await world.metric('gtx_collector_live_frames_skipped_total')) > 0;
    }, 'it is skipped');
    const skippedOnce = await world.metric('gtx_collector_live_frames_skipped_total');
    for (let count = 0; count < 5; count += 1) {
      const before = quick.of('book').length;
      bigChange(world, price);
      price += 2_000;
      await until(() => quick.of('book').length > before, 'the others are served');
    }
    // While it is behind nothing more is kept for it.
    expect(await world.metric('gtx_collector_live_frames_skipped_total')).toBe(skippedOnce);
    slow.socket.resume();
    const replica = () => {
      const book = new BookReplica();
      for (const frame of slow.of('book')) expect(book.apply(frame)).not.toBe('missed');
      return book;
    };
    await until(() => slow.of('book').filter(({ type }) => type === 'snapshot').length >= 2, 'a snapshot');
    await until(() => replica().asks.length === price - 1, 'the whole book');
    expect(quick.of('book').filter(({ type }) => type === 'snapshot')).toHaveLength(1);
  });

  test('for too long is closed', async () => {
    const world = await start({ ...UNHURRIED, drainMillis: 300 });
    const slow = await open(world);
    await slow.must({ op: 'subscribe', channel: 'book', market: TEST_MARKET });
    await until(() => slow.of('book').length === 1, 'the snapshot');
    slow.socket.pause();
    let price = 1;
    await until(async () => {
      bigChange(world, price);
      price += 2_000;
      return (await world.metric('gtx_collector_live_connections_closed_total', { reason: 'slow' })) > 0;
    }, 'it is closed');
    await until(async () => (await world.metric('gtx_collector_live_clients')) === 0, 'it is gone');
    expect(await world.metric('gtx_collector_live_subscriptions')).toBe(0);
  });

  test('and answers no ping is cut off', async () => {
    // Its pings are sent when the test says so: one that answers has answered the last by then, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const world = await start();
      const there = await open(world);
      const gone = await open(world);
      gone.socket.pause();
      const silent = () => world.metric('gtx_collector_live_connections_closed_total', { reason: 'silent' });
      vi.advanceTimersByTime(LIVE_LIMITS.pingMillis);
      // The first answer comes behind the ping, so that what is answered to the ping goes before the second request.
      for (let request = 0; request < 2; request += 1)
        expect(await there.must({ op: 'ping' })).toMatchObject({ ok: true });
      expect(await silent()).toBe(0);
      vi.advanceTimersByTime(LIVE_LIMITS.pingMillis);
      expect(await silent()).toBe(1);
      await until(async () => (await world.metric('gtx_collector_live_clients')) === 1, 'it is gone');
      expect(await there.must({ op: 'ping' })).toMatchObject({ ok: true });
    } finally {
      vi.useRealTimers();
    }
  });
});

test('a login that is ended anywhere ends what depends on it', async () => {
  const world = await start({ sessionsMillis: 50 });
  const [one, two] = [await open(world), await open(world)];
  for (const [client, token] of [
    [one, 'session1'],
    [two, 'session2'],
  ] as const) {
    await client.must({ op: 'auth', access_token: token });
    await client.must({ op: 'subscribe', channel: 'orders' });
  }
  world.ended.add('session2');
  await until(() => two.ends.length > 0, 'the end');
  expect(two.ends[0]).toMatchObject({ channel: 'orders', error: { code: 'UNAUTHENTICATED' } });
  expect(one.ends).toEqual([]);
});

test('there are no more clients than may be, and more again when one has gone', async () => {
  const world = await start({ clients: 2 });
  const first = await open(world);
  await open(world);
  await expect(open(world)).rejects.toThrow(/^503 /);
  first.close();
  await until(
    () =>
      open(world).then(
        () => true,
        () => false,
      ),
    'there is room',
  );
});

test('a bucket gives its burst and then so many a second', () => {
  const bucket = new Bucket(3, 2);
  expect([0, 0, 0, 0].map((at) => bucket.take(at))).toEqual([true, true, true, false]);
  expect([400, 500, 500, 1000].map((at) => bucket.take(at))).toEqual([false, true, false, true]);
  expect([100_000, 100_000, 100_000, 100_000].map((at) => bucket.take(at))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test('a client is an IPv4 address or the /64 of an IPv6 one', () => {
  expect(clientOf('192.0.2.7')).toBe('192.0.2.7');
  expect(clientOf('::ffff:192.0.2.7')).toBe('192.0.2.7');
  expect(clientOf('2001:db8:1:2:3:4:5:6')).toBe(clientOf('2001:0db8:0001:0002::1'));
  expect(clientOf('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64');
  expect(clientOf('2001:db8:1:3::1')).not.toBe(clientOf('2001:db8:1:2::1'));
  expect(clientOf('::1')).toBe('0:0:0:0::/64');
  expect(clientOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
});
