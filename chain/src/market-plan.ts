import { GtxError } from '@gridtokenx/protocol';
import { createAssociatedTokenAccountIdempotentInstruction } from '@solana/spl-token';
import { type Connection, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { fetchOne } from './accounts.js';
import {
  escrowAddress,
  gridMintAddress,
  gridTokenAccount,
  marketAddress,
  orderAddress,
  quoteTokenAccount,
  traderAddress,
} from './addresses.js';
import { toChainError } from './failure.js';
import type { OracleFeed } from './idl/oracle.js';
import type { TradingMarket, TradingOrder } from './idl/trading.js';
import * as instructions from './instructions.js';
import { checkNewOrder, checkTake, type MarketCheck } from './market-checks.js';
import { decodeFeed } from './oracle.js';
import {
  CLASSIC_TOKEN_PROGRAM_ID,
  GRID_TOKEN_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  TRADING_PROGRAM_ID,
} from './programs.js';
import { chainTime } from './setup.js';
import { decodeTrader, feeOf, fetchOrder, quoteOf, Side } from './trading.js';

/*
 * From a wish to instructions: what the chain says now, whether it would work, and everything that has to go into the
 * transaction (accounts that are missing, the trader account before a first order).
 */

/** Balances of token accounts of either token program as of one slot; undefined where there is no such account. */
export async function fetchTokenAmounts(
  connection: Connection,
  addresses: readonly PublicKey[],
): Promise<{ slot: number; amounts: (bigint | undefined)[] }> {
  try {
    const { context, value } = await connection.getMultipleAccountsInfoAndContext(
      [...addresses],
      'confirmed',
    );
    const amounts = value.map((account) => {
      const owned =
        account?.owner.equals(CLASSIC_TOKEN_PROGRAM_ID) || account?.owner.equals(GRID_TOKEN_PROGRAM_ID);
      // Mint, owner, then the amount (u64): the same in both programs.
      return account && owned && account.data.length >= 72 ? account.data.readBigUInt64LE(64) : undefined;
    });
    return { slot: context.slot, amounts };
  } catch (error) {
    throw toChainError(error);
  }
}

/** The feed that a market's band is around; undefined without a band. */
export async function fetchMarketFeed(
  connection: Connection,
  { feed }: Pick<TradingMarket, 'feed'>,
): Promise<OracleFeed | undefined> {
  if (feed.equals(PublicKey.default)) return undefined;
  return await fetchOne(connection, ORACLE_PROGRAM_ID, feed, decodeFeed);
}

/** Makes a wallet's associated account of GRID or of the market's quote token; nothing when it is there. */
export function openTokenAccount(args: {
  payer: PublicKey;
  wallet: PublicKey;
  token: 'grid' | Pick<TradingMarket, 'quoteMint' | 'quoteTokenProgram'>;
}): TransactionInstruction {
  const { payer, wallet, token } = args;
  return token === 'grid'
    ? createAssociatedTokenAccountIdempotentInstruction(
        payer,
        gridTokenAccount(wallet),
        wallet,
        gridMintAddress(),
        GRID_TOKEN_PROGRAM_ID,
      )
    : createAssociatedTokenAccountIdempotentInstruction(
        payer,
        quoteTokenAccount(token.quoteMint, token.quoteTokenProgram, wallet),
        wallet,
        token.quoteMint,
        token.quoteTokenProgram,
      );
}

/** A wish as instructions, and what was looked at. The checks may have failed: see `assertChecks`. */
export interface MarketPlan {
  instructions: TransactionInstruction[];
  checks: MarketCheck[];
}

/**
 * A new order of a wallet.
 * @throws GtxError CHAIN_UNAVAILABLE
 */
export async function planOrder(
  connection: Connection,
  wish: {
    market: TradingMarket;
    /** Pays rent and gets it back. */
    payer: PublicKey;
    owner: PublicKey;
    side: Side;
    amount: bigint;
    price: bigint;
    /** Seconds from now on, by the chain's clock. */
    lifetimeSeconds: bigint;
  },
): Promise<MarketPlan & { order: PublicKey; orderId: bigint; expiresAt: bigint }> {
  const { market, payer, owner, side, amount, price } = wish;
  const grid = gridTokenAccount(owner);
  const quote = quoteTokenAccount(market.quoteMint, market.quoteTokenProgram, owner);
  const [{ amounts }, trader, now] = await Promise.all([
    fetchTokenAmounts(connection, [grid, quote]),
    fetchOne(connection, TRADING_PROGRAM_ID, traderAddress(owner), decodeTrader),
    chainTime(connection),
  ]);
  const [offered, received] = side === Side.Sell ? amounts : [amounts[1], amounts[0]];
  const orderId = (trader?.lastOrderId ?? 0n) + 1n;
  const expiresAt = now + wish.lifetimeSeconds;
  return {
    checks: checkNewOrder({ market, side, amount, price, balance: offered }),
    order: orderAddress(owner, orderId),
    orderId,
    expiresAt,
    instructions: [
      // Whoever takes the order pays into it; without it the taker would have to make it.
      ...(received === undefined
        ? [openTokenAccount({ payer, wallet: owner, token: side === Side.Sell ? market : 'grid' })]
        : []),
      ...(trader?.quoteMint.equals(market.quoteMint)
        ? []
        : [instructions.openTrader({ payer, wallet: owner, quoteMint: market.quoteMint })]),
      instructions.createOrder({ payer, owner, market, orderId, side, amount, price, expiresAt }),
    ],
  };
}

/** What a trade comes to. */
export interface TakePlan extends MarketPlan {
  order: TradingOrder;
  /** GRID. */
  amount: bigint;
  /** GRX that the buyer pays, and of it what the treasury gets. */
  quote: bigint;
  fee: bigint;
}

/**
 * Taking an order, whole or part.
 * @throws GtxError ORDER_CLOSED when there is no such order, CONFLICT when it is of another market, CHAIN_UNAVAILABLE
 */
export async function planTake(
  connection: Connection,
  wish: {
    market: TradingMarket;
    /** Pays for token accounts that are missing. */
    payer: PublicKey;
    taker: PublicKey;
    owner: PublicKey;
    orderId: bigint;
    /** GRID; all that is left unless given. */
    amount?: bigint | undefined;
    /** The least that is worth a trade, where others may be faster; all of the amount unless given. */
    minAmount?: bigint | undefined;
    /** The worst price: the highest when the taker buys, the lowest when it sells. */
    limit?: bigint | undefined;
  },
): Promise<TakePlan> {
  const { market, payer, taker, owner, orderId, limit } = wish;
  const order = await fetchOrder(connection, owner, orderId);
  if (!order || order.remaining === 0n)
    throw new GtxError(
      'ORDER_CLOSED',
      `${owner.toBase58()} has no open order ${orderId}: it was filled, cancelled or returned, or never made`,
      { owner: owner.toBase58(), order_id: orderId.toString() },
    );
  if (!order.market.equals(marketAddress(market.quoteMint)))
    throw new GtxError('CONFLICT', `order ${orderId} is of another market, ${order.market.toBase58()}`, {
      market: order.market.toBase58(),
    });
  const sells = order.side === Side.Sell;
  const grid = gridTokenAccount(taker);
  const quoteAccount = quoteTokenAccount(market.quoteMint, market.quoteTokenProgram, taker);
  const makerAccount = sells ? order.quoteAccount : order.baseAccount;
  const [{ amounts }, feed, now] = await Promise.all([
    fetchTokenAmounts(connection, [
      grid,
      quoteAccount,
      makerAccount,
      escrowAddress(orderAddress(owner, orderId)),
    ]),
    fetchMarketFeed(connection, market),
    chainTime(connection),
  ]);
  const [gridBalance, quoteBalance, makerBalance, escrow] = amounts;
  const { minAmount } = wish;
  const wanted = wish.amount ?? order.remaining;
  // Whoever is content with less takes what is left.
  const amount =
    minAmount !== undefined && minAmount <= order.remaining && order.remaining < wanted
      ? order.remaining
      : wanted;
  const quote = quoteOf(amount, order.price, sells ? 'up' : 'down');
  const [balance, received] = sells ? [quoteBalance, gridBalance] : [gridBalance, quoteBalance];
  return {
    order,
    amount,
    quote,
    fee: feeOf(quote, sells ? Math.min(market.feeBps, order.feeBps) : market.feeBps),
    checks: checkTake({ market, feed, order, escrow, taker, amount, limit, balance, now }),
    instructions: [
      ...(received === undefined
        ? [openTokenAccount({ payer, wallet: taker, token: sells ? 'grid' : market })]
        : []),
      ...(makerBalance === undefined
        ? [openTokenAccount({ payer, wallet: owner, token: sells ? market : 'grid' })]
        : []),
      instructions.matchOrder({
        taker,
        market,
        order,
        price: order.price,
        amount,
        ...(minAmount === undefined ? {} : { minAmount: minAmount < amount ? minAmount : amount }),
        maxFeeBps: market.feeBps,
      }),
    ],
  };
}

/**
 * Taking an order back. `owner` signs.
 * @throws GtxError ORDER_CLOSED, CONFLICT when it is of another market, CHAIN_UNAVAILABLE
 */
export async function planCancel(
  connection: Connection,
  wish: { market: TradingMarket; payer: PublicKey; owner: PublicKey; orderId: bigint },
): Promise<MarketPlan & { order: TradingOrder }> {
  const { owner, orderId } = wish;
  const order = await openOrderOf(connection, wish);
  return {
    order,
    checks: [],
    instructions: [
      ...(await refundAccount(connection, wish, order)),
      instructions.cancelOrder({ market: wish.market, order: { ...order, owner, orderId } }),
    ],
  };
}

/**
 * Returning an expired order to its owner: anybody can.
 * @throws GtxError ORDER_CLOSED when it is gone, CONFLICT when it has not expired or is of another market
 */
export async function planExpire(
  connection: Connection,
  wish: { market: TradingMarket; payer: PublicKey; owner: PublicKey; orderId: bigint },
): Promise<MarketPlan & { order: TradingOrder }> {
  const order = await openOrderOf(connection, wish);
  const now = await chainTime(connection);
  if (now < order.expiresAt && order.remaining > 0n)
    throw new GtxError(
      'CONFLICT',
      `order ${order.orderId} does not expire before ${new Date(Number(order.expiresAt) * 1_000).toISOString()}; until then only its owner can take it back`,
      { expires_at: new Date(Number(order.expiresAt) * 1_000).toISOString() },
    );
  return {
    order,
    checks: [],
    instructions: [
      ...(await refundAccount(connection, wish, order)),
      instructions.expireOrder({ market: wish.market, order }),
    ],
  };
}

async function openOrderOf(
  connection: Connection,
  { market, owner, orderId }: { market: TradingMarket; owner: PublicKey; orderId: bigint },
): Promise<TradingOrder> {
  const order = await fetchOrder(connection, owner, orderId);
  if (!order)
    throw new GtxError(
      'ORDER_CLOSED',
      `${owner.toBase58()} has no order ${orderId} any more: it was filled, cancelled or returned, or never made`,
      { owner: owner.toBase58(), order_id: orderId.toString() },
    );
  if (!order.market.equals(marketAddress(market.quoteMint)))
    throw new GtxError('CONFLICT', `order ${orderId} is of another market, ${order.market.toBase58()}`, {
      market: order.market.toBase58(),
    });
  return order;
}

/** The owner may have closed the account that the escrow goes back to. */
async function refundAccount(
  connection: Connection,
  { market, payer, owner }: { market: TradingMarket; payer: PublicKey; owner: PublicKey },
  order: TradingOrder,
): Promise<TransactionInstruction[]> {
  const sells = order.side === Side.Sell;
  const { amounts } = await fetchTokenAmounts(connection, [sells ? order.baseAccount : order.quoteAccount]);
  return amounts[0] === undefined
    ? [openTokenAccount({ payer, wallet: owner, token: sells ? 'grid' : market })]
    : [];
}
