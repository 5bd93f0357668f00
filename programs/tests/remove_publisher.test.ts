import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld } from './oracle.js';
import { refusesWrongAccounts } from './support.js';
import { ONE, plain } from './trading.js';

describe('remove_publisher', () => {
  it('takes the key and its submission out, and works the price out without it', () => {
    const world = new OracleWorld({ settings: { maxDeviationBps: 10_000 } });
    world.round(100n, 110n, 150n);
    expect(world.feedState().price).toBe(110n);
    const [first, second, third] = world.publishers as [Keypair, Keypair, Keypair];
    const result = world.must([world.removePublisher(first.publicKey)], [world.upgradeAuthority]);
    expect(plain(result.events[0]?.data)).toMatchObject({
      publisher: first.publicKey.toBase58(),
      added: false,
    });
    expect(result.events[1]?.data).toMatchObject({ publishers: 2 });
    expect(world.feedState()).toMatchObject({ price: 130n, publishers: 2, updates: 3n });
    expect(world.feedState().submissions.slice(0, 3)).toMatchObject([
      { publisher: third.publicKey, price: 150n },
      { publisher: second.publicKey, price: 110n },
      { price: 0n, observedAt: 0 },
    ]);
    world.refused('NotPublisher', [world.submitPrice(first.publicKey, 1n)], [first]);
  });

  it('lets the price expire when too few are left, and keeps it for the guard', () => {
    const world = new OracleWorld({ publishers: 2 });
    world.agree(3n * ONE);
    world.must([world.getPrice()]);
    world.must([world.removePublisher(world.publisher(1).publicKey)], [world.upgradeAuthority]);
    world.refused('PriceStale', [world.getPrice()]);
    expect(world.feedState()).toMatchObject({ price: 3n * ONE, publishedAt: 0, referencePrice: 3n * ONE });
  });

  it('lets the price expire when the others are beyond the guard', () => {
    const world = new OracleWorld({ publishers: 4, settings: { minPublishers: 1, overridePublishers: 0 } });
    world.publish(0, 100n);
    world.publish(1, 100n);
    world.publish(2, 300n);
    expect(world.feedState().price).toBe(100n);
    world.must([world.removePublisher(world.publisher(0).publicKey)], [world.upgradeAuthority]);
    expect(world.feedState()).toMatchObject({ price: 100n, publishedAt: 0 });
    world.refused('PriceStale', [world.getPrice()]);
  });

  it('forgets: a key that comes back starts anew', () => {
    const world = new OracleWorld();
    world.agree(5n);
    const key = world.publisher(0).publicKey;
    world.must([world.removePublisher(key), world.addPublisher(key)], [world.upgradeAuthority]);
    expect(world.feedState().submissions[2]).toEqual({ publisher: key, price: 0n, observedAt: 0 });
  });

  it('empties a feed to the last publisher', () => {
    const world = new OracleWorld();
    for (const { publicKey } of world.publishers)
      world.must([world.removePublisher(publicKey)], [world.upgradeAuthority]);
    expect(world.feedState()).toMatchObject({ publishers: 0, price: 0n, publishedAt: 0 });
    world.refused(
      'NotPublisher',
      [world.removePublisher(world.publisher(0).publicKey)],
      [world.upgradeAuthority],
    );
  });

  it('works while the feed is paused: that is when a rogue key is taken out', () => {
    const world = new OracleWorld();
    world.agree(5n);
    world.must([world.pauseFeed(true, world.oracleGuardian.publicKey)], [world.oracleGuardian]);
    world.must([world.removePublisher(world.publisher(0).publicKey)], [world.upgradeAuthority]);
    world.must([world.pauseFeed(false)], [world.upgradeAuthority]);
    world.must([world.getPrice()]);
  });

  it('is for the authority alone: no publisher removes another, nor itself', () => {
    const world = new OracleWorld();
    const victim = world.publisher(1).publicKey;
    for (const signer of [world.oracleGuardian, world.publisher(0), world.publisher(1), Keypair.generate()])
      world.refused('NotAuthority', [world.removePublisher(victim, signer.publicKey)], [signer]);
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    refusesWrongAccounts(
      world,
      'oracle',
      'remove_publisher',
      [world.removePublisher(world.publisher(0).publicKey)],
      [world.upgradeAuthority],
      {
        authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        feed: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
