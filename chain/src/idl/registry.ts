// Written by chain/scripts/sync-idl.mjs from programs/artifacts/registry.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** The registry's roles, limits and switches. `["config"]` */
export interface RegistryConfig {
  /** Names the other roles and the limits; hands itself over in two steps. */
  admin: PublicKey;
  /** Zero when no handover is under way. */
  pendingAdmin: PublicKey;
  /** Attests users and meters; never the collector. */
  registrar: PublicKey;
  /** Can only pause and suspend. */
  guardian: PublicKey;
  /** sha256(genesis hash, registry program id): the network that a meter's consent names. */
  network: Uint8Array;
  users: bigint;
  meters: bigint;
  maxRatedWatts: number;
  /** 0 each interval's surplus, 1 net over all time; fixed at initialisation. */
  policy: number;
  paused: boolean;
  bump: number;
  mintAuthorityBump: number;
  /** The most that a meter without a cap of its own mints in a day (UTC), in nkWh; 0: no cap. */
  dailyMintCap: bigint;
}

/** The configuration after a change, whole. */
export interface RegistryConfigChanged {
  admin: PublicKey;
  pendingAdmin: PublicKey;
  registrar: PublicKey;
  guardian: PublicKey;
  network: Uint8Array;
  maxRatedWatts: number;
  dailyMintCap: bigint;
  policy: number;
  paused: boolean;
}

/** Energy beyond rated power was put aside. `sequence` is what release and write-off name. */
export interface RegistryEnergyHeld {
  meter: PublicKey;
  meterId: string;
  sequence: bigint;
  amount: bigint;
  totalHeld: bigint;
}

export interface RegistryHeldReleased {
  meter: PublicKey;
  meterId: string;
  sequence: bigint;
  amount: bigint;
  authority: PublicKey;
  timestamp: bigint;
}

export interface RegistryHeldWrittenOff {
  meter: PublicKey;
  meterId: string;
  sequence: bigint;
  amount: bigint;
  authority: PublicKey;
  timestamp: bigint;
}

/** Energy beyond rated power, put aside under the sequence of the reading that claimed it. Amount 0: a free slot. */
export interface RegistryHold {
  sequence: bigint;
  amount: bigint;
}

/** A meter. Never closed; sequence, totals and last end outlive keys and owners. `["meter", meter id]` */
export interface RegistryMeter {
  meterId: string;
  owner: PublicKey;
  publicKey: PublicKey;
  /** The owner's associated GRID account, worked out once. */
  tokenAccount: PublicKey;
  lastSequence: bigint;
  producedTotal: bigint;
  consumedTotal: bigint;
  surplusTotal: bigint;
  /** How far the policy has counted: the surplus total, or the highest net production so far. */
  basis: bigint;
  /** May be settled. */
  eligible: bigint;
  /** May be minted. */
  settled: bigint;
  minted: bigint;
  /** The sum of `holds`. */
  held: bigint;
  registeredAt: bigint;
  holds: RegistryHold[];
  /** End of the last accepted interval; the registration time before the first. */
  lastEnd: number;
  ratedWatts: number;
  /** 0 active, 1 suspended, 2 the next reading only sets a new base. */
  status: number;
  bump: number;
  /** The most that is minted in a day (UTC), in nkWh; 0: the registry's. */
  dailyMintCap: bigint;
  /** What was minted on the day `minted_on`. */
  mintedToday: bigint;
  /** Days since 1 January 1970 (UTC). */
  mintedOn: bigint;
  /** What was settled when the meter last changed owners; all up to there was a former owner's. */
  settledAtTransfer: bigint;
  /** `last_end` at that time. */
  endAtTransfer: number;
  /** How often the meter changed owners. */
  transfers: number;
}

/** A meter's settled balance rose. */
export interface RegistryMeterBalanceSettled {
  meter: PublicKey;
  meterId: string;
  owner: PublicKey;
  newTokens: bigint;
  totalSettled: bigint;
  timestamp: bigint;
}

/** A meter got a daily cap of its own; 0: the registry's again. */
export interface RegistryMeterCapChanged {
  meter: PublicKey;
  meterId: string;
  dailyMintCap: bigint;
  authority: PublicKey;
  timestamp: bigint;
}

/** Marks an Ed25519 key as used by a meter, for ever: these accounts are never closed. `["meter-key", public key]` */
export interface RegistryMeterKey {
  meter: PublicKey;
  publicKey: PublicKey;
  /** When it became the meter's key. */
  since: bigint;
  /** When another key took its place; 0 before that. */
  until: bigint;
  active: boolean;
  bump: number;
}

export interface RegistryMeterKeyRotated {
  meter: PublicKey;
  meterId: string;
  owner: PublicKey;
  oldPublicKey: PublicKey;
  newPublicKey: PublicKey;
  timestamp: bigint;
}

/** A signed reading was accepted; all of its 48 bytes can be put together again from here. */
export interface RegistryMeterReadingSubmitted {
  meter: PublicKey;
  meterId: string;
  publicKey: PublicKey;
  sequence: bigint;
  producedTotal: bigint;
  consumedTotal: bigint;
  surplusTotal: bigint;
  /** Became eligible. */
  counted: bigint;
  /** Beyond rated power: waits for release or write-off. */
  held: bigint;
  intervalStart: number;
  intervalEnd: number;
  flags: number;
  /** 1 when this reading only set a new base. */
  rebased: boolean;
}

