import pg from 'pg';
import type { Logger } from 'pino';

/** Two numbers that name the matcher's lock in a database: "gtx!", and which one of ours. */
const LOCK = [0x67_74_78_21, 1] as const;
const QUERY_MILLIS = 5_000;

export interface MatcherLockDeps {
  databaseUrl: string;
  logger: Logger;
}

/**
 * Which of the collectors on one database matches: whoever has the advisory lock of a connection of its own.
 *
 * Postgres gives the lock up with the connection: at once when the process that has it is killed, and within some 11 s when
 * its machine no longer answers (TCP keepalive). No lease has to run out, and a pause of the process that has it (garbage
 * collection, a suspended laptop) loses nothing while its machine still answers.
 *
 * One that has lost the lock without noticing may still send a transaction. That needs no fencing: the chain decides each
 * trade by the orders' accounts, and a pair that has traded is refused the second time.
 */
export class MatcherLock {
  private client: pg.Client | undefined;
  private has = false;

  constructor(private readonly deps: MatcherLockDeps) {}

  get held(): boolean {
    return this.has;
  }

  /**
   * Takes the lock if nobody has it, and finds out whether it is still ours.
   * @returns whether this collector is the one that matches. An unreachable database: no.
   */
  async hold(): Promise<boolean> {
    try {
      const client = this.client ?? (await this.connect());
      if (this.has) await client.query('SELECT 1');
      else {
        const { rows } = await client.query<{ locked: boolean }>(
          'SELECT pg_try_advisory_lock($1, $2) AS locked',
          [...LOCK],
        );
        this.has = rows[0]?.locked === true && this.client === client;
      }
    } catch (error) {
      this.deps.logger.debug({ err: error }, "the matcher's lock cannot be asked for");
      await this.drop();
    }
    return this.has;
  }

  /** Gives the lock up. */
  async release(): Promise<void> {
    await this.drop();
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.deps.databaseUrl,
      connectionTimeoutMillis: QUERY_MILLIS,
      query_timeout: QUERY_MILLIS,
      keepAlive: true,
      application_name: 'gtx-matcher',
    });
    const lost = () => {
      if (this.client !== client) return;
      if (this.has) this.deps.logger.warn("the matcher's lock was lost with its connection");
      this.client = undefined;
      this.has = false;
    };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    this.client = client;
    // So that the server notices a machine that is gone. Without effect where the platform has no such setting.
    for (const setting of [
      'tcp_keepalives_idle = 5',
      'tcp_keepalives_interval = 2',
      'tcp_keepalives_count = 3',
      'idle_session_timeout = 0',
    ]) {
      await client.query(`SET ${setting}`);
    }
    return client;
  }

  private async drop(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    this.has = false;
    // The end of the connection ends the lock; one that is broken is closed by the server.
    await client?.end().catch((error: unknown) => {
      this.deps.logger.debug({ err: error }, "the matcher's connection did not end cleanly");
    });
  }
}
