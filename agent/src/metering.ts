/**
 * One meter's loop, which is the path of a reading in this process: measure, account, sign, store. What
 * comes after (publishing) is told that there is something new.
 */
import { GtxError, nkwhToKwh, type Status, type Telemetry } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import {
  clockWasSet,
  closeInterval,
  doubtOf,
  dueEnd,
  exchanged,
  type MeterAccount,
  newAccount,
  observeMeter,
  parseAccount,
  type RegisterSample,
  rebased,
  restarted,
  type Side,
  serialiseAccount,
  totalsOf,
} from './account.js';
import type { Alerts } from './alerts.js';
import { type ClockGuard, type ClockVerdict, STEP_MS } from './clock.js';
import type { AgentConfig, MeterConfig } from './config.js';
import { FrozenWatch } from './frozen.js';
import { type DeviceReader, type DeviceSample, isGiven } from './measure.js';
import type { Outbox, SampleRow } from './outbox.js';
import { DEFAULT_LIMITS, type Doubt, type RegisterLimits, stepOf } from './plausible.js';
import type { MeterSigner } from './sign.js';
import { AGENT_VERSION } from './version.js';

export interface MeteringDeps {
  config: AgentConfig;
  meter: MeterConfig;
  devices: readonly DeviceReader[];
  signer: MeterSigner;
  outbox: Outbox;
  clock: ClockGuard;
  alerts: Alerts;
  logger: Logger;
  now: () => number;
  monotonic: () => number;
  limits?: Partial<Omit<RegisterLimits, 'maxWatts'>>;
  /** Looks at the clock and tells every meter about a step. */
  lookAtClock: () => void;
  /** A reading has been stored. */
  onReading: (meterId: string) => void;
}

/** For metrics; only counts up. */
export interface MeteringCounters {
  cycles: number;
  readings: number;
  resets: number;
  /** Devices replaced, as their serial numbers say. */
  exchanges: number;
  /** Resets that were none: the old registers came back. */
  returned: number;
  /** Samples of a device with a serial number that is not the expected one. */
  foreign: number;
  doubts: Record<Doubt, number>;
  /** Samples taken while a register was frozen. */
  frozen: number;
  /** Intervals at whose end there was nothing that could be signed. */
  missed: number;
}

/** After a doubtful or failed sample the next one is due this soon. */
const AGAIN_MS = 2_000;
/** A timer is never set further ahead, so that a stepped clock is noticed. */
const LONGEST_TIMER_MS = 30_000;
/** A device that fails so often in a row is worth an alert. */
const FAILURES_BEFORE_ALERT = 3;

/** A loop that has not begun a sample for so long, or for three sampling periods, is stuck. */
const STUCK_MS = 60_000;
const NKWH_PER_WH = 1e6;

interface DeviceState {
  reader: DeviceReader;
  sides: Side[];
  last: DeviceSample | undefined;
  /** A serial number that is not the known one, told by the last sample. */
  newSerial: string | undefined;
}

export class Metering {
  readonly id: string;
  readonly counters: MeteringCounters = {
    cycles: 0,
    readings: 0,
    resets: 0,
    exchanges: 0,
    returned: 0,
    foreign: 0,
    doubts: { first: 0, silence: 0, fell: 0, jumped: 0 },
    frozen: 0,
    missed: 0,
  };
  private account: MeterAccount;
  private readonly devices: DeviceState[];
  private readonly watches: Partial<Record<Side, FrozenWatch>> = {};
  private sampleSeconds: number;
  private timer: NodeJS.Timeout | undefined;
  private cycle: Promise<void> | undefined;
  private stopping = false;
  private doubtsInRow = 0;
  private lastRecordMs = Number.NEGATIVE_INFINITY;
  private lastMissedEnd = 0;
  private lastSampleMs: number | undefined;
  private lastBeganMs = 0;
  /** Up to now every register of the last sample was believed. */
  private healthy = false;

  constructor(private readonly deps: MeteringDeps) {
    const { meter, config } = deps;
    this.id = meter.id;
    this.sampleSeconds = config.sample_seconds;
    this.devices = deps.devices.map((reader) => ({
      reader,
      sides: sidesOf(meter.mode, reader.config.role),
      last: undefined,
      newSerial: undefined,
    }));
    for (const { reader, sides } of this.devices) {
      for (const side of sides) {
        const quantity = reader.quantityOf(side);
        if (!quantity)
          throw new GtxError('PROFILE_INVALID', `${reader.config.profile} has no ${side} energy`);
        this.watches[side] = new FrozenWatch(
          quantity,
          (register) => Number(stepOf(this.limitsOf(side), register)) / NKWH_PER_WH,
        );
      }
    }
    this.account = newAccount(meter.mode);
  }

