import {
  encodePieces,
  identityWords,
  type MeterProfile,
  ProfileError,
  type Quantity,
  type RegisterDefinition,
  registerPieces,
} from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import type { UnitConfig } from './config.js';
import { hash01, type SitePower, STEP_MS } from './day-model.js';

/** Energy registers in microjoules (1 mW x 1 ms), reactive ones in microvar-seconds: exact integers. */
export interface EnergyState {
  importMicrojoules: bigint;
  exportMicrojoules: bigint;
  reactiveImport: bigint;
  reactiveExport: bigint;
}

/** 1 nkWh = 1e-9 x 3.6e6 J = 3600 microjoules. */
const MICROJOULES_PER_NKWH = 3600n;
/** A clock that jumps further than this has been asleep, like the meter: nothing is counted for it. */
const LONGEST_ADVANCE_MS = 25 * 3600 * 1000;
/** Reactive share of the household's power (inductive motors); solar inverters run at unity. */
const REACTIVE_SHARE = 0.2;
/** How a household's load spreads over three phases. */
const PHASE_SHARES = [0.5, 0.3, 0.2] as const;

/** Powers that a test sets in place of the model's. */
export interface PowerOverride {
  solar_watts?: number | undefined;
  household_watts?: number | undefined;
}

/**
 * One virtual meter: integrates power into registers and encodes them as its profile says. No I/O, no clock.
 */
export class VirtualMeter {
  readonly unit: number;
  readonly config: UnitConfig;
  readonly profile: MeterProfile;
  energy: EnergyState;
  #sitePowerAt: (timeMs: number) => SitePower;
  #override: PowerOverride = {};
  #timeMs: number;

  /**
   * @param sitePowerAt the site's powers at a time; they are taken at each step's beginning and held for the step
   * @param nowMs time from which on energy is counted
   */
  constructor(
    config: UnitConfig,
    profile: MeterProfile,
    sitePowerAt: (timeMs: number) => SitePower,
    nowMs: number,
    energy?: EnergyState,
  ) {
    this.unit = config.unit;
    this.config = config;
    this.profile = profile;
    this.#sitePowerAt = sitePowerAt;
    this.#timeMs = Math.floor(nowMs);
    this.energy = energy ?? {
      importMicrojoules: 0n,
      exportMicrojoules: 0n,
      reactiveImport: 0n,
      reactiveExport: 0n,
    };
  }

  /** Energy drawn, in nkWh rounded down. */
  get importNkwh(): bigint {
    return this.energy.importMicrojoules / MICROJOULES_PER_NKWH;
  }

  /** Energy given, in nkWh rounded down. */
  get exportNkwh(): bigint {
    return this.energy.exportMicrojoules / MICROJOULES_PER_NKWH;
  }

