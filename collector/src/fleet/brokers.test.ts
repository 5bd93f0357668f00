/** The fleet over real brokers, as owners and operators see it over HTTP and the WebSocket. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListReplica, type LiveChannel, topicFor } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { writeBrokerRules } from '../broker/rules.js';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { TestLiveClient } from '../testing/live-client.js';
import { mosquittoUser, mosquittoWanted, startMosquitto } from '../testing/mosquitto.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, TestWallet } from '../testing/wallet.js';
import type { FleetItem, FleetSummary, Power } from './schemas.js';

const OPERATOR = `Basic ${Buffer.from('ops:long enough').toString('base64')}`;
const env = {
  GTX_OPERATOR_USERNAME: 'ops',
  GTX_OPERATOR_PASSWORD: 'long enough',
  GTX_HTTP_LOGINS_PER_MINUTE: '10000',
  // The tests ask again and again until something is so.
  GTX_HTTP_READS_PER_MINUTE: '1000000',
};
const seconds = () => Math.floor(Date.now() / 1000);

let postgres: TestPostgres;
let collector: TestCollector;
const clients: MqttClient[] = [];
const lives: TestLiveClient[] = [];
/** Logins of one meter within one second would be equal. */
let logins = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, { env });
  await bindTestNetwork(collector.pool);
});
afterEach(() => {
  for (const client of clients.splice(0)) client.end(true);
  for (const client of lives.splice(0)) client.close();
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

async function ask<T>(
  path: string,
  authorization?: string,
  at = collector,
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${at.httpUrl}${path}`, {
    headers: { connection: 'close', ...(authorization !== undefined && { authorization }) },
  });
  return { status: response.status, body: (await response.json()) as T };
}
const bearerOf = async (wallet: TestWallet) =>
  `Bearer ${(await wallet.login(collector.httpUrl)).access_token}`;
const liveOf = async (meter: TestMeter, at = collector) =>
  (await ask<FleetItem>(`/api/meters/${meter.meterId}/live`, OPERATOR, at)).body;
/** Waits until a meter is as expected. */
const becomes = (meter: TestMeter, expected: object, at = collector) =>
  until(
    async () => {
      const item = await liveOf(meter, at);
      try {
        expect(item).toMatchObject(expected);
        return item;
      } catch {
        // Not yet.
        return undefined;
      }
    },
    `${meter.meterId} ${JSON.stringify(expected)}`,
  );

function newMeter(meterId: string, wallet: TestWallet): TestMeter {
  const meter = new TestMeter(meterId, seconds() - 9_000);
  collector.registry.register(meter, { wallet: wallet.address });
  return meter;
}
async function gatewayOf(meters: TestMeter[], options: IClientOptions = {}): Promise<MqttClient> {
  logins += 1;
  const entries = meters.map((meter) => meter.loginEntry(seconds() + logins));
  const login = { username: meters[0]?.meterId ?? '', password: JSON.stringify(entries) };
  const client = await mqtt.connectAsync(collector.mqttUrl, { reconnectPeriod: 0, ...login, ...options });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}
const statusOf = (extra: object = {}) =>
  JSON.stringify({
    state: 'online',
    version: '0.2.0',
    time: seconds(),
    outbox_depth: 0,
    clock: { synchronised: true },
    bus: { ok: true, devices: [] },
    alerts: [],
    ...extra,
  });
const telemetryOf = (meter: TestMeter, watts: number, time = seconds()) =>
  JSON.stringify({
    meter_id: meter.meterId,
    time,
    production_watts: watts,
    consumption_watts: 400,
    devices: [],
  });
const say = (client: MqttClient, meter: TestMeter, kind: 'status' | 'telemetry', text: string) =>
  client.publishAsync(topicFor(meter.meterId, kind), text, { qos: 1, retain: true });

async function follow(login: { authorization?: string; wallet?: TestWallet }): Promise<TestLiveClient> {
  const { authorization, wallet } = login;
  const client = await TestLiveClient.connect(
    collector.httpUrl,
    authorization === undefined ? {} : { headers: { authorization } },
  );
  lives.push(client);
  if (wallet)
    await client.must({ op: 'auth', access_token: (await wallet.login(collector.httpUrl)).access_token });
  return client;
}
function listOf(client: TestLiveClient, channel: LiveChannel): Record<string, unknown>[] {
  const replica = new ListReplica(channel);
  for (const frame of client.of(channel)) expect(replica.apply(frame)).not.toBe('missed');
  return replica.items;
}

describe('at the broker in the collector', () => {
  test('an owner sees the own gateway, an operator all of them, and nobody else anything', async () => {
    const [owner, stranger] = [new TestWallet(), new TestWallet()];
    const meter = newMeter('OWN-1', owner);
    const gateway = await gatewayOf([meter]);
    await say(gateway, meter, 'status', statusOf());
    await say(gateway, meter, 'telemetry', telemetryOf(meter, 3_000));
    const item = await becomes(meter, { state: 'online', power: { production_watts: 3_000 } });

    const [mine, theirs] = [await bearerOf(owner), await bearerOf(stranger)];
    const path = `/api/meters/${meter.meterId}/live`;
    expect((await ask<FleetItem>(path, mine)).body).toMatchObject({
      meter_id: 'OWN-1',
      version: item.version,
    });
    expect(await ask(path, theirs)).toMatchObject({ status: 403, body: { error: { code: 'FORBIDDEN' } } });
    expect((await ask(path)).status).toBe(401);
    expect((await ask('/api/meters/NO-SUCH/live', OPERATOR)).status).toBe(404);
    for (const operators of ['/api/fleet', '/api/fleet/places', '/api/fleet/summary']) {
      expect((await ask(operators, OPERATOR)).status, operators).toBe(200);
      expect((await ask(operators, mine)).status, operators).toBe(403);
      expect((await ask(operators)).status, operators).toBe(401);
    }
    const power = {
      production_watts: 3_000,
      consumption_watts: 400,
      surplus_watts: 2_600,
      meters: 1,
      silent: 0,
    };
    expect((await ask<Power>('/api/power', mine)).body).toMatchObject(power);
    expect((await ask<Power>(`/api/power?wallet=${owner.address}`, OPERATOR)).body).toMatchObject(power);
    expect((await ask<Power>('/api/power', theirs)).body).toMatchObject({
      at: null,
      meters: 0,
      surplus_watts: 0,
    });
    expect((await ask(`/api/power?wallet=${owner.address}`, theirs)).status).toBe(403);
    expect((await ask('/api/power')).status).toBe(401);
    expect((await ask<Power>('/api/power', OPERATOR)).body.meters).toBeGreaterThan(0);
    const { body } = await ask<{ items: FleetItem[] }>('/api/fleet?q=OWN&state=online', OPERATOR);
    expect(body.items.map(({ meter_id }) => meter_id)).toEqual(['OWN-1']);
    for (const bad of ['state=asleep', 'q=%25', 'problem=all', 'limit=0', 'cursor=x']) {
      expect((await ask(`/api/fleet?${bad}`, OPERATOR)).status, bad).toBe(400);
    }
  });

  test('a gateway that is gone without a word is offline, for each of its meters', async () => {
    const owner = new TestWallet();
    const meters = ['GONE-1', 'GONE-2'].map((meterId) => newMeter(meterId, owner));
    const gateway = await gatewayOf(meters);
    for (const meter of meters) await say(gateway, meter, 'status', statusOf({ outbox_depth: 6 }));
    for (const meter of meters) await becomes(meter, { state: 'online' });
    gateway.stream.destroy();
    for (const meter of meters) await becomes(meter, { state: 'offline', outbox_depth: 6 });
    const again = await gatewayOf(meters);
    for (const meter of meters) await say(again, meter, 'status', statusOf());
    for (const meter of meters) await becomes(meter, { state: 'online', outbox_depth: 0 });
  });

  test('what another gateway says in its name, and what is no status, changes nothing', async () => {
    const owner = new TestWallet();
    const meter = newMeter('REAL-1', owner);
    const thief = newMeter('THIEF-1', new TestWallet());
    const gateway = await gatewayOf([meter]);
    await say(gateway, meter, 'status', statusOf());
    const honest = await becomes(meter, { state: 'online' });
    const operator = await follow({ authorization: OPERATOR });
    await operator.must({
      op: 'subscribe',
      channel: 'traffic',
      filter: { kinds: ['refused'], meter: 'REAL' },
    });
    const other = await gatewayOf([thief]);
    other.publish(topicFor(meter.meterId, 'status'), statusOf({ outbox_depth: 999 }), { qos: 1 });
    await until(() => !other.connected, 'the thief is thrown out');
    for (const text of ['', '{', '{"state":"online"}', statusOf({ version: '\u0000' }), 'x'.repeat(17_000)]) {
      await say(gateway, meter, 'status', text);
      await say(gateway, meter, 'telemetry', text);
    }
    await say(gateway, meter, 'telemetry', telemetryOf(thief, 1));
    await say(gateway, meter, 'telemetry', telemetryOf(meter, 2));
    const after = await becomes(meter, { power: { production_watts: 2 } });
    expect(after).toMatchObject({ outbox_depth: 0, version: honest.version });
    await until(() => listOf(operator, 'traffic').length >= 3, 'what was refused is shown');
    const refused = listOf(operator, 'traffic');
    expect(new Set(refused.map(({ kind }) => kind))).toEqual(new Set(['refused']));
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(['forbidden', 'oversized']));
    // What the broker says for it when it is gone is not spoilt by it either.
    gateway.stream.destroy();
    await becomes(meter, { state: 'offline', version: honest.version });
  });

  test('owner and operator are told live', async () => {
    const [owner, stranger] = [new TestWallet(), new TestWallet()];
    const meter = newMeter('LIVE-1', owner);
    const gateway = await gatewayOf([meter]);
    const mine = await follow({ wallet: owner });
    const theirs = await follow({ wallet: stranger });
    const operator = await follow({ authorization: OPERATOR });
    for (const client of [mine, theirs, operator]) await client.must({ op: 'subscribe', channel: 'power' });
    await operator.must({ op: 'subscribe', channel: 'fleet' });
    for (const channel of ['fleet', 'traffic'] as const) {
      expect(await mine.refusal({ op: 'subscribe', channel })).toBe('FORBIDDEN');
      expect(await (await follow({})).refusal({ op: 'subscribe', channel })).toBe('UNAUTHENTICATED');
    }
    expect(await mine.refusal({ op: 'subscribe', channel: 'power', filter: {} })).toBe('INVALID_BODY');
    const online = () =>
      (listOf(operator, 'fleet')[0] as unknown as FleetSummary | undefined)?.states.online ?? -1;
    // The gateways of the tests before have gone: of each of their meters that is told in its own time.
    await until(() => online() === 0, 'nobody is online');
    await say(gateway, meter, 'status', statusOf());
    await say(gateway, meter, 'telemetry', telemetryOf(meter, 1_400));
    await until(() => listOf(mine, 'power')[0]?.surplus_watts === 1_000, 'the owner’s power');
    expect(listOf(mine, 'power')).toMatchObject([
      { meter_id: 'LIVE-1', state: 'online', consumption_watts: 400 },
    ]);
    await until(() => online() === 1, 'one is online');
    await until(() => Number(listOf(operator, 'power')[0]?.production_watts) >= 1_400, 'the network’s power');
    expect(listOf(operator, 'power')).toMatchObject([{ meter_id: 'network' }]);
    expect(listOf(theirs, 'power')).toEqual([]);
  });

  test('traffic is filtered before it is thinned out', async () => {
    const meters = ['BUSY-1', 'RARE-1'].map((meterId) => newMeter(meterId, new TestWallet()));
    const [busy, rare] = meters as [TestMeter, TestMeter];
    const gateway = await gatewayOf(meters);
    const filters = [
      { meter: 'RARE' },
      { kinds: ['status' as const], meter: 'BUSY-1' },
      { kinds: ['reading' as const, 'ack' as const], meter: 'RARE-1' },
      { outcome: 'stored' as const, meter: 'RARE-1' },
    ];
    const followers = await Promise.all(filters.map(() => follow({ authorization: OPERATOR })));
    for (const [at, filter] of filters.entries()) {
      await followers[at]?.must({ op: 'subscribe', channel: 'traffic', filter });
    }
    const shown = (at: number) => listOf(followers[at] as TestLiveClient, 'traffic').toReversed();
    for (let n = 0; n < 200; n += 1)
      gateway.publish(topicFor(busy.meterId, 'telemetry'), telemetryOf(busy, n));
    await say(gateway, rare, 'status', statusOf({ outbox_depth: 3 }));
    await gateway.subscribeAsync(topicFor(rare.meterId, 'ack'), { qos: 1 });
    await gateway.publishAsync(topicFor(rare.meterId, 'reading'), JSON.stringify(rare.next()), { qos: 1 });
    await say(gateway, busy, 'status', statusOf());
    await until(() => shown(3).length === 1 && shown(1).length === 1, 'what is rare');
    await until(() => shown(2).some(({ outcome }) => outcome === 'stored'), 'the reading');
    await until(() => shown(2).some(({ kind }) => kind === 'ack'), 'the acknowledgement');
    await until(
      () => shown(0).some(({ kind, summary }) => kind === 'ack' && String(summary).includes('stored')),
      'all of it',
    );
    expect(shown(0)[0]).toMatchObject({
      meter_id: 'RARE-1',
      kind: 'status',
      direction: 'in',
      topic: 'gtx/v1/RARE-1/status',
      summary: 'online, version 0.2.0, 3 readings wait',
      bytes: expect.any(Number),
    });
    expect(shown(2)).toContainEqual(
      expect.objectContaining({ kind: 'reading', outcome: 'stored', sequence: '1', kwh_amount: '0.6' }),
    );
    expect(shown(3)[0]).toMatchObject({ kind: 'reading' });
    expect(shown(0).every(({ meter_id }) => meter_id === 'RARE-1')).toBe(true);
    // Another filter on the same connection replaces the one before.
    await followers[0]?.must({ op: 'subscribe', channel: 'traffic', filter: { kinds: ['command'] } });
    await until(() => shown(0).length === 0, 'nothing fits');
  });
});

describe.runIf(mosquittoWanted())(
  'at Mosquitto, with two collectors that share readings and live values',
  () => {
    test('one of them going away loses nothing, and what the broker kept counts when one comes', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'gtx-fleet-'));
      chmodSync(folder, 0o711);
      const port = await freePort();
      const rules = await writeBrokerRules({
        gateways: [['SHARED-1', 'SHARED-2'], ['OTHER-1']],
        folder,
        auth: 'password',
        listen: { host: '127.0.0.1', port },
        owner: mosquittoUser(),
        now: Date.now,
      });
      const mosquitto = await startMosquitto(rules.configFile, port);
      const url = `mqtt://127.0.0.1:${port}`;
      const collectorEnv = { ...env, ...rules.collectorEnvironment, MQTT_URL: url };
      const { databaseUrl, registry } = collector;
      const start = () => startTestCollector(postgres, { env: collectorEnv, databaseUrl, registry });
      const running = new Set<TestCollector>();
      const listening = (count: number) =>
        until(
          () => mosquitto.log().match(/Sending SUBACK to gtx-collector-/g)?.length === count,
          `${count} collectors`,
        );
      try {
        const owner = new TestWallet();
        const [first, second] = ['SHARED-1', 'SHARED-2'].map((meterId) => newMeter(meterId, owner)) as [
          TestMeter,
          TestMeter,
        ];
        const other = newMeter('OTHER-1', owner);
        // The database learns of them as it does with a first reading.
        for (const { meterId } of [first, second, other]) await registry.meter(meterId);
        const passwordOf = (login: string) =>
          readFileSync(join(folder, 'logins', `${login}.password`), 'utf8').trim();
        const connect = async (login: string, options: IClientOptions = {}) => {
          const client = await mqtt.connectAsync(url, {
            reconnectPeriod: 0,
            username: login,
            password: passwordOf(login),
            ...options,
          });
          client.on('error', () => undefined);
          clients.push(client);
          return client;
        };
        const [one, two] = [await start(), await start()];
        running.add(one).add(two);
        await listening(2);
        const will = {
          topic: topicFor('SHARED-1', 'status'),
          payload: Buffer.from(
            JSON.stringify({ state: 'offline', version: '0.2.0', time: seconds() - 3_600 }),
          ),
          qos: 1 as const,
          retain: true,
        };
        const gateway = await connect('SHARED-1', { will });
        await say(gateway, first, 'status', statusOf({ outbox_depth: 1 }));
        await say(gateway, second, 'status', statusOf());
        // Some come to one collector, some to the other.
        for (let n = 1; n <= 20; n += 1)
          await say(gateway, first, 'telemetry', telemetryOf(first, n, seconds() - 20 + n));
        await becomes(first, { state: 'online', outbox_depth: 1, power: { production_watts: 20 } });
        await becomes(second, { state: 'online' });
        // Another's name: Mosquitto takes the message and hands it to nobody.
        const thief = await connect('OTHER-1', { protocolVersion: 5 });
        await expect(say(thief, first, 'status', statusOf({ outbox_depth: 99 }))).rejects.toThrow(
          /Not authorized/i,
        );

        // Both have heard the statuses: with the first one dies nothing that the other does not know.
        await say(gateway, second, 'status', statusOf({ outbox_depth: 4 }));
        await one.stop();
        running.delete(one);
        await becomes(second, { outbox_depth: 4 });
        for (let n = 30; n <= 40; n += 1) await say(gateway, first, 'telemetry', telemetryOf(first, n));
        await say(gateway, first, 'telemetry', telemetryOf(first, 50, seconds() + 1));
        await becomes(first, { power: { production_watts: 50 } });

        // The gateway dies while no collector is there: the broker keeps its last will.
        await two.stop();
        running.delete(two);
        gateway.stream.destroy();
        const watcher = await connect('_operator');
        const heard = new Map<string, string>();
        watcher.on('message', (topic, payload) => heard.set(topic, payload.toString()));
        await watcher.subscribeAsync('gtx/v1/+/status', { qos: 1 });
        await until(() => heard.get(will.topic)?.includes('offline'), 'the will');
        const three = await start();
        running.add(three);
        await becomes(first, { state: 'offline', outbox_depth: 1, power: { production_watts: 50 } }, three);
        await becomes(second, { state: 'online', outbox_depth: 4 }, three);
      } finally {
        for (const client of clients.splice(0)) client.end(true);
        for (const one of running) await one.stop();
        await mosquitto.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);
