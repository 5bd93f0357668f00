import { createBurnInstruction } from '@solana/spl-token';
import type { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { bn, call, pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID, World } from './support.js';

/** A world where an owner holds 1,000 base units. */
function setup() {
  const world = new World();
  const meter = world.newMeter();
  world.must(world.batch([meter], { made: 1_000n, used: 0n }));
  const burn = (amount: bigint, accounts: Record<string, PublicKey> = {}) =>
    call(
      'token',
      'burn',
      { amount: bn(amount) },
      {
        owner: meter.owner.publicKey,
        config: pda.tokenConfig,
        mint: pda.mint,
        token_account: pda.tokenAccount(meter.owner.publicKey),
        token_program: TOKEN_2022_PROGRAM_ID,
        ...accounts,
      },
    );
  return { world, meter, burn };
}

describe('burn', () => {
  it("destroys the signer's tokens and counts them", () => {
    const { world, meter, burn } = setup();
    const result = world.must([burn(300n)], [meter.owner]);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(700n);
    expect(world.supply()).toBe(700n);
    expect(world.tokenConfig()).toEqual({ minted: 1_000n, burned: 300n, retired: 0n });
    expect(result.events).toMatchObject([{ name: 'TokensBurned', data: { owner: meter.owner.publicKey } }]);
    expect(result.events[0]?.data.amount.toString()).toBe('300');
  });

  it('refuses zero and more than there is', () => {
    const { world, meter, burn } = setup();
    world.refused('ZeroAmount', [burn(0n)], [meter.owner]);
    // SPL Token: 1 InsufficientFunds.
    world.refused('Custom(1)', [burn(1_001n)], [meter.owner]);
    world.must([burn(1_000n)], [meter.owner]);
    expect(world.supply()).toBe(0n);
  });

  it("refuses somebody else's tokens", () => {
    const { world, meter, burn } = setup();
    const thief = world.user();
    world.refused('Custom(4)', [burn(1n, { owner: thief.publicKey })], [thief]);
    world.refused(
      'Custom(1)',
      [burn(1n, { token_account: pda.tokenAccount(thief.publicKey), owner: thief.publicKey })],
      [thief],
    );
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(1_000n);
  });

  it('refuses a counter past its range', () => {
    const { world, meter, burn } = setup();
    world.patch(pda.tokenConfig, 16, 2n ** 64n - 1n);
    world.refused('ArithmeticOverflow', [burn(1n)], [meter.owner]);
    // Burned above minted: unreachable by any instruction.
    world.patch(pda.tokenConfig, 16, 1_000n);
    world.refused('InvariantViolated', [burn(1n)], [meter.owner]);
  });

  it('goes unseen when done with the token program itself: supply is then below minted less burned', () => {
    const { world, meter } = setup();
    const account = pda.tokenAccount(meter.owner.publicKey);
    world.must(
      [createBurnInstruction(account, pda.mint, meter.owner.publicKey, 40n, [], TOKEN_2022_PROGRAM_ID)],
      [meter.owner],
    );
    expect(world.supply()).toBe(960n);
    expect(world.tokenConfig()).toMatchObject({ minted: 1_000n, burned: 0n });
  });

  it('refuses wrong accounts', () => {
    const { world, meter, burn } = setup();
    refusesWrongAccounts(world, 'token', 'burn', [burn(1n)], [meter.owner], {
      owner: { other: 'Custom(4)', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
      mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      token_account: {
        other: 'IncorrectProgramId',
        copy: 'IncorrectProgramId',
        readonly: 'ConstraintMut',
      },
      token_program: { other: 'ConstraintExecutable' },
    });
  });
});
