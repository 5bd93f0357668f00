/**
 * Two meters' gateway, killed and cut off from power at random moments. GTX_KILLS=200 for the long run, GTX_SEED to repeat
 * one. A test of this length starts the real process twenty times and more; that is what it costs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadProfile } from '@gridtokenx/firmware-profiles';
import type { Simulator } from '@gridtokenx/simulator';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { DeviceReader } from './measure.js';
import { ModbusLine } from './modbus-line.js';
import { AgentProcess, buildAgent } from './testing/agent-process.js';
import { device, TestHome, until } from './testing/home.js';
import { compilerInstalled, PowerCut } from './testing/power-cut.js';

const GRID = 'MTR-001';
const PAIR = 'MTR-002';
const KILLS = Number(process.env.GTX_KILLS ?? 20);
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

/** Registers as the meter shows them to anybody who asks. */
async function shown(
  simulator: Simulator,
  unit: number,
): Promise<{ importNkwh: bigint; exportNkwh: bigint }> {
  const config = device('grid', simulator, unit, 60_000);
  if (config.connection.type !== 'tcp') throw new Error('not TCP');
  const line = new ModbusLine({
    type: 'tcp',
    host: config.connection.host,
    port: config.connection.port as number,
  });
  const reader = new DeviceReader(config as never, loadProfile('eastron-sdm630'), line, Date.now, () =>
    performance.now(),
  );
  const sample = await reader.sample();
  await line.close();
  return { importNkwh: sample.importTotal as bigint, exportNkwh: sample.exportTotal as bigint };
}

const BASE = 1_000_000_000_000n;

async function survive(kinds: readonly ('kill' | 'cut' | 'torn')[]): Promise<void> {
  console.log(`GTX_SEED=${seed} GTX_KILLS=${KILLS}`);
  const next = random(seed);
  const simulator = await home.simulate([
    { unit: 1 },
    { unit: 2, role: 'production', site: 'pair' },
    { unit: 3, role: 'consumption', site: 'pair' },
  ]);
  const power = (solar: number, household: number) => {
    for (const unit of [1, 2, 3])
      simulator.setPower(unit, { solar_watts: solar, household_watts: household });
  };
  power(0, 0);
  for (const unit of [1, 2, 3]) simulator.setEnergy(unit, { exportNkwh: BASE, importNkwh: BASE });
  home.meter(GRID, simulator, 1);
  home.meter(PAIR, simulator, 2, {
    mode: 'production_consumption',
    devices: [device('production', simulator, 2), device('consumption', simulator, 3)],
  });
  const configFile = join(home.folder, 'agent.yaml');
  // Every third acknowledgement is lost.
  home.collector.deliverAck = (send) => {
    if (next() > 0.33) send();
  };
  writeFileSync(configFile, JSON.stringify(home.config()));
  const disk = new PowerCut(home.folder, join(home.folder, 'data'));
  const cuts = kinds.some((kind) => kind !== 'kill');
  if (cuts) disk.prepare();
  const start = () => new AgentProcess(configFile, [], cuts ? disk.env : {});

  const { collector } = home;
  running = start();
  await until('the base is set', () => [GRID, PAIR].every((id) => collector.sequences(id).length >= 1));
  power(70_000, 3_000);

  const done = { kill: 0, cut: 0, torn: 0, starting: 0 };
  for (let index = 0; index < KILLS; index++) {
    const process = running;
    if (next() < 0.25) {
      // Somewhere in the start.
      await sleep(next() * 900);
      done.starting++;
    } else {
      // After some readings, around the moment at which one is signed, stored, sent or acknowledged.
      const before = collector.sequences(GRID).length;
      await until(
        `stop ${index}: it signs again\n${process.log}`,
        () => collector.sequences(GRID).length > before,
      );
      await sleep(1_000 - (Date.now() % 1_000) + next() * 150);
    }
    expect(process.running, process.log).toBe(true);
    await process.kill();
    const kind = kinds[Math.floor(next() * kinds.length)] as 'kill' | 'cut' | 'torn';
    done[kind]++;
    if (kind === 'cut') disk.cut();
    else if (kind === 'torn') disk.cut(next);
    running = start();
  }
  power(0, 0);
  const [grid, production, consumption] = [
    await shown(simulator, 1),
    await shown(simulator, 2),
    await shown(simulator, 3),
  ];
  const wanted: Record<string, { produced: bigint; consumed: bigint }> = {
    [GRID]: { produced: grid.exportNkwh - BASE, consumed: grid.importNkwh - BASE },
    [PAIR]: { produced: production.importNkwh - BASE, consumed: consumption.importNkwh - BASE },
  };
  const settled = (id: string) => {
    const last = collector.last(id)?.reading;
    return last?.producedTotal === wanted[id]?.produced && last?.consumedTotal === wanted[id]?.consumed;
  };
  await until(`the last energy is signed\n${running.log}`, () => settled(GRID) && settled(PAIR)).catch(
    (error: Error) => {
      // Said here, because a difference of totals is what this test is for.
      for (const id of [GRID, PAIR]) console.log(id, wanted[id], collector.last(id)?.reading);
      throw error;
    },
  );
  expect(collector.faults).toEqual([]);
  for (const id of [GRID, PAIR]) {
    const sequences = collector.sequences(id);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    let previous = { end: 0, produced: 0n, consumed: 0n, surplus: 0n };
    for (const sequence of sequences) {
      const reading = collector.stored.get(id)?.get(sequence)?.reading;
      if (!reading) throw new Error(`no reading ${sequence}`);
      if (previous.end > 0) expect(reading.intervalStart).toBe(previous.end);
      const produced = reading.producedTotal - previous.produced;
      const net = produced - (reading.consumedTotal - previous.consumed);
      const surplus = reading.surplusTotal - previous.surplus;
      expect(surplus).toBe(id === GRID ? produced : net > 0n ? net : 0n);
      previous = {
        end: reading.intervalEnd,
        produced: reading.producedTotal,
        consumed: reading.consumedTotal,
        surplus: reading.surplusTotal,
      };
    }
    expect(previous.produced).toBeGreaterThan(0n);
  }
  expect(await running.stop()).toBe(0);
  console.log(
    `${collector.sequences(GRID).length} + ${collector.sequences(PAIR).length} readings, ` +
      `${done.kill} kills, ${done.cut} power cuts, ${done.torn} with parts written (${done.starting} of all while starting); ` +
      `produced ${wanted[GRID]?.produced} and ${wanted[PAIR]?.produced} nkWh: all signed, none twice`,
  );
}

const title = `stopped ${KILLS} times at random: no sequence twice, none missing, no watt-hour lost or invented (seed ${seed})`;

if (compilerInstalled()) {
  it(`by kill -9 and by power cuts, ${title}`, () => survive(['kill', 'cut', 'torn']), 3_600_000);
} else {
  console.log('no gcc: power cuts cannot be made, only kills (apt-get install gcc libc6-dev)');
  it(`by kill -9, ${title}`, () => survive(['kill']), 3_600_000);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
