import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda, padded, SETTINGS, Status } from './governance.js';
import { refusesWrongAccounts } from './support.js';

const PROPOSAL_BYTES = 8 + 416;

describe("governance's create_proposal", () => {
  it('makes numbered drafts, and holds the deposit of the proposer', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const proposal = world.plannedProposal(proposer, [], sponsor);
    const result = world.must([world.createProposal(proposal)], [proposer, sponsor]);
    expect(before - world.lamports(sponsor.publicKey)).toBe(world.rent(PROPOSAL_BYTES));
    const expected = {
      proposer: proposer.publicKey,
      rent_payer: sponsor.publicKey,
      title: padded('Lower the fee', 64),
      uri: padded('https://example.org/proposals/1', 128),
      description_hash: [...createHash('sha256').update('Because it is too high.').digest()],
    };
    expect(world.proposalState(proposal)).toMatchObject({
      status: Status.draft,
      instructions: 0,
      executed: 0,
      raw: { ...expected, instructions_hash: Array(32).fill(0) },
    });
    expect(world.event(result, 'ProposalCreated')).toEqual({
      ...expected,
      proposer: proposer.publicKey.toBase58(),
      rent_payer: sponsor.publicKey.toBase58(),
      proposal: proposal.address.toBase58(),
      id: 1n,
      timestamp: BigInt(world.now()),
    });
    expect(world.voter(proposer.publicKey)?.locks).toBe(1);
    expect(world.draft(proposer).id).toBe(2n);
    expect(world.voter(proposer.publicKey)?.locks).toBe(2);
    expect(world.govConfig().proposals).toBe(2n);
  });

  it('needs the deposit that the settings name', () => {
    const world = new GovernanceWorld();
    const least = SETTINGS.proposal_deposit;
    const poor = world.holder(least, least - 1n);
    world.refused('ProposalDepositTooSmall', [world.createProposal(world.plannedProposal(poor))], [poor]);
    world.must([world.depositGov(poor.publicKey, 1n)], [poor]);
    world.draft(poor);
    const stranger = world.holder(least, 0n);
    world.refused('NotDeposited', [world.createProposal(world.plannedProposal(stranger))], [stranger]);
    // Another's deposit does not help.
    const voter = govPda.voter(poor.publicKey);
    const forged = world.createProposal(world.plannedProposal(stranger), {}, { voter });
    world.refused('WrongVoter', [forged], [stranger]);
  });

  it('takes the next number, and no number twice', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const first = world.plannedProposal(proposer);
    const skipped = { ...first, id: 2n, address: govPda.proposal(2n) };
    world.refused('WrongProposal', [world.createProposal(skipped)], [proposer]);
    world.must([world.createProposal(first)], [proposer]);
    world.refused('WrongProposal', [world.createProposal(first)], [proposer]);
    world.must([world.cancelProposal(first)], [proposer]);
    world.must([world.closeProposal(first, {}, [])]);
    // Closed: its address is free, its number is not.
    world.refused('WrongProposal', [world.createProposal(first)], [proposer]);
    // Two who propose at once: the second has to ask for the number again.
    const [a, b] = [world.plannedProposal(proposer), world.plannedProposal(world.holder())];
    world.must([world.createProposal(a)], [proposer]);
    world.refused('WrongProposal', [world.createProposal(b)], [b.proposer]);
  });

  it('counts to the end and no further', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const last = world.plannedProposal(proposer);
    world.patch(govPda.config, 8 + 32 + 16, 2n ** 64n - 1n);
    world.refused('ArithmeticOverflow', [world.createProposal(last)], [proposer]);
  });

  it('refuses text that cannot be read', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.plannedProposal(proposer);
    const refused = (args: { title?: number[]; uri?: number[] }) =>
      world.refused('TextInvalid', [world.createProposal(proposal, args)], [proposer]);
    refused({ title: padded('', 64) });
    refused({ title: [0xff, ...padded('x', 63)] });
    refused({ title: [...padded('a', 2), ...padded('b', 62)] });
    refused({ uri: [0xc3, ...padded('', 127)] });
    refused({ uri: [...padded('a', 2), ...padded('b', 126)] });
    const full = { title: padded('é'.repeat(32), 64), uri: padded('x'.repeat(128), 128) };
    world.must([world.createProposal(proposal, full)], [proposer]);
    const next = world.plannedProposal(proposer);
    world.must([world.createProposal(next, { uri: padded('', 128) })], [proposer]);
  });

  it('is not stopped by lamports at the address', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const proposal = world.plannedProposal(proposer);
    world.fund(proposal.address);
    world.must([world.createProposal(proposal)], [proposer]);
  });

  it('waits while governance is paused', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.refused('Paused', [world.createProposal(world.plannedProposal(proposer))], [proposer]);
    world.setClock(world.now() + SETTINGS.pause_seconds - 1);
    world.refused('Paused', [world.createProposal(world.plannedProposal(proposer))], [proposer]);
    world.setClock(world.now() + 1);
    world.draft(proposer);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder(10_000n * GOV);
    refusesWrongAccounts(
      world,
      'governance',
      'create_proposal',
      [world.createProposal(world.plannedProposal(proposer))],
      [proposer],
      {
        payer: {
          other: 'accepted',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        proposer: { other: 'WrongVoter', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
        voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
        proposal: { other: 'WrongProposal', readonly: 'ConstraintMut' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
