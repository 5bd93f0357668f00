import type pg from 'pg';
import type { Logger } from 'pino';

const FLUSH_MILLIS = 2_000;

export interface ReceivedDeps {
  readonly pool: pg.Pool;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Counts the readings that have come to this collector, whatever became of them: of those that are refused or known already the
 * database knows nothing. Every two seconds the counts are written beside those of the other collectors.
 */
export class Received {
  /** How many, by the age of their interval's end in seconds. */
  private ages = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(private readonly deps: ReceivedDeps) {}

  start(): void {
    this.timer = setInterval(() => {
      this.flushing = this.flush();
    }, FLUSH_MILLIS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.flushing;
    await this.flush();
  }

  /** @param intervalEnds Unix seconds */
  see(intervalEnds: readonly number[]): void {
    const now = Math.floor(this.deps.now() / 1000);
    for (const end of intervalEnds) {
      const age = Math.max(0, now - end);
      this.ages.set(age, (this.ages.get(age) ?? 0) + 1);
    }
  }

  private async flush(): Promise<void> {
    const ages = [...this.ages];
    if (ages.length === 0) return;
    this.ages = new Map();
    try {
      await this.deps.pool.query(
        `INSERT INTO pipeline_changes
         SELECT pipeline_slot(now()), 'received', pipeline_lag(now(), now() - make_interval(secs => least(age, 31536000))),
           sum(readings) FROM unnest($1::bigint[], $2::bigint[]) AS a (age, readings) GROUP BY 3`,
        [ages.map(([age]) => age), ages.map(([, readings]) => readings)],
      );
    } catch (error) {
      // Counts of two seconds, for people who watch; the readings themselves are not touched by it.
      this.deps.logger.debug({ err: error }, 'the count of received readings could not be written');
    }
  }
}
