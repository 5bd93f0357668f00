import type { PublicKey } from '@solana/web3.js';
import {
  type BalanceKey,
  balanceKeys,
  compareBalances,
  type Holder,
  holderOf,
  missingBalances,
  withoutBalance,
  withoutQuoteBalance,
} from '../audit/balances.js';
import { type Difference, Differences, subjectOf } from '../audit/differences.js';
import { energyDifferences } from '../audit/energy.js';
import { isOnChain, listPage, readTransactions } from '../audit/history.js';
import { PROJECTIONS, type Projection } from '../audit/projections.js';
import {
  type CompareContext,
  compareRows,
  liveKeys,
  ROWS_PER_LOOK,
  walkProjection,
  withoutRow,
} from '../audit/rows.js';
import { checkHoldings } from '../audit/tokens.js';
import { compareTransactions } from '../audit/transactions.js';
import { MIRRORED_PROGRAMS } from '../mirror/programs.js';

/** What a look at one page found. */
export interface PageFindings {
  readonly differences: readonly Difference[];
  /** Wallets whose balance is right for its slot and older than the last transfer of their tokens. */
  readonly behind?: readonly string[];
  /** Where the next page begins; '' after the last one. */
  readonly next: string;
}

/** Something that is gone through page by page. */
export interface Range {
  readonly name: string;
  /** One request for everything: done less often than the others. */
  readonly walk: boolean;
  look(context: CompareContext, cursor: string): Promise<PageFindings>;
}

const TRANSACTIONS_PER_LOOK = 25;
const END = '';

/** All that is gone through: rows against accounts and back, balances, all tokens, transactions against history and back. */
export const RANGES: readonly Range[] = [
  ...PROJECTIONS.map(rowsOf),
  { name: 'balances', walk: false, look: lookAtBalances },
  { name: 'missing-balances', walk: false, look: lookForBalances },
  { name: 'transactions', walk: false, look: lookAtTransactions },
  ...MIRRORED_PROGRAMS.map(historyOf),
  ...PROJECTIONS.map(accountsOf),
  { name: 'holdings', walk: true, look: lookAtHoldings },
];

/** Rows whose account must exist. */
function rowsOf(projection: Projection): Range {
  return {
    name: `rows:${projection.what}`,
    walk: false,
    async look(context, cursor) {
      const keys = await liveKeys(context.db, projection, cursor, ROWS_PER_LOOK);
      const differences = await compareRows(context, projection, keys);
      return { differences, next: keys.length < ROWS_PER_LOOK ? END : (keys.at(-1) ?? END) };
    },
  };
}

/** Accounts that must have a row. */
function accountsOf(projection: Projection): Range {
  return {
    name: `accounts:${projection.what}`,
    walk: true,
    async look(context) {
      const differences: Difference[] = [];
      await walkProjection(context.connection, projection, async (keys) => {
        const missing = await withoutRow(context.db, projection, keys);
        differences.push(...(await compareRows(context, projection, missing)));
      });
      return { differences, next: END };
    },
  };
}

async function lookAtBalances(context: CompareContext, cursor: string): Promise<PageFindings> {
  const [wallet = '', mint = ''] = cursor.split('/');
  const keys = await balanceKeys(context.db, { wallet, mint }, ROWS_PER_LOOK);
  const last: BalanceKey | undefined = keys.length < ROWS_PER_LOOK ? undefined : keys.at(-1);
  return { ...(await compareBalances(context, keys)), next: last ? `${last.wallet}/${last.mint}` : END };
}

/** Wallets that take part and hold quote tokens must have a balance. */
async function lookForBalances(context: CompareContext, cursor: string): Promise<PageFindings> {
  const [wallet = '', mint = ''] = cursor.split('/');
  const holders = await withoutQuoteBalance(context.db, { wallet, mint }, ROWS_PER_LOOK);
  const last = holders.length < ROWS_PER_LOOK ? undefined : holders.at(-1);
  const differences = await missingBalances(context, holders);
  return { differences, next: last ? `${last.wallet}/${last.mint}` : END };
}

/** Transactions that the database has applied must be on the chain and say what is stored. */
async function lookAtTransactions(context: CompareContext, cursor: string): Promise<PageFindings> {
  const { rows } = await context.db.query<{ signature: string }>(
    `SELECT signature FROM chain_transactions WHERE signature > $1 ORDER BY signature LIMIT ${TRANSACTIONS_PER_LOOK}`,
    [cursor],
  );
  const signatures = rows.map(({ signature }) => signature);
  const differences = await compareSignatures(context, signatures);
  return { differences, next: rows.length < TRANSACTIONS_PER_LOOK ? END : (signatures.at(-1) ?? END) };
}

/** Transactions that a program's history lists must have been applied. */
function historyOf(program: PublicKey): Range {
  return {
    name: `history:${program.toBase58()}`,
    walk: false,
    async look(context, cursor) {
      const { signatures, next } = await listPage(context.connection, program, cursor);
      const missing = await notApplied(context, signatures);
      if (missing.length > 0) await context.catchUp?.();
      const differences = new Differences(Number.POSITIVE_INFINITY);
      for (const signature of await notApplied(context, missing))
        differences.add('TRANSACTION_MISSING', { signature, expected: 'applied', actual: 'absent' });
      return { differences: differences.list, next: next ?? END };
    },
  };
}

