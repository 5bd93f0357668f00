import { Counter, Gauge, type Registry } from 'prom-client';

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
  /** Seconds since every range had been gone through; undefined before the first time. */
  readonly roundAgeSeconds: number | undefined;
  /** Open differences that a second look had found too, by kind. */
  readonly differences: Readonly<Record<string, number>>;
  /** Seconds since the last whole audit; undefined before the first. */
  readonly auditAgeSeconds: number | undefined;
}

/** The reconciler's metrics in a Prometheus registry. */
export function reconcileMetrics(
  registry: Registry,
  state: () => Promise<ReconcileState>,
): ReconcileObserver {
  const pages = new Counter({
    name: 'gtx_reconcile_pages_total',
    help: 'Pages that the reconciler looked at, by range and outcome',
    labelNames: ['range', 'outcome'] as const,
    registers: [registry],
  });
  const repairs = new Counter({
    name: 'gtx_reconcile_repairs_total',
    help: 'Differences for which the chain was read again, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
  });
  const refreshed = new Counter({
    name: 'gtx_reconcile_balances_refreshed_total',
    help: 'Wallets whose balance was read again because their tokens moved past the programs',
    registers: [registry],
  });
  new Gauge({
    name: 'gtx_reconcile_differences',
    help: 'Open differences between chain, database and wallets, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
    async collect() {
      const { differences } = await state();
      this.reset();
      for (const [kind, count] of Object.entries(differences)) this.set({ kind }, count);
    },
  });
  const age = (name: string, help: string, pick: (now: ReconcileState) => number | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const seconds = pick(await state());
        if (seconds === undefined) this.remove();
        else this.set(seconds);
      },
    });
  age(
    'gtx_reconcile_round_age_seconds',
    'Time since chain, database and wallets had been compared in full; absent before the first time',
    ({ roundAgeSeconds }) => roundAgeSeconds,
  );
  age(
    'gtx_audit_age_seconds',
    'Time since the last whole audit; absent before the first',
    ({ auditAgeSeconds }) => auditAgeSeconds,
  );
  return {
    looked: (range, outcome) => pages.inc({ range: range.replace(/^history:.*/, 'history'), outcome }),
    repaired: (kind) => repairs.inc({ kind }),
    refreshed: (wallets) => refreshed.inc(wallets),
  };
}
