/** Where a virtual meter's values lie in its registers. Pure. */
import {
  ENERGY_UNITS,
  type EncodedPiece,
  type EnergyUnit,
  encodeQuantity,
  identityWords,
  type MeterProfile,
  ProfileError,
  type Quantity,
  type RegisterDefinition,
  rolloverNkwh,
  wordCount,
} from '@gridtokenx/firmware-profiles';

/** Values of a meter: energies as bigint (nkWh, or nano-kvarh), others as numbers in the register's unit, texts. */
export type MeterValues = Partial<Record<Quantity, number | bigint | string>>;

/** Addresses, first and last inclusive, that one request may read across. */
export interface ReadableRange {
  functionCode: number;
  first: number;
  last: number;
}

/** SunSpec's usual base address, "SunS", and the end of the model chain (SunSpec Information Model Specification). */
const SUNSPEC_BASE = 40_000;
const SUNSPEC_MARK = [0x5375, 0x6e53];
const SUNSPEC_END = [0xffff, 0];
const COMMON_MODEL = 1;
const COMMON_LENGTH = 66;

export class RegisterMap {
  readonly ranges: readonly ReadableRange[];
  /** What is added to the profile's addresses. */
  readonly #offset: number;
  readonly #quantities: readonly { quantity: Quantity; register: RegisterDefinition }[];
  /** Words that are always there, and words of registers that nothing else fills. */
  readonly #fixed: ReadonlyMap<number, ReadonlyMap<number, number>>;
  readonly #filling: readonly { functionCode: number; address: number; word: number }[];

