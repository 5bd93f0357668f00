import { Side } from '@gridtokenx/chain';
import { BookReplica, type LiveChange, LiveFrame, type LiveSnapshot, nkwhToKwh } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TEST_MARKET, TestBooks } from '../testing/books.js';
import { BookTopic } from './book-topic.js';
import { liveMetrics } from './metrics.js';
import { type Receiver, Subscription } from './topic.js';

/** A client with a connection that can be behind, lose frames, and be made anew. */
class TestClient implements Receiver {
  readonly replica = new BookReplica();
  readonly outcomes: string[] = [];
  subscription: Subscription | undefined;
  blocked = false;
  snapshots = 0;
  private waiting: Subscription | undefined;

  constructor(private readonly topic: BookTopic) {}

  connect(last = this.replica.position): void {
    this.blocked = false;
    this.waiting = undefined;
    this.subscription = new Subscription(this.topic, this);
    this.topic.begin(this.subscription, last);
  }

  disconnect(): void {
    if (this.subscription) this.topic.end(this.subscription);
    this.subscription = undefined;
  }

  deliver(frame: Buffer): boolean {
    if (this.blocked) return false;
    const parsed = LiveFrame.parse(JSON.parse(payloadOf(frame))) as LiveSnapshot | LiveChange;
    if (parsed.type === 'snapshot') this.snapshots += 1;
    this.outcomes.push(this.replica.apply(parsed));
    return true;
  }

  behind(subscription: Subscription): void {
    this.waiting = subscription;
  }

  drain(): void {
    this.blocked = false;
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting) this.topic.sendSnapshot(waiting);
  }
}

/** What a client's library makes of a server's frame (RFC 6455 5.2). */
function payloadOf(frame: Buffer): string {
  expect(frame[0]).toBe(0x81);
  const short = frame[1] as number;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  const length =
    short < 126 ? short : short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  expect(frame.length).toBe(head + length);
  return frame.toString('utf8', head);
}

const texts = (levels: { price: bigint; amount: bigint; orders: number }[]) =>
  levels.map(({ price, amount, orders }) => ({
    price: nkwhToKwh(price),
    amount: nkwhToKwh(amount),
    orders,
  }));

function setUp() {
  const books = new TestBooks();
  const topic = new BookTopic(TEST_MARKET, books, liveMetrics(new Registry()));
  books.onDelta((_market, delta) => topic.take(delta));
  books.onReset(() => topic.reset());
  return { books, topic, client: () => new TestClient(topic) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

type Step =
  | { do: 'add'; side: Side; price: number; amount: number }
  | { do: 'remove'; index: number }
  | { do: 'tell' | 'wait' | 'anew' }
  | { do: 'block' | 'drain' | 'disconnect' | 'connect'; client: number };

const clients = 3;
const client = fc.nat(clients - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      side: fc.constantFrom(Side.Sell, Side.Buy),
      price: fc.integer({ min: 1, max: 8 }),
      amount: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), index: fc.nat(50) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('tell' as const, 'wait' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('anew' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('block' as const, 'drain' as const, 'disconnect' as const, 'connect' as const),
      client,
    }),
  },
);

