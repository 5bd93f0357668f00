// The running chain: takes transactions in, commits them in groups, keeps the slots going, and says so to listeners.
import type { Logger } from 'pino';
import type { Bank, LandedTransaction, Outcome, SlotRecord } from './bank.js';
import { FINALITY_SLOTS, MAX_BLOCKHASH_AGE } from './bank.js';
import type { Journal } from './journal.js';
import { nodeUnhealthy, RpcError } from './rpc-error.js';
import type { ParsedTransaction } from './wire.js';

/** At most this many transactions share one commit; the rest wait for the next turn of the event loop. */
const MAX_GROUP = 128;
/** How far ahead slots are reserved in the journal, so that an idle chain does not write for each slot. */
const RESERVED_SLOTS = 25;
const TICK_MS = 50;
const RECOVERY_MS = 1000;

export interface ChainListener {
  /** The chain moved from one slot to a later one. */
  onSlot(from: number, to: number, root: number): void;
  /** Transactions were committed (and are thereby processed and confirmed). */
  onCommitted(transactions: LandedTransaction[]): void;
  /** Slots became final. */
  onFinalized(records: SlotRecord[]): void;
}

export interface PrioritizationFee {
  slot: number;
  /** Lowest price per compute unit (micro-lamports) of a transaction in the slot. */
  lowest: bigint;
  /** The same per account that was written. */
  byAccount: Map<string, bigint>;
}

interface Pending {
  transaction: ParsedTransaction;
  resolve: (outcome: Outcome) => void;
  reject: (error: Error) => void;
}

export interface ChainMetrics {
  observeCommit(transactions: number, seconds: number): void;
  countOutcome(result: 'success' | 'failed' | 'rejected'): void;
}

export class Chain {
  readonly bank: Bank;
  readonly journal: Journal;
  readonly #logger: Logger;
  readonly #metrics: ChainMetrics;
  readonly #listeners = new Set<ChainListener>();
  #queue: Pending[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastSlot: number;
  #reservedSlot: number;
  #unhealthy: string | undefined;
  #readable = true;
  #lastRecovery = 0;
  #fees: PrioritizationFee[] = [];

  /** @param reservedSlot the highest slot that the journal has reserved so far */
  constructor(bank: Bank, journal: Journal, logger: Logger, metrics: ChainMetrics, reservedSlot: number) {
    this.bank = bank;
    this.journal = journal;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#lastSlot = bank.clock.slot;
    this.#reservedSlot = reservedSlot;
  }

  /** Starts the slots. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Commits what is queued, notes the last slot and stops the slots. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#flushing) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    while (this.#queue.length > 0) this.#flush();
    if (this.#unhealthy === undefined) {
      this.journal.transaction(() => writeSlot(this.journal, this.bank.clock.slot, this.bank));
    }
  }

  listen(listener: ChainListener): void {
    this.#listeners.add(listener);
  }

  /** Why the node is unhealthy, or `undefined` while all is well. */
  get unhealthy(): string | undefined {
    return this.#unhealthy;
  }

  /** Whether the accounts in the VM are those of the journal; while not, no state may be served. */
  get readable(): boolean {
    return this.#readable;
  }

  /** Prices paid in the last 150 slots that had transactions, oldest first. */
  get prioritizationFees(): PrioritizationFee[] {
    const oldest = this.bank.clock.slot - MAX_BLOCKHASH_AGE;
    return this.#fees.filter((fee) => fee.slot >= oldest);
  }

