// The journal: everything that must survive, in one SQLite file. A transaction counts as processed only after
// the COMMIT that wrote it has returned, and with synchronous=FULL that means after fsync.
import type Sqlite from 'better-sqlite3';
import type { Segment } from './slot-clock.js';
import { Database } from './sqlite.js';

/** An account as it is stored and passed around inside localnet. */
export interface StoredAccount {
  lamports: bigint;
  /** Base58. */
  owner: string;
  executable: boolean;
  data: Uint8Array;
}

export interface TransactionRow {
  signature: string;
  slot: number;
  /** Unix seconds of the slot. */
  blockTime: number;
  wire: Uint8Array;
  /** serde JSON of the TransactionError, or null on success. */
  err: string | null;
  /** JSON of {@link StoredMeta}. */
  meta: string;
  memo: string | null;
  /** Position among the slot's transactions. */
  indexInSlot: number;
}

export interface SignatureInfo {
  signature: string;
  slot: number;
  blockTime: number;
  err: string | null;
  memo: string | null;
  indexInSlot: number;
}

const SCHEMA_VERSION = 1;

const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (slot INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, floor_unix INTEGER NOT NULL);
CREATE TABLE accounts (
  address TEXT PRIMARY KEY,
  lamports INTEGER NOT NULL,
  owner TEXT NOT NULL,
  executable INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE INDEX accounts_owner ON accounts (owner);
CREATE TABLE transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  signature TEXT NOT NULL UNIQUE,
  slot INTEGER NOT NULL,
  index_in_slot INTEGER NOT NULL,
  block_time INTEGER NOT NULL,
  wire BLOB NOT NULL,
  err TEXT,
  meta TEXT NOT NULL,
  memo TEXT
);
CREATE TABLE transaction_addresses (
  address TEXT NOT NULL,
  transaction_id INTEGER NOT NULL,
  PRIMARY KEY (address, transaction_id)
) WITHOUT ROWID;
`;

interface TransactionRecord {
  signature: string;
  slot: number;
  index_in_slot: number;
  block_time: number;
  wire: Uint8Array;
  err: string | null;
  meta: string;
  memo: string | null;
}

interface AccountRecord {
  address: string;
  lamports: bigint;
  owner: string;
  executable: bigint;
  data: Buffer;
}

function toAccount(row: AccountRecord): StoredAccount {
  return { lamports: row.lamports, owner: row.owner, executable: row.executable === 1n, data: row.data };
}

/** The data directory is in use by another process. */
export class JournalLockedError extends Error {}

/**
 * One SQLite database per data directory: WAL, synchronous=FULL, and locked for this process alone
 * (locking_mode=EXCLUSIVE; the kernel drops the lock when the process ends, however it ends).
 */
export class Journal {
  readonly #db: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement>();

  /**
   * Opens or creates the file.
   * @throws {JournalLockedError} when another process has it open
   */
  constructor(file: string) {
    const db = new Database(file, { timeout: 0 });
    try {
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      // macOS: fsync alone leaves data in the drive's cache. Without effect elsewhere.
      db.pragma('fullfsync = ON');
      db.pragma('checkpoint_fullfsync = ON');
      db.pragma('wal_autocheckpoint = 2000');
      // An empty write takes the exclusive lock now instead of at the first transaction.
      db.exec('BEGIN IMMEDIATE; COMMIT');
    } catch (error) {
      db.close();
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
        throw new JournalLockedError(`${file} is in use by another process`);
      }
      throw error;
    }
    this.#db = db;
    const version = db.pragma('user_version', { simple: true }) as number;
    if (version === 0) {
      this.transaction(() => {
        db.exec(SCHEMA);
        db.pragma(`user_version = ${SCHEMA_VERSION}`);
      });
    } else if (version !== SCHEMA_VERSION) {
      db.close();
      throw new Error(`${file} has schema version ${version}; this program reads version ${SCHEMA_VERSION}`);
    }
  }

  /** Runs `work` in one database transaction: durable when this returns, without effect when it throws. */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has itself rolled back after some errors (disk full, I/O).
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  getMeta(key: string): Buffer | undefined {
    const row = this.#prepare('SELECT value FROM meta WHERE key = ?').get(key) as
      | { value: Buffer }
      | undefined;
    return row?.value;
  }

  setMeta(key: string, value: Uint8Array): void {
    this.#prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, value);
  }

  segments(): Segment[] {
    return this.#prepare(
      'SELECT slot, time_ms AS timeMs, floor_unix AS floorUnix FROM segments ORDER BY slot',
    ).all() as Segment[];
  }

  addSegment(segment: Segment): void {
    this.#prepare('INSERT OR REPLACE INTO segments (slot, time_ms, floor_unix) VALUES (?, ?, ?)').run(
      segment.slot,
      segment.timeMs,
      segment.floorUnix,
    );
  }

  putAccount(address: string, account: StoredAccount): void {
    this.#prepare(
      'INSERT OR REPLACE INTO accounts (address, lamports, owner, executable, data) VALUES (?, ?, ?, ?, ?)',
    ).run(address, account.lamports, account.owner, account.executable ? 1 : 0, account.data);
  }

  deleteAccount(address: string): void {
    this.#prepare('DELETE FROM accounts WHERE address = ?').run(address);
  }

  /** All stored accounts; those that are programs come last, after the data that they need. */
  *accounts(): IterableIterator<[string, StoredAccount]> {
    const rows = this.#prepare('SELECT * FROM accounts ORDER BY executable').iterate();
    for (const row of rows as IterableIterator<AccountRecord>) yield [row.address, toAccount(row)];
  }

  accountsOwnedBy(owner: string, dataSize?: number): [string, StoredAccount][] {
    const rows =
      dataSize === undefined
        ? this.#prepare('SELECT * FROM accounts WHERE owner = ?').all(owner)
        : this.#prepare('SELECT * FROM accounts WHERE owner = ? AND length(data) = ?').all(owner, dataSize);
    return (rows as AccountRecord[]).map((row) => [row.address, toAccount(row)]);
  }

  addTransaction(row: TransactionRow, addresses: Iterable<string>): void {
    const { lastInsertRowid } = this.#prepare(
      `INSERT INTO transactions (signature, slot, index_in_slot, block_time, wire, err, meta, memo)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(row.signature, row.slot, row.indexInSlot, row.blockTime, row.wire, row.err, row.meta, row.memo);
    const insert = this.#prepare('INSERT INTO transaction_addresses (address, transaction_id) VALUES (?, ?)');
    for (const address of addresses) insert.run(address, lastInsertRowid);
  }

  hasTransaction(signature: string): boolean {
    return this.#prepare('SELECT 1 FROM transactions WHERE signature = ?').get(signature) !== undefined;
  }

  transactionStatus(signature: string): { slot: number; err: string | null } | undefined {
    return this.#prepare('SELECT slot, err FROM transactions WHERE signature = ?').get(signature) as
      | { slot: number; err: string | null }
      | undefined;
  }

  getTransaction(signature: string): TransactionRow | undefined {
    const row = this.#prepare('SELECT * FROM transactions WHERE signature = ?').get(signature) as
      | TransactionRecord
      | undefined;
    return (
      row && {
        signature: row.signature,
        slot: row.slot,
        blockTime: row.block_time,
        wire: row.wire,
        err: row.err,
        meta: row.meta,
        memo: row.memo,
        indexInSlot: row.index_in_slot,
      }
    );
  }

  transactionCount(): number {
    return (this.#prepare('SELECT COALESCE(MAX(id), 0) AS n FROM transactions').get() as { n: number }).n;
  }

  /** How many transactions a slot already holds. */
  countInSlot(slot: number): number {
    return (
      this.#prepare(
        `SELECT COALESCE(MAX(index_in_slot) + 1, 0) AS n FROM
           (SELECT slot, index_in_slot FROM transactions ORDER BY id DESC LIMIT 1) WHERE slot = ?`,
      ).get(slot) as { n: number }
    ).n;
  }

  #idOf(signature: string): number | undefined {
    const row = this.#prepare('SELECT id FROM transactions WHERE signature = ?').get(signature) as
      | { id: number }
      | undefined;
    return row?.id;
  }

  /**
   * Transactions that mention an address, newest first, at or below `highestSlot`.
   * `before` and `until` are signatures; `missing` names the one that is not on this chain.
   */
  signaturesFor(
    address: string,
    options: { highestSlot: number; before?: string | undefined; until?: string | undefined; limit: number },
  ): { infos: SignatureInfo[]; missing?: string } {
    let beforeId = Number.MAX_SAFE_INTEGER;
    let untilId = 0;
    if (options.before !== undefined) {
      const id = this.#idOf(options.before);
      if (id === undefined) return { infos: [], missing: options.before };
      beforeId = id;
    }
    if (options.until !== undefined) {
      const id = this.#idOf(options.until);
      if (id === undefined) return { infos: [], missing: options.until };
      untilId = id;
    }
    const infos = this.#prepare(
      `SELECT t.signature, t.slot, t.block_time AS blockTime, t.err, t.memo, t.index_in_slot AS indexInSlot
       FROM transaction_addresses a JOIN transactions t ON t.id = a.transaction_id
       WHERE a.address = ? AND a.transaction_id < ? AND a.transaction_id > ? AND t.slot <= ?
       ORDER BY a.transaction_id DESC LIMIT ?`,
    ).all(address, beforeId, untilId, options.highestSlot, options.limit) as SignatureInfo[];
    return { infos };
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(sql: string): Sqlite.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      if (sql.includes('* FROM accounts')) statement.safeIntegers(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