async function notApplied({ db }: CompareContext, signatures: readonly string[]): Promise<string[]> {
  if (signatures.length === 0) return [];
  const { rows } = await db.query<{ signature: string }>(
    `SELECT s AS signature FROM unnest($1::text[]) AS s
     WHERE NOT EXISTS (SELECT FROM chain_transactions t WHERE t.signature = s)`,
    [signatures],
  );
  return rows.map(({ signature }) => signature);
}

async function lookAtHoldings(context: CompareContext): Promise<PageFindings> {
  const differences = new Differences(Number.POSITIVE_INFINITY);
  const without = new Map<string, Holder>();
  await checkHoldings(
    context.connection,
    differences,
    () => false,
    async (batch) => {
      for (const holder of await withoutBalance(context.db, batch)) without.set(holder.wallet, holder);
    },
  );
  differences.addAll(await missingBalances(context, [...without.values()]));
  return { differences: differences.list, next: END };
}

/** Compares transactions with what is stored of them; those that the chain does not have must not be stored. */
async function compareSignatures(
  context: CompareContext,
  signatures: readonly string[],
): Promise<Difference[]> {
  const { db, connection } = context;
  const differences = new Differences(Number.POSITIVE_INFINITY);
  const landed = (await readTransactions(connection, signatures)).filter(({ error }) => error === undefined);
  const { missing } = await compareTransactions(db, landed, differences);
  for (const signature of missing)
    differences.add('TRANSACTION_MISSING', { signature, expected: 'applied', actual: 'absent' });
  const shown = new Set(landed.map(({ signature }) => signature));
  for (const signature of signatures) {
    if (shown.has(signature) || (await isOnChain(connection, signature))) continue;
    const { rowCount } = await db.query('SELECT FROM chain_transactions WHERE signature = $1', [signature]);
    if (rowCount === 0) continue;
    differences.add('TRANSACTION_UNKNOWN', { signature, expected: 'on the chain', actual: 'absent' });
  }
  return differences.list;
}

/** What a second look at one difference found. */
export interface SecondLook {
  readonly differences: readonly Difference[];
  readonly behind: readonly string[];
}

/** How a second look at a difference is made. */
type Way = 'holdings' | 'balance' | 'no balance' | 'quarter' | 'row' | 'transaction';

function wayOf({ kind, what, account, signature, wallet, mint, quarter }: Difference): Way | undefined {
  if (kind === 'TOKEN_SUM') return 'holdings';
  if (kind === 'BALANCE_DIFFERS' && wallet !== undefined && mint !== undefined) return 'balance';
  if (kind === 'BALANCE_MISSING' && wallet !== undefined && mint !== undefined) return 'no balance';
  if (kind === 'ENERGY_DIFFERS' && quarter !== undefined) return 'quarter';
  if (account !== undefined && projectionOf(what)) return 'row';
  if (signature === undefined) return undefined;
  const told =
    kind.startsWith('TRANSACTION_') || kind === 'EVENT_DIFFERS' || what === 'trade' || what === 'price';
  return told ? 'transaction' : undefined;
}

/** Differences of meters name no `what`: their kind does. */
function projectionOf(what: string | undefined): Projection | undefined {
  return PROJECTIONS.find((candidate) => candidate.what === (what ?? 'meter'));
}

/** Whether {@link lookAgain} can tell if it is still there; the others take a whole audit. */
export function canLookAgain(difference: Difference): boolean {
  return wayOf(difference) !== undefined;
}

/**
 * Looks once more at what a difference is about. Undefined for what only a whole audit can tell.
 *
 * @throws GtxError CHAIN_UNAVAILABLE, the database's error.
 */
export async function lookAgain(
  context: CompareContext,
  difference: Difference,
): Promise<SecondLook | undefined> {
  const { what, account = '', signature = '', wallet = '', mint = '', quarter = '' } = difference;
  const found = (differences: readonly Difference[]): SecondLook => ({ differences, behind: [] });
  switch (wayOf(difference)) {
    case 'holdings':
      return found((await lookAtHoldings(context)).differences);
    case 'balance':
      return compareBalances(context, [{ wallet, mint }]);
    case 'no balance': {
      const holder = await holderOf(context.db, { wallet, mint });
      return found(await missingBalances(context, holder ? [holder] : []));
    }
    case 'quarter':
      return found(await energyDifferences(context.db, quarter));
    case 'row': {
      const projection = projectionOf(what) as Projection;
      const rows = await compareRows(context, projection, [account]);
      if (rows.some((row) => isSame(row, difference)) || projection.what !== 'order') return found(rows);
      // How an order ended stands in no account any more, but in the transaction that closed it.
      return found([...rows, ...(await compareSignatures(context, await signaturesOf(context, account)))]);
    }
    case 'transaction':
      return found(await compareSignatures(context, [signature]));
    default:
      return undefined;
  }
}

/** Whether two findings are the same difference. */
export function isSame(one: Difference, other: Difference): boolean {
  return one.kind === other.kind && subjectOf(one) === subjectOf(other);
}

/** The stored transactions whose events name an order. */
async function signaturesOf({ db }: CompareContext, order: string): Promise<string[]> {
  const { rows } = await db.query<{ signature: string }>(
    'SELECT DISTINCT signature FROM chain_events WHERE accounts @> ARRAY[$1]::varchar[]',
    [order],
  );
  return rows.map(({ signature }) => signature);
}
