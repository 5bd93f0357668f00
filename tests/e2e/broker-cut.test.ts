import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectNothingLost, Home } from '../support/home.js';
import { Service } from '../support/service.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The way to the collector's broker is cut, its HTTP port is not: the gateway delivers over HTTP, signed
 * acknowledgements and all, and goes back to the broker when that can be reached. Nothing is lost or stored twice.
 */

/** A wire to the broker that can be cut and mended. */
class Wire {
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(private readonly target: URL) {}

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async mend(): Promise<void> {
    const server = createServer((socket) => {
      const other = dial(Number(this.target.port), this.target.hostname);
      for (const [one, peer] of [
        [socket, other],
        [other, socket],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => peer.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          peer.destroy();
        });
        one.pipe(peer);
      }
    });
    this.#port ||= await freePort();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

let system: RunningSystem;
let wire: Wire;
let home: Home;

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  wire = new Wire(new URL(system.url('collector', 'mqtt')));
  await wire.mend();
  home = await Home.create(system, {
    meterId: 'MTR-CUT',
    mqttUrl: wire.url,
    config: { delivery: { http_after_seconds: 2 } },
  });
}, 600_000);

afterAll(async () => {
  await home?.stop();
  await wire?.cut();
  await system?.destroy();
});

test('readings go over HTTP while the broker cannot be reached, and over MQTT again afterwards', async () => {
  await home.startAgent();
  const base = await home.base();
  await home.setPower(60_000);
  const storedOver = (source: string) =>
    system.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1 AND source = $2', [
      home.meterId,
      source,
    ]);
  // On a busy machine the broker may have been too late for the first ones.
  let begin = { mqtt: 0, http: 0 };
  await waitFor('readings over MQTT alone', async () => {
    const now = { mqtt: await storedOver('mqtt'), http: await storedOver('http') };
    if (now.http !== begin.http) begin = now;
    return now.mqtt >= begin.mqtt + 3;
  });

  const http = await storedOver('http');
  await wire.cut();
  await waitFor('readings over HTTP', async () => (await storedOver('http')) >= http + 5);
  expect((await home.status()).broker).toMatchObject({ connected: false, way: 'http' });

  await wire.mend();
  await waitFor('the broker again', async () => (await home.status()).broker.way === 'mqtt');
  const before = await storedOver('mqtt');
  await waitFor('readings over MQTT again', async () => (await storedOver('mqtt')) >= before + 3);

  await expectNothingLost(system, home, base);
  const [row] = await system.query<{ last: string; count: string; ordered: boolean }>(
    `SELECT max(sequence) AS last, count(*) AS count, bool_and(in_order) AS ordered FROM (
       SELECT sequence, submitted_at >= lag(submitted_at, 1, submitted_at) OVER (ORDER BY sequence) AS in_order
       FROM meter_readings WHERE meter_id = $1) AS readings`,
    [home.meterId],
  );
  expect(row?.count).toBe(row?.last);
  expect(row?.ordered).toBe(true);
  await system.auditPasses();
}, 600_000);

test('a collector with its own certificates: both ways over TLS, with the file that it names', async () => {
  const [host, port] = ['127.0.0.1', '0'];
  const collector = await Service.start(['collector'], {
    DATABASE_URL: system.url('postgres', 'database'),
    SOLANA_RPC_URL: system.url('localnet', 'rpc'),
    GTX_FEE_PAYER_KEY: join(system.dataDir, 'keys', 'fee-payer.json'),
    GTX_ACK_KEY: join(system.dataDir, 'keys', 'collector-ack.json'),
    GTX_INTERVAL_SECONDS: '1',
    GTX_MQTT_HOST: host,
    GTX_MQTT_PORT: port,
    GTX_HTTP_HOST: host,
    GTX_HTTP_PORT: port,
    GTX_HTTP_TLS: 'on',
    GTX_TLS_DIR: join(system.dataDir, 'tls'),
  });
  const { mqtt_url, http_url, ca_file } = collector.info;
  const secure = await Home.create(system, {
    meterId: 'MTR-TLS',
    config: {
      collector_url: http_url,
      mqtt: { url: mqtt_url, ca_file, telemetry_seconds: 1, status_seconds: 1 },
    },
  });
  try {
    const overMqtt = await secure.startAgent();
    const base = await secure.base();
    await secure.setPower(60_000);
    const storedOver = (source: string) =>
      system.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1 AND source = $2', [
        secure.meterId,
        source,
      ]);
    await waitFor('readings over TLS', async () => (await storedOver('mqtt')) >= 3);
    await overMqtt.stop();
    // Nobody listens at the discard port: HTTPS is what is left.
    secure.configure({
      mqtt: { url: 'mqtts://127.0.0.1:9', ca_file },
      delivery: { http_after_seconds: 1 },
    });
    await secure.startAgent();
    await waitFor('readings over HTTPS', async () => (await storedOver('http')) >= 3);
    await expectNothingLost(system, secure, base);
  } finally {
    await secure.stop();
    await collector.stop();
  }
}, 600_000);
