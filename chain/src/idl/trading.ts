// Written by chain/scripts/sync-idl.mjs from programs/artifacts/trading.idl.json. Do not edit: run the script.
import type { Idl } from '@coral-xyz/anchor';
import type { PublicKey } from '@solana/web3.js';

/** Where GRID is traded against one quote token. `["market", quote mint]` */
export interface TradingMarket {
  /** Sets fee, treasury, band and guardian; hands itself over in two steps. */
  admin: PublicKey;
  /** Zero when no handover is under way. */
  pendingAdmin: PublicKey;
  /** Can only pause. */
  guardian: PublicKey;
  /** GRID. */
  baseMint: PublicKey;
  /** GRX: what GRID is paid with. */
  quoteMint: PublicKey;
  /** The quote token account that receives the fee. */
  treasury: PublicKey;
  /** The oracle's price feed; zero when the market has no band. */
  feed: PublicKey;
  /** Amounts are multiples of this many base units of GRID; fixed. */
  lotSize: bigint;
  /** Prices are multiples of this many base units of GRX for 1 GRID; fixed. */
  tickSize: bigint;
  createdAt: bigint;
  /** Of the quote, taken from what the seller receives. */
  feeBps: number;
  /** Trades are within this share of the feed's price, both ends included. */
  bandBps: number;
  paused: boolean;
  bump: number;
  /** The token program of the quote mint: the classic one or Token-2022. GRID's is Token-2022. */
  quoteTokenProgram: PublicKey;
}

/** A market after it was opened or changed, whole. */
export interface TradingMarketChanged {
  market: PublicKey;
  admin: PublicKey;
  pendingAdmin: PublicKey;
  guardian: PublicKey;
  baseMint: PublicKey;
  quoteMint: PublicKey;
  treasury: PublicKey;
  feed: PublicKey;
  lotSize: bigint;
  tickSize: bigint;
  feeBps: number;
  bandBps: number;
  paused: boolean;
  timestamp: bigint;
}

/**
 * An order in the book. It exists while something of it is open (or still to be returned); filled, cancelled and
 * returned orders are closed. `["order", owner, order id u64 little-endian]`
 */
export interface TradingOrder {
  market: PublicKey;
  /** The maker: the seller of a sell order, the buyer of a buy order. */
  owner: PublicKey;
  /** Gets the lamports of both accounts back. */
  rentPayer: PublicKey;
  /** The token account that holds what is offered; it is its own authority. `["escrow", order]` */
  escrow: PublicKey;
  /** The owner's associated GRID account: what a buy order receives, what a sell order gets back. */
  baseAccount: PublicKey;
  /** The owner's associated GRX account: what a sell order receives, what a buy order gets back. */
  quoteAccount: PublicKey;
  orderId: bigint;
  /** Base units of GRX for 1 GRID. */
  price: bigint;
  /** Base units of GRID at the start. */
  amount: bigint;
  /** Base units of GRID not yet traded. */
  remaining: bigint;
  /** What the escrow holds for this order: GRID (sell) or GRX (buy). Whoever sends it more makes the owner a gift. */
  escrowed: bigint;
  createdAt: bigint;
  /** Which of two orders is older; of one slot, the sell order. */
  createdSlot: bigint;
  /** From this time on it only goes back. */
  expiresAt: bigint;
  /** The most that a sell order pays: a fee that rises later does not concern it. */
  feeBps: number;
  /** 0 sells, 1 buys. */
  side: number;
  bump: number;
  escrowBump: number;
}

/** An owner took an order back. */
export interface TradingOrderCancelled {
  market: PublicKey;
  order: PublicKey;
  owner: PublicKey;
  /** Where the refund went. */
  destination: PublicKey;
  orderId: bigint;
  /** GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned. */
  remaining: bigint;
  /** GRID of a sell order, GRX of a buy order. */
  refunded: bigint;
  timestamp: bigint;
  side: number;
}

/** An order came into the book; what it offers is in its escrow. */
export interface TradingOrderCreated {
  market: PublicKey;
  order: PublicKey;
  owner: PublicKey;
  rentPayer: PublicKey;
  orderId: bigint;
  price: bigint;
  /** GRID. */
  amount: bigint;
  /** GRID of a sell order, GRX of a buy order. */
  escrowed: bigint;
  expiresAt: bigint;
  timestamp: bigint;
  slot: bigint;
  feeBps: number;
  /** 0 sells, 1 buys. */
  side: number;
}

/** An expired order went back to its owner; anybody can bring that about. */
export interface TradingOrderExpired {
  market: PublicKey;
  order: PublicKey;
  owner: PublicKey;
  /** Where the refund went. */
  destination: PublicKey;
  orderId: bigint;
  /** GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned. */
  remaining: bigint;
  /** GRID of a sell order, GRX of a buy order. */
  refunded: bigint;
  timestamp: bigint;
  side: number;
}

/** A pair of `cross_orders` that was left as it was while others traded. */
export interface TradingPairSkipped {
  sellOrder: PublicKey;
  buyOrder: PublicKey;
  /** The error that the pair alone would have had. */
  errorCode: number;
  pair: number;
}

