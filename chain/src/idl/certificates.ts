// Written by chain/scripts/sync-idl.mjs from programs/artifacts/certificates.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** An owner opted in to or out of `issue_for`. */
export interface CertificatesAutoIssueSet {
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  owner: PublicKey;
  enabled: boolean;
  minEnergyNkwh: bigint;
  timestamp: bigint;
}

/** How far a meter's settled total is certified. Never closed. `["book", meter]` */
export interface CertificatesBook {
  meter: PublicKey;
  meterId: string;
  /** Whose energy is certified: the meter's owner, until the meter changes owners. */
  owner: PublicKey;
  /** The registrar who attested the source. */
  attestedBy: PublicKey;
  /** Up to here of the meter's `settled` everything is certified or lapsed: where the next certificate begins. */
  nextTotal: bigint;
  /** Energy in certificates, live and retired. */
  certifiedTotal: bigint;
  /** Energy that no certificate will ever be issued for. */
  lapsedTotal: bigint;
  liveTotal: bigint;
  retiredTotal: bigint;
  /** The serial of the next certificate, from 1. */
  nextSerial: bigint;
  /** Certificates of this book that exist. */
  liveCertificates: bigint;
  /** The least that `issue_for` certifies at once. */
  autoIssueMinNkwh: bigint;
  openedAt: bigint;
  /** Everything from `next_total` on was produced after this time. */
  periodStart: number;
  /** The meter's count of transfers that the book knows of. */
  transfers: number;
  /** What the registrar attested: see `SOURCES`. */
  source: number;
  /** The owner has opted in to `issue_for`. */
  autoIssue: boolean;
  bump: number;
}

/** A book went to its meter's new owner, who has not opted in to anything yet. */
export interface CertificatesBookAdopted {
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  formerOwner: PublicKey;
  owner: PublicKey;
  nextTotal: bigint;
  /** What former owners had not certified. */
  lapsed: bigint;
  periodStart: number;
  /** Lamports that went back to the former owner. */
  refundedLamports: bigint;
  timestamp: bigint;
}

/** From `next_total` on the meter's energy can be certified for its owner. */
export interface CertificatesBookOpened {
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  owner: PublicKey;
  attestedBy: PublicKey;
  nextTotal: bigint;
  periodStart: number;
  source: number;
  timestamp: bigint;
}

/**
 * A certificate that can be transferred, divided and retired: a stretch of a meter's settled total that no other
 * certificate has. It exists while it is live. `["certificate", book, serial u64 little-endian]`
 */
export interface CertificatesCertificate {
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  /** For whose energy it was issued. */
  producer: PublicKey;
  holder: PublicKey;
  /** The registrar who attested meter and source. */
  attestedBy: PublicKey;
  /** Gets the account's lamports back. */
  rentPayer: PublicKey;
  /** Of the book; never used again. */
  serial: bigint;
  /** The certificate that this one is a part of; 0 for one that was issued whole. */
  splitFrom: bigint;
  /** nkWh of the meter's settled total. */
  fromTotal: bigint;
  toTotal: bigint;
  issuedAt: bigint;
  /** The energy was produced between these times, Unix seconds. */
  periodStart: number;
  periodEnd: number;
  /** 1 solar, 2 wind, 3 hydro, 4 biomass, 5 geothermal, 6 marine, 7 storage, 8 other. */
  source: number;
  bump: number;
}

/** A certificate came into being; its holder is the producer. */
export interface CertificatesCertificateIssued {
  certificate: PublicKey;
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  producer: PublicKey;
  attestedBy: PublicKey;
  serial: bigint;
  fromTotal: bigint;
  toTotal: bigint;
  /** Of the meter, this certificate included. */
  certifiedTotal: bigint;
  timestamp: bigint;
  periodStart: number;
  periodEnd: number;
  source: number;
  /** By `issue_for`. */
  automatic: boolean;
}

/** A certificate was retired for a beneficiary; the record says so for ever. */
export interface CertificatesCertificateRetired {
  certificate: PublicKey;
  retirement: PublicKey;
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  producer: PublicKey;
  retiredBy: PublicKey;
  serial: bigint;
  fromTotal: bigint;
  toTotal: bigint;
  /** Of the meter, this certificate included. */
  retiredTotal: bigint;
  timestamp: bigint;
  periodStart: number;
  periodEnd: number;
  /** UTF-8, zero-padded. */
  beneficiary: string;
  reason: string;
  source: number;
}

