import { createBurnInstruction } from '@solana/spl-token';
import type { TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda, hashOf, SETTINGS, Status, SUPPLY } from './governance.js';
import { refusesWrongAccounts } from './support.js';

describe("governance's activate_proposal", () => {
  it('begins the voting under the settings of now', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer);
    const result = world.must([world.activateProposal(proposal)], [proposer]);
    const start = BigInt(world.now());
    const ends = start + BigInt(SETTINGS.voting_seconds);
    const executable = ends + BigInt(SETTINGS.timelock_seconds);
    const expected = {
      supply: SUPPLY,
      quorum: (SUPPLY * 400n) / 10_000n,
      threshold_bps: 5_000,
      voting_ends_at: ends,
      executable_at: executable,
      expires_at: executable + BigInt(SETTINGS.execution_seconds),
    };
    expect(world.event(result, 'ProposalActivated')).toEqual({
      ...expected,
      proposal: proposal.address.toBase58(),
      id: 1n,
      instructions: 1,
      instructions_hash: [...hashOf(proposal.instructions)],
      timestamp: start,
    });
    expect(world.proposalState(proposal)).toMatchObject({
      status: Status.voting,
      supply: expected.supply,
      quorum: expected.quorum,
      votingEndsAt: Number(ends),
      executableAt: Number(executable),
      expiresAt: Number(expected.expires_at),
    });
    // Another proposal changes the settings; the rules of this one stay.
    const rules = world.proposalState(proposal)?.raw;
    world.votes(proposer, proposal);
    world.decided(proposal);
    world.enact(proposer, world.setGovSettings({ quorum_bps: 5_000, voting_seconds: 60 }));
    for (const field of ['quorum', 'threshold_bps', 'voting_ends_at', 'expires_at'])
      expect(String(world.proposalState(proposal)?.raw[field])).toBe(String(rules[field]));
  });

  it('counts the GOV that is there, rounded up', () => {
    const world = new GovernanceWorld();
    const { publicKey } = world.govOwner;
    world.must(
      [createBurnInstruction(world.govAccount(publicKey), govPda.mint, publicKey, 1n)],
      [world.govOwner],
    );
    const proposal = world.voting(world.holder());
    expect(world.proposalState(proposal)).toMatchObject({
      supply: SUPPLY - 1n,
      quorum: (SUPPLY * 400n) / 10_000n,
    });
  });

  it('freezes the instructions that the proposer names', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, [
      world.setGovSettings({}),
      world.setGovGuardian(proposer.publicKey),
    ]);
    const [first, second] = proposal.instructions as [TransactionInstruction, TransactionInstruction];
    for (const hash of [
      Buffer.alloc(32),
      hashOf([]),
      hashOf([first]),
      hashOf([second, first]),
      hashOf([first, second, first]),
    ])
      world.refused('HashMismatch', [world.activateProposal(proposal, hash)], [proposer]);
    world.must([world.activateProposal(proposal)], [proposer]);
  });

  it('needs an instruction', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer, []);
    world.refused('NoInstructions', [world.activateProposal(proposal)], [proposer]);
  });

  it('happens once, by the proposer', () => {
    const world = new GovernanceWorld();
    const [proposer, other] = [world.holder(), world.holder()];
    const proposal = world.draft(proposer);
    const forged = world.activateProposal(proposal, undefined, {
      proposer: other.publicKey,
      voter: govPda.voter(other.publicKey),
    });
    world.refused('NotProposer', [forged], [other]);
    const mixed = world.activateProposal(proposal, undefined, { voter: govPda.voter(other.publicKey) });
    world.refused('WrongVoter', [mixed], [proposer]);
    world.must([world.activateProposal(proposal)], [proposer]);
    world.refused('NotDraft', [world.activateProposal(proposal)], [proposer]);
    const cancelled = world.draft(proposer);
    world.must([world.cancelProposal(cancelled)], [proposer]);
    world.refused('NotDraft', [world.activateProposal(cancelled)], [proposer]);
    world.must([world.closeProposal(cancelled)]);
    world.refused('ProposalClosed', [world.activateProposal(cancelled)], [proposer]);
  });

  it('needs the deposit that the settings name by then', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder(SETTINGS.proposal_deposit);
    const draft = world.draft(proposer);
    world.enact(world.holder(), world.setGovSettings({ proposal_deposit: SETTINGS.proposal_deposit + 1n }));
    world.refused('ProposalDepositTooSmall', [world.activateProposal(draft)], [proposer]);
    world.giveGov(proposer.publicKey, GOV);
    world.must([world.depositGov(proposer.publicKey, 1n), world.activateProposal(draft)], [proposer]);
  });

  it('waits while governance is paused', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.draft(proposer);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.refused('Paused', [world.activateProposal(proposal)], [proposer]);
    // A draft can be made ready meanwhile.
    const call = world.setGovGuardian(proposer.publicKey);
    world.must([world.addInstruction(proposal, 1, call)], [proposer]);
    world.setClock(world.now() + SETTINGS.pause_seconds);
    world.must([world.activateProposal(proposal, hashOf([...proposal.instructions, call]))], [proposer]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    refusesWrongAccounts(
      world,
      'governance',
      'activate_proposal',
      [world.activateProposal(world.draft(proposer))],
      [proposer],
      {
        proposer: { other: 'NotProposer', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        mint: { other: 'WrongMint', copy: 'WrongMint' },
        voter: { other: 'NotDeposited', copy: 'NotDeposited' },
        proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
      },
    );
  });
});
