import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import type { AuditFigures, AuditReport } from '../../audit/index.js';
import { lastAudit, ReconcileStore } from '../../reconcile/index.js';
import { getAudit } from '../audit-schemas.js';
import { type HttpContext, serve } from '../route.js';

/** Open differences that are shown. */
const SHOWN = 200;

/** What comparing chain, database and wallets has found. */
export function auditRoutes(app: FastifyInstance, context: HttpContext, { pool }: { pool: pg.Pool }): void {
  const store = new ReconcileStore(pool);
  serve(app, context, getAudit, async () => {
    const [last, open, rounds] = await Promise.all([lastAudit(pool), store.open(SHOWN), store.progress()]);
    const iso = (date: Date | undefined) => date?.toISOString() ?? null;
    return {
      last: last === undefined ? null : snakeCase(asShown(last)),
      open: open.map((one) => ({
        id: one.id,
        subject: one.subject,
        difference: snakeCase(one.difference),
        first_seen: one.firstSeen.toISOString(),
        last_seen: one.lastSeen.toISOString(),
        looks: one.looks,
        confirmed_at: iso(one.confirmedAt),
        repair: one.repair ?? null,
        repaired_at: iso(one.repairedAt),
      })),
      rounds: rounds.map(({ name, rounds: count, roundFinishedAt, error }) => ({
        name,
        rounds: count,
        finished_at: iso(roundFinishedAt),
        error: error ?? null,
      })),
    };
  });
}

/** Without the network; what was compared of energy as a field of its own. Reports from before that was done are kept too. */
function asShown({ genesisHash, figures, ...rest }: AuditReport) {
  const { energy, ...others }: Partial<AuditFigures> = figures;
  return { ...rest, energy: energy ?? null, figures: others };
}

/** As everything else in this interface is named. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCase(inner),
    ]),
  );
}
