import { request } from 'node:http';
import { connect } from 'node:net';
import { ERRORS, type ErrorCode, encodeBase58, isErrorCode } from '@gridtokenx/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, TestWallet } from '../testing/wallet.js';
import { ROUTES } from './schemas.js';

/* What strangers send: each is answered with an error of the catalogue, costs the others nothing, and leaves no trace. */

let postgres: TestPostgres;
let collector: TestCollector;
let token: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres);
  await bindTestNetwork(collector.pool);
  token = (await new TestWallet().login(collector.httpUrl)).access_token;
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

/** The error that an answer has, whose status is the one of the catalogue. */
function codeOf(status: number, text: string): ErrorCode {
  const { error } = JSON.parse(text);
  expect(Object.keys(error).sort()).toEqual(['code', 'details', 'message', 'retry']);
  expect(isErrorCode(error.code)).toBe(true);
  expect(status).toBe(ERRORS[error.code as ErrorCode].status);
  // What went wrong inside is in the log.
  expect(text).not.toMatch(/node_modules|at .*\.(?:ts|js):|SELECT|postgres/);
  return error.code;
}

async function ask(path: string, init: RequestInit = {}): Promise<ErrorCode> {
  const answer = await fetch(`${collector.httpUrl}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });
  return codeOf(answer.status, await answer.text());
}
const post = (path: string, body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
  ask(path, { method: 'POST', body, headers: { 'content-type': type } });

/** Bytes on a connection, and what came back on it until it was closed. */
function raw(bytes: string, url = collector.httpUrl): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('utf8');
    });
    // Who is answered before all is sent may have the rest of it thrown back.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}
const rawCode = async (bytes: string, url?: string): Promise<ErrorCode> => {
  const answer = await raw(bytes, url);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return codeOf(Number(head.split(' ')[1]), body);
};

describe('malformed', () => {
  const ADDRESS = encodeBase58(new Uint8Array(32).fill(1));
  const posts = ROUTES.filter(
    ({ method, params, path }) =>
      // Whoever logs out needs no body, and would no longer be here for the others.
      method === 'post' && params === undefined && path !== '/api/auth/logout',
  );

  test.each(posts.map(({ path }) => path))('bodies for %s', async (path) => {
    for (const body of [
      '{',
      'null',
      '[]',
      '""',
      '{"__proto__":{"kind":"create"}}',
      '{"constructor":{"prototype":{}}}',
      `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
      `{"kind":"create","amount":${'9'.repeat(5_000)}}`,
      `{"transaction":"${'A'.repeat(9_000)}"}`,
      '\u0000',
      '{"kind":"create","kind":"__proto__"}',
    ])
      expect(['INVALID_BODY', 'INVALID_SIGNATURE', 'FORBIDDEN', 'UNAUTHENTICATED']).toContain(
        await post(path, body),
      );
    expect(['UNSUPPORTED_MEDIA_TYPE', 'FORBIDDEN']).toContain(await post(path, 'a=b', 'text/plain'));
    expect(['PAYLOAD_TOO_LARGE', 'FORBIDDEN']).toContain(
      await post(path, JSON.stringify({ x: 'y'.repeat(200_000) })),
    );
  });

  test.each([
    ['NOT_FOUND', '/api/orders/not-an-address'],
    ['NOT_FOUND', `/api/orders/${'1'.repeat(44)}`],
    ['NOT_FOUND', `/api/orders/${'A'.repeat(3_000)}`],
    ['NOT_FOUND', '/api/orders/__proto__'],
    ['NOT_FOUND', '/api/transactions/x'],
    ['NOT_FOUND', "/api/meters/' OR 1=1"],
    ['NOT_FOUND', '/api/meters/..%2f..%2fetc%2fpasswd/readings'],
    ['NOT_FOUND', '/../../etc/passwd'],
    ['NOT_FOUND', '/api/meters/x%00y'],
    ['INVALID_BODY', '/api/orders/%E0%A4%A'],
    ['INVALID_BODY', '/api/orders?limit=0'],
    ['INVALID_BODY', '/api/orders?limit=501'],
    ['INVALID_BODY', '/api/orders?limit=1e9'],
    ['INVALID_BODY', '/api/orders?limit=1&limit=2'],
    ['INVALID_BODY', '/api/orders?__proto__=1'],
    ['INVALID_BODY', '/api/orders?owner[$ne]=1'],
    ['INVALID_BODY', `/api/orders?owner=${ADDRESS}'--`],
    ['INVALID_BODY', '/api/orders?cursor=AAAA'],
    ['INVALID_BODY', `/api/orders?cursor=${'A'.repeat(513)}`],
    ['INVALID_BODY', `/api/trades?wallet=${ADDRESS}&order=${ADDRESS}`],
    ['INVALID_BODY', '/api/events?name=%25'],
    ['INVALID_BODY', '/api/book?depth=-1'],
    ['INVALID_BODY', `/api/trades?cursor=${Buffer.from('["99999999999999999","1"]').toString('base64url')}`],
    ['NOT_FOUND', '/api/book'],
  ])('%s: %s', async (code, path) => {
    expect(await ask(path)).toBe(code);
  });

  test('methods, headers and bytes that are no request', async () => {
    expect(await ask('/api/orders', { method: 'PATCH' })).toBe('METHOD_NOT_ALLOWED');
    expect(await rawCode('\x16\x03\x01\x02\x00hello\r\n\r\n')).toBe('INVALID_BODY');
    expect(await rawCode('GET / HTTP/9.9\r\n\r\n')).toBe('INVALID_BODY');
    expect(
      await rawCode(
        'POST /api/orders/build HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      ),
    ).toBe('INVALID_BODY');
    expect(await rawCode(`GET /api/orders?owner=${'A'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe(
      'PAYLOAD_TOO_LARGE',
    );
    expect(await rawCode(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)).toBe(
      'PAYLOAD_TOO_LARGE',
    );
  });

  test('whoever never finishes a request is told so and let go', async () => {
    const hasty = await startTestCollector(postgres, { env: { GTX_HTTP_REQUEST_SECONDS: '1' } });
    try {
      expect(await rawCode('GET /api/time HTTP/1.1\r\nHost: x\r\n', hasty.httpUrl)).toBe('TIMEOUT');
      const body = 'POST /api/transactions/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
      expect(await rawCode(`${body}Content-Length: 100\r\n\r\n{"tra`, hasty.httpUrl)).toBe('TIMEOUT');
    } finally {
      await hasty.stop();
    }
  });

  test('a body that says it is larger than it may be is refused before it is sent', async () => {
    const head = 'POST /api/transactions/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    expect(await rawCode(`${head}Connection: close\r\nContent-Length: 999999999\r\n\r\n{`)).toBe(
      'PAYLOAD_TOO_LARGE',
    );
  });

  test('afterwards everything is as it was', async () => {
    expect(({} as Record<string, unknown>).kind).toBeUndefined();
    // A database that takes long to answer counts as away.
    await until(async () => {
      const health = await fetch(`${collector.httpUrl}/healthz`);
      return ((await health.json()) as { checks: { database: string } }).checks.database === 'ok';
    }, 'the database has answered');
    const metrics = await (await fetch(`${collector.httpUrl}/metrics`)).text();
    expect(metrics).toMatch(
      /gtx_collector_http_request_duration_seconds_count\{route="\/api\/orders",method="GET",status="4xx"\} \d+/,
    );
    // Nothing that a client wrote becomes a label.
    expect(metrics).not.toMatch(/etc|passwd|not-an-address/);
  });
});

