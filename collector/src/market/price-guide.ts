import { BASE_UNITS_PER_GRID } from '@gridtokenx/chain';
import { z } from 'zod';

/*
 * The price guide: what energy is about worth now, for people who make orders. docs/market.md explains the formula.
 */

const WHOLE = 10_000;
const MINUTES_PER_DAY = 1_440;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const clockTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'HH:MM, 00:00 to 24:00')
  .describe('Local time, HH:MM');

const timeZone = z.string().refine(
  (zone) => {
    try {
      new Intl.DateTimeFormat('en-US', { timeZone: zone });
      return true;
    } catch {
      return false;
    }
  },
  { message: 'a time zone of the IANA database, as Asia/Bangkok' },
);

/** What energy is worth at different times of the day, as a share of the usual price in hundredths of a percent. */
export const Tariff = z
  .object({
    time_zone: timeZone.default('UTC').describe('IANA time zone of the times'),
    default_bps: z.int().min(1).max(50_000).default(WHOLE).describe('When no period applies'),
    periods: z
      .array(
        z.object({
          from: clockTime,
          to: clockTime.describe('Up to this time; earlier than `from`: on the next day'),
          days: z
            .array(z.enum(WEEKDAYS))
            .min(1)
            .optional()
            .describe('Days on which the period begins; every day unless given'),
          bps: z.int().min(1).max(50_000),
        }),
      )
      .max(48)
      .default([]),
  })
  .superRefine((tariff, context) => {
    const taken = new Map<number, number>();
    tariff.periods.forEach((period, index) => {
      for (const minute of minutesOf(period)) {
        const other = taken.get(minute);
        if (other !== undefined && other !== index) {
          context.addIssue({
            code: 'custom',
            path: ['periods', index],
            message: `overlaps period ${other}`,
          });
          return;
        }
        taken.set(minute, index);
      }
    });
  });
export type Tariff = z.infer<typeof Tariff>;

/** How the guide follows supply and demand. */
export const PriceGuideSettings = z
  .object({
    sensitivity_bps: z
      .int()
      .min(0)
      .max(WHOLE)
      .default(3_000)
      .describe('How far a wholly one-sided market moves the price'),
    liquidity_nkwh: z.coerce
      .bigint()
      .min(1n)
      .default(10n * BASE_UNITS_PER_GRID)
      .describe('Supply and demand of an interval far below this move the price little'),
    min_bps: z
      .int()
      .min(1)
      .max(WHOLE)
      .default(5_000)
      .describe("Lowest guide, as a share of the oracle's price"),
    max_bps: z
      .int()
      .min(WHOLE)
      .max(100_000)
      .default(20_000)
      .describe("Highest guide, as a share of the oracle's price"),
    intervals: z.int().min(1).max(96).default(4).describe('Intervals that count; the newest counts most'),
    readings_bps: z
      .int()
      .min(0)
      .max(WHOLE)
      .default(2_500)
      .describe('Share with which measured surplus and consumption count beside orders'),
    feed: z
      .string()
      .default('GRX/GRID')
      .describe('Symbol of the price feed, for markets without a feed of their own'),
    tariff: Tariff.prefault({}),
  })
  .describe('Shares in hundredths of a percent');
export type PriceGuideSettings = z.infer<typeof PriceGuideSettings>;
/** What of them the formula needs. */
export type PriceFormula = Omit<PriceGuideSettings, 'intervals' | 'readings_bps' | 'feed'>;

/** What was offered and wanted in one interval, in nkWh. */
export interface IntervalVolume {
  supply: bigint;
  demand: bigint;
}

export interface PriceGuideInput {
  /** The feed's price (GRX base units for 1 GRID), and until when it counts (Unix seconds). */
  oracle: { price: bigint; freshUntil: number };
  /** Unix seconds. */
  now: number;
  /** The last intervals, the oldest first. */
  intervals: readonly IntervalVolume[];
  /** The market's tick: GRX base units for 1 GRID. */
  tickSize: bigint;
}

