import { ERRORS, encodeBase58, LoginTokens, Me, networkId, signInMessage } from '@gridtokenx/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector } from '../testing/collector.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, postJson, TestWallet } from '../testing/wallet.js';

let postgres: TestPostgres;
let collector: TestCollector;
/** Another collector on the same database. */
let other: TestCollector;
let network: Uint8Array;
let time = 1_760_000_400;
const operatorWallet = new TestWallet();

beforeAll(async () => {
  postgres = await startTestPostgres();
  const options = {
    now: () => time * 1000,
    env: {
      GTX_OPERATOR_WALLETS: operatorWallet.address,
      GTX_OPERATOR_USERNAME: 'ops',
      GTX_OPERATOR_PASSWORD: 'long enough',
      GTX_LOGIN_DOMAINS: 'energy.example.org,localhost:5173',
      GTX_HTTP_LOGINS_PER_MINUTE: '100000',
    },
  };
  collector = await startTestCollector(postgres, options);
  other = await startTestCollector(postgres, { ...options, databaseUrl: collector.databaseUrl });
});
beforeEach(async () => {
  network = await bindTestNetwork(collector.pool);
});
afterAll(async () => {
  await other?.stop();
  await collector?.stop();
  await postgres?.stop();
});

const auth = (path: string, body: unknown, headers: Record<string, string> = {}, at = collector) =>
  postJson(`${at.httpUrl}/api/auth/${path}`, body, headers);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const codeOf = ({ body }: { body: unknown }) =>
  (body as { error?: { code: string } } | undefined)?.error?.code;

async function challengeFor(wallet: TestWallet, headers: Record<string, string> = {}) {
  const { status, body } = await auth('challenge', { wallet: wallet.address }, headers);
  expect(status).toBe(200);
  return body as { message: string; nonce: string; expires_at: string };
}

