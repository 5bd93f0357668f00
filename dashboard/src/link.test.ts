import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { credentials } from './api.js';
import { type Followed, Link, type Topic } from './link.js';

/** The collector's end of a connection, as the test plays it. */
class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  static get last(): Socket {
    return Socket.all.at(-1) as Socket;
  }
  readyState = 0;
  onopen: () => void = () => {};
  onmessage: (event: { data: string }) => void = () => {};
  onclose: (() => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];

  constructor() {
    Socket.all.push(this);
  }

  send(text: string): void {
    const frame = JSON.parse(text) as Record<string, unknown>;
    if (frame.op === 'ping') queueMicrotask(() => this.onmessage({ data: '{"id":"ping","ok":true}' }));
    else this.sent.push(frame);
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.onclose?.());
  }

  async open(): Promise<void> {
    this.readyState = 1;
    this.onopen();
    await settled();
  }

  async tell(...frames: object[]): Promise<void> {
    for (const frame of frames) this.onmessage({ data: JSON.stringify(frame) });
    await settled();
  }

  /** What was sent since this was asked for the last time, in short. */
  news(): string[] {
    return this.sent.splice(0).map((frame) => {
      const { op, access_token: token, channel, last } = frame as Record<string, string>;
      return [op, token ?? channel, last && JSON.stringify(last)].filter(Boolean).join(' ');
    });
  }
}

const settled = () => vi.advanceTimersByTimeAsync(0);
const snapshot = (channel: string, items: object[] = []) => ({
  channel,
  type: 'snapshot',
  epoch: 'e',
  sequence: 3,
  data: { items },
});
const error = (code: string, retry: 'never' | 'later', details = {}) => ({
  error: { code, message: `it is ${code}`, retry, details },
});
const inTime = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const granted = (seconds = 600) => ({
  id: 'auth',
  ok: true,
  wallet: 'w',
  roles: ['owner'],
  expires_at: inTime(seconds),
});

let link: Link;
/** The tokens there have been, the newest last; `throw`: none can be got. */
let tokens: (string | undefined | 'throw')[];
const follow = (topic: Topic): (() => Followed) => {
  const { news } = link.follow(topic);
  return () => news.value;
};

