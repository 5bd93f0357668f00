import { ProfileError } from './error.js';
import {
  type Assumption,
  ENERGY_UNITS,
  type EnergyUnit,
  type MeterProfile,
  type Probe,
  type Quantity,
  type RegisterDefinition,
  type RegisterType,
  registerPieces,
  wordCount,
} from './schema.js';

/** A decoded register: active energy as an exact integer, everything else as a number in `unit`, or a text. */
export type DecodedValue =
  | { kind: 'energy'; nkwh: bigint }
  | { kind: 'measure'; value: number; unit: RegisterDefinition['unit'] }
  | { kind: 'text'; text: string };

/** An exact number: numerator / denominator, the denominator above 0. */
interface Rational {
  n: bigint;
  d: bigint;
}

/** What raw content is read by. */
interface Piece {
  type: RegisterType;
  length?: number | undefined;
  word_order?: 'high-first' | 'low-first' | undefined;
  byte_order?: 'high-first' | 'low-first' | undefined;
  not_available?: string | string[] | undefined;
}

/** Scale factors beyond this are no scale factors. */
const LARGEST_EXPONENT = 12n;

/**
 * Decodes the raw words of one quantity.
 * @param words the quantity's 16-bit registers as they came over the wire: its own, then those of `plus`, then
 *   those of `scale_by` (see `wordsOf`)
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
  const { unit } = register;
  const expected = registerPieces(register).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (words.length !== expected) {
    throw new ProfileError('PROFILE_INVALID', `${quantity} has ${expected} registers, not ${words.length}`);
  }
  if (register.type === 'ascii') return { kind: 'text', text: textOf(profile, quantity, register, words) };
  let value = sumOf(profile, quantity, register, words);
  if (isEnergyUnit(unit)) {
    if (value.n < 0n && quantity !== 'energy_net') throw unbelievable(quantity, 'is negative', words);
    value = { n: value.n * ENERGY_UNITS[unit], d: value.d };
    return { kind: 'energy', nkwh: floor(value) };
  }
  return { kind: 'measure', value: toNumber(value), unit };
}

/**
 * Active energy in nkWh (1e-9 kWh), exactly.
 *
 * A float is an integer times a power of two, an integer register is an integer; times the decimal
 * scales and the unit, and summed, they make a rational number, which is rounded *down* to whole nkWh, once:
 * never more than the registers show, and monotone, so a rising register never falls by rounding. Floats of
 * kWh from 2^-9 multiples up (all that a meter can show) are exact, since 1e9 = 2^9 x 5^9.
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
  if (decoded.kind === 'energy') {
    throw new ProfileError('PROFILE_INVALID', `${quantity} is energy, which is never a float`);
  }
  if (decoded.kind === 'text') throw new ProfileError('PROFILE_INVALID', `${quantity} is a text`);
  return decoded.value;
}

/** A text, without the blanks and zeros around it. A number is given as digits. @throws ProfileError */
export function decodeText(profile: MeterProfile, quantity: Quantity, words: readonly number[]): string {
  const decoded = decodeRegisters(profile, quantity, words);
  if (decoded.kind === 'energy')
    throw new ProfileError('PROFILE_INVALID', `${quantity} is energy, not a text`);
  return decoded.kind === 'text' ? decoded.text : String(decoded.value);
}

/**
 * Where an energy register starts again from 0, in nkWh: as the profile says, otherwise what its integer type
 * can hold. Undefined for floats and sums, of which nothing is known.
 * @throws ProfileError PROFILE_INVALID when the quantity is missing or not active energy
 */
export function rolloverNkwh(profile: MeterProfile, quantity: Quantity): bigint | undefined {
  const register = registerOf(profile, quantity);
  const { unit, type } = register;
  if (!isEnergyUnit(unit)) throw new ProfileError('PROFILE_INVALID', `${quantity} is not active energy`);
  const scaled = (count: bigint, scale: string) => {
    const by = decimal(scale);
    return floor({ n: count * by.n * ENERGY_UNITS[unit], d: by.d });
  };
  if (register.rollover_at !== undefined) return scaled(1n, register.rollover_at);
  const plain = !register.plus && !register.scale_by && !register.invert && !register.not_available;
  if (!plain || type === 'ascii') return undefined;
  if (type.startsWith('uint')) return scaled(1n << BigInt(wordCount(register) * 16), register.scale);
  return undefined;
}

/** True when a setting of the meter holds what the profile needs. @throws ProfileError PROFILE_INVALID */
export function assumptionHolds(profile: MeterProfile, one: Assumption, words: readonly number[]): boolean {
  const value = numberOf(profile, one.name, one, words, words);
  return value !== undefined && value.d === 1n && one.equals.some((wanted) => BigInt(wanted) === value.n);
}

/**
 * True when a probe's registers hold what they must.
 * @param words as many as the probe is long
 * @throws ProfileError PROFILE_INVALID for another number of words
 */