async function me(token: string | undefined, at = collector) {
  const response = await fetch(`${at.httpUrl}/api/auth/me`, {
    headers: token === undefined ? {} : bearer(token),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

describe('the message', () => {
  test('says who asks whom for what, on which chain and until when, as wallets show it', async () => {
    const wallet = new TestWallet();
    const { message, nonce, expires_at } = await challengeFor(wallet);
    const { host } = new URL(collector.httpUrl);
    const hex = Buffer.from(network).toString('hex').slice(0, 16);
    expect(message.split('\n')).toEqual([
      `${host} wants you to sign in with your Solana account:`,
      wallet.address,
      '',
      'Log in to gridtokenx. This is no transaction and costs nothing.',
      '',
      `URI: ${collector.httpUrl}`,
      'Version: 1',
      `Chain ID: gtx:${hex}`,
      `Nonce: ${nonce}`,
      `Issued At: ${new Date(time * 1000).toISOString().replace('.000', '')}`,
      `Expiration Time: ${expires_at}`,
    ]);
    expect(expires_at).toBe(new Date((time + 300) * 1000).toISOString().replace('.000', ''));
    expect(nonce).toMatch(/^[0-9a-f]{32}$/);
  });

  test('names the page that asks, and only a page of the collector may', async () => {
    const wallet = new TestWallet();
    const named = await challengeFor(wallet, { origin: 'https://energy.example.org' });
    expect(named.message).toContain('energy.example.org wants you');
    expect(named.message).toContain('URI: https://energy.example.org\n');
    for (const origin of [
      'https://elsewhere.example.org',
      'https://energy.example.org.evil.example',
      'https://energy.example.org:8443',
      'null',
      'file://',
    ]) {
      const refused = await auth('challenge', { wallet: wallet.address }, { origin });
      expect(codeOf(refused), origin).toBe('FORBIDDEN');
    }
    // Whoever sends a request writes its Host.
    const { message } = await challengeFor(wallet, {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
    });
    expect(message).not.toContain('evil');
  });

  test('cannot be made before the collector knows its chain', async () => {
    const fresh = await startTestCollector(postgres);
    try {
      const wallet = new TestWallet().address;
      expect(codeOf(await auth('challenge', { wallet }, {}, fresh))).toBe('CHAIN_UNAVAILABLE');
    } finally {
      await fresh.stop();
    }
  });
});

describe('a login', () => {
  test('with the signature of the wallet gives tokens that count at every collector', async () => {
    const wallet = new TestWallet();
    const { message, nonce } = await challengeFor(wallet);
    const body = { wallet: wallet.address, nonce, signature: wallet.sign(message) };
    // The challenge is one collector's, the login another's.
    const answer = await auth('login', body, {}, other);
    expect(answer.status).toBe(200);
    const tokens = LoginTokens.parse(answer.body);
    expect(tokens).toMatchObject({ wallet: wallet.address, roles: ['owner'] });
    for (const at of [collector, other]) {
      const known = await me(tokens.access_token, at);
      expect(Me.parse(known.body)).toEqual({
        wallet: wallet.address,
        roles: ['owner'],
        expires_at: tokens.expires_at,
      });
    }
  });

  test('is refused for whatever else was signed, and the challenge is used up', async () => {
    const wallet = new TestWallet();
    const thief = new TestWallet();
    const wrong = async (sign: (message: string) => string, claim: { wallet?: string } = {}) => {
      const { message, nonce } = await challengeFor(wallet);
      const signature = sign(message);
      const answer = await auth('login', { wallet: wallet.address, nonce, signature, ...claim });
      // The right signature comes too late.
      const second = await auth('login', { wallet: wallet.address, nonce, signature: wallet.sign(message) });
      expect(codeOf(second)).toBe('LOGIN_REFUSED');
      return codeOf(answer);
    };
    const login = (message: string) => {
      const nonce = /Nonce: (\w+)/.exec(message)?.[1] as string;
      const { host: domain, origin: uri } = new URL(collector.httpUrl);
      return { domain, uri, wallet: wallet.address, network, nonce, issuedAt: time, expiresAt: time + 300 };
    };
    const cases: [string, (message: string) => string, { wallet?: string }?][] = [
      ["another key's signature", (message) => thief.sign(message)],
      ["another key's signature and claim", (message) => thief.sign(message), { wallet: thief.address }],
      [
        "another wallet's challenge, signed in the own name",
        (message) => thief.sign(signInMessage({ ...login(message), wallet: thief.address })),
        { wallet: thief.address },
      ],
      ['another text', (message) => wallet.sign(`${message} `)],
      [
        'another domain',
        (message) => wallet.sign(signInMessage({ ...login(message), domain: 'evil.example' })),
      ],
      ['another page', (message) => wallet.sign(signInMessage({ ...login(message), uri: 'https://evil' }))],
      [
        'another network',
        (message) =>
          wallet.sign(
            signInMessage({
              ...login(message),
              network: networkId(encodeBase58(new Uint8Array(32).fill(1)), thief.address),
            }),
          ),
      ],
      [
        'another wallet in the text',
        (message) => wallet.sign(signInMessage({ ...login(message), wallet: thief.address })),
      ],
      ['a later end', (message) => wallet.sign(signInMessage({ ...login(message), expiresAt: time + 999 }))],
      [
        'another nonce',
        (message) => wallet.sign(signInMessage({ ...login(message), nonce: '0'.repeat(32) })),
      ],
    ];
    for (const [name, sign, claim] of cases) expect(await wrong(sign, claim), name).toBe('LOGIN_REFUSED');
    // What the cases are made of is right.
    const { message } = await challengeFor(wallet);
    expect(signInMessage(login(message))).toBe(message);
  });

  test('is refused with a signature that was altered to look like another (RFC 8032, S beyond the order)', async () => {
    const wallet = new TestWallet();
    const { message, nonce } = await challengeFor(wallet);
    const bytes = wallet.signBytes(message);
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    let s = 0n;
    for (let index = 63; index >= 32; index -= 1) s = (s << 8n) | BigInt(bytes[index] as number);
    s += order;
    for (let index = 32; index < 64; index += 1) {
      bytes[index] = Number(s & 0xffn);
      s >>= 8n;
    }
    const signature = encodeBase58(bytes);
    expect(codeOf(await auth('login', { wallet: wallet.address, nonce, signature }))).toBe('LOGIN_REFUSED');
  });

  test('is refused for a key of small order, which signs anything', async () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const wallet = encodeBase58(identity);
    const { body } = await auth('challenge', { wallet });
    const { nonce } = body as { nonce: string };
    const signature = new Uint8Array(64);
    signature[0] = 1;
    const login = { wallet, nonce, signature: encodeBase58(signature) };
    expect(codeOf(await auth('login', login))).toBe('LOGIN_REFUSED');
  });

  test('is refused when it is replayed, even at the same time', async () => {
    const wallet = new TestWallet();
    const { message, nonce } = await challengeFor(wallet);
    const body = { wallet: wallet.address, nonce, signature: wallet.sign(message) };
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => auth('login', body, {}, index % 2 === 0 ? collector : other)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => codeOf(answer) === 'LOGIN_REFUSED')).toHaveLength(7);
    expect(codeOf(await auth('login', body))).toBe('LOGIN_REFUSED');
  });

  test('is refused after five minutes', async () => {
    const wallet = new TestWallet();
    const late = await challengeFor(wallet);
    const inTime = await challengeFor(wallet);
    time += 299;
    const login = ({ message, nonce }: { message: string; nonce: string }) =>
      auth('login', { wallet: wallet.address, nonce, signature: wallet.sign(message) });
    expect((await login(inTime)).status).toBe(200);
    time += 1;
    expect(codeOf(await login(late))).toBe('LOGIN_REFUSED');
  });

  test('that is malformed is refused before the database is asked', async () => {
    const wallet = new TestWallet();
    const { nonce } = await challengeFor(wallet);
    const signature = wallet.sign('x');
    for (const body of [
      {},
      { wallet: wallet.address },
      { wallet: wallet.address, nonce: `${nonce}0`, signature },
      // A byte more. A 1 at the end may leave it at 64 bytes: it is a factor of 58.
      { wallet: wallet.address, nonce, signature: `1${signature}` },
      { wallet: 'not base58', nonce, signature },
      { wallet: wallet.address, nonce, signature, more: 1 },
      [],
      'text',
    ]) {
      expect(codeOf(await auth('login', body)), JSON.stringify(body)).toBe('INVALID_BODY');
    }
  });

  test('gives the role of an operator to the wallets of the configuration only', async () => {
    const asked = async (token: string) => {
      const response = await fetch(`${collector.httpUrl}/api/status`, { headers: bearer(token) });
      return response.status;
    };
    const operator = await operatorWallet.login(collector.httpUrl);
    expect(operator.roles).toEqual(['owner', 'operator']);
    expect(await asked(operator.access_token)).toBe(200);
    const owner = await new TestWallet().login(collector.httpUrl);
    expect(await asked(owner.access_token)).toBe(ERRORS.FORBIDDEN.status);
    expect(await asked('x'.repeat(43))).toBe(401);
  });

  test('of a wallet that logs in again and again ends its oldest ones', async () => {
    const wallet = new TestWallet();
    const first = await wallet.login(collector.httpUrl);
    time += 1;
    const second = await wallet.login(collector.httpUrl);
    for (let count = 2; count < 21; count += 1) {
      time += 1;
      await wallet.login(collector.httpUrl);
    }
    expect((await me(first.access_token)).status).toBe(401);
    expect((await me(second.access_token)).status).toBe(200);
  });
});

