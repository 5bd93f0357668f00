import { expect, test } from 'vitest';
import { boundsOf, byDay, columns, PERIODS, step } from './history.js';
import type { Reading } from './types.js';

const reading = (end: number, produced: bigint, consumed: bigint, surplus: bigint): Reading =>
  ({
    interval_end: end,
    produced_total: String(produced),
    consumed_total: String(consumed),
    surplus_total: String(surplus),
  }) as Reading;

test('a period holds its day and ends where the next begins', () => {
  for (const period of PERIODS) {
    for (let offset = 0; offset < 800; offset++) {
      const day = new Date(2024, 0, 1 + offset, 13);
      const { from, to } = boundsOf(period, day);
      expect(from <= day && day < to).toBe(true);
      expect(boundsOf(period, to).from).toEqual(to);
    }
  }
  expect(boundsOf('week', new Date(2026, 10, 22)).from).toEqual(new Date(2026, 10, 16));
  expect(step('month', new Date(2026, 2, 31), -1)).toEqual(new Date(2026, 1, 28));
  expect(step('month', new Date(2026, 0, 31), 1)).toEqual(new Date(2026, 1, 28));
});

test('intervals are what the totals rise by, whatever the order', () => {
  const readings = [
    reading(2700, 4_000_000_000n, 3_000_000_000n, 2_000_000_000n),
    reading(900, 1_000_000_000n, 1_000_000_000n, 0n),
    reading(1800, 3_000_000_000n, 1_500_000_000n, 1_500_000_000n),
  ];
  expect(columns(readings)).toEqual({
    ends: [1800, 2700],
    produced: [2, 1],
    consumed: [0.5, 1.5],
    surplus: [1.5, 0.5],
  });
});

test('an interval that ends at midnight belongs to the day before', () => {
  const midnight = Math.floor(new Date(2026, 10, 22).getTime() / 1000);
  const days = byDay({
    ends: [midnight, midnight + 900],
    produced: [1, 2],
    consumed: [3, 4],
    surplus: [0, 0],
  });
  expect(days.ends).toHaveLength(2);
  expect(days.produced).toEqual([1, 2]);
});
