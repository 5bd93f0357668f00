import { decodeEnergy, decodeMeasure, loadProfile, parseProfile } from '@gridtokenx/firmware-profiles';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatorConfig, type SimulatorConfigInput } from './config.js';
import type { Home } from './home.js';
import { VirtualMeter } from './meter.js';
import { RegisterMap } from './register-map.js';
import { makeSimulation } from './simulation.js';

const profile = loadProfile('eastron-sdm630');
const START = Date.UTC(2026, 5, 1);
const HOUR = 3_600_000;

function homeOf(input: SimulatorConfigInput, start = START): Home {
  const simulation = makeSimulation(SimulatorConfig.parse(input), start, '.');
  return simulation.homes[0] as Home;
}
const meterOf = (home: Home, index = 0) => home.meters[index] as VirtualMeter;

const site = {
  parts: [
    { type: 'solar' as const, peak_watts: 9000 },
    { type: 'wind' as const, rated_watts: 2000 },
    { type: 'residential' as const },
    { type: 'heat_pump' as const },
    { type: 'electric_car' as const },
    { type: 'battery' as const },
  ],
};
/** A described site in time-lapse: six hours a minute. */
const lapsed: SimulatorConfigInput = {
  seed: 'x',
  date: '2026-05-03',
  start_time: '06:00',
  day_seconds: 240,
  energy_time: 'simulated',
  sites: { home: site },
  units: [{ unit: 1, site: 'home' }],
};

describe('a meter', () => {
  it.each([
    ['of a simple home', { units: [{ unit: 1 }] } as SimulatorConfigInput, 3 * HOUR],
    ['of a described site', lapsed, 240_000],
  ])('%s counts the same however often it is asked', (_, config, duration) => {
    const alone = homeOf(config);
    alone.advance(START + duration);
    expect(meterOf(alone).importNkwh + meterOf(alone).exportNkwh).toBeGreaterThan(0n);
    fc.assert(
      fc.property(fc.array(fc.nat(duration), { maxLength: 20 }), (times) => {
        const asked = homeOf(config);
        for (const time of times.sort((a, b) => a - b)) asked.advance(START + time);
        asked.advance(START + duration);
        expect(meterOf(asked).energy).toEqual(meterOf(alone).energy);
      }),
      { numRuns: 20 },
    );
  });

  it('counts what power times time gives, exactly', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(1e6), fc.nat(10 * HOUR), (solar, household, duration) => {
        const home = homeOf(
          {
            units: [
              { unit: 1, scenario: { shape: 'flat', solar_watts: solar / 1, household_watts: household } },
            ],
          },
          START + 123,
        );
        home.advance(START + 123 + duration);
        const meter = meterOf(home);
        const net = BigInt(household - solar) * 1000n * BigInt(duration);
        expect(meter.energy.importMicrojoules).toBe(net > 0n ? net : 0n);
        expect(meter.energy.exportMicrojoules).toBe(net < 0n ? -net : 0n);
        expect(meter.importNkwh).toBe((net > 0n ? net : 0n) / 3600n);
      }),
      { numRuns: 50 },
    );
  });

  it('counts a whole day in a lapsed one, where energy follows the simulated time', () => {
    const constant = { parts: [{ type: 'constant' as const, watts: 1000 }] };
    for (const [energy_time, kwh] of [
      ['simulated', 24n],
      ['real', 0n],
    ] as const) {
      const home = homeOf({ ...lapsed, energy_time, sites: { home: constant } });
      // 240 s in steps that divide neither the day nor a second.
      for (let time = 0; time < 240_000; time += 1237) home.advance(START + time);
      home.advance(START + 240_000);
      expect(meterOf(home).importNkwh / 1_000_000_000n).toBe(kwh);
      if (energy_time === 'simulated') expect(meterOf(home).importNkwh).toBe(24_000_000_000n);
    }
  });

  it('gives what one meter of both directions and two separate ones measure of the same home', () => {
    for (const config of [
      {
        units: (['grid', 'production', 'consumption'] as const).map((role, index) => ({
          unit: index + 1,
          role,
          site: 'home',
        })),
      },
      {
        ...lapsed,
        units: (['grid', 'production', 'consumption'] as const).map((role, index) => ({
          unit: index + 1,
          role,
          site: 'home',
        })),
      },
    ]) {
      const homes = makeSimulation(SimulatorConfig.parse(config), START, '.').homes;
      for (const home of homes) home.advance(START + (config === undefined ? 0 : 24 * HOUR));
      const [both, solar, household] = homes.flatMap(({ meters }) => meters) as [
        VirtualMeter,
        VirtualMeter,
        VirtualMeter,
      ];
      expect(both.energy.importMicrojoules - both.energy.exportMicrojoules).toBe(
        household.energy.importMicrojoules - solar.energy.importMicrojoules,
      );
      expect(both.energy.importMicrojoules).toBeGreaterThan(0n);
      expect(both.energy.exportMicrojoules).toBeGreaterThan(0n);
      expect(solar.energy.exportMicrojoules).toBe(0n);
    }
  });

  it('measures only the parts of its site that it stands before', () => {
    const parts = [
      { type: 'constant' as const, name: 'roof', kind: 'production' as const, watts: 3000 },
      { type: 'constant' as const, name: 'shed', kind: 'production' as const, watts: 1000 },
      { type: 'constant' as const, name: 'house', watts: 500 },
    ];
    const home = homeOf({
      sites: { home: { parts } },
      units: [
        { unit: 1, site: 'home' },
        { unit: 2, site: 'home', role: 'production', of: ['shed'] },
        { unit: 3, site: 'home', role: 'consumption' },
      ],
    });
    home.advance(START + HOUR);
    expect(meterOf(home, 0).exportNkwh).toBe(3_500_000_000n);
    expect(meterOf(home, 1).importNkwh).toBe(1_000_000_000n);
    expect(meterOf(home, 2).importNkwh).toBe(500_000_000n);
  });

  it('counts nothing without supply', () => {
    const home = homeOf({
      units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: 0, household_watts: 3600 } }],
    });
    meterOf(home).switchOff(START + 1500, START + 4250);
    home.advance(START + 10_000);
    // 3600 W are 1 Wh a second.
    expect(meterOf(home).importNkwh).toBe(7_250_000n);
  });

  it('has phases that add up to its total, and powers that fit its currents', () => {
    const home = homeOf({ units: [{ unit: 1 }] });
    home.advance(START + 9 * HOUR);
    const registers = meterOf(home).registers(4);
    const value = (quantity: Parameters<typeof decodeMeasure>[1]) => {
      const address = Number(profile.registers[quantity]?.address);
      return decodeMeasure(profile, quantity, [registers.get(address) ?? 0, registers.get(address + 1) ?? 0]);
    };
    expect(value('power_l1') + value('power_l2') + value('power_l3')).toBeCloseTo(value('power_total'), 1);
    expect(value('voltage_l2') * value('current_l2')).toBeCloseTo(value('apparent_power_l2'), 1);
    expect(value('frequency')).toBeGreaterThan(49.9);
    expect(value('power_factor_total')).toBeGreaterThanOrEqual(-1);
  });

  it('is refused in a role that its profile does not offer', () => {
    const only = structuredClone(profile);
    delete only.roles.grid;
    const { units } = SimulatorConfig.parse({ units: [{ unit: 3 }] });
    expect(() => new VirtualMeter(units[0] as never, parseProfile(only))).toThrowError(
      /cannot be used as grid/,
    );
  });
});

