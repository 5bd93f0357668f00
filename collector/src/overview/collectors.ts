import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type pg from 'pg';
import type { Logger } from 'pino';

export interface CollectorsDeps {
  readonly pool: pg.Pool;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly version: string;
  /** What this collector does beside taking readings, of what only one does at a time. */
  readonly roles: () => string[];
}

const BEAT_MILLIS = 10_000;
/** A collector that has said nothing for so long is forgotten. */
const FORGOTTEN = '1 hour';

export interface CollectorRow {
  readonly id: string;
  readonly version: string;
  readonly roles: string[];
  readonly startedAt: Date;
  readonly lastSeen: Date;
}

/** Says every ten seconds that this collector is there, and knows which others have said so. */
export class Collectors {
  readonly id = `${hostname().slice(0, 64)}-${randomUUID().slice(0, 8)}`;
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> = Promise.resolve();
  private startedAt = 0;

  constructor(private readonly deps: CollectorsDeps) {}

  async start(): Promise<void> {
    this.startedAt = this.deps.now();
    await this.beat();
    this.timer = setInterval(() => {
      this.beating = this.beat();
    }, BEAT_MILLIS);
    this.timer.unref();
  }

  /** Says that it has gone. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.beating;
    await this.deps.pool
      .query('DELETE FROM collectors WHERE id = $1', [this.id])
      .catch((error: unknown) =>
        this.deps.logger.debug({ err: error }, 'the end of this collector could not be written down'),
      );
  }

  /** @throws the database's error */
  async list(): Promise<CollectorRow[]> {
    const { rows } = await this.deps.pool.query(
      'SELECT id, version, roles, started_at, last_seen FROM collectors ORDER BY started_at, id LIMIT 1000',
    );
    return rows.map((row) => ({
      id: row.id,
      version: row.version,
      roles: row.roles,
      startedAt: row.started_at,
      lastSeen: row.last_seen,
    }));
  }

  private async beat(): Promise<void> {
    const { pool, version, roles, logger } = this.deps;
    try {
      await pool.query(
        `INSERT INTO collectors (id, version, roles, started_at) VALUES ($1, $2, $3, to_timestamp($4))
         ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, last_seen = now()`,
        [this.id, version, roles(), this.startedAt / 1000],
      );
      await pool.query(`DELETE FROM collectors WHERE last_seen < now() - interval '${FORGOTTEN}'`);
    } catch (error) {
      // The next one will do; whether the database is away is told elsewhere.
      logger.debug({ err: error }, 'this collector could not say that it is there');
    }
  }
}
