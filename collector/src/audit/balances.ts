import {
  decodeHolding,
  gridMintAddress,
  gridTokenAccount,
  quoteTokenAccount,
  toChainError,
} from '@gridtokenx/chain';
import { type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import { ofKnownMint } from '../mirror/balances.js';
import type { Difference } from './differences.js';
import { Differences } from './differences.js';
import { type CompareContext, LOOKS, readAccounts } from './rows.js';

/** A row of `user_balances`. */
export interface BalanceKey {
  readonly wallet: string;
  readonly mint: string;
}

interface BalanceRow extends BalanceKey {
  readonly token_account: string;
  readonly amount: string;
  readonly slot: string;
  readonly tx_index: string;
}

/** What comparing balances found. */
export interface BalanceFindings {
  readonly differences: readonly Difference[];
  /**
   * Wallets whose tokens moved by a transaction that names no program of ours (a plain transfer): the row is right for
   * its slot and only waits to be read again.
   */
  readonly behind: readonly string[];
}

/** Signatures of a token account among which an explanation is looked for. */
const RECENT = 25;

/** Compares these wallets' balances with their token accounts. What moves meanwhile is looked at again. */
export async function compareBalances(
  context: CompareContext,
  keys: readonly BalanceKey[],
): Promise<BalanceFindings> {
  const { db, connection, catchUp } = context;
  const differences = new Differences(Number.POSITIVE_INFINITY);
  const behind = new Set<string>();
  let left = keys;
  for (let look = 1; left.length > 0 && look <= LOOKS; look++) {
    const before = await readBalances(db, left);
    const accounts = await readAccounts(
      connection,
      [...before.values()].map((row) => new PublicKey(row.token_account)),
    );
    const suspects: { row: BalanceRow; actual: string }[] = [];
    for (const row of before.values()) {
      const account = accounts.get(row.token_account);
      const holding = account && decodeHolding({ address: row.token_account, data: account.data });
      const rightMint = account && new PublicKey(account.data.subarray(0, 32)).toBase58() === row.mint;
      const own = holding && rightMint && holding.owner === row.wallet ? holding.amount : 0n;
      if (own.toString() !== row.amount) suspects.push({ row, actual: own.toString() });
    }
    if (suspects.length === 0) break;
    await catchUp?.();
    const after = await readBalances(
      db,
      suspects.map(({ row }) => row),
    );
    const again: BalanceKey[] = [];
    for (const { row, actual } of suspects) {
      if (catchUp && JSON.stringify(row) !== JSON.stringify(after.get(nameOf(row)))) again.push(row);
      else if (await movedPastUs(context, row)) behind.add(row.wallet);
      else {
        differences.add('BALANCE_DIFFERS', {
          wallet: row.wallet,
          mint: row.mint,
          expected: `${actual} in token account ${row.token_account}`,
          actual: row.amount,
        });
      }
    }
    left = again;
  }
  return { differences: differences.list, behind: [...behind] };
}

/** A page of balances behind the given one, in order. */
export async function balanceKeys(
  db: Pick<pg.ClientBase, 'query'>,
  after: BalanceKey,
  limit: number,
): Promise<BalanceKey[]> {
  const { rows } = await db.query<{ wallet: string; mint: string }>(
    `SELECT wallet, mint FROM user_balances
     WHERE (wallet, mint) > ($1, $2) AND ${ofKnownMint()} ORDER BY wallet, mint LIMIT ${limit}`,
    [after.wallet, after.mint],
  );
  return rows;
}

/** A wallet's associated token account of a mint. */
export interface Holder extends BalanceKey {
  readonly account: string;
}

/** SQL: wallets that take part, registered or with an order. */
const PARTICIPANTS = 'SELECT wallet_address AS wallet FROM users UNION SELECT owner FROM orders';

/**
 * Those among these holders of GRID that take part (registered, or with an order) and hold it in their associated account
 * without a row.
 */
export async function withoutBalance(
  db: Pick<pg.ClientBase, 'query'>,
  holders: readonly { address: string; owner: string; amount: bigint }[],
): Promise<Holder[]> {
  const some = holders.filter(({ amount }) => amount > 0n);
  if (some.length === 0) return [];
  const { rows } = await db.query<Holder>(
    `SELECT h.owner AS wallet, $3::text AS mint, h.address AS account
     FROM unnest($1::text[], $2::text[]) AS h (owner, address)
     WHERE (EXISTS (SELECT FROM users u WHERE u.wallet_address = h.owner)
         OR EXISTS (SELECT FROM orders o WHERE o.owner = h.owner))
       AND NOT EXISTS (SELECT FROM user_balances b WHERE b.wallet = h.owner AND b.mint = $3)`,
    [some.map(({ owner }) => owner), some.map(({ address }) => address), gridMintAddress().toBase58()],
  );
  // Anybody can open further accounts for a wallet; its balance is that of the associated one.
  return rows.filter(({ wallet, account }) => gridTokenAccount(new PublicKey(wallet)).toBase58() === account);
}

/**
 * A page of the wallets that take part and have no row for a market's quote token, in order: whoever has such tokens is
 * missing. (Of GRID a walk over its token accounts tells, which is less work.)
 */
export async function withoutQuoteBalance(
  db: Pick<pg.ClientBase, 'query'>,
  after: BalanceKey,
  limit: number,
): Promise<Holder[]> {
  const { rows } = await db.query<BalanceKey & { program: string }>(
    `SELECT p.wallet, m.quote_mint AS mint, m.quote_token_program AS program FROM (${PARTICIPANTS}) AS p
     CROSS JOIN (SELECT DISTINCT quote_mint, quote_token_program FROM markets) AS m
     WHERE m.quote_token_program IS NOT NULL AND (p.wallet, m.quote_mint) > ($1, $2)
       AND NOT EXISTS (SELECT FROM user_balances b WHERE b.wallet = p.wallet AND b.mint = m.quote_mint)
     ORDER BY p.wallet, m.quote_mint LIMIT ${limit}`,
    [after.wallet, after.mint],
  );
  return rows.map(({ wallet, mint, program }) => ({
    wallet,
    mint,
    account: quoteTokenAccount(new PublicKey(mint), new PublicKey(program), new PublicKey(wallet)).toBase58(),
  }));
}

/** The wallet's associated account of GRID or of a market's quote token; undefined for another mint. */
export async function holderOf(
  db: Pick<pg.ClientBase, 'query'>,
  { wallet, mint }: BalanceKey,
): Promise<Holder | undefined> {
  const owner = new PublicKey(wallet);
  if (mint === gridMintAddress().toBase58())
    return { wallet, mint, account: gridTokenAccount(owner).toBase58() };
  const { rows } = await db.query<{ program: string | null }>(
    'SELECT quote_token_program AS program FROM markets WHERE quote_mint = $1',
    [mint],
  );
  const program = rows[0]?.program;
  if (!program) return undefined;
  const account = quoteTokenAccount(new PublicKey(mint), new PublicKey(program), owner).toBase58();
  return { wallet, mint, account };
}

/** Names those of these holders who hold something and still have no row after the database was brought up to date. */
export async function missingBalances(
  { db, connection, catchUp }: CompareContext,
  holders: readonly Holder[],
): Promise<Difference[]> {
  if (holders.length === 0) return [];
  const accounts = await readAccounts(
    connection,
    holders.map(({ account }) => new PublicKey(account)),
  );
  const amountOf = ({ account: address, wallet }: Holder): bigint => {
    const account = accounts.get(address);
    const holding = account && decodeHolding({ address, data: account.data });
    return holding?.owner === wallet ? holding.amount : 0n;
  };
  const holding = holders.filter((holder) => amountOf(holder) > 0n);
  if (holding.length === 0) return [];
  await catchUp?.();
  const known = await readBalances(db, holding);
  const differences = new Differences(Number.POSITIVE_INFINITY);
  for (const holder of holding) {
    if (known.has(nameOf(holder))) continue;
    const { wallet, mint, account } = holder;
    differences.add('BALANCE_MISSING', {
      wallet,
      mint,
      expected: `${amountOf(holder)} in token account ${account}`,
      actual: 'no balance',
    });
  }
  return differences.list;
}

function nameOf({ wallet, mint }: BalanceKey): string {
  return `${wallet}/${mint}`;
}

async function readBalances(
  db: Pick<pg.ClientBase, 'query'>,
  keys: readonly BalanceKey[],
): Promise<Map<string, BalanceRow>> {
  const { rows } = await db.query<BalanceRow>(
    `SELECT wallet, mint, token_account, amount::text, slot::text, tx_index::text FROM user_balances
     WHERE (wallet, mint) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
    [keys.map(({ wallet }) => wallet), keys.map(({ mint }) => mint)],
  );
  return new Map(rows.map((row) => [nameOf(row), row]));
}

/** Whether a transaction that is none of ours has changed the token account since the row's slot. */
async function movedPastUs({ db, connection }: CompareContext, row: BalanceRow): Promise<boolean> {
  // Slot 0: the row says itself that it is to be read anew.
  if (row.slot === '0') return true;
  const since = (await recent(connection, row.token_account)).filter(({ slot }) => slot >= Number(row.slot));
  if (since.length === 0) return false;
  const { rows } = await db.query<{ signature: string }>(
    'SELECT signature FROM chain_transactions WHERE signature = ANY($1::text[])',
    [since.map(({ signature }) => signature)],
  );
  return rows.length < since.length;
}

async function recent(
  connection: Connection,
  address: string,
): Promise<{ signature: string; slot: number }[]> {
  try {
    const found = await connection.getSignaturesForAddress(
      new PublicKey(address),
      { limit: RECENT },
      'confirmed',
    );
    return found.filter(({ err }) => err === null);
  } catch (error) {
    throw toChainError(error);
  }
}
