/**
 * Where the sun stands and what a tilted plane receives. Pure.
 *
 * Position: the Astronomical Almanac's low-precision formulas as given by J. J. Michalsky, "The Astronomical
 * Almanac's algorithm for approximate solar position (1950-2050)", Solar Energy 40 (3), 1988, pages 227-235:
 *
 *     n = JD - 2451545.0                            days since J2000.0
 *     L = 280.460 + 0.9856474 n                     mean longitude
 *     g = 357.528 + 0.9856003 n                     mean anomaly
 *     l = L + 1.915 sin g + 0.020 sin 2g            ecliptic longitude
 *     e = 23.439 - 0.0000004 n                      obliquity
 *     ra = atan2(cos e sin l, cos l), dec = asin(sin e sin l)
 *     gmst = 6.697375 + 0.0657098242 n + UT         hours; local: + longitude / 15
 *     sin(elevation) = sin dec sin lat + cos dec cos lat cos h, h = lmst - ra
 *
 * Good to 0.01 degrees from 1950 to 2050; refraction (half a degree at the horizon) is left out.
 */

const DEGREE = Math.PI / 180;
const DAY_MS = 86_400_000;
/** 2000-01-01T12:00Z, J2000.0. */
const J2000_MS = Date.UTC(2000, 0, 1, 12);
/** Solar constant, W/m2 (Kopp and Lean, Geophysical Research Letters 38, 2011). */
const SOLAR_CONSTANT = 1361;

/** Degrees; azimuth clockwise from north. */
export interface SunPosition {
  elevation: number;
  azimuth: number;
}

/** @param latitude degrees, north positive @param longitude degrees, east positive */
export function sunPosition(timeMs: number, latitude: number, longitude: number): SunPosition {
  const n = (timeMs - J2000_MS) / DAY_MS;
  const meanAnomaly = (357.528 + 0.9856003 * n) * DEGREE;
  const eclipticLongitude =
    (280.46 + 0.9856474 * n + 1.915 * Math.sin(meanAnomaly) + 0.02 * Math.sin(2 * meanAnomaly)) * DEGREE;
  const obliquity = (23.439 - 0.0000004 * n) * DEGREE;
  const rightAscension = Math.atan2(
    Math.cos(obliquity) * Math.sin(eclipticLongitude),
    Math.cos(eclipticLongitude),
  );
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(eclipticLongitude));
  const utHours = (((timeMs % DAY_MS) + DAY_MS) % DAY_MS) / 3_600_000;
  const siderealHours = 6.697375 + 0.0657098242 * n + utHours + longitude / 15;
  const hourAngle = siderealHours * 15 * DEGREE - rightAscension;
  const lat = latitude * DEGREE;
  const elevation = Math.asin(
    Math.sin(declination) * Math.sin(lat) + Math.cos(declination) * Math.cos(lat) * Math.cos(hourAngle),
  );
  const azimuth = Math.atan2(
    -Math.sin(hourAngle) * Math.cos(declination),
    Math.cos(lat) * Math.sin(declination) - Math.sin(lat) * Math.cos(declination) * Math.cos(hourAngle),
  );
  return { elevation: elevation / DEGREE, azimuth: (azimuth / DEGREE + 360) % 360 };
}

/**
 * Irradiance of the horizontal plane under a clear sky, W/m2.
 * B. Haurwitz, Journal of Meteorology 2, 1945: 1098 cos z exp(-0.057 / cos z).
 */
export function clearSkyIrradiance(elevation: number): number {
  const cosZenith = Math.sin(elevation * DEGREE);
  return cosZenith <= 0 ? 0 : 1098 * cosZenith * Math.exp(-0.057 / cosZenith);
}

export interface Plane {
  /** Degrees from the horizontal. */
  tilt: number;
  /** Degrees clockwise from north: 180 faces south. */
  azimuth: number;
  /** Share of light that the ground reflects. */
  albedo: number;
}

/**
 * Irradiance of a tilted plane, W/m2, from that of the horizontal one.
 *
 * The diffuse part is split off by D. G. Erbs, S. A. Klein, J. A. Duffie, Solar Energy 28 (4), 1982, and both are
 * turned to the plane with an isotropic sky: B. Y. H. Liu, R. C. Jordan, Solar Energy 7 (2), 1963.
 */
export function planeIrradiance(sun: SunPosition, horizontal: number, plane: Plane, timeMs: number): number {
  const cosZenith = Math.sin(sun.elevation * DEGREE);
  if (cosZenith <= 0 || horizontal <= 0) return 0;
  const dayOfYear = (timeMs - Date.UTC(new Date(timeMs).getUTCFullYear(), 0, 1)) / DAY_MS;
  const outside = SOLAR_CONSTANT * (1 + 0.033 * Math.cos((2 * Math.PI * dayOfYear) / 365)) * cosZenith;
  const diffuse = horizontal * diffuseShare(horizontal / outside);
  const direct = (horizontal - diffuse) / Math.max(cosZenith, Math.sin(3 * DEGREE));
  const tilt = plane.tilt * DEGREE;
  const cosIncidence =
    cosZenith * Math.cos(tilt) +
    Math.cos(sun.elevation * DEGREE) * Math.sin(tilt) * Math.cos((sun.azimuth - plane.azimuth) * DEGREE);
  return (
    direct * Math.max(0, cosIncidence) +
    (diffuse * (1 + Math.cos(tilt))) / 2 +
    (horizontal * plane.albedo * (1 - Math.cos(tilt))) / 2
  );
}

/** Share of diffuse light by the clearness index (Erbs 1982, equation 1). */
function diffuseShare(clearness: number): number {
  const k = Math.min(Math.max(clearness, 0), 1);
  if (k <= 0.22) return 1 - 0.09 * k;
  if (k <= 0.8) return 0.9511 - 0.1604 * k + 4.388 * k ** 2 - 16.638 * k ** 3 + 12.336 * k ** 4;
  return 0.165;
}
