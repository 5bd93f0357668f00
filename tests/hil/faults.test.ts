/**
 * Hardware in the loop: gateways with their real serial driver and store, on pseudo-terminals with simulated meters that
 * do what meters and lines do in the field. However it goes, what has been signed is what the registers have risen by,
 * to the nkWh. `GTX_SEED` repeats a run, `GTX_HIL_MINUTES` lengthens the part with all faults at once.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AgentConfig,
  type AgentConfigInput,
  type AgentStatus,
  type RunningAgent,
  startAgent,
} from '@gridtokenx/agent';
import { encodeBase58 } from '@gridtokenx/protocol';
import { type FaultInput, type FaultRuleInput, socatInstalled } from '@gridtokenx/simulator';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { announceSeed, seededRandom } from '../support/random.js';
import { Service } from '../support/service.js';
import { waitFor } from '../support/wait.js';
import { believed, INTERVAL_SECONDS, Line, TIMEOUT_MS, verifyRecords, Watched } from './rig.js';

const KWH = 1_000_000_000n;
/** Of a register of 32 bits that counts watt-hours. */
const ROLLOVER_NKWH = (1n << 32n) * 1_000_000n;
/** How long the part with everything at once takes. */
const minutes = Number(process.env.GTX_HIL_MINUTES ?? '0.4');
const seed = announceSeed();
const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'gtx-hil-'));
const lines: Line[] = [];

/** Far apart, so that no meter's registers could be another's. */
const registersAt = (kwh: number) => ({
  registers: { import_nkwh: String(BigInt(kwh) * KWH), export_nkwh: String(BigInt(kwh) * 3n * KWH) },
});

async function openLine(name: string, units: Parameters<typeof Line.open>[3]): Promise<Line> {
  const line = await Line.open(name, folder, seed, units, logger);
  lines.push(line);
  return line;
}

/** A gateway's configuration for these meters. No broker answers: recording must not depend on one. */
function configOf(name: string, meters: readonly Watched[]): AgentConfigInput {
  return {
    data_dir: join(folder, name),
    interval_seconds: INTERVAL_SECONDS,
    sample_seconds: 1,
    collector_key: encodeBase58(Buffer.alloc(32, 9)),
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    http: { port: 0 },
    clock: { ntp: 'off' },
    meters: meters.map((meter) => meter.config(join(folder, `keys-${name}`))),
  };
}

/** A fault that lasts or comes by chance, on a line of its own: the victim is unit 1, its neighbour unit 2. */
interface Alone {
  name: string;
  fault: FaultInput;
  /** Chance for each answer; without it every answer. */
  chance?: number;
  /** So often it must have happened. */
  times: number;
  /** What the gateway must have counted at least so often, or at all. */
  noticed: { metric: string; atLeast?: number };
  /** The victim's model, where the fault wants another than the usual one. */
  profile?: string;
}

