/**
 * Chance that can be looked up: a value depends on a key and a position only, never on what was asked before,
 * so that the same seed gives the same day however often and in which order anybody looks. Pure.
 */

/** A text to 0..1, evenly: FNV-1a, then a finalizer so that neighbouring positions do not resemble each other. */
export function hash01(text: string): number {
  return hash32(text) / 2 ** 32;
}

/** A text to 32 bits. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Smooth noise in 0..1: hashed values at whole positions, joined by a cubic without corners. */
export function noise(key: string, position: number): number {
  const left = Math.floor(position);
  const share = position - left;
  const weight = share * share * (3 - 2 * share);
  return hash01(`${key}/${left}`) * (1 - weight) + hash01(`${key}/${left + 1}`) * weight;
}

/** Smooth noise with the standard normal distribution at every position (mean 0, deviation 1). */
export function normalNoise(key: string, position: number): number {
  const left = Math.floor(position);
  const share = position - left;
  const weight = share * share * (3 - 2 * share);
  const sum = normal(`${key}/${left}`) * (1 - weight) + normal(`${key}/${left + 1}`) * weight;
  // Between two independent values the variance would sink: divide by what it sank to.
  return sum / Math.hypot(1 - weight, weight);
}

/** One standard normal value (Box and Muller). */
function normal(key: string): number {
  const radius = Math.sqrt(-2 * Math.log(1 - hash01(key)));
  return radius * Math.cos(2 * Math.PI * hash01(`${key}~`));
}

/** A seeded generator of numbers in 0..1 (mulberry32), for chance that depends on the order of events. */
export function seededRandom(seed: string): () => number {
  let state = hash32(seed);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 0 below `from`, 1 above `to`, a cubic without corners between. */
export function smoothStep(from: number, to: number, value: number): number {
  const share = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return share * share * (3 - 2 * share);
}
