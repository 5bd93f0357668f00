import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Told of what the matcher does: for metrics. */
export interface MatchingObserver {
  /** Whether this collector is the one that matches. */
  leading(leads: boolean): void;
  /** A transaction was executed; how many trades it made. */
  confirmed(trades: number): void;
  failed(): void;
  expired(): void;
  /** Orders were returned to their owners. */
  returned(orders: number): void;
  /** From the plan to the confirmation. */
  took(seconds: number): void;
  /** The chain refused a pair, or passed over it. */
  refused(error: string): void;
  /** Nothing of a market can trade now, or not yet. */
  waiting(reason: string): void;
  outage(): void;
}

export const noMatchingMetrics: MatchingObserver = {
  leading() {},
  confirmed() {},
  failed() {},
  expired() {},
  returned() {},
  took() {},
  refused() {},
  waiting() {},
  outage() {},
};

/** What the books hold, asked when metrics are read. */
export interface BookFigures {
  market: string;
  sells: number;
  buys: number;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** The matcher's metrics in a Prometheus registry. */
export function matchingMetrics(registry: Registry, books: () => BookFigures[]): MatchingObserver {
  const registers = [registry];
  const leading = new Gauge({
    name: 'gtx_collector_matching_leading',
    help: '1 on the collector that matches',
    registers,
  });
  const transactions = new Counter({
    name: 'gtx_collector_matching_transactions_total',
    help: 'Transactions of the matcher by what became of them',
    labelNames: ['state'] as const,
    registers,
  });
  const trades = new Counter({
    name: 'gtx_collector_matching_trades_total',
    help: 'Trades brought about',
    registers,
  });
  const returned = new Counter({
    name: 'gtx_collector_matching_returned_orders_total',
    help: 'Expired orders returned to their owners',
    registers,
  });
  const seconds = new Histogram({
    name: 'gtx_collector_matching_duration_seconds',
    help: 'Time from a plan to its confirmation',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    registers,
  });
  const refusals = new Counter({
    name: 'gtx_collector_matching_refusals_total',
    help: 'Pairs that the chain refused, by error',
    labelNames: ['error'] as const,
    registers,
  });
  const waits = new Counter({
    name: 'gtx_collector_matching_waits_total',
    help: 'Times that nothing of a market could trade, or not yet, by reason',
    labelNames: ['reason'] as const,
    registers,
  });
  const outages = new Counter({
    name: 'gtx_collector_matching_outages_total',
    help: 'Runs that ended because chain or database did not answer',
    registers,
  });
  new Gauge({
    name: 'gtx_collector_market_open_orders',
    help: 'Open orders in the books of all markets, by side',
    labelNames: ['side'] as const,
    registers,
    collect() {
      const all = books();
      this.set({ side: 'sell' }, sum(all.map(({ sells }) => sells)));
      this.set({ side: 'buy' }, sum(all.map(({ buys }) => buys)));
    },
  });
  return {
    leading: (leads) => leading.set(leads ? 1 : 0),
    confirmed: (count) => {
      transactions.inc({ state: 'confirmed' });
      trades.inc(count);
    },
    failed: () => transactions.inc({ state: 'failed' }),
    expired: () => transactions.inc({ state: 'expired' }),
    returned: (count) => returned.inc(count),
    took: (duration) => seconds.observe(duration),
    refused: (error) => refusals.inc({ error }),
    waiting: (reason) => waits.inc({ reason }),
    outage: () => outages.inc(),
  };
}
