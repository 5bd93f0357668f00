import type pg from 'pg';
import type { AuditReport } from '../audit/audit.js';
import { subjectOf } from '../audit/differences.js';
import { inTransaction } from '../mirror/transaction.js';
import { canLookAgain } from './ranges.js';
import { keyOf, ReconcileStore, remember } from './store.js';

/** Reports of the last so many audits are kept. */
const KEPT = 30;

/**
 * Writes an audit's report down, with its differences: a running reconciler looks at them again, repairs what reading
 * the chain again can repair, and tells a person of the rest.
 *
 * @returns the report, each difference with the time since when it is known.
 */
export async function recordAudit(pool: pg.Pool, report: AuditReport): Promise<AuditReport> {
  const store = new ReconcileStore(pool);
  const found = new Set(report.differences.map((each) => keyOf(each.kind, subjectOf(each))));
  // What nobody but an audit can see ends when an audit no longer sees it.
  if (report.differences.length === report.differenceCount) {
    for (const { id, difference, subject } of await store.open()) {
      if (!canLookAgain(difference) && !found.has(keyOf(difference.kind, subject))) await store.resolve(id);
    }
  }
  return inTransaction(pool, async (client) => {
    const since = await remember(client, report.differences, 0);
    const differences = report.differences.map((difference) => {
      const known = since.get(keyOf(difference.kind, subjectOf(difference)));
      return { ...difference, ...(known && { since: known.toISOString() }) };
    });
    const recorded: AuditReport = { ...report, differences };
    await client.query('INSERT INTO audit_reports (checked_at, ok, slot, report) VALUES ($1, $2, $3, $4)', [
      report.checkedAt,
      report.ok,
      report.slot,
      JSON.stringify(recorded),
    ]);
    await client.query('DELETE FROM audit_reports WHERE id <= (SELECT max(id) FROM audit_reports) - $1', [
      KEPT,
    ]);
    return recorded;
  });
}

/** The report of the last whole audit; undefined before the first. */
export async function lastAudit(pool: pg.Pool): Promise<AuditReport | undefined> {
  const { rows } = await pool.query<{ report: AuditReport }>(
    'SELECT report FROM audit_reports ORDER BY id DESC LIMIT 1',
  );
  return rows[0]?.report;
}
