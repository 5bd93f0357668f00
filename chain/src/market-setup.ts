import { GtxError } from '@gridtokenx/protocol';
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToCheckedInstruction,
  MINT_SIZE,
  type Mint,
  unpackMint,
} from '@solana/spl-token';
import {
  type AccountInfo,
  type Connection,
  type Keypair,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
} from '@solana/web3.js';
import { fetchUpgradeAuthority } from './accounts.js';
import { feedAddress, marketAddress, quoteTokenAccount } from './addresses.js';
import { toChainError } from './failure.js';
import type { OracleConfig, OracleFeed } from './idl/oracle.js';
import type { TradingMarket } from './idl/trading.js';
import * as instructions from './instructions.js';
import { type FeedSettings, fetchFeed, fetchOracleConfig } from './oracle.js';
import {
  CLASSIC_TOKEN_PROGRAM_ID,
  GRID_TOKEN_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  TRADING_PROGRAM_ID,
} from './programs.js';
import { sendAndConfirm } from './send.js';
import { type ActionOptions, type ActionResult, assertUpgradeAuthority, chainTime } from './setup.js';
import { fetchMarket } from './trading.js';

/*
 * What a market needs before the first order: the token that energy is paid with, a price feed, the market itself. Each
 * step looks first and does only what is missing, so that it can be repeated after a kill in the middle.
 */

/** Decimals of what GRID is paid with: the trading program takes no other quote mints. */
export const QUOTE_DECIMALS = 9;

/** A mint of either token program, as far as a market cares. */
export interface QuoteMint {
  address: PublicKey;
  /** The classic token program or Token-2022. */
  tokenProgram: PublicKey;
  decimals: number;
  /** Base units. */
  supply: bigint;
  /** Undefined: nobody can mint more. */
  mintAuthority: PublicKey | undefined;
}

/** A mint; undefined when there is none at this address. @throws GtxError CHAIN_UNAVAILABLE, VALUE_INVALID when it is something else */
export async function fetchQuoteMint(
  connection: Connection,
  address: PublicKey,
): Promise<QuoteMint | undefined> {
  let account: AccountInfo<Buffer> | null;
  try {
    account = await connection.getAccountInfo(address, 'confirmed');
  } catch (error) {
    throw toChainError(error);
  }
  // Anybody can send lamports to an address: an account there counts only once somebody owns it.
  if (!account || account.owner.equals(SystemProgram.programId)) return undefined;
  const { owner } = account;
  if (owner.equals(CLASSIC_TOKEN_PROGRAM_ID) || owner.equals(GRID_TOKEN_PROGRAM_ID)) {
    let mint: Mint | undefined;
    try {
      mint = unpackMint(address, account, owner);
    } catch {
      // A token account, for instance: said below.
    }
    if (mint?.isInitialized) {
      const { decimals, supply, mintAuthority } = mint;
      return { address, tokenProgram: owner, decimals, supply, mintAuthority: mintAuthority ?? undefined };
    }
  }
  throw new GtxError('VALUE_INVALID', `${address.toBase58()} is not a mint`);
}

/** Makes a classic mint with nine decimals at a key's address; nothing when it is there. For test clusters. */
export async function setUpMint(
  connection: Connection,
  {
    payer,
    mint,
    authority,
    ...send
  }: ActionOptions & { payer: Keypair; mint: Keypair; authority: PublicKey },
): Promise<ActionResult> {
  if (await fetchQuoteMint(connection, mint.publicKey)) return { changed: false };
  let lamports: number;
  try {
    lamports = await connection.getMinimumBalanceForRentExemption(MINT_SIZE);
  } catch (error) {
    throw toChainError(error);
  }
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [mint],
    instructions: [
      SystemProgram.createAccount({
        fromPubkey: payer.publicKey,
        newAccountPubkey: mint.publicKey,
        lamports,
        space: MINT_SIZE,
        programId: CLASSIC_TOKEN_PROGRAM_ID,
      }),
      createInitializeMint2Instruction(mint.publicKey, QUOTE_DECIMALS, authority, null),
    ],
  });
  return { changed: true, signature };
}

/** Mints quote tokens to a wallet's associated account, which is made when it is missing. @param options.amount base units */
export async function mintQuote(
  connection: Connection,
  {
    payer,
    mint,
    authority,
    to,
    amount,
    ...send
  }: ActionOptions & {
    payer: Keypair;
    mint: QuoteMint;
    authority: Keypair;
    to: PublicKey;
    amount: bigint;
  },
): Promise<{ signature: string; account: PublicKey }> {
  const account = quoteTokenAccount(mint.address, mint.tokenProgram, to);
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [authority],
    instructions: [
      createAssociatedTokenAccountIdempotentInstruction(
        payer.publicKey,
        account,
        to,
        mint.address,
        mint.tokenProgram,
      ),
      createMintToCheckedInstruction(
        mint.address,
        account,
        authority.publicKey,
        amount,
        mint.decimals,
        [],
        mint.tokenProgram,
      ),
    ],
  });
  return { signature, account };
}

