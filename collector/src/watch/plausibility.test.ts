import { GtxError, noticeOf } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Finding, judgeDay, judgeReading, type Production } from './plausibility.js';
import { parseSites } from './sites.js';
import { highestSun, sunElevation } from './sun.js';

const at = (text: string) => Date.parse(text) / 1000;
const HOUR = 3600;
const unixTime = fc.integer({ min: at('2020-01-01'), max: at('2049-12-31') });
const latitude = fc.double({ min: -89, max: 89, noNaN: true });
const longitude = fc.double({ min: -180, max: 180, noNaN: true });

describe('the height of the sun', () => {
  it('is that of published examples', () => {
    // I. Reda, A. Andreas, Solar Position Algorithm, NREL/TP-560-34302, table A5.1: zenith 50.11162 degrees, seen from the
    // ground; 17 October 2003, 12:30:30 in Denver's zone (UTC-7).
    expect(sunElevation(at('2003-10-17T19:30:30Z'), 39.742476, -105.1786)).toBeCloseTo(90 - 50.11, 0);
    // At the equinox's noon overhead on the equator, on the horizon at the pole.
    expect(sunElevation(at('2026-03-20T12:07:00Z'), 0, 0)).toBeGreaterThan(89);
    expect(Math.abs(sunElevation(at('2026-03-20T12:00:00Z'), 89.9, 0))).toBeLessThan(0.5);
    // The poles' day and night.
    expect(highestSun(at('2026-12-20'), at('2026-12-23'), 80, 20)).toBeLessThan(0);
    expect(sunElevation(at('2026-06-21T00:00:00Z'), 80, 0)).toBeGreaterThan(10);
  });

  it('is never beyond straight up, and opposite on the other side of the earth', () => {
    fc.assert(
      fc.property(unixTime, latitude, longitude, (time, lat, lon) => {
        const here = sunElevation(time, lat, lon);
        const there = sunElevation(time, -lat, lon > 0 ? lon - 180 : lon + 180);
        expect(Math.abs(here)).toBeLessThanOrEqual(90);
        expect(here + there).toBeCloseTo(0, 6);
      }),
    );
  });

  it('of an interval is at least that of any moment in it', () => {
    fc.assert(
      fc.property(
        unixTime,
        fc.integer({ min: 60, max: 12 * HOUR }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        latitude,
        longitude,
        (start, seconds, part, lat, lon) => {
          const highest = highestSun(start, start + seconds, lat, lon);
          // The sun moves 15 degrees an hour at most: 1.25 between two looks.
          expect(highest).toBeGreaterThanOrEqual(sunElevation(start + part * seconds, lat, lon) - 1.3);
        },
      ),
    );
  });
});

const NIGHT = at('2026-01-15T23:00:00Z');
const NOON = at('2026-06-15T12:00:00Z');
const berlin = { kind: 'solar' as const, latitude: 52.5, longitude: 13.4, installedWatts: undefined };

/** Production of a meter rated 10 kW with this mean power. */
function production(watts: number, start: number, extra: Partial<Production> = {}): Production {
  const end = extra.end ?? start + 900;
  return {
    meterId: 'MTR-001',
    sequence: 7n,
    start,
    end,
    producedNkwh: BigInt(Math.round((watts * (end - start)) / 0.0036)),
    ratedWatts: 10_000,
    site: undefined,
    ...extra,
  };
}
const rules = (...args: Parameters<typeof judgeReading>) => judgeReading(...args).map(told);

/** The rule that a finding tells of: by its facts alone, from which others make a sentence. */
function told({ rule, meterId, details }: Finding): string {
  const notice = noticeOf('implausible_production', { ...details, meter_id: meterId });
  expect(notice?.name).toBe(`implausible_production.${rule}`);
  return rule;
}

describe('a reading', () => {
  it('above the rated power is told of, with some tolerance, and not where that is unknown', () => {
    expect(rules(production(10_950, NOON), undefined, 5)).toEqual([]);
    expect(rules(production(11_010, NOON), undefined, 5)).toEqual(['above_rated']);
    expect(rules(production(50_000, NOON, { ratedWatts: 0 }), undefined, 5)).toEqual([]);
  });

  it('of solar modules at night is told of where the place is known', () => {
    expect(judgeReading(production(300, NIGHT, { site: berlin }), undefined, 5)).toMatchObject([
      {
        rule: 'sun_below_horizon',
        meterId: 'MTR-001',
        details: { sequence: 7n, mean_watts: 300, highest_sun_degrees: expect.any(Number) },
      },
    ]);
    // The same moment on the other side, by day, and what inverters do at night.
    expect(rules(production(300, NIGHT, { site: { ...berlin, longitude: -166 } }), undefined, 5)).toEqual([]);
    expect(rules(production(300, NOON, { site: berlin }), undefined, 5)).toEqual([]);
    expect(rules(production(90, NIGHT, { site: berlin }), undefined, 5)).toEqual([]);
    // A gap of a day holds a day.
    expect(rules(production(300, NIGHT, { site: berlin, end: NIGHT + 20 * HOUR }), undefined, 5)).toEqual([]);
    for (const kind of ['wind', 'hydro', 'battery', 'other'] as const) {
      expect(
        rules(production(300, NIGHT, { site: { ...berlin, kind } }), { measured: 50, silent: 50 }, 5),
      ).toEqual([]);
    }
  });

  it('is never told of by the sun while the sun is up', () => {
    fc.assert(
      fc.property(
        unixTime,
        latitude,
        longitude,
        fc.integer({ min: 1, max: 10_000 }),
        (start, lat, lon, watts) => {
          const site = { ...berlin, latitude: lat, longitude: lon };
          const found = rules(production(watts, start, { site }), undefined, 5);
          if (highestSun(start, start + 900, lat, lon) >= 0) expect(found).toEqual([]);
        },
      ),
    );
  });

  it('of which no place is known is told of where nearly all neighbours produce nothing', () => {
    const loud = production(2_000, NIGHT);
    expect(rules(loud, { measured: 20, silent: 18 }, 8)).toEqual(['neighbours_silent']);
    expect(rules(loud, { measured: 20, silent: 17 }, 8)).toEqual([]);
    expect(rules(loud, { measured: 7, silent: 7 }, 8)).toEqual([]);
    expect(rules(production(400, NIGHT), { measured: 20, silent: 20 }, 8)).toEqual([]);
    expect(rules(loud, undefined, 8)).toEqual([]);
  });

  it('without production is never told of', () => {
    expect(judgeReading(production(0, NIGHT, { site: berlin }), { measured: 9, silent: 9 }, 5)).toEqual([]);
    expect(judgeReading(production(0, NIGHT, { end: NIGHT }), { measured: 9, silent: 9 }, 5)).toEqual([]);
  });
});

/** A day of a meter rated 1 kW with this yield in kWh. */
const day = (kwh: number, meterId: string, extra: Partial<Production> = {}): Production => ({
  ...production(0, NIGHT, { end: NIGHT + 24 * HOUR }),
  meterId,
  producedNkwh: BigInt(Math.round(kwh * 1e9)),
  ratedWatts: 1_000,
  ...extra,
});

describe('a day', () => {
  it('far above the neighbours is told of, whoever is above', () => {
    fc.assert(
      fc.property(
        // Neighbours of 2 and of 5 in halves differ so much that their limit is 31; with 4 it is 21.8 at most.
        fc.array(fc.double({ min: 2, max: 4, noNaN: true }), { minLength: 8, maxLength: 60 }),
        fc.double({ min: 24, max: 60, noNaN: true }),
        fc.nat(),
        (others, own, place) => {
          const days = others.map((kwh, index) => day(kwh, `n-${index}`));
          days.splice(place % (days.length + 1), 0, day(own, 'cheat'));
          expect(judgeDay(days, 8).map(({ meterId }) => meterId)).toEqual(['cheat']);
        },
      ),
      { examples: [[[2, 2, 2, 2, 4, 4, 4, 4], 24, 0]] },
    );
  });

  it('is not told of for what roofs, clouds and seasons do', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 8, noNaN: true }),
        fc.array(fc.double({ min: 0.42, max: 1.2, noNaN: true }), { minLength: 5, maxLength: 80 }),
        (weather, roofs) => {
          const days = roofs.map((roof, index) => day(weather * roof, `n-${index}`));
          expect(judgeDay(days, 5)).toEqual([]);
        },
      ),
    );
  });

  it('is not told of where the neighbours themselves differ as much', () => {
    const days = [0.3, 0.5, 0.8, 1, 1, 3, 4, 4.5, 5].map((kwh, index) => day(kwh, `n-${index}`));
    expect(judgeDay(days, 8)).toEqual([]);
    expect(judgeDay([...days, day(20, 'cheat')], 8).map(told)).toEqual(['above_neighbours']);
  });

  it('does not depend on the order, nor on the size of the meters', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 30, noNaN: true }), { minLength: 0, maxLength: 30 }),
        fc.integer({ min: 1, max: 1000 }),
        (yields, size) => {
          const days = yields.map((kwh, index) => day(kwh, `n-${index}`));
          const big = days.map((one) => ({
            ...one,
            producedNkwh: one.producedNkwh * BigInt(size),
            ratedWatts: one.ratedWatts * size,
          }));
          const told = (list: Production[]) =>
            judgeDay(list, 5)
              .map(({ meterId }) => meterId)
              .toSorted();
          expect(told(days.toReversed())).toEqual(told(days));
          expect(told(big)).toEqual(told(days));
        },
      ),
    );
  });

  it('is not compared with too few, nor with what no sun feeds', () => {
    const days = Array.from({ length: 8 }, (_, index) => day(3, `n-${index}`));
    expect(judgeDay([...days.slice(1), day(40, 'cheat')], 8)).toEqual([]);
    expect(judgeDay([...days, day(40, 'cheat')], 8)).toHaveLength(1);
    expect(judgeDay([...days, day(40, 'mill', { site: { ...berlin, kind: 'wind' } })], 8)).toEqual([]);
    // Installed power counts before rated power.
    expect(judgeDay([...days, day(40, 'big', { site: { ...berlin, installedWatts: 20_000 } })], 8)).toEqual(
      [],
    );
  });
});

describe('a sites file', () => {
  it('says where meters are', () => {
    const sites = parseSites(
      '{"meters":{"MTR-001":{"latitude":52.5,"longitude":13.4,"installed_watts":8000},"MTR-002":{"kind":"wind"}}}',
    );
    expect(sites.get('MTR-001')).toEqual({ ...berlin, installedWatts: 8000 });
    expect(sites.get('MTR-002')).toMatchObject({ kind: 'wind', latitude: undefined });
  });

  it.each([
    ['{', 'not valid JSON'],
    ['[]', 'object'],
    ['{"meters":{"MTR-001":{"latitude":91,"longitude":0}}}', 'meters.MTR-001.latitude'],
    ['{"meters":{"MTR-001":{"latitude":9}}}', 'go together'],
    ['{"meters":{"MTR-001":{"altitude":9}}}', 'altitude'],
    ['{"meters":{"":{}}}', 'Invalid key'],
  ])('that is wrong is refused with its fault: %s', (text, fault) => {
    const refused = () => parseSites(text);
    expect(refused).toThrow(GtxError);
    expect(refused).toThrow(fault);
  });
});
