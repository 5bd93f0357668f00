import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Part, partSchema } from '../site-schema.js';
import { Battery } from './battery.js';
import { normalNoise } from './noise.js';
import {
  electricCarWatts,
  heatPumpWatts,
  residentialWatts,
  solarWatts,
  standardWatts,
  windWatts,
} from './parts.js';
import { ZoneClock } from './place.js';
import { parseReplay } from './replay.js';
import { sunPosition } from './sun.js';
import { clearness, temperature, windSpeed } from './weather.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const zone = new ZoneClock('Europe/Berlin');
function part<T extends Part['type']>(type: T, more: object = {}): Extract<Part, { type: T }> {
  return partSchema.parse({ type, ...more }) as Extract<Part, { type: T }>;
}

describe('local time', () => {
  it('follows summer time to the hour', () => {
    // 29 March 2026, 1:00 UTC: from 2:00 to 3:00.
    const before = zone.local(Date.UTC(2026, 2, 29, 0, 59, 59));
    const after = zone.local(Date.UTC(2026, 2, 29, 1, 0, 0));
    expect([before.hours, after.hours]).toEqual([expect.closeTo(1.9997, 3), 3]);
    expect(zone.local(Date.UTC(2026, 0, 1, 23))).toMatchObject({
      year: 2026,
      month: 1,
      day: 2,
      weekday: 5,
      hours: 0,
    });
    expect(zone.timeOf(2026, 7, 1, 9)).toBe(Date.UTC(2026, 6, 1, 7));
    expect(zone.timeOf(2026, 12, 24, 0.5)).toBe(Date.UTC(2026, 11, 23, 23, 30));
  });
});

describe('a household by the standard load profile', () => {
  it('has the published values', () => {
    // VDEW M-32/99: winter workday, first quarter hour, 67.6 W for 1,000 kWh; summer Sunday at noon 213.7 W.
    const winter = zone.local(Date.UTC(2026, 0, 12, 23, 5));
    const factor = (day: number) =>
      -3.92e-10 * day ** 4 + 3.2e-7 * day ** 3 - 7.02e-5 * day ** 2 + 2.1e-3 * day + 1.24;
    expect(standardWatts(winter)).toBeCloseTo(67.6 * factor(13), 9);
    expect(standardWatts(zone.local(Date.UTC(2026, 6, 5, 10, 5)))).toBeCloseTo(213.7 * factor(186), 9);
    // 24 December 2026 is a Thursday and counts as a Saturday.
    expect(standardWatts(zone.local(Date.UTC(2026, 11, 23, 23, 5)))).toBeCloseTo(70.8 * factor(358), 9);
  });

  it('uses what it is said to use in a year', () => {
    let wattHours = 0;
    const year = Date.UTC(2026, 0, 1) - HOUR;
    for (let time = year; time < year + 365 * DAY; time += HOUR / 4)
      wattHours += standardWatts(zone.local(time)) / 4;
    // The published polynomial is good to a few tenths of a percent.
    expect(wattHours / 1000).toBeGreaterThan(990);
    expect(wattHours / 1000).toBeLessThan(1010);
  });

  it('varies around the profile without changing what it uses', () => {
    const home = part('residential', { kwh_per_year: 4000, variation: 1 });
    let own = 0;
    let mean = 0;
    for (let time = 0; time < 90 * DAY; time += 60_000) {
      const local = zone.local(Date.UTC(2026, 4, 1) + time);
      own += residentialWatts(home, local, 'seed', Date.UTC(2026, 4, 1) + time);
      mean += standardWatts(local) * 4;
    }
    expect(own / mean).toBeGreaterThan(0.95);
    expect(own / mean).toBeLessThan(1.05);
    const calm = part('residential', { kwh_per_year: 1000, variation: 0 });
    const local = zone.local(Date.UTC(2026, 4, 1, 9));
    expect(residentialWatts(calm, local, 'seed', 0)).toBe(standardWatts(local));
  });
});

