/** The loop of one meter, with a clock that the test moves and a meter that answers when the test lets it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadingFlag } from '@gridtokenx/protocol';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Alerts } from './alerts.js';
import { ClockGuard } from './clock.js';
import { AgentConfig, type AgentConfigInput } from './config.js';
import type { DeviceReader, DeviceSample } from './measure.js';
import { Metering } from './metering.js';
import { Outbox } from './outbox.js';
import { MeterSigner } from './sign.js';
import { makeKey } from './testing/collector.js';

const DAY_MS = 86_400_000;
const ID = 'MTR-001';
/** A multiple of every interval. */
const START = Date.UTC(2026, 5, 1);
const logger = pino({ level: 'silent' });

/** What the loop sees of a device. It answers after `delayMs`, or while `gate` is set when that opens. */
class Meter {
  gate: Promise<void> | undefined;
  delayMs: () => number = () => 0;
  asked = 0;
  private answering = 0;
  mostAtOnce = 0;
  readonly config = { role: 'grid', unit: 1, profile: 'eastron-sdm630' };
  readonly health = { online: true, failures: 0 };

  quantityOf(side: 'produced' | 'consumed') {
    return side === 'produced' ? 'energy_export' : 'energy_import';
  }

  registerLimits() {
    return {};
  }

  askIdentity() {}

  async sample(): Promise<DeviceSample> {
    this.asked++;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.answering);
    const ms = this.delayMs();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    await this.gate;
    this.answering--;
    // 1 kW each way, since the test began.
    const register = BigInt(Date.now() - START + DAY_MS) * 277n;
    return { produced: register, consumed: register };
  }
}

let folder: string;
let endings: (() => Promise<void> | void)[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: START - 30_000 });
  folder = mkdtempSync(join(tmpdir(), 'gtx-metering-'));
  endings = [];
});
afterEach(async () => {
  for (const end of endings.reverse()) await end();
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

function begin(more: Partial<AgentConfigInput>) {
  const meter = new Meter();
  const config = AgentConfig.parse({
    data_dir: folder,
    collector_key: makeKey().text,
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    meters: [
      {
        id: ID,
        key_file: 'none',
        wallet: makeKey().text,
        mode: 'bidirectional',
        devices: [
          {
            role: 'grid',
            profile: 'eastron-sdm630',
            connection: { type: 'tcp', host: '127.0.0.1', port: 9 },
          },
        ],
      },
    ],
    ...more,
  });
  /** The wall clock is this far from the time that passes. */
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const monotonic = () => Date.now();
  const guard = new ClockGuard({ ntp: 'auto', maxOffsetMs: 60_000 }, now, monotonic);
  const outbox = Outbox.open(folder, { maxBytes: 1 << 26, keepMs: 30 * DAY_MS, recordKeepMs: DAY_MS });
  const alerts = new Alerts(logger, now);
  const metering = new Metering({
    config,
    meter: config.meters[0] as (typeof config.meters)[number],
    devices: [meter as unknown as DeviceReader],
    signer: new MeterSigner(makeKey()),
    outbox,
    clock: guard,
    alerts,
    logger,
    now,
    monotonic,
    lookAtClock: () => {
      const step = guard.look();
      if (step !== 0) metering.noteClockSet(step);
    },
    onReading: () => undefined,
  });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await metering.stop();
    outbox.close();
  };
  endings.push(stop);
  metering.start();
  return { meter, metering, guard, clock, outbox, alerts, stop };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const ends = (outbox: Outbox) => outbox.readings(ID).map((one) => one.intervalEnd * 1000 - START);

describe('a sample that is on the line', () => {
  const settings = { interval_seconds: 60, sample_seconds: 5 };
  const YEAR_MS = 365 * DAY_MS;

  it.each([
    ['back', YEAR_MS, 0],
    ['ahead', 0, YEAR_MS],
  ])('while the clock is set %s closes no interval', async (_way, before, after) => {
    const { meter, guard, clock, outbox } = begin(settings);
    clock.offsetMs = before;
    guard.look();
    guard.setNtp(false);
    await pass(89_000);
    let open: () => void = () => undefined;
    meter.gate = new Promise((resolve) => {
      open = resolve;
    });
    await pass(1_500);
    const { length } = ends(outbox);
    const asked = meter.asked;
    clock.offsetMs = after;
    guard.setNtp(true);
    open();
    meter.gate = undefined;
    await pass(100);
    expect(meter.asked).toBe(asked);
    expect(ends(outbox)).toHaveLength(length);
    // The next sample is still in time for it, by the clock as it is now.
    guard.setNtp(true);
    await pass(60_000);
    expect(ends(outbox)).toEqual([after + 60_000, after + 120_000]);
  });

  it('for longer than a tenth of the interval closes none: it has the energy of the next one', async () => {
    const { meter, outbox, alerts } = begin(settings);
    await pass(31_000);
    expect(ends(outbox)).toEqual([0]);
    await pass(58_000);
    meter.delayMs = () => 20_000;
    await pass(22_000);
    expect(ends(outbox)).toEqual([0]);
    expect(alerts.list(ID).map((one) => one.code)).toEqual(['METER_BUS_ERROR']);
    expect(alerts.list(ID)[0]?.message).toMatch(/read 20\.\d s after its end, and 6\.0 s is the most/);
    meter.delayMs = () => 0;
    await pass(60_000);
    expect(ends(outbox)).toEqual([0, 120_000]);
    expect(outbox.readings(ID).map((one) => flagsOf(one.bytes))).toEqual([0, ReadingFlag.Gap]);
    expect(alerts.list(ID)).toEqual([]);
  });
});

const flagsOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);

describe('the loop', () => {
  it('has one timer, also when it notices itself that the clock was set; none is left when it ends', async () => {
    const { meter, clock, stop } = begin({ interval_seconds: 900, sample_seconds: 5 });
    await pass(11_000);
    for (const step of [-3_000, 3_600_000, -7_200_000, 2_500]) {
      clock.offsetMs += step;
      await pass(5_000);
      expect(vi.getTimerCount()).toBe(1);
    }
    meter.delayMs = () => 4_000;
    await pass(60_000);
    expect(meter.mostAtOnce).toBe(1);
    const stopping = stop();
    await pass(4_000);
    await stopping;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes the jitter of its own sampling for no silence', async () => {
    const { meter, metering } = begin({ interval_seconds: 900 });
    // Each second answer is late, so that the one after it comes sooner.
    meter.delayMs = () => (meter.asked % 2) * 300;
    await pass(3_600_000);
    expect(metering.counters.doubts).toMatchObject({ silence: 0, fell: 0, jumped: 0 });
    expect(metering.counters.cycles).toBeLessThan(65);
    expect(metering.counters.readings).toBe(4);
  });
});
