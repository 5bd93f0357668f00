import type pg from 'pg';
import { inTransaction } from '../mirror/transaction.js';
import { openReview, type ReviewRecord } from '../review/queue.js';
import type { ReviewEffect } from '../review/reviews.js';

/** Attempts after which a person looks at a pair. */
export const MAX_ATTEMPTS = 10;
const FIRST_RETRY_SECONDS = 5;
const LONGEST_RETRY_SECONDS = 3_600;
/** How long closed transactions are kept: what they did is in `trades` and `chain_events`. */
const KEEP_DAYS = 30;

export interface MatchingPair {
  sellOrder: string;
  buyOrder: string;
}

/** What a transaction is to do with an order, or two. */
export interface MatchingItem {
  sellOrder?: string | undefined;
  buyOrder?: string | undefined;
  /** GRX base units for 1 GRID, and GRID base units, as planned. */
  price?: bigint | undefined;
  amount?: bigint | undefined;
}

export interface NewMatching {
  signature: string;
  kind: 'cross' | 'expire';
  market: string;
  wire: Uint8Array;
  lastValidBlockHeight: number;
  items: readonly MatchingItem[];
}

/** A transaction whose outcome is unknown. */
export interface OpenMatching {
  signature: string;
  kind: 'cross' | 'expire';
  market: string;
  wire: Uint8Array;
  lastValidBlockHeight: number;
  items: readonly MatchingItem[];
}

export type MatchingOutcome =
  | { state: 'confirmed'; slot: number; skipped?: ReadonlyMap<number, string> }
  | { state: 'failed'; slot: number | undefined; error: string }
  | { state: 'expired' };

/** The matcher's rows. */
export class MatchingStore {
  constructor(
    private readonly pool: pg.Pool,
    private readonly collector: string,
  ) {}

