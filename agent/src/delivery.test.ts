import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { topicFor } from '@gridtokenx/protocol';
import { describe, expect, it, type TestContext } from 'vitest';
import type { AgentStatus } from './agent.js';
import { makeKey, TestCollector } from './testing/collector.js';
import { TestHome, until } from './testing/home.js';

const ID = 'MTR-001';
const codes = (agent: { status(): AgentStatus }) => agent.status().alerts.map((alert) => alert.code);
const sequenceOf = (agent: { status(): AgentStatus }, id = ID) =>
  agent.status().meters.find((meter) => meter.id === id)?.sequence ?? 0;
const pem = ({ cert, key }: { cert: string; key: string }) => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
});

/** Waits until a way carries at least two more readings while the other, which may have something under way, carries none. */
async function alone(what: string, way: () => number, other: () => number): Promise<void> {
  let [begin, carried] = [way(), other()];
  await until(what, () => {
    if (other() !== carried) [begin, carried] = [way(), other()];
    return way() >= begin + 2;
  });
}

/** A home of one test's own: they wait for seconds more than they work, so they wait side by side. */
async function open({ onTestFinished }: TestContext) {
  const home = new TestHome();
  onTestFinished(() => home.close());
  await home.collector.start();

  const count = (id = ID) => home.collector.sequences(id).length;

  /** Each sequence once and in order, whichever way it came; repeats are allowed, gaps are not. */
  function expectOrdered(id = ID): void {
    expect(home.collector.faults).toEqual([]);
    const first = [
      ...new Set(home.collector.arrivals.filter((one) => one.meterId === id).map((one) => one.sequence)),
    ];
    expect(first).toEqual(first.map((_, index) => index + 1));
  }

  /** An authority and what it signs, by OpenSSL. */
  function certificate(
    name: string,
    options: { ca?: string; san?: string; days?: number } = {},
  ): { cert: string; key: string } {
    const [cert, key] = [join(home.folder, `${name}.pem`), join(home.folder, `${name}.key`)];
    const own = options.ca === undefined;
    const signedBy = own
      ? []
      : ['-CA', join(home.folder, `${options.ca}.pem`), '-CAkey', join(home.folder, `${options.ca}.key`)];
    const extensions = own
      ? []
      : [
          '-addext',
          'basicConstraints=critical,CA:FALSE',
          ...(options.san ? ['-addext', `subjectAltName=${options.san}`] : []),
        ];
    const subject = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
    ];
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
    const days = String(options.days ?? 30);
    if (own) openssl('req', '-x509', ...subject, '-days', days, '-keyout', key, '-out', cert);
    else {
      const request = join(home.folder, `${name}.csr`);
      openssl('req', '-new', ...subject, ...extensions, '-keyout', key, '-out', request);
      openssl(
        'x509',
        '-req',
        '-in',
        request,
        ...signedBy,
        '-copy_extensions',
        'copy',
        '-days',
        days,
        '-out',
        cert,
      );
    }
    chmodSync(key, 0o600);
    return { cert, key };
  }

  /** Starts the broker again, with TLS. */
  async function broker(options: TlsOptions): Promise<void> {
    await home.collector.stop();
    home.collector.tls = options;
    await home.collector.start();
  }

  /** Whether a gateway with this configuration gets through. @returns '' or why not */
  async function attempt(mqtt: { ca_file?: string; cert_file?: string; key_file?: string }): Promise<string> {
    const agent = await home.agent({
      data_dir: join(home.folder, `data-${home.agents.length}`),
      mqtt: { url: home.collector.url, ...mqtt },
    });
    const before = home.log.lines.length;
    const reason = () =>
      home.log.lines
        .slice(before)
        .map((line) => JSON.parse(line) as { msg: string; reason?: string })
        .find((line) => line.msg === 'not connected to the broker')?.reason;
    await until('a verdict', () => agent.status().broker.connected || reason() !== undefined);
    const connected = agent.status().broker.connected;
    await agent.stop();
    return connected ? '' : (reason() ?? 'not connected');
  }

  return { home, count, expectOrdered, certificate, broker, attempt };
}

