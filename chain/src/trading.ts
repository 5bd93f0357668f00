import type { Connection, PublicKey } from '@solana/web3.js';
import { type Found, fetchOne, fetchSome } from './accounts.js';
import { marketAddress, orderAddress, traderAddress } from './addresses.js';
import { toChainError } from './failure.js';
import type { TradingMarket, TradingOrder, TradingTrader } from './idl/trading.js';
import { TRADING_PROGRAM_ID, trading } from './programs.js';

/** Which way an order goes, as the chain writes it. */
export const Side = {
  /** Offers GRID. */
  Sell: 0,
  /** Offers GRX. */
  Buy: 1,
} as const;
export type Side = (typeof Side)[keyof typeof Side];

/** Prices are GRX base units for this many base units of GRID: 1 kWh. */
export const BASE_UNITS_PER_GRID = 1_000_000_000n;

/** What `amount` (GRID base units) costs at `price`, in GRX base units, rounded as the program does. */
export function quoteOf(amount: bigint, price: bigint, rounding: 'up' | 'down'): bigint {
  const product = amount * price;
  return rounding === 'up'
    ? (product + BASE_UNITS_PER_GRID - 1n) / BASE_UNITS_PER_GRID
    : product / BASE_UNITS_PER_GRID;
}

/** The fee that a trade of this quote pays, rounded down. */
export function feeOf(quote: bigint, feeBps: number): bigint {
  return (quote * BigInt(feeBps)) / 10_000n;
}

// --- decoding: the account's whole data in; GtxError MESSAGE_INVALID when it is another kind of account.

/** A Market. */
export function decodeMarket(data: Uint8Array): TradingMarket {
  return trading.decodeAccount('Market', data);
}

/** An Order. */
export function decodeOrder(data: Uint8Array): TradingOrder {
  return trading.decodeAccount('Order', data);
}

/** A Trader. */
export function decodeTrader(data: Uint8Array): TradingTrader {
  return trading.decodeAccount('Trader', data);
}

// --- fetching at `confirmed`: undefined when there is no such account; GtxError CHAIN_UNAVAILABLE without an answer.

/** The Market of GRID against a quote mint. */
export function fetchMarket(
  connection: Connection,
  quoteMint: PublicKey,
): Promise<TradingMarket | undefined> {
  return fetchOne(connection, TRADING_PROGRAM_ID, marketAddress(quoteMint), decodeMarket);
}

/** Every market there is. Many public nodes refuse such requests. */
export async function fetchAllMarkets(connection: Connection): Promise<Found<TradingMarket>[]> {
  try {
    const found = await connection.getProgramAccounts(TRADING_PROGRAM_ID, {
      commitment: 'confirmed',
      filters: [
        {
          memcmp: {
            offset: 0,
            encoding: 'base64',
            bytes: Buffer.from(trading.accountDiscriminator('Market')).toString('base64'),
          },
        },
      ],
    });
    return found.map(({ pubkey, account }) => ({ address: pubkey, account: decodeMarket(account.data) }));
  } catch (error) {
    throw toChainError(error);
  }
}

/** An Order; undefined once it was filled, cancelled or returned. */
export function fetchOrder(
  connection: Connection,
  owner: PublicKey,
  orderId: bigint,
): Promise<TradingOrder | undefined> {
  return fetchOne(connection, TRADING_PROGRAM_ID, orderAddress(owner, orderId), decodeOrder);
}

/** Several Orders by their addresses, in the given order, 100 a request. */
export function fetchOrders(
  connection: Connection,
  addresses: readonly PublicKey[],
): Promise<(TradingOrder | undefined)[]> {
  return fetchSome(connection, TRADING_PROGRAM_ID, addresses, decodeOrder);
}

/** The id that a wallet's next order can have; others use it up when they send an order of the same wallet first. */
export async function nextOrderId(connection: Connection, wallet: PublicKey): Promise<bigint> {
  const found = await fetchOne(connection, TRADING_PROGRAM_ID, traderAddress(wallet), decodeTrader);
  return (found?.lastOrderId ?? 0n) + 1n;
}

/** Every order of a market: for the first fill of a mirror. Many public nodes refuse such requests. */
export async function fetchAllOrders(
  connection: Connection,
  market: PublicKey,
): Promise<Found<TradingOrder>[]> {
  try {
    const found = await connection.getProgramAccounts(TRADING_PROGRAM_ID, {
      commitment: 'confirmed',
      filters: [
        {
          memcmp: {
            offset: 0,
            encoding: 'base64',
            bytes: Buffer.from(trading.accountDiscriminator('Order')).toString('base64'),
          },
        },
        { memcmp: { offset: 8, bytes: market.toBase58() } },
      ],
    });
    return found.map(({ pubkey, account }) => ({ address: pubkey, account: decodeOrder(account.data) }));
  } catch (error) {
    throw toChainError(error);
  }
}
