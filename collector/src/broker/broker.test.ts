import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ack, decodeBase58, encodeEnvelopeMessage, topicFor } from '@gridtokenx/protocol';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { verifySignature } from '../validate/signature.js';

let postgres: TestPostgres;
let collector: TestCollector;
let time = 1_760_000_400;
let count = 0;
const clients: MqttClient[] = [];
/** Ends what hangs. */
const CONNECT_MILLIS = 120_000;

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, {
    now: () => time * 1000,
    env: { GTX_OPERATOR_USERNAME: 'ops', GTX_OPERATOR_PASSWORD: 'correct horse' },
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.endAsync(true);
  time += 10;
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

function newMeter(): TestMeter {
  count += 1;
  const meter = new TestMeter(`MTR-${count}`, time - 90_000);
  collector.registry.register(meter);
  return meter;
}

interface Login {
  username?: string;
  password?: string;
  clientId?: string;
  will?: { topic: string; payload: Buffer; qos: 1; retain: boolean };
}

function open(login: Login): MqttClient {
  const client = mqtt.connect(collector.mqttUrl, {
    reconnectPeriod: 0,
    connectTimeout: CONNECT_MILLIS,
    ...login,
  });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

/** Resolves to the CONNACK's return code (0 accepted). */
function connack(client: MqttClient): Promise<number> {
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') resolve(packet.returnCode ?? -1);
    });
  });
}

const passwordOf = (meters: TestMeter[], at = time) =>
  JSON.stringify(meters.map((meter) => meter.loginEntry(at)));

/** A connected gateway that collects its verified acknowledgements. */
async function gateway(...meters: TestMeter[]) {
  const client = open({ username: meters[0]?.meterId ?? '', password: passwordOf(meters) });
  expect(await connack(client)).toBe(0);
  const acks: Ack[] = [];
  client.on('message', (topic, payload) => {
    const envelope = JSON.parse(payload.toString());
    expect(envelope.public_key).toBe(collector.ackPublicKey);
    expect(
      verifySignature(
        decodeBase58(envelope.signature, 64),
        encodeEnvelopeMessage(topic, envelope.payload),
        decodeBase58(envelope.public_key, 32),
      ),
    ).toBe(true);
    if (topic.endsWith('/ack')) acks.push(JSON.parse(envelope.payload));
  });
  for (const meter of meters) {
    await client.subscribeAsync(topicFor(meter.meterId, 'ack'), { qos: 1 });
    // What it is told as one that has come is read in its own time, which may be after its first reading is stored.
    if (!collector.registry.chain.has(meter.meterId)) continue;
    await until(() => acks.some((ack) => ack.meter_id === meter.meterId), 'the present state');
  }
  const send = (meter: TestMeter, payload: unknown) =>
    client.publishAsync(
      topicFor(meter.meterId, 'reading'),
      Buffer.isBuffer(payload) || typeof payload === 'string' ? payload : JSON.stringify(payload),
      { qos: 1 },
    );
  const through = (meter: TestMeter, sequence: string) =>
    until(
      () => acks.findLast((ack) => ack.meter_id === meter.meterId && ack.through === sequence),
      `ack through ${sequence}`,
    );
  return { client, acks, send, through };
}

