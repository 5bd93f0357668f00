// Written by chain/scripts/sync-idl.mjs from programs/artifacts/oracle.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** Who says what the oracle's feeds are. `["config"]` */
export interface OracleConfig {
  /** Makes and changes feeds and names the guardian; hands itself over in two steps. */
  authority: PublicKey;
  /** Zero when no handover is under way. */
  pendingAuthority: PublicKey;
  /** Can only pause feeds. */
  guardian: PublicKey;
  /** Feeds ever made. */
  feeds: number;
  bump: number;
}

/**
 * A price feed. Never closed. Others read its first fields by `programs/shared/src/feed_layout.rs`.
 * `["feed", symbol, zero-padded to 16 bytes]`
 */
export interface OracleFeed {
  symbol: Uint8Array;
  /** Base units of GRX for 1 GRID; 0 before the first. */
  price: bigint;
  /** So many publishers as a price needs observed no earlier than this; 0: readers refuse the price. */
  publishedAt: bigint;
  /** How old an observation, and with it the price, may be. */
  maxAgeSeconds: number;
  paused: boolean;
  bump: number;
  publisherCount: number;
  /** So many fresh submissions make a price. */
  minPublishers: number;
  /** The guard's window; also the time without a new price after which it lapses. */
  guardSeconds: number;
  /** How far the price may move in a window. */
  maxDeviationBps: number;
  /** So many fresh submissions beyond the guard, on one side, pass it; 0: none do. */
  overridePublishers: number;
  /** When the price was last worked out, whatever it is. */
  acceptedAt: bigint;
  /** The price with which the guard's window began. */
  referencePrice: bigint;
  referenceAt: bigint;
  createdAt: bigint;
  /** How often the price was worked out. */
  updates: bigint;
  /** The first `publisher_count` are in use. */
  submissions: OracleSubmission[];
}

/** A feed after it was made or changed, without its submissions. */
export interface OracleFeedChanged {
  feed: PublicKey;
  symbol: Uint8Array;
  price: bigint;
  /** 0: readers refuse the price. */
  publishedAt: bigint;
  maxAgeSeconds: number;
  guardSeconds: number;
  maxDeviationBps: number;
  minPublishers: number;
  overridePublishers: number;
  publishers: number;
  paused: boolean;
  timestamp: bigint;
}

/** The oracle's roles after they were set or changed. */
export interface OracleOracleChanged {
  authority: PublicKey;
  pendingAuthority: PublicKey;
  guardian: PublicKey;
  feeds: number;
  timestamp: bigint;
}

/** What `get_price` returns. */
export interface OraclePriceNow {
  /** Base units of GRX for 1 GRID. */
  price: bigint;
  publishedAt: bigint;
  /** The last second in which the price counts, unless a newer one comes. */
  freshUntil: bigint;
}

/**
 * A publisher submitted. `outcome` 0: the feed's price is the median now; 1: too few fresh publishers; 2: the median is
 * beyond the guard. In the last two the feed's price and its time are as they were.
 */
export interface OraclePriceSubmitted {
  feed: PublicKey;
  publisher: PublicKey;
  /** What the publisher submitted. */
  submitted: bigint;
  observedAt: bigint;
  /** Of the fresh submissions, this one among them. */
  median: bigint;
  /** The feed's price and its time afterwards. */
  price: bigint;
  publishedAt: bigint;
  timestamp: bigint;
  fresh: number;
  outcome: number;
}

/** A publisher was added to a feed or removed from it. A `FeedChanged` of the same transaction tells the rest. */
export interface OraclePublisherChanged {
  feed: PublicKey;
  publisher: PublicKey;
  added: boolean;
  timestamp: bigint;
}

/** A publisher of a feed and its last submission. Publisher zero: a free slot. Price 0: nothing submitted yet. */
export interface OracleSubmission {
  publisher: PublicKey;
  price: bigint;
  observedAt: bigint;
}

/** Accounts by name. */
export interface OracleAccounts {
  Config: OracleConfig;
  Feed: OracleFeed;
}

/** Events by name. */
export interface OracleEvents {
  FeedChanged: OracleFeedChanged;
  OracleChanged: OracleOracleChanged;
  PriceSubmitted: OraclePriceSubmitted;
  PublisherChanged: OraclePublisherChanged;
}