describe.concurrent('HTTP as the second way', () => {
  const soon = { delivery: { http_after_seconds: 1 } };

  it.concurrent('takes the readings while the broker is away, and gives the way back when it is there again', async (context) => {
    const { home, count, expectOrdered } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }, { unit: 2 }]);
    const meter = home.meter(ID, simulator, 1);
    home.meter('MTR-002', simulator, 2);
    const collector_url = await home.collector.startHttp();
    const agent = await home.agent({ ...soon, collector_url });
    const http = () => home.collector.httpLogins.length;
    await until('both', () => count() >= 2 && count('MTR-002') >= 2);
    // On a busy machine the broker may have been too late for the first ones.
    await alone('over MQTT alone', count, http);
    expect(agent.status().broker.way).toBe('mqtt');

    await home.collector.stop();
    const before = count();
    await until('over HTTP', () => count() >= before + 3 && count('MTR-002') >= before + 3);
    expect(agent.status().broker).toMatchObject({ connected: false, way: 'http' });
    const logins = home.collector.httpLogins.filter((one) => one.meter_id === ID);
    expect(TestCollector.verifyLogin(logins.slice(0, 1), new Map([[ID, meter.key.publicKey]]))).toBe(true);
    // Each login is used once.
    expect(new Set(logins.map((one) => one.time)).size).toBe(logins.length);

    await home.collector.start();
    await until('back', () => agent.status().broker.way === 'mqtt');
    await alone('over MQTT alone again', count, http);
    expectOrdered();
    expectOrdered('MTR-002');
    await until('delivered', () => agent.status().meters.every((one) => one.outbox.sent <= 1));
    expect(await (await fetch(`${agent.url}/metrics`)).text()).toMatch(
      /^gtx_agent_readings_sent_over_http_total [1-9]/m,
    );
  });

  it.concurrent('delivers a gateway’s first readings though the broker has never been there', async (context) => {
    const { home, count, expectOrdered } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const collector_url = await home.collector.startHttp();
    await home.collector.stop();
    const agent = await home.agent({ ...soon, collector_url });
    await until('over HTTP', () => count() >= 3);
    expectOrdered();
    expect(agent.status().broker.way).toBe('http');
  });

  it.concurrent('believes nothing that the pinned key has not signed, however 200 it is', async (context) => {
    const { home, expectOrdered } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const collector_url = await home.collector.startHttp();
    await home.collector.stop();
    const forger = makeKey();
    let forgeries = 0;
    home.collector.httpAnswer = (response, envelope) => {
      forgeries += 1;
      const { payload } = JSON.parse(envelope) as { payload: string };
      const topic = topicFor(ID, 'ack');
      const bodies = [
        home.collector.envelope(topic, payload, forger),
        // Right key, other topic: a command or another meter's acknowledgement, replayed.
        home.collector.envelope(topicFor('MTR-009', 'ack'), payload),
        JSON.stringify({ meter_id: ID, status: 'pending', sequence: '1' }),
        '',
      ];
      response.writeHead(200, { 'content-type': 'application/json' }).end(bodies[forgeries % bodies.length]);
    };
    const agent = await home.agent({ ...soon, collector_url });
    await until('several answers', () => forgeries >= 4);
    const readings = agent.status().meters[0]?.outbox;
    expect(readings).toMatchObject({ stored: 0, held: 0, refused: 0 });
    expect(codes(agent)).toContain('ACK_INVALID');
    home.collector.httpAnswer = (response, envelope) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(envelope);
    };
    await until('believed', () => (agent.status().meters[0]?.outbox.stored ?? 0) > 0);
    expectOrdered();
  });

  it.concurrent('keeps what is refused for good with its reason, and sends the rest', async (context) => {
    const { home, count } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const collector_url = await home.collector.startHttp();
    await home.collector.stop();
    home.collector.verdict = (_id, reading) =>
      reading.sequence === 2n ? { code: 'READING_TOO_OLD', retry: 'never' } : 'store';
    const agent = await home.agent({ ...soon, collector_url });
    await until('others', () => count() >= 3);
    expect(home.collector.sequences(ID)).not.toContain(2);
    // The collector counts what it has stored; the gateway hears of it afterwards.
    const troubled = async () => {
      const state = (await (await fetch(`${agent.url}/api/status`)).json()) as AgentStatus;
      return state.meters[0]?.troubled ?? [];
    };
    await until('the refusal is known', async () => (await troubled()).length > 0);
    expect(await troubled()).toMatchObject([
      { sequence: 2, code: 'READING_TOO_OLD', refused: true, retry_ms: null },
    ]);
    expect((await troubled())[0]?.action).not.toBe('');
  });

  it.concurrent('waits for the broker where it was told to', async (context) => {
    const { home, count } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const collector_url = await home.collector.startHttp();
    await home.collector.stop();
    const agent = await home.agent({ delivery: { http_after_seconds: 0 }, collector_url });
    await until('some readings', () => sequenceOf(agent) >= 3);
    expect(agent.status().broker.way).toBe('none');
    expect(count()).toBe(0);
  });
});

