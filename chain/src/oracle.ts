import { GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import { fetchOne } from './accounts.js';
import { feedAddress, oracleConfigAddress } from './addresses.js';
import type { OracleArgs, OracleConfig, OracleFeed } from './idl/oracle.js';
import { ORACLE_PROGRAM_ID, oracle } from './programs.js';

/** What the oracle's authority chooses for a feed; docs/programs.md says what each setting does. */
export type FeedSettings = OracleArgs['set_feed'];

/** What a submission led to, as `PriceSubmitted` tells it. */
export const PriceOutcome = {
  /** The feed's price is the median now. */
  Published: 0,
  /** Too few publishers are fresh. */
  TooFew: 1,
  /** The median is beyond the guard. */
  Guarded: 2,
} as const;
export type PriceOutcome = (typeof PriceOutcome)[keyof typeof PriceOutcome];

/** What `get_price` returns. */
export interface PriceNow {
  /** GRX base units for 1 GRID. */
  price: bigint;
  /** Unix seconds. */
  publishedAt: bigint;
  /** The last second in which the price counts, unless a newer one comes. */
  freshUntil: bigint;
}

const PRICE_BYTES = 24;

/**
 * Reads `get_price`'s return data.
 * @throws GtxError MESSAGE_INVALID when it is something else.
 */
export function decodePrice(data: Uint8Array): PriceNow {
  if (data.length !== PRICE_BYTES)
    throw new GtxError('MESSAGE_INVALID', `a price has ${PRICE_BYTES} bytes, not ${data.length}`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    price: view.getBigUint64(0, true),
    publishedAt: view.getBigInt64(8, true),
    freshUntil: view.getBigInt64(16, true),
  };
}

/** The price of a feed as readers on the chain see it at `now` (Unix seconds); undefined when they refuse it. */
export function priceOf(feed: OracleFeed, now: bigint): PriceNow | undefined {
  const freshUntil = feed.publishedAt + BigInt(feed.maxAgeSeconds);
  if (feed.paused || feed.price === 0n || feed.publishedAt === 0n || now > freshUntil) return undefined;
  return { price: feed.price, publishedAt: feed.publishedAt, freshUntil };
}

// --- decoding: the account's whole data in; GtxError MESSAGE_INVALID when it is another kind of account.

/** The oracle's Config. */
export function decodeOracleConfig(data: Uint8Array): OracleConfig {
  return oracle.decodeAccount('Config', data);
}

/** A Feed. Of `submissions`, the first `publisherCount` are in use. */
export function decodeFeed(data: Uint8Array): OracleFeed {
  return oracle.decodeAccount('Feed', data);
}

// --- fetching at `confirmed`: undefined when there is no such account; GtxError CHAIN_UNAVAILABLE without an answer.

/** The oracle's Config; undefined before it is initialised. */
export function fetchOracleConfig(connection: Connection): Promise<OracleConfig | undefined> {
  return fetchOne(connection, ORACLE_PROGRAM_ID, oracleConfigAddress(), decodeOracleConfig);
}

/** The Feed of a symbol. */
export function fetchFeed(connection: Connection, symbol: string): Promise<OracleFeed | undefined> {
  return fetchOne(connection, ORACLE_PROGRAM_ID, feedAddress(symbol), decodeFeed);
}