  /** Loads the books and begins to measure. */
  start(): void {
    const { outbox, clock, meter, logger, config } = this.deps;
    const source = this.deps.devices
      .map(({ config: { role, profile, exchange } }) => {
        return `${role}:${profile}${exchange ? `#${exchange}` : ''}`;
      })
      .sort()
      .join(',');
    const stored = outbox.loadAccount(this.id);
    if (stored === undefined) this.account = newAccount(meter.mode, source);
    else {
      this.account = parseAccount(stored, clock.wallMinusSteadyMs());
      if (this.account.mode !== meter.mode || this.account.source !== source) {
        logger.warn({ from: this.account.source, to: source }, 'the devices have changed: a new base is set');
        this.account = rebased(this.account, meter.mode, source);
      }
    }
    const commanded = outbox.setting(`sampling/${this.id}`);
    const { min_seconds, max_seconds } = config.sample_limits;
    if (commanded !== undefined && Number(commanded) >= min_seconds && Number(commanded) <= max_seconds) {
      this.sampleSeconds = Number(commanded);
    }
    this.lastBeganMs = this.deps.monotonic();
    this.run();
  }

  /** The loop goes round: a sample has begun lately. What the sample brought is another matter. */
  get alive(): boolean {
    const limitMs = Math.max(STUCK_MS, 3 * this.sampleSeconds * 1000);
    return this.deps.monotonic() - this.lastBeganMs <= limitMs;
  }

  /** Ends the loop after the sample under way and writes the books. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.cycle;
    // A step that nobody has looked at yet would shift the times that are written.
    this.deps.lookAtClock();
    if (this.account.startedAt > 0) this.saveAccount();
  }

  /** The clock was set by `stepMs`. */
  noteClockSet(stepMs: number): void {
    const { clock, now } = this.deps;
    this.account = clockWasSet(this.account, stepMs, clock.wasConfirmed, Math.floor(now() / 1000));
    if (this.account.startedAt > 0) this.saveAccount();
    if (!this.cycle && !this.stopping && this.timer) this.schedule(false);
  }

  /** @throws GtxError COMMAND_INVALID outside the gateway's limits */
  setSampleSeconds(seconds: number): void {
    const { min_seconds, max_seconds } = this.deps.config.sample_limits;
    if (seconds < min_seconds || seconds > max_seconds) {
      throw new GtxError(
        'COMMAND_INVALID',
        `sampling every ${seconds} s is outside ${min_seconds} to ${max_seconds} s`,
      );
    }
    this.deps.outbox.saveSetting(`sampling/${this.id}`, String(seconds));
    this.sampleSeconds = seconds;
    if (!this.cycle && !this.stopping) this.schedule(false);
  }

  private run(): void {
    this.cycle = this.measure()
      .catch((error: unknown) => {
        this.deps.logger.error({ err: error, meter_id: this.id }, 'a sample failed unexpectedly');
        this.deps.alerts.raise('INTERNAL', `a sample failed: ${(error as Error).message}`, this.id);
        return false;
      })
      .then((good) => {
        this.cycle = undefined;
        if (!this.stopping) this.schedule(!good);
      });
  }

  /** Samples fall on multiples of the sampling period and of the settlement interval. */
  private schedule(soon: boolean): void {
    clearTimeout(this.timer);
    const now = this.deps.now();
    const after = (seconds: number) => (Math.floor(now / (seconds * 1000)) + 1) * seconds * 1000;
    let dueMs = Math.min(after(this.sampleSeconds), after(this.deps.config.interval_seconds));
    if (soon) dueMs = Math.min(dueMs, now + AGAIN_MS);
    this.arm(dueMs);
  }