it.concurrent('logs in with a password where the broker cannot check a signed message', async (context) => {
  const { home, count } = await open(context);
  const simulator = await home.simulate([{ unit: 1 }]);
  home.meter(ID, simulator, 1);
  home.collector.passwords = new Map([
    [ID, 'a word'],
    ['gateway', 'another'],
  ]);
  const password_file = join(home.folder, 'password');
  writeFileSync(password_file, 'a word\n', { mode: 0o600 });
  const agent = await home.agent({ mqtt: { url: home.collector.url, password_file } });
  await until('readings', () => count() >= 1);
  await agent.stop();

  const wrong = await home.agent({ mqtt: { url: home.collector.url, password_file, username: 'gateway' } });
  await until('refused', () => home.log.lines.some((line) => JSON.parse(line).refused === true));
  expect(wrong.status().broker.connected).toBe(false);
  await wrong.stop();

  chmodSync(password_file, 0o644);
  await expect(home.agent({ mqtt: { url: home.collector.url, password_file } })).rejects.toMatchObject({
    code: 'KEY_FILE_PERMISSIONS',
  });
});

it.concurrent('a backlog is sent at the configured pace, and then all is delivered', async (context) => {
  const { home, count, expectOrdered } = await open(context);
  const simulator = await home.simulate([{ unit: 1 }]);
  home.meter(ID, simulator, 1);
  await home.collector.stop();
  const agent = await home.agent({
    mqtt: { url: home.collector.url, window: 2 },
    delivery: { max_readings_per_second: 4 },
  });
  await until('a backlog', () => sequenceOf(agent) >= 8);
  await home.collector.start();
  await until('delivered', () => count() >= 8);
  expectOrdered();
});

describe.concurrent('TLS', () => {
  it.concurrent('trusts the broker by the right authority, name and time, and nothing else', async (context) => {
    const { home, certificate, broker, attempt } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const ca = certificate('ca');
    const other = certificate('other');
    await broker(pem(certificate('server', { ca: 'ca', san: 'IP:127.0.0.1' })));
    expect(await attempt({ ca_file: ca.cert })).toBe('');
    expect(await attempt({ ca_file: other.cert })).toMatch(/unable to (get|verify)|self.signed|signature/i);
    expect(await attempt({})).toMatch(/unable to (get|verify)|self.signed/i);
    await broker(pem(certificate('named', { ca: 'ca', san: 'DNS:collector.example' })));
    expect(await attempt({ ca_file: ca.cert })).toMatch(/IP: 127\.0\.0\.1 is not in the cert's list/);
    await broker(pem(certificate('expired', { ca: 'ca', san: 'IP:127.0.0.1', days: -1 })));
    expect(await attempt({ ca_file: ca.cert })).toMatch(/expired/);
    expect(home.collector.logins.length).toBe(1);
  });

  it.concurrent('shows its certificate where the broker wants one', async (context) => {
    const { home, certificate, broker, attempt } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const ca = certificate('ca');
    const clients = certificate('clients');
    const mine = certificate('gateway', { ca: 'clients' });
    certificate('strangers');
    const strange = certificate('stranger', { ca: 'strangers' });
    await broker({
      ...pem(certificate('server', { ca: 'ca', san: 'IP:127.0.0.1' })),
      ca: readFileSync(clients.cert),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const ca_file = ca.cert;
    expect(await attempt({ ca_file, cert_file: mine.cert, key_file: mine.key })).toBe('');
    expect(await attempt({ ca_file })).not.toBe('');
    expect(await attempt({ ca_file, cert_file: strange.cert, key_file: strange.key })).not.toBe('');
    expect(home.collector.logins.length).toBe(1);
    chmodSync(mine.key, 0o644);
    await expect(attempt({ ca_file, cert_file: mine.cert, key_file: mine.key })).rejects.toMatchObject({
      code: 'KEY_FILE_PERMISSIONS',
    });
  });

  it.concurrent('also holds for the second way', async (context) => {
    const { home, count, certificate } = await open(context);
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter(ID, simulator, 1);
    const ca = certificate('ca');
    const collector_url = await home.collector.startHttp(
      pem(certificate('server', { ca: 'ca', san: 'IP:127.0.0.1' })) as never,
    );
    await home.collector.stop();
    // There is something to send.
    const first = await home.agent();
    await until('readings', () => sequenceOf(first) >= 2);
    await first.stop();
    const wrong = await home.agent({ delivery: { http_after_seconds: 1 }, collector_url });
    await until('refused', async () =>
      /^gtx_agent_http_failures_total [1-9]/m.test(await (await fetch(`${wrong.url}/metrics`)).text()),
    );
    await wrong.stop();
    expect(home.collector.httpLogins).toEqual([]);
    const right = await home.agent({
      delivery: { http_after_seconds: 1 },
      collector_url,
      collector_ca_file: ca.cert,
    });
    await until('delivered', () => count() >= 2);
    expect(right.status().broker.way).toBe('http');
  });
});
