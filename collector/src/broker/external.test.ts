import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topicFor } from '@gridtokenx/protocol';
import { Aedes } from 'aedes';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { mosquittoUser, mosquittoWanted, startMosquitto } from '../testing/mosquitto.js';
import { freePort } from '../testing/port.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { writeBrokerRules } from './rules.js';

const NOW = 1_760_000_400;
let postgres: TestPostgres;
let broker: Aedes;
let server: Server;
let url: string;
let collector: TestCollector;
const names = new Set<string>();

/** A broker of its own: stands for Mosquitto or EMQX, whose access rules are theirs. */
async function startBroker(port = 0): Promise<void> {
  broker = await Aedes.createBroker();
  broker.on('client', (client) => names.add(client.id));
  server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  url = `mqtt://127.0.0.1:${address.port}`;
}

async function stopBroker(): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await new Promise<void>((resolve) => broker.close(resolve));
  await closed;
}

beforeAll(async () => {
  postgres = await startTestPostgres();
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

  const port = Number(new URL(url).port);
  await stopBroker();
  await until(async () => (await health()) === 'unavailable', 'noticed');
  await startBroker(port);
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
