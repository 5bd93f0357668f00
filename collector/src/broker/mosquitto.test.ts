/** The rules that `gtx broker rules` writes, on a real Mosquitto. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topicFor } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../testing/collector.js';
import { mosquittoUser, mosquittoWanted, startMosquitto, type TestMosquitto } from '../testing/mosquitto.js';
import { OwnAuthority } from './certificates.js';
import { type BrokerAuth, checkGateways, hashPassword, isHashOf, mosquittoPasswords } from './mosquitto.js';
import { type BrokerRules, type BrokerRulesOptions, parseListen, writeBrokerRules } from './rules.js';

const GATEWAYS = [['MTR-1'], ['MTR-2', 'MTR-3']];
let folder: string;
const clients: MqttClient[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-mosquitto-'));
  chmodSync(folder, 0o711);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const client of clients.splice(0)) client.end(true);
});

describe('the password file', () => {
  test.runIf(mosquittoWanted())('has the hashes of mosquitto_passwd', () => {
    const file = join(folder, 'theirs');
    execFileSync('mosquitto_passwd', ['-b', '-c', file, 'MTR-1', 'a password: with ünicode'], {
      stdio: 'pipe',
    });
    const [login, theirs] = readFileSync(file, 'utf8').trim().split(/:(.*)/);
    expect(login).toBe('MTR-1');
    const salt = Buffer.from(theirs?.split('$')[3] ?? '', 'base64');
    expect(hashPassword('a password: with ünicode', salt)).toBe(theirs);
    expect(isHashOf(theirs ?? '', 'a password: with ünicode')).toBe(true);
    expect(isHashOf(theirs ?? '', 'another')).toBe(false);
    for (const broken of ['', 'plain', '$6$salt$hash', '$7$101$$', '$7$101$YQ==$']) {
      expect(isHashOf(broken, 'plain')).toBe(false);
    }
  });

  test('keeps the lines that still fit', () => {
    const before = mosquittoPasswords(
      new Map([
        ['a', 'one'],
        ['b', 'two'],
      ]),
    );
    const after = mosquittoPasswords(
      new Map([
        ['a', 'one'],
        ['b', 'three'],
      ]),
      before,
    );
    const lines = (text: string) => text.trim().split('\n');
    expect(lines(after)[0]).toBe(lines(before)[0]);
    expect(lines(after)[1]).not.toBe(lines(before)[1]);
    expect(hashPassword('one')).not.toBe(hashPassword('one'));
  });
});

test('gateways and listeners are checked', async () => {
  expect(() => checkGateways([['MTR-1'], ['MTR-2', 'MTR-1']])).toThrow(/MTR-1 is named twice/);
  expect(() => checkGateways([['MTR/1']])).toThrow();
  expect(() => checkGateways([['_collector']])).toThrow();
  expect(() => checkGateways([[]])).toThrow();
  expect(parseListen('0.0.0.0:8883')).toEqual({ host: '0.0.0.0', port: 8883 });
  expect(parseListen('[::1]:1883')).toEqual({ host: '::1', port: 1883 });
  for (const bad of ['8883', 'host', 'a:b:1883', 'host:0', 'host:70000']) {
    expect(() => parseListen(bad), bad).toThrow();
  }
  const options = { gateways: GATEWAYS, folder: join(folder, 'never'), now: Date.now };
  const listen = { host: '0.0.0.0', port: 8883 };
  await expect(writeBrokerRules({ ...options, auth: 'password', listen })).rejects.toThrow(/needs TLS/);
  const local = { host: '127.0.0.1', port: 1883 };
  await expect(writeBrokerRules({ ...options, auth: 'certificate', listen: local })).rejects.toThrow(
    /tls-dir/,
  );
});

describe.runIf(mosquittoWanted()).each(['password', 'certificate'] as const)('Mosquitto with %ss', (auth) => {
  let broker: TestMosquitto;
  let rules: BrokerRules;
  let options: BrokerRulesOptions;
  let url: string;

  beforeAll(async () => {
    const port = await freePort();
    options = {
      gateways: GATEWAYS,
      folder: join(folder, auth),
      auth,
      listen: { host: '127.0.0.1', port },
      tlsDir: join(folder, `${auth}-tls`),
      names: ['broker.example'],
      owner: mosquittoUser(),
      now: Date.now,
    };
    rules = await writeBrokerRules(options);
    broker = await startMosquitto(rules.configFile, port);
    url = `mqtts://127.0.0.1:${port}`;
  });
  afterAll(() => broker?.stop());

  /** What a client is given: the files of one login. */
  function loginOf(login: string, kind: BrokerAuth = auth): IClientOptions {
    const file = (name: string) => readFileSync(join(folder, auth, 'logins', name), 'utf8');
    return {
      protocolVersion: 5,
      reconnectPeriod: 0,
      connectTimeout: 30_000,
      ca: file('ca.pem'),
      ...(kind === 'password'
        ? { username: login, password: file(`${login}.password`).trim() }
        : { cert: file(`${login}.cert.pem`), key: file(`${login}.key.pem`) }),
    };
  }
  async function connect(with_: IClientOptions): Promise<MqttClient & { heard: string[] }> {
    const client = await mqtt.connectAsync(url, with_, false);
    clients.push(client);
    const heard: string[] = [];
    client.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
    return Object.assign(client, { heard });
  }
  const publish = (client: MqttClient, topic: string, text = 'x') =>
    client.publishAsync(topic, text, { qos: 1 });
  /** "Not authorized" (MQTT 5, 3.4.2.1). */
  const refused = (client: MqttClient, topic: string) =>
    expect(publish(client, topic), topic).rejects.toMatchObject({ code: 0x87 });

  test('a gateway speaks for its own meters only', async () => {
    const collector = await connect(loginOf('_collector'));
    const kinds = ['reading', 'status', 'telemetry'] as const;
    await collector.subscribeAsync(
      kinds.map((kind) => `gtx/v1/+/${kind}`),
      { qos: 1 },
    );
    const one = await connect(loginOf('MTR-1'));
    const two = await connect(loginOf('MTR-2'));
    for (const kind of ['reading', 'telemetry', 'status'] as const) {
      await publish(one, topicFor('MTR-1', kind));
      await publish(two, topicFor('MTR-3', kind));
      await refused(one, topicFor('MTR-2', kind));
      await refused(two, topicFor('MTR-1', kind));
    }
    for (const kind of ['ack', 'command'] as const) await refused(one, topicFor('MTR-1', kind));
    await refused(one, 'gtx/v1/MTR-1/other');
    await refused(one, 'elsewhere');
    await refused(one, '$SYS/broker/uptime');
    await publish(two, topicFor('MTR-2', 'reading'), 'last');
    await until(() => collector.heard.includes('gtx/v1/MTR-2/reading last'), 'the last one');
    expect(collector.heard.map((line) => line.split(' ')[0]).sort()).toEqual([
      'gtx/v1/MTR-1/reading',
      'gtx/v1/MTR-1/status',
      'gtx/v1/MTR-1/telemetry',
      'gtx/v1/MTR-2/reading',
      'gtx/v1/MTR-3/reading',
      'gtx/v1/MTR-3/status',
      'gtx/v1/MTR-3/telemetry',
    ]);
  });

  test('a gateway hears what is for its own meters only', async () => {
    const collector = await connect(loginOf('_collector'));
    const one = await connect(loginOf('MTR-1'));
    const two = await connect(loginOf('MTR-2'));
    const everything = ['#', 'gtx/v1/+/ack', 'gtx/v1/+/reading', 'gtx/v1/MTR-2/ack', '$share/g/gtx/v1/+/ack'];
    await one.subscribeAsync(everything, { qos: 1 });
    await two.subscribeAsync(['gtx/v1/MTR-2/ack', 'gtx/v1/MTR-2/command', 'gtx/v1/MTR-3/ack'], { qos: 1 });
    await publish(two, topicFor('MTR-2', 'reading'));
    for (const meter of ['MTR-2', 'MTR-3', 'MTR-1']) await publish(collector, topicFor(meter, 'ack'), meter);
    await publish(collector, topicFor('MTR-2', 'command'), 'resend');
    await until(() => one.heard.length > 0 && two.heard.length === 3, 'acknowledgements');
    expect(new Set(one.heard)).toEqual(new Set(['gtx/v1/MTR-1/ack MTR-1']));
    expect(two.heard.sort()).toEqual([
      'gtx/v1/MTR-2/ack MTR-2',
      'gtx/v1/MTR-2/command resend',
      'gtx/v1/MTR-3/ack MTR-3',
    ]);
  });

  test('the collector and the operator can do what they need, and no more', async () => {
    const collector = await connect(loginOf('_collector'));
    const operator = await connect(loginOf('_operator'));
    await operator.subscribeAsync('gtx/v1/#', { qos: 1 });
    await publish(collector, topicFor('MTR-9', 'command'), 'sampling');
    await until(() => operator.heard.length === 1, 'the command');
    for (const kind of ['reading', 'telemetry', 'status'] as const) {
      await refused(collector, topicFor('MTR-1', kind));
      await refused(operator, topicFor('MTR-1', kind));
    }
    await refused(operator, topicFor('MTR-1', 'ack'));
  });

  test('two collectors share the readings, and a gateway cannot join them by a guess', async () => {
    const group = readFileSync(join(folder, auth, 'logins/_share-group'), 'utf8').trim();
    expect(group).toMatch(/^[A-Za-z0-9_-]{32}$/);
    const pair = [await connect(loginOf('_collector')), await connect(loginOf('_collector'))];
    for (const one of pair) await one.subscribeAsync(`$share/${group}/gtx/v1/+/reading`, { qos: 1 });
    const thief = await connect(loginOf('MTR-2'));
    await thief.subscribeAsync('$share/collectors/gtx/v1/+/reading', { qos: 1 });
    const one = await connect(loginOf('MTR-1'));
    const sent = Array.from({ length: 20 }, (_, index) => `gtx/v1/MTR-1/reading ${index}`);
    for (const line of sent) await publish(one, topicFor('MTR-1', 'reading'), line.split(' ')[1]);
    const heard = () => pair.flatMap((client) => client.heard);
    await until(() => heard().length >= sent.length, 'all readings');
    expect(heard().sort()).toEqual([...sent].sort());
    for (const client of pair) expect(client.heard.length).toBe(10);
    expect(thief.heard).toEqual([]);
  });

  test('nobody comes in without the right secret', async () => {
    const { ca } = loginOf('MTR-1');
    const nothing = { protocolVersion: 5 as const, reconnectPeriod: 0, ca };
    const out = (with_: IClientOptions) => expect(connect(with_)).rejects.toThrow();
    await out(nothing as IClientOptions);
    if (auth === 'password') {
      await out({ ...loginOf('MTR-1'), password: 'wrong' });
      await out({ ...loginOf('MTR-1'), username: 'MTR-2' });
      await out({ ...loginOf('MTR-1'), username: 'MTR-3' });
    } else {
      const stranger = new OwnAuthority({ folder: join(folder, 'stranger'), names: [], now: Date.now });
      const { cert, key } = await stranger.issueClient('MTR-1');
      await out({ ...nothing, cert, key } as IClientOptions);
      // The name in CONNECT does not count.
      const liar = await connect({ ...loginOf('MTR-1'), username: 'MTR-2', password: 'x' });
      await refused(liar, topicFor('MTR-2', 'reading'));
      await publish(liar, topicFor('MTR-1', 'reading'));
    }
  });

  test('a new gateway comes, another goes, and the others keep their secrets', async () => {
    const secretOf = (login: string) =>
      rules.logins.find((one) => one.login === login)?.files.map((file) => readFileSync(file, 'utf8'));
    const before = secretOf('MTR-1');
    const again = await writeBrokerRules({ ...options, gateways: [['MTR-1'], ['MTR-4']] });
    expect(again.withdrawn).toEqual(['MTR-2']);
    expect(secretOf('MTR-1')).toEqual(before);
    broker.reload();
    const fresh = await until(() => connect(loginOf('MTR-4')).catch(() => undefined), 'the new gateway');
    await until(
      () =>
        publish(fresh, topicFor('MTR-4', 'reading')).then(
          () => true,
          () => false,
        ),
      'the new rules',
    );
    if (auth === 'password') await expect(connect(loginOf('MTR-2'))).rejects.toThrow();
    else await refused(await connect(loginOf('MTR-2')), topicFor('MTR-2', 'reading'));
    const files = [...again.logins.flatMap(({ files }) => files), join(folder, auth, 'logins/_share-group')];
    for (const file of files) {
      expect(statSync(file).mode & 0o777, file).toBe(file.endsWith('cert.pem') ? 0o644 : 0o600);
    }
    for (const name of auth === 'password'
      ? ['passwords', 'acl', 'server.key.pem']
      : ['acl', 'server.key.pem']) {
      expect(statSync(join(again.brokerFolder, name)).mode & 0o777, name).toBe(0o600);
    }
  });

  test('certificates are renewed before their end; a damaged one too', async () => {
    if (auth === 'password') return;
    const own = join(folder, 'renewed');
    const day = 86_400_000;
    const write = (now: number) =>
      writeBrokerRules({ ...options, folder: own, tlsDir: join(folder, 'renewed-tls'), now: () => now });
    const { logins } = await write(Date.now());
    const files = logins.find(({ login }) => login === 'MTR-1')?.files ?? [];
    const [certFile, keyFile] = files as [string, string];
    const first = readFileSync(certFile, 'utf8');
    await write(Date.now() + 1000 * day);
    expect(readFileSync(certFile, 'utf8')).toBe(first);
    await write(Date.now() + 1070 * day);
    const second = readFileSync(certFile, 'utf8');
    expect(second).not.toBe(first);
    writeFileSync(keyFile, 'damaged');
    await write(Date.now() + 1070 * day);
    expect(readFileSync(certFile, 'utf8')).not.toBe(second);
  });
});
