import type { Scenario } from './config.js';

/** Powers of a home at one moment, in whole milliwatts so that energy is an exact integer. */
export interface SitePower {
  solarMilliwatts: number;
  householdMilliwatts: number;
}

/** Powers are constant within a step of real time, so energy does not depend on when a meter is asked. */
export const STEP_MS = 1000;

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
export function sitePower(seed: string, scenario: Scenario, hours: number): SitePower {
  if (scenario.shape === 'flat') {
    return {
      solarMilliwatts: Math.round(scenario.solar_watts * 1000),
      householdMilliwatts: Math.round(scenario.household_watts * 1000),
    };
  }
  const clock = scenario.shape === 'noon' ? 12 : ((hours % 24) + 24) % 24;
  const elevation = Math.max(0, Math.sin((Math.PI * (clock - 6)) / 12));
  const clouds = DEEPEST_CLOUD + (1 - DEEPEST_CLOUD) * noise(`${seed}/clouds`, hours / CLOUD_PERIOD_HOURS);
  const habits = 0.6 + bump(clock, 7, 1) * 1.2 + bump(clock, 19, 2) * 1.2;
  const appliances = 0.7 + 0.6 * noise(`${seed}/load`, hours / LOAD_PERIOD_HOURS);
  return {
    solarMilliwatts: Math.round(scenario.solar_watts * elevation * clouds * 1000),
    householdMilliwatts: Math.round((scenario.household_watts * habits * appliances * 1000) / MEAN_HABITS),
  };
}

/** A bell around `centre` o'clock; its area is about width x sqrt(pi) hours. */
function bump(clock: number, centre: number, width: number): number {
  return Math.exp(-(((clock - centre) / width) ** 2));
}

/** Mean of habits over a day: 0.6 + 1.2 (1 + 2) sqrt(pi) / 24. */
const MEAN_HABITS = 0.6 + (1.2 * 3 * Math.sqrt(Math.PI)) / 24;

/** Smooth noise in 0..1: hashed values at whole positions, joined by a cubic without corners. */
function noise(key: string, position: number): number {
  const left = Math.floor(position);
  const share = position - left;
  const weight = share * share * (3 - 2 * share);
  return hash01(`${key}/${left}`) * (1 - weight) + hash01(`${key}/${left + 1}`) * weight;
}

/** A text to 0..1, evenly: FNV-1a, then a finalizer so that neighbouring positions do not resemble each other. */
export function hash01(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * Hours of the simulated day at a moment.
 * @param daySeconds 86400 follows UTC; a shorter day begins at `startHours` when the simulator started
 */
export function dayHours(nowMs: number, startedMs: number, daySeconds: number, startHours: number): number {
  if (daySeconds === 86_400) return nowMs / 3_600_000;
  return startHours + ((nowMs - startedMs) / 1000 / daySeconds) * 24;
}