/** The last part of a certificate became one of its own, of the same holder. */
export interface CertificatesCertificateSplit {
  certificate: PublicKey;
  part: PublicKey;
  book: PublicKey;
  meter: PublicKey;
  holder: PublicKey;
  serial: bigint;
  partSerial: bigint;
  /** Where the certificate begins, still. */
  fromTotal: bigint;
  /** Where it ends now, and the part begins. */
  splitTotal: bigint;
  /** Where the part ends. */
  toTotal: bigint;
  timestamp: bigint;
}

/** A certificate has another holder. */
export interface CertificatesCertificateTransferred {
  certificate: PublicKey;
  book: PublicKey;
  meter: PublicKey;
  oldHolder: PublicKey;
  newHolder: PublicKey;
  serial: bigint;
  fromTotal: bigint;
  toTotal: bigint;
  timestamp: bigint;
}

/** The configuration after it was made or changed, whole. */
export interface CertificatesCertificatesConfigChanged {
  admin: PublicKey;
  pendingAdmin: PublicKey;
  guardian: PublicKey;
  paused: boolean;
  timestamp: bigint;
}

/** The program's roles and its switch. `["config"]` */
export interface CertificatesConfig {
  /** Names the guardian; hands itself over in two steps. */
  admin: PublicKey;
  /** Zero when no handover is under way. */
  pendingAdmin: PublicKey;
  /** Can only pause. */
  guardian: PublicKey;
  paused: boolean;
  bump: number;
}

/** An owner took lamports for rent back. */
export interface CertificatesFundsWithdrawn {
  book: PublicKey;
  meter: PublicKey;
  owner: PublicKey;
  lamports: bigint;
  timestamp: bigint;
}

/** For whom a certificate was retired. No instruction changes or closes it. `["retirement", certificate]` */
export interface CertificatesRetirement {
  /** The certificate's address, where nothing will ever be again. */
  certificate: PublicKey;
  meter: PublicKey;
  meterId: string;
  producer: PublicKey;
  /** The last holder, who retired it. */
  retiredBy: PublicKey;
  attestedBy: PublicKey;
  serial: bigint;
  splitFrom: bigint;
  fromTotal: bigint;
  toTotal: bigint;
  issuedAt: bigint;
  retiredAt: bigint;
  periodStart: number;
  periodEnd: number;
  /** UTF-8, zero-padded. */
  beneficiary: string;
  /** UTF-8, zero-padded. */
  reason: string;
  source: number;
  bump: number;
}

/** The registrar attested another source. */
export interface CertificatesSourceAttested {
  book: PublicKey;
  meter: PublicKey;
  meterId: string;
  attestedBy: PublicKey;
  source: number;
  nextTotal: bigint;
  /** What was not certified under the source before. */
  lapsed: bigint;
  periodStart: number;
  timestamp: bigint;
}

/** Accounts by name. */
export interface CertificatesAccounts {
  Book: CertificatesBook;
  Certificate: CertificatesCertificate;
  Config: CertificatesConfig;
  Retirement: CertificatesRetirement;
}

/** Events by name. */
export interface CertificatesEvents {
  AutoIssueSet: CertificatesAutoIssueSet;
  BookAdopted: CertificatesBookAdopted;
  BookOpened: CertificatesBookOpened;
  CertificateIssued: CertificatesCertificateIssued;
  CertificateRetired: CertificatesCertificateRetired;
  CertificateSplit: CertificatesCertificateSplit;
  CertificateTransferred: CertificatesCertificateTransferred;
  CertificatesConfigChanged: CertificatesCertificatesConfigChanged;
  FundsWithdrawn: CertificatesFundsWithdrawn;
  SourceAttested: CertificatesSourceAttested;
}

/** Instructions' arguments by name. */
export interface CertificatesArgs {
  issue_for: { fromBook: boolean };
  issue: { energyNkwh: bigint };
  split: { energyNkwh: bigint };
  transfer: { newHolder: PublicKey };
  retire: { beneficiary: string; reason: string };
  open_book: { source: number; startTotal: bigint; periodStart: number };
  adopt_book: Record<never, never>;
  set_source: { source: number };
  set_auto_issue: { enabled: boolean; minEnergyNkwh: bigint };
  withdraw_funds: { lamports: bigint };
  initialize: { guardian: PublicKey };
  set_paused: { paused: boolean };
  set_guardian: { newGuardian: PublicKey };
  propose_admin: { newAdmin: PublicKey };
  accept_admin: Record<never, never>;
}

