import { describe, expect, it } from 'vitest';
import { GovernanceWorld, govPda, Status } from './governance.js';
import { refusesWrongAccounts } from './support.js';

describe("governance's close_proposal", () => {
  it('returns the rent of the proposal and of its instructions to whoever paid, whoever calls it', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const proposal = world.draft(
      proposer,
      [world.setGovSettings({}), world.setGovGuardian(proposer.publicKey)],
      sponsor,
    );
    world.must([world.cancelProposal(proposal)], [proposer]);
    const result = world.must([world.closeProposal(proposal)]);
    expect(world.lamports(sponsor.publicKey)).toBe(before);
    for (const key of [
      proposal.address,
      govPda.instruction(proposal.address, 0),
      govPda.instruction(proposal.address, 1),
    ])
      expect(world.account(key)).toBeUndefined();
    expect(world.event(result, 'ProposalRemoved')).toEqual({
      proposal: proposal.address.toBase58(),
      id: 1n,
      status: Status.cancelled,
      timestamp: BigInt(world.now()),
    });
    world.refused('ProposalClosed', [world.closeProposal(proposal)]);
  });

  it('waits until nothing can come of the proposal', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer);
    const waits = () => world.refused('NotFinished', [world.closeProposal(proposal)]);
    waits();
    world.must([world.activateProposal(proposal)], [proposer]);
    waits();
    world.votes(proposer, proposal);
    const state = world.proposalState(proposal);
    world.setClock(state?.votingEndsAt ?? 0);
    waits();
    world.must([world.finalizeProposal(proposal)]);
    waits();
    world.setClock((state?.expiresAt ?? 0) - 1);
    waits();
    world.setClock(state?.expiresAt ?? 0);
    const result = world.must([world.closeProposal(proposal)]);
    expect(world.event(result, 'ProposalRemoved')).toMatchObject({ status: Status.queued });
  });

  it('closes what was executed or defeated at once', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const executed = world.enact(proposer, world.setGovSettings({}));
    world.must([world.closeProposal(executed)]);
    const defeated = world.voting(proposer);
    world.decided(defeated, Status.defeated);
    world.must([world.closeProposal(defeated)]);
  });

  it('takes all instructions of the proposal, in order, and no others', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const calls = [world.setGovSettings({}), world.setGovGuardian(proposer.publicKey)];
    const [proposal, other] = [world.draft(proposer, calls), world.draft(proposer, calls)];
    world.must([world.cancelProposal(proposal)], [proposer]);
    const at = (of: typeof proposal, index: number, isWritable = true) => ({
      pubkey: govPda.instruction(of.address, index),
      isSigner: false,
      isWritable,
    });
    for (const remaining of [
      [],
      [at(proposal, 0)],
      [at(proposal, 1), at(proposal, 0)],
      [at(proposal, 0), at(proposal, 0)],
      [at(proposal, 0), at(other, 1)],
      [at(proposal, 0), at(proposal, 1), at(other, 0)],
      [at(proposal, 0), { ...at(proposal, 1), pubkey: govPda.voter(proposer.publicKey) }],
      [at(proposal, 0), { ...at(proposal, 1), pubkey: proposer.publicKey }],
    ])
      world.refused('WrongInstruction', [world.closeProposal(proposal, {}, remaining)]);
    world.refused('ConstraintMut', [
      world.closeProposal(proposal, {}, [at(proposal, 0), at(proposal, 1, false)]),
    ]);
    world.must([world.closeProposal(proposal)]);
    expect(world.account(govPda.instruction(other.address, 0))).toBeDefined();
  });

  it('closes eight at once, and a draft without any', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const full = world.draft(
      proposer,
      Array.from({ length: 8 }, () => world.setGovSettings({})),
    );
    const empty = world.draft(proposer, []);
    for (const proposal of [full, empty]) {
      world.must([world.cancelProposal(proposal)], [proposer]);
      world.must([world.closeProposal(proposal)]);
    }
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer);
    world.must([world.cancelProposal(proposal)], [proposer]);
    refusesWrongAccounts(world, 'governance', 'close_proposal', [world.closeProposal(proposal)], [], {
      proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
    });
  });
});
