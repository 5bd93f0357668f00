import type pg from 'pg';
import type { Logger } from 'pino';
import type { Change } from '../feed/index.js';
import { inTransaction } from '../mirror/transaction.js';
import { ROLLUP_LOCK } from './lock.js';
import type { RollupMetrics } from './metrics.js';

export interface RollupDeps {
  readonly pool: pg.Pool;
  readonly feed: { onChange(listener: (change: Change) => void): () => void };
  readonly logger: Logger;
  readonly metrics: RollupMetrics;
  /** How long a step over many readings may take; it takes more or fewer of them accordingly. Default 400 ms. */
  readonly stepMillis?: number;
  /** Without news every meter is looked at after this time. Default 30 s. */
  readonly pollMillis?: number;
}

const FIRST_READINGS = 10_000;
const FEWEST_READINGS = 2_000;
const MOST_READINGS = 50_000;
/** Readings of one meter in a step: those of many meters that came at the same time lie together in the table. */
const OF_EACH_METER = 20;
/** Meters with late readings that are looked at in one step. */
const LATE_METERS = 200;
/** News that come close together are added up together. */
const PAUSE_MILLIS = 1_000;
/** Of the time that adding up takes, so much is left to others after each step of a backlog. */
const REST = 1;
/** Changes are folded into their figures, and old ones removed, so often. */
const FOLD_MILLIS = 5_000;

/**
 * What one reading adds: how far each total rose since the stored reading of its meter before it, the first one's since 0. One that
 * falls adds nothing. It is the rule by which a reading's `amount_nkwh` is found, for all three totals.
 */
const rise = (later: string, earlier: string) =>
  ['produced', 'consumed', 'surplus'].map(
    (total) => `greatest(0, ${later}.${total}_total - coalesce(${earlier}.${total}_total, 0)) AS ${total}`,
  );
/** A meter counts in a quarter once: with its first reading there. */
const isFirst = (later: string, earlier: string) =>
  `(quarter_of(${later}.interval_end) IS DISTINCT FROM quarter_of(${earlier}.interval_end))::int AS meters`;
const added = (later: string, earlier: string) =>
  [`quarter_of(${later}.interval_end) AS quarter`, ...rise(later, earlier), isFirst(later, earlier)].join(
    ', ',
  );

const TOTALS = 'sequence, interval_end, produced_total, consumed_total, surplus_total';

const ADD_TO_QUARTERS = (from: string) => `INSERT INTO energy_quarters AS q
    SELECT quarter, sum(produced), sum(consumed), sum(surplus), sum(readings), sum(meters) FROM ${from} GROUP BY quarter
    ORDER BY quarter
    ON CONFLICT (quarter) DO UPDATE SET produced = q.produced + excluded.produced,
      consumed = q.consumed + excluded.consumed, surplus = q.surplus + excluded.surplus,
      readings = q.readings + excluded.readings, meters = q.meters + excluded.meters`;

/*
 * Both statements below see one snapshot of the database each, from which they read what is not counted and in which they write
 * down that it is. A meter's readings become visible in the order in which they were stored, since ingestion locks the meter's
 * row, and one that comes after a later one brings a row of `energy_late` with it. So every reading that a snapshot
 * shows is, in that snapshot, one of these: counted (up to the meter's sequence here, and not in `energy_late`), late (up to it,
 * and there), or fresh (above it).
 */