describe('login', () => {
  test('a gateway logs in with one signed entry for each meter', async () => {
    const meters = [newMeter(), newMeter(), newMeter()];
    const { client } = await gateway(...meters);
    expect(client.connected).toBe(true);
    const { rows } = await collector.pool.query('SELECT last_login FROM meters WHERE meter_id = $1', [
      meters[1]?.meterId,
    ]);
    expect(rows[0].last_login).toBe(String(time));
  });

  test.each<[string, (meter: TestMeter) => Login]>([
    ['nothing', () => ({})],
    ['no password', (meter) => ({ username: meter.meterId })],
    ['a password that is not JSON', (meter) => ({ username: meter.meterId, password: 'secret' })],
    ['no entries', (meter) => ({ username: meter.meterId, password: '[]' })],
    ['another username', (meter) => ({ username: 'MTR-other', password: passwordOf([meter]) })],
    [
      'another key',
      (meter) => ({
        username: meter.meterId,
        password: JSON.stringify([new TestMeter(meter.meterId, 0).loginEntry(time)]),
      }),
    ],
    [
      'an entry signed for another time',
      (meter) => ({
        username: meter.meterId,
        password: JSON.stringify([{ ...meter.loginEntry(time), time: time - 1 }]),
      }),
    ],
    ['a wrong operator password', () => ({ username: 'ops', password: 'wrong horse' })],
  ])('refused with %s', async (_name, login) => {
    expect(await connack(open(login(newMeter())))).toBe(5);
  });

  test('a stale login is refused, and the time is to be had', async () => {
    const meter = newMeter();
    const refused = open({ username: meter.meterId, password: passwordOf([meter], time - 301) });
    expect(await connack(refused)).toBe(5);
    const early = open({ username: meter.meterId, password: passwordOf([meter], time + 301) });
    expect(await connack(early)).toBe(5);
    const answer = await fetch(`${collector.httpUrl}/api/time`);
    expect(((await answer.json()) as { time: number }).time).toBe(time);
    expect(await connack(open({ username: meter.meterId, password: passwordOf([meter], time - 299) }))).toBe(
      0,
    );
  });

  test('a login cannot be replayed, nor one from before it', async () => {
    const meter = newMeter();
    const login = { username: meter.meterId, password: passwordOf([meter]) };
    expect(await connack(open(login))).toBe(0);
    expect(await connack(open(login))).toBe(5);
    expect(await connack(open({ ...login, password: passwordOf([meter], time - 1) }))).toBe(5);
    expect(await connack(open({ ...login, password: passwordOf([meter], time + 1) }))).toBe(0);
  });

  test('one meter that is not registered keeps no other out, and comes in when it is', async () => {
    const good = newMeter();
    const waiting = new TestMeter(`MTR-waiting-${good.meterId}`, time - 90_000);
    const { send, through } = await gateway(good, waiting);
    await send(good, good.next());
    await through(good, '1');
    await send(waiting, waiting.next());
    collector.registry.register(waiting);
    time += 11;
    const body = waiting.submission(waiting.reading, 600_000_000n);
    await until(async () => {
      await send(waiting, body);
      const { rowCount } = await collector.pool.query('SELECT FROM meter_readings WHERE meter_id = $1', [
        waiting.meterId,
      ]);
      return rowCount === 1;
    }, 'the waiting meter is served');
    await through(waiting, '1');
  });

  test("nobody takes another login's connection over by its client id", async () => {
    const [meter, other] = [newMeter(), newMeter()];
    const clientId = `same-${meter.meterId}`;
    const first = open({ username: meter.meterId, password: passwordOf([meter]), clientId });
    expect(await connack(first)).toBe(0);
    expect(await connack(open({ username: other.meterId, password: passwordOf([other]), clientId }))).toBe(2);
    expect(first.connected).toBe(true);
  });
});

describe('topics', () => {
  test("a gateway hears and says only its own meters' part", async () => {
    const [own, other] = [newMeter(), newMeter()];
    const { client } = await gateway(own);
    const granted = async (filter: string) => {
      const [grant] = await client.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }]);
      return (grant?.qos ?? 0) < 128;
    };
    expect(await granted(topicFor(own.meterId, 'command'))).toBe(true);
    for (const filter of [
      '#',
      'gtx/v1/+/ack',
      'gtx/v1/#',
      '$SYS/#',
      topicFor(other.meterId, 'ack'),
      topicFor(own.meterId, 'reading'),
    ]) {
      expect(await granted(filter), filter).toBe(false);
    }
  });

  test.each<[string, (own: TestMeter, other: TestMeter) => string]>([
    ["another meter's reading", (_, other) => topicFor(other.meterId, 'reading')],
    ["another meter's status", (_, other) => topicFor(other.meterId, 'status')],
    ['its own acknowledgement', (own) => topicFor(own.meterId, 'ack')],
    ['its own command', (own) => topicFor(own.meterId, 'command')],
    ['a $SYS topic', () => '$SYS/x'],
    ['a topic outside', () => 'other'],
  ])('publishing %s ends the connection', async (_name, topicOf) => {
    const [own, other] = [newMeter(), newMeter()];
    const { client } = await gateway(own);
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.publish(topicOf(own, other), 'x', { qos: 0 });
    await closed;
  });

  test('an operator reads everything and says nothing', async () => {
    const meter = newMeter();
    const operator = open({ username: 'ops', password: 'correct horse' });
    expect(await connack(operator)).toBe(0);
    const topics: string[] = [];
    operator.on('message', (topic) => topics.push(topic));
    await operator.subscribeAsync('gtx/v1/#', { qos: 1 });
    const { send, through } = await gateway(meter);
    await send(meter, meter.next());
    await through(meter, '1');
    await until(
      () =>
        topics.includes(topicFor(meter.meterId, 'reading')) &&
        topics.includes(topicFor(meter.meterId, 'ack')),
      'seen',
    );
    const closed = new Promise<void>((resolve) => operator.once('close', () => resolve()));
    operator.publish(topicFor(meter.meterId, 'command'), 'x');
    await closed;
  });

  test('every meter of a lost gateway is shown offline, not only the one of its will', async () => {
    const meters = [newMeter(), newMeter()] as const;
    const operator = open({ username: 'ops', password: 'correct horse' });
    expect(await connack(operator)).toBe(0);
    const states = new Map<string, string>();
    operator.on('message', (topic, payload) => states.set(topic, JSON.parse(payload.toString()).state));
    await operator.subscribeAsync('gtx/v1/+/status', { qos: 1 });
    const { client } = await gateway(...meters);
    const online = {
      state: 'online',
      version: '1',
      time,
      outbox_depth: 0,
      clock: { synchronised: true },
      bus: { ok: true, devices: [] },
      alerts: [],
    };
    for (const meter of meters) {
      await client.publishAsync(topicFor(meter.meterId, 'status'), JSON.stringify(online), {
        qos: 1,
        retain: true,
      });
    }
    const all = (state: string) =>
      until(() => meters.every((meter) => states.get(topicFor(meter.meterId, 'status')) === state), state);
    await all('online');
    client.stream.destroy();
    await all('offline');
  });
});

