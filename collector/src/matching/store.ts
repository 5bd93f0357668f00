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

/** The matcher's rows. What is written at the same time is written in one database transaction. */
export class MatchingStore {
  private readonly preparing: Together<NewMatching>;
  private readonly closing: Together<{ signature: string; outcome: MatchingOutcome }>;

  constructor(
    private readonly pool: pg.Pool,
    private readonly collector: string,
  ) {
    this.preparing = new Together((some) => this.prepareAll(some));
    this.closing = new Together((some) => this.closeAll(some));
  }

  /** Commits the row of a transaction that is about to be sent. */
  prepare(transaction: NewMatching): Promise<void> {
    return this.preparing.add(transaction);
  }

  /** Writes down what became of a transaction. Nothing, when somebody else has done so. */
  close(signature: string, outcome: MatchingOutcome): Promise<void> {
    return this.closing.add({ signature, outcome });
  }

  private async prepareAll(some: readonly NewMatching[]): Promise<void> {
    const items = some.flatMap(({ signature, items: list }) =>
      list.map((item, position) => ({ signature, position, ...item })),
    );
    await inTransaction(this.pool, async (client) => {
      await client.query(
        `INSERT INTO matching_transactions (signature, kind, market, wire, last_valid_block_height, collector)
         SELECT t.*, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[]) AS t`,
        [
          some.map(({ signature }) => signature),
          some.map(({ kind }) => kind),
          some.map(({ market }) => market),
          some.map(({ wire }) => Buffer.from(wire)),
          some.map(({ lastValidBlockHeight }) => lastValidBlockHeight),
          this.collector,
        ],
      );
      await client.query(
        `INSERT INTO matching_pairs (transaction_id, position, sell_order, buy_order, price, amount)
         SELECT t.id, i.position, i.sell, i.buy, i.price, i.amount
         FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::numeric[], $6::numeric[])
           AS i(signature, position, sell, buy, price, amount)
         JOIN matching_transactions t USING (signature)`,
        [
          items.map(({ signature }) => signature),
          items.map(({ position }) => position),
          items.map(({ sellOrder }) => sellOrder ?? null),
          items.map(({ buyOrder }) => buyOrder ?? null),
          items.map(({ price }) => price?.toString() ?? null),
          items.map(({ amount }) => amount?.toString() ?? null),
        ],
      );
    });
  }

  private async closeAll(some: readonly { signature: string; outcome: MatchingOutcome }[]): Promise<void> {
    const skipped = some.flatMap(({ signature, outcome }) =>
      outcome.state === 'confirmed'
        ? [...(outcome.skipped ?? [])].map(([position, error]) => ({ signature, position, error }))
        : [],
    );
    await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `UPDATE matching_transactions t SET state = o.state, slot = o.slot, error = o.error, closed_at = now()
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS o(signature, state, slot, error)
         WHERE t.signature = o.signature AND t.state = 'prepared' RETURNING t.id`,
        [
          some.map(({ signature }) => signature),
          some.map(({ outcome }) => outcome.state),
          some.map(({ outcome }) => (outcome.state === 'expired' ? null : (outcome.slot ?? null))),
          some.map(({ outcome }) => (outcome.state === 'failed' ? outcome.error : null)),
        ],
      );
      const closed = rows.map(({ id }) => id);
      if (closed.length === 0) return;
      if (skipped.length > 0) {
        await client.query(
          `UPDATE matching_pairs p SET skipped = s.error
           FROM unnest($2::text[], $3::integer[], $4::text[]) AS s(signature, position, error)
           JOIN matching_transactions t USING (signature)
           WHERE t.id = ANY($1::bigint[]) AND p.transaction_id = t.id AND p.position = s.position`,
          [
            closed,
            skipped.map(({ signature }) => signature),
            skipped.map(({ position }) => position),
            skipped.map(({ error }) => error),
          ],
        );
      }
      // What traded was not refused for good.
      await client.query(
        `DELETE FROM matching_refusals r USING matching_pairs p, matching_transactions t
         WHERE t.id = ANY($1::bigint[]) AND t.state = 'confirmed' AND p.transaction_id = t.id AND p.skipped IS NULL
           AND NOT r.held AND r.sell_order = p.sell_order AND r.buy_order = p.buy_order`,
        [closed],
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

/** Does together what is asked for while the one before is under way: one commit instead of many. */
class Together<T> {
  private waiting: { item: T; resolve: () => void; reject: (error: unknown) => void }[] = [];
  private running = false;

  constructor(private readonly work: (some: readonly T[]) => Promise<void>) {}

  /** Resolves when it is done; rejects with what stopped those it was done with. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const some = this.waiting;
      this.waiting = [];
      try {
        await this.work(some.map(({ item }) => item));
        for (const { resolve } of some) resolve();
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.running = false;
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
