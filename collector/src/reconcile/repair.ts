import { GtxError } from '@gridtokenx/protocol';
import type { Difference, DifferenceKind } from '../audit/differences.js';
import type { Projection } from '../audit/projections.js';

/** Addresses of accounts (of users the wallets) whose rows are to be read again. */
export type Reprojected = Partial<Record<`${Projection['what']}s`, readonly string[]>>;

/**
 * The ways in which a repair may write: each reads the chain and writes what it says, through the mirror. Nothing
 * else is ever written.
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

/** Whether reading the chain again can mend it: it is the database that is wrong, not the chain. */
export function isRepairable({ kind, signature, account, wallet }: Difference): boolean {
  return (
    (BY_TRANSACTION.has(kind) && signature !== undefined) ||
    (BY_ACCOUNT.has(kind) && (account !== undefined || signature !== undefined)) ||
    (BY_WALLET.has(kind) && wallet !== undefined)
  );
}

/**
 * Reads the chain again where a difference is. Whether that mended it, another look tells.
 *
 * @returns what was done, as a sentence; undefined when there is no way to mend it from the chain.
 * @throws GtxError CHAIN_UNAVAILABLE, the database's error.
 */
export async function repair(doors: ChainDoors, difference: Difference): Promise<string | undefined> {
  if (!isRepairable(difference)) return undefined;
  const { kind, what, signature, account, wallet } = difference;
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
