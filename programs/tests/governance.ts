/*
 * Governance for the program tests: the world of `oracle.ts` (and with it a market) with the governance program, a GOV mint, wallets with
 * deposits, and proposals. Again without the project's own client.
 */
import { createHash } from 'node:crypto';
import {
  ASSOCIATED_TOKEN_PROGRAM_ID,
  createAssociatedTokenAccountInstruction,
  createTransferInstruction,
  getAssociatedTokenAddressSync,
} from '@solana/spl-token';
import { type AccountMeta, type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { expect } from 'vitest';
import { type OracleOptions, OracleWorld } from './oracle.js';
import { bn, call, pda, program, SystemProgram, TOKEN_PROGRAM_ID } from './support.js';

export const GOVERNANCE = program('governance').id;
export const governanceIdl = program('governance').idl;

const find = (...seeds: Uint8Array[]): PublicKey => PublicKey.findProgramAddressSync(seeds, GOVERNANCE)[0];
const text = (seed: string) => Buffer.from(seed);
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** Program-derived addresses of governance. */
export const govPda = {
  config: find(text('config')),
  mint: find(text('mint')),
  vault: find(text('vault')),
  signer: find(text('governance')),
  voter: (wallet: PublicKey) => find(text('voter'), wallet.toBytes()),
  proposal: (id: bigint) => find(text('proposal'), u64(id)),
  instruction: (proposal: PublicKey, index: number) =>
    find(text('instruction'), proposal.toBytes(), Uint8Array.of(index)),
  vote: (proposal: PublicKey, wallet: PublicKey) => find(text('vote'), proposal.toBytes(), wallet.toBytes()),
};

export const NO = 0;
export const YES = 1;
export const ABSTAIN = 2;

/** Where a proposal is, as the program writes it. */
export const Status = { draft: 0, voting: 1, queued: 2, executed: 3, defeated: 4, cancelled: 5 } as const;

/** 1 GOV in base units. */
export const GOV = 1_000_000_000n;
export const SUPPLY = 1_000_000n * GOV;

export const SETTINGS = {
  proposal_deposit: 1_000n * GOV,
  voting_seconds: 3_600,
  timelock_seconds: 600,
  execution_seconds: 7_200,
  pause_seconds: 1_800,
  quorum_bps: 400,
  threshold_bps: 5_000,
};
export type TestSettings = typeof SETTINGS;

export const settingsArg = (settings: TestSettings) => ({
  ...settings,
  proposal_deposit: bn(settings.proposal_deposit),
});

/** Zero-padded UTF-8. */
export function padded(value: string, length: number): number[] {
  const bytes = Buffer.alloc(length);
  bytes.set(Buffer.from(value));
  return [...bytes];
}

/** A proposal as a test remembers it. */
export interface TestProposal {
  id: bigint;
  address: PublicKey;
  proposer: Keypair;
  payer: Keypair;
  instructions: TransactionInstruction[];
}

/** What a proposal's instruction is stored and hashed as, behind its header. */
function storedBytes(instruction: TransactionInstruction): Buffer {
  const count = (length: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length);
    return bytes;
  };
  return Buffer.concat([
    instruction.programId.toBytes(),
    count(instruction.keys.length),
    ...instruction.keys.map((key) =>
      Buffer.concat([key.pubkey.toBytes(), Buffer.from([(key.isSigner ? 1 : 0) + (key.isWritable ? 2 : 0)])]),
    ),
    count(instruction.data.length),
    instruction.data,
  ]);
}

export function hashOf(instructions: TransactionInstruction[]): Buffer {
  return instructions.reduce(
    (hash, instruction) =>
      createHash('sha256')
        .update(Buffer.concat([hash, storedBytes(instruction)]))
        .digest(),
    Buffer.alloc(32),
  );
}

export interface GovernanceOptions extends Omit<OracleOptions, 'settings'> {
  settings?: Partial<TestSettings>;
  supply?: bigint;
  /** Leaves governance uninitialised. */
  noGovernance?: boolean;
}

type Keys = Record<string, PublicKey>;
type ProposalPlace = Pick<TestProposal, 'address'>;

export class GovernanceWorld extends OracleWorld {
  readonly govGuardian: Keypair;
  /** Holds all GOV at the start. */
  readonly govOwner: Keypair;
  readonly settings: TestSettings;
  readonly govSupply: bigint;

