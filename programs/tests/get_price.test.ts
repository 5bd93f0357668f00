import { describe, expect, it } from 'vitest';
import { OracleWorld, oraclePda } from './oracle.js';
import { refusesWrongAccounts } from './support.js';
import { ONE } from './trading.js';

describe('get_price', () => {
  it('returns the price, its time, and until when it counts', () => {
    const world = new OracleWorld();
    const start = world.now();
    world.agree(3n * ONE);
    const { returned } = world.must([world.getPrice()]);
    expect(returned).toHaveLength(24);
    expect([0, 8, 16].map((at) => returned.readBigUInt64LE(at))).toEqual([
      3n * ONE,
      BigInt(start),
      BigInt(start + 300),
    ]);
  });

  it('changes nothing', () => {
    const world = new OracleWorld();
    world.agree(3n * ONE);
    const before = world.fingerprint();
    world.must([world.getPrice()]);
    expect(world.fingerprint()).toBe(before);
  });

  it('refuses a price that is too old, to the second', () => {
    const world = new OracleWorld();
    const start = world.now();
    world.agree(3n * ONE);
    world.setClock(start + 300);
    world.must([world.getPrice()]);
    world.setClock(start + 301);
    world.refused('PriceStale', [world.getPrice()]);
  });

  it('refuses where there is no price yet, and while the feed is paused', () => {
    const world = new OracleWorld();
    world.refused('PriceStale', [world.getPrice()]);
    world.agree(3n * ONE);
    world.must([world.pauseFeed(true)], [world.upgradeAuthority]);
    world.refused('FeedPaused', [world.getPrice()]);
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    world.agree(3n * ONE);
    refusesWrongAccounts(world, 'oracle', 'get_price', [world.getPrice()], [], {
      feed: { other: 'IllegalOwner', copy: 'IllegalOwner' },
    });
    // Another account of the oracle's that is no feed.
    world.refused('AccountDataTooSmall', [world.getPrice({ feed: oraclePda.config })]);
  });
});
