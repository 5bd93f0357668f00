// Written by chain/scripts/sync-idl.mjs from programs/artifacts/energy_token.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** The program's counters, and the SPL authority of the GRID mint. `["config"]` */
export interface EnergyTokenConfig {
  /** Base units ever minted. */
  totalMinted: bigint;
  /** Base units ever destroyed through this program, retired ones included. */
  totalBurned: bigint;
  /** Of those, the ones retired as a meter owner's consumption. */
  totalRetired: bigint;
  bump: number;
  mintBump: number;
}

/** A meter's owner destroyed GRID as energy consumed there. Counts as burned too. */
export interface EnergyTokenEnergyRetired {
  meter: PublicKey;
  owner: PublicKey;
  tokenAccount: PublicKey;
  amount: bigint;
  totalBurned: bigint;
  totalRetired: bigint;
}

/** What wallets are shown about GRID changed. */
export interface EnergyTokenMetadataUpdated {
  mint: PublicKey;
  uri: string;
  authority: PublicKey;
}

/** GRID came into being for a meter's settled production. */
export interface EnergyTokenProductionMinted {
  meter: PublicKey;
  ownerTokenAccount: PublicKey;
  amount: bigint;
  totalMinted: bigint;
}

/**
 * What `get_supply` returns. Holders can also burn with the SPL Token program itself, which this program cannot
 * see: the mint's supply is `minted - burned` less whatever they burned there.
 */
export interface EnergyTokenSupply {
  minted: bigint;
  burned: bigint;
  retired: bigint;
}

/** A holder destroyed GRID. */
export interface EnergyTokenTokensBurned {
  owner: PublicKey;
  tokenAccount: PublicKey;
  amount: bigint;
  totalBurned: bigint;
}

/** Accounts by name. */
export interface EnergyTokenAccounts {
  Config: EnergyTokenConfig;
}

/** Events by name. */
export interface EnergyTokenEvents {
  EnergyRetired: EnergyTokenEnergyRetired;
  MetadataUpdated: EnergyTokenMetadataUpdated;
  ProductionMinted: EnergyTokenProductionMinted;
  TokensBurned: EnergyTokenTokensBurned;
}

/** Instructions' arguments by name. */
export interface EnergyTokenArgs {
  mint_from_production: { meter: PublicKey; amount: bigint };
  initialize: Record<never, never>;
  burn: { amount: bigint };
  retire: { amount: bigint };
  update_metadata: { uri: string };
  get_supply: Record<never, never>;
}

/** Instructions' accounts by name. */
export interface EnergyTokenKeys {
  mint_from_production: { mintAuthority: PublicKey; config: PublicKey; mint: PublicKey; destination: PublicKey; tokenProgram: PublicKey };
  initialize: { authority: PublicKey; config: PublicKey; mint: PublicKey; programData: PublicKey; tokenProgram: PublicKey; systemProgram: PublicKey };
  burn: { owner: PublicKey; config: PublicKey; mint: PublicKey; tokenAccount: PublicKey; tokenProgram: PublicKey };
  retire: { owner: PublicKey; config: PublicKey; mint: PublicKey; tokenAccount: PublicKey; tokenProgram: PublicKey; meter: PublicKey };
  update_metadata: { admin: PublicKey; registryConfig: PublicKey; config: PublicKey; mint: PublicKey; tokenProgram: PublicKey };
  get_supply: { config: PublicKey };
}

/** Errors' codes by name. */
export interface EnergyTokenErrors {
  NotUpgradeAuthority: 6000;
  AlreadyInitialized: 6001;
  NotRegistry: 6002;
  WrongConfig: 6003;
  WrongMint: 6004;
  WrongProgramData: 6005;
  ZeroAmount: 6006;
  ArithmeticOverflow: 6007;
  WrongMeter: 6008;
  NotMeterOwner: 6009;
  InvariantViolated: 6010;
  WrongRegistryConfig: 6011;
  NotAdmin: 6012;
  UriInvalid: 6013;
  RentMissing: 6014;
}

