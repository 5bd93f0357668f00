import { PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OracleFeed } from './idl/oracle.js';
import type { TradingMarket, TradingOrder } from './idl/trading.js';
import {
  assertChecks,
  bandOf,
  checkBand,
  checkNewOrder,
  checkTake,
  nearestMultiples,
} from './market-checks.js';
import { Side } from './trading.js';

const ONE = 1_000_000_000n;
const [MAKER, TAKER, FEED] = [1, 2, 3].map((byte) => new PublicKey(new Uint8Array(32).fill(byte))) as [
  PublicKey,
  PublicKey,
  PublicKey,
];
const market = {
  paused: false,
  lotSize: 1_000_000n,
  tickSize: 1_000_000n,
  feeBps: 0,
  feed: PublicKey.default,
  bandBps: 0,
} as TradingMarket;
const order = {
  owner: MAKER,
  side: Side.Sell,
  price: 3n * ONE,
  amount: 10n * ONE,
  remaining: 10n * ONE,
  expiresAt: 1_000n,
} as TradingOrder;
const take = {
  market,
  feed: undefined,
  order,
  escrow: 10n * ONE,
  taker: TAKER,
  amount: undefined,
  limit: undefined,
  balance: 30n * ONE,
  now: 999n,
};
const failures = (checks: ReturnType<typeof checkTake>) =>
  checks.filter(({ ok }) => !ok).map(({ check, code }) => `${check} ${code}`);

describe('the nearest multiples', () => {
  it('are the nearer one first, and above zero', () => {
    expect(nearestMultiples(10_400_000n, 1_000_000n)).toEqual([10_000_000n, 11_000_000n]);
    expect(nearestMultiples(10_600_000n, 1_000_000n)).toEqual([11_000_000n, 10_000_000n]);
    expect(nearestMultiples(400_000n, 1_000_000n)).toEqual([1_000_000n]);
    expect(nearestMultiples(0n, 1_000_000n)).toEqual([1_000_000n]);
    expect(nearestMultiples(2n ** 64n - 1n, 10n)).toEqual([2n ** 64n - 6n]);
  });

  it('property: none for a multiple, else the two around the value', () => {
    const u64 = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(u64, fc.bigInt({ min: 1n, max: 10n ** 12n }), (value, step) => {
        const found = nearestMultiples(value, step);
        expect(found.length === 0).toBe(value % step === 0n);
        const distance = (one: bigint) => (one > value ? one - value : value - one);
        for (const one of found) {
          expect(one % step).toBe(0n);
          expect(distance(one)).toBeLessThan(step);
        }
        const [first, second] = found;
        if (first !== undefined && second !== undefined)
          expect(distance(first)).toBeLessThanOrEqual(distance(second));
      }),
    );
  });
});

describe('a new order', () => {
  const wish = { market, side: Side.Sell as number, amount: 10n * ONE, price: 3n * ONE, balance: 15n * ONE };

  it('is good with a balance for its escrow', () => {
    expect(failures(checkNewOrder(wish))).toEqual([]);
    expect(failures(checkNewOrder({ ...wish, side: Side.Buy, balance: 30n * ONE }))).toEqual([]);
  });

  it('names what is wrong, all of it', () => {
    expect(failures(checkNewOrder({ ...wish, side: Side.Buy, balance: 30n * ONE - 1n }))).toEqual([
      'balance BALANCE_TOO_LOW',
    ]);
    expect(failures(checkNewOrder({ ...wish, balance: undefined }))).toEqual(['balance BALANCE_TOO_LOW']);
    expect(() => assertChecks(checkNewOrder({ ...wish, balance: 4n * ONE }))).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({ token: 'GRID', has: '4', needs: '10', missing: '6' }),
      }),
    );
    const paused = { ...market, paused: true };
    expect(failures(checkNewOrder({ ...wish, market: paused, amount: 1n, price: 5n }))).toEqual([
      'market_open MARKET_CLOSED',
      'amount VALUE_INVALID',
      'price VALUE_INVALID',
    ]);
    const huge = { amount: 18_000_000_000n * ONE, price: 18_000_000_000n * ONE };
    expect(failures(checkNewOrder({ ...wish, ...huge }))).toEqual(['worth VALUE_INVALID']);
    const offLot = checkNewOrder({ ...wish, amount: 10_000_400_000n });
    expect(() => assertChecks(offLot)).toThrow('the nearest: 10 and 10.001');
  });
});

