import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_BUCKETS, STEPS } from './schemas.js';
import { partsOf } from './zones.js';

const at = (iso: string) => Date.parse(iso) / 1000;
const hours = (starts: readonly number[]) =>
  starts.slice(1).map((start, index) => (start - (starts[index] as number)) / 3600);
const iso = (starts: readonly number[]) =>
  starts.map((start) => new Date(start * 1000).toISOString().slice(0, 16));

describe('days', () => {
  test('have 23 and 25 hours where clocks are changed', () => {
    // Berlin: 29 March and 25 October 2026.
    const spring = partsOf(at('2026-03-28T12:00:00Z'), at('2026-03-30T12:00:00Z'), 'day', 'Europe/Berlin');
    expect(iso(spring)).toEqual([
      '2026-03-27T23:00',
      '2026-03-28T23:00',
      '2026-03-29T22:00',
      '2026-03-30T22:00',
    ]);
    expect(hours(spring)).toEqual([24, 23, 24]);
    const autumn = partsOf(at('2026-10-24T12:00:00Z'), at('2026-10-26T12:00:00Z'), 'day', 'Europe/Berlin');
    expect(hours(autumn)).toEqual([24, 25, 24]);
    // Lord Howe Island changes by half an hour.
    const island = partsOf(
      at('2026-04-03T14:00:00Z'),
      at('2026-04-05T14:00:00Z'),
      'day',
      'Australia/Lord_Howe',
    );
    expect(hours(island)).toContain(24.5);
  });

  test('begin at the first moment of the date, where midnight is left out and where the date is', () => {
    // Beirut's clocks go from 24:00 of 28 March 2026 to 1:00.
    const beirut = partsOf(at('2026-03-28T12:00:00Z'), at('2026-03-29T12:00:00Z'), 'day', 'Asia/Beirut');
    expect(iso(beirut)).toEqual(['2026-03-27T22:00', '2026-03-28T22:00', '2026-03-29T21:00']);
    // Apia had no 30 December 2011.
    const apia = partsOf(at('2011-12-29T12:00:00Z'), at('2011-12-31T10:00:00Z'), 'day', 'Pacific/Apia');
    expect(iso(apia)).toEqual(['2011-12-29T10:00', '2011-12-30T10:00', '2011-12-31T10:00']);
  });

  test('of Bangkok and UTC are those of the clocks', () => {
    const bangkok = partsOf(at('2026-11-22T17:00:00Z'), at('2026-11-23T17:00:00Z'), 'day', 'Asia/Bangkok');
    expect(iso(bangkok)).toEqual(['2026-11-22T17:00', '2026-11-23T17:00']);
    expect(iso(partsOf(at('2026-11-22T00:00:00Z'), at('2026-11-23T00:00:01Z'), 'day', 'UTC'))).toEqual([
      '2026-11-22T00:00',
      '2026-11-23T00:00',
      '2026-11-24T00:00',
    ]);
  });
});

test('hours and quarters are those of the clocks, also 45 minutes beside those of UTC', () => {
  const kathmandu = partsOf(at('2026-11-22T00:00:00Z'), at('2026-11-22T02:00:00Z'), 'hour', 'Asia/Kathmandu');
  expect(iso(kathmandu)).toEqual([
    '2026-11-21T23:15',
    '2026-11-22T00:15',
    '2026-11-22T01:15',
    '2026-11-22T02:15',
  ]);
  const quarters = partsOf(
    at('2026-11-22T00:07:00Z'),
    at('2026-11-22T00:31:00Z'),
    'quarter',
    'Asia/Kathmandu',
  );
  expect(iso(quarters)).toEqual([
    '2026-11-22T00:00',
    '2026-11-22T00:15',
    '2026-11-22T00:30',
    '2026-11-22T00:45',
  ]);
  // From 2:00 back to 1:30: the hour that began at 1:00 lasts an hour and a half.
  const island = partsOf(
    at('2026-04-04T12:00:00Z'),
    at('2026-04-04T18:00:00Z'),
    'hour',
    'Australia/Lord_Howe',
  );
  expect(hours(island)).toContain(1.5);
});

test('whatever is asked, the parts follow each other, hold it all, and begin at quarters', () => {
  const zones = [
    'UTC',
    'Asia/Bangkok',
    'Asia/Kathmandu',
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'America/St_Johns',
  ];
  fc.assert(
    fc.property(
      fc.integer({ min: at('2012-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') }),
      fc.integer({ min: 1, max: 300 * 900 }),
      fc.constantFrom(...STEPS),
      fc.constantFrom(...zones),
      (from, seconds, step, zone) => {
        const starts = partsOf(from, from + seconds, step, zone);
        expect(starts[0]).toBeLessThanOrEqual(from);
        expect(starts[1]).toBeGreaterThan(from);
        expect(starts.at(-1)).toBeGreaterThanOrEqual(from + seconds);
        expect(starts.at(-2)).toBeLessThan(from + seconds);
        expect(starts.every((start) => start % 900 === 0)).toBe(true);
        expect(hours(starts).every((long) => long > 0)).toBe(true);
        // The zone's clocks say the same minute at the beginning of every hour, and midnight at that of a day.
        const clock = new Intl.DateTimeFormat('en-GB', {
          timeZone: zone,
          hour: '2-digit',
          minute: '2-digit',
        });
        for (const start of starts) {
          const text = clock.format(start * 1000);
          if (step === 'hour') expect(text.slice(3)).toBe('00');
          if (step === 'day') expect(text).toBe('00:00');
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('what is too much, or nothing, is refused', () => {
  const from = at('2026-01-01T00:00:00Z');
  expect(partsOf(from, from + MAX_BUCKETS * 900, 'quarter', 'UTC')).toHaveLength(MAX_BUCKETS + 1);
  expect(() => partsOf(from, from + MAX_BUCKETS * 900 + 1, 'quarter', 'UTC')).toThrow('at most 400');
  expect(() => partsOf(from, from + 10 * 366 * 86_400, 'day', 'UTC')).toThrow('at most 400');
  expect(() => partsOf(from, from, 'day', 'UTC')).toThrow('after from');
});