  /** Commits the row of a transaction that is about to be sent. */
  async prepare(transaction: NewMatching): Promise<void> {
    const { signature, kind, market, wire, lastValidBlockHeight, items } = transaction;
    await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `INSERT INTO matching_transactions (signature, kind, market, wire, last_valid_block_height, collector)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
        [signature, kind, market, Buffer.from(wire), lastValidBlockHeight, this.collector],
      );
      await client.query(
        `INSERT INTO matching_pairs (transaction_id, position, sell_order, buy_order, price, amount)
         SELECT $1, i.position - 1, i.sell, i.buy, i.price, i.amount
         FROM unnest($2::text[], $3::text[], $4::numeric[], $5::numeric[])
           WITH ORDINALITY AS i(sell, buy, price, amount, position)`,
        [
          rows[0]?.id,
          items.map(({ sellOrder }) => sellOrder ?? null),
          items.map(({ buyOrder }) => buyOrder ?? null),
          items.map(({ price }) => price?.toString() ?? null),
          items.map(({ amount }) => amount?.toString() ?? null),
        ],
      );
    });
  }

  /** Transactions whose outcome is unknown, of whichever collector, the oldest first. */
  async open(): Promise<OpenMatching[]> {
    const { rows } = await this.pool.query<{
      signature: string;
      kind: 'cross' | 'expire';
      market: string;
      wire: Buffer;
      last_valid_block_height: string;
      items: [sell: string | null, buy: string | null][];
    }>(
      `SELECT t.signature, t.kind, t.market, t.wire, t.last_valid_block_height,
         (SELECT json_agg(json_build_array(p.sell_order, p.buy_order) ORDER BY p.position)
          FROM matching_pairs p WHERE p.transaction_id = t.id) AS items
       FROM matching_transactions t WHERE t.state = 'prepared' ORDER BY t.id`,
    );
    return rows.map((row) => ({
      signature: row.signature,
      kind: row.kind,
      market: row.market,
      wire: new Uint8Array(row.wire),
      lastValidBlockHeight: Number(row.last_valid_block_height),
      items: row.items.map(([sell, buy]) => ({ sellOrder: sell ?? undefined, buyOrder: buy ?? undefined })),
    }));
  }

  /** Writes down what became of a transaction. Nothing, when somebody else has done so. */
  async close(signature: string, outcome: MatchingOutcome): Promise<void> {
    const confirmed = outcome.state === 'confirmed';
    const skipped = confirmed ? [...(outcome.skipped ?? [])] : [];
    await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `UPDATE matching_transactions SET state = $2, slot = $3, error = $4, closed_at = now()
         WHERE signature = $1 AND state = 'prepared' RETURNING id`,
        [
          signature,
          outcome.state,
          outcome.state === 'expired' ? null : (outcome.slot ?? null),
          outcome.state === 'failed' ? outcome.error : null,
        ],
      );
      const id = rows[0]?.id;
      if (id === undefined || !confirmed) return;
      if (skipped.length > 0) {
        await client.query(
          `UPDATE matching_pairs p SET skipped = s.error
           FROM unnest($2::integer[], $3::text[]) AS s(position, error)
           WHERE p.transaction_id = $1 AND p.position = s.position`,
          [id, skipped.map(([position]) => position), skipped.map(([, error]) => error)],
        );
      }
      // What traded was not refused for good.
      await client.query(
        `DELETE FROM matching_refusals r USING matching_pairs p
         WHERE p.transaction_id = $1 AND p.skipped IS NULL AND NOT r.held
           AND r.sell_order = p.sell_order AND r.buy_order = p.buy_order`,
        [id],
      );
    });
  }

  /** Pairs that are not to be tried now, as `sell/buy`. */
  async refused(): Promise<Set<string>> {
    const { rows } = await this.pool.query<{ key: string }>(
      `SELECT sell_order || '/' || buy_order AS key FROM matching_refusals WHERE held OR next_attempt_at > now()`,
    );
    return new Set(rows.map(({ key }) => key));
  }

  /**
   * Counts a refusal that no account explains. The tenth puts the pair into review, and it is not tried until that ends.
   * @returns the attempts so far
   */
  async refuse(
    { sellOrder, buyOrder }: MatchingPair,
    refusal: { name: string; message: string },
    market: string,
  ): Promise<number> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ attempts: number }>(
        `INSERT INTO matching_refusals (sell_order, buy_order, attempts, error, next_attempt_at)
         VALUES ($1, $2, 1, $3, now() + make_interval(secs => $4))
         ON CONFLICT (sell_order, buy_order) DO UPDATE SET
           attempts = matching_refusals.attempts + 1, error = excluded.error, updated_at = now(),
           next_attempt_at = now() + make_interval(secs => least($5, $4 * 2 ^ matching_refusals.attempts)),
           held = matching_refusals.held OR matching_refusals.attempts + 1 >= $6
         RETURNING attempts`,
        [
          sellOrder,
          buyOrder,
          `${refusal.name}: ${refusal.message}`,
          FIRST_RETRY_SECONDS,
          LONGEST_RETRY_SECONDS,
          MAX_ATTEMPTS,
        ],
      );
      const attempts = rows[0]?.attempts ?? 1;
      if (attempts >= MAX_ATTEMPTS) {
        await openReview(client, {
          kind: 'match_failed',
          subject: { key: `${sellOrder}/${buyOrder}` },
          reason: `the chain refused to match these two orders ${attempts} times: ${refusal.name}`,
          details: {
            market,
            sell_order: sellOrder,
            buy_order: buyOrder,
            attempts,
            error: refusal.name,
            message: refusal.message,
          },
        });
      }
      return attempts;
    });
  }

  /** Forgets transactions that were closed long ago, and refusals of orders that are no longer open. */
  async tidy(): Promise<void> {
    await this.pool.query(
      `DELETE FROM matching_transactions
       WHERE state <> 'prepared' AND closed_at < now() - make_interval(days => $1)`,
      [KEEP_DAYS],
    );
    await this.pool.query(
      `DELETE FROM matching_refusals r
       WHERE NOT EXISTS (SELECT FROM orders o WHERE o.address = r.sell_order AND o.status = 'open')
          OR NOT EXISTS (SELECT FROM orders o WHERE o.address = r.buy_order AND o.status = 'open')`,
    );
  }

  /** Addresses of the lookup tables of a market that this fee payer fills. */
  async tables(authority: string, market: string): Promise<string[]> {
    const { rows } = await this.pool.query<{ address: string }>(
      'SELECT address FROM lookup_tables WHERE authority = $1 AND purpose = $2 ORDER BY created_at',
      [authority, market],
    );
    return rows.map(({ address }) => address);
  }

  async addTable(address: string, authority: string, market: string): Promise<void> {
    await this.pool.query(
      'INSERT INTO lookup_tables (address, authority, purpose) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [address, authority, market],
    );
  }
}

const pairOf = (review: ReviewRecord): string[] => (review.key ?? '').split('/');

/** What an operator's decision about a refused pair does. */
export const matchEffects: { retry: ReviewEffect; dismiss: ReviewEffect } = {
  retry: async (client, review) => {
    await client.query(
      'DELETE FROM matching_refusals WHERE sell_order = $1 AND buy_order = $2',
      pairOf(review),
    );
  },
  // The pair stays held: it is not tried again.
  dismiss: async (client, review) => {
    await client.query(
      'UPDATE matching_refusals SET held = TRUE WHERE sell_order = $1 AND buy_order = $2',
      pairOf(review),
    );
  },
};