const ALONE: Alone[] = [
  {
    name: 'silence',
    fault: { type: 'dead' },
    times: 3,
    noticed: { metric: 'device_failures_total', atLeast: 3 },
  },
  {
    name: 'answers beyond the timeout',
    fault: { type: 'late', delay_ms: TIMEOUT_MS + 400 },
    times: 3,
    noticed: { metric: 'device_failures_total', atLeast: 3 },
  },
  {
    name: 'now and then an answer beyond the timeout',
    // The time of transmission comes on top of the time limit. Some of the late ones answer requests that only bring
    // the line back in step.
    fault: { type: 'late', delay_ms: TIMEOUT_MS + 600 },
    chance: 0.4,
    times: 4,
    noticed: { metric: 'device_failures_total', atLeast: 2 },
  },
  {
    name: 'CRC errors',
    fault: { type: 'bad-crc' },
    chance: 0.2,
    times: 4,
    noticed: { metric: 'device_failures_total', atLeast: 4 },
  },
  {
    name: 'garbage',
    fault: { type: 'garbage' },
    chance: 0.2,
    times: 4,
    noticed: { metric: 'device_failures_total', atLeast: 4 },
  },
  {
    name: 'noise before answers',
    fault: { type: 'noise', bytes: 23 },
    chance: 0.7,
    times: 5,
    noticed: { metric: 'line_stray_bytes_total', atLeast: 5 },
  },
  {
    name: 'truncated frames',
    fault: { type: 'truncated' },
    chance: 0.2,
    times: 4,
    noticed: { metric: 'device_failures_total', atLeast: 4 },
  },
  {
    name: 'answers in two pieces',
    fault: { type: 'split', pause_ms: 80 },
    chance: 0.7,
    times: 5,
    noticed: { metric: 'device_samples_total', atLeast: 5 },
  },
  {
    name: 'joined frames',
    fault: { type: 'joined' },
    chance: 0.6,
    times: 5,
    noticed: { metric: 'line_stray_bytes_total', atLeast: 5 },
  },
  {
    name: 'answers of a wrong unit',
    fault: { type: 'wrong-unit' },
    chance: 0.2,
    times: 4,
    noticed: { metric: 'device_failures_total', atLeast: 4 },
  },
  {
    name: 'echoes',
    fault: { type: 'echo' },
    chance: 0.7,
    times: 5,
    noticed: { metric: 'line_echoes_total', atLeast: 1 },
  },
  {
    name: 'frozen registers',
    fault: { type: 'freeze' },
    times: 6,
    noticed: { metric: 'device_samples_total', atLeast: 6 },
  },
  {
    name: 'registers that are no numbers',
    fault: { type: 'value', value: 'nan' },
    times: 3,
    noticed: { metric: 'device_invalid_values_total', atLeast: 3 },
  },
  {
    name: 'registers full of ones',
    fault: { type: 'value', value: 'ones' },
    times: 3,
    noticed: { metric: 'device_invalid_values_total|doubtful_values_total' },
    profile: 'siemens-pac1600',
  },
  {
    name: 'single zeros',
    fault: { type: 'value', value: 'zero' },
    chance: 0.4,
    times: 5,
    noticed: { metric: 'doubtful_values_total', atLeast: 2 },
  },
  {
    name: 'zeros for so long that they look like a reset',
    fault: { type: 'value', value: 'zero' },
    times: 14,
    noticed: { metric: 'series_returned_total' },
  },
];

/** How long impossible registers must stay before they count as another meter's: shorter than in a home. */
const RESET_AFTER_MS = 6_000;
/** Exceptions of Modbus V1.1b3, section 7: the first three make a gateway wait long before it asks again. */
const EXCEPTIONS = [1, 2, 3, 4, 5, 6, 8, 10, 11];

let agent: RunningAgent;
const watched: Watched[] = [];
const status = (): AgentStatus => agent.status();
const byId = (id: string) => watched.find((meter) => meter.id === id) as Watched;

/**
 * What happens on the lines, all at the same time, each reported as a test. (The test runner's own concurrency ends at a
 * few.)
 */
const scenarios: { name: string; run: () => Promise<void>; failure?: Promise<unknown> }[] = [];
function scenario(name: string, run: () => Promise<void>): void {
  scenarios.push({ name, run });
}

/** The meter stands still until the gateway has counted all that it shows; of any meter on its line. */
async function settle(...meters: Watched[]): Promise<void> {
  for (const meter of meters) meter.power(0);
  for (const meter of meters) await meter.caughtUp(status);
}

/** The gateway has asked a unit so often again, and believes what it was told. */
async function askedAgain(meter: Watched, line: Line, times = 4): Promise<void> {
  const { requests } = line.unit(1);
  await waitFor(`${meter.id} is asked again`, () => line.unit(1).requests >= requests + times);
  await believed(meter, status);
}

const aloneId = (index: number) => `alone${index}`;
const lineOf = (name: string) => lines.find((line) => line.name === name) as Line;

for (const [index, { name, fault, chance, times, noticed }] of ALONE.entries()) {
  scenario(name, async () => {
    const line = lineOf(aloneId(index));
    const victim = byId(`${aloneId(index)}-1`);
    const happens = async (count: number) => {
      const before = line.injected(1, fault.type);
      await waitFor(
        `${fault.type} has happened ${count} times`,
        () => line.injected(1, fault.type) >= before + count,
      );
    };
    line.simulator.setFaults([
      { unit: 1, fault, ...(chance === undefined ? { at_seconds: 0 } : { chance }) },
    ]);
    await happens(times);
    // In the other direction for the rest of the time.
    victim.power(-45_000);
    await happens(1);
    await waitFor('something was drawn', () => victim.expected().consumed > 0n);
    line.simulator.setFaults([]);
    await settle(victim, byId(`${aloneId(index)}-2`));
    expect(line.injected(2, fault.type)).toBe(0);
    expect(await counted(noticed.metric, victim), noticed.metric).toBeGreaterThanOrEqual(
      noticed.atLeast ?? 1,
    );
    expect(victim.expected().produced).toBeGreaterThan(0n);
  });
}

