// Slots as a function of time: one every 400 ms, never backward, whatever the wall clock does.

/** Length of a slot in milliseconds, as on Solana's clusters. */
export const SLOT_MS = 400;

/** A stretch of even ticking: slot `slot` begins at `timeMs` (Unix milliseconds). */
export interface Segment {
  slot: number;
  timeMs: number;
  /** No slot of this stretch reports a Unix time before this one (seconds). */
  floorUnix: number;
}

/**
 * Turns the injected clock into slots and block times.
 *
 * A clock that jumps ahead skips slots, as a cluster with absent leaders does. A clock that jumps back opens a
 * new segment: slots go on from where they are, and block times stand still until the clock has caught up.
 */
export class SlotClock {
  readonly #now: () => number;
  readonly #onSegment: (segment: Segment) => void;
  readonly #segments: Segment[];
  #slot: number;

  /**
   * @param now Unix time in milliseconds
   * @param segments all stretches so far, oldest first; the last one is the current one
   * @param onSegment called before a new segment takes effect, so that it can be stored
   */
  constructor(now: () => number, segments: Segment[], onSegment: (segment: Segment) => void) {
    const last = segments.at(-1);
    if (!last) throw new RangeError('SlotClock needs at least one segment');
    this.#now = now;
    this.#segments = [...segments];
    this.#onSegment = onSegment;
    this.#slot = last.slot;
  }

  /** The current slot; reads the clock. */
  advance(): number {
    const segment = this.#current();
    const nowMs = this.#now();
    const slot = segment.slot + Math.floor((nowMs - segment.timeMs) / SLOT_MS);
    if (slot >= this.#slot) {
      this.#slot = slot;
    } else {
      const next: Segment = { slot: this.#slot, timeMs: nowMs, floorUnix: this.unixTimestamp(this.#slot) };
      this.#onSegment(next);
      this.#segments.push(next);
    }
    return this.#slot;
  }

  /** The slot as of the last {@link advance}. */
  get slot(): number {
    return this.#slot;
  }

  /** The first slot of the first segment. */
  get firstSlot(): number {
    return this.#segments[0]?.slot ?? 0;
  }

  /** Estimated production time of a slot in Unix seconds; not decreasing from slot to slot. */
  unixTimestamp(slot: number): number {
    let found = this.#segments[0] as Segment;
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i] as Segment;
      if (segment.slot <= slot) {
        found = segment;
        break;
      }
    }
    return Math.max(found.floorUnix, Math.floor((found.timeMs + (slot - found.slot) * SLOT_MS) / 1000));
  }

  #current(): Segment {
    return this.#segments[this.#segments.length - 1] as Segment;
  }
}
