import type { CDPSession, Page } from 'playwright-core';

/** What a window holds right after its garbage has been collected. */
export interface Held {
  /** Bytes of JavaScript's heap. */
  readonly heap: number;
  /** Nodes of documents, also those that are in none any more and still held. */
  readonly nodes: number;
  readonly listeners: number;
}

/** Looks into a window: everything that nobody holds is gone before it is counted. */
export class HeapWatch {
  private constructor(private readonly session: CDPSession) {}

  static async of(page: Page): Promise<HeapWatch> {
    const session = await page.context().newCDPSession(page);
    await session.send('HeapProfiler.enable');
    return new HeapWatch(session);
  }

  async look(): Promise<Held> {
    // Twice: what is freed the first time may have held more.
    await this.session.send('HeapProfiler.collectGarbage');
    await this.session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.session.send('Runtime.getHeapUsage');
    const { nodes, jsEventListeners } = await this.session.send('Memory.getDOMCounters');
    return { heap: usedSize, nodes, listeners: jsEventListeners };
  }
}

/**
 * How much more there was in the last third than in the first, by the median of each: a list that is being filled and a
 * single large message count for nothing, what grows for ever does.
 */
export function growth(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  if (third === 0) throw new Error(`${values.length} looks are too few`);
  return median(values.slice(-third)) - median(values.slice(0, third));
}

/** As {@link growth}, by the least of each third: for a process that collects its garbage when it likes. */
export function growthOfLeast(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  if (third === 0) throw new Error(`${values.length} looks are too few`);
  return Math.min(...values.slice(-third)) - Math.min(...values.slice(0, third));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/**
 * What a window may hold more in the last third than in the first. A leak of one small object, node or listener for each
 * message is ten times as much after ten minutes at ten messages a second.
 */
export const ALLOWED: Held = { heap: 1_000_000, nodes: 500, listeners: 50 };

/** In words, what has grown by more than is allowed. */
export function leaks(looks: readonly Held[]): string[] {
  return (['heap', 'nodes', 'listeners'] as const).flatMap((what) => {
    const more = growth(looks.map((held) => held[what]));
    return more > ALLOWED[what] ? [`${what}: ${more} more, ${ALLOWED[what]} allowed`] : [];
  });
}