/** Counts the readings above what is counted of these meters. $1 meters, $2 readings of one of them at most. */
const COUNT_FRESH = `WITH fresh AS MATERIALIZED (
    SELECT m.meter_id, r.*, coalesce(lag(r.interval_end) OVER before, m.interval_end) AS last_end,
      coalesce(lag(r.produced_total) OVER before, m.produced_total) AS last_produced,
      coalesce(lag(r.consumed_total) OVER before, m.consumed_total) AS last_consumed,
      coalesce(lag(r.surplus_total) OVER before, m.surplus_total) AS last_surplus
    FROM (SELECT w.meter_id, e.sequence, e.interval_end, e.produced_total, e.consumed_total, e.surplus_total
      FROM unnest($1::text[]) AS w (meter_id) LEFT JOIN energy_meters e USING (meter_id)) AS m
    CROSS JOIN LATERAL (SELECT ${TOTALS} FROM meter_readings n
      WHERE n.meter_id = m.meter_id AND n.sequence > coalesce(m.sequence, -1) ORDER BY n.sequence LIMIT $2) AS r
    WINDOW before AS (PARTITION BY m.meter_id ORDER BY r.sequence)
  ), not_late AS (
    DELETE FROM energy_late l USING fresh f WHERE l.meter_id = f.meter_id AND l.sequence = f.sequence
  ), counted AS (
    ${ADD_TO_QUARTERS(`(SELECT ${added('f', 'p')}, 1 AS readings FROM fresh f CROSS JOIN LATERAL (SELECT f.last_end AS interval_end,
      f.last_produced AS produced_total, f.last_consumed AS consumed_total, f.last_surplus AS surplus_total) AS p) AS a`)}
  ), marked AS (
    INSERT INTO energy_meters (meter_id, ${TOTALS})
    SELECT DISTINCT ON (meter_id) meter_id, ${TOTALS} FROM fresh ORDER BY meter_id, sequence DESC
    ON CONFLICT (meter_id) DO UPDATE SET sequence = excluded.sequence, interval_end = excluded.interval_end,
      produced_total = excluded.produced_total, consumed_total = excluded.consumed_total,
      surplus_total = excluded.surplus_total
  )
  SELECT coalesce(sum(n), 0)::int AS readings, coalesce(max(n), 0)::int AS most
  FROM (SELECT count(*) AS n FROM fresh GROUP BY meter_id) AS c`;

/**
 * Counts late readings: what each adds, and how much less its follower adds now. Followers that are late themselves are counted for
 * the first time; of the others that which they added to the counted reading before them goes.
 */
const COUNT_LATE = `WITH late AS MATERIALIZED (
    SELECT l.meter_id, l.sequence, e.sequence AS counted FROM energy_late l JOIN energy_meters e USING (meter_id)
    WHERE l.sequence <= e.sequence AND l.meter_id IN (
      SELECT DISTINCT x.meter_id FROM energy_late x JOIN energy_meters y USING (meter_id)
      WHERE x.sequence <= y.sequence ORDER BY x.meter_id LIMIT $1)
  ), gone AS (
    DELETE FROM energy_late l USING late WHERE l.meter_id = late.meter_id AND l.sequence = late.sequence
  ), own AS MATERIALIZED (
    SELECT l.meter_id, l.counted, r.* FROM late l CROSS JOIN LATERAL (
      SELECT ${TOTALS} FROM meter_readings n WHERE n.meter_id = l.meter_id AND n.sequence = l.sequence) AS r
  ), changes AS (
    SELECT ${added('o', 'p')}, 1 AS readings FROM own o
    LEFT JOIN LATERAL (SELECT ${TOTALS} FROM meter_readings b
      WHERE b.meter_id = o.meter_id AND b.sequence < o.sequence ORDER BY b.sequence DESC LIMIT 1) AS p ON TRUE
    UNION ALL
    SELECT now_so.quarter, now_so.produced - before.produced, now_so.consumed - before.consumed,
      now_so.surplus - before.surplus, now_so.meters - before.meters, 0
    FROM own o
    CROSS JOIN LATERAL (SELECT ${TOTALS} FROM meter_readings a
      WHERE a.meter_id = o.meter_id AND a.sequence > o.sequence ORDER BY a.sequence LIMIT 1) AS f
    LEFT JOIN LATERAL (SELECT ${TOTALS} FROM meter_readings b
      WHERE b.meter_id = o.meter_id AND b.sequence < o.sequence AND NOT EXISTS (
        SELECT FROM late x WHERE x.meter_id = o.meter_id AND x.sequence = b.sequence)
      ORDER BY b.sequence DESC LIMIT 1) AS p ON TRUE
    CROSS JOIN LATERAL (SELECT ${added('f', 'o')}) AS now_so
    CROSS JOIN LATERAL (SELECT ${added('f', 'p')}) AS before
    WHERE f.sequence <= o.counted AND NOT EXISTS (
      SELECT FROM late x WHERE x.meter_id = o.meter_id AND x.sequence = f.sequence)
  ), counted AS (
    ${ADD_TO_QUARTERS('changes')}
  )
  SELECT (SELECT count(*)::int FROM late) AS readings, (SELECT count(DISTINCT meter_id)::int FROM late) AS meters`;

/**
 * Adds up the energy of all readings by quarters of an hour, and folds what the database's triggers have counted into their figures.
 * Of several collectors one does so at a time; a step is one transaction, so that a crash loses nothing and counts
 * nothing twice. Nobody waits for it: ingestion writes a row more only for a reading that comes after a later one.
 */
