import {
  AuthorityType,
  createCloseAccountInstruction,
  createSetAuthorityInstruction,
} from '@solana/spl-token';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID, World } from './support.js';

describe('settle_and_mint_tokens', () => {
  it('settles and mints in one go; anybody can call it, the destination is fixed', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 15_300_000_000n - 1n, used: 0n, end: meter.last.end + 4 * 3_600 });
    const due = world.meter(meter).eligible;
    const result = world.must([world.settleAndMint(meter)]);
    expect(result.returned.readBigUInt64LE()).toBe(due);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(due);
    expect(world.meter(meter)).toMatchObject({ settled: due, minted: due });
    expect(result.events.map(({ name }) => name)).toEqual(['MeterBalanceSettled', 'ProductionMinted']);
  });

  it('refuses when nothing is due', () => {
    const world = new World();
    const meter = world.newMeter();
    world.refused('NoUnsettledBalance', [world.settleAndMint(meter)]);
    world.accept(meter);
    world.must([world.settleAndMint(meter)]);
    world.refused('NoUnsettledBalance', [world.settleAndMint(meter)]);
  });

  describe('the token account', () => {
    it("has to be the owner's own associated account", () => {
      const world = new World();
      const meter = world.newMeter();
      world.accept(meter);
      const thief = world.user();
      const call = world.settleAndMint(meter, { owner_token_account: pda.tokenAccount(thief.publicKey) });
      world.refused('WrongTokenAccount', [call]);
    });

    it('has to exist, and may have been closed and made again', () => {
      const world = new World();
      const owner = world.user({ tokenAccount: false });
      const meter = world.newMeter({ owner });
      world.accept(meter);
      world.refused('TokenAccountUnusable', [world.settleAndMint(meter)]);
      const account = world.createTokenAccount(owner.publicKey);
      world.must(
        [createCloseAccountInstruction(account, owner.publicKey, owner.publicKey, [], TOKEN_2022_PROGRAM_ID)],
        [owner],
      );
      world.refused('TokenAccountUnusable', [world.settleAndMint(meter)]);
      world.createTokenAccount(owner.publicKey);
      world.must([world.settleAndMint(meter)]);
      expect(world.balance(account)).toBe(world.meter(meter).minted);
    });

    it("cannot be handed over, and would not be paid if it had been: no thief receives a meter's production", () => {
      const world = new World();
      const meter = world.newMeter();
      const account = pda.tokenAccount(meter.owner.publicKey);
      const thief = world.user();
      // Token-2022: 34 ImmutableOwner.
      world.refused(
        'Custom(34)',
        [
          createSetAuthorityInstruction(
            account,
            meter.owner.publicKey,
            AuthorityType.AccountOwner,
            thief.publicKey,
            [],
            TOKEN_2022_PROGRAM_ID,
          ),
        ],
        [meter.owner],
      );
      const data = world.dataOf(account);
      data.set(thief.publicKey.toBytes(), 32);
      world.setAccount(account, TOKEN_2022_PROGRAM_ID, data);
      world.accept(meter);
      world.refused('TokenAccountUnusable', [world.settleAndMint(meter)]);
      world.refused('TokenAccountUnusable', world.batch([meter]));
    });

    it('is refused by the token program when it is frozen, or of another mint', () => {
      const world = new World();
      const meter = world.newMeter();
      world.accept(meter);
      const account = pda.tokenAccount(meter.owner.publicKey);
      const good = world.dataOf(account);
      const put = (offset: number, value: number) => {
        const data = Buffer.from(good);
        data[offset] = value;
        world.setAccount(account, TOKEN_2022_PROGRAM_ID, data);
      };
      // Nobody can freeze GRID: the states are forced here. SPL Token: 3 MintMismatch, 17 AccountFrozen.
      put(108, 2);
      world.refused('Custom(17)', [world.settleAndMint(meter)]);
      put(0, (good[0] as number) ^ 1);
      world.refused('Custom(3)', [world.settleAndMint(meter)]);
    });
  });

  it('stops where a counter would overflow: of energy-token, and of the mint itself', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 0n });
    world.patch(pda.tokenConfig, 8, 2n ** 64n - 1_000n);
    world.refused('energy_token:ArithmeticOverflow', [world.settleAndMint(meter)]);
    world.patch(pda.tokenConfig, 8, 0n);
    world.patch(pda.mint, 36, 2n ** 64n - 1_000n);
    // SPL Token: 14 Overflow.
    world.refused('Custom(14)', [world.settleAndMint(meter)]);
  });

  it('never mints more than is settled, even on an account that contradicts itself', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 0n });
    // minted 5 above eligible: unreachable by any instruction.
    world.patch(meter.address, 8 + 128 + 7 * 8, 1_005n);
    world.refused('NoUnsettledBalance', [world.settleAndMint(meter)]);
    world.refused('InvariantViolated', [world.settle(meter)]);
  });

  it('refuses a suspended meter, and everything while paused', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    world.must([world.setStatus(meter, 1, world.guardian.publicKey)], [world.guardian]);
    world.refused('MeterSuspended', [world.settleAndMint(meter)]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', [world.settleAndMint(meter)]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    refusesWrongAccounts(world, 'registry', 'settle_and_mint_tokens', [world.settleAndMint(meter)], [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      owner_token_account: {
        other: 'WrongTokenAccount',
        copy: 'WrongTokenAccount',
        readonly: 'ConstraintMut',
      },
      mint_authority: { other: 'WrongMintAuthority' },
      token_config: {
        other: 'WrongTokenConfig',
        copy: 'WrongTokenConfig',
        twin: 'WrongTokenConfig',
        readonly: 'ConstraintMut',
      },
      grid_mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      energy_token_program: { other: 'WrongEnergyTokenProgram' },
      token_program: { other: 'ConstraintExecutable' },
    });
  });
});
