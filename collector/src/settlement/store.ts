import { decodeBase58 } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import { lockMeters } from '../mirror/accounts.js';
import { undoTransaction } from '../mirror/apply.js';
import { reconcileReadings } from '../mirror/reconcile.js';
import { inTransaction } from '../mirror/transaction.js';
import { openReview } from '../review/queue.js';
import type { SettlementState } from './outcome.js';
import type { SettlementPolicy } from './policy.js';
import type {
  MeterWork,
  OpenSettlement,
  PreparedTransaction,
  SettlementItem,
  SettlementStore,
} from './ports.js';
import { MAX_ATTEMPTS, type Refusal, retryDelayMs } from './refusal.js';

export interface PgSettlementStoreOptions {
  readonly pool: pg.Pool;
  /** Names this process: leases carry it. A new one for each start. */
  readonly collector: string;
  readonly policy: () => SettlementPolicy;
  /** How long a meter or a settlement stays with a collector that says nothing more. */
  readonly leaseSeconds: number;
  readonly logger: Logger;
}

const UNIQUE_VIOLATION = '23505';

/**
 * What still waits for its mint. It repeats the predicate of `idx_unminted_meter`, which PostgreSQL must recognise.
 */
const WAITING = `minted = FALSE AND status IN ('pending', 'covered', 'accepted', 'chain_held')`;

/**
 * The settlement's side of the database. Every method is one transaction or one statement, and none of them waits
 * for the chain. Times are the database's own, so that collectors with different clocks share leases.
 */
export class PgSettlementStore implements SettlementStore {
  private started = false;

  constructor(private readonly options: PgSettlementStoreOptions) {}

  async lease(limit: number): Promise<MeterWork[]> {
    const { pool, collector, leaseSeconds, policy } = this.options;
    const { minimumNkwh, maxWaitSeconds, intervalSeconds } = policy();
    await this.settleCovered();
    await pool.query(
      `INSERT INTO settlement_meters (meter_id)
       SELECT meter_id FROM (
         SELECT DISTINCT meter_id FROM meter_readings WHERE ${WAITING}
         UNION SELECT meter_id FROM meters WHERE mint_due_since IS NOT NULL) AS w
       WHERE NOT EXISTS (SELECT FROM settlement_meters s WHERE s.meter_id = w.meter_id)
       ON CONFLICT DO NOTHING`,
    );
    const { rows } = await pool.query<{
      meter_id: string;
      wallet_address: string;
      attempts: number;
      alone: boolean;
      sequence: string | null;
      surplus_total: string;
      message: Buffer;
      meter_signature: string;
      public_key: string;
    }>(
      `WITH waiting AS MATERIALIZED (
         SELECT meter_id, min(submitted_at) AS oldest,
           max(sequence) FILTER (WHERE status IN ('pending', 'covered')) AS newest
         FROM meter_readings WHERE ${WAITING} GROUP BY meter_id
       ), candidates AS MATERIALIZED (
         -- A meter with something to submit ...
         SELECT w.meter_id, w.newest AS sequence, w.oldest AS since
         FROM waiting w JOIN meters m USING (meter_id)
         JOIN meter_readings r ON r.meter_id = w.meter_id AND r.sequence = w.newest
         WHERE w.newest > m.chain_sequence
           AND (r.surplus_total - m.chain_surplus_total >= $3::numeric
             OR w.oldest <= now() - make_interval(secs => $4))
         UNION ALL
         -- ... or with energy that the chain has counted and nobody has minted for a while.
         SELECT m.meter_id, NULL, m.mint_due_since
         FROM meters m LEFT JOIN waiting w USING (meter_id)
         WHERE m.mint_due_since <= now() - make_interval(secs => $5)
           AND coalesce(w.newest, 0) <= m.chain_sequence
       ), chosen AS (
         SELECT s.meter_id, c.sequence, c.since
         FROM settlement_meters s
         JOIN candidates c ON c.meter_id = s.meter_id
         JOIN meters m ON m.meter_id = s.meter_id
         WHERE m.holds = 0 AND s.next_attempt_at <= now()
           AND (s.lease_until IS NULL OR s.lease_until <= now())
           AND NOT EXISTS (SELECT FROM settlement_items i WHERE i.meter_id = s.meter_id AND i.open)
           AND NOT EXISTS (SELECT FROM reviews v WHERE v.meter_id = s.meter_id AND v.status = 'open'
             AND v.kind = 'settlement_failed')
         ORDER BY c.since, s.meter_id
         LIMIT $6
         FOR UPDATE OF s SKIP LOCKED
       ), leased AS (
         UPDATE settlement_meters s
         SET leased_by = $1, lease_until = now() + make_interval(secs => $2)
         FROM chosen c WHERE s.meter_id = c.meter_id
         RETURNING s.meter_id, s.attempts, s.alone, c.sequence, c.since
       )
       SELECT l.meter_id, l.attempts, l.alone, m.wallet_address, l.sequence, r.surplus_total, r.message,
         r.meter_signature, r.public_key
       FROM leased l JOIN meters m USING (meter_id)
       LEFT JOIN meter_readings r ON r.meter_id = l.meter_id AND r.sequence = l.sequence
       ORDER BY l.since, l.meter_id`,
      [collector, leaseSeconds, minimumNkwh.toString(), maxWaitSeconds, intervalSeconds, limit],
    );
    return rows.map((row) => ({
      meterId: row.meter_id,
      wallet: row.wallet_address,
      attempts: row.attempts,
      alone: row.alone,
      reading:
        row.sequence === null
          ? undefined
          : {
              sequence: BigInt(row.sequence),
              surplusTotal: BigInt(row.surplus_total),
              message: new Uint8Array(row.message),
              signature: decodeBase58(row.meter_signature),
              publicKey: row.public_key,
            },
    }));
  }

