import type pg from 'pg';
import type { LandedTransaction } from '../mirror/landed.js';
import type { Differences } from './differences.js';
import { compareEventRows, type TradeFigures } from './events.js';

/** What comparing transactions found beside differences. */
export interface TransactionFindings extends TradeFigures {
  /** Transactions that the database has not applied: they may be in flight. */
  readonly missing: readonly string[];
}

/**
 * Compares executed transactions, as the chain tells them, with what the database has of them: every stored event, and
 * every row that repeats a single event.
 */
export async function compareTransactions(
  db: Pick<pg.ClientBase, 'query'>,
  transactions: readonly LandedTransaction[],
  differences: Differences,
): Promise<TransactionFindings> {
  const { rows } = await db.query<{ signature: string; events: [number, string, unknown][] | null }>(
    `SELECT t.signature, (SELECT json_agg(json_build_array(e.event_index, e.name, e.data) ORDER BY e.event_index)
       FROM chain_events e WHERE e.signature = t.signature) AS events
     FROM chain_transactions t WHERE t.signature = ANY($1::text[])`,
    [transactions.map(({ signature }) => signature)],
  );
  const stored = new Map(rows.map(({ signature, events }) => [signature, events ?? []]));
  const missing: string[] = [];
  const applied: LandedTransaction[] = [];
  for (const transaction of transactions) {
    const { signature, events } = transaction;
    const found = stored.get(signature);
    if (!found) {
      missing.push(signature);
      continue;
    }
    applied.push(transaction);
    const expected = canonical(events.map(({ index, name, json }) => [index, name, json]));
    const actual = canonical(found);
    if (expected !== actual) differences.add('EVENT_DIFFERS', { signature, expected, actual });
  }
  return { ...(await compareEventRows(db, applied, differences)), missing };
}

/** JSON with sorted keys: jsonb does not keep their order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