export function probeHolds(profile: MeterProfile, probe: Probe, words: readonly number[]): boolean {
  if (words.length !== wordCount(probe)) {
    throw new ProfileError(
      'PROFILE_INVALID',
      `${probe.name} has ${wordCount(probe)} registers, not ${words.length}`,
    );
  }
  if (probe.type === 'ascii') {
    let text: string;
    try {
      text = textOf(profile, probe.name, probe, words);
    } catch (error) {
      if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') return false;
      throw error;
    }
    return (
      (probe.equals === undefined || probe.equals.includes(text)) &&
      (probe.matches === undefined || new RegExp(probe.matches, 'u').test(text))
    );
  }
  let value: Rational | undefined;
  try {
    value = numberOf(profile, probe.name, probe, words, words);
  } catch (error) {
    if (error instanceof ProfileError && error.code === 'METER_VALUE_INVALID') return false;
    throw error;
  }
  if (value === undefined) return false;
  const { n, d } = value;
  const number = toNumber(value);
  return (
    (probe.equals === undefined || probe.equals.some((wanted) => BigInt(wanted) * d === n)) &&
    (probe.least === undefined || number >= probe.least) &&
    (probe.most === undefined || number <= probe.most)
  );
}

/**
 * A float32's bits as an exact rational: value = numerator / 2^shift.
 * Source: IEEE 754-2019, 3.4 (binary32). Undefined for NaN and infinities.
 */
export function float32ToRational(bits: number): { numerator: bigint; shift: number } | undefined {
  return binaryToRational(BigInt(bits), 8, 23);
}

/** As `float32ToRational` for the 64 bits of a binary64. */
export function float64ToRational(bits: bigint): { numerator: bigint; shift: number } | undefined {
  return binaryToRational(bits, 11, 52);
}

function binaryToRational(
  bits: bigint,
  exponentBits: number,
  fractionBits: number,
): { numerator: bigint; shift: number } | undefined {
  const fraction = BigInt.asUintN(fractionBits, bits);
  const exponent = Number(BigInt.asUintN(exponentBits, bits >> BigInt(fractionBits)));
  const sign = (bits >> BigInt(exponentBits + fractionBits)) & 1n ? -1n : 1n;
  if (exponent === 2 ** exponentBits - 1) return undefined;
  const significand = exponent === 0 ? fraction : fraction | (1n << BigInt(fractionBits));
  const power = (exponent === 0 ? 1 : exponent) - (2 ** (exponentBits - 1) - 1) - fractionBits;
  return power >= 0
    ? { numerator: sign * (significand << BigInt(power)), shift: 0 }
    : { numerator: sign * significand, shift: -power };
}

/** The sum of a quantity's registers, scaled, in its unit. */
function sumOf(
  profile: MeterProfile,
  quantity: Quantity,
  register: RegisterDefinition,
  words: readonly number[],
): Rational {
  let at = 0;
  const next = (piece: Piece): Rational => {
    const value = numberOf(profile, quantity, piece, words.slice(at, at + wordCount(piece)), words);
    at += wordCount(piece);
    if (value === undefined) throw unbelievable(quantity, 'is not a number', words);
    return value;
  };
  let sum = times(next(register), decimal(register.scale));
  for (const part of register.plus ?? []) {
    let value = times(next(part), decimal(part.scale ?? '1'));
    if (part.unit !== undefined && part.unit !== register.unit) {
      value = times(value, unitRatio(part.unit, register.unit));
    }
    sum = plus(sum, part.invert ? { n: -value.n, d: value.d } : value);
  }
  for (const by of register.scale_by ?? []) {
    const content = next(by);
    if (by.kind === 'exponent') {
      const exponent = content.d === 1n ? content.n : LARGEST_EXPONENT + 1n;
      if (exponent > LARGEST_EXPONENT || exponent < -LARGEST_EXPONENT) {
        throw unbelievable(quantity, 'has no believable scale factor', words);
      }
      sum = times(sum, exponent >= 0n ? { n: 10n ** exponent, d: 1n } : { n: 1n, d: 10n ** -exponent });
    } else if (by.kind === 'factor') {
      if (content.n <= 0n) throw unbelievable(quantity, 'has no believable factor', words);
      sum = times(times(sum, content), decimal(by.scale ?? '1'));
    } else {
      const factor = content.d === 1n ? by.choices?.[content.n.toString()] : undefined;
      if (factor === undefined) throw unbelievable(quantity, 'is in an unknown unit', words);
      sum = times(sum, decimal(factor));
    }
  }
  return register.invert ? { n: -sum.n, d: sum.d } : sum;
}

/**
 * The number that a piece's words hold, unscaled; undefined for a float that is none.
 * @param all the words that a message shows
 */
