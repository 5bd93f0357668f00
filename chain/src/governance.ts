import { createHash } from 'node:crypto';
import { GtxError } from '@gridtokenx/protocol';
import { type AccountMeta, type Connection, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { fetchOne, fetchSome } from './accounts.js';
import {
  governanceAddress,
  governanceConfigAddress,
  govVaultAddress,
  proposalAddress,
  proposalInstructionAddress,
  voteAddress,
  voterAddress,
} from './addresses.js';
import type {
  GovernanceConfig,
  GovernanceProposal,
  GovernanceProposalInstruction,
  GovernanceSettings,
  GovernanceVote,
  GovernanceVoter,
} from './idl/governance.js';
import { GOVERNANCE_PROGRAM_ID, governance } from './programs.js';

export type { GovernanceSettings };

/** What a voter says, as the chain writes it. */
export const VoteChoice = {
  No: 0,
  Yes: 1,
  /** Counts for the quorum alone. */
  Abstain: 2,
} as const;
export type VoteChoice = (typeof VoteChoice)[keyof typeof VoteChoice];

/** Where a proposal is, as the chain writes it. */
export const ProposalStatus = {
  Draft: 0,
  Voting: 1,
  /** Passed; waits to be executed. */
  Queued: 2,
  Executed: 3,
  Defeated: 4,
  Cancelled: 5,
} as const;
export type ProposalStatus = (typeof ProposalStatus)[keyof typeof ProposalStatus];

/** Instructions of one proposal, accounts and bytes of data of one instruction. */
export const MAX_PROPOSAL_INSTRUCTIONS = 8;
export const MAX_PROPOSAL_ACCOUNTS = 16;
export const MAX_PROPOSAL_DATA = 512;

const SIGNER = 1;
const WRITABLE = 2;

/** An instruction as a proposal carries it. */
export type ProposalCall = Pick<GovernanceProposalInstruction, 'programId' | 'accounts' | 'data'>;

/**
 * An instruction, made with any builder, as a proposal can carry it. Where it wants the authority's signature, build it
 * with `governanceAddress()`.
 * @throws GtxError MESSAGE_INVALID for what the program would refuse: another signer, too much of anything, the vault.
 */
export function proposalCall(instruction: TransactionInstruction): ProposalCall {
  const { programId, keys, data } = instruction;
  const refuse = (message: string): never => {
    throw new GtxError('MESSAGE_INVALID', message);
  };
  if (keys.length > MAX_PROPOSAL_ACCOUNTS)
    refuse(
      `an instruction of a proposal names at most ${MAX_PROPOSAL_ACCOUNTS} accounts, not ${keys.length}`,
    );
  if (data.length > MAX_PROPOSAL_DATA)
    refuse(`an instruction of a proposal has at most ${MAX_PROPOSAL_DATA} bytes, not ${data.length}`);
  for (const { pubkey, isSigner } of keys) {
    if (pubkey.equals(govVaultAddress())) refuse('no proposal can name the vault');
    if (isSigner && !pubkey.equals(governanceAddress()))
      refuse(`only the governance address signs for proposals, not ${pubkey.toBase58()}`);
  }
  return {
    programId,
    accounts: keys.map(({ pubkey, isSigner, isWritable }) => ({
      address: pubkey,
      flags: (isSigner ? SIGNER : 0) | (isWritable ? WRITABLE : 0),
    })),
    data: Uint8Array.from(data),
  };
}

/** What a proposal carries, as the instruction that will run: to show it to those who vote. */
export function instructionOf(call: ProposalCall): TransactionInstruction {
  return new TransactionInstruction({
    programId: call.programId,
    keys: call.accounts.map(({ address, flags }) => ({
      pubkey: address,
      isSigner: (flags & SIGNER) !== 0,
      isWritable: (flags & WRITABLE) !== 0,
    })),
    data: Buffer.from(call.data),
  });
}

/** The accounts of an instruction as its execution names them: the governance address signs within the program only. */
export function executionAccounts(call: ProposalCall): AccountMeta[] {
  return instructionOf(call).keys.map((key) => ({ ...key, isSigner: false }));
}

/** The hash over a proposal's instructions, which the proposer names when voting begins. */
export function proposalHash(calls: readonly ProposalCall[]): Uint8Array {
  const count = (length: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length);
    return bytes;
  };
  const hash = calls.reduce(
    (before, call) =>
      createHash('sha256')
        .update(before)
        .update(call.programId.toBytes())
        .update(count(call.accounts.length))
        .update(
          Buffer.concat(call.accounts.map(({ address, flags }) => Buffer.of(...address.toBytes(), flags))),
        )
        .update(count(call.data.length))
        .update(call.data)
        .digest(),
    Buffer.alloc(32),
  );
  return Uint8Array.from(hash);
}

/** Whether the instructions are those of the proposal, all of them, in order. */
export function proposalCarries(proposal: GovernanceProposal, calls: readonly ProposalCall[]): boolean {
  return (
    calls.length === proposal.instructions &&
    Buffer.from(proposalHash(calls)).equals(Buffer.from(proposal.instructionsHash))
  );
}