  private arm(dueMs: number): void {
    const waitMs = dueMs - this.deps.now();
    this.timer = setTimeout(
      () => {
        // No timer is set now, so that a step that is noticed here does not set one beside the next.
        this.timer = undefined;
        this.deps.lookAtClock();
        // Timers may fire a little early; a sample before the interval's end would miss it.
        if (this.deps.now() < dueMs && dueMs - this.deps.now() <= this.sampleSeconds * 1000) this.arm(dueMs);
        else this.run();
      },
      Math.min(Math.max(waitMs, 1), this.sampleSeconds * 1000, LONGEST_TIMER_MS),
    );
  }

  /** One sample of all devices. @returns false when it should be repeated soon */
  private async measure(): Promise<boolean> {
    const { deps } = this;
    deps.lookAtClock();
    const beganMs = deps.now();
    const wallMinusMonotonic = beganMs - deps.monotonic();
    this.lastBeganMs = deps.monotonic();
    this.counters.cycles++;
    const samples = await Promise.all(
      this.devices.map(async (device) => {
        try {
          device.last = await device.reader.sample();
          this.clearDevice(device);
          return { device, sample: device.last, atMs: deps.clock.steadyMs() };
        } catch (error) {
          device.last = undefined;
          if (!(error instanceof GtxError)) throw error;
          this.reportDevice(device, error);
          return undefined;
        }
      }),
    );
    // The clock may have been set meanwhile: then nothing can be said of when this sample began.
    deps.lookAtClock();
    const endedMs = deps.now();
    const clockHeld = Math.abs(endedMs - deps.monotonic() - wallMinusMonotonic) <= STEP_MS;
    const registers: Partial<Record<Side, RegisterSample>> = {};
    let frozen = false;
    let foreign = false;
    for (const result of samples) {
      if (!result) continue;
      if (!this.knows(result.device, result.sample.serialNumber)) {
        foreign = true;
        continue;
      }
      for (const side of result.device.sides) {
        const register = result.sample[side];
        if (register === undefined) continue;
        registers[side] = { register, atMs: result.atMs, limits: this.limitsOf(side) };
        if (this.watches[side]?.observe(register, result.sample.powerWatts, result.atMs)) frozen = true;
      }
    }
    const before = this.account;
    const { trusted } = this.clockVerdict();
    const seen = observeMeter(before, registers, Math.floor(deps.now() / 1000), trusted);
    this.account = seen.account;
    this.lastSampleMs = deps.now();
    this.countDoubts(seen);
    this.reportFrozen(frozen);
    this.healthy = seen.ready && !frozen && !foreign;
    if (!seen.ready) this.askIdentities(seen);

    const reset = seen.produced?.kind === 'reset' || seen.consumed?.kind === 'reset';
    if (reset) {
      this.counters.resets++;
      deps.logger.warn({ meter_id: this.id }, 'the meter was reset or replaced: a new base is set');
    }
    const back = seen.produced?.kind === 'returned' || seen.consumed?.kind === 'returned';
    if (back) {
      this.counters.returned++;
      deps.logger.warn({ meter_id: this.id }, 'the registers from before the reset are back: it was none');
    }
    if (reset || back || (before.startedAt === 0 && this.account.startedAt > 0)) this.saveAccount();
    this.record(registers);
    if (this.healthy && trusted && clockHeld) {
      this.account = restarted(this.account, 0, Math.floor(beganMs / 1000));
      this.sign(beganMs, endedMs);
    }
    this.noteMissed();
    return seen.ready;
  }

