/**
 * Reads one device through its profile: registers in, energy and live values out. Holds a device that does
 * not answer off for a while, so that it costs the others on its line one time limit and then nothing.
 */
import {
  decodeEnergy,
  decodeMeasure,
  type MeterProfile,
  type ReadRequest as PlannedRead,
  ProfileError,
  planReads,
  type Quantity,
  rolloverNkwh,
  wordsOf,
} from '@gridtokenx/firmware-profiles';
import { type ErrorCode, GtxError, type Nkwh } from '@gridtokenx/protocol';
import type { DeviceConfig } from './config.js';
import { EXCEPTION_NAMES } from './modbus-frames.js';
import { BusError, type ModbusLine } from './modbus-line.js';

/** What one read of a device brings. */
export interface DeviceSample {
  /** Energy that counts, by the device's role. */
  produced?: Nkwh;
  consumed?: Nkwh;
  importTotal?: Nkwh;
  exportTotal?: Nkwh;
  /** As the meter signs it: positive is import. */
  powerWatts?: number;
  voltageVolts?: number[];
  currentAmperes?: number[];
  frequencyHertz?: number;
}

/** How a device is doing. */
export interface DeviceHealth {
  online: boolean;
  /** Failures since the last success. */
  failures: number;
  /** Wall clock, ms. */
  lastSuccessMs?: number;
  lastError?: ErrorCode;
  lastMessage?: string;
}

/** For metrics; only counts up. */
export interface DeviceCounters {
  samples: number;
  failures: number;
  busy: number;
  invalidValues: number;
  probes: number;
}

/** Waits after 1, 2, 3... failures in a row. */
const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
/** A busy meter (exceptions 5 and 6) is asked again in the same sample. */
const BUSY_ATTEMPTS = 3;
const BUSY_WAIT_MS = 300;
/** So long an answer that never came may still come. */
const OWED_MS = 60_000;

const DISPLAY: readonly Quantity[] = [
  'voltage_l1',
  'voltage_l2',
  'voltage_l3',
  'current_l1',
  'current_l2',
  'current_l3',
  'frequency',
  'energy_import',
  'energy_export',
];

export class DeviceReader {
  readonly health: DeviceHealth = { online: false, failures: 0 };
  readonly counters: DeviceCounters = { samples: 0, failures: 0, busy: 0, invalidValues: 0, probes: 0 };
  private readonly role;
  private readonly plan: PlannedRead[];
  private readonly timeoutMs: number;
  private readonly gapMs: number;
  private notBeforeMs = 0;
  /** Lengths (in registers) of answers that never came, and until when they might. */
  private readonly owed = new Map<number, number>();

  constructor(
    readonly config: DeviceConfig,
    private readonly profile: MeterProfile,
    private readonly line: ModbusLine,
    private readonly now: () => number,
    private readonly monotonic: () => number,
  ) {
    const role = profile.roles[config.role];
    if (!role) {
      throw new GtxError(
        'CONFIG_INVALID',
        `profile ${profile.id} cannot be used as ${config.role}; it offers ${Object.keys(profile.roles).join(', ')}`,
      );
    }
    this.role = role;
    this.plan = planOf(profile, role);
    this.timeoutMs = config.timeout_ms ?? profile.modbus.response_timeout_ms;
    this.gapMs = config.gap_ms ?? profile.modbus.min_gap_ms;
  }

  /** The register that counts as produced (or consumed) energy, for plausibility. */
  quantityOf(side: 'produced' | 'consumed'): Quantity | undefined {
    return this.role[side];
  }

  /** Where a register starts again from 0, in nkWh; undefined where nothing is known of it (floats). */
  rolloverOf(side: 'produced' | 'consumed'): Nkwh | undefined {
    const quantity = this.role[side];
    if (quantity === undefined) return undefined;
    return rolloverNkwh(this.profile, quantity);
  }

  /** True while the device is being left alone after failures. */
  get backingOff(): boolean {
    return this.monotonic() < this.notBeforeMs;
  }

  /**
   * Reads the device once.
   * @throws GtxError METER_BUS_ERROR (no answer, exception, no connection, or left alone after failures),
   *   METER_VALUE_INVALID (an energy register is not a number)
   */
  async sample(): Promise<DeviceSample> {
    if (this.backingOff) {
      throw new GtxError('METER_BUS_ERROR', this.health.lastMessage ?? 'left alone after failures', {
        backing_off: true,
      });
    }
    try {
      await this.resynchronise();
      const sample = await this.readAll();
      this.counters.samples++;
      this.health.online = true;
      this.health.failures = 0;
      this.health.lastSuccessMs = this.now();
      delete this.health.lastError;
      delete this.health.lastMessage;
      return sample;
    } catch (error) {
      throw this.failed(error);
    }
  }

