import { describe, expect, it } from 'vitest';
import { GovernanceWorld, govPda, SETTINGS, Status } from './governance.js';
import { refusesWrongAccounts } from './support.js';

describe("governance's cancel_proposal", () => {
  it('gives up a draft or a proposal that is voted on, and frees the deposit', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    for (const proposal of [world.draft(proposer, []), world.draft(proposer), world.voting(proposer)]) {
      const locks = world.voter(proposer.publicKey)?.locks ?? 0;
      const result = world.must([world.cancelProposal(proposal)], [proposer]);
      expect(world.proposalState(proposal)?.status).toBe(Status.cancelled);
      expect(world.voter(proposer.publicKey)?.locks).toBe(locks - 1);
      expect(world.event(result, 'ProposalCancelled')).toEqual({
        proposal: proposal.address.toBase58(),
        id: proposal.id,
        timestamp: BigInt(world.now()),
      });
      world.refused('NotVoting', [world.cancelProposal(proposal)], [proposer]);
    }
  });

  it('is too late once voting has ended', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.voting(proposer);
    const other = world.voting(proposer);
    world.votes(proposer, proposal);
    world.setClock(world.now() + SETTINGS.voting_seconds - 1);
    world.must([world.cancelProposal(other)], [proposer]);
    world.setClock(world.now() + 1);
    world.refused('VotingEnded', [world.cancelProposal(proposal)], [proposer]);
    world.decided(proposal);
    world.refused('NotVoting', [world.cancelProposal(proposal)], [proposer]);
  });

  it('is for the proposer alone, not for the guardian either', () => {
    const world = new GovernanceWorld();
    const [proposer, other] = [world.holder(), world.holder()];
    const proposal = world.voting(proposer);
    world.must([world.depositGov(world.govOwner.publicKey, 1n)], [world.govOwner]);
    for (const wallet of [other, world.govOwner]) {
      const forged = world.cancelProposal(proposal, {
        proposer: wallet.publicKey,
        voter: govPda.voter(wallet.publicKey),
      });
      world.refused('NotProposer', [forged], [wallet]);
    }
    const guardian = world.cancelProposal(proposal, { proposer: world.govGuardian.publicKey });
    world.refused('NotProposer', [guardian], [world.govGuardian]);
    // Another's account does not lose its lock for it.
    const mixed = world.cancelProposal(proposal, { voter: govPda.voter(other.publicKey) });
    world.refused('WrongVoter', [mixed], [proposer]);
  });

  it('goes on while governance is paused', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.voting(proposer);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.must([world.cancelProposal(proposal)], [proposer]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const cancel = world.cancelProposal(world.voting(proposer));
    refusesWrongAccounts(world, 'governance', 'cancel_proposal', [cancel], [proposer], {
      proposer: { other: 'NotProposer', unsigned: 'MissingRequiredSignature' },
      voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
      proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
    });
  });
});
