// Written by chain/scripts/sync-idl.mjs from programs/artifacts/governance.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** Governance's settings, guardian and totals. `["config"]` */
export interface GovernanceConfig {
  /** Can only pause, for a bounded time. */
  guardian: PublicKey;
  /** Base units of GOV that were minted at initialisation, once and for all. */
  supply: bigint;
  /** The sum of all deposits; the vault holds at least this. */
  deposited: bigint;
  /** Proposals ever made; the next one has this number plus 1. */
  proposals: bigint;
  /** Until this time nothing is proposed, activated or executed. */
  pausedUntil: bigint;
  /** From this time on the guardian can pause again. */
  pauseAllowedAt: bigint;
  proposalDeposit: bigint;
  votingSeconds: number;
  timelockSeconds: number;
  executionSeconds: number;
  pauseSeconds: number;
  quorumBps: number;
  thresholdBps: number;
  bump: number;
}

export interface GovernanceGovDeposited {
  wallet: PublicKey;
  amount: bigint;
  /** The wallet's deposit after it. */
  deposited: bigint;
  /** All deposits after it. */
  totalDeposited: bigint;
  timestamp: bigint;
}

export interface GovernanceGovWithdrawn {
  wallet: PublicKey;
  /** Where it went. */
  destination: PublicKey;
  amount: bigint;
  /** The wallet's deposit after it. */
  deposited: bigint;
  /** All deposits after it. */
  totalDeposited: bigint;
  timestamp: bigint;
}

/** Settings and guardian after initialisation or a change, whole. */
export interface GovernanceGovernanceChanged {
  guardian: PublicKey;
  supply: bigint;
  settings: GovernanceSettings;
  timestamp: bigint;
}

/** The guardian stopped proposals and executions for a while. */
export interface GovernanceGovernancePaused {
  guardian: PublicKey;
  pausedUntil: bigint;
  pauseAllowedAt: bigint;
  timestamp: bigint;
}

export interface GovernanceInstructionAdded {
  proposal: PublicKey;
  instruction: PublicKey;
  programId: PublicKey;
  index: number;
  /** Over the instructions up to this one. */
  instructionsHash: Uint8Array;
  timestamp: bigint;
}

export interface GovernanceInstructionExecuted {
  proposal: PublicKey;
  id: bigint;
  index: number;
  programId: PublicKey;
  /** The last one: the proposal is done. */
  done: boolean;
  timestamp: bigint;
}

/** Instructions that GOV holders vote on. `["proposal", number u64 little-endian]` */
export interface GovernanceProposal {
  /** From 1; never used again. */
  id: bigint;
  proposer: PublicKey;
  /** Pays for this account and those of its instructions, and gets their lamports back. */
  rentPayer: PublicKey;
  /** UTF-8, zero-padded. */
  title: string;
  /** Where the description is; UTF-8, zero-padded, may be empty. */
  uri: string;
  /** sha256 of the description. */
  descriptionHash: Uint8Array;
  /** Each instruction is hashed after the hash of those before it: sha256(hash, program, accounts, data as borsh). */
  instructionsHash: Uint8Array;
  /** Votes, in base units of GOV. */
  yes: bigint;
  no: bigint;
  abstain: bigint;
  /** All GOV there was when voting began. */
  supply: bigint;
  /** The weight that has to take part. */
  quorum: bigint;
  createdAt: bigint;
  votingStartsAt: bigint;
  /** From this time on no vote counts. */
  votingEndsAt: bigint;
  /** From this time on its instructions can be executed. */
  executableAt: bigint;
  /** From this time on they no longer can. */
  expiresAt: bigint;
  /** More than this share of yes and no has to be yes. */
  thresholdBps: number;
  /** 0 draft, 1 voting, 2 queued, 3 executed, 4 defeated, 5 cancelled. */
  status: number;
  /** How many it holds. */
  instructions: number;
  /** How many of them, from the first, were executed. */
  executed: number;
  bump: number;
}

/** An account of an instruction. */
export interface GovernanceProposalAccount {
  address: PublicKey;
  /** 1 signs, 2 is written, 3 both. */
  flags: number;
}

/** Voting began: nothing of the proposal changes any more but its votes. */
export interface GovernanceProposalActivated {
  proposal: PublicKey;
  id: bigint;
  instructions: number;
  instructionsHash: Uint8Array;
  supply: bigint;
  quorum: bigint;
  thresholdBps: number;
  votingEndsAt: bigint;
  executableAt: bigint;
  expiresAt: bigint;
  timestamp: bigint;
}

export interface GovernanceProposalCancelled {
  proposal: PublicKey;
  id: bigint;
  timestamp: bigint;
}

export interface GovernanceProposalCreated {
  proposal: PublicKey;
  id: bigint;
  proposer: PublicKey;
  rentPayer: PublicKey;
  title: string;
  uri: string;
  descriptionHash: Uint8Array;
  timestamp: bigint;
}

/** Voting is over: 2 passed and waits for execution, 4 defeated. */
export interface GovernanceProposalFinalized {
  proposal: PublicKey;
  id: bigint;
  status: number;
  yes: bigint;
  no: bigint;
  abstain: bigint;
  timestamp: bigint;
}

/** One instruction of a proposal, never changed once it is added. `["instruction", proposal, index u8]` */
export interface GovernanceProposalInstruction {
  proposal: PublicKey;
  /** Its place in the proposal, from 0. */
  index: number;
  bump: number;
  programId: PublicKey;
  accounts: GovernanceProposalAccount[];
  data: Uint8Array;
}

export interface GovernanceProposalRemoved {
  proposal: PublicKey;
  id: bigint;
  /** As it was; a queued one (2) had expired. */
  status: number;
  timestamp: bigint;
}

