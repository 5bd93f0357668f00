import type { EnergyBucket, Overview } from './types.js';

export const PERIODS = ['day', 'week', 'month'] as const;
export type Period = (typeof PERIODS)[number];

/** How finely each period is drawn; the collector adds up. */
export const STEPS = { day: 'quarter', week: 'hour', month: 'day' } as const satisfies Record<Period, string>;

export interface Bounds {
  readonly from: Date;
  readonly to: Date;
}

/**
 * The local midnights that a period around a day begins and ends with. Weeks begin on Monday. Each is made from its own date:
 * where the clocks go forward at midnight a day begins at one, and the days after it at midnight again.
 */
export function boundsOf(period: Period, day: Date): Bounds {
  const [year, month, date] = [day.getFullYear(), day.getMonth(), day.getDate()];
  const monday = date - ((day.getDay() + 6) % 7);
  switch (period) {
    case 'day':
      return { from: new Date(year, month, date), to: new Date(year, month, date + 1) };
    case 'week':
      return { from: new Date(year, month, monday), to: new Date(year, month, monday + 7) };
    case 'month':
      return { from: new Date(year, month, 1), to: new Date(year, month + 1, 1) };
  }
}

/** The same weekday or date one period on or back; a date that a month lacks is its last. */
export function step(period: Period, day: Date, by: 1 | -1): Date {
  const next = new Date(day.getFullYear(), day.getMonth(), day.getDate());
  if (period === 'day') next.setDate(next.getDate() + by);
  if (period === 'week') next.setDate(next.getDate() + 7 * by);
  if (period === 'month') {
    const date = next.getDate();
    next.setDate(1);
    next.setMonth(next.getMonth() + by);
    const last = new Date(next.getFullYear(), next.getMonth() + 1, 0).getDate();
    next.setDate(Math.min(date, last));
  }
  return next;
}

/**
 * The day that is looked at one period on or back from another.
 * @returns undefined: today's period is come to, which is followed past midnight
 */
export function turned(period: Period, day: Date, by: 1 | -1, now: Date): Date | undefined {
  const next = step(period, day, by);
  const { from, to } = boundsOf(period, next);
  return from <= now && now < to ? undefined : next;
}

/** A time as the interface takes it: ISO 8601 with whole seconds. */
export const iso = (date: Date): string => date.toISOString().replace(/\.\d+/, '');

const SECOND_MS = 1000;

/**
 * A period as readings and their table are asked for: they are taken by the end of their interval, from a time on and before
 * another. One that ends at midnight is energy of the day that ends there.
 */
export const endsWithin = ({ from, to }: Bounds): { from: string; to: string } => ({
  from: iso(new Date(from.getTime() + SECOND_MS)),
  to: iso(new Date(to.getTime() + SECOND_MS)),
});

/** The local date, `2026-11-23`. */
export const localDate = (day: Date): string =>
  [day.getFullYear(), day.getMonth() + 1, day.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-');

const unix = (text: string): number => Math.floor(Date.parse(text) / 1000);

/** Columns of a chart, for drawing only: floats. A value holds from its time to the next one; `null` is a gap. */
export interface Columns {
  readonly times: number[];
  readonly produced: (number | null)[];
  readonly consumed: (number | null)[];
  readonly surplus: (number | null)[];
}

const HOUR_SECONDS = 3600;
const QUARTER_SECONDS = 900;

/** Energy per bucket as steps: kWh in each. */
export function columns(buckets: readonly EnergyBucket[]): Columns {
  return steps(filled(buckets, ({ kwh }) => kwh));
}

/**
 * Quarters of an hour as steps of their mean power in kW. A quarter under way has only some of its readings: until it is over,
 * power now stands for it.
 */
export function powerCurve(
  buckets: readonly EnergyBucket[],
  { time, power }: Pick<Overview, 'time' | 'power'>,
): Columns {
  const now = unix(time);
  const quarter = now - (now % QUARTER_SECONDS);
  const over = filled(buckets, ({ kwh, start, end }) => (kwh * HOUR_SECONDS) / (end - start)).filter(
    ({ end }) => end <= now,
  );
  if (power === null || now === quarter) return steps(over);
  const watts = [power.production_watts, power.consumption_watts, power.surplus_watts] as const;
  const [produced, consumed, surplus] = watts.map((value) => value / 1000) as [number, number, number];
  return steps([...over, { start: quarter, end: now, values: [produced, consumed, surplus] }]);
}

interface Step {
  readonly start: number;
  readonly end: number;
  readonly values: readonly [produced: number, consumed: number, surplus: number];
}

/** Buckets of which something is known, the oldest first. */
function filled(
  buckets: readonly EnergyBucket[],
  worth: (of: { kwh: number; start: number; end: number }) => number,
): Step[] {
  return buckets
    .flatMap(({ start: from, end: to, produced_kwh, consumed_kwh, surplus_kwh, readings }) => {
      // Without a reading, or of so few homes that it is theirs alone: not known here.
      if (readings === 0 || produced_kwh === null || consumed_kwh === null || surplus_kwh === null) return [];
      const [start, end] = [unix(from), unix(to)];
      const value = (kwh: string) => worth({ kwh: Number(kwh), start, end });
      return [
        { start, end, values: [value(produced_kwh), value(consumed_kwh), value(surplus_kwh)] as const },
      ];
    })
    .sort((a, b) => a.start - b.start);
}

function steps(parts: readonly Step[]): Columns {
  const result: Columns = { times: [], produced: [], consumed: [], surplus: [] };
  const put = (time: number, values: Step['values'] | undefined) => {
    result.times.push(time);
    result.produced.push(values?.[0] ?? null);
    result.consumed.push(values?.[1] ?? null);
    result.surplus.push(values?.[2] ?? null);
  };
  for (const [index, { start, end, values }] of parts.entries()) {
    put(start, values);
    const next = parts[index + 1];
    if (next?.start === end) continue;
    // The last value is drawn up to its end; then nothing is known.
    put(end, values);
    if (next) put(end + 1, undefined);
  }
  return result;
}
