/**
 * What the settlement engine needs of its database and its chain. The engine decides, these do; they are
 * interfaces so that the engine can be run against a model of both, crashed at every call.
 */
import type { Observation, SettlementState } from './outcome.js';
import type { Refusal } from './refusal.js';

/** The newest settleable reading of a leased meter, as it was signed. */
export interface SignedReading {
  readonly sequence: bigint;
  /** nkWh since registration, as in the message. */
  readonly surplusTotal: bigint;
  /** The 48 bytes that were signed. */
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** Base58. */
  readonly publicKey: string;
}

/** A meter that this collector has leased because something of it is to be settled. */
export interface MeterWork {
  readonly meterId: string;
  /** Wallet of the owner as the database knows it, base58. */
  readonly wallet: string;
  /** Absent when nothing is to be submitted and only a mint is due. */
  readonly reading: SignedReading | undefined;
  readonly attempts: number;
  /** Not to be put into a transaction with others. */
  readonly alone: boolean;
}

/** A meter's account and what surrounds it, read for a settlement. */
export interface MeterOnChain {
  readonly owner: string;
  readonly ownerVerified: boolean;
  readonly publicKey: string;
  readonly status: 'active' | 'suspended' | 'rebase';
  readonly lastSequence: bigint;
  readonly surplusTotal: bigint;
  readonly eligible: bigint;
  readonly minted: bigint;
  /** What the daily cap still lets through today. */
  readonly mintableNkwh: bigint;
  /** Until the next day (UTC) of the chain's clock. */
  readonly nextDayMs: number;
  readonly tokenAccount: string;
  /** What stands at the token account's address: a usable GRID account, nothing, or something unusable. */
  readonly tokenAccountState: 'ready' | 'missing' | 'frozen' | 'unusable';
}

export interface ChainView {
  readonly paused: boolean;
  readonly meters: ReadonlyMap<string, MeterOnChain>;
}

export interface SettlementItem {
  readonly meterId: string;
  readonly wallet: string;
  readonly kind: 'submit' | 'mint';
  /** The chain's last sequence before this settlement. */
  readonly afterSequence: bigint;
  /** The submitted reading's sequence; for `mint` the same as `afterSequence`. */
  readonly throughSequence: bigint;
  readonly expectedNkwh: bigint;
  readonly reading: SignedReading | undefined;
}

/** A signed and simulated transaction that nobody has sent yet. */
export interface PreparedTransaction {
  readonly signature: string;
  readonly wire: Uint8Array;
  readonly blockhash: string;
  readonly lastValidBlockHeight: number;
}

/** A transaction that is being followed: prepared by a collector, or applied and not yet final. */
export interface OpenSettlement {
  readonly signature: string;
  readonly state: SettlementState;
  /** The signed bytes; absent for a transaction that somebody else sent. */
  readonly wire: Uint8Array | undefined;
  /**
   * Past this height no block can contain it. Of somebody else's transaction only the height is known at which it
   * was seen: past that, finality has judged it (and should it land again, the mirror finds it again).
   */
  readonly lastValidBlockHeight: number;
  /** Where it was seen confirmed. */
  readonly slot: number | undefined;
  readonly items: readonly {
    readonly meterId: string;
    readonly throughSequence: bigint;
    readonly kind: 'submit' | 'mint';
  }[];
}

/** Raised by `SettlementChain.prepare` when the chain's simulation refuses the transaction. */
export class SettlementRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(`${refusal.name}: ${refusal.message}`);
    this.name = 'SettlementRefused';
  }
}

export interface SettlementStore {
  /** Leases up to `limit` meters that are due, the one whose oldest reading was submitted first at the front. */
  lease(limit: number): Promise<MeterWork[]>;
  /** Gives leased meters back untouched. */
  release(meterIds: readonly string[]): Promise<void>;
  /** Gives a leased meter back until `delayMs` have passed; not an attempt. */
  postpone(meterId: string, reason: string, delayMs: number): Promise<void>;
  /** Counts an attempt; the tenth puts the reading into review. Gives the meter back. */
  refuse(meterId: string, sequence: bigint, refusal: Refusal): Promise<void>;
  /** Gives a leased meter back with its waiting readings marked as carrying nothing to settle. */
  nothingToSettle(meterId: string, throughSequence: bigint): Promise<void>;
  /** Commits the row. False when a meter of it is in another open settlement: then nothing was written. */
  prepare(transaction: PreparedTransaction, items: readonly SettlementItem[]): Promise<boolean>;
  /** Prepared settlements that are ours, or whose collector's lease is over (which makes them ours). */
  takePrepared(): Promise<OpenSettlement[]>;
  /** Applied transactions, ours and others', that are not final yet, oldest first. */
  takeApplied(limit: number): Promise<OpenSettlement[]>;
  /** The chain refused the executed transaction. Several meters: they go alone next time. One: an attempt. */
  fail(settlement: OpenSettlement, refusal: Refusal): Promise<void>;
  /** Closes a settlement that was never executed; its meters are free again. */
  close(settlement: OpenSettlement, state: 'expired' | 'superseded'): Promise<void>;
  finalize(settlement: OpenSettlement): Promise<void>;
  /** A fork took an applied transaction back: its effects are undone here too, and its readings wait again. */
  drop(settlement: OpenSettlement): Promise<void>;
}

export interface SettlementChain {
  /** The meters as the chain has them. */
  inspect(meterIds: readonly string[]): Promise<ChainView>;
  /**
   * Creates the missing token accounts of these wallets; the fee payer pays, once for each wallet. Returns the
   * wallets that have none afterwards: closed by their owner since, or refused by the chain.
   */
  ensureTokenAccounts(wallets: readonly string[]): Promise<readonly string[]>;
  /** Packs submissions into transactions, at most `metersPerTransaction` each, each item once. */
  pack(items: readonly SettlementItem[]): Promise<SettlementItem[][]>;
  /** Builds, signs and simulates. @throws SettlementRefused, GtxError CHAIN_UNAVAILABLE */
  prepare(items: readonly SettlementItem[]): Promise<PreparedTransaction>;
  send(wire: Uint8Array): Promise<void>;
  /** One look at several transactions; for the named ones also at their meters' accounts and history. */
  observe(
    settlements: readonly OpenSettlement[],
    withAccounts: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, Observation>>;
  /** Reads a confirmed transaction and writes its effects down. False when the node does not show it yet. */
  apply(signature: string): Promise<boolean>;
  /** Writes the effects of a transaction down anew, in the slot where it is now. */
  reapply(signature: string): Promise<void>;
  /** Finds and writes down what happened to this meter on the chain without us. */
  catchUp(meterId: string): Promise<void>;
}