export interface RegistryMeterRegistered {
  meter: PublicKey;
  meterId: string;
  owner: PublicKey;
  publicKey: PublicKey;
  tokenAccount: PublicKey;
  ratedWatts: number;
  timestamp: bigint;
}

/** `status`: 0 active, 1 suspended, 2 active again from the next reading on, which counts nothing. */
export interface RegistryMeterStatusChanged {
  meter: PublicKey;
  meterId: string;
  status: number;
  authority: PublicKey;
  timestamp: bigint;
}

export interface RegistryMeterTransferred {
  meter: PublicKey;
  meterId: string;
  oldOwner: PublicKey;
  newOwner: PublicKey;
  tokenAccount: PublicKey;
  timestamp: bigint;
}

/** The day's cap put a mint off, whole or part: `deferred` is settled and still to be minted. */
export interface RegistryMintDeferred {
  meter: PublicKey;
  meterId: string;
  deferred: bigint;
  /** On the day `day`, this mint included. */
  mintedToday: bigint;
  totalMinted: bigint;
  /** Days since 1 January 1970 (UTC). */
  day: bigint;
}

export interface RegistryPausedSet {
  paused: boolean;
  authority: PublicKey;
  timestamp: bigint;
}

/** A wallet that owns meters. `["user", wallet]` */
export interface RegistryUser {
  wallet: PublicKey;
  registeredAt: bigint;
  /** Meters that the wallet owns now. */
  meters: number;
  /** Set by the registrar; only a verified user's readings count. */
  verified: boolean;
  bump: number;
}

export interface RegistryUserRegistered {
  user: PublicKey;
  wallet: PublicKey;
  timestamp: bigint;
}

export interface RegistryUserVerified {
  user: PublicKey;
  wallet: PublicKey;
  verified: boolean;
  timestamp: bigint;
}

/** Accounts by name. */
export interface RegistryAccounts {
  Config: RegistryConfig;
  Meter: RegistryMeter;
  MeterKey: RegistryMeterKey;
  User: RegistryUser;
}

/** Events by name. */
export interface RegistryEvents {
  ConfigChanged: RegistryConfigChanged;
  EnergyHeld: RegistryEnergyHeld;
  HeldReleased: RegistryHeldReleased;
  HeldWrittenOff: RegistryHeldWrittenOff;
  MeterBalanceSettled: RegistryMeterBalanceSettled;
  MeterCapChanged: RegistryMeterCapChanged;
  MeterKeyRotated: RegistryMeterKeyRotated;
  MeterReadingSubmitted: RegistryMeterReadingSubmitted;
  MeterRegistered: RegistryMeterRegistered;
  MeterStatusChanged: RegistryMeterStatusChanged;
  MeterTransferred: RegistryMeterTransferred;
  MintDeferred: RegistryMintDeferred;
  PausedSet: RegistryPausedSet;
  UserRegistered: RegistryUserRegistered;
  UserVerified: RegistryUserVerified;
}

/** Instructions' arguments by name. */
export interface RegistryArgs {
  submit_and_mint: Record<never, never>;
  submit_meter_reading: Record<never, never>;
  settle_and_mint_tokens: Record<never, never>;
  settle_meter_balance: Record<never, never>;
  get_unsettled_balance: Record<never, never>;
  initialize: { network: Uint8Array; policy: number; registrar: PublicKey; guardian: PublicKey; maxRatedWatts: number };
  register_user: Record<never, never>;
  verify_user: { verified: boolean };
  register_meter: { meterId: string; publicKey: PublicKey; ratedWatts: number };
  rotate_meter_key: { newPublicKey: PublicKey };
  transfer_meter: Record<never, never>;
  set_meter_status: { status: number };
  release_held: { sequence: bigint };
  write_off_held: { sequence: bigint };
  set_paused: { paused: boolean };
  propose_admin: { newAdmin: PublicKey };
  accept_admin: Record<never, never>;
  set_registrar: { newRegistrar: PublicKey };
  set_guardian: { newGuardian: PublicKey };
  set_limits: { maxRatedWatts: number; dailyMintCap: bigint };
  set_meter_cap: { dailyMintCap: bigint };
}

/** Instructions' accounts by name. */
export interface RegistryKeys {
  submit_and_mint: { config: PublicKey; instructions: PublicKey; mintAuthority: PublicKey; tokenConfig: PublicKey; gridMint: PublicKey; energyTokenProgram: PublicKey; tokenProgram: PublicKey };
  submit_meter_reading: { config: PublicKey; user: PublicKey; meter: PublicKey; instructions: PublicKey };
  settle_and_mint_tokens: { config: PublicKey; meter: PublicKey; ownerTokenAccount: PublicKey; mintAuthority: PublicKey; tokenConfig: PublicKey; gridMint: PublicKey; energyTokenProgram: PublicKey; tokenProgram: PublicKey };
  settle_meter_balance: { config: PublicKey; meter: PublicKey };
  get_unsettled_balance: { meter: PublicKey };
  initialize: { authority: PublicKey; config: PublicKey; programData: PublicKey; systemProgram: PublicKey };
  register_user: { payer: PublicKey; wallet: PublicKey; config: PublicKey; user: PublicKey; systemProgram: PublicKey };
  verify_user: { registrar: PublicKey; config: PublicKey; user: PublicKey };
  register_meter: { payer: PublicKey; owner: PublicKey; registrar: PublicKey; config: PublicKey; user: PublicKey; meter: PublicKey; meterKey: PublicKey; instructions: PublicKey; systemProgram: PublicKey };
  rotate_meter_key: { payer: PublicKey; owner: PublicKey; registrar: PublicKey; config: PublicKey; meter: PublicKey; oldMeterKey: PublicKey; newMeterKey: PublicKey; instructions: PublicKey; systemProgram: PublicKey };
  transfer_meter: { oldOwner: PublicKey; registrar: PublicKey; config: PublicKey; meter: PublicKey; oldUser: PublicKey; newUser: PublicKey; instructions: PublicKey; ownerTokenAccount: PublicKey; mintAuthority: PublicKey; tokenConfig: PublicKey; gridMint: PublicKey; energyTokenProgram: PublicKey; tokenProgram: PublicKey };
  set_meter_status: { authority: PublicKey; config: PublicKey; meter: PublicKey };
  release_held: { authority: PublicKey; config: PublicKey; meter: PublicKey };
  write_off_held: { authority: PublicKey; config: PublicKey; meter: PublicKey };
  set_paused: { authority: PublicKey; config: PublicKey };
  propose_admin: { admin: PublicKey; config: PublicKey };
  accept_admin: { newAdmin: PublicKey; config: PublicKey };
  set_registrar: { admin: PublicKey; config: PublicKey };
  set_guardian: { admin: PublicKey; config: PublicKey };
  set_limits: { admin: PublicKey; config: PublicKey };
  set_meter_cap: { authority: PublicKey; config: PublicKey; meter: PublicKey };
}

