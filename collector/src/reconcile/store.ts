import type pg from 'pg';
import { type Difference, type DifferenceKind, subjectOf } from '../audit/differences.js';
import { inTransaction } from '../mirror/transaction.js';
import { closeReview, openReview } from '../review/queue.js';

/** A difference as it is remembered. */
export interface RememberedDifference {
  readonly id: string;
  readonly difference: Difference;
  readonly subject: string;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  /** How often it was found. */
  readonly looks: number;
  /** Undefined while no second look has found it. */
  readonly confirmedAt: Date | undefined;
  readonly repairs: number;
  /** What the last repair did. */
  readonly repair: string | undefined;
  readonly repairedAt: Date | undefined;
  readonly resolvedAt: Date | undefined;
}

interface Row {
  id: string;
  subject: string;
  found: Difference;
  first_seen: Date;
  last_seen: Date;
  looks: number;
  confirmed_at: Date | null;
  repairs: number;
  repair: string | null;
  repaired_at: Date | null;
  resolved_at: Date | null;
}

/** A range as a collector has leased it. */
export interface LeasedRange {
  readonly name: string;
  readonly cursor: string;
}

/** How far the rounds are. */
export interface RangeProgress {
  readonly name: string;
  readonly rounds: number;
  readonly roundFinishedAt: Date | undefined;
  readonly error: string | undefined;
}

type Queryable = Pick<pg.Pool | pg.ClientBase, 'query'>;

/** Reviews' keys have at most this many characters. */
const KEY_LENGTH = 300;

/** The reconciler's tables. */
export class ReconcileStore {
  constructor(private readonly pool: pg.Pool) {}

  /** @param waitSeconds new ones are not due before so long from now. */
  async addRanges(names: readonly string[], waitSeconds = 0): Promise<void> {
    await this.pool.query(
      `INSERT INTO reconcile_ranges (name, next_at)
       SELECT n, CASE WHEN $2 > 0 THEN now() + $2 * interval '1 second' ELSE '-infinity' END
       FROM unnest($1::text[]) AS n ON CONFLICT DO NOTHING`,
      [names, waitSeconds],
    );
  }

  /** The range that has waited longest, for this collector alone; undefined when none is due. */
  async lease(
    collector: string,
    names: readonly string[],
    leaseSeconds: number,
  ): Promise<LeasedRange | undefined> {
    const { rows } = await this.pool.query<LeasedRange>(
      `UPDATE reconcile_ranges SET leased_by = $1, lease_until = now() + $3 * interval '1 second', looked_at = now(),
         round_started_at = CASE WHEN cursor = '' THEN now() ELSE round_started_at END
       WHERE name = (SELECT name FROM reconcile_ranges
         WHERE name = ANY($2::text[]) AND next_at <= now() AND (lease_until IS NULL OR lease_until < now())
         ORDER BY looked_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING name, cursor`,
      [collector, names, leaseSeconds],
    );
    return rows[0];
  }

  /**
   * Gives a range back.
   * @param cursor where it goes on; '' when the round is done.
   * @param waitSeconds not before so long from now.
   */
  async release(
    collector: string,
    name: string,
    { cursor, waitSeconds, error }: { cursor: string; waitSeconds: number; error?: string | undefined },
  ): Promise<void> {
    await this.pool.query(
      `UPDATE reconcile_ranges SET cursor = $3, leased_by = NULL, lease_until = NULL, error = $5,
         next_at = now() + $4 * interval '1 second',
         rounds = rounds + CASE WHEN $3 = '' AND $5::text IS NULL THEN 1 ELSE 0 END,
         round_finished_at = CASE WHEN $3 = '' AND $5::text IS NULL THEN now() ELSE round_finished_at END
       WHERE name = $2 AND leased_by = $1`,
      [collector, name, cursor, waitSeconds, error ?? null],
    );
  }

  async renew(collector: string, name: string, leaseSeconds: number): Promise<void> {
    await this.pool.query(
      `UPDATE reconcile_ranges SET lease_until = now() + $3 * interval '1 second' WHERE name = $2 AND leased_by = $1`,
      [collector, name, leaseSeconds],
    );
  }

  /**
   * Writes down what a look found. One that is open already keeps since when.
   * @param secondLookSeconds a new one is looked at again after so long.
   */
  async remember(found: readonly Difference[], secondLookSeconds: number): Promise<void> {
    await remember(this.pool, found, secondLookSeconds);
  }

  /** Open differences whose next look is due, for this collector: nobody else looks within `leaseSeconds`. */
  async due(limit: number, leaseSeconds: number): Promise<RememberedDifference[]> {
    const { rows } = await this.pool.query<Row>(
      `UPDATE reconcile_differences SET next_look_at = now() + $2 * interval '1 second'
       WHERE id IN (SELECT id FROM reconcile_differences WHERE resolved_at IS NULL AND next_look_at <= now()
         ORDER BY next_look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING *`,
      [limit, leaseSeconds],
    );
    return rows.map(toRemembered);
  }