/** GRID changed hands. One of `sell_order` and `buy_order` is zero when that side took the other's order directly. */
export interface TradingTradeExecuted {
  market: PublicKey;
  seller: PublicKey;
  buyer: PublicKey;
  sellOrder: PublicKey;
  buyOrder: PublicKey;
  sellOrderId: bigint;
  buyOrderId: bigint;
  price: bigint;
  /** GRID that the buyer received. */
  amount: bigint;
  /** GRX that the buyer paid. */
  quote: bigint;
  /** GRX of it that the treasury received; the seller received the rest. */
  fee: bigint;
  /** GRID that the sell order still offers; 0 also without one. */
  sellRemaining: bigint;
  /** GRID that the buy order still wants; 0 also without one. */
  buyRemaining: bigint;
  /** GRID that came back to the seller from a filled sell order's escrow: a gift of somebody's. */
  sellRefunded: bigint;
  /** GRX that came back to the buyer from a filled buy order's escrow: what better prices and rounding left. */
  buyRefunded: bigint;
  timestamp: bigint;
  /** Which side came to the other's order: 0 the seller, 1 the buyer. */
  takerSide: number;
  /** 1: the order was filled and its accounts are closed. */
  sellClosed: boolean;
  buyClosed: boolean;
}

/**
 * A wallet's last order id, and its token accounts, so that each is worked out once. Never closed: an order's address,
 * once used, is never used again. `["trader", wallet]`
 */
export interface TradingTrader {
  wallet: PublicKey;
  /** The wallet's associated GRID account. */
  baseAccount: PublicKey;
  /** The quote mint of the market for which it was opened last. */
  quoteMint: PublicKey;
  /** The wallet's associated account of that mint. */
  quoteAccount: PublicKey;
  lastOrderId: bigint;
  bump: number;
}

/** Accounts by name. */
export interface TradingAccounts {
  Market: TradingMarket;
  Order: TradingOrder;
  Trader: TradingTrader;
}

/** Events by name. */
export interface TradingEvents {
  MarketChanged: TradingMarketChanged;
  OrderCancelled: TradingOrderCancelled;
  OrderCreated: TradingOrderCreated;
  OrderExpired: TradingOrderExpired;
  PairSkipped: TradingPairSkipped;
  TradeExecuted: TradingTradeExecuted;
}

/** Instructions' arguments by name. */
export interface TradingArgs {
  match_order: { price: bigint; amount: bigint; minAmount: bigint; maxFeeBps: number };
  create_order: { orderId: bigint; side: number; amount: bigint; price: bigint; expiresAt: bigint; orderBump: number; escrowBump: number };
  open_trader: Record<never, never>;
  cancel_order: Record<never, never>;
  cross_orders: Record<never, never>;
  expire_order: Record<never, never>;
  create_market: { guardian: PublicKey; lotSize: bigint; tickSize: bigint; feeBps: number; feed: PublicKey; bandBps: number };
  set_paused: { paused: boolean };
  set_fee: { feeBps: number };
  set_band: { feed: PublicKey; bandBps: number };
  set_treasury: Record<never, never>;
  set_guardian: { newGuardian: PublicKey };
  propose_admin: { newAdmin: PublicKey };
  accept_admin: Record<never, never>;
}

/** Instructions' accounts by name. */
export interface TradingKeys {
  match_order: { taker: PublicKey; market: PublicKey; order: PublicKey; escrow: PublicKey; takerSource: PublicKey; takerDestination: PublicKey; makerDestination: PublicKey; makerRefund: PublicKey; treasury: PublicKey; rentPayer: PublicKey; feed: PublicKey; baseTokenProgram: PublicKey; quoteTokenProgram: PublicKey };
  create_order: { payer: PublicKey; owner: PublicKey; market: PublicKey; trader: PublicKey; order: PublicKey; escrow: PublicKey; source: PublicKey; mint: PublicKey; tokenProgram: PublicKey; systemProgram: PublicKey };
  open_trader: { payer: PublicKey; wallet: PublicKey; market: PublicKey; trader: PublicKey; systemProgram: PublicKey };
  cancel_order: { owner: PublicKey; order: PublicKey; escrow: PublicKey; destination: PublicKey; rentPayer: PublicKey; tokenProgram: PublicKey };
  cross_orders: { market: PublicKey; treasury: PublicKey; feed: PublicKey; baseTokenProgram: PublicKey; quoteTokenProgram: PublicKey };
  expire_order: { order: PublicKey; escrow: PublicKey; destination: PublicKey; rentPayer: PublicKey; tokenProgram: PublicKey };
  create_market: { authority: PublicKey; market: PublicKey; quoteMint: PublicKey; treasury: PublicKey; programData: PublicKey; systemProgram: PublicKey };
  set_paused: { authority: PublicKey; market: PublicKey };
  set_fee: { admin: PublicKey; market: PublicKey };
  set_band: { admin: PublicKey; market: PublicKey };
  set_treasury: { admin: PublicKey; market: PublicKey; treasury: PublicKey };
  set_guardian: { admin: PublicKey; market: PublicKey };
  propose_admin: { admin: PublicKey; market: PublicKey };
  accept_admin: { newAdmin: PublicKey; market: PublicKey };
}