describe('readings', () => {
  test('are acknowledged when stored, in order, with what was refused and held', async () => {
    const meter = newMeter();
    const { send, through, acks } = await gateway(meter);
    await send(meter, meter.next());
    expect((await through(meter, '1')).stored).toEqual(['1']);
    const { rows } = await collector.pool.query('SELECT sequence FROM meter_readings WHERE meter_id = $1', [
      meter.meterId,
    ]);
    expect(rows).toEqual([{ sequence: '1' }]);
    const bad = meter.submission(
      {
        ...meter.reading,
        sequence: 2n,
        intervalStart: meter.reading.intervalEnd,
        intervalEnd: meter.reading.intervalEnd + 900,
        producedTotal: 0n,
      },
      0n,
    );
    await send(meter, bad);
    expect((await through(meter, '2')).refused).toEqual([
      { sequence: '2', code: 'TOTALS_DECREASED', retry: 'never' },
    ]);
    // The refused one is counted past: the next reading covers its energy.
    meter.next();
    await send(meter, meter.next('150', '0'));
    const held = await until(() => acks.findLast((ack) => ack.through === '3'), 'held');
    expect(held.held).toEqual([{ sequence: '3' }]);
  });

  test('the same again is acknowledged again and stored once', async () => {
    const meter = newMeter();
    const { send, through, acks } = await gateway(meter);
    const body = meter.next();
    await send(meter, body);
    await through(meter, '1');
    const before = acks.length;
    await send(meter, body);
    await until(() => acks.length > before, 'a second ack');
    expect(acks.at(-1)).toMatchObject({ through: '1', stored: ['1'] });
  });

  test('through stops at a hole and jumps when it is filled', async () => {
    const meter = newMeter();
    const { send, through, acks } = await gateway(meter);
    const bodies = [meter.next(), meter.next(), meter.next(), meter.next()];
    await send(meter, bodies[0]);
    await through(meter, '1');
    await send(meter, bodies[2]);
    await send(meter, bodies[3]);
    await until(() => acks.some((ack) => ack.through === '1' && ack.stored.includes('4')), 'beyond the hole');
    await send(meter, bodies[1]);
    await through(meter, '4');
    const { rows } = await collector.pool.query(
      'SELECT sequence, status FROM meter_readings WHERE meter_id = $1 ORDER BY sequence',
      [meter.meterId],
    );
    expect(rows.map((row) => row.status)).toEqual(['pending', 'covered', 'pending', 'pending']);
  });

  test('a gateway that comes back is told where it stands', async () => {
    const meter = newMeter();
    const first = await gateway(meter);
    const [a, , c] = [meter.next(), meter.next(), meter.next()];
    await first.send(meter, a);
    await first.send(meter, c);
    await until(() => first.acks.some((ack) => ack.stored.includes('3')), 'stored');
    await first.client.endAsync(true);
    time += 1;
    const second = await gateway(meter);
    const ack = await until(() => second.acks[0], 'the present state');
    expect(ack).toMatchObject({ through: '1', stored: ['3'], refused: [], held: [] });
  });

  test('poison between good ones hinders nobody', async () => {
    const [meter, other] = [newMeter(), newMeter()];
    const { client, send, through } = await gateway(meter, other);
    const wrongMeter = { ...other.next() };
    const poison: [string, string | Buffer][] = [
      ['not JSON', '{"meter_id":'],
      ['binary', randomBytes(200)],
      ['empty', ''],
      ['null', 'null'],
      ['deep', '['.repeat(8000)],
      ['oversized', 'x'.repeat(17_000)],
      ['prototype', '{"__proto__":{"meter_id":"x"},"constructor":1}'],
      ['a body without fields', '{"reading":{"sequence":"-5"}}'],
      ['another meter', JSON.stringify(wrongMeter)],
      [
        'a sequence that is no number',
        JSON.stringify({ ...wrongMeter, reading: { ...wrongMeter.reading, sequence: 'A'.repeat(30) } }),
      ],
    ];
    for (const [, payload] of poison) {
      await send(meter, payload);
      await send(meter, meter.next());
    }
    await through(meter, String(poison.length));
    expect(client.connected).toBe(true);
    const metrics = await (await fetch(`${collector.httpUrl}/metrics`)).text();
    for (const reason of ['not_json', 'oversized', 'invalid_body', 'wrong_meter']) {
      expect(metrics).toMatch(
        new RegExp(`gtx_collector_poison_messages_total\\{reason="${reason}"\\} [1-9]`),
      );
    }
  });

  test('a body that cannot be taken is refused for good by its sequence', async () => {
    const meter = newMeter();
    const { send, through, acks } = await gateway(meter);
    const body = meter.next();
    await send(meter, { ...body, surprise: 1 });
    const ack = await until(() => acks.find((one) => one.refused.length > 0), 'refused');
    expect(ack.refused).toEqual([{ sequence: '1', code: 'INVALID_BODY', retry: 'never' }]);
    await send(meter, meter.next());
    await through(meter, '2');
  });

  test('an invalid signature on an own topic is refused for good', async () => {
    const meter = newMeter();
    const { send, through } = await gateway(meter);
    const body = meter.next();
    await send(meter, { ...body, reading: { ...body.reading, consumed_total: '1' } });
    expect((await through(meter, '1')).refused).toEqual([
      { sequence: '1', code: 'INVALID_SIGNATURE', retry: 'never' },
    ]);
    // The true reading still comes in if it is sent after all.
    await send(meter, body);
    await until(
      async () =>
        (await collector.pool.query('SELECT FROM meter_readings WHERE meter_id = $1', [meter.meterId]))
          .rowCount === 1,
      'stored',
    );
  });
});

