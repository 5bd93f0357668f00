import { expect, test } from 'vitest';
import { projectionOf } from './projection.js';

const size = { width: 600, height: 400, margin: 20 };
const bangkok = { latitude: 13.75, longitude: 100.5 };
const chiangMai = { latitude: 18.79, longitude: 98.98 };

test('north is up, east is right, and everything is inside', () => {
  const projection = projectionOf([bangkok, chiangMai], size);
  const [south, north] = [projection?.at(bangkok), projection?.at(chiangMai)];
  expect(north?.y).toBeLessThan(south?.y ?? 0);
  expect(north?.x).toBeLessThan(south?.x ?? 0);
  for (const point of [south, north]) {
    expect(point?.x).toBeGreaterThanOrEqual(20 - 1e-9);
    expect(point?.x).toBeLessThanOrEqual(580 + 1e-9);
    expect(point?.y).toBeGreaterThanOrEqual(20 - 1e-9);
    expect(point?.y).toBeLessThanOrEqual(380 + 1e-9);
  }
});

test('a kilometre is as long to the north as to the east', () => {
  const north = { latitude: bangkok.latitude + 1 / 111.132, longitude: bangkok.longitude };
  const shortened = Math.cos((bangkok.latitude * Math.PI) / 180);
  const east = { latitude: bangkok.latitude, longitude: bangkok.longitude + 1 / (111.132 * shortened) };
  const projection = projectionOf([bangkok, north, east], size);
  const from = projection?.at(bangkok) ?? { x: 0, y: 0 };
  const up = from.y - (projection?.at(north).y ?? 0);
  const right = (projection?.at(east).x ?? 0) - from.x;
  expect(right / up).toBeCloseTo(1, 2);
  const { metres = 1, pixels = 0 } = projection?.scale ?? {};
  expect(pixels / metres).toBeCloseTo(up / 1000, 4);
});

test('one place is in the middle, and no place is no map', () => {
  expect(projectionOf([bangkok], size)?.at(bangkok)).toEqual({ x: 300, y: 200 });
  expect(projectionOf([], size)).toBeUndefined();
});

test('the scale is round and fits', () => {
  for (const spread of [0.001, 0.1, 3, 60]) {
    const { metres = 0, pixels = 0 } =
      projectionOf([bangkok, { latitude: 13.75 - spread, longitude: 100.5 + spread }], size)?.scale ?? {};
    expect(String(metres)).toMatch(/^[125]0*$/);
    expect(pixels).toBeGreaterThan(20);
    expect(pixels).toBeLessThanOrEqual(150);
  }
});
