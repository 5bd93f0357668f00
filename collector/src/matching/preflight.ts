import {
  decodeFeed,
  decodeMarket,
  decodeOrder,
  GRID_TOKEN_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  priceOf,
  Side,
  TRADING_PROGRAM_ID,
  type TradingMarket,
} from '@gridtokenx/chain';
import { type AccountInfo, PublicKey } from '@solana/web3.js';
import { type Band, type OrderState, orderState } from '../market/index.js';

/*
 * What the chain's accounts say of a plan, as `cross_orders` will judge it (programs/trading/src/instructions/cross_orders.rs,
 * programs/shared/src/token.rs). Nothing here talks to the chain.
 */

export type Account = AccountInfo<Buffer> | null;

/** What holds for all trades of a market, as its accounts say. */
export interface MarketTerms {
  market: TradingMarket;
  /** By the chain's clock, Unix seconds. */
  now: number;
  band: Band | undefined;
  /** Why nothing of it can trade now: the program's error. */
  wait: MarketWait | undefined;
}

export type MarketWait = 'Paused' | 'FeedInvalid' | 'FeedPaused' | 'FeedStale' | 'TreasuryInvalid';

/** Token account: mint, owner, amount, delegate option and key, then the state byte. */
const TOKEN_OWNER = 32;
const TOKEN_AMOUNT = 64;
const TOKEN_STATE = 108;
const TOKEN_BYTES = 165;
const INITIALIZED = 1;
/** A multisig's length: never a token account. */
const MULTISIG_BYTES = 355;
const TYPE_ACCOUNT = 2;
const IMMUTABLE_OWNER = 7;
const MEMO_TRANSFER = 8;
const CPI_GUARD = 11;

/** Whether nothing behind a token account's 165 bytes can stop a transfer to it. */
function isSimple(data: Buffer): boolean {
  if (data.length === TOKEN_BYTES) return true;
  if (data.length === MULTISIG_BYTES || data.length < TOKEN_BYTES + 1 || data[TOKEN_BYTES] !== TYPE_ACCOUNT)
    return false;
  let at = TOKEN_BYTES + 1;
  while (at + 4 <= data.length) {
    const kind = data.readUInt16LE(at);
    const length = data.readUInt16LE(at + 2);
    if (kind === 0) return true;
    const value = data.subarray(at + 4, at + 4 + length);
    if (value.length < length) return false;
    const harmless =
      kind === IMMUTABLE_OWNER ||
      kind === CPI_GUARD ||
      (kind === MEMO_TRANSFER && length === 1 && value[0] === 0);
    if (!harmless) return false;
    at += 4 + length;
  }
  return true;
}

function isUsable(account: Account, program: PublicKey): account is AccountInfo<Buffer> {
  return (
    account?.owner.equals(program) === true &&
    account.data.length >= TOKEN_BYTES &&
    account.data[TOKEN_STATE] === INITIALIZED &&
    isSimple(account.data)
  );
}

const keyAt = (data: Buffer, offset: number): PublicKey => new PublicKey(data.subarray(offset, offset + 32));

/** Whether tokens can go to this account and are the owner's then. */
export function isUsableBy(account: Account, program: PublicKey, owner: PublicKey): boolean {
  return isUsable(account, program) && keyAt(account.data, TOKEN_OWNER).equals(owner);
}

/** The terms of a market; undefined when there is no such market. */
export function marketTerms(
  accounts: { market: Account; treasury: Account; feed: Account },
  now: number,
): MarketTerms | undefined {
  if (!accounts.market?.owner.equals(TRADING_PROGRAM_ID)) return undefined;
  const market = decodeMarket(accounts.market.data);
  const { band, wait } = bandOf(market, accounts.feed, now);
  const { treasury } = accounts;
  const treasuryUsable =
    isUsable(treasury, market.quoteTokenProgram) && keyAt(treasury.data, 0).equals(market.quoteMint);
  // Without a fee nothing goes to the treasury.
  const unpaid = market.feeBps > 0 && !treasuryUsable ? 'TreasuryInvalid' : undefined;
  return { market, now, band, wait: market.paused ? 'Paused' : (wait ?? unpaid) };
}

/** Where trades may be (`band_of` in programs/trading/src/band.rs). */
function bandOf(market: TradingMarket, feed: Account, now: number): Pick<MarketTerms, 'band' | 'wait'> {
  const none = { band: undefined, wait: undefined };
  if (market.feed.equals(PublicKey.default)) return none;
  if (!feed?.owner.equals(ORACLE_PROGRAM_ID)) return { ...none, wait: 'FeedInvalid' };
  const decoded = decodeFeed(feed.data);
  if (decoded.paused) return { ...none, wait: 'FeedPaused' };
  const price = priceOf(decoded, BigInt(now));
  if (price === undefined) return { ...none, wait: 'FeedStale' };
  return { ...none, band: { reference: price.price, bandBps: market.bandBps } };
}

/** What was found about an order in the book. */
export type OrderFinding =
  /** As the book has it, and it can trade. */
  | { kind: 'fine' }
  /** Its account says something else than the book; undefined: it is gone. */
  | { kind: 'changed'; state: OrderState | undefined }
  /** It cannot trade until somebody does something about an account. */
  | { kind: 'unusable'; reason: 'EscrowUnusable' | 'EscrowShort' | 'ReceiverUnusable' };

/** The accounts of an order that are looked at. */
export interface OrderAccounts {
  order: Account;
  escrow: Account;
  /** Where tokens are to go: to trade, what the order wants; to be returned, what it offered. */
  receiver: Account;
}

/**
 * Whether an order is what the book says, its escrow holds what it offers, and what it receives can arrive.
 * @param receives what goes to `receiver`
 */
export function orderFinding(
  known: Readonly<OrderState>,
  { order, escrow, receiver }: OrderAccounts,
  { quoteTokenProgram }: Pick<TradingMarket, 'quoteTokenProgram'>,
  receives: 'wanted' | 'offered' = 'wanted',
): OrderFinding {
  // A closed account belongs to the system program again, or to nobody.
  if (!order?.owner.equals(TRADING_PROGRAM_ID)) return { kind: 'changed', state: undefined };
  const account = decodeOrder(order.data);
  if (account.remaining !== known.remaining || account.escrowed !== known.escrowed) {
    return { kind: 'changed', state: orderState(known.address, account, known.position) };
  }
  const sells = account.side === Side.Sell;
  const offered = sells ? GRID_TOKEN_PROGRAM_ID : quoteTokenProgram;
  const wanted = sells ? quoteTokenProgram : GRID_TOKEN_PROGRAM_ID;
  if (!isUsableBy(escrow, offered, account.escrow)) return { kind: 'unusable', reason: 'EscrowUnusable' };
  if ((escrow?.data.readBigUInt64LE(TOKEN_AMOUNT) ?? 0n) < account.escrowed)
    return { kind: 'unusable', reason: 'EscrowShort' };
  if (!isUsableBy(receiver, receives === 'wanted' ? wanted : offered, account.owner))
    return { kind: 'unusable', reason: 'ReceiverUnusable' };
  return { kind: 'fine' };
}
