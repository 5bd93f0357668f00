import type pg from 'pg';
import type { AlertSeverity } from '../alerts.js';
import { inTransaction } from '../mirror/transaction.js';
import type { AlertKind } from './kinds.js';
import type { Notice, NoticeEvent } from './notice.js';
import { GIVE_UP_SECONDS, REPEAT_SECONDS, retrySeconds, TRIES_TOGETHER } from './schedule.js';

/** The alert of a channel that does not get through. It is not told on that channel itself. */
export const CHANNEL_FAILED = 'alert_channel_failed' satisfies AlertKind;

const RANK = (column: string) => `array_position(ARRAY['info', 'warning', 'critical'], ${column})`;

export interface LeasedNotice extends Notice {
  readonly attempts: number;
}

/**
 * Notices on their way, in the database: what has been told of which alert on which channel. Collectors that share the
 * database share it: whoever leases a notice sends it, and one that dies with it leaves it to the others when the lease
 * ends. Times are the database's own.
 */
export class AlertOutbox {
  constructor(
    private readonly pool: pg.Pool,
    /** Names this process: leases carry it. */
    private readonly collector: string,
  ) {}

  /** Writes down what is to be told on this channel now. */
  async plan(channel: string, minimumSeverity: AlertSeverity): Promise<void> {
    await inTransaction(this.pool, async (client) => {
      // Nobody has been told, and there is nothing to tell any more.
      await client.query(
        `UPDATE alert_notices n SET state = 'dropped', current = FALSE, closed_at = now() FROM alerts a
         WHERE n.channel = $1 AND n.state = 'due' AND n.event <> 'recovered' AND n.number = 1
           AND a.id = n.alert_id AND a.resolved_at IS NOT NULL AND (n.lease_until IS NULL OR n.lease_until <= now())`,
        [channel],
      );
      await client.query(
        `INSERT INTO alert_notices (alert_id, channel, number, event, severity)
         SELECT a.id, $1, 1, 'opened', a.severity FROM alerts a
         WHERE a.resolved_at IS NULL AND ${RANK('a.severity')} >= ${RANK('$2::text')}
           AND NOT (a.kind = $3 AND a.dedupe_key = $1)
           AND NOT EXISTS (SELECT FROM alert_notices n WHERE n.alert_id = a.id AND n.channel = $1)
         ON CONFLICT DO NOTHING`,
        [channel, minimumSeverity, CHANNEL_FAILED],
      );
      // The row that is followed is locked: two collectors write its successor once.
      await client.query(
        `WITH due AS (
           SELECT n.id, n.alert_id, n.number, a.severity,
             CASE WHEN a.resolved_at IS NOT NULL THEN 'recovered'
               WHEN ${RANK('a.severity')} > ${RANK('n.severity')} THEN 'escalated' ELSE 'repeated' END AS event
           FROM alert_notices n JOIN alerts a ON a.id = n.alert_id
           WHERE n.channel = $1 AND n.current AND n.event <> 'recovered' AND (
             -- Somebody heard of it, in this notice or an earlier one, and hears that it is over.
             (a.resolved_at IS NOT NULL AND (n.state = 'sent' OR n.number > 1)
               AND (n.state <> 'due' OR n.lease_until IS NULL OR n.lease_until <= now()))
             OR (a.resolved_at IS NULL AND n.state IN ('sent', 'failed') AND (
               ${RANK('a.severity')} > ${RANK('n.severity')}
               OR (a.acknowledged_at IS NULL AND n.closed_at
                 + make_interval(secs => ($2::int[])[least(n.number, array_length($2::int[], 1))]) <= now()))))
           FOR UPDATE OF n SKIP LOCKED
         ), followed AS (
           UPDATE alert_notices n SET current = FALSE,
             state = CASE n.state WHEN 'due' THEN 'dropped' ELSE n.state END, closed_at = coalesce(n.closed_at, now())
           FROM due WHERE n.id = due.id
         )
         INSERT INTO alert_notices (alert_id, channel, number, event, severity)
         SELECT alert_id, $1, number + 1, event, severity FROM due ON CONFLICT DO NOTHING`,
        [channel, REPEAT_SECONDS],
      );
      // Given up, and over: nobody is waiting for the news.
      await client.query(
        `UPDATE alert_notices n SET current = FALSE FROM alerts a
         WHERE n.channel = $1 AND n.current AND n.state = 'failed' AND n.number = 1 AND a.id = n.alert_id
           AND a.resolved_at IS NOT NULL`,
        [channel],
      );
    });
  }

