import type { NoticeFacts } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { AlertKind } from './alerts/kinds.js';
import { storageFailure } from './store/errors.js';

export type AlertSeverity = 'info' | 'warning' | 'critical';

interface AlertOf<
  Kind extends AlertKind,
  Facts extends Readonly<Record<string, unknown>> = NoticeFacts<Kind> & Readonly<Record<string, unknown>>,
> {
  /** What kind of trouble. */
  kind: Kind;
  /** What it is about (a meter, a transaction): while an alert is open, the same kind and key count up. */
  key: string;
  severity: AlertSeverity;
  message: string;
  /** What it is about as data: the facts of its kind, from which others make a sentence, and whatever else helps. */
  details: Facts;
}
export type AlertInput = { [Kind in AlertKind]: AlertOf<Kind> }[AlertKind];

/**
 * Alerts for operators: one open row in `alerts` for each (kind, key), and a log line for each new one.
 * Raising and resolving never throw: trouble with the alert must not add to the trouble it tells of.
 */
export class Alerts {
  /** What was said already of what could not be stored. */
  private readonly said = new Set<string>();

  constructor(
    private readonly pool: pg.Pool,
    private readonly logger: Logger,
  ) {}

  async raise(alert: AlertInput): Promise<void> {
    try {
      this.log(alert, await openAlert(this.pool, alert));
      this.said.clear();
    } catch (error) {
      this.logger[this.levelOf(error, `raise ${alert.kind} ${alert.key}`)](
        { ...logOf(alert), err: error },
        `${alert.message} (and this alert could not be stored)`,
      );
    }
  }

  /** The log's line of an alert that the caller's own transaction has stored. */
  log(alert: AlertInput, opened: boolean): void {
    this.logger[opened ? 'warn' : 'debug'](logOf(alert), alert.message);
  }

  /** Closes the open alert of this kind and key, if there is one. @returns false when the database could not be asked */
  resolve(kind: AlertKind, key: string): Promise<boolean> {
    return this.end(kind, key, endAlerts(this.pool, kind, [key]));
  }

  /** Closes the open alert of this kind and key if nobody has raised it for long. @returns as {@link resolve} */
  resolveForsaken(kind: AlertKind, key: string): Promise<boolean> {
    return this.end(kind, key, endForsaken(this.pool, kind, key));
  }

  private async end(kind: AlertKind, key: string, ended: Promise<number>): Promise<boolean> {
    try {
      const count = await ended;
      this.said.clear();
      if (count > 0) this.logger.info({ alert: kind, key }, 'alert resolved');
      return true;
    } catch (error) {
      const level = this.levelOf(error, `resolve ${kind} ${key}`);
      this.logger[level]({ alert: kind, key, err: error }, 'an alert could not be resolved');
      return false;
    }
  }

  /** While the database is away the same is tried again and again: it is said once. */
  private levelOf(error: unknown, what: string): 'debug' | 'error' {
    const again = this.said.has(what) && storageFailure(error) === 'unavailable';
    this.said.add(what);
    return again ? 'debug' : 'error';
  }
}

/**
 * Opens an alert, or counts up the open one of its kind and key. In the caller's transaction where what it tells of is
 * written: then neither is ever without the other. @returns whether it is new. @throws the database's error
 */
export async function openAlert(
  db: Pick<pg.ClientBase, 'query'>,
  alert: AlertOf<AlertKind, Readonly<Record<string, unknown>>>,
): Promise<boolean> {
  const { kind, key, severity, message, details } = alert;
  const { rows } = await db.query<{ occurrences: string }>(
    `INSERT INTO alerts (kind, dedupe_key, severity, message, details) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (kind, dedupe_key) WHERE resolved_at IS NULL
     DO UPDATE SET occurrences = alerts.occurrences + 1, last_seen = now(), severity = excluded.severity,
       message = excluded.message, details = excluded.details
     RETURNING occurrences`,
    [kind, key, severity, message, JSON.stringify(details, jsonBigint)],
  );
  return rows[0]?.occurrences === '1';
}

/** Closes the open alerts of this kind with these keys. @returns how many there were. @throws the database's error */
export async function endAlerts(
  db: Pick<pg.ClientBase, 'query'>,
  kind: AlertKind,
  keys: readonly string[],
): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE alerts SET resolved_at = now()
     WHERE kind = $1 AND dedupe_key = ANY($2::text[]) AND resolved_at IS NULL`,
    [kind, keys],
  );
  return rowCount ?? 0;
}

/**
 * Closes the open alert of this kind and key if it was not raised for a quarter of an hour: whoever raises such an alert does so
 * again with each failure, half a minute apart at most. @returns as {@link endAlerts}. @throws the database's error
 */
async function endForsaken(db: Pick<pg.ClientBase, 'query'>, kind: AlertKind, key: string): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE alerts SET resolved_at = now() WHERE kind = $1 AND dedupe_key = $2 AND resolved_at IS NULL
       AND last_seen < now() - interval '15 minutes'`,
    [kind, key],
  );
  return rowCount ?? 0;
}

function logOf({ kind, key, severity, details }: AlertInput): Record<string, unknown> {
  return { alert: kind, key, severity, ...details };
}

/** For `JSON.stringify`: an amount is written as text. */
export function jsonBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
