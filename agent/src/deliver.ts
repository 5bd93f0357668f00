/**
 * When to send which reading: a window of readings on their way, each sent again after 1, 2, 4 and 8
 * seconds until the collector has decided upon it. Pure.
 */

/** Waits for an acknowledgement after the first, second... try, in ms. */
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
/** After so many tries without an answer it is time for an alert. */
export const TRIES_BEFORE_ALERT = 5;

interface Flight {
  tries: number;
  dueMs: number;
}

/** One meter's readings on their way to the collector. */
export class DeliveryWindow {
  private flights = new Map<number, Flight>();
  /** Five tries of the oldest reading have brought no answer. Until one comes, only that one is tried. */
  stalled = false;

  /**
   * @param open sequences that may be sent, ascending, at most as many as the window is wide
   * @param most how many may be sent now
   * @returns what to send now, in order, and when to ask again (unless something happens before); `held` when more was
   *   due than `most`
   */
  plan(
    open: readonly number[],
    nowMs: number,
    most = Number.POSITIVE_INFINITY,
  ): { send: number[]; nextMs: number | undefined; held: boolean } {
    const known = this.flights;
    this.flights = new Map();
    for (const sequence of open) {
      const flight = known.get(sequence);
      if (flight) this.flights.set(sequence, flight);
    }
    const [head] = open;
    if (head === undefined) {
      this.stalled = false;
      return { send: [], nextMs: undefined, held: false };
    }
    const first = this.flights.get(head);
    if (first && first.tries >= TRIES_BEFORE_ALERT && first.dueMs <= nowMs) this.stalled = true;

    const send: number[] = [];
    let nextMs: number | undefined;
    let held = false;
    for (const sequence of this.stalled ? [head] : open) {
      const flight = this.flights.get(sequence) ?? { tries: 0, dueMs: nowMs };
      if (flight.dueMs <= nowMs) {
        // The order holds: what comes after one that must wait waits too, unless it is on its way already.
        if (send.length >= most) {
          held = true;
          continue;
        }
        send.push(sequence);
        flight.tries++;
        flight.dueMs = nowMs + (WAITS_MS[Math.min(flight.tries, WAITS_MS.length) - 1] as number);
        this.flights.set(sequence, flight);
      }
      nextMs = nextMs === undefined ? flight.dueMs : Math.min(nextMs, flight.dueMs);
    }
    return { send, nextMs, held };
  }

  /** The collector has answered: it lives, and what it did not mention may have been lost. */
  answered(): void {
    if (this.stalled) {
      this.stalled = false;
      this.flights.clear();
    }
  }

  /** The connection is new: nothing is on its way any more. */
  reconnected(): void {
    this.flights.clear();
  }
}

/**
 * How much may be sent: so many a second on average, so many at once after a pause (a token bucket). Pure.
 */
export class Pace {
  private tokens: number;
  private atMs: number | undefined;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.tokens = burst;
  }

  /** How many may be sent now. */
  available(nowMs: number): number {
    const passedMs = this.atMs === undefined ? 0 : Math.max(0, nowMs - this.atMs);
    this.atMs = nowMs;
    this.tokens = Math.min(this.burst, this.tokens + (passedMs * this.perSecond) / 1000);
    // What a thousand small steps add up to is a hair below the whole number.
    return Math.floor(this.tokens + 1e-6);
  }

  /** So many have been sent. */
  spend(count: number): void {
    this.tokens -= count;
  }

  /** How long until one more may be sent. */
  waitMs(nowMs: number): number {
    if (this.available(nowMs) >= 1) return 0;
    return Math.ceil(((1 - this.tokens) * 1000) / this.perSecond);
  }
}

/** Waits between attempts to connect: 1, 2, 4, 8 s and then up to a minute, spread by up to a fifth. */
export function reconnectWaitMs(failures: number, random: () => number): number {
  const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)] as number;
  return Math.round(wait * (1 + random() / 5));
}
