import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import pino from 'pino';
import { Registry } from 'prom-client';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Alerts } from '../alerts.js';
import { migrate } from '../store/migrate.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { AlertDelivery } from './delivery.js';
import { EmailChannel, type EmailOptions } from './email.js';
import { LogChannel } from './log.js';
import type { AlertChannel, Notice } from './notice.js';
import { AlertPruning } from './pruning.js';
import { WebhookChannel } from './webhook.js';

const logger = pino({ level: process.env.GTX_TEST_LOG ?? 'silent' });
const SECRET = 'a secret that both sides have';
let postgres: TestPostgres;
let pool: pg.Pool;
let alerts: Alerts;
const cleanups: (() => Promise<unknown> | unknown)[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('alerts'));
  await migrate(pool, logger);
  alerts = new Alerts(pool, logger);
});
beforeEach(() => pool.query('TRUNCATE alerts, alert_notices'));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

interface Received {
  headers: IncomingHttpHeaders;
  text: string;
  notices: { id: string; event: string; number: number; alert: Record<string, unknown> }[];
}

/** A receiver of webhooks; `answers` are the statuses of the next requests, afterwards 204. */
async function receiver(
  answers: number[] = [],
): Promise<{ url: string; received: Received[]; server: Server }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      received.push({ headers: request.headers, text, notices: JSON.parse(text).notices });
      const status = answers.shift() ?? 204;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, server };
}

const webhook = (url: string, extra: object = {}) =>
  new WebhookChannel({
    url,
    secret: SECRET,
    minimumSeverity: 'warning',
    now: Date.now,
    version: '1.2.3',
    ...extra,
  });

function delivery(...channels: AlertChannel[]): AlertDelivery {
  return new AlertDelivery({ pool, alerts, channels, logger, registry: new Registry(), now: Date.now });
}

const raise = (key: string, severity: 'info' | 'warning' | 'critical' = 'warning') =>
  alerts.raise({
    kind: 'fee_payer',
    key,
    severity,
    message: `about ${key}`,
    details: { wallet: key, part: 'settlement', amount: 7n },
  });

/** As if everything had happened that much earlier. */
async function pass(hours: number): Promise<void> {
  await pool.query(
    `UPDATE alert_notices SET created_at = created_at - $1 * interval '1 hour',
       closed_at = closed_at - $1 * interval '1 hour', next_attempt_at = next_attempt_at - $1 * interval '1 hour',
       lease_until = lease_until - $1 * interval '1 hour'`,
    [hours],
  );
}

const told = (received: Received[]) =>
  received.flatMap(({ notices }) => notices.map(({ event, alert }) => `${event} ${alert.key}`));