/**
 * What a proposal can change of governance itself, beside the guardian. Proposals keep what held when their voting
 * began.
 */
export interface GovernanceSettings {
  /** Base units of GOV that a proposer has deposited; at most a tenth of all. */
  proposalDeposit: bigint;
  /** How long is voted: 60 s to 90 days. */
  votingSeconds: number;
  /** From the end of voting until execution: up to 90 days. */
  timelockSeconds: number;
  /** From then on, how long execution is possible: 60 s to 90 days. */
  executionSeconds: number;
  /** How long the guardian's pause lasts: 60 s to 30 days. */
  pauseSeconds: number;
  /** The share of the supply that has to vote, abstentions counted, rounded up: 1 to 5,000. */
  quorumBps: number;
  /** More than this share of yes and no has to be yes: 5,000 to 9,999. */
  thresholdBps: number;
}

/** One wallet's vote on one proposal. `["vote", proposal, wallet]` */
export interface GovernanceVote {
  proposal: PublicKey;
  wallet: PublicKey;
  /** Gets the lamports back. */
  rentPayer: PublicKey;
  /** Base units of GOV that were counted. */
  weight: bigint;
  votedAt: bigint;
  /** 0 no, 1 yes, 2 abstain. */
  choice: number;
  bump: number;
}

/** A vote was made, or changed: then the previous one, which this one replaces, is named. */
export interface GovernanceVoteCast {
  proposal: PublicKey;
  wallet: PublicKey;
  weight: bigint;
  /** 0 when it is the first. */
  previousWeight: bigint;
  /** The proposal's votes after it. */
  yes: bigint;
  no: bigint;
  abstain: bigint;
  timestamp: bigint;
  /** 0 no, 1 yes, 2 abstain. */
  choice: number;
  previousChoice: number;
}

export interface GovernanceVoteClosed {
  proposal: PublicKey;
  wallet: PublicKey;
  timestamp: bigint;
}

/** What a wallet has deposited, and how many votes and proposals hold it there. `["voter", wallet]` */
export interface GovernanceVoter {
  wallet: PublicKey;
  /** Gets the lamports back. */
  rentPayer: PublicKey;
  /** Base units of GOV: the weight of this wallet's votes. */
  deposited: bigint;
  /** Votes not yet closed, and proposals that are drafts or being voted on. Above 0 nothing can be withdrawn. */
  locks: number;
  bump: number;
}

export interface GovernanceVoterClosed {
  wallet: PublicKey;
  timestamp: bigint;
}

/** Accounts by name. */
export interface GovernanceAccounts {
  Config: GovernanceConfig;
  Proposal: GovernanceProposal;
  ProposalInstruction: GovernanceProposalInstruction;
  Vote: GovernanceVote;
  Voter: GovernanceVoter;
}

/** Events by name. */
export interface GovernanceEvents {
  GovDeposited: GovernanceGovDeposited;
  GovWithdrawn: GovernanceGovWithdrawn;
  GovernanceChanged: GovernanceGovernanceChanged;
  GovernancePaused: GovernanceGovernancePaused;
  InstructionAdded: GovernanceInstructionAdded;
  InstructionExecuted: GovernanceInstructionExecuted;
  ProposalActivated: GovernanceProposalActivated;
  ProposalCancelled: GovernanceProposalCancelled;
  ProposalCreated: GovernanceProposalCreated;
  ProposalFinalized: GovernanceProposalFinalized;
  ProposalRemoved: GovernanceProposalRemoved;
  VoteCast: GovernanceVoteCast;
  VoteClosed: GovernanceVoteClosed;
  VoterClosed: GovernanceVoterClosed;
}

/** Instructions' arguments by name. */
export interface GovernanceArgs {
  vote: { choice: number };
  deposit: { amount: bigint };
  withdraw: { amount: bigint };
  close_vote: Record<never, never>;
  create_proposal: { title: string; uri: string; descriptionHash: Uint8Array };
  add_instruction: { programId: PublicKey; accounts: GovernanceProposalAccount[]; data: Uint8Array };
  activate_proposal: { instructionsHash: Uint8Array };
  cancel_proposal: Record<never, never>;
  finalize_proposal: Record<never, never>;
  execute_instruction: Record<never, never>;
  close_proposal: Record<never, never>;
  close_voter: Record<never, never>;
  pause: Record<never, never>;
  set_settings: { settings: GovernanceSettings };
  set_guardian: { newGuardian: PublicKey };
  initialize: { settings: GovernanceSettings; guardian: PublicKey; supply: bigint };
}

/** Instructions' accounts by name. */
export interface GovernanceKeys {
  vote: { payer: PublicKey; wallet: PublicKey; voter: PublicKey; proposal: PublicKey; vote: PublicKey; systemProgram: PublicKey };
  deposit: { payer: PublicKey; wallet: PublicKey; config: PublicKey; voter: PublicKey; source: PublicKey; vault: PublicKey; tokenProgram: PublicKey; systemProgram: PublicKey };
  withdraw: { wallet: PublicKey; config: PublicKey; voter: PublicKey; vault: PublicKey; destination: PublicKey; tokenProgram: PublicKey };
  close_vote: { proposal: PublicKey; vote: PublicKey; voter: PublicKey; rentPayer: PublicKey };
  create_proposal: { payer: PublicKey; proposer: PublicKey; config: PublicKey; voter: PublicKey; proposal: PublicKey; systemProgram: PublicKey };
  add_instruction: { payer: PublicKey; proposer: PublicKey; proposal: PublicKey; instruction: PublicKey; systemProgram: PublicKey };
  activate_proposal: { proposer: PublicKey; config: PublicKey; mint: PublicKey; voter: PublicKey; proposal: PublicKey };
  cancel_proposal: { proposer: PublicKey; voter: PublicKey; proposal: PublicKey };
  finalize_proposal: { proposal: PublicKey; voter: PublicKey };
  execute_instruction: { config: PublicKey; proposal: PublicKey; instruction: PublicKey; targetProgram: PublicKey };
  close_proposal: { proposal: PublicKey; rentPayer: PublicKey };
  close_voter: { wallet: PublicKey; voter: PublicKey; rentPayer: PublicKey };
  pause: { guardian: PublicKey; config: PublicKey };
  set_settings: { governance: PublicKey; config: PublicKey };
  set_guardian: { governance: PublicKey; config: PublicKey };
  initialize: { authority: PublicKey; config: PublicKey; mint: PublicKey; vault: PublicKey; owner: PublicKey; ownerTokenAccount: PublicKey; programData: PublicKey; tokenProgram: PublicKey; associatedTokenProgram: PublicKey; systemProgram: PublicKey };
}

