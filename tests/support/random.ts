/** A seeded generator (mulberry32): the same seed gives the same kills, whatever the machine. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: given as GTX_SEED to repeat one, otherwise random; printed either way. */
export function announceSeed(): number {
  const given = process.env.GTX_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`GTX_SEED must be an integer, got ${given}`);
  console.log(`seed ${seed} (repeat with GTX_SEED=${seed})`);
  return seed;
}
