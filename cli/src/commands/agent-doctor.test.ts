/** What `gtx agent doctor` says when something is wrong, each thing by itself. */
import { spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { decodeBase58, encodeLoginMessage } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Check, examine } from '../agent-tools/doctor.js';
import { Gateway, until } from '../agent-tools/testing/gateway.js';

let gateway: Gateway;
const endings: (() => unknown)[] = [];
beforeEach(async () => {
  gateway = await new Gateway().prepare();
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await gateway.close();
});

const listen = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
};

/** A broker that answers each login with this return code (MQTT 3.1.1, 3.2: CONNACK). */
const broker = async (code: number): Promise<void> => {
  const port = await listen(
    createServer((socket) => socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, code])))),
  );
  gateway.config.mqtt = { url: `mqtt://127.0.0.1:${port}` };
  gateway.write();
};

/** Whether the request carries a login of the gateway's key. */
function loggedIn(request: IncomingMessage): boolean {
  const [, time = '', signature = ''] = /^GTXA (\d+)\.(\w+)$/.exec(request.headers.authorization ?? '') ?? [];
  const key = createPublicKey({
    key: {
      kty: 'OKP',
      crv: 'Ed25519',
      x: Buffer.from(decodeBase58(gateway.publicKey)).toString('base64url'),
    },
    format: 'jwk',
  });
  const message = encodeLoginMessage({ unixSeconds: Number(time), meterId: 'MTR-001' });
  return verify(null, message, key, decodeBase58(signature));
}

interface CollectorTraits {
  offsetSeconds?: number;
  refusal?: string;
  sequence?: string;
}
const collector = async ({
  offsetSeconds = 0,
  refusal,
  sequence = '0',
}: CollectorTraits = {}): Promise<void> => {
  const port = await listen(
    createHttp((request, response) => {
      const send = (status: number, body: object) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      const time = Math.floor(Date.now() / 1000) + offsetSeconds;
      if (request.url === '/api/time') send(200, { time, iso: '' });
      else if (!loggedIn(request)) send(401, { error: { code: 'LOGIN_REFUSED', message: 'no' } });
      else if (refusal !== undefined) send(403, { error: { code: refusal, message: 'refused' } });
      else {
        send(200, {
          meter_id: 'MTR-001',
          time,
          through: sequence,
          reading: null,
          chain: {
            last_sequence: sequence,
            last_end: 0,
            produced_total: '0',
            consumed_total: '0',
            surplus_total: '0',
          },
        });
      }
    }),
  );
  gateway.config.collector_url = `http://127.0.0.1:${port}`;
  gateway.write();
};

