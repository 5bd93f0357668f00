/** Looks into a gateway's store from outside, while the gateway runs or not. Changes nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { decodeReading, GtxError, type Reading } from '@gridtokenx/protocol';
import type { ReadingState } from './outbox.js';
import { Database } from './sqlite.js';

/** A reading with what has become of it. */
export interface StoredReading {
  meterId: string;
  reading: Reading;
  /** Rise of the surplus since the previous reading, nkWh. */
  amount: bigint;
  state: ReadingState;
  /** Last refusal's code. */
  code: string | null;
  createdMs: number;
  sentMs: number | null;
  decidedMs: number | null;
}

export interface ReadingFilter {
  meterId?: string | undefined;
  state?: ReadingState | undefined;
  /** Most readings, the newest. */
  limit: number;
}

/**
 * Readings, the newest first.
 * @throws GtxError NOT_FOUND when there is no store in the folder, FORBIDDEN when this user may not read it
 */
export function readStore(folder: string, filter: ReadingFilter): StoredReading[] {
  return look(folder, (db) => {
    const rows = db
      .prepare<
        [string | null, string | null, string | null, string | null, number],
        {
          meter_id: string;
          bytes: Buffer;
          amount: string;
          state: ReadingState;
          code: string | null;
          created_ms: number;
          sent_ms: number;
          decided_ms: number;
        }
      >(
        `SELECT meter_id, bytes, amount, state, code, created_ms, sent_ms, decided_ms FROM readings
         WHERE (? IS NULL OR meter_id = ?) AND (? IS NULL OR state = ?)
         ORDER BY interval_end DESC, meter_id, sequence DESC LIMIT ?`,
      )
      .all(
        filter.meterId ?? null,
        filter.meterId ?? null,
        filter.state ?? null,
        filter.state ?? null,
        filter.limit,
      );
    return rows.map((row) => ({
      meterId: row.meter_id,
      reading: decodeReading(row.bytes),
      amount: BigInt(row.amount),
      state: row.state,
      code: row.code,
      createdMs: row.created_ms,
      // Not known yet: kept as the negative time of creation.
      sentMs: row.sent_ms > 0 ? row.sent_ms : null,
      decidedMs: row.decided_ms > 0 ? row.decided_ms : null,
    }));
  });
}

/**
 * The sequence that a meter has come to by its books: what it signs next is higher, whether or not its last reading is
 * in the store.
 * @returns undefined when the meter has no books there
 * @throws GtxError as `readStore`
 */
export function readSequence(folder: string, meterId: string): bigint | undefined {
  return look(folder, (db) => {
    const books = db
      .prepare<[string], { sequence: number }>('SELECT sequence FROM meters WHERE meter_id = ?')
      .get(meterId);
    return books === undefined ? undefined : BigInt(books.sequence);
  });
}

function look<T>(folder: string, work: (db: InstanceType<typeof Database>) => T): T {
  const file = join(folder, 'agent.sqlite');
  if (!existsSync(file)) {
    throw new GtxError(
      'NOT_FOUND',
      `there is no store in ${folder}, or this user may not look: has the gateway run? Try it as root`,
    );
  }
  let db: InstanceType<typeof Database> | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5_000 });
    return work(db);
  } catch (error) {
    if (!/^SQLITE_(CANTOPEN|PERM|READONLY|AUTH)/.test(String((error as { code?: unknown }).code)))
      throw error;
    throw new GtxError(
      'FORBIDDEN',
      `${file} cannot be read by this user (${(error as Error).message}): try it with sudo`,
    );
  } finally {
    db?.close();
  }
}