  private async readAll(): Promise<DeviceSample> {
    const sample: DeviceSample = {};
    const list = (values: (number | undefined)[]) => values.filter((value) => value !== undefined);
    const shown = new Map<Quantity, number>();
    for (const part of this.plan) {
      const words = toWords(await this.readBlock(part.functionCode, part.start, part.count));
      for (const quantity of part.quantities) {
        const raw = wordsOf(this.profile, part, quantity, words);
        if (quantity === this.role.produced) sample.produced = decodeEnergy(this.profile, quantity, raw);
        if (quantity === this.role.consumed) sample.consumed = decodeEnergy(this.profile, quantity, raw);
        // What is only shown may be missing; what counts may not.
        try {
          if (quantity === 'energy_import') sample.importTotal = decodeEnergy(this.profile, quantity, raw);
          else if (quantity === 'energy_export')
            sample.exportTotal = decodeEnergy(this.profile, quantity, raw);
          else if (!quantity.startsWith('energy_')) {
            shown.set(quantity, decodeMeasure(this.profile, quantity, raw));
          }
        } catch (error) {
          if (!(error instanceof ProfileError) || error.code !== 'METER_VALUE_INVALID') throw error;
          this.counters.invalidValues++;
        }
      }
    }
    const power = shown.get(this.role.power);
    const voltages = list([shown.get('voltage_l1'), shown.get('voltage_l2'), shown.get('voltage_l3')]);
    const currents = list([shown.get('current_l1'), shown.get('current_l2'), shown.get('current_l3')]);
    const frequency = shown.get('frequency');
    if (power !== undefined) sample.powerWatts = power;
    if (voltages.length > 0) sample.voltageVolts = voltages;
    if (currents.length > 0) sample.currentAmperes = currents;
    if (frequency !== undefined) sample.frequencyHertz = frequency;
    return sample;
  }

  private async readBlock(functionCode: 3 | 4, start: number, count: number): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.line.read(
          { unit: this.config.unit, function: functionCode, start, count },
          this.timeoutMs,
          attempt === 1 ? this.gapMs : Math.max(this.gapMs, BUSY_WAIT_MS),
        );
      } catch (error) {
        if (!(error instanceof BusError)) throw error;
        if (error.failure === 'timeout') this.owed.set(count, this.monotonic() + OWED_MS);
        const busy = error.exceptionCode === 5 || error.exceptionCode === 6;
        if (!busy || attempt >= BUSY_ATTEMPTS) throw error;
        this.counters.busy++;
      }
    }
  }

  /**
   * After a time limit, the answer may still come, late, and would be taken for the answer to the next
   * question: on a serial line nothing but its length tells them apart (and some TCP gateways mix up
   * transactions too). So the next question is one whose answer has a length that is not outstanding. When
   * that answer has come, everything before it has come or been lost, since a device answers in order.
   */
  private async resynchronise(): Promise<void> {
    const now = this.monotonic();
    for (const [count, until] of this.owed) if (until <= now) this.owed.delete(count);
    if (this.owed.size === 0) return;
    const [part] = this.plan as [PlannedRead];
    const longest = longestRead(this.profile, part);
    let count = 2;
    while (this.owed.has(count)) count += 2;
    if (count > longest) throw new BusError('timeout', 'waiting until late answers have come or are lost');
    this.counters.probes++;
    await this.readBlock(part.functionCode, part.start, count);
    this.owed.clear();
  }

  private failed(error: unknown): GtxError {
    if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') {
      this.counters.invalidValues++;
      return this.noted(new GtxError('METER_VALUE_INVALID', error.message));
    }
    if (!(error instanceof BusError)) throw error;
    this.counters.failures++;
    const at = this.monotonic();
    const step = BACKOFF_MS[Math.min(this.health.failures, BACKOFF_MS.length - 1)] as number;
    let message = error.message;
    if (error.failure === 'exception') {
      message += ` (${EXCEPTION_NAMES[error.exceptionCode ?? 0] ?? 'unknown'})`;
      // It will say the same to the same question until somebody changes the configuration.
      const permanent = error.exceptionCode === 1 || error.exceptionCode === 2 || error.exceptionCode === 3;
      this.notBeforeMs = at + (permanent ? (BACKOFF_MS.at(-1) as number) : step);
    } else if (error.failure !== 'connection') {
      this.notBeforeMs = at + step;
    }
    return this.noted(new GtxError('METER_BUS_ERROR', message));
  }

  private noted(error: GtxError): GtxError {
    this.health.online = false;
    this.health.failures++;
    this.health.lastError = error.code;
    this.health.lastMessage = error.message;
    return error;
  }
}

/** Most registers that may be asked for from where a planned read starts. */
function longestRead(profile: MeterProfile, part: PlannedRead): number {
  const range = profile.readable.find(
    (one) =>
      one.function_code === part.functionCode &&
      Number(one.first) <= part.start &&
      part.start + part.count - 1 <= Number(one.last),
  );
  const inRange = range ? Number(range.last) - part.start + 1 : part.count;
  return Math.min(inRange, profile.modbus.max_registers_per_request);
}

/** The requests for what counts, and for what is shown as far as it costs no further request. */
function planOf(
  profile: MeterProfile,
  role: { produced?: Quantity | undefined; consumed?: Quantity | undefined; power: Quantity },
): PlannedRead[] {
  const wanted = [role.produced, role.consumed, role.power].filter((one) => one !== undefined);
  let plan = planReads(profile, wanted);
  for (const quantity of DISPLAY) {
    if (!profile.registers[quantity] || wanted.includes(quantity)) continue;
    const more = planReads(profile, [...wanted, quantity]);
    if (more.length > plan.length) continue;
    wanted.push(quantity);
    plan = more;
  }
  return plan;
}

function toWords(bytes: Uint8Array): number[] {
  const words: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    words.push(((bytes[at] as number) << 8) | (bytes[at + 1] as number));
  }
  return words;
}
