/**
 * The gateway's store: signed readings until the collector has them (and 30 days longer), the meters'
 * books, and samples for looking back. SQLite, WAL, synchronous=FULL: what a call has returned from is on
 * the disk.
 *
 * The one rule that everything hangs on: a reading, its sequence and the books after it are written in one
 * transaction. Whatever happens, a sequence is used once and energy is signed once.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorCode, GtxError, type Nkwh, type Reading } from '@gridtokenx/protocol';
import type Sqlite from 'better-sqlite3';
import { Database } from './sqlite.js';

export type ReadingState = 'pending' | 'sent' | 'stored' | 'held' | 'refused';

/** A reading as it is kept. */
export interface OutboxReading {
  meterId: string;
  sequence: number;
  intervalEnd: number;
  bytes: Uint8Array;
  signature: Uint8Array;
  publicKey: Uint8Array;
  /** Rise of the surplus since the previous reading. */
  amount: Nkwh;
  state: ReadingState;
  /** Last refusal's code. */
  code: string | null;
  createdMs: number;
  /** Absent until it was published for the first time. */
  sentMs: number | undefined;
  /** Absent until the collector has stored or refused it. */
  decidedMs: number | undefined;
}

/** A reading that the collector has not decided upon. */
export type WaitingReading = Pick<
  OutboxReading,
  'sequence' | 'intervalEnd' | 'bytes' | 'signature' | 'publicKey' | 'amount' | 'createdMs' | 'sentMs'
>;

export interface NewReading {
  meterId: string;
  reading: Reading;
  bytes: Uint8Array;
  signature: Uint8Array;
  publicKey: Uint8Array;
  amount: Nkwh;
  /** The meter's books after this reading, from `serialiseAccount`. */
  account: string;
  nowMs: number;
}

/** A verified acknowledgement. */
export interface Decision {
  through: number;
  stored: readonly number[];
  held: readonly number[];
  refused: readonly { sequence: number; code: string; retry: 'never' | 'later' }[];
}

export interface SampleRow {
  meterId: string;
  atMs: number;
  producedRegister: Nkwh | undefined;
  consumedRegister: Nkwh | undefined;
  powerWatts: number | undefined;
}

export interface OutboxCounts {
  pending: number;
  sent: number;
  stored: number;
  held: number;
  refused: number;
}

/** Sequences that the collector may ask for and that are not here, nor ever will be. */
interface Absent {
  /** The last of them. */
  through: number;
  /** Unix seconds: what follows them was sent again then, or was new. */
  time: number;
}

/** A reading that the collector has refused, or cannot take yet. */
export interface TroubledReading {
  sequence: number;
  intervalEnd: number;
  code: string;
  /** Refused for good; otherwise it is sent again at `retryMs`. */
  final: boolean;
  retryMs: number | undefined;
}