/** The profile with a counter in place of its float. */
function counting(type: 'uint32' | 'int32' | 'uint16' | 'bcd32', more: object = {}) {
  const other = structuredClone(profile);
  for (const quantity of ['energy_import', 'energy_export'] as const) {
    Object.assign(other.registers[quantity] as object, { type, unit: 'kWh', scale: '0.01', ...more });
  }
  return parseProfile(other);
}

describe('an energy register', () => {
  it('shows at most what was counted, one step below at the worst, and never falls', () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 16n });
    const map = new RegisterMap(profile);
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        const shown = (nkwh: bigint) =>
          decodeEnergy(profile, 'energy_export', map.encode('energy_export', nkwh)[0]?.words ?? []);
        expect(shown(a)).toBeLessThanOrEqual(a);
        // A float32 has 24 significant bits.
        expect(a - shown(a)).toBeLessThanOrEqual(a / 2n ** 23n + 1n);
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(shown(low)).toBeLessThanOrEqual(shown(high));
      }),
    );
  });

  it.each([
    ['uint32', counting('uint32'), 2n ** 32n * 10_000_000n],
    ['uint16', counting('uint16'), 2n ** 16n * 10_000_000n],
    ['bcd32', counting('bcd32'), 10n ** 8n * 10_000_000n],
    ['uint32 of six digits', counting('uint32', { rollover_at: '10000' }), 10_000n * 1_000_000_000n],
  ])('of %s starts again from zero where it ends', (_, counter, end) => {
    const map = new RegisterMap(counter);
    const shown = (nkwh: bigint) =>
      decodeEnergy(counter, 'energy_import', map.encode('energy_import', nkwh)[0]?.words ?? []);
    expect(shown(end - 1n)).toBe(end - 10_000_000n);
    expect(shown(end)).toBe(0n);
    expect(shown(end + 25_000_000n)).toBe(20_000_000n);
    const { units } = SimulatorConfig.parse({
      units: [{ unit: 1, registers: { rollover_in_nkwh: '25000000' } }],
    });
    const meter = new VirtualMeter(units[0] as never, counter);
    expect(meter.importNkwh).toBe(end - 25_000_000n);
    expect(meter.shown('export')).toBe(end - 30_000_000n);
  });

  it('of a float has no end to begin before', () => {
    const { units } = SimulatorConfig.parse({ units: [{ unit: 1, registers: { rollover_in_nkwh: '1' } }] });
    expect(() => new VirtualMeter(units[0] as never, profile)).toThrowError(/do not start again/);
  });
});

describe('a measure beyond its register', () => {
  it('stays at the end of the scale', () => {
    const small = structuredClone(profile);
    Object.assign(small.registers.power_total as object, { type: 'int16', scale: '1' });
    const map = new RegisterMap(parseProfile(small));
    const words = (watts: number) => map.encode('power_total', watts)[0]?.words;
    expect(words(1234)).toEqual([1234]);
    expect(words(1e9)).toEqual([0x7fff]);
    expect(words(-1e9)).toEqual([0x8000]);
  });
});
