import { createHash } from 'node:crypto';

/** Numbers from a seed: the same seed, the same numbers (xoshiro128**, seeded with SHA-256). */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    this.#state = Uint32Array.from([0, 4, 8, 12], (at) => digest.readUInt32LE(at) | 1);
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.#state as unknown as [number, number, number, number];
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    return this.bits() % count;
  }

  /** A whole number of a range, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True so often of 100. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** An amount from 1 to `most`; now and then the ends themselves. */
  amount(most: bigint): bigint {
    if (most <= 1n || this.chance(8)) return most < 1n ? 1n : most;
    if (this.chance(5)) return 1n;
    const wide = (BigInt(this.bits()) << 32n) | BigInt(this.bits());
    return 1n + (wide % most);
  }

  /** One of these; undefined of none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.below(items.length)];
  }

  /** One of these by weight. */
  weighted<T extends { weight: number }>(items: readonly T[]): T {
    let at = this.below(items.reduce((sum, { weight }) => sum + weight, 0));
    for (const item of items) {
      at -= item.weight;
      if (at < 0) return item;
    }
    throw new Error('nothing has a weight');
  }
}