export class Rollup {
  private readonly stepMillis: number;
  private readonly pollMillis: number;
  private stepReadings = FIRST_READINGS;
  /** Meters of which readings were stored. */
  private news = new Set<string>();
  private lookAtAll = true;
  private stopping = false;
  private wakeUp: (() => void) | undefined;
  private loop: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private foldAt = 0;
  private leading = false;

  constructor(private readonly deps: RollupDeps) {
    this.stepMillis = deps.stepMillis ?? 400;
    this.pollMillis = deps.pollMillis ?? 30_000;
  }

  /** Whether this collector is the one that added up last. */
  get leads(): boolean {
    return this.leading;
  }

  start(): void {
    this.unlisten = this.deps.feed.onChange((change) => {
      if (change.kind === 'gap') this.lookAtAll = true;
      else if (change.kind === 'readings') for (const meterId of change.meterIds) this.news.add(meterId);
      else return;
      this.wakeUp?.();
    });
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.unlisten?.();
    this.wakeUp?.();
    await this.loop;
  }

  /**
   * Counts everything that is stored.
   * @param only of these meters; of all when it is left out
   * @returns false when another collector is at it
   */
  async catchUp(only?: readonly string[]): Promise<boolean> {
    for (let after = ''; ; ) {
      const behind = only ?? (await this.behind(after));
      const last = behind.at(-1);
      if (last === undefined) break;
      if (!(await this.countFresh(behind))) return false;
      if (only !== undefined) break;
      after = last;
    }
    return this.countLate();
  }

  /** Adds the changes that triggers have written down to their figures, and forgets what is older than two hours. */
  async fold(): Promise<boolean> {
    return this.locked(async (client) => {
      await client.query(
        `WITH gone AS (DELETE FROM reading_count_changes RETURNING status, change)
         INSERT INTO reading_counts AS c SELECT status, sum(change) FROM gone GROUP BY status ORDER BY status
         ON CONFLICT (status) DO UPDATE SET readings = c.readings + excluded.readings`,
      );
      await client.query(
        `WITH gone AS (DELETE FROM mint_changes RETURNING quarter, minted, mints)
         INSERT INTO mint_quarters AS c SELECT quarter, sum(minted), sum(mints) FROM gone GROUP BY quarter ORDER BY quarter
         ON CONFLICT (quarter) DO UPDATE SET minted = c.minted + excluded.minted, mints = c.mints + excluded.mints`,
      );
      // Older than two minutes, seconds are of no use to anybody.
      await client.query(
        `WITH fresh AS (DELETE FROM pipeline_changes RETURNING *),
         old AS (DELETE FROM pipeline_counts WHERE slot < now() - interval '2 minutes' AND slot <> date_trunc('minute', slot)
           RETURNING *)
         INSERT INTO pipeline_counts AS c
         SELECT CASE WHEN slot < now() - interval '2 minutes' THEN date_trunc('minute', slot) ELSE slot END, stage, lag_seconds,
           sum(readings) FROM (SELECT * FROM fresh UNION ALL SELECT * FROM old) AS p GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
         ON CONFLICT (slot, stage, lag_seconds) DO UPDATE SET readings = c.readings + excluded.readings`,
      );
      await client.query(`DELETE FROM pipeline_counts WHERE slot < now() - interval '2 hours'`);
    });
  }

