import { createHash } from 'node:crypto';
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferInstruction,
} from '@solana/spl-token';
import { Keypair, PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeConfig } from './accounts.js';
import {
  governanceAddress,
  governanceConfigAddress,
  govMintAddress,
  govTokenAccount,
  govVaultAddress,
  proposalAddress,
  proposalInstructionAddress,
  registryConfigAddress,
  voteAddress,
  voterAddress,
} from './addresses.js';
import { decodeEvents } from './events.js';
import {
  decodeGovernanceConfig,
  decodeProposal,
  decodeProposalInstruction,
  decodeVote,
  decodeVoter,
  executionAccounts,
  instructionOf,
  MAX_PROPOSAL_ACCOUNTS,
  MAX_PROPOSAL_DATA,
  ProposalStatus,
  proposalCall,
  proposalCarries,
  proposalHash,
  proposalPasses,
  proposalPhase,
  VoteChoice,
} from './governance.js';
import { governanceIdl } from './idl/governance.js';
import * as build from './instructions.js';
import { type Executed, Svm } from './testing/svm.js';

/* Every builder of governance against the compiled program, run by the SVM itself. */

const START = 1_700_000_000;
const GOV = 1_000_000_000n;
const SUPPLY = 1_000_000n * GOV;
const settings = {
  proposalDeposit: 1_000n * GOV,
  votingSeconds: 3_600,
  timelockSeconds: 600,
  executionSeconds: 7_200,
  pauseSeconds: 1_800,
  quorumBps: 400,
  thresholdBps: 5_000,
};

let admin: Keypair;
let owner: Keypair;
let voter: Keypair;
let guardian: Keypair;
let svm: Svm;

function run(instructions: TransactionInstruction[], ...signers: [Keypair, ...Keypair[]]): Executed {
  const executed = svm.execute(instructions, signers);
  expect(executed.refused, executed.logs.join('\n')).toBeUndefined();
  return executed;
}

const events = (executed: Executed) => decodeEvents(executed.logs).events;
const config = () => decodeGovernanceConfig(svm.data(governanceConfigAddress()));
const proposal = (id: bigint) => decodeProposal(svm.data(proposalAddress(id)));
const described = (proposer: Keypair, id: bigint) => ({
  payer: proposer.publicKey,
  proposer: proposer.publicKey,
  id,
  title: 'ลดค่าธรรมเนียม',
  uri: 'https://example.org/1',
  descriptionHash: Uint8Array.from(createHash('sha256').update('why').digest()),
});

/** The registry in governance's hands as far as its admin goes: proposed, not yet accepted. */
const acceptRegistry = () => proposalCall(build.acceptAdmin({ newAdmin: governanceAddress() }));

/** Votes for a proposal and brings it to where it can be executed. */
function pass(id: bigint, wallet: Keypair): void {
  run(
    [build.castVote({ payer: wallet.publicKey, wallet: wallet.publicKey, id, choice: VoteChoice.Yes })],
    wallet,
  );
  svm.setTime(Number(proposal(id).votingEndsAt));
  run([build.finalizeProposal({ proposal: proposal(id) })], admin);
  svm.setTime(Number(proposal(id).executableAt));
}

beforeEach(() => {
  [admin, owner, voter, guardian] = [0, 1, 2, 3].map(() => Keypair.generate()) as [
    Keypair,
    Keypair,
    Keypair,
    Keypair,
  ];
  svm = new Svm(admin.publicKey, START);
  svm.fund(admin.publicKey, owner.publicKey, voter.publicKey, guardian.publicKey);
  const executed = run(
    [
      build.initializeGovernance({
        authority: admin.publicKey,
        owner: owner.publicKey,
        guardian: guardian.publicKey,
        supply: SUPPLY,
        settings,
      }),
    ],
    admin,
  );
  expect(events(executed)).toMatchObject([
    { name: 'GovernanceChanged', data: { guardian: guardian.publicKey, supply: SUPPLY, settings } },
  ]);
  run(
    [
      createAssociatedTokenAccountIdempotentInstruction(
        owner.publicKey,
        govTokenAccount(voter.publicKey),
        voter.publicKey,
        govMintAddress(),
      ),
      createTransferInstruction(
        govTokenAccount(owner.publicKey),
        govTokenAccount(voter.publicKey),
        owner.publicKey,
        100_000n * GOV,
      ),
    ],
    owner,
  );
  run([build.depositGov({ payer: voter.publicKey, wallet: voter.publicKey, amount: 100_000n * GOV })], voter);
});

