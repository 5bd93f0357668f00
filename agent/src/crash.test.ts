import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadProfile } from '@gridtokenx/firmware-profiles';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { DeviceReader } from './measure.js';
import { ModbusLine } from './modbus-line.js';
import { AgentProcess, buildAgent } from './testing/agent-process.js';
import { device, TestHome, until } from './testing/home.js';

const ID = 'MTR-001';
const KILLS = Number(process.env.GTX_CRASH_KILLS ?? 20);
const seed = Number(process.env.GTX_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Mulberry32: a small generator, so that a run can be repeated from its seed. */
function random(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let home: TestHome;
let running: AgentProcess | undefined;
beforeAll(buildAgent);
beforeEach(async () => {
  home = new TestHome();
  await home.collector.start();
});
afterEach(async () => {
  if (running?.running) await running.kill();
  await home.close();
});

it(`killed ${KILLS} times at random: no sequence twice, none missing, no watt-hour lost or invented (seed ${seed})`, async () => {
  console.log(`GTX_SEED=${seed} GTX_CRASH_KILLS=${KILLS}`);
  const next = random(seed);
  const simulator = await home.simulate([{ unit: 1 }]);
  simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
  simulator.setEnergy(1, { exportNkwh: 1_000_000_000_000n, importNkwh: 500_000_000_000n });
  home.meter(ID, simulator, 1);
  const configFile = join(home.folder, 'agent.yaml');
  // Every third acknowledgement is lost.
  home.collector.deliverAck = (send) => {
    if (next() > 0.33) send();
  };
  writeFileSync(configFile, JSON.stringify(home.config()));
  const { connection } = device('grid', simulator, 1);
  if (connection.type !== 'tcp') throw new Error('not TCP');
  const line = new ModbusLine({ type: 'tcp', host: connection.host, port: connection.port as number });
  const profile = loadProfile('eastron-sdm630');
  const meter = new DeviceReader(device('grid', simulator, 1) as never, profile, line, Date.now, () =>
    performance.now(),
  );

  running = new AgentProcess(configFile);
  await until('the base is set', () => home.collector.sequences(ID).length >= 1);
  simulator.setPower(1, { solar_watts: 70_000, household_watts: 3_000 });

  let early = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const process = running;
    if (next() < 0.25) {
      // Somewhere in the start.
      await sleep(next() * 900);
      early++;
    } else {
      // After some readings, around the moment at which one is signed, stored, sent or acknowledged.
      const before = home.collector.sequences(ID).length;
      await until(
        `kill ${kill}: it signs again\n${process.log}`,
        () => home.collector.sequences(ID).length > before,
      );
      await sleep(1_000 - (Date.now() % 1_000) + next() * 150);
    }
    expect(process.running, process.log).toBe(true);
    await process.kill();
    running = new AgentProcess(configFile);
  }
  simulator.setPower(1, { solar_watts: 0, household_watts: 0 });
  const shown = await meter.sample();
  await line.close();
  const produced = (shown.produced as bigint) - 1_000_000_000_000n;
  const consumed = (shown.consumed as bigint) - 500_000_000_000n;
  await until('the last energy is signed', () => home.collector.last(ID)?.reading.producedTotal === produced);
  const sequences = home.collector.sequences(ID);
  expect(home.collector.faults).toEqual([]);
  expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  expect(home.collector.last(ID)?.reading.consumedTotal).toBe(consumed);
  expect(produced).toBeGreaterThan(0n);
  let end = 0;
  for (const sequence of sequences) {
    const reading = home.collector.stored.get(ID)?.get(sequence)?.reading;
    if (end > 0) expect(reading?.intervalStart).toBe(end);
    end = reading?.intervalEnd ?? 0;
  }
  expect(await running.stop()).toBe(0);
  console.log(`${sequences.length} readings, ${KILLS} kills (${early} while starting), ${produced} nkWh`);
}, 600_000);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