describe('solar modules', () => {
  const noon = Date.UTC(2026, 5, 21, 11, 8);
  const sun = sunPosition(noon, 52.5, 13.4);
  it('give their peak times the irradiance, less what is lost, up to what the inverter takes', () => {
    const watts = solarWatts(part('solar'), sun, 1, noon);
    expect(watts).toBeGreaterThan(8000 * 0.85 * 0.9);
    expect(watts).toBeLessThan(8000 * 0.85 * 1.15);
    expect(solarWatts(part('solar', { inverter_watts: 5000 }), sun, 1, noon)).toBe(5000);
    expect(solarWatts(part('solar'), sun, 0.25, noon)).toBeLessThan(watts * 0.35);
    expect(solarWatts(part('solar'), { elevation: -3, azimuth: 300 }, 1, noon)).toBe(0);
  });

  it('give most at the time of day that they face', () => {
    const best = (azimuth: number) => {
      const watts = (hour: number) => {
        const time = Date.UTC(2026, 5, 21) + hour * HOUR;
        return solarWatts(
          part('solar', { azimuth_degrees: azimuth, tilt_degrees: 45 }),
          sunPosition(time, 52.5, 13.4),
          1,
          time,
        );
      };
      return Array.from({ length: 96 }, (_, index) => index / 4).reduce((a, b) =>
        watts(b) > watts(a) ? b : a,
      );
    };
    expect(best(90)).toBeLessThan(9.5);
    expect(best(180)).toBeGreaterThan(10.5);
    expect(best(180)).toBeLessThan(11.75);
    expect(best(270)).toBeGreaterThan(12.5);
  });
});

describe('clouds', () => {
  it('are the same for a seed, other for another, and never darker than the thickest', () => {
    const day = (seed: string) =>
      Array.from({ length: 1440 }, (_, minute) => clearness(seed, minute * 60_000, 0.5));
    expect(day('a')).toEqual(day('a'));
    expect(day('a')).not.toEqual(day('b'));
    for (const value of day('a')) {
      expect(value).toBeGreaterThanOrEqual(0.22 - 1e-9);
      expect(value).toBeLessThanOrEqual(1);
    }
  });

  it('cover what they are said to cover in the mean', () => {
    const mean = (cover: number) => {
      let sum = 0;
      for (let hour = 0; hour < 24 * 200; hour++)
        sum += clearness('x', hour * HOUR + (hour % 60) * 60_000, cover);
      return (1 - sum / (24 * 200)) / 0.78;
    };
    expect(mean(0)).toBe(0);
    expect(mean(0.5)).toBeGreaterThan(0.4);
    expect(mean(0.5)).toBeLessThan(0.6);
    expect(mean(0.2)).toBeLessThan(mean(0.5));
    expect(mean(1)).toBeGreaterThan(0.95);
  });
});

describe('wind', () => {
  it('has the mean and the spread of a Weibull distribution of shape 2', () => {
    const speeds = Array.from({ length: 20_000 }, (_, index) => windSpeed('w', index * HOUR, 6, 'none'));
    const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
    expect(mean).toBeGreaterThan(5.7);
    expect(mean).toBeLessThan(6.3);
    // Below the mean: 1 - exp(-pi/4) = 54.4 percent.
    const below = speeds.filter((speed) => speed < 6).length / speeds.length;
    expect(below).toBeGreaterThan(0.51);
    expect(below).toBeLessThan(0.58);
  });

  it('is gustier by its class', () => {
    const spread = (turbulence: 'none' | 'A' | 'B' | 'C') => {
      const speeds = Array.from({ length: 600 }, (_, second) =>
        windSpeed('g', 5 * DAY + second * 1000, 9, turbulence),
      );
      const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
      return Math.sqrt(speeds.reduce((sum, speed) => sum + (speed - mean) ** 2, 0) / speeds.length);
    };
    expect(spread('none')).toBeLessThan(spread('C'));
    expect(spread('C')).toBeLessThan(spread('B'));
    expect(spread('B')).toBeLessThan(spread('A'));
  });

  it('becomes power by the curve', () => {
    const turbine = part('wind', { rated_watts: 3000 });
    expect([0, 3, 11, 24.9, 25, 40].map((speed) => windWatts(turbine, speed))).toEqual([
      0, 0, 3000, 3000, 0, 0,
    ]);
    expect(windWatts(turbine, 7)).toBeCloseTo((3000 * (343 - 27)) / (1331 - 27), 6);
    const table = part('wind', {
      curve: [
        [4, 100],
        [8, 900],
        [12, 1000],
      ],
    });
    expect([3, 4, 6, 12, 20, 26].map((speed) => windWatts(table, speed))).toEqual([
      0, 100, 500, 1000, 1000, 0,
    ]);
  });
});

