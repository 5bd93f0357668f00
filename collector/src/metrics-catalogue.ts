/** Every metric that collector and publisher expose, without a running one: for their table and its tests. */
import type { Registry } from 'prom-client';
import { deliveryMetrics } from './alerts/metrics.js';
import { certificatesMetrics } from './certificates/metrics.js';
import { fleetMetrics } from './fleet/metrics.js';
import { relayMetrics, requestMetrics } from './http/metrics.js';
import { liveMetrics } from './live/metrics.js';
import { loginMetrics } from './login/metrics.js';
import { matchingMetrics } from './matching/metrics.js';
import { Metrics } from './metrics.js';
import { mirrorMetrics } from './mirror/metrics.js';
import { rollupMetrics } from './overview/metrics.js';
import { PublisherMetrics } from './publisher/metrics.js';
import { reconcileMetrics } from './reconcile/metrics.js';
import { settlementMetrics } from './settlement/metrics.js';
import { watchMetrics } from './watch/metrics.js';

/** The collector's, all parts switched on. */
export function collectorRegistry(): Registry {
  const metrics = new Metrics();
  metrics.collectProcess();
  const { registry } = metrics;
  const nothing = async () => [];
  requestMetrics(registry);
  relayMetrics(registry);
  deliveryMetrics(registry, { alerts: nothing, reviews: nothing, due: nothing });
  certificatesMetrics(registry);
  fleetMetrics(registry, async () => undefined);
  liveMetrics(registry);
  loginMetrics(registry);
  matchingMetrics(registry, () => []);
  mirrorMetrics(registry, async () => undefined);
  rollupMetrics(registry);
  reconcileMetrics(registry, async () => ({
    lastRoundSeconds: undefined,
    differences: {},
    lastAuditSeconds: undefined,
  }));
  settlementMetrics(registry, async () => ({
    meters: 0,
    readings: 0,
    lagSeconds: 0,
    openSettlements: 0,
    reviews: 0,
  }));
  watchMetrics(registry);
  return registry;
}

export const publisherRegistry = (): Registry => new PublisherMetrics().registry;