describe('deposits', () => {
  it('are made, held by votes, freed and withdrawn', () => {
    expect(config()).toMatchObject({ ...settings, supply: SUPPLY, deposited: 100_000n * GOV });
    expect(svm.tokens(govVaultAddress())).toBe(100_000n * GOV);
    const id = 1n;
    const call = proposalCall(build.setGovernanceGuardian({ guardian: voter.publicKey }));
    run(build.proposeInstructions({ ...described(voter, id), calls: [call] }), voter);
    const cast = { payer: voter.publicKey, wallet: voter.publicKey, id };
    const voted = run([build.castVote({ ...cast, choice: VoteChoice.No })], voter);
    expect(events(voted)).toMatchObject([{ name: 'VoteCast', data: { weight: 100_000n * GOV, choice: 0 } }]);
    run([build.castVote({ ...cast, choice: VoteChoice.Abstain })], voter);
    expect(decodeVote(svm.data(voteAddress(proposalAddress(id), voter.publicKey)))).toMatchObject({
      wallet: voter.publicKey,
      choice: VoteChoice.Abstain,
      weight: 100_000n * GOV,
    });
    expect(decodeVoter(svm.data(voterAddress(voter.publicKey)))).toMatchObject({ locks: 2 });
    run([build.cancelProposal({ proposer: voter.publicKey, id })], voter);
    const { rentPayer } = proposal(id);
    const freed = run(
      [
        build.closeVote({ wallet: voter.publicKey, id, rentPayer: voter.publicKey }),
        build.closeProposal({ proposal: proposal(id) }),
        build.withdrawGov({ wallet: voter.publicKey, amount: 100_000n * GOV }),
        build.closeVoter({ wallet: voter.publicKey, rentPayer }),
      ],
      voter,
    );
    expect(events(freed).map(({ name }) => name)).toEqual([
      'VoteClosed',
      'ProposalRemoved',
      'GovWithdrawn',
      'VoterClosed',
    ]);
    expect(svm.tokens(govTokenAccount(voter.publicKey))).toBe(100_000n * GOV);
  });
});

describe('proposals', () => {
  it('carry what any builder makes, and run it', () => {
    run(
      [
        build.initializeRegistry({
          authority: admin.publicKey,
          network: new Uint8Array(32),
          policy: build.Policy.IntervalSurplus,
          registrar: admin.publicKey,
          guardian: guardian.publicKey,
          maxRatedWatts: 50_000,
        }),
        build.proposeAdmin({ admin: admin.publicKey, newAdmin: governanceAddress() }),
      ],
      admin,
    );
    const id = config().proposals + 1n;
    const changed = { ...settings, quorumBps: 500 };
    const calls = [acceptRegistry(), proposalCall(build.setGovernanceSettings({ settings: changed }))];
    const made = run(build.proposeInstructions({ ...described(voter, id), calls }), voter);
    expect(events(made)).toMatchObject([
      { name: 'ProposalCreated', data: { id, title: 'ลดค่าธรรมเนียม', uri: 'https://example.org/1' } },
      { name: 'InstructionAdded', data: { index: 0 } },
      { name: 'InstructionAdded', data: { index: 1, instructionsHash: proposalHash(calls) } },
      { name: 'ProposalActivated', data: { instructions: 2, quorum: (SUPPLY * 4n) / 100n } },
    ]);
    expect(proposal(id)).toMatchObject({
      title: 'ลดค่าธรรมเนียม',
      proposer: voter.publicKey,
      instructionsHash: proposalHash(calls),
      status: ProposalStatus.Voting,
    });
    // What those who vote see is what was meant.
    const stored = calls.map((_, index) =>
      decodeProposalInstruction(svm.data(proposalInstructionAddress(proposalAddress(id), index))),
    );
    expect(stored).toMatchObject(calls);
    expect(proposalCarries(proposal(id), stored)).toBe(true);
    expect(proposalCarries(proposal(id), stored.slice(0, 1))).toBe(false);
    expect(proposalCarries(proposal(id), [...stored].reverse())).toBe(false);
    expect(proposalPhase(proposal(id), BigInt(START))).toBe('voting');
    pass(id, voter);
    expect(proposalPhase(proposal(id), proposal(id).executableAt)).toBe('executable');
    expect(proposalPasses(proposal(id))).toBe(true);
    calls.forEach((call, index) => {
      const executed = run([build.executeInstruction({ id, index, call })], admin);
      expect(events(executed).at(-1)).toMatchObject({
        name: 'InstructionExecuted',
        data: { id, index, programId: call.programId, done: index === 1 },
      });
    });
    expect(decodeConfig(svm.data(registryConfigAddress())).admin).toEqual(governanceAddress());
    expect(config()).toMatchObject(changed);
    expect(proposalPhase(proposal(id), 0n)).toBe('executed');
  });

  it('are paused by the guardian', () => {
    const paused = run([build.pauseGovernance({ guardian: guardian.publicKey })], guardian);
    expect(events(paused)).toMatchObject([
      { name: 'GovernancePaused', data: { pausedUntil: BigInt(START + 1_800) } },
    ]);
    const draft = svm.execute([build.createProposal(described(voter, 1n))], [voter]);
    expect(draft.refused).toBe('Paused');
  });
});

