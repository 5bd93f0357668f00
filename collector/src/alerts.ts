import type { NoticeFacts } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { AlertKind } from './alerts/kinds.js';

export type AlertSeverity = 'info' | 'warning' | 'critical';

interface AlertOf<Kind extends AlertKind> {
  /** What kind of trouble. */
  kind: Kind;
  /** What it is about (a meter, a transaction): while an alert is open, the same kind and key count up. */
  key: string;
  severity: AlertSeverity;
  message: string;
  /** What it is about as data: the facts of its kind, from which others make a sentence, and whatever else helps. */
  details: NoticeFacts<Kind> & Readonly<Record<string, unknown>>;
}
export type AlertInput = { [Kind in AlertKind]: AlertOf<Kind> }[AlertKind];

/**
 * Alerts for operators: one open row in `alerts` for each (kind, key), and a log line for each new one.
 * Raising and resolving never throw: trouble with the alert must not add to the trouble it tells of.
 */
export class Alerts {
  constructor(
    private readonly pool: pg.Pool,
    private readonly logger: Logger,
  ) {}

  async raise(alert: AlertInput): Promise<void> {
    const { kind, key, severity, message, details } = alert;
    const log = { alert: kind, key, severity, ...details };
    try {
      const { rows } = await this.pool.query<{ occurrences: string }>(
        `INSERT INTO alerts (kind, dedupe_key, severity, message, details) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, dedupe_key) WHERE resolved_at IS NULL
         DO UPDATE SET occurrences = alerts.occurrences + 1, last_seen = now(), severity = excluded.severity,
           message = excluded.message, details = excluded.details
         RETURNING occurrences`,
        [kind, key, severity, message, JSON.stringify(details, jsonBigint)],
      );
      if (rows[0]?.occurrences === '1') this.logger.warn(log, message);
      else this.logger.debug(log, message);
    } catch (error) {
      this.logger.error({ ...log, err: error }, `${message} (and this alert could not be stored)`);
    }
  }

  /** Closes the open alert of this kind and key, if there is one. */
  async resolve(kind: AlertKind, key: string): Promise<void> {
    try {
      const { rowCount } = await this.pool.query(
        'UPDATE alerts SET resolved_at = now() WHERE kind = $1 AND dedupe_key = $2 AND resolved_at IS NULL',
        [kind, key],
      );
      if ((rowCount ?? 0) > 0) this.logger.info({ alert: kind, key }, 'alert resolved');
    } catch (error) {
      this.logger.error({ alert: kind, key, err: error }, 'an alert could not be resolved');
    }
  }
}

function jsonBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
