import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda } from './governance.js';
import { refusesWrongAccounts } from './support.js';

describe("governance's withdraw", () => {
  it('gives back what was deposited, in parts', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV);
    const result = world.must([world.withdrawGov(wallet.publicKey, 4n * GOV)], [wallet]);
    expect(world.event(result, 'GovWithdrawn')).toEqual({
      wallet: wallet.publicKey.toBase58(),
      destination: world.govAccount(wallet.publicKey).toBase58(),
      amount: 4n * GOV,
      deposited: 6n * GOV,
      total_deposited: 6n * GOV,
      timestamp: BigInt(world.now()),
    });
    world.must([world.withdrawGov(wallet.publicKey, 6n * GOV)], [wallet]);
    expect(world.gov(wallet.publicKey)).toBe(10n * GOV);
    expect(world.balance(govPda.vault)).toBe(0n);
    expect(world.govConfig().deposited).toBe(0n);
  });

  it('refuses nothing, more than is deposited, and those who deposited nothing', () => {
    const world = new GovernanceWorld();
    const [wallet, other] = [world.holder(10n * GOV), world.holder(10n * GOV)];
    world.refused('AmountZero', [world.withdrawGov(wallet.publicKey, 0n)], [wallet]);
    for (const amount of [10n * GOV + 1n, 2n ** 64n - 1n])
      world.refused('DepositTooSmall', [world.withdrawGov(wallet.publicKey, amount)], [wallet]);
    const stranger = world.holder(10n * GOV, 0n);
    world.refused('NotDeposited', [world.withdrawGov(stranger.publicKey, 1n)], [stranger]);
    // Nor with another's voter account.
    const voter = govPda.voter(other.publicKey);
    world.refused('WrongVoter', [world.withdrawGov(stranger.publicKey, 1n, { voter })], [stranger]);
  });

  it('waits for open votes, and for proposals of the wallet', () => {
    const world = new GovernanceWorld();
    const [proposer, voter] = [world.holder(), world.holder()];
    const draft = world.draft(proposer);
    world.refused('DepositLocked', [world.withdrawGov(proposer.publicKey, 1n)], [proposer]);
    world.must([world.cancelProposal(draft)], [proposer]);
    world.must([world.withdrawGov(proposer.publicKey, 1n)], [proposer]);

    const proposal = world.voting(proposer);
    world.votes(voter, proposal);
    for (const wallet of [proposer, voter])
      world.refused('DepositLocked', [world.withdrawGov(wallet.publicKey, 1n)], [wallet]);
    // What is deposited later is held as well.
    world.giveGov(voter.publicKey, 5n);
    world.must([world.depositGov(voter.publicKey, 5n)], [voter]);
    world.refused('DepositLocked', [world.withdrawGov(voter.publicKey, 5n)], [voter]);
    world.decided(proposal);
    world.must([world.withdrawGov(proposer.publicKey, 1n)], [proposer]);
    world.refused('DepositLocked', [world.withdrawGov(voter.publicKey, 1n)], [voter]);
    world.must(
      [
        world.closeVote(voter.publicKey, proposal),
        world.withdrawGov(voter.publicKey, world.voter(voter.publicKey)?.deposited ?? 0n),
      ],
      [voter],
    );
  });

  it('lets nobody borrow tokens, vote with them and give them back at once', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const borrower = world.holder(500_000n * GOV, 0n);
    const { publicKey } = borrower;
    world.refused(
      'DepositLocked',
      [
        world.depositGov(publicKey, 500_000n * GOV),
        world.castVote(publicKey, proposal, 1),
        world.withdrawGov(publicKey, 500_000n * GOV),
      ],
      [borrower],
    );
    world.refused(
      'VotingOpen',
      [
        world.depositGov(publicKey, 500_000n * GOV),
        world.castVote(publicKey, proposal, 1),
        world.closeVote(publicKey, proposal),
        world.withdrawGov(publicKey, 500_000n * GOV),
      ],
      [borrower],
    );
  });

  it('goes on while governance is paused', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.must([world.withdrawGov(wallet.publicKey, 10n * GOV)], [wallet]);
  });

  it('goes to accounts of the wallet alone', () => {
    const world = new GovernanceWorld();
    const [wallet, other] = [world.holder(10n * GOV), world.holder(10n * GOV)];
    const to = (destination: ReturnType<typeof world.govAccount>) =>
      world.withdrawGov(wallet.publicKey, GOV, { destination });
    world.refused('TokenAccountUnusable', [to(world.govAccount(other.publicKey))], [wallet]);
    world.refused('TokenAccountUnusable', [to(world.govAccount(Keypair.generate().publicKey))], [wallet]);
    world.refused('ConstraintDuplicateMutableAccount', [to(govPda.vault)], [wallet]);
    // Another token account of the wallet: the mints differ.
    world.createQuoteAccount(wallet.publicKey);
    world.refused('Custom(3)', [to(world.quoteAccount(wallet.publicKey))], [wallet]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const wallet = world.holder(10n * GOV);
    refusesWrongAccounts(
      world,
      'governance',
      'withdraw',
      [world.withdrawGov(wallet.publicKey, GOV)],
      [wallet],
      {
        wallet: { other: 'WrongVoter', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
        voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
        vault: { other: 'WrongVault', copy: 'WrongVault', readonly: 'ConstraintMut' },
        destination: {
          other: 'TokenAccountUnusable',
          copy: 'TokenAccountUnusable',
          readonly: 'ConstraintMut',
        },
        token_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
