/** How many times the histories asked for are drawn again for what chance has left out. */
const ROUNDS = 40;

/**
 * Random histories that are worth something: `play` plays some from a seed and counts in `met` what came about, and more are
 * drawn until each of `wanted` has come about, so that what is rare decides how many there are and not whether the test
 * passes.
 *
 * @throws Error naming what never came about.
 */
export function untilMet(
  wanted: readonly string[],
  met: ReadonlyMap<string, number>,
  seed: number,
  play: (seed: number) => void,
): void {
  let missing: readonly string[] = wanted;
  for (let round = 0; round < ROUNDS && missing.length > 0; round++) {
    play((seed + round) % 2 ** 31);
    missing = wanted.filter((each) => (met.get(each) ?? 0) === 0);
  }
  if (missing.length > 0) throw new Error(`seeds from ${seed} on: never met ${missing.join(', ')}`);
}