  async release(meterIds: readonly string[]): Promise<void> {
    await this.options.pool.query(
      `UPDATE settlement_meters SET leased_by = NULL, lease_until = NULL
       WHERE meter_id = ANY($1::text[]) AND leased_by = $2`,
      [meterIds, this.options.collector],
    );
  }

  async postpone(meterId: string, reason: string, delayMs: number): Promise<void> {
    await this.options.pool.query(
      `UPDATE settlement_meters SET leased_by = NULL, lease_until = NULL, reason = $3,
         next_attempt_at = now() + $4 * interval '1 millisecond'
       WHERE meter_id = $1 AND leased_by = $2`,
      [meterId, this.options.collector, reason, delayMs],
    );
  }

  async refuse(meterId: string, sequence: bigint, refusal: Refusal): Promise<void> {
    const review = await this.transaction(async (client) => {
      await lockMeters(client, [meterId]);
      return countRefusal(client, meterId, sequence, refusal);
    });
    this.logReview(meterId, review);
  }

  async nothingToSettle(meterId: string, throughSequence: bigint): Promise<void> {
    await this.transaction(async (client) => {
      await lockMeters(client, [meterId]);
      await client.query(
        `UPDATE meter_readings SET status = 'nothing_to_settle'
         WHERE meter_id = $1 AND sequence <= $2 AND minted = FALSE AND status IN ('pending', 'covered')`,
        [meterId, throughSequence.toString()],
      );
      await client.query(
        `UPDATE settlement_meters SET leased_by = NULL, lease_until = NULL, reason = NULL, attempts = 0
         WHERE meter_id = $1`,
        [meterId],
      );
    });
  }