/** Errors' codes by name. */
export interface GovernanceErrors {
  NotUpgradeAuthority: 6000;
  AlreadyInitialized: 6001;
  WrongConfig: 6002;
  WrongMint: 6003;
  WrongVault: 6004;
  WrongProgramData: 6005;
  SettingsInvalid: 6006;
  AuthorityInvalid: 6007;
  SupplyInvalid: 6008;
  NotGovernance: 6009;
  NotGuardian: 6010;
  Paused: 6011;
  PauseTooSoon: 6012;
  AmountZero: 6013;
  DepositTooSmall: 6014;
  NotDeposited: 6015;
  WrongVoter: 6016;
  DepositLocked: 6017;
  DepositLeft: 6018;
  TokenAccountUnusable: 6019;
  AccountExists: 6020;
  ProposalDepositTooSmall: 6021;
  WrongProposal: 6022;
  ProposalClosed: 6023;
  TextInvalid: 6024;
  NotProposer: 6025;
  NotDraft: 6026;
  NoInstructions: 6027;
  TooManyInstructions: 6028;
  InstructionInvalid: 6029;
  SignerForbidden: 6030;
  AccountForbidden: 6031;
  SelfCallForbidden: 6032;
  HashMismatch: 6033;
  WrongRentPayer: 6034;
  ChoiceInvalid: 6035;
  NotVoting: 6036;
  VotingOpen: 6037;
  VotingEnded: 6038;
  WrongVote: 6039;
  NotQueued: 6040;
  Timelocked: 6041;
  Expired: 6042;
  WrongInstruction: 6043;
  WrongProgram: 6044;
  WrongAccounts: 6045;
  NotFinished: 6046;
  ArithmeticOverflow: 6047;
  InvariantViolated: 6048;
}