  /**
   * Brings the chain to the present.
   * @returns the current slot
   * @throws {RpcError} NodeUnhealthy when the journal refuses
   */
  advance(): number {
    let slot: number;
    try {
      slot = this.bank.advance();
    } catch (error) {
      this.#fail(error);
      throw nodeUnhealthy();
    }
    if (slot !== this.#lastSlot) {
      const from = this.#lastSlot;
      this.#lastSlot = slot;
      for (const listener of this.#listeners) listener.onSlot(from, slot, this.bank.root);
      const final = this.bank.takeFinalized();
      if (final.length > 0) for (const listener of this.#listeners) listener.onFinalized(final);
    }
    return slot;
  }

  /**
   * Queues a transaction for the next commit.
   * @returns what became of it, once that is durable
   * @throws {RpcError} NodeUnhealthy when the journal could not be written; the transaction has then not happened
   */
  submit(transaction: ParsedTransaction): Promise<Outcome> {
    if (this.#unhealthy !== undefined) return Promise.reject(nodeUnhealthy());
    return new Promise((resolve, reject) => {
      this.#queue.push({ transaction, resolve, reject });
      this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  /** Executes and commits one group. All of it in one turn: nobody can read state that is not committed. */
  #flush(): void {
    this.#flushing = undefined;
    const group = this.#queue.splice(0, MAX_GROUP);
    if (group.length === 0) return;
    const started = performance.now();
    let outcomes: Outcome[];
    try {
      const slot = this.advance();
      outcomes = this.journal.transaction(() => {
        if (slot > this.#reservedSlot) this.#reserve(slot);
        return group.map(({ transaction }) => this.bank.execute(transaction));
      });
    } catch (error) {
      this.#fail(error);
      for (const { reject } of group) reject(nodeUnhealthy());
      for (const { reject } of this.#queue.splice(0)) reject(nodeUnhealthy());
      return;
    }
    const landed = outcomes.flatMap((outcome) => (outcome.landed ? [outcome.transaction] : []));
    this.bank.publish(landed);
    this.#noteFees(landed);
    this.#metrics.observeCommit(group.length, (performance.now() - started) / 1000);
    for (const outcome of outcomes) {
      this.#metrics.countOutcome(
        !outcome.landed ? 'rejected' : outcome.transaction.err === null ? 'success' : 'failed',
      );
    }
    group.forEach(({ resolve }, index) => {
      resolve(outcomes[index] as Outcome);
    });
    if (landed.length > 0) for (const listener of this.#listeners) listener.onCommitted(landed);
    if (this.#queue.length > 0) this.#flushing ??= setImmediate(() => this.#flush());
  }

  #tick(): void {
    if (this.#unhealthy !== undefined) {
      if (performance.now() - this.#lastRecovery >= RECOVERY_MS) this.#recover();
      return;
    }
    try {
      const slot = this.advance();
      if (slot >= this.#reservedSlot) this.journal.transaction(() => this.#reserve(slot));
    } catch (error) {
      this.#fail(error);
    }
  }

  #reserve(slot: number): void {
    const reserved = slot + RESERVED_SLOTS;
    writeSlot(this.journal, reserved, this.bank);
    // Set although the COMMIT is still to come: if that fails, the next start of slots reserves again.
    this.#reservedSlot = reserved;
  }

  /** Stops accepting and forgets what the VM has done but the journal has not kept. */
  #fail(error: unknown): void {
    if (error instanceof RpcError) return; // advance() has already dealt with it
    this.#unhealthy = error instanceof Error ? error.message : String(error);
    this.#lastRecovery = performance.now();
    this.#logger.error({ err: error }, 'the journal cannot be written: no more transactions are accepted');
    this.#reload();
  }

  #reload(): void {
    this.#readable = false;
    try {
      this.bank.load();
      this.#readable = true;
    } catch (error) {
      this.#logger.error({ err: error }, 'the journal cannot be read either: no state is served');
    }
  }

  /** Tries whether the journal takes writes again. */
  #recover(): void {
    this.#lastRecovery = performance.now();
    if (!this.#readable) this.#reload();
    if (!this.#readable) return;
    try {
      const slot = this.bank.advance();
      this.journal.transaction(() => this.#reserve(slot));
    } catch (error) {
      this.#logger.debug({ err: error }, 'the journal still cannot be written');
      return;
    }
    this.#unhealthy = undefined;
    this.#logger.info('the journal takes writes again: transactions are accepted');
  }

  #noteFees(transactions: LandedTransaction[]): void {
    for (const { slot, writable, microLamportsPerUnit } of transactions) {
      let fee = this.#fees.at(-1);
      if (fee?.slot !== slot) {
        fee = { slot, lowest: microLamportsPerUnit, byAccount: new Map() };
        this.#fees.push(fee);
        const oldest = slot - MAX_BLOCKHASH_AGE - FINALITY_SLOTS;
        while (this.#fees[0] && this.#fees[0].slot < oldest) this.#fees.shift();
      }
      if (microLamportsPerUnit < fee.lowest) fee.lowest = microLamportsPerUnit;
      for (const address of writable) {
        const known = fee.byAccount.get(address);
        if (known === undefined || microLamportsPerUnit < known)
          fee.byAccount.set(address, microLamportsPerUnit);
      }
    }
  }
}

/** Notes in the journal that slots up to `slot` may have been used, and the time by then. */
export function writeSlot(journal: Journal, slot: number, bank: Bank): void {
  journal.setMeta('slot', Buffer.from(String(slot)));
  journal.setMeta('unix_timestamp', Buffer.from(String(bank.clock.unixTimestamp(bank.clock.slot))));
}
