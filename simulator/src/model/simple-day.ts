import type { Scenario } from '../config.js';
import type { Flow } from './flow.js';
import { noise } from './noise.js';

const CLOUD_PERIOD_HOURS = 0.25;
const LOAD_PERIOD_HOURS = 0.1;
/** Clouds leave at least this share of the sun. */
const DEEPEST_CLOUD = 0.55;

/**
 * A solar-and-household day. Pure: the same seed, scenario and hour give the same powers on every machine.
 * The sun is a sine from 6 to 18 o'clock with clouds; the household has a base, a morning and an evening
 * peak, and appliances that come and go. The household's mean over a day is `household_watts`.
 * @param hours time of day in hours; the integer part of `hours / 24` is the day
 */
export function simpleDay(seed: string, scenario: Scenario, hours: number): Flow {
  if (scenario.shape === 'flat') {
    return {
      producedMilliwatts: Math.round(scenario.solar_watts * 1000),
      consumedMilliwatts: Math.round(scenario.household_watts * 1000),
    };
  }
  const clock = scenario.shape === 'noon' ? 12 : ((hours % 24) + 24) % 24;
  const elevation = Math.max(0, Math.sin((Math.PI * (clock - 6)) / 12));
  const clouds = DEEPEST_CLOUD + (1 - DEEPEST_CLOUD) * noise(`${seed}/clouds`, hours / CLOUD_PERIOD_HOURS);
  const habits = 0.6 + bump(clock, 7, 1) * 1.2 + bump(clock, 19, 2) * 1.2;
  const appliances = 0.7 + 0.6 * noise(`${seed}/load`, hours / LOAD_PERIOD_HOURS);
  return {
    producedMilliwatts: Math.round(scenario.solar_watts * elevation * clouds * 1000),
    consumedMilliwatts: Math.round((scenario.household_watts * habits * appliances * 1000) / MEAN_HABITS),
  };
}

/** A bell around `centre` o'clock; its area is about width x sqrt(pi) hours. */
function bump(clock: number, centre: number, width: number): number {
  return Math.exp(-(((clock - centre) / width) ** 2));
}

/** Mean of habits over a day: 0.6 + 1.2 (1 + 2) sqrt(pi) / 24. */
const MEAN_HABITS = 0.6 + (1.2 * 3 * Math.sqrt(Math.PI)) / 24;

/** Hours of a day that follows universal time. */
export function dayHours(timeMs: number): number {
  return timeMs / 3_600_000;
}
