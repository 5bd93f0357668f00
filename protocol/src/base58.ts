import { GtxError } from './errors.js';

/*
 * Base58 with Bitcoin's alphabet, as Solana writes keys, signatures and hashes. The collector decodes
 * two of these for each reading, so the conversion works on 24-bit limbs and four characters (58^4 <
 * 2^24) at a time: every product stays below 2^53, and a signature takes a few hundred steps.
 */
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const RADIX4 = 58 ** 4;
const LIMB = 2 ** 24;
/** Longest text or byte string taken; the cost is quadratic and nothing of ours is longer than 88 characters. */
const MAX_LENGTH = 256;

const VALUE_OF = new Int8Array(128).fill(-1);
for (let index = 0; index < ALPHABET.length; index++) VALUE_OF[ALPHABET.charCodeAt(index)] = index;

/**
 * Bytes to base58 text.
 * @throws GtxError VALUE_INVALID above 256 bytes
 */
export function encodeBase58(bytes: Uint8Array): string {
  if (bytes.length > MAX_LENGTH) throw new GtxError('VALUE_INVALID', 'too many bytes for base58');
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  // Little-endian limbs in radix 58^4.
  const limbs: number[] = [];
  for (let index = zeros; index < bytes.length; index++) {
    let carry = bytes[index] as number;
    for (let limb = 0; limb < limbs.length; limb++) {
      const value = (limbs[limb] as number) * 256 + carry;
      carry = Math.floor(value / RADIX4);
      limbs[limb] = value - carry * RADIX4;
    }
    if (carry > 0) limbs.push(carry);
  }
  let text = '';
  for (let limb = limbs.length - 1; limb >= 0; limb--) {
    let value = limbs[limb] as number;
    let four = '';
    for (let digit = 0; digit < 4; digit++) {
      four = ALPHABET.charAt(value % 58) + four;
      value = Math.floor(value / 58);
    }
    text += four;
  }
  // The top limb may be padded with zero digits ('1'), which are not leading zero bytes.
  let padding = 0;
  while (padding < text.length && text.charCodeAt(padding) === 49) padding++;
  return '1'.repeat(zeros) + text.slice(padding);
}

/**
 * Base58 text to bytes. The encoding is unique: exactly one text decodes to given bytes.
 * @param expectedLength when given, the number of bytes that the text must have
 * @throws GtxError VALUE_INVALID for another character, length or more than 256 characters
 */
export function decodeBase58(text: string, expectedLength?: number): Uint8Array {
  const bytes = tryDecode(text);
  if (bytes === undefined) throw new GtxError('VALUE_INVALID', 'not base58 text');
  if (expectedLength !== undefined && bytes.length !== expectedLength) {
    throw new GtxError('VALUE_INVALID', `base58 text has ${bytes.length} bytes, expected ${expectedLength}`);
  }
  return bytes;
}

/** True when `text` is base58 of exactly `length` bytes. */
export function isBase58(text: string, length: number): boolean {
  return tryDecode(text)?.length === length;
}

function tryDecode(text: string): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined;
  let zeros = 0;
  while (zeros < text.length && text.charCodeAt(zeros) === 49) zeros++;
  const digits = text.length - zeros;
  // Little-endian limbs of 24 bits. The first chunk takes what is left over from groups of four.
  const limbs: number[] = [];
  let position = zeros;
  let take = digits % 4 === 0 ? 4 : digits % 4;
  while (position < text.length) {
    let chunk = 0;
    let factor = 1;
    for (let index = 0; index < take; index++) {
      const code = text.charCodeAt(position + index);
      const value = code < 128 ? (VALUE_OF[code] as number) : -1;
      if (value < 0) return undefined;
      chunk = chunk * 58 + value;
      factor *= 58;
    }
    position += take;
    take = 4;
    let carry = chunk;
    for (let limb = 0; limb < limbs.length; limb++) {
      const value = (limbs[limb] as number) * factor + carry;
      carry = Math.floor(value / LIMB);
      limbs[limb] = value - carry * LIMB;
    }
    if (carry > 0) limbs.push(carry);
  }
  const top = limbs.at(-1) ?? 0;
  const topBytes = limbs.length === 0 ? 0 : top >= 65536 ? 3 : top >= 256 ? 2 : 1;
  const size = limbs.length === 0 ? 0 : (limbs.length - 1) * 3 + topBytes;
  const bytes = new Uint8Array(zeros + size);
  let end = bytes.length;
  for (let limb = 0; limb < limbs.length; limb++) {
    const value = limbs[limb] as number;
    const count = limb === limbs.length - 1 ? topBytes : 3;
    for (let index = 0; index < count; index++) {
      end--;
      bytes[end] = (value >>> (8 * index)) & 0xff;
    }
  }
  return bytes;
}
