import { Counter, type Registry } from 'prom-client';

export interface WatchMetrics {
  readonly readings: Counter;
  readonly findings: Counter<'rule'>;
}

/** The metrics of the watch over production in a Prometheus registry. */
export function watchMetrics(registry: Registry): WatchMetrics {
  const registers = [registry];
  return {
    readings: new Counter({
      name: 'gtx_collector_watch_readings_total',
      help: 'Readings that the watch over production has looked at',
      registers,
    }),
    findings: new Counter({
      name: 'gtx_collector_watch_findings_total',
      help: 'Production that is not plausible, by rule',
      labelNames: ['rule'] as const,
      registers,
    }),
  };
}
