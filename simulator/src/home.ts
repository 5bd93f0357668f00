/** Meters that see the same powers, gone through step by step. No I/O; the time is handed in. */
import type { VirtualMeter } from './meter.js';
import type { ModelClock } from './model/clock.js';
import { type PartFlow, sumFlows } from './model/flow.js';
import type { FlowSource } from './model/site.js';

/** A clock that jumps further than this has been asleep, like the meters: nothing is counted for it. */
const LONGEST_ADVANCE_MS = 25 * 3600 * 1000;

export class Home {
  readonly meters: readonly VirtualMeter[];
  readonly source: FlowSource;
  readonly #clock: ModelClock;
  #timeMs: number;
  /** Powers of the step under way, and when it began. */
  #flows: PartFlow[] = [];
  #stepBeginMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs time from which on energy is counted */
  constructor(meters: readonly VirtualMeter[], source: FlowSource, clock: ModelClock, nowMs: number) {
    this.meters = meters;
    this.source = source;
    this.#clock = clock;
    this.#timeMs = Math.floor(nowMs);
    this.#enter(this.#timeMs);
  }

  /** Powers of the site's parts now. */
  get flows(): readonly PartFlow[] {
    return this.#flows;
  }

  /** Counts energy up to now. A clock that went back, or slept over a day, restarts the count from there. */
  advance(nowMs: number): void {
    const now = Math.floor(nowMs);
    if (now < this.#timeMs || now - this.#timeMs > LONGEST_ADVANCE_MS) {
      this.#timeMs = now;
      this.#enter(now);
      return;
    }
    while (this.#timeMs < now) {
      const end = Math.min(now, this.#clock.step(this.#timeMs).endMs);
      for (const meter of this.meters) meter.count(this.#timeMs, end, this.#clock.energyMs);
      this.source.flowed(this.#flows, this.#clock.energyMs(this.#timeMs, end));
      this.#timeMs = end;
      this.#enter(end);
    }
  }

  /** Takes changed powers (an override) over at once. */
  refresh(): void {
    for (const meter of this.meters) meter.observe(this.#timeMs, sumFlows(this.#flows, meter.config.of));
  }

  #enter(nowMs: number): void {
    const { beginMs, endMs } = this.#clock.step(nowMs);
    if (beginMs !== this.#stepBeginMs) {
      this.#stepBeginMs = beginMs;
      const stepMs = Math.max(1, this.#clock.energyMs(beginMs, endMs));
      this.#flows = this.source.flows(this.#clock.modelMs(beginMs), stepMs);
    }
    for (const meter of this.meters) meter.observe(nowMs, sumFlows(this.#flows, meter.config.of));
  }
}
