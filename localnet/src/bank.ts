// The bank: LiteSVM holds the accounts and runs the programs, the journal makes the outcome durable.
import { createHash } from 'node:crypto';
import {
  Account,
  EpochSchedule,
  FailedTransactionMetadata,
  LiteSvm,
  type SimulatedTransactionInfo,
  type TransactionMetadata,
} from 'litesvm/dist/internal.js';
import {
  BPF_LOADER,
  BPF_LOADER_DEPRECATED,
  BPF_LOADER_UPGRADEABLE,
  CONFIG_PROGRAM,
  FEATURE_PROGRAM,
  isTokenProgram,
  LOADER_V4,
  LOOKUP_TABLE_PROGRAM,
  MEMO_PROGRAM,
  MEMO_V1_PROGRAM,
  NATIVE_LOADER,
  STAKE_PROGRAM,
  SYSVAR_CLOCK,
  SYSVAR_INSTRUCTIONS,
  SYSVAR_OWNER,
  SYSVAR_SLOT_HASHES,
  TOKEN_2022_PROGRAM,
  TOKEN_PROGRAM,
} from './addresses.js';
import { decodeBase58, encodeBase58 } from './base58.js';
import { computeBudget, computeBudgetError, costUnits, feeFor } from './fees.js';
import type { Journal, StoredAccount } from './journal.js';
import type { Json } from './json.js';
import { decodeLookupTable } from './parsed.js';
import type { SlotClock } from './slot-clock.js';
import { decimalsOf, decodeTokenAccount, uiTokenAmount } from './token.js';
import { fromLiteSvm, type TransactionError } from './transaction-error.js';
import { isWritableStatic, type Message, type ParsedTransaction } from './wire.js';

export type Commitment = 'processed' | 'confirmed' | 'finalized';

/** A blockhash may be used for this many slots (agave: MAX_PROCESSING_AGE). */
export const MAX_BLOCKHASH_AGE = 150;
/** A slot is final when this many have followed (agave: MAX_LOCKOUT_HISTORY + 1). */
export const FINALITY_SLOTS = 32;
/** Slots in an epoch, without warm-up, as solana-test-validator has them. */
export const SLOTS_PER_EPOCH = 432_000;
/** Accounts are always rent-exempt, which is written as this epoch. */
export const RENT_EXEMPT_EPOCH = 0xffff_ffff_ffff_ffffn;

const SLOT_HASHES_LENGTH = 512;
const LOOKUP_TABLE_BASE_SIZE = 8248;
const ACCOUNT_BASE_SIZE = 64;

/** Errors after which a validator keeps the transaction and its fee although no program ran. */
const FEE_ONLY_ERRORS = new Set<unknown>([
  'ProgramAccountNotFound',
  'InvalidProgramForExecution',
  'MaxLoadedAccountsDataSizeExceeded',
]);

export interface LoadedAddresses {
  writable: string[];
  readonly: string[];
}

export interface InnerInstructions {
  index: number;
  instructions: { programIdIndex: number; accounts: number[]; data: string; stackHeight: number }[];
}

export interface TokenBalance {
  [key: string]: Json;
}

/** What the journal keeps about an executed transaction; `u64` values as strings, since it is stored as JSON. */
export interface StoredMeta {
  fee: string;
  preBalances: string[];
  postBalances: string[];
  /** Null, like the logs, where no program ran. */
  innerInstructions: InnerInstructions[] | null;
  logMessages: string[] | null;
  preTokenBalances: TokenBalance[];
  postTokenBalances: TokenBalance[];
  loadedAddresses: LoadedAddresses;
  returnData?: { programId: string; data: string };
  computeUnitsConsumed: string;
  costUnits: string;
}

export interface AccountChange {
  address: string;
  /** State before, `undefined` where there was no account. */
  pre: StoredAccount | undefined;
  post: StoredAccount | undefined;
}