/** Errors' codes by name. */
export interface TradingErrors {
  NotUpgradeAuthority: 6000;
  MarketExists: 6001;
  NotAdmin: 6002;
  NotPendingAdmin: 6003;
  NotAuthorized: 6004;
  AuthorityInvalid: 6005;
  Paused: 6006;
  WrongProgramData: 6007;
  WrongMint: 6008;
  QuoteMintInvalid: 6009;
  LotOrTickInvalid: 6010;
  FeeInvalid: 6011;
  BandInvalid: 6012;
  TreasuryInvalid: 6013;
  SideInvalid: 6014;
  AmountNotInLots: 6015;
  PriceNotInTicks: 6016;
  QuoteOverflow: 6017;
  ExpiryInvalid: 6018;
  OrderIdNotHigher: 6019;
  OrderIdJump: 6020;
  AccountExists: 6021;
  WrongTrader: 6022;
  WrongMarket: 6023;
  OrderClosed: 6024;
  OrderFilled: 6025;
  Expired: 6026;
  NotExpired: 6027;
  NotOrderOwner: 6028;
  SelfTrade: 6029;
  PriceMismatch: 6030;
  AmountTooSmall: 6031;
  FeeTooHigh: 6032;
  ZeroQuote: 6033;
  SideMismatch: 6034;
  NotCrossing: 6035;
  WrongEscrow: 6036;
  WrongTokenAccount: 6037;
  TokenAccountUnusable: 6038;
  WrongTreasury: 6039;
  WrongRentPayer: 6040;
  PairCount: 6041;
  WrongFeed: 6042;
  FeedInvalid: 6043;
  FeedPaused: 6044;
  FeedStale: 6045;
  OutOfBand: 6046;
  ArithmeticOverflow: 6047;
  InvariantViolated: 6048;
  QuoteMintExtended: 6049;
  WrongTokenProgram: 6050;
  TraderNotOpen: 6051;
}

