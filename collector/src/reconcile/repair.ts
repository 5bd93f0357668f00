import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Difference, DifferenceKind } from '../audit/differences.js';
import type { Projection } from '../audit/projections.js';
import { addUpAgain } from '../overview/check.js';

/** Addresses of accounts (of users the wallets) whose rows are to be read again. */
export type Reprojected = Partial<Record<`${Projection['what']}s`, readonly string[]>>;

/**
 * The ways in which a repair may write what the chain tells: each reads it and writes what it says, through the mirror. Besides them
 * only what is added up from stored rows is ever written, by adding it up again.
 */
export interface ChainDoors {
  /** Lists and applies what is new. */
  catchUp(): Promise<unknown>;
  /** Takes a transaction's effects out and applies it again from the chain. */
  reapply(signatures: readonly string[]): Promise<unknown>;
  /** Makes rows say what their accounts, and the events of the chain, say. */
  reproject(accounts: Reprojected): Promise<unknown>;
  /** Reads the token accounts of these wallets. */
  refreshBalances(wallets: readonly string[]): Promise<unknown>;
}

/** Differences that are mended by applying their transaction again. */
const BY_TRANSACTION: ReadonlySet<DifferenceKind> = new Set([
  'TRANSACTION_MISSING',
  'EVENT_DIFFERS',
  'TRADE_MISSING',
  'TRADE_DIFFERS',
  'TRADE_UNKNOWN',
  'READING_MISSING',
  'RANGE_DIFFERS',
]);
const BY_ACCOUNT: ReadonlySet<DifferenceKind> = new Set([
  'METER_MISSING',
  'METER_DIFFERS',
  'ORDER_MISSING',
  'ORDER_UNKNOWN',
  'ORDER_DIFFERS',
  'ROW_MISSING',
  'ROW_UNKNOWN',
  'ROW_DIFFERS',
]);
const BY_WALLET: ReadonlySet<DifferenceKind> = new Set(['BALANCE_DIFFERS', 'BALANCE_MISSING']);

/** Whether reading the chain, or the readings, again can mend it: it is the database that is wrong, not the chain. */
export function isRepairable({ kind, signature, account, wallet, quarter }: Difference): boolean {
  return (
    (kind === 'ENERGY_DIFFERS' && quarter !== undefined) ||
    (BY_TRANSACTION.has(kind) && signature !== undefined) ||
    (BY_ACCOUNT.has(kind) && (account !== undefined || signature !== undefined)) ||
    (BY_WALLET.has(kind) && wallet !== undefined)
  );
}

/**
 * Reads the chain again where a difference is, or adds up again what is added up from stored rows. Whether that mended it, another look tells.
 *
 * @returns what was done, as a sentence; undefined when there is no way to mend it.
 * @throws GtxError CHAIN_UNAVAILABLE, the database's error.
 */
export async function repair(
  { doors, pool }: { doors: ChainDoors; pool: pg.Pool },
  difference: Difference,
): Promise<string | undefined> {
  if (!isRepairable(difference)) return undefined;
  const { kind, what, signature, account, wallet, quarter } = difference;
  if (kind === 'ENERGY_DIFFERS' && quarter !== undefined) {
    const did = await addUpAgain(pool, Date.parse(quarter) / 1000);
    return did ? `added the quarter of an hour from ${quarter} up again` : undefined;
  }
  if (BY_WALLET.has(kind) && wallet !== undefined) {
    await doors.refreshBalances([wallet]);
    return `read the token accounts of ${wallet} again`;
  }
  if (BY_ACCOUNT.has(kind) && account !== undefined) {
    await doors.reproject({ [tableOf(what)]: [account] });
    return `read ${what ?? 'meter'} ${account} again`;
  }
  if (signature === undefined) throw new GtxError('INTERNAL', `${kind} names nothing that can be read again`);
  await doors.reapply([signature]);
  return `applied transaction ${signature} again`;
}

/** Differences of meters name no `what`: their kind does. */
function tableOf(what: string | undefined): string {
  return `${what ?? 'meter'}s`;
}