/** Whether a proposal passes with the votes that it has: enough took part, and more than the threshold said yes. */
export function proposalPasses(
  proposal: Pick<GovernanceProposal, 'yes' | 'no' | 'abstain' | 'quorum' | 'thresholdBps'>,
): boolean {
  const { yes, no, abstain, quorum, thresholdBps } = proposal;
  return yes + no + abstain >= quorum && yes * 10_000n > BigInt(thresholdBps) * (yes + no);
}

/** What can be done about a proposal at `now` (Unix seconds). */
export type ProposalPhase =
  | 'draft'
  | 'voting'
  /** Voting has ended; `finalizeProposal` says the result. */
  | 'undecided'
  | 'timelocked'
  | 'executable'
  | 'expired'
  | 'executed'
  | 'defeated'
  | 'cancelled';

/** The phase of a proposal at `now` (Unix seconds). A pause of governance does not show here. */
export function proposalPhase(proposal: GovernanceProposal, now: bigint): ProposalPhase {
  switch (proposal.status) {
    case ProposalStatus.Draft:
      return 'draft';
    case ProposalStatus.Voting:
      return now < proposal.votingEndsAt ? 'voting' : 'undecided';
    case ProposalStatus.Queued:
      if (now >= proposal.expiresAt) return 'expired';
      return now < proposal.executableAt ? 'timelocked' : 'executable';
    case ProposalStatus.Executed:
      return 'executed';
    case ProposalStatus.Defeated:
      return 'defeated';
    case ProposalStatus.Cancelled:
      return 'cancelled';
    default:
      throw new GtxError('MESSAGE_INVALID', `a proposal has no status ${proposal.status}`);
  }
}

// --- decoding: the account's whole data in; GtxError MESSAGE_INVALID when it is another kind of account.

/** Governance's Config. */
export function decodeGovernanceConfig(data: Uint8Array): GovernanceConfig {
  return governance.decodeAccount('Config', data);
}

/** A Voter. */
export function decodeVoter(data: Uint8Array): GovernanceVoter {
  return governance.decodeAccount('Voter', data);
}

/** A Proposal. */
export function decodeProposal(data: Uint8Array): GovernanceProposal {
  return governance.decodeAccount('Proposal', data);
}

/** An instruction of a proposal. */
export function decodeProposalInstruction(data: Uint8Array): GovernanceProposalInstruction {
  return governance.decodeAccount('ProposalInstruction', data);
}

/** A Vote. */
export function decodeVote(data: Uint8Array): GovernanceVote {
  return governance.decodeAccount('Vote', data);
}

// --- fetching at `confirmed`: undefined when there is no such account; GtxError CHAIN_UNAVAILABLE without an answer.

/** Governance's Config; undefined before it is initialised. */
export function fetchGovernanceConfig(connection: Connection): Promise<GovernanceConfig | undefined> {
  return fetchOne(connection, GOVERNANCE_PROGRAM_ID, governanceConfigAddress(), decodeGovernanceConfig);
}

/** A wallet's Voter. */
export function fetchVoter(connection: Connection, wallet: PublicKey): Promise<GovernanceVoter | undefined> {
  return fetchOne(connection, GOVERNANCE_PROGRAM_ID, voterAddress(wallet), decodeVoter);
}

/** A Proposal by its number; undefined once it is closed. */
export function fetchProposal(connection: Connection, id: bigint): Promise<GovernanceProposal | undefined> {
  return fetchOne(connection, GOVERNANCE_PROGRAM_ID, proposalAddress(id), decodeProposal);
}

/** A wallet's Vote on a proposal. */
export function fetchVote(
  connection: Connection,
  proposal: PublicKey,
  wallet: PublicKey,
): Promise<GovernanceVote | undefined> {
  return fetchOne(connection, GOVERNANCE_PROGRAM_ID, voteAddress(proposal, wallet), decodeVote);
}

/**
 * What a proposal carries, in order.
 * @throws GtxError CHAIN_REFUSED when an instruction is missing: the proposal was closed meanwhile.
 */
export async function fetchProposalInstructions(
  connection: Connection,
  proposal: Pick<GovernanceProposal, 'id' | 'instructions'>,
): Promise<GovernanceProposalInstruction[]> {
  const address = proposalAddress(proposal.id);
  const addresses = Array.from({ length: proposal.instructions }, (_, index) =>
    proposalInstructionAddress(address, index),
  );
  const found = await fetchSome(connection, GOVERNANCE_PROGRAM_ID, addresses, decodeProposalInstruction);
  return found.map((instruction, index) => {
    if (!instruction)
      throw new GtxError('CHAIN_REFUSED', `proposal ${proposal.id} has no instruction ${index} any more`);
    return instruction;
  });
}

/** The number that the next proposal gets; others use it up when they propose first. */
export async function nextProposalId(connection: Connection): Promise<bigint> {
  const config = await fetchGovernanceConfig(connection);
  if (!config) throw new GtxError('CHAIN_REFUSED', 'governance is not initialised on this cluster');
  return config.proposals + 1n;
}
