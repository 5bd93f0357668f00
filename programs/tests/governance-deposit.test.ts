import { createApproveInstruction } from '@solana/spl-token';
import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda } from './governance.js';
import { refusesWrongAccounts } from './support.js';

const VOTER_BYTES = 8 + 112;

describe("governance's deposit", () => {
  it('moves GOV into the vault and makes the voter account, at the cost of whoever pays', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV, 0n);
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const result = world.must(
      [world.depositGov(wallet.publicKey, 4n * GOV, { payer: sponsor.publicKey })],
      [wallet, sponsor],
    );
    expect(before - world.lamports(sponsor.publicKey)).toBe(world.rent(VOTER_BYTES));
    expect(world.voter(wallet.publicKey)).toMatchObject({
      deposited: 4n * GOV,
      locks: 0,
      rentPayer: sponsor.publicKey,
    });
    expect(world.event(result, 'GovDeposited')).toEqual({
      wallet: wallet.publicKey.toBase58(),
      amount: 4n * GOV,
      deposited: 4n * GOV,
      total_deposited: 4n * GOV,
      timestamp: BigInt(world.now()),
    });
    // A second one adds to it and costs no rent.
    world.must([world.depositGov(wallet.publicKey, 6n * GOV)], [wallet]);
    expect(world.voter(wallet.publicKey)?.deposited).toBe(10n * GOV);
    expect(world.gov(wallet.publicKey)).toBe(0n);
    expect(world.balance(govPda.vault)).toBe(10n * GOV);
    expect(world.govConfig().deposited).toBe(10n * GOV);
  });

  it('refuses nothing, and more than there is', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n, 0n);
    world.refused('AmountZero', [world.depositGov(wallet.publicKey, 0n)], [wallet]);
    world.refused('Custom(1)', [world.depositGov(wallet.publicKey, 11n)], [wallet]);
    world.refused('Custom(1)', [world.depositGov(wallet.publicKey, 2n ** 64n - 1n)], [wallet]);
    world.must([world.depositGov(wallet.publicKey, 10n)], [wallet]);
    world.refused('ArithmeticOverflow', [world.depositGov(wallet.publicKey, 2n ** 64n - 1n)], [wallet]);
  });

  it('takes all GOV there is, of the largest supply', () => {
    const supply = 2n ** 64n - 1n;
    const world = new GovernanceWorld({ supply });
    world.must([world.depositGov(world.govOwner.publicKey, supply)], [world.govOwner]);
    expect(world.govConfig().deposited).toBe(supply);
  });

  it('takes no tokens of others, nor other tokens', () => {
    const world = new GovernanceWorld();
    const [wallet, other] = [world.holder(10n * GOV, 0n), world.holder(10n * GOV, 0n)];
    const source = world.govAccount(other.publicKey);
    // Not even with the other's leave to spend them: they would weigh the wrong wallet's vote.
    world.must([createApproveInstruction(source, wallet.publicKey, other.publicKey, 10n * GOV)], [other]);
    world.refused('TokenAccountUnusable', [world.depositGov(wallet.publicKey, GOV, { source })], [wallet]);
    const trader = world.trader();
    // GRX: the token program compares the mints.
    world.refused(
      'Custom(3)',
      [world.depositGov(trader.publicKey, 1n, { source: world.quoteAccount(trader.publicKey) })],
      [trader],
    );
    world.setState(world.govAccount(wallet.publicKey), 2);
    world.refused('TokenAccountUnusable', [world.depositGov(wallet.publicKey, GOV)], [wallet]);
  });

  it("refuses another wallet's voter account", () => {
    const world = new GovernanceWorld();
    const [wallet, other] = [world.holder(10n * GOV, 0n), world.holder(10n * GOV)];
    const voter = govPda.voter(other.publicKey);
    world.refused('WrongVoter', [world.depositGov(wallet.publicKey, GOV, { voter })], [wallet]);
    // Also where there is none yet.
    const stranger = govPda.voter(Keypair.generate().publicKey);
    world.refused('WrongVoter', [world.depositGov(wallet.publicKey, GOV, { voter: stranger })], [wallet]);
    // Another kind of account of this program's.
    world.refused(
      'NotDeposited',
      [world.depositGov(wallet.publicKey, GOV, { voter: govPda.proposal(world.draft(world.holder()).id) })],
      [wallet],
    );
  });

  it('goes on while governance is paused', () => {
    const world = new GovernanceWorld();
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.holder(10n * GOV);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV, 0n);
    refusesWrongAccounts(
      world,
      'governance',
      'deposit',
      [world.depositGov(wallet.publicKey, GOV)],
      [wallet],
      {
        payer: {
          other: 'accepted',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        wallet: { other: 'TokenAccountUnusable', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
        voter: { other: 'WrongVoter', readonly: 'ConstraintMut' },
        source: { other: 'TokenAccountUnusable', copy: 'TokenAccountUnusable', readonly: 'ConstraintMut' },
        vault: { other: 'WrongVault', copy: 'WrongVault', readonly: 'ConstraintMut' },
        token_program: { other: 'ConstraintExecutable' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