  private async run(): Promise<void> {
    const { logger, metrics } = this.deps;
    let failures = 0;
    while (!this.stopping) {
      let pause = this.pollMillis;
      try {
        const all = this.lookAtAll;
        const news = [...this.news];
        this.lookAtAll = false;
        this.news = new Set();
        let done = false;
        try {
          if (all) done = await this.catchUp();
          else if (news.length > 0) done = await this.catchUp(news);
        } catch (error) {
          this.lookAtAll = true;
          throw error;
        }
        if (performance.now() >= this.foldAt) {
          this.foldAt = performance.now() + FOLD_MILLIS;
          await this.fold();
        }
        failures = 0;
        // What another collector is at, that one says: if it never gets done, nobody says so.
        if (done) metrics.caughtUp(Date.now());
      } catch (error) {
        failures += 1;
        metrics.failed();
        logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures },
          'adding up readings is interrupted; it goes on where it stopped',
        );
        pause = Math.min(1_000 * 2 ** failures, this.pollMillis);
      }
      if (this.stopping) return;
      await this.pause(failures > 0 ? pause : PAUSE_MILLIS);
      if (failures > 0 || this.stopping) continue;
      const busy = this.news.size > 0 || this.lookAtAll;
      if (!busy) await this.idle();
    }
  }

  /** Until there is news, or it is time to look without any. */
  private async idle(): Promise<void> {
    const until = performance.now() + this.pollMillis;
    while (!this.stopping && !this.lookAtAll && this.news.size === 0) {
      const rest = Math.min(until, this.foldAt) - performance.now();
      if (rest > 0) await this.pause(rest, true);
      if (performance.now() >= until) this.lookAtAll = true;
      else if (performance.now() >= this.foldAt) return;
    }
  }

  private pause(millis: number, interruptible = false): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.wakeUp = () => {
        if (!interruptible && !this.stopping) return;
        clearTimeout(timer);
        resolve();
      };
      if (this.stopping) this.wakeUp();
    });
  }

  /** Meters after this one with readings that are not counted. */
  private async behind(after: string): Promise<string[]> {
    const { rows } = await this.deps.pool.query<{ meter_id: string }>(
      `SELECT m.meter_id FROM meters m LEFT JOIN energy_meters e USING (meter_id)
       WHERE m.meter_id > $1 AND m.last_sequence > coalesce(e.sequence, 0) ORDER BY m.meter_id LIMIT 10000`,
      [after],
    );
    return rows.map(({ meter_id }) => meter_id);
  }

  /** Counts what is above the counted readings of these meters. @returns false when another collector is at it */
  private async countFresh(meterIds: readonly string[]): Promise<boolean> {
    let rest = [...new Set(meterIds)];
    while (rest.length > 0 && !this.stopping) {
      const some = rest.slice(0, this.stepReadings / OF_EACH_METER);
      const began = performance.now();
      let counted = { readings: 0, most: 0 };
      const did = await this.locked(async (client) => {
        const { rows } = await client.query<typeof counted>(COUNT_FRESH, [some, OF_EACH_METER]);
        counted = rows[0] ?? counted;
      });
      if (!did) return false;
      const tookMillis = performance.now() - began;
      this.deps.metrics.counted(counted.readings, tookMillis / 1000);
      rest = rest.slice(some.length);
      if (counted.most >= OF_EACH_METER) rest.push(...(await this.stillBehind(some)));
      await this.adapt(counted.readings, tookMillis, rest.length > 0);
    }
    return true;
  }

  private async stillBehind(meterIds: readonly string[]): Promise<string[]> {
    const { rows } = await this.deps.pool.query<{ meter_id: string }>(
      `SELECT m.meter_id FROM meters m LEFT JOIN energy_meters e USING (meter_id)
       WHERE m.meter_id = ANY($1::text[]) AND m.last_sequence > coalesce(e.sequence, 0)`,
      [meterIds],
    );
    return rows.map(({ meter_id }) => meter_id);
  }

  private async countLate(): Promise<boolean> {
    while (!this.stopping) {
      let meters = 0;
      const did = await this.locked(async (client) => {
        const { rows } = await client.query<{ readings: number; meters: number }>(COUNT_LATE, [LATE_METERS]);
        meters = rows[0]?.meters ?? 0;
        this.deps.metrics.late(rows[0]?.readings ?? 0);
      });
      if (!did) return false;
      if (meters < LATE_METERS) return true;
    }
    return true;
  }

  /** The next step takes as many readings as fit into its time, and what comes between steps is for others. */
  private async adapt(counted: number, tookMillis: number, more: boolean): Promise<void> {
    if (counted >= this.stepReadings / 2) {
      const fitting = this.stepReadings * Math.min(2, Math.max(0.25, this.stepMillis / tookMillis));
      this.stepReadings = Math.round(Math.min(MOST_READINGS, Math.max(FEWEST_READINGS, fitting)));
      if (more) await this.pause(tookMillis * REST);
    }
  }

  /** Runs a step in a transaction, where no other collector is at it. @returns false when one is */
  private async locked(step: (client: pg.PoolClient) => Promise<void>): Promise<boolean> {
    this.leading = await inTransaction(this.deps.pool, async (client) => {
      // In a statement of its own: those after it see what whoever had the lock before has committed.
      const { rows } = await client.query<{ locked: boolean }>(
        `SELECT pg_try_advisory_xact_lock(hashtext('${ROLLUP_LOCK}')) AS locked`,
      );
      if (!rows[0]?.locked) return false;
      await step(client);
      return true;
    });
    return this.leading;
  }
}
