import type pg from 'pg';
import type { Logger } from 'pino';

export interface AlertPruningDeps {
  readonly pool: pg.Pool;
  readonly logger: Logger;
  /** How long alerts are kept after their end. */
  readonly keepDays: number;
}

const EVERY_MILLIS = 3_600_000;
/** Rows of one statement: short locks, whatever has gathered. */
const AT_ONCE = 1_000;

/**
 * Removes alerts, with what was told of them, that have been over for long. Open ones stay, however old. A notice of the end
 * that nobody took has been given up days before (schedule.ts). Several collectors may do it at once.
 */
export class AlertPruning {
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(private readonly deps: AlertPruningDeps) {}

  start(): void {
    const work = () => {
      this.working = this.prune().then(
        (removed) => {
          if (removed > 0) this.deps.logger.info({ removed }, 'old alerts removed');
        },
        (error: unknown) => this.deps.logger.warn({ err: error }, 'old alerts could not be removed'),
      );
    };
    work();
    this.timer = setInterval(work, EVERY_MILLIS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.working;
  }

  /** @returns how many alerts were removed. @throws the database's error */
  async prune(): Promise<number> {
    let removed = 0;
    for (;;) {
      const { rowCount } = await this.deps.pool.query(
        `DELETE FROM alerts WHERE id IN (
           SELECT id FROM alerts WHERE resolved_at < now() - make_interval(days => $1)
           ORDER BY resolved_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)`,
        [this.deps.keepDays],
      );
      removed += rowCount ?? 0;
      if (this.stopping || (rowCount ?? 0) < AT_ONCE) return removed;
    }
  }
}