scenario('every exception', async () => {
  const line = lineOf('exceptions');
  for (const [index, code] of EXCEPTIONS.entries()) {
    line.simulator.setFault(index + 1, { type: 'exception', code, times: code <= 3 ? 1 : 4 });
  }
  await waitFor('all exceptions have been told', () =>
    line.simulator.state().every(({ fault }) => fault === null),
  );
  await settle(...EXCEPTIONS.map((_, index) => byId(`exceptions-${index + 1}`)));
});

scenario('a meter that restarts when it is asked too fast never has to', async () => {
  const line = lineOf('fragile');
  const meter = byId('fragile-1');
  line.simulator.setFault(1, { type: 'fragile', min_gap_ms: 200, restart_ms: 2000 });
  await askedAgain(meter, line, 15);
  await settle(meter);
  expect(line.injected(1, 'fragile')).toBe(0);
});

scenario('registers that start again from zero', async () => {
  const meter = byId('rollover-1');
  const begin = meter.shown();
  meter.rollover = ROLLOVER_NKWH;
  await waitFor('the export register has started again', () => meter.shown().produced < begin.produced);
  meter.power(-60_000);
  await waitFor('the import register has started again', () => meter.shown().consumed < begin.consumed);
  await settle(meter, byId('rollover-2'));
  expect(meter.expected().produced).toBeGreaterThanOrEqual(KWH / 4n);
  expect(meter.expected().consumed).toBeGreaterThanOrEqual(KWH / 4n);
});

for (const { name, how, from } of [
  { name: 'exchange-serial', how: 'with another serial number, registers from zero', from: 0 },
  { name: 'exchange-mute', how: 'without a serial number, registers from elsewhere', from: 91_234 },
]) {
  scenario(`a meter exchanged for another ${how}`, async () => {
    const line = lineOf(name);
    const meter = byId(`${name}-1`);
    await askedAgain(meter, line, 6);
    await settle(meter);
    const amount = String(BigInt(from) * KWH);
    meter.end();
    line.simulator.setFault(1, { type: 'exchange', import_nkwh: amount, export_nkwh: amount, off_ms: 1500 });
    meter.begin();
    await waitFor('the exchange has been noticed', async () => (await newSeries(meter)) > 0);
    await believed(meter, status);
    meter.power(50_000);
    await askedAgain(meter, line, 6);
    await settle(meter, byId(`${name}-2`));
    expect(line.injected(1, 'exchange')).toBe(1);
  });
}

scenario('a brown-out: off, then zeros, then on as before', async () => {
  const line = lineOf('brown-out');
  const meter = byId('brown-out-1');
  for (let round = 0; round < 2; round++) {
    line.simulator.setFault(1, { type: 'brown-out', off_ms: 1800, zero_answers: 2 });
    await askedAgain(meter, line, 8);
  }
  await settle(meter, byId('brown-out-2'));
  expect(line.injected(1, 'brown-out')).toBe(2);
});

scenario('a brown-out of a meter that forgets its last two kWh', async () => {
  const line = lineOf('forgetful');
  const meter = byId('forgetful-1');
  await askedAgain(meter, line, 6);
  await settle(meter);
  meter.end();
  const lost = String(2n * KWH);
  line.simulator.setFault(1, {
    type: 'brown-out',
    off_ms: 800,
    lost_import_nkwh: lost,
    lost_export_nkwh: lost,
  });
  meter.begin();
  await waitFor('the new series is believed', async () => (await newSeries(meter)) > 0);
  await believed(meter, status);
  meter.power(50_000);
  await askedAgain(meter, line, 6);
  await settle(meter, byId('forgetful-2'));
});

scenario('a line that is cut, twice', async () => {
  const line = lineOf('cut');
  const meter = byId('cut-1');
  for (let round = 0; round < 2; round++) {
    line.simulator.setLineFault({ type: 'cut', off_ms: 2500 });
    await askedAgain(meter, line);
  }
  await settle(meter, byId('cut-2'));
  expect(line.injected('line', 'cut')).toBe(2);
});