/** A transaction that is part of the chain, successful or not. */
export interface LandedTransaction {
  signature: string;
  slot: number;
  err: TransactionError;
  logs: string[];
  /** Every address of the transaction, loaded ones included. */
  addresses: string[];
  writable: string[];
  microLamportsPerUnit: bigint;
  changes: AccountChange[];
}

export type Outcome =
  | { landed: true; transaction: LandedTransaction }
  | { landed: false; err: TransactionError };

export interface Simulation {
  err: TransactionError;
  logs: string[];
  unitsConsumed: bigint;
  loadedAccountsDataSize: number;
  returnData: { programId: string; data: string } | undefined;
  innerInstructions: InnerInstructions[];
  fee: bigint | undefined;
  loadedAddresses: LoadedAddresses;
  preBalances: bigint[] | undefined;
  postBalances: bigint[] | undefined;
  preTokenBalances: TokenBalance[] | undefined;
  postTokenBalances: TokenBalance[] | undefined;
  /** State after the simulated run, by address. */
  accounts: Map<string, StoredAccount>;
}

/** What happened in one slot; kept until the slot is final. */
export interface SlotRecord {
  slot: number;
  pre: Map<string, StoredAccount | undefined>;
  post: Map<string, StoredAccount | undefined>;
  transactions: LandedTransaction[];
}

/** A lookup table of the transaction cannot be used; a node refuses such a request as invalid. */
export class LookupError extends Error {
  readonly error: string;

  constructor(error: string) {
    super(error);
    this.error = error;
  }
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function keyBytes(address: string): Uint8Array {
  const bytes = decodeBase58(address);
  if (bytes?.length !== 32) throw new TypeError(`not an address: ${address}`);
  return bytes;
}

function sameAccount(a: StoredAccount | undefined, b: StoredAccount | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.lamports === b.lamports &&
    a.owner === b.owner &&
    a.executable === b.executable &&
    Buffer.compare(a.data, b.data) === 0
  );
}

/** The memo programs' texts as `getSignaturesForAddress` shows them: `[length] text; [length] text`. */
export function memoOf(message: Message): string | null {
  const memos: string[] = [];
  for (const { programIdIndex, data } of message.instructions) {
    const program = message.accountKeys[programIdIndex];
    if (program !== MEMO_PROGRAM && program !== MEMO_V1_PROGRAM) continue;
    const text = Buffer.from(data);
    const valid = Buffer.from(text.toString('utf8')).equals(text);
    memos.push(valid ? `[${text.length}] ${text.toString('utf8')}` : '(unparseable)');
  }
  return memos.length > 0 ? memos.join('; ') : null;
}

export class Bank {
  readonly clock: SlotClock;
  readonly #journal: Journal;
  readonly #seed: Uint8Array;
  readonly #rootFloor: number;
  #svm!: LiteSvm;
  /** Addresses that exist before any transaction (built-ins, sysvars, SPL programs), by owner. */
  #genesisByOwner = new Map<string, string[]>();
  /** Slot for which the sysvars in the VM are set. */
  #sysvarSlot = -1;
  #recentBlockhashes = new Map<string, number>();
  #slotHashes: Buffer = Buffer.alloc(0);
  #recent: SlotRecord[] = [];
  #transactionCount = 0;
  #indexInSlot = { slot: -1, next: 0 };

  /**
   * @param seed secret of this chain from which blockhashes are derived, so that those of the last minute hold
   *   across a restart without a write for each slot
   * @param rootFloor highest slot of the previous run: all that the journal holds is final
   */
  constructor(journal: Journal, clock: SlotClock, seed: Uint8Array, rootFloor: number) {
    this.#journal = journal;
    this.clock = clock;
    this.#seed = seed;
    this.#rootFloor = rootFloor;
  }