export interface PriceGuide {
  /** GRX base units for 1 GRID, a multiple of the tick. */
  price: bigint;
  oraclePrice: bigint;
  /** Weighted supply and demand of the intervals in nkWh: the newest counts most. */
  supply: bigint;
  demand: bigint;
  /** From -10,000 (nobody buys) to 10,000 (nobody sells), rounded towards 0: to be shown, the price is exact. */
  imbalanceBps: number;
  tariffBps: number;
  /** Which bound holds the price. */
  bound: 'min' | 'max' | undefined;
}

/**
 * The price guide: oracle price x (1 + sensitivity x imbalance) x tariff, within bounds, down to a tick.
 *
 * It never falls when the oracle's price, demand or the tariff rises, and never rises with supply.
 *
 * @returns undefined when the oracle's price no longer counts: an old price is worse than none
 * @throws RangeError for negative volumes, an oracle price or tick that is not above zero
 */
export function priceGuide(input: PriceGuideInput, settings: PriceFormula): PriceGuide | undefined {
  const { oracle, now, intervals, tickSize } = input;
  if (oracle.price <= 0n || tickSize <= 0n) throw new RangeError('oracle price and tick are above zero');
  if (now > oracle.freshUntil) return undefined;
  let [supply, demand, weights] = [0n, 0n, 0n];
  intervals.forEach((interval, index) => {
    if (interval.supply < 0n || interval.demand < 0n) throw new RangeError('volumes are not negative');
    const weight = BigInt(index + 1);
    supply += weight * interval.supply;
    demand += weight * interval.demand;
    weights += weight;
  });
  const volume = supply + demand + settings.liquidity_nkwh * (weights === 0n ? 1n : weights);
  const whole = BigInt(WHOLE);
  const tariffBps = tariffAt(settings.tariff, now);
  // One division, at the end: what is rounded in between could make the price fall where it should rise.
  const free =
    (oracle.price *
      (whole * volume + BigInt(settings.sensitivity_bps) * (demand - supply)) *
      BigInt(tariffBps)) /
    (whole * whole * volume);
  const lowest = (oracle.price * BigInt(settings.min_bps)) / whole;
  const highest = (oracle.price * BigInt(settings.max_bps)) / whole;
  const bound = free < lowest ? 'min' : free > highest ? 'max' : undefined;
  const bounded = bound === 'min' ? lowest : bound === 'max' ? highest : free;
  const ticks = bounded / tickSize;
  return {
    price: (ticks === 0n ? 1n : ticks) * tickSize,
    oraclePrice: oracle.price,
    supply,
    demand,
    imbalanceBps: Number((whole * (demand - supply)) / volume),
    tariffBps,
    bound,
  };
}

/** The tariff's share at a time (Unix seconds), in hundredths of a percent. */
export function tariffAt(tariff: Tariff, now: number): number {
  if (tariff.periods.length === 0) return tariff.default_bps;
  const minute = minuteOfWeek(tariff.time_zone, now);
  return tariff.periods.find((period) => minutesOf(period).includes(minute))?.bps ?? tariff.default_bps;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Minutes since Sunday 00:00 by the clock on the wall, summer time included. */
function minuteOfWeek(zone: string, now: number): number {
  let formatter = formatters.get(zone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formatters.set(zone, formatter);
  }
  const parts = new Map(formatter.formatToParts(now * 1000).map(({ type, value }) => [type, value]));
  const day = WEEKDAYS.map(String).indexOf(parts.get('weekday')?.toLowerCase() ?? '');
  return day * MINUTES_PER_DAY + Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
}

/** The minutes of the week in which a period applies. */
function minutesOf({
  from,
  to,
  days,
}: {
  from: string;
  to: string;
  days?: (typeof WEEKDAYS)[number][] | undefined;
}): number[] {
  const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
  const start = minutes(from);
  const end = minutes(to);
  const length = end > start ? end - start : end - start + MINUTES_PER_DAY;
  const week = WEEKDAYS.length * MINUTES_PER_DAY;
  return (days ?? WEEKDAYS).flatMap((day) => {
    const first = WEEKDAYS.indexOf(day) * MINUTES_PER_DAY + start;
    return Array.from({ length }, (_, offset) => (first + offset) % week);
  });
}
