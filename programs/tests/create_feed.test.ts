import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { FEED_BYTES, ORACLE, OracleWorld, oraclePda, SETTINGS, SYMBOL, symbolBytes } from './oracle.js';
import { refusesWrongAccounts } from './support.js';

const bare = () => new OracleWorld({ noFeed: true });

describe('create_feed', () => {
  it('makes a feed without publishers and without a price', () => {
    const world = bare();
    const result = world.must([world.createFeed()], [world.upgradeAuthority]);
    expect(world.event(result, 'FeedChanged')).toEqual({
      feed: oraclePda.feed(SYMBOL).toBase58(),
      symbol: [...symbolBytes(SYMBOL)],
      price: 0n,
      published_at: 0n,
      max_age_seconds: SETTINGS.maxAgeSeconds,
      guard_seconds: SETTINGS.guardSeconds,
      max_deviation_bps: SETTINGS.maxDeviationBps,
      min_publishers: SETTINGS.minPublishers,
      override_publishers: SETTINGS.overridePublishers,
      publishers: 0,
      paused: false,
      timestamp: BigInt(world.now()),
    });
    expect(world.feedState()).toMatchObject({ price: 0n, publishedAt: 0, updates: 0n, publishers: 0 });
    expect(world.oracleConfig().feeds).toBe(1);
    world.refused('PriceStale', [world.getPrice()]);
  });

  it('begins as other programs read it: symbol, price, its time, its age, paused', () => {
    const world = new OracleWorld({ publishers: 2 });
    world.agree(7n);
    const real = world.dataOf(world.feedAddress);
    // The feeds that other tests forge look the same to those who read them.
    const forged = Keypair.generate().publicKey;
    world.setFeed(
      forged,
      { price: 7n, publishedAt: world.now() - 1, maxAgeSeconds: SETTINGS.maxAgeSeconds },
      ORACLE,
    );
    expect(real.subarray(0, 45)).toEqual(world.dataOf(forged).subarray(0, 45));
  });

  it('takes exactly the rent from the payer, who need not be the authority', () => {
    const world = bare();
    const payer = Keypair.generate();
    world.fund(payer.publicKey);
    const [before, authority] = [payer, world.upgradeAuthority].map(({ publicKey }) =>
      world.lamports(publicKey),
    ) as [bigint, bigint];
    world.must([world.createFeed({}, { payer: payer.publicKey })], [world.upgradeAuthority, payer]);
    expect(world.dataOf(world.feedAddress)).toHaveLength(FEED_BYTES);
    expect(world.lamports(world.feedAddress)).toBe(world.rent(FEED_BYTES));
    expect(before - world.lamports(payer.publicKey)).toBe(world.rent(FEED_BYTES));
    expect(world.lamports(world.upgradeAuthority.publicKey)).toBe(authority);
  });

  it('lets the authority pay', () => {
    const world = bare();
    const authority = world.upgradeAuthority;
    world.must([world.createFeed({}, { payer: authority.publicKey })], [authority]);
  });

  it('makes each feed once, also where somebody sent lamports before', () => {
    const world = bare();
    world.fund(world.feedAddress);
    world.must([world.createFeed()], [world.upgradeAuthority]);
    world.refused('FeedExists', [world.createFeed()], [world.upgradeAuthority]);
    world.must([world.createFeed({ symbol: 'USD/GRID' })], [world.upgradeAuthority]);
    expect(world.oracleConfig().feeds).toBe(2);
  });

  it('refuses symbols that two people could read differently', () => {
    const world = bare();
    for (const symbol of ['', 'grx', 'GRX GRID', 'GRX\u0001', 'GRX~', '\u00c4', Buffer.alloc(16, 0xff)]) {
      world.refused('SymbolInvalid', [world.createFeed({ symbol })], [world.upgradeAuthority]);
    }
    const hidden = symbolBytes('GRX');
    hidden[5] = 65;
    world.refused('SymbolInvalid', [world.createFeed({ symbol: hidden })], [world.upgradeAuthority]);
    for (const symbol of ['A', '0123456789ABCDEF', 'A-B_C.D/E'])
      world.must([world.createFeed({ symbol })], [world.upgradeAuthority]);
  });

  it.each([
    ['MaxAgeInvalid', { maxAgeSeconds: 0 }],
    ['MaxAgeInvalid', { maxAgeSeconds: 86_401, guardSeconds: 90_000 }],
    ['GuardInvalid', { guardSeconds: 299 }],
    ['GuardInvalid', { guardSeconds: 604_801 }],
    ['DeviationInvalid', { maxDeviationBps: 0 }],
    ['DeviationInvalid', { maxDeviationBps: 10_001 }],
    ['MinPublishersInvalid', { minPublishers: 0 }],
    ['MinPublishersInvalid', { minPublishers: 9 }],
    ['OverrideInvalid', { overridePublishers: 2 }],
    ['OverrideInvalid', { overridePublishers: 9 }],
    ['OverrideInvalid', { minPublishers: 8, overridePublishers: 8 }],
  ] as const)('answers %s to %j', (error, settings) => {
    const world = bare();
    world.refused(error, [world.createFeed({ settings })], [world.upgradeAuthority]);
  });

  it.each([
    { maxAgeSeconds: 1, guardSeconds: 1, maxDeviationBps: 1, minPublishers: 1, overridePublishers: 2 },
    {
      maxAgeSeconds: 86_400,
      guardSeconds: 604_800,
      maxDeviationBps: 10_000,
      minPublishers: 8,
      overridePublishers: 0,
    },
  ])('accepts the ends of the ranges: %j', (settings) => {
    const world = bare();
    world.must([world.createFeed({ settings })], [world.upgradeAuthority]);
  });

  it('is for the authority alone', () => {
    const world = bare();
    for (const signer of [world.oracleGuardian, Keypair.generate()])
      world.refused('NotAuthority', [world.createFeed({ authority: signer.publicKey })], [signer]);
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(world, 'oracle', 'create_feed', [world.createFeed()], [world.upgradeAuthority], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
      feed: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
