import type { BenchMeter, MeterData } from './fleet.js';
import { type Progress, steadyRate } from './statistics.js';

/** Which readings are to be ingested. */
export interface ReadingsJob {
  meters: MeterData[];
  /** Readings of each meter. */
  perMeter: number;
  /** Sequence of the first. */
  firstSequence: number;
  /** Reading n ends at this and n seconds. */
  baseSeconds: number;
  /** Readings of one meter that are on their way at once; what an agent sends before it waits. */
  window: number;
}

/** What came of it. */
export interface Ingested {
  readings: number;
  perSecond: number;
  /** What `perSecond` was taken over. */
  seconds: number;
}

export function submissionText(meter: BenchMeter, job: ReadingsJob, index: number): string {
  const sequence = job.firstSequence + index;
  return JSON.stringify(meter.submission(meter.reading(sequence, job.baseSeconds + sequence, 1)));
}

export function ingested(progress: readonly Progress[], readings: number): Ingested {
  const { perSecond, seconds } = steadyRate(progress, readings);
  return { readings, perSecond, seconds };
}

/** Rejects when nothing has moved for a while, instead of waiting for ever. */
export function watchForStall(
  count: () => number,
  fail: (error: Error) => void,
  seconds = 20,
): { stop(): void } {
  let before = -1;
  const timer = setInterval(() => {
    const now = count();
    if (now === before) fail(new Error(`no reading was acknowledged for ${seconds} s (${now} before that)`));
    before = now;
  }, seconds * 1000);
  return { stop: () => clearInterval(timer) };
}
