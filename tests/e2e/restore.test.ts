import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentConfigInput, loadAgentConfig, type RunningAgent, startAgent } from '@gridtokenx/agent';
import { type Simulator, startSimulator } from '@gridtokenx/simulator';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * A gateway loses its store with readings in it that were never delivered, and goes on with `gtx agent restore`: no
 * sequence is used twice, and what is minted is what its key has signed last, not a unit more.
 */

const METER = 'MTR-RESTORED';
const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
let system: RunningSystem;
let simulator: Simulator;
let agent: RunningAgent | undefined;

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  simulator = await startSimulator(
    { units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: 60_000, household_watts: 0 } }] },
    { logger },
  );
}, 600_000);
afterAll(async () => {
  await agent?.stop();
  await simulator?.stop();
  await system?.destroy();
});

test('a lost store repeats no sequence and mints nothing twice', async () => {
  await system.gtxJson('register-meter', '--meter-id', METER, '--rated-watts', '100000');
  const { connection } = simulator;
  if (connection.type === 'rtu') throw new Error('not TCP');
  const folder = join(system.dataDir, 'restored');
  mkdirSync(folder, { mode: 0o700 });
  const file = join(folder, 'agent.yaml');
  const config = (mqttUrl: string): AgentConfigInput => ({
    data_dir: folder,
    interval_seconds: 1,
    sample_seconds: 1,
    collector_key: system.key('collector-ack').publicKey.toBase58(),
    collector_url: system.url('collector', 'http'),
    mqtt: { url: mqttUrl },
    http: { port: 0 },
    meters: [
      {
        id: METER,
        key_file: join(system.dataDir, 'keys/meters', `${METER}.json`),
        wallet: system.key('owner').publicKey.toBase58(),
        mode: 'bidirectional',
        devices: [{ role: 'grid', profile: 'eastron-sdm630', unit: 1, connection: { ...connection } }],
      },
    ],
  });
  const start = async (mqttUrl: string): Promise<RunningAgent> => {
    writeFileSync(file, JSON.stringify(config(mqttUrl)));
    agent = await startAgent(loadAgentConfig(file, {}), { logger });
    return agent;
  };
  const stop = async (): Promise<void> => {
    await agent?.stop();
    agent = undefined;
  };
  const sequences = async (): Promise<number[]> =>
    (
      await system.query<{ sequence: string }>(
        'SELECT sequence FROM meter_readings WHERE meter_id = $1 ORDER BY sequence',
        [METER],
      )
    ).map(({ sequence }) => Number(sequence));
  const broker = system.url('collector', 'mqtt');

  await start(broker);
  await waitFor('three readings are stored', async () => (await sequences()).length >= 3);
  await stop();

  // Some more are signed that never leave; then the store is gone. What was on its way when the gateway stopped is
  // delivered all the same.
  const alone = await start('mqtt://127.0.0.1:9');
  const sequence = () => alone.status().meters[0]?.sequence ?? 0;
  const signed = sequence();
  expect(signed).toBeGreaterThanOrEqual(3);
  await waitFor('readings wait', () => sequence() >= signed + 4);
  await stop();
  const stored = Math.max(...(await sequences()));
  for (const name of ['agent.sqlite', 'agent.sqlite-wal', 'agent.sqlite-shm', 'agent.lock']) {
    rmSync(join(folder, name), { force: true });
  }

  const restored = await system.gtxJson(
    ...['agent', 'restore', '--config', file, '--solana-rpc-url', system.url('localnet', 'rpc')],
  );
  const delivered = Number(restored.restored[0].last_sequence);
  expect(delivered).toBeGreaterThanOrEqual(stored);
  expect(delivered).toBeLessThanOrEqual(signed);
  expect(restored).toMatchObject({
    restored: [{ meter_id: METER, next_sequence: String(delivered + 1_000) }],
    kept: [],
  });
  const lastSigned = BigInt(Math.round(Number(restored.restored[0].surplus_total_kwh) * 1e9));

  // Nothing flows while it starts: what the first reading counted then would be of the time without a store.
  simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
  await start(broker);
  await waitFor('a reading is stored', async () => Math.max(...(await sequences())) >= delivered + 1_000);
  simulator.setPower(1, {});
  await waitFor('readings go on', async () => Math.max(...(await sequences())) >= delivered + 1_002);
  await stop();
  const all = await sequences();
  expect(all.filter((sequence) => sequence > delivered && sequence < delivered + 1_000)).toEqual([]);
  expect(new Set(all).size).toBe(all.length);

  // The first one after it has the total of the last one before it: the time between earns nothing.
  const [first] = await system.query<{ surplus: string; flags: number }>(
    'SELECT surplus_total AS surplus, flags FROM meter_readings WHERE meter_id = $1 AND sequence = $2',
    [METER, delivered + 1_000],
  );
  expect(Number(first?.flags) & 4).toBe(4);
  expect(BigInt(first?.surplus ?? -1)).toBe(lastSigned);

  // A last reading without a rise settles nothing and is not marked; what counts is the energy.
  await waitFor(
    'all energy is minted',
    async () =>
      (await system.count(
        `SELECT count(*) FROM meter_readings WHERE meter_id = $1 AND surplus_total >
           (SELECT COALESCE(max(surplus_total), 0) FROM meter_readings WHERE meter_id = $1 AND minted)`,
        [METER],
      )) === 0,
  );
  await system.auditPasses();
}, 600_000);