describe('taking an order', () => {
  it('is good when everything is there', () => {
    expect(failures(checkTake(take))).toEqual([]);
    expect(() => assertChecks(checkTake(take))).not.toThrow();
    expect(failures(checkTake({ ...take, amount: 4n * ONE, limit: 3n * ONE }))).toEqual([]);
    // The rest of an order need not be a multiple of the lot.
    expect(failures(checkTake({ ...take, order: { ...order, remaining: 5n } }))).toEqual([]);
  });

  it.each([
    ['gone', { order: undefined }, ['order_open ORDER_CLOSED']],
    ['filled', { order: { ...order, remaining: 0n } }, ['order_open ORDER_CLOSED']],
    ['expired', { now: 1_000n }, ['order_open ORDER_CLOSED']],
    ['smaller', { amount: 11n * ONE, balance: 33n * ONE, escrow: 11n * ONE }, ['order_open ORDER_CLOSED']],
    ['own', { taker: MAKER }, ['not_self SELF_TRADE']],
    ['off the lot', { amount: ONE + 1n }, ['amount VALUE_INVALID']],
    ['not covered', { escrow: 10n * ONE - 1n }, ['escrow ORDER_CLOSED']],
    ['too dear', { limit: 3n * ONE - 1n }, ['price VALUE_INVALID']],
    ['unaffordable', { balance: 30n * ONE - 1n }, ['balance BALANCE_TOO_LOW']],
    ['paused', { market: { ...market, paused: true } }, ['market_open MARKET_CLOSED']],
  ] as const)('is refused when it is %s', (_, change, expected) => {
    expect(failures(checkTake({ ...take, ...change }))).toEqual(expected);
  });

  it('needs GRID of whoever sells to a buy order, and takes no lower price than the limit', () => {
    const buy = { ...order, side: Side.Buy };
    const selling = { ...take, order: buy, escrow: 30n * ONE, balance: 10n * ONE, limit: 3n * ONE };
    expect(failures(checkTake(selling))).toEqual([]);
    expect(failures(checkTake({ ...selling, balance: 9n * ONE, limit: 3n * ONE + 1n }))).toEqual([
      'price VALUE_INVALID',
      'balance BALANCE_TOO_LOW',
    ]);
  });
});

describe('the price band', () => {
  const feed = { price: 4n * ONE, publishedAt: 100n, maxAgeSeconds: 50, paused: false } as OracleFeed;
  const banded = { ...market, feed: FEED, bandBps: 2_500 };

  it('is around a price that counts', () => {
    expect(bandOf(market, undefined, 0n)).toBe('none');
    expect(bandOf(banded, undefined, 0n)).toBe('no-price');
    expect(bandOf(banded, feed, 151n)).toBe('no-price');
    expect(bandOf(banded, { ...feed, paused: true }, 150n)).toBe('no-price');
    const band = bandOf(banded, feed, 150n);
    expect(band).toEqual({ reference: 4n * ONE, lowest: 3n * ONE, highest: 5n * ONE });
    expect(
      [3n * ONE - 1n, 3n * ONE, 5n * ONE, 5n * ONE + 1n].map((price) => checkBand(price, band).ok),
    ).toEqual([false, true, true, false]);
  });

  it('keeps an order outside of it from being taken', () => {
    const at = (price: bigint, now: bigint) =>
      failures(
        checkTake({ ...take, market: banded, feed, now, order: { ...order, price }, balance: 99n * ONE }),
      );
    expect(at(3n * ONE, 150n)).toEqual([]);
    expect(at(2n * ONE, 150n)).toEqual(['price_in_band MARKET_CLOSED']);
    expect(at(3n * ONE, 151n)).toEqual(['price_in_band MARKET_CLOSED']);
  });
});
