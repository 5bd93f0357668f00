import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld, oraclePda } from './oracle.js';
import { refusesWrongAccounts } from './support.js';
import { ONE } from './trading.js';

describe('set_feed', () => {
  it('changes every setting and tells the whole feed', () => {
    const world = new OracleWorld();
    world.agree(3n * ONE);
    const settings = {
      maxAgeSeconds: 60,
      guardSeconds: 600,
      maxDeviationBps: 50,
      minPublishers: 3,
      overridePublishers: 0,
    };
    const result = world.must([world.setFeedSettings(settings)], [world.upgradeAuthority]);
    const settled = {
      max_age_seconds: 60,
      guard_seconds: 600,
      max_deviation_bps: 50,
      min_publishers: 3,
      override_publishers: 0,
    };
    expect(world.event(result, 'FeedChanged')).toMatchObject({
      ...settled,
      price: 3n * ONE,
      publishers: 3,
      paused: false,
    });
    expect(world.feedState().raw).toMatchObject(settled);
  });

  it('lets a price expire that the new settings would not have made, and keeps it for the guard', () => {
    const world = new OracleWorld();
    world.round(3n * ONE, 3n * ONE);
    world.must([world.getPrice()]);
    world.must(
      [world.setFeedSettings({ minPublishers: 3, overridePublishers: 0 })],
      [world.upgradeAuthority],
    );
    expect(world.feedState()).toMatchObject({ price: 3n * ONE, publishedAt: 0 });
    world.refused('PriceStale', [world.getPrice()]);
    // 20 percent away from what it was: the guard still knows.
    expect(world.submitted(world.round(36n * ONE, 36n * ONE, 36n * ONE))).toMatchObject({ outcome: 2 });
    world.refused('PriceStale', [world.getPrice()]);
    expect(world.submitted(world.round(3n * ONE, 3n * ONE, 3n * ONE))).toMatchObject({ outcome: 0 });
    world.must([world.getPrice()]);
  });

  it('works the price out anew, from what counts under the new settings', () => {
    const world = new OracleWorld();
    world.publish(0, 30n);
    world.wait(100);
    world.publish(1, 32n);
    world.publish(2, 32n);
    expect(world.feedState().price).toBe(32n);
    world.must([world.setFeedSettings({ maxAgeSeconds: 99 })], [world.upgradeAuthority]);
    expect(world.feedState()).toMatchObject({ price: 32n, publishedAt: world.now() });
    world.must(
      [world.setFeedSettings({ maxAgeSeconds: 100, minPublishers: 3, overridePublishers: 4 })],
      [world.upgradeAuthority],
    );
    expect(world.feedState()).toMatchObject({ price: 32n, publishedAt: world.now() - 100 });
  });

  it.each([
    ['MaxAgeInvalid', { maxAgeSeconds: 0 }],
    ['GuardInvalid', { guardSeconds: 0 }],
    ['DeviationInvalid', { maxDeviationBps: 10_001 }],
    ['MinPublishersInvalid', { minPublishers: 0 }],
    ['OverrideInvalid', { overridePublishers: 1 }],
  ] as const)('answers %s to %j', (error, settings) => {
    const world = new OracleWorld();
    world.refused(error, [world.setFeedSettings(settings)], [world.upgradeAuthority]);
  });

  it('is for the authority alone, and works while the feed is paused', () => {
    const world = new OracleWorld();
    for (const signer of [world.oracleGuardian, world.publisher(0), Keypair.generate()])
      world.refused('NotAuthority', [world.setFeedSettings({}, signer.publicKey)], [signer]);
    world.must([world.pauseFeed(true)], [world.upgradeAuthority]);
    world.must([world.setFeedSettings({ maxAgeSeconds: 10 })], [world.upgradeAuthority]);
  });

  it('changes one feed and no other', () => {
    const world = new OracleWorld();
    world.must([world.createFeed({ symbol: 'USD/GRID' })], [world.upgradeAuthority]);
    const before = world.dataOf(world.feedAddress);
    const other = oraclePda.feed('USD/GRID');
    world.must(
      [world.setFeedSettings({ maxAgeSeconds: 10 }, world.upgradeAuthority.publicKey, { feed: other })],
      [world.upgradeAuthority],
    );
    expect(world.dataOf(world.feedAddress)).toEqual(before);
    expect(world.feedState(other).raw.max_age_seconds).toBe(10);
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    refusesWrongAccounts(world, 'oracle', 'set_feed', [world.setFeedSettings()], [world.upgradeAuthority], {
      authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      feed: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
    // Another kind of account of the same program.
    world.must([world.createFeed({ symbol: 'USD/GRID' })], [world.upgradeAuthority]);
    const config = oraclePda.feed('USD/GRID');
    world.refused(
      'InvalidAccountData',
      [world.setFeedSettings({}, world.upgradeAuthority.publicKey, { config })],
      [world.upgradeAuthority],
    );
  });
});
