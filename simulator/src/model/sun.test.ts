import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clearSkyIrradiance, planeIrradiance, sunPosition } from './sun.js';

describe("the sun's position", () => {
  it('agrees with the worked example of the Solar Position Algorithm', () => {
    // Reda and Andreas, NREL/TP-560-34302, table A5.1: 17 October 2003, 12:30:30 at UTC-7, zenith 50.11162 degrees with
    // refraction and 1,830 m above the sea, azimuth 194.34024 degrees.
    const sun = sunPosition(Date.UTC(2003, 9, 17, 19, 30, 30), 39.742476, -105.1786);
    expect(90 - sun.elevation).toBeCloseTo(50.11162, 1);
    expect(Math.abs(90 - sun.elevation - 50.11162)).toBeLessThan(0.03);
    expect(Math.abs(sun.azimuth - 194.34024)).toBeLessThan(0.02);
  });

  it('stands overhead in the tropics at the solstice and never rises in a polar night', () => {
    // The June solstice of 2026 is on 21 June, 8:24 UTC; noon at 54 degrees east is then.
    const sun = sunPosition(Date.UTC(2026, 5, 21, 8, 26), 23.44, 54);
    expect(sun.elevation).toBeGreaterThan(89.5);
    for (let hour = 0; hour < 24; hour++) {
      expect(sunPosition(Date.UTC(2026, 11, 21, hour), 70, 20).elevation).toBeLessThan(0);
    }
  });

  it('is in the south at noon and in the east before', () => {
    const at = (hour: number) => sunPosition(Date.UTC(2026, 2, 20, hour, 7), 50, 0);
    expect(at(12).azimuth).toBeGreaterThan(179);
    expect(at(12).azimuth).toBeLessThan(181);
    // At an equinox the sun stands as high as the equator: 90 - latitude.
    expect(at(12).elevation).toBeCloseTo(40, 0);
    expect(at(7).azimuth).toBeGreaterThan(90);
    expect(at(7).azimuth).toBeLessThan(120);
    expect(at(17).azimuth).toBeGreaterThan(240);
  });
});

describe('irradiance', () => {
  it('of a clear sky is that of Haurwitz', () => {
    expect(clearSkyIrradiance(90)).toBeCloseTo(1098 * Math.exp(-0.057), 6);
    expect(clearSkyIrradiance(30)).toBeCloseTo(549 * Math.exp(-0.114), 6);
    expect(clearSkyIrradiance(0)).toBe(0);
    expect(clearSkyIrradiance(-5)).toBe(0);
  });

  it('of a plane that lies flat is the horizontal one', () => {
    const time = Date.UTC(2026, 5, 21, 11);
    fc.assert(
      fc.property(
        fc.double({ min: 5, max: 90, noNaN: true }),
        fc.double({ min: 0, max: 360, noNaN: true }),
        (elevation, azimuth) => {
          const horizontal = clearSkyIrradiance(elevation);
          const plane = { tilt: 0, azimuth, albedo: 0.2 };
          expect(planeIrradiance({ elevation, azimuth: 180 }, horizontal, plane, time)).toBeCloseTo(
            horizontal,
            6,
          );
        },
      ),
    );
  });

  it('is more towards the sun than away from it, and never beyond what there is', () => {
    const time = Date.UTC(2026, 11, 21, 11);
    const sun = sunPosition(time, 52.5, 13.4);
    const horizontal = clearSkyIrradiance(sun.elevation);
    const of = (azimuth: number) =>
      planeIrradiance(sun, horizontal, { tilt: 60, azimuth, albedo: 0.2 }, time);
    expect(of(180)).toBeGreaterThan(2 * horizontal);
    expect(of(0)).toBeLessThan(horizontal);
    expect(of(180)).toBeLessThan(1361);
  });
});
