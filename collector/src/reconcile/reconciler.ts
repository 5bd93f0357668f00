import { randomUUID } from 'node:crypto';
import { GtxError } from '@gridtokenx/protocol';
import { runAudit } from '../audit/audit.js';
import type { Difference } from '../audit/differences.js';
import type { CompareContext } from '../audit/rows.js';
import type { ChainDeps } from '../ports.js';
import { noReconcileMetrics, type ReconcileObserver, type ReconcileState } from './metrics.js';
import { isSame, lookAgain, RANGES, type SecondLook } from './ranges.js';
import { type ChainDoors, isRepairable, repair } from './repair.js';
import { recordAudit } from './report.js';
import { ReconcileStore, type RememberedDifference } from './store.js';

export interface ReconcileConfig {
  /** Pages a second, of at most 50 rows, 25 transactions or one listing each. Default 2. */
  readonly pagesPerSecond?: number | undefined;
  /** A range is not begun again earlier than so long after it was done. Default 60. */
  readonly roundSeconds?: number | undefined;
  /** The same for what asks the node for all accounts of a kind at once. Default 900. */
  readonly walkSeconds?: number | undefined;
  /** A difference is looked at again after so long, before it counts. Default 10. */
  readonly secondLookSeconds?: number | undefined;
  /** Read the chain again where the database differs from it. Default true. */
  readonly repair?: boolean | undefined;
  /** A whole audit so often; 0 for none. Default 24. */
  readonly auditHours?: number | undefined;
}

export interface ReconcilerDeps extends Omit<ChainDeps<ReconcileConfig>, 'feePayer' | 'alerts'> {
  /** The mirror, which is the only way in which anything is written. */
  readonly doors: ChainDoors;
  readonly metrics?: ReconcileObserver;
}

const AUDIT_RANGE = 'audit';
/** Renewed while the work goes on: one that ran out belongs to a collector that is gone. */
const LEASE_SECONDS = 120;
const AUDIT_POLL_MS = 60_000;
/** A new database has better things to do than to be audited. */
const FIRST_AUDIT_SECONDS = 3600;
const DUE_PER_STEP = 10;
const MAX_REPAIRS = 3;
/** A difference that stays is looked at so often, beside the rounds. */
const CONFIRMED_AGAIN_SECONDS = 60;
/** One that only a whole audit can see. */
const AUDIT_ONLY_AGAIN_SECONDS = 3600;
/** A range that failed (a node that refuses to list all accounts, say) is not tried again at once. */
const FAILED_WAIT_SECONDS = 60;
const LONGEST_PAUSE_MS = 30_000;
const KEEP_DAYS = 90;
const RANGE_NAMES = RANGES.map(({ name }) => name);

/**
 * Goes through chain, database and wallets all the time, a page after the other at a bounded rate, and names what
 * differs. Something that a second look finds too is repaired, if reading the chain again can do that, else it is told
 * to a person; what is gone is taken back. Several collectors share the work: a range belongs to one of them at a time.
 */
export class Reconciler {
  private readonly store: ReconcileStore;
  private readonly metrics: ReconcileObserver;
  private readonly collector = randomUUID();
  private readonly context: CompareContext;
  private readonly abort = new AbortController();
  private loops: Promise<void>[] = [];

  constructor(private readonly deps: ReconcilerDeps) {
    this.store = new ReconcileStore(deps.pool);
    this.metrics = deps.metrics ?? noReconcileMetrics;
    this.context = {
      db: deps.pool,
      connection: deps.connection,
      catchUp: async () => {
        await deps.doors.catchUp();
      },
    };
  }

  async start(): Promise<void> {
    this.loops = [this.run()];
    if ((this.deps.config.auditHours ?? 24) > 0) this.loops.push(this.runAudits());
  }

  /** Ends after the page at hand. */
  async stop(): Promise<void> {
    this.abort.abort(new GtxError('SERVICE_STOPPING'));
    await Promise.all(this.loops);
  }