  async hasDue(): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'SELECT FROM reconcile_differences WHERE resolved_at IS NULL AND next_look_at <= now() LIMIT 1',
    );
    return rowCount === 1;
  }

  /** It is gone: by itself, or by the repair that was recorded. */
  async resolve(id: string): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<Row>(
        'UPDATE reconcile_differences SET resolved_at = now() WHERE id = $1 AND resolved_at IS NULL RETURNING *',
        [id],
      );
      const row = rows[0];
      if (!row) return;
      const note = row.repair === null ? 'it is gone' : `mended: ${row.repair}`;
      await closeReview(client, 'audit_difference', { key: keyOf(row.found.kind, row.subject) }, note);
    });
  }

  async repaired(id: string, what: string): Promise<void> {
    await this.pool.query(
      'UPDATE reconcile_differences SET repairs = repairs + 1, repair = $2, repaired_at = now() WHERE id = $1',
      [id, what],
    );
  }

  /** Found again, and nothing mended it: it counts, and a person hears of it once. */
  async confirm(id: string, difference: Difference, againSeconds: number): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<Row & { reviewed_at: Date | null }>(
        `UPDATE reconcile_differences SET found = $2, looks = looks + 1, last_seen = now(),
           confirmed_at = coalesce(confirmed_at, now()), next_look_at = now() + $3 * interval '1 second'
         WHERE id = $1 AND resolved_at IS NULL RETURNING *`,
        [id, JSON.stringify(difference), againSeconds],
      );
      const row = rows[0];
      if (!row || row.reviewed_at !== null) return;
      await client.query('UPDATE reconcile_differences SET reviewed_at = now() WHERE id = $1', [id]);
      const { kind, expected, actual, action, meter } = difference;
      await openReview(client, {
        kind: 'audit_difference',
        subject: { key: keyOf(kind, row.subject), meterId: await knownMeter(client, meter) },
        reason: `${kind} ${row.subject}: expected ${expected}, found ${actual}`,
        details: { ...difference, since: row.first_seen.toISOString(), action },
        severity: 'critical',
      });
    });
  }

  /** Open differences, oldest first. */
  async open(limit = 1000): Promise<RememberedDifference[]> {
    const { rows } = await this.pool.query<Row>(
      'SELECT * FROM reconcile_differences WHERE resolved_at IS NULL ORDER BY first_seen, id LIMIT $1',
      [limit],
    );
    return rows.map(toRemembered);
  }

  async progress(): Promise<RangeProgress[]> {
    const { rows } = await this.pool.query<{
      name: string;
      rounds: string;
      round_finished_at: Date | null;
      error: string | null;
    }>('SELECT name, rounds, round_finished_at, error FROM reconcile_ranges ORDER BY name');
    return rows.map((row) => ({
      name: row.name,
      rounds: Number(row.rounds),
      roundFinishedAt: row.round_finished_at ?? undefined,
      error: row.error ?? undefined,
    }));
  }

  /** Differences that ended before this many days go. */
  async prune(days: number): Promise<void> {
    await this.pool.query(
      `DELETE FROM reconcile_differences WHERE resolved_at < now() - $1 * interval '1 day'`,
      [days],
    );
  }
}

/** Writes differences down, and returns since when each of them is known, by {@link keyOf}. */
export async function remember(
  db: Queryable,
  found: readonly Difference[],
  secondLookSeconds: number,
): Promise<Map<string, Date>> {
  // Several differences about one subject are one to remember.
  const unique = new Map(
    found.map((difference) => [keyOf(difference.kind, subjectOf(difference)), difference]),
  );
  const list = [...unique.values()];
  const { rows } = await db.query<{ kind: DifferenceKind; subject: string; first_seen: Date }>(
    `INSERT INTO reconcile_differences (kind, subject, found, next_look_at)
     SELECT k, s, f, now() + $4 * interval '1 second' FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS d (k, s, f)
     ON CONFLICT (kind, subject) WHERE resolved_at IS NULL
     DO UPDATE SET last_seen = now(), found = excluded.found RETURNING kind, subject, first_seen`,
    [
      list.map(({ kind }) => kind),
      list.map(subjectOf),
      list.map((difference) => JSON.stringify(difference)),
      secondLookSeconds,
    ],
  );
  return new Map(rows.map(({ kind, subject, first_seen }) => [keyOf(kind, subject), first_seen]));
}

/** What tells one difference from the others, at most as long as a review's key may be. */
export function keyOf(kind: DifferenceKind, subject: string): string {
  return `${kind}/${subject}`.slice(0, KEY_LENGTH);
}

function toRemembered(row: Row): RememberedDifference {
  return {
    id: row.id,
    difference: row.found,
    subject: row.subject,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    looks: row.looks,
    confirmedAt: row.confirmed_at ?? undefined,
    repairs: row.repairs,
    repair: row.repair ?? undefined,
    repairedAt: row.repaired_at ?? undefined,
    resolvedAt: row.resolved_at ?? undefined,
  };
}

/** Reviews may only name meters that exist. */
async function knownMeter(client: pg.ClientBase, meter: string | undefined): Promise<string | undefined> {
  if (meter === undefined) return undefined;
  const { rowCount } = await client.query('SELECT FROM meters WHERE meter_id = $1', [meter]);
  return rowCount === 1 ? meter : undefined;
}
