import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ChainMetrics } from './chain.js';

/** The library's gauges that end in `_total`, which only counters may, and their sums by kind of handle. */
const UNCONVENTIONAL = ['active_resources', 'active_handles', 'active_requests'].flatMap((name) => [
  `nodejs_${name}`,
  `nodejs_${name}_total`,
]);

/** Prometheus metrics of one localnet. Each instance has its own registry, so that several fit in a process. */
export class Metrics implements ChainMetrics {
  readonly registry = new Registry();
  readonly #commits = new Histogram({
    name: 'gtx_localnet_commit_duration_seconds',
    help: 'Time to execute and commit one group of transactions',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [this.registry],
  });
  readonly #groups = new Histogram({
    name: 'gtx_localnet_commit_transactions',
    help: 'Transactions per commit',
    buckets: [1, 2, 5, 10, 20, 50, 100],
    registers: [this.registry],
  });
  readonly #transactions = new Counter({
    name: 'gtx_localnet_transactions_total',
    help: 'Transactions by what became of them',
    labelNames: ['result'],
    registers: [this.registry],
  });
  readonly #requests = new Counter({
    name: 'gtx_localnet_rpc_requests_total',
    help: 'JSON-RPC requests by method and error code (0: none)',
    labelNames: ['method', 'code'],
    registers: [this.registry],
  });

  constructor(sources: {
    slot: () => number;
    healthy: () => boolean;
    connections: () => number;
    subscriptions: () => number;
  }) {
    collectDefaultMetrics({ register: this.registry });
    for (const name of UNCONVENTIONAL) this.registry.removeSingleMetric(name);
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    gauge('gtx_localnet_slot', 'Current slot', sources.slot);
    gauge('gtx_localnet_healthy', '1 while the journal takes writes', () => (sources.healthy() ? 1 : 0));
    gauge('gtx_localnet_websocket_connections', 'Open WebSocket connections', sources.connections);
    gauge('gtx_localnet_subscriptions', 'Active subscriptions', sources.subscriptions);
  }

  observeCommit(transactions: number, seconds: number): void {
    this.#commits.observe(seconds);
    this.#groups.observe(transactions);
  }

  countOutcome(result: 'success' | 'failed' | 'rejected'): void {
    this.#transactions.inc({ result });
  }

  /** @param method a method that exists, or 'unknown' */
  countRequest(method: string, code: number): void {
    this.#requests.inc({ method, code });
  }
}

/** A registry with every metric of a localnet, without one: for their table. */
export const localnetRegistry = (): Registry =>
  new Metrics({ slot: () => 0, healthy: () => true, connections: () => 0, subscriptions: () => 0 }).registry;