/** Errors' codes by name. */
export interface RegistryErrors {
  NotUpgradeAuthority: 6000;
  AlreadyInitialized: 6001;
  PolicyInvalid: 6002;
  LimitInvalid: 6003;
  AuthorityInvalid: 6004;
  Paused: 6005;
  NotAdmin: 6006;
  NotPendingAdmin: 6007;
  NotRegistrar: 6008;
  NotAuthorized: 6009;
  WrongConfig: 6010;
  WrongProgramData: 6011;
  UserAlreadyRegistered: 6012;
  UserNotVerified: 6013;
  UserMismatch: 6014;
  MeterIdInvalid: 6015;
  MeterAlreadyRegistered: 6016;
  KeyAlreadyUsed: 6017;
  WrongMeterKey: 6018;
  RatedPowerInvalid: 6019;
  NotMeterOwner: 6020;
  StatusInvalid: 6021;
  StatusUnchanged: 6022;
  MeterSuspended: 6023;
  SignatureMissing: 6024;
  SignatureCount: 6025;
  SignatureOffsets: 6026;
  KeyMismatch: 6027;
  MessageInvalid: 6028;
  ConsentMismatch: 6029;
  SequenceNotHigher: 6030;
  SequenceJump: 6031;
  IntervalInvalid: 6032;
  EndNotLater: 6033;
  EndInFuture: 6034;
  TotalsDecreased: 6035;
  TotalsInconsistent: 6036;
  BatchSize: 6037;
  DuplicateMeter: 6038;
  NoUnsettledBalance: 6039;
  HeldEnergyPending: 6040;
  HoldNotFound: 6041;
  WrongTokenAccount: 6042;
  TokenAccountUnusable: 6043;
  WrongMintAuthority: 6044;
  WrongTokenConfig: 6045;
  WrongMint: 6046;
  WrongEnergyTokenProgram: 6047;
  ArithmeticOverflow: 6048;
  InvariantViolated: 6049;
  DailyMintCapReached: 6050;
}