/** A setting on the chain that differs from the wanted one. It is left as it is. */
export interface Difference {
  setting: string;
  wanted: string;
  actual: string;
}

const differencesOf = (pairs: Record<string, readonly [wanted: unknown, actual: unknown]>): Difference[] =>
  Object.entries(pairs)
    .map(([setting, [wanted, actual]]) => ({ setting, wanted: String(wanted), actual: String(actual) }))
    .filter(({ wanted, actual }) => wanted !== actual);

/**
 * Initialises the oracle; nothing when it is.
 * @throws GtxError NOT_FOUND when the program is not deployed, FORBIDDEN when the key is not its upgrade authority,
 * CHAIN_REFUSED, CHAIN_UNAVAILABLE.
 */
export async function setUpOracle(
  connection: Connection,
  { authority, guardian, ...send }: ActionOptions & { authority: Keypair; guardian: PublicKey },
): Promise<ActionResult & { config: OracleConfig }> {
  const before = await fetchOracleConfig(connection);
  if (before) return { changed: false, config: before };
  await assertUpgradeAuthority(connection, 'oracle', ORACLE_PROGRAM_ID, authority.publicKey);
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer: authority,
    instructions: [instructions.initializeOracle({ authority: authority.publicKey, guardian })],
  });
  const config = await fetchOracleConfig(connection);
  if (!config)
    throw new GtxError('CHAIN_UNAVAILABLE', 'the oracle was initialised, but the node does not show it yet');
  return { changed: true, signature, config };
}

export interface SetUpFeedOptions extends ActionOptions {
  /** The oracle's authority: signs and pays. It has to be the program's upgrade authority where nothing is initialised. */
  authority: Keypair;
  guardian: PublicKey;
  symbol: string;
  settings: FeedSettings;
  /** Keys that may submit; more than these may be there. */
  publishers: readonly PublicKey[];
  /** A first price by one of the publishers, where the feed never had one. */
  firstPrice?: { publisher: Keypair; price: bigint };
}

export interface SetUpFeedResult extends ActionResult {
  feed: PublicKey;
  account: OracleFeed;
  /** What was done, in words: `oracle`, `feed GRX/GRID`, `publisher …`, `price`. */
  created: string[];
  differences: Difference[];
}

/**
 * Initialises the oracle, makes a feed and lets publishers submit to it; what is there stays as it is.
 * @throws GtxError NOT_FOUND when the program is not deployed, FORBIDDEN when the key is not the oracle's authority,
 * CHAIN_REFUSED, CHAIN_UNAVAILABLE.
 */
export async function setUpFeed(connection: Connection, options: SetUpFeedOptions): Promise<SetUpFeedResult> {
  const { authority, guardian, symbol, settings, publishers, firstPrice, ...send } = options;
  const config = await fetchOracleConfig(connection);
  const before = config && (await fetchFeed(connection, symbol));
  const needed: TransactionInstruction[] = [];
  const created: string[] = [];
  if (!config) {
    await assertUpgradeAuthority(connection, 'oracle', ORACLE_PROGRAM_ID, authority.publicKey);
    needed.push(instructions.initializeOracle({ authority: authority.publicKey, guardian }));
    created.push('oracle');
  }
  const as = { authority: authority.publicKey, symbol };
  if (!before) {
    needed.push(instructions.createFeed({ ...as, payer: authority.publicKey, settings }));
    created.push(`feed ${symbol}`);
  }
  const known = before ? publishersOf(before) : [];
  for (const publisher of publishers.filter((one) => !known.some((other) => other.equals(one)))) {
    needed.push(instructions.addPublisher({ ...as, publisher }));
    created.push(`publisher ${publisher.toBase58()}`);
  }
  if (needed.length > 0 && config) assertAuthority(config, authority.publicKey);
  const priced = firstPrice !== undefined && (before === undefined || before.updates === 0n);
  if (priced) {
    needed.push(
      instructions.submitPrice({
        publisher: firstPrice.publisher.publicKey,
        symbol,
        price: firstPrice.price,
        observedAt: await chainTime(connection),
      }),
    );
    created.push('price');
  }
  const sent =
    needed.length > 0
      ? await sendAndConfirm(connection, {
          ...send,
          payer: authority,
          signers: priced ? [firstPrice.publisher] : [],
          instructions: needed,
        })
      : undefined;
  const account = await fetchFeed(connection, symbol);
  if (!account) throw new GtxError('CHAIN_UNAVAILABLE', `the node does not show the feed ${symbol} yet`);
  return {
    changed: sent !== undefined,
    ...(sent ? { signature: sent.signature } : {}),
    feed: feedAddress(symbol),
    account,
    created,
    differences: differencesOf({
      max_age_seconds: [settings.maxAgeSeconds, account.maxAgeSeconds],
      guard_seconds: [settings.guardSeconds, account.guardSeconds],
      max_deviation_bps: [settings.maxDeviationBps, account.maxDeviationBps],
      min_publishers: [settings.minPublishers, account.minPublishers],
      override_publishers: [settings.overridePublishers, account.overridePublishers],
    }),
  };
}

