import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash01 } from './noise.js';
import { simpleDay } from './simple-day.js';

const day = { solar_watts: 8000, household_watts: 500, shape: 'day' as const };
const noon = { ...day, shape: 'noon' as const };

describe('the day', () => {
  it('is the same for the same seed and another for another', () => {
    const powers = (seed: string) =>
      Array.from({ length: 96 }, (_, index) => simpleDay(seed, day, index / 4));
    expect(powers('a')).toEqual(powers('a'));
    expect(powers('a')).not.toEqual(powers('b'));
  });

  it('has no sun at night, most at noon, and days that differ', () => {
    expect(simpleDay('a', day, 3).producedMilliwatts).toBe(0);
    expect(simpleDay('a', day, 20).producedMilliwatts).toBe(0);
    expect(simpleDay('a', day, 12).producedMilliwatts).toBeGreaterThan(0.55 * 8_000_000 - 1);
    expect(simpleDay('a', day, 12).producedMilliwatts).not.toBe(simpleDay('a', day, 36).producedMilliwatts);
  });

  it('keeps within its scenario, in whole milliwatts', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 500_000, noNaN: true }),
        fc.constantFrom('day', 'noon', 'flat'),
        fc.record({ solar_watts: fc.nat(1e6), household_watts: fc.nat(1e6) }),
        (seed, hours, shape, watts) => {
          const power = simpleDay(seed, { ...watts, shape }, hours);
          expect(Number.isSafeInteger(power.producedMilliwatts)).toBe(true);
          expect(Number.isSafeInteger(power.consumedMilliwatts)).toBe(true);
          expect(power.producedMilliwatts).toBeGreaterThanOrEqual(0);
          expect(power.producedMilliwatts).toBeLessThanOrEqual(watts.solar_watts * 1000);
          expect(power.consumedMilliwatts).toBeGreaterThanOrEqual(0);
          expect(power.consumedMilliwatts).toBeLessThanOrEqual(watts.household_watts * 1000 * 3);
        },
      ),
    );
  });

  it('uses household_watts in the mean, within the chance of its appliances', () => {
    let sum = 0;
    const steps = 30 * 24 * 60;
    for (let minute = 0; minute < steps; minute++) sum += simpleDay('a', day, minute / 60).consumedMilliwatts;
    expect(sum / steps / 1000).toBeGreaterThan(480);
    expect(sum / steps / 1000).toBeLessThan(520);
  });

  it('always leaves a surplus where the sun stands still', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0, max: 1e5, noNaN: true }), (seed, hours) => {
        const power = simpleDay(seed, noon, hours);
        expect(power.producedMilliwatts - power.consumedMilliwatts).toBeGreaterThan(3_000_000);
      }),
    );
  });

  it('has even noise', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => hash01(`x/${index}`));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean).toBeGreaterThan(0.48);
    expect(mean).toBeLessThan(0.52);
    expect(new Set(values).size).toBeGreaterThan(9990);
  });
});