describe('delivery', () => {
  it('tells of an alert once, however often it occurs, again at rising intervals, and when it is over', async () => {
    const { url, received } = await receiver();
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a');
    await raise('a');
    await sender.run(channel);
    await raise('a');
    await sender.run(channel);
    expect(told(received)).toEqual(['opened a']);
    // One hour, then four, then twelve, then a day each time.
    for (const hours of [1, 4, 12, 24, 24, 24]) {
      received.length = 0;
      await pass(hours - 0.5);
      await sender.run(channel);
      expect(told(received), `before ${hours} h`).toEqual([]);
      await pass(0.6);
      await sender.run(channel);
      expect(told(received), `after ${hours} h`).toEqual(['repeated a']);
    }
    received.length = 0;
    await alerts.resolve('fee_payer', 'a');
    await sender.run(channel);
    await sender.run(channel);
    await pass(100);
    await sender.run(channel);
    expect(told(received)).toEqual(['recovered a']);
    expect(received[0]?.notices[0]).toMatchObject({ number: 8, alert: { resolved_at: expect.any(String) } });
    // The next time it is a new alert.
    await raise('a');
    await sender.run(channel);
    expect(told(received)).toEqual(['recovered a', 'opened a']);
  });

  it('signs what it posts, so that the receiver can tell it from anybody else’s', async () => {
    const { url, received } = await receiver();
    const channel = webhook(url);
    await raise('a', 'critical');
    await delivery(channel).run(channel);
    const [request] = received;
    const timestamp = String(request?.headers['x-gtx-timestamp']);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(600);
    const digest = createHmac('sha256', SECRET).update(`${timestamp}.${request?.text}`).digest('hex');
    expect(request?.headers['x-gtx-signature']).toBe(`v1=${digest}`);
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'gridtokenx/1.2.3',
    });
    expect(JSON.parse(request?.text ?? '')).toEqual({
      version: 1,
      sent_at: expect.stringMatching(/Z$/),
      notices: [
        {
          id: expect.any(String),
          event: 'opened',
          number: 1,
          alert: {
            id: expect.any(String),
            kind: 'fee_payer',
            key: 'a',
            severity: 'critical',
            message: 'about a',
            details: { wallet: 'a', part: 'settlement', amount: '7' },
            occurrences: 1,
            first_seen: expect.any(String),
            last_seen: expect.any(String),
            resolved_at: null,
          },
        },
      ],
    });
  });

  it('keeps to the least severity of the channel, and tells when an alert gets worse', async () => {
    const { url, received } = await receiver();
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a', 'info');
    await sender.run(channel);
    expect(told(received)).toEqual([]);
    await raise('a', 'warning');
    await sender.run(channel);
    await raise('a', 'critical');
    await sender.run(channel);
    await raise('a', 'warning');
    await sender.run(channel);
    expect(told(received)).toEqual(['opened a', 'escalated a']);
  });

  it('does not repeat what somebody has acknowledged, and still says when it is over', async () => {
    const { url, received } = await receiver();
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a');
    await sender.run(channel);
    await pool.query(`UPDATE alerts SET acknowledged_at = now(), acknowledged_by = 'ann'`);
    await pass(48);
    await sender.run(channel);
    expect(told(received)).toEqual(['opened a']);
    await alerts.resolve('fee_payer', 'a');
    await sender.run(channel);
    expect(told(received)).toEqual(['opened a', 'recovered a']);
  });

  it('says nothing of what was over before anybody could be told', async () => {
    const { url, received } = await receiver([500]);
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a');
    await sender.run(channel);
    await alerts.resolve('fee_payer', 'a');
    received.length = 0;
    await pass(1);
    await sender.run(channel);
    await sender.run(channel);
    expect(told(received)).toEqual([]);
  });

  it('puts what comes at once into few messages', async () => {
    const { url, received } = await receiver();
    const channel = webhook(url);
    for (let i = 0; i < 120; i++) await raise(`meter-${i}`);
    await delivery(channel).run(channel);
    expect(received.map(({ notices }) => notices.length)).toEqual([50, 50, 20]);
    expect(new Set(told(received)).size).toBe(120);
  });

  it('tries again with pauses that grow, and takes only a 2xx for delivered: no redirect is followed', async () => {
    const { url, received } = await receiver([500, 302, 404]);
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a');
    /** Least and most that it waited before the next attempt: one that fails late begins its pause late. */
    const pauses: { least: number; most: number }[] = [];
    for (let i = 0; i < 3; i++) {
      const begun = (await pool.query('SELECT now()')).rows[0].now;
      await sender.run(channel);
      const { rows } = await pool.query(
        `SELECT extract(epoch FROM next_attempt_at - now())::float AS least,
           extract(epoch FROM next_attempt_at - $1::timestamptz)::float AS most, error FROM alert_notices`,
        [begun],
      );
      const [{ least, most, error }] = rows;
      pauses.push({ least, most });
      expect(error).toMatch(/answered (500|302: redirects are not followed|404)/);
      // Nothing before it is due, however long that takes here.
      await pass(-1);
      await sender.run(channel);
      await pass(2);
    }
    await sender.run(channel);
    expect(received).toHaveLength(4);
    expect(new Set(received.map(({ notices }) => notices[0]?.id)).size).toBe(1);
    expect(pauses[0]?.least).toBeLessThanOrEqual(5);
    expect(pauses[1]?.most).toBeGreaterThan(5);
    expect(pauses[2]?.most).toBeGreaterThan(10);
  });

  it('makes an alert of a channel that does not get through, and tells it on the others', async () => {
    const good = await receiver();
    const bad = await receiver(Array(20).fill(503));
    const broken = webhook(bad.url);
    const working: AlertChannel = Object.assign(webhook(good.url), { name: 'second' });
    const sender = delivery(broken, working);
    await raise('a');
    for (let i = 0; i < 4; i++) {
      await sender.run(broken);
      await sender.run(working);
      await pass(1);
    }
    expect(told(good.received).filter((text) => text.startsWith('opened'))).toEqual([
      'opened a',
      'opened webhook',
    ]);
    // It is of no use to try to tell it where nothing gets through.
    expect(told(bad.received)).not.toContain('opened webhook');
    const { rows } = await pool.query(`SELECT message FROM alerts WHERE kind = 'alert_channel_failed'`);
    expect(rows[0].message).toMatch(/^alerts do not get through by webhook: .* answered 503/);
    expect(rows[0].message).not.toContain('/hook');
  });

  it('separates a notice that the other side cannot take from the others', async () => {
    const received: string[] = [];
    const channel: AlertChannel = {
      name: 'picky',
      minimumSeverity: 'info',
      send: async (notices: readonly Notice[]) => {
        if (notices.some(({ alert }) => alert.key === 'poison')) throw new Error('cannot take it');
        received.push(...notices.map(({ alert }) => alert.key));
      },
      test: async () => {},
      close: () => {},
    };
    const sender = delivery(channel);
    for (const key of ['a', 'poison', 'b']) await raise(key);
    for (let i = 0; i < 5; i++) {
      await sender.run(channel);
      await pass(1);
    }
    expect(received.toSorted().filter((key) => key !== 'poison')).toEqual(expect.arrayContaining(['a', 'b']));
    await raise('later');
    await sender.run(channel);
    expect(received).toContain('later');
  });

  it('gives up after a day; while the alert is open it is told anew later', async () => {
    const { url, received } = await receiver(Array(3).fill(500));
    const channel = webhook(url);
    const sender = delivery(channel);
    await raise('a');
    await sender.run(channel);
    await pass(30);
    await sender.run(channel);
    expect((await pool.query('SELECT state FROM alert_notices')).rows).toEqual([{ state: 'failed' }]);
    await pass(2);
    await sender.run(channel);
    await pass(1);
    await sender.run(channel);
    expect(told(received)).toEqual(['opened a', 'opened a', 'repeated a', 'repeated a']);
  });

  it('is told once by several collectors, also when one dies with notices in its hands', async () => {
    const { url, received } = await receiver();
    const senders = [1, 2, 3, 4].map(() => delivery(webhook(url)));
    for (let i = 0; i < 60; i++) await raise(`m-${i}`);
    const channel = webhook(url);
    await Promise.all(senders.map((sender) => sender.run(channel)));
    expect(told(received)).toHaveLength(60);
    expect(new Set(told(received)).size).toBe(60);
    await pool.query('UPDATE alerts SET resolved_at = now()');
    await Promise.all(senders.map((sender) => sender.run(channel)));
    expect(told(received).filter((text) => text.startsWith('recovered'))).toHaveLength(60);

    // One that took the notice and was never heard of again.
    received.length = 0;
    await raise('left');
    const dying = delivery({ ...silent(), send: () => new Promise(() => {}) });
    void dying.run({ ...silent(), send: () => new Promise(() => {}) });
    await until(async () => {
      const { rows } = await pool.query(`SELECT FROM alert_notices WHERE lease_until IS NOT NULL`);
      return rows.length === 1;
    }, 'leased');
    const other = delivery(channel);
    await other.run({ ...silent(), send: async (notices) => void received.push({ notices } as never) });
    expect(received).toEqual([]);
    await pass(1);
    await other.run({ ...silent(), send: (notices) => channel.send(notices) });
    expect(told(received)).toEqual(['opened left']);
  });

  it('follows by itself, is woken by news, and stops while a channel hangs for nobody else', async () => {
    const { url, received } = await receiver();
    // Takes connections and says nothing.
    const sockets: Socket[] = [];
    const mute = createTcpServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => mute.close(resolve));
    });
    const hanging = Object.assign(
      webhook(`http://127.0.0.1:${(mute.address() as AddressInfo).port}/`, { timeoutMillis: 300 }),
      { name: 'hanging' },
    );
    const sender = new AlertDelivery({
      pool,
      alerts,
      channels: [hanging, webhook(url)],
      logger,
      registry: new Registry(),
      now: Date.now,
      pollMillis: 3_600_000,
      gatherMillis: 0,
    });
    sender.start();
    await raise('a');
    await until(() => {
      sender.wake();
      return received.length > 0;
    }, 'told');
    await sender.stop();
    expect(told(received)).toEqual(['opened a']);
    const { rows } = await pool.query(`SELECT FROM alert_notices WHERE lease_until IS NOT NULL`);
    expect(rows).toEqual([]);
  });

  it('logs repetitions and ends, since whoever raises an alert has logged it already', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (text: string) => void lines.push(JSON.parse(text)) });
    const channel = new LogChannel(log, 'info');
    const sender = delivery(channel);
    await raise('a');
    await sender.run(channel);
    await pass(2);
    await sender.run(channel);
    await alerts.resolve('fee_payer', 'a');
    await sender.run(channel);
    expect(lines.map(({ event, alert, level }) => [event, alert, level])).toEqual([
      ['repeated', 'fee_payer', 40],
      ['recovered', 'fee_payer', 30],
    ]);
  });

  it('counts what is open, sent and failed', async () => {
    const { url } = await receiver([500]);
    const channel = webhook(url);
    const registry = new Registry();
    const sender = new AlertDelivery({ pool, alerts, channels: [channel], logger, registry, now: Date.now });
    await raise('a', 'critical');
    await raise('b', 'critical');
    await sender.run(channel);
    expect(await registry.metrics()).toContain('gtx_collector_alert_notices_due{channel="webhook"} 2');
    await pass(1);
    await sender.run(channel);
    const text = await registry.metrics();
    expect(text).toContain('gtx_collector_alerts_open{kind="fee_payer",severity="critical"} 2');
    expect(text).toContain('gtx_collector_alert_notices_total{channel="webhook",outcome="failed"} 2');
    expect(text).toContain('gtx_collector_alert_notices_total{channel="webhook",outcome="sent"} 2');
    expect(text).not.toContain('gtx_collector_alert_notices_due{');
  });
});

