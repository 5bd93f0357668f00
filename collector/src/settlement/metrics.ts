import { Counter, Gauge, type Registry } from 'prom-client';
import { sharedAnswer } from '../shared-answer.js';
import type { SettlementObserver } from './engine.js';

export const noSettlementMetrics: SettlementObserver = {
  prepared() {},
  confirmed() {},
  finalized() {},
  dropped() {},
  expired() {},
  refused() {},
  waiting() {},
  outage() {},
};

/** What waits for settlement, asked when metrics are read. */
export interface Backlog {
  readonly meters: number;
  readonly readings: number;
  /** Age of the oldest waiting reading in seconds; 0 when nothing waits. */
  readonly lagSeconds: number;
  readonly openSettlements: number;
  readonly reviews: number;
}

/** Settlement's metrics in a Prometheus registry. */
export function settlementMetrics(registry: Registry, backlog: () => Promise<Backlog>): SettlementObserver {
  const settlements = new Counter({
    name: 'gtx_collector_settlement_transactions_total',
    help: 'Settlement transactions by what became of them',
    labelNames: ['state'] as const,
    registers: [registry],
  });
  const meters = new Counter({
    name: 'gtx_collector_settlement_meters_total',
    help: 'Meters settled, once for each settlement',
    registers: [registry],
  });
  const refusals = new Counter({
    name: 'gtx_collector_settlement_refusals_total',
    help: 'Attempts that the chain refused, by error',
    labelNames: ['error'] as const,
    registers: [registry],
  });
  const waits = new Counter({
    name: 'gtx_collector_settlement_waits_total',
    help: 'Meters put off because a condition outside is missing, by reason',
    labelNames: ['reason'] as const,
    registers: [registry],
  });
  const outages = new Counter({
    name: 'gtx_collector_settlement_outages_total',
    help: 'Runs that ended because the chain did not answer',
    registers: [registry],
  });
  const ask = sharedAnswer(backlog);
  const gauge = (name: string, help: string, pick: (now: Backlog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(pick(await ask()));
      },
    });
  gauge(
    'gtx_collector_settlement_pending_meters',
    'Meters with readings that wait for their mint',
    ({ meters }) => meters,
  );
  gauge(
    'gtx_collector_settlement_pending_readings',
    'Readings that wait for their mint',
    ({ readings }) => readings,
  );
  gauge(
    'gtx_collector_settlement_lag_seconds',
    'Age of the oldest reading that waits for its mint',
    ({ lagSeconds }) => lagSeconds,
  );
  gauge(
    'gtx_collector_settlement_open_transactions',
    'Settlements whose outcome is unknown yet',
    ({ openSettlements }) => openSettlements,
  );
  gauge(
    'gtx_collector_settlement_open_reviews',
    'Open reviews: meters that settle nothing until a person decides',
    ({ reviews }) => reviews,
  );
  return {
    prepared: () => settlements.inc({ state: 'prepared' }),
    confirmed: (count) => {
      settlements.inc({ state: 'confirmed' });
      meters.inc(count);
    },
    finalized: () => settlements.inc({ state: 'finalized' }),
    dropped: () => settlements.inc({ state: 'dropped' }),
    expired: () => settlements.inc({ state: 'expired' }),
    refused: ({ name }) => refusals.inc({ error: name }),
    waiting: (reason) => waits.inc({ reason }),
    outage: () => outages.inc(),
  };
}
