import { existsSync } from 'node:fs';
import {
  decodeMarket,
  eventsOf,
  type Found,
  fetchAllMarkets,
  fetchAllOrders,
  fetchMarket,
  fetchOne,
  marketAddress,
  readKeypairFile,
  Side,
  TRADING_PROGRAM_ID,
  type TradingMarket,
  type TradingOrder,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { type Connection, PublicKey } from '@solana/web3.js';
import { parsePublicKey } from '../chain-actions.js';
import type { DataLayout } from '../data-dir.js';
import { keyPath } from '../keys.js';
import type { ListedLevel, ListedOrder, ListedTrade } from './collector.js';

/* What the chain itself says about a market. */

export const sideName = (side: number): 'sell' | 'buy' => (side === Side.Sell ? 'sell' : 'buy');
export const isoTime = (seconds: bigint): string => new Date(Number(seconds) * 1_000).toISOString();

/**
 * The market that is meant: the named one; else the data folder's own; else the only one there is.
 * @throws GtxError NOT_FOUND, CONFLICT when there are several and none was named
 */
export async function findMarket(
  connection: Connection,
  layout: DataLayout,
  named: string | undefined,
): Promise<Found<TradingMarket>> {
  if (named !== undefined) {
    const address = parsePublicKey(named);
    const account = await fetchOne(connection, TRADING_PROGRAM_ID, address, decodeMarket);
    if (!account)
      throw new GtxError('NOT_FOUND', `there is no market ${named} on this chain`, { market: named });
    return { address, account };
  }
  const file = keyPath(layout, 'grxMint');
  if (existsSync(file)) {
    const mint = readKeypairFile(file).publicKey;
    const account = await fetchMarket(connection, mint);
    if (account) return { address: marketAddress(mint), account };
  }
  const all = await fetchAllMarkets(connection);
  const [only, another] = all;
  if (only === undefined)
    throw new GtxError(
      'NOT_FOUND',
      'there is no market on this chain: gtx chain init opens one on the embedded chain, gtx market create anywhere',
    );
  if (another !== undefined)
    throw new GtxError('CONFLICT', 'there are several markets: name one with --market', {
      markets: all.map(({ address }) => address.toBase58()),
    });
  return only;
}

/** A market's open orders with an id. @param not whose own do not count, as long as there are others */
export async function findOrders(
  connection: Connection,
  market: PublicKey,
  orderId: bigint,
  not: PublicKey,
): Promise<Found<TradingOrder>[]> {
  const all = await fetchAllOrders(connection, market);
  const found = all.filter(({ account }) => account.orderId === orderId);
  const others = found.filter(({ account }) => !account.owner.equals(not));
  return others.length > 0 ? others : found;
}

/**
 * Whose order is meant by an id that several wallets may have used.
 * @throws GtxError ORDER_CLOSED when there is none, CONFLICT when there are several
 */
export async function ownerOfOrder(
  connection: Connection,
  market: PublicKey,
  orderId: bigint,
  seller: string | undefined,
  not: PublicKey,
): Promise<PublicKey> {
  if (seller !== undefined) return parsePublicKey(seller);
  const found = await findOrders(connection, market, orderId, not);
  const [only, another] = found;
  if (only === undefined)
    throw new GtxError('ORDER_CLOSED', `this market has no open order ${orderId}`, {
      order_id: orderId.toString(),
    });
  if (another !== undefined)
    throw new GtxError('CONFLICT', `several wallets have an order ${orderId}: name one with --seller`, {
      owners: found.map(({ account }) => account.owner.toBase58()),
    });
  return only.account.owner;
}

/** An order as lists show it. @param now Unix seconds by the chain */
export function listedOrder({ address, account }: Found<TradingOrder>, now: bigint): ListedOrder {
  return {
    address: address.toBase58(),
    owner: account.owner.toBase58(),
    order_id: account.orderId.toString(),
    side: sideName(account.side),
    price: nkwhToKwh(account.price),
    amount: nkwhToKwh(account.amount),
    remaining: nkwhToKwh(account.remaining),
    status: account.remaining === 0n ? 'filled' : now >= account.expiresAt ? 'expired' : 'open',
    expires_at: isoTime(account.expiresAt),
    created_at: isoTime(account.createdAt),
  };
}

/** The best levels of each side, of what can still trade. */
export function levelsOf(
  orders: readonly TradingOrder[],
  now: bigint,
  depth: number,
): { asks: ListedLevel[]; bids: ListedLevel[] } {
  const side = (which: Side): ListedLevel[] => {
    const levels = new Map<bigint, { amount: bigint; orders: number }>();
    for (const order of orders) {
      if (order.side !== which || order.remaining === 0n || now >= order.expiresAt) continue;
      const level = levels.get(order.price) ?? { amount: 0n, orders: 0 };
      levels.set(order.price, { amount: level.amount + order.remaining, orders: level.orders + 1 });
    }
    const sorted = [...levels].sort(([one], [other]) => (one < other ? -1 : 1));
    return (which === Side.Sell ? sorted : sorted.reverse()).slice(0, depth).map(([price, level]) => ({
      price: nkwhToKwh(price),
      amount: nkwhToKwh(level.amount),
      orders: level.orders,
    }));
  };
  return { asks: side(Side.Sell), bids: side(Side.Buy) };
}

/** Signatures that one answer of a node brings. */
const PER_PAGE = 100;
/** How far back the chain itself is searched for trades; the collector knows all. */
const MOST_SIGNATURES = 1_000;
const AT_ONCE = 8;

/** The newest trades of a market from its transactions: slow, and not further back than 1,000 of them. */
export async function tradesFromChain(
  connection: Connection,
  market: PublicKey,
  wallet: string | undefined,
  limit: number,
): Promise<ListedTrade[]> {
  const trades: ListedTrade[] = [];
  let before: string | undefined;
  let seen = 0;
  try {
    while (seen < MOST_SIGNATURES && trades.length < limit) {
      const page = await connection.getSignaturesForAddress(
        market,
        { limit: PER_PAGE, ...(before === undefined ? {} : { before }) },
        'confirmed',
      );
      seen += page.length;
      before = page.at(-1)?.signature;
      const good = page.filter(({ err }) => err === null);
      for (let start = 0; start < good.length && trades.length < limit; start += AT_ONCE) {
        const some = await Promise.all(
          good.slice(start, start + AT_ONCE).map(async ({ signature }) => ({
            signature,
            transaction: await connection.getTransaction(signature, {
              commitment: 'confirmed',
              maxSupportedTransactionVersion: 0,
            }),
          })),
        );
        for (const { signature, transaction } of some) {
          const { events } = eventsOf(transaction?.meta ?? undefined);
          // The last trade of a transaction is the newest.
          for (const event of [...events].reverse()) {
            if (event.name !== 'TradeExecuted' || !event.data.market.equals(market)) continue;
            const { seller, buyer, price, amount, quote, fee, timestamp, takerSide } = event.data;
            if (wallet !== undefined && ![seller, buyer].some((one) => one.toBase58() === wallet)) continue;
            trades.push({
              signature,
              seller: seller.toBase58(),
              buyer: buyer.toBase58(),
              taker_side: sideName(takerSide),
              price: nkwhToKwh(price),
              amount: nkwhToKwh(amount),
              quote: nkwhToKwh(quote),
              fee: nkwhToKwh(fee),
              executed_at: isoTime(timestamp),
            });
          }
        }
      }
      if (page.length < PER_PAGE) break;
    }
  } catch (error) {
    throw toChainError(error);
  }
  return trades.slice(0, limit);
}

/** The zero address stands for none. */
export const isNone = (address: PublicKey): boolean => address.equals(PublicKey.default);
