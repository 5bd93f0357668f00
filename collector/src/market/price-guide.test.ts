import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type PriceGuide,
  type PriceGuideInput,
  PriceGuideSettings,
  priceGuide,
  Tariff,
  tariffAt,
} from './price-guide.js';
import { runs } from './testing.js';

const KWH = 1_000_000_000n;
const seconds = (time: string) => Date.parse(time) / 1000;

/** The example of docs/market.md. */
const example = () => {
  const text = readFileSync(new URL('../../../docs/market.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json as string));
  expect(blocks).toHaveLength(3);
  return blocks as [
    unknown,
    {
      time: string;
      oracle_price: string;
      tick: string;
      intervals: { supply_nkwh: string; demand_nkwh: string }[];
    },
    Record<string, string | number>,
  ];
};

describe('the worked example of docs/market.md', () => {
  it('is what the formula gives', () => {
    const [settings, given, result] = example();
    const now = seconds(given.time);
    const guide = priceGuide(
      {
        oracle: { price: BigInt(given.oracle_price), freshUntil: now },
        now,
        tickSize: BigInt(given.tick),
        intervals: given.intervals.map((each) => ({
          supply: BigInt(each.supply_nkwh),
          demand: BigInt(each.demand_nkwh),
        })),
      },
      PriceGuideSettings.parse(settings),
    ) as PriceGuide;
    expect({
      price: String(guide.price),
      supply_nkwh: String(guide.supply),
      demand_nkwh: String(guide.demand),
      imbalance_bps: guide.imbalanceBps,
      tariff_bps: guide.tariffBps,
    }).toEqual(result);
    expect(guide.bound).toBeUndefined();
  });
});

describe('priceGuide', () => {
  const input = (options: Partial<PriceGuideInput> = {}): PriceGuideInput => ({
    oracle: { price: 3n * KWH, freshUntil: 1_000 },
    now: 1_000,
    tickSize: 1_000_000n,
    intervals: [],
    ...options,
  });
  const settings = PriceGuideSettings.parse({});

  it("is the oracle's price, down to a tick, where nothing is known of the market", () => {
    expect(priceGuide(input(), settings)?.price).toBe(3n * KWH);
    expect(
      priceGuide(input({ oracle: { price: 3n * KWH + 999_999n, freshUntil: 1_000 } }), settings)?.price,
    ).toBe(3n * KWH);
    expect(priceGuide(input({ oracle: { price: 5n, freshUntil: 1_000 } }), settings)?.price).toBe(1_000_000n);
  });

  it("gives nothing once the oracle's price no longer counts", () => {
    expect(priceGuide(input({ now: 1_001 }), settings)).toBeUndefined();
  });

  it('moves by the sensitivity at most, and tells which bound holds it', () => {
    const flood = [{ supply: 10n ** 18n, demand: 0n }];
    const drought = [{ supply: 0n, demand: 10n ** 18n }];
    expect(priceGuide(input({ intervals: flood }), settings)).toMatchObject({
      price: 2_100_000_000n,
      bound: undefined,
    });
    expect(priceGuide(input({ intervals: drought }), settings)?.price).toBe(3_899_000_000n);
    const tight = { ...settings, min_bps: 9_000, max_bps: 11_000 };
    expect(priceGuide(input({ intervals: flood }), tight)).toMatchObject({
      price: 2_700_000_000n,
      bound: 'min',
    });
    expect(priceGuide(input({ intervals: drought }), tight)).toMatchObject({
      price: 3_300_000_000n,
      bound: 'max',
    });
  });

  it('counts the newest interval most', () => {
    const early = [
      { supply: 9n * KWH, demand: 0n },
      { supply: 0n, demand: 9n * KWH },
    ];
    expect(priceGuide(input({ intervals: early }), settings)?.price).toBeGreaterThan(3n * KWH);
    expect(priceGuide(input({ intervals: [...early].reverse() }), settings)?.price).toBeLessThan(3n * KWH);
  });

  it('refuses what cannot be', () => {
    expect(() => priceGuide(input({ intervals: [{ supply: -1n, demand: 0n }] }), settings)).toThrow(
      RangeError,
    );
    expect(() => priceGuide(input({ oracle: { price: 0n, freshUntil: 2_000 } }), settings)).toThrow(
      RangeError,
    );
    expect(() => priceGuide(input({ tickSize: 0n }), settings)).toThrow(RangeError);
    expect(() => PriceGuideSettings.parse({ liquidity_nkwh: '0' })).toThrow();
    expect(() => PriceGuideSettings.parse({ sensitivity_bps: 10_001 })).toThrow();
    expect(() => PriceGuideSettings.parse({ min_bps: 10_001 })).toThrow();
  });

  const volume = fc.oneof(
    fc.constant(0n),
    fc.bigInt({ min: 0n, max: 1_000n * KWH }),
    fc.bigInt({ min: 0n, max: 2n ** 64n }),
  );
  const interval = fc.record({ supply: volume, demand: volume });
  const anySettings = fc.record({
    sensitivity_bps: fc.nat(10_000),
    liquidity_nkwh: fc.bigInt({ min: 1n, max: 100n * KWH }),
    min_bps: fc.integer({ min: 1, max: 10_000 }),
    max_bps: fc.integer({ min: 10_000, max: 100_000 }),
    tariff: fc.integer({ min: 1, max: 50_000 }),
  });
  const price = fc.oneof(
    fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: KWH, max: 10n * KWH }),
  );
  const more = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 100n * KWH }));

  it('stays within its bounds, on a tick, and follows price, demand, supply and tariff the right way', () => {
    fc.assert(
      fc.property(
        anySettings,
        price,
        fc.array(interval, { minLength: 1, maxLength: 6 }),
        fc.bigInt({ min: 1n, max: 10n ** 7n }),
        fc.nat(5),
        more,
        (chosen, oraclePrice, intervals, tickSize, index, extra) => {
          const guideOf = (options: { price?: bigint; intervals?: typeof intervals; tariff?: number } = {}) =>
            priceGuide(
              {
                oracle: { price: options.price ?? oraclePrice, freshUntil: 0 },
                now: 0,
                intervals: options.intervals ?? intervals,
                tickSize,
              },
              {
                ...chosen,
                tariff: { time_zone: 'UTC', default_bps: options.tariff ?? chosen.tariff, periods: [] },
              },
            ) as PriceGuide;
          const guide = guideOf();
          expect(guide.price % tickSize).toBe(0n);
          expect(guide.price).toBeGreaterThan(0n);
          expect(guide.price * 10_000n).toBeLessThanOrEqual(
            oraclePrice * BigInt(chosen.max_bps) > tickSize * 10_000n
              ? oraclePrice * BigInt(chosen.max_bps)
              : tickSize * 10_000n,
          );
          expect(guide.price + tickSize).toBeGreaterThan((oraclePrice * BigInt(chosen.min_bps)) / 10_000n);
          expect(Math.abs(guide.imbalanceBps)).toBeLessThanOrEqual(10_000);
          const place = index % intervals.length;
          const changed = (side: 'supply' | 'demand') =>
            intervals.map((each, at) => (at === place ? { ...each, [side]: each[side] + extra } : each));
          expect(guideOf({ price: oraclePrice + extra }).price).toBeGreaterThanOrEqual(guide.price);
          expect(guideOf({ intervals: changed('demand') }).price).toBeGreaterThanOrEqual(guide.price);
          expect(guideOf({ intervals: changed('supply') }).price).toBeLessThanOrEqual(guide.price);
          expect(guideOf({ tariff: chosen.tariff + Number(extra % 1_000n) }).price).toBeGreaterThanOrEqual(
            guide.price,
          );
          const neutral = guideOf({
            intervals: intervals.map(({ supply }) => ({ supply, demand: supply })),
            tariff: 10_000,
          });
          const ticks = oraclePrice / tickSize;
          expect(neutral.price).toBe((ticks === 0n ? 1n : ticks) * tickSize);
        },
      ),
      { numRuns: runs(300) },
    );
  });
});

