/**
 * Reads one device through its profile: registers in, energy and live values out. Holds a device that does
 * not answer off for a while, so that it costs the others on its line one time limit and then nothing.
 */
import {
  assumptionHolds,
  decodeEnergy,
  decodeMeasure,
  decodeText,
  type MeterProfile,
  type ReadRequest as PlannedRead,
  ProfileError,
  planReads,
  type Quantity,
  type ReadRegisters,
  resolveSunSpec,
  rolloverNkwh,
  SUNSPEC_BASES,
  wordCount,
  wordsOf,
} from '@gridtokenx/firmware-profiles';
import { type ErrorCode, GtxError, type Nkwh } from '@gridtokenx/protocol';
import type { Side } from './account.js';
import type { DeviceConfig } from './config.js';
import { exceptionMeaning } from './modbus-exceptions.js';
import { BusError, type ModbusLine } from './modbus-line.js';
import type { RegisterLimits } from './plausible.js';

/** What one read of a device brings. */
export interface DeviceSample {
  /** Energy that counts, by the device's role. */
  produced?: Nkwh;
  consumed?: Nkwh;
  importTotal?: Nkwh;
  exportTotal?: Nkwh;
  /** Positive is import, however the meter signs it; absent where the meter does not tell the direction. */
  powerWatts?: number;
  voltageVolts?: number[];
  currentAmperes?: number[];
  frequencyHertz?: number;
  /** As the device told it last; absent where it tells none. */
  serialNumber?: string;
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
  /** What a person should do about it, where the device's answer says so. */
  whatToDo?: string;
  /** It will stay like this until somebody changes wiring, settings or profile. */
  needsPerson?: boolean;
}

/** For metrics; only counts up. */
export interface DeviceCounters {
  samples: number;
  failures: number;
  busy: number;
  invalidValues: number;
  probes: number;
  /** Answers that the question does not fit the device: exceptions 1, 2 and 3. */
  misconfigured: number;
}

