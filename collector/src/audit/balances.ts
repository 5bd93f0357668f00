import { decodeHolding, gridMintAddress, gridTokenAccount, toChainError } from '@gridtokenx/chain';
import { type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
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
    `SELECT wallet, mint FROM user_balances WHERE (wallet, mint) > ($1, $2) ORDER BY wallet, mint LIMIT ${limit}`,
    [after.wallet, after.mint],
  );
  return rows;
}

/**
 * Wallets among these holders that take part (registered, or with an order) and hold GRID in their associated account
 * without a row.
 */
export async function withoutBalance(
  db: Pick<pg.ClientBase, 'query'>,
  holders: readonly { address: string; owner: string; amount: bigint }[],
): Promise<{ wallet: string; account: string }[]> {
  const some = holders.filter(({ amount }) => amount > 0n);
  if (some.length === 0) return [];
  const { rows } = await db.query<{ wallet: string; account: string }>(
    `SELECT h.owner AS wallet, h.address AS account FROM unnest($1::text[], $2::text[]) AS h (owner, address)
     WHERE (EXISTS (SELECT FROM users u WHERE u.wallet_address = h.owner)
         OR EXISTS (SELECT FROM orders o WHERE o.owner = h.owner))
       AND NOT EXISTS (SELECT FROM user_balances b WHERE b.wallet = h.owner AND b.mint = $3)`,
    [some.map(({ owner }) => owner), some.map(({ address }) => address), gridMintAddress().toBase58()],
  );
  // Anybody can open further accounts for a wallet; its balance is that of the associated one.
  return rows.filter(({ wallet, account }) => gridTokenAccount(new PublicKey(wallet)).toBase58() === account);
}

/** Names those of these wallets that still have no balance after the database was brought up to date. */
export async function missingBalances(
  { db, connection, catchUp }: CompareContext,
  wallets: ReadonlyMap<string, string>,
): Promise<Difference[]> {
  if (wallets.size === 0) return [];
  await catchUp?.();
  const mint = gridMintAddress().toBase58();
  const { rows } = await db.query<{ wallet: string }>(
    `SELECT w AS wallet FROM unnest($1::text[]) AS w
     WHERE NOT EXISTS (SELECT FROM user_balances b WHERE b.wallet = w AND b.mint = $2)`,
    [[...wallets.keys()], mint],
  );
  const accounts = await readAccounts(
    connection,
    rows.map(({ wallet }) => new PublicKey(wallets.get(wallet) ?? '')),
  );
  const differences = new Differences(Number.POSITIVE_INFINITY);
  for (const { wallet } of rows) {
    const address = wallets.get(wallet) ?? '';
    const account = accounts.get(address);
    const amount = (account && decodeHolding({ address, data: account.data })?.amount) ?? 0n;
    if (amount === 0n) continue;
    differences.add('BALANCE_MISSING', {
      wallet,
      mint,
      expected: `${amount} in token account ${address}`,
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
