import { ASSOCIATED_TOKEN_PROGRAM_ID, TOKEN_PROGRAM_ID } from '@solana/spl-token';
import {
  type AccountMeta,
  type PublicKey,
  SystemProgram,
  type TransactionInstruction,
} from '@solana/web3.js';
import {
  governanceAddress,
  governanceConfigAddress,
  govMintAddress,
  govTokenAccount,
  govVaultAddress,
  programDataAddress,
  proposalAddress,
  proposalInstructionAddress,
  voteAddress,
  voterAddress,
} from './addresses.js';
import {
  executionAccounts,
  type GovernanceSettings,
  type ProposalCall,
  proposalHash,
  type VoteChoice,
} from './governance.js';
import type { GovernanceProposal } from './idl/governance.js';
import { GOVERNANCE_PROGRAM_ID, governance } from './programs.js';

/*
 * One builder for each instruction of governance. A proposal is named by its number.
 */

/** What the builders need of a proposal. */
export type ProposalRef = Pick<GovernanceProposal, 'id' | 'proposer' | 'rentPayer'>;

const config = governanceConfigAddress;

/**
 * Sets governance up and mints all GOV there will ever be to the associated account of `owner`. `authority` is the
 * program's upgrade authority: it signs and pays.
 */
export function initializeGovernance(args: {
  authority: PublicKey;
  owner: PublicKey;
  guardian: PublicKey;
  /** Base units of GOV (9 decimals). */
  supply: bigint;
  settings: GovernanceSettings;
}): TransactionInstruction {
  const { authority, owner, ...rest } = args;
  return governance.instruction('initialize', rest, {
    authority,
    config: config(),
    mint: govMintAddress(),
    vault: govVaultAddress(),
    owner,
    ownerTokenAccount: govTokenAccount(owner),
    programData: programDataAddress(GOVERNANCE_PROGRAM_ID),
    tokenProgram: TOKEN_PROGRAM_ID,
    associatedTokenProgram: ASSOCIATED_TOKEN_PROGRAM_ID,
    systemProgram: SystemProgram.programId,
  });
}

// --- deposits