/** Instructions' arguments by name. */
export interface OracleArgs {
  submit_price: { price: bigint; observedAt: bigint };
  get_price: Record<never, never>;
  initialize: { guardian: PublicKey };
  create_feed: { symbol: Uint8Array; maxAgeSeconds: number; guardSeconds: number; maxDeviationBps: number; minPublishers: number; overridePublishers: number };
  set_feed: { maxAgeSeconds: number; guardSeconds: number; maxDeviationBps: number; minPublishers: number; overridePublishers: number };
  add_publisher: { publisher: PublicKey };
  remove_publisher: { publisher: PublicKey };
  set_paused: { paused: boolean };
  set_guardian: { newGuardian: PublicKey };
  propose_authority: { newAuthority: PublicKey };
  accept_authority: Record<never, never>;
}

/** Instructions' accounts by name. */
export interface OracleKeys {
  submit_price: { publisher: PublicKey; feed: PublicKey };
  get_price: { feed: PublicKey };
  initialize: { authority: PublicKey; config: PublicKey; programData: PublicKey; systemProgram: PublicKey };
  create_feed: { payer: PublicKey; authority: PublicKey; config: PublicKey; feed: PublicKey; systemProgram: PublicKey };
  set_feed: { authority: PublicKey; config: PublicKey; feed: PublicKey };
  add_publisher: { authority: PublicKey; config: PublicKey; feed: PublicKey };
  remove_publisher: { authority: PublicKey; config: PublicKey; feed: PublicKey };
  set_paused: { authority: PublicKey; config: PublicKey; feed: PublicKey };
  set_guardian: { authority: PublicKey; config: PublicKey };
  propose_authority: { authority: PublicKey; config: PublicKey };
  accept_authority: { newAuthority: PublicKey; config: PublicKey };
}

/** Errors' codes by name. */
export interface OracleErrors {
  NotUpgradeAuthority: 6000;
  AlreadyInitialized: 6001;
  WrongProgramData: 6002;
  WrongConfig: 6003;
  NotAuthority: 6004;
  NotPendingAuthority: 6005;
  NotAuthorized: 6006;
  AuthorityInvalid: 6007;
  FeedExists: 6008;
  SymbolInvalid: 6009;
  MaxAgeInvalid: 6010;
  GuardInvalid: 6011;
  DeviationInvalid: 6012;
  MinPublishersInvalid: 6013;
  OverrideInvalid: 6014;
  PublisherInvalid: 6015;
  PublisherExists: 6016;
  TooManyPublishers: 6017;
  NotPublisher: 6018;
  FeedPaused: 6019;
  PriceZero: 6020;
  ObservedInFuture: 6021;
  ObservedNotLater: 6022;
  ObservationStale: 6023;
  PriceStale: 6024;
  ArithmeticOverflow: 6025;
  InvariantViolated: 6026;
}

