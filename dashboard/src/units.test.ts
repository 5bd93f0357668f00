import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal, quote, sum, units } from './units.js';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('amounts', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(u64, (value) => units(decimal(value)) === value));
  });
  it.each(['', '-1', '1e3', '1,5', '.5', '1.', '0.0000000001', 'NaN', '١'])('refuses %j', (text) => {
    expect(units(text)).toBeUndefined();
  });
  it('shows what the process description has: 15.3 kWh are 15,300,000,000 base units', () => {
    expect(units('15.3')).toBe(15_300_000_000n);
    expect(decimal(15_300_000_000n)).toBe('15.3');
  });
  it('rounds a quote up by less than a unit', () => {
    fc.assert(
      fc.property(u64, u64, (amount, price) => {
        const rest = quote(amount, price) * 1_000_000_000n - amount * price;
        return rest >= 0n && rest < 1_000_000_000n;
      }),
    );
    expect(quote(units('10') ?? 0n, units('3') ?? 0n)).toBe(units('30'));
  });
  it('adds without losing anything', () => {
    expect(sum(['0.000000001', '18446744073', '0.1'])).toBe('18446744073.100000001');
  });
});
