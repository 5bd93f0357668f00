import { type AccountMeta, PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import {
  escrowAddress,
  escrowAddressWithBump,
  gridMintAddress,
  gridTokenAccount,
  marketAddress,
  orderAddress,
  orderAddressWithBump,
  programDataAddress,
  quoteTokenAccount,
  traderAddress,
} from './addresses.js';
import type { TradingMarket, TradingOrder } from './idl/trading.js';
import { GRID_TOKEN_PROGRAM_ID, TRADING_PROGRAM_ID, trading } from './programs.js';
import { Side } from './trading.js';

/*
 * One builder for each instruction of trading. A market and an order can be given as they were decoded.
 */

/** What the builders need of a market. */
export type MarketRef = Pick<TradingMarket, 'quoteMint' | 'quoteTokenProgram' | 'treasury' | 'feed'>;
/** A market's quote token: its mint, and the token program that this is of. */
export type QuoteToken = Pick<TradingMarket, 'quoteMint' | 'quoteTokenProgram'>;
/** What the builders need of an order. */
export type OrderRef = Pick<TradingOrder, 'owner' | 'orderId' | 'side' | 'rentPayer'>;

/** Pairs in one `cross_orders`. */
export const MAX_CROSSED_PAIRS = 5;

const placeOf = ({ owner, orderId }: Pick<OrderRef, 'owner' | 'orderId'>) => {
  const order = orderAddress(owner, orderId);
  return { order, escrow: escrowAddress(order) };
};

const quoteAccount = ({ quoteMint, quoteTokenProgram }: QuoteToken, wallet: PublicKey): PublicKey =>
  quoteTokenAccount(quoteMint, quoteTokenProgram, wallet);
/** A wallet's account of what an order of this side offers. */
const offered = (side: number, quote: QuoteToken, wallet: PublicKey): PublicKey =>
  side === Side.Sell ? gridTokenAccount(wallet) : quoteAccount(quote, wallet);
/** A wallet's account of what an order of this side wants. */
const wanted = (side: number, quote: QuoteToken, wallet: PublicKey): PublicKey =>
  side === Side.Sell ? quoteAccount(quote, wallet) : gridTokenAccount(wallet);
/** The token program of what an order of this side offers. */
const programOffered = (side: number, quote: QuoteToken): PublicKey =>
  side === Side.Sell ? GRID_TOKEN_PROGRAM_ID : quote.quoteTokenProgram;

// --- markets

/** Opens the market of GRID against a quote mint. `authority` is the program's upgrade authority: it signs and pays. */
export function createMarket(args: {
  authority: PublicKey;
  quoteMint: PublicKey;
  /** A token account of the quote mint. */
  treasury: PublicKey;
  guardian: PublicKey;
  /** GRID base units; fixed for ever, as is `tickSize` (GRX base units for 1 GRID). */
  lotSize: bigint;
  tickSize: bigint;
  /** At most 1,000. */
  feeBps: number;
  /** An oracle feed, and how far trades may be from its price; leave both away for no band. */
  feed?: PublicKey;
  bandBps?: number;
}): TransactionInstruction {
  const { authority, quoteMint, treasury, feed = PublicKey.default, bandBps = 0, ...rest } = args;
  return trading.instruction(
    'create_market',
    { ...rest, feed, bandBps },
    {
      authority,
      market: marketAddress(quoteMint),
      quoteMint,
      treasury,
      programData: programDataAddress(TRADING_PROGRAM_ID),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Stops or resumes making, matching and crossing orders. Signer: the market's admin; its guardian can only pause. */
export function setMarketPaused(args: {
  authority: PublicKey;
  market: PublicKey;
  paused: boolean;
}): TransactionInstruction {
  const { authority, market, paused } = args;
  return trading.instruction('set_paused', { paused }, { authority, market });
}

/** Changes the fee for orders made from now on. Signer: the market's `admin`, as of the following ones. */
export function setMarketFee(args: {
  admin: PublicKey;
  market: PublicKey;
  feeBps: number;
}): TransactionInstruction {
  const { admin, market, feeBps } = args;
  return trading.instruction('set_fee', { feeBps }, { admin, market });
}

/** Sets the price band; `PublicKey.default` and 0 remove it. */
export function setMarketBand(args: {
  admin: PublicKey;
  market: PublicKey;
  feed: PublicKey;
  bandBps: number;
}): TransactionInstruction {
  const { admin, market, feed, bandBps } = args;
  return trading.instruction('set_band', { feed, bandBps }, { admin, market });
}

/** Names another account for the fees. */
export function setMarketTreasury(args: {
  admin: PublicKey;
  market: PublicKey;
  treasury: PublicKey;
}): TransactionInstruction {
  return trading.instruction('set_treasury', {}, args);
}

/** Names another guardian. */
export function setMarketGuardian(args: {
  admin: PublicKey;
  market: PublicKey;
  guardian: PublicKey;
}): TransactionInstruction {
  const { admin, market, guardian } = args;
  return trading.instruction('set_guardian', { newGuardian: guardian }, { admin, market });
}

/** Names the market's next admin, who has to accept; `PublicKey.default` withdraws. */
export function proposeMarketAdmin(args: {
  admin: PublicKey;
  market: PublicKey;
  newAdmin: PublicKey;
}): TransactionInstruction {
  const { admin, market, newAdmin } = args;
  return trading.instruction('propose_admin', { newAdmin }, { admin, market });
}

/** Becomes the market's admin. Signer: the proposed `newAdmin`. */
export function acceptMarketAdmin(args: { newAdmin: PublicKey; market: PublicKey }): TransactionInstruction {
  return trading.instruction('accept_admin', {}, args);
}

// --- orders

/**
 * Opens a wallet's trader account for a market: before its first order, and before its next one in another market.
 * Signers: `payer` (the rent), `wallet`.
 */
export function openTrader(args: {
  payer: PublicKey;
  wallet: PublicKey;
  quoteMint: PublicKey;
}): TransactionInstruction {
  const { payer, wallet, quoteMint } = args;
  return trading.instruction(
    'open_trader',
    {},
    {
      payer,
      wallet,
      market: marketAddress(quoteMint),
      trader: traderAddress(wallet),
      systemProgram: SystemProgram.programId,
    },
  );
}

/**
 * Makes an order. Signers: `payer` (rent, which comes back to it), `owner`, whose trader account is open for the market
 * (see {@link openTrader}).
 */
export function createOrder(args: {
  payer: PublicKey;
  owner: PublicKey;
  market: QuoteToken;
  /** Higher than any before: see `nextOrderId`. */
  orderId: bigint;
  side: Side;
  /** GRID base units, a multiple of the market's lot size. */
  amount: bigint;
  /** GRX base units for 1 GRID, a multiple of the market's tick size. */
  price: bigint;
  /** Unix seconds, within 366 days. */
  expiresAt: bigint;
  /** The owner's account from which the escrow is filled; the associated one unless given. */
  source?: PublicKey;
}): TransactionInstruction {
  const { payer, owner, market, source, ...rest } = args;
  const [order, orderBump] = orderAddressWithBump(owner, args.orderId);
  const [escrow, escrowBump] = escrowAddressWithBump(order);
  return trading.instruction(
    'create_order',
    { ...rest, orderBump, escrowBump },
    {
      payer,
      owner,
      market: marketAddress(market.quoteMint),
      trader: traderAddress(owner),
      order,
      escrow,
      source: source ?? offered(args.side, market, owner),
      mint: args.side === Side.Sell ? gridMintAddress() : market.quoteMint,
      tokenProgram: programOffered(args.side, market),
      systemProgram: SystemProgram.programId,
    },
  );
}

/**
 * Fills an order, whole or part. Signer: `taker`. The maker's account for what it receives must exist: put an
 * idempotent creation before when it might not.
 */
export function matchOrder(args: {
  taker: PublicKey;
  market: MarketRef;
  order: OrderRef;
  /** The order's price, as the taker saw it. */
  price: bigint;
  /** GRID base units: at most, and at least (all of `amount` unless given). */
  amount: bigint;
  minAmount?: bigint;
  /** The highest fee that a selling taker accepts. */
  maxFeeBps: number;
  /** The taker's accounts; the associated ones unless given. */
  source?: PublicKey;
  destination?: PublicKey;
}): TransactionInstruction {
  const { taker, market, order } = args;
  const { quoteMint } = market;
  return trading.instruction(
    'match_order',
    {
      price: args.price,
      amount: args.amount,
      minAmount: args.minAmount ?? args.amount,
      maxFeeBps: args.maxFeeBps,
    },
    {
      taker,
      market: marketAddress(quoteMint),
      ...placeOf(order),
      takerSource: args.source ?? wanted(order.side, market, taker),
      takerDestination: args.destination ?? offered(order.side, market, taker),
      makerDestination: wanted(order.side, market, order.owner),
      makerRefund: offered(order.side, market, order.owner),
      treasury: market.treasury,
      rentPayer: order.rentPayer,
      feed: market.feed,
      baseTokenProgram: GRID_TOKEN_PROGRAM_ID,
      quoteTokenProgram: market.quoteTokenProgram,
    },
  );
}

/** Settles one to `MAX_CROSSED_PAIRS` pairs of resting orders that cross. Nobody needs to sign but the fee payer. */
export function crossOrders(args: {
  market: MarketRef;
  pairs: readonly { sell: OrderRef; buy: OrderRef }[];
}): TransactionInstruction {
  const { market, pairs } = args;
  const { quoteMint } = market;
  const instruction = trading.instruction(
    'cross_orders',
    {},
    {
      market: marketAddress(quoteMint),
      treasury: market.treasury,
      feed: market.feed,
      baseTokenProgram: GRID_TOKEN_PROGRAM_ID,
      quoteTokenProgram: market.quoteTokenProgram,
    },
  );
  const accounts = pairs.flatMap(({ sell, buy }): PublicKey[] => {
    const [from, to] = [placeOf(sell), placeOf(buy)];
    return [
      from.order,
      from.escrow,
      to.order,
      to.escrow,
      quoteAccount(market, sell.owner),
      gridTokenAccount(buy.owner),
      quoteAccount(market, buy.owner),
      sell.rentPayer,
      buy.rentPayer,
    ];
  });
  instruction.keys.push(
    ...accounts.map((pubkey): AccountMeta => ({ pubkey, isSigner: false, isWritable: true })),
  );
  return instruction;
}

/** Takes an order back. Signer: its owner. */
export function cancelOrder(args: {
  market: QuoteToken;
  order: OrderRef;
  /** Any account of the owner's for what is escrowed; the associated one unless given. */
  destination?: PublicKey;
}): TransactionInstruction {
  const { market, order, destination } = args;
  return trading.instruction(
    'cancel_order',
    {},
    {
      owner: order.owner,
      ...placeOf(order),
      destination: destination ?? offered(order.side, market, order.owner),
      rentPayer: order.rentPayer,
      tokenProgram: programOffered(order.side, market),
    },
  );
}

/** Returns an expired order to its owner. Nobody needs to sign but the fee payer. */
export function expireOrder(args: { market: QuoteToken; order: OrderRef }): TransactionInstruction {
  const { market, order } = args;
  return trading.instruction(
    'expire_order',
    {},
    {
      ...placeOf(order),
      destination: offered(order.side, market, order.owner),
      rentPayer: order.rentPayer,
      tokenProgram: programOffered(order.side, market),
    },
  );
}
