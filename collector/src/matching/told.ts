import { TRADING_PROGRAM_ID, toChainError } from '@gridtokenx/chain';
import { type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { LiveBooks } from './live-book.js';

export interface ToldDeps {
  connection: Connection;
  pool: pg.Pool;
  books: LiveBooks;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
}

const PAGE = 1000;
/** After so many failed tries of the event processor nobody waits for a transaction any more. */
const MAX_TRIES = 5;
/** Nor for one that it has not even listed after so long. */
const PATIENCE_MILLIS = 30_000;
const MAX_OURS = 10_000;

/**
 * Whether a market's book has been told of everything that the chain has confirmed of that market. An order that stands in the
 * database may be younger than one that does not yet: to match it before would let it jump the queue.
 */
export class Told {
  /** For each market, the newest transaction up to which everything was told. */
  private readonly until = new Map<string, string>();
  /** Transactions of this matcher: what they did it has told the book itself. */
  private readonly ours = new Set<string>();
  private readonly missingSince = new Map<string, number>();
  /** Listed transactions that are of other programs. */
  private readonly foreign = new Set<string>();

  constructor(private readonly deps: ToldDeps) {}

  /** A transaction of this matcher was executed, and its book knows. */
  add(signature: string): void {
    this.ours.add(signature);
    for (const oldest of this.ours) {
      if (this.ours.size <= MAX_OURS) break;
      this.ours.delete(oldest);
    }
  }

  /** @throws GtxError CHAIN_UNAVAILABLE, the database's error */
  async everything(market: string): Promise<boolean> {
    const { connection, pool, books } = this.deps;
    const until = this.until.get(market);
    let page: Awaited<ReturnType<Connection['getSignaturesForAddress']>>;
    try {
      page = await connection.getSignaturesForAddress(
        new PublicKey(market),
        { limit: PAGE, ...(until !== undefined && { until }) },
        'confirmed',
      );
    } catch (error) {
      throw toChainError(error);
    }
    const newest = page[0]?.signature;
    if (newest === undefined) return true;
    const listed = page.filter(({ err }) => err === null).map(({ signature }) => signature);
    const wanted = listed.filter((signature) => !this.ours.has(signature));
    if (wanted.length > 0) {
      const { rows } = await pool.query<{ signature: string }>(
        'SELECT signature FROM chain_transactions WHERE signature = ANY($1::text[])',
        [wanted],
      );
      const applied = new Set(rows.map(({ signature }) => signature));
      const missing = wanted.filter((signature) => !applied.has(signature));
      if (missing.length > 0 && (await this.worthWaiting(missing))) return false;
      const made = await pool.query<{ address: string }>(
        `SELECT address FROM orders WHERE created_signature = ANY($1::text[]) AND status = 'open'`,
        [wanted],
      );
      // Applied just now: the feed's word of it may still be on its way.
      const book = books.book(market);
      const unknown = made.rows
        .map(({ address }) => address)
        .filter((address) => book.get(address) === undefined);
      if (unknown.length > 0) await books.refresh(unknown);
    }
    this.until.set(market, newest);
    this.missingSince.clear();
    this.foreign.clear();
    return true;
  }

  private async worthWaiting(missing: readonly string[]): Promise<boolean> {
    const { pool, logger } = this.deps;
    const { rows } = await pool.query<{ signature: string; tries: number }>(
      'SELECT signature, tries FROM chain_queue WHERE signature = ANY($1::text[])',
      [missing],
    );
    const tries = new Map(rows.map((row) => [row.signature, row.tries]));
    const given: string[] = [];
    let wait = false;
    for (const signature of missing) {
      const count = tries.get(signature);
      // Anybody can name a market in a transaction of another program: that is none of the event processor's.
      if (count === undefined && !(await this.concernsTrading(signature))) continue;
      if (count === undefined ? !this.isOverdue(signature) : count < MAX_TRIES) wait = true;
      else given.push(signature);
    }
    if (given.length > 0 && !wait) {
      logger.warn(
        { transactions: given.slice(0, 10) },
        'orders are matched without transactions that are not applied',
      );
    }
    return wait;
  }

  private isOverdue(signature: string): boolean {
    const { now } = this.deps;
    const since = this.missingSince.get(signature) ?? now();
    this.missingSince.set(signature, since);
    return now() - since > PATIENCE_MILLIS;
  }

  /** Whether a transaction names the trading program; one that the node does not show yet may. */
  private async concernsTrading(signature: string): Promise<boolean> {
    if (this.foreign.has(signature)) return false;
    try {
      const landed = await this.deps.connection.getTransaction(signature, {
        commitment: 'confirmed',
        maxSupportedTransactionVersion: 0,
      });
      if (!landed) return true;
      const { message } = landed.transaction;
      const loaded = landed.meta?.loadedAddresses;
      const keys = message.getAccountKeys(loaded ? { accountKeysFromLookups: loaded } : undefined);
      if (keys.keySegments().some((some) => some.some((key) => key.equals(TRADING_PROGRAM_ID)))) return true;
    } catch (error) {
      throw toChainError(error);
    }
    this.foreign.add(signature);
    return false;
  }
}
