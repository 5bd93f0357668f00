import { isSilent, judgeDay, judgeReading, type Production, powerShare } from '@gridtokenx/collector';
import { parseScenario, simulateDay } from '@gridtokenx/simulator';
import { expect, test } from 'vitest';

/* What the simulator's homes produce is plausible: pure functions of both, no process is started. */

const LEAST_NEIGHBOURS = 8;
const INTERVAL_SECONDS = 900;
const POINT_SECONDS = 300;
const PLACE = { latitude: 52.5, longitude: 13.4 };

/** Two dozen roofs of one town, to every side of the sky, each under its own clouds. */
const ROOFS = Array.from({ length: 24 }, (_, index) => ({
  name: `roof${index}`,
  azimuth: (index * 45) % 360,
  tilt: 15 + (index % 4) * 15,
  peak: 3_000 + (index % 7) * 1_500,
}));
const scenario = (cover: number) =>
  parseScenario(
    JSON.stringify({
      seed: `plausible-${cover}`,
      place: { ...PLACE, timezone: 'Europe/Berlin' },
      sites: Object.fromEntries(
        ROOFS.map(({ name, azimuth, tilt, peak }) => [
          name,
          {
            weather: { cloud_cover: cover },
            parts: [
              { type: 'solar', azimuth_degrees: azimuth, tilt_degrees: tilt, peak_watts: peak },
              { type: 'residential' },
            ],
          },
        ]),
      ),
      units: ROOFS.map(({ name }, index) => ({ unit: index + 1, site: name })),
    }),
    'town.json',
  );

/** A home of the simple day, in the size of its scenario. */
const SIMPLE = parseScenario(
  JSON.stringify({
    seed: 'simple',
    place: { ...PLACE, timezone: 'Europe/Berlin' },
    units: ROOFS.map(({ peak }, index) => ({ unit: index + 1, scenario: { solar_watts: peak } })),
  }),
  'simple.json',
);

/** The day's production of each home in intervals, and in whole. */
function produced(
  config: ReturnType<typeof scenario>,
  sites: readonly string[],
  date: string,
  site: Production['site'],
): { intervals: Production[][]; days: Production[] } {
  const homes = sites.map((name, index) => {
    const day = simulateDay(config, '.', { site: name, date, nowMs: 0 });
    const begin = Date.parse(`${date}T00:00:00+0${date.slice(5, 7) === '06' ? 2 : 1}:00`) / 1000;
    const meter = {
      meterId: name,
      ratedWatts: Math.ceil(((ROOFS[index]?.peak ?? 0) * 1.25) / 1000) * 1000,
      site,
    };
    const energy = (watts: number) => BigInt(Math.round((watts * POINT_SECONDS) / 0.0036));
    const step = INTERVAL_SECONDS / POINT_SECONDS;
    const intervals: Production[] = [];
    for (let point = 0; point < day.points.length; point += step) {
      intervals.push({
        ...meter,
        sequence: BigInt(point / step + 1),
        start: begin + point * POINT_SECONDS,
        end: begin + (point + step) * POINT_SECONDS,
        producedNkwh: day.points
          .slice(point, point + step)
          .reduce((sum, { productionWatts }) => sum + energy(productionWatts), 0n),
      });
    }
    const whole: Production = {
      ...meter,
      sequence: 96n,
      start: begin,
      end: begin + day.points.length * POINT_SECONDS,
      producedNkwh: intervals.reduce((sum, { producedNkwh }) => sum + producedNkwh, 0n),
    };
    return { intervals, whole };
  });
  const count = homes[0]?.intervals.length ?? 0;
  return {
    intervals: Array.from({ length: count }, (_, index) =>
      homes.map(({ intervals }) => intervals[index] as Production),
    ),
    days: homes.map(({ whole }) => whole),
  };
}

/** Judges a town's day as the watch does. */
function findings({ intervals, days }: ReturnType<typeof produced>): string[] {
  const found = intervals.flatMap((interval) => {
    const silent = interval.filter((one) => isSilent(powerShare(one) ?? 0));
    return interval.flatMap((one) => {
      const others = {
        measured: interval.length - 1,
        silent: silent.filter((other) => other !== one).length,
      };
      return judgeReading(one, others, LEAST_NEIGHBOURS);
    });
  });
  return [...found, ...judgeDay(days, LEAST_NEIGHBOURS)].map(({ rule, meterId }) => `${meterId} ${rule}`);
}

const solar = { kind: 'solar' as const, ...PLACE, installedWatts: undefined };
const CASES = ['2026-06-21', '2026-03-21', '2026-12-21'].flatMap((date) =>
  [0, 0.5, 0.95].flatMap((cover) => [undefined, solar].map((site) => ({ date, cover, site }))),
);

test.each(CASES)('a town on $date under a cover of $cover is plausible', ({ date, cover, site }) => {
  const names = ROOFS.map(({ name }) => name);
  const town = produced(scenario(cover), names, date, site);
  expect(town.days.some(({ producedNkwh }) => producedNkwh > 1_000_000_000n)).toBe(true);
  expect(findings(town)).toEqual([]);
});

test('so are the simple homes, whose sun shines from six to six', () => {
  const names = ROOFS.map((_, index) => `unit-${index + 1}`);
  expect(findings(produced(SIMPLE, names, '2026-06-21', undefined))).toEqual([]);
});

test('a home that adds at night, and one that gives four times its sun, are found', () => {
  const names = ROOFS.map(({ name }) => name);
  const { intervals, days } = produced(scenario(0.5), names, '2026-06-21', undefined);
  const night = intervals[4]?.[0] as Production;
  intervals[4] = [{ ...night, producedNkwh: 500_000_000n }, ...(intervals[4]?.slice(1) ?? [])];
  const cheat = days[7] as Production;
  days[7] = { ...cheat, producedNkwh: cheat.producedNkwh * 8n };
  expect(findings({ intervals, days })).toEqual(['roof0 neighbours_silent', 'roof7 above_neighbours']);
});
