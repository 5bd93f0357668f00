import { createTransferInstruction } from '@solana/spl-token';
import { type AccountMeta, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import {
  GOV,
  GOVERNANCE,
  GovernanceWorld,
  govPda,
  SETTINGS,
  Status,
  type TestProposal,
} from './governance.js';
import { REGISTRY, refusesWrongAccounts, SystemProgram } from './support.js';

/** A world whose governance address has lamports to give away, and receivers for them. */
function paying(count: number, settings: Partial<typeof SETTINGS> = {}) {
  const world = new GovernanceWorld({ settings });
  world.fund(govPda.signer);
  const proposer = world.holder();
  const receivers = Array.from({ length: count }, () => world.key().publicKey);
  const payments = receivers.map((receiver, index) => world.payOne(receiver, 1_000_000 + index));
  return { world, proposer, receivers, payments };
}

describe("governance's execute_instruction", () => {
  it('runs what was voted on, each once, in order', () => {
    const { world, proposer, receivers, payments } = paying(3);
    const proposal = world.passed(proposer, payments);
    world.refused('WrongInstruction', [world.execute(proposal, 1)]);
    receivers.forEach((receiver, index) => {
      const result = world.must([world.execute(proposal, index)]);
      expect(world.lamports(receiver)).toBe(1_000_000n + BigInt(index));
      const done = index === 2;
      expect(world.event(result, 'InstructionExecuted')).toEqual({
        proposal: proposal.address.toBase58(),
        id: 1n,
        index,
        program_id: SystemProgram.programId.toBase58(),
        done,
        timestamp: BigInt(world.now()),
      });
      expect(world.proposalState(proposal)).toMatchObject({
        executed: index + 1,
        status: done ? Status.executed : Status.queued,
      });
      world.refused(done ? 'NotQueued' : 'WrongInstruction', [world.execute(proposal, index)]);
    });
  });

  it('runs several in one transaction, and none of them when one fails', () => {
    const { world, proposer, receivers, payments } = paying(2);
    const [first, second] = payments as [TransactionInstruction, TransactionInstruction];
    const tooMuch = world.payOne(receivers[1] as PublicKey, 10 ** 12);
    const failing = world.passed(proposer, [first, tooMuch]);
    world.refused('Custom(1)', [world.execute(failing, 0), world.execute(failing, 1)]);
    expect(world.lamports(receivers[0] as PublicKey)).toBe(0n);
    const working = world.passed(proposer, [first, second]);
    world.must([world.execute(working, 0), world.execute(working, 1)]);
    expect(world.proposalState(working)?.status).toBe(Status.executed);
  });

  it('leaves what failed, and what comes after it, to be tried again', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const receiver = world.key().publicKey;
    const proposal = world.passed(proposer, [
      world.setGovGuardian(receiver),
      world.payOne(receiver, 1_000_000),
    ]);
    world.must([world.execute(proposal, 0)]);
    // The governance address has nothing to pay with yet.
    world.refused('Custom(1)', [world.execute(proposal, 1)]);
    expect(world.proposalState(proposal)).toMatchObject({ executed: 1, status: Status.queued });
    world.fund(govPda.signer);
    world.must([world.execute(proposal, 1)]);
    expect(world.lamports(receiver)).toBe(1_000_000n);
  });

  it('waits for the timelock and ends with the window, to the second', () => {
    const { world, proposer, payments } = paying(2);
    const proposal = world.voting(proposer, payments);
    world.votes(proposer, proposal);
    world.refused('NotQueued', [world.execute(proposal, 0)]);
    world.decided(proposal);
    const { executableAt, expiresAt } = world.proposalState(proposal) ?? { executableAt: 0, expiresAt: 0 };
    expect(executableAt - world.now()).toBe(SETTINGS.timelock_seconds);
    world.refused('Timelocked', [world.execute(proposal, 0)]);
    world.setClock(executableAt - 1);
    world.refused('Timelocked', [world.execute(proposal, 0)]);
    world.setClock(expiresAt - 1);
    world.must([world.execute(proposal, 0)]);
    world.setClock(expiresAt);
    world.refused('Expired', [world.execute(proposal, 1)]);
  });

  it('runs nothing of a draft, nor of what was defeated, cancelled or closed', () => {
    const { world, proposer, payments } = paying(1);
    const draft = world.draft(proposer, payments);
    world.refused('NotQueued', [world.execute(draft, 0)]);
    const cancelled = world.voting(proposer, payments);
    world.votes(proposer, cancelled);
    world.must([world.cancelProposal(cancelled)], [proposer]);
    const defeated = world.voting(proposer, payments);
    world.decided(defeated, Status.defeated);
    world.setClock(world.proposalState(defeated)?.executableAt ?? 0);
    for (const proposal of [cancelled, defeated]) world.refused('NotQueued', [world.execute(proposal, 0)]);
    world.must([world.closeProposal(defeated)]);
    // Its instructions are gone with it.
    world.refused('UninitializedAccount', [world.execute(defeated, 0)]);
    world.refused('ProposalClosed', [
      world.execute(defeated, 0, { instruction: govPda.instruction(draft.address, 0) }),
    ]);
  });

  it('runs nothing but the stored instruction', () => {
    const { world, proposer, receivers, payments } = paying(1);
    const proposal = world.passed(proposer, payments);
    const other = world.passed(proposer, [world.payOne(world.key().publicKey, 5)]);
    const thief = world.key().publicKey;
    const named = world.executionAccounts(payments[0] as TransactionInstruction);
    const [from, to] = named as [AccountMeta, AccountMeta];
    const refused = (error: string, accounts: Record<string, PublicKey>, remaining = named) =>
      world.refused(error, [world.execute(proposal, 0, accounts, remaining)]);
    refused('WrongAccounts', {}, [from, { ...to, pubkey: thief }]);
    refused('WrongAccounts', {}, [to, from]);
    refused('WrongAccounts', {}, [from]);
    refused('WrongAccounts', {}, [from, to, to]);
    refused('WrongAccounts', {}, []);
    refused('WrongAccounts', {}, [from, { ...to, isWritable: false }]);
    refused('WrongProgram', { target_program: REGISTRY });
    refused('WrongInstruction', { instruction: govPda.instruction(other.address, 0) });
    refused('WrongInstruction', { proposal: other.address });
    world.must([world.execute(proposal, 0)]);
    expect(world.lamports(receivers[0] as PublicKey)).toBe(1_000_000n);
  });

  it('signs for nobody who calls the same program with the same accounts', () => {
    const { world, payments } = paying(1);
    const [payment] = payments as [TransactionInstruction];
    const unsigned = new TransactionInstruction({ ...payment, keys: world.executionAccounts(payment) });
    world.refused('MissingRequiredSignature', [unsigned]);
  });

  it('signs as the governance address alone: never for the vault', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    world.createGovAccount(govPda.signer);
    world.giveGov(govPda.signer, 5n * GOV);
    // GOV of the governance address itself is a treasury that proposals dispose of.
    const target = world.createGovAccount(world.key().publicKey);
    const gift = createTransferInstruction(world.govAccount(govPda.signer), target, govPda.signer, 2n * GOV);
    const vault = world.balance(govPda.vault);
    world.enact(proposer, gift);
    expect(world.gov(govPda.signer)).toBe(3n * GOV);
    expect(world.balance(govPda.vault)).toBe(vault);
    // An instruction that names the vault cannot even be stored; had one been, the token program would refuse it.
    const proposal = world.voting(proposer, [gift]);
    world.votes(proposer, proposal);
    world.decided(proposal);
    const address = govPda.instruction(proposal.address, 0);
    const data = world.dataOf(address);
    data.set(govPda.vault.toBytes(), 8 + 32 + 2 + 32 + 4);
    world.setAccount(address, GOVERNANCE, data);
    world.setClock(world.proposalState(proposal)?.executableAt ?? 0);
    const keys = world
      .executionAccounts(gift)
      .map((key, i) => (i === 0 ? { ...key, pubkey: govPda.vault } : key));
    world.refused('Custom(4)', [world.execute(proposal, 0, {}, keys)]);
  });

  it('passes on no more than was stored: a readonly account stays readonly', () => {
    const { world, proposer } = paying(0);
    const receiver = world.key().publicKey;
    const payment = world.payOne(receiver, 1_000_000);
    const readonly = new TransactionInstruction({
      ...payment,
      keys: payment.keys.map((key, i) => (i === 1 ? { ...key, isWritable: false } : key)),
    });
    const proposal = world.passed(proposer, [readonly]);
    const writable = world.executionAccounts(payment);
    const result = world.send([world.execute(proposal, 0, {}, writable)]);
    expect(result.ok).toBe(false);
    expect(world.lamports(receiver)).toBe(0n);
  });

  it('can name an account twice, and accounts that the execution itself names', () => {
    const { world, proposer } = paying(0);
    const twice = world.payOne(govPda.signer, 1);
    const settings = world.setGovSettings({ voting_seconds: 120 });
    world.enact(proposer, twice, settings);
    expect(world.govConfig().settings.voting_seconds).toBe(120);
  });

  it('stops while governance is paused', () => {
    const { world, proposer, payments } = paying(1);
    const proposal = world.passed(proposer, payments);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.refused('Paused', [world.execute(proposal, 0)]);
    world.setClock(world.now() + SETTINGS.pause_seconds);
    world.must([world.execute(proposal, 0)]);
  });

  it('comes from another program as well as from a transaction, and not from within itself', () => {
    const { world, proposer, payments } = paying(1);
    const inner = world.passed(proposer, payments);
    const nested = world.draft(proposer, []);
    // A proposal that executes another one is refused when it is written down.
    const call = world.execute(inner, 0);
    world.refused('SelfCallForbidden', [world.addInstruction(nested, 0, call)], [proposer]);
  });

  it('refuses wrong accounts', () => {
    const { world, proposer, payments } = paying(1);
    const proposal: TestProposal = world.passed(proposer, payments);
    refusesWrongAccounts(world, 'governance', 'execute_instruction', [world.execute(proposal, 0)], [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      proposal: { other: 'ProposalClosed', copy: 'ProposalClosed', readonly: 'ConstraintMut' },
      instruction: { other: 'IllegalOwner', copy: 'IllegalOwner' },
      target_program: { other: 'WrongProgram' },
    });
  });
});
