import { expect, test } from 'vitest';
import { depthOf, rangeOf, ticksOf } from './depth.js';

const level = (price: string, amount: string) => ({ price, amount, orders: 1 });

test('a depth curve sums from the best price on', () => {
  const asks = depthOf([level('3', '10'), level('3.5', '1.5'), level('4', '2')]);
  expect(asks).toEqual([
    { price: 3, total: 10 },
    { price: 3.5, total: 11.5 },
    { price: 4, total: 13.5 },
  ]);
  expect(depthOf([])).toEqual([]);
});

test('the range has room for both sides, for one, and for a single price', () => {
  expect(rangeOf([], [])).toBeUndefined();
  const both = rangeOf(depthOf([level('2', '4')]), depthOf([level('4', '1')]));
  expect(both?.low).toBeLessThan(2);
  expect(both?.high).toBeGreaterThan(4);
  expect(both?.most).toBe(4);
  const single = rangeOf([], depthOf([level('3', '1')]));
  expect(single?.low).toBeLessThan(3);
  expect(single?.high).toBeGreaterThan(3);
});

test('ticks are round, within the range, and about as many as asked for', () => {
  expect(ticksOf(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(ticksOf(2.7, 3.3, 3)).toEqual([2.8, 3, 3.2]);
  for (const [low, high] of [
    [0, 1e-6],
    [2.999, 3.001],
    [0, 123_456_789],
  ] as const) {
    const ticks = ticksOf(low, high, 4);
    expect(ticks.length).toBeGreaterThan(1);
    expect(ticks.length).toBeLessThan(8);
    for (const tick of ticks) expect(tick >= low - 1e-12 && tick <= high * (1 + 1e-12)).toBe(true);
  }
  expect(ticksOf(5, 5, 4)).toEqual([5]);
  // Prices that are the next float to each other.
  const price = 9_100_000;
  expect(ticksOf(price, price + 2e-9, 4)).toEqual([price]);
  expect(new Set(ticksOf(price, price + 1e-4, 4)).size).toBeGreaterThan(1);
});
