import type pg from 'pg';
import type { Logger } from 'pino';
import { notifyChange } from '../feed/index.js';

const PAUSE_MILLIS = 250;

/**
 * Tells every collector of readings that were stored here. Not in the transactions that store them: those of thousands of
 * meters would have to commit one after the other (see `notifyChange`). What a crash swallows is news, no reading: whoever
 * looks at a list sees it with the meter's next one.
 */
export class ReadingsAnnouncer {
  private meterIds = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> = Promise.resolve();

  constructor(private readonly deps: { pool: pg.Pool; logger: Logger }) {}

  stored(meterId: string): void {
    this.meterIds.add(meterId);
    this.timer ??= setTimeout(() => this.flush(), PAUSE_MILLIS);
  }

  async stop(): Promise<void> {
    if (this.timer !== undefined) {
      clearTimeout(this.timer);
      this.flush();
    }
    await this.sending;
  }

  private flush(): void {
    const meterIds = [...this.meterIds];
    this.timer = undefined;
    this.meterIds = new Set();
    this.sending = this.sending
      .then(() => notifyChange(this.deps.pool, { kind: 'readings', meterIds }))
      .catch((error: unknown) =>
        this.deps.logger.warn({ err: error }, 'other collectors could not be told of stored readings'),
      );
  }
}
