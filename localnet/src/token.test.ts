import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMint, decodeTokenAccount, uiAmountString } from './token.js';

test('amounts appear without trailing zeros', () => {
  expect(uiAmountString(0n, 9)).toBe('0');
  expect(uiAmountString(1n, 9)).toBe('0.000000001');
  expect(uiAmountString(1_000_000_000n, 9)).toBe('1');
  expect(uiAmountString(15_300_000_000n, 9)).toBe('15.3');
  expect(uiAmountString(100n, 0)).toBe('100');
});

test('property: an amount can be read back from its text', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.integer({ min: 0, max: 30 }),
      (amount, decimals) => {
        const [whole = '', fraction = ''] = uiAmountString(amount, decimals).split('.');
        expect(BigInt(whole + fraction.padEnd(decimals, '0'))).toBe(amount);
      },
    ),
  );
});

test('bytes that are no token account or mint are not taken for one', () => {
  expect(decodeTokenAccount(new Uint8Array(165))).toBeUndefined(); // not initialised
  expect(decodeMint(new Uint8Array(82))).toBeUndefined();
  expect(decodeTokenAccount(new Uint8Array(164))).toBeUndefined();
  expect(decodeTokenAccount(new Uint8Array(355))).toBeUndefined();
});
