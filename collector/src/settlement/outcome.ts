/**
 * What to do next about one settlement transaction, decided from its row and from what the chain answers.
 *
 * The row is committed before the transaction is sent, so that a crash at any point leaves either nothing
 * (and nothing was sent) or a row from which everything can be found out. Nothing here performs I/O.
 */

/**
 * - `prepared`: committed, perhaps sent, outcome unknown. The only state in which the transaction may be sent.
 * - `confirmed`: the chain executed it and its effects are written down; not yet final.
 * - `finalized`: no fork can take it back.
 * - `failed`: the chain executed it and refused it (all of it: a transaction is atomic).
 * - `expired`: its blockhash is too old and it was never executed; another one may be signed.
 * - `superseded`: never executed, but the chain holds these readings through another transaction.
 * - `dropped`: it was confirmed and a fork took it back; its readings were returned.
 */
export type SettlementState =
  | 'prepared'
  | 'confirmed'
  | 'finalized'
  | 'failed'
  | 'expired'
  | 'superseded'
  | 'dropped';

/** What the cluster says about a signature. `error` is set when the transaction was executed and refused. */
export type SignatureSight =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'landed';
      readonly commitment: 'processed' | 'confirmed' | 'finalized';
      readonly slot: number;
      readonly error?: string;
    };

/**
 * One look at the chain. The heights must be read *before* the status: read the other way round, the
 * transaction could land between the two, in the last block that admits it, and be taken for expired.
 */
export interface Observation {
  readonly sight: SignatureSight;
  /** Block height at `confirmed`, read before the status. */
  readonly confirmedHeight: number;
  /** Block height at `finalized`, read before the status. */
  readonly finalizedHeight: number;
  /** False when the node that gave the status had not reached the slot that the heights came from. */
  readonly consistent: boolean;
  /**
   * What the meters' accounts and their history say of the energy of this settlement; read after the status:
   * - `this`: this transaction is in the history (or the node's history does not reach back to it, and the counters
   *   are where it left them): only its status is forgotten.
   * - `another`: the counters cover it, and the history shows that another transaction did that.
   * - `nothing`: the counters do not cover it.
   * - `undefined`: nobody asked. Then nothing is given up.
   */
  readonly chainHolds: 'this' | 'another' | 'nothing' | undefined;
}

export interface SettlementRow {
  readonly state: SettlementState;
  readonly lastValidBlockHeight: number;
  /** Where it was seen confirmed. */
  readonly slot?: number | undefined;
}

/**
 * - `wait`: look again later.
 * - `send`: send the same bytes (again). The chain executes a signature at most once.
 * - `ask_accounts`: look again, this time at the meters' accounts and history too.
 * - `apply`: read the transaction and write its effects down.
 * - `move`: final, but in another slot than the one written down: write its effects down anew.
 * - `fail`, `expire`, `supersede`, `finalize`, `drop`: move to that state.
 */
export type Step =
  | 'wait'
  | 'send'
  | 'ask_accounts'
  | 'apply'
  | 'move'
  | 'fail'
  | 'expire'
  | 'supersede'
  | 'finalize'
  | 'drop';

/** The next step for a row, given one look at the chain. Total: defined for every state and every answer. */
export function nextStep(row: SettlementRow, seen: Observation): Step {
  switch (row.state) {
    case 'prepared':
      return stepOfPrepared(row, seen);
    case 'confirmed':
      return stepOfConfirmed(row, seen);
    case 'finalized':
    case 'failed':
    case 'expired':
    case 'superseded':
    case 'dropped':
      return 'wait';
  }
}

/** True for a state that still keeps its meters from being settled by another transaction. */
export function isOpen(state: SettlementState): boolean {
  return state === 'prepared';
}

function stepOfPrepared(row: SettlementRow, seen: Observation): Step {
  const { sight } = seen;
  if (sight.kind === 'landed') {
    // A `processed` status may still go with its fork: neither success nor failure is believed before `confirmed`.
    if (sight.commitment === 'processed') return 'wait';
    return sight.error === undefined ? 'apply' : 'fail';
  }
  if (!seen.consistent) return 'wait';
  if (seen.confirmedHeight <= row.lastValidBlockHeight) return 'send';
  // A node forgets a status sooner than an account: only the meters tell "never" from "long ago".
  switch (seen.chainHolds) {
    case undefined:
      return 'ask_accounts';
    case 'this':
      return 'apply';
    case 'another':
      return 'supersede';
    case 'nothing':
      return 'expire';
  }
}

function stepOfConfirmed(row: SettlementRow, seen: Observation): Step {
  const { sight } = seen;
  if (sight.kind === 'landed') {
    if (sight.commitment !== 'finalized') return 'wait';
    // Executed on the fork that we saw, refused on the one that won.
    if (sight.error !== undefined) return 'drop';
    // A fork took it back and it landed again: what came before and after it is different now.
    return row.slot === undefined || row.slot === sight.slot ? 'finalize' : 'move';
  }
  if (!seen.consistent) return 'wait';
  // The fork that held it is gone, and its blockhash still serves: the same bytes may land again.
  if (seen.confirmedHeight <= row.lastValidBlockHeight) return 'send';
  if (seen.finalizedHeight <= row.lastValidBlockHeight) return 'wait';
  if (seen.chainHolds === undefined) return 'ask_accounts';
  return seen.chainHolds === 'this' ? 'finalize' : 'drop';
}