describe('floods', () => {
  /** A request from another of this machine's addresses. */
  function from(url: string, localAddress: string): Promise<{ status: number; retryAfter: number }> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { localAddress, agent: false }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, retryAfter: Number(answer.headers['retry-after']) }),
        );
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  test('one address is held back while another is served', async () => {
    const limited = await startTestCollector(postgres, { env: { GTX_HTTP_READS_PER_MINUTE: '20' } });
    try {
      const url = `${limited.httpUrl}/api/orders`;
      const flood = await Promise.all(Array.from({ length: 60 }, () => from(url, '127.0.0.2')));
      expect(flood.filter(({ status }) => status === 200)).toHaveLength(20);
      const refused = flood.filter(({ status }) => status === 429);
      expect(refused).toHaveLength(40);
      for (const { retryAfter } of refused) expect(retryAfter).toBeGreaterThan(0);
      // All lists count together; what is not a list goes on.
      expect((await from(`${limited.httpUrl}/api/trades`, '127.0.0.2')).status).toBe(429);
      expect((await from(`${limited.httpUrl}/api/time`, '127.0.0.2')).status).toBe(200);
      expect((await from(url, '127.0.0.3')).status).toBe(200);
    } finally {
      await limited.stop();
    }
  });

  test('a wallet is held back from however many addresses it asks', async () => {
    const limited = await startTestCollector(postgres, { env: { GTX_HTTP_READS_PER_MINUTE: '5' } });
    try {
      await bindTestNetwork(limited.pool);
      const [one, two] = [new TestWallet(), new TestWallet()];
      const tokens = [
        (await one.login(limited.httpUrl)).access_token,
        (await two.login(limited.httpUrl)).access_token,
      ];
      const meters = (token: string | undefined, localAddress: string) =>
        new Promise<number | undefined>((resolve, reject) => {
          const headers = { authorization: `Bearer ${token}` };
          const asked = request(
            `${limited.httpUrl}/api/meters`,
            { localAddress, headers, agent: false },
            (answer) => {
              answer.resume();
              answer.on('end', () => resolve(answer.statusCode));
            },
          );
          asked.on('error', reject);
          asked.end();
        });
      const statuses = [];
      for (let index = 0; index < 7; index += 1)
        statuses.push(await meters(tokens[0], `127.0.1.${index + 1}`));
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
      expect(await meters(tokens[1], '127.0.1.1')).toBe(200);
    } finally {
      await limited.stop();
    }
  });

  test('questions that take for ever hold up no reading', async () => {
    const busy = await startTestCollector(postgres);
    const client = await busy.pool.connect();
    try {
      const meter = new TestMeter('MTR-BUSY', Math.floor(Date.now() / 1000) - 9_000);
      busy.registry.register(meter);
      await client.query('BEGIN');
      await client.query('LOCK TABLE trades IN ACCESS EXCLUSIVE MODE');
      const questions = Array.from({ length: 40 }, () => fetch(`${busy.httpUrl}/api/trades`));
      await until(async () => {
        const { rows } = await busy.pool.query(
          `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        );
        return rows[0].waiting > 1;
      }, 'questions wait for the lock');
      expect((await busy.post(meter.next())).status).toBe(201);
      await client.query('ROLLBACK');
      // They are answered after all, or were told to come again.
      for (const answer of await Promise.all(questions)) expect([200, 503]).toContain(answer.status);
    } finally {
      await client.query('ROLLBACK');
      client.release();
      await busy.stop();
    }
  });
});