describe('the tariff', () => {
  const tariff = Tariff.parse({
    time_zone: 'Asia/Bangkok',
    default_bps: 8_000,
    periods: [
      { from: '09:00', to: '22:00', days: ['mon', 'tue', 'wed', 'thu', 'fri'], bps: 12_500 },
      { from: '22:00', to: '06:00', days: ['sat'], bps: 5_000 },
    ],
  });

  it('goes by the clock on the wall and the day of the week, past midnight and past the end of the week', () => {
    // 23 November 2026 is a Monday; Bangkok is seven hours ahead.
    for (const [time, bps] of [
      ['2026-11-23T01:59:59Z', 8_000],
      ['2026-11-23T02:00:00Z', 12_500],
      ['2026-11-23T14:59:59Z', 12_500],
      ['2026-11-23T15:00:00Z', 8_000],
      ['2026-11-28T05:00:00Z', 8_000],
      ['2026-11-28T15:00:00Z', 5_000],
      ['2026-11-28T22:59:00Z', 5_000],
      ['2026-11-28T23:00:00Z', 8_000],
    ] as const) {
      expect([time, tariffAt(tariff, seconds(time))]).toEqual([time, bps]);
    }
  });

  it('follows summer time', () => {
    const berlin = Tariff.parse({
      time_zone: 'Europe/Berlin',
      periods: [{ from: '12:00', to: '13:00', bps: 1 }],
    });
    expect(tariffAt(berlin, seconds('2026-07-01T10:30:00Z'))).toBe(1);
    expect(tariffAt(berlin, seconds('2026-12-01T10:30:00Z'))).toBe(10_000);
    expect(tariffAt(berlin, seconds('2026-12-01T11:30:00Z'))).toBe(1);
  });

  it('refuses periods that overlap, times and zones that do not exist', () => {
    const refused = (value: unknown) => expect(Tariff.safeParse(value).success).toBe(false);
    const period = (from: string, to: string, days?: string[]) => ({ from, to, days, bps: 1 });
    refused({ periods: [period('09:00', '12:00'), period('11:59', '13:00')] });
    refused({ periods: [period('22:00', '06:00', ['sat']), period('05:00', '07:00', ['sun'])] });
    refused({ periods: [period('25:00', '26:00')] });
    refused({ periods: [period('09:00', '12:00', [])] });
    refused({ time_zone: 'Mars/Olympus' });
    const fine = { periods: [period('09:00', '12:00'), period('12:00', '24:00'), period('00:00', '09:00')] };
    expect(Tariff.safeParse(fine).success).toBe(true);
    expect(Tariff.safeParse({ periods: [period('00:00', '24:00')] }).success).toBe(true);
  });
});
