import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { FleetSummary } from './schemas.js';

export interface FleetMetrics {
  messages: Counter<'kind' | 'outcome'>;
  rows: Counter<'kind'>;
  waiting: Gauge<'kind'>;
  writeSeconds: Histogram;
  writeFailures: Counter<'reason'>;
}

/** @param summary the figures, counted once for all who ask at a time; undefined while they cannot be told */
export function fleetMetrics(
  registry: Registry,
  summary: () => Promise<FleetSummary | undefined>,
): FleetMetrics {
  const registers = [registry];
  new Gauge({
    name: 'gtx_collector_fleet_meters',
    help: 'Meters by the state of their gateway (online, silent, offline, never)',
    labelNames: ['state'],
    registers,
    async collect() {
      const figures = await summary();
      if (figures === undefined) return;
      for (const [state, meters] of Object.entries(figures.states)) this.set({ state }, meters);
    },
  });
  new Gauge({
    name: 'gtx_collector_fleet_problem_meters',
    help: 'Meters by the problem that their gateway reported last (clock, bus, outbox, alerts)',
    labelNames: ['problem'],
    registers,
    async collect() {
      const figures = await summary();
      if (figures === undefined) return;
      for (const [problem, meters] of Object.entries(figures.problems)) this.set({ problem }, meters);
    },
  });
  new Gauge({
    name: 'gtx_collector_fleet_outbox_readings',
    help: 'Readings that gateways said they still have to deliver',
    registers,
    async collect() {
      const figures = await summary();
      if (figures !== undefined) this.set(figures.outbox_readings);
    },
  });
  return {
    messages: new Counter({
      name: 'gtx_collector_fleet_messages_total',
      help: 'Messages of gateways by kind (status, telemetry) and outcome (taken, late, malformed, oversized, full)',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
    rows: new Counter({
      name: 'gtx_collector_fleet_rows_written_total',
      help: 'Rows of the fleet written, by kind; several messages of a meter, and those that another collector has, are one',
      labelNames: ['kind'],
      registers,
    }),
    waiting: new Gauge({
      name: 'gtx_collector_fleet_waiting_meters',
      help: 'Meters whose newest message is not in the database yet, by kind',
      labelNames: ['kind'],
      registers,
    }),
    writeSeconds: new Histogram({
      name: 'gtx_collector_fleet_write_duration_seconds',
      help: 'Duration of one statement that writes messages of up to a thousand meters',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    writeFailures: new Counter({
      name: 'gtx_collector_fleet_write_failures_total',
      help: 'Statements that failed, by reason (unavailable, retry, data)',
      labelNames: ['reason'],
      registers,
    }),
  };
}
