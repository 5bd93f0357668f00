import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda, NO, SETTINGS, Status, YES } from './governance.js';
import { refusesWrongAccounts } from './support.js';

describe("governance's close_vote", () => {
  it('returns the rent and frees the deposit, whoever calls it', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(7n * GOV);
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const payer = { payer: sponsor.publicKey };
    world.must([world.castVote(wallet.publicKey, proposal, YES, payer)], [wallet, sponsor]);
    world.setClock(world.now() + SETTINGS.voting_seconds);
    const result = world.must([
      world.closeVote(wallet.publicKey, proposal, { rent_payer: sponsor.publicKey }),
    ]);
    expect(world.lamports(sponsor.publicKey)).toBe(before);
    expect(world.account(govPda.vote(proposal.address, wallet.publicKey))).toBeUndefined();
    expect(world.event(result, 'VoteClosed')).toEqual({
      proposal: proposal.address.toBase58(),
      wallet: wallet.publicKey.toBase58(),
      timestamp: BigInt(world.now()),
    });
    expect(world.voter(wallet.publicKey)?.locks).toBe(0);
    // What was said stays said.
    expect(world.proposalState(proposal)?.yes).toBe(7n * GOV);
    world.must([world.withdrawGov(wallet.publicKey, 7n * GOV)], [wallet]);
    world.refused('WrongVote', [world.closeVote(wallet.publicKey, proposal)]);
  });

  it('waits for the end of voting, to the second', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(7n);
    world.votes(wallet, proposal);
    world.setClock(world.now() + SETTINGS.voting_seconds - 1);
    world.refused('VotingOpen', [world.closeVote(wallet.publicKey, proposal)]);
    world.setClock(world.now() + 1);
    world.must([world.closeVote(wallet.publicKey, proposal)]);
  });

  it('works for every way in which a proposal ends, also after it was closed', () => {
    const world = new GovernanceWorld();
    const [proposer, wallet] = [world.holder(), world.holder(7n)];
    const close = (proposal: ReturnType<typeof world.voting>) =>
      world.must([world.closeVote(wallet.publicKey, proposal)]);

    const cancelled = world.voting(proposer);
    world.votes(wallet, cancelled);
    world.must([world.cancelProposal(cancelled)], [proposer]);
    close(cancelled);

    const defeated = world.voting(proposer);
    world.votes(wallet, defeated, NO);
    world.decided(defeated, Status.defeated);
    world.must([world.closeProposal(defeated)]);
    close(defeated);

    const executed = world.voting(proposer);
    world.votes(wallet, executed);
    world.votes(proposer, executed);
    world.decided(executed);
    world.setClock(world.proposalState(executed)?.executableAt ?? 0);
    world.must([world.execute(executed, 0)]);
    close(executed);
    expect(world.voter(wallet.publicKey)?.locks).toBe(0);
    expect(world.voter(proposer.publicKey)?.locks).toBe(1);
  });

  it('is about the vote, its proposal, its wallet and its payer', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const [open, over] = [world.voting(proposer), world.voting(proposer)];
    const [wallet, other] = [world.holder(7n), world.holder(9n)];
    world.votes(wallet, open);
    world.votes(other, over);
    world.must([world.cancelProposal(over)], [proposer]);
    // A proposal that is over does not free the vote on one that is not.
    const mixed = world.closeVote(wallet.publicKey, open, { proposal: over.address });
    world.refused('WrongProposal', [mixed]);
    // Nor does another wallet's vote.
    const voter = govPda.voter(wallet.publicKey);
    world.refused('WrongVoter', [world.closeVote(other.publicKey, over, { voter })]);
    world.refused('WrongRentPayer', [
      world.closeVote(other.publicKey, over, { rent_payer: other.publicKey }),
    ]);
    const kind = world.closeVote(other.publicKey, over, { vote: govPda.voter(proposer.publicKey) });
    world.refused('WrongVote', [kind]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(7n);
    world.votes(wallet, proposal);
    world.setClock(world.now() + SETTINGS.voting_seconds);
    const close = world.closeVote(wallet.publicKey, proposal);
    refusesWrongAccounts(world, 'governance', 'close_vote', [close], [], {
      proposal: { other: 'WrongProposal', copy: 'WrongProposal' },
      vote: { other: 'WrongVote', copy: 'WrongVote', readonly: 'ConstraintMut' },
      voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
    });
  });
});
