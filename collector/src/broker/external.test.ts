import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topicFor } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { Aedes, type AedesOptions } from 'aedes';
import mqtt, { type MqttClient } from 'mqtt';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { mosquittoUser, mosquittoWanted, startMosquitto } from '../testing/mosquitto.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { ExternalBroker } from './external.js';
import { writeBrokerRules } from './rules.js';

const NOW = 1_760_000_400;
const OPTIONS = { username: undefined, password: undefined, caFile: undefined, shareGroup: undefined };
const logger = pino({ level: 'silent' });
let postgres: TestPostgres;
let broker: Aedes;
let server: Server;
let url: string;
let collector: TestCollector;
const names = new Set<string>();

/** A broker of its own at `url`: stands for Mosquitto or EMQX, whose access rules are theirs. */
async function startBroker(options: AedesOptions = {}): Promise<void> {
  broker = await Aedes.createBroker(options);
  broker.on('client', (client) => names.add(client.id));
  server = createServer(broker.handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(new URL(url).port), '127.0.0.1', resolve);
  });
}

async function stopBroker(): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await new Promise<void>((resolve) => broker.close(resolve));
  await closed;
}

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = `mqtt://127.0.0.1:${await freePort()}`;
  await startBroker();
  collector = await startTestCollector(postgres, { now: () => NOW * 1000, env: { MQTT_URL: url } });
});
afterAll(async () => {
  await collector?.stop();
  await stopBroker();
  await postgres?.stop();
});

async function gateway(meter: TestMeter): Promise<{ client: MqttClient; through: () => string | undefined }> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 100 });
  let through: string | undefined;
  client.on('message', (_topic, payload) => {
    through = JSON.parse(JSON.parse(payload.toString()).payload).through;
  });
  await client.subscribeAsync(topicFor(meter.meterId, 'ack'), { qos: 1 });
  return { client, through: () => through };
}

test("through somebody else's broker, also after it was away", async () => {
  const second = await startTestCollector(postgres, {
    now: () => NOW * 1000,
    env: { MQTT_URL: url },
    databaseUrl: collector.databaseUrl,
  });
  await until(
    () => [...names].filter((name) => name.startsWith('gtx-collector-')).length === 2,
    'two client ids',
  );
  await second.stop();

  const meter = new TestMeter('MTR-1', NOW - 9000);
  collector.registry.register(meter);
  const { client, through } = await gateway(meter);
  const send = (body: unknown) =>
    client.publishAsync(topicFor(meter.meterId, 'reading'), JSON.stringify(body), { qos: 1 });
  await until(async () => (await health()) === 'ok', 'connected');
  await send(meter.next());
  await until(() => through() === '1', 'first');

  await stopBroker();
  await until(async () => (await health()) === 'unavailable', 'noticed');
  await startBroker();
  await until(async () => (await health()) === 'ok', 'connected again');
  const body = meter.next();
  await until(async () => {
    if (client.connected) await send(body);
    return through() === '2';
  }, 'second');
  // A gateway that says it is there is told where it stands.
  await client.publishAsync(topicFor(meter.meterId, 'status'), JSON.stringify({ state: 'online' }), {
    qos: 1,
  });
  await client.endAsync();
});

