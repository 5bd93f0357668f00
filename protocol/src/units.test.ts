import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kwhAmountToNkwh, kwhToNkwh, nkwhToKwh, parseU64, U64_MAX } from './index.js';

const invalid = expect.objectContaining({ code: 'VALUE_INVALID' });

describe('kWh and nkWh', () => {
  it.each([
    ['0', 0n],
    ['15', 15_000_000_000n],
    ['15.3', 15_300_000_000n],
    ['0.000000001', 1n],
    ['0.1', 100_000_000n],
    ['18446744073.709551615', U64_MAX],
  ])('%s', (text, amount) => {
    expect(kwhToNkwh(text)).toBe(amount);
    expect(nkwhToKwh(amount)).toBe(text);
  });

  it('come back as they were, both ways', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (amount) => {
        expect(kwhToNkwh(nkwhToKwh(amount))).toBe(amount);
      }),
    );
    fc.assert(
      fc.property(fc.nat(1e9), fc.stringMatching(/^[0-9]{1,9}$/), (whole, fraction) => {
        const amount = kwhToNkwh(`${whole}.${fraction}`);
        expect(nkwhToKwh(amount)).toBe(`${whole}.${fraction}`.replace(/\.?0+$/, '') || '0');
      }),
    );
  });

  it('add up without loss', () => {
    const part = fc.bigInt({ min: 0n, max: 2n ** 62n });
    fc.assert(
      fc.property(part, part, (a, b) => {
        expect(kwhToNkwh(nkwhToKwh(a)) + kwhToNkwh(nkwhToKwh(b))).toBe(kwhToNkwh(nkwhToKwh(a + b)));
      }),
    );
  });

  it.each([
    '',
    ' ',
    '1 ',
    ' 1',
    '+1',
    '-1',
    '-0',
    '01',
    '00',
    '.5',
    '5.',
    '1e3',
    '1E-3',
    '0x10',
    '1,5',
    '1_000',
    '1.0000000000',
    '0.0000000001',
    'NaN',
    'Infinity',
    '1.2.3',
    '١',
    '18446744073.709551616',
    '99999999999',
    '1'.repeat(400),
    null as unknown as string,
    1 as unknown as string,
  ])('refuse %j', (text) => {
    expect(() => kwhToNkwh(text)).toThrowError(invalid);
  });

  it('refuse what no u64 holds', () => {
    for (const amount of [-1n, U64_MAX + 1n, 1 as unknown as bigint]) {
      expect(() => nkwhToKwh(amount)).toThrowError(invalid);
    }
  });
});

describe('a kWh amount as a JSON number', () => {
  it.each([
    [15, 15_000_000_000n],
    [15.3, 15_300_000_000n],
    [0, 0n],
    [0.1, 100_000_000n],
    [0.000001, 1000n],
    [100.000000001, 100_000_000_001n],
  ])('%s', (number, amount) => {
    expect(kwhAmountToNkwh(number)).toBe(amount);
  });

  it('is exactly what the text said that JSON carried', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.stringMatching(/^[0-9]{0,8}[1-9]$/), (whole, fraction) => {
        const text = `${whole}.${fraction}`;
        const number = JSON.parse(text) as number;
        fc.pre(!/e/.test(String(number)));
        expect(kwhAmountToNkwh(number)).toBe(kwhToNkwh(text));
      }),
    );
  });

  it.each([
    -1,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e-7,
    1e21,
    0.1 + 0.2,
    1.0000000001,
    123456789.12345679,
    null as unknown as number,
    true as unknown as number,
    1n as unknown as number,
  ])('refuses %s', (number) => {
    expect(() => kwhAmountToNkwh(number)).toThrowError(invalid);
  });
});

describe('u64 text', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (n) => {
        expect(parseU64(n.toString())).toBe(n);
      }),
    );
  });
  it.each([
    '',
    '00',
    '01',
    '+1',
    '-1',
    '1.0',
    '1e3',
    ' 1',
    '0x1',
    '18446744073709551616',
    '1'.repeat(21),
    7 as never,
  ])('refuses %j', (text) => {
    expect(() => parseU64(text)).toThrowError(invalid);
  });
});
