import { describe, expect, it } from 'vitest';
import { ABSTAIN, GOV, GovernanceWorld, govPda, NO, SETTINGS, Status, YES } from './governance.js';
import { refusesWrongAccounts } from './support.js';

/** What becomes of a proposal with these votes, of a supply of 10,000 and a quorum of 400. */
function outcome(votes: [weight: bigint, choice: number][], settings: Partial<typeof SETTINGS> = {}) {
  const world = new GovernanceWorld({
    supply: 10_000n,
    settings: { proposal_deposit: 1n, ...settings },
  });
  const proposal = world.voting(world.holder(1n));
  for (const [weight, choice] of votes) world.votes(world.holder(weight), proposal, choice);
  world.setClock(world.now() + SETTINGS.voting_seconds);
  world.must([world.finalizeProposal(proposal)]);
  return world.proposalState(proposal)?.status;
}

describe("governance's finalize_proposal", () => {
  it('lets pass what has quorum and majority, and frees the proposer', () => {
    const world = new GovernanceWorld();
    const [proposer, opponent] = [world.holder(60_000n * GOV), world.holder(50_000n * GOV)];
    const proposal = world.voting(proposer);
    world.votes(proposer, proposal);
    world.votes(opponent, proposal, NO);
    world.setClock(world.now() + SETTINGS.voting_seconds);
    const locks = world.voter(proposer.publicKey)?.locks ?? 0;
    const result = world.must([world.finalizeProposal(proposal)]);
    expect(world.voter(proposer.publicKey)?.locks).toBe(locks - 1);
    expect(world.event(result, 'ProposalFinalized')).toEqual({
      proposal: proposal.address.toBase58(),
      id: 1n,
      status: Status.queued,
      yes: 60_000n * GOV,
      no: 50_000n * GOV,
      abstain: 0n,
      timestamp: BigInt(world.now()),
    });
    world.refused('NotVoting', [world.finalizeProposal(proposal)]);
  });

  it('decides at the edges of the quorum', () => {
    expect(outcome([[399n, YES]])).toBe(Status.defeated);
    expect(outcome([[400n, YES]])).toBe(Status.queued);
    // Abstentions take part.
    expect(
      outcome([
        [1n, YES],
        [399n, ABSTAIN],
      ]),
    ).toBe(Status.queued);
    expect(outcome([[500n, ABSTAIN]])).toBe(Status.defeated);
    expect(outcome([])).toBe(Status.defeated);
  });

  it('decides at the edges of the threshold', () => {
    const votes = (yes: bigint, no: bigint): [bigint, number][] => [
      [yes, YES],
      [no, NO],
    ];
    expect(outcome(votes(500n, 500n))).toBe(Status.defeated);
    expect(outcome(votes(501n, 500n))).toBe(Status.queued);
    const twoThirds = { threshold_bps: 6_666 };
    expect(outcome(votes(6_600n, 3_302n), twoThirds)).toBe(Status.defeated);
    expect(outcome(votes(6_600n, 3_300n), twoThirds)).toBe(Status.queued);
    expect(outcome(votes(9_900n, 1n), { threshold_bps: 9_999 })).toBe(Status.defeated);
    expect(outcome([[9_900n, YES]], { threshold_bps: 9_999 })).toBe(Status.queued);
  });

  it('waits for the end of voting, to the second', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const draft = world.draft(proposer);
    world.refused('NotVoting', [world.finalizeProposal(draft)]);
    world.must([world.activateProposal(draft)], [proposer]);
    world.setClock(world.now() + SETTINGS.voting_seconds - 1);
    world.refused('VotingOpen', [world.finalizeProposal(draft)]);
    world.setClock(world.now() + 1);
    world.must([world.finalizeProposal(draft)]);
  });

  it('says nothing of what was cancelled or closed', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.voting(proposer);
    world.must([world.cancelProposal(proposal)], [proposer]);
    world.setClock(world.now() + SETTINGS.voting_seconds);
    world.refused('NotVoting', [world.finalizeProposal(proposal)]);
    world.must([world.closeProposal(proposal)]);
    world.refused('ProposalClosed', [world.finalizeProposal(proposal)]);
  });

  it('goes on while governance is paused', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    world.setClock(world.now() + SETTINGS.voting_seconds);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.decided(proposal, Status.defeated);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const other = world.holder();
    const proposal = world.voting(world.holder());
    world.setClock(world.now() + SETTINGS.voting_seconds);
    const voter = govPda.voter(other.publicKey);
    world.refused('WrongVoter', [world.finalizeProposal(proposal, { voter })]);
    const finalize = world.finalizeProposal(proposal);
    refusesWrongAccounts(world, 'governance', 'finalize_proposal', [finalize], [], {
      proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
      voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
    });
  });
});