describe('what a proposal carries', () => {
  const programId = Keypair.generate().publicKey;
  const key = (pubkey: PublicKey, isSigner = false, isWritable = false) => ({ pubkey, isSigner, isWritable });
  const of = (keys: ReturnType<typeof key>[], bytes = 0) =>
    new TransactionInstruction({ programId, keys, data: Buffer.alloc(bytes, 1) });

  it('is an instruction whose only signer is the governance address', () => {
    const other = Keypair.generate().publicKey;
    const instruction = of([key(governanceAddress(), true, true), key(other, false, true), key(other)], 3);
    const call = proposalCall(instruction);
    expect(call.accounts.map(({ flags }) => flags)).toEqual([3, 2, 0]);
    expect(instructionOf(call)).toEqual(instruction);
    expect(executionAccounts(call).map(({ isSigner, isWritable }) => [isSigner, isWritable])).toEqual([
      [false, true],
      [false, true],
      [false, false],
    ]);
    expect(() => proposalCall(of([key(other, true)]))).toThrow(/only the governance address/);
    expect(() => proposalCall(of([key(govVaultAddress())]))).toThrow(/vault/);
  });

  it('has its limits', () => {
    const many = (count: number) => of(Array.from({ length: count }, () => key(SystemProgram.programId)));
    expect(proposalCall(many(MAX_PROPOSAL_ACCOUNTS)).accounts).toHaveLength(MAX_PROPOSAL_ACCOUNTS);
    expect(() => proposalCall(many(MAX_PROPOSAL_ACCOUNTS + 1))).toThrow(/accounts/);
    expect(proposalCall(of([], MAX_PROPOSAL_DATA)).data).toHaveLength(MAX_PROPOSAL_DATA);
    expect(() => proposalCall(of([], MAX_PROPOSAL_DATA + 1))).toThrow(/bytes/);
  });
});

describe('results and phases', () => {
  const tally = (yes: bigint, no: bigint, abstain = 0n) => ({
    yes,
    no,
    abstain,
    quorum: 10n,
    thresholdBps: 5_000,
  });

  it('pass with quorum and more than the threshold', () => {
    expect(proposalPasses(tally(6n, 5n))).toBe(true);
    expect(proposalPasses(tally(5n, 5n))).toBe(false);
    expect(proposalPasses(tally(6n, 3n))).toBe(false);
    expect(proposalPasses(tally(6n, 3n, 1n))).toBe(true);
  });

  it('follow status and time', () => {
    run([build.createProposal(described(voter, 1n))], voter);
    const base = { ...proposal(1n), votingEndsAt: 10n, executableAt: 20n, expiresAt: 30n };
    const at = (status: number, now: bigint) => proposalPhase({ ...base, status }, now);
    expect(at(ProposalStatus.Draft, 0n)).toBe('draft');
    expect([at(ProposalStatus.Voting, 9n), at(ProposalStatus.Voting, 10n)]).toEqual(['voting', 'undecided']);
    expect([19n, 20n, 29n, 30n].map((now) => at(ProposalStatus.Queued, now))).toEqual([
      'timelocked',
      'executable',
      'executable',
      'expired',
    ]);
    expect(at(ProposalStatus.Defeated, 0n)).toBe('defeated');
    expect(at(ProposalStatus.Cancelled, 0n)).toBe('cancelled');
    expect(() => at(9, 0n)).toThrow(/status/);
  });

  it('have a builder for each instruction', () => {
    expect(governanceIdl.instructions).toHaveLength(16);
    expect(PublicKey.isOnCurve(governanceAddress().toBytes())).toBe(false);
  });
});
