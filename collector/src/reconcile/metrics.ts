import { Counter, Gauge, type Registry } from 'prom-client';
import { sharedAnswer } from '../shared-answer.js';

/** What the reconciler tells of itself. */
export interface ReconcileObserver {
  /** A page was looked at. */
  looked(range: string, outcome: 'clean' | 'differs' | 'failed'): void;
  /** Something was read again from the chain. */
  repaired(kind: string): void;
  /** Balances were read again, whose tokens had moved past the programs. */
  refreshed(wallets: number): void;
}

export const noReconcileMetrics: ReconcileObserver = { looked() {}, repaired() {}, refreshed() {} };

/** How things stand, asked when metrics are read. */
export interface ReconcileState {
  /** When every range had been gone through, Unix seconds; undefined before the first time. */
  readonly lastRoundSeconds: number | undefined;
  /** Open differences that a second look had found too, by kind. */
  readonly differences: Readonly<Record<string, number>>;
  /** When the last whole audit was made, Unix seconds; undefined before the first. */
  readonly lastAuditSeconds: number | undefined;
}

/** The reconciler's metrics in a Prometheus registry. */
export function reconcileMetrics(
  registry: Registry,
  state: () => Promise<ReconcileState>,
): ReconcileObserver {
  const pages = new Counter({
    name: 'gtx_collector_reconcile_pages_total',
    help: 'Pages that the reconciler looked at, by range and outcome',
    labelNames: ['range', 'outcome'] as const,
    registers: [registry],
  });
  const repairs = new Counter({
    name: 'gtx_collector_reconcile_repairs_total',
    help: 'Differences for which the chain was read again, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
  });
  const refreshed = new Counter({
    name: 'gtx_collector_reconcile_balances_refreshed_total',
    help: 'Wallets whose balance was read again because their tokens moved past the programs',
    registers: [registry],
  });
  const ask = sharedAnswer(state);
  new Gauge({
    name: 'gtx_collector_reconcile_differences',
    help: 'Open differences between chain, database and wallets, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
    async collect() {
      const { differences } = await ask();
      this.reset();
      for (const [kind, count] of Object.entries(differences)) this.set({ kind }, count);
    },
  });
  const instant = (name: string, help: string, pick: (now: ReconcileState) => number | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const seconds = pick(await ask());
        if (seconds === undefined) this.remove();
        else this.set(seconds);
      },
    });
  instant(
    'gtx_collector_reconcile_last_round_timestamp_seconds',
    'When chain, database and wallets had last been compared in full, Unix seconds; absent before the first time',
    ({ lastRoundSeconds }) => lastRoundSeconds,
  );
  instant(
    'gtx_collector_audit_last_run_timestamp_seconds',
    'When the last whole audit was made, Unix seconds; absent before the first',
    ({ lastAuditSeconds }) => lastAuditSeconds,
  );
  return {
    looked: (range, outcome) => pages.inc({ range: range.replace(/^history:.*/, 'history'), outcome }),
    repaired: (kind) => repairs.inc({ kind }),
    refreshed: (wallets) => refreshed.inc(wallets),
  };
}