export const oracleIdl: Idl = {
  "address": "6asrQxkRXF4eZ3wB9eUkGZK32x2VG6XzadsvxzUhDCtz",
  "metadata": {
    "name": "oracle",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Price feeds: several publishers, their median, and bounds on its age and its moves."
  },
  "instructions": [
    {
      "name": "submit_price",
      "docs": [
        "A publisher says what it observed: base units of GRX for 1 GRID, and when. Later than its last observation, not in",
        "the future, and not older than what counts. The feed's price is then worked out anew; the event tells whether it",
        "moved, and if not, why."
      ],
      "discriminator": [
        112,
        103,
        51,
        82,
        177,
        11,
        102,
        167
      ],
      "accounts": [
        {
          "name": "publisher",
          "signer": true,
          "docs": [
            "One of the feed's publishers."
          ]
        },
        {
          "name": "feed",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "price",
          "type": "u64"
        },
        {
          "name": "observed_at",
          "type": "i64"
        }
      ]
    },
    {
      "name": "get_price",
      "docs": [
        "The price as return data; refused while the feed is paused, stale or without a price."
      ],
      "discriminator": [
        238,
        38,
        193,
        106,
        228,
        32,
        210,
        33
      ],
      "accounts": [
        {
          "name": "feed"
        }
      ],
      "args": [],
      "returns": {
        "defined": {
          "name": "PriceNow"
        }
      }
    },
    {
      "name": "initialize",
      "docs": [
        "Only the program's upgrade authority can; it becomes the oracle's authority."
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
            "The program's upgrade authority; pays and becomes the oracle's authority."
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "program_data",
          "address": "Eyw2u9VzU1UD9HjcBBUAMAaWGZcB4hSatu4RBtXKJxM7"
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "guardian",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "create_feed",
      "docs": [
        "Makes a feed, without publishers. Feeds are never closed: whoever knows one by its address finds the same one there",
        "for ever."
      ],
      "discriminator": [
        173,
        86,
        95,
        94,
        13,
        193,
        67,
        180
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Anybody who pays for the account; the authority may be a program's address, which has nothing."
          ]
        },
        {
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "feed",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  102,
                  101,
                  101,
                  100
                ]
              },
              {
                "kind": "arg",
                "path": "symbol"
              }
            ]
          }
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "symbol",
          "type": {
            "array": [
              "u8",
              16
            ]
          }
        },
        {
          "name": "max_age_seconds",
          "type": "u32"
        },
        {
          "name": "guard_seconds",
          "type": "u32"
        },
        {
          "name": "max_deviation_bps",
          "type": "u16"
        },
        {
          "name": "min_publishers",
          "type": "u8"
        },
        {
          "name": "override_publishers",
          "type": "u8"
        }
      ]
    },
    {
      "name": "set_feed",
      "docs": [
        "Changes a feed's settings, all at once. The price is worked out anew under them; where it cannot be, the feed is",
        "stale until it can."
      ],
      "discriminator": [
        79,
        150,
        2,
        207,
        41,
        104,
        77,
        41
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "feed",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "max_age_seconds",
          "type": "u32"
        },
        {
          "name": "guard_seconds",
          "type": "u32"
        },
        {
          "name": "max_deviation_bps",
          "type": "u16"
        },
        {
          "name": "min_publishers",
          "type": "u8"
        },
        {
          "name": "override_publishers",
          "type": "u8"
        }
      ]
    },
    {
      "name": "add_publisher",
      "docs": [
        "Lets a key submit to a feed: up to eight can."
      ],
      "discriminator": [
        38,
        8,
        234,
        44,
        75,
        29,
        163,
        146
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "feed",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "publisher",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "remove_publisher",
      "docs": [
        "Takes a publisher and its submission out of a feed. The price is worked out anew without it; where it cannot be,",
        "the feed is stale until it can."
      ],
      "discriminator": [
        91,
        64,
        158,
        101,
        76,
        157,
        68,
        102
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "feed",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "publisher",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "set_paused",
      "docs": [
        "Stops or resumes a feed: submissions and everybody who reads the price. The guardian can only stop."
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
            "The oracle's authority; the guardian can only pause."
          ]
        },
        {
          "name": "config",
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        },
        {
          "name": "feed",
          "writable": true
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
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
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
      "name": "propose_authority",
      "docs": [
        "Names the oracle's next authority, which must accept; the zero address withdraws the proposal."
      ],
      "discriminator": [
        20,
        148,
        236,
        198,
        76,
        119,
        99,
        142
      ],
      "accounts": [
        {
          "name": "authority",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        }
      ],
      "args": [
        {
          "name": "new_authority",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "accept_authority",
      "docs": [
        "The proposed authority takes over. It only signs: a program-derived address can."
      ],
      "discriminator": [
        107,
        86,
        198,
        91,
        33,
        12,
        107,
        160
      ],
      "accounts": [
        {
          "name": "new_authority",
          "signer": true,
          "address": "config.pending_authority"
        },
        {
          "name": "config",
          "writable": true,
          "address": "9uRW2ibAoyqENZYbMENz8Ye9kiAzLYTkmGQS5iWA3gCD"
        }
      ],
      "args": []
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
        69,
        191,
        16,
        227,
        132,
        187,
        84,
        227
      ],
      "name": "Feed"
    }
  ],
  "types": [
    {
      "docs": [
        "Who says what the oracle's feeds are. `[\"config\"]`"
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
              "Makes and changes feeds and names the guardian; hands itself over in two steps."
            ],
            "name": "authority",
            "type": "pubkey"
          },
          {
            "docs": [
              "Zero when no handover is under way."
            ],
            "name": "pending_authority",
            "type": "pubkey"
          },
          {
            "docs": [
              "Can only pause feeds."
            ],
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "docs": [
              "Feeds ever made."
            ],
            "name": "feeds",
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
        "A price feed. Never closed. Others read its first fields by `programs/shared/src/feed_layout.rs`.",
        "`[\"feed\", symbol, zero-padded to 16 bytes]`"
      ],
      "name": "Feed",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "symbol",
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "docs": [
              "Base units of GRX for 1 GRID; 0 before the first."
            ],
            "name": "price",
            "type": "u64"
          },
          {
            "docs": [
              "So many publishers as a price needs observed no earlier than this; 0: readers refuse the price."
            ],
            "name": "published_at",
            "type": "i64"
          },
          {
            "docs": [
              "How old an observation, and with it the price, may be."
            ],
            "name": "max_age_seconds",
            "type": "u32"
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
            "name": "publisher_count",
            "type": "u8"
          },
          {
            "docs": [
              "So many fresh submissions make a price."
            ],
            "name": "min_publishers",
            "type": "u8"
          },
          {
            "docs": [
              "The guard's window; also the time without a new price after which it lapses."
            ],
            "name": "guard_seconds",
            "type": "u32"
          },
          {
            "docs": [
              "How far the price may move in a window."
            ],
            "name": "max_deviation_bps",
            "type": "u16"
          },
          {
            "docs": [
              "So many fresh submissions beyond the guard, on one side, pass it; 0: none do."
            ],
            "name": "override_publishers",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": "u8"
          },
          {
            "docs": [
              "When the price was last worked out, whatever it is."
            ],
            "name": "accepted_at",
            "type": "i64"
          },
          {
            "docs": [
              "The price with which the guard's window began."
            ],
            "name": "reference_price",
            "type": "u64"
          },
          {
            "name": "reference_at",
            "type": "i64"
          },
          {
            "name": "created_at",
            "type": "i64"
          },
          {
            "docs": [
              "How often the price was worked out."
            ],
            "name": "updates",
            "type": "u64"
          },
          {
            "docs": [
              "The first `publisher_count` are in use."
            ],
            "name": "submissions",
            "type": {
              "array": [
                {
                  "defined": {
                    "name": "Submission"
                  }
                },
                8
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
        "A feed after it was made or changed, without its submissions."
      ],
      "name": "FeedChanged",
      "type": {
        "fields": [
          {
            "name": "feed",
            "type": "pubkey"
          },
          {
            "name": "symbol",
            "type": {
              "array": [
                "u8",
                16
              ]
            }
          },
          {
            "name": "price",
            "type": "u64"
          },
          {
            "docs": [
              "0: readers refuse the price."
            ],
            "name": "published_at",
            "type": "i64"
          },
          {
            "name": "max_age_seconds",
            "type": "u32"
          },
          {
            "name": "guard_seconds",
            "type": "u32"
          },
          {
            "name": "max_deviation_bps",
            "type": "u16"
          },
          {
            "name": "min_publishers",
            "type": "u8"
          },
          {
            "name": "override_publishers",
            "type": "u8"
          },
          {
            "name": "publishers",
            "type": "u8"
          },
          {
            "name": "paused",
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
        "The oracle's roles after they were set or changed."
      ],
      "name": "OracleChanged",
      "type": {
        "fields": [
          {
            "name": "authority",
            "type": "pubkey"
          },
          {
            "name": "pending_authority",
            "type": "pubkey"
          },
          {
            "name": "guardian",
            "type": "pubkey"
          },
          {
            "name": "feeds",
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
        "What `get_price` returns."
      ],
      "name": "PriceNow",
      "type": {
        "fields": [
          {
            "docs": [
              "Base units of GRX for 1 GRID."
            ],
            "name": "price",
            "type": "u64"
          },
          {
            "name": "published_at",
            "type": "i64"
          },
          {
            "docs": [
              "The last second in which the price counts, unless a newer one comes."
            ],
            "name": "fresh_until",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A publisher submitted. `outcome` 0: the feed's price is the median now; 1: too few fresh publishers; 2: the median is",
        "beyond the guard. In the last two the feed's price and its time are as they were."
      ],
      "name": "PriceSubmitted",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "feed",
            "type": "pubkey"
          },
          {
            "name": "publisher",
            "type": "pubkey"
          },
          {
            "docs": [
              "What the publisher submitted."
            ],
            "name": "submitted",
            "type": "u64"
          },
          {
            "name": "observed_at",
            "type": "i64"
          },
          {
            "docs": [
              "Of the fresh submissions, this one among them."
            ],
            "name": "median",
            "type": "u64"
          },
          {
            "docs": [
              "The feed's price and its time afterwards."
            ],
            "name": "price",
            "type": "u64"
          },
          {
            "name": "published_at",
            "type": "i64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "fresh",
            "type": "u8"
          },
          {
            "name": "outcome",
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
        "A publisher was added to a feed or removed from it. A `FeedChanged` of the same transaction tells the rest."
      ],
      "name": "PublisherChanged",
      "type": {
        "fields": [
          {
            "name": "feed",
            "type": "pubkey"
          },
          {
            "name": "publisher",
            "type": "pubkey"
          },
          {
            "name": "added",
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
        "A publisher of a feed and its last submission. Publisher zero: a free slot. Price 0: nothing submitted yet."
      ],
      "name": "Submission",
      "type": {
        "fields": [
          {
            "name": "publisher",
            "type": "pubkey"
          },
          {
            "name": "price",
            "type": "u64"
          },
          {
            "name": "observed_at",
            "type": "i64"
          }
        ],
        "kind": "struct"
      }
    }
  ],
  "events": [
    {
      "name": "FeedChanged",
      "discriminator": [
        77,
        35,
        9,
        46,
        32,
        23,
        34,
        205
      ]
    },
    {
      "name": "OracleChanged",
      "discriminator": [
        151,
        212,
        213,
        104,
        49,
        131,
        55,
        23
      ]
    },
    {
      "name": "PriceSubmitted",
      "discriminator": [
        242,
        40,
        104,
        121,
        119,
        132,
        198,
        74
      ]
    },
    {
      "name": "PublisherChanged",
      "discriminator": [
        210,
        152,
        139,
        227,
        148,
        108,
        1,
        164
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
      "msg": "the oracle is initialised already"
    },
    {
      "code": 6002,
      "name": "WrongProgramData",
      "msg": "not the program data account of this program"
    },
    {
      "code": 6003,
      "name": "WrongConfig",
      "msg": "not the oracle's configuration"
    },
    {
      "code": 6004,
      "name": "NotAuthority",
      "msg": "only the oracle's authority can do this"
    },
    {
      "code": 6005,
      "name": "NotPendingAuthority",
      "msg": "only the proposed authority can accept"
    },
    {
      "code": 6006,
      "name": "NotAuthorized",
      "msg": "this authority may not do this"
    },
    {
      "code": 6007,
      "name": "AuthorityInvalid",
      "msg": "an authority cannot be the zero address"
    },
    {
      "code": 6008,
      "name": "FeedExists",
      "msg": "there is a feed of this symbol already"
    },
    {
      "code": 6009,
      "name": "SymbolInvalid",
      "msg": "a symbol is 1 to 16 of A-Z, 0-9, '/', '.', '-' and '_', padded with zeros"
    },
    {
      "code": 6010,
      "name": "MaxAgeInvalid",
      "msg": "a price counts for 1 to 86,400 seconds"
    },
    {
      "code": 6011,
      "name": "GuardInvalid",
      "msg": "the guard's time is at least the price's maximum age and at most seven days"
    },
    {
      "code": 6012,
      "name": "DeviationInvalid",
      "msg": "the deviation is 1 to 10,000 basis points"
    },
    {
      "code": 6013,
      "name": "MinPublishersInvalid",
      "msg": "1 to 8 fresh publishers make a price"
    },
    {
      "code": 6014,
      "name": "OverrideInvalid",
      "msg": "more publishers override the guard than make a price, at most 8; 0: none do"
    },
    {
      "code": 6015,
      "name": "PublisherInvalid",
      "msg": "a publisher cannot be the zero address"
    },
    {
      "code": 6016,
      "name": "PublisherExists",
      "msg": "this key is a publisher of the feed already"
    },
    {
      "code": 6017,
      "name": "TooManyPublishers",
      "msg": "the feed has eight publishers already"
    },
    {
      "code": 6018,
      "name": "NotPublisher",
      "msg": "this key is no publisher of the feed"
    },
    {
      "code": 6019,
      "name": "FeedPaused",
      "msg": "the feed is paused"
    },
    {
      "code": 6020,
      "name": "PriceZero",
      "msg": "a price is above zero"
    },
    {
      "code": 6021,
      "name": "ObservedInFuture",
      "msg": "the observation lies in the future"
    },
    {
      "code": 6022,
      "name": "ObservedNotLater",
      "msg": "the observation is not later than this publisher's last one"
    },
    {
      "code": 6023,
      "name": "ObservationStale",
      "msg": "the observation is too old to count"
    },
    {
      "code": 6024,
      "name": "PriceStale",
      "msg": "the price is stale, or there is none yet"
    },
    {
      "code": 6025,
      "name": "ArithmeticOverflow",
      "msg": "a number would pass its range"
    },
    {
      "code": 6026,
      "name": "InvariantViolated",
      "msg": "the account's numbers contradict each other"
    }
  ]
};
