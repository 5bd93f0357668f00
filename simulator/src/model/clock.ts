/** Time in a simulation: real time, the model's time, and the time over which energy is counted. Pure. */

import { ZoneClock } from './place.js';
import type { Place } from './site.js';

/** Powers are constant within a step of real time, so energy does not depend on when a meter is asked. */
export const STEP_MS = 1000;

const DAY_SECONDS = 86_400;

export interface ClockSettings {
  /** Length of a simulated day in real time. */
  daySeconds: number;
  /** Local date at the start, YYYY-MM-DD; without it today. */
  date: string | undefined;
  /** Local time of day at the start, HH:MM. */
  startTime: string;
  /** Whether energy is power times real time or times the model's time. */
  energyTime: 'real' | 'simulated';
  place: Place;
}

export class ModelClock {
  /** The model's time at the start. */
  readonly startModelMs: number;
  /** Steps begin at this and multiples of a second from there. */
  readonly #gridMs: number;
  readonly #settings: ClockSettings;
  readonly #startMs: number;

  /** @param startMs real time of the start, whole milliseconds */
  constructor(settings: ClockSettings, startMs: number) {
    this.#settings = settings;
    this.#startMs = startMs;
    // A day that follows the real one follows the clock; any other begins with the simulation.
    const free = settings.date !== undefined || settings.daySeconds !== DAY_SECONDS;
    this.#gridMs = free ? startMs : 0;
    if (!free) {
      this.startModelMs = startMs;
      return;
    }
    const zone = new ZoneClock(settings.place.timezone);
    const today = zone.local(startMs);
    const [year, month, day] =
      settings.date === undefined
        ? [today.year, today.month, today.day]
        : (settings.date.split('-').map(Number) as [number, number, number]);
    this.startModelMs = zone.timeOf(year, month, day, startHours(settings.startTime));
  }

  /** The model's time, whole milliseconds. */
  modelMs(nowMs: number): number {
    const elapsed = nowMs - this.#startMs;
    return this.startModelMs + Math.floor((elapsed * DAY_SECONDS) / this.#settings.daySeconds);
  }

  /** Milliseconds of energy between two moments: they add up, however the time between is cut. */
  readonly energyMs = (fromMs: number, toMs: number): number =>
    this.#settings.energyTime === 'real' ? toMs - fromMs : this.modelMs(toMs) - this.modelMs(fromMs);

  /** The step that a moment is in. */
  step(nowMs: number): { beginMs: number; endMs: number } {
    const beginMs = this.#gridMs + Math.floor((nowMs - this.#gridMs) / STEP_MS) * STEP_MS;
    return { beginMs, endMs: beginMs + STEP_MS };
  }
}

/** "09:30" as 9.5. */
export function startHours(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  return hours + minutes / 60;
}
