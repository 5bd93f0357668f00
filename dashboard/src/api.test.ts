import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, collectorNow, credentials } from './api.js';

/* What the browser's `fetch` answers is played; that it keeps to a signal is its contract. */

let answer: (headers: Headers, signal: AbortSignal) => Response | Promise<Response>;
let asked: string[];

beforeEach(() => {
  asked = [];
  vi.stubGlobal('location', { origin: 'http://collector.test' });
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    const headers = new Headers(init.headers);
    asked.push(`${url.pathname} ${headers.get('authorization') ?? 'nobody'}`);
    return answer(headers, init.signal as AbortSignal);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  Object.assign(credentials, {
    token: async () => undefined,
    password: () => undefined,
    passwordRefused: () => {},
  });
});

const refuse = (status: number, code: string) =>
  Response.json({ error: { code, message: code, retry: 'never', details: {} } }, { status });
const basic = (text: string) => `Basic ${btoa(text)}`;
/** What only an abort ends. */
const never = <Answer>(signal: AbortSignal) =>
  new Promise<Answer>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('an answer that does not come', () => {
  test('is none after a while, before its head and within its body', async () => {
    const headless = (_: Headers, signal: AbortSignal) => never<Response>(signal);
    const endless = (_: Headers, signal: AbortSignal) =>
      Object.assign(Response.json({}), { json: () => never(signal) });
    for (const silent of [headless, endless]) {
      answer = silent;
      await expect(ask('/api/markets', { answerMs: 10 })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    }
  });

  test('is not told to whoever does not want it any more', async () => {
    const abort = new AbortController();
    answer = (_, signal) => {
      abort.abort();
      signal.throwIfAborted();
      return Response.json({});
    };
    await expect(ask('/api/markets', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a wallet’s token that is not taken', () => {
  test('is renewed and the request made once more', async () => {
    const wanted: (string | undefined)[] = [];
    credentials.token = async (refused) => {
      wanted.push(refused);
      return refused === undefined ? 'old' : 'new';
    };
    answer = (headers) =>
      headers.get('authorization') === 'Bearer new'
        ? Response.json({ items: [] })
        : refuse(401, 'UNAUTHENTICATED');
    expect(await ask('/api/orders')).toEqual({ items: [] });
    expect(wanted).toEqual([undefined, 'old']);
    expect(asked).toEqual(['/api/orders Bearer old', '/api/orders Bearer new']);
  });

  test('is refused when its successor is not taken either', async () => {
    credentials.token = async (refused) => (refused === undefined ? 'old' : 'new');
    answer = () => refuse(401, 'UNAUTHENTICATED');
    await expect(ask('/api/orders')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(asked).toHaveLength(2);
  });
});

describe('an operator’s password', () => {
  test('comes before a wallet’s login where operators alone ask, and only there', async () => {
    credentials.token = async () => 'wallets';
    credentials.password = () => ({ username: 'operator', password: 'right' });
    answer = () => Response.json({});
    const operators = [
      '/api/status',
      '/api/settlement',
      '/api/health',
      '/api/audit',
      '/api/fleet',
      '/api/fleet/summary',
      '/api/alerts/7/acknowledge',
      '/api/reviews',
      '/api/meters/MTR-001/live',
    ];
    const owners = ['/api/settlements', '/api/orders', '/api/meters/MTR-001', '/api/power', '/api/overview'];
    for (const path of [...operators, ...owners]) await ask(path);
    expect(asked).toEqual([
      ...operators.map((path) => `${path} ${basic('operator:right')}`),
      ...owners.map((path) => `${path} Bearer wallets`),
    ]);
  });

  test('goes with all that the collector answers operators alone, and with nothing else', async () => {
    // Not by its name: the compiler would take the collector's sources for a part of the page.
    const schemas = new URL('../../collector/src/http/schemas.ts', import.meta.url).href;
    const { ROUTES } = (await import(schemas)) as { ROUTES: readonly { access: string; path: string }[] };
    credentials.token = async () => 'wallets';
    credentials.password = () => ({ username: 'operator', password: 'right' });
    answer = () => Response.json({});
    const wrong: string[] = [];
    for (const { access, path } of ROUTES) {
      await ask(path.replace(/\{[^}]+\}/g, '7'));
      const byPassword = asked.at(-1)?.includes(' Basic ') === true;
      // Of a meter's gateway operators are told whosever it is, where a wallet is told of its own.
      const operators = access === 'operator' || path === '/api/meters/{meter_id}/live';
      if (byPassword !== operators) wrong.push(`${path} ${access}`);
    }
    expect(ROUTES.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });

  test('is told to be wrong by an operator’s route, not by one that is for wallets', async () => {
    const login = { username: 'operator', password: 'wrong' };
    const wrong: object[] = [];
    credentials.password = () => login;
    credentials.passwordRefused = (which) => wrong.push(which);
    answer = () => refuse(401, 'UNAUTHENTICATED');
    await expect(ask('/api/orders/build')).rejects.toMatchObject({ status: 401 });
    expect(wrong).toEqual([]);
    await expect(ask('/api/status')).rejects.toMatchObject({ status: 401 });
    expect(wrong).toEqual([login]);
  });
});

test('the collector’s time is known from its answers, whatever the clock here says', async () => {
  const there = Date.parse('2030-01-01T00:00:00Z');
  answer = () => Response.json({}, { headers: { date: new Date(there).toUTCString() } });
  await ask('/api/markets');
  expect(Math.abs(collectorNow() - there)).toBeLessThan(60_000);
});
