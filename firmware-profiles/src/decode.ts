import { ProfileError } from './error.js';
import {
  ENERGY_UNITS,
  type EnergyUnit,
  type MeterProfile,
  type Quantity,
  REGISTER_TYPES,
  type RegisterDefinition,
} from './schema.js';

/** A decoded register: active energy as an exact integer, everything else as a number in `unit`. */
export type DecodedValue =
  | { kind: 'energy'; nkwh: bigint }
  | { kind: 'measure'; value: number; unit: RegisterDefinition['unit'] };

/**
 * Decodes the raw words of one quantity.
 * @param words the quantity's 16-bit registers as they came over the wire
 * @throws ProfileError PROFILE_INVALID when the profile lacks the quantity or the words do not fit,
 *   METER_VALUE_INVALID when the meter's value cannot be true (not a number, infinite, negative energy,
 *   the profile's "not available" pattern)
 */
export function decodeRegisters(
  profile: MeterProfile,
  quantity: Quantity,
  words: readonly number[],
): DecodedValue {
  const register = registerOf(profile, quantity);
  if (isEnergyUnit(register.unit))
    return { kind: 'energy', nkwh: energy(profile, quantity, register, words) };
  return { kind: 'measure', value: measure(profile, quantity, register, words), unit: register.unit };
}

/**
 * Active energy in nkWh (1e-9 kWh), exactly.
 *
 * A float32 is an integer times a power of two, an integer register is an integer; both times the decimal
 * scale and the unit make a rational number, which is rounded *down* to whole nkWh: never more than
 * the register shows, and monotone, so a rising register never falls by rounding. Floats of kWh from 2^-9
 * multiples up (all that a meter can show) are exact, since 1e9 = 2^9 x 5^9.
 * @throws ProfileError as `decodeRegisters`
 */
export function decodeEnergy(profile: MeterProfile, quantity: Quantity, words: readonly number[]): bigint {
  const decoded = decodeRegisters(profile, quantity, words);
  if (decoded.kind !== 'energy')
    throw new ProfileError('PROFILE_INVALID', `${quantity} is not active energy`);
  return decoded.nkwh;
}

/** A measured value that is not active energy, as a number in the register's unit. @throws ProfileError */
export function decodeMeasure(profile: MeterProfile, quantity: Quantity, words: readonly number[]): number {
  const decoded = decodeRegisters(profile, quantity, words);
  if (decoded.kind !== 'measure') {
    throw new ProfileError('PROFILE_INVALID', `${quantity} is energy, which is never a float`);
  }
  return decoded.value;
}

/**
 * A float32's bits as an exact rational: value = numerator / 2^shift.
 * Source: IEEE 754-2019, 3.4 (binary32). Undefined for NaN and infinities.
 */
export function float32ToRational(bits: number): { numerator: bigint; shift: number } | undefined {
  const sign = bits >>> 31 === 0 ? 1n : -1n;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return undefined;
  const significand = BigInt(exponent === 0 ? fraction : fraction | 0x800000);
  const power = (exponent === 0 ? 1 : exponent) - 127 - 23;
  return power >= 0
    ? { numerator: sign * (significand << BigInt(power)), shift: 0 }
    : { numerator: sign * significand, shift: -power };
}

function energy(
  profile: MeterProfile,
  quantity: Quantity,
  register: RegisterDefinition,
  words: readonly number[],
): bigint {
  const raw = rawBits(profile, quantity, register, words);
  const scale = decimal(register.scale);
  let numerator: bigint;
  let shift = 0;
  if (register.type === 'float32') {
    const rational = float32ToRational(Number(raw));
    if (rational === undefined) throw unbelievable(quantity, 'is not a number', words);
    numerator = rational.numerator;
    shift = rational.shift;
  } else {
    numerator = signed(register, raw);
  }
  if (numerator < 0n) throw unbelievable(quantity, 'is negative', words);
  const unit = ENERGY_UNITS[register.unit as EnergyUnit];
  return (numerator * scale.numerator * unit) / (scale.denominator << BigInt(shift));
}

function measure(
  profile: MeterProfile,
  quantity: Quantity,
  register: RegisterDefinition,
  words: readonly number[],
): number {
  const raw = rawBits(profile, quantity, register, words);
  let value: number;
  if (register.type === 'float32') {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, Number(raw));
    value = view.getFloat32(0);
  } else {
    value = Number(signed(register, raw));
  }
  if (!Number.isFinite(value)) throw unbelievable(quantity, 'is not a number', words);
  return value * Number(register.scale);
}

/** The words of one value as one unsigned integer, most significant first. */
function rawBits(
  profile: MeterProfile,
  quantity: Quantity,
  register: RegisterDefinition,
  words: readonly number[],
): bigint {
  const count = REGISTER_TYPES[register.type];
  if (words.length !== count) {
    throw new ProfileError('PROFILE_INVALID', `${quantity} has ${count} registers, not ${words.length}`);
  }
  let raw = 0n;
  for (const word of profile.modbus.word_order === 'high-first' ? words : words.toReversed()) {
    if (!Number.isInteger(word) || word < 0 || word > 0xffff) {
      throw new ProfileError('PROFILE_INVALID', `${quantity}: ${word} is not a 16-bit register`);
    }
    raw = (raw << 16n) | BigInt(word);
  }
  if (register.not_available !== undefined && raw === BigInt(register.not_available)) {
    throw unbelievable(quantity, 'is not available', words);
  }
  return raw;
}

function signed(register: RegisterDefinition, raw: bigint): bigint {
  return register.type.startsWith('int') ? BigInt.asIntN(REGISTER_TYPES[register.type] * 16, raw) : raw;
}

function decimal(text: string): { numerator: bigint; denominator: bigint } {
  const [whole, fraction = ''] = text.split('.') as [string, string?];
  return { numerator: BigInt(whole + fraction), denominator: 10n ** BigInt(fraction.length) };
}

function isEnergyUnit(unit: string): unit is EnergyUnit {
  return Object.hasOwn(ENERGY_UNITS, unit);
}

/** The definition of a quantity. @throws ProfileError PROFILE_INVALID */
export function registerOf(profile: MeterProfile, quantity: Quantity): RegisterDefinition {
  const register = profile.registers[quantity];
  if (register === undefined) {
    throw new ProfileError('PROFILE_INVALID', `profile ${profile.id} has no quantity ${quantity}`);
  }
  return register;
}

function unbelievable(quantity: Quantity, what: string, words: readonly number[]): ProfileError {
  const hex = words.map((word) => word.toString(16).padStart(4, '0')).join(' ');
  return new ProfileError('METER_VALUE_INVALID', `${quantity} ${what} (registers ${hex})`);
}
