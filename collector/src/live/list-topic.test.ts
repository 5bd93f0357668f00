import { ListReplica, LiveFrame, type LiveItem } from '@gridtokenx/protocol';
import fc from 'fast-check';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LIST_ITEMS, type ListSource, ListTopic, StreamTopic } from './list-topic.js';
import { liveMetrics } from './metrics.js';
import { type Receiver, Subscription, type Topic } from './topic.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const metrics = liveMetrics(new Registry());

function listOf(source: ListSource, now = () => 0) {
  const logger = pino({ level: 'silent' });
  return new ListTopic({ channel: 'orders' }, source, {
    logger,
    metrics,
    now,
    ask: (question) => question(),
  });
}

class Client implements Receiver {
  readonly replica = new ListReplica('orders');
  readonly frames: LiveFrame[] = [];
  readonly subscription: Subscription;

  constructor(topic: Topic) {
    this.subscription = new Subscription(topic, this);
    topic.begin(this.subscription, undefined);
  }

  deliver(frame: Buffer): boolean {
    const parsed = LiveFrame.parse(JSON.parse(frame.toString('utf8', frame.indexOf('{'))));
    this.frames.push(parsed);
    expect(this.replica.apply(parsed as never)).toBe('applied');
    return true;
  }

  behind(): void {}
}

const order = (id: number, status = 'open'): LiveItem => ({ address: `order ${id}`, status });

describe('a list of rows', () => {
  test('is at every client what the rows are, whatever happened to them between two looks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.tuple(fc.nat(9), fc.constantFrom('add', 'change', 'remove')), { maxLength: 4 }),
          {
            maxLength: 15,
          },
        ),
        async (looks) => {
          let rows: LiveItem[] = [];
          let made = 0;
          const topic = listOf({ load: async () => [...rows] });
          const client = new Client(topic);
          await vi.runAllTimersAsync();
          for (const changes of looks) {
            for (const [index, what] of changes) {
              if (what === 'add') {
                made += 1;
                rows = [order(made), ...rows];
              } else if (what === 'remove') rows = rows.filter((_row, at) => at !== index);
              else rows = rows.map((row, at) => (at === index ? { ...row, status: `changed ${made}` } : row));
            }
            topic.changed();
            await vi.runAllTimersAsync();
            expect(client.replica.items).toEqual(rows);
          }
          await topic.stop();
        },
      ),
      { numRuns: 100 },
    );
  });

  test('tells what is new or different once, however often it is said to have changed', async () => {
    let rows = [order(2), order(1)];
    let loads = 0;
    const topic = listOf({
      load: async () => {
        loads += 1;
        return rows;
      },
    });
    const client = new Client(topic);
    await vi.runAllTimersAsync();
    rows = [order(3), order(2, 'filled'), order(1)];
    for (let count = 0; count < 20; count += 1) topic.changed();
    await vi.runAllTimersAsync();
    topic.changed();
    await vi.runAllTimersAsync();
    expect(loads).toBe(3);
    expect(client.frames.map((frame) => 'data' in frame && frame.data)).toEqual([
      { items: [order(2), order(1)] },
      { items: [order(3), order(2, 'filled')], removed: [] },
    ]);
    await topic.stop();
  });

  test('does not call gone what only made room for newer items', async () => {
    let rows = Array.from({ length: LIST_ITEMS }, (_, index) => order(1000 - index));
    const topic = listOf({ load: async () => rows });
    const client = new Client(topic);
    await vi.runAllTimersAsync();
    // Two more, the two oldest pushed out, and one in the middle taken back.
    rows = [order(1002), order(1001), ...rows.filter((_row, at) => at !== 50)].slice(0, LIST_ITEMS);
    topic.changed();
    await vi.runAllTimersAsync();
    const last = client.frames.at(-1);
    expect(last && 'data' in last && last.data).toEqual({
      items: [order(1002), order(1001)],
      removed: ['order 950'],
    });
    await topic.stop();
  });

  test('is read again until the database answers, and a change meanwhile is not lost', async () => {
    let fails = 3;
    let rows = [order(1)];
    const topic = listOf({
      load: async () => {
        fails -= 1;
        if (fails >= 0) throw new Error('no database');
        return rows;
      },
    });
    const client = new Client(topic);
    await vi.runAllTimersAsync();
    expect(client.replica.items).toEqual([order(1)]);
    fails = 2;
    rows = [order(2), order(1)];
    topic.changed();
    await vi.runAllTimersAsync();
    expect(client.replica.items).toEqual(rows);
    await topic.stop();
  });

  test('is read again by itself when its time has come', async () => {
    let time = 0;
    let status = 'open';
    const source = {
      load: async () => [order(1, status)],
      changesAt: () => (time < 5_000 ? 5_000 : undefined),
    };
    const topic = listOf(source, () => time);
    const client = new Client(topic);
    await vi.advanceTimersByTimeAsync(100);
    expect(client.frames).toHaveLength(1);
    time = 5_000;
    status = 'expired';
    await vi.advanceTimersByTimeAsync(5_100);
    expect(client.replica.items).toEqual([order(1, 'expired')]);
    await topic.stop();
  });
});

test('a stream shows the newest of what was seen, and what comes', () => {
  const topic = new StreamTopic({ channel: 'traffic' }, metrics);
  topic.add([]);
  topic.add(Array.from({ length: 150 }, (_, index) => ({ key: String(150 - index) })));
  const client = new Client(topic);
  topic.add([{ key: '151' }]);
  expect(
    client.frames.map((frame) => 'data' in frame && 'items' in frame.data && frame.data.items.length),
  ).toEqual([100, 1]);
});