test('a gateway that comes is told where it stands, and not again while it only says that it is still there', async () => {
  const listening: string[] = [];
  const news: string[] = [];
  const bus = new ExternalBroker(
    { ...OPTIONS, url },
    {
      handlers: {
        onReading: () => undefined,
        onListening: (meterId) => listening.push(meterId),
        onNews: (_kind, meterId, payload) => news.push(`${meterId} ${payload}`),
      },
      logger,
    },
  );
  await bus.start();
  const connected = () => until(() => bus.connected, 'subscribed');
  await connected();
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 100 });
  const say = async (meterId: string, text: string) => {
    const before = news.length;
    await client.publishAsync(topicFor(meterId, 'status'), text, { qos: 1 });
    await until(() => news.length > before, 'it is heard');
  };
  const [online, offline] = ['online', 'offline'].map((state) => JSON.stringify({ state })) as [
    string,
    string,
  ];
  try {
    for (let count = 0; count < 3; count += 1) await say('MTR-A', online);
    await say('MTR-B', online);
    await say('MTR-A', 'no status');
    await say('MTR-A', online);
    expect(listening).toEqual(['MTR-A', 'MTR-B']);
    await say('MTR-A', offline);
    for (let count = 0; count < 3; count += 1) await say('MTR-A', online);
    expect(listening).toEqual(['MTR-A', 'MTR-B', 'MTR-A']);
    // What this collector had heard before it lost the broker says nothing of what has come since.
    await stopBroker();
    await until(() => !bus.connected, 'noticed');
    await startBroker();
    await connected();
    await until(() => client.connected, 'the gateway is back');
    for (let count = 0; count < 2; count += 1) await say('MTR-B', online);
    expect(listening).toEqual(['MTR-A', 'MTR-B', 'MTR-A', 'MTR-B']);
  } finally {
    await client.endAsync(true);
    await bus.stop();
  }
});

test('a broker that refuses a subscription counts as away until it grants it', async () => {
  let grants = false;
  const asked: string[] = [];
  await stopBroker();
  await startBroker({
    authorizeSubscribe: (_client, subscription, done) => {
      asked.push(subscription.topic);
      done(null, grants || !subscription.topic.endsWith('/reading') ? subscription : null);
    },
  });
  await until(() => asked.filter((topic) => topic.endsWith('/reading')).length >= 2, 'it asks again');
  // With a subscription comes all that the broker keeps.
  expect(asked.filter((topic) => topic.endsWith('/status'))).toHaveLength(1);
  expect(await health()).toBe('unavailable');
  grants = true;
  await until(async () => (await health()) === 'ok', 'granted');
});

test('so does one of MQTT 5, with its own codes, whichever connection it is', async () => {
  const refusing = new SmallBroker();
  const bus = new ExternalBroker(
    { ...OPTIONS, url: await refusing.start(), shareGroup: 'gtx' },
    { handlers: { onReading: () => undefined, onListening: () => undefined }, logger },
  );
  try {
    await bus.start();
    for (let connections = 1; connections <= 2; connections += 1) {
      const before = refusing.refused;
      await until(() => refusing.refused >= before + 2, 'it asks again');
      expect(refusing.connections).toBe(connections);
      expect(bus.connected).toBe(false);
      refusing.grants = true;
      await until(() => bus.connected, 'granted');
      refusing.grants = false;
      refusing.cut();
      await until(() => !bus.connected, 'noticed');
    }
  } finally {
    await bus.stop();
    await refusing.stop();
  }
});

test('a broker that takes its time has handed over all that it had set aside before quiet is taken for the end', async () => {
  const slow = new SmallBroker();
  slow.grants = true;
  const readings: string[] = [];
  const bus = new ExternalBroker(
    { ...OPTIONS, url: await slow.start(), shareGroup: 'gtx' },
    {
      handlers: { onReading: (meterId) => void readings.push(meterId), onListening: () => undefined },
      logger,
    },
  );
  try {
    await bus.start();
    await until(() => bus.connected, 'granted');
    let over = false;
    const quiet = bus.quiesce().then(() => {
      over = true;
    });
    const asked = () => until(() => slow.asked.shift() ?? (over && 'over'), 'it asks for nothing more');
    const answer = async () => {
      const give = await asked();
      if (give === 'over') throw new Error('it has not waited for the broker');
      give();
    };
    await answer();
    // As one that was stopped for a moment: the readings come when it goes on, and then its answer.
    const late = await asked();
    expect(late).not.toBe('over');
    slow.publish(topicFor('MTR-9', 'reading'));
    if (late !== 'over') late();
    // After that one came none.
    await answer();
    await quiet;
    expect(readings).toEqual(['MTR-9']);
  } finally {
    await bus.stop();
    await slow.stop();
  }
});

