import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld } from './oracle.js';
import { refusesWrongAccounts } from './support.js';
import { ONE } from './trading.js';

describe("a feed's set_paused", () => {
  it('stops submissions and readers; both go on afterwards', () => {
    const world = new OracleWorld();
    world.agree(3n * ONE);
    const paused = world.must([world.pauseFeed(true)], [world.upgradeAuthority]);
    expect(world.event(paused, 'FeedChanged')).toMatchObject({ paused: true, price: 3n * ONE });
    const publisher = world.publisher(0);
    world.refused('FeedPaused', [world.submitPrice(publisher.publicKey, ONE)], [publisher]);
    world.refused('FeedPaused', [world.getPrice()]);
    const resumed = world.must([world.pauseFeed(false)], [world.upgradeAuthority]);
    expect(world.event(resumed, 'FeedChanged')).toMatchObject({ paused: false });
    world.must([world.getPrice()]);
    world.must([world.submitPrice(publisher.publicKey, 3n * ONE)], [publisher]);
  });

  it('lets the guardian stop and nothing else', () => {
    const world = new OracleWorld();
    const guardian = world.oracleGuardian;
    world.must([world.pauseFeed(true, guardian.publicKey)], [guardian]);
    world.refused('NotAuthorized', [world.pauseFeed(false, guardian.publicKey)], [guardian]);
    expect(world.feedState().paused).toBe(1);
  });

  it('refuses everybody else: publishers, strangers', () => {
    const world = new OracleWorld();
    for (const signer of [world.publisher(0), Keypair.generate()])
      for (const paused of [true, false])
        world.refused('NotAuthorized', [world.pauseFeed(paused, signer.publicKey)], [signer]);
  });

  it('can be repeated', () => {
    const world = new OracleWorld();
    for (const paused of [true, true, false, false])
      world.must([world.pauseFeed(paused)], [world.upgradeAuthority]);
    expect(world.feedState().paused).toBe(0);
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    refusesWrongAccounts(world, 'oracle', 'set_paused', [world.pauseFeed(true)], [world.upgradeAuthority], {
      authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      feed: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
