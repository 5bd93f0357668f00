import {
  CLASSIC_TOKEN_PROGRAM_ID,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  toChainError,
} from '@gridtokenx/chain';
import { ACCOUNT_SIZE, getAssociatedTokenAddressSync } from '@solana/spl-token';
import { type AccountInfo, type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import type { LandedTransaction } from './landed.js';

/** What a token account held after a transaction. */
export interface LandedBalance {
  readonly tokenAccount: string;
  readonly owner: string;
  readonly mint: string;
  readonly tokenProgram: string;
  readonly amount: bigint;
}

interface Mint {
  readonly mint: string;
  readonly tokenProgram: string;
}

/** What wallets hold, as one look at their accounts tells. */
export interface BalanceSnapshot {
  /** Everything before this slot is in it. */
  readonly slot: number;
  readonly balances: readonly Omit<LandedBalance, 'tokenProgram'>[];
}

const MAX_REMEMBERED = 20_000;
const ACCOUNTS_PER_REQUEST = 100;
/** A token account: mint, owner, amount. */
const OWNER_OFFSET = 32;
const AMOUNT_OFFSET = 64;

/** Deriving an address takes a while, and the same wallets come again and again. */
const remembered = new Map<string, string>();

/** The associated token account of a wallet, base58. */
export function tokenAccountOf(owner: string, { mint, tokenProgram }: Mint): string {
  const key = `${owner}/${mint}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const address = getAssociatedTokenAddressSync(
    new PublicKey(mint),
    new PublicKey(owner),
    true,
    new PublicKey(tokenProgram),
  ).toBase58();
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(key, address);
  return address;
}

/**
 * SQL: whether a balance is of GRID or of a market's quote token. Balances of other tokens are kept as transactions tell
 * them, since their market may be known later, and count for nothing until then.
 */
export function ofKnownMint(column = 'mint'): string {
  return `(${column} = '${gridMintAddress().toBase58()}' OR ${column} IN (SELECT quote_mint FROM markets))`;
}

/**
 * Writes what the wallets' associated accounts held after these transactions; a newer state stays. Inside the caller's
 * transaction. Returns the wallets whose rows changed.
 *
 * Of every token: the transaction that made a market may be another collector's, and not committed yet.
 */
export async function writeBalances(
  client: pg.ClientBase,
  transactions: readonly LandedTransaction[],
): Promise<string[]> {
  const newest = new Map<string, { balance: LandedBalance; transaction: LandedTransaction }>();
  for (const transaction of transactions) {
    for (const balance of transaction.balances) {
      const { tokenAccount, owner } = balance;
      // An escrow is its own owner.
      if (owner === tokenAccount) continue;
      const known = newest.get(tokenAccount)?.transaction;
      const older =
        known !== undefined &&
        (known.slot > transaction.slot ||
          (known.slot === transaction.slot && (known.txIndex ?? 0) > (transaction.txIndex ?? 0)));
      if (older || tokenAccountOf(owner, balance) !== tokenAccount) continue;
      newest.set(tokenAccount, { balance, transaction });
    }
  }
  const rows = [...newest.values()].sort((a, b) =>
    a.balance.tokenAccount < b.balance.tokenAccount ? -1 : 1,
  );
  if (rows.length === 0) return [];
  const column = <T>(pick: (row: (typeof rows)[number]) => T): T[] => rows.map(pick);
  const { rows: written } = await client.query<{ wallet: string }>(
    `INSERT INTO user_balances AS b (token_account, wallet, mint, amount, slot, tx_index, signature)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::bigint[], $6::integer[], $7::text[])
     ON CONFLICT (wallet, mint) DO UPDATE SET amount = excluded.amount, slot = excluded.slot,
       tx_index = excluded.tx_index, signature = excluded.signature, updated_at = now()
     WHERE (b.slot, b.tx_index) < (excluded.slot, excluded.tx_index)
     RETURNING wallet`,
    [
      column(({ balance }) => balance.tokenAccount),
      column(({ balance }) => balance.owner),
      column(({ balance }) => balance.mint),
      column(({ balance }) => balance.amount.toString()),
      column(({ transaction }) => transaction.slot),
      column(({ transaction }) => transaction.txIndex ?? 0),
      column(({ transaction }) => transaction.signature),
    ],
  );
  return [...new Set(written.map(({ wallet }) => wallet))];
}

/**
 * Reads what these wallets hold of GRID and of the markets' quote tokens, at `confirmed`.
 * @throws GtxError CHAIN_UNAVAILABLE
 */
export async function fetchBalances(
  connection: Connection,
  client: Pick<pg.ClientBase, 'query'>,
  wallets: readonly string[],
): Promise<BalanceSnapshot> {
  const { rows } = await client.query<{ quote_mint: string; quote_token_program: string | null }>(
    'SELECT DISTINCT quote_mint, quote_token_program FROM markets',
  );
  const mints: Mint[] = [
    { mint: gridMintAddress().toBase58(), tokenProgram: GRID_TOKEN_PROGRAM_ID.toBase58() },
    ...rows.map(({ quote_mint, quote_token_program }) => ({
      mint: quote_mint,
      tokenProgram: quote_token_program ?? CLASSIC_TOKEN_PROGRAM_ID.toBase58(),
    })),
  ];
  const wanted = [...new Set(wallets)].flatMap((owner) =>
    mints.map((mint) => ({ owner, mint: mint.mint, tokenAccount: tokenAccountOf(owner, mint) })),
  );
  let slot = Number.POSITIVE_INFINITY;
  const accounts: (AccountInfo<Buffer> | null)[] = [];
  for (let start = 0; start < wanted.length; start += ACCOUNTS_PER_REQUEST) {
    try {
      const { context, value } = await connection.getMultipleAccountsInfoAndContext(
        wanted
          .slice(start, start + ACCOUNTS_PER_REQUEST)
          .map(({ tokenAccount }) => new PublicKey(tokenAccount)),
        { commitment: 'confirmed' },
      );
      slot = Math.min(slot, context.slot);
      accounts.push(...value);
    } catch (error) {
      throw toChainError(error);
    }
  }
  return {
    slot: Number.isFinite(slot) ? slot : 0,
    balances: wanted.map((each, index) => ({ ...each, amount: amountOf(accounts[index], each.owner) })),
  };
}

/** What a token account holds for this owner: nothing when it does not exist, or is somebody else's by now. */
function amountOf(account: AccountInfo<Buffer> | null | undefined, owner: string): bigint {
  if (!account || account.data.length < ACCOUNT_SIZE) return 0n;
  const isToken =
    account.owner.equals(GRID_TOKEN_PROGRAM_ID) || account.owner.equals(CLASSIC_TOKEN_PROGRAM_ID);
  const holder = new PublicKey(account.data.subarray(OWNER_OFFSET, AMOUNT_OFFSET)).toBase58();
  return isToken && holder === owner ? account.data.readBigUInt64LE(AMOUNT_OFFSET) : 0n;
}

/**
 * Writes balances that were read. Inside the caller's transaction. Returns the wallets of which an amount changed.
 *
 * A node's newest slot may still go on, so that only what was before it is surely in the accounts.
 * @param force also over what is said to be newer: for rows that are known to be wrong.
 */
export async function writeBalanceSnapshot(
  client: pg.ClientBase,
  { slot, balances }: BalanceSnapshot,
  force = false,
): Promise<string[]> {
  // Wallets without an account have no row; an account that was closed has one of 0.
  const rows = [...balances].sort((a, b) => (a.tokenAccount < b.tokenAccount ? -1 : 1));
  const { rows: changed } = await client.query<{ wallet: string }>(
    `WITH seen AS (
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[])
         AS s (token_account, wallet, mint, amount)),
     old AS (
       SELECT b.wallet, b.mint, b.amount FROM user_balances b JOIN seen USING (wallet, mint)),
     written AS (
       INSERT INTO user_balances AS b (token_account, wallet, mint, amount, slot, tx_index)
       SELECT s.*, $5::bigint, -1 FROM seen s
       WHERE s.amount > 0 OR EXISTS (SELECT FROM old WHERE old.wallet = s.wallet AND old.mint = s.mint)
       ORDER BY s.token_account
       ON CONFLICT (wallet, mint) DO UPDATE SET amount = excluded.amount, slot = excluded.slot,
         tx_index = excluded.tx_index, signature = NULL, updated_at = now()
       WHERE b.slot < excluded.slot OR $6
       RETURNING wallet, mint, amount)
     SELECT DISTINCT w.wallet FROM written w LEFT JOIN old USING (wallet, mint)
     WHERE w.amount IS DISTINCT FROM old.amount`,
    [
      rows.map(({ tokenAccount }) => tokenAccount),
      rows.map(({ owner }) => owner),
      rows.map(({ mint }) => mint),
      rows.map(({ amount }) => amount.toString()),
      slot,
      force,
    ],
  );
  return changed.map(({ wallet }) => wallet);
}

/** The next wallets after this one, in order, that the database knows as users or traders. */
export async function walletsAfter(
  client: Pick<pg.ClientBase, 'query'>,
  wallet: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await client.query<{ wallet: string }>(
    `SELECT wallet FROM (
       (SELECT wallet_address AS wallet FROM users WHERE wallet_address > $1 ORDER BY 1 LIMIT $2)
       UNION (SELECT DISTINCT owner FROM orders WHERE owner > $1 ORDER BY 1 LIMIT $2)
       UNION (SELECT DISTINCT buyer FROM trades WHERE buyer > $1 ORDER BY 1 LIMIT $2)
       UNION (SELECT DISTINCT seller FROM trades WHERE seller > $1 ORDER BY 1 LIMIT $2)
       UNION (SELECT DISTINCT wallet FROM user_balances WHERE wallet > $1 ORDER BY 1 LIMIT $2)) AS w
     ORDER BY wallet LIMIT $2`,
    [wallet, limit],
  );
  return rows.map(({ wallet: found }) => found);
}
