/* The oracle: publishers' observations, right and wrong, and what its authority does. */
import { PublicKey } from '@solana/web3.js';
import { oraclePda, type Settings, SYMBOL } from '../oracle.js';
import type { Action, Stage } from './engine.js';
import { anybody, config, doer, one } from './helpers.js';
import type { Random } from './random.js';
import { keyNamed } from './world.js';

const CONFIG = 'oracle.Config';
const authority = (stage: Stage) => keyNamed(config(stage, CONFIG).authority);
const feed = (stage: Stage) => {
  const found = stage.ledger.get(stage.world.feedAddress.toBase58(), 'oracle.Feed')?.fields;
  if (!found) throw new Error('no feed');
  return found;
};
const publishers = (stage: Stage): { publisher: string; observed_at: bigint }[] => {
  const { submissions, publisher_count } = feed(stage);
  return submissions.slice(0, publisher_count);
};

const settings = (random: Random): Settings => {
  const minPublishers = random.between(1, 2);
  const maxAgeSeconds = random.between(600, 1_200);
  return {
    maxAgeSeconds,
    guardSeconds: random.chance(95) ? random.between(maxAgeSeconds, 3_600) : maxAgeSeconds - 1,
    maxDeviationBps: random.between(500, 5_000),
    minPublishers,
    overridePublishers: random.chance(50) ? 0 : 3,
  };
};

function submit(stage: Stage, random: Random) {
  const { world } = stage;
  const now = world.now();
  const able = publishers(stage).filter(({ observed_at }) => observed_at < BigInt(now));
  const found = random.chance(95) ? random.pick(able) : random.pick(publishers(stage));
  if (!found) return undefined;
  // What GRID costs outside moves by a percent at most, and stays between 2 and 4.
  const moved = (world.value * BigInt(random.between(9_900, 10_100))) / 10_000n;
  const value = moved < 2_000_000_000n || moved > 4_000_000_000n ? world.value : moved;
  const seen = random.chance(92)
    ? (value * BigInt(random.between(995, 1_005))) / 1_000n
    : random.amount(2n ** 64n - 1n);
  const age = random.chance(94) ? 0 : random.between(-3, 1_000);
  return one(world.submitPrice(keyNamed(found.publisher), random.chance(99) ? seen : 0n, now - age), {
    done: () => {
      world.value = value;
    },
  });
}

export const oracleActions: readonly Action[] = [
  { name: 'submit a price', weight: 18, attempt: submit },
  {
    name: 'submit a price without being a publisher',
    weight: 1,
    attempt: ({ world }) =>
      one(world.submitPrice(world.eve.publicKey, world.value), {
        attack: 'only publishers submit',
        alone: true,
      }),
  },
  {
    name: 'ask for the price',
    weight: 2,
    attempt: (stage) => {
      const { price, published_at, max_age_seconds, paused } = feed(stage);
      const fresh =
        paused === 0 &&
        price > 0n &&
        published_at > 0n &&
        BigInt(stage.world.now()) - published_at <= BigInt(max_age_seconds);
      return one(
        stage.world.getPrice(),
        fresh
          ? { certain: 'a fresh price is told' }
          : { attack: 'no price but a fresh one is told', alone: true },
      );
    },
  },
  {
    name: "set one of the feed's settings",
    weight: 1,
    attempt: (stage, random) => {
      const { who, more } = doer(stage, random, authority(stage));
      return one(stage.world.setFeedSettings(settings(random), who), more);
    },
  },
  {
    name: 'add a publisher',
    weight: 3,
    attempt: (stage, random) => {
      const { who, more } = doer(stage, random, authority(stage));
      const known = new Set(publishers(stage).map(({ publisher }) => publisher));
      if (known.size >= 6 && random.chance(80)) return undefined;
      const fresh = stage.world.wallets.filter(({ publicKey }) => !known.has(publicKey.toBase58()));
      const publisher = (random.chance(90) && random.pick(fresh)) || anybody(stage, random);
      return one(stage.world.addPublisher(publisher.publicKey, who), more);
    },
  },
  {
    name: 'remove a publisher',
    weight: 1,
    attempt: (stage, random) => {
      const { who, more } = doer(stage, random, authority(stage));
      const all = publishers(stage);
      if (all.length <= 3) return undefined;
      return one(
        stage.world.removePublisher(keyNamed((random.pick(all) as { publisher: string }).publisher), who),
        more,
      );
    },
  },
  {
    name: 'pause the feed',
    weight: 1,
    attempt: (stage, random) => {
      const { authority: ruler, guardian } = config(stage, CONFIG);
      const { who, more } = doer(stage, random, keyNamed(random.chance(50) ? ruler : guardian));
      return one(stage.world.pauseFeed(true, who), more);
    },
  },
  {
    name: 'resume the feed',
    weight: 25,
    attempt: (stage, random) => {
      if (feed(stage).paused === 0) return undefined;
      const { authority: ruler, guardian } = config(stage, CONFIG);
      if (random.chance(10) && guardian !== ruler)
        return one(stage.world.pauseFeed(false, keyNamed(guardian)), { attack: 'a guardian only pauses' });
      const { who, more } = doer(stage, random, authority(stage));
      return one(stage.world.pauseFeed(false, who), more);
    },
  },
  {
    name: 'make another feed',
    weight: 1,
    attempt: (stage, random) => {
      const { who, more } = doer(stage, random, authority(stage));
      const symbol = random.chance(90) ? `X${random.below(40)}/GRID` : SYMBOL;
      const there = stage.ledger.get(oraclePda.feed(symbol).toBase58());
      return one(stage.world.createFeed({ symbol, settings: settings(random), authority: who }), {
        ...more,
        ...(there ? { attack: 'a feed is made once', alone: true } : {}),
      });
    },
  },
  {
    name: "set one of the oracle's roles",
    weight: 2,
    attempt: (stage, random) => {
      const someone = anybody(stage, random).publicKey;
      const { who, more } = doer(stage, random, authority(stage));
      return random.chance(50)
        ? one(stage.world.oracleAuthority('set_guardian', { new_guardian: someone }, who), more)
        : one(stage.world.oracleAuthority('propose_authority', { new_authority: someone }, who), more);
    },
  },
  {
    name: 'take the oracle over',
    weight: 1,
    attempt: (stage, random) => {
      const pending = keyNamed(config(stage, CONFIG).pending_authority);
      if (pending.equals(PublicKey.default)) return undefined;
      const { who, more } = doer(stage, random, pending);
      return one(stage.world.acceptAuthority(who), more);
    },
  },
];