  async prepare(transaction: PreparedTransaction, items: readonly SettlementItem[]): Promise<boolean> {
    const { collector, leaseSeconds } = this.options;
    try {
      await this.transaction(async (client) => {
        const { rows } = await client.query<{ id: string }>(
          `INSERT INTO settlements (signature, wire, blockhash, last_valid_block_height, collector, lease_until)
           VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) RETURNING id`,
          [
            transaction.signature,
            Buffer.from(transaction.wire),
            transaction.blockhash,
            transaction.lastValidBlockHeight,
            collector,
            leaseSeconds,
          ],
        );
        const id = rows[0]?.id;
        await client.query(
          `INSERT INTO settlement_items (settlement_id, meter_id, kind, after_sequence, through_sequence, expected_nkwh)
           SELECT $1::bigint, * FROM unnest($2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::numeric[])`,
          [
            id,
            items.map((item) => item.meterId),
            items.map((item) => item.kind),
            items.map((item) => item.afterSequence.toString()),
            items.map((item) => item.throughSequence.toString()),
            items.map((item) => item.expectedNkwh.toString()),
          ],
        );
        // The open item now keeps others from the meter.
        await client.query(
          `UPDATE settlement_meters SET leased_by = NULL, lease_until = NULL
           WHERE meter_id = ANY($1::text[]) AND leased_by = $2`,
          [items.map((item) => item.meterId), collector],
        );
      });
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION) return false;
      throw error;
    }
  }

  /**
   * The first call after a start takes everything: following a settlement twice is harmless, and whoever held it
   * before may be this collector before it died.
   */
  async takePrepared(): Promise<OpenSettlement[]> {
    const { pool, collector, leaseSeconds } = this.options;
    const everything = !this.started;
    const { rows } = await pool.query<SettlementRecord>(
      `WITH taken AS (
         UPDATE settlements SET collector = $1, lease_until = now() + make_interval(secs => $2)
         WHERE id IN (
           SELECT id FROM settlements
           WHERE state = 'prepared' AND ($3 OR collector = $1 OR lease_until <= now())
           ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED)
         RETURNING id, signature, state, wire, last_valid_block_height, slot
       )
       SELECT t.signature, t.state, t.wire, t.last_valid_block_height, t.slot,
         json_agg(json_build_array(i.meter_id, i.kind, i.through_sequence::text)) AS items
       FROM taken t JOIN settlement_items i ON i.settlement_id = t.id
       GROUP BY t.id, t.signature, t.state, t.wire, t.last_valid_block_height, t.slot ORDER BY t.id`,
      [collector, leaseSeconds, everything],
    );
    this.started = true;
    return rows.map(openSettlement);
  }

  /** Gives everything back at a clean stop, so that others need not wait for leases to end. */
  async abandon(): Promise<void> {
    const { pool, collector } = this.options;
    await pool.query(
      `UPDATE settlements SET lease_until = now() WHERE collector = $1 AND state = 'prepared'`,
      [collector],
    );
    await pool.query(
      'UPDATE settlement_meters SET leased_by = NULL, lease_until = NULL WHERE leased_by = $1',
      [collector],
    );
  }

  async takeApplied(limit: number): Promise<OpenSettlement[]> {
    // Several collectors may look at the same ones: what they find is written only once.
    const { rows } = await this.options.pool.query<SettlementRecord>(
      `SELECT t.signature, 'confirmed' AS state, s.wire, t.last_valid_block_height, t.slot,
         (SELECT json_agg(json_build_array(c.meter_id, 'submit', c.sequence::text))
          FROM chain_readings c WHERE c.signature = t.signature) AS items
       FROM chain_transactions t LEFT JOIN settlements s USING (signature)
       WHERE NOT t.finalized ORDER BY t.slot LIMIT $1`,
      [limit],
    );
    return rows.map(openSettlement);
  }

  async fail(settlement: OpenSettlement, refusal: Refusal): Promise<void> {
    const meterIds = settlement.items.map(({ meterId }) => meterId);
    const [only, ...others] = settlement.items;
    const review = await this.transaction(async (client) => {
      await lockMeters(client, meterIds);
      if (!(await closeRow(client, settlement.signature, 'failed', refusal.message))) return undefined;
      if (only && others.length === 0 && refusal.kind === 'refused')
        return countRefusal(client, only.meterId, only.throughSequence, refusal);
      await client.query(
        `UPDATE settlement_meters SET alone = alone OR $2, reason = $3,
           next_attempt_at = CASE WHEN $2 THEN next_attempt_at ELSE now() + interval '5 seconds' END
         WHERE meter_id = ANY($1::text[])`,
        [meterIds, others.length > 0, refusal.name],
      );
      return undefined;
    });
    if (only) this.logReview(only.meterId, review);
  }

  async close(settlement: OpenSettlement, state: 'expired' | 'superseded'): Promise<void> {
    await this.transaction((client) => closeRow(client, settlement.signature, state, null));
  }

  async finalize(settlement: OpenSettlement): Promise<void> {
    await this.transaction(async (client) => {
      await client.query('UPDATE chain_transactions SET finalized = TRUE WHERE signature = $1', [
        settlement.signature,
      ]);
      await client.query(
        `UPDATE settlements SET state = 'finalized', closed_at = now() WHERE signature = $1 AND state = 'confirmed'`,
        [settlement.signature],
      );
    });
  }

  async drop(settlement: OpenSettlement): Promise<void> {
    await this.transaction((client) => undoTransaction(client, settlement.signature));
  }

  /** Readings that came in late, below what the chain already has: their energy is settled with the later one. */
  private async settleCovered(): Promise<void> {
    const { pool } = this.options;
    const { rows } = await pool.query<{ meter_id: string }>(
      `SELECT DISTINCT r.meter_id FROM meter_readings r JOIN meters m USING (meter_id)
       WHERE r.minted = FALSE AND r.status IN ('pending', 'covered') AND r.sequence <= m.chain_sequence
       ORDER BY r.meter_id LIMIT 1000`,
    );
    if (rows.length === 0) return;
    const meterIds = rows.map((row) => row.meter_id);
    await this.transaction(async (client) => {
      // Whoever applies a mint has the meter locked: what comes of it is to be seen whole, or not yet.
      await lockMeters(client, meterIds);
      await reconcileReadings(client, meterIds);
    });
  }

  private logReview(meterId: string, reason: string | undefined): void {
    if (reason === undefined) return;
    const log = { alert: 'settlement_failed', key: meterId, severity: 'critical' };
    this.options.logger.warn(log, `${reason}; it waits for review`);
  }

  private transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return inTransaction(this.options.pool, work);
  }
}