/** Deposits GOV. Signers: `payer` (rent of the voter account, with the first deposit), `wallet`. */
export function depositGov(args: {
  payer: PublicKey;
  wallet: PublicKey;
  /** Base units of GOV. */
  amount: bigint;
  /** The wallet's account that it comes from; the associated one unless given. */
  source?: PublicKey;
}): TransactionInstruction {
  const { payer, wallet, amount, source } = args;
  return governance.instruction(
    'deposit',
    { amount },
    {
      payer,
      wallet,
      config: config(),
      voter: voterAddress(wallet),
      source: source ?? govTokenAccount(wallet),
      vault: govVaultAddress(),
      tokenProgram: TOKEN_PROGRAM_ID,
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Takes GOV back. Signer: `wallet`. Its votes have to be closed before, in the same transaction for example. */
export function withdrawGov(args: {
  wallet: PublicKey;
  /** Base units of GOV. */
  amount: bigint;
  /** An account of the wallet's that it goes to; the associated one unless given. */
  destination?: PublicKey;
}): TransactionInstruction {
  const { wallet, amount, destination } = args;
  return governance.instruction(
    'withdraw',
    { amount },
    {
      wallet,
      config: config(),
      voter: voterAddress(wallet),
      vault: govVaultAddress(),
      destination: destination ?? govTokenAccount(wallet),
      tokenProgram: TOKEN_PROGRAM_ID,
    },
  );
}

/** Closes a voter account with nothing deposited. Signer: `wallet`. `rentPayer` as the account names it. */
export function closeVoter(args: { wallet: PublicKey; rentPayer: PublicKey }): TransactionInstruction {
  const { wallet, rentPayer } = args;
  return governance.instruction('close_voter', {}, { wallet, voter: voterAddress(wallet), rentPayer });
}

// --- proposals

/** Makes a draft. Signers: `payer` (rent, which comes back to it), `proposer`. */
export function createProposal(args: {
  payer: PublicKey;
  proposer: PublicKey;
  /** See `nextProposalId`. */
  id: bigint;
  /** At most 64 bytes of UTF-8. */
  title: string;
  /** Where the description is; at most 128 bytes, may be empty. */
  uri: string;
  /** sha256 of the description. */
  descriptionHash: Uint8Array;
}): TransactionInstruction {
  const { payer, proposer, id, title, uri, descriptionHash } = args;
  return governance.instruction(
    'create_proposal',
    { title, uri, descriptionHash },
    {
      payer,
      proposer,
      config: config(),
      voter: voterAddress(proposer),
      proposal: proposalAddress(id),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Adds an instruction to a draft, the one with number `index` from 0. Signers: `payer` of the proposal, `proposer`. */
export function addProposalInstruction(args: {
  payer: PublicKey;
  proposer: PublicKey;
  id: bigint;
  index: number;
  /** See `proposalCall`. */
  call: ProposalCall;
}): TransactionInstruction {
  const { payer, proposer, id, index, call } = args;
  const proposal = proposalAddress(id);
  return governance.instruction(
    'add_instruction',
    { programId: call.programId, accounts: call.accounts, data: call.data },
    {
      payer,
      proposer,
      proposal,
      instruction: proposalInstructionAddress(proposal, index),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Begins the voting. Signer: `proposer`. `calls` are all that the draft carries: others are refused by their hash. */
export function activateProposal(args: {
  proposer: PublicKey;
  id: bigint;
  calls: readonly ProposalCall[];
}): TransactionInstruction {
  const { proposer, id, calls } = args;
  return governance.instruction(
    'activate_proposal',
    { instructionsHash: proposalHash(calls) },
    {
      proposer,
      config: config(),
      mint: govMintAddress(),
      voter: voterAddress(proposer),
      proposal: proposalAddress(id),
    },
  );
}

/** A whole proposal: the draft, its instructions, the beginning of the voting. Put as many into a transaction as fit. */
export function proposeInstructions(
  args: Parameters<typeof createProposal>[0] & { calls: readonly ProposalCall[] },
): TransactionInstruction[] {
  const { calls, payer, proposer, id } = args;
  return [
    createProposal(args),
    ...calls.map((call, index) => addProposalInstruction({ payer, proposer, id, index, call })),
    activateProposal({ proposer, id, calls }),
  ];
}

/** Gives a draft up, or a proposal whose voting has not ended. Signer: `proposer`. */
export function cancelProposal(args: { proposer: PublicKey; id: bigint }): TransactionInstruction {
  const { proposer, id } = args;
  return governance.instruction(
    'cancel_proposal',
    {},
    { proposer, voter: voterAddress(proposer), proposal: proposalAddress(id) },
  );
}

/** Votes with all that is deposited, or changes the vote. Signers: `payer` (rent, which comes back to it), `wallet`. */
export function castVote(args: {
  payer: PublicKey;
  wallet: PublicKey;
  id: bigint;
  choice: VoteChoice;
}): TransactionInstruction {
  const { payer, wallet, id, choice } = args;
  const proposal = proposalAddress(id);
  return governance.instruction(
    'vote',
    { choice },
    {
      payer,
      wallet,
      voter: voterAddress(wallet),
      proposal,
      vote: voteAddress(proposal, wallet),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Frees the deposit of a vote whose proposal is no longer voted on. `rentPayer` as the vote names it. */
export function closeVote(args: {
  wallet: PublicKey;
  id: bigint;
  rentPayer: PublicKey;
}): TransactionInstruction {
  const { wallet, id, rentPayer } = args;
  const proposal = proposalAddress(id);
  return governance.instruction(
    'close_vote',
    {},
    { proposal, vote: voteAddress(proposal, wallet), voter: voterAddress(wallet), rentPayer },
  );
}

/** Says whether a proposal has passed, once its voting has ended. */
export function finalizeProposal(args: { proposal: ProposalRef }): TransactionInstruction {
  const { id, proposer } = args.proposal;
  return governance.instruction(
    'finalize_proposal',
    {},
    { proposal: proposalAddress(id), voter: voterAddress(proposer) },
  );
}

/** Executes the next instruction of a proposal: the one with number `index`, which is `call`. */
export function executeInstruction(args: {
  id: bigint;
  index: number;
  call: ProposalCall;
}): TransactionInstruction {
  const { id, index, call } = args;
  const proposal = proposalAddress(id);
  return governance.instruction(
    'execute_instruction',
    {},
    {
      config: config(),
      proposal,
      instruction: proposalInstructionAddress(proposal, index),
      targetProgram: call.programId,
    },
    executionAccounts(call),
  );
}

/** Closes a proposal of which nothing can come any more, with its instructions. */
export function closeProposal(args: {
  proposal: ProposalRef & Pick<GovernanceProposal, 'instructions'>;
}): TransactionInstruction {
  const { id, rentPayer, instructions } = args.proposal;
  const proposal = proposalAddress(id);
  return governance.instruction(
    'close_proposal',
    {},
    { proposal, rentPayer },
    Array.from(
      { length: instructions },
      (_, index): AccountMeta => ({
        pubkey: proposalInstructionAddress(proposal, index),
        isSigner: false,
        isWritable: true,
      }),
    ),
  );
}

// --- guardian and settings

/** Stops proposals and executions for a while. Signer: the `guardian`. */
export function pauseGovernance(args: { guardian: PublicKey }): TransactionInstruction {
  return governance.instruction('pause', {}, { ...args, config: config() });
}

/** Changes the settings, all at once: for a proposal, which alone can do it. */
export function setGovernanceSettings(args: { settings: GovernanceSettings }): TransactionInstruction {
  const { settings } = args;
  return governance.instruction(
    'set_settings',
    { settings },
    { governance: governanceAddress(), config: config() },
  );
}

/** Names another guardian: for a proposal, which alone can do it. */
export function setGovernanceGuardian(args: { guardian: PublicKey }): TransactionInstruction {
  return governance.instruction(
    'set_guardian',
    { newGuardian: args.guardian },
    { governance: governanceAddress(), config: config() },
  );
}
