import type { Reading } from './types.js';

export const PERIODS = ['day', 'week', 'month'] as const;
export type Period = (typeof PERIODS)[number];

/** The local midnights that a period around a day begins and ends with. Weeks begin on Monday. */
export function boundsOf(period: Period, day: Date): { from: Date; to: Date } {
  const from = new Date(day.getFullYear(), day.getMonth(), day.getDate());
  if (period === 'week') from.setDate(from.getDate() - ((from.getDay() + 6) % 7));
  if (period === 'month') from.setDate(1);
  const to = new Date(from);
  if (period === 'day') to.setDate(to.getDate() + 1);
  if (period === 'week') to.setDate(to.getDate() + 7);
  if (period === 'month') to.setMonth(to.getMonth() + 1);
  return { from, to };
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

/** Columns of a chart: Unix seconds and kWh in the interval that ends then. For drawing only: floats. */
export interface Columns {
  readonly ends: number[];
  readonly produced: number[];
  readonly consumed: number[];
  readonly surplus: number[];
}

const NKWH = 1e9;

/**
 * What each reading adds to the one before. The oldest only serves as the base of the second.
 * @param readings of one meter, in any order
 */
export function columns(readings: readonly Reading[]): Columns {
  const sorted = [...readings].sort((a, b) => a.interval_end - b.interval_end);
  const result: Columns = { ends: [], produced: [], consumed: [], surplus: [] };
  for (const [index, reading] of sorted.entries()) {
    const before = sorted[index - 1];
    if (!before) continue;
    const rise = (now: string, then: string) => Number(BigInt(now) - BigInt(then)) / NKWH;
    result.ends.push(reading.interval_end);
    result.produced.push(rise(reading.produced_total, before.produced_total));
    result.consumed.push(rise(reading.consumed_total, before.consumed_total));
    result.surplus.push(rise(reading.surplus_total, before.surplus_total));
  }
  return result;
}

/** The columns of one day each, by the reader's own midnight. */
export function byDay({ ends, produced, consumed, surplus }: Columns): Columns {
  const days = new Map<number, [number, number, number]>();
  for (const [index, end] of ends.entries()) {
    // An interval that ends at midnight belongs to the day before.
    const at = new Date((end - 1) * 1000);
    const day = Math.floor(new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime() / 1000);
    const sums = days.get(day) ?? [0, 0, 0];
    sums[0] += produced[index] ?? 0;
    sums[1] += consumed[index] ?? 0;
    sums[2] += surplus[index] ?? 0;
    days.set(day, sums);
  }
  const sorted = [...days].sort(([a], [b]) => a - b);
  return {
    ends: sorted.map(([day]) => day),
    produced: sorted.map(([, [value]]) => value),
    consumed: sorted.map(([, [, value]]) => value),
    surplus: sorted.map(([, [, , value]]) => value),
  };
}
