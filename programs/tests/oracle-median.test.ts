/*
 * Random histories of a feed, submissions right and wrong, against a plain model (`PlainFeed`): prices, times, outcomes and
 * refusals must be the model's after each step. A failure prints its seed; GTX_TEST_SEED repeats it, GTX_FUZZ_RUNS makes
 * more histories.
 */
import { Keypair } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { untilMet } from './histories.js';
import { OracleWorld, PlainFeed, plainMedian, type Settings } from './oracle.js';

const MAX = 2n ** 64n - 1n;
const settings: fc.Arbitrary<Settings> = fc
  .record({
    maxAgeSeconds: fc.integer({ min: 1, max: 40 }),
    guardExtra: fc.integer({ min: 0, max: 60 }),
    maxDeviationBps: fc.constantFrom(1, 100, 500, 2_000, 10_000),
    minPublishers: fc.integer({ min: 1, max: 8 }),
    overrideExtra: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ guardExtra, overrideExtra, ...rest }) => ({
    ...rest,
    guardSeconds: rest.maxAgeSeconds + guardExtra,
    overridePublishers:
      overrideExtra === 0 || rest.minPublishers + overrideExtra > 8 ? 0 : rest.minPublishers + overrideExtra,
  }));

/** Near the last price, so that the guard has something to decide, or anything. */
const price = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 9_000n, max: 11_500n }) },
  { weight: 2, arbitrary: fc.bigInt({ min: 1n, max: 30_000n }) },
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, MAX, MAX - 1n, 2n ** 63n) },
);
type Step =
  | { kind: 'submit'; who: number; price: bigint; age: number }
  | { kind: 'wait'; seconds: number }
  | { kind: 'settings'; settings: Settings }
  | { kind: 'pause' }
  | { kind: 'remove'; who: number }
  | { kind: 'add' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      who: fc.nat(8),
      price,
      age: fc.oneof({ weight: 5, arbitrary: fc.nat(3) }, fc.integer({ min: -2, max: 45 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      seconds: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 110 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settings' as const), settings }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'pause' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), who: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'add' as const }) },
);

describe('a feed', () => {
  it('does what a plain model of it does', () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    console.log(`GTX_TEST_SEED=${seed}`);
    const outcomes = new Map<string, number>();
    const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    const histories = fc.property(
      settings,
      fc.integer({ min: 0, max: 8 }),
      fc.array(step, { minLength: 60, maxLength: 60 }),
      (first, publishers, steps) => {
        const world = new OracleWorld({ settings: first, publishers });
        const admin = world.upgradeAuthority;
        const keys = [...world.publishers];
        const stranger = Keypair.generate();
        const model = new PlainFeed(
          first,
          keys.map(({ publicKey }) => publicKey.toBase58()),
        );
        for (const next of steps) {
          const now = world.now();
          if (next.kind === 'submit') {
            const who = keys[next.who] ?? stranger;
            const observedAt = now - next.age;
            const result = world.send([world.submitPrice(who.publicKey, next.price, observedAt)], [who]);
            const expected = model.submit(who.publicKey.toBase58(), next.price, observedAt, now);
            if (typeof expected === 'string') expect(result.error).toBe(expected);
            else {
              expect(result.error).toBeUndefined();
              const prices = model.fresh(now).map((each) => each.price);
              expect(world.submitted(result)).toMatchObject({
                outcome: expected.outcome,
                median: plainMedian(prices),
                fresh: prices.length,
                price: model.price,
                published_at: BigInt(model.publishedAt),
              });
            }
            count(typeof expected === 'string' ? expected : `outcome ${expected.outcome}`);
          } else if (next.kind === 'wait') world.setClock(now + next.seconds);
          else if (next.kind === 'settings') {
            world.must([world.setFeedSettings(next.settings)], [admin]);
            model.settings = next.settings;
            model.again(now);
          } else if (next.kind === 'pause') {
            model.paused = !model.paused;
            world.must([world.pauseFeed(model.paused)], [admin]);
          } else if (next.kind === 'remove') {
            const [gone] = keys.splice(next.who, 1);
            if (!gone) continue;
            world.must([world.removePublisher(gone.publicKey)], [admin]);
            model.submissions.delete(gone.publicKey.toBase58());
            model.publishers = keys.map(({ publicKey }) => publicKey.toBase58());
            model.again(now);
          } else if (keys.length < 8) {
            const added = Keypair.generate();
            keys.push(added);
            model.publishers.push(added.publicKey.toBase58());
            world.must([world.addPublisher(added.publicKey)], [admin]);
          }
          const state = world.feedState();
          expect(state).toMatchObject({
            price: model.price,
            publishedAt: model.publishedAt,
            acceptedAt: model.acceptedAt,
            referencePrice: model.reference,
            referenceAt: model.referenceAt,
            publishers: keys.length,
          });
          const read = world.send([world.getPrice()]);
          const wanted = model.get(world.now());
          if (typeof wanted === 'string') expect(read.error).toBe(wanted);
          else expect(read.returned.readBigUInt64LE(0)).toBe(wanted);
        }
      },
    );
    const numRuns = Number(process.env.GTX_FUZZ_RUNS ?? 8);
    // Prices came about, were held back, and lacked publishers.
    untilMet(
      ['outcome 0', 'outcome 1', 'outcome 2', 'ObservedNotLater', 'NotPublisher'],
      outcomes,
      seed,
      (from) => fc.assert(histories, { seed: from, numRuns, endOnFailure: true }),
    );
  }, 600_000);
});