/** Instructions' accounts by name. */
export interface CertificatesKeys {
  issue_for: { payer: PublicKey; config: PublicKey; meter: PublicKey; book: PublicKey; certificate: PublicKey; systemProgram: PublicKey };
  issue: { payer: PublicKey; owner: PublicKey; config: PublicKey; meter: PublicKey; book: PublicKey; certificate: PublicKey; systemProgram: PublicKey };
  split: { payer: PublicKey; holder: PublicKey; config: PublicKey; book: PublicKey; certificate: PublicKey; part: PublicKey; systemProgram: PublicKey };
  transfer: { holder: PublicKey; config: PublicKey; certificate: PublicKey };
  retire: { payer: PublicKey; holder: PublicKey; config: PublicKey; book: PublicKey; certificate: PublicKey; retirement: PublicKey; rentPayer: PublicKey; systemProgram: PublicKey };
  open_book: { payer: PublicKey; owner: PublicKey; registrar: PublicKey; config: PublicKey; registryConfig: PublicKey; meter: PublicKey; book: PublicKey; systemProgram: PublicKey };
  adopt_book: { config: PublicKey; meter: PublicKey; book: PublicKey; formerOwner: PublicKey };
  set_source: { registrar: PublicKey; config: PublicKey; registryConfig: PublicKey; meter: PublicKey; book: PublicKey };
  set_auto_issue: { owner: PublicKey; book: PublicKey };
  withdraw_funds: { owner: PublicKey; book: PublicKey };
  initialize: { authority: PublicKey; config: PublicKey; programData: PublicKey; systemProgram: PublicKey };
  set_paused: { authority: PublicKey; config: PublicKey };
  set_guardian: { admin: PublicKey; config: PublicKey };
  propose_admin: { admin: PublicKey; config: PublicKey };
  accept_admin: { newAdmin: PublicKey; config: PublicKey };
}

/** Errors' codes by name. */
export interface CertificatesErrors {
  NotUpgradeAuthority: 6000;
  AlreadyInitialized: 6001;
  AuthorityInvalid: 6002;
  NotAdmin: 6003;
  NotPendingAdmin: 6004;
  NotAuthorized: 6005;
  Paused: 6006;
  WrongConfig: 6007;
  WrongProgramData: 6008;
  WrongRegistryConfig: 6009;
  NotRegistrar: 6010;
  WrongMeter: 6011;
  NotMeterOwner: 6012;
  MeterSuspended: 6013;
  MeterNotSettled: 6014;
  BookExists: 6015;
  WrongBook: 6016;
  NotBookOwner: 6017;
  BookNotAdopted: 6018;
  NothingToAdopt: 6019;
  WrongFormerOwner: 6020;
  SourceInvalid: 6021;
  SourceUnchanged: 6022;
  StartInvalid: 6023;
  NotOptedIn: 6024;
  FundsTooLow: 6025;
  NothingToCertify: 6026;
  BelowMinimum: 6027;
  NotSettled: 6028;
  ZeroAmount: 6029;
  PartTooLarge: 6030;
  WrongCertificate: 6031;
  WrongRetirement: 6032;
  CertificateOfOtherBook: 6033;
  AccountExists: 6034;
  NotHolder: 6035;
  HolderInvalid: 6036;
  WrongRentPayer: 6037;
  BeneficiaryInvalid: 6038;
  ReasonInvalid: 6039;
  ArithmeticOverflow: 6040;
  InvariantViolated: 6041;
}