describe('tokens', () => {
  const refresh = (token: string, at = collector) => auth('refresh', { refresh_token: token }, {}, at);

  test('are not in the database', async () => {
    const tokens = await new TestWallet().login(collector.httpUrl);
    const { rows } = await collector.pool.query<{ row: string }>('SELECT t::text AS row FROM login_tokens t');
    const dump = rows.map(({ row }) => row).join('\n');
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      expect(dump).not.toContain(token);
      expect(dump).not.toContain(Buffer.from(token).toString('hex'));
      expect(dump).not.toContain(Buffer.from(token, 'base64url').toString('hex'));
    }
    expect(dump).toMatch(/\\x[0-9a-f]{64}/);
  });

  test('of access end after ten minutes and are followed by others; a refresh token is none of access', async () => {
    const first = await new TestWallet().login(collector.httpUrl);
    time += 599;
    expect((await me(first.access_token)).status).toBe(200);
    time += 1;
    expect(codeOf(await me(first.access_token))).toBe('UNAUTHENTICATED');
    expect(codeOf(await me(first.refresh_token))).toBe('UNAUTHENTICATED');
    expect(codeOf(await refresh(first.access_token))).toBe('UNAUTHENTICATED');
    const second = LoginTokens.parse((await refresh(first.refresh_token, other)).body);
    expect((await me(second.access_token)).status).toBe(200);
  });

  test('of refresh count once: the second use ends the login, with the newest tokens', async () => {
    const first = await new TestWallet().login(collector.httpUrl);
    const second = LoginTokens.parse((await refresh(first.refresh_token)).body);
    expect(codeOf(await refresh(first.refresh_token, other))).toBe('UNAUTHENTICATED');
    expect(codeOf(await me(second.access_token))).toBe('UNAUTHENTICATED');
    expect(codeOf(await refresh(second.refresh_token))).toBe('UNAUTHENTICATED');
  });

  test('of refresh used by several at once are given out once, and then the login ends', async () => {
    const { refresh_token } = await new TestWallet().login(collector.httpUrl);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => refresh(refresh_token, index % 2 === 0 ? collector : other)),
    );
    const granted = answers.filter(({ status }) => status === 200);
    expect(granted).toHaveLength(1);
    const { access_token } = LoginTokens.parse(granted[0]?.body);
    expect((await me(access_token)).status).toBe(401);
  });

  test('of refresh end after thirty days, and the whole login after ninety', async () => {
    const { refresh_token } = await new TestWallet().login(collector.httpUrl);
    const kept = await new TestWallet().login(collector.httpUrl);
    let tokens = kept;
    for (let round = 0; round < 3; round += 1) {
      time += 29 * 86_400;
      tokens = LoginTokens.parse((await refresh(tokens.refresh_token)).body);
    }
    expect((await refresh(refresh_token)).status).toBe(401);
    // 87 days have gone.
    time += 4 * 86_400;
    expect((await refresh(tokens.refresh_token)).status).toBe(401);
  });

  test('count nowhere after a logout', async () => {
    const first = await new TestWallet().login(collector.httpUrl);
    const second = LoginTokens.parse((await refresh(first.refresh_token)).body);
    expect((await me(first.access_token, other)).status).toBe(200);
    const out = await auth('logout', {}, bearer(second.access_token));
    expect(out.status).toBe(204);
    for (const token of [first.access_token, second.access_token]) {
      for (const at of [collector, other]) expect((await me(token, at)).status).toBe(401);
    }
    expect((await refresh(second.refresh_token)).status).toBe(401);
    expect((await auth('logout', {}, bearer(second.access_token))).status).toBe(401);
  });

  test('that are malformed are refused', async () => {
    for (const authorization of [
      'Bearer',
      'Bearer ',
      `Bearer ${'x'.repeat(200)}`,
      'Bearer a b',
      'bearer ü',
    ]) {
      const response = await fetch(`${collector.httpUrl}/api/auth/logout`, {
        method: 'POST',
        headers: { authorization: Buffer.from(authorization, 'utf8').toString('latin1') },
      });
      expect(response.status, authorization).toBe(401);
    }
  });

  test('and challenges that have ended are removed', async () => {
    await challengeFor(new TestWallet());
    await new TestWallet().login(collector.httpUrl);
    time += 91 * 86_400;
    const last = await startTestCollector(postgres, {
      now: () => time * 1000,
      databaseUrl: collector.databaseUrl,
    });
    await last.stop();
    const { rows } = await collector.pool.query(
      `SELECT (SELECT count(*) FROM login_challenges)::int AS challenges, (SELECT count(*) FROM login_tokens)::int AS
       tokens, (SELECT count(*) FROM login_sessions)::int AS sessions`,
    );
    expect(rows[0]).toEqual({ challenges: 0, tokens: 0, sessions: 0 });
  });
});

