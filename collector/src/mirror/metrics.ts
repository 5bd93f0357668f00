import { Counter, Gauge, type Registry } from 'prom-client';

/** What the mirror reports. */
export interface MirrorMetrics {
  applied(transactions: number, events: number): void;
  failed(): void;
  /** Everything up to `slot` is applied. */
  caughtUp(slot: number, nowMs: number): void;
  /** So many listed transactions are not applied yet. */
  queued(transactions: number): void;
}

export const noMirrorMetrics: MirrorMetrics = { applied() {}, failed() {}, caughtUp() {}, queued() {} };

/**
 * Metrics in a Prometheus registry.
 * @param currentSlot asks the chain for its slot when metrics are read; undefined when it does not answer.
 */
export function mirrorMetrics(
  registry: Registry,
  currentSlot: () => Promise<number | undefined>,
): MirrorMetrics {
  let mirrored = 0;
  const applied = new Counter({
    name: 'gtx_collector_mirror_transactions_total',
    help: 'Transactions of the programs applied to the database',
    registers: [registry],
  });
  const events = new Counter({
    name: 'gtx_collector_mirror_events_total',
    help: 'Events of the programs written to the database',
    registers: [registry],
  });
  const failures = new Counter({
    name: 'gtx_collector_mirror_failures_total',
    help: 'Looks at the chain that failed',
    registers: [registry],
  });
  const queued = new Gauge({
    name: 'gtx_collector_mirror_queued_transactions',
    help: 'Listed transactions that are not applied yet',
    registers: [registry],
  });
  const caughtUpAt = new Gauge({
    name: 'gtx_collector_mirror_caught_up_timestamp_seconds',
    help: 'When the mirror last had everything, Unix seconds; it looks every two seconds without news',
    registers: [registry],
  });
  new Gauge({
    name: 'gtx_collector_mirror_lag_slots',
    help: 'Slots between the chain and what is mirrored of it; -1 while the chain does not answer',
    registers: [registry],
    async collect() {
      const slot = await currentSlot();
      this.set(slot === undefined ? -1 : Math.max(0, slot - mirrored));
    },
  });
  return {
    applied: (transactions, logged) => {
      applied.inc(transactions);
      events.inc(logged);
    },
    failed: () => failures.inc(),
    caughtUp: (slot, nowMs) => {
      mirrored = slot;
      caughtUpAt.set(nowMs / 1000);
    },
    queued: (transactions) => queued.set(transactions),
  };
}
