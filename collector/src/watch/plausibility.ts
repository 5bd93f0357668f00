import type { Nkwh } from '@gridtokenx/protocol';
import type { Site } from './sites.js';
import { highestSun } from './sun.js';

/** What makes production implausible. The words are part of reviews' names: they stay. */
export type PlausibilityRule = 'above_rated' | 'sun_below_horizon' | 'neighbours_silent' | 'above_neighbours';

export interface Finding {
  readonly rule: PlausibilityRule;
  readonly meterId: string;
  /** What it says, as a sentence. */
  readonly reason: string;
  readonly producedNkwh: Nkwh;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Production between two readings of a meter. */
export interface Production {
  readonly meterId: string;
  readonly sequence: bigint;
  /** Unix seconds. */
  readonly start: number;
  readonly end: number;
  readonly producedNkwh: Nkwh;
  /** Largest power that can flow through the meter; 0 when it is not known. */
  readonly ratedWatts: number;
  readonly site: Site | undefined;
}

/** How many of a meter's neighbours were measured in the same interval, and how many of them produced nothing. */
export interface Neighbours {
  readonly measured: number;
  readonly silent: number;
}

/** The chain allows readings this much above the rated power: clocks and meters are not exact. */
const RATED_TOLERANCE = 1.1;
/** The sun is well down: mountains, refraction and the edges of the interval make no difference. */
const NIGHT_DEGREES = -3;
/** What inverters take and give by themselves at night is no production: share of the rated power. */
const STANDBY_SHARE = 0.01;
/** Production below this share of the rated power is none, and above the other one it is some. */
const SILENT_SHARE = 0.005;
const LOUD_SHARE = 0.05;
/** So many of the neighbours have to be silent. */
const SILENT_NEIGHBOURS = 0.9;
/** A day's production this far above the neighbours': times their median, and times their own spread. */
const ABOVE_MEDIAN = 4;
const ABOVE_SPREAD = 6;
/** Scaled to the standard deviation of a normal distribution (Hampel, JASA 69, 1974). */
const MAD_SCALE = 1.4826;
/** A day below it is judged by nobody: kWh for each kW. */
const LEAST_DAY_HOURS = 1;

/** What a meter's power is compared with: what is installed, else what can flow through the meter. Watts; 0: unknown. */
export function scaleWatts({ site, ratedWatts }: Pick<Production, 'site' | 'ratedWatts'>): number {
  return site?.installedWatts ?? ratedWatts;
}

/** Mean power as a share of the scale; undefined where there is none. */
export function powerShare(production: Production): number | undefined {
  const scale = scaleWatts(production);
  const seconds = production.end - production.start;
  if (scale <= 0 || seconds <= 0) return undefined;
  // 1 nkWh = 3.6 mJ.
  return (Number(production.producedNkwh) * 0.0036) / seconds / scale;
}

/** Whether it is compared with its neighbours: the sun shines for all of them, the wind does not. */
export function isSolar(site: Site | undefined): boolean {
  return site === undefined || site.kind === 'solar';
}

export function isSilent(share: number): boolean {
  return share < SILENT_SHARE;
}

/** Whether this production would have to be explained if nobody around produced. */
export function isLoud(production: Production): boolean {
  return (powerShare(production) ?? 0) > LOUD_SHARE;
}

/**
 * Judges one reading.
 * @param neighbours of the same interval without the meter itself; undefined where it is not compared
 * @param least neighbours that it takes
 */
export function judgeReading(
  production: Production,
  neighbours: Neighbours | undefined,
  least: number,
): Finding[] {
  const { meterId, sequence, start, end, producedNkwh, ratedWatts, site } = production;
  const share = powerShare(production);
  if (share === undefined || producedNkwh <= 0n) return [];
  const watts = Math.round(share * scaleWatts(production));
  const findings: Finding[] = [];
  const found = (rule: PlausibilityRule, reason: string, details: Record<string, unknown> = {}) =>
    findings.push({
      rule,
      meterId,
      reason,
      producedNkwh,
      details: { rule, sequence, interval_start: start, interval_end: end, mean_watts: watts, ...details },
    });

  if (ratedWatts > 0 && watts > ratedWatts * RATED_TOLERANCE) {
    found('above_rated', `meter ${meterId} produced ${watts} W on average and is rated ${ratedWatts} W`, {
      rated_watts: ratedWatts,
    });
  }
  if (site?.kind === 'solar' && site.latitude !== undefined && site.longitude !== undefined) {
    const highest = highestSun(start, end, site.latitude, site.longitude);
    if (highest < NIGHT_DEGREES && share > STANDBY_SHARE) {
      found(
        'sun_below_horizon',
        `meter ${meterId} has only solar modules and produced ${watts} W on average at night`,
        { highest_sun_degrees: Math.round(highest * 10) / 10 },
      );
    }
  } else if (neighbours !== undefined && isSolar(site) && share > LOUD_SHARE) {
    const { measured, silent } = neighbours;
    if (measured >= least && silent >= measured * SILENT_NEIGHBOURS) {
      found(
        'neighbours_silent',
        `meter ${meterId} produced ${watts} W on average while ${silent} of ${measured} neighbours produced nothing`,
        { neighbours: measured, silent },
      );
    }
  }
  return findings;
}

/**
 * Judges a day's production of meters that are neighbours. Days and not shorter times: in the morning a roof to the east
 * gives many times what one to the west gives, and a cloud is over one house and not the next; over a day they differ by
 * little.
 * @param least neighbours that it takes
 */
export function judgeDay(days: readonly Production[], least: number): Finding[] {
  const hours = days
    .filter(({ site }) => isSolar(site))
    .map((day) => ({ day, hours: ((powerShare(day) ?? -1) * (day.end - day.start)) / 3600 }))
    .filter((entry) => entry.hours >= 0)
    .toSorted((a, b) => a.hours - b.hours);
  // A meter and its neighbours: one of them more than it takes.
  if (hours.length <= least) return [];
  const sorted = hours.map((entry) => entry.hours);
  const middle = median(sorted);
  const spread =
    MAD_SCALE * median(sorted.map((value) => Math.abs(value - middle)).toSorted((a, b) => a - b));
  const limit = Math.max(LEAST_DAY_HOURS, middle * ABOVE_MEDIAN, middle + spread * ABOVE_SPREAD);
  return hours
    .filter((entry) => entry.hours > limit)
    .map(({ day, hours: own }) => ({
      rule: 'above_neighbours',
      meterId: day.meterId,
      reason: `meter ${day.meterId} produced ${own.toFixed(1)} kWh for each kW in a day, and its ${hours.length - 1} neighbours ${middle.toFixed(1)}`,
      producedNkwh: day.producedNkwh,
      details: {
        rule: 'above_neighbours',
        day_end: day.end,
        neighbours: hours.length - 1,
        own_kwh_per_kw: round(own),
        median_kwh_per_kw: round(middle),
        limit_kwh_per_kw: round(limit),
      },
    }));
}

/** Of values in rising order. */
function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