describe('noise', () => {
  it('has the standard normal distribution also between its points', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => normalNoise('n', index + 0.5));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(variance).toBeGreaterThan(0.95);
    expect(variance).toBeLessThan(1.05);
  });
});

describe('a heat pump', () => {
  it('runs so much of its cycles that heat and loss are equal', () => {
    const pump = part('heat_pump');
    let wattHours = 0;
    for (let time = 0; time < DAY; time += 10_000) wattHours += heatPumpWatts(pump, -5, 's', time) / 360;
    const performance = (0.45 * (35 + 273.15)) / 40;
    const needed = ((180 * 25) / performance) * 24;
    expect(wattHours / needed).toBeGreaterThan(0.97);
    expect(wattHours / needed).toBeLessThan(1.03);
    expect(heatPumpWatts(pump, 16, 's', 0)).toBe(0);
  });

  it('is asked for in winter', () => {
    const climate = { mean_celsius: 9.5, yearly_kelvin: 9.5, daily_kelvin: 4 };
    const mean = (month: number) => {
      let sum = 0;
      for (let hour = 0; hour < 28 * 24; hour++) {
        sum += temperature('t', Date.UTC(2026, month, 1) + hour * HOUR, hour % 24, climate);
      }
      return sum / (28 * 24);
    };
    expect(mean(0)).toBeLessThan(4);
    expect(mean(6)).toBeGreaterThan(15);
  });
});

describe('an electric car', () => {
  it('charges after it came home, and in the mean what it drives', () => {
    const car = part('electric_car');
    let wattHours = 0;
    const days = 200;
    for (let minute = 0; minute < days * 1440; minute++) {
      const local = zone.local(Date.UTC(2026, 3, 1, 10) + minute * 60_000);
      const watts = electricCarWatts(car, local, 'c');
      wattHours += watts / 60;
      if (local.hours > 7 && local.hours < 17) expect(watts).toBe(0);
    }
    expect(wattHours / 1000 / days).toBeGreaterThan(7.2);
    expect(wattHours / 1000 / days).toBeLessThan(8.8);
  });
});

describe('a battery', () => {
  it('takes surplus, gives what lacks, and neither overflows nor invents energy', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -20_000_000, max: 20_000_000 }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.3, max: 1, noNaN: true }),
        (surpluses, efficiency) => {
          const battery = new Battery(part('battery', { capacity_kwh: 2, efficiency, charged: 0.2 }));
          const start = battery.storedMicrojoules;
          let taken = 0;
          let given = 0;
          for (const surplus of surpluses) {
            const power = battery.power(surplus, 60_000);
            expect(Math.abs(power)).toBeLessThanOrEqual(Math.min(5_000_000, Math.abs(surplus)));
            if (power !== 0) expect(Math.sign(power)).toBe(Math.sign(surplus));
            battery.flow(power, 60_000);
            if (power > 0) taken += power * 60_000;
            else given -= power * 60_000;
            expect(battery.charged).toBeGreaterThanOrEqual(0);
            expect(battery.charged).toBeLessThanOrEqual(1);
          }
          expect(given).toBeLessThanOrEqual(taken + start + surpluses.length);
        },
      ),
    );
  });

  it('gives back the efficiency of what it took', () => {
    const battery = new Battery(part('battery', { efficiency: 0.81, charged: 0 }));
    battery.flow(1_000_000, HOUR);
    let given = 0;
    for (;;) {
      const power = -battery.power(-5_000_000, 1000);
      if (power === 0) break;
      battery.flow(-power, 1000);
      given += power * 1000;
    }
    expect(given / (1_000_000 * HOUR)).toBeCloseTo(0.81, 4);
  });
});

