import { decodeEnergy, decodeMeasure, loadProfile } from '@gridtokenx/firmware-profiles';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatorConfig } from './config.js';
import { dayHours, hash01, sitePower } from './day-model.js';
import { encodeRegister, VirtualMeter } from './meter.js';

const profile = loadProfile('eastron-sdm630');
const config = SimulatorConfig.parse({}).units[0] as SimulatorConfig['units'][number];
const START = Date.UTC(2026, 5, 1);
const HOUR = 3_600_000;

const day = { solar_watts: 8000, household_watts: 500, shape: 'day' as const };
const noon = { ...day, shape: 'noon' as const };

describe('the day', () => {
  it('is the same for the same seed and another for another', () => {
    const powers = (seed: string) =>
      Array.from({ length: 96 }, (_, index) => sitePower(seed, day, index / 4));
    expect(powers('a')).toEqual(powers('a'));
    expect(powers('a')).not.toEqual(powers('b'));
  });

  it('has no sun at night, most at noon, and days that differ', () => {
    expect(sitePower('a', day, 3).solarMilliwatts).toBe(0);
    expect(sitePower('a', day, 20).solarMilliwatts).toBe(0);
    expect(sitePower('a', day, 12).solarMilliwatts).toBeGreaterThan(0.55 * 8_000_000 - 1);
    expect(sitePower('a', day, 12).solarMilliwatts).not.toBe(sitePower('a', day, 36).solarMilliwatts);
  });

  it('keeps within its scenario, in whole milliwatts', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 500_000, noNaN: true }),
        fc.constantFrom('day', 'noon', 'flat'),
        fc.record({ solar_watts: fc.nat(1e6), household_watts: fc.nat(1e6) }),
        (seed, hours, shape, watts) => {
          const power = sitePower(seed, { ...watts, shape }, hours);
          expect(Number.isSafeInteger(power.solarMilliwatts)).toBe(true);
          expect(Number.isSafeInteger(power.householdMilliwatts)).toBe(true);
          expect(power.solarMilliwatts).toBeGreaterThanOrEqual(0);
          expect(power.solarMilliwatts).toBeLessThanOrEqual(watts.solar_watts * 1000);
          expect(power.householdMilliwatts).toBeGreaterThanOrEqual(0);
          expect(power.householdMilliwatts).toBeLessThanOrEqual(watts.household_watts * 1000 * 3);
        },
      ),
    );
  });

  it('uses household_watts in the mean, within the chance of its appliances', () => {
    let sum = 0;
    const steps = 30 * 24 * 60;
    for (let minute = 0; minute < steps; minute++)
      sum += sitePower('a', day, minute / 60).householdMilliwatts;
    expect(sum / steps / 1000).toBeGreaterThan(480);
    expect(sum / steps / 1000).toBeLessThan(520);
  });

  it('always leaves a surplus where the sun stands still', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0, max: 1e5, noNaN: true }), (seed, hours) => {
        const power = sitePower(seed, noon, hours);
        expect(power.solarMilliwatts - power.householdMilliwatts).toBeGreaterThan(3_000_000);
      }),
    );
  });

  it('can be shortened without losing its hours, and otherwise follows UTC', () => {
    expect(dayHours(START + 12 * HOUR, 0, 86_400, 9) % 24).toBeCloseTo(12, 6);
    expect(dayHours(START, START, 240, 9)).toBe(9);
    expect(dayHours(START + 60_000, START, 240, 9)).toBe(15);
  });

  it('has even noise', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => hash01(`x/${index}`));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean).toBeGreaterThan(0.48);
    expect(mean).toBeLessThan(0.52);
    expect(new Set(values).size).toBeGreaterThan(9990);
  });
});