  constructor(options: GovernanceOptions = {}) {
    const { settings, ...others } = options;
    super({ noMarket: true, noOracle: true, ...others });
    this.govGuardian = this.key();
    this.govOwner = this.key();
    this.settings = { ...SETTINGS, ...settings };
    this.govSupply = options.supply ?? SUPPLY;
    for (const wallet of [this.govGuardian, this.govOwner]) this.fund(wallet.publicKey);
    this.deploy(GOVERNANCE, 'governance');
    if (options.noGovernance) return;
    this.must([this.initializeGovernance()], [this.upgradeAuthority]);
  }

  // --- GOV

  govAccount(wallet: PublicKey): PublicKey {
    return getAssociatedTokenAddressSync(govPda.mint, wallet, true);
  }

  gov(wallet: PublicKey): bigint {
    return this.balance(this.govAccount(wallet));
  }

  createGovAccount(wallet: PublicKey): PublicKey {
    const account = this.govAccount(wallet);
    if (!this.account(account))
      this.must([
        createAssociatedTokenAccountInstruction(this.payer.publicKey, account, wallet, govPda.mint),
      ]);
    return account;
  }

  giveGov(wallet: PublicKey, amount: bigint): void {
    const account = this.createGovAccount(wallet);
    const { publicKey } = this.govOwner;
    this.must(
      [createTransferInstruction(this.govAccount(publicKey), account, publicKey, amount)],
      [this.govOwner],
    );
  }

  /** A funded wallet with GOV, all of it deposited unless told otherwise. */
  holder(amount = 100_000n * GOV, deposited = amount): Keypair {
    const wallet = this.key();
    this.fund(wallet.publicKey);
    this.giveGov(wallet.publicKey, amount);
    if (deposited > 0n) this.must([this.depositGov(wallet.publicKey, deposited)], [wallet]);
    return wallet;
  }

  // --- state

  govConfig() {
    const raw = this.decode('governance', 'Config', govPda.config);
    const big = (name: string) => BigInt(raw[name].toString());
    return {
      raw,
      guardian: raw.guardian as PublicKey,
      supply: big('supply'),
      deposited: big('deposited'),
      proposals: big('proposals'),
      pausedUntil: Number(big('paused_until')),
      pauseAllowedAt: Number(big('pause_allowed_at')),
      settings: {
        proposal_deposit: big('proposal_deposit'),
        voting_seconds: raw.voting_seconds,
        timelock_seconds: raw.timelock_seconds,
        execution_seconds: raw.execution_seconds,
        pause_seconds: raw.pause_seconds,
        quorum_bps: raw.quorum_bps,
        threshold_bps: raw.threshold_bps,
      } as TestSettings,
    };
  }

  /** A wallet's deposit; undefined without a voter account. */
  voter(wallet: PublicKey) {
    const key = govPda.voter(wallet);
    if (!this.account(key)?.owner.equals(GOVERNANCE)) return undefined;
    const raw = this.decode('governance', 'Voter', key);
    return {
      raw,
      deposited: BigInt(raw.deposited.toString()),
      locks: raw.locks as number,
      rentPayer: raw.rent_payer as PublicKey,
    };
  }

  /** A proposal's numbers; undefined once it is closed. */
  proposalState({ address }: ProposalPlace) {
    if (!this.account(address)?.owner.equals(GOVERNANCE)) return undefined;
    const raw = this.decode('governance', 'Proposal', address);
    const big = (name: string) => BigInt(raw[name].toString());
    return {
      raw,
      status: raw.status as number,
      executed: raw.executed as number,
      instructions: raw.instructions as number,
      yes: big('yes'),
      no: big('no'),
      abstain: big('abstain'),
      supply: big('supply'),
      quorum: big('quorum'),
      votingEndsAt: Number(big('voting_ends_at')),
      executableAt: Number(big('executable_at')),
      expiresAt: Number(big('expires_at')),
    };
  }

  voteState(proposal: ProposalPlace, wallet: PublicKey) {
    const key = govPda.vote(proposal.address, wallet);
    if (!this.account(key)?.owner.equals(GOVERNANCE)) return undefined;
    const raw = this.decode('governance', 'Vote', key);
    return { raw, weight: BigInt(raw.weight.toString()), choice: raw.choice as number };
  }

  // --- instructions