/** Waits after 1, 2, 3... failures in a row. */
const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
/** A device that is heard, though badly, is not left alone for longer. */
const LONGEST_DAMAGED_WAIT_MS = 4_000;
/** A busy meter (exceptions 5 and 6) is asked again in the same sample. */
const BUSY_ATTEMPTS = 3;
const BUSY_WAIT_MS = 300;
/** How often the serial number is read again, beside the start, every failure and every doubt. */
const IDENTITY_EVERY_MS = 60_000;

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
  readonly counters: DeviceCounters = {
    samples: 0,
    failures: 0,
    busy: 0,
    invalidValues: 0,
    probes: 0,
    misconfigured: 0,
  };
  private readonly role;
  private readonly timeoutMs: number;
  private readonly gapMs: number;
  /** As it is read: `written`, or what it means on this device. */
  private profile: MeterProfile;
  private plan: PlannedRead[];
  private identity: PlannedRead | undefined;
  /** False while a SunSpec profile has no addresses yet. */
  private bound: boolean;
  private notBeforeMs = 0;
  /** Failures in a row in which nothing of it was heard. */
  private silences = 0;
  private serialNumber: string | undefined;
  private identityDueMs = 0;
  private assumptionsHold = false;
  /** Steps of registers whose scale only the device tells: by its last answer, and the smaller one of its last two. */
  private readonly toldSteps = new Map<Quantity, { last: Nkwh; least: Nkwh }>();

  constructor(
    readonly config: DeviceConfig,
    private readonly written: MeterProfile,
    private readonly line: ModbusLine,
    private readonly now: () => number,
    private readonly monotonic: () => number,
  ) {
    const role = written.roles[config.role];
    if (!role) {
      throw new GtxError(
        'CONFIG_INVALID',
        `profile ${written.id} cannot be used as ${config.role}; it offers ${Object.keys(written.roles).join(', ')}`,
      );
    }
    this.role = role;
    this.profile = written;
    this.bound = written.sunspec === undefined;
    // Where a SunSpec device begins is all that can be asked of it before it is found.
    this.plan = this.bound
      ? planOf(written, role)
      : [2, 3, 4, 5].map((count) => ({ functionCode: 3, start: SUNSPEC_BASES[0], count, quantities: [] }));
    this.identity = this.bound ? identityOf(written) : undefined;
    this.timeoutMs = config.timeout_ms ?? written.modbus.response_timeout_ms;
    this.gapMs = config.gap_ms ?? written.modbus.min_gap_ms;
  }

  /** The register that counts as produced (or consumed) energy, for plausibility. */
  quantityOf(side: Side): Quantity | undefined {
    return this.role[side];
  }

  /** What each sample reads, by the profile's names. */
  get quantities(): readonly Quantity[] {
    return planOf(this.written, this.role).flatMap((part) => part.quantities);
  }

  /** What the register can show: where it starts again from 0, and its steps. */
  registerLimits(side: Side): Pick<RegisterLimits, 'rolloverNkwh' | 'stepNkwh' | 'floatStep'> {
    const quantity = this.role[side];
    if (quantity === undefined) return {};
    const around = rolloverNkwh(this.profile, quantity);
    const step = this.toldSteps.get(quantity)?.least ?? stepNkwh(this.profile, quantity);
    return {
      ...(around === undefined ? {} : { rolloverNkwh: around }),
      ...(step === 'float32' ? { floatStep: true } : step === undefined ? {} : { stepNkwh: step }),
    };
  }

  /** The next sample reads the serial number again: something speaks for another device. */
  askIdentity(): void {
    this.identityDueMs = 0;
  }

  /**
   * True while the device is being left alone: for a time after each failure, and while failing devices have used up
   * their share of the line.
   */
  get backingOff(): boolean {
    if (this.monotonic() < this.notBeforeMs) return true;
    return this.isSilent && !this.line.hasPatienceFor(this.config.unit);
  }

  private get isSilent(): boolean {
    return this.health.failures > 0 && this.health.lastError === 'METER_BUS_ERROR';
  }

  /**
   * Reads the device once.
   * @throws GtxError METER_BUS_ERROR (no answer, exception, no connection, or left alone after failures),
   *   METER_VALUE_INVALID (an energy register is not a number)
   */
  async sample(): Promise<DeviceSample> {
    const waits = this.monotonic() < this.notBeforeMs;
    if (waits || (this.isSilent && !this.line.takeTurn(this.config.unit))) {
      throw new GtxError('METER_BUS_ERROR', this.health.lastMessage ?? 'left alone after failures', {
        backing_off: true,
      });
    }
    try {
      await this.resynchronise();
      await this.bind();
      await this.identify();
      await this.checkAssumptions();
      const sample = await this.readAll();
      if (this.serialNumber !== undefined) sample.serialNumber = this.serialNumber;
      this.counters.samples++;
      this.health.online = true;
      this.health.failures = 0;
      this.silences = 0;
      this.health.lastSuccessMs = this.now();
      delete this.health.lastError;
      delete this.health.lastMessage;
      delete this.health.whatToDo;
      delete this.health.needsPerson;
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
        if (quantity === this.role.produced) sample.produced = this.counted(quantity, raw);
        if (quantity === this.role.consumed) sample.consumed = this.counted(quantity, raw);
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
    const watts = power === undefined ? undefined : this.towardsImport(power);
    if (watts !== undefined) sample.powerWatts = watts;
    if (voltages.length > 0) sample.voltageVolts = voltages;
    if (currents.length > 0) sample.currentAmperes = currents;
    if (frequency !== undefined) sample.frequencyHertz = frequency;
    return sample;
  }

  /** Energy that counts; the steps of its register are noted where only the device knows them. */
  private counted(quantity: Quantity, raw: readonly number[]): Nkwh {
    const energy = decodeEnergy(this.profile, quantity, raw);
    const scales = this.profile.registers[quantity]?.scale_by ?? [];
    if (scales.length > 0) {
      const step = stepNkwh(this.profile, quantity, raw.slice(-wordsIn(scales)));
      // One answer with a wrong scale must not make a large rise look like a step.
      const before = this.toldSteps.get(quantity)?.last;
      if (typeof step === 'bigint') {
        const least = before === undefined || step < before ? step : before;
        this.toldSteps.set(quantity, { last: step, least });
      }
    }
    return energy;
  }

  /** A power as the profile signs it, with import positive. */
  private towardsImport(watts: number): number | undefined {
    const { power_sign: sign } = this.profile;
    if (sign === 'import') return watts;
    if (sign === 'generation') return -watts;
    // Only a role with one register says which way it was.
    const { produced, consumed } = this.role;
    if (produced !== undefined && consumed !== undefined) return undefined;
    return isGiven(produced ?? consumed) ? -Math.abs(watts) : Math.abs(watts);
  }

  /**
   * Asks a block of registers. A device that is busy (exceptions 5 and 6) is asked again after a pause that does not
   * hold up the others on the line.
   */
  private async readBlock(functionCode: 3 | 4, start: number, count: number): Promise<Uint8Array> {
    const { unit } = this.config;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.line.read(
          { unit, function: functionCode, start, count },
          this.timeoutMs,
          this.gapMs,
        );
      } catch (error) {
        if (!(error instanceof BusError) || error.exceptionCode === undefined) throw error;
        const { kind } = exceptionMeaning(error.exceptionCode);
        // The gateway has given up, but its device may still answer, to whoever is asked next.
        if (kind === 'absent') this.line.noteOwed(unit, count);
        if (kind !== 'wait' || attempt >= BUSY_ATTEMPTS) throw error;
        this.counters.busy++;
        await this.line.pause(BUSY_WAIT_MS);
      }
    }
  }

  /**
   * Finds the registers of a SunSpec device, which stand where its chain of models says: at first, and again when the
   * chain has changed.
   * @throws ProfileError METER_VALUE_INVALID when it has no such chain, or not the models that the profile is for
   */
  private async bind(): Promise<void> {
    if (this.bound) return;
    const read: ReadRegisters = async (functionCode, start, count) => {
      try {
        return toWords(await this.readBlock(functionCode, start, count));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return undefined;
      }
    };
    try {
      const { profile } = await resolveSunSpec(this.written, read);
      this.profile = profile;
      this.plan = planOf(profile, this.role);
      this.identity = identityOf(profile);
      this.bound = true;
    } catch (error) {
      if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') {
        this.health.needsPerson = true;
        this.health.whatToDo =
          'Look up in the device which SunSpec models it offers and whether Modbus and SunSpec are switched on; check the address and the profile.';
        this.notBeforeMs = this.monotonic() + (BACKOFF_MS.at(-1) as number);
      }
      throw error;
    }
  }

  /** Reads the serial number when it is due. A device that has none is not asked again until it was away. */
  private async identify(): Promise<void> {
    const { identity } = this;
    if (!identity || this.monotonic() < this.identityDueMs) return;
    try {
      const words = toWords(await this.readBlock(identity.functionCode, identity.start, identity.count));
      const raw = wordsOf(this.profile, identity, 'serial_number', words);
      const blank = raw.every((word) => word === 0) || raw.every((word) => word === 0xffff);
      this.serialNumber = blank ? undefined : decodeText(this.profile, 'serial_number', raw) || undefined;
      this.identityDueMs = this.monotonic() + IDENTITY_EVERY_MS;
    } catch (error) {
      const unreadable = error instanceof ProfileError && error.code === 'METER_VALUE_INVALID';
      if (!isRefusal(error) && !unreadable) throw error;
      this.serialNumber = undefined;
      this.identityDueMs = Number.POSITIVE_INFINITY;
    }
  }

  /**
   * Reads the settings of the meter on which its registers depend, at the start and whenever it was away.
   * @throws ProfileError METER_VALUE_INVALID when one is not as the profile needs it
   */
  private async checkAssumptions(): Promise<void> {
    if (this.assumptionsHold) return;
    for (const one of this.profile.assumes ?? []) {
      let words: number[];
      try {
        words = toWords(await this.readBlock(one.function_code, Number(one.address), wordCount(one)));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // A variant of the model without this setting: nothing can be said about it.
        continue;
      }
      if (!assumptionHolds(this.profile, one, words)) {
        if (this.written.sunspec) {
          // Its models stand elsewhere now: the next sample looks for them.
          this.bound = false;
          throw new ProfileError('METER_VALUE_INVALID', `${one.name}: ${one.otherwise}`);
        }
        this.health.needsPerson = true;
        this.health.whatToDo = one.otherwise;
        throw new ProfileError('METER_VALUE_INVALID', `${one.name}: ${one.otherwise}`);
      }
    }
    this.assumptionsHold = true;
  }

  /**
   * After a time limit, the answer may still come, late, and would be taken for the answer to the next
   * question: on a serial line nothing but its length tells them apart (and some TCP gateways mix up
   * transactions too). So the next question is one whose answer has a length that is not outstanding. When
   * that answer has come, everything before it has come or been lost, since a device answers in order.
   */
  private async resynchronise(): Promise<void> {
    const owed = this.line.owedBy(this.config.unit);
    if (owed.size === 0) return;
    const probe = [...this.probes()].find(({ count }) => !owed.has(count));
    if (!probe) throw new BusError('owed', 'waiting until late answers have come or are lost');
    this.counters.probes++;
    await this.readBlock(probe.functionCode, probe.start, probe.count);
  }

  /** Questions that the device should answer, of different lengths; whole values first. */
  private *probes(): Iterable<{ functionCode: 3 | 4; start: number; count: number }> {
    const [part] = this.plan as [PlannedRead];
    const longest = longestRead(this.profile, part);
    for (let count = 2; count <= longest; count += 2) yield { ...part, count };
    yield* this.plan;
    if (this.identity) yield this.identity;
  }

  private failed(error: unknown): GtxError {
    // What answers after this may be another device, or have other settings.
    this.askIdentity();
    this.assumptionsHold = false;
    // Registers that a SunSpec device refuses may stand elsewhere by now.
    if (this.written.sunspec && isRefusal(error)) this.bound = false;
    if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') {
      this.counters.invalidValues++;
      return this.noted(new GtxError('METER_VALUE_INVALID', error.message));
    }
    if (!(error instanceof BusError)) throw error;
    this.counters.failures++;
    delete this.health.whatToDo;
    delete this.health.needsPerson;
    const at = this.monotonic();
    // What is heard is there: silence counts anew from then on, and a bad line alone makes no long wait.
    if (error.damaged) this.silences = 0;
    const count = error.damaged ? this.health.failures : this.silences++;
    const waits = BACKOFF_MS.filter((ms) => !error.damaged || ms <= LONGEST_DAMAGED_WAIT_MS);
    const step = waits[Math.min(count, waits.length - 1)] as number;
    let message = error.message;
    if (error.exceptionCode !== undefined) {
      const { name, kind, whatToDo } = exceptionMeaning(error.exceptionCode);
      message += ` (${name}): ${whatToDo}`;
      this.health.whatToDo = whatToDo;
      if (kind === 'configuration') {
        // It will say the same to the same question until somebody changes something.
        this.counters.misconfigured++;
        this.health.needsPerson = true;
        this.notBeforeMs = at + (BACKOFF_MS.at(-1) as number);
      } else this.notBeforeMs = at + step;
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

/** The device has no such registers, and will not have them at the next question either. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof BusError &&
    error.exceptionCode !== undefined &&
    exceptionMeaning(error.exceptionCode).kind === 'configuration'
  );
}

/** Registers that count what is given: power in their direction is negative. */
export function isGiven(quantity: Quantity | undefined): boolean {
  return quantity === 'energy_export' || quantity === 'energy_generated';
}

/**
 * How far an energy register may be behind: one step, of a sum the smallest part's step for each part (tariffs and
 * phases move each by itself; of whole and fraction, the fraction moves). 'float32' where it grows with the value;
 * undefined where nothing is known of it.
 * @param scales contents of `scale_by`, without which such a register's step is unknown
 */
function stepNkwh(
  profile: MeterProfile,
  quantity: Quantity,
  scales: readonly number[] = [],
): Nkwh | 'float32' | undefined {
  const register = profile.registers[quantity];
  if (!register || wordsIn(register.scale_by ?? []) !== scales.length) return undefined;
  const parts = [register, ...(register.plus ?? [])];
  if (parts.some(({ type }) => type === 'float32')) return 'float32';
  if (!parts.every(({ type }) => /^(u?int|sm|bcd)/.test(type))) return undefined;
  const steps = parts.map((part) => {
    const { type, word_order, byte_order, scale = '1', unit = register.unit } = part;
    const { name, address, scale_by } = register;
    const alone = { name, address, type, word_order, byte_order, scale, unit, scale_by };
    const words = Array<number>(wordCount(part)).fill(0);
    const last = (word_order ?? profile.modbus.word_order) === 'high-first' ? words.length - 1 : 0;
    words[last] = (byte_order ?? profile.modbus.byte_order ?? 'high-first') === 'high-first' ? 1 : 0x0100;
    return decodeEnergy({ ...profile, registers: { [quantity]: alone } }, quantity, [...words, ...scales]);
  });
  const least = steps.reduce((one, other) => (other < one ? other : one));
  return least * BigInt(parts.length);
}

/** How many registers these pieces have together. */
function wordsIn(pieces: readonly Parameters<typeof wordCount>[0][]): number {
  return pieces.reduce((sum, piece) => sum + wordCount(piece), 0);
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

/** The request for the serial number, if the device has one. */
function identityOf(profile: MeterProfile): PlannedRead | undefined {
  return profile.registers.serial_number ? planReads(profile, ['serial_number'])[0] : undefined;
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