describe('a meter', () => {
  const powerAt = (time: number) => sitePower('seed', day, time / HOUR);
  const grid = () => new VirtualMeter(config, profile, powerAt, START);

  it('counts the same however often it is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3 * HOUR), { maxLength: 20 }), (times) => {
        const end = START + 3 * HOUR;
        const asked = grid();
        for (const time of times.sort((a, b) => a - b)) asked.advance(START + time);
        asked.advance(end);
        const alone = grid();
        alone.advance(end);
        expect(asked.energy).toEqual(alone.energy);
      }),
      { numRuns: 30 },
    );
  });

  it('counts what power times time gives, exactly', () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e9), fc.nat(10 * HOUR), (solar, household, duration) => {
        const meter = new VirtualMeter(
          config,
          profile,
          () => ({ solarMilliwatts: solar, householdMilliwatts: household }),
          START + 123,
        );
        meter.advance(START + 123 + duration);
        const net = BigInt(household - solar) * BigInt(duration);
        expect(meter.energy.importMicrojoules).toBe(net > 0n ? net : 0n);
        expect(meter.energy.exportMicrojoules).toBe(net < 0n ? -net : 0n);
        expect(meter.importNkwh).toBe((net > 0n ? net : 0n) / 3600n);
      }),
      { numRuns: 50 },
    );
  });

  it('gives what one meter of both directions and two separate ones measure of the same home', () => {
    const meters = (['grid', 'production', 'consumption'] as const).map(
      (role) => new VirtualMeter({ ...config, role }, profile, powerAt, START),
    );
    for (const meter of meters) meter.advance(START + 24 * HOUR);
    const [both, solar, household] = meters as [VirtualMeter, VirtualMeter, VirtualMeter];
    expect(both.energy.importMicrojoules - both.energy.exportMicrojoules).toBe(
      household.energy.importMicrojoules - solar.energy.importMicrojoules,
    );
    expect(both.energy.importMicrojoules).toBeGreaterThan(0n);
    expect(both.energy.exportMicrojoules).toBeGreaterThan(0n);
    expect(solar.energy.exportMicrojoules).toBe(0n);
  });

  it('has phases that add up to its total, and powers that fit its currents', () => {
    const meter = grid();
    meter.advance(START + 9 * HOUR);
    const registers = meter.registers(4);
    const value = (quantity: Parameters<typeof decodeMeasure>[1]) => {
      const address = Number(profile.registers[quantity]?.address);
      return decodeMeasure(profile, quantity, [registers.get(address) ?? 0, registers.get(address + 1) ?? 0]);
    };
    expect(value('power_l1') + value('power_l2') + value('power_l3')).toBeCloseTo(value('power_total'), 1);
    expect(value('voltage_l2') * value('current_l2')).toBeCloseTo(value('apparent_power_l2'), 1);
    expect(value('frequency')).toBeGreaterThan(49.9);
    expect(value('power_factor_total')).toBeGreaterThanOrEqual(-1);
  });
});

describe('an energy register', () => {
  const register = profile.registers.energy_export;
  if (register === undefined) throw new Error('the profile has an export register');

  it('shows at most what was counted, one step below at the worst, and never falls', () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 16n });
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        const shown = (nkwh: bigint) =>
          decodeEnergy(profile, 'energy_export', encodeRegister(register, nkwh, profile));
        expect(shown(a)).toBeLessThanOrEqual(a);
        // A float32 has 24 significant bits.
        expect(a - shown(a)).toBeLessThanOrEqual(a / 2n ** 23n + 1n);
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(shown(low)).toBeLessThanOrEqual(shown(high));
      }),
    );
  });

  it('of whole numbers is exact, and says when it is full', () => {
    const counter = { ...register, type: 'uint32' as const, scale: '0.01' };
    expect(encodeRegister(counter, 1_234_567_890n, profile)).toEqual([0, 123]);
    expect(() => encodeRegister(counter, 10n ** 9n * 2n ** 32n, profile)).toThrowError(/does not fit/);
    const low = { ...profile, modbus: { ...profile.modbus, word_order: 'low-first' as const } };
    expect(encodeRegister(counter, 655_380_000_000n, low)).toEqual([2, 1]);
  });
});
