import { GtxError } from './errors.js';

/** Energy in nano-kilowatt-hours (1e-9 kWh); 1 nkWh is one base unit of GRID, which has 9 decimals. */
export type Nkwh = bigint;

export const NKWH_PER_KWH = 1_000_000_000n;
/** 1 Wh = 1e6 nkWh. */
export const NKWH_PER_WH = 1_000_000n;
export const U32_MAX = 0xffff_ffff;
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

const KWH_TEXT = /^(?:0|[1-9][0-9]{0,10})(?:\.[0-9]{1,9})?$/;
const U64_TEXT = /^(?:0|[1-9][0-9]{0,19})$/;

/**
 * Decimal kWh text to nkWh, exactly.
 * @param text non-negative, no sign, no exponent, no leading zeros ("0.5", not ".5" or "00.5"), at most 9 decimals
 * @throws GtxError VALUE_INVALID for another form or above 2^64 - 1 nkWh
 */
export function kwhToNkwh(text: string): Nkwh {
  if (typeof text !== 'string' || !KWH_TEXT.test(text)) {
    throw new GtxError('VALUE_INVALID', `not a decimal kWh amount with at most 9 decimals: ${quote(text)}`);
  }
  const point = text.indexOf('.');
  const whole = point < 0 ? text : text.slice(0, point);
  const fraction = point < 0 ? '' : text.slice(point + 1);
  const amount = BigInt(whole) * NKWH_PER_KWH + BigInt(fraction.padEnd(9, '0'));
  if (amount > U64_MAX) throw new GtxError('VALUE_INVALID', `kWh amount too large: ${text}`);
  return amount;
}

/**
 * nkWh to the shortest decimal kWh text ("15.3", "0", "0.000000001").
 * @throws GtxError VALUE_INVALID outside 0..2^64-1
 */
export function nkwhToKwh(amount: Nkwh): string {
  assertU64(amount, 'nkWh amount');
  const whole = amount / NKWH_PER_KWH;
  const fraction = (amount % NKWH_PER_KWH).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? whole.toString() : `${whole}.${fraction}`;
}

/**
 * A `kwh_amount` of a body, decimal text or JSON number, to nkWh, exactly.
 *
 * A JSON number has gone through a binary double. Up to 15 significant digits the shortest decimal text
 * of the double is the text that was sent (IEEE 754-2019, 5.12.2), so such numbers are taken by that
 * text; longer ones cannot be told apart and are refused: send a string.
 * @throws GtxError VALUE_INVALID for a negative or non-finite number, an exponent form (below 1e-6 or from
 *   1e21), more than 9 decimals or more than 15 significant digits
 */
export function kwhAmountToNkwh(value: string | number): Nkwh {
  if (typeof value === 'string') return kwhToNkwh(value);
  if (typeof value !== 'number' || Object.is(value, -0)) {
    throw new GtxError('VALUE_INVALID', `not a kWh amount: ${quote(value)}`);
  }
  const text = String(value);
  const significant = text.replace('.', '').replace(/^0+/, '').length;
  if (significant > 15) {
    throw new GtxError(
      'VALUE_INVALID',
      `a kWh number with more than 15 digits is not exact, send it as a string: ${text}`,
    );
  }
  return kwhToNkwh(text);
}

/**
 * Decimal text of a u64, without sign or leading zeros.
 * @throws GtxError VALUE_INVALID
 */
export function parseU64(text: string, what = 'value'): bigint {
  if (typeof text !== 'string' || !U64_TEXT.test(text)) {
    throw new GtxError('VALUE_INVALID', `${what} is not a decimal u64: ${quote(text)}`);
  }
  const value = BigInt(text);
  if (value > U64_MAX) throw new GtxError('VALUE_INVALID', `${what} is above 2^64 - 1: ${text}`);
  return value;
}

/** @throws GtxError VALUE_INVALID unless an integer in 0..2^64-1 */
export function assertU64(value: bigint, what: string): void {
  if (typeof value !== 'bigint' || value < 0n || value > U64_MAX) {
    throw new GtxError('VALUE_INVALID', `${what} is not a u64: ${quote(value)}`);
  }
}

/** @throws GtxError VALUE_INVALID unless an integer in 0..2^32-1 */
export function assertU32(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > U32_MAX || Object.is(value, -0)) {
    throw new GtxError('VALUE_INVALID', `${what} is not a u32: ${quote(value)}`);
  }
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
