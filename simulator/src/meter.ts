import { decodeEnergy, type MeterProfile, type Quantity } from '@gridtokenx/firmware-profiles';
import { GtxError } from '@gridtokenx/protocol';
import type { UnitConfig } from './config.js';
import type { Flow } from './model/flow.js';
import { hash01 } from './model/noise.js';
import { endNkwh, type MeterValues, RegisterMap } from './register-map.js';

/** Energy registers in microjoules (1 mW x 1 ms), reactive ones in microvar-seconds: exact integers. */
export interface EnergyState {
  importMicrojoules: bigint;
  exportMicrojoules: bigint;
  reactiveImport: bigint;
  reactiveExport: bigint;
}

/** 1 nkWh = 1e-9 x 3.6e6 J = 3600 microjoules. */
const MICROJOULES_PER_NKWH = 3600n;
/** Reactive share of the household's power (inductive motors); solar inverters run at unity. */
const REACTIVE_SHARE = 0.2;
/** How a household's load spreads over three phases. */
const PHASE_SHARES = [0.5, 0.3, 0.2] as const;
const WOBBLE_MS = 1000;
const NO_FLOW: Flow = { producedMilliwatts: 0, consumedMilliwatts: 0 };

/** Powers that a test sets in place of the model's. */
export interface PowerOverride {
  solar_watts?: number | undefined;
  household_watts?: number | undefined;
}

/** Registers as they stand, in nkWh. */
export interface Registers {
  importNkwh: bigint;
  exportNkwh: bigint;
}

/**
 * One virtual meter: counts power into registers and shows them as its profile says. No I/O, no clock: whoever has
 * the time calls `observe` and `count`.
 */
export class VirtualMeter {
  readonly unit: number;
  readonly config: UnitConfig;
  readonly profile: MeterProfile;
  readonly map: RegisterMap;
  energy: EnergyState;
  serialNumber: number;
  /** What is given counts as export; where false (line and load terminals the other way round) as import. */
  readonly #exports: boolean;
  #override: PowerOverride = {};
  #flow: Flow = NO_FLOW;
  #timeMs = 0;
  /** Without supply until then: counts nothing. */
  #offFromMs = Number.POSITIVE_INFINITY;
  #offUntilMs = Number.NEGATIVE_INFINITY;

  /**
   * @param saved registers and serial number of a former run
   * @throws GtxError CONFIG_INVALID when the profile has not the unit's role, or no rollover where one is asked for
   */
  constructor(
    config: UnitConfig,
    profile: MeterProfile,
    saved?: { energy: EnergyState; serialNumber?: number | undefined },
  ) {
    const role = profile.roles[config.role];
    if (role === undefined) {
      throw new GtxError(
        'CONFIG_INVALID',
        `unit ${config.unit}: profile ${profile.id} cannot be used as ${config.role}; it offers ${Object.keys(profile.roles).join(', ')}`,
      );
    }
    this.unit = config.unit;
    this.config = config;
    this.profile = profile;
    this.map = new RegisterMap(profile);
    this.#exports =
      config.role === 'grid'
        ? role.produced !== 'energy_import'
        : config.role === 'production' && role.produced !== 'energy_import';
    this.serialNumber = saved?.serialNumber ?? config.serial_number ?? 20_000_000 + config.unit;
    this.energy = saved?.energy ?? {
      importMicrojoules: this.#firstNkwh('import') * MICROJOULES_PER_NKWH,
      exportMicrojoules: this.#firstNkwh('export') * MICROJOULES_PER_NKWH,
      reactiveImport: 0n,
      reactiveExport: 0n,
    };
  }

