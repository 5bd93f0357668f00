/** Powers of a site's parts. Pure; times are of the model's clock. Powers in watts, never negative. */
import type { Part } from '../site-schema.js';
import { type DayType, H0, type Season } from './h0-table.js';
import { hash01, noise } from './noise.js';
import type { LocalTime } from './place.js';
import { clearSkyIrradiance, planeIrradiance, type SunPosition } from './sun.js';

type PartOf<T extends Part['type']> = Extract<Part, { type: T }>;

/** Irradiance under which modules are rated (IEC 61215, standard test conditions), W/m2. */
const RATED_IRRADIANCE = 1000;

/** @param clear share of a clear sky's light that the clouds let through */
export function solarWatts(part: PartOf<'solar'>, sun: SunPosition, clear: number, timeMs: number): number {
  const irradiance = planeIrradiance(
    sun,
    clearSkyIrradiance(sun.elevation) * clear,
    { tilt: part.tilt_degrees, azimuth: part.azimuth_degrees, albedo: part.albedo },
    timeMs,
  );
  const watts = (part.peak_watts * part.performance_ratio * irradiance) / RATED_IRRADIANCE;
  return Math.min(watts, part.inverter_watts ?? Number.POSITIVE_INFINITY);
}

/** Power curve: a cubic from cut-in to rated speed as the energy of the wind rises, or the given points. */
export function windWatts(part: PartOf<'wind'>, speed: number): number {
  if (speed >= part.cut_out) return 0;
  if (part.curve !== undefined) return interpolate(part.curve, speed);
  if (speed <= part.cut_in) return 0;
  if (speed >= part.rated_speed) return part.rated_watts;
  const share = (speed ** 3 - part.cut_in ** 3) / (part.rated_speed ** 3 - part.cut_in ** 3);
  return part.rated_watts * share;
}

function interpolate(points: readonly (readonly [number, number])[], x: number): number {
  const next = points.findIndex(([speed]) => speed >= x);
  const right = points[next];
  const left = points[next - 1];
  if (right === undefined) return points.at(-1)?.[1] ?? 0;
  if (left === undefined) return x < right[0] ? 0 : right[1];
  return left[1] + ((right[1] - left[1]) * (x - left[0])) / (right[0] - left[0]);
}

const QUARTER_HOURS = 0.25;
/** Quarter hours for which an appliance stays as it is. */
const APPLIANCE_MS = 7 * 60_000;
/** Mean of the smooth noise's cube: 1/4 at its points, less between them (the mean of w (1 - w) is 9/70). */
const MEAN_CUBE = 1 / 4 - 9 / 280;

/**
 * A household by the standard load profile H0, made dynamic as its publisher says (VDEW M-05/2000, step 4b): the value of
 * the table times F(d) = -3.92e-10 d^4 + 3.20e-7 d^3 - 7.02e-5 d^2 + 2.10e-3 d + 1.24, d the day of the year.
 * 24 and 31 December count as Saturdays; other public holidays differ by region and are left out.
 * @param timeMs for the chance of appliances
 */
export function residentialWatts(
  part: PartOf<'residential'>,
  local: LocalTime,
  seed: string,
  timeMs: number,
): number {
  const mean = (standardWatts(local) * part.kwh_per_year) / 1000;
  if (part.variation === 0) return mean;
  // Appliances: mean 1, sometimes several times the mean, as a kettle is.
  const burst = noise(`${seed}/appliances`, timeMs / APPLIANCE_MS) ** 3 / MEAN_CUBE;
  return mean * (1 - part.variation + part.variation * burst);
}

/** Mean power of a household of 1,000 kWh a year. */
export function standardWatts(local: LocalTime): number {
  const day = dayOfYear(local);
  const dynamic = -3.92e-10 * day ** 4 + 3.2e-7 * day ** 3 - 7.02e-5 * day ** 2 + 2.1e-3 * day + 1.24;
  const quarter = Math.floor(local.hours / QUARTER_HOURS);
  return ((H0[seasonOf(local)][dayTypeOf(local)][quarter] as number) / 10) * dynamic;
}

function dayOfYear({ year, month, day }: LocalTime): number {
  return (Date.UTC(year, month - 1, day) - Date.UTC(year, 0, 0)) / 86_400_000;
}

/** Winter 1 November to 20 March, summer 15 May to 14 September (VDEW M-32/99). */
function seasonOf({ month, day }: LocalTime): Season {
  const date = month * 100 + day;
  if (date >= 1101 || date <= 320) return 'winter';
  return date >= 515 && date <= 914 ? 'summer' : 'transition';
}

function dayTypeOf({ month, day, weekday }: LocalTime): DayType {
  if (weekday === 0) return 'sunday';
  return weekday === 6 || (month === 12 && (day === 24 || day === 31)) ? 'saturday' : 'workday';
}

const ROOM_CELSIUS = 20;
const ZERO_CELSIUS_KELVIN = 273.15;

/**
 * A heat pump that runs so much of each cycle that its heat equals the building's loss. Its coefficient of performance is
 * a share of Carnot's, T / (T - T outside) with T the flow temperature.
 */
export function heatPumpWatts(
  part: PartOf<'heat_pump'>,
  outsideCelsius: number,
  seed: string,
  timeMs: number,
): number {
  if (outsideCelsius >= part.heating_below_celsius) return 0;
  const flow = part.flow_celsius + ZERO_CELSIUS_KELVIN;
  const lift = Math.max(5, part.flow_celsius - outsideCelsius);
  const performance = Math.max(1, (part.carnot_share * flow) / lift);
  const needed = (part.loss_watts_per_kelvin * (ROOM_CELSIUS - outsideCelsius)) / performance;
  const cycleMs = part.cycle_minutes * 60_000;
  const position = timeMs / cycleMs + hash01(`${seed}/cycle`);
  const share = position - Math.floor(position);
  return share * part.rated_watts < needed ? part.rated_watts : 0;
}

/** A car that charges from its arrival until it has what it drove, or leaves. */
export function electricCarWatts(part: PartOf<'electric_car'>, local: LocalTime, seed: string): number {
  const leaves = hoursOf(part.leaves);
  const today = Date.UTC(local.year, local.month - 1, local.day) / 86_400_000;
  for (const [day, hour] of [
    [today, local.hours],
    [today - 1, local.hours + 24],
  ] as const) {
    const chance = (what: string) => hash01(`${seed}/${what}/${day}`);
    const arrived = hoursOf(part.arrives) + 2 * chance('arrival') - 1;
    const until = leaves > arrived ? leaves : leaves + 24;
    // From a quarter of the mean to seven quarters, each day another way.
    const hours = ((part.kwh_per_day * (0.25 + 1.5 * chance('distance'))) / part.charge_watts) * 1000;
    if (hour >= arrived && hour < Math.min(arrived + hours, until)) return part.charge_watts;
  }
  return 0;
}

function hoursOf(clock: string): number {
  const [hours, minutes] = clock.split(':').map(Number) as [number, number];
  return hours + minutes / 60;
}