test('with a certificate the broker speaks TLS and nothing else', async () => {
  const file = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'gtx-tls-'));
  const keyFile = join(folder, 'key.pem');
  writeFileSync(keyFile, readFileSync(file('tls-test-key.pem')), { mode: 0o600 });
  const secure = await startTestCollector(postgres, {
    now: () => time * 1000,
    env: { GTX_MQTT_TLS_CERT: file('tls-test-cert.pem'), GTX_MQTT_TLS_KEY: keyFile },
  });
  const meter = new TestMeter('MTR-TLS', time - 9000);
  secure.registry.register(meter);
  expect(secure.mqttUrl).toMatch(/^mqtts:/);
  const login = { username: meter.meterId, reconnectPeriod: 0, connectTimeout: CONNECT_MILLIS };
  const ca = readFileSync(file('tls-test-cert.pem'));
  const client = await mqtt.connectAsync(secure.mqttUrl, { ...login, password: passwordOf([meter]), ca });
  await client.publishAsync(topicFor(meter.meterId, 'reading'), JSON.stringify(meter.next()), { qos: 1 });
  await until(async () => (await secure.pool.query('SELECT FROM meter_readings')).rowCount === 1, 'stored');
  await client.endAsync();
  const password = passwordOf([meter], time + 1);
  await expect(mqtt.connectAsync(secure.mqttUrl, { ...login, password })).rejects.toThrow();
  const plain = mqtt.connect(secure.mqttUrl.replace('mqtts:', 'mqtt:'), { ...login, password });
  plain.on('error', () => undefined);
  await new Promise<void>((resolve) => plain.once('close', () => resolve()));
  await secure.stop();
  rmSync(folder, { recursive: true });
});

describe('the wire', () => {
  const raw = (bytes: Buffer) =>
    new Promise<void>((resolve) => {
      const url = new URL(collector.mqttUrl);
      const socket = connectTcp(Number(url.port), url.hostname, () => socket.write(bytes));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });

  test('a packet announced as 200 MB is cut off early', async () => {
    // PUBLISH with a remaining length of 200,000,000 (MQTT 3.1.1, 2.2.3), and a start of it.
    const head = Buffer.from([0x10, 0x80, 0x84, 0xaf, 0x5f]);
    await raw(Buffer.concat([head, Buffer.from([0, 4]), Buffer.from('MQTT'), Buffer.alloc(200_000)]));
  });

  test('a thousand malformed frames leave the broker serving', async () => {
    const frames = Array.from({ length: 200 }, () =>
      Buffer.concat([randomBytes(64), Buffer.from([0xf0, 0xff, 0xff, 0xff, 0xff, 0xff])]),
    );
    for (let index = 0; index < frames.length; index += 20) {
      await Promise.all(
        frames
          .slice(index, index + 20)
          .map((frame) => Promise.race([raw(frame), new Promise((resolve) => setTimeout(resolve, 200))])),
      );
    }
    const meter = newMeter();
    const { send, through } = await gateway(meter);
    await send(meter, meter.next());
    await through(meter, '1');
  });
});
