import { expect, test } from 'vitest';
import { bucketsOf } from './volume.js';

test('each trade counts in one part of the time, the last one too', () => {
  const points = [
    { at: 0, amount: 1 },
    { at: 24, amount: 2 },
    { at: 25, amount: 4 },
    { at: 100, amount: 8 },
  ];
  expect(bucketsOf(points, 0, 100, 4)).toEqual([
    { middle: 12.5, total: 3 },
    { middle: 37.5, total: 4 },
    { middle: 87.5, total: 8 },
  ]);
});
