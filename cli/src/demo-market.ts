import {
  type ActionOptions,
  fetchQuoteMint,
  hasMarketPrograms,
  mintQuote,
  setUpFeed,
  setUpMarket,
  setUpMint,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection, Keypair, PublicKey } from '@solana/web3.js';
import { z } from 'zod';
import type { DataLayout } from './data-dir.js';
import { ensureFunds } from './funds.js';
import { ensureKey } from './key-files.js';
import { keyPath } from './keys.js';

/** The feed that says how many GRX a kWh is worth. */
export const FEED_SYMBOL = 'GRX/GRID';
const ONE = 1_000_000_000n;

/** What a kWh costs on a new embedded chain, until a publisher says otherwise. GRX base units. */
export const DEMO_PRICE = 3n * ONE;

/**
 * The embedded chain's market: energy in Wh, prices in thousandths of a GRX, no fee, trades within half of the feed's
 * price. A price counts for a day, so that a market without a running publisher does not stop at once.
 */
export const DEMO_MARKET = { lotSize: 1_000_000n, tickSize: 1_000_000n, feeBps: 0, bandBps: 5_000 } as const;
export const DEMO_FEED = {
  maxAgeSeconds: 86_400,
  guardSeconds: 86_400,
  maxDeviationBps: 10_000,
  minPublishers: 1,
  overridePublishers: 0,
} as const;

const HealthAnswer = z.object({ component: z.literal('localnet'), genesis_hash: z.string() });

/**
 * Whether an RPC address is the embedded chain: only it says so on `/healthz`, with the genesis hash of the chain that
 * its RPC shows. Whatever else answers there is another cluster.
 * @throws GtxError CHAIN_UNAVAILABLE
 */
export async function isEmbeddedChain(rpcUrl: string, connection: Connection): Promise<boolean> {
  let genesisHash: string;
  try {
    genesisHash = await connection.getGenesisHash();
  } catch (error) {
    throw toChainError(error);
  }
  let answer: unknown;
  try {
    const response = await fetch(new URL('/healthz', rpcUrl), { signal: AbortSignal.timeout(10_000) });
    answer = await response.json();
  } catch {
    // A validator knows no such path.
    return false;
  }
  const health = HealthAnswer.safeParse(answer);
  return health.success && health.data.genesis_hash === genesisHash;
}

export interface MarketKeys {
  readonly upgradeAuthority: Keypair;
  readonly guardian: PublicKey;
  readonly oraclePublisher: Keypair;
  readonly grxMint: Keypair;
  readonly grxAuthority: Keypair;
}

/** The market's own keys of a data folder, made where they are missing. */
export const demoMarketKeys = (
  layout: DataLayout,
): Pick<MarketKeys, 'oraclePublisher' | 'grxMint' | 'grxAuthority'> => ({
  oraclePublisher: ensureKey(keyPath(layout, 'oraclePublisher')).keypair,
  grxMint: ensureKey(keyPath(layout, 'grxMint')).keypair,
  grxAuthority: ensureKey(keyPath(layout, 'grxAuthority')).keypair,
});

export interface DemoMarket {
  readonly market: PublicKey;
  readonly quoteMint: PublicKey;
  readonly feed: PublicKey;
  /** What this call made. */
  readonly created: string[];
}

/**
 * Gives the embedded chain a GRX mint, a price feed with one publisher and a first price, and the market of GRID
 * against GRX. Every step looks first: repeating it, after a kill in the middle too, does only what is missing.
 * @returns undefined where trading or oracle are not deployed
 */
export async function setUpDemoMarket(
  connection: Connection,
  keys: MarketKeys,
  send: ActionOptions = {},
): Promise<DemoMarket | undefined> {
  if (!(await hasMarketPrograms(connection))) return undefined;
  const { upgradeAuthority, guardian, grxMint, grxAuthority, oraclePublisher } = keys;
  const quoteMint = grxMint.publicKey;
  // The publisher pays for what it submits.
  await ensureFunds(connection, [upgradeAuthority.publicKey, oraclePublisher.publicKey]);
  const minted = await setUpMint(connection, {
    ...send,
    payer: upgradeAuthority,
    mint: grxMint,
    authority: grxAuthority.publicKey,
  });
  const feed = await setUpFeed(connection, {
    ...send,
    authority: upgradeAuthority,
    guardian,
    symbol: FEED_SYMBOL,
    settings: DEMO_FEED,
    publishers: [oraclePublisher.publicKey],
    firstPrice: { publisher: oraclePublisher, price: DEMO_PRICE },
  });
  const market = await setUpMarket(connection, {
    ...send,
    authority: upgradeAuthority,
    guardian,
    quoteMint,
    feed: feed.feed,
    ...DEMO_MARKET,
  });
  return {
    market: market.market,
    quoteMint,
    feed: feed.feed,
    created: [
      ...(minted.changed ? ['GRX mint'] : []),
      ...feed.created,
      ...(market.changed ? ['market'] : []),
    ],
  };
}

/**
 * Mints demo GRX to a wallet, on the embedded chain and nowhere else, and sees to it that the wallet can pay fees.
 * @throws GtxError FORBIDDEN on another cluster, NOT_FOUND before `gtx chain init`
 */
export async function giveGrx(
  connection: Connection,
  rpcUrl: string,
  options: { payer: Keypair; mint: PublicKey; authority: Keypair; to: PublicKey; amount: bigint },
): Promise<{ signature: string; balance: bigint; lamports: number }> {
  if (!(await isEmbeddedChain(rpcUrl, connection)))
    throw new GtxError(
      'FORBIDDEN',
      'there is demo GRX only on the embedded chain; elsewhere GRX comes from whoever issues the market’s quote token',
      { rpc_url: new URL(rpcUrl).origin },
    );
  const mint = await fetchQuoteMint(connection, options.mint);
  if (!mint)
    throw new GtxError('NOT_FOUND', 'this chain has no demo GRX of this data folder yet: run gtx chain init');
  await ensureFunds(connection, [options.to]);
  const { signature, account } = await mintQuote(connection, { ...options, mint });
  try {
    const { value } = await connection.getTokenAccountBalance(account, 'confirmed');
    const lamports = await connection.getBalance(options.to, 'confirmed');
    return { signature, balance: BigInt(value.amount), lamports };
  } catch (error) {
    throw toChainError(error, { signature });
  }
}
