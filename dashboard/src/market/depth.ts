import type { LiveLevel } from '@gridtokenx/protocol';

/** A step of a depth curve: so much GRID altogether, up to this price. For drawing only: floats. */
export interface Step {
  readonly price: number;
  readonly total: number;
}

/** Sums levels from the best price on. @param levels the best first */
export function depthOf(levels: readonly LiveLevel[]): Step[] {
  let total = 0;
  return levels.map(({ price, amount }) => {
    total += Number(amount);
    return { price: Number(price), total };
  });
}

/** Prices and amounts that a plot shows. */
export interface Range {
  readonly low: number;
  readonly high: number;
  readonly most: number;
}

/** Both curves and some room around them; undefined with nothing to draw. */
export function rangeOf(bids: readonly Step[], asks: readonly Step[]): Range | undefined {
  const prices = [...bids, ...asks].map(({ price }) => price);
  if (prices.length === 0) return undefined;
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const room = high > low ? (high - low) * 0.08 : Math.max(high * 0.1, 1e-9);
  return {
    low: Math.max(0, low - room),
    high: high + room,
    most: Math.max(...[...bids, ...asks].map(({ total }) => total)),
  };
}

/** Digits of a price that count: the last ones of a float are its own rounding. */
const DIGITS = 12;

/** Round numbers within a range, about so many of them. */
export function ticksOf(low: number, high: number, about: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  // So close together that they could not be told apart, nor counted.
  if (high / step > 10 ** DIGITS) return [low];
  const ticks: number[] = [];
  // Counted, not summed up: 0.1 ten times is not 1.
  for (let count = Math.ceil(low / step - 1e-9); count * step <= high + step * 1e-9; count++)
    ticks.push(Number((count * step).toPrecision(DIGITS)));
  return ticks;
}