  /** Signs the interval that has just ended, if one has. */
  private sign(beganMs: number, endedMs: number): void {
    const { deps, account } = this;
    const interval = deps.config.interval_seconds;
    const end = dueEnd(account, Math.floor(beganMs / 1000), interval);
    if (end === undefined) return;
    // A sample long after the end would put energy into the interval that comes later.
    if (beganMs - end * 1000 > this.toleranceMs()) return;
    if (endedMs - end * 1000 > this.toleranceMs()) {
      const seconds = (ms: number) => (ms / 1000).toFixed(1);
      deps.alerts.raise(
        'METER_BUS_ERROR',
        `nothing is signed for this interval: the devices had been read ${seconds(endedMs - end * 1000)} s after its end, and ${seconds(this.toleranceMs())} s is the most. Other devices on the line may hold it up`,
        this.id,
        'slow',
      );
      return;
    }
    deps.alerts.clear('METER_BUS_ERROR', this.id, 'slow');
    const closed = closeInterval(account, end, interval);
    const signed = deps.signer.signReading(closed.reading);
    try {
      deps.outbox.commitReading({
        meterId: this.id,
        reading: closed.reading,
        bytes: signed.bytes,
        signature: signed.signature,
        publicKey: deps.signer.publicKey,
        amount: closed.amount,
        account: serialiseAccount(closed.account, deps.clock.wallMinusSteadyMs()),
        nowMs: deps.now(),
      });
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'OUTBOX_FULL') throw error;
      // The books stay where they were, so the next reading covers this energy under the same sequence.
      deps.alerts.raise('OUTBOX_FULL', error.message);
      return;
    }
    deps.alerts.clear('OUTBOX_FULL');
    this.account = closed.account;
    this.counters.readings++;
    deps.logger.info(
      {
        meter_id: this.id,
        sequence: Number(closed.reading.sequence),
        interval_end: end,
        kwh_amount: nkwhToKwh(closed.amount),
        flags: closed.reading.flags,
      },
      'reading signed',
    );
    deps.onReading(this.id);
  }

  /** How long after an interval's end a sample may begin and end that still closes it. */
  private toleranceMs(): number {
    const intervalMs = this.deps.config.interval_seconds * 1000;
    return Math.max(intervalMs / 10, Math.min(AGAIN_MS, intervalMs / 2));
  }

  private clockVerdict(): ClockVerdict {
    const verdict = this.deps.clock.verdict(this.account.lastEnd);
    if (verdict.trusted) this.deps.alerts.clear('CLOCK_UNSYNCHRONISED', this.id);
    else {
      this.deps.alerts.raise(
        'CLOCK_UNSYNCHRONISED',
        `measuring without signing: ${verdict.reason ?? 'the clock is not trusted'}`,
        this.id,
      );
    }
    return verdict;
  }

  /** Counts interval ends that have passed beyond the time in which they could be signed. */
  private noteMissed(): void {
    const { now, config } = this.deps;
    const end = dueEnd(this.account, Math.floor(now() / 1000), config.interval_seconds);
    if (end === undefined || end <= this.lastMissedEnd || now() - end * 1000 <= this.toleranceMs()) return;
    this.lastMissedEnd = end;
    this.counters.missed++;
  }

  private saveAccount(): void {
    const { outbox, clock, now, alerts } = this.deps;
    try {
      const text = serialiseAccount(this.account, clock.wallMinusSteadyMs());
      outbox.saveAccount(this.id, text, this.account.sequence, now());
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'OUTBOX_FULL') throw error;
      alerts.raise('OUTBOX_FULL', error.message);
    }
  }

  private record(registers: Partial<Record<Side, RegisterSample>>): void {
    const { outbox, now, config, alerts } = this.deps;
    const nowMs = now();
    if (Math.abs(nowMs - this.lastRecordMs) < config.record_seconds * 1000 || !registers.produced) return;
    this.lastRecordMs = nowMs;
    const row: SampleRow = {
      meterId: this.id,
      atMs: nowMs,
      producedRegister: registers.produced.register,
      consumedRegister: registers.consumed?.register,
      powerWatts: this.devices[0]?.last?.powerWatts,
    };
    try {
      outbox.record([row]);
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'OUTBOX_FULL') throw error;
      alerts.raise('OUTBOX_FULL', error.message);
    }
  }

  private countDoubts(seen: ReturnType<typeof observeMeter>): void {
    const { alerts } = this.deps;
    const doubts = [doubtOf(seen.produced), doubtOf(seen.consumed)].filter((doubt) => doubt !== undefined);
    for (const doubt of doubts) this.counters.doubts[doubt]++;
    const suspicious = !seen.ready && doubts.some((doubt) => doubt === 'fell' || doubt === 'jumped');
    this.doubtsInRow = suspicious ? this.doubtsInRow + 1 : seen.ready ? 0 : this.doubtsInRow;
    if (this.doubtsInRow >= 2) {
      alerts.raise(
        'METER_VALUE_INVALID',
        `an energy register ${doubts.includes('fell') ? 'fell' : 'rose faster than rated_watts allows'}; its value is not counted`,
        this.id,
      );
    } else if (seen.ready) alerts.clear('METER_VALUE_INVALID', this.id);
  }

  /**
   * Whether a device is the one that it was, by its serial number. Another one is believed when a second sample tells
   * its number too: then its registers begin a new series. With `serial_number` in the configuration only that one
   * counts, and changing it there is the operator's word that the device was replaced.
   */
  private knows(device: DeviceState, serial: string | undefined): boolean {
    const { reader, sides } = device;
    const { role, unit, serial_number: pinned } = reader.config;
    const key = `serial ${role}`;
    const known = this.account.serials[role];
    if (pinned !== undefined && serial !== pinned) {
      this.counters.foreign++;
      this.deps.alerts.raise(
        'METER_VALUE_INVALID',
        `${role} device, unit ${unit}, says that its serial number is ${serial ?? 'unknown'}, not ${pinned}: nothing is counted. If it was replaced, put its number into serial_number`,
        this.id,
        key,
      );
      reader.askIdentity();
      return false;
    }
    this.deps.alerts.clear('METER_VALUE_INVALID', this.id, key);
    if (serial === undefined || serial === known) {
      device.newSerial = undefined;
      return true;
    }
    if (known === undefined) {
      this.account = { ...this.account, serials: { ...this.account.serials, [role]: serial } };
      if (this.account.startedAt > 0) this.saveAccount();
      return true;
    }
    if (device.newSerial !== serial) {
      device.newSerial = serial;
      this.counters.foreign++;
      reader.askIdentity();
      return false;
    }
    device.newSerial = undefined;
    this.counters.exchanges++;
    this.deps.logger.warn(
      { meter_id: this.id, role, unit, from: known, to: serial },
      'the device was replaced: a new base is set',
    );
    this.account = exchanged(this.account, sides, role, serial);
    if (this.account.startedAt > 0) this.saveAccount();
    return true;
  }

  /** A register that fell or jumped may be another device's: its serial number tells. */
  private askIdentities(seen: ReturnType<typeof observeMeter>): void {
    for (const { reader, sides } of this.devices) {
      const odd = sides.some((side) => ['fell', 'jumped'].includes(doubtOf(seen[side]) ?? ''));
      if (odd) reader.askIdentity();
    }
  }

  private reportFrozen(frozen: boolean): void {
    const { alerts } = this.deps;
    if (frozen) {
      this.counters.frozen++;
      alerts.raise(
        'METER_VALUE_INVALID',
        'an energy register stands still while power flows',
        this.id,
        'frozen',
      );
    } else alerts.clear('METER_VALUE_INVALID', this.id, 'frozen');
  }

  private reportDevice({ reader }: DeviceState, error: GtxError): void {
    if (reader.health.failures < FAILURES_BEFORE_ALERT && !reader.health.needsPerson) return;
    this.deps.alerts.raise(
      error.code,
      `${reader.config.role} device, unit ${reader.config.unit}: ${error.message}`,
      this.id,
      `device ${this.deps.devices.indexOf(reader)}`,
    );
  }

  private clearDevice({ reader }: DeviceState): void {
    const key = `device ${this.deps.devices.indexOf(reader)}`;
    this.deps.alerts.clear('METER_BUS_ERROR', this.id, key);
    this.deps.alerts.clear('METER_VALUE_INVALID', this.id, key);
  }

  private limitsOf(side: Side): RegisterLimits {
    const { meter } = this.deps;
    const device = this.devices.find(({ sides }) => sides.includes(side));
    const given = { ...DEFAULT_LIMITS, ...this.deps.limits };
    return {
      ...given,
      // One sample that fails, and jitter, are no silence.
      silenceMs: Math.max(given.silenceMs, 2.5 * this.sampleSeconds * 1000),
      maxWatts: meter.rated_watts,
      ...device?.reader.registerLimits(side),
    };
  }

  /** Power by place: produced, consumed, at the grid (positive is import). */
  power(): { productionWatts?: number; consumptionWatts?: number; gridWatts?: number } {
    const result: { productionWatts?: number; consumptionWatts?: number; gridWatts?: number } = {};
    for (const { reader, last } of this.devices) {
      if (last?.powerWatts === undefined) continue;
      const { role } = reader.config;
      // What is given has a negative power; a home's production is shown positive all the same.
      const given =
        role !== 'grid' && isGiven(reader.quantityOf(role === 'production' ? 'produced' : 'consumed'));
      const watts = given ? -last.powerWatts : last.powerWatts;
      if (role === 'grid') result.gridWatts = watts;
      else if (role === 'production') result.productionWatts = watts;
      else result.consumptionWatts = watts;
    }
    return result;
  }

  /** The serial number that the device of a role has told. */
  serialNumber(role: string): string | undefined {
    return this.account.serials[role];
  }

  /** The meter's state for the status page. Energy as decimal u64 text, nkWh. */
  view() {
    const { account } = this;
    const totals = totalsOf(account);
    return {
      id: this.id,
      wallet: this.deps.meter.wallet,
      public_key: this.deps.signer.publicKeyText,
      mode: account.mode,
      healthy: this.healthy,
      sample_seconds: this.sampleSeconds,
      last_sample_ms: this.lastSampleMs ?? null,
      power_watts: this.power(),
      produced_total: totals.produced.toString(),
      consumed_total: totals.consumed.toString(),
      surplus_total: totals.surplus.toString(),
      sequence: Number(account.sequence),
      last_end: account.lastEnd,
      outbox: this.deps.outbox.counts(this.id),
      devices: this.devices.map(({ reader }) => ({
        role: reader.config.role,
        profile: reader.config.profile,
        unit: reader.config.unit,
        serial_number: this.account.serials[reader.config.role] ?? null,
        ...reader.health,
      })),
    };
  }

  /** Live values as published; undefined before the first sample. */
  telemetry(): Telemetry | undefined {
    if (this.lastSampleMs === undefined) return undefined;
    const totals = totalsOf(this.account);
    const power = this.power();
    return {
      meter_id: this.id,
      time: Math.floor(this.lastSampleMs / 1000),
      ...(power.productionWatts === undefined ? {} : { production_watts: power.productionWatts }),
      ...(power.consumptionWatts === undefined ? {} : { consumption_watts: power.consumptionWatts }),
      ...(power.gridWatts === undefined ? {} : { grid_watts: power.gridWatts }),
      produced_total: totals.produced.toString(),
      consumed_total: totals.consumed.toString(),
      surplus_total: totals.surplus.toString(),
      devices: this.devices.map(({ reader, last }) => ({
        role: reader.config.role,
        profile: reader.config.profile,
        unit: reader.config.unit,
        online: reader.health.online,
        ...(last?.powerWatts === undefined ? {} : { power_watts: last.powerWatts }),
        ...(last?.voltageVolts ? { voltage_volts: last.voltageVolts } : {}),
        ...(last?.currentAmperes ? { current_amperes: last.currentAmperes } : {}),
        ...(last?.frequencyHertz === undefined ? {} : { frequency_hertz: last.frequencyHertz }),
        ...(last?.importTotal === undefined ? {} : { import_total: last.importTotal.toString() }),
        ...(last?.exportTotal === undefined ? {} : { export_total: last.exportTotal.toString() }),
      })),
    };
  }

  /** The gateway's health as published for this meter. */
  status(state: 'online' | 'offline'): Status {
    const { now, outbox, alerts } = this.deps;
    const time = Math.max(0, Math.floor(now() / 1000));
    if (state === 'offline') return { state, version: AGENT_VERSION, time };
    const verdict = this.deps.clock.verdict(this.account.lastEnd);
    return {
      state,
      version: AGENT_VERSION,
      time,
      outbox_depth: outbox.depth(this.id),
      clock: {
        synchronised: verdict.trusted,
        ...(verdict.offsetMs === undefined ? {} : { offset_ms: Math.round(verdict.offsetMs) }),
      },
      bus: {
        ok: this.devices.every(({ reader }) => reader.health.online),
        devices: this.devices.map(({ reader }) => ({
          role: reader.config.role,
          unit: reader.config.unit,
          ok: reader.health.online,
          failures: reader.health.failures,
          ...(reader.health.lastSuccessMs === undefined
            ? {}
            : { last_success: Math.floor(reader.health.lastSuccessMs / 1000) }),
          ...(reader.health.lastError === undefined ? {} : { last_error: reader.health.lastError }),
        })),
      },
      alerts: alerts
        .list(this.id)
        .slice(0, 32)
        .map((alert) => ({
          code: alert.code,
          message: alert.message.slice(0, 500),
          since: Math.max(0, Math.floor(alert.sinceMs / 1000)),
        })),
    };
  }
}

/** Which of the meter's totals a device feeds. */
function sidesOf(mode: MeterConfig['mode'], role: string): Side[] {
  if (mode === 'bidirectional') return ['produced', 'consumed'];
  return role === 'production' ? ['produced'] : ['consumed'];
}