interface SettlementRecord {
  signature: string;
  state: SettlementState;
  wire: Buffer | null;
  last_valid_block_height: string;
  slot: string | null;
  items: [meterId: string, kind: 'submit' | 'mint', throughSequence: string][] | null;
}

function openSettlement(row: SettlementRecord): OpenSettlement {
  return {
    signature: row.signature,
    state: row.state,
    wire: row.wire === null ? undefined : new Uint8Array(row.wire),
    lastValidBlockHeight: Number(row.last_valid_block_height),
    slot: row.slot === null ? undefined : Number(row.slot),
    items: (row.items ?? []).map(([meterId, kind, through]) => ({
      meterId,
      kind,
      throughSequence: BigInt(through),
    })),
  };
}

/** Closes a prepared row. False when it is not prepared any more: somebody else has judged it. */
async function closeRow(
  client: pg.ClientBase,
  signature: string,
  state: SettlementState,
  error: string | null,
): Promise<boolean> {
  const { rows } = await client.query<{ id: string }>(
    `UPDATE settlements SET state = $2, error = $3, closed_at = now()
     WHERE signature = $1 AND state = 'prepared' RETURNING id`,
    [signature, state, error],
  );
  const id = rows[0]?.id;
  if (id === undefined) return false;
  await client.query('UPDATE settlement_items SET open = FALSE WHERE settlement_id = $1', [id]);
  return true;
}

/**
 * Counts a refusal of a meter's reading. The tenth puts the reading into review, which keeps the meter from being
 * settled until a person ends the review. Returns the reason of that, when it happened.
 */
async function countRefusal(
  client: pg.ClientBase,
  meterId: string,
  sequence: bigint,
  refusal: Refusal,
): Promise<string | undefined> {
  const { rows } = await client.query<{ attempts: number }>(
    `INSERT INTO settlement_meters (meter_id, attempts, reason) VALUES ($1, 1, $2)
     ON CONFLICT (meter_id) DO UPDATE SET attempts = settlement_meters.attempts + 1, reason = excluded.reason,
       leased_by = NULL, lease_until = NULL
     RETURNING attempts`,
    [meterId, `${refusal.name}: ${refusal.message}`],
  );
  const attempts = rows[0]?.attempts ?? 1;
  if (attempts < MAX_ATTEMPTS) {
    await client.query(
      `UPDATE settlement_meters SET next_attempt_at = now() + $2 * interval '1 millisecond' WHERE meter_id = $1`,
      [meterId, retryDelayMs(attempts)],
    );
    return undefined;
  }
  await client.query(
    `UPDATE meter_readings SET status = 'review'
     WHERE meter_id = $1 AND sequence = $2 AND minted = FALSE AND status = 'pending'`,
    [meterId, sequence.toString()],
  );
  const { rows: waiting } = await client.query<{ amount: string }>(
    `SELECT r.surplus_total - m.chain_surplus_total AS amount FROM meter_readings r JOIN meters m USING (meter_id)
     WHERE r.meter_id = $1 AND r.sequence = $2 AND r.surplus_total >= m.chain_surplus_total LIMIT 1`,
    [meterId, sequence.toString()],
  );
  const reason = `the chain refused reading ${sequence} of ${meterId} ${attempts} times: ${refusal.name}`;
  await openReview(client, {
    kind: 'settlement_failed',
    subject: { meterId, sequence },
    amountNkwh: BigInt(waiting[0]?.amount ?? 0),
    reason,
    details: { attempts, error: refusal.name, message: refusal.message },
    severity: 'critical',
  });
  // Once released it has as many attempts as any other.
  await client.query(
    `UPDATE settlement_meters SET attempts = 0, next_attempt_at = '-infinity', alone = TRUE WHERE meter_id = $1`,
    [meterId],
  );
  return reason;
}