describe('limits and pages', () => {
  test('an address that asks too often is told to wait', async () => {
    const limited = await startTestCollector(postgres, {
      databaseUrl: collector.databaseUrl,
      env: { GTX_HTTP_LOGINS_PER_MINUTE: '3' },
    });
    try {
      const wallet = new TestWallet().address;
      const codes = [];
      for (let count = 0; count < 5; count += 1) {
        codes.push(codeOf(await auth('challenge', { wallet }, {}, limited)));
      }
      expect(codes).toEqual([undefined, undefined, undefined, 'RATE_LIMITED', 'RATE_LIMITED']);
    } finally {
      await limited.stop();
    }
  });

  test('a page of another site cannot use the password that a browser remembers', async () => {
    const authorization = `Basic ${Buffer.from('ops:long enough').toString('base64')}`;
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${collector.httpUrl}/api/status`, { headers: { authorization, ...headers } })).status;
    expect(await status({})).toBe(200);
    expect(await status({ origin: collector.httpUrl })).toBe(200);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
  });

  test("without any operator's login this machine is one, but no page or name of somebody else", async () => {
    const open = await startTestCollector(postgres, { databaseUrl: collector.databaseUrl });
    try {
      const status = async (headers: Record<string, string>) =>
        (await fetch(`${open.httpUrl}/api/status`, { headers })).status;
      expect(await status({})).toBe(200);
      expect(await status({ origin: open.httpUrl })).toBe(200);
      expect(await status({ origin: 'https://evil.example' })).toBe(403);
      expect(await status({ 'x-forwarded-for': '10.0.0.1' })).toBe(403);
      const { hostname, port } = new URL(open.httpUrl);
      expect(await statusWithHost(hostname, Number(port), 'evil.example')).toBe(403);
      expect(await statusWithHost(hostname, Number(port), `localhost:${port}`)).toBe(200);
    } finally {
      await open.stop();
    }
  });
});

/** `fetch` writes the header Host itself. */
async function statusWithHost(hostname: string, port: number, host: string): Promise<number> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: '/api/status', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}
