import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, parseTimestamp } from './index.js';

describe('timestamps', () => {
  it.each([
    ['2023-11-14T22:30:00Z', 1_700_001_000],
    ['2023-11-14T22:30:00.000Z', 1_700_001_000],
    ['2023-11-15T05:30:00+07:00', 1_700_001_000],
    ['2023-11-14T18:00:00-04:30', 1_700_001_000],
    ['2024-02-29T00:00:00Z', 1_709_164_800],
    ['1970-01-01T00:00:00Z', 0],
    ['2106-02-07T06:28:15Z', 4_294_967_295],
    [1_700_001_000, 1_700_001_000],
  ])('%s', (value, seconds) => {
    expect(parseTimestamp(value)).toBe(seconds);
  });

  it('come back as they were, in any zone', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 86_400, max: 0xffff_ffff - 86_400 }),
        fc.integer({ min: -1439, max: 1439 }),
        (seconds, zone) => {
          expect(parseTimestamp(formatTimestamp(seconds))).toBe(seconds);
          const local = new Date((seconds + zone * 60) * 1000).toISOString().slice(0, 19);
          const hours = String(Math.floor(Math.abs(zone) / 60)).padStart(2, '0');
          const minutes = String(Math.abs(zone) % 60).padStart(2, '0');
          expect(parseTimestamp(`${local}${zone < 0 ? '-' : '+'}${hours}:${minutes}`)).toBe(seconds);
        },
      ),
    );
  });

  it.each([
    '',
    '2023-11-14',
    '2023-11-14T22:30:00',
    '2023-11-14 22:30:00Z',
    '2023-11-14T22:30Z',
    '20231114T223000Z',
    '2023-02-29T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-11-31T00:00:00Z',
    '2023-11-14T24:00:00Z',
    '2023-11-14T22:60:00Z',
    '2016-12-31T23:59:60Z',
    '2023-11-14T22:30:00.5Z',
    '2023-11-14T22:30:00+24:00',
    '2023-11-14T22:30:00+07:60',
    '2023-11-14T22:30:00+0700',
    '1969-12-31T23:59:59Z',
    '2106-02-07T06:28:16Z',
    '1700001000',
    'now',
    -1,
    1.5,
    2 ** 32,
    Number.NaN,
    null as never,
  ])('refuse %j', (value) => {
    expect(() => parseTimestamp(value)).toThrowError(expect.objectContaining({ code: 'VALUE_INVALID' }));
  });
});
