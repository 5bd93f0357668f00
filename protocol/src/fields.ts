import { z } from 'zod';
import { isBase58 } from './base58.js';
import { METER_ID_PATTERN } from './messages.js';
import { READING_FLAGS_MASK } from './reading.js';
import { parseTimestamp } from './timestamp.js';
import { kwhAmountToNkwh, U32_MAX, U64_MAX } from './units.js';

function accepts(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

/** u64 as decimal text without sign or leading zeros. */
export const u64Text = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,19})$/, 'must be a decimal u64 without sign or leading zeros')
  // Refinements run even when the pattern did not match, so this one must take any text.
  .refine(
    (text) => text.length < 20 || !/^[0-9]+$/.test(text) || (text.length === 20 && BigInt(text) <= U64_MAX),
    'must be at most 18446744073709551615',
  )
  .meta({ description: 'u64 as decimal text', examples: ['15000000000'] });

export const u32 = z.number().int().min(0).max(U32_MAX);

export const unixSeconds = u32.meta({ description: 'Unix seconds', examples: [1700001000] });

export const readingFlags = z.number().int().min(0).max(READING_FLAGS_MASK).meta({
  description: '1 clock set during the interval, 2 interval longer than usual, 4 meter replaced or reset',
});

export const meterIdText = z
  .string()
  .regex(METER_ID_PATTERN, 'must have 1 to 32 characters A-Z a-z 0-9 . _ - and begin with a letter or digit')
  .meta({ examples: ['MTR-001'] });

function base58Text(bytes: number, shortest: number, longest: number) {
  return z
    .string()
    .regex(new RegExp(`^[1-9A-HJ-NP-Za-km-z]{${shortest},${longest}}$`), 'must be base58 text')
    .refine((text) => isBase58(text, bytes), `must be base58 of ${bytes} bytes`);
}

/** Base58 of 32 bytes: a wallet, an Ed25519 public key, a program id. */
export const publicKeyText = base58Text(32, 32, 44).meta({ description: 'base58 of 32 bytes' });
/** Base58 of a 64-byte Ed25519 signature. */
export const signatureText = base58Text(64, 64, 88).meta({
  description: 'base58 of a 64-byte Ed25519 signature',
});

/** Base58 of the 48 bytes of a reading. */
export const readingMessageText = base58Text(48, 48, 66).meta({
  description: 'base58 of the 48 signed bytes of a reading',
});

export const kwhAmount = z
  .union([
    z
      .string()
      .regex(/^(?:0|[1-9][0-9]{0,10})(?:\.[0-9]{1,9})?$/, 'must be a decimal with at most 9 decimals'),
    z.number().nonnegative(),
  ])
  .refine(
    (value) => accepts(() => kwhAmountToNkwh(value)),
    'must be an exact amount with at most 9 decimals (as a number at most 15 digits, no exponent)',
  )
  .meta({ description: 'kWh as decimal text or number', examples: ['15.3', 15.3] });

export const readingTimestamp = z
  .union([z.string().max(40), unixSeconds])
  .refine(
    (value) => accepts(() => parseTimestamp(value)),
    'must be ISO 8601 with a zone and whole seconds, or Unix seconds',
  )
  .meta({
    description: 'ISO 8601 with zone, or Unix seconds',
    examples: ['2023-11-14T22:30:00Z', 1700001000],
  });
