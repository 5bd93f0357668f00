import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { ABSTAIN, GOV, GovernanceWorld, govPda, NO, SETTINGS, Status, SUPPLY, YES } from './governance.js';
import { refusesWrongAccounts } from './support.js';

const VOTE_BYTES = 8 + 120;

describe("governance's vote", () => {
  it('counts the whole deposit and makes a record, at the cost of whoever pays', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(70n * GOV);
    const sponsor = world.key();
    world.fund(sponsor.publicKey);
    const before = world.lamports(sponsor.publicKey);
    const result = world.must(
      [world.castVote(wallet.publicKey, proposal, YES, { payer: sponsor.publicKey })],
      [wallet, sponsor],
    );
    expect(before - world.lamports(sponsor.publicKey)).toBe(world.rent(VOTE_BYTES));
    expect(world.voteState(proposal, wallet.publicKey)).toMatchObject({
      weight: 70n * GOV,
      choice: YES,
      raw: { proposal: proposal.address, wallet: wallet.publicKey, rent_payer: sponsor.publicKey },
    });
    expect(world.voter(wallet.publicKey)?.locks).toBe(1);
    expect(world.event(result, 'VoteCast')).toEqual({
      proposal: proposal.address.toBase58(),
      wallet: wallet.publicKey.toBase58(),
      weight: 70n * GOV,
      previous_weight: 0n,
      yes: 70n * GOV,
      no: 0n,
      abstain: 0n,
      timestamp: BigInt(world.now()),
      choice: YES,
      previous_choice: 0,
    });
  });

  it('adds up what wallets say', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const weights = [1n, 2n, 4n, 8n, 16n, 32n];
    weights.forEach((weight, index) => {
      world.votes(world.holder(weight), proposal, index % 3);
    });
    expect(world.proposalState(proposal)).toMatchObject({ no: 1n + 8n, yes: 2n + 16n, abstain: 4n + 32n });
  });

  it('can be changed: the last one counts, with the deposit of then', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(100n, 60n);
    world.votes(wallet, proposal, YES);
    const lamports = world.lamports(world.payer.publicKey);
    const changed = world.must([world.castVote(wallet.publicKey, proposal, NO)], [wallet]);
    // No rent is paid twice; what is spent are fees.
    expect(lamports - world.lamports(world.payer.publicKey)).toBeLessThan(world.rent(0));
    expect(world.event(changed, 'VoteCast')).toMatchObject({
      weight: 60n,
      previous_weight: 60n,
      previous_choice: YES,
      choice: NO,
      yes: 0n,
      no: 60n,
    });
    world.must([world.depositGov(wallet.publicKey, 40n)], [wallet]);
    expect(world.proposalState(proposal)).toMatchObject({ yes: 0n, no: 60n });
    world.votes(wallet, proposal, ABSTAIN);
    expect(world.proposalState(proposal)).toMatchObject({ yes: 0n, no: 0n, abstain: 100n });
    world.votes(wallet, proposal, ABSTAIN);
    expect(world.proposalState(proposal)).toMatchObject({ abstain: 100n });
    expect(world.voter(wallet.publicKey)?.locks).toBe(1);
  });

  it('weighs in several proposals at once, and is freed from each alone', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const wallet = world.holder(9n);
    const proposals = [world.voting(proposer), world.voting(proposer)] as const;
    for (const proposal of proposals) world.votes(wallet, proposal);
    expect(world.voter(wallet.publicKey)?.locks).toBe(2);
    world.must([world.cancelProposal(proposals[0])], [proposer]);
    world.must([world.closeVote(wallet.publicKey, proposals[0])]);
    world.refused('DepositLocked', [world.withdrawGov(wallet.publicKey, 9n)], [wallet]);
    expect(world.proposalState(proposals[1])?.yes).toBe(9n);
  });

  it('ends on the second', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const [early, late] = [world.holder(5n), world.holder(7n)];
    world.setClock(world.now() + SETTINGS.voting_seconds - 1);
    world.votes(early, proposal);
    world.setClock(world.now() + 1);
    world.refused('VotingEnded', [world.castVote(late.publicKey, proposal, YES)], [late]);
    // Nor can one be changed.
    world.refused('VotingEnded', [world.castVote(early.publicKey, proposal, NO)], [early]);
    world.decided(proposal, Status.defeated);
    world.refused('NotVoting', [world.castVote(late.publicKey, proposal, YES)], [late]);
  });

  it('is for proposals that are voted on, and for three choices', () => {
    const world = new GovernanceWorld();
    const [proposer, wallet] = [world.holder(), world.holder(5n)];
    const draft = world.draft(proposer);
    world.refused('NotVoting', [world.castVote(wallet.publicKey, draft, YES)], [wallet]);
    world.must([world.activateProposal(draft)], [proposer]);
    for (const choice of [3, 255])
      world.refused('ChoiceInvalid', [world.castVote(wallet.publicKey, draft, choice)], [wallet]);
    world.must([world.cancelProposal(draft)], [proposer]);
    world.refused('NotVoting', [world.castVote(wallet.publicKey, draft, YES)], [wallet]);
    world.must([world.closeProposal(draft)]);
    world.refused('ProposalClosed', [world.castVote(wallet.publicKey, draft, YES)], [wallet]);
  });

  it('needs a deposit of the wallet itself', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const [rich, poor] = [world.holder(5n), world.holder(5n, 0n)];
    world.refused('NotDeposited', [world.castVote(poor.publicKey, proposal, YES)], [poor]);
    const voter = govPda.voter(rich.publicKey);
    world.refused('WrongVoter', [world.castVote(poor.publicKey, proposal, YES, { voter })], [poor]);
    world.must([world.depositGov(poor.publicKey, 5n), world.withdrawGov(poor.publicKey, 5n)], [poor]);
    world.refused('NotDeposited', [world.castVote(poor.publicKey, proposal, YES)], [poor]);
  });

  it("takes no other wallet's record, nor one of another proposal", () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const [proposal, other] = [world.voting(proposer), world.voting(proposer)];
    const [wallet, victim] = [world.holder(5n), world.holder(9n)];
    world.votes(victim, proposal, NO);
    world.votes(wallet, other, YES);
    for (const vote of [
      govPda.vote(proposal.address, victim.publicKey),
      govPda.vote(other.address, wallet.publicKey),
      govPda.vote(other.address, proposer.publicKey),
      govPda.voter(victim.publicKey),
      Keypair.generate().publicKey,
    ])
      world.refused('WrongVote', [world.castVote(wallet.publicKey, proposal, YES, { vote })], [wallet]);
    expect(world.proposalState(proposal)).toMatchObject({ yes: 0n, no: 9n });
  });

  it('cannot be counted twice by closing the record', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(5n);
    world.votes(wallet, proposal);
    world.refused('VotingOpen', [world.closeVote(wallet.publicKey, proposal)]);
    // Nor by giving the tokens to another wallet: they are held.
    world.refused('DepositLocked', [world.withdrawGov(wallet.publicKey, 5n)], [wallet]);
  });

  it('counts all GOV there is', () => {
    const world = new GovernanceWorld();
    world.must([world.depositGov(world.govOwner.publicKey, SUPPLY)], [world.govOwner]);
    const proposal = world.voting(world.govOwner);
    world.votes(world.govOwner, proposal);
    expect(world.proposalState(proposal)?.yes).toBe(SUPPLY);
  });

  it('is not stopped by a pause, nor by lamports at the address of the record', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(5n);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.fund(govPda.vote(proposal.address, wallet.publicKey));
    world.votes(wallet, proposal);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    const proposal = world.voting(world.holder());
    const wallet = world.holder(5n);
    const expected = {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      wallet: { other: 'WrongVoter', unsigned: 'MissingRequiredSignature' },
      voter: { other: 'NotDeposited', copy: 'NotDeposited', readonly: 'ConstraintMut' },
      proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
      vote: { other: 'WrongVote', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    };
    const cast = world.castVote(wallet.publicKey, proposal, YES);
    refusesWrongAccounts(world, 'governance', 'vote', [cast], [wallet], expected);
    // Also where there is a record already.
    world.must([cast], [wallet]);
    refusesWrongAccounts(world, 'governance', 'vote', [cast], [wallet], {
      ...expected,
      vote: { ...expected.vote, copy: 'WrongVote' },
    });
  });
});