  /** Where the registers of a new meter begin. */
  #firstNkwh(side: 'import' | 'export'): bigint {
    const start = this.config.registers;
    if (start?.rollover_in_nkwh === undefined) return BigInt(start?.[`${side}_nkwh`] ?? '0');
    const quantity = this.#quantity(side);
    const rollover = quantity === undefined ? undefined : endNkwh(this.profile, quantity);
    if (rollover === undefined) {
      throw new GtxError(
        'CONFIG_INVALID',
        `unit ${this.config.unit}: the registers of ${this.profile.id} do not start again from zero`,
      );
    }
    const before = rollover - BigInt(start.rollover_in_nkwh);
    return before < 0n ? 0n : before;
  }

  /** The register that counts a direction, as far as the profile has one. */
  #quantity(side: 'import' | 'export'): Quantity | undefined {
    const has = (quantity: Quantity) => this.profile.registers[quantity] !== undefined;
    const candidates: Quantity[] =
      side === 'import'
        ? ['energy_import', 'energy_total']
        : ['energy_export', 'energy_generated', 'energy_total'];
    return candidates.find(has);
  }

  /** Energy that counts as import, in nkWh rounded down. */
  get importNkwh(): bigint {
    return this.energy.importMicrojoules / MICROJOULES_PER_NKWH;
  }

  /** Energy that counts as export, in nkWh rounded down. */
  get exportNkwh(): bigint {
    return this.energy.exportMicrojoules / MICROJOULES_PER_NKWH;
  }

  /** From now on the given powers instead of the model's; an empty object goes back to the model. */
  override(override: PowerOverride): void {
    this.#override = { ...override };
  }

  /** These powers flow from now on. */
  observe(timeMs: number, flow: Flow): void {
    this.#timeMs = timeMs;
    this.#flow = {
      producedMilliwatts:
        this.#override.solar_watts === undefined
          ? flow.producedMilliwatts
          : Math.round(this.#override.solar_watts * 1000),
      consumedMilliwatts:
        this.#override.household_watts === undefined
          ? flow.consumedMilliwatts
          : Math.round(this.#override.household_watts * 1000),
    };
  }

  /**
   * The observed powers have flowed from one moment to another.
   * @param elapsed energy time between two moments, whole milliseconds
   */
  count(fromMs: number, toMs: number, elapsed: (fromMs: number, toMs: number) => number): void {
    const darkFrom = Math.min(Math.max(fromMs, this.#offFromMs), toMs);
    const darkTo = Math.max(Math.min(toMs, this.#offUntilMs), darkFrom);
    const duration = BigInt(elapsed(fromMs, darkFrom) + elapsed(darkTo, toMs));
    const { importMilliwatts, reactiveMillivars } = this.#powers();
    const active = BigInt(importMilliwatts) * duration;
    if (active >= 0n) this.energy.importMicrojoules += active;
    else this.energy.exportMicrojoules -= active;
    const reactive = BigInt(reactiveMillivars) * duration;
    if (reactive >= 0n) this.energy.reactiveImport += reactive;
    else this.energy.reactiveExport -= reactive;
  }

  /** Without supply from one moment until another. */
  switchOff(fromMs: number, untilMs: number): void {
    this.#offFromMs = fromMs;
    this.#offUntilMs = untilMs;
  }

  /** Sets registers as if the meter had been replaced. Whole nkWh. */
  setEnergy(registers: Partial<Registers>): void {
    if (registers.importNkwh !== undefined) {
      this.energy.importMicrojoules = registers.importNkwh * MICROJOULES_PER_NKWH;
    }
    if (registers.exportNkwh !== undefined) {
      this.energy.exportMicrojoules = registers.exportNkwh * MICROJOULES_PER_NKWH;
    }
  }

  /** Power now, in watts, positive while importing. */
  powerWatts(): number {
    return this.#powers().importMilliwatts / 1000;
  }

  /**
   * Energy as the registers show it: rounded down to their resolution, started again where they end; undefined
   * where the profile has no such register.
   */
  shown(side: 'import' | 'export'): bigint | undefined {
    const quantity = this.#quantity(side);
    if (quantity === undefined) return undefined;
    const pieces = this.map.encode(quantity, this.#values()[quantity] as bigint);
    return decodeEnergy(
      this.profile,
      quantity,
      pieces.flatMap(({ words }) => words),
    );
  }

  /** The registers of one function code as a sparse map from address to 16-bit word. */
  registers(functionCode: number): Map<number, number> {
    return this.map.words(functionCode, this.#values());
  }

  #powers(): { importMilliwatts: number; reactiveMillivars: number } {
    const { producedMilliwatts, consumedMilliwatts } = this.#flow;
    const reactive = Math.round(consumedMilliwatts * REACTIVE_SHARE);
    switch (this.config.role) {
      case 'grid': {
        const drawn = consumedMilliwatts - producedMilliwatts;
        return { importMilliwatts: this.#exports ? drawn : -drawn, reactiveMillivars: reactive };
      }
      // Wired as the profile's role says.
      case 'production':
        return {
          importMilliwatts: this.#exports ? -producedMilliwatts : producedMilliwatts,
          reactiveMillivars: 0,
        };
      case 'consumption':
        return { importMilliwatts: consumedMilliwatts, reactiveMillivars: reactive };
    }
  }

  #values(): MeterValues {
    const { importMilliwatts, reactiveMillivars } = this.#powers();
    const wobble = (what: string) =>
      hash01(`${this.unit}/${what}/${Math.floor(this.#timeMs / WOBBLE_MS)}`) - 0.5;
    const signed = (watts: number) => {
      const { power_sign } = this.profile;
      return power_sign === 'generation' ? -watts : power_sign === 'unsigned' ? Math.abs(watts) : watts;
    };
    const total = importMilliwatts / 1000;
    const reactive = reactiveMillivars / 1000;
    const three = this.profile.phases === 3;
    const phases = three ? ([1, 2, 3] as const) : ([1] as const);
    const { energy } = this;
    const reactiveNano = (microvarSeconds: bigint) => microvarSeconds / MICROJOULES_PER_NKWH;
    const given = this.#exports ? this.exportNkwh : this.importNkwh;
    const values: MeterValues = {
      power_total: signed(total),
      power_dc: Math.abs(total) * 1.03,
      reactive_power_total: reactive,
      apparent_power_total: Math.hypot(total, reactive),
      power_factor_total: factor(total, reactive),
      frequency: 50 + wobble('frequency') * 0.04,
      temperature: 35 + wobble('temperature'),
      energy_import: this.importNkwh,
      energy_export: this.exportNkwh,
      energy_generated: this.config.role === 'production' ? given : this.exportNkwh,
      energy_total: (energy.importMicrojoules + energy.exportMicrojoules) / MICROJOULES_PER_NKWH,
      reactive_energy_import: reactiveNano(energy.reactiveImport),
      reactive_energy_export: reactiveNano(energy.reactiveExport),
      reactive_energy_total: reactiveNano(energy.reactiveImport + energy.reactiveExport),
      serial_number: this.serialNumber,
      manufacturer_name: this.profile.manufacturer,
      model_name: this.profile.model,
      firmware_version: '1.0',
    };
    const { producedMilliwatts, consumedMilliwatts } = this.#flow;
    const solar = this.config.role === 'consumption' ? 0 : producedMilliwatts / 1000;
    const household = this.config.role === 'production' ? 0 : consumedMilliwatts / 1000;
    // What the household draws counts as import, but for a grid meter that is wired the other way round.
    const direction = this.config.role === 'grid' && !this.#exports ? -1 : 1;
    let currents = 0;
    let voltages = 0;
    for (const phase of phases) {
      const share = three ? (PHASE_SHARES[phase - 1] as number) : 1;
      const power =
        this.config.role === 'production'
          ? total / phases.length
          : direction * (household * share - solar / phases.length);
      const vars = reactive * share;
      const voltage = 230 + wobble(`voltage${phase}`) * 4;
      const apparent = Math.hypot(power, vars);
      values[`voltage_l${phase}`] = voltage;
      values[`current_l${phase}`] = apparent / voltage;
      values[`power_l${phase}`] = signed(power);
      values[`apparent_power_l${phase}`] = apparent;
      values[`reactive_power_l${phase}`] = vars;
      values[`power_factor_l${phase}`] = factor(power, vars);
      currents += apparent / voltage;
      voltages += voltage;
    }
    values.voltage_average = voltages / phases.length;
    values.current_average = currents / phases.length;
    values.current_sum = currents;
    if (three) {
      const [a, b, c] = [values.voltage_l1, values.voltage_l2, values.voltage_l3] as number[];
      values.voltage_l1_l2 = lineToLine(a as number, b as number);
      values.voltage_l2_l3 = lineToLine(b as number, c as number);
      values.voltage_l3_l1 = lineToLine(c as number, a as number);
    }
    return values;
  }
}

/** Between two phases that stand 120 degrees apart. */
function lineToLine(a: number, b: number): number {
  return Math.sqrt(a * a + b * b + a * b);
}

/** Signed power factor: negative while giving, as manufacturers define it; 1 without any flow. */
function factor(active: number, reactive: number): number {
  const apparent = Math.hypot(active, reactive);
  return apparent === 0 ? 1 : active / apparent;
}
