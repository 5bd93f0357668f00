/** The other way round: values as a device's registers, for simulated devices. */
import { float32ToRational, float64ToRational, registerOf } from './decode.js';
import { ProfileError } from './error.js';
import {
  ENERGY_UNITS,
  type EnergyUnit,
  type MeterProfile,
  type NumberType,
  type Quantity,
  type RegisterDefinition,
  registerPieces,
  wordCount,
} from './schema.js';

/** Words from an address on. */
export interface EncodedPiece {
  address: number;
  words: number[];
}

type Order = 'high-first' | 'low-first' | undefined;

/**
 * A value as the registers of a quantity. Energy is rounded down to what the registers can show, so that they
 * never show more than was counted and never fall; it starts from 0 again where the profile names a rollover.
 * A sum goes into the coarsest of its registers first, what is left into the next. Scale registers get a fixed
 * content that suits the unit.
 * @param value active and reactive energies in nkWh (nano-kvarh) as bigint, measures as numbers in the register's
 *   unit, texts as text
 * @throws ProfileError PROFILE_INVALID when the quantity is missing or the value does not fit its registers
 */
export function encodeQuantity(
  profile: MeterProfile,
  quantity: Quantity,
  value: number | bigint | string,
): EncodedPiece[] {
  const register = registerOf(profile, quantity);
  const addresses = registerPieces(register).map(({ first }) => first);
  return encodePieces(profile, register, value).map((words, index) => ({
    address: addresses[index] as number,
    words,
  }));
}

/** As `encodeQuantity` for a definition: the words of its own registers, of `plus`, of `scale_by`. */
export function encodePieces(
  profile: MeterProfile,
  register: RegisterDefinition,
  value: number | bigint | string,
): number[][] {
  const orders = (piece: { word_order?: Order; byte_order?: Order }) => ({
    words: piece.word_order ?? profile.modbus.word_order,
    bytes: piece.byte_order ?? profile.modbus.byte_order ?? 'high-first',
  });
  if (register.type === 'ascii') {
    return [asciiWords(String(value), wordCount(register), orders(register).bytes)];
  }
  if (typeof value === 'string') throw new ProfileError('PROFILE_INVALID', `${register.name} is no text`);

  // The value in the register's unit as an exact fraction where it is energy.
  const unit = typeof value === 'bigint' ? nanoUnit(register.unit) : 1n;
  const scales = (register.scale_by ?? []).map((by) => {
    if (by.kind === 'exponent') {
      const exponent = EXPONENT_OF_UNIT[register.unit] ?? 0;
      return { by, content: BigInt(exponent), factor: 10 ** exponent, exponent };
    }
    if (by.kind === 'factor') return { by, content: 1n, factor: Number(by.scale ?? '1'), exponent: 0 };
    const [content, text] = Object.entries(by.choices ?? {}).find(([, one]) => Number(one) === 1) ??
      Object.entries(by.choices ?? {})[0] ?? ['0', '1'];
    return { by, content: BigInt(content), factor: Number(text), exponent: 0 };
  });

  const pieces = [
    { piece: register, scale: register.scale, unit, negative: false },
    ...(register.plus ?? []).map((part) => ({
      piece: part,
      scale: part.scale ?? '1',
      unit: typeof value === 'bigint' ? nanoUnit(part.unit ?? register.unit) : 1n,
      negative: part.invert === true,
    })),
  ];
  const contents: bigint[] = Array(pieces.length).fill(0n);
  if (typeof value === 'bigint') {
    let left = register.invert ? -value : value;
    if (register.rollover_at !== undefined) {
      const [whole, fraction = ''] = register.rollover_at.split('.') as [string, string?];
      left %= (BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length);
    }
    // One step of a piece, in nano-units: scale x unit x scale factors, as numerator and denominator.
    const steps = pieces.map(({ scale, unit: own }) => {
      let step = fraction(scale);
      step = { n: step.n * own, d: step.d };
      for (const { by, content } of scales) {
        if (by.kind === 'exponent') {
          step =
            content >= 0n
              ? { n: step.n * 10n ** content, d: step.d }
              : { n: step.n, d: step.d * 10n ** -content };
        } else {
          const factor = fraction(
            by.kind === 'factor' ? (by.scale ?? '1') : (by.choices?.[content.toString()] ?? '1'),
          );
          step = { n: step.n * factor.n, d: step.d * factor.d };
        }
      }
      return step;
    });
    const coarsestFirst = pieces
      .map((_, index) => index)
      .filter((index) => !pieces[index]?.negative)
      .sort((a, b) => {
        const [x, y] = [steps[a] as Fraction, steps[b] as Fraction];
        const difference = y.n * x.d - x.n * y.d;
        return difference > 0n ? 1 : difference < 0n ? -1 : a - b;
      });
    for (const index of coarsestFirst) {
      const { n, d } = steps[index] as Fraction;
      const { type } = (pieces[index] as (typeof pieces)[number]).piece;
      contents[index] = rawBelow(type as NumberType, left, n, d);
      left -= shownBy(type as NumberType, contents[index] as bigint, left, n, d);
    }
  } else {
    let scaled = register.invert ? -value : value;
    for (const { factor } of scales) scaled /= factor;
    const [first] = pieces;
    contents[0] = rawNearest(first?.piece.type as NumberType, scaled, first?.scale ?? '1');
  }
  return [
    ...pieces.map(({ piece }, index) =>
      toWords(piece.type as NumberType, contents[index] as bigint, orders(piece), register.name),
    ),
    ...scales.map(({ by, content }) => {
      const raw = by.type.startsWith('float') ? floatBits(by.type, Number(content)) : content;
      return toWords(by.type, raw, orders(by), register.name);
    }),
  ];
}

