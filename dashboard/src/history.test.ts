import { afterEach, expect, test, vi } from 'vitest';
import { boundsOf, columns, endsWithin, localDate, PERIODS, powerCurve, step, turned } from './history.js';
import type { EnergyBucket } from './types.js';

afterEach(() => void vi.unstubAllEnvs());

// The last three go forward at midnight: a day of theirs has none.
test.each(['Asia/Bangkok', 'America/Santiago', 'Africa/Cairo', 'Atlantic/Azores'])(
  'a period holds its day and ends where the next begins, in %s',
  (zone) => {
    vi.stubEnv('TZ', zone);
    for (const period of PERIODS) {
      for (let offset = 0; offset < 800; offset++) {
        const day = new Date(2024, 0, 1 + offset, 13);
        const { from, to } = boundsOf(period, day);
        expect(from <= day && day < to).toBe(true);
        expect(boundsOf(period, to).from).toEqual(to);
        expect(boundsOf(period, new Date(to.getTime() - 1))).toEqual({ from, to });
      }
    }
    expect(boundsOf('week', new Date(2026, 10, 22)).from).toEqual(new Date(2026, 10, 16));
    expect(step('month', new Date(2026, 2, 31), -1)).toEqual(new Date(2026, 1, 28));
    expect(step('month', new Date(2026, 0, 31), 1)).toEqual(new Date(2026, 1, 28));
  },
);

test('whoever comes back to today follows it again', () => {
  const now = new Date(2026, 10, 23, 12);
  const yesterday = turned('day', now, -1, now) as Date;
  expect(localDate(yesterday)).toBe('2026-11-22');
  expect(turned('day', yesterday, 1, now)).toBeUndefined();
  expect(turned('day', yesterday, -1, now)).toEqual(new Date(2026, 10, 21));
  // The month of today, by another day of it.
  expect(turned('month', new Date(2026, 9, 5), 1, now)).toBeUndefined();
  // After the next midnight the same day is another than today.
  expect(turned('day', yesterday, 1, new Date(2026, 10, 24))).toEqual(new Date(2026, 10, 23));
});

test('what ends at a midnight is of the day that ends, and a file is named by the reader’s own date', () => {
  vi.stubEnv('TZ', 'Asia/Bangkok');
  const bounds = boundsOf('day', new Date('2026-11-22T20:00:00Z'));
  expect(endsWithin(bounds)).toEqual({ from: '2026-11-22T17:00:01Z', to: '2026-11-23T17:00:01Z' });
  expect(localDate(bounds.from)).toBe('2026-11-23');
});

const bucket = (start: number, kwh: string, readings = 1): EnergyBucket => ({
  start: new Date(start * 1000).toISOString(),
  end: new Date((start + 900) * 1000).toISOString(),
  produced_kwh: kwh,
  consumed_kwh: '1',
  surplus_kwh: '0.5',
  readings,
});

test('each bucket holds to its end, whatever the order, and what is not known is a gap', () => {
  const hidden = { ...bucket(2700, '9'), produced_kwh: null, consumed_kwh: null, surplus_kwh: null };
  const buckets = [bucket(3600, '4'), bucket(900, '3'), bucket(0, '2'), bucket(1800, '0', 0), hidden];
  expect(columns(buckets)).toEqual({
    times: [0, 900, 1800, 1801, 3600, 4500],
    produced: [2, 3, 3, null, 4, 4],
    consumed: [1, 1, 1, null, 1, 1],
    surplus: [0.5, 0.5, 0.5, null, 0.5, 0.5],
  });
});

test('power is the mean over each quarter that is over, and power now for the one under way', () => {
  const buckets = [bucket(0, '2'), bucket(900, '7')];
  const power = {
    production_watts: 4000,
    consumption_watts: 500,
    surplus_watts: 3500,
    meters: 3,
    at: '1970-01-01T00:22:30Z',
  };
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  const { times, produced, consumed } = powerCurve(buckets, { time: at(1350), power });
  expect(times).toEqual([0, 900, 1350]);
  expect(produced).toEqual([8, 4, 4]);
  expect(consumed).toEqual([4, 0.5, 0.5]);
  expect(powerCurve(buckets, { time: at(1350), power: null }).times).toEqual([0, 900]);
  expect(powerCurve(buckets, { time: at(1800), power }).produced).toEqual([8, 28, 28]);
});