export const tradingIdl: Idl = {
  "address": "H4onjARzXtAYoeBVZdELGX2bW1cSzJgoTQKkSutjMoD5",
  "metadata": {
    "name": "trading",
    "version": "0.1.0",
    "spec": "0.1.0",
    "description": "Orders for GRID against GRX: escrowed, matched, crossed, cancelled, expired."
  },
  "instructions": [
    {
      "name": "match_order",
      "docs": [
        "Fills an order, whole or part, at its price, which the taker names: at most `amount`, at least `min_amount` base",
        "units of GRID. A taker that sells pays the fee and names the highest it accepts."
      ],
      "discriminator": [
        95,
        230,
        21,
        6,
        114,
        23,
        41,
        111
      ],
      "accounts": [
        {
          "name": "taker",
          "signer": true
        },
        {
          "name": "market"
        },
        {
          "name": "order",
          "writable": true
        },
        {
          "name": "escrow",
          "writable": true
        },
        {
          "name": "taker_source",
          "writable": true,
          "docs": [
            "The taker's token account that pays: GRX for a sell order, GRID for a buy order."
          ]
        },
        {
          "name": "taker_destination",
          "writable": true,
          "docs": [
            "Where the taker wants what it trades for."
          ]
        },
        {
          "name": "maker_destination",
          "writable": true,
          "docs": [
            "The order's owner's associated account of what the taker pays with; the taker can create it first."
          ]
        },
        {
          "name": "maker_refund",
          "writable": true,
          "docs": [
            "The order's owner's associated account of what is escrowed. It need not exist."
          ]
        },
        {
          "name": "treasury",
          "writable": true
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the order's accounts."
          ]
        },
        {
          "name": "feed",
          "docs": [
            "The market's price feed; the system program for a market without one."
          ]
        },
        {
          "name": "base_token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
          "docs": [
            "GRID's."
          ]
        },
        {
          "name": "quote_token_program",
          "relations": [
            "market"
          ]
        }
      ],
      "args": [
        {
          "name": "price",
          "type": "u64"
        },
        {
          "name": "amount",
          "type": "u64"
        },
        {
          "name": "min_amount",
          "type": "u64"
        },
        {
          "name": "max_fee_bps",
          "type": "u16"
        }
      ]
    },
    {
      "name": "create_order",
      "docs": [
        "Makes an order and moves what it offers into its escrow: GRID of a sell order (side 0), GRX of a buy order (side",
        "1) for the whole amount, rounded up. Ids only rise per owner. The bumps are those of the order's and the escrow's",
        "address: to search for them here would cost an unforeseeable number of compute units."
      ],
      "discriminator": [
        141,
        54,
        37,
        207,
        237,
        210,
        250,
        215
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of order and escrow, and gets it back when they are closed."
          ]
        },
        {
          "name": "owner",
          "signer": true
        },
        {
          "name": "market"
        },
        {
          "name": "trader",
          "writable": true,
          "docs": [
            "The owner's, opened for this market. `[\"trader\", owner]`"
          ]
        },
        {
          "name": "order",
          "writable": true,
          "docs": [
            "`[\"order\", owner, order id]` with the bump that is named: the system program checks it when it makes the account."
          ]
        },
        {
          "name": "escrow",
          "writable": true,
          "docs": [
            "`[\"escrow\", order]`, likewise."
          ]
        },
        {
          "name": "source",
          "writable": true,
          "docs": [
            "The owner's token account from which the escrow is filled."
          ]
        },
        {
          "name": "mint",
          "docs": [
            "GRID for a sell order, the market's quote mint for a buy order."
          ]
        },
        {
          "name": "token_program",
          "docs": [
            "The mint's."
          ]
        },
        {
          "name": "system_program",
          "address": "11111111111111111111111111111111"
        }
      ],
      "args": [
        {
          "name": "order_id",
          "type": "u64"
        },
        {
          "name": "side",
          "type": "u8"
        },
        {
          "name": "amount",
          "type": "u64"
        },
        {
          "name": "price",
          "type": "u64"
        },
        {
          "name": "expires_at",
          "type": "i64"
        },
        {
          "name": "order_bump",
          "type": "u8"
        },
        {
          "name": "escrow_bump",
          "type": "u8"
        }
      ]
    },
    {
      "name": "open_trader",
      "docs": [
        "Opens a wallet's trader account for a market, before its first order there; again, in another market, before its",
        "next order there."
      ],
      "discriminator": [
        223,
        155,
        155,
        23,
        151,
        167,
        170,
        229
      ],
      "accounts": [
        {
          "name": "payer",
          "writable": true,
          "signer": true,
          "docs": [
            "Pays the rent of an account that is not there yet."
          ]
        },
        {
          "name": "wallet",
          "signer": true
        },
        {
          "name": "market"
        },
        {
          "name": "trader",
          "writable": true,
          "docs": [
            "`[\"trader\", wallet]`"
          ],
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  116,
                  114,
                  97,
                  100,
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
      "name": "cancel_order",
      "docs": [
        "Takes an order back: what is left in its escrow goes to a token account of the owner's, the rent to whoever paid",
        "it. Works at any time."
      ],
      "discriminator": [
        95,
        129,
        237,
        240,
        8,
        49,
        223,
        132
      ],
      "accounts": [
        {
          "name": "owner",
          "signer": true
        },
        {
          "name": "order",
          "writable": true
        },
        {
          "name": "escrow",
          "writable": true
        },
        {
          "name": "destination",
          "writable": true,
          "docs": [
            "Any token account of the owner's that can take what is in the escrow."
          ]
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the order's accounts."
          ]
        },
        {
          "name": "token_program",
          "docs": [
            "The token program of what is escrowed."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "cross_orders",
      "docs": [
        "Trades one to five pairs of resting orders that cross, each at the price of the older order. Anybody can call it.",
        "Each pair brings nine writable accounts: sell order, its escrow, buy order, its escrow, the seller's GRX account,",
        "the buyer's GRID account, the buyer's GRX account, who paid for the sell order, who paid for the buy order. A pair",
        "that cannot trade is left out as long as another one can (PairSkipped)."
      ],
      "discriminator": [
        35,
        191,
        12,
        115,
        220,
        155,
        196,
        243
      ],
      "accounts": [
        {
          "name": "market"
        },
        {
          "name": "treasury",
          "writable": true
        },
        {
          "name": "feed",
          "docs": [
            "The market's price feed; the system program for a market without one."
          ]
        },
        {
          "name": "base_token_program",
          "address": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
          "docs": [
            "GRID's."
          ]
        },
        {
          "name": "quote_token_program",
          "relations": [
            "market"
          ]
        }
      ],
      "args": []
    },
    {
      "name": "expire_order",
      "docs": [
        "Returns an expired order to its owner's associated account, and the rent to whoever paid it. Also returns what is",
        "left of an order that was filled while its owner's account could not take the rest. Anybody can call it."
      ],
      "discriminator": [
        174,
        27,
        85,
        247,
        105,
        245,
        220,
        13
      ],
      "accounts": [
        {
          "name": "order",
          "writable": true
        },
        {
          "name": "escrow",
          "writable": true
        },
        {
          "name": "destination",
          "writable": true,
          "docs": [
            "The owner's associated account of the escrowed token; whoever calls can create it first."
          ]
        },
        {
          "name": "rent_payer",
          "writable": true,
          "docs": [
            "Whoever paid for the order's accounts."
          ]
        },
        {
          "name": "token_program",
          "docs": [
            "The token program of what is escrowed."
          ]
        }
      ],
      "args": []
    },
    {
      "name": "create_market",
      "docs": [
        "Opens the market of GRID against a quote mint. Only the program's upgrade authority can; it becomes the admin. Lot",
        "and tick are fixed for ever. The zero address as feed means no price band."
      ],
      "discriminator": [
        103,
        226,
        97,
        235,
        200,
        188,
        251,
        254
      ],
      "accounts": [
        {
          "name": "authority",
          "writable": true,
          "signer": true,
          "docs": [
            "The program's upgrade authority; pays and becomes the market's admin."
          ]
        },
        {
          "name": "market",
          "writable": true,
          "pda": {
            "seeds": [
              {
                "kind": "const",
                "value": [
                  109,
                  97,
                  114,
                  107,
                  101,
                  116
                ]
              },
              {
                "kind": "account",
                "path": "quote_mint"
              }
            ]
          }
        },
        {
          "name": "quote_mint",
          "docs": [
            "GRX: a mint of the classic token program or of Token-2022 with nine decimals, and no extension but metadata."
          ]
        },
        {
          "name": "treasury",
          "docs": [
            "A token account of the quote mint; receives the fees."
          ]
        },
        {
          "name": "program_data",
          "address": "2VyXPgyBXQ12bVLDXrPJQvMQqLt8xQp4bdjprPuwgj6X"
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
        },
        {
          "name": "lot_size",
          "type": "u64"
        },
        {
          "name": "tick_size",
          "type": "u64"
        },
        {
          "name": "fee_bps",
          "type": "u16"
        },
        {
          "name": "feed",
          "type": "pubkey"
        },
        {
          "name": "band_bps",
          "type": "u16"
        }
      ]
    },
    {
      "name": "set_paused",
      "docs": [
        "Stops or resumes making, matching and crossing orders; cancelling and returning them goes on. The guardian can",
        "only stop."
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
            "The market's admin; the guardian can only pause."
          ]
        },
        {
          "name": "market",
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
      "name": "set_fee",
      "docs": [
        "The share of the quote that sellers pay. Sell orders made before never pay more than when they were made."
      ],
      "discriminator": [
        18,
        154,
        24,
        18,
        237,
        214,
        19,
        80
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "market"
          ]
        },
        {
          "name": "market",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "fee_bps",
          "type": "u16"
        }
      ]
    },
    {
      "name": "set_band",
      "docs": [
        "The price feed around which trades must be, and how far from it. The zero address and 0 remove the band."
      ],
      "discriminator": [
        233,
        165,
        154,
        128,
        155,
        52,
        245,
        140
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "market"
          ]
        },
        {
          "name": "market",
          "writable": true
        }
      ],
      "args": [
        {
          "name": "feed",
          "type": "pubkey"
        },
        {
          "name": "band_bps",
          "type": "u16"
        }
      ]
    },
    {
      "name": "set_treasury",
      "docs": [
        "The account that receives the fees."
      ],
      "discriminator": [
        57,
        97,
        196,
        95,
        195,
        206,
        106,
        136
      ],
      "accounts": [
        {
          "name": "admin",
          "signer": true,
          "relations": [
            "market"
          ]
        },
        {
          "name": "market",
          "writable": true
        },
        {
          "name": "treasury",
          "docs": [
            "A token account of the quote mint."
          ]
        }
      ],
      "args": []
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
            "market"
          ]
        },
        {
          "name": "market",
          "writable": true
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
        "Names the market's next admin, who must accept; the zero address withdraws the proposal."
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
            "market"
          ]
        },
        {
          "name": "market",
          "writable": true
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
          "address": "market.pending_admin"
        },
        {
          "name": "market",
          "writable": true
        }
      ],
      "args": []
    }
  ],
  "accounts": [
    {
      "discriminator": [
        219,
        190,
        213,
        55,
        0,
        227,
        198,
        154
      ],
      "name": "Market"
    },
    {
      "discriminator": [
        134,
        173,
        223,
        185,
        77,
        86,
        28,
        51
      ],
      "name": "Order"
    },
    {
      "discriminator": [
        74,
        133,
        32,
        105,
        47,
        50,
        5,
        238
      ],
      "name": "Trader"
    }
  ],
  "types": [
    {
      "docs": [
        "Where GRID is traded against one quote token. `[\"market\", quote mint]`"
      ],
      "name": "Market",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "docs": [
              "Sets fee, treasury, band and guardian; hands itself over in two steps."
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
            "docs": [
              "GRID."
            ],
            "name": "base_mint",
            "type": "pubkey"
          },
          {
            "docs": [
              "GRX: what GRID is paid with."
            ],
            "name": "quote_mint",
            "type": "pubkey"
          },
          {
            "docs": [
              "The quote token account that receives the fee."
            ],
            "name": "treasury",
            "type": "pubkey"
          },
          {
            "docs": [
              "The oracle's price feed; zero when the market has no band."
            ],
            "name": "feed",
            "type": "pubkey"
          },
          {
            "docs": [
              "Amounts are multiples of this many base units of GRID; fixed."
            ],
            "name": "lot_size",
            "type": "u64"
          },
          {
            "docs": [
              "Prices are multiples of this many base units of GRX for 1 GRID; fixed."
            ],
            "name": "tick_size",
            "type": "u64"
          },
          {
            "name": "created_at",
            "type": "i64"
          },
          {
            "docs": [
              "Of the quote, taken from what the seller receives."
            ],
            "name": "fee_bps",
            "type": "u16"
          },
          {
            "docs": [
              "Trades are within this share of the feed's price, both ends included."
            ],
            "name": "band_bps",
            "type": "u16"
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
                2
              ]
            }
          },
          {
            "docs": [
              "The token program of the quote mint: the classic one or Token-2022. GRID's is Token-2022."
            ],
            "name": "quote_token_program",
            "type": "pubkey"
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
      "docs": [
        "A market after it was opened or changed, whole."
      ],
      "name": "MarketChanged",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
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
            "name": "base_mint",
            "type": "pubkey"
          },
          {
            "name": "quote_mint",
            "type": "pubkey"
          },
          {
            "name": "treasury",
            "type": "pubkey"
          },
          {
            "name": "feed",
            "type": "pubkey"
          },
          {
            "name": "lot_size",
            "type": "u64"
          },
          {
            "name": "tick_size",
            "type": "u64"
          },
          {
            "name": "fee_bps",
            "type": "u16"
          },
          {
            "name": "band_bps",
            "type": "u16"
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
        "An order in the book. It exists while something of it is open (or still to be returned); filled, cancelled and",
        "returned orders are closed. `[\"order\", owner, order id u64 little-endian]`"
      ],
      "name": "Order",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
          {
            "docs": [
              "The maker: the seller of a sell order, the buyer of a buy order."
            ],
            "name": "owner",
            "type": "pubkey"
          },
          {
            "docs": [
              "Gets the lamports of both accounts back."
            ],
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "docs": [
              "The token account that holds what is offered; it is its own authority. `[\"escrow\", order]`"
            ],
            "name": "escrow",
            "type": "pubkey"
          },
          {
            "docs": [
              "The owner's associated GRID account: what a buy order receives, what a sell order gets back."
            ],
            "name": "base_account",
            "type": "pubkey"
          },
          {
            "docs": [
              "The owner's associated GRX account: what a sell order receives, what a buy order gets back."
            ],
            "name": "quote_account",
            "type": "pubkey"
          },
          {
            "name": "order_id",
            "type": "u64"
          },
          {
            "docs": [
              "Base units of GRX for 1 GRID."
            ],
            "name": "price",
            "type": "u64"
          },
          {
            "docs": [
              "Base units of GRID at the start."
            ],
            "name": "amount",
            "type": "u64"
          },
          {
            "docs": [
              "Base units of GRID not yet traded."
            ],
            "name": "remaining",
            "type": "u64"
          },
          {
            "docs": [
              "What the escrow holds for this order: GRID (sell) or GRX (buy). Whoever sends it more makes the owner a gift."
            ],
            "name": "escrowed",
            "type": "u64"
          },
          {
            "name": "created_at",
            "type": "i64"
          },
          {
            "docs": [
              "Which of two orders is older; of one slot, the sell order."
            ],
            "name": "created_slot",
            "type": "u64"
          },
          {
            "docs": [
              "From this time on it only goes back."
            ],
            "name": "expires_at",
            "type": "i64"
          },
          {
            "docs": [
              "The most that a sell order pays: a fee that rises later does not concern it."
            ],
            "name": "fee_bps",
            "type": "u16"
          },
          {
            "docs": [
              "0 sells, 1 buys."
            ],
            "name": "side",
            "type": "u8"
          },
          {
            "name": "bump",
            "type": "u8"
          },
          {
            "name": "escrow_bump",
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
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "An owner took an order back."
      ],
      "name": "OrderCancelled",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
          {
            "name": "order",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "docs": [
              "Where the refund went."
            ],
            "name": "destination",
            "type": "pubkey"
          },
          {
            "name": "order_id",
            "type": "u64"
          },
          {
            "docs": [
              "GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned."
            ],
            "name": "remaining",
            "type": "u64"
          },
          {
            "docs": [
              "GRID of a sell order, GRX of a buy order."
            ],
            "name": "refunded",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "side",
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
        "An order came into the book; what it offers is in its escrow."
      ],
      "name": "OrderCreated",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
          {
            "name": "order",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "name": "rent_payer",
            "type": "pubkey"
          },
          {
            "name": "order_id",
            "type": "u64"
          },
          {
            "name": "price",
            "type": "u64"
          },
          {
            "docs": [
              "GRID."
            ],
            "name": "amount",
            "type": "u64"
          },
          {
            "docs": [
              "GRID of a sell order, GRX of a buy order."
            ],
            "name": "escrowed",
            "type": "u64"
          },
          {
            "name": "expires_at",
            "type": "i64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "slot",
            "type": "u64"
          },
          {
            "name": "fee_bps",
            "type": "u16"
          },
          {
            "docs": [
              "0 sells, 1 buys."
            ],
            "name": "side",
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
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "An expired order went back to its owner; anybody can bring that about."
      ],
      "name": "OrderExpired",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
          {
            "name": "order",
            "type": "pubkey"
          },
          {
            "name": "owner",
            "type": "pubkey"
          },
          {
            "docs": [
              "Where the refund went."
            ],
            "name": "destination",
            "type": "pubkey"
          },
          {
            "name": "order_id",
            "type": "u64"
          },
          {
            "docs": [
              "GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned."
            ],
            "name": "remaining",
            "type": "u64"
          },
          {
            "docs": [
              "GRID of a sell order, GRX of a buy order."
            ],
            "name": "refunded",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "name": "side",
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
        "A pair of `cross_orders` that was left as it was while others traded."
      ],
      "name": "PairSkipped",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "sell_order",
            "type": "pubkey"
          },
          {
            "name": "buy_order",
            "type": "pubkey"
          },
          {
            "docs": [
              "The error that the pair alone would have had."
            ],
            "name": "error_code",
            "type": "u32"
          },
          {
            "name": "pair",
            "type": "u32"
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "GRID changed hands. One of `sell_order` and `buy_order` is zero when that side took the other's order directly."
      ],
      "name": "TradeExecuted",
      "repr": {
        "kind": "c"
      },
      "serialization": "bytemuck",
      "type": {
        "fields": [
          {
            "name": "market",
            "type": "pubkey"
          },
          {
            "name": "seller",
            "type": "pubkey"
          },
          {
            "name": "buyer",
            "type": "pubkey"
          },
          {
            "name": "sell_order",
            "type": "pubkey"
          },
          {
            "name": "buy_order",
            "type": "pubkey"
          },
          {
            "name": "sell_order_id",
            "type": "u64"
          },
          {
            "name": "buy_order_id",
            "type": "u64"
          },
          {
            "name": "price",
            "type": "u64"
          },
          {
            "docs": [
              "GRID that the buyer received."
            ],
            "name": "amount",
            "type": "u64"
          },
          {
            "docs": [
              "GRX that the buyer paid."
            ],
            "name": "quote",
            "type": "u64"
          },
          {
            "docs": [
              "GRX of it that the treasury received; the seller received the rest."
            ],
            "name": "fee",
            "type": "u64"
          },
          {
            "docs": [
              "GRID that the sell order still offers; 0 also without one."
            ],
            "name": "sell_remaining",
            "type": "u64"
          },
          {
            "docs": [
              "GRID that the buy order still wants; 0 also without one."
            ],
            "name": "buy_remaining",
            "type": "u64"
          },
          {
            "docs": [
              "GRID that came back to the seller from a filled sell order's escrow: a gift of somebody's."
            ],
            "name": "sell_refunded",
            "type": "u64"
          },
          {
            "docs": [
              "GRX that came back to the buyer from a filled buy order's escrow: what better prices and rounding left."
            ],
            "name": "buy_refunded",
            "type": "u64"
          },
          {
            "name": "timestamp",
            "type": "i64"
          },
          {
            "docs": [
              "Which side came to the other's order: 0 the seller, 1 the buyer."
            ],
            "name": "taker_side",
            "type": "u8"
          },
          {
            "docs": [
              "1: the order was filled and its accounts are closed."
            ],
            "name": "sell_closed",
            "type": "u8"
          },
          {
            "name": "buy_closed",
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
          }
        ],
        "kind": "struct"
      }
    },
    {
      "docs": [
        "A wallet's last order id, and its token accounts, so that each is worked out once. Never closed: an order's address,",
        "once used, is never used again. `[\"trader\", wallet]`"
      ],
      "name": "Trader",
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
              "The wallet's associated GRID account."
            ],
            "name": "base_account",
            "type": "pubkey"
          },
          {
            "docs": [
              "The quote mint of the market for which it was opened last."
            ],
            "name": "quote_mint",
            "type": "pubkey"
          },
          {
            "docs": [
              "The wallet's associated account of that mint."
            ],
            "name": "quote_account",
            "type": "pubkey"
          },
          {
            "name": "last_order_id",
            "type": "u64"
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
                7
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
    }
  ],
  "events": [
    {
      "name": "MarketChanged",
      "discriminator": [
        235,
        2,
        242,
        195,
        85,
        32,
        71,
        249
      ]
    },
    {
      "name": "OrderCancelled",
      "discriminator": [
        108,
        56,
        128,
        68,
        168,
        113,
        168,
        239
      ]
    },
    {
      "name": "OrderCreated",
      "discriminator": [
        224,
        1,
        229,
        63,
        254,
        60,
        190,
        159
      ]
    },
    {
      "name": "OrderExpired",
      "discriminator": [
        241,
        55,
        48,
        196,
        160,
        51,
        40,
        213
      ]
    },
    {
      "name": "PairSkipped",
      "discriminator": [
        57,
        218,
        201,
        156,
        234,
        144,
        209,
        211
      ]
    },
    {
      "name": "TradeExecuted",
      "discriminator": [
        41,
        110,
        64,
        129,
        60,
        79,
        179,
        80
      ]
    }
  ],
  "errors": [
    {
      "code": 6000,
      "name": "NotUpgradeAuthority",
      "msg": "only the program's upgrade authority can open a market"
    },
    {
      "code": 6001,
      "name": "MarketExists",
      "msg": "there is a market for this quote mint already"
    },
    {
      "code": 6002,
      "name": "NotAdmin",
      "msg": "only the market's admin can do this"
    },
    {
      "code": 6003,
      "name": "NotPendingAdmin",
      "msg": "only the proposed admin can accept"
    },
    {
      "code": 6004,
      "name": "NotAuthorized",
      "msg": "this authority may not do this"
    },
    {
      "code": 6005,
      "name": "AuthorityInvalid",
      "msg": "an authority cannot be the zero address"
    },
    {
      "code": 6006,
      "name": "Paused",
      "msg": "the market is paused"
    },
    {
      "code": 6007,
      "name": "WrongProgramData",
      "msg": "not the program data account of this program"
    },
    {
      "code": 6008,
      "name": "WrongMint",
      "msg": "not the mint that is escrowed here"
    },
    {
      "code": 6009,
      "name": "QuoteMintInvalid",
      "msg": "the quote mint must be a mint of one of the two SPL token programs with nine decimals, and not GRID"
    },
    {
      "code": 6010,
      "name": "LotOrTickInvalid",
      "msg": "lot and tick must be above zero, and one lot at one tick must be worth at least one base unit"
    },
    {
      "code": 6011,
      "name": "FeeInvalid",
      "msg": "the fee is at most 1,000 basis points"
    },
    {
      "code": 6012,
      "name": "BandInvalid",
      "msg": "a band needs a feed and 1 to 10,000 basis points; without a feed it is 0"
    },
    {
      "code": 6013,
      "name": "TreasuryInvalid",
      "msg": "the treasury must be a usable token account of the quote mint"
    },
    {
      "code": 6014,
      "name": "SideInvalid",
      "msg": "side 0 sells, side 1 buys"
    },
    {
      "code": 6015,
      "name": "AmountNotInLots",
      "msg": "the amount must be above zero and a multiple of the lot size"
    },
    {
      "code": 6016,
      "name": "PriceNotInTicks",
      "msg": "the price must be above zero and a multiple of the tick size"
    },
    {
      "code": 6017,
      "name": "QuoteOverflow",
      "msg": "amount x price passes 2^64 - 1 base units of GRX"
    },
    {
      "code": 6018,
      "name": "ExpiryInvalid",
      "msg": "an order expires in the future, within 366 days"
    },
    {
      "code": 6019,
      "name": "OrderIdNotHigher",
      "msg": "the order id is not higher than this owner's last one"
    },
    {
      "code": 6020,
      "name": "OrderIdJump",
      "msg": "the order id is more than 1,000,000 above this owner's last one"
    },
    {
      "code": 6021,
      "name": "AccountExists",
      "msg": "the account exists already"
    },
    {
      "code": 6022,
      "name": "WrongTrader",
      "msg": "not this owner's trader account"
    },
    {
      "code": 6023,
      "name": "WrongMarket",
      "msg": "the order belongs to another market"
    },
    {
      "code": 6024,
      "name": "OrderClosed",
      "msg": "there is no such order: it was filled, cancelled or returned"
    },
    {
      "code": 6025,
      "name": "OrderFilled",
      "msg": "the order is filled; only what is left in its escrow is still to be returned"
    },
    {
      "code": 6026,
      "name": "Expired",
      "msg": "the order has expired"
    },
    {
      "code": 6027,
      "name": "NotExpired",
      "msg": "the order has not expired"
    },
    {
      "code": 6028,
      "name": "NotOrderOwner",
      "msg": "the order belongs to another wallet"
    },
    {
      "code": 6029,
      "name": "SelfTrade",
      "msg": "nobody trades with themselves"
    },
    {
      "code": 6030,
      "name": "PriceMismatch",
      "msg": "the order has another price"
    },
    {
      "code": 6031,
      "name": "AmountTooSmall",
      "msg": "less is left than the taker wants at least"
    },
    {
      "code": 6032,
      "name": "FeeTooHigh",
      "msg": "the fee is higher than the taker accepts"
    },
    {
      "code": 6033,
      "name": "ZeroQuote",
      "msg": "the amount is worth less than one base unit of GRX"
    },
    {
      "code": 6034,
      "name": "SideMismatch",
      "msg": "the first order must sell and the second buy"
    },
    {
      "code": 6035,
      "name": "NotCrossing",
      "msg": "the orders do not cross: the seller asks more than the buyer bids"
    },
    {
      "code": 6036,
      "name": "WrongEscrow",
      "msg": "not the order's escrow"
    },
    {
      "code": 6037,
      "name": "WrongTokenAccount",
      "msg": "not the token account that the order names"
    },
    {
      "code": 6038,
      "name": "TokenAccountUnusable",
      "msg": "the token account is missing, frozen, no longer its owner's, or asks for more than a transfer"
    },
    {
      "code": 6039,
      "name": "WrongTreasury",
      "msg": "not the market's treasury"
    },
    {
      "code": 6040,
      "name": "WrongRentPayer",
      "msg": "the rent goes back to whoever paid it"
    },
    {
      "code": 6041,
      "name": "PairCount",
      "msg": "one to five pairs, nine accounts each"
    },
    {
      "code": 6042,
      "name": "WrongFeed",
      "msg": "not the market's price feed"
    },
    {
      "code": 6043,
      "name": "FeedInvalid",
      "msg": "not a feed of the oracle program"
    },
    {
      "code": 6044,
      "name": "FeedPaused",
      "msg": "the price feed is paused"
    },
    {
      "code": 6045,
      "name": "FeedStale",
      "msg": "the price feed is stale or has no price yet"
    },
    {
      "code": 6046,
      "name": "OutOfBand",
      "msg": "the price is outside the market's band around the feed's price"
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
    },
    {
      "code": 6049,
      "name": "QuoteMintExtended",
      "msg": "the quote mint has an extension other than metadata: its tokens might not arrive as they are sent"
    },
    {
      "code": 6050,
      "name": "WrongTokenProgram",
      "msg": "not the token program of what is traded"
    },
    {
      "code": 6051,
      "name": "TraderNotOpen",
      "msg": "open_trader comes first: the owner has no trader account, or one for another market's quote mint"
    }
  ]
};
