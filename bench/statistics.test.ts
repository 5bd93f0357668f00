import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentile, steadyRate } from './statistics.js';

describe('percentile', () => {
  it('is the nearest rank', () => {
    const values = [15, 20, 35, 40, 50];
    expect([5, 30, 40, 50, 100].map((percent) => percentile(values, percent))).toEqual([15, 20, 20, 35, 50]);
    expect(percentile([7], 1)).toBe(7);
    expect(percentile([3, 1, 2], 50)).toBe(2);
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([50, 99, 99.1].map((percent) => percentile(hundred, percent))).toEqual([50, 99, 100]);
    // A rank that is whole is not missed by a rounding: 0.28 x 25 is a hair above 7.
    const many = Array.from({ length: 25 }, (_, index) => index + 1);
    expect([28, 56].map((percent) => percentile(many, percent))).toEqual([7, 14]);
  });

  it('sorts by size, not as text', () => {
    expect(percentile([9, 10, 100], 100)).toBe(100);
  });

  it('leaves its input as it is, and has no answer for nothing', () => {
    const values = [3, 1, 2];
    percentile(values, 99);
    expect(values).toEqual([3, 1, 2]);
    expect(() => percentile([], 50)).toThrow(RangeError);
    for (const percent of [0, -1, 101, Number.NaN])
      expect(() => percentile([1], percent)).toThrow(RangeError);
  });

  it('is a value of which enough are not above it, and no smaller one is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const result = percentile(values, percent);
          const share = (limit: number) => values.filter((value) => value <= limit).length / values.length;
          expect(values).toContain(result);
          expect(share(result) * 100).toBeGreaterThanOrEqual(percent - 1e-9);
          expect(share(result - 1) * 100).toBeLessThan(percent);
        },
      ),
    );
  });
});

describe('steadyRate', () => {
  it('leaves out how it began and how it ended', () => {
    // Slow at first, then 100 in 100 ms, then slow again.
    const progress = [
      { atMillis: 0, count: 0 },
      { atMillis: 5000, count: 20 },
      { atMillis: 5040, count: 60 },
      { atMillis: 5075, count: 95 },
      { atMillis: 9000, count: 100 },
    ];
    expect(steadyRate(progress, 100)).toEqual({ perSecond: 1000, seconds: 0.075, count: 75 });
  });

  it('says so when too little was measured', () => {
    expect(() => steadyRate([], 10)).toThrow(/0 of 10/);
    expect(() => steadyRate([{ atMillis: 1, count: 9 }], 10)).toThrow(RangeError);
    expect(() => steadyRate([{ atMillis: 1, count: 10 }], 10)).toThrow(RangeError);
  });
});