/** Who may submit to a feed. */
export const publishersOf = (feed: Pick<OracleFeed, 'submissions' | 'publisherCount'>): PublicKey[] =>
  feed.submissions.slice(0, feed.publisherCount).map(({ publisher }) => publisher);

function assertAuthority(config: OracleConfig, key: PublicKey): void {
  if (config.authority.equals(key)) return;
  throw new GtxError(
    'FORBIDDEN',
    `only the oracle's authority (${config.authority.toBase58()}) can do this, not ${key.toBase58()}`,
    { authority: config.authority.toBase58() },
  );
}

export interface SetUpMarketOptions extends ActionOptions {
  /** The trading program's upgrade authority: signs, pays and becomes the market's admin. */
  authority: Keypair;
  guardian: PublicKey;
  quoteMint: PublicKey;
  /** Whose associated account of the quote mint gets the fees; the authority's unless given. */
  treasuryOwner?: PublicKey | undefined;
  /** GRID base units; fixed for ever, as is the tick (base units of the quote token for 1 GRID). */
  lotSize: bigint;
  tickSize: bigint;
  feeBps: number;
  /** A feed and how far from its price trades may be; leave both away for no band. */
  feed?: PublicKey | undefined;
  bandBps?: number | undefined;
}

export interface SetUpMarketResult extends ActionResult {
  market: PublicKey;
  account: TradingMarket;
  differences: Difference[];
}

/**
 * Opens the market of GRID against a quote mint, and the treasury's account; nothing when the market is there.
 * @throws GtxError NOT_FOUND when program or mint is missing, FORBIDDEN when the key is not the upgrade authority,
 * VALUE_INVALID when the mint has other decimals, CHAIN_REFUSED, CHAIN_UNAVAILABLE.
 */
export async function setUpMarket(
  connection: Connection,
  options: SetUpMarketOptions,
): Promise<SetUpMarketResult> {
  const { authority, guardian, quoteMint, treasuryOwner, lotSize, tickSize, feeBps, feed, bandBps, ...send } =
    options;
  const market = marketAddress(quoteMint);
  const mint = await fetchQuoteMint(connection, quoteMint);
  if (!mint)
    throw new GtxError('NOT_FOUND', `there is no mint ${quoteMint.toBase58()} on this chain`, {
      quote_mint: quoteMint.toBase58(),
    });
  if (mint.decimals !== QUOTE_DECIMALS)
    throw new GtxError(
      'VALUE_INVALID',
      `GRID is paid with tokens of ${QUOTE_DECIMALS} decimals; ${quoteMint.toBase58()} has ${mint.decimals}`,
    );
  const owner = treasuryOwner ?? authority.publicKey;
  const treasury = quoteTokenAccount(quoteMint, mint.tokenProgram, owner);
  let signature: string | undefined;
  if (!(await fetchMarket(connection, quoteMint))) {
    await assertUpgradeAuthority(connection, 'trading', TRADING_PROGRAM_ID, authority.publicKey);
    ({ signature } = await sendAndConfirm(connection, {
      ...send,
      payer: authority,
      instructions: [
        createAssociatedTokenAccountIdempotentInstruction(
          authority.publicKey,
          treasury,
          owner,
          quoteMint,
          mint.tokenProgram,
        ),
        instructions.createMarket({
          authority: authority.publicKey,
          quoteMint,
          treasury,
          guardian,
          lotSize,
          tickSize,
          feeBps,
          ...(feed === undefined ? {} : { feed, bandBps: bandBps ?? 0 }),
        }),
      ],
    }));
  }
  const account = await fetchMarket(connection, quoteMint);
  if (!account)
    throw new GtxError('CHAIN_UNAVAILABLE', 'the market was opened, but the node does not show it yet');
  return {
    changed: signature !== undefined,
    ...(signature === undefined ? {} : { signature }),
    market,
    account,
    differences: differencesOf({
      treasury: [treasury, account.treasury],
      guardian: [guardian, account.guardian],
      lot_size: [lotSize, account.lotSize],
      tick_size: [tickSize, account.tickSize],
      fee_bps: [feeBps, account.feeBps],
      feed: [feed ?? PublicKey.default, account.feed],
      band_bps: [bandBps ?? 0, account.bandBps],
    }),
  };
}

/** Whether a market can be set up here at all: a cluster may do without trading and oracle. */
export async function hasMarketPrograms(connection: Connection): Promise<boolean> {
  const found = await Promise.all(
    [TRADING_PROGRAM_ID, ORACLE_PROGRAM_ID].map((program) => fetchUpgradeAuthority(connection, program)),
  );
  return found.every((one) => one !== undefined);
}