test.runIf(mosquittoWanted())(
  'a collector that is stopped loses nothing that the broker had given it, and leaves the rest to the other',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-external-'));
    chmodSync(folder, 0o711);
    const port = await freePort();
    const rules = await writeBrokerRules({
      gateways: [['MTR-7']],
      folder,
      auth: 'password',
      listen: { host: '127.0.0.1', port },
      owner: mosquittoUser(),
      now: Date.now,
    });
    const mosquitto = await startMosquitto(rules.configFile, port);
    const databaseUrl = collector.databaseUrl;
    const env = { ...rules.collectorEnvironment, MQTT_URL: `mqtt://127.0.0.1:${port}` };
    const start = () =>
      startTestCollector(postgres, { now: () => NOW * 1000, env, databaseUrl, registry: collector.registry });
    const pair = [await start(), await start()];
    const meter = new TestMeter('MTR-7', NOW - 650 * 900);
    collector.registry.register(meter);
    const file = rules.logins.find(({ login }) => login === 'MTR-7')?.files[0] ?? '';
    const client = await mqtt.connectAsync(env.MQTT_URL, {
      username: 'MTR-7',
      password: readFileSync(file, 'utf8').trim(),
    });
    try {
      const subscribed = () =>
        mosquitto.log().match(/Sending SUBACK to gtx-collector-/g)?.length === pair.length;
      await until(subscribed, 'both collectors take readings');
      // Each reading is sent once: what is not stored is lost.
      const COUNT = 600;
      const bodies = Array.from({ length: COUNT }, () => JSON.stringify(meter.next()));
      const sent = bodies.map((body) => client.publishAsync(topicFor('MTR-7', 'reading'), body, { qos: 1 }));
      await sent[COUNT / 4];
      const stopped = pair[0]?.stop();
      await Promise.all(sent);
      await stopped;
      const stored = async () =>
        Number(
          (await collector.pool.query("SELECT count(*) FROM meter_readings WHERE meter_id = 'MTR-7'")).rows[0]
            .count,
        );
      await until(async () => (await stored()) === COUNT, 'every reading');
    } finally {
      await client.endAsync(true);
      await pair[1]?.stop();
      await mosquitto.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

async function health(): Promise<string> {
  const answer = (await (await fetch(`${collector.httpUrl}/healthz`)).json()) as {
    checks: { broker: string };
  };
  return answer.checks.broker;
}

/** MQTT-5 3.9.3. */
const NOT_AUTHORIZED = 0x87;

/**
 * As much of a broker of MQTT 5 as refuses subscriptions, which Mosquitto never does and aedes knows only as 3.1.1, and as ends
 * them when a test says so.
 */
class SmallBroker {
  grants = false;
  /** Gives the answers to UNSUBSCRIBE that are not given yet. */
  readonly asked: (() => void)[] = [];
  refused = 0;
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (packet) => this.answer(socket, packet));
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** PUBLISH with QoS 1 and without properties [MQTT-5 3.3]. */
  publish(topic: string): void {
    const packet = Buffer.from([0x32, topic.length + 5, 0, topic.length, ...Buffer.from(topic), 0, 1, 0]);
    for (const socket of this.sockets) socket.write(packet);
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** A client that waits for the answer to each packet sends them one by one. */
  private answer(socket: Socket, packet: Buffer): void {
    const kind = (packet[0] as number) >> 4;
    // CONNACK [MQTT-5 3.2]: no session, success, no properties.
    if (kind === 1) socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
    // UNSUBACK [MQTT-5 3.11], for three filters.
    if (kind === 10)
      this.asked.push(() => socket.write(Buffer.from([0xb0, 6, ...packet.subarray(2, 4), 0, 0, 0, 0])));
    if (kind !== 8) return;
    if (!this.grants) this.refused += 1;
    const codes: number[] = [];
    // After the packet's id and no properties: filters with their lengths, each with a byte of options.
    for (let at = 5; at < packet.length; at += 3 + packet.readUInt16BE(at)) {
      const filter = packet.toString('utf8', at + 2, at + 2 + packet.readUInt16BE(at));
      codes.push(this.grants || !filter.endsWith('/reading') ? 1 : NOT_AUTHORIZED);
    }
    // SUBACK [MQTT-5 3.9].
    socket.write(Buffer.from([0x90, 3 + codes.length, ...packet.subarray(2, 4), 0, ...codes]));
  }
}
