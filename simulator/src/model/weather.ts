/** Clouds, wind and temperature of a place as seeded processes. Pure: a value depends on seed and time only. */
import { noise, normalNoise, smoothStep } from './noise.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Share of the sun's light that the thickest cloud takes. */
const THICKEST = 0.78;

/**
 * Share of a clear sky's light that comes through, 0.22 to 1. Overcast and clear days follow each other (smooth
 * noise over a day), and within a day single clouds pass in minutes.
 * @param cover mean share of the sky that is covered, 0 (never a cloud) to 1 (always overcast)
 */
export function clearness(seed: string, timeMs: number, cover: number): number {
  if (cover <= 0) return 1;
  const day = noise(`${seed}/cover`, timeMs / DAY_MS);
  // Of the day: 0 to 1 around the mean, and exactly the mean at its ends.
  const today = cover + Math.min(cover, 1 - cover) * 2 * (day - 0.5);
  const passing =
    0.6 * noise(`${seed}/clouds`, timeMs / (14 * MINUTE_MS)) +
    0.3 * noise(`${seed}/clouds2`, timeMs / (4 * MINUTE_MS)) +
    0.1 * noise(`${seed}/clouds3`, timeMs / MINUTE_MS);
  return 1 - THICKEST * smoothStep(-0.12, 0.12, today - passing);
}

/** Turbulence intensities at 15 m/s of the turbine classes of IEC 61400-1:2005, table 1. */
export const TURBULENCE = { none: 0, A: 0.16, B: 0.14, C: 0.12 } as const;
/** Gamma(1 + 1/2): mean of a Weibull distribution of shape 2 in units of its scale. */
const WEIBULL_MEAN = Math.sqrt(Math.PI) / 2;

/**
 * Wind speed in m/s: hours follow a Weibull distribution of shape 2 (Rayleigh, IEC 61400-1:2005, 6.3.1.1), seconds add
 * the turbulence of the normal turbulence model, deviation = Iref (0.75 v + 5.6) (6.3.1.3).
 */
export function windSpeed(
  seed: string,
  timeMs: number,
  meanSpeed: number,
  turbulence: keyof typeof TURBULENCE,
): number {
  const quantile = normalShare(normalNoise(`${seed}/wind`, timeMs / (3 * HOUR_MS)));
  const slow = (meanSpeed / WEIBULL_MEAN) * Math.sqrt(-Math.log(Math.max(1 - quantile, 1e-12)));
  const deviation = TURBULENCE[turbulence] * (0.75 * slow + 5.6);
  // Gusts of a light wind would turn it around: below 7.5 m/s they shrink with it.
  const gust = deviation * Math.min(1, slow / 7.5) * normalNoise(`${seed}/gusts`, timeMs / 8_000);
  return Math.max(0, slow + gust);
}

/** Share of a standard normal distribution below x (logistic approximation, error under 0.0002). */
function normalShare(x: number): number {
  return 1 / (1 + Math.exp(-(1.5976 * x + 0.07056 * x ** 3)));
}

/** Temperatures outside: mean of the year, half the way from the coldest to the warmest month, and of a day. */
export interface Climate {
  mean_celsius: number;
  yearly_kelvin: number;
  daily_kelvin: number;
}

/**
 * Temperature outside in degrees Celsius: a cosine over the year (coldest on 20 January) and over the day (coldest at
 * 5 o'clock), and weather of a few days.
 * @param localHours hour of the local day
 */
export function temperature(seed: string, timeMs: number, localHours: number, climate: Climate): number {
  const start = Date.UTC(new Date(timeMs).getUTCFullYear(), 0, 1);
  const day = (timeMs - start) / DAY_MS;
  return (
    climate.mean_celsius -
    climate.yearly_kelvin * Math.cos((2 * Math.PI * (day - 20)) / 365.25) -
    climate.daily_kelvin * Math.cos((2 * Math.PI * (localHours - 5)) / 24) +
    3 * normalNoise(`${seed}/weather`, timeMs / (2 * DAY_MS))
  );
}
