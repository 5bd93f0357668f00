import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  atPointer,
  combine,
  isDue,
  objection,
  parsePriceText,
  parsePriceValue,
  parseTimeValue,
  type Quote,
  scaled,
} from './price.js';

const ONE = 1_000_000_000n;

describe('a price in a document', () => {
  it('is decimal text or a number, rounded at the ninth decimal', () => {
    expect(parsePriceText('3')).toBe(3n * ONE);
    expect(parsePriceText(' 0.25\n')).toBe(ONE / 4n);
    expect(parsePriceText('0.0000000015')).toBe(2n);
    expect(parsePriceText('0.9999999999')).toBe(ONE);
    for (const text of ['', '-1', '1e3', '.5', 'NaN', '1,5', '0x1', '123456789012'])
      expect(parsePriceText(text), text).toBeUndefined();
    expect(parsePriceValue(0.1)).toBe(100_000_000n);
    expect(parsePriceValue(1e-7)).toBe(100n);
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e30, null, true, {}, [3]])
      expect(parsePriceValue(value)).toBeUndefined();
  });

  it('property: any text and any value gives a price or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.anything()), (value) => {
        const price = parsePriceValue(value);
        if (price !== undefined) expect(price).toBeGreaterThanOrEqual(0n);
      }),
    );
  });

  it('is scaled to GRX for 1 kWh', () => {
    expect(scaled(90n * ONE, ONE / 1_000n)).toBe(90_000_000n);
    expect(scaled(1n, ONE / 2n)).toBe(1n);
  });
});

it('a time is ISO 8601 with a zone, or Unix seconds', () => {
  expect(parseTimeValue('2026-11-23T11:30:00Z')).toBe(1_795_433_400);
  expect(parseTimeValue('2026-11-23T18:30:00+07:00')).toBe(1_795_433_400);
  expect(parseTimeValue(1_795_433_400.7)).toBe(1_795_433_400);
  expect(parseTimeValue('1795433400')).toBe(1_795_433_400);
  for (const value of ['2026-11-23', '2026-11-23T11:30:00', 'now', '', null, -5, 'T0Z'])
    expect(parseTimeValue(value)).toBeUndefined();
});

it('a JSON pointer finds what RFC 6901 says, and nothing inherited', () => {
  // The document of RFC 6901, section 5, as far as it matters here.
  const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'm~n': 8, ' ': 7 };
  expect(atPointer(document, '')).toBe(document);
  expect(atPointer(document, '/foo/0')).toBe('bar');
  expect(atPointer(document, '/')).toBe(0);
  expect(atPointer(document, '/a~1b')).toBe(1);
  expect(atPointer(document, '/m~0n')).toBe(8);
  for (const pointer of ['/foo/2', '/foo/00', '/foo/length', '/constructor', '/foo/0/0', '/none'])
    expect(atPointer(document, pointer), pointer).toBeUndefined();
});

describe('several quotes', () => {
  const quote = (price: bigint, source = 's'): Quote => ({ source, price, at: 0 });

  it('give their median, or the first', () => {
    const quotes = [quote(9n), quote(1n), quote(4n)];
    expect(combine(quotes, 'median', 1)).toBe(4n);
    expect(combine(quotes.slice(0, 2), 'median', 1)).toBe(5n);
    expect(combine([quote(3n), quote(4n)], 'median', 1)).toBe(3n);
    expect(combine(quotes, 'first', 1)).toBe(9n);
    expect(combine(quotes, 'median', 4)).toBeUndefined();
    expect(combine([], 'first', 1)).toBeUndefined();
    expect(combine([], 'median', 1)).toBeUndefined();
  });

  it('property: a minority of liars moves the median no further than the honest quotes are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 1n, max: 10n ** 12n }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.bigInt({ min: 0n, max: 10n ** 18n }), { maxLength: 8 }),
        (honest, lies) => {
          const some = lies.slice(0, honest.length - 1);
          const price = combine(
            [...honest, ...some].map((one) => quote(one)),
            'median',
            1,
          ) as bigint;
          const sorted = [...honest].sort((one, other) => (one < other ? -1 : 1));
          expect(price).toBeGreaterThanOrEqual(sorted[0] as bigint);
          expect(price).toBeLessThanOrEqual(sorted.at(-1) as bigint);
        },
      ),
    );
  });

  it('count only within bounds and while they are fresh', () => {
    const rules = { minPrice: 10n, maxPrice: 20n, maxAgeSeconds: 60 };
    const at = (price: bigint, time: number) => objection({ source: 's', price, at: time }, rules, 1_000);
    expect(at(10n, 1_000)).toBeUndefined();
    expect(at(20n, 940)).toBeUndefined();
    expect(at(9n, 1_000)).toBe('out_of_bounds');
    expect(at(21n, 1_000)).toBe('out_of_bounds');
    expect(at(15n, 939)).toBe('stale');
    expect(at(15n, 1_061)).toBe('from_the_future');
    expect(objection({ source: 's', price: 15n, at: 0 }, { ...rules, maxAgeSeconds: undefined }, 1_000)).toBe(
      undefined,
    );
  });
});

it('a price is due at first, after the interval, and when it has moved', () => {
  const rules = { intervalSeconds: 300, deviationBps: 50 };
  const last = { price: 10_000n, at: 1_000 };
  expect(isDue(10_000n, undefined, rules, 1_000)).toBe('first');
  expect(isDue(10_000n, last, rules, 1_299)).toBeUndefined();
  expect(isDue(10_000n, last, rules, 1_300)).toBe('interval');
  expect(isDue(10_049n, last, rules, 1_001)).toBeUndefined();
  expect(isDue(10_050n, last, rules, 1_001)).toBe('deviation');
  expect(isDue(9_950n, last, rules, 1_001)).toBe('deviation');
});
