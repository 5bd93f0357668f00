/**
 * The nearest-rank percentile: the least value that at least `percent` of all values do not exceed.
 * @param values any order, not changed
 * @param percent above 0, at most 100
 * @throws RangeError when there are no values, or for another percent
 */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError('no values');
  if (!(percent > 0 && percent <= 100)) throw new RangeError(`${percent} is no percent`);
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil((percent * sorted.length) / 100) - 1] as number;
}

/** How far something had come at a time. */
export interface Progress {
  /** Milliseconds on any clock that only goes forward. */
  atMillis: number;
  /** In total so far. */
  count: number;
}

/**
 * Units per second between two shares of the whole: without the warm-up before and without the end, when the
 * queue runs dry.
 * @param progress in order of time, at most `total` at its end
 * @throws RangeError when the second share was not reached, or both at the same time
 */
export function steadyRate(
  progress: readonly Progress[],
  total: number,
  { from = 0.15, to = 0.95 } = {},
): { perSecond: number; seconds: number; count: number } {
  const first = progress.find(({ count }) => count >= from * total);
  const last = progress.find(({ count }) => count >= to * total);
  if (first === undefined || last === undefined || last.atMillis <= first.atMillis) {
    throw new RangeError(`too little was measured: ${progress.at(-1)?.count ?? 0} of ${total}`);
  }
  const seconds = (last.atMillis - first.atMillis) / 1000;
  const count = last.count - first.count;
  return { perSecond: count / seconds, seconds, count };
}
