import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeKeypairFile } from '@gridtokenx/chain';
import { type Ack, GtxError, topicFor } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import mqtt from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCollectorConfig } from './config.js';
import { startCollector } from './server.js';
import { INTERVAL_SECONDS, World } from './settlement/testing/world.js';
import { until } from './testing/collector.js';

const world = new World();
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  await world.start();
  folder = mkdtempSync(join(tmpdir(), 'gtx-keys-'));
  const [feePayer, ack] = [join(folder, 'fee-payer.json'), join(folder, 'ack.json')];
  writeKeypairFile(feePayer, world.feePayer);
  writeKeypairFile(ack, Keypair.generate());
  env = {
    DATABASE_URL: world.databaseUrl,
    SOLANA_RPC_URL: world.rpcUrl,
    GTX_FEE_PAYER_KEY: feePayer,
    GTX_ACK_KEY: ack,
    GTX_MQTT_PORT: '0',
    GTX_HTTP_PORT: '0',
    // The tests ask again and again until something is so.
    GTX_HTTP_READS_PER_MINUTE: '1000000',
    GTX_SETTLEMENT: 'realtime',
    GTX_INTERVAL_SECONDS: String(INTERVAL_SECONDS),
  };
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a reading published by a gateway becomes GRID', async () => {
  const collector = await startCollector(loadCollectorConfig(env), { logger: world.logger, now: world.now });
  try {
    const { meter } = await world.addMeter(await world.addOwner());
    world.pass(INTERVAL_SECONDS);
    // The collector has never heard of this meter: it learns of it from the chain.
    const time = Math.floor(world.now() / 1000);
    const client = await mqtt.connectAsync(collector.mqttUrl, {
      username: meter.meterId,
      password: JSON.stringify([meter.loginEntry(time)]),
      reconnectPeriod: 0,
    });
    const acks: Ack[] = [];
    client.on('message', (_topic, payload) => acks.push(JSON.parse(JSON.parse(payload.toString()).payload)));
    await client.subscribeAsync(topicFor(meter.meterId, 'ack'), { qos: 1 });
    const body = meter.next('25', '10');
    await client.publishAsync(topicFor(meter.meterId, 'reading'), JSON.stringify(body), { qos: 1 });
    await until(() => acks.some((ack) => ack.through === '1'), 'acknowledged');
    const minted = await until(async () => {
      const answer = await fetch(`${collector.httpUrl}/api/meters/${meter.meterId}/readings`);
      const page = (await answer.json()) as { items: { minted: boolean; mint_tx_signature: string }[] };
      return page.items[0]?.minted === true && page.items[0];
    }, 'minted');
    const transaction = await world.connection.getTransaction(minted.mint_tx_signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    expect(transaction?.meta?.err).toBeNull();
    const state = await (await fetch(`${collector.httpUrl}/api/meters/${meter.meterId}`)).json();
    expect(state).toMatchObject({ minted_grid: '15', surplus_kwh: '15', through: '1' });
    // The same reading over HTTP is the same reading.
    const again = await fetch(`${collector.httpUrl}/api/meters/submit-reading`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ status: 'minted', duplicate: true });
    await client.endAsync();
  } finally {
    await collector.stop();
  }
});

test('a key file that others can read is refused before anything starts', async () => {
  chmodSync(env.GTX_ACK_KEY as string, 0o644);
  const start = startCollector(loadCollectorConfig(env), { logger: world.logger });
  await expect(start).rejects.toThrow(GtxError);
  await expect(start).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
  chmodSync(env.GTX_ACK_KEY as string, 0o600);
});

test('with the chain away it starts, stores and says so', async () => {
  const port = await world.stopChain();
  const collector = await startCollector(loadCollectorConfig(env), { logger: world.logger, now: world.now });
  try {
    // A database that takes long to answer counts as away.
    const health = await until(async () => {
      const answer = await fetch(`${collector.httpUrl}/healthz`);
      const said = (await answer.json()) as { checks: { database: string }; status: string };
      return said.checks.database === 'ok' && said;
    }, 'the database has answered');
    expect(health).toMatchObject({ status: 'degraded', checks: { chain: 'unavailable' } });
    expect((await fetch(`${collector.httpUrl}/metrics`)).status).toBe(200);
    await world.startChain(port);
    await until(async () => {
      const answer = (await (await fetch(`${collector.httpUrl}/healthz`)).json()) as { status: string };
      return answer.status === 'ok';
    }, 'healthy again');
  } finally {
    await collector.stop();
  }
});
