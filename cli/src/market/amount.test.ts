import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decimal, parseLifetime, parseTokens } from './amount.js';

it('takes decimal text exactly, and nothing else', () => {
  expect(parseTokens('10')).toBe(10_000_000_000n);
  expect(parseTokens('0.000000001')).toBe(1n);
  // Zeros behind the ninth decimal say nothing.
  expect(parseTokens('3.5000000000')).toBe(3_500_000_000n);
  for (const text of ['', '.5', '5.', '-1', '+1', '1e3', '0x10', '1,5', '01', ' 1', '١'])
    expect(() => parseTokens(text), text).toThrow('decimal number');
  expect(() => parseTokens('99999999999')).toThrow('too large');
});

it('names the nearest value where there are too many decimals', () => {
  expect(() => parseTokens('10.0000000004')).toThrow('the nearest is 10.');
  expect(() => parseTokens('10.0000000005')).toThrow('the nearest is 10.000000001.');
  expect(() => parseTokens('0.9999999999')).toThrow('the nearest is 1.');
});

it('property: text and amount are each other’s', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (amount) => {
      expect(parseTokens(decimal(amount))).toBe(amount);
    }),
  );
});

it('takes lifetimes with a unit, up to a year', () => {
  expect(['90s', '30m', '24h', '7d', '366d'].map(parseLifetime)).toEqual([
    90n,
    1_800n,
    86_400n,
    604_800n,
    31_622_400n,
  ]);
  for (const text of ['24', 'h', '0h', '367d', '1.5h', '1w', '-1h'])
    expect(() => parseLifetime(text), text).toThrow('24h');
});