  initializeGovernance(
    args: { settings?: TestSettings; guardian?: PublicKey; supply?: bigint } = {},
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'governance',
      'initialize',
      {
        settings: settingsArg(args.settings ?? this.settings),
        guardian: args.guardian ?? this.govGuardian.publicKey,
        supply: bn(args.supply ?? this.govSupply),
      },
      {
        authority: this.upgradeAuthority.publicKey,
        config: govPda.config,
        mint: govPda.mint,
        vault: govPda.vault,
        owner: this.govOwner.publicKey,
        owner_token_account: this.govAccount(this.govOwner.publicKey),
        program_data: pda.programData(GOVERNANCE),
        token_program: TOKEN_PROGRAM_ID,
        associated_token_program: ASSOCIATED_TOKEN_PROGRAM_ID,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  depositGov(wallet: PublicKey, amount: bigint, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'deposit',
      { amount: bn(amount) },
      {
        payer: this.payer.publicKey,
        wallet,
        config: govPda.config,
        voter: govPda.voter(wallet),
        source: this.govAccount(wallet),
        vault: govPda.vault,
        token_program: TOKEN_PROGRAM_ID,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  withdrawGov(wallet: PublicKey, amount: bigint, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'withdraw',
      { amount: bn(amount) },
      {
        wallet,
        config: govPda.config,
        voter: govPda.voter(wallet),
        vault: govPda.vault,
        destination: this.govAccount(wallet),
        token_program: TOKEN_PROGRAM_ID,
        ...accounts,
      },
    );
  }

  closeVoter(wallet: PublicKey, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'close_voter',
      {},
      { wallet, voter: govPda.voter(wallet), rent_payer: this.payer.publicKey, ...accounts },
    );
  }

  createProposal(
    proposal: TestProposal,
    args: { title?: number[]; uri?: number[] } = {},
    accounts: Keys = {},
  ): TransactionInstruction {
    const proposer = proposal.proposer.publicKey;
    return call(
      'governance',
      'create_proposal',
      {
        title: args.title ?? padded('Lower the fee', 64),
        uri: args.uri ?? padded('https://example.org/proposals/1', 128),
        description_hash: [...createHash('sha256').update('Because it is too high.').digest()],
      },
      {
        payer: proposal.payer.publicKey,
        proposer,
        config: govPda.config,
        voter: govPda.voter(proposer),
        proposal: proposal.address,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  addInstruction(
    proposal: TestProposal,
    index: number,
    instruction: TransactionInstruction,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'governance',
      'add_instruction',
      {
        program_id: instruction.programId,
        accounts: instruction.keys.map((key) => ({
          address: key.pubkey,
          flags: (key.isSigner ? 1 : 0) + (key.isWritable ? 2 : 0),
        })),
        data: instruction.data,
      },
      {
        payer: proposal.payer.publicKey,
        proposer: proposal.proposer.publicKey,
        proposal: proposal.address,
        instruction: govPda.instruction(proposal.address, index),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  activateProposal(
    proposal: TestProposal,
    hash: Uint8Array = hashOf(proposal.instructions),
    accounts: Keys = {},
  ): TransactionInstruction {
    const proposer = proposal.proposer.publicKey;
    return call(
      'governance',
      'activate_proposal',
      { instructions_hash: [...hash] },
      {
        proposer,
        config: govPda.config,
        mint: govPda.mint,
        voter: govPda.voter(proposer),
        proposal: proposal.address,
        ...accounts,
      },
    );
  }

  cancelProposal(proposal: TestProposal, accounts: Keys = {}): TransactionInstruction {
    const proposer = proposal.proposer.publicKey;
    return call(
      'governance',
      'cancel_proposal',
      {},
      { proposer, voter: govPda.voter(proposer), proposal: proposal.address, ...accounts },
    );
  }

  castVote(
    wallet: PublicKey,
    proposal: ProposalPlace,
    choice: number,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'governance',
      'vote',
      { choice },
      {
        payer: this.payer.publicKey,
        wallet,
        voter: govPda.voter(wallet),
        proposal: proposal.address,
        vote: govPda.vote(proposal.address, wallet),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  closeVote(wallet: PublicKey, proposal: ProposalPlace, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'close_vote',
      {},
      {
        proposal: proposal.address,
        vote: govPda.vote(proposal.address, wallet),
        voter: govPda.voter(wallet),
        rent_payer: this.payer.publicKey,
        ...accounts,
      },
    );
  }

  finalizeProposal(proposal: TestProposal, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'finalize_proposal',
      {},
      { proposal: proposal.address, voter: govPda.voter(proposal.proposer.publicKey), ...accounts },
    );
  }

  /** The stored instruction's accounts, none of which signs the transaction. */
  executionAccounts(instruction: TransactionInstruction): AccountMeta[] {
    return instruction.keys.map((key) => ({ ...key, isSigner: false }));
  }

  execute(
    proposal: TestProposal,
    index: number,
    accounts: Keys = {},
    remaining: AccountMeta[] = this.executionAccounts(proposal.instructions[index] as TransactionInstruction),
  ): TransactionInstruction {
    return call(
      'governance',
      'execute_instruction',
      {},
      {
        config: govPda.config,
        proposal: proposal.address,
        instruction: govPda.instruction(proposal.address, index),
        target_program: (proposal.instructions[index] as TransactionInstruction).programId,
        ...accounts,
      },
      remaining,
    );
  }

  closeProposal(
    proposal: TestProposal,
    accounts: Keys = {},
    remaining: AccountMeta[] = proposal.instructions.map((_, index) => ({
      pubkey: govPda.instruction(proposal.address, index),
      isSigner: false,
      isWritable: true,
    })),
  ): TransactionInstruction {
    return call(
      'governance',
      'close_proposal',
      {},
      { proposal: proposal.address, rent_payer: proposal.payer.publicKey, ...accounts },
      remaining,
    );
  }

  pauseGovernance(
    guardian: PublicKey = this.govGuardian.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('governance', 'pause', {}, { guardian, config: govPda.config, ...accounts });
  }

  setGovGuardian(guardian: PublicKey, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'set_guardian',
      { new_guardian: guardian },
      { governance: govPda.signer, config: govPda.config, ...accounts },
    );
  }

  setGovSettings(settings: Partial<TestSettings>, accounts: Keys = {}): TransactionInstruction {
    return call(
      'governance',
      'set_settings',
      { settings: settingsArg({ ...this.settings, ...settings }) },
      { governance: govPda.signer, config: govPda.config, ...accounts },
    );
  }

  /** An instruction that does nothing but be there: 1 lamport from the governance address to a wallet. */
  payOne(to: PublicKey, lamports = 1): TransactionInstruction {
    return SystemProgram.transfer({ fromPubkey: govPda.signer, toPubkey: to, lamports });
  }

  // --- stories

  /** A proposal that has not been made: the next number. */
  plannedProposal(
    proposer: Keypair,
    instructions: TransactionInstruction[] = [this.setGovSettings({})],
    payer: Keypair = this.payer,
  ): TestProposal {
    const id = this.govConfig().proposals + 1n;
    return { id, address: govPda.proposal(id), proposer, payer, instructions };
  }

  /** A draft with its instructions. */
  draft(proposer: Keypair, instructions?: TransactionInstruction[], payer?: Keypair): TestProposal {
    const proposal = this.plannedProposal(proposer, instructions, payer);
    this.must([this.createProposal(proposal)], [proposer, proposal.payer]);
    proposal.instructions.forEach((instruction, index) => {
      this.must([this.addInstruction(proposal, index, instruction)], [proposer, proposal.payer]);
    });
    return proposal;
  }

  /** A proposal that is voted on. */
  voting(proposer: Keypair, instructions?: TransactionInstruction[], payer?: Keypair): TestProposal {
    const proposal = this.draft(proposer, instructions, payer);
    this.must([this.activateProposal(proposal)], [proposer]);
    return proposal;
  }

  votes(wallet: Keypair, proposal: TestProposal, choice = YES): void {
    this.must([this.castVote(wallet.publicKey, proposal, choice)], [wallet]);
  }

  /** Moves the clock to the end of voting and finalises. */
  decided(proposal: TestProposal, status: number = Status.queued): void {
    const state = this.proposalState(proposal);
    if (this.now() < Number(state?.votingEndsAt)) this.setClock(Number(state?.votingEndsAt));
    this.must([this.finalizeProposal(proposal)]);
    expect(this.proposalState(proposal)?.status).toBe(status);
  }

  /** A proposal that passed, with the vote of `proposer`, and whose timelock has run out. */
  passed(proposer: Keypair, instructions?: TransactionInstruction[], payer?: Keypair): TestProposal {
    const proposal = this.voting(proposer, instructions, payer);
    this.votes(proposer, proposal);
    this.decided(proposal);
    this.setClock(Number(this.proposalState(proposal)?.executableAt));
    return proposal;
  }

  /** Passes and executes. */
  enact(proposer: Keypair, ...instructions: TransactionInstruction[]): TestProposal {
    const proposal = this.passed(proposer, instructions);
    instructions.forEach((_, index) => {
      this.must([this.execute(proposal, index)]);
    });
    return proposal;
  }
}
