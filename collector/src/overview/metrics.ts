import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the adding up of readings reports. */
export interface RollupMetrics {
  /** A step that counted so many readings. */
  counted(readings: number, seconds: number): void;
  late(readings: number): void;
  caughtUp(nowMillis: number): void;
  failed(): void;
}

export const noRollupMetrics: RollupMetrics = { counted() {}, late() {}, caughtUp() {}, failed() {} };

/** Metrics in a Prometheus registry. */
export function rollupMetrics(registry: Registry): RollupMetrics {
  const registers = [registry];
  const readings = new Counter({
    name: 'gtx_collector_rollup_readings_total',
    help: 'Readings whose energy was added up, by whether they came in order or after a later one',
    labelNames: ['kind'] as const,
    registers,
  });
  const steps = new Histogram({
    name: 'gtx_collector_rollup_step_duration_seconds',
    help: 'Duration of one step of adding up',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const caughtUp = new Gauge({
    name: 'gtx_collector_rollup_caught_up_timestamp_seconds',
    help: 'When this collector last found nothing more to add up, Unix seconds',
    registers,
  });
  const failures = new Counter({
    name: 'gtx_collector_rollup_failures_total',
    help: 'Interruptions of the adding up',
    registers,
  });
  return {
    counted: (count, seconds) => {
      readings.inc({ kind: 'in_order' }, count);
      steps.observe(seconds);
    },
    late: (count) => readings.inc({ kind: 'late' }, count),
    caughtUp: (nowMillis) => caughtUp.set(nowMillis / 1000),
    failed: () => failures.inc(),
  };
}