const SCHEMA_VERSION = 1;
const SCHEMA = `
CREATE TABLE meters (
  meter_id TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  account TEXT NOT NULL,
  updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE readings (
  meter_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  interval_end INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  signature BLOB NOT NULL,
  public_key BLOB NOT NULL,
  amount TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'stored', 'held', 'refused')),
  code TEXT,
  later INTEGER NOT NULL DEFAULT 0,
  retry_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  sent_ms INTEGER NOT NULL,
  decided_ms INTEGER NOT NULL,
  PRIMARY KEY (meter_id, sequence)
) WITHOUT ROWID;
CREATE INDEX readings_open ON readings (meter_id, sequence) WHERE state IN ('pending', 'sent');
CREATE TABLE samples (
  at_ms INTEGER NOT NULL,
  meter_id TEXT NOT NULL,
  produced_register TEXT,
  consumed_register TEXT,
  power_watts REAL,
  PRIMARY KEY (at_ms, meter_id)
) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

const PAGE_BYTES = 4096;
/** Acknowledged readings are given up by a twentieth of the quota (some ten fit on a page): finding the oldest takes a scan. */
const DROPPED_SHARE = 20;
const READINGS_PER_PAGE = 10;
const LEAST_DROPPED = 64;
/** Some minutes of a few meters. */
const SAMPLES_PER_WRITE = 60;
/**
 * This part of the quota is not for new readings, so that what is there can still be sent and decided upon.
 * Little is enough: a time that is not known yet is kept as the negative time of creation, so that a row
 * does not grow when it becomes known.
 */
const RESERVED_SHARE = 16;
/** Refused readings tell what went wrong; they are few, and kept longer than delivered ones. */
const KEEP_REFUSED_MS = 366 * 86_400_000;
/** Whoever asks again and again for readings that are not here gets what follows them once in this time. */
const RESEND_ABSENT_SECONDS = 86_400;
/** Why a row is refused that no reading can be made of. */
const DAMAGED: ErrorCode = 'MESSAGE_INVALID';
/** Waits of a reading that the collector cannot take yet. */
const LATER_MS = [30_000, 60_000, 300_000, 900_000, 3_600_000];
/** What seems to wait for longer was put off while the clock was ahead, and is due. */
const LONGEST_LATER_MS = 3_600_000;

type Row = {
  meter_id: string;
  sequence: number;
  interval_end: number;
  bytes: Buffer;
  signature: Buffer;
  public_key: Buffer;
  amount: string;
  state: ReadingState;
  code: string | null;
  created_ms: number;
  sent_ms: number;
  decided_ms: number;
};

export interface OutboxOptions {
  /** Most bytes of the store's file. */
  maxBytes: number;
  keepMs: number;
  recordKeepMs: number;
}

/**
 * The store. Methods that write throw GtxError OUTBOX_FULL when disk or quota are full; nothing has been
 * written then.
 */
export class Outbox {
  private readonly statements;
  private lastPruneMs = 0;
  private readonly unwritten: SampleRow[] = [];
  /** Decided readings by state; the open ones are few and are counted in the store. */
  private readonly decided = new Map<string, Pick<OutboxCounts, 'stored' | 'held' | 'refused'>>();

  private constructor(
    private readonly lock: Sqlite.Database,
    private readonly db: Sqlite.Database,
    private readonly options: OutboxOptions,
  ) {
    this.statements = prepare(db);
  }

  /**
   * Opens or creates the store in a folder.
   * @throws GtxError DATA_DIR_IN_USE when another agent works with it, OUTBOX_FULL when it cannot be written
   */
  static open(folder: string, options: OutboxOptions): Outbox {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = lockFolder(folder);
    let db: Sqlite.Database | undefined;
    try {
      db = new Database(join(folder, 'agent.sqlite'), { timeout: 5_000 });
      db.pragma(`page_size = ${PAGE_BYTES}`);
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      db.pragma('wal_autocheckpoint = 256');
      db.pragma(`journal_size_limit = ${1024 * 1024}`);
      db.pragma('cache_size = -512');
      const version = db.pragma('user_version', { simple: true });
      if (version === 0) {
        db.transaction(() => {
          db?.exec(SCHEMA);
          db?.pragma(`user_version = ${SCHEMA_VERSION}`);
        })();
      } else if (version !== SCHEMA_VERSION) {
        throw new GtxError('CONFIG_INVALID', `the store in ${folder} is of a newer version (${version})`);
      }
      // A quota below what is there already only stops growth.
      db.pragma(`max_page_count = ${Math.floor(options.maxBytes / PAGE_BYTES)}`);
      return new Outbox(lock, db, options);
    } catch (error) {
      db?.close();
      lock.close();
      throw asOutboxError(error);
    }
  }

  /** Writes what waits and lets the folder go. */
  close(): void {
    try {
      this.flush();
    } catch (error) {
      // No room for samples: nothing depends on them.
      if (!(error instanceof GtxError) || error.code !== 'OUTBOX_FULL') throw error;
    }
    this.db.close();
    this.lock.close();
  }

  /** The meter's books as `serialiseAccount` wrote them, or undefined for a new meter. */
  loadAccount(meterId: string): string | undefined {
    return this.statements.loadAccount.get(meterId)?.account;
  }

  /** Writes the books without a reading (a new base, a reset, an orderly end). */
  saveAccount(meterId: string, account: string, sequence: bigint, nowMs: number): void {
    this.write(() => this.statements.saveAccount.run(meterId, Number(sequence), account, nowMs));
  }

  /**
   * Writes a backup's books and its readings that wait for the collector, for a meter that has no books here: all or
   * nothing. Whatever else has a sequence up to this one may have been sent, and is not here.
   * @throws GtxError CONFLICT when the meter has books
   */
  restoreMeter(
    meterId: string,
    account: string,
    sequence: bigint,
    waiting: readonly WaitingReading[],
    nowMs: number,
  ): void {
    this.write(() => {
      if (this.statements.loadAccount.get(meterId) !== undefined) {
        throw new GtxError('CONFLICT', `meter ${meterId} has books in the store`);
      }
      for (const one of waiting) {
        this.statements.restoreReading.run(
          meterId,
          one.sequence,
          one.intervalEnd,
          one.bytes,
          one.signature,
          one.publicKey,
          one.amount.toString(),
          one.sentMs === undefined ? 'pending' : 'sent',
          -one.createdMs,
          one.createdMs,
          one.sentMs ?? -one.createdMs,
          -one.createdMs,
        );
      }
      this.statements.saveAccount.run(meterId, Number(sequence), account, nowMs);
      this.noteAbsent(meterId, { through: Number(sequence), time: Math.floor(nowMs / 1000) });
    });
  }

  private absent(meterId: string): Absent | undefined {
    const text = this.setting(`absent/${meterId}`);
    return text === undefined ? undefined : (JSON.parse(text) as Absent);
  }

  private noteAbsent(meterId: string, absent: Absent): void {
    this.statements.saveSetting.run(`absent/${meterId}`, JSON.stringify(absent));
  }

  /** Stores a signed reading and advances the meter's books: both or neither. */
  commitReading(item: NewReading): void {
    const { reading } = item;
    this.write(() => {
      const known = this.statements.loadAccount.get(item.meterId);
      const last = known?.sequence ?? 0;
      if (Number(reading.sequence) !== last + 1) {
        throw new GtxError(
          'INTERNAL',
          `meter ${item.meterId}: sequence ${reading.sequence} does not follow ${last}`,
        );
      }
      this.needRoom();
      this.statements.insertReading.run(
        item.meterId,
        Number(reading.sequence),
        reading.intervalEnd,
        item.bytes,
        item.signature,
        item.publicKey,
        item.amount.toString(),
        -item.nowMs,
        item.nowMs,
        -item.nowMs,
        -item.nowMs,
      );
      this.statements.saveAccount.run(item.meterId, Number(reading.sequence), item.account, item.nowMs);
    });
  }

  /** The oldest readings that the collector has not decided upon and that may be sent now, in order. */
  open(meterId: string, nowMs: number, limit: number): OutboxReading[] {
    return this.statements.open.all(meterId, nowMs + 1, nowMs + LONGEST_LATER_MS, limit).map(fromRow);
  }

  /** When the next reading that waits for later may be sent again; undefined when none waits. */
  nextRetryMs(meterId: string, nowMs: number): number | undefined {
    const row = this.statements.nextRetry.get(meterId, nowMs + 1, nowMs + LONGEST_LATER_MS);
    return row?.retry_ms ?? undefined;
  }

  /**
   * Notes that readings are about to be published, so that their acknowledgements will be believed.
   * @returns how many were not noted yet
   */
  markSent(meterId: string, sequences: readonly number[], nowMs: number): number {
    return this.write(() => {
      let noted = 0;
      for (const sequence of sequences) {
        noted += this.statements.markSent.run(nowMs, meterId, sequence).changes;
      }
      return noted;
    });
  }

  /** Highest sequence ever published, or that may have been before the meter was restored; 0 when none was. */
  highestSent(meterId: string): number {
    const sent = this.statements.highestSent.get(meterId)?.sequence ?? 0;
    return Math.max(sent, this.absent(meterId)?.through ?? 0);
  }

  /** One reading, or undefined. */
  reading(meterId: string, sequence: number): OutboxReading | undefined {
    const row = this.statements.one.get(meterId, sequence);
    return row && fromRow(row);
  }

  /** Readings of a meter by sequence, for tools and tests. */
  readings(meterId: string, fromSequence = 1, limit = 1_000): OutboxReading[] {
    return this.statements.range.all(meterId, fromSequence, limit).map(fromRow);
  }

  /** Applies a verified acknowledgement. @returns how many readings were decided for the first time */
  decide(
    meterId: string,
    decision: Decision,
    nowMs: number,
  ): { stored: number; refused: number; later: number } {
    const result = { stored: 0, refused: 0, later: 0 };
    const changed = { stored: 0, held: 0, refused: 0 };
    const decided = this.decidedOf(meterId);
    this.write(() => {
      const s = this.statements;
      Object.assign(result, { later: 0 });
      Object.assign(changed, { stored: 0, held: 0, refused: 0 });
      for (const { sequence, code, retry } of decision.refused) {
        if (retry === 'never') changed.refused += s.refuse.run(code, nowMs, meterId, sequence).changes;
        else {
          const row = s.laterCount.get(meterId, sequence);
          if (!row) continue;
          const wait = LATER_MS[Math.min(row.later, LATER_MS.length - 1)] as number;
          result.later += s.postpone.run(code, nowMs + wait, meterId, sequence).changes;
        }
      }
      for (const sequence of decision.held)
        changed.held += s.settle.run('held', nowMs, meterId, sequence).changes;
      for (const sequence of decision.stored) {
        changed.stored += s.settle.run('stored', nowMs, meterId, sequence).changes;
      }
      changed.stored += s.settleThrough.run(nowMs, meterId, decision.through).changes;
    });
    decided.stored += changed.stored;
    decided.held += changed.held;
    decided.refused += changed.refused;
    return { ...result, stored: changed.stored + changed.held, refused: changed.refused };
  }

  /**
   * Puts readings from a sequence on back into the queue, because the collector lacks that one. Where it is not here (a
   * restored meter's number that was skipped, one that was removed long ago, or is damaged), sending what follows does not
   * help it: it asks for the same one again, for days. So what follows such a one is sent once a day only; that heals a collector
   * which has lost everything from there on.
   * @param timeSeconds when the collector asked, Unix seconds
   * @returns how many
   */
  resendFrom(meterId: string, sequence: number, timeSeconds: number): number {
    const row = this.statements.one.get(meterId, sequence);
    const here = row !== undefined && (row.state !== 'refused' || row.code !== DAMAGED);
    const absent = this.absent(meterId);
    const known = !here && absent !== undefined && sequence <= absent.through;
    if (known && Math.abs(timeSeconds - absent.time) < RESEND_ABSENT_SECONDS) return 0;
    const changes = this.write(() => {
      const { changes } = this.statements.resend.run(meterId, sequence);
      this.statements.saveSetting.run(`resend-time/${meterId}`, String(timeSeconds));
      const next = here ? undefined : this.statements.range.get(meterId, sequence + 1, 1);
      if (next) {
        // Further on there may be more of them: what a restored meter has skipped.
        const through = Math.max(next.sequence - 1, absent?.through ?? 0);
        this.noteAbsent(meterId, { through, time: timeSeconds });
      }
      return changes;
    });
    this.decided.delete(meterId);
    return changes;
  }

  /** When the collector last asked for readings that it has lost, Unix seconds; 0 when it never did. */
  resendTime(meterId: string): number {
    return Number(this.setting(`resend-time/${meterId}`) ?? 0);
  }

  /** Refuses a row for good that no reading can be made of: it is kept, and holds up nothing. */
  refuseDamaged(meterId: string, sequence: number, nowMs: number): void {
    const refused = [{ sequence, code: DAMAGED, retry: 'never' as const }];
    this.decide(meterId, { through: 0, stored: [], held: [], refused }, nowMs);
  }

  /** Lets a reading that waits for later be sent now. */
  retryNow(meterId: string, sequence: number): void {
    this.write(() => this.statements.retryNow.run(meterId, sequence));
  }

  /** Readings that the collector has not decided upon. */
  depth(meterId: string): number {
    const { pending, sent } = this.counts(meterId);
    return pending + sent;
  }

  /** Readings by state. */
  counts(meterId: string): OutboxCounts {
    const counts: OutboxCounts = { pending: 0, sent: 0, ...this.decidedOf(meterId) };
    for (const row of this.statements.openCounts.all(meterId)) counts[row.state] = row.count;
    return counts;
  }

  private decidedOf(meterId: string): Pick<OutboxCounts, 'stored' | 'held' | 'refused'> {
    let counts = this.decided.get(meterId);
    if (!counts) {
      counts = { stored: 0, held: 0, refused: 0 };
      for (const row of this.statements.decidedCounts.all(meterId)) counts[row.state] = row.count;
      this.decided.set(meterId, counts);
    }
    return counts;
  }

  /**
   * Takes samples, to be written some at a time: a flash card wears by the write, and a lost sample costs
   * nothing, since the meter's own registers are the record. They are the first to go when room is short.
   */
  record(rows: readonly SampleRow[]): void {
    this.unwritten.push(...rows);
    if (this.unwritten.length >= SAMPLES_PER_WRITE) this.flush();
  }

  /** Writes the samples that wait. Those that there is no room for are dropped. */
  flush(): void {
    const rows = this.unwritten.splice(0);
    if (rows.length === 0) return;
    this.write(() => {
      this.needRoom();
      for (const row of rows) {
        this.statements.insertSample.run(
          Math.round(row.atMs),
          row.meterId,
          row.producedRegister?.toString() ?? null,
          row.consumedRegister?.toString() ?? null,
          row.powerWatts ?? null,
        );
      }
    });
  }

  sampleCount(): number {
    return this.statements.sampleCount.get()?.count ?? 0;
  }

  /** A value that outlives the process. */
  setting(name: string): string | undefined {
    return this.statements.setting.get(name)?.value;
  }

  saveSetting(name: string, value: string): void {
    this.write(() => this.statements.saveSetting.run(name, value));
  }

  /**
   * Removes what is old enough: samples, delivered readings, refused readings. At most once an hour. Call it
   * only while the clock is trusted: a clock that runs ahead would delete everything.
   * @returns whether it was time for it
   */
  prune(nowMs: number): boolean {
    if (Math.abs(nowMs - this.lastPruneMs) < 3_600_000) return false;
    this.lastPruneMs = nowMs;
    this.write(() => this.pruneNow(nowMs));
    this.decided.clear();
    return true;
  }

  /** Bytes that the store's file has and may have. */
  size(): { bytes: number; maxBytes: number } {
    const pages = this.statements.pageCount.get() as number;
    const free = this.statements.freePages.get() as number;
    return { bytes: (pages - free) * PAGE_BYTES, maxBytes: this.options.maxBytes };
  }

  private pruneNow(nowMs: number): void {
    this.statements.pruneSamples.run(nowMs - this.options.recordKeepMs);
    this.statements.pruneDelivered.run(nowMs - this.options.keepMs);
    this.statements.pruneRefused.run(nowMs - Math.max(KEEP_REFUSED_MS, this.options.keepMs));
  }

  private get quotaUsed(): boolean {
    const { bytes, maxBytes } = this.size();
    return bytes + PAGE_BYTES > maxBytes - maxBytes / RESERVED_SHARE;
  }

  /** @throws SqliteError SQLITE_FULL when only the reserve is left */
  private needRoom(): void {
    if (!this.quotaUsed) return;
    throw new Database.SqliteError(`the quota of ${this.options.maxBytes} bytes is used up`, 'SQLITE_FULL');
  }

  /**
   * Readings of a meter that the collector has not simply taken, newest first: refused for good, or waiting because it
   * cannot take them yet.
   */
  troubled(meterId: string, limit: number): TroubledReading[] {
    return this.statements.troubled.all(meterId, limit).map((row) => ({
      sequence: row.sequence,
      intervalEnd: row.interval_end,
      code: row.code,
      final: row.state === 'refused',
      retryMs: row.state === 'refused' ? undefined : row.retry_ms,
    }));
  }

  /** Acknowledged readings that were given up before their time, for want of room. */
  dropped = 0;

  /** Runs a transaction; as long as there is no room, gives up samples, then acknowledged readings, and tries again. */
  private write<T>(work: () => T): T {
    const transaction = this.db.transaction(work).immediate;
    for (;;) {
      try {
        return transaction();
      } catch (error) {
        if (!isFull(error) || !this.makeRoom()) throw asOutboxError(error);
      }
    }
  }

  /**
   * Samples are worth the least: the older half of them goes. Then, where it is the quota that is used up (on a full disk
   * it would gain nothing), the readings that the collector has had for the longest time. What it has not
   * acknowledged, and what it has refused, stays. @returns whether there is anything to gain
   */
  private makeRoom(): boolean {
    try {
      const { dropOldSamples, dropOldDelivered } = this.statements;
      if (this.db.transaction(() => dropOldSamples.run().changes > 0).immediate()) return true;
      if (!this.quotaUsed) return false;
      const share = (this.options.maxBytes / PAGE_BYTES / DROPPED_SHARE) * READINGS_PER_PAGE;
      const most = Math.max(LEAST_DROPPED, Math.floor(share));
      const dropped = this.db.transaction(() => dropOldDelivered.run(most).changes).immediate();
      this.dropped += dropped;
      if (dropped > 0) this.decided.clear();
      return dropped > 0;
    } catch (error) {
      // A disk so full that not even this can be written: the caller reports OUTBOX_FULL.
      if (isFull(error)) return false;
      throw error;
    }
  }
}

function fromRow(row: Row): OutboxReading {
  return {
    meterId: row.meter_id,
    sequence: row.sequence,
    intervalEnd: row.interval_end,
    bytes: row.bytes,
    signature: row.signature,
    publicKey: row.public_key,
    // A damaged one concerns nobody but who asks for it.
    get amount() {
      return BigInt(row.amount);
    },
    state: row.state,
    code: row.code,
    createdMs: row.created_ms,
    sentMs: row.sent_ms > 0 ? row.sent_ms : undefined,
    decidedMs: row.decided_ms > 0 ? row.decided_ms : undefined,
  };
}

/**
 * Holds the folder for this process with a lock of the operating system (through SQLite's exclusive
 * transaction), which ends with the process, however it ends.
 */
function lockFolder(folder: string): Sqlite.Database {
  let lock: Sqlite.Database | undefined;
  try {
    lock = new Database(join(folder, 'agent.lock'), { timeout: 0 });
    lock.pragma('journal_mode = DELETE');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (String((error as { code?: string }).code).startsWith('SQLITE_BUSY')) {
      throw new GtxError('DATA_DIR_IN_USE', `another agent works with ${folder}`);
    }
    throw asOutboxError(error);
  }
}

/** True for errors that say that a disk or quota is full or does not take writes. */
function isFull(error: unknown): boolean {
  const code = String((error as { code?: unknown } | undefined)?.code ?? '');
  return code === 'SQLITE_FULL' || code.startsWith('SQLITE_IOERR') || code === 'SQLITE_CANTOPEN';
}

/** True for errors that say that the store is held by another program, or must not be written. */
function isHeld(error: unknown): boolean {
  const code = String((error as { code?: unknown } | undefined)?.code ?? '');
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_READONLY');
}

function asOutboxError(error: unknown): unknown {
  if (!isFull(error) && !isHeld(error)) return error;
  return new GtxError('OUTBOX_FULL', `the store cannot be written: ${(error as Error).message}`, undefined, {
    cause: error,
  });
}

/** The newest reading sent of a meter stays: what is acknowledged beyond it would be taken for forged. */
const NOT_LAST_SENT = `sequence < (
  SELECT max(sequence) FROM readings AS sent WHERE sent.meter_id = readings.meter_id AND sent.sent_ms > 0)`;

function prepare(db: Sqlite.Database) {
  const columns =
    'meter_id, sequence, interval_end, bytes, signature, public_key, amount, state, code, created_ms, sent_ms, decided_ms';
  return {
    pageCount: db.prepare('PRAGMA page_count').pluck(),
    freePages: db.prepare('PRAGMA freelist_count').pluck(),
    loadAccount: db.prepare<[string], { account: string; sequence: number }>(
      'SELECT account, sequence FROM meters WHERE meter_id = ?',
    ),
    saveAccount: db.prepare<[string, number, string, number]>(
      `INSERT INTO meters (meter_id, sequence, account, updated_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (meter_id) DO UPDATE SET sequence = excluded.sequence, account = excluded.account,
         updated_ms = excluded.updated_ms`,
    ),
    insertReading: db.prepare<
      [string, number, number, Uint8Array, Uint8Array, Uint8Array, string, number, number, number, number]
    >(
      `INSERT INTO readings (meter_id, sequence, interval_end, bytes, signature, public_key, amount, state,
         retry_ms, created_ms, sent_ms, decided_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)`,
    ),
    restoreReading: db.prepare<
      [
        string,
        number,
        number,
        Uint8Array,
        Uint8Array,
        Uint8Array,
        string,
        string,
        number,
        number,
        number,
        number,
      ]
    >(
      `INSERT INTO readings (meter_id, sequence, interval_end, bytes, signature, public_key, amount, state,
         retry_ms, created_ms, sent_ms, decided_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    open: db.prepare<[string, number, number, number], Row>(
      `SELECT ${columns} FROM readings
       WHERE meter_id = ? AND state IN ('pending', 'sent') AND retry_ms NOT BETWEEN ? AND ? ORDER BY sequence LIMIT ?`,
    ),
    nextRetry: db.prepare<[string, number, number], { retry_ms: number | null }>(
      `SELECT min(retry_ms) AS retry_ms FROM readings
       WHERE meter_id = ? AND state IN ('pending', 'sent') AND retry_ms BETWEEN ? AND ?`,
    ),
    markSent: db.prepare<[number, string, number]>(
      `UPDATE readings SET state = 'sent', sent_ms = ? WHERE meter_id = ? AND sequence = ? AND state = 'pending'`,
    ),
    highestSent: db.prepare<[string], { sequence: number }>(
      'SELECT sequence FROM readings WHERE meter_id = ? AND sent_ms > 0 ORDER BY sequence DESC LIMIT 1',
    ),
    troubled: db.prepare<
      [string, number],
      { sequence: number; interval_end: number; code: string; state: ReadingState; retry_ms: number }
    >(
      `SELECT sequence, interval_end, code, state, retry_ms FROM readings
       WHERE meter_id = ? AND code IS NOT NULL ORDER BY sequence DESC LIMIT ?`,
    ),
    one: db.prepare<[string, number], Row>(
      `SELECT ${columns} FROM readings WHERE meter_id = ? AND sequence = ?`,
    ),
    range: db.prepare<[string, number, number], Row>(
      `SELECT ${columns} FROM readings WHERE meter_id = ? AND sequence >= ? ORDER BY sequence LIMIT ?`,
    ),
    refuse: db.prepare<[string, number, string, number]>(
      `UPDATE readings SET state = 'refused', code = ?, decided_ms = ?
       WHERE meter_id = ? AND sequence = ? AND state IN ('pending', 'sent')`,
    ),
    laterCount: db.prepare<[string, number], { later: number }>(
      `SELECT later FROM readings WHERE meter_id = ? AND sequence = ? AND state IN ('pending', 'sent')`,
    ),
    postpone: db.prepare<[string, number, string, number]>(
      `UPDATE readings SET code = ?, retry_ms = ?, later = later + 1
       WHERE meter_id = ? AND sequence = ? AND state IN ('pending', 'sent')`,
    ),
    settle: db.prepare<[string, number, string, number]>(
      `UPDATE readings SET state = ?, code = NULL, decided_ms = ?
       WHERE meter_id = ? AND sequence = ? AND state IN ('pending', 'sent')`,
    ),
    settleThrough: db.prepare<[number, string, number]>(
      `UPDATE readings SET state = 'stored', code = NULL, decided_ms = ?
       WHERE meter_id = ? AND sequence <= ? AND state IN ('pending', 'sent')`,
    ),
    resend: db.prepare<[string, number]>(
      `UPDATE readings SET state = 'pending', code = NULL, later = 0, retry_ms = -abs(retry_ms), decided_ms = -abs(decided_ms)
       WHERE meter_id = ? AND sequence >= ? AND state IN ('stored', 'held', 'refused')`,
    ),
    retryNow: db.prepare<[string, number]>(
      `UPDATE readings SET retry_ms = -abs(retry_ms) WHERE meter_id = ? AND sequence = ? AND state IN ('pending', 'sent')`,
    ),
    openCounts: db.prepare<[string], { state: 'pending' | 'sent'; count: number }>(
      `SELECT state, count(*) AS count FROM readings INDEXED BY readings_open
       WHERE meter_id = ? AND state IN ('pending', 'sent') GROUP BY state`,
    ),
    decidedCounts: db.prepare<[string], { state: 'stored' | 'held' | 'refused'; count: number }>(
      `SELECT state, count(*) AS count FROM readings
       WHERE meter_id = ? AND state IN ('stored', 'held', 'refused') GROUP BY state`,
    ),
    insertSample: db.prepare<[number, string, string | null, string | null, number | null]>(
      'INSERT OR REPLACE INTO samples (at_ms, meter_id, produced_register, consumed_register, power_watts) VALUES (?, ?, ?, ?, ?)',
    ),
    sampleCount: db.prepare<[], { count: number }>('SELECT count(*) AS count FROM samples'),
    setting: db.prepare<[string], { value: string }>('SELECT value FROM settings WHERE name = ?'),
    saveSetting: db.prepare<[string, string]>(
      'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    ),
    pruneSamples: db.prepare<[number]>('DELETE FROM samples WHERE at_ms < ?'),
    pruneDelivered: db.prepare<[number]>(
      `DELETE FROM readings WHERE state IN ('stored', 'held') AND decided_ms < ?
         AND ${NOT_LAST_SENT}`,
    ),
    dropOldDelivered: db.prepare<[number]>(
      `DELETE FROM readings WHERE (meter_id, sequence) IN (
         SELECT meter_id, sequence FROM readings WHERE state = 'stored' AND ${NOT_LAST_SENT}
         ORDER BY interval_end, meter_id, sequence LIMIT ?)`,
    ),
    pruneRefused: db.prepare<[number]>(`DELETE FROM readings WHERE state = 'refused' AND decided_ms < ?`),
    dropOldSamples: db.prepare<[]>(
      `DELETE FROM samples WHERE at_ms <= (
         SELECT at_ms FROM samples ORDER BY at_ms LIMIT 1 OFFSET (SELECT count(*) / 2 FROM samples))`,
    ),
  };
}
