import { randomFillSync } from 'node:crypto';

/*
 * Array parameters as text. pg would quote and escape each element; what goes through here is digits,
 * base58, meter ids, UUIDs and hexadecimal, none of which holds a quote or a backslash.
 */
const SAFE = /^[A-Za-z0-9._:-]*$/;

/** A PostgreSQL array literal of safe texts. @throws Error when one is not safe */
export function textArray(values: readonly string[]): string {
  for (const value of values) {
    if (!SAFE.test(value)) throw new Error('a value with special characters in an array parameter');
  }
  // Quoted, because an unquoted NULL would be no text but a null.
  return values.length === 0 ? '{}' : `{"${values.join('","')}"}`;
}

/** A PostgreSQL array literal of numbers. */
export function numberArray(values: readonly (number | bigint)[]): string {
  return `{${values.join(',')}}`;
}

/** A PostgreSQL array literal of byte strings, for a bytea[] parameter. */
export function bytesArray(values: readonly Uint8Array[]): string {
  if (values.length === 0) return '{}';
  const hex = values.map((bytes) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex'),
  );
  return `{"\\\\x${hex.join('","\\\\x')}"}`;
}

// One call into the random generator for many identifiers.
const RANDOM_POOL_BYTES = 4096;
const randomPool = Buffer.alloc(RANDOM_POOL_BYTES);
let randomUsed = RANDOM_POOL_BYTES;

/**
 * A version 7 UUID (RFC 9562, 5.7): time first, so that a month's primary key grows at its end instead of
 * everywhere.
 */
export function uuidV7(unixMillis: number): string {
  if (randomUsed === RANDOM_POOL_BYTES) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const bytes = randomPool.subarray(randomUsed, randomUsed + 16);
  randomUsed += 16;
  bytes.writeUIntBE(Math.floor(unixMillis), 0, 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