const silent = (): AlertChannel => ({
  name: 'shared',
  minimumSeverity: 'info',
  send: async () => {},
  test: async () => {},
  close: () => {},
});

const CERT = fileURLToPath(new URL('../fixtures/tls-test-cert.pem', import.meta.url));
const KEY = fileURLToPath(new URL('../fixtures/tls-test-key.pem', import.meta.url));

interface Mail {
  from: string;
  to: string[];
  text: string;
  secure: boolean;
  user: unknown;
}

async function mailServer(options: SMTPServerOptions = {}): Promise<{ port: number; mails: Mail[] }> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    key: readFileSync(KEY),
    cert: readFileSync(CERT),
    onAuth: ({ username, password }, _session, done) =>
      password === 'right' ? done(null, { user: username }) : done(new Error('wrong')),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { envelope, secure, user } = session;
        mails.push({
          from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
          to: envelope.rcptTo.map(({ address }) => address),
          // Long headers are folded (RFC 5322, section 2.2.3).
          text: Buffer.concat(chunks)
            .toString('utf8')
            .replaceAll(/\r\n(?=[ \t])/g, ''),
          secure,
          user,
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

const email = (extra: Partial<EmailOptions> & { url: string }) => {
  const channel = new EmailChannel({
    username: undefined,
    password: undefined,
    caFile: undefined,
    from: 'grid@example.org',
    to: ['ops@example.org', 'night@example.org'],
    minimumSeverity: 'warning',
    publicUrl: 'https://grid.example.org',
    logger,
    ...extra,
  });
  cleanups.push(() => channel.close());
  return channel;
};

describe('mail', () => {
  it('says in the subject what there is to know, and in the text what to do', async () => {
    const { port, mails } = await mailServer({ disabledCommands: ['STARTTLS', 'AUTH'] });
    const channel = email({ url: `smtp://127.0.0.1:${port}` });
    const sender = delivery(channel);
    await alerts.raise({
      kind: 'fee_payer',
      key: 'wallet\r\nBcc: thief@example.org',
      severity: 'critical',
      message: 'the fee payer is empty\r\nBcc: thief@example.org',
      details: { wallet: 'wallet', part: 'settlement' },
    });
    await sender.run(channel);
    const [mail] = mails;
    expect(mail).toMatchObject({ from: 'grid@example.org', to: ['ops@example.org', 'night@example.org'] });
    expect(mail?.text).toMatch(
      /^Subject: \[gridtokenx\] critical: the fee payer is empty Bcc: thief@example\.org\r$/m,
    );
    expect(mail?.text).not.toMatch(/^Bcc:/m);
    expect(mail?.text).toMatch(/^Auto-Submitted: auto-generated\r$/im);
    expect(mail?.text).toContain('docs/runbook.md, fee_payer');
    expect(mail?.text).toContain('https://grid.example.org');
    await raise('b', 'warning');
    await raise('c', 'critical');
    await alerts.resolve('fee_payer', 'wallet\r\nBcc: thief@example.org');
    await sender.run(channel);
    expect(mails).toHaveLength(2);
    expect(mails[1]?.text).toMatch(/^Subject: \[gridtokenx\] 3 alerts: 1 critical, 1 warning, 1 over\r$/m);
  });

  it('speaks TLS with a certificate that it checks, with and without STARTTLS, and logs in', async () => {
    for (const secure of [false, true]) {
      const { port, mails } = await mailServer({ secure, authOptional: false });
      const url = `${secure ? 'smtps' : 'smtp'}://localhost:${port}`;
      const login = { username: 'grid', password: 'right' };
      const channel = email({ url, caFile: CERT, ...login });
      await channel.test(notice);
      expect(mails).toMatchObject([{ secure: true, user: 'grid' }]);
      // A certificate of nobody's that it knows.
      if (secure)
        await expect(email({ url, ...login }).test(notice)).rejects.toThrow(/self.signed|certificate/i);
      const wrong = email({ url, caFile: CERT, username: 'grid', password: 'wrong' });
      const error: unknown = await wrong.test(notice).catch((thrown: unknown) => thrown);
      expect(String(error)).toMatch(/EAUTH/);
      expect(String(error)).not.toContain('password');
      expect(mails).toHaveLength(1);
    }
  });

  it('sends nothing unencrypted to a server that offers no TLS where TLS is due', async () => {
    const { port, mails } = await mailServer({ disabledCommands: ['STARTTLS'] });
    const channel = email({ url: `smtp://localhost:${port}`, caFile: CERT });
    await expect(channel.test(notice)).rejects.toThrow(/TLS/);
    expect(mails).toEqual([]);
  });

  it('keeps a mail for later while the server is away', async () => {
    let refusals = 1;
    const { port, mails } = await mailServer({
      onMailFrom: (_address, _session, done) =>
        refusals-- > 0 ? done(Object.assign(new Error('busy'), { responseCode: 451 })) : done(),
    });
    const channel = email({ url: `smtp://127.0.0.1:${port}` });
    const sender = delivery(channel);
    await raise('a');
    await sender.run(channel);
    expect(mails).toEqual([]);
    expect((await pool.query('SELECT error FROM alert_notices')).rows[0].error).toMatch(/451|busy/);
    await pass(1);
    await sender.run(channel);
    expect(mails).toHaveLength(1);
  });
});

describe('pruning', () => {
  const keys = async () =>
    (await pool.query('SELECT dedupe_key FROM alerts ORDER BY dedupe_key')).rows.map((row) => row.dedupe_key);

  it('removes what has been over for longer than it is kept, with its notices, and nothing that is open', async () => {
    const channel = new LogChannel(logger, 'info');
    for (const key of ['long over', 'just over', 'open for years']) await raise(key);
    await delivery(channel).run(channel);
    for (const key of ['long over', 'just over']) await alerts.resolve('fee_payer', key);
    await pool.query(
      `UPDATE alerts SET first_seen = now() - interval '3 years', last_seen = now() - interval '2 years'`,
    );
    await pool.query(
      `UPDATE alerts SET resolved_at = now() - CASE dedupe_key WHEN 'long over' THEN interval '31 days' ELSE interval '29 days' END
       WHERE resolved_at IS NOT NULL`,
    );
    expect((await pool.query('SELECT count(*)::int AS n FROM alert_notices')).rows[0].n).toBe(3);
    const pruning = new AlertPruning({ pool, logger, keepDays: 30 });
    expect(await pruning.prune()).toBe(1);
    expect(await keys()).toEqual(['just over', 'open for years']);
    expect((await pool.query('SELECT count(*)::int AS n FROM alert_notices')).rows[0].n).toBe(2);
    expect(await pruning.prune()).toBe(0);
  });

  it('removes any number, when it starts', async () => {
    await pool.query(
      `INSERT INTO alerts (kind, dedupe_key, severity, message, resolved_at)
       SELECT 'fee_payer', 'a' || i, 'info', 'over', now() - interval '400 days' FROM generate_series(1, 2500) i`,
    );
    await raise('open');
    const pruning = new AlertPruning({ pool, logger, keepDays: 365 });
    pruning.start();
    await until(async () => (await keys()).length === 1, 'only the open one is left');
    expect(await keys()).toEqual(['open']);
    await pruning.stop();
  });
});

const notice: Notice = {
  id: '6f2f6ed6-0000-4000-8000-000000000000',
  event: 'opened',
  number: 1,
  alert: {
    id: '6f2f6ed6-0000-4000-8000-000000000001',
    kind: 'test',
    key: 'test',
    severity: 'info',
    message: 'a test',
    details: {},
    occurrences: 1,
    firstSeen: new Date(0),
    lastSeen: new Date(0),
    resolvedAt: undefined,
  },
};
