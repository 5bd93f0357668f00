import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld, type Settings } from './oracle.js';
import { refusesWrongAccounts } from './support.js';

const U64_MAX = 2n ** 64n - 1n;
const I64_MAX = 2n ** 63n - 1n;

describe('submit_price', () => {
  it('tells everything about a submission, and whether it made a price', () => {
    const world = new OracleWorld();
    const start = world.now();
    expect(world.event(world.publish(0, 30n), 'PriceSubmitted')).toEqual({
      feed: world.feedAddress.toBase58(),
      publisher: world.publisher(0).publicKey.toBase58(),
      submitted: 30n,
      observed_at: BigInt(start),
      median: 30n,
      price: 0n,
      published_at: 0n,
      timestamp: BigInt(start),
      fresh: 1,
      outcome: 1,
    });
    world.wait(10);
    expect(world.event(world.publish(1, 32n, start + 5), 'PriceSubmitted')).toMatchObject({
      submitted: 32n,
      median: 31n,
      price: 31n,
      // Two publishers observed no earlier than this.
      published_at: BigInt(start),
      fresh: 2,
      outcome: 0,
    });
    expect(world.feedState()).toMatchObject({
      price: 31n,
      publishedAt: start,
      acceptedAt: start + 10,
      updates: 1n,
    });
  });

  it.each([
    [[5n], 5n],
    [[5n, 8n], 6n],
    [[9n, 5n, 7n], 7n],
    [[9n, 5n, 7n, 6n], 6n],
    [[1n, 1n, 1n, U64_MAX, U64_MAX], 1n],
    [[U64_MAX, U64_MAX], U64_MAX],
    [[U64_MAX, U64_MAX - 1n], U64_MAX - 1n],
    [[1n, U64_MAX], 2n ** 63n],
    [[8n, 7n, 6n, 5n, 4n, 3n, 2n, 1n], 4n],
  ] as const)('takes the median of %s: %s', (prices, expected) => {
    const world = new OracleWorld({
      publishers: prices.length,
      settings: { minPublishers: prices.length, overridePublishers: 0 },
    });
    world.round(...prices);
    expect(world.feedState().price).toBe(expected);
  });

  it('counts a publisher once, by its latest', () => {
    const world = new OracleWorld();
    world.publish(0, 10n);
    world.wait(1);
    expect(world.submitted(world.publish(0, 20n))).toMatchObject({ fresh: 1, median: 20n, outcome: 1 });
  });

  it('counts what is fresh: to the second', () => {
    const world = new OracleWorld();
    const start = world.now();
    world.publish(0, 10n);
    world.wait(300);
    expect(world.submitted(world.publish(1, 20n))).toMatchObject({
      fresh: 2,
      price: 15n,
      published_at: BigInt(start),
    });
    world.wait(1);
    expect(world.submitted(world.publish(1, 21n))).toMatchObject({ fresh: 1, outcome: 1, price: 15n });
  });

  it('keeps the price and its time when too few are fresh', () => {
    const world = new OracleWorld();
    world.agree(10n);
    const { publishedAt } = world.feedState();
    world.wait(400);
    expect(world.submitted(world.publish(0, 11n))).toMatchObject({
      outcome: 1,
      fresh: 1,
      price: 10n,
      published_at: BigInt(publishedAt),
    });
    world.refused('PriceStale', [world.getPrice()]);
  });

  describe('refuses', () => {
    const refused = (error: string, price: bigint, observedAt: (now: number) => number | bigint) => {
      const world = new OracleWorld();
      const publisher = world.publisher(0);
      world.publish(0, 10n, world.now() - 10);
      const at = Number(observedAt(world.now()));
      world.refused(error, [world.submitPrice(publisher.publicKey, price, at)], [publisher]);
    };
    it('a price of zero', () => refused('PriceZero', 0n, (now) => now));
    it('an observation in the future', () => refused('ObservedInFuture', 1n, (now) => now + 1));
    it('the same observation again', () => refused('ObservedNotLater', 1n, (now) => now - 10));
    it('an older one', () => refused('ObservedNotLater', 1n, (now) => now - 11));
    it('one of 1970', () => refused('ObservedNotLater', 1n, () => 0));
    it('one before 1970', () => refused('ObservedNotLater', 1n, () => -5));

    it('one that is too old to count', () => {
      const world = new OracleWorld();
      const publisher = world.publisher(0);
      const submit = (age: number) => [world.submitPrice(publisher.publicKey, 1n, world.now() - age)];
      world.refused('ObservationStale', submit(301), [publisher]);
      world.must(submit(300), [publisher]);
    });

    it('the ends of the number range', () => {
      const world = new OracleWorld();
      const publisher = world.publisher(0);
      const instruction = world.submitPrice(publisher.publicKey, U64_MAX);
      instruction.data.writeBigInt64LE(I64_MAX, instruction.data.length - 8);
      world.refused('ObservedInFuture', [instruction], [publisher]);
      instruction.data.writeBigInt64LE(-I64_MAX - 1n, instruction.data.length - 8);
      world.refused('ObservedNotLater', [instruction], [publisher]);
    });

    it('whoever is no publisher of this feed: the authority, the guardian, strangers', () => {
      const world = new OracleWorld();
      for (const signer of [world.upgradeAuthority, world.oracleGuardian, Keypair.generate()])
        world.refused('NotPublisher', [world.submitPrice(signer.publicKey, 1n)], [signer]);
    });

    it('everything while the feed is paused', () => {
      const world = new OracleWorld();
      world.must([world.pauseFeed(true)], [world.upgradeAuthority]);
      const publisher = world.publisher(0);
      world.refused('FeedPaused', [world.submitPrice(publisher.publicKey, 1n)], [publisher]);
    });

    it("one publisher's name with another's signature", () => {
      const world = new OracleWorld();
      const [first, second] = [world.publisher(0), world.publisher(1)];
      const instruction = world.submitPrice(first.publicKey, 1n);
      const unsigned = { ...instruction.keys[0], isSigner: false } as (typeof instruction.keys)[0];
      instruction.keys[0] = unsigned;
      world.refused('MissingRequiredSignature', [instruction], [second]);
    });
  });

  describe('the guard', () => {
    const settled = (settings: Partial<Settings> = {}, price = 1_000n) => {
      const world = new OracleWorld({ settings: { maxDeviationBps: 500, ...settings } });
      world.agree(price);
      return world;
    };

    it('lets the price move as far as it says, both ends included', () => {
      for (const [price, outcome] of [
        [1_050n, 0],
        [1_051n, 2],
        [950n, 0],
        [949n, 2],
      ] as const) {
        const world = settled();
        world.publish(0, price);
        const result = world.submitted(world.publish(1, price));
        expect([price, result.outcome]).toEqual([price, outcome]);
        expect(world.feedState().price).toBe(outcome === 0 ? price : 1_000n);
      }
    });

    it('holds for a window: many small steps go no further than one', () => {
      const world = settled({ overridePublishers: 0 });
      const outcomes = [1_040n, 1_050n, 1_060n, 1_090n].map(
        (price) => world.submitted(world.round(price, price, price)).outcome,
      );
      expect(outcomes).toEqual([0, 0, 2, 2]);
      expect(world.feedState()).toMatchObject({ price: 1_050n, referencePrice: 1_000n });
    });

    it('compares with the price a window ago, once that is over', () => {
      const world = settled({ overridePublishers: 0 });
      for (let i = 0; i < 9; i++) {
        world.wait(100);
        world.round(1_050n, 1_050n, 1_050n);
      }
      expect(world.submitted(world.round(1_100n, 1_100n, 1_100n))).toMatchObject({ outcome: 0 });
      expect(world.feedState()).toMatchObject({ price: 1_100n, referencePrice: 1_050n });
    });

    it('makes a price beyond it stale, so that nobody trades on the old one', () => {
      const world = settled({ overridePublishers: 0 });
      world.wait(300);
      const published = world.feedState().publishedAt;
      world.round(2_000n, 2_000n, 2_000n);
      expect(world.feedState()).toMatchObject({ price: 1_000n, publishedAt: published });
      world.refused('PriceStale', [world.getPrice()]);
    });

    it('lets a move pass at once when enough publishers agree on it', () => {
      const world = settled();
      world.publish(0, 3_000n);
      expect(world.submitted(world.publish(1, 3_000n))).toMatchObject({ outcome: 2, price: 1_000n });
      expect(world.submitted(world.publish(2, 2_900n))).toMatchObject({ outcome: 0, price: 3_000n });
      expect(world.feedState()).toMatchObject({ referencePrice: 3_000n });
    });

    it('does not count publishers on the other side as agreeing', () => {
      const world = settled();
      world.publish(0, 3_000n);
      world.publish(1, 500n);
      // The median is 3,000 of 500, 3,000 and 3,100: two above, one below.
      expect(world.submitted(world.publish(2, 3_100n))).toMatchObject({ outcome: 2, median: 3_000n });
    });

    it('lapses once no price was accepted for a window, and not a second before', () => {
      const world = settled({ overridePublishers: 0, guardSeconds: 900 });
      const accepted = world.feedState().acceptedAt;
      world.setClock(accepted + 898);
      world.publish(0, 5_000n);
      expect(world.submitted(world.publish(1, 5_000n))).toMatchObject({ outcome: 2 });
      world.wait(1);
      expect(world.submitted(world.publish(0, 5_000n))).toMatchObject({ outcome: 2 });
      world.wait(1);
      expect(world.submitted(world.publish(0, 5_000n))).toMatchObject({ outcome: 0, price: 5_000n });
      expect(world.feedState()).toMatchObject({ referencePrice: 5_000n, referenceAt: accepted + 900 });
    });

    it('leaves one stolen key of three no more than what lies between the others', () => {
      const world = settled({ overridePublishers: 0 });
      for (const price of [1n, U64_MAX, 3n, 1_000_000n]) {
        world.publish(0, 1_010n);
        world.publish(1, 990n);
        const { price: after } = world.submitted(world.publish(2, price)) as { price: bigint };
        expect(after >= 990n && after <= 1_010n).toBe(true);
        world.wait(1);
      }
    });
  });

  it('stops on a feed whose numbers contradict each other, which no instruction brings about', () => {
    const world = new OracleWorld();
    const publisher = world.publisher(0);
    const submit = () =>
      world.refused('InvariantViolated', [world.submitPrice(publisher.publicKey, 5n)], [publisher]);
    // A price that was never worked out.
    world.patch(world.feedAddress, 24, 5n);
    submit();
    const counted = new OracleWorld();
    const account = counted.account(counted.feedAddress);
    if (!account) throw new Error('no feed');
    account.data[46] = 9;
    counted.setAccount(counted.feedAddress, account.owner, account.data);
    counted.refused(
      'InvariantViolated',
      [counted.submitPrice(counted.publisher(0).publicKey, 5n)],
      [counted.publisher(0)],
    );
    const full = new OracleWorld();
    full.agree(5n);
    // Behind discriminator and the fields before it.
    full.patch(full.feedAddress, 88, U64_MAX);
    full.refused(
      'ArithmeticOverflow',
      [full.submitPrice(full.publisher(0).publicKey, 5n)],
      [full.publisher(0)],
    );
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    const publisher = world.publisher(0);
    refusesWrongAccounts(
      world,
      'oracle',
      'submit_price',
      [world.submitPrice(publisher.publicKey, 5n)],
      [publisher],
      {
        publisher: { other: 'NotPublisher', unsigned: 'MissingRequiredSignature' },
        feed: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