  /**
   * Takes notices of a channel that are due, oldest first.
   * @param alone those that failed too often together with others; one such notice at a time
   */
  async lease(
    channel: string,
    { limit, leaseSeconds, alone }: { limit: number; leaseSeconds: number; alone: boolean },
  ): Promise<LeasedNotice[]> {
    const { rows } = await this.pool.query<{
      id: string;
      event: NoticeEvent;
      number: number;
      attempts: number;
      alert_id: string;
      kind: string;
      dedupe_key: string;
      severity: AlertSeverity;
      message: string;
      details: Record<string, unknown>;
      occurrences: string;
      first_seen: Date;
      last_seen: Date;
      resolved_at: Date | null;
    }>(
      `WITH taken AS (
         UPDATE alert_notices SET leased_by = $2, lease_until = now() + make_interval(secs => $3),
           attempts = attempts + 1
         WHERE id IN (
           SELECT id FROM alert_notices
           WHERE channel = $1 AND state = 'due' AND next_attempt_at <= now()
             AND (lease_until IS NULL OR lease_until <= now()) AND (attempts >= $5) = $6
           -- What has failed least goes first: behind a notice that nobody takes others would wait for ever.
           ORDER BY attempts, created_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)
         RETURNING id, alert_id, event, number, attempts, created_at)
       SELECT t.id, t.event, t.number, t.attempts, a.id AS alert_id, a.kind, a.dedupe_key, a.severity, a.message,
         a.details, a.occurrences, a.first_seen, a.last_seen, a.resolved_at
       FROM taken t JOIN alerts a ON a.id = t.alert_id ORDER BY t.created_at, t.id`,
      [channel, this.collector, leaseSeconds, alone ? 1 : limit, TRIES_TOGETHER, alone],
    );
    return rows.map((row) => ({
      id: row.id,
      event: row.event,
      number: row.number,
      attempts: row.attempts,
      alert: {
        id: row.alert_id,
        kind: row.kind,
        key: row.dedupe_key,
        severity: row.severity,
        message: row.message,
        details: row.details,
        occurrences: Number(row.occurrences),
        firstSeen: row.first_seen,
        lastSeen: row.last_seen,
        resolvedAt: row.resolved_at ?? undefined,
      },
    }));
  }

  /** They have been taken. */
  async sent(notices: readonly LeasedNotice[]): Promise<void> {
    await this.pool.query(
      `UPDATE alert_notices SET state = 'sent', closed_at = now(), leased_by = NULL, lease_until = NULL, error = NULL,
         current = current AND event <> 'recovered'
       WHERE id = ANY($1::uuid[]) AND state = 'due'`,
      [notices.map(({ id }) => id)],
    );
  }

  /** They have not been taken: they are tried again later, or given up. */
  async failed(notices: readonly LeasedNotice[], error: string): Promise<void> {
    await this.pool.query(
      `UPDATE alert_notices n SET leased_by = NULL, lease_until = NULL, error = $4,
         next_attempt_at = now() + make_interval(secs => f.seconds),
         state = CASE WHEN n.created_at < now() - make_interval(secs => $5) THEN 'failed' ELSE 'due' END,
         closed_at = CASE WHEN n.created_at < now() - make_interval(secs => $5) THEN now() END
       FROM unnest($1::uuid[], $2::int[]) AS f (id, seconds)
       WHERE n.id = f.id AND n.leased_by = $3 AND n.state = 'due'`,
      [
        notices.map(({ id }) => id),
        notices.map(({ attempts }) => retrySeconds(attempts)),
        this.collector,
        error.slice(0, 500),
        GIVE_UP_SECONDS,
      ],
    );
  }

  /** Gives back at a clean stop what was leased and not sent. */
  async abandon(): Promise<void> {
    await this.pool.query(
      `UPDATE alert_notices SET leased_by = NULL, lease_until = NULL WHERE leased_by = $1 AND state = 'due'`,
      [this.collector],
    );
  }
}