scenario('all of it at once on one line with four meters, and a gateway that is killed', async () => {
  const random = seededRandom(seed);
  const line = await openLine('mixed', [
    { unit: 1, ...registersAt(100) },
    { unit: 2, profile: 'abb-b23', ...registersAt(40_000) },
    { unit: 3, profile: 'eastron-sdm120', role: 'production', ...registersAt(9000) },
    { unit: 4, profile: 'eastron-sdm120', role: 'consumption', ...registersAt(700) },
  ]);
  const meters = [
    Watched.grid(line, 1),
    Watched.grid(line, 2),
    new Watched(
      'home',
      'production_consumption',
      [
        { line, unit: 3, produced: 'import' },
        { line, unit: 4, consumed: 'import' },
      ],
      [line.device(3, 'production'), line.device(4, 'consumption')],
    ),
  ];
  const file = join(folder, 'mixed.yaml');
  writeFileSync(file, JSON.stringify(configOf('mixed', meters)));
  let gateway = await Service.start(['agent', 'run', '--config', file]);
  const live = async (): Promise<AgentStatus> =>
    (await (await fetch(new URL('/api/status', gateway.info.http_url))).json()) as AgentStatus;
  try {
    await Promise.all(meters.map((meter) => believed(meter, live)));
    for (const meter of meters) meter.begin();
    for (const unit of [1, 2, 3, 4]) {
      line.simulator.setPower(unit, { solar_watts: 50_000 + unit * 1000, household_watts: 20_000 });
    }
    line.simulator.setFaults(MIXED);
    const happened = () => {
      const faults = new Map<string, number>();
      for (const [key, times] of line.simulator.faults()) {
        const kind = key.split('/')[1] as string;
        faults.set(kind, (faults.get(kind) ?? 0) + times);
      }
      return faults;
    };
    const until = Date.now() + minutes * 60_000;
    let kills = 0;
    // They come by chance: it goes on until many of them have come.
    while (Date.now() < until || kills < 2 || happened().size <= 6) {
      const wait = 4000 + random() * 8000;
      await new Promise((resolve) => setTimeout(resolve, wait));
      await gateway.stop('SIGKILL');
      kills += 1;
      gateway = await Service.start(['agent', 'run', '--config', file]);
      // The other way round.
      line.simulator.setPower(1 + (kills % 2), { solar_watts: 10_000, household_watts: 40_000 });
    }
    line.simulator.setFaults([]);
    for (const meter of meters) meter.power(0);
    for (const meter of meters) await meter.caughtUp(live);
    await signedOnceMore(meters, live);
    expect(await gateway.stop()).toBe(0);
    const count = verifyRecords(join(folder, 'mixed'), meters);
    const faults = happened();
    const list = [...faults].map(([kind, times]) => `${kind} ${times}`).join(', ');
    console.log(`mixed: ${count} readings, ${kills} kills, faults: ${list}`);
    expect(faults.size).toBeGreaterThan(6);
  } finally {
    await gateway.stop('SIGKILL');
  }
});