describe('a book over the WebSocket', () => {
  test('is the book whenever nothing is on its way, whatever clients missed and however often they came back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { books, client: make } = setUp();
        const all = Array.from({ length: clients }, make);
        for (const one of all) one.connect();
        const settle = () => {
          books.tell();
          vi.runAllTimers();
        };
        for (const what of steps) {
          switch (what.do) {
            case 'add':
              books.add(what.side, what.price, what.amount);
              break;
            case 'remove':
              books.remove(what.index);
              break;
            case 'tell':
              books.tell();
              break;
            case 'wait':
              settle();
              break;
            case 'anew':
              books.anew();
              break;
            default: {
              const one = all[what.client] as TestClient;
              if (what.do === 'block') one.blocked = true;
              else if (what.do === 'drain') one.drain();
              else if (what.do === 'disconnect') one.disconnect();
              else if (one.subscription === undefined) one.connect();
            }
          }
          if (what.do !== 'wait') continue;
          const { asks, bids } = books.snapshot(TEST_MARKET);
          for (const one of all) {
            if (one.subscription?.state !== 'live') continue;
            expect(one.replica.asks).toEqual(texts(asks));
            expect(one.replica.bids).toEqual(texts(bids));
          }
        }
        settle();
        const { asks, bids } = books.snapshot(TEST_MARKET);
        for (const one of all) {
          if (one.subscription === undefined) one.connect();
          one.drain();
          expect(one.replica.asks).toEqual(texts(asks));
          expect(one.replica.bids).toEqual(texts(bids));
          // What is sent always fits: nobody has to notice a gap, or is told what it knows.
          expect(one.outcomes).not.toContain('missed');
          expect(one.outcomes).not.toContain('known');
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is resumed with the changes that were missed, as long as they are kept', () => {
    const { books, client: make } = setUp();
    const one = make();
    one.connect();
    expect(one.snapshots).toBe(1);
    one.disconnect();
    for (let price = 1; price <= 20; price += 1) {
      books.add(Side.Sell, price, 1);
      books.tell();
      vi.runAllTimers();
    }
    one.connect();
    expect(one.snapshots).toBe(1);
    expect(one.replica.asks).toHaveLength(20);
    one.disconnect();
    for (let round = 0; round < 600; round += 1) {
      books.add(Side.Sell, 30 + (round % 9), 1);
      books.tell();
      vi.runAllTimers();
    }
    one.connect();
    expect(one.snapshots).toBe(2);
    expect(one.replica.asks).toHaveLength(29);
  });

  test('is told anew to whoever names another epoch or a number that is still to come', () => {
    const { books, client: make } = setUp();
    books.add(Side.Buy, 3, 1);
    books.tell();
    vi.runAllTimers();
    for (const last of [
      { epoch: 'epoch 0', sequence: 1 },
      { epoch: 'epoch 1', sequence: 7 },
    ]) {
      const one = make();
      one.connect(last);
      expect(one.snapshots).toBe(1);
    }
    books.anew();
    const old = make();
    old.connect({ epoch: 'epoch 1', sequence: 1 });
    expect(old.snapshots).toBe(1);
  });

  test('is told anew to whoever was there before anybody followed it', () => {
    const { books, client: make } = setUp();
    const topic = new BookTopic(TEST_MARKET, books, liveMetrics(new Registry()));
    for (let price = 1; price <= 3; price += 1) {
      books.add(Side.Sell, price, 1);
      books.tell();
    }
    const one = new TestClient(topic);
    one.connect({ epoch: 'epoch 1', sequence: 1 });
    expect(one.snapshots).toBe(1);
    // Changes that are still to be sent are told in the next frame.
    const two = make();
    two.replica.position = { epoch: 'epoch 1', sequence: 0 };
    two.connect();
    expect(two.snapshots).toBe(0);
    vi.runAllTimers();
    expect(two.outcomes).toEqual(['applied']);
    expect(two.replica.asks).toHaveLength(3);
    topic.stop();
  });

  test('is not told twice to whoever comes while a change is on its way', () => {
    const { books, client: make } = setUp();
    books.add(Side.Sell, 4, 1);
    books.tell();
    const one = make();
    one.connect();
    expect(one.replica.asks).toHaveLength(1);
    vi.runAllTimers();
    expect(one.outcomes).toEqual(['applied']);
    books.add(Side.Sell, 5, 1);
    books.tell();
    vi.runAllTimers();
    expect(one.outcomes).toEqual(['applied', 'applied']);
  });

  test('changes that come close together are one frame, made once for all clients', () => {
    const { books, topic, client: make } = setUp();
    const frames: Buffer[] = [];
    const all = Array.from({ length: 50 }, make);
    for (const one of all) {
      const deliver = one.deliver.bind(one);
      one.deliver = (frame) => {
        frames.push(frame);
        return deliver(frame);
      };
      one.connect();
    }
    expect(new Set(frames).size).toBe(1);
    frames.length = 0;
    for (let count = 0; count < 10; count += 1) {
      books.add(Side.Sell, 5, 1);
      books.tell();
    }
    vi.runAllTimers();
    expect(frames).toHaveLength(50);
    expect(new Set(frames).size).toBe(1);
    expect(all.every(({ replica }) => replica.asks[0]?.amount === '10')).toBe(true);
    topic.stop();
  });

  test('a client that is behind costs nothing until it has caught up', () => {
    const { books, client: make } = setUp();
    const slow = make();
    slow.connect();
    slow.blocked = true;
    for (let count = 0; count < 100; count += 1) {
      books.add(Side.Sell, 5, 1);
      books.tell();
      vi.runAllTimers();
    }
    expect(slow.outcomes).toHaveLength(1);
    slow.drain();
    expect(slow.outcomes).toHaveLength(2);
    expect(slow.replica.asks[0]?.orders).toBe(100);
  });
});