  /** (Re)builds the VM from the journal: what is not in there has not happened. */
  load(): void {
    const svm = new LiteSvm();
    // The journal knows all signatures and the bank all blockhashes, across restarts; LiteSVM would not.
    svm.setTransactionHistory(0n);
    svm.setBlockhashCheck(false);
    svm.setSigverify(true);
    svm.setLamports(0n);
    svm.withNativeMints();
    const slots = BigInt(SLOTS_PER_EPOCH);
    svm.setEpochSchedule(new EpochSchedule(slots, slots, false, 0n, 0n));
    this.#svm = svm;
    this.#genesisByOwner = new Map();
    for (const owner of [
      NATIVE_LOADER,
      SYSVAR_OWNER,
      BPF_LOADER_DEPRECATED,
      BPF_LOADER,
      BPF_LOADER_UPGRADEABLE,
      LOADER_V4,
      CONFIG_PROGRAM,
      FEATURE_PROGRAM,
      STAKE_PROGRAM,
      TOKEN_PROGRAM,
      TOKEN_2022_PROGRAM,
    ]) {
      const accounts = svm.getProgramAccounts(keyBytes(owner));
      this.#genesisByOwner.set(
        owner,
        accounts.map((entry) => encodeBase58(entry.address)),
      );
    }
    for (const address of this.#genesisByOwner.get(SYSVAR_OWNER) ?? []) {
      const sysvar = this.#read(keyBytes(address));
      if (sysvar) this.#setSysvar(address, sysvar.data);
    }
    this.#sysvarSlot = -1;
    this.#refresh();
    for (const [address, account] of this.#journal.accounts()) this.#write(address, account);
    this.#transactionCount = this.#journal.transactionCount();
    const slot = this.clock.slot;
    this.#indexInSlot = { slot, next: this.#journal.countInSlot(slot) };
  }