  /** Counts energy up to now. A clock that went back, or slept over a day, restarts the count from there. */
  advance(nowMs: number): void {
    const now = Math.floor(nowMs);
    if (now - this.#timeMs > LONGEST_ADVANCE_MS) this.#timeMs = now;
    while (this.#timeMs < now) {
      const end = Math.min(now, (Math.floor(this.#timeMs / STEP_MS) + 1) * STEP_MS);
      const duration = BigInt(end - this.#timeMs);
      const { netMilliwatts, reactiveMillivars } = this.#powers(this.#timeMs);
      const active = BigInt(netMilliwatts) * duration;
      if (active >= 0n) this.energy.importMicrojoules += active;
      else this.energy.exportMicrojoules -= active;
      const reactive = BigInt(reactiveMillivars) * duration;
      if (reactive >= 0n) this.energy.reactiveImport += reactive;
      else this.energy.reactiveExport -= reactive;
      this.#timeMs = end;
    }
    this.#timeMs = now;
  }

  /** From now on the given powers instead of the model's; an empty object goes back to the model. */
  setPower(override: PowerOverride, nowMs: number): void {
    this.advance(nowMs);
    this.#override = { ...override };
  }

  /** Sets registers as if the meter had been replaced. Whole nkWh. */
  setEnergy(registers: { importNkwh?: bigint; exportNkwh?: bigint }, nowMs: number): void {
    this.advance(nowMs);
    if (registers.importNkwh !== undefined) {
      this.energy.importMicrojoules = registers.importNkwh * MICROJOULES_PER_NKWH;
    }
    if (registers.exportNkwh !== undefined) {
      this.energy.exportMicrojoules = registers.exportNkwh * MICROJOULES_PER_NKWH;
    }
  }

  /** Power now, in watts, positive while drawing. */
  powerWatts(): number {
    return this.#powers(this.#timeMs).netMilliwatts / 1000;
  }

  /**
   * The registers of one function code as a sparse map from address to 16-bit word, as of the last
   * `advance`.
   */
  registers(functionCode: number): Map<number, number> {
    const values = this.#values();
    const words = new Map<number, number>();
    for (const [name, register] of Object.entries(this.profile.registers)) {
      if ((register.function_code ?? this.profile.modbus.function_code) !== functionCode) continue;
      const value = values[name as Quantity];
      if (value === undefined) continue;
      const encoded = encodeRegister(register, value, this.profile);
      for (const { first, last } of registerPieces(register)) {
        for (let address = first; address <= last; address++) words.set(address, encoded.shift() as number);
      }
    }
    for (const piece of identityWords(this.profile)) {
      if (piece.functionCode !== functionCode) continue;
      for (const [offset, word] of piece.words.entries()) words.set(piece.address + offset, word);
    }
    return words;
  }

  #powers(timeMs: number): { netMilliwatts: number; reactiveMillivars: number; site: SitePower } {
    const model = this.#sitePowerAt(Math.floor(timeMs / STEP_MS) * STEP_MS);
    const site = {
      solarMilliwatts:
        this.#override.solar_watts === undefined
          ? model.solarMilliwatts
          : Math.round(this.#override.solar_watts * 1000),
      householdMilliwatts:
        this.#override.household_watts === undefined
          ? model.householdMilliwatts
          : Math.round(this.#override.household_watts * 1000),
    };
    const reactive = Math.round(site.householdMilliwatts * REACTIVE_SHARE);
    switch (this.config.role) {
      case 'grid':
        return {
          netMilliwatts: site.householdMilliwatts - site.solarMilliwatts,
          reactiveMillivars: reactive,
          site,
        };
      // Wired as the profile's role says: what the inverter gives counts as import.
      case 'production':
        return { netMilliwatts: site.solarMilliwatts, reactiveMillivars: 0, site };
      case 'consumption':
        return { netMilliwatts: site.householdMilliwatts, reactiveMillivars: reactive, site };
    }
  }

  /** All quantities: energies as bigint (nkWh, or nano-kvarh), the others as numbers in the profile's unit. */
  #values(): Partial<Record<Quantity, number | bigint>> {
    const { netMilliwatts, reactiveMillivars, site } = this.#powers(this.#timeMs);
    const wobble = (what: string) =>
      hash01(`${this.unit}/${what}/${Math.floor(this.#timeMs / STEP_MS)}`) - 0.5;
    const total = netMilliwatts / 1000;
    const reactive = reactiveMillivars / 1000;
    const phases = this.profile.phases === 3 ? ([1, 2, 3] as const) : ([1] as const);
    const values: Partial<Record<Quantity, number | bigint>> = {
      power_total: total,
      reactive_power_total: reactive,
      apparent_power_total: Math.hypot(total, reactive),
      power_factor_total: factor(total, reactive),
      frequency: 50 + wobble('frequency') * 0.04,
      energy_import: this.importNkwh,
      energy_export: this.exportNkwh,
      energy_total: (this.energy.importMicrojoules + this.energy.exportMicrojoules) / MICROJOULES_PER_NKWH,
      reactive_energy_import: this.energy.reactiveImport / MICROJOULES_PER_NKWH,
      reactive_energy_export: this.energy.reactiveExport / MICROJOULES_PER_NKWH,
      reactive_energy_total: (this.energy.reactiveImport + this.energy.reactiveExport) / MICROJOULES_PER_NKWH,
      serial_number: this.config.serial_number ?? 20_000_000 + this.unit,
    };
    const solar = this.config.role === 'consumption' ? 0 : site.solarMilliwatts / 1000;
    const household = this.config.role === 'production' ? 0 : site.householdMilliwatts / 1000;
    let currents = 0;
    let voltages = 0;
    for (const phase of phases) {
      const share = phases.length === 1 ? 1 : (PHASE_SHARES[phase - 1] as number);
      const generated = solar / phases.length;
      const power = this.config.role === 'production' ? generated : household * share - generated;
      const vars = reactive * share;
      const voltage = 230 + wobble(`voltage${phase}`) * 4;
      const apparent = Math.hypot(power, vars);
      values[`voltage_l${phase}`] = voltage;
      values[`current_l${phase}`] = apparent / voltage;
      values[`power_l${phase}`] = power;
      values[`apparent_power_l${phase}`] = apparent;
      values[`reactive_power_l${phase}`] = vars;
      values[`power_factor_l${phase}`] = factor(power, vars);
      currents += apparent / voltage;
      voltages += voltage;
    }
    values.voltage_average = voltages / phases.length;
    values.current_average = currents / phases.length;
    values.current_sum = currents;
    return values;
  }
}

/** Signed power factor: negative while giving, as the manufacturer defines it; 1 without any flow. */
function factor(active: number, reactive: number): number {
  const apparent = Math.hypot(active, reactive);
  return apparent === 0 ? 1 : active / apparent;
}

/**
 * A value as a meter's 16-bit registers. Energy is rounded down to what the register can show, so that a
 * register never shows more than was counted and never falls.
 * @param value energies in nkWh (or nano-kvarh) as bigint, others as numbers in the register's unit
 * @throws GtxError VALUE_INVALID when the value does not fit the register
 */
export function encodeRegister(
  register: RegisterDefinition,
  value: number | bigint,
  profile: MeterProfile,
): number[] {
  try {
    return encodePieces(profile, register, value).flat();
  } catch (cause) {
    if (cause instanceof ProfileError)
      throw new GtxError('VALUE_INVALID', cause.message, undefined, { cause });
    throw cause;
  }
}
