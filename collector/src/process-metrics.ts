import { collectDefaultMetrics, type Registry } from 'prom-client';

/** The library's gauges that end in `_total`, which only counters may, and their sums by kind of handle. */
const UNCONVENTIONAL = ['active_resources', 'active_handles', 'active_requests'].flatMap((name) => [
  `nodejs_${name}`,
  `nodejs_${name}_total`,
]);

/** The process's own figures (memory, processor time, event loop, garbage collection), by the library's names. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of UNCONVENTIONAL) registry.removeSingleMetric(name);
}