export const energyTokenIdl: Idl = {
  "address": "7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B",
  "metadata": {
    "name": "energy_token",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "The GRID mint: 1 base unit is 1 nano-kilowatt-hour, minted at the registry's word alone."
  },
  "instructions": [
    {
      "name": "mint_from_production",
      "docs": [
        "Mints GRID for settled production. Only the registry's mint authority can call it."
      ],
      "discriminator": [
        39,
        22,
        49,
        3,
        172,
        242,
        104,
        5
      ],
      "accounts": [
        {
          "name": "mint_authority",
          "signer": true,
          "address": "FJt93daL9SRvqyPgX3zqYvjJpSRwPFA8RiGBQ58wqi8N",
          "docs": [
            "The registry's program-derived signer: no key exists for it, only that program can sign with it."
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "destination",
          "writable": true,
          "docs": [
            "The owner's GRID account; the token program checks that it is one."
          ]
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        }
      ],
      "args": [
        {
          "name": "meter",
          "type": "pubkey"
        },
        {
          "name": "amount",
          "type": "u64"
        }
      ]
    },
    {
      "name": "initialize",
      "docs": [
        "Creates the configuration and the GRID mint, a Token-2022 mint that carries its own metadata. Only the program's",
        "upgrade authority can call it."
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
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "program_data",
          "address": "BFUcKvMjsarLXc86AsAGZ25gArNpLeTHNox5T1NyY25u"
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": []
    },
    {
      "name": "burn",
      "docs": [
        "Destroys the signer's GRID."
      ],
      "discriminator": [
        116,
        110,
        29,
        56,
        107,
        219,
        42,
        93
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "token_account",
          "writable": true,
          "docs": [
            "A GRID account of the signer; the token program checks mint, owner and balance."
          ]
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
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
      "name": "retire",
      "docs": [
        "Destroys the signer's GRID as energy consumed at a meter of theirs."
      ],
      "discriminator": [
        44,
        138,
        153,
        31,
        222,
        53,
        21,
        16
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true
        },
        {
          "name": "config",
          "writable": true,
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        },
        {
          "name": "mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "token_account",
          "writable": true,
          "docs": [
            "A GRID account of the signer; the token program checks mint, owner and balance."
          ]
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter where the energy was consumed."
          ]
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
      "name": "update_metadata",
      "docs": [
        "Says where wallets find more about GRID (a picture, a description); empty for nowhere. Only the registry's admin",
        "can; name, symbol and unit never change. A longer URI needs more rent: send the mint lamports before."
      ],
      "discriminator": [
        170,
        182,
        43,
        239,
        97,
        78,
        225,
        186
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "docs": [
            "The registry's admin: one hand-over there concerns this too."
          ]
        },
        {
          "name": "registry_config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "config",
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y",
          "docs": [
            "Signs as the mint's authority."
          ]
        },
        {
          "name": "mint",
          "writable": true,
          "address": "59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj"
        },
        {
          "name": "token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
        }
      ],
      "args": [
        {
          "name": "uri",
          "type": "string"
        }
      ]
    },
    {
      "name": "get_supply",
      "docs": [
        "Returns what was minted, burned and, of that, retired, since the start."
      ],
      "discriminator": [
        230,
        188,
        127,
        244,
        19,
        234,
        88,
        198
      ],
      "accounts": [
        {
          "name": "config",
          "address": "V4RYKuiwCNhS5u9LDGPGwjwzZtHLWvQuXHBB8AEU43y"
        }
      ],
      "args": [],
      "returns": {
        "defined": {
          "name": "Supply"
        }
      }
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
    }
  ],
  "types": [
    {
      "docs": [
        "The program's counters, and the SPL authority of the GRID mint. `[\"config\"]`"
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
              "Base units ever minted."
            ],
            "name": "total_minted",
            "type": "u64"
          },
          {
            "docs": [
              "Base units ever destroyed through this program, retired ones included."
            ],
            "name": "total_burned",
            "type": "u64"
          },
          {
            "docs": [
              "Of those, the ones retired as a meter owner's consumption."
            ],
            "name": "total_retired",
            "type": "u64"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "mint_bump",
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
      "docs": [
        "A meter's owner destroyed GRID as energy consumed there. Counts as burned too."
      ],
      "name": "EnergyRetired",
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
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "token_account",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "total_burned",
            "type": "u64"
          },
          {
            "name": "total_retired",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "What wallets are shown about GRID changed."
      ],
      "name": "MetadataUpdated",
      "type": {
        "fields": [
          {
            "name": "mint",
            "type": "pubkey"
          },
          {
            "name": "uri",
            "type": "string"
          },
          {
            "name": "authority",
            "type": "pubkey"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "GRID came into being for a meter's settled production."
      ],
      "name": "ProductionMinted",
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
            "name": "owner_token_account",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "total_minted",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "What `get_supply` returns. Holders can also burn with the SPL Token program itself, which this program cannot",
        "see: the mint's supply is `minted - burned` less whatever they burned there."
      ],
      "name": "Supply",
      "type": {
        "fields": [
          {
            "name": "minted",
            "type": "u64"
          },
          {
            "name": "burned",
            "type": "u64"
          },
          {
            "name": "retired",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A holder destroyed GRID."
      ],
      "name": "TokensBurned",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "token_account",
            "type": "pubkey"
          },
          {
            "name": "amount",
            "type": "u64"
          },
          {
            "name": "total_burned",
            "type": "u64"
          }
        ],
        "kind": "struct"
      }
    }
  ],
  "events": [
    {
      "name": "EnergyRetired",
      "discriminator": [
        65,
        41,
        173,
        59,
        153,
        107,
        225,
        237
      ]
    },
    {
      "name": "MetadataUpdated",
      "discriminator": [
        132,
        36,
        215,
        246,
        166,
        90,
        189,
        44
      ]
    },
    {
      "name": "ProductionMinted",
      "discriminator": [
        239,
        39,
        54,
        8,
        142,
        73,
        162,
        162
      ]
    },
    {
      "name": "TokensBurned",
      "discriminator": [
        230,
        255,
        34,
        113,
        226,
        53,
        227,
        9
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
      "msg": "the account exists already"
    },
    {
      "code": 6002,
      "name": "NotRegistry",
      "msg": "only the registry's mint authority can mint"
    },
    {
      "code": 6003,
      "name": "WrongConfig",
      "msg": "not the configuration account of this program"
    },
    {
      "code": 6004,
      "name": "WrongMint",
      "msg": "not the GRID mint"
    },
    {
      "code": 6005,
      "name": "WrongProgramData",
      "msg": "not the program data account of this program"
    },
    {
      "code": 6006,
      "name": "ZeroAmount",
      "msg": "the amount is zero"
    },
    {
      "code": 6007,
      "name": "ArithmeticOverflow",
      "msg": "a counter would pass 2^64 - 1"
    },
    {
      "code": 6008,
      "name": "WrongMeter",
      "msg": "not a meter account of the registry"
    },
    {
      "code": 6009,
      "name": "NotMeterOwner",
      "msg": "the meter belongs to another wallet"
    },
    {
      "code": 6010,
      "name": "InvariantViolated",
      "msg": "the account's counters contradict each other"
    },
    {
      "code": 6011,
      "name": "WrongRegistryConfig",
      "msg": "not the registry's configuration account"
    },
    {
      "code": 6012,
      "name": "NotAdmin",
      "msg": "only the registry's admin can do this"
    },
    {
      "code": 6013,
      "name": "UriInvalid",
      "msg": "the URI is at most 200 bytes of ASCII without blanks or control characters"
    },
    {
      "code": 6014,
      "name": "RentMissing",
      "msg": "the mint lacks the rent for its new size: send it lamports first"
    }
  ]
};
