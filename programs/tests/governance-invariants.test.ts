/*
 * Random sequences of governance's instructions by several users, right and wrong ones, against a model that says of each
 * what comes of it. A failure prints its seed; GTX_TEST_SEED repeats it, GTX_FUZZ_STEPS makes the sequences longer.
 */
import { createTransferInstruction } from '@solana/spl-token';
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GovernanceWorld, govPda, SETTINGS, Status, type TestProposal } from './governance.js';
import { untilMet } from './histories.js';

const USERS = 4;
const SUPPLY = 10_000n;
/** Short times and a small quorum, so that every state comes about. */
const RULES = {
  ...SETTINGS,
  proposal_deposit: 20n,
  voting_seconds: 100,
  timelock_seconds: 30,
  execution_seconds: 120,
  pause_seconds: 60,
  quorum_bps: 100,
  threshold_bps: 5_000,
};
const CYCLE = RULES.voting_seconds + RULES.timelock_seconds + RULES.execution_seconds;

type Step =
  | { kind: 'deposit' | 'withdraw'; user: number; amount: number }
  | { kind: 'propose'; user: number; instructions: number }
  | { kind: 'vote'; user: number; proposal: number; choice: number }
  /** Changes the vote of somebody who has voted. */
  | { kind: 'revote'; user: number; choice: number }
  | { kind: 'cancel' | 'closeVote'; user: number; proposal: number }
  | { kind: 'finalize' | 'execute' | 'closeProposal'; proposal: number }
  | { kind: 'closeVoter' | 'gift'; user: number }
  | { kind: 'pause' }
  | { kind: 'wait'; seconds: number }
  /** Whatever brings a proposal on: a vote, the end of voting, the result, the end of the timelock, an execution. */
  | { kind: 'advance'; user: number; proposal: number }
  /** To the next end: of voting, of the timelock, seldom of the window. */
  | { kind: 'reach'; proposal: number; expire: boolean };

const user = fc.nat(USERS - 1);
/** Counted from the newest. */
const proposal = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(3) });
const weighted = <T extends Step>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
const step: fc.Arbitrary<Step> = fc.oneof(
  weighted(5, fc.record({ kind: kind('deposit'), user, amount: fc.nat(400) })),
  weighted(3, fc.record({ kind: kind('withdraw'), user, amount: fc.nat(200) })),
  weighted(3, fc.record({ kind: kind('propose'), user, instructions: fc.nat(3) })),
  weighted(
    10,
    fc.record({ kind: kind('vote'), user, proposal, choice: fc.constantFrom(1, 1, 1, 1, 1, 0, 2, 3) }),
  ),
  weighted(8, fc.record({ kind: kind('revote'), user, choice: fc.constantFrom(0, 1, 1, 2) })),
  weighted(1, fc.record({ kind: kind('cancel'), user, proposal })),
  weighted(5, fc.record({ kind: kind('closeVote'), user, proposal })),
  weighted(5, fc.record({ kind: kind('finalize'), proposal })),
  weighted(7, fc.record({ kind: kind('execute'), proposal })),
  weighted(2, fc.record({ kind: kind('closeProposal'), proposal })),
  weighted(1, fc.record({ kind: kind('closeVoter'), user })),
  weighted(1, fc.record({ kind: kind('gift'), user })),
  weighted(1, fc.record({ kind: kind('pause') })),
  weighted(16, fc.record({ kind: kind('advance'), user, proposal })),
  weighted(2, fc.record({ kind: kind('wait'), seconds: fc.integer({ min: 1, max: 25 }) })),
  weighted(2, fc.record({ kind: kind('reach'), proposal, expire: fc.nat(9).map((n) => n === 0) })),
);

interface ModelVote {
  choice: number;
  weight: bigint;
}

interface ModelProposal {
  test: TestProposal;
  proposer: number;
  status: number;
  executed: number;
  endsAt: number;
  closed: boolean;
  /** What was said last by each; stays when the record is closed. */
  said: Map<number, ModelVote>;
  /** Whose records are open. */
  open: Set<number>;
}

