/**
 * How high the sun stands. Pure.
 *
 * Declination and equation of time as Fourier series by J. W. Spencer, "Fourier series representation of the position of
 * the sun", Search 2 (5), 1971, page 172: good to 0.04 degrees and 35 seconds, which is far more than it takes to tell
 * night from day. Refraction, half a degree at the horizon, is left out.
 */

const RADIANS = Math.PI / 180;

/**
 * @param unixSeconds when
 * @param latitude degrees, north positive
 * @param longitude degrees, east positive
 * @returns degrees above the horizon; negative below it
 */
export function sunElevation(unixSeconds: number, latitude: number, longitude: number): number {
  const date = new Date(unixSeconds * 1000);
  const yearStart = Date.UTC(date.getUTCFullYear(), 0, 1) / 1000;
  const yearSeconds = Date.UTC(date.getUTCFullYear() + 1, 0, 1) / 1000 - yearStart;
  const angle = (2 * Math.PI * (unixSeconds - yearStart)) / yearSeconds;
  const declination =
    0.006918 -
    0.399912 * Math.cos(angle) +
    0.070257 * Math.sin(angle) -
    0.006758 * Math.cos(2 * angle) +
    0.000907 * Math.sin(2 * angle) -
    0.002697 * Math.cos(3 * angle) +
    0.00148 * Math.sin(3 * angle);
  /** Minutes by which a sundial is ahead of a clock. */
  const equationOfTime =
    229.18 *
    (0.000075 +
      0.001868 * Math.cos(angle) -
      0.032077 * Math.sin(angle) -
      0.014615 * Math.cos(2 * angle) -
      0.040849 * Math.sin(2 * angle));
  const solarMinutes = (unixSeconds % 86_400) / 60 + 4 * longitude + equationOfTime;
  const hourAngle = (solarMinutes / 4 - 180) * RADIANS;
  const sine =
    Math.sin(latitude * RADIANS) * Math.sin(declination) +
    Math.cos(latitude * RADIANS) * Math.cos(declination) * Math.cos(hourAngle);
  return Math.asin(Math.min(1, Math.max(-1, sine))) / RADIANS;
}

/** The sun's highest elevation within an interval, in degrees; looked at every five minutes and at its ends. */
export function highestSun(start: number, end: number, latitude: number, longitude: number): number {
  let highest = sunElevation(end, latitude, longitude);
  // A day shows every height there is: longer intervals need not be looked at in whole.
  const last = Math.min(end, start + 86_400);
  for (let at = start; at < last; at += 300) {
    highest = Math.max(highest, sunElevation(at, latitude, longitude));
  }
  return highest;
}
