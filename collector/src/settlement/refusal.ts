/**
 * What a refusal by the chain means for the meters that were in the transaction.
 *
 * - `wait`: nothing is wrong with the reading; a condition outside must change first (an owner not yet verified,
 *   the program paused). Not an attempt.
 * - `behind`: our picture of the chain is old (the reading, or a later one, is already there). Look again. Not an attempt.
 * - `retry`: the transaction as such was unlucky (blockhash, fees, limits of the block). Not an attempt.
 * - `refused`: the chain refuses this reading. An attempt; after ten, a person looks at it.
 */
export type RefusalKind = 'wait' | 'behind' | 'retry' | 'refused';

export interface Refusal {
  readonly kind: RefusalKind;
  /** Name of the program error, or of the runtime's own error. */
  readonly name: string;
  readonly message: string;
}

/** Errors of the registry that time or somebody's decision ends. */
const WAIT = new Set(['Paused', 'UserNotVerified', 'MeterSuspended', 'EndInFuture', 'DailyMintCapReached']);

/** The account is not what it was when the transaction was planned: it was settled elsewhere, or its key changed. */
const BEHIND = new Set(['SequenceNotHigher', 'EndNotLater', 'NoUnsettledBalance', 'KeyMismatch']);

const RETRY = new Set([
  'BlockhashNotFound',
  'AlreadyProcessed',
  'AccountInUse',
  'ClusterMaintenance',
  'WouldExceedMaxBlockCostLimit',
  'WouldExceedMaxAccountCostLimit',
  'WouldExceedMaxVoteCostLimit',
  'WouldExceedAccountDataBlockLimit',
  // The fee payer's own trouble.
  'InsufficientFundsForFee',
  'InsufficientFundsForRent',
  'AccountNotFound',
  'AddressLookupTableNotFound',
  'InvalidAddressLookupTableIndex',
  'InvalidAddressLookupTableData',
]);

/** Classifies a refusal by the error's name, as the IDL or Solana's TransactionError spells it. */
export function classifyRefusal(name: string, message: string): Refusal {
  const kind: RefusalKind = WAIT.has(name)
    ? 'wait'
    : BEHIND.has(name)
      ? 'behind'
      : RETRY.has(name)
        ? 'retry'
        : 'refused';
  return { kind, name, message };
}

/** Attempts after which a meter's newest reading goes to review. */
export const MAX_ATTEMPTS = 10;

/**
 * Milliseconds until the next attempt: doubling from 5 s to at most 15 minutes, so that ten attempts take over half
 * an hour: a passing trouble passes, and a person is told the same day.
 */
export function retryDelayMs(attempts: number): number {
  return Math.min(900_000, 5_000 * 2 ** Math.min(Math.max(attempts - 1, 0), 20));
}