export const certificatesIdl: Idl = {
  "address": "7LAjAL8UJXZFWjzMWU5kFpCs7E1ND3qRFS1CtAjjP4zF",
  "metadata": {
    "name": "certificates",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Renewable-energy certificates: issued from settled energy, split, transferred, retired."
  },
  "instructions": [
    {
      "name": "issue_for",
      "docs": [
        "Issues one certificate for everything that is settled and not certified, to the meter's owner, who has opted in",
        "(`set_auto_issue`). Anybody can call it. With `from_book` the lamports in the book pay the certificate's rent (the",
        "payer gets back what it advanced); without, the payer pays, and gets it back when the certificate is retired."
      ],
      "discriminator": [
        230,
        200,
        124,
        125,
        32,
        244,
        90,
        245
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Anybody."
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter."
          ]
        },
        {
          "name": "book",
          "writable": true
        },
        {
          "name": "certificate",
          "writable": true,
          "docs": [
            "`[\"certificate\", book, the book's next serial]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "from_book",
          "type": "bool"
        }
      ]
    },
    {
      "name": "issue",
      "docs": [
        "Issues a certificate for the next `energy_nkwh` of what is settled and not certified. The meter's owner signs."
      ],
      "discriminator": [
        190,
        1,
        98,
        214,
        81,
        99,
        222,
        247
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the certificate, and gets it back when it is retired."
          ]
        },
        {
          "name": "owner",
          "signer": true,
          "relations": [
            "book"
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter."
          ]
        },
        {
          "name": "book",
          "writable": true
        },
        {
          "name": "certificate",
          "writable": true,
          "docs": [
            "`[\"certificate\", book, the book's next serial]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "energy_nkwh",
          "type": "u64"
        }
      ]
    },
    {
      "name": "split",
      "docs": [
        "Divides a certificate: its last `energy_nkwh` become a certificate of their own, of the same holder."
      ],
      "discriminator": [
        124,
        189,
        27,
        43,
        216,
        40,
        147,
        66
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the part, and gets it back when the part is retired."
          ]
        },
        {
          "name": "holder",
          "signer": true,
          "relations": [
            "certificate"
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "book",
          "writable": true
        },
        {
          "name": "certificate",
          "writable": true
        },
        {
          "name": "part",
          "writable": true,
          "docs": [
            "`[\"certificate\", book, the book's next serial]`"
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "energy_nkwh",
          "type": "u64"
        }
      ]
    },
    {
      "name": "transfer",
      "docs": [
        "Gives a certificate to another holder."
      ],
      "discriminator": [
        163,
        52,
        200,
        231,
        140,
        3,
        69,
        186
      ],
      "accounts": [
        {
          "name": "holder",
          "signer": true,
          "relations": [
            "certificate"
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "certificate",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "new_holder",
          "type": "pubkey"
        }
      ]
    },
    {
      "name": "retire",
      "docs": [
        "Retires (cancels, redeems) a certificate for a beneficiary: it is closed, and a record remains that nothing can",
        "change or close. Both texts are UTF-8, zero-padded, without control characters; the reason may be empty."
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
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of the record, for good."
          ]
        },
        {
          "name": "holder",
          "signer": true,
          "relations": [
            "certificate"
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "book",
          "writable": true
        },
        {
          "name": "certificate",
          "writable": true
        },
        {
          "name": "retirement",
          "writable": true,
          "docs": [
            "`[\"retirement\", certificate]`"
          ]
        },
        {
          "name": "rent_payer",
          "writable": true,
          "relations": [
            "certificate"
          ],
          "docs": [
            "Whoever paid for the certificate's account."
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "beneficiary",
          "type": {
            "array": [
              "u8",
              96
            ]
          }
        },
        {
          "name": "reason",
          "type": {
            "array": [
              "u8",
              128
            ]
          }
        }
      ]
    },
    {
      "name": "open_book",
      "docs": [
        "Opens a meter's book for its owner. The registrar attests the source, and from where on the settled energy is this",
        "owner's to certify: `start_total` nkWh, produced after `period_start`."
      ],
      "discriminator": [
        179,
        61,
        78,
        135,
        182,
        178,
        205,
        97
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
          "docs": [
            "The meter's owner."
          ]
        },
        {
          "name": "registrar",
          "signer": true,
          "docs": [
            "The registry's registrar."
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "registry_config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter."
          ]
        },
        {
          "name": "book",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  98,
                  111,
                  111,
                  107
                ]
              },
              {
                "kind": "account",
                "path": "meter"
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
          "name": "source",
          "type": "u8"
        },
        {
          "name": "start_total",
          "type": "u64"
        },
        {
          "name": "period_start",
          "type": "u32"
        }
      ]
    },
    {
      "name": "adopt_book",
      "docs": [
        "Hands a book to the meter's new owner. What was settled for a former owner and not certified never will be.",
        "Lamports left for rent go back to the former owner. Anybody can call it."
      ],
      "discriminator": [
        210,
        181,
        133,
        122,
        61,
        224,
        62,
        253
      ],
      "accounts": [
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter."
          ]
        },
        {
          "name": "book",
          "writable": true
        },
        {
          "name": "former_owner",
          "writable": true,
          "address": "book.owner",
          "docs": [
            "The owner whom the book names until now."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "set_source",
      "docs": [
        "The registrar attests another source, from now on. What is settled and not certified never will be."
      ],
      "discriminator": [
        136,
        61,
        231,
        10,
        214,
        70,
        18,
        31
      ],
      "accounts": [
        {
          "name": "registrar",
          "signer": true,
          "docs": [
            "The registry's registrar."
          ]
        },
        {
          "name": "config",
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "registry_config",
          "address": "9f8yWAi8BnVtKa7Bzu6znPvRzdNXbEMppYd9pbYCZUfC"
        },
        {
          "name": "meter",
          "docs": [
            "The registry's account of the meter."
          ]
        },
        {
          "name": "book",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "source",
          "type": "u8"
        }
      ]
    },
    {
      "name": "set_auto_issue",
      "docs": [
        "The owner opts in to, or out of, certificates that anybody may issue to it (`issue_for`), each of at least",
        "`min_energy_nkwh`: 0 is one with each settlement."
      ],
      "discriminator": [
        121,
        166,
        111,
        17,
        122,
        41,
        201,
        216
      ],
      "accounts": [
        {
          "name": "owner",
          "writable": true,
          "signer": true,
          "relations": [
            "book"
          ]
        },
        {
          "name": "book",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "enabled",
          "type": "bool"
        },
        {
          "name": "min_energy_nkwh",
          "type": "u64"
        }
      ]
    },
    {
      "name": "withdraw_funds",
      "docs": [
        "Takes lamports out of the book that were put there for rent. Works at any time."
      ],
      "discriminator": [
        241,
        36,
        29,
        111,
        208,
        31,
        104,
        217
      ],
      "accounts": [
        {
          "name": "owner",
          "writable": true,
          "signer": true,
          "relations": [
            "book"
          ]
        },
        {
          "name": "book",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "lamports",
          "type": "u64"
        }
      ]
    },
    {
      "name": "initialize",
      "docs": [
        "Sets the program up. Only its upgrade authority can; it becomes the admin."
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
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        },
        {
          "name": "program_data",
          "address": "FRzuJNPrScoTqmrmAQUJ9KPxUGyc2WgyibvtFpLqZGCT"
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
      "name": "set_paused",
      "docs": [
        "Stops or resumes everything about books and certificates but `withdraw_funds`. The guardian can only stop."
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
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
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
          "name": "admin",
          "signer": true,
          "relations": [
            "config"
          ]
        },
        {
          "name": "config",
          "writable": true,
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
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
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
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
          "address": "B8oQjnLwoefYYCR3CqNm3JYRy7kau9c5GFswkeHJNVmM"
        }
      ],
      "args": []
    }
  ],
  "accounts": [
    {
      "discriminator": [
        121,
        34,
        121,
        35,
        91,
        62,
        85,
        222
      ],
      "name": "Book"
    },
    {
      "discriminator": [
        202,
        229,
        222,
        220,
        116,
        20,
        74,
        67
      ],
      "name": "Certificate"
    },
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
        180,
        36,
        58,
        95,
        148,
        188,
        15,
        38
      ],
      "name": "Retirement"
    }
  ],
  "types": [
    {
      "docs": [
        "An owner opted in to or out of `issue_for`."
      ],
      "name": "AutoIssueSet",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "enabled",
            "type": "bool"
          },
          {
            "name": "min_energy_nkwh",
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
        "How far a meter's settled total is certified. Never closed. `[\"book\", meter]`"
      ],
      "name": "Book",
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
            "docs": [
              "Whose energy is certified: the meter's owner, until the meter changes owners."
            ],
            "name": "owner",
            "type": "pubkey"
          },
          {
            "docs": [
              "The registrar who attested the source."
            ],
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "docs": [
              "Up to here of the meter's `settled` everything is certified or lapsed: where the next certificate begins."
            ],
            "name": "next_total",
            "type": "u64"
          },
          {
            "docs": [
              "Energy in certificates, live and retired."
            ],
            "name": "certified_total",
            "type": "u64"
          },
          {
            "docs": [
              "Energy that no certificate will ever be issued for."
            ],
            "name": "lapsed_total",
            "type": "u64"
          },
          {
            "name": "live_total",
            "type": "u64"
          },
          {
            "name": "retired_total",
            "type": "u64"
          },
          {
            "docs": [
              "The serial of the next certificate, from 1."
            ],
            "name": "next_serial",
            "type": "u64"
          },
          {
            "docs": [
              "Certificates of this book that exist."
            ],
            "name": "live_certificates",
            "type": "u64"
          },
          {
            "docs": [
              "The least that `issue_for` certifies at once."
            ],
            "name": "auto_issue_min_nkwh",
            "type": "u64"
          },
          {
            "name": "opened_at",
            "type": "i64"
          },
          {
            "docs": [
              "Everything from `next_total` on was produced after this time."
            ],
            "name": "period_start",
            "type": "u32"
          },
          {
            "docs": [
              "The meter's count of transfers that the book knows of."
            ],
            "name": "transfers",
            "type": "u32"
          },
          {
            "docs": [
              "What the registrar attested: see `SOURCES`."
            ],
            "name": "source",
            "type": "u8"
          },
          {
            "docs": [
              "The owner has opted in to `issue_for`."
            ],
            "name": "auto_issue",
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
                5
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
        "A book went to its meter's new owner, who has not opted in to anything yet."
      ],
      "name": "BookAdopted",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "former_owner",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "next_total",
            "type": "u64"
          },
          {
            "docs": [
              "What former owners had not certified."
            ],
            "name": "lapsed",
            "type": "u64"
          },
          {
            "name": "period_start",
            "type": "u32"
          },
          {
            "docs": [
              "Lamports that went back to the former owner."
            ],
            "name": "refunded_lamports",
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
        "From `next_total` on the meter's energy can be certified for its owner."
      ],
      "name": "BookOpened",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "name": "next_total",
            "type": "u64"
          },
          {
            "name": "period_start",
            "type": "u32"
          },
          {
            "name": "source",
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
        "A certificate that can be transferred, divided and retired: a stretch of a meter's settled total that no other",
        "certificate has. It exists while it is live. `[\"certificate\", book, serial u64 little-endian]`"
      ],
      "name": "Certificate",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "docs": [
              "For whose energy it was issued."
            ],
            "name": "producer",
            "type": "pubkey"
          },
          {
            "name": "holder",
            "type": "pubkey"
          },
          {
            "docs": [
              "The registrar who attested meter and source."
            ],
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "docs": [
              "Gets the account's lamports back."
            ],
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "docs": [
              "Of the book; never used again."
            ],
            "name": "serial",
            "type": "u64"
          },
          {
            "docs": [
              "The certificate that this one is a part of; 0 for one that was issued whole."
            ],
            "name": "split_from",
            "type": "u64"
          },
          {
            "docs": [
              "nkWh of the meter's settled total."
            ],
            "name": "from_total",
            "type": "u64"
          },
          {
            "name": "to_total",
            "type": "u64"
          },
          {
            "name": "issued_at",
            "type": "i64"
          },
          {
            "docs": [
              "The energy was produced between these times, Unix seconds."
            ],
            "name": "period_start",
            "type": "u32"
          },
          {
            "name": "period_end",
            "type": "u32"
          },
          {
            "docs": [
              "1 solar, 2 wind, 3 hydro, 4 biomass, 5 geothermal, 6 marine, 7 storage, 8 other."
            ],
            "name": "source",
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
        "A certificate came into being; its holder is the producer."
      ],
      "name": "CertificateIssued",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "certificate",
            "type": "pubkey"
          },
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "producer",
            "type": "pubkey"
          },
          {
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "name": "serial",
            "type": "u64"
          },
          {
            "name": "from_total",
            "type": "u64"
          },
          {
            "name": "to_total",
            "type": "u64"
          },
          {
            "docs": [
              "Of the meter, this certificate included."
            ],
            "name": "certified_total",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "period_start",
            "type": "u32"
          },
          {
            "name": "period_end",
            "type": "u32"
          },
          {
            "name": "source",
            "type": "u8"
          },
          {
            "docs": [
              "By `issue_for`."
            ],
            "name": "automatic",
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
        "A certificate was retired for a beneficiary; the record says so for ever."
      ],
      "name": "CertificateRetired",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "certificate",
            "type": "pubkey"
          },
          {
            "name": "retirement",
            "type": "pubkey"
          },
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "producer",
            "type": "pubkey"
          },
          {
            "name": "retired_by",
            "type": "pubkey"
          },
          {
            "name": "serial",
            "type": "u64"
          },
          {
            "name": "from_total",
            "type": "u64"
          },
          {
            "name": "to_total",
            "type": "u64"
          },
          {
            "docs": [
              "Of the meter, this certificate included."
            ],
            "name": "retired_total",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "period_start",
            "type": "u32"
          },
          {
            "name": "period_end",
            "type": "u32"
          },
          {
            "docs": [
              "UTF-8, zero-padded."
            ],
            "name": "beneficiary",
            "type": {
              "array": [
                "u8",
                96
              ]
            }
          },
          {
            "name": "reason",
            "type": {
              "array": [
                "u8",
                128
              ]
            }
          },
          {
            "name": "source",
            "type": "u8"
          },
          {
            "name": "padding",
            "type": {
              "array": [
                "u8",
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
        "The last part of a certificate became one of its own, of the same holder."
      ],
      "name": "CertificateSplit",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "certificate",
            "type": "pubkey"
          },
          {
            "name": "part",
            "type": "pubkey"
          },
          {
            "name": "book",
            "type": "pubkey"
          },
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "holder",
            "type": "pubkey"
          },
          {
            "name": "serial",
            "type": "u64"
          },
          {
            "name": "part_serial",
            "type": "u64"
          },
          {
            "docs": [
              "Where the certificate begins, still."
            ],
            "name": "from_total",
            "type": "u64"
          },
          {
            "docs": [
              "Where it ends now, and the part begins."
            ],
            "name": "split_total",
            "type": "u64"
          },
          {
            "docs": [
              "Where the part ends."
            ],
            "name": "to_total",
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
        "A certificate has another holder."
      ],
      "name": "CertificateTransferred",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "certificate",
            "type": "pubkey"
          },
          {
            "name": "book",
            "type": "pubkey"
          },
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "old_holder",
            "type": "pubkey"
          },
          {
            "name": "new_holder",
            "type": "pubkey"
          },
          {
            "name": "serial",
            "type": "u64"
          },
          {
            "name": "from_total",
            "type": "u64"
          },
          {
            "name": "to_total",
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
        "The configuration after it was made or changed, whole."
      ],
      "name": "CertificatesConfigChanged",
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
            "name": "guardian",
            "type": "pubkey"
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
        "The program's roles and its switch. `[\"config\"]`"
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
              "Names the guardian; hands itself over in two steps."
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
              "Can only pause."
            ],
            "name": "guardian",
            "type": "pubkey"
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
        "An owner took lamports for rent back."
      ],
      "name": "FundsWithdrawn",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
          {
            "name": "meter",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "lamports",
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
        "For whom a certificate was retired. No instruction changes or closes it. `[\"retirement\", certificate]`"
      ],
      "name": "Retirement",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "docs": [
              "The certificate's address, where nothing will ever be again."
            ],
            "name": "certificate",
            "type": "pubkey"
          },
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
            "name": "producer",
            "type": "pubkey"
          },
          {
            "docs": [
              "The last holder, who retired it."
            ],
            "name": "retired_by",
            "type": "pubkey"
          },
          {
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "name": "serial",
            "type": "u64"
          },
          {
            "name": "split_from",
            "type": "u64"
          },
          {
            "name": "from_total",
            "type": "u64"
          },
          {
            "name": "to_total",
            "type": "u64"
          },
          {
            "name": "issued_at",
            "type": "i64"
          },
          {
            "name": "retired_at",
            "type": "i64"
          },
          {
            "name": "period_start",
            "type": "u32"
          },
          {
            "name": "period_end",
            "type": "u32"
          },
          {
            "docs": [
              "UTF-8, zero-padded."
            ],
            "name": "beneficiary",
            "type": {
              "array": [
                "u8",
                96
              ]
            }
          },
          {
            "docs": [
              "UTF-8, zero-padded."
            ],
            "name": "reason",
            "type": {
              "array": [
                "u8",
                128
              ]
            }
          },
          {
            "name": "source",
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
        "The registrar attested another source."
      ],
      "name": "SourceAttested",
      "type": {
        "fields": [
          {
            "name": "book",
            "type": "pubkey"
          },
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
            "name": "attested_by",
            "type": "pubkey"
          },
          {
            "name": "source",
            "type": "u8"
          },
          {
            "name": "next_total",
            "type": "u64"
          },
          {
            "docs": [
              "What was not certified under the source before."
            ],
            "name": "lapsed",
            "type": "u64"
          },
          {
            "name": "period_start",
            "type": "u32"
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
      "name": "AutoIssueSet",
      "discriminator": [
        90,
        55,
        15,
        133,
        28,
        0,
        112,
        186
      ]
    },
    {
      "name": "BookAdopted",
      "discriminator": [
        214,
        203,
        22,
        240,
        91,
        46,
        251,
        52
      ]
    },
    {
      "name": "BookOpened",
      "discriminator": [
        191,
        148,
        160,
        228,
        141,
        67,
        194,
        64
      ]
    },
    {
      "name": "CertificateIssued",
      "discriminator": [
        62,
        59,
        26,
        207,
        181,
        234,
        201,
        52
      ]
    },
    {
      "name": "CertificateRetired",
      "discriminator": [
        64,
        57,
        149,
        238,
        200,
        149,
        46,
        123
      ]
    },
    {
      "name": "CertificateSplit",
      "discriminator": [
        215,
        80,
        191,
        58,
        175,
        169,
        246,
        41
      ]
    },
    {
      "name": "CertificateTransferred",
      "discriminator": [
        236,
        75,
        227,
        202,
        62,
        24,
        221,
        37
      ]
    },
    {
      "name": "CertificatesConfigChanged",
      "discriminator": [
        33,
        98,
        244,
        182,
        243,
        87,
        45,
        38
      ]
    },
    {
      "name": "FundsWithdrawn",
      "discriminator": [
        56,
        130,
        230,
        154,
        35,
        92,
        11,
        118
      ]
    },
    {
      "name": "SourceAttested",
      "discriminator": [
        28,
        214,
        112,
        133,
        192,
        1,
        183,
        170
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
      "msg": "the program is initialised already"
    },
    {
      "code": 6002,
      "name": "AuthorityInvalid",
      "msg": "an authority cannot be the zero address"
    },
    {
      "code": 6003,
      "name": "NotAdmin",
      "msg": "only the admin can do this"
    },
    {
      "code": 6004,
      "name": "NotPendingAdmin",
      "msg": "only the proposed admin can accept"
    },
    {
      "code": 6005,
      "name": "NotAuthorized",
      "msg": "this authority may not do this"
    },
    {
      "code": 6006,
      "name": "Paused",
      "msg": "certificates are paused"
    },
    {
      "code": 6007,
      "name": "WrongConfig",
      "msg": "not the configuration account"
    },
    {
      "code": 6008,
      "name": "WrongProgramData",
      "msg": "not the program data account of this program"
    },
    {
      "code": 6009,
      "name": "WrongRegistryConfig",
      "msg": "not the registry's configuration account"
    },
    {
      "code": 6010,
      "name": "NotRegistrar",
      "msg": "the registry's registrar has not signed"
    },
    {
      "code": 6011,
      "name": "WrongMeter",
      "msg": "not a meter of the registry"
    },
    {
      "code": 6012,
      "name": "NotMeterOwner",
      "msg": "the meter belongs to another wallet"
    },
    {
      "code": 6013,
      "name": "MeterSuspended",
      "msg": "the meter is suspended"
    },
    {
      "code": 6014,
      "name": "MeterNotSettled",
      "msg": "energy of the meter is eligible and not settled yet, or held for review"
    },
    {
      "code": 6015,
      "name": "BookExists",
      "msg": "the meter has a book already"
    },
    {
      "code": 6016,
      "name": "WrongBook",
      "msg": "not this meter's book"
    },
    {
      "code": 6017,
      "name": "NotBookOwner",
      "msg": "the book belongs to another wallet"
    },
    {
      "code": 6018,
      "name": "BookNotAdopted",
      "msg": "the meter has changed owners since: the book must be adopted first"
    },
    {
      "code": 6019,
      "name": "NothingToAdopt",
      "msg": "the book is its meter's owner's already"
    },
    {
      "code": 6020,
      "name": "WrongFormerOwner",
      "msg": "the lamports left for rent go back to the former owner"
    },
    {
      "code": 6021,
      "name": "SourceInvalid",
      "msg": "the source is a number from 1 to 8"
    },
    {
      "code": 6022,
      "name": "SourceUnchanged",
      "msg": "the book has that source already"
    },
    {
      "code": 6023,
      "name": "StartInvalid",
      "msg": "a book starts within what is settled for this owner, in the period before the last reading's end"
    },
    {
      "code": 6024,
      "name": "NotOptedIn",
      "msg": "the owner has not opted in"
    },
    {
      "code": 6025,
      "name": "FundsTooLow",
      "msg": "the book has too few lamports left for rent"
    },
    {
      "code": 6026,
      "name": "NothingToCertify",
      "msg": "everything that is settled is certified"
    },
    {
      "code": 6027,
      "name": "BelowMinimum",
      "msg": "less is settled and not certified than the owner wants in a certificate"
    },
    {
      "code": 6028,
      "name": "NotSettled",
      "msg": "more energy than is settled and not certified"
    },
    {
      "code": 6029,
      "name": "ZeroAmount",
      "msg": "the amount must be above zero"
    },
    {
      "code": 6030,
      "name": "PartTooLarge",
      "msg": "a part must be smaller than the whole"
    },
    {
      "code": 6031,
      "name": "WrongCertificate",
      "msg": "not the address of the book's next certificate"
    },
    {
      "code": 6032,
      "name": "WrongRetirement",
      "msg": "not the address of this certificate's retirement record"
    },
    {
      "code": 6033,
      "name": "CertificateOfOtherBook",
      "msg": "the certificate is of another meter's book"
    },
    {
      "code": 6034,
      "name": "AccountExists",
      "msg": "the account exists already"
    },
    {
      "code": 6035,
      "name": "NotHolder",
      "msg": "the certificate has another holder"
    },
    {
      "code": 6036,
      "name": "HolderInvalid",
      "msg": "the new holder must be another wallet, and not the zero address"
    },
    {
      "code": 6037,
      "name": "WrongRentPayer",
      "msg": "the rent goes back to whoever paid it"
    },
    {
      "code": 6038,
      "name": "BeneficiaryInvalid",
      "msg": "a retirement names a beneficiary: UTF-8 without control characters, zero-padded"
    },
    {
      "code": 6039,
      "name": "ReasonInvalid",
      "msg": "the reason is UTF-8 without control characters, zero-padded"
    },
    {
      "code": 6040,
      "name": "ArithmeticOverflow",
      "msg": "a number would pass its range"
    },
    {
      "code": 6041,
      "name": "InvariantViolated",
      "msg": "the account's numbers contradict each other"
    }
  ]
};
