import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, UPGRADEABLE_LOADER } from './support.js';
import { LOT, TICK, TRADING, TradingWorld } from './trading.js';

const bare = () => new TradingWorld({ noMarket: true });

describe('create_market', () => {
  it('opens the market of GRID against a mint, with the upgrade authority as admin', () => {
    const world = bare();
    const result = world.must([world.createMarket({ feeBps: 30 })], [world.upgradeAuthority]);
    expect(world.event(result, 'MarketChanged')).toMatchObject({
      market: world.market.toBase58(),
      admin: world.upgradeAuthority.publicKey.toBase58(),
      base_mint: pda.mint.toBase58(),
      quote_mint: world.grx.publicKey.toBase58(),
      treasury: world.treasury.toBase58(),
      lot_size: LOT,
      tick_size: TICK,
      fee_bps: 30,
      band_bps: 0,
      paused: false,
      timestamp: BigInt(world.now()),
    });
    expect(world.marketState()).toMatchObject({
      admin: world.upgradeAuthority.publicKey,
      pending_admin: PublicKey.default,
      guardian: world.marketGuardian.publicKey,
      base_mint: pda.mint,
      quote_mint: world.grx.publicKey,
      treasury: world.treasury,
      feed: PublicKey.default,
      fee_bps: 30,
      paused: 0,
    });
  });

  it('is for the upgrade authority alone', () => {
    const world = bare();
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    world.refused(
      'NotUpgradeAuthority',
      [world.createMarket({}, { authority: firstComer.publicKey })],
      [firstComer],
    );
    const data = world.dataOf(pda.programData(TRADING));
    data[12] = 0;
    world.setAccount(pda.programData(TRADING), UPGRADEABLE_LOADER, data);
    world.refused('NotUpgradeAuthority', [world.createMarket()], [world.upgradeAuthority]);
  });

  it('opens one market for each quote mint, also where somebody sent lamports before', () => {
    const world = bare();
    world.fund(world.market);
    world.must([world.createMarket()], [world.upgradeAuthority]);
    world.refused('MarketExists', [world.createMarket({ feeBps: 1 })], [world.upgradeAuthority]);
  });

  it('refuses GRID, other decimals and what is no mint as quote', () => {
    const world = bare();
    const refusedFor = (mint: PublicKey, error = 'QuoteMintInvalid') =>
      world.refused(
        error,
        [
          world.createMarket(
            {},
            {
              quote_mint: mint,
              market: PublicKey.findProgramAddressSync([Buffer.from('market'), mint.toBytes()], TRADING)[0],
            },
          ),
        ],
        [world.upgradeAuthority],
      );
    refusedFor(pda.mint);
    const six = world.key();
    world.createMint(six, { decimals: 6 });
    refusedFor(six.publicKey);
    refusedFor(world.treasury);
    refusedFor(world.forgedCopy(world.grx.publicKey));
    const other = world.key();
    world.createMint(other);
    // The treasury is one of another mint now.
    refusedFor(other.publicKey, 'TreasuryInvalid');
  });

  it('refuses settings that would trap dust or rob sellers', () => {
    const world = bare();
    const refused = (error: string, options: Parameters<TradingWorld['createMarket']>[0]) =>
      world.refused(error, [world.createMarket(options)], [world.upgradeAuthority]);
    refused('FeeInvalid', { feeBps: 1_001 });
    refused('LotOrTickInvalid', { lotSize: 0n });
    refused('LotOrTickInvalid', { tickSize: 0n });
    // One lot at one tick has to be worth a base unit.
    refused('LotOrTickInvalid', { lotSize: 1_000n, tickSize: 999_999n });
    refused('LotOrTickInvalid', { lotSize: 2n ** 64n - 1n, tickSize: 2n ** 64n - 1n });
    refused('BandInvalid', { bandBps: 100 });
    refused('BandInvalid', { feed: Keypair.generate().publicKey });
    refused('BandInvalid', { feed: Keypair.generate().publicKey, bandBps: 10_001 });
    world.must([world.createMarket({ lotSize: 1_000n, tickSize: 1_000_000n })], [world.upgradeAuthority]);
  });

  it('refuses a frozen treasury, and the zero address as guardian', () => {
    const world = bare();
    world.setState(world.treasury, 2);
    world.refused('TreasuryInvalid', [world.createMarket()], [world.upgradeAuthority]);
    world.setState(world.treasury, 1);
    const zero = Object.assign(Object.create(world), {
      marketGuardian: { publicKey: PublicKey.default },
    }) as TradingWorld;
    const call = TradingWorld.prototype.createMarket.call(zero);
    world.refused('AuthorityInvalid', [call], [world.upgradeAuthority]);
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(
      world,
      'trading',
      'create_market',
      [world.createMarket()],
      [world.upgradeAuthority],
      {
        authority: {
          other: 'NotUpgradeAuthority',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        market: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        quote_mint: { other: 'InvalidSeeds', copy: 'InvalidSeeds' },
        treasury: { other: 'TreasuryInvalid', copy: 'TreasuryInvalid' },
        program_data: { other: 'WrongProgramData', copy: 'WrongProgramData' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