/**
 * What a device must hold so that its profile's identification and assumptions are met: the first of the
 * contents that would do, or its example, by function code.
 */
export function identityWords(profile: MeterProfile): (EncodedPiece & { functionCode: 3 | 4 })[] {
  const pieces: (EncodedPiece & { functionCode: 3 | 4 })[] = [];
  for (const probe of [...profile.identification.probes, ...(profile.assumes ?? [])]) {
    const wanted = probe.equals?.[0] ?? ('example' in probe ? probe.example : undefined);
    // Ranges are met by what the device measures.
    if (wanted === undefined) continue;
    const words = probe.word_order ?? profile.modbus.word_order;
    const bytes = probe.byte_order ?? profile.modbus.byte_order ?? 'high-first';
    const { type } = probe;
    pieces.push({
      functionCode: probe.function_code,
      address: Number(probe.address),
      words:
        type === 'ascii'
          ? asciiWords(String(wanted), wordCount(probe as { type: 'ascii'; length: number }), bytes)
          : toWords(
              type,
              type.startsWith('float')
                ? floatBits(type, Number(wanted))
                : rawNearest(type, Number(wanted), '1'),
              { words, bytes },
              probe.name,
            ),
    });
  }
  return pieces;
}

interface Fraction {
  n: bigint;
  d: bigint;
}

/** Contents of exponent registers: fine enough to be useful, coarse enough for an int16. */
const EXPONENT_OF_UNIT: Partial<Record<string, number>> = { V: -1, A: -2, Hz: -2, 1: -2 };

/** One of a unit of energy in nkWh (or nano-kvarh). */
function nanoUnit(unit: string): bigint {
  if (unit in ENERGY_UNITS) return ENERGY_UNITS[unit as EnergyUnit];
  if (unit === 'varh') return ENERGY_UNITS.Wh;
  if (unit === 'kvarh') return ENERGY_UNITS.kWh;
  if (unit === 'Mvarh') return ENERGY_UNITS.MWh;
  throw new ProfileError('PROFILE_INVALID', `${unit} is not a unit of energy`);
}

function fraction(text: string): Fraction {
  const [whole, digits = ''] = text.split('.') as [string, string?];
  return { n: BigInt(whole + digits), d: 10n ** BigInt(digits.length) };
}