describe('measured data', () => {
  const replay = (more: object = {}) => part('replay', { file: 'x.csv', kind: 'consumption', ...more });
  const at = (iso: string) => Date.parse(iso);

  it('hold each power until the next row, and begin again', () => {
    const text = 'time,watts\n2026-01-01T00:00Z,100\n2026-01-01T01:00Z,200.5\n\n';
    const series = parseReplay(text, replay(), 'x.csv');
    expect(
      [0, HOUR - 1, HOUR, 2 * HOUR - 1, 2 * HOUR, 27 * HOUR].map((t) => series.milliwatts(0, t)),
    ).toEqual([100_000, 100_000, 200_500, 200_500, 100_000, 200_500]);
    const once = parseReplay(text, replay({ repeat: false, align: 'time' }), 'x.csv');
    expect(once.milliwatts(at('2026-01-01T01:30:00Z'), 0)).toBe(200_500);
    expect(once.milliwatts(at('2026-01-01T02:00:00Z'), 0)).toBe(0);
    expect(once.milliwatts(at('2025-12-31T23:59:59Z'), 0)).toBe(0);
  });

  it('may be a register, with decimal commas, quoted cells, offsets and more columns', () => {
    const text = [
      '\uFEFF"Zeit";Notiz;"Stand"',
      '2026-01-01 01:00+01:00;"a; ""b""";1000,5',
      '2026-01-01T00:15:00Z;;1001,5',
      '1767227400;;1001,5',
    ].join('\r\n');
    const series = parseReplay(
      text,
      replay({ separator: ';', time_column: 'Zeit', column: 'Stand', unit: 'kWh' }),
      'x.csv',
    );
    // 1 kWh in a quarter of an hour.
    expect(series.milliwatts(0, 0)).toBe(4_000_000);
    expect(series.milliwatts(0, HOUR / 4)).toBe(0);
    expect(series.durationMs).toBe(HOUR / 2);
  });

  it('with faults name each line', () => {
    const message = (text: string, more: object = {}) => {
      try {
        parseReplay(text, replay(more), 'roof.csv');
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
        return (error as Error).message;
      }
      return 'accepted';
    };
    expect(message('zeit,watts\n')).toBe('roof.csv:1: there is no column "time"; there are: zeit, watts');
    expect(
      message('time,watts\n2026-01-01T00:00Z,1\nnever,1\n2026-01-01T00:10Z,x\n2026-01-01T00:20Z,-4\n1,2,3\n'),
    ).toBe(
      [
        'roof.csv:3: "never" is no time (ISO 8601 or Unix seconds)',
        'roof.csv:4: "x" is no number',
        'roof.csv:6: 3 columns, the header has 2',
        'roof.csv:5: -4 is negative; only kind grid has a direction',
      ].join('\n'),
    );
    expect(message('time,watts\n2026-01-01T00:10Z,1\n2026-01-01T00:10Z,1\n')).toBe(
      'roof.csv:3: the time does not rise (line 2 is not earlier)',
    );
    expect(message('time,watts\n2026-01-01T00:10Z,9\n2026-01-01T00:20Z,8\n', { unit: 'kWh' })).toBe(
      'roof.csv:3: the register falls from 9 to 8 kWh',
    );
    expect(message('time,watts\n2026-01-01T00:10Z,1\n')).toBe('roof.csv:3: at least two rows are needed');
    expect(message('time,watts\n2026-01-01T00:10Z,2000\n2026-01-01T00:20Z,8\n', { unit: 'kW' })).toMatch(
      /roof.csv:2: 2000000 W is above/,
    );
  });
});