beforeEach(() => {
  vi.useFakeTimers();
  Socket.all = [];
  vi.stubGlobal('WebSocket', Socket);
  tokens = ['t1'];
  credentials.password = () => undefined;
  credentials.token = async (refused) => {
    if (tokens.at(-1) === 'throw') throw new Error('no answer');
    if (refused !== undefined && refused === tokens.at(-1)) tokens.push(`t${tokens.length + 1}`);
    return tokens.at(-1);
  };
  link = new Link('ws://collector.test/ws');
});
afterEach(() => {
  link.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Connects, logged in, with the orders on show. */
async function following(): Promise<() => Followed> {
  link.start();
  const orders = follow({ channel: 'orders' });
  await Socket.last.open();
  expect(Socket.last.news()).toEqual(['auth t1', 'subscribe orders']);
  await Socket.last.tell(granted(), snapshot('orders', [{ address: 'a' }]));
  expect(orders().ready).toBe(true);
  return orders;
}

describe('a login', () => {
  test('is renewed before it ends', async () => {
    await following();
    await vi.advanceTimersByTimeAsync(560_000);
    expect(Socket.last.news()).toEqual([]);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(Socket.last.news()).toContain('auth t2');
    await Socket.last.tell(granted());
    await vi.advanceTimersByTimeAsync(571_000);
    expect(Socket.last.news()).toContain('auth t3');
  });

  test('that has ended is renewed, and what was private is followed again from where it was', async () => {
    const orders = await following();
    const over = error('UNAUTHENTICATED', 'never');
    await Socket.last.tell({ channel: 'orders', type: 'ended', ...over });
    expect(orders().problem).toMatchObject({ code: 'UNAUTHENTICATED', message: 'it is UNAUTHENTICATED' });
    expect(Socket.last.news()).toEqual(['auth t2']);
    await Socket.last.tell(granted());
    const { id } = Socket.last.sent[0] as { id: number };
    expect(Socket.last.news()).toEqual(['subscribe orders {"epoch":"e","sequence":3}']);
    // Nothing has changed meanwhile: no frame but the answer comes.
    await Socket.last.tell({ id, ok: true });
    expect(orders()).toMatchObject({ problem: undefined, ready: true, items: [{ address: 'a' }] });
  });

  test('that is not taken is renewed once at once, then after pauses', async () => {
    link.start();
    follow({ channel: 'orders' });
    await Socket.last.open();
    const no = error('UNAUTHENTICATED', 'never');
    const { id } = Socket.last.sent[1] as { id: number };
    await Socket.last.tell({ id: 'auth', ...no }, { id, ...no });
    expect(Socket.last.news()).toEqual(['auth t1', 'subscribe orders', 'auth t2']);
    await Socket.last.tell({ id: 'auth', ...no });
    expect(Socket.last.news()).toEqual([]);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(Socket.last.news()).toEqual(['auth t3']);
    await Socket.last.tell(granted());
    expect(Socket.last.news()).toEqual(['subscribe orders']);
  });

  test('that is refused only for now is told again as it is', async () => {
    link.start();
    follow({ channel: 'orders' });
    await Socket.last.open();
    expect(Socket.last.news()).toEqual(['auth t1', 'subscribe orders']);
    await Socket.last.tell({ id: 'auth', ...error('STORAGE_UNAVAILABLE', 'later') });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(Socket.last.news()).toEqual(['auth t1']);
    // Nor is it used up when a first try to get it fails.
    tokens.push('throw');
    await Socket.last.tell({ id: 'auth', ...error('RATE_LIMITED', 'later') });
    await vi.advanceTimersByTimeAsync(6_000);
    expect(Socket.last.news()).toEqual([]);
    tokens = ['t1'];
    await vi.advanceTimersByTimeAsync(13_000);
    expect(Socket.last.news()).toEqual(['auth t1']);
  });

  test('that cannot be had for now is no reason to be nobody', async () => {
    tokens = ['throw'];
    link.start();
    follow({ channel: 'orders' });
    await Socket.last.open();
    expect(Socket.last.sent).toEqual([]);
    expect(link.state.value).toBe('down');
    tokens = ['t1'];
    await vi.advanceTimersByTimeAsync(2_000);
    expect(Socket.all).toHaveLength(2);
    await Socket.last.open();
    expect(Socket.last.news()).toEqual(['auth t1', 'subscribe orders']);
    expect(link.state.value).toBe('up');
  });

  test('that cannot be renewed for now is tried again', async () => {
    await following();
    tokens.push('throw');
    await Socket.last.tell({ channel: 'orders', type: 'ended', ...error('UNAUTHENTICATED', 'never') });
    expect(Socket.last.news()).toEqual([]);
    tokens.push('t5');
    await vi.advanceTimersByTimeAsync(4_000);
    expect(Socket.last.news()).toEqual(['auth t5']);
  });

  test('of a wallet does not keep an operator’s password back', async () => {
    credentials.password = () => ({ username: 'operator', password: 'p' });
    link.start();
    follow({ channel: 'fleet' });
    await Socket.last.open();
    expect(Socket.last.news()).toEqual(['auth t1', 'password', 'subscribe fleet']);
    const refused = { id: 'password', ...error('RATE_LIMITED', 'later', { retry_after_seconds: 4 }) };
    await Socket.last.tell(granted(), refused);
    await vi.advanceTimersByTimeAsync(3_900);
    expect(Socket.last.news()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_200);
    expect(Socket.last.news()).toEqual(['password']);
  });

  test('by password that is refused for now is tried after longer and longer pauses', async () => {
    tokens = [undefined];
    credentials.password = () => ({ username: 'operator', password: 'p' });
    link.start();
    await Socket.last.open();
    const refused = { id: 'password', ...error('STORAGE_UNAVAILABLE', 'later') };
    for (const least of [1_000, 2_000, 4_000]) {
      expect(Socket.last.news()).toEqual(['password']);
      await Socket.last.tell(refused);
      await vi.advanceTimersByTimeAsync(least - 1);
      expect(Socket.last.news()).toEqual([]);
      await vi.advanceTimersByTimeAsync(least / 2 + 1);
    }
    expect(Socket.last.news()).toEqual(['password']);
    await Socket.last.tell({ id: 'password', ok: true }, refused);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(Socket.last.news()).toEqual(['password']);
    await Socket.last.tell(refused);
    link.stop();
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of somebody else begins anew', async () => {
    const orders = await following();
    tokens.push('other');
    link.loginChanged();
    expect(orders()).toMatchObject({ ready: false, items: [] });
    await Socket.last.open();
    expect(Socket.all).toHaveLength(2);
    expect(Socket.last.news()).toEqual(['auth other', 'subscribe orders']);
  });
});

describe('a subscription that is refused for now', () => {
  test('is asked for again after longer and longer pauses', async () => {
    const orders = await following();
    const trades = follow({ channel: 'trades' });
    const again = async (within: number) => {
      const id = Socket.last.sent.at(-1)?.id;
      expect(Socket.last.news()).toEqual(['subscribe trades']);
      await Socket.last.tell({ id, ...error('STORAGE_UNAVAILABLE', 'later') });
      expect(trades().problem?.message).toBe('it is STORAGE_UNAVAILABLE');
      await vi.advanceTimersByTimeAsync(within);
    };
    await again(1_500);
    await again(3_000);
    await again(6_000);
    expect(Socket.last.news()).toEqual(['subscribe trades']);
    await Socket.last.tell(snapshot('trades'));
    expect(trades()).toMatchObject({ problem: undefined, ready: true });
    expect(orders().problem).toBe(undefined);
  });

  test('is asked for again when it is not said which one was too much', async () => {
    await following();
    const trades = follow({ channel: 'trades' });
    Socket.last.news();
    await Socket.last.tell({ id: null, ...error('RATE_LIMITED', 'later', { retry_after_seconds: 1 }) });
    expect(trades().problem?.message).toBe('it is RATE_LIMITED');
    await vi.advanceTimersByTimeAsync(1_500);
    expect(Socket.last.news()).toEqual(['subscribe trades']);
  });

  test('is not asked for again when it never will be allowed', async () => {
    await following();
    follow({ channel: 'alerts' });
    const { id } = Socket.last.sent.at(-1) as { id: number };
    Socket.last.news();
    await Socket.last.tell({ id, ...error('FORBIDDEN', 'never') });
    await vi.advanceTimersByTimeAsync(40_000);
    expect(Socket.last.news()).toEqual([]);
  });
});

test('a connection is not given up while its login is looked up', async () => {
  link.start();
  let answer: (token: string) => void = () => {};
  credentials.token = () => new Promise((resolve) => (answer = resolve));
  await Socket.last.open();
  await vi.advanceTimersByTimeAsync(60_000);
  answer('t1');
  await settled();
  expect(Socket.all).toHaveLength(1);
  expect(Socket.last.news()).toEqual(['auth t1']);
});

test('a connection that closes while the login is looked up is not up', async () => {
  link.start();
  let answer: (token: string) => void = () => {};
  credentials.token = () => new Promise((resolve) => (answer = resolve));
  await Socket.last.open();
  Socket.last.readyState = 3;
  answer('t1');
  await settled();
  expect(link.state.value).toBe('connecting');
  expect(Socket.last.sent).toEqual([]);
});

test('what comes on show while the login is looked up is not asked for by nobody', async () => {
  link.start();
  let answer: (token: string) => void = () => {};
  credentials.token = () => new Promise((resolve) => (answer = resolve));
  await Socket.last.open();
  follow({ channel: 'orders' });
  expect(Socket.last.sent).toEqual([]);
  answer('t1');
  await settled();
  expect(Socket.last.news()).toEqual(['auth t1', 'subscribe orders']);
  // Nor after somebody else has logged in.
  link.loginChanged();
  await Socket.last.open();
  follow({ channel: 'balances' });
  expect(Socket.last.sent).toEqual([]);
  answer('t2');
  await settled();
  expect(Socket.last.news()).toEqual(['auth t2', 'subscribe orders', 'subscribe balances']);
});