class Model {
  readonly world = new GovernanceWorld({ supply: SUPPLY, settings: RULES });
  readonly users: Keypair[] = Array.from({ length: USERS }, () => this.world.holder(1_000n, 0n));
  readonly deposits = Array.from({ length: USERS }, () => 0n);
  readonly accounts = Array.from({ length: USERS }, () => false);
  readonly locks = Array.from({ length: USERS }, () => 0);
  readonly proposals: ModelProposal[] = [];
  gifts = 0n;
  pausedUntil = 0;
  pauseAllowedAt = 0;
  readonly counts = new Map<string, number>();
  /** Pays all rent and no fees: what it is short of is rent that is still out. */
  readonly sponsor: Keypair = this.world.key();
  readonly #start: bigint;
  readonly #gone = new Set<ModelProposal>();
  readonly #target = this.world.key().publicKey;

  constructor() {
    this.world.fund(this.sponsor.publicKey);
    this.world.fund(govPda.signer);
    this.#start = this.world.lamports(this.sponsor.publicKey);
    this.users.forEach((_, index) => {
      this.run({ kind: 'deposit', user: index, amount: 100 + 50 * index });
    });
  }

  wallet(index: number): Keypair {
    return this.users[index] as Keypair;
  }

  pick(index: number): ModelProposal | undefined {
    return this.proposals.at(-1 - (index % Math.max(1, this.proposals.length)));
  }