describe.runIf(socatInstalled() || process.env.CI !== undefined)('hardware in the loop', () => {
  beforeAll(async () => {
    for (const [index, { profile }] of ALONE.entries()) {
      const line = await openLine(aloneId(index), [
        { unit: 1, ...(profile === undefined ? {} : { profile }), ...registersAt(100) },
        { unit: 2, profile: 'abb-b23', ...registersAt(20_000) },
      ]);
      watched.push(Watched.grid(line, 1), Watched.grid(line, 2));
    }
    const exceptions = await openLine(
      'exceptions',
      EXCEPTIONS.map((_, index) => ({ unit: index + 1, ...registersAt(1000 * (index + 1)) })),
    );
    watched.push(...EXCEPTIONS.map((_, index) => Watched.grid(exceptions, index + 1)));
    const fragile = await openLine('fragile', [{ unit: 1 }]);
    watched.push(Watched.grid(fragile, 1, 250));
    const rollover = await openLine('rollover', [
      { unit: 1, profile: 'lovato-dmed341mid7er', registers: { rollover_in_nkwh: String(KWH / 4n) } },
      { unit: 2, profile: 'schneider-iem3155', ...registersAt(5) },
    ]);
    watched.push(Watched.grid(rollover, 1), Watched.grid(rollover, 2));
    for (const name of ['exchange-serial', 'exchange-mute', 'brown-out', 'forgetful', 'cut']) {
      const profile = name === 'exchange-mute' ? 'eastron-sdm220' : 'eastron-sdm630';
      const line = await openLine(name, [
        { unit: 1, profile, ...registersAt(300) },
        { unit: 2, profile: 'eastron-sdm120', ...registersAt(7000) },
      ]);
      watched.push(Watched.grid(line, 1), Watched.grid(line, 2));
    }
    agent = await startAgent(AgentConfig.parse(configOf('alone', watched)), {
      logger,
      limits: { resetAfterMs: RESET_AFTER_MS },
    });
    // Nothing flows until every meter's first registers are believed: from there its totals count.
    await Promise.all(watched.map((meter) => believed(meter, status)));
    for (const meter of watched) {
      meter.begin();
      meter.power(60_000);
    }
    for (const one of scenarios) {
      one.failure = one.run().then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    // Some thirty socats and meters, each of which has to be believed: on a busy machine that takes its time.
  }, 600_000);

  afterAll(async () => {
    await agent?.stop();
    for (const line of lines) await line.simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(scenarios)(
    '$name',
    async (one) => {
      const failure = await one.failure;
      if (failure !== undefined) throw failure;
    },
    600_000 + minutes * 60_000,
  );

  it('has signed exactly what the registers have risen by, of every meter', async () => {
    await signedOnceMore(watched, status);
    await agent.stop();
    const count = verifyRecords(join(folder, 'alone'), watched);
    console.log(`alone: ${watched.length} meters on ${lines.length} lines, ${count} readings`);
    expect(count).toBeGreaterThan(watched.length * 3);
  }, 600_000);
});

/**
 * What the gateway has counted of a meter (or, where it counts by line, of the meter's line).
 * @param metrics names without `gtx_agent_`, separated by `|`
 */
async function counted(metrics: string, meter: Watched): Promise<number> {
  const text = await (await fetch(new URL('/metrics', agent.url))).text();
  const place = watched.indexOf(meter) + 1;
  const line = `tty-${meter.id.slice(0, meter.id.lastIndexOf('-'))}"`;
  return text
    .split('\n')
    .filter((row) => new RegExp(`^gtx_agent_(${metrics}){`).test(row))
    .filter((row) => row.includes(`meter="${place}"`) || row.includes(line))
    .reduce((sum, row) => sum + Number(row.slice(row.lastIndexOf(' '))), 0);
}

/** How often the gateway has begun a new series of a meter, for whatever reason. */
const newSeries = (meter: Watched): Promise<number> =>
  counted('meter_resets_total|meter_exchanges_total', meter);

/** Everything that may happen to an answer, and to the line. */
const MIXED: FaultRuleInput[] = [
  { fault: { type: 'dead' }, chance: 0.04 },
  { fault: { type: 'late', delay_ms: TIMEOUT_MS + 200 }, chance: 0.03 },
  { fault: { type: 'late', delay_ms: TIMEOUT_MS / 3 }, chance: 0.05 },
  { fault: { type: 'bad-crc' }, chance: 0.05 },
  { fault: { type: 'garbage' }, chance: 0.04 },
  { fault: { type: 'noise', bytes: 11 }, chance: 0.05 },
  { fault: { type: 'truncated' }, chance: 0.04 },
  { fault: { type: 'split', pause_ms: 60 }, chance: 0.05 },
  { fault: { type: 'joined' }, chance: 0.05 },
  { fault: { type: 'wrong-unit' }, chance: 0.04 },
  { fault: { type: 'echo' }, chance: 0.06 },
  { unit: 2, fault: { type: 'freeze' }, at_seconds: 3, for_seconds: 3, every_seconds: 17 },
  { fault: { type: 'value', value: 'zero' }, chance: 0.03 },
  { fault: { type: 'value', value: 'nan' }, chance: 0.02 },
  { fault: { type: 'value', value: 'ones' }, chance: 0.02 },
  ...[4, 5, 6, 8, 10, 11].map(
    (code): FaultRuleInput => ({ fault: { type: 'exception', code }, chance: 0.008 }),
  ),
  { unit: 1, fault: { type: 'brown-out', off_ms: 900, zero_answers: 2 }, at_seconds: 8, every_seconds: 30 },
  { fault: { type: 'cut', off_ms: 1500 }, at_seconds: 12, every_seconds: 40 },
];

/** Waits until each meter has signed a reading with the totals of now. */
async function signedOnceMore(
  meters: readonly Watched[],
  of: () => AgentStatus | Promise<AgentStatus>,
): Promise<void> {
  const sequences = async () =>
    new Map((await of()).meters.map(({ id, sequence }) => [id, sequence] as const));
  const before = await sequences();
  await waitFor('every meter has signed once more', async () => {
    const now = await sequences();
    return meters.every(({ id }) => (now.get(id) ?? 0) > (before.get(id) ?? 0));
  });
}