  /** Moves to the slot of the present moment and returns it. */
  advance(): number {
    const slot = this.clock.advance();
    if (slot !== this.#sysvarSlot) this.#refresh();
    return slot;
  }

  /** The slot that a commitment looks at. Processed and confirmed are one: nothing is reported before fsync. */
  slotAt(commitment: Commitment): number {
    return commitment === 'finalized' ? this.root : this.clock.slot;
  }

  /** Highest final slot. */
  get root(): number {
    return Math.max(this.#rootFloor, this.clock.slot - FINALITY_SLOTS, 0);
  }

  get transactionCount(): number {
    return this.#transactionCount;
  }

  /** The blockhash that clients get while `slot` is the newest. */
  blockhash(slot: number): string {
    return encodeBase58(this.#hash('blockhash', slot));
  }

  /** Whether a transaction with this blockhash may be processed now. */
  isBlockhashValid(blockhash: string): boolean {
    return this.#recentBlockhashes.has(blockhash);
  }

  /** Why a transaction cannot be processed now, whatever its programs would do; null where it can. */
  refusal(transaction: ParsedTransaction, blockhash: string): TransactionError {
    const budget = computeBudgetError(transaction.message);
    if (budget) return budget.error;
    if (!this.isBlockhashValid(blockhash)) return 'BlockhashNotFound';
    if (this.#journal.hasTransaction(transaction.signature)) return 'AlreadyProcessed';
    return null;
  }

  /** An account as of a commitment; `undefined` where there is none. */
  account(address: string, commitment: Commitment = 'processed'): StoredAccount | undefined {
    if (commitment === 'finalized') {
      const root = this.root;
      for (const record of this.#recent) {
        if (record.slot > root && record.pre.has(address)) return record.pre.get(address);
      }
    }
    return this.#read(keyBytes(address));
  }

  /** All accounts that `owner` owns as of a commitment, those of the VM's own genesis included. */
  ownedBy(owner: string, commitment: Commitment, dataSize?: number): Map<string, StoredAccount> {
    const found = new Map<string, StoredAccount>();
    for (const address of this.#genesisByOwner.get(owner) ?? []) {
      const account = this.#read(keyBytes(address));
      if (account?.owner === owner) found.set(address, account);
    }
    for (const [address, account] of this.#journal.accountsOwnedBy(owner, dataSize))
      found.set(address, account);
    if (commitment === 'finalized') {
      const root = this.root;
      const seen = new Set<string>();
      for (const record of this.#recent) {
        if (record.slot <= root) continue;
        for (const [address, account] of record.pre) {
          if (seen.has(address)) continue;
          seen.add(address);
          found.delete(address);
          if (account?.owner === owner) found.set(address, account);
        }
      }
    }
    if (dataSize !== undefined) {
      for (const [address, account] of found) if (account.data.length !== dataSize) found.delete(address);
    }
    return found;
  }

  minimumBalance(dataLength: number): bigint {
    return BigInt(this.#svm.minimumBalanceForRentExemption(BigInt(dataLength)));
  }

  /**
   * Addresses that a v0 message takes from lookup tables, as of now.
   * @throws {LookupError} with the name of the TransactionError
   */
  resolveLookups(message: Message): LoadedAddresses {
    const loaded: LoadedAddresses = { writable: [], readonly: [] };
    for (const { table, writableIndexes, readonlyIndexes } of message.lookups) {
      const account = this.#read(keyBytes(table));
      if (!account) throw new LookupError('AddressLookupTableNotFound');
      if (account.owner !== LOOKUP_TABLE_PROGRAM) throw new LookupError('InvalidAddressLookupTableOwner');
      const decoded = decodeLookupTable(account.data);
      if (!decoded) throw new LookupError('InvalidAddressLookupTableData');
      // Addresses added in this very slot cannot be used yet; a deactivated table works for 512 slots more.
      const slot = BigInt(this.clock.slot);
      const usable =
        slot > decoded.lastExtendedSlot ? decoded.addresses.length : decoded.lastExtendedStartIndex;
      if (decoded.deactivationSlot + BigInt(SLOT_HASHES_LENGTH) <= slot) {
        throw new LookupError('AddressLookupTableNotFound');
      }
      const pick = (indexes: Uint8Array, into: string[]) => {
        for (const index of indexes) {
          const address = index < usable ? decoded.addresses[index] : undefined;
          if (address === undefined) throw new LookupError('InvalidAddressLookupTableIndex');
          into.push(address);
        }
      };
      pick(writableIndexes, loaded.writable);
      pick(readonlyIndexes, loaded.readonly);
    }
    return loaded;
  }

  /**
   * Executes a transaction in the current slot and writes it to the journal. Must run inside a journal
   * transaction; only after its COMMIT may the outcome be {@link publish published} or reported.
   */
  execute(transaction: ParsedTransaction): Outcome {
    const { message } = transaction;
    const refusal = this.refusal(transaction, message.recentBlockhash);
    if (refusal !== null) return { landed: false, err: refusal };
    let loaded: LoadedAddresses;
    try {
      loaded = this.resolveLookups(message);
    } catch (error) {
      if (error instanceof LookupError) return { landed: false, err: error.error };
      throw error;
    }
    const addresses = [...message.accountKeys, ...loaded.writable, ...loaded.readonly];
    const writable = [
      ...message.accountKeys.filter((_key, index) => isWritableStatic(message, index)),
      ...loaded.writable,
    ];
    const pre = new Map(addresses.map((address) => [address, this.#read(keyBytes(address))]));
    const loadedSize = this.#loadedAccountsDataSize(message, pre);
    const payer = message.accountKeys[0] as string;
    const fee = feeFor(message);

    const result = this.#svm.sendVersionedTransaction(transaction.wire);
    const failed = result instanceof FailedTransactionMetadata;
    const meta = failed ? result.meta() : result;
    let err: TransactionError = null;
    let ran = true;
    if (failed) {
      err = this.#correctedError(fromLiteSvm(result.err()), message, pre);
      const payerBefore = pre.get(payer)?.lamports ?? 0n;
      const charged = (this.#svm.getBalance(keyBytes(payer)) ?? 0n) < payerBefore;
      if (!charged) {
        if (!FEE_ONLY_ERRORS.has(err)) return { landed: false, err };
        ran = false;
        const account = pre.get(payer);
        if (!account || account.lamports < fee) return { landed: false, err: 'InsufficientFundsForFee' };
        this.#write(payer, { ...account, lamports: account.lamports - fee });
      }
    }

    const post = new Map(pre);
    const changes: AccountChange[] = [];
    for (const address of new Set(writable)) {
      const after = this.#read(keyBytes(address));
      post.set(address, after);
      const before = pre.get(address);
      if (sameAccount(before, after)) continue;
      changes.push({ address, pre: before, post: after });
      if (after) this.#journal.putAccount(address, after);
      else this.#journal.deleteAccount(address);
    }

    const units = BigInt(meta.computeUnitsConsumed());
    const returned = this.#returnData(meta);
    const stored: StoredMeta = {
      fee: fee.toString(),
      preBalances: addresses.map((address) => (pre.get(address)?.lamports ?? 0n).toString()),
      postBalances: addresses.map((address) => (post.get(address)?.lamports ?? 0n).toString()),
      innerInstructions: ran ? this.#innerInstructions(meta) : null,
      logMessages: ran ? meta.logs() : null,
      preTokenBalances: this.#tokenBalances(message, addresses, pre),
      postTokenBalances: this.#tokenBalances(message, addresses, post),
      loadedAddresses: loaded,
      ...(returned ? { returnData: returned } : {}),
      computeUnitsConsumed: units.toString(),
      costUnits: costUnits(message, units, loadedSize).toString(),
    };
    const slot = this.clock.slot;
    if (this.#indexInSlot.slot !== slot) this.#indexInSlot = { slot, next: 0 };
    this.#journal.addTransaction(
      {
        signature: transaction.signature,
        slot,
        blockTime: this.clock.unixTimestamp(slot),
        wire: transaction.wire,
        err: err === null ? null : JSON.stringify(err),
        meta: JSON.stringify(stored),
        memo: memoOf(message),
        indexInSlot: this.#indexInSlot.next++,
      },
      new Set(addresses),
    );
    return {
      landed: true,
      transaction: {
        signature: transaction.signature,
        slot,
        err,
        logs: stored.logMessages ?? [],
        addresses,
        writable,
        microLamportsPerUnit: computeBudget(message).microLamportsPerUnit,
        changes,
      },
    };
  }

  /** Makes committed transactions part of the views at `finalized`. */
  publish(transactions: LandedTransaction[]): void {
    for (const transaction of transactions) {
      let record = this.#recent.at(-1);
      if (record?.slot !== transaction.slot) {
        record = { slot: transaction.slot, pre: new Map(), post: new Map(), transactions: [] };
        this.#recent.push(record);
      }
      for (const { address, pre, post } of transaction.changes) {
        if (!record.pre.has(address)) record.pre.set(address, pre);
        record.post.set(address, post);
      }
      record.transactions.push(transaction);
    }
    this.#transactionCount += transactions.length;
  }

  /** Takes out the records of slots that have become final since the last call, oldest first. */
  takeFinalized(): SlotRecord[] {
    const root = this.root;
    const index = this.#recent.findIndex((record) => record.slot > root);
    return this.#recent.splice(0, index === -1 ? this.#recent.length : index);
  }

  /** The simulation of a transaction that is {@link refusal refused}: nothing runs. */
  refusedSimulation(transaction: ParsedTransaction, err: TransactionError): Simulation {
    const { message } = transaction;
    const loaded = this.resolveLookups(message);
    const addresses = [...message.accountKeys, ...loaded.writable, ...loaded.readonly];
    const accounts = new Map(addresses.map((address) => [address, this.#read(keyBytes(address))]));
    const balances = addresses.map((address) => accounts.get(address)?.lamports ?? 0n);
    const tokens = this.#tokenBalances(message, addresses, accounts);
    return {
      err,
      logs: [],
      unitsConsumed: 0n,
      loadedAccountsDataSize: 0,
      returnData: undefined,
      innerInstructions: [],
      fee: undefined,
      loadedAddresses: loaded,
      preBalances: balances,
      postBalances: balances,
      preTokenBalances: tokens,
      postTokenBalances: tokens,
      accounts: new Map(),
    };
  }

  /** Runs a transaction against the newest state without keeping the outcome. */
  simulate(transaction: ParsedTransaction, wire: Uint8Array, verifySignatures: boolean): Simulation {
    const { message } = transaction;
    const loaded = this.resolveLookups(message);
    const addresses = [...message.accountKeys, ...loaded.writable, ...loaded.readonly];
    const pre = new Map(addresses.map((address) => [address, this.#read(keyBytes(address))]));
    const result = this.#simulate(wire, verifySignatures);
    const failed = result instanceof FailedTransactionMetadata;
    const meta = result.meta();
    const accounts = new Map<string, StoredAccount>();
    const fee = feeFor(message);
    let err: TransactionError = null;
    const post = new Map(pre);
    if (result instanceof FailedTransactionMetadata) {
      err = this.#correctedError(fromLiteSvm(result.err()), message, pre);
    } else {
      for (const entry of result.postAccounts()) {
        const account = toStored(entry.account());
        const address = encodeBase58(entry.address);
        if (account) accounts.set(address, account);
        post.set(address, account);
      }
    }
    // Errors with a name alone are found before the fee is taken, but for those that cost the fee and nothing else.
    const ran = typeof err !== 'string' || FEE_ONLY_ERRORS.has(err);
    const checked = err !== 'SignatureFailure';
    if (failed && ran) {
      const payer = message.accountKeys[0] as string;
      const account = pre.get(payer);
      if (account) post.set(payer, { ...account, lamports: account.lamports - fee });
    }
    return {
      err,
      logs: meta.logs(),
      unitsConsumed: BigInt(meta.computeUnitsConsumed()),
      loadedAccountsDataSize: ran ? this.#loadedAccountsDataSize(message, pre) : 0,
      returnData: this.#returnData(meta),
      innerInstructions: this.#innerInstructions(meta),
      fee: ran ? fee : undefined,
      loadedAddresses: loaded,
      preBalances: checked ? addresses.map((address) => pre.get(address)?.lamports ?? 0n) : undefined,
      postBalances: checked ? addresses.map((address) => post.get(address)?.lamports ?? 0n) : undefined,
      preTokenBalances: checked ? this.#tokenBalances(message, addresses, pre) : undefined,
      postTokenBalances: checked ? this.#tokenBalances(message, addresses, post) : undefined,
      accounts,
    };
  }

  /**
   * Puts a program under the upgradeable loader: a Program account and its ProgramData with the authority.
   * Writes to the VM and the journal; the caller holds a journal transaction.
   * @param authority base58, or undefined for a program that nobody can upgrade
   */
  deploy(programId: string, elf: Uint8Array, authority: string | undefined): void {
    const id = keyBytes(programId);
    const existing = this.#read(id);
    let slot = 0n;
    let upgradeAuthority = authority;
    let programData: string;
    if (existing) {
      if (existing.owner !== BPF_LOADER_UPGRADEABLE || existing.data.length < 36) {
        throw new Error(`${programId} exists and is not an upgradeable program`);
      }
      programData = encodeBase58(existing.data.subarray(4, 36));
      const header = this.#read(keyBytes(programData))?.data;
      // Whoever holds the authority on this chain keeps it.
      if (header && header.length >= 45) {
        upgradeAuthority = header[12] === 1 ? encodeBase58(header.subarray(13, 45)) : undefined;
      }
      slot = BigInt(this.clock.slot);
    } else {
      // LiteSVM verifies the ELF and derives the ProgramData address; its accounts are then given their authority.
      this.#svm.addProgram(id, elf);
      const program = this.#read(id);
      if (!program) throw new Error(`LiteSVM did not load ${programId}`);
      programData = encodeBase58(program.data.subarray(4, 36));
    }
    const data = Buffer.alloc(45 + elf.length);
    data.writeUInt32LE(3, 0);
    data.writeBigUInt64LE(slot, 4);
    if (upgradeAuthority !== undefined) {
      data[12] = 1;
      data.set(keyBytes(upgradeAuthority), 13);
    }
    data.set(elf, 45);
    const before = this.#read(keyBytes(programData))?.lamports ?? 0n;
    const needed = this.minimumBalance(data.length);
    const programDataAccount: StoredAccount = {
      lamports: before > needed ? before : needed,
      owner: BPF_LOADER_UPGRADEABLE,
      executable: false,
      data,
    };
    this.#write(programData, programDataAccount);
    this.#journal.putAccount(programData, programDataAccount);
    const program = this.#read(id) as StoredAccount;
    // Writing the Program account again makes the VM load, and verify, what ProgramData now holds.
    this.#write(programId, program);
    this.#journal.putAccount(programId, program);
  }

  /** Sets an account at genesis (the faucet). The caller holds a journal transaction. */
  putGenesisAccount(address: string, account: StoredAccount): void {
    this.#write(address, account);
    this.#journal.putAccount(address, account);
  }

  #simulate(
    wire: Uint8Array,
    verifySignatures: boolean,
  ): SimulatedTransactionInfo | FailedTransactionMetadata {
    this.#svm.setSigverify(verifySignatures);
    try {
      return this.#svm.simulateVersionedTransaction(wire);
    } finally {
      this.#svm.setSigverify(true);
    }
  }

  #hash(kind: string, slot: number): Buffer {
    return createHash('sha256').update(kind).update(this.#seed).update(u64(slot)).digest();
  }

  /** Brings the sysvars and the set of valid blockhashes to the current slot. */
  #refresh(): void {
    const slot = this.clock.slot;
    const oldest = Math.max(0, slot - MAX_BLOCKHASH_AGE);
    for (const [hash, at] of this.#recentBlockhashes) {
      if (at >= oldest) break;
      this.#recentBlockhashes.delete(hash);
    }
    const newest = [...this.#recentBlockhashes.values()].at(-1) ?? -1;
    for (let at = Math.max(oldest, newest + 1); at <= slot; at++) {
      this.#recentBlockhashes.set(this.blockhash(at), at);
    }

    const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
    this.#setSysvar(
      SYSVAR_CLOCK,
      Buffer.concat([
        u64(slot),
        u64(this.clock.unixTimestamp(epoch * SLOTS_PER_EPOCH)),
        u64(epoch),
        u64(epoch + 1),
        u64(this.clock.unixTimestamp(slot)),
      ]),
    );
    this.#setSlotHashes(slot);
    this.#sysvarSlot = slot;
  }

  /**
   * SlotHashes, newest first. It includes the current slot, which a validator's does not: there, `getSlot` at
   * `confirmed` names a finished slot; here, where a slot is confirmed as soon as it is written, it must be usable
   * as a lookup table's recent slot just the same.
   */
  #setSlotHashes(slot: number): void {
    const count = Math.min(SLOT_HASHES_LENGTH, slot + 1);
    const fresh = this.#sysvarSlot < 0 ? count : Math.min(count, slot - this.#sysvarSlot);
    const entries = Buffer.alloc(8 + 40 * SLOT_HASHES_LENGTH);
    entries.writeBigUInt64LE(BigInt(count), 0);
    for (let i = 0; i < fresh; i++) {
      u64(slot - i).copy(entries, 8 + 40 * i);
      this.#hash('bank', slot - i).copy(entries, 16 + 40 * i);
    }
    if (fresh < count) this.#slotHashes.copy(entries, 8 + 40 * fresh, 8, 8 + 40 * (count - fresh));
    this.#slotHashes = entries;
    this.#setSysvar(SYSVAR_SLOT_HASHES, entries);
  }

  /** Writes a sysvar with a rent-exempt balance, as a validator keeps it (LiteSVM's own have one lamport). */
  #setSysvar(address: string, data: Uint8Array): void {
    this.#write(address, {
      lamports: this.minimumBalance(data.length),
      owner: SYSVAR_OWNER,
      executable: false,
      data,
    });
  }

  #read(address: Uint8Array): StoredAccount | undefined {
    const account = this.#svm.getAccount(address);
    return account ? toStored(account) : undefined;
  }

  #write(address: string, account: StoredAccount): void {
    this.#svm.setAccount(
      keyBytes(address),
      new Account(
        account.lamports,
        account.data,
        keyBytes(account.owner),
        account.executable,
        RENT_EXEMPT_EPOCH,
      ),
    );
  }

  /** LiteSVM calls a missing program "invalid"; a validator says that it does not exist. */
  #correctedError(
    err: TransactionError,
    message: Message,
    accounts: Map<string, StoredAccount | undefined>,
  ): TransactionError {
    if (err !== 'InvalidProgramForExecution') return err;
    const missing = message.instructions.some(
      ({ programIdIndex }) => !accounts.get(message.accountKeys[programIdIndex] as string),
    );
    return missing ? 'ProgramAccountNotFound' : err;
  }

  #returnData(meta: TransactionMetadata): { programId: string; data: string } | undefined {
    const returned = meta.returnData();
    const data = returned.data();
    if (data.length === 0) return undefined;
    return { programId: encodeBase58(returned.programId()), data: Buffer.from(data).toString('base64') };
  }

  #innerInstructions(meta: TransactionMetadata): InnerInstructions[] {
    const found: InnerInstructions[] = [];
    meta.innerInstructions().forEach((inner, index) => {
      if (inner.length === 0) return;
      found.push({
        index,
        instructions: inner.map((entry) => {
          const instruction = entry.instruction();
          return {
            programIdIndex: instruction.programIdIndex(),
            accounts: [...instruction.accounts()],
            data: encodeBase58(instruction.data()),
            stackHeight: entry.stackHeight(),
          };
        }),
      });
    });
    return found;
  }

  /** As a validator: token balances are noted only where the transaction names a token program. */
  #tokenBalances(
    message: Message,
    addresses: string[],
    accounts: Map<string, StoredAccount | undefined>,
  ): TokenBalance[] {
    if (!addresses.some(isTokenProgram)) return [];
    const invoked = new Set(message.instructions.map(({ programIdIndex }) => programIdIndex));
    const balances: TokenBalance[] = [];
    addresses.forEach((address, accountIndex) => {
      const account = accounts.get(address);
      if (!account || invoked.has(accountIndex) || !isTokenProgram(account.owner)) return;
      const token = decodeTokenAccount(account.data);
      if (!token) return;
      const decimals = decimalsOf(
        token.mint,
        (mint) => (accounts.get(mint) ?? this.#read(keyBytes(mint)))?.data,
      );
      if (decimals === undefined) return;
      balances.push({
        accountIndex,
        mint: token.mint,
        uiTokenAmount: uiTokenAmount(token.amount, decimals),
        owner: token.owner,
        programId: account.owner,
      });
    });
    return balances;
  }

  /** agave: svm/account_loader.rs. Each account with 64 bytes of overhead, and the code behind each program once. */
  #loadedAccountsDataSize(message: Message, accounts: Map<string, StoredAccount | undefined>): number {
    let size = message.lookups.length * LOOKUP_TABLE_BASE_SIZE;
    const counted = new Set<string>();
    for (const [address, account] of accounts) {
      if (!account || address === SYSVAR_INSTRUCTIONS) continue;
      size += ACCOUNT_BASE_SIZE + account.data.length;
      if (account.owner !== BPF_LOADER_UPGRADEABLE || account.data.length < 36 || account.data[0] !== 2)
        continue;
      const programData = encodeBase58(account.data.subarray(4, 36));
      if (accounts.has(programData) || counted.has(programData)) continue;
      counted.add(programData);
      const data = this.#read(keyBytes(programData))?.data;
      if (data) size += ACCOUNT_BASE_SIZE + data.length;
    }
    return size;
  }
}

function toStored(account: Account): StoredAccount | undefined {
  const lamports = account.lamports();
  if (lamports === 0n) return undefined;
  return {
    lamports,
    owner: encodeBase58(account.owner()),
    executable: account.executable(),
    data: account.data(),
  };
}