  /** Sends, expects what the model says, and tells whether it was done. */
  send(
    name: string,
    expected: string | undefined,
    instructions: TransactionInstruction[],
    signer?: Keypair,
  ): boolean {
    const result = this.world.send(instructions, signer ? [signer, this.sponsor] : []);
    expect(result.error, `${name}\n${result.logs.join('\n')}`).toBe(expected);
    const key = `${name} ${expected ?? 'done'}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    return result.ok;
  }

  run(next: Step): void {
    const { world } = this;
    const now = world.now();
    const payer = { payer: this.sponsor.publicKey };
    const back = { rent_payer: this.sponsor.publicKey };
    const paused = now < this.pausedUntil;
    if (next.kind === 'deposit') {
      const [wallet, amount] = [this.wallet(next.user), BigInt(next.amount)];
      const error =
        amount === 0n ? 'AmountZero' : world.gov(wallet.publicKey) < amount ? 'Custom(1)' : undefined;
      if (this.send('deposit', error, [world.depositGov(wallet.publicKey, amount, payer)], wallet)) {
        this.deposits[next.user] = (this.deposits[next.user] ?? 0n) + amount;
        this.accounts[next.user] = true;
      }
    } else if (next.kind === 'withdraw') {
      const [wallet, amount] = [this.wallet(next.user), BigInt(next.amount)];
      const deposited = this.deposits[next.user] ?? 0n;
      let error: string | undefined;
      if (amount === 0n) error = 'AmountZero';
      else if (!this.accounts[next.user]) error = 'NotDeposited';
      else if ((this.locks[next.user] ?? 0) > 0) error = 'DepositLocked';
      else if (amount > deposited) error = 'DepositTooSmall';
      if (this.send('withdraw', error, [world.withdrawGov(wallet.publicKey, amount)], wallet))
        this.deposits[next.user] = deposited - amount;
    } else if (next.kind === 'propose') {
      const wallet = this.wallet(next.user);
      const calls = Array.from({ length: next.instructions }, () => world.payOne(this.#target, 1_000_000));
      const test = world.plannedProposal(wallet, calls, this.sponsor);
      let error: string | undefined;
      if (paused) error = 'Paused';
      else if (!this.accounts[next.user]) error = 'NotDeposited';
      else if ((this.deposits[next.user] ?? 0n) < RULES.proposal_deposit) error = 'ProposalDepositTooSmall';
      else if (next.instructions === 0) error = 'NoInstructions';
      const instructions = [
        world.createProposal(test),
        ...calls.map((call, index) => world.addInstruction(test, index, call)),
        world.activateProposal(test),
      ];
      if (this.send('propose', error, instructions, wallet)) {
        this.proposals.push({
          test,
          proposer: next.user,
          status: Status.voting,
          executed: 0,
          endsAt: now + RULES.voting_seconds,
          closed: false,
          said: new Map(),
          open: new Set(),
        });
        this.locks[next.user] = (this.locks[next.user] ?? 0) + 1;
      }
    } else if (next.kind === 'vote') {
      const [wallet, target] = [this.wallet(next.user), this.pick(next.proposal)];
      if (!target) return;
      let error: string | undefined;
      if (next.choice > 2) error = 'ChoiceInvalid';
      else if ((this.deposits[next.user] ?? 0n) === 0n) error = 'NotDeposited';
      else if (target.closed) error = 'ProposalClosed';
      else if (target.status !== Status.voting) error = 'NotVoting';
      else if (now >= target.endsAt) error = 'VotingEnded';
      if (
        this.send('vote', error, [world.castVote(wallet.publicKey, target.test, next.choice, payer)], wallet)
      ) {
        if (!target.open.has(next.user)) this.locks[next.user] = (this.locks[next.user] ?? 0) + 1;
        target.open.add(next.user);
        target.said.set(next.user, { choice: next.choice, weight: this.deposits[next.user] ?? 0n });
      }
    } else if (next.kind === 'revote') {
      const target = this.proposals.findLast((each) => each.status === Status.voting && now < each.endsAt);
      const voter = target && [...target.open].at(next.user % Math.max(1, target.open.size));
      if (target && voter !== undefined) {
        const at = this.proposals.length - 1 - this.proposals.indexOf(target);
        this.run({ kind: 'vote', user: voter, proposal: at, choice: next.choice });
        this.counts.set('revote', (this.counts.get('revote') ?? 0) + 1);
      }
    } else if (next.kind === 'cancel') {
      const target = this.pick(next.proposal);
      if (!target) return;
      const wallet = this.wallet(next.user);
      let error: string | undefined;
      if (target.closed) error = 'ProposalClosed';
      else if (next.user !== target.proposer) error = 'NotProposer';
      else if (target.status !== Status.voting) error = 'NotVoting';
      else if (now >= target.endsAt) error = 'VotingEnded';
      const forged = { ...target.test, proposer: wallet };
      if (this.send('cancel', error, [world.cancelProposal(forged)], wallet)) {
        target.status = Status.cancelled;
        this.locks[target.proposer] = (this.locks[target.proposer] ?? 0) - 1;
      }
    } else if (next.kind === 'closeVote') {
      const [wallet, target] = [this.wallet(next.user), this.pick(next.proposal)];
      if (!target) return;
      let error: string | undefined;
      if (!target.open.has(next.user)) error = 'WrongVote';
      else if (!target.closed && target.status === Status.voting && now < target.endsAt) error = 'VotingOpen';
      if (this.send('closeVote', error, [world.closeVote(wallet.publicKey, target.test, back)])) {
        target.open.delete(next.user);
        this.locks[next.user] = (this.locks[next.user] ?? 0) - 1;
      }
    } else if (next.kind === 'finalize') {
      const target = this.pick(next.proposal);
      if (!target) return;
      let error: string | undefined;
      if (target.closed) error = 'ProposalClosed';
      else if (target.status !== Status.voting) error = 'NotVoting';
      else if (now < target.endsAt) error = 'VotingOpen';
      if (this.send('finalize', error, [world.finalizeProposal(target.test)])) {
        const { yes, no, abstain } = this.tally(target);
        const passed = yes + no + abstain >= SUPPLY / 100n && yes > no;
        target.status = passed ? Status.queued : Status.defeated;
        this.locks[target.proposer] = (this.locks[target.proposer] ?? 0) - 1;
      }
    } else if (next.kind === 'execute') {
      const target = this.pick(next.proposal);
      if (!target) return;
      const { instructions } = target.test;
      const executable = target.endsAt + RULES.timelock_seconds;
      let error: string | undefined;
      if (target.closed) error = 'UninitializedAccount';
      else if (paused) error = 'Paused';
      else if (target.status !== Status.queued) error = 'NotQueued';
      else if (now < executable) error = 'Timelocked';
      else if (now >= executable + RULES.execution_seconds) error = 'Expired';
      const index = Math.min(target.executed, instructions.length - 1);
      const before = world.lamports(this.#target);
      if (this.send('execute', error, [world.execute(target.test, index)])) {
        target.executed += 1;
        if (target.executed === instructions.length) target.status = Status.executed;
        expect(world.lamports(this.#target)).toBe(before + 1_000_000n);
      } else expect(world.lamports(this.#target)).toBe(before);
    } else if (next.kind === 'closeProposal') {
      const target = this.pick(next.proposal);
      if (!target) return;
      const expired = now >= target.endsAt + RULES.timelock_seconds + RULES.execution_seconds;
      let error: string | undefined;
      if (target.closed) error = 'ProposalClosed';
      else if (target.status === Status.voting || (target.status === Status.queued && !expired))
        error = 'NotFinished';
      if (this.send('closeProposal', error, [world.closeProposal(target.test)])) target.closed = true;
    } else if (next.kind === 'closeVoter') {
      const wallet = this.wallet(next.user);
      let error: string | undefined;
      if (!this.accounts[next.user]) error = 'NotDeposited';
      else if ((this.deposits[next.user] ?? 0n) > 0n) error = 'DepositLeft';
      if (this.send('closeVoter', error, [world.closeVoter(wallet.publicKey, back)], wallet))
        this.accounts[next.user] = false;
    } else if (next.kind === 'gift') {
      const { publicKey } = this.wallet(next.user);
      if (world.gov(publicKey) === 0n) return;
      // Tokens that are sent to the vault without a deposit belong to nobody, and weigh nothing.
      const gift = createTransferInstruction(world.govAccount(publicKey), govPda.vault, publicKey, 1n);
      if (this.send('gift', undefined, [gift], this.wallet(next.user))) this.gifts += 1n;
    } else if (next.kind === 'pause') {
      const error = now < this.pauseAllowedAt ? 'PauseTooSoon' : undefined;
      if (this.send('pause', error, [world.pauseGovernance()], world.govGuardian)) {
        this.pausedUntil = now + RULES.pause_seconds;
        this.pauseAllowedAt = this.pausedUntil + CYCLE;
      }
    } else if (next.kind === 'advance') {
      const target = this.pick(next.proposal);
      if (!target || target.closed) return;
      const at = { proposal: next.proposal };
      const executable = target.endsAt + RULES.timelock_seconds;
      if (target.status === Status.voting && now >= target.endsAt) this.run({ kind: 'finalize', ...at });
      else if (target.status === Status.voting && target.said.size < 2)
        this.run({ kind: 'vote', user: next.user, choice: 1, ...at });
      else if (target.status === Status.queued && now >= executable) this.run({ kind: 'execute', ...at });
      else this.run({ kind: 'reach', expire: false, ...at });
    } else if (next.kind === 'reach') {
      const target = this.pick(next.proposal);
      if (!target) return;
      const executable = target.endsAt + RULES.timelock_seconds;
      const time = next.expire
        ? executable + RULES.execution_seconds
        : target.status === Status.queued
          ? executable
          : target.endsAt;
      if (time > now) world.setClock(time);
    } else if (next.kind === 'wait') world.setClock(now + next.seconds);
    else throw new Error(`no step ${JSON.stringify(next)}`);
  }

  tally(target: ModelProposal): { yes: bigint; no: bigint; abstain: bigint } {
    const sums = [0n, 0n, 0n];
    for (const { choice, weight } of target.said.values()) sums[choice] = (sums[choice] ?? 0n) + weight;
    return { no: sums[0] as bigint, yes: sums[1] as bigint, abstain: sums[2] as bigint };
  }

  check(): void {
    const { world } = this;
    const config = world.govConfig();
    const total = this.deposits.reduce((sum, each) => sum + each, 0n);
    expect(config.deposited).toBe(total);
    expect(world.balance(govPda.vault)).toBe(total + this.gifts);
    // No GOV comes about and none is lost.
    const held = this.users.reduce((sum, { publicKey }) => sum + world.gov(publicKey), 0n);
    expect(held + total + this.gifts + world.gov(world.govOwner.publicKey)).toBe(SUPPLY);
    let rent = 0n;
    this.users.forEach(({ publicKey }, index) => {
      const voter = world.voter(publicKey);
      expect(voter !== undefined).toBe(this.accounts[index]);
      if (!voter) return;
      expect(voter.deposited).toBe(this.deposits[index]);
      expect(voter.locks).toBe(this.locks[index]);
      rent += world.lamports(govPda.voter(publicKey));
      expect(world.lamports(govPda.voter(publicKey))).toBe(world.rent(8 + 112));
    });
    for (const each of this.proposals) {
      if (this.#gone.has(each)) continue;
      // Checked once more, then never again: nothing of it is left.
      if (each.closed && each.open.size === 0) this.#gone.add(each);
      const state = world.proposalState(each.test);
      expect(state === undefined).toBe(each.closed);
      if (state) {
        expect({ status: state.status, executed: state.executed }).toEqual({
          status: each.status,
          executed: each.executed,
        });
        const { yes, no, abstain } = this.tally(each);
        expect([state.yes, state.no, state.abstain]).toEqual([yes, no, abstain]);
        expect(yes + no + abstain).toBeLessThanOrEqual(SUPPLY);
        rent += world.lamports(each.test.address);
      }
      each.test.instructions.forEach((_, index) => {
        rent += world.lamports(govPda.instruction(each.test.address, index));
      });
      this.users.forEach(({ publicKey }, index) => {
        const vote = world.voteState(each.test, publicKey);
        expect(vote !== undefined).toBe(each.open.has(index));
        if (!vote) return;
        expect(vote).toMatchObject(each.said.get(index) as ModelVote);
        // Votes are never over deposits.
        expect(vote.weight).toBeLessThanOrEqual(this.deposits[index] as bigint);
        rent += world.lamports(govPda.vote(each.test.address, publicKey));
      });
    }
    expect(this.#start - world.lamports(this.sponsor.publicKey)).toBe(rent);
  }

  /** Everything can be ended, and then every deposit and all rent is back. */
  end(): void {
    const { world } = this;
    world.setClock(Math.max(world.now(), this.pausedUntil) + 2 * CYCLE);
    for (const each of this.proposals) {
      if (each.closed) continue;
      if (each.status === Status.voting) this.run({ kind: 'finalize', proposal: this.indexOf(each) });
      this.run({ kind: 'closeProposal', proposal: this.indexOf(each) });
      expect(each.closed).toBe(true);
    }
    for (const each of this.proposals)
      for (const index of [...each.open])
        this.run({ kind: 'closeVote', user: index, proposal: this.indexOf(each) });
    this.users.forEach((wallet, index) => {
      if (!this.accounts[index]) return;
      const left = this.deposits[index] ?? 0n;
      if (left > 0n) this.run({ kind: 'withdraw', user: index, amount: Number(left) });
      this.run({ kind: 'closeVoter', user: index });
      expect(world.account(govPda.voter(wallet.publicKey))).toBeUndefined();
    });
    this.check();
    expect(this.deposits.every((each) => each === 0n)).toBe(true);
    expect(world.lamports(this.sponsor.publicKey)).toBe(this.#start);
  }

  indexOf(each: ModelProposal): number {
    return this.proposals.length - 1 - this.proposals.indexOf(each);
  }
}

describe('random sequences of governance', () => {
  it('do what the model says', () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    const steps = Number(process.env.GTX_FUZZ_STEPS ?? 120);
    console.log(`GTX_TEST_SEED=${seed}`);
    const counts = new Map<string, number>();
    const sequences = fc.property(
      fc.array(fc.noBias(step), { minLength: steps, maxLength: steps }),
      (sequence) => {
        const model = new Model();
        for (const next of sequence) {
          model.run(next);
          model.check();
        }
        model.end();
        for (const [key, count] of model.counts) counts.set(key, (counts.get(key) ?? 0) + count);
      },
    );
    // What matters happened.
    untilMet(
      ['vote done', 'execute done', 'withdraw DepositLocked', 'closeVote done', 'propose done'],
      counts,
      seed,
      (from) => fc.assert(sequences, { seed: from, numRuns: 5, endOnFailure: true }),
    );
    if (process.env.GTX_VERBOSE) console.log(Object.fromEntries([...counts].sort()));
  }, 600_000);
});
