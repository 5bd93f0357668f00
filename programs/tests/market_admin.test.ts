import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { refusesWrongAccounts, type WrongAccount } from './support.js';
import { ONE, TradingWorld } from './trading.js';

/** What each account of an instruction for a market's admin is refused with. */
const ADMIN_ACCOUNTS: Record<string, WrongAccount> = {
  admin: { other: 'NotAdmin', unsigned: 'MissingRequiredSignature' },
  market: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
};

describe("a market's propose_admin and accept_admin", () => {
  it('hand over in two steps', () => {
    const world = new TradingWorld();
    const next = Keypair.generate();
    const proposed = world.must(
      [world.marketAdmin('propose_admin', { new_admin: next.publicKey })],
      [world.upgradeAuthority],
    );
    expect(world.event(proposed, 'MarketChanged')).toMatchObject({
      pending_admin: next.publicKey.toBase58(),
    });
    expect(world.marketState().admin).toEqual(world.upgradeAuthority.publicKey);
    world.must([world.acceptMarketAdmin(next.publicKey)], [next]);
    expect(world.marketState()).toMatchObject({ admin: next.publicKey, pending_admin: PublicKey.default });
    world.refused('NotAdmin', [world.marketAdmin('set_fee', { fee_bps: 1 })], [world.upgradeAuthority]);
    world.must([world.marketAdmin('set_fee', { fee_bps: 1 }, next.publicKey)], [next]);
  });

  it('let nobody but the proposed admin accept, and a proposal be withdrawn', () => {
    const world = new TradingWorld();
    const [next, stranger] = [Keypair.generate(), Keypair.generate()];
    world.refused('NotPendingAdmin', [world.acceptMarketAdmin(next.publicKey)], [next]);
    world.must([world.marketAdmin('propose_admin', { new_admin: next.publicKey })], [world.upgradeAuthority]);
    world.refused('NotPendingAdmin', [world.acceptMarketAdmin(stranger.publicKey)], [stranger]);
    world.must(
      [world.marketAdmin('propose_admin', { new_admin: PublicKey.default })],
      [world.upgradeAuthority],
    );
    world.refused('NotPendingAdmin', [world.acceptMarketAdmin(next.publicKey)], [next]);
  });

  it('refuse wrong accounts', () => {
    const world = new TradingWorld();
    const next = Keypair.generate();
    const propose = world.marketAdmin('propose_admin', { new_admin: next.publicKey });
    refusesWrongAccounts(
      world,
      'trading',
      'propose_admin',
      [propose],
      [world.upgradeAuthority],
      ADMIN_ACCOUNTS,
    );
    world.must([propose], [world.upgradeAuthority]);
    refusesWrongAccounts(
      world,
      'trading',
      'accept_admin',
      [world.acceptMarketAdmin(next.publicKey)],
      [next],
      {
        new_admin: { other: 'NotPendingAdmin', unsigned: 'MissingRequiredSignature' },
        market: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});

describe('set_fee, set_band, set_guardian and set_treasury', () => {
  it('change one setting each and tell the whole market', () => {
    const world = new TradingWorld();
    const [guardian, feed] = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const treasury = world.createQuoteAccount(guardian);
    const result = world.must(
      [
        world.marketAdmin('set_fee', { fee_bps: 1_000 }),
        world.marketAdmin('set_band', { feed, band_bps: 500 }),
        world.marketAdmin('set_guardian', { new_guardian: guardian }),
        world.setTreasury(treasury),
      ],
      [world.upgradeAuthority],
    );
    expect(result.events.map(({ name }) => name)).toEqual(Array(4).fill('MarketChanged'));
    expect(result.events[3]?.data).toMatchObject({ fee_bps: 1_000, band_bps: 500, feed, guardian, treasury });
    expect(world.marketState()).toMatchObject({ fee_bps: 1_000, band_bps: 500, feed, guardian, treasury });
    world.must(
      [world.marketAdmin('set_band', { feed: PublicKey.default, band_bps: 0 })],
      [world.upgradeAuthority],
    );
    expect(world.marketState()).toMatchObject({ band_bps: 0, feed: PublicKey.default });
  });

  it('refuse what a market cannot have', () => {
    const world = new TradingWorld();
    const feed = Keypair.generate().publicKey;
    const refused = (error: string, ...args: Parameters<TradingWorld['marketAdmin']>) =>
      world.refused(error, [world.marketAdmin(...args)], [world.upgradeAuthority]);
    refused('FeeInvalid', 'set_fee', { fee_bps: 1_001 });
    refused('BandInvalid', 'set_band', { feed, band_bps: 0 });
    refused('BandInvalid', 'set_band', { feed, band_bps: 10_001 });
    refused('BandInvalid', 'set_band', { feed: PublicKey.default, band_bps: 1 });
    refused('AuthorityInvalid', 'set_guardian', { new_guardian: PublicKey.default });
    const other = world.key();
    world.createMint(other);
    const wallet = world.trader(0n, 0n);
    for (const account of [
      world.registerUser(wallet.publicKey).keys[3]?.pubkey as PublicKey,
      wallet.publicKey,
      world.forgedCopy(world.treasury),
    ]) {
      world.refused('TreasuryInvalid', [world.setTreasury(account)], [world.upgradeAuthority]);
    }
  });

  it('refuse everybody but the admin', () => {
    const world = new TradingWorld();
    const stranger = Keypair.generate();
    for (const signer of [world.marketGuardian, stranger]) {
      for (const [name, args] of [
        ['propose_admin', { new_admin: signer.publicKey }],
        ['set_guardian', { new_guardian: signer.publicKey }],
        ['set_fee', { fee_bps: 0 }],
        ['set_band', { feed: PublicKey.default, band_bps: 0 }],
      ] as const) {
        world.refused('NotAdmin', [world.marketAdmin(name, args, signer.publicKey)], [signer]);
      }
      world.refused('NotAdmin', [world.setTreasury(world.treasury, signer.publicKey)], [signer]);
    }
  });

  it('refuse wrong accounts', () => {
    const world = new TradingWorld();
    for (const [name, args] of [
      ['set_guardian', { new_guardian: Keypair.generate().publicKey }],
      ['set_fee', { fee_bps: 0 }],
      ['set_band', { feed: PublicKey.default, band_bps: 0 }],
    ] as const) {
      refusesWrongAccounts(
        world,
        'trading',
        name,
        [world.marketAdmin(name, args)],
        [world.upgradeAuthority],
        ADMIN_ACCOUNTS,
      );
    }
    refusesWrongAccounts(
      world,
      'trading',
      'set_treasury',
      [world.setTreasury(world.treasury)],
      [world.upgradeAuthority],
      { ...ADMIN_ACCOUNTS, treasury: { other: 'TreasuryInvalid', copy: 'TreasuryInvalid' } },
    );
  });
});

describe("a market's set_paused", () => {
  it('stops making, matching and crossing; cancelling and returning go on', () => {
    const world = new TradingWorld();
    const [maker, taker] = [world.trader(), world.trader()];
    const sell = world.sell(maker);
    const buy = world.buy(taker);
    const expiring = world.sell(maker, { expiresAt: BigInt(world.now() + 10) });
    world.must([world.pauseMarket(true, world.marketGuardian.publicKey)], [world.marketGuardian]);
    world.refused('Paused', [world.createOrder(world.planned(maker))], [maker]);
    world.refused('Paused', [world.matchOrder(taker.publicKey, sell)], [taker]);
    world.refused('Paused', [world.crossOrders([[sell, buy]])]);
    world.must([world.cancelOrder(sell)], [maker]);
    world.setClock(world.now() + 10);
    world.must([world.expireOrder(expiring)]);
    expect(world.grid(maker.publicKey)).toBe(100n * ONE);
    // What only stops cannot resume.
    world.refused(
      'NotAuthorized',
      [world.pauseMarket(false, world.marketGuardian.publicKey)],
      [world.marketGuardian],
    );
    const stranger = Keypair.generate();
    world.refused('NotAuthorized', [world.pauseMarket(true, stranger.publicKey)], [stranger]);
    world.must([world.pauseMarket(false)], [world.upgradeAuthority]);
    world.sell(maker);
  });

  it('refuses wrong accounts', () => {
    const world = new TradingWorld();
    refusesWrongAccounts(
      world,
      'trading',
      'set_paused',
      [world.pauseMarket(true)],
      [world.upgradeAuthority],
      {
        authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
        market: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