  /**
   * One piece of work: a second look at what is due, or a page of the range that has waited longest.
   * @returns false when nothing was due.
   * @throws GtxError CHAIN_UNAVAILABLE, the database's error.
   */
  async step(): Promise<boolean> {
    const due = await this.store.due(DUE_PER_STEP, LEASE_SECONDS);
    for (const remembered of due) await this.lookAgain(remembered);
    if (due.length > 0) return true;
    return this.lookAtPage();
  }

  /** Everything once, from the beginning: until every range was gone through and no second look is left. */
  async round(): Promise<void> {
    await this.store.addRanges(RANGE_NAMES);
    const before = new Map((await this.store.progress()).map(({ name, rounds }) => [name, rounds]));
    for (;;) {
      const worked = await this.step();
      const progress = (await this.store.progress()).filter(({ name }) => RANGE_NAMES.includes(name));
      const done = progress.every(({ name, rounds }) => rounds > (before.get(name) ?? 0));
      if (done && !(await this.store.hasDue())) return;
      if (!worked) await this.sleep(20);
    }
  }

  /** How things stand, for metrics. */
  async state(): Promise<ReconcileState> {
    const { pool } = this.deps;
    const { rows } = await pool.query<{ finished: string | null; complete: boolean; audit: string | null }>(
      `SELECT extract(epoch FROM min(round_finished_at)) AS finished,
         coalesce(bool_and(round_finished_at IS NOT NULL), FALSE) AS complete,
         (SELECT extract(epoch FROM max(checked_at)) FROM audit_reports) AS audit
       FROM reconcile_ranges WHERE name = ANY($1::text[])`,
      [RANGE_NAMES],
    );
    const { rows: kinds } = await pool.query<{ kind: string; count: string }>(
      `SELECT kind, count(*) FROM reconcile_differences
       WHERE resolved_at IS NULL AND confirmed_at IS NOT NULL GROUP BY kind`,
    );
    const row = rows[0];
    return {
      lastRoundSeconds: row?.complete && row.finished !== null ? Number(row.finished) : undefined,
      differences: Object.fromEntries(kinds.map(({ kind, count }) => [kind, Number(count)])),
      lastAuditSeconds: row?.audit == null ? undefined : Number(row.audit),
    };
  }

