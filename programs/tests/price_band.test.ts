/* Trading's price band with the real oracle behind it. */
import { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld, oraclePda } from './oracle.js';
import { ONE, SELL } from './trading.js';

/** A market whose band of 5 percent follows the oracle's feed, at 3 GRX; an order at 3 GRX, and somebody to take it. */
function scene() {
  const world = new OracleWorld({ settings: { maxDeviationBps: 1_000, overridePublishers: 0 } });
  world.feed = world.feedAddress;
  world.must([world.createMarket({ feed: world.feedAddress, bandBps: 500 })], [world.upgradeAuthority]);
  world.agree(3n * ONE);
  const [maker, taker] = [world.trader(), world.trader()];
  const order = world.place(maker, { side: SELL, price: 3n * ONE });
  const attempt = (amount = ONE) =>
    world.simulate([world.matchOrder(taker.publicKey, order, { amount })], [taker]);
  return { world, maker, taker, order, attempt };
}

describe('the price band with the oracle', () => {
  it('follows the median, both ends included', () => {
    const { world, attempt } = scene();
    expect(attempt()).toBeUndefined();
    for (const [price, error] of [
      [2_857_142_858n, undefined],
      [2_857_142_856n, 'OutOfBand'],
      [3_157_894_736n, undefined],
      [3_157_894_738n, 'OutOfBand'],
    ] as const) {
      // The third publisher is far off and counts for nothing.
      world.round(price, price, 9n * ONE);
      expect([price, attempt()]).toEqual([price, error]);
    }
  });

  it('stops trades when the oracle falls silent, and lets them on when it is back', () => {
    const { world, attempt, taker, order } = scene();
    world.wait(299);
    expect(attempt()).toBeUndefined();
    world.wait(1);
    expect(attempt()).toBe('FeedStale');
    world.publish(0, 3n * ONE);
    // One publisher is not enough.
    expect(attempt()).toBe('FeedStale');
    world.publish(1, 3n * ONE);
    world.must([world.matchOrder(taker.publicKey, order, { amount: ONE })], [taker]);
  });

  it('stops trades while the feed is paused by its guardian; cancelling goes on', () => {
    const { world, attempt, maker, order } = scene();
    world.must([world.pauseFeed(true, world.oracleGuardian.publicKey)], [world.oracleGuardian]);
    expect(attempt()).toBe('FeedPaused');
    world.must([world.cancelOrder(order)], [maker]);
  });

  it('stops crossing too', () => {
    const { world, maker, taker } = scene();
    const sell = world.sell(maker, { price: 3n * ONE });
    world.nextSlot();
    const buy = world.buy(taker, { price: 3n * ONE });
    world.round(2_800_000_000n, 2_800_000_000n);
    world.refused('OutOfBand', [world.crossOrders([[sell, buy]])]);
    world.round(3n * ONE, 3n * ONE);
    world.must([world.crossOrders([[sell, buy]])]);
  });

  it('holds against a stolen publisher key, and against all of them for as long as the guard does', () => {
    const { world, attempt } = scene();
    world.publish(2, 2n ** 64n - 1n);
    expect(attempt()).toBeUndefined();
    world.wait(1);
    // All keys together cannot move the price out of the guard: it goes stale, trades stop, nobody is robbed.
    world.round(30n * ONE, 30n * ONE, 30n * ONE);
    expect(world.feedState().price).toBe(3n * ONE);
    expect(attempt()).toBeUndefined();
    world.wait(300);
    world.round(30n * ONE, 30n * ONE, 30n * ONE);
    expect(attempt()).toBe('FeedStale');
  });

  it('refuses another feed of the same oracle, and forged ones', () => {
    const { world, taker, order } = scene();
    world.must([world.createFeed({ symbol: 'USD/GRID' })], [world.upgradeAuthority]);
    const other = oraclePda.feed('USD/GRID');
    for (const feed of [other, world.forgedCopy(world.feedAddress), PublicKey.default])
      world.refused(
        'WrongFeed',
        [world.matchOrder(taker.publicKey, order, { amount: ONE }, { feed })],
        [taker],
      );
    // A market that names a forgery: not the oracle's account.
    const forged = world.forgedCopy(world.feedAddress);
    world.must([world.marketAdmin('set_band', { feed: forged, band_bps: 500 })], [world.upgradeAuthority]);
    world.refused(
      'FeedInvalid',
      [world.matchOrder(taker.publicKey, order, { amount: ONE }, { feed: forged })],
      [taker],
    );
  });
});