function numberOf(
  profile: MeterProfile,
  name: string,
  piece: Piece,
  words: readonly number[],
  all: readonly number[],
): Rational | undefined {
  const raw = rawBits(profile, name, piece, words, all);
  const { type } = piece;
  const size = wordCount(piece) * 16;
  const whole = (n: bigint): Rational => ({ n, d: 1n });
  if (type === 'float32' || type === 'float64') {
    const rational = type === 'float32' ? float32ToRational(Number(raw)) : float64ToRational(raw);
    return rational && { n: rational.numerator, d: 1n << BigInt(rational.shift) };
  }
  if (type.startsWith('int')) return whole(BigInt.asIntN(size, raw));
  if (type.startsWith('sm')) {
    const magnitude = BigInt.asUintN(size - 1, raw);
    return whole(raw >> BigInt(size - 1) ? -magnitude : magnitude);
  }
  if (type.startsWith('bcd')) {
    const digits = raw.toString(16);
    if (!/^[0-9]+$/.test(digits)) throw unbelievable(name, 'is not decimal', all);
    return whole(BigInt(digits));
  }
  if (type === 'exp8_uint24' || type === 'exp8_int24') {
    const low = BigInt.asUintN(24, raw);
    const exponent = BigInt.asIntN(8, raw >> 24n);
    const significand = type === 'exp8_int24' ? BigInt.asIntN(24, low) : low;
    if (exponent > LARGEST_EXPONENT || exponent < -LARGEST_EXPONENT) {
      throw unbelievable(name, 'has no believable exponent', all);
    }
    return exponent >= 0n ? whole(significand * 10n ** exponent) : { n: significand, d: 10n ** -exponent };
  }
  return whole(raw);
}

/** The words of one value as one unsigned integer, most significant first. */
function rawBits(
  profile: MeterProfile,
  name: string,
  piece: Piece,
  words: readonly number[],
  all: readonly number[],
): bigint {
  let raw = 0n;
  const wordOrder = piece.word_order ?? profile.modbus.word_order;
  const byteOrder = piece.byte_order ?? profile.modbus.byte_order ?? 'high-first';
  for (const word of wordOrder === 'high-first' ? words : words.toReversed()) {
    assertWord(name, word);
    raw = (raw << 16n) | BigInt(byteOrder === 'high-first' ? word : ((word & 0xff) << 8) | (word >> 8));
  }
  const nothing = piece.not_available ?? [];
  for (const content of typeof nothing === 'string' ? [nothing] : nothing) {
    if (raw === BigInt(content)) throw unbelievable(name, 'is not available', all);
  }
  return raw;
}

function textOf(profile: MeterProfile, name: string, piece: Piece, words: readonly number[]): string {
  const byteOrder = piece.byte_order ?? profile.modbus.byte_order ?? 'high-first';
  let text = '';
  for (const word of words) {
    assertWord(name, word);
    const bytes = [word >> 8, word & 0xff];
    if (byteOrder === 'low-first') bytes.reverse();
    text += String.fromCharCode(...bytes);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: zeros pad the text
  const trimmed = text.replace(/\x00.*$/s, '').trim();
  if (!/^[\x20-\x7e]*$/.test(trimmed)) throw unbelievable(name, 'is not a text', words);
  return trimmed;
}

function assertWord(name: string, word: number): void {
  if (!Number.isInteger(word) || word < 0 || word > 0xffff) {
    throw new ProfileError('PROFILE_INVALID', `${name}: ${word} is not a 16-bit register`);
  }
}

function times(a: Rational, b: Rational): Rational {
  return { n: a.n * b.n, d: a.d * b.d };
}

function plus(a: Rational, b: Rational): Rational {
  return a.d === b.d ? { n: a.n + b.n, d: a.d } : { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
}

/** Towards minus infinity. */
function floor({ n, d }: Rational): bigint {
  const quotient = n / d;
  return n < 0n && quotient * d !== n ? quotient - 1n : quotient;
}

/** Correctly rounded as long as both parts fit a double, which all that meters show does. */
function toNumber({ n, d }: Rational): number {
  const limit = 2n ** 1000n;
  let shift = 0n;
  while (d >> shift > limit) shift += 100n;
  return Number(n >> shift) / Number(d >> shift);
}

/** Kilo and mega of the same unit. */
function unitRatio(from: string, to: string): Rational {
  const size = (unit: string) => (unit.startsWith('M') ? 1_000_000n : unit.startsWith('k') ? 1000n : 1n);
  return { n: size(from), d: size(to) };
}

function decimal(text: string): Rational {
  const [whole, fraction = ''] = text.split('.') as [string, string?];
  return { n: BigInt(whole + fraction), d: 10n ** BigInt(fraction.length) };
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

function unbelievable(name: string, what: string, words: readonly number[]): ProfileError {
  const hex = words.map((word) => word.toString(16).padStart(4, '0')).join(' ');
  return new ProfileError('METER_VALUE_INVALID', `${name} ${what} (registers ${hex})`);
}
