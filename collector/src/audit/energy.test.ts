import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickDays } from './energy.js';

const DAY = 86_400;
/** Newest first. */
const daysOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ from: (20_000 - index) * DAY, to: (20_001 - index) * DAY }));
const nameOf = (from: number) => new Date(from * 1000).toISOString().slice(0, 10);

test('the last two days always, and all days within thirty audits or little more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 800 }), (count) => {
      const days = daysOf(count);
      const seen = new Set<number>();
      let oldest: string | undefined;
      for (let audit = 0; audit < 31; audit++) {
        const picked = pickDays(days, oldest);
        expect(picked.slice(0, 2)).toEqual(days.slice(0, 2));
        expect(picked.length).toBeLessThanOrEqual(2 + Math.ceil(count / 30));
        for (const { from } of picked) seen.add(from);
        const last = picked.at(-1);
        oldest = last && nameOf(last.from);
      }
      expect(seen.size).toBe(count);
    }),
  );
});

test('after the oldest day it begins anew, also where that day is gone', () => {
  const days = daysOf(5);
  expect(pickDays(days, undefined)).toEqual(days.slice(0, 3));
  expect(pickDays(days, nameOf(days[2]?.from as number))).toEqual([...days.slice(0, 2), days[3]]);
  expect(pickDays(days, nameOf(days[4]?.from as number))).toEqual(days.slice(0, 3));
  expect(pickDays(days, '1999-01-01')).toEqual(days.slice(0, 3));
});
