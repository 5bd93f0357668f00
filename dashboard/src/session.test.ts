import { encodeBase58 } from '@gridtokenx/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/* What this window keeps of a login that all windows share. The browser's storage and locks are played; so is `fetch`. */

type Session = typeof import('./session.js');
let session: Session;
let api: typeof import('./api.js');
let changes: number;
const FIRST = encodeBase58(new Uint8Array(32).fill(1));
const OTHER = encodeBase58(new Uint8Array(32).fill(2));
/** What all windows share. */
let storage: Map<string, string>;
/** Tells this window that another one has changed the storage. */
let told: () => void;
let answer: (path: string, authorization: string | null) => Response | Promise<Response>;
let asked: string[];

const tokenOf = (wallet: string, kind: string, turn: number) =>
  `${wallet === FIRST ? 'first' : 'other'}-${kind}-${turn}`.padEnd(43, '_');
const tokens = (wallet: string, turn: number, seconds = 600, now = Date.now()) => ({
  wallet,
  roles: ['owner'],
  access_token: tokenOf(wallet, 'access', turn),
  expires_at: new Date(now + seconds * 1000).toISOString(),
  refresh_token: tokenOf(wallet, 'refresh', turn),
  refresh_expires_at: new Date(now + 86_400_000).toISOString(),
});
const store = (login?: object) =>
  login ? storage.set('gtx.session', JSON.stringify(login)) : storage.delete('gtx.session');
const kept = () => JSON.parse(storage.get('gtx.session') ?? 'null');
const signerOf = (address: string) => ({
  address,
  name: 'a wallet',
  signMessage: async () => new Uint8Array(64),
  signTransaction: async () => '',
});
const over = () =>
  Response.json(
    { error: { code: 'UNAUTHENTICATED', message: 'over', retry: 'never', details: {} } },
    { status: 401 },
  );

async function open(login?: object): Promise<void> {
  store(login);
  vi.resetModules();
  api = await import('./api.js');
  const { link } = await import('./link.js');
  vi.spyOn(link, 'loginChanged').mockImplementation(() => {
    changes += 1;
  });
  session = await import('./session.js');
}

beforeEach(() => {
  storage = new Map();
  asked = [];
  changes = 0;
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => storage.get(name) ?? null,
    setItem: (name: string, value: string) => storage.set(name, value),
    removeItem: (name: string) => storage.delete(name),
  });
  let held: Promise<unknown> = Promise.resolve();
  const request = (_: string, work: () => Promise<unknown>) => {
    const turn = held.then(work);
    held = turn.catch(() => {});
    return turn;
  };
  vi.stubGlobal('navigator', { locks: { request }, language: 'en' });
  vi.stubGlobal('location', { origin: 'http://collector.test' });
  vi.stubGlobal('addEventListener', (type: string, listener: (event: { key: string }) => void) => {
    if (type === 'storage') told = () => listener({ key: 'gtx.session' });
  });
  vi.stubGlobal('fetch', (url: URL, { headers }: RequestInit) => {
    asked.push(url.pathname);
    return Promise.resolve(answer(url.pathname, new Headers(headers).get('authorization')));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test('another window’s login as somebody else takes the signer away, and the connection is told', async () => {
  await open(tokens(FIRST, 1));
  session.signer.value = signerOf(FIRST);
  store(tokens(FIRST, 2));
  told();
  expect(session.signer.value?.address).toBe(FIRST);
  expect(changes).toBe(0);
  store(tokens(OTHER, 1));
  told();
  expect(session.wallet.value).toBe(OTHER);
  expect(session.signer.value).toBe(undefined);
  expect(changes).toBe(1);
  store();
  told();
  expect(session.wallet.value).toBe(undefined);
  expect(changes).toBe(2);
});

test('a login that the collector has ended takes the signer away', async () => {
  await open(tokens(FIRST, 1, 10));
  session.signer.value = signerOf(FIRST);
  answer = over;
  expect(await api.credentials.token()).toBe(undefined);
  expect(session.signer.value).toBe(undefined);
  expect(kept()).toBe(null);
  expect(changes).toBe(1);
});

test('what another window did while a token was renewed is not undone', async () => {
  await open(tokens(FIRST, 1, 10));
  answer = () => {
    store();
    return Response.json(tokens(FIRST, 2));
  };
  expect(await api.credentials.token()).toBe(undefined);
  expect(kept()).toBe(null);

  await open(tokens(FIRST, 1, 10));
  answer = () => {
    store(tokens(OTHER, 1));
    return over();
  };
  expect(await api.credentials.token()).toBe(tokenOf(OTHER, 'access', 1));
  expect(kept().wallet).toBe(OTHER);
  expect(session.wallet.value).toBe(OTHER);
});

test('a renewal that takes the collector long is waited for: its token counts once', async () => {
  const limits: number[] = [];
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((millis) => {
    limits.push(millis);
    return new AbortController().signal;
  });
  await open(tokens(FIRST, 1, 10));
  answer = () => Response.json(tokens(FIRST, 2));
  expect(await api.credentials.token()).toBe(tokenOf(FIRST, 'access', 2));
  expect(limits).toEqual([120_000]);
});

test('another wallet’s login in another window outlasts a logout here', async () => {
  await open(tokens(FIRST, 1));
  answer = () => {
    store(tokens(OTHER, 1));
    return new Response(null, { status: 204 });
  };
  await session.logOut();
  expect(kept().wallet).toBe(OTHER);
  expect(session.wallet.value).toBe(OTHER);
});

test('a token that is refused is renewed once, and what waited for it gets the new one', async () => {
  await open(tokens(FIRST, 1));
  answer = (path, authorization) => {
    if (path === '/api/auth/refresh') return Response.json(tokens(FIRST, 2));
    return authorization === `Bearer ${tokenOf(FIRST, 'access', 2)}` ? Response.json({ mine: true }) : over();
  };
  const both = await Promise.all([api.ask('/api/orders'), api.ask('/api/orders')]);
  expect(both).toEqual([{ mine: true }, { mine: true }]);
  expect(asked.filter((path) => path === '/api/auth/refresh')).toHaveLength(1);
});

test('a clock that is ten minutes fast does not renew the login before every request', async () => {
  const behind = Date.now() - 600_000;
  await open(tokens(FIRST, 1, 590, behind));
  const headers = { date: new Date(behind).toUTCString() };
  let turn = 1;
  answer = (path) =>
    path === '/api/auth/refresh'
      ? Response.json(tokens(FIRST, ++turn, 600, behind), { headers })
      : Response.json({}, { headers });
  for (let request = 0; request < 5; request += 1) await api.ask('/api/orders');
  expect(asked.filter((path) => path === '/api/auth/refresh')).toHaveLength(1);
});

test('a wrong password is not sent any more, and one that was typed meanwhile stays', async () => {
  await open();
  session.usePassword('operator', 'wrong');
  answer = over;
  await expect(api.ask('/api/status')).rejects.toMatchObject({ status: 401 });
  expect(session.hasPassword.value).toBe(false);
  expect(session.passwordRefused.value).toBe(true);
  session.usePassword('operator', 'wrong');
  answer = () => {
    session.usePassword('operator', 'right');
    return over();
  };
  await expect(api.ask('/api/status')).rejects.toMatchObject({ status: 401 });
  expect(session.hasPassword.value).toBe(true);
  expect(session.passwordRefused.value).toBe(false);
});