  private async run(): Promise<void> {
    const { logger, config } = this.deps;
    const pageMs = 1000 / (config.pagesPerSecond ?? 2);
    let failures = 0;
    let ready = false;
    while (!this.abort.signal.aborted) {
      let pause = pageMs;
      try {
        if (!ready) {
          await this.store.addRanges(RANGE_NAMES);
          ready = true;
        }
        await this.step();
        if (failures > 0) logger.info({ failures }, 'the reconciler goes on');
        failures = 0;
      } catch (error) {
        failures += 1;
        pause = Math.min(1000 * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS);
        logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures },
          'the reconciler cannot go on now',
        );
      }
      await this.sleep(pause);
    }
  }

  private async runAudits(): Promise<void> {
    const { logger } = this.deps;
    while (!this.abort.signal.aborted) {
      try {
        await this.store.addRanges([AUDIT_RANGE], FIRST_AUDIT_SECONDS);
        await this.audit();
      } catch (error) {
        if (!this.abort.signal.aborted) logger.warn({ err: error }, 'no audit now; it is tried again');
      }
      await this.sleep(AUDIT_POLL_MS);
    }
  }

  private async sleep(milliseconds: number): Promise<void> {
    const { signal } = this.abort;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, milliseconds);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }

  // --- rounds

  private async lookAtPage(): Promise<boolean> {
    const { config, logger } = this.deps;
    const leased = await this.store.lease(this.collector, RANGE_NAMES, LEASE_SECONDS);
    if (!leased) return false;
    const range = RANGES.find(({ name }) => name === leased.name);
    if (!range) throw new GtxError('INTERNAL', `there is no range ${leased.name}`);
    const { name, walk } = range;
    await this.whileLeased(name, async () => {
      const { differences, behind = [], next } = await range.look(this.context, leased.cursor);
      await this.store.remember(differences, config.secondLookSeconds ?? 10);
      await this.refresh(behind);
      this.metrics.looked(name, differences.length > 0 ? 'differs' : 'clean');
      if (differences.length > 0)
        logger.info({ range: name, differences: differences.length }, 'looks different; looking again');
      const rest = walk ? (config.walkSeconds ?? 900) : (config.roundSeconds ?? 60);
      return { cursor: next, waitSeconds: next === '' ? rest : 0 };
    });
    return true;
  }

  /** A whole audit, when one is due and no other collector does it. */
  private async audit(): Promise<void> {
    const { pool, connection, logger, now, config } = this.deps;
    const { signal } = this.abort;
    const leased = await this.store.lease(this.collector, [AUDIT_RANGE], LEASE_SECONDS);
    if (!leased) return;
    await this.whileLeased(AUDIT_RANGE, async () => {
      const report = await recordAudit(pool, await runAudit({ pool, connection, logger, now, signal }));
      await this.store.prune(KEEP_DAYS);
      logger.info({ ok: report.ok, slot: report.slot, differences: report.differenceCount }, 'audit done');
      return { cursor: '', waitSeconds: (config.auditHours ?? 24) * 3600 };
    });
  }

  /** Keeps a range's lease while `work` goes on, and gives it back afterwards. */
  private async whileLeased(
    name: string,
    work: () => Promise<{ cursor: string; waitSeconds: number }>,
  ): Promise<void> {
    const { collector, store } = this;
    const renewal = setInterval(
      () => {
        store
          .renew(collector, name, LEASE_SECONDS)
          .catch((error: unknown) =>
            this.deps.logger.debug({ err: error, range: name }, 'lease not renewed'),
          );
      },
      (LEASE_SECONDS * 1000) / 4,
    );
    try {
      await store.release(collector, name, await work());
    } catch (error) {
      this.metrics.looked(name, 'failed');
      const text = error instanceof Error ? error.message : String(error);
      // The round begins anew: where a listing had come to may not be there any more.
      const failed = { cursor: '', waitSeconds: FAILED_WAIT_SECONDS, error: text };
      await store.release(collector, name, failed);
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  /** Tokens that moved past the programs: nobody but the reconciler hears of that. */
  private async refresh(wallets: readonly string[]): Promise<void> {
    if (wallets.length === 0) return;
    await this.deps.doors.refreshBalances(wallets);
    this.metrics.refreshed(wallets.length);
  }

  // --- second looks

  private async lookAgain(remembered: RememberedDifference): Promise<void> {
    const { config, doors, logger, pool } = this.deps;
    const { id, difference } = remembered;
    const seen = await lookAgain(this.context, difference);
    if (!seen) {
      await this.store.confirm(id, difference, AUDIT_ONLY_AGAIN_SECONDS);
      return;
    }
    const still = await this.sort(seen, difference);
    if (!still) {
      await this.store.resolve(id);
      return;
    }
    if ((config.repair ?? true) && isRepairable(still) && remembered.repairs < MAX_REPAIRS) {
      const what = await repair({ doors, pool }, still);
      if (what !== undefined) {
        await this.store.repaired(id, what);
        this.metrics.repaired(still.kind);
        logger.warn({ difference: still, repair: what }, 'the database differed; read again');
        const after = await lookAgain(this.context, still);
        if (after && !(await this.sort(after, still))) {
          await this.store.resolve(id);
          return;
        }
      }
    }
    await this.store.confirm(id, still, CONFIRMED_AGAIN_SECONDS);
    if (remembered.confirmedAt === undefined) logger.error({ difference: still }, 'the books do not agree');
  }

  /** Takes the given difference out of what a look found and remembers what else is there. */
  private async sort(
    { differences, behind }: SecondLook,
    difference: Difference,
  ): Promise<Difference | undefined> {
    await this.refresh(behind);
    const others = differences.filter((found) => !isSame(found, difference));
    await this.store.remember(others, this.deps.config.secondLookSeconds ?? 10);
    return differences.find((found) => isSame(found, difference));
  }
}
