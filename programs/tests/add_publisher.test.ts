import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld, oraclePda } from './oracle.js';
import { refusesWrongAccounts } from './support.js';
import { plain } from './trading.js';

describe('add_publisher', () => {
  it('lets a key submit, and only to this feed', () => {
    const world = new OracleWorld({ publishers: 0 });
    const publisher = Keypair.generate();
    world.refused('NotPublisher', [world.submitPrice(publisher.publicKey, 1n)], [publisher]);
    const result = world.must([world.addPublisher(publisher.publicKey)], [world.upgradeAuthority]);
    expect(result.events.map(({ name }) => name)).toEqual(['PublisherChanged', 'FeedChanged']);
    expect(plain(result.events[0]?.data)).toEqual({
      feed: world.feedAddress.toBase58(),
      publisher: publisher.publicKey.toBase58(),
      added: true,
      timestamp: BigInt(world.now()),
    });
    expect(result.events[1]?.data).toMatchObject({ publishers: 1 });
    expect(world.feedState()).toMatchObject({ publishers: 1 });
    expect(world.feedState().submissions[0]).toEqual({
      publisher: publisher.publicKey,
      price: 0n,
      observedAt: 0,
    });
    world.must([world.submitPrice(publisher.publicKey, 1n)], [publisher]);
    world.must([world.createFeed({ symbol: 'USD/GRID' })], [world.upgradeAuthority]);
    const other = oraclePda.feed('USD/GRID');
    world.refused(
      'NotPublisher',
      [world.submitPrice(publisher.publicKey, 1n, world.now(), { feed: other })],
      [publisher],
    );
  });

  it('takes eight, each once, and not the zero address', () => {
    const world = new OracleWorld({ publishers: 7 });
    const again = world.publisher(3).publicKey;
    world.refused('PublisherExists', [world.addPublisher(again)], [world.upgradeAuthority]);
    world.refused('PublisherInvalid', [world.addPublisher(PublicKey.default)], [world.upgradeAuthority]);
    world.newPublisher();
    expect(world.feedState().publishers).toBe(8);
    world.refused(
      'TooManyPublishers',
      [world.addPublisher(Keypair.generate().publicKey)],
      [world.upgradeAuthority],
    );
    world.refused('PublisherExists', [world.addPublisher(again)], [world.upgradeAuthority]);
  });

  it('changes no price', () => {
    const world = new OracleWorld({ publishers: 2 });
    world.agree(5n);
    const before = world.feedState();
    world.newPublisher();
    expect(world.feedState()).toMatchObject({ price: 5n, publishedAt: before.publishedAt, updates: 1n });
  });

  it('is for the authority alone', () => {
    const world = new OracleWorld();
    for (const signer of [world.oracleGuardian, world.publisher(0), Keypair.generate()])
      world.refused('NotAuthority', [world.addPublisher(signer.publicKey, signer.publicKey)], [signer]);
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    refusesWrongAccounts(
      world,
      'oracle',
      'add_publisher',
      [world.addPublisher(Keypair.generate().publicKey)],
      [world.upgradeAuthority],
      {
        authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        feed: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
