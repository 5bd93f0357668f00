import bs58 from 'bs58';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase58, encodeBase58, isBase58 } from './index.js';

const invalid = expect.objectContaining({ code: 'VALUE_INVALID' });
/** Bytes with leading zeros more often than chance would have them. */
const bytes = fc
  .tuple(fc.nat(4), fc.uint8Array({ maxLength: 80 }))
  .map(([zeros, rest]) => Uint8Array.of(...new Uint8Array(zeros), ...rest));

describe('base58', () => {
  it('agrees with the library that Solana programs use, both ways', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = encodeBase58(value);
        expect(text).toBe(bs58.encode(value));
        expect(decodeBase58(text)).toEqual(value);
        expect(decodeBase58(text, value.length)).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  it('is right at every power of two, where limbs begin', () => {
    for (let bits = 0; bits <= 530; bits++) {
      for (const offset of [-1n, 0n, 1n]) {
        const digits = ((1n << BigInt(bits)) + offset).toString(16);
        const value = Uint8Array.from(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
        expect(encodeBase58(value)).toBe(bs58.encode(value));
        expect(decodeBase58(bs58.encode(value))).toEqual(value);
      }
    }
  });

  it('has one text for each byte string', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{0,90}$/), (text) => {
        expect(encodeBase58(decodeBase58(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['0', 'O', 'I', 'l', ' ', '1 ', '+', 'é', '\u{1f4a1}', 'abc\n', '1'.repeat(257), 5 as never])(
    'refuses %j',
    (text) => {
      expect(() => decodeBase58(text)).toThrowError(invalid);
      expect(isBase58(text, 1)).toBe(false);
    },
  );

  it('refuses another length than the expected one', () => {
    const key = encodeBase58(new Uint8Array(32).fill(9));
    expect(isBase58(key, 32)).toBe(true);
    for (const text of [`1${key}`, key.slice(0, -1), '']) {
      expect(isBase58(text, 32)).toBe(false);
      expect(() => decodeBase58(text, 32)).toThrowError(invalid);
    }
    expect(() => encodeBase58(new Uint8Array(257))).toThrowError(invalid);
  });
});