  constructor(readonly profile: MeterProfile) {
    const { sunspec } = profile;
    // Mark, the common model with its two-register head, then the model that the profile describes.
    this.#offset = sunspec === undefined ? 0 : SUNSPEC_BASE + SUNSPEC_MARK.length + 2 + COMMON_LENGTH;
    this.#quantities = Object.entries(profile.registers).map(([quantity, register]) => ({
      quantity: quantity as Quantity,
      register,
    }));
    const fixed = new Map<number, Map<number, number>>();
    const put = (functionCode: number, address: number, words: readonly number[]) => {
      const own = fixed.get(functionCode) ?? new Map<number, number>();
      fixed.set(functionCode, own);
      for (const [index, word] of words.entries()) own.set(address + index, word);
    };
    for (const piece of identityWords(profile)) {
      put(piece.functionCode, this.#offset + piece.address, piece.words);
    }
    const probes = [...profile.identification.probes, ...(profile.assumes ?? [])];
    let ranges = [
      ...profile.readable.map((range) => ({
        functionCode: range.function_code as number,
        first: this.#offset + Number(range.first),
        last: this.#offset + Number(range.last),
      })),
      // What a model is known by can be read, if only by itself.
      ...probes.map((probe) => ({
        functionCode: probe.function_code as number,
        first: this.#offset + Number(probe.address),
        last: this.#offset + Number(probe.address) + wordCount(probe) - 1,
      })),
    ];
    // Where a range of contents is wanted: its beginning, unless the meter measures something there.
    this.#filling = profile.identification.probes
      .filter((probe) => probe.equals === undefined && wordCount(probe) === 1)
      .map((probe) => ({
        functionCode: probe.function_code,
        address: this.#offset + Number(probe.address),
        word: Math.max(0, Number(probe.least ?? 0)),
      }));
    if (sunspec !== undefined) {
      const length = Math.max(...ranges.map(({ last }) => last)) - this.#offset + 1;
      put(3, SUNSPEC_BASE, [...SUNSPEC_MARK, COMMON_MODEL, COMMON_LENGTH, ...commonModel(profile)]);
      put(3, this.#offset, [sunspec.models[0] as number, length - 2]);
      put(3, this.#offset + length, SUNSPEC_END);
      ranges = [{ functionCode: 3, first: SUNSPEC_BASE, last: this.#offset + length + 1 }];
    }
    this.ranges = ranges;
    this.#fixed = fixed;
  }

  /** The registers of one function code as a sparse map from address to 16-bit word. */
  words(functionCode: number, values: MeterValues): Map<number, number> {
    const words = new Map<number, number>();
    for (const { quantity, register } of this.#quantities) {
      if ((register.function_code ?? this.profile.modbus.function_code) !== functionCode) continue;
      const value = values[quantity];
      if (value === undefined) continue;
      for (const piece of this.encode(quantity, value)) {
        const address = this.#offset + piece.address;
        for (const [index, word] of piece.words.entries()) words.set(address + index, word);
      }
    }
    for (const [address, word] of this.#fixed.get(functionCode) ?? []) words.set(address, word);
    for (const { functionCode: code, address, word } of this.#filling) {
      if (code === functionCode && !words.has(address)) words.set(address, word);
    }
    if (this.profile.sunspec !== undefined && functionCode === 3) {
      for (const [index, word] of text(
        String(values.serial_number ?? 20_000_000),
        SERIAL_REGISTERS,
      ).entries()) {
        words.set(SUNSPEC_BASE + SERIAL_OFFSET + index, word);
      }
    }
    return words;
  }

  /** A value as it is shown: energies go around where the register ends, others stay at the end of the scale. */
  encode(quantity: Quantity, value: number | bigint | string): EncodedPiece[] {
    if (typeof value === 'bigint') {
      const end = endNkwh(this.profile, quantity);
      return encodeQuantity(this.profile, quantity, end === undefined ? value : value % end);
    }
    const register = this.profile.registers[quantity];
    if (register?.type === 'ascii') {
      return encodeQuantity(this.profile, quantity, String(value).slice(0, 2 * wordCount(register)));
    }
    if (typeof value === 'string') return [];
    const fitting = this.#tryEncode(quantity, value);
    if (fitting !== undefined) return fitting;
    // Beyond the register's scale: the largest part of the value that it can show.
    let low = 0;
    let high = 1;
    for (let round = 0; round < 40; round++) {
      const middle = (low + high) / 2;
      if (this.#tryEncode(quantity, value * middle) === undefined) high = middle;
      else low = middle;
    }
    return encodeQuantity(this.profile, quantity, value * low);
  }

  #tryEncode(quantity: Quantity, value: number): EncodedPiece[] | undefined {
    try {
      return encodeQuantity(this.profile, quantity, value);
    } catch (error) {
      if (error instanceof ProfileError) return undefined;
      throw error;
    }
  }

  /** Whether a lone 16-bit value lies there, which meters give although they want even requests otherwise. */
  isSingle(functionCode: number, address: number): boolean {
    return this.#quantities.some(
      ({ register }) =>
        wordCount(register) === 1 &&
        this.#offset + Number(register.address) === address &&
        (register.function_code ?? this.profile.modbus.function_code) === functionCode,
    );
  }
}

/**
 * The energy at which a register starts again from zero: as the profile says or an unsigned integer does, and else
 * what the type can hold. Undefined for floats and for sums of registers.
 */
export function endNkwh(profile: MeterProfile, quantity: Quantity): bigint | undefined {
  const register = profile.registers[quantity];
  if (register === undefined || !quantity.startsWith('energy_')) return undefined;
  const named = rolloverNkwh(profile, quantity);
  if (named !== undefined) return named;
  const { type, scale, plus, scale_by } = register;
  if (plus !== undefined || scale_by !== undefined || /^(float|exp8|ascii)/.test(type)) return undefined;
  const bits = BigInt(wordCount(register) * 16);
  const counts = type.startsWith('bcd')
    ? 10n ** (bits / 4n)
    : type.startsWith('uint')
      ? // The highest content may mean that there is no value.
        2n ** bits - (register.not_available === undefined ? 0n : 1n)
      : 2n ** (bits - 1n);
  const [whole, fraction = ''] = scale.split('.') as [string, string?];
  const unit = ENERGY_UNITS[register.unit as EnergyUnit];
  return (counts * BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length);
}

/** Where the common model's serial number lies, from the mark on, and how long it is. */
const SERIAL_OFFSET = 52;
const SERIAL_REGISTERS = 16;

/** The common model's texts: manufacturer, model, options, version, serial number; address (SunSpec model 1). */
function commonModel(profile: MeterProfile): number[] {
  return [
    ...text(profile.manufacturer.slice(0, 32), 16),
    ...text(profile.model.slice(0, 32), 16),
    ...text('', 8),
    ...text('1', 8),
    ...text('', SERIAL_REGISTERS),
    1,
    0x8000,
  ];
}

/** Two characters a register, filled up with zeros. */
function text(value: string, registers: number): number[] {
  return Array.from({ length: registers }, (_, index) => {
    const code = (at: number) => value.charCodeAt(at) || 0;
    return (code(index * 2) << 8) | code(index * 2 + 1);
  });
}