async function doctor(ntp?: boolean): Promise<Record<string, Check>> {
  const seen: Check[] = [];
  const checks = await examine(gateway.configFile, {
    env: {},
    now: Date.now,
    signal: new AbortController().signal,
    onCheck: (check) => seen.push(check),
    ntpStatus: async () => ntp,
    user: undefined,
  });
  expect(seen).toEqual(checks);
  for (const { state, action } of checks)
    if (state === 'fail' || state === 'warn') expect(action).toBeTruthy();
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

describe('gtx agent doctor', () => {
  it('finds nothing wrong where nothing is', async () => {
    await broker(0);
    await collector();
    const { code, out } = await gateway.gtx('doctor');
    expect(out).not.toContain('FAIL');
    expect(code).toBe(0);
    expect(out).toMatch(/^ok {4}key MTR-001: \w{32,44} in /m);
    expect(out).toMatch(/^ok {4}device MTR-001\/grid: eastron-sdm630 at address 1 answers: -5000 W/m);
    expect(out).toMatch(/^ok {4}broker: .* takes the login$/m);
    expect(out).toMatch(/^ok {4}registration MTR-001: registered with this key/m);
    expect(out).toMatch(/^WARN {2}gateway: does not run$/m);
    const json = JSON.parse((await gateway.gtx('doctor', '--json')).out) as { ok: boolean; checks: Check[] };
    expect(json.ok).toBe(true);
    expect(json.checks.length).toBeGreaterThan(7);
  });

  it('asks a running gateway instead of taking its port and login', async () => {
    await collector();
    const agent = await gateway.start();
    await until('a sample', () => agent.status().meters[0]?.devices[0]?.online === true);
    const requests = gateway.simulator.state()[0]?.requests;
    expect(requests).toBeGreaterThan(0);
    const checks = await doctor();
    expect(checks.gateway).toMatchObject({ state: 'ok' });
    expect(checks['device MTR-001/grid']).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('answers the gateway'),
    });
    expect(checks.broker).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('is not connected'),
    });
  });

  it('names line and column of a wrong setting, and stops there', async () => {
    writeFileSync(gateway.configFile, 'data_dir: x\nmeters: 3\n');
    const { code, out } = await gateway.gtx('doctor');
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}config: CONFIG_INVALID: /m);
    expect(out).toMatch(/agent\.yaml:2:1: meters: /);
    expect(out).toContain('0 right, 0 to look at, 1 wrong.');
  });

  it('sees a key that others can read, and one that is gone', async () => {
    chmodSync(gateway.keyFile, 0o640);
    const open = await doctor();
    expect(open['key MTR-001']).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('KEY_FILE_PERMISSIONS'),
    });
    expect(open.broker).toMatchObject({ state: 'skipped' });
    rmSync(gateway.keyFile);
    expect((await doctor())['key MTR-001']).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('KEY_FILE_INVALID'),
    });
  });

  it.runIf(process.getuid?.() === 0)('sees what the service could not read or write', async () => {
    const checks = await examine(gateway.configFile, {
      env: {},
      now: Date.now,
      signal: new AbortController().signal,
      onCheck: () => {},
      user: { uid: 12_345, gid: 12_345 },
    });
    const named = (name: string) => checks.find((one) => one.name === name);
    expect(named('key MTR-001')).toMatchObject({ state: 'fail', action: expect.stringContaining('chown') });
    expect(named('disk')).toMatchObject({ state: 'fail', action: expect.stringContaining('chown') });
  });

  it('sees a data folder that is not there', async () => {
    gateway.config.data_dir = join(gateway.folder, 'none');
    gateway.write();
    expect((await doctor()).disk).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('is not there'),
    });
  });

  it('hears what the system says of its clock', async () => {
    gateway.config.clock = { ntp: 'auto' };
    gateway.write();
    expect((await doctor(false)).clock).toMatchObject({ state: 'fail' });
    expect((await doctor(true)).clock).toMatchObject({ state: 'ok' });
    expect((await doctor(undefined)).clock).toMatchObject({ state: 'warn' });
  });

  it('compares the clock with the collector’s', async () => {
    await collector({ offsetSeconds: 3_600 });
    expect((await doctor()).collector).toMatchObject({
      state: 'fail',
      detail: expect.stringMatching(/3\d{3}\.\d s behind: nothing is signed/),
    });
  });

  it('sees a collector that does not answer', async () => {
    gateway.config.collector_url = `http://127.0.0.1:${await freePort()}`;
    gateway.write();
    const checks = await doctor();
    expect(checks.collector).toMatchObject({ state: 'fail' });
    expect(checks['registration MTR-001']).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('COLLECTOR_UNAVAILABLE'),
    });
  });

  it.each(['METER_NOT_REGISTERED', 'LOGIN_REFUSED', 'USER_NOT_VERIFIED'])(
    'passes on what the collector says: %s',
    async (refusal) => {
      await collector({ refusal });
      expect((await doctor())['registration MTR-001']).toMatchObject({
        state: 'fail',
        detail: expect.stringContaining(refusal),
      });
    },
  );

  it('sees a store that was lost', async () => {
    await collector({ sequence: '17' });
    expect((await doctor())['registration MTR-001']).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('the store was lost or set back'),
    });
  });

  it.each([4, 5])('sees a broker that refuses the login (%i)', async (code) => {
    await broker(code);
    expect((await doctor()).broker).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('refuses the login'),
    });
  });

  it('sees a broker that is not there, and one that speaks no TLS', async () => {
    expect((await doctor()).broker).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
    const port = await listen(createServer((socket) => socket.once('data', () => socket.end('no TLS here'))));
    gateway.config.mqtt = { url: `mqtts://127.0.0.1:${port}` };
    gateway.write();
    expect((await doctor()).broker).toMatchObject({
      state: 'fail',
      action: expect.stringContaining('ca_file'),
    });
  });

  it('sees a meter that does not answer, and one of another model', async () => {
    const [device] = gateway.config.meters[0]?.devices ?? [];
    if (device === undefined) throw new Error('no device');
    device.unit = 9;
    device.timeout_ms = 300;
    gateway.write();
    const silent = (await doctor())['device MTR-001/grid'];
    expect(silent).toMatchObject({ state: 'fail', detail: expect.stringContaining('METER_BUS_ERROR') });
    gateway.simulator.setFault(1, { type: 'value', value: 'nan' });
    device.unit = 1;
    device.timeout_ms = 10_000;
    gateway.write();
    expect((await doctor())['device MTR-001/grid']).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining('METER_VALUE_INVALID'),
    });
  });

  it('doubts more power than the connection can carry', async () => {
    const [meter] = gateway.config.meters;
    if (meter === undefined) throw new Error('no meter');
    meter.rated_watts = 1_000;
    gateway.write();
    expect((await doctor())['device MTR-001/grid']).toMatchObject({
      state: 'warn',
      detail: expect.stringContaining('above rated_watts'),
    });
  });

  it('sees a serial port that is not there, or that another program has', async () => {
    const port = join(gateway.folder, 'tty');
    const [device] = gateway.config.meters[0]?.devices ?? [];
    if (device === undefined) throw new Error('no device');
    device.connection = { type: 'rtu', path: port };
    gateway.write();
    const gone = await doctor();
    expect(gone[`port ${port}`]).toMatchObject({ state: 'fail', detail: 'is not there' });
    expect(gone['device MTR-001/grid']).toMatchObject({ state: 'skipped' });
    writeFileSync(port, '');
    const holder = spawn('sh', ['-c', 'exec 3<"$0"; echo open; read -r _', port], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    endings.push(async () => {
      holder.kill();
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    });
    await once(holder.stdout, 'data');
    expect((await doctor())[`port ${port}`]).toMatchObject({
      state: 'fail',
      detail: expect.stringContaining(`process ${holder.pid}`),
    });
  });
});