/** The largest content that shows no more than `amount`, a step being n/d nano-units. */
function rawBelow(type: NumberType, amount: bigint, n: bigint, d: bigint): bigint {
  if (type === 'float32' || type === 'float64') {
    // Energies are not negative but for a net register, whose rounding nobody counts by.
    let bits = floatBits(type, Number(amount * d) / Number(n));
    for (;;) {
      const rational = type === 'float32' ? float32ToRational(Number(bits)) : float64ToRational(bits);
      if (rational === undefined) throw new ProfileError('PROFILE_INVALID', 'energy does not fit a float');
      if (amount < 0n || rational.numerator * n <= (amount * d) << BigInt(rational.shift)) return bits;
      bits -= 1n;
    }
  }
  const count = (amount * d) / n;
  if (type.startsWith('exp8_')) return exp8(Number(count), count, type);
  return rawOf(type, count);
}

/** What a content shows, in nano-units rounded up, so that what is left for finer registers is not too much. */
function shownBy(type: NumberType, raw: bigint, amount: bigint, n: bigint, d: bigint): bigint {
  // What a float does not show is left out: no finer register belongs to one.
  if (type.startsWith('float') || type.startsWith('exp8_')) return amount;
  const count = type.startsWith('bcd') ? BigInt(raw.toString(16)) : raw;
  return (count * n + d - 1n) / d;
}

function rawNearest(type: NumberType, value: number, scale: string): bigint {
  if (type === 'float32' || type === 'float64') return floatBits(type, value / Number(scale));
  const { n, d } = fraction(scale);
  const count = (value * Number(d)) / Number(n);
  if (type.startsWith('exp8_')) return exp8(count, undefined, type);
  return rawOf(type, BigInt(Math.round(count)));
}

/** A count as a type's bits. Whether they fit is checked by `toWords`. */
function rawOf(type: NumberType, count: bigint): bigint {
  if (type.startsWith('bcd')) {
    if (count < 0n) throw new ProfileError('PROFILE_INVALID', `${count} does not fit ${type}`);
    return BigInt(`0x${count.toString()}`);
  }
  if (type.startsWith('sm') && count < 0n) {
    return (1n << BigInt(wordCount({ type }) * 16 - 1)) | -count;
  }
  return count;
}

/** A decimal exponent and a 24-bit number, with as many digits as fit; rounded towards zero. */
function exp8(value: number, exact: bigint | undefined, type: NumberType): bigint {
  const limit = type === 'exp8_int24' ? 2 ** 23 : 2 ** 24;
  let exponent = exact === undefined ? -4 : 0;
  const significandAt = () =>
    exact === undefined ? BigInt(Math.round(value / 10 ** exponent)) : exact / 10n ** BigInt(exponent);
  while (Math.abs(Number(significandAt())) >= limit) exponent++;
  if (type === 'exp8_uint24' && value < 0) {
    throw new ProfileError('PROFILE_INVALID', `${value} does not fit ${type}`);
  }
  return (BigInt.asUintN(8, BigInt(exponent)) << 24n) | BigInt.asUintN(24, significandAt());
}

function floatBits(type: string, value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (type === 'float32') {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

function toWords(
  type: NumberType,
  content: bigint,
  order: { words: 'high-first' | 'low-first'; bytes: 'high-first' | 'low-first' },
  name: string,
): number[] {
  const size = wordCount({ type });
  const fits = type.startsWith('int')
    ? BigInt.asIntN(size * 16, content) === content
    : BigInt.asUintN(size * 16, content) === content;
  if (!fits) throw new ProfileError('PROFILE_INVALID', `${name}: ${content} does not fit ${type}`);
  const raw = BigInt.asUintN(size * 16, content);
  const words: number[] = [];
  for (let index = size - 1; index >= 0; index--) {
    const word = Number((raw >> BigInt(16 * index)) & 0xffffn);
    words.push(order.bytes === 'high-first' ? word : ((word & 0xff) << 8) | (word >> 8));
  }
  return order.words === 'high-first' ? words : words.reverse();
}

function asciiWords(text: string, count: number, bytes: 'high-first' | 'low-first'): number[] {
  if (text.length > count * 2) {
    throw new ProfileError('PROFILE_INVALID', `"${text}" does not fit ${count} registers`);
  }
  return Array.from({ length: count }, (_, index) => {
    const [a, b] = [text.charCodeAt(index * 2) || 0, text.charCodeAt(index * 2 + 1) || 0];
    return bytes === 'high-first' ? (a << 8) | b : (b << 8) | a;
  });
}