export const governanceIdl: Idl = {
  "address": "5uLzk9o92zecebe3syCoTePpe8ibU1rnxVia63qZYSdC",
  "metadata": {
    "name": "governance",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "GOV: deposits, votes with locked deposits, and proposals that run instructions of other programs."
  },
  "instructions": [
    {
      "name": "vote",
      "docs": [
        "Votes on a proposal with all that is deposited: 0 no, 1 yes, 2 abstain. Voting again replaces the vote, with the",
        "deposit as it is then. The deposit is held until the vote is closed, which waits for the end of voting."
      ],
      "discriminator": [
        227,
        110,
        155,
        23,
        136,
        126,
        172,
        25
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the vote, and gets it back when that is closed."
          ]
        },
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "voter",
          "writable": true
        },
        {
          "name": "proposal",
          "writable": true
        },
        {
          "name": "vote",
          "writable": true,
          "docs": [
            "Made with the wallet's first vote on this proposal. `[\"vote\", proposal, wallet]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "choice",
          "type": "u8"
        }
      ]
    },
    {
      "name": "deposit",
      "docs": [
        "Moves GOV into the vault, where it weighs the wallet's votes."
      ],
      "discriminator": [
        242,
        35,
        198,
        137,
        82,
        225,
        242,
        182
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the voter account, and gets it back when that is closed."
          ]
        },
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "voter",
          "writable": true,
          "docs": [
            "Made with the wallet's first deposit, at the payer's cost. `[\"voter\", wallet]`"
          ]
        },
        {
          "name": "source",
          "writable": true,
          "docs": [
            "The wallet's GOV account."
          ]
        },
        {
          "name": "vault",
          "writable": true,
          "address": "D6bLjEV5NDF8L9h4z9Yfx9ddFZHXarowkm7kcZCBSZfB"
        },
        {
          "name": "token_program",
          "address": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "amount",
          "type": "u64"
        }
      ]
    },
    {
      "name": "withdraw",
      "docs": [
        "Moves GOV back to the wallet; refused while a vote or a proposal of the wallet's holds it. Works while governance",
        "is paused."
      ],
      "discriminator": [
        183,
        18,
        70,
        156,
        148,
        109,
        161,
        34
      ],
      "accounts": [
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "voter",
          "writable": true
        },
        {
          "name": "vault",
          "writable": true,
          "address": "D6bLjEV5NDF8L9h4z9Yfx9ddFZHXarowkm7kcZCBSZfB"
        },
        {
          "name": "destination",
          "writable": true,
          "docs": [
            "Any GOV account of the wallet's."
          ]
        },
        {
          "name": "token_program",
          "address": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
        }
      ],
      "args": [
        {
          "name": "amount",
          "type": "u64"
        }
      ]
    },
    {
      "name": "close_vote",
      "docs": [
        "Removes the record of a vote whose proposal is no longer voted on, and frees the deposit of it. The rent goes",
        "back to whoever paid it. Anybody can call it."
      ],
      "discriminator": [
        137,
        152,
        87,
        249,
        170,
        239,
        133,
        59
      ],
      "accounts": [
        {
          "name": "proposal",
          "docs": [
            "The proposal voted on. It may have been closed."
          ]
        },
        {
          "name": "vote",
          "writable": true
        },
        {
          "name": "voter",
          "writable": true,
          "docs": [
            "The voter account of the vote's wallet."
          ]
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the vote."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "create_proposal",
      "docs": [
        "Makes a draft, to which its proposer adds instructions. Needs the proposer's deposit, and holds it until the",
        "proposal is decided or cancelled."
      ],
      "discriminator": [
        132,
        116,
        68,
        174,
        216,
        160,
        198,
        22
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the proposal and of its instructions, and gets it back when they are closed."
          ]
        },
        {
          "name": "proposer",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "voter",
          "writable": true
        },
        {
          "name": "proposal",
          "writable": true,
          "docs": [
            "`[\"proposal\", number of the last one plus 1, u64 little-endian]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "title",
          "type": {
            "array": [
              "u8",
              64
            ]
          }
        },
        {
          "name": "uri",
          "type": {
            "array": [
              "u8",
              128
            ]
          }
        },
        {
          "name": "description_hash",
          "type": {
            "array": [
              "u8",
              32
            ]
          }
        }
      ]
    },
    {
      "name": "add_instruction",
      "docs": [
        "Adds an instruction to a draft, behind those it has: a program, up to 16 accounts, up to 512 bytes. Only the",
        "governance address can be named as a signer."
      ],
      "discriminator": [
        11,
        70,
        136,
        166,
        202,
        55,
        246,
        74
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Whoever pays for the proposal."
          ]
        },
        {
          "name": "proposer",
          "signer": true
        },
        {
          "name": "proposal",
          "writable": true
        },
        {
          "name": "instruction",
          "writable": true,
          "docs": [
            "`[\"instruction\", proposal, how many it has, u8]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "program_id",
          "type": "pubkey"
        },
        {
          "name": "accounts",
          "type": {
            "vec": {
              "defined": {
                "name": "ProposalAccount"
              }
            }
          }
        },
        {
          "name": "data",
          "type": {
            "vec": "u8"
          }
        }
      ]
    },
    {
      "name": "activate_proposal",
      "docs": [
        "Begins the voting on a draft: from here on its instructions, which the proposer names by their hash, and the rules",
        "under which it passes stay as they are."
      ],
      "discriminator": [
        90,
        186,
        203,
        234,
        70,
        185,
        191,
        21
      ],
      "accounts": [
        {
          "name": "proposer",
          "signer": true
        },
        {
          "name": "config",
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "mint",
          "address": "8MvVpXNYC724zxRgnknf3eaK5UCuEyy8CSucbfFsaHrN"
        },
        {
          "name": "voter"
        },
        {
          "name": "proposal",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "instructions_hash",
          "type": {
            "array": [
              "u8",
              32
            ]
          }
        }
      ]
    },
    {
      "name": "cancel_proposal",
      "docs": [
        "The proposer gives up a draft, or a proposal before its voting ends."
      ],
      "discriminator": [
        106,
        74,
        128,
        146,
        19,
        65,
        39,
        23
      ],
      "accounts": [
        {
          "name": "proposer",
          "signer": true
        },
        {
          "name": "voter",
          "writable": true
        },
        {
          "name": "proposal",
          "writable": true
        }
      ],
      "args": []
    },
    {
      "name": "finalize_proposal",
      "docs": [
        "Says, after the end of voting, whether a proposal has passed. Anybody can call it."
      ],
      "discriminator": [
        23,
        68,
        51,
        167,
        109,
        173,
        187,
        164
      ],
      "accounts": [
        {
          "name": "proposal",
          "writable": true
        },
        {
          "name": "voter",
          "writable": true,
          "docs": [
            "The proposer's voter account."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "execute_instruction",
      "docs": [
        "Executes the next instruction of a proposal that passed, signed by the governance address: between the timelock",
        "and the expiry, in order, each once. What fails can be tried again. The accounts of the instruction follow the",
        "named ones, in its order. Anybody can call it."
      ],
      "discriminator": [
        48,
        18,
        40,
        40,
        75,
        74,
        147,
        110
      ],
      "accounts": [
        {
          "name": "config",
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "proposal",
          "writable": true
        },
        {
          "name": "instruction",
          "docs": [
            "The next one."
          ]
        },
        {
          "name": "target_program",
          "docs": [
            "The program that it names."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "close_proposal",
      "docs": [
        "Removes a proposal that is executed, defeated, cancelled or expired, with its instructions, which follow the named",
        "accounts in order. The rent goes back to whoever paid it. Anybody can call it."
      ],
      "discriminator": [
        213,
        178,
        139,
        19,
        50,
        191,
        82,
        245
      ],
      "accounts": [
        {
          "name": "proposal",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the proposal."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "close_voter",
      "docs": [
        "Removes a wallet's voter account when nothing is deposited. The rent goes back to whoever paid it."
      ],
      "discriminator": [
        117,
        35,
        234,
        247,
        206,
        131,
        182,
        149
      ],
      "accounts": [
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "voter",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the voter account."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "pause",
      "docs": [
        "The guardian stops proposals and executions for the time that the settings name. Votes, withdrawals and closing go",
        "on. It ends by itself; nobody can lengthen it, and the next pause waits until a proposal had the time to pass."
      ],
      "discriminator": [
        211,
        22,
        221,
        251,
        74,
        121,
        193,
        47
      ],
      "accounts": [
        {
          "name": "guardian",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        }
      ],
      "args": []
    },
    {
      "name": "set_settings",
      "docs": [
        "Changes the settings. Only a proposal can."
      ],
      "discriminator": [
        123,
        181,
        85,
        122,
        226,
        162,
        130,
        249
      ],
      "accounts": [
        {
          "name": "governance",
          "signer": true,
          "address": "DJSpNKUxjJKcPCWUopSdQuv1NxWCvUrRu2JbgLKnwsqs"
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        }
      ],
      "args": [
        {
          "name": "settings",
          "type": {
            "defined": {
              "name": "Settings"
            }
          }
        }
      ]
    },
    {
      "name": "set_guardian",
      "docs": [
        "Names another guardian, who can pause at once. Only a proposal can."
      ],
      "discriminator": [
        147,
        243,
        50,
        121,
        154,
        164,
        50,
        30
      ],
      "accounts": [
        {
          "name": "governance",
          "signer": true,
          "address": "DJSpNKUxjJKcPCWUopSdQuv1NxWCvUrRu2JbgLKnwsqs"
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        }
      ],
      "args": [
        {
          "name": "new_guardian",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "initialize",
      "docs": [
        "Creates the configuration, the GOV mint and the vault, and mints all GOV there will ever be to `owner`. Only the",
        "program's upgrade authority can call it."
      ],
      "discriminator": [
        175,
        175,
        109,
        31,
        13,
        152,
        155,
        237
      ],
      "accounts": [
        {
          "name": "authority",
          "writable": true,
          "signer": true,
          "docs": [
            "The program's upgrade authority; pays."
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9Zkaijhnx4dHQw8gcTYHitCipUSGhnNWCuDascbFZTCr"
        },
        {
          "name": "mint",
          "writable": true,
          "address": "8MvVpXNYC724zxRgnknf3eaK5UCuEyy8CSucbfFsaHrN"
        },
        {
          "name": "vault",
          "writable": true,
          "address": "D6bLjEV5NDF8L9h4z9Yfx9ddFZHXarowkm7kcZCBSZfB"
        },
        {
          "name": "owner",
          "docs": [
            "The wallet that receives all GOV."
          ]
        },
        {
          "name": "owner_token_account",
          "writable": true,
          "docs": [
            "Its associated GOV account; made here."
          ]
        },
        {
          "name": "program_data",
          "address": "Bf7FJEfhiriEXb6c4bwVkHdnboEAfSiRB7yRCuFEJMcL"
        },
        {
          "name": "token_program",
          "address": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
        },
        {
          "name": "associated_token_program",
          "address": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "settings",
          "type": {
            "defined": {
              "name": "Settings"
            }
          }
        },
        {
          "name": "guardian",
          "type": "pubkey"
        },
        {
          "name": "supply",
          "type": "u64"
        }
      ]
    }
  ],
  "accounts": [
    {
      "discriminator": [
        155,
        12,
        170,
        224,
        30,
        250,
        204,
        130
      ],
      "name": "Config"
    },
    {
      "discriminator": [
        26,
        94,
        189,
        187,
        116,
        136,
        53,
        33
      ],
      "name": "Proposal"
    },
    {
      "discriminator": [
        143,
        192,
        32,
        96,
        237,
        1,
        103,
        252
      ],
      "name": "ProposalInstruction"
    },
    {
      "discriminator": [
        96,
        91,
        104,
        57,
        145,
        35,
        172,
        155
      ],
      "name": "Vote"
    },
    {
      "discriminator": [
        241,
        93,
        35,
        191,
        254,
        147,
        17,
        202
      ],
      "name": "Voter"
    }
  ],
  "types": [
    {
      "docs": [
        "Governance's settings, guardian and totals. `[\"config\"]`"
      ],
      "name": "Config",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "docs": [
              "Can only pause, for a bounded time."
            ],
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "docs": [
              "Base units of GOV that were minted at initialisation, once and for all."
            ],
            "name": "supply",
            "type": "u64"
          },
          {
            "docs": [
              "The sum of all deposits; the vault holds at least this."
            ],
            "name": "deposited",
            "type": "u64"
          },
          {
            "docs": [
              "Proposals ever made; the next one has this number plus 1."
            ],
            "name": "proposals",
            "type": "u64"
          },
          {
            "docs": [
              "Until this time nothing is proposed, activated or executed."
            ],
            "name": "paused_until",
            "type": "i64"
          },
          {
            "docs": [
              "From this time on the guardian can pause again."
            ],
            "name": "pause_allowed_at",
            "type": "i64"
          },
          {
            "name": "proposal_deposit",
            "type": "u64"
          },
          {
            "name": "voting_seconds",
            "type": "u32"
          },
          {
            "name": "timelock_seconds",
            "type": "u32"
          },
          {
            "name": "execution_seconds",
            "type": "u32"
          },
          {
            "name": "pause_seconds",
            "type": "u32"
          },
          {
            "name": "quorum_bps",
            "type": "u16"
          },
          {
            "name": "threshold_bps",
            "type": "u16"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
                3
              ]
            }
          },
          {
            "docs": [
              "Room for what comes later without moving accounts."
            ],
            "name": "reserved",
            "type": {
              "array": [
                "u8",
                64
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "GovDeposited",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "docs": [
              "The wallet's deposit after it."
            ],
            "name": "deposited",
            "type": "u64"
          },
          {
            "docs": [
              "All deposits after it."
            ],
            "name": "total_deposited",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "GovWithdrawn",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "docs": [
              "Where it went."
            ],
            "name": "destination",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "docs": [
              "The wallet's deposit after it."
            ],
            "name": "deposited",
            "type": "u64"
          },
          {
            "docs": [
              "All deposits after it."
            ],
            "name": "total_deposited",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "Settings and guardian after initialisation or a change, whole."
      ],
      "name": "GovernanceChanged",
      "type": {
        "fields": [
          {
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "name": "supply",
            "type": "u64"
          },
          {
            "name": "settings",
            "type": {
              "defined": {
                "name": "Settings"
              }
            }
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "The guardian stopped proposals and executions for a while."
      ],
      "name": "GovernancePaused",
      "type": {
        "fields": [
          {
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "name": "paused_until",
            "type": "i64"
          },
          {
            "name": "pause_allowed_at",
            "type": "i64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "InstructionAdded",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "instruction",
            "type": "pubkey"
          },
          {
            "name": "program_id",
            "type": "pubkey"
          },
          {
            "name": "index",
            "type": "u8"
          },
          {
            "docs": [
              "Over the instructions up to this one."
            ],
            "name": "instructions_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "InstructionExecuted",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "name": "index",
            "type": "u8"
          },
          {
            "name": "program_id",
            "type": "pubkey"
          },
          {
            "docs": [
              "The last one: the proposal is done."
            ],
            "name": "done",
            "type": "bool"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "Instructions that GOV holders vote on. `[\"proposal\", number u64 little-endian]`"
      ],
      "name": "Proposal",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "docs": [
              "From 1; never used again."
            ],
            "name": "id",
            "type": "u64"
          },
          {
            "name": "proposer",
            "type": "pubkey"
          },
          {
            "docs": [
              "Pays for this account and those of its instructions, and gets their lamports back."
            ],
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "docs": [
              "UTF-8, zero-padded."
            ],
            "name": "title",
            "type": {
              "array": [
                "u8",
                64
              ]
            }
          },
          {
            "docs": [
              "Where the description is; UTF-8, zero-padded, may be empty."
            ],
            "name": "uri",
            "type": {
              "array": [
                "u8",
                128
              ]
            }
          },
          {
            "docs": [
              "sha256 of the description."
            ],
            "name": "description_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "docs": [
              "Each instruction is hashed after the hash of those before it: sha256(hash, program, accounts, data as borsh)."
            ],
            "name": "instructions_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "docs": [
              "Votes, in base units of GOV."
            ],
            "name": "yes",
            "type": "u64"
          },
          {
            "name": "no",
            "type": "u64"
          },
          {
            "name": "abstain",
            "type": "u64"
          },
          {
            "docs": [
              "All GOV there was when voting began."
            ],
            "name": "supply",
            "type": "u64"
          },
          {
            "docs": [
              "The weight that has to take part."
            ],
            "name": "quorum",
            "type": "u64"
          },
          {
            "name": "created_at",
            "type": "i64"
          },
          {
            "name": "voting_starts_at",
            "type": "i64"
          },
          {
            "docs": [
              "From this time on no vote counts."
            ],
            "name": "voting_ends_at",
            "type": "i64"
          },
          {
            "docs": [
              "From this time on its instructions can be executed."
            ],
            "name": "executable_at",
            "type": "i64"
          },
          {
            "docs": [
              "From this time on they no longer can."
            ],
            "name": "expires_at",
            "type": "i64"
          },
          {
            "docs": [
              "More than this share of yes and no has to be yes."
            ],
            "name": "threshold_bps",
            "type": "u16"
          },
          {
            "docs": [
              "0 draft, 1 voting, 2 queued, 3 executed, 4 defeated, 5 cancelled."
            ],
            "name": "status",
            "type": "u8"
          },
          {
            "docs": [
              "How many it holds."
            ],
            "name": "instructions",
            "type": "u8"
          },
          {
            "docs": [
              "How many of them, from the first, were executed."
            ],
            "name": "executed",
            "type": "u8"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
                2
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "An account of an instruction."
      ],
      "name": "ProposalAccount",
      "type": {
        "fields": [
          {
            "name": "address",
            "type": "pubkey"
          },
          {
            "docs": [
              "1 signs, 2 is written, 3 both."
            ],
            "name": "flags",
            "type": "u8"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "Voting began: nothing of the proposal changes any more but its votes."
      ],
      "name": "ProposalActivated",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "name": "instructions",
            "type": "u8"
          },
          {
            "name": "instructions_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "supply",
            "type": "u64"
          },
          {
            "name": "quorum",
            "type": "u64"
          },
          {
            "name": "threshold_bps",
            "type": "u16"
          },
          {
            "name": "voting_ends_at",
            "type": "i64"
          },
          {
            "name": "executable_at",
            "type": "i64"
          },
          {
            "name": "expires_at",
            "type": "i64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "ProposalCancelled",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "ProposalCreated",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "name": "proposer",
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "name": "title",
            "type": {
              "array": [
                "u8",
                64
              ]
            }
          },
          {
            "name": "uri",
            "type": {
              "array": [
                "u8",
                128
              ]
            }
          },
          {
            "name": "description_hash",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "Voting is over: 2 passed and waits for execution, 4 defeated."
      ],
      "name": "ProposalFinalized",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "name": "status",
            "type": "u8"
          },
          {
            "name": "yes",
            "type": "u64"
          },
          {
            "name": "no",
            "type": "u64"
          },
          {
            "name": "abstain",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "One instruction of a proposal, never changed once it is added. `[\"instruction\", proposal, index u8]`"
      ],
      "name": "ProposalInstruction",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "docs": [
              "Its place in the proposal, from 0."
            ],
            "name": "index",
            "type": "u8"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "program_id",
            "type": "pubkey"
          },
          {
            "name": "accounts",
            "type": {
              "vec": {
                "defined": {
                  "name": "ProposalAccount"
                }
              }
            }
          },
          {
            "name": "data",
            "type": {
              "vec": "u8"
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "ProposalRemoved",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "id",
            "type": "u64"
          },
          {
            "docs": [
              "As it was; a queued one (2) had expired."
            ],
            "name": "status",
            "type": "u8"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "What a proposal can change of governance itself, beside the guardian. Proposals keep what held when their voting",
        "began."
      ],
      "name": "Settings",
      "type": {
        "fields": [
          {
            "docs": [
              "Base units of GOV that a proposer has deposited; at most a tenth of all."
            ],
            "name": "proposal_deposit",
            "type": "u64"
          },
          {
            "docs": [
              "How long is voted: 60 s to 90 days."
            ],
            "name": "voting_seconds",
            "type": "u32"
          },
          {
            "docs": [
              "From the end of voting until execution: up to 90 days."
            ],
            "name": "timelock_seconds",
            "type": "u32"
          },
          {
            "docs": [
              "From then on, how long execution is possible: 60 s to 90 days."
            ],
            "name": "execution_seconds",
            "type": "u32"
          },
          {
            "docs": [
              "How long the guardian's pause lasts: 60 s to 30 days."
            ],
            "name": "pause_seconds",
            "type": "u32"
          },
          {
            "docs": [
              "The share of the supply that has to vote, abstentions counted, rounded up: 1 to 5,000."
            ],
            "name": "quorum_bps",
            "type": "u16"
          },
          {
            "docs": [
              "More than this share of yes and no has to be yes: 5,000 to 9,999."
            ],
            "name": "threshold_bps",
            "type": "u16"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "One wallet's vote on one proposal. `[\"vote\", proposal, wallet]`"
      ],
      "name": "Vote",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "docs": [
              "Gets the lamports back."
            ],
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "docs": [
              "Base units of GOV that were counted."
            ],
            "name": "weight",
            "type": "u64"
          },
          {
            "name": "voted_at",
            "type": "i64"
          },
          {
            "docs": [
              "0 no, 1 yes, 2 abstain."
            ],
            "name": "choice",
            "type": "u8"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
                6
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A vote was made, or changed: then the previous one, which this one replaces, is named."
      ],
      "name": "VoteCast",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "name": "weight",
            "type": "u64"
          },
          {
            "docs": [
              "0 when it is the first."
            ],
            "name": "previous_weight",
            "type": "u64"
          },
          {
            "docs": [
              "The proposal's votes after it."
            ],
            "name": "yes",
            "type": "u64"
          },
          {
            "name": "no",
            "type": "u64"
          },
          {
            "name": "abstain",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "docs": [
              "0 no, 1 yes, 2 abstain."
            ],
            "name": "choice",
            "type": "u8"
          },
          {
            "name": "previous_choice",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
                6
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "VoteClosed",
      "type": {
        "fields": [
          {
            "name": "proposal",
            "type": "pubkey"
          },
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "What a wallet has deposited, and how many votes and proposals hold it there. `[\"voter\", wallet]`"
      ],
      "name": "Voter",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "docs": [
              "Gets the lamports back."
            ],
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "docs": [
              "Base units of GOV: the weight of this wallet's votes."
            ],
            "name": "deposited",
            "type": "u64"
          },
          {
            "docs": [
              "Votes not yet closed, and proposals that are drafts or being voted on. Above 0 nothing can be withdrawn."
            ],
            "name": "locks",
            "type": "u32"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
                3
              ]
            }
          },
          {
            "docs": [
              "Room for what comes later without moving accounts."
            ],
            "name": "reserved",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "VoterClosed",
      "type": {
        "fields": [
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "name": "timestamp",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    }
  ],
  "events": [
    {
      "name": "GovDeposited",
      "discriminator": [
        76,
        156,
        85,
        33,
        48,
        31,
        80,
        75
      ]
    },
    {
      "name": "GovWithdrawn",
      "discriminator": [
        31,
        226,
        232,
        223,
        159,
        1,
        63,
        108
      ]
    },
    {
      "name": "GovernanceChanged",
      "discriminator": [
        180,
        109,
        101,
        77,
        34,
        151,
        213,
        2
      ]
    },
    {
      "name": "GovernancePaused",
      "discriminator": [
        129,
        71,
        164,
        74,
        29,
        52,
        170,
        192
      ]
    },
    {
      "name": "InstructionAdded",
      "discriminator": [
        25,
        250,
        139,
        85,
        122,
        107,
        102,
        238
      ]
    },
    {
      "name": "InstructionExecuted",
      "discriminator": [
        29,
        3,
        241,
        126,
        60,
        107,
        123,
        11
      ]
    },
    {
      "name": "ProposalActivated",
      "discriminator": [
        165,
        205,
        106,
        34,
        20,
        77,
        79,
        219
      ]
    },
    {
      "name": "ProposalCancelled",
      "discriminator": [
        253,
        59,
        104,
        46,
        129,
        78,
        9,
        14
      ]
    },
    {
      "name": "ProposalCreated",
      "discriminator": [
        186,
        8,
        160,
        108,
        81,
        13,
        51,
        206
      ]
    },
    {
      "name": "ProposalFinalized",
      "discriminator": [
        159,
        104,
        210,
        220,
        86,
        209,
        61,
        51
      ]
    },
    {
      "name": "ProposalRemoved",
      "discriminator": [
        13,
        249,
        1,
        16,
        69,
        10,
        182,
        90
      ]
    },
    {
      "name": "VoteCast",
      "discriminator": [
        39,
        53,
        195,
        104,
        188,
        17,
        225,
        213
      ]
    },
    {
      "name": "VoteClosed",
      "discriminator": [
        240,
        167,
        131,
        105,
        168,
        87,
        29,
        174
      ]
    },
    {
      "name": "VoterClosed",
      "discriminator": [
        216,
        186,
        79,
        181,
        177,
        108,
        176,
        138
      ]
    }
  ],
  "errors": [
    {
      "code": 6000,
      "name": "NotUpgradeAuthority",
      "msg": "only the program's upgrade authority can initialise"
    },
    {
      "code": 6001,
      "name": "AlreadyInitialized",
      "msg": "governance is initialised already"
    },
    {
      "code": 6002,
      "name": "WrongConfig",
      "msg": "not governance's configuration"
    },
    {
      "code": 6003,
      "name": "WrongMint",
      "msg": "not the GOV mint"
    },
    {
      "code": 6004,
      "name": "WrongVault",
      "msg": "not the vault"
    },
    {
      "code": 6005,
      "name": "WrongProgramData",
      "msg": "not the program data account of this program"
    },
    {
      "code": 6006,
      "name": "SettingsInvalid",
      "msg": "a setting is outside its range"
    },
    {
      "code": 6007,
      "name": "AuthorityInvalid",
      "msg": "an authority cannot be the zero address"
    },
    {
      "code": 6008,
      "name": "SupplyInvalid",
      "msg": "GOV needs a supply of at least ten base units"
    },
    {
      "code": 6009,
      "name": "NotGovernance",
      "msg": "only an executed proposal can do this"
    },
    {
      "code": 6010,
      "name": "NotGuardian",
      "msg": "only the guardian can do this"
    },
    {
      "code": 6011,
      "name": "Paused",
      "msg": "governance is paused"
    },
    {
      "code": 6012,
      "name": "PauseTooSoon",
      "msg": "the guardian can pause again only after a proposal had the time to pass"
    },
    {
      "code": 6013,
      "name": "AmountZero",
      "msg": "the amount must be above zero"
    },
    {
      "code": 6014,
      "name": "DepositTooSmall",
      "msg": "more than is deposited"
    },
    {
      "code": 6015,
      "name": "NotDeposited",
      "msg": "nothing is deposited for this wallet"
    },
    {
      "code": 6016,
      "name": "WrongVoter",
      "msg": "not this wallet's voter account"
    },
    {
      "code": 6017,
      "name": "DepositLocked",
      "msg": "the deposit is held by open votes or proposals: close them first"
    },
    {
      "code": 6018,
      "name": "DepositLeft",
      "msg": "something is deposited still"
    },
    {
      "code": 6019,
      "name": "TokenAccountUnusable",
      "msg": "the token account is missing, frozen, or not the wallet's"
    },
    {
      "code": 6020,
      "name": "AccountExists",
      "msg": "the account exists already"
    },
    {
      "code": 6021,
      "name": "ProposalDepositTooSmall",
      "msg": "the deposit is less than a proposal needs"
    },
    {
      "code": 6022,
      "name": "WrongProposal",
      "msg": "not the address of the next proposal"
    },
    {
      "code": 6023,
      "name": "ProposalClosed",
      "msg": "there is no such proposal: it was closed"
    },
    {
      "code": 6024,
      "name": "TextInvalid",
      "msg": "title and URI are UTF-8, zero-padded, and the title is not empty"
    },
    {
      "code": 6025,
      "name": "NotProposer",
      "msg": "only the proposer can do this"
    },
    {
      "code": 6026,
      "name": "NotDraft",
      "msg": "the proposal is no longer a draft"
    },
    {
      "code": 6027,
      "name": "NoInstructions",
      "msg": "the proposal holds no instruction"
    },
    {
      "code": 6028,
      "name": "TooManyInstructions",
      "msg": "one to eight instructions"
    },
    {
      "code": 6029,
      "name": "InstructionInvalid",
      "msg": "the instruction names too many accounts or too much data, or its account flags mean nothing"
    },
    {
      "code": 6030,
      "name": "SignerForbidden",
      "msg": "only the governance address can sign for an instruction"
    },
    {
      "code": 6031,
      "name": "AccountForbidden",
      "msg": "a proposal cannot name the vault or itself"
    },
    {
      "code": 6032,
      "name": "SelfCallForbidden",
      "msg": "of governance itself a proposal can change the settings and the guardian, nothing else"
    },
    {
      "code": 6033,
      "name": "HashMismatch",
      "msg": "the instructions are not those that the proposer named"
    },
    {
      "code": 6034,
      "name": "WrongRentPayer",
      "msg": "the rent is paid by, and goes back to, whoever paid for the proposal"
    },
    {
      "code": 6035,
      "name": "ChoiceInvalid",
      "msg": "choice 0 is no, 1 yes, 2 abstain"
    },
    {
      "code": 6036,
      "name": "NotVoting",
      "msg": "the proposal is not being voted on"
    },
    {
      "code": 6037,
      "name": "VotingOpen",
      "msg": "voting has not ended"
    },
    {
      "code": 6038,
      "name": "VotingEnded",
      "msg": "voting has ended"
    },
    {
      "code": 6039,
      "name": "WrongVote",
      "msg": "not this wallet's vote on this proposal"
    },
    {
      "code": 6040,
      "name": "NotQueued",
      "msg": "the proposal has not passed"
    },
    {
      "code": 6041,
      "name": "Timelocked",
      "msg": "the timelock has not run out"
    },
    {
      "code": 6042,
      "name": "Expired",
      "msg": "the proposal was not executed in time"
    },
    {
      "code": 6043,
      "name": "WrongInstruction",
      "msg": "not the proposal's next instruction"
    },
    {
      "code": 6044,
      "name": "WrongProgram",
      "msg": "not the program that the instruction names"
    },
    {
      "code": 6045,
      "name": "WrongAccounts",
      "msg": "not the accounts that the instruction names"
    },
    {
      "code": 6046,
      "name": "NotFinished",
      "msg": "the proposal can still come to something"
    },
    {
      "code": 6047,
      "name": "ArithmeticOverflow",
      "msg": "a number would pass its range"
    },
    {
      "code": 6048,
      "name": "InvariantViolated",
      "msg": "the account's numbers contradict each other"
    }
  ]
};