export const registryIdl: Idl = {
  "address": "AS6vsB8coXaS6hHU6qcD4ZfHJREejj975KgDis7rDWpK",
  "metadata": {
    "name": "registry",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Users, meters and what meters signed: the one place where energy becomes eligible for GRID."
  },
  "instructions": [
    {
      "name": "submit_and_mint",
      "docs": [
        "Accepts one to five meters' signed readings and mints what becomes due. Signature i of the Ed25519 instruction",
        "right before belongs to meter i; each meter brings three accounts: meter (writable), its owner's user account,",
        "the owner's GRID account (writable). A meter with nothing to mint, or whose day's cap is reached, is accepted",
        "without a mint."
      ],
      "discriminator": [
        215,
        135,
        193,
        60,
        209,
        37,
        236,
        62
      ],
      "accounts": [
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "instructions",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "mint_authority",
          "address": "FJt93daL9SRvqyPgX3zqYvjJpSRwPFA8RiGBQ58wqi8N"
        },
        {
          "name": "token_config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "grid_mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "energy_token_program",
          "address": "7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B"
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        }
      ],
      "args": []
    },
    {
      "name": "submit_meter_reading",
      "docs": [
        "Accepts one signed reading; the Ed25519 instruction right before holds its signature."
      ],
      "discriminator": [
        181,
        247,
        196,
        139,
        78,
        88,
        192,
        206
      ],
      "accounts": [
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "user",
          "docs": [
            "The meter owner's."
          ]
        },
        {
          "name": "meter",
          "writable": true
        },
        {
          "name": "instructions",
          "address": "Sysvar1nstructions1111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "settle_and_mint_tokens",
      "docs": [
        "Settles all that is eligible and mints all that is settled to the owner, as far as the day's cap lets it; returns",
        "the amount minted. Anybody can call it: the destination is fixed."
      ],
      "discriminator": [
        51,
        103,
        164,
        65,
        160,
        57,
        142,
        220
      ],
      "accounts": [
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        },
        {
          "name": "owner_token_account",
          "writable": true
        },
        {
          "name": "mint_authority",
          "address": "FJt93daL9SRvqyPgX3zqYvjJpSRwPFA8RiGBQ58wqi8N"
        },
        {
          "name": "token_config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "grid_mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "energy_token_program",
          "address": "7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B"
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        }
      ],
      "args": [],
      "returns": "u64"
    },
    {
      "name": "settle_meter_balance",
      "docs": [
        "Settles all that is eligible without minting it; returns by how much the settled balance rose."
      ],
      "discriminator": [
        178,
        46,
        241,
        202,
        53,
        99,
        79,
        119
      ],
      "accounts": [
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        }
      ],
      "args": [],
      "returns": "u64"
    },
    {
      "name": "get_unsettled_balance",
      "docs": [
        "Returns what a settlement would settle now."
      ],
      "discriminator": [
        178,
        120,
        95,
        9,
        18,
        81,
        181,
        83
      ],
      "accounts": [
        {
          "name": "meter"
        }
      ],
      "args": [],
      "returns": "u64"
    },
    {
      "name": "initialize",
      "docs": [
        "Sets the registry up. Only the program's upgrade authority can; it becomes the admin."
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
            "The program's upgrade authority; pays and becomes the admin."
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "program_data",
          "address": "AWDEvKkLvndTng8WJnik9g68cUwsQfFUexFq1pFX7B4v"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "network",
          "type": {
            "array": [
              "u8",
              32
            ]
          }
        },
        {
          "name": "policy",
          "type": "u8"
        },
        {
          "name": "registrar",
          "type": "pubkey"
        },
        {
          "name": "guardian",
          "type": "pubkey"
        },
        {
          "name": "max_rated_watts",
          "type": "u32"
        }
      ]
    },
    {
      "name": "register_user",
      "docs": [
        "Registers a wallet, which signs."
      ],
      "discriminator": [
        2,
        241,
        150,
        223,
        99,
        214,
        116,
        97
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "user",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  117,
                  115,
                  101,
                  114
                ]
              },
              {
                "kind": "account",
                "path": "wallet"
              }
            ]
          }
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "verify_user",
      "docs": [
        "The registrar verifies a user, or takes that back."
      ],
      "discriminator": [
        127,
        54,
        157,
        106,
        85,
        167,
        116,
        119
      ],
      "accounts": [
        {
          "name": "registrar",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "user",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "verified",
          "type": "bool"
        }
      ]
    },
    {
      "name": "register_meter",
      "docs": [
        "Registers a meter for its owner. The registrar attests that the key sits in a real meter of that power; the",
        "key's own consent (GTXM) is in the Ed25519 instruction right before."
      ],
      "discriminator": [
        49,
        106,
        87,
        72,
        138,
        214,
        224,
        125
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "owner",
          "signer": true
        },
        {
          "name": "registrar",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "user",
          "writable": true
        },
        {
          "name": "meter",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  109,
                  101,
                  116,
                  101,
                  114
                ]
              },
              {
                "kind": "arg",
                "path": "meter_id"
              }
            ]
          }
        },
        {
          "name": "meter_key",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  109,
                  101,
                  116,
                  101,
                  114,
                  45,
                  107,
                  101,
                  121
                ]
              },
              {
                "kind": "arg",
                "path": "public_key"
              }
            ]
          }
        },
        {
          "name": "instructions",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "meter_id",
          "type": {
            "array": [
              "u8",
              32
            ]
          }
        },
        {
          "name": "public_key",
          "type": "pubkey"
        },
        {
          "name": "rated_watts",
          "type": "u32"
        }
      ]
    },
    {
      "name": "rotate_meter_key",
      "docs": [
        "Replaces a meter's key for ever. The new key's consent (GTXM) is in the Ed25519 instruction right before."
      ],
      "discriminator": [
        115,
        18,
        181,
        162,
        198,
        164,
        210,
        76
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true
        },
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "meter"
          ]
        },
        {
          "name": "registrar",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        },
        {
          "name": "old_meter_key",
          "writable": true
        },
        {
          "name": "new_meter_key",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  109,
                  101,
                  116,
                  101,
                  114,
                  45,
                  107,
                  101,
                  121
                ]
              },
              {
                "kind": "arg",
                "path": "new_public_key"
              }
            ]
          }
        },
        {
          "name": "instructions",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "new_public_key",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "transfer_meter",
      "docs": [
        "Gives a meter to another user, after minting what is due to the old owner. The key's consent (GTXM) to the new",
        "owner is in the Ed25519 instruction right before."
      ],
      "discriminator": [
        64,
        94,
        242,
        109,
        2,
        189,
        38,
        22
      ],
      "accounts": [
        {
          "name": "old_owner",
          "signer": true,
          "address": "meter.owner"
        },
        {
          "name": "registrar",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        },
        {
          "name": "old_user",
          "writable": true
        },
        {
          "name": "new_user",
          "writable": true,
          "docs": [
            "The user whom the key's consent names."
          ]
        },
        {
          "name": "instructions",
          "address": "Sysvar1nstructions1111111111111111111111111"
        },
        {
          "name": "owner_token_account",
          "writable": true,
          "docs": [
            "The old owner's; used only when something is due."
          ]
        },
        {
          "name": "mint_authority",
          "address": "FJt93daL9SRvqyPgX3zqYvjJpSRwPFA8RiGBQ58wqi8N"
        },
        {
          "name": "token_config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "grid_mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "energy_token_program",
          "address": "7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B"
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        }
      ],
      "args": []
    },
    {
      "name": "set_meter_status",
      "docs": [
        "0 activates a suspended meter, whose next reading counts nothing; 1 suspends."
      ],
      "discriminator": [
        201,
        50,
        114,
        251,
        180,
        1,
        95,
        124
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "docs": [
            "Registrar or admin; the guardian can only suspend."
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "status",
          "type": "u8"
        }
      ]
    },
    {
      "name": "release_held",
      "docs": [
        "Makes the energy held under a sequence eligible."
      ],
      "discriminator": [
        201,
        30,
        118,
        156,
        202,
        56,
        98,
        102
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "docs": [
            "Registrar or admin."
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "sequence",
          "type": "u64"
        }
      ]
    },
    {
      "name": "write_off_held",
      "docs": [
        "Gives up the energy held under a sequence."
      ],
      "discriminator": [
        244,
        181,
        143,
        71,
        86,
        239,
        46,
        208
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "docs": [
            "Registrar or admin."
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "sequence",
          "type": "u64"
        }
      ]
    },
    {
      "name": "set_paused",
      "docs": [
        "Stops or resumes everything that registers, counts, settles or mints. The guardian can only stop."
      ],
      "discriminator": [
        91,
        60,
        125,
        192,
        176,
        225,
        166,
        218
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "docs": [
            "The admin; the guardian can only pause."
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        }
      ],
      "args": [
        {
          "name": "paused",
          "type": "bool"
        }
      ]
    },
    {
      "name": "propose_admin",
      "docs": [
        "Names the next admin, who must accept; the zero address withdraws the proposal."
      ],
      "discriminator": [
        121,
        214,
        199,
        212,
        87,
        39,
        117,
        234
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        }
      ],
      "args": [
        {
          "name": "new_admin",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "accept_admin",
      "docs": [
        "The proposed admin takes over."
      ],
      "discriminator": [
        112,
        42,
        45,
        90,
        116,
        181,
        13,
        170
      ],
      "accounts": [
        {
          "name": "new_admin",
          "signer": true,
          "address": "config.pending_admin"
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        }
      ],
      "args": []
    },
    {
      "name": "set_registrar",
      "discriminator": [
        218,
        97,
        53,
        173,
        221,
        199,
        57,
        136
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        }
      ],
      "args": [
        {
          "name": "new_registrar",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "set_guardian",
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
          "name": "admin",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
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
      "name": "set_limits",
      "docs": [
        "The largest rated power that a meter can be registered with from now on, and the most that a meter without a cap",
        "of its own mints in a day (UTC), in nkWh; 0: no cap."
      ],
      "discriminator": [
        207,
        50,
        250,
        67,
        211,
        33,
        70,
        91
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        }
      ],
      "args": [
        {
          "name": "max_rated_watts",
          "type": "u32"
        },
        {
          "name": "daily_mint_cap",
          "type": "u64"
        }
      ]
    },
    {
      "name": "set_meter_cap",
      "docs": [
        "The most that this meter mints in a day (UTC), in nkWh, whatever the registry's cap is; 0: the registry's. What",
        "is above a cap stays settled, and is minted on a later day."
      ],
      "discriminator": [
        103,
        116,
        106,
        48,
        134,
        59,
        188,
        122
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "docs": [
            "Registrar or admin."
          ]
        },
        {
          "name": "config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "daily_mint_cap",
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
        5,
        115,
        227,
        240,
        63,
        166,
        206,
        182
      ],
      "name": "Meter"
    },
    {
      "discriminator": [
        145,
        2,
        134,
        214,
        239,
        156,
        206,
        238
      ],
      "name": "MeterKey"
    },
    {
      "discriminator": [
        159,
        117,
        95,
        227,
        239,
        151,
        58,
        236
      ],
      "name": "User"
    }
  ],
  "types": [
    {
      "docs": [
        "The registry's roles, limits and switches. `[\"config\"]`"
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
              "Names the other roles and the limits; hands itself over in two steps."
            ],
            "name": "admin",
            "type": "pubkey"
          },
          {
            "docs": [
              "Zero when no handover is under way."
            ],
            "name": "pending_admin",
            "type": "pubkey"
          },
          {
            "docs": [
              "Attests users and meters; never the collector."
            ],
            "name": "registrar",
            "type": "pubkey"
          },
          {
            "docs": [
              "Can only pause and suspend."
            ],
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "docs": [
              "sha256(genesis hash, registry program id): the network that a meter's consent names."
            ],
            "name": "network",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "users",
            "type": "u64"
          },
          {
            "name": "meters",
            "type": "u64"
          },
          {
            "name": "max_rated_watts",
            "type": "u32"
          },
          {
            "docs": [
              "0 each interval's surplus, 1 net over all time; fixed at initialisation."
            ],
            "name": "policy",
            "type": "u8"
          },
          {
            "name": "paused",
            "type": "u8"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "mint_authority_bump",
            "type": "u8"
          },
          {
            "docs": [
              "The most that a meter without a cap of its own mints in a day (UTC), in nkWh; 0: no cap."
            ],
            "name": "daily_mint_cap",
            "type": "u64"
          },
          {
            "docs": [
              "Room for what comes later without moving accounts."
            ],
            "name": "reserved",
            "type": {
              "array": [
                "u64",
                7
              ]
            }
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "The configuration after a change, whole."
      ],
      "name": "ConfigChanged",
      "type": {
        "fields": [
          {
            "name": "admin",
            "type": "pubkey"
          },
          {
            "name": "pending_admin",
            "type": "pubkey"
          },
          {
            "name": "registrar",
            "type": "pubkey"
          },
          {
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "name": "network",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "max_rated_watts",
            "type": "u32"
          },
          {
            "name": "daily_mint_cap",
            "type": "u64"
          },
          {
            "name": "policy",
            "type": "u8"
          },
          {
            "name": "paused",
            "type": "bool"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "Energy beyond rated power was put aside. `sequence` is what release and write-off name."
      ],
      "name": "EnergyHeld",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "sequence",
            "type": "u64"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "total_held",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "HeldReleased",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "sequence",
            "type": "u64"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "authority",
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
      "name": "HeldWrittenOff",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "sequence",
            "type": "u64"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "authority",
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
        "Energy beyond rated power, put aside under the sequence of the reading that claimed it. Amount 0: a free slot."
      ],
      "name": "Hold",
      "type": {
        "fields": [
          {
            "name": "sequence",
            "type": "u64"
          },
          {
            "name": "amount",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A meter. Never closed; sequence, totals and last end outlive keys and owners. `[\"meter\", meter id]`"
      ],
      "name": "Meter",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "public_key",
            "type": "pubkey"
          },
          {
            "docs": [
              "The owner's associated GRID account, worked out once."
            ],
            "name": "token_account",
            "type": "pubkey"
          },
          {
            "name": "last_sequence",
            "type": "u64"
          },
          {
            "name": "produced_total",
            "type": "u64"
          },
          {
            "name": "consumed_total",
            "type": "u64"
          },
          {
            "name": "surplus_total",
            "type": "u64"
          },
          {
            "docs": [
              "How far the policy has counted: the surplus total, or the highest net production so far."
            ],
            "name": "basis",
            "type": "u64"
          },
          {
            "docs": [
              "May be settled."
            ],
            "name": "eligible",
            "type": "u64"
          },
          {
            "docs": [
              "May be minted."
            ],
            "name": "settled",
            "type": "u64"
          },
          {
            "name": "minted",
            "type": "u64"
          },
          {
            "docs": [
              "The sum of `holds`."
            ],
            "name": "held",
            "type": "u64"
          },
          {
            "name": "registered_at",
            "type": "i64"
          },
          {
            "name": "holds",
            "type": {
              "array": [
                {
                  "defined": {
                    "name": "Hold"
                  }
                },
                4
              ]
            }
          },
          {
            "docs": [
              "End of the last accepted interval; the registration time before the first."
            ],
            "name": "last_end",
            "type": "u32"
          },
          {
            "name": "rated_watts",
            "type": "u32"
          },
          {
            "docs": [
              "0 active, 1 suspended, 2 the next reading only sets a new base."
            ],
            "name": "status",
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
          },
          {
            "docs": [
              "The most that is minted in a day (UTC), in nkWh; 0: the registry's."
            ],
            "name": "daily_mint_cap",
            "type": "u64"
          },
          {
            "docs": [
              "What was minted on the day `minted_on`."
            ],
            "name": "minted_today",
            "type": "u64"
          },
          {
            "docs": [
              "Days since 1 January 1970 (UTC)."
            ],
            "name": "minted_on",
            "type": "u64"
          },
          {
            "docs": [
              "Room for what comes later without moving accounts."
            ],
            "name": "reserved",
            "type": {
              "array": [
                "u64",
                3
              ]
            }
          },
          {
            "docs": [
              "What was settled when the meter last changed owners; all up to there was a former owner's."
            ],
            "name": "settled_at_transfer",
            "type": "u64"
          },
          {
            "docs": [
              "`last_end` at that time."
            ],
            "name": "end_at_transfer",
            "type": "u32"
          },
          {
            "docs": [
              "How often the meter changed owners."
            ],
            "name": "transfers",
            "type": "u32"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A meter's settled balance rose."
      ],
      "name": "MeterBalanceSettled",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "new_tokens",
            "type": "u64"
          },
          {
            "name": "total_settled",
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
        "A meter got a daily cap of its own; 0: the registry's again."
      ],
      "name": "MeterCapChanged",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "daily_mint_cap",
            "type": "u64"
          },
          {
            "name": "authority",
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
        "Marks an Ed25519 key as used by a meter, for ever: these accounts are never closed. `[\"meter-key\", public key]`"
      ],
      "name": "MeterKey",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "public_key",
            "type": "pubkey"
          },
          {
            "docs": [
              "When it became the meter's key."
            ],
            "name": "since",
            "type": "i64"
          },
          {
            "docs": [
              "When another key took its place; 0 before that."
            ],
            "name": "until",
            "type": "i64"
          },
          {
            "name": "active",
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
      "name": "MeterKeyRotated",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "old_public_key",
            "type": "pubkey"
          },
          {
            "name": "new_public_key",
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
        "A signed reading was accepted; all of its 48 bytes can be put together again from here."
      ],
      "name": "MeterReadingSubmitted",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "public_key",
            "type": "pubkey"
          },
          {
            "name": "sequence",
            "type": "u64"
          },
          {
            "name": "produced_total",
            "type": "u64"
          },
          {
            "name": "consumed_total",
            "type": "u64"
          },
          {
            "name": "surplus_total",
            "type": "u64"
          },
          {
            "docs": [
              "Became eligible."
            ],
            "name": "counted",
            "type": "u64"
          },
          {
            "docs": [
              "Beyond rated power: waits for release or write-off."
            ],
            "name": "held",
            "type": "u64"
          },
          {
            "name": "interval_start",
            "type": "u32"
          },
          {
            "name": "interval_end",
            "type": "u32"
          },
          {
            "name": "flags",
            "type": "u32"
          },
          {
            "docs": [
              "1 when this reading only set a new base."
            ],
            "name": "rebased",
            "type": "u32"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "MeterRegistered",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "public_key",
            "type": "pubkey"
          },
          {
            "name": "token_account",
            "type": "pubkey"
          },
          {
            "name": "rated_watts",
            "type": "u32"
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
        "`status`: 0 active, 1 suspended, 2 active again from the next reading on, which counts nothing."
      ],
      "name": "MeterStatusChanged",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "status",
            "type": "u8"
          },
          {
            "name": "authority",
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
      "name": "MeterTransferred",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "old_owner",
            "type": "pubkey"
          },
          {
            "name": "new_owner",
            "type": "pubkey"
          },
          {
            "name": "token_account",
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
        "The day's cap put a mint off, whole or part: `deferred` is settled and still to be minted."
      ],
      "name": "MintDeferred",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "meter_id",
            "type": {
              "array": [
                "u8",
                32
              ]
            }
          },
          {
            "name": "deferred",
            "type": "u64"
          },
          {
            "docs": [
              "On the day `day`, this mint included."
            ],
            "name": "minted_today",
            "type": "u64"
          },
          {
            "name": "total_minted",
            "type": "u64"
          },
          {
            "docs": [
              "Days since 1 January 1970 (UTC)."
            ],
            "name": "day",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "name": "PausedSet",
      "type": {
        "fields": [
          {
            "name": "paused",
            "type": "bool"
          },
          {
            "name": "authority",
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
        "A wallet that owns meters. `[\"user\", wallet]`"
      ],
      "name": "User",
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
            "name": "registered_at",
            "type": "i64"
          },
          {
            "docs": [
              "Meters that the wallet owns now."
            ],
            "name": "meters",
            "type": "u32"
          },
          {
            "docs": [
              "Set by the registrar; only a verified user's readings count."
            ],
            "name": "verified",
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
      "name": "UserRegistered",
      "type": {
        "fields": [
          {
            "name": "user",
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
      "name": "UserVerified",
      "type": {
        "fields": [
          {
            "name": "user",
            "type": "pubkey"
          },
          {
            "name": "wallet",
            "type": "pubkey"
          },
          {
            "name": "verified",
            "type": "bool"
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
      "name": "ConfigChanged",
      "discriminator": [
        147,
        25,
        86,
        98,
        98,
        77,
        78,
        192
      ]
    },
    {
      "name": "EnergyHeld",
      "discriminator": [
        84,
        41,
        218,
        10,
        239,
        8,
        220,
        153
      ]
    },
    {
      "name": "HeldReleased",
      "discriminator": [
        150,
        145,
        242,
        146,
        66,
        119,
        242,
        200
      ]
    },
    {
      "name": "HeldWrittenOff",
      "discriminator": [
        194,
        234,
        226,
        198,
        186,
        38,
        152,
        102
      ]
    },
    {
      "name": "MeterBalanceSettled",
      "discriminator": [
        30,
        26,
        22,
        204,
        7,
        250,
        157,
        33
      ]
    },
    {
      "name": "MeterCapChanged",
      "discriminator": [
        198,
        16,
        141,
        88,
        101,
        123,
        145,
        255
      ]
    },
    {
      "name": "MeterKeyRotated",
      "discriminator": [
        139,
        42,
        116,
        164,
        91,
        254,
        202,
        224
      ]
    },
    {
      "name": "MeterReadingSubmitted",
      "discriminator": [
        116,
        23,
        180,
        91,
        180,
        227,
        160,
        141
      ]
    },
    {
      "name": "MeterRegistered",
      "discriminator": [
        148,
        168,
        114,
        254,
        79,
        45,
        218,
        143
      ]
    },
    {
      "name": "MeterStatusChanged",
      "discriminator": [
        116,
        151,
        128,
        151,
        111,
        64,
        255,
        66
      ]
    },
    {
      "name": "MeterTransferred",
      "discriminator": [
        232,
        62,
        29,
        205,
        48,
        39,
        92,
        185
      ]
    },
    {
      "name": "MintDeferred",
      "discriminator": [
        228,
        85,
        214,
        218,
        171,
        209,
        102,
        5
      ]
    },
    {
      "name": "PausedSet",
      "discriminator": [
        171,
        125,
        127,
        156,
        233,
        81,
        68,
        66
      ]
    },
    {
      "name": "UserRegistered",
      "discriminator": [
        21,
        42,
        216,
        163,
        99,
        51,
        200,
        222
      ]
    },
    {
      "name": "UserVerified",
      "discriminator": [
        191,
        18,
        15,
        86,
        86,
        109,
        153,
        63
      ]
    }
  ],
  "errors": [
    {
      "code": 6000,
      "name": "NotUpgradeAuthority",
      "msg": "only the program's upgrade authority can initialise it"
    },
    {
      "code": 6001,
      "name": "AlreadyInitialized",
      "msg": "the registry is initialised already"
    },
    {
      "code": 6002,
      "name": "PolicyInvalid",
      "msg": "the policy is 0 (each interval's surplus) or 1 (net over all time)"
    },
    {
      "code": 6003,
      "name": "LimitInvalid",
      "msg": "the largest rated power must be above zero"
    },
    {
      "code": 6004,
      "name": "AuthorityInvalid",
      "msg": "an authority cannot be the zero address"
    },
    {
      "code": 6005,
      "name": "Paused",
      "msg": "the registry is paused"
    },
    {
      "code": 6006,
      "name": "NotAdmin",
      "msg": "only the admin can do this"
    },
    {
      "code": 6007,
      "name": "NotPendingAdmin",
      "msg": "only the proposed admin can accept"
    },
    {
      "code": 6008,
      "name": "NotRegistrar",
      "msg": "the registrar has not signed"
    },
    {
      "code": 6009,
      "name": "NotAuthorized",
      "msg": "this authority may not do this"
    },
    {
      "code": 6010,
      "name": "WrongConfig",
      "msg": "not the registry's configuration account"
    },
    {
      "code": 6011,
      "name": "WrongProgramData",
      "msg": "not the registry's program data account"
    },
    {
      "code": 6012,
      "name": "UserAlreadyRegistered",
      "msg": "the wallet is registered already"
    },
    {
      "code": 6013,
      "name": "UserNotVerified",
      "msg": "the owner is not verified"
    },
    {
      "code": 6014,
      "name": "UserMismatch",
      "msg": "the user account is another wallet's"
    },
    {
      "code": 6015,
      "name": "MeterIdInvalid",
      "msg": "a meter id is 1 to 32 of A-Z a-z 0-9 . _ -, starting with a letter or digit, zero-padded"
    },
    {
      "code": 6016,
      "name": "MeterAlreadyRegistered",
      "msg": "the meter id is registered already"
    },
    {
      "code": 6017,
      "name": "KeyAlreadyUsed",
      "msg": "the key belongs or belonged to a meter"
    },
    {
      "code": 6018,
      "name": "WrongMeterKey",
      "msg": "the key account is not that of the meter's current key"
    },
    {
      "code": 6019,
      "name": "RatedPowerInvalid",
      "msg": "rated power must be above zero and within the registry's limit"
    },
    {
      "code": 6020,
      "name": "NotMeterOwner",
      "msg": "the meter belongs to another wallet"
    },
    {
      "code": 6021,
      "name": "StatusInvalid",
      "msg": "status 0 activates, status 1 suspends"
    },
    {
      "code": 6022,
      "name": "StatusUnchanged",
      "msg": "the meter has that status already"
    },
    {
      "code": 6023,
      "name": "MeterSuspended",
      "msg": "the meter is suspended"
    },
    {
      "code": 6024,
      "name": "SignatureMissing",
      "msg": "the instruction before this one must be the Ed25519 program's"
    },
    {
      "code": 6025,
      "name": "SignatureCount",
      "msg": "there must be one signature for each meter, and no other"
    },
    {
      "code": 6026,
      "name": "SignatureOffsets",
      "msg": "signature, key and message must lie in the Ed25519 instruction itself"
    },
    {
      "code": 6027,
      "name": "KeyMismatch",
      "msg": "the signature is another key's, not the meter's"
    },
    {
      "code": 6028,
      "name": "MessageInvalid",
      "msg": "the signed message has the wrong length or magic"
    },
    {
      "code": 6029,
      "name": "ConsentMismatch",
      "msg": "the meter's consent names another network, meter or owner"
    },
    {
      "code": 6030,
      "name": "SequenceNotHigher",
      "msg": "the sequence is not higher than the last one"
    },
    {
      "code": 6031,
      "name": "SequenceJump",
      "msg": "the sequence is more than 1,000,000 above the last one"
    },
    {
      "code": 6032,
      "name": "IntervalInvalid",
      "msg": "the interval does not end after its start"
    },
    {
      "code": 6033,
      "name": "EndNotLater",
      "msg": "the interval does not end after the last accepted one"
    },
    {
      "code": 6034,
      "name": "EndInFuture",
      "msg": "the interval ends more than 2 minutes ahead of the chain's clock"
    },
    {
      "code": 6035,
      "name": "TotalsDecreased",
      "msg": "a total fell"
    },
    {
      "code": 6036,
      "name": "TotalsInconsistent",
      "msg": "the surplus is outside max(0, produced - consumed) to produced"
    },
    {
      "code": 6037,
      "name": "BatchSize",
      "msg": "one to five meters, three accounts each"
    },
    {
      "code": 6038,
      "name": "DuplicateMeter",
      "msg": "a meter appears twice"
    },
    {
      "code": 6039,
      "name": "NoUnsettledBalance",
      "msg": "nothing to settle"
    },
    {
      "code": 6040,
      "name": "HeldEnergyPending",
      "msg": "held energy must be released or written off first"
    },
    {
      "code": 6041,
      "name": "HoldNotFound",
      "msg": "no energy is held under this sequence"
    },
    {
      "code": 6042,
      "name": "WrongTokenAccount",
      "msg": "not the owner's GRID token account"
    },
    {
      "code": 6043,
      "name": "TokenAccountUnusable",
      "msg": "the owner's GRID token account is missing or no longer the owner's"
    },
    {
      "code": 6044,
      "name": "WrongMintAuthority",
      "msg": "not the registry's mint authority"
    },
    {
      "code": 6045,
      "name": "WrongTokenConfig",
      "msg": "not energy-token's configuration account"
    },
    {
      "code": 6046,
      "name": "WrongMint",
      "msg": "not the GRID mint"
    },
    {
      "code": 6047,
      "name": "WrongEnergyTokenProgram",
      "msg": "not the energy-token program"
    },
    {
      "code": 6048,
      "name": "ArithmeticOverflow",
      "msg": "a counter would pass its range"
    },
    {
      "code": 6049,
      "name": "InvariantViolated",
      "msg": "the account's counters contradict each other"
    },
    {
      "code": 6050,
      "name": "DailyMintCapReached",
      "msg": "the meter has minted as much as it may today; the rest can be minted from tomorrow (UTC) on"
    }
  ]
};
