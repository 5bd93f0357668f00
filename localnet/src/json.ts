// JSON as the Rust side of Solana writes it: 64-bit integers appear as plain digits, also above 2^53.

import { randomBytes } from 'node:crypto';

// Random, so that no text in a log or memo can look like a marked number.
const MARK = `u64:${randomBytes(16).toString('hex')}:`;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, 'g');

/** A value that {@link toJson} can write: JSON plus `bigint`. Keys whose value is `undefined` are left out. */
export type Json = null | boolean | number | string | bigint | undefined | Json[] | { [key: string]: Json };

/** Writes JSON; a `bigint` becomes a bare number with all its digits. */
export function toJson(value: Json): string {
  let marked = false;
  const text = JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'bigint') return item;
    if (item >= BigInt(Number.MIN_SAFE_INTEGER) && item <= BigInt(Number.MAX_SAFE_INTEGER))
      return Number(item);
    marked = true;
    return MARK + item.toString();
  });
  return marked ? text.replace(MARKED, '$1') : text;
}
