import { type Metric, processMetrics } from '@gridtokenx/protocol';
import type { Controls } from './simulator.js';

const JOULES_PER_KWH = 3_600_000;

/**
 * What the simulator plays, as metrics (docs/metrics.md). Prometheus has only floats: energy leaves in its base unit,
 * the joule.
 */
export function simulatorMetrics(controls: Pick<Controls, 'state' | 'sites' | 'faults'>): Metric[] {
  const states = controls.state();
  const perUnit = (
    name: string,
    type: Metric['type'],
    help: string,
    value: (state: (typeof states)[number]) => number,
  ): Metric => ({
    name,
    help,
    type,
    labels: ['unit'],
    samples: states.map((state) => ({ labels: { unit: state.unit }, value: value(state) })),
  });
  return [
    perUnit(
      'gtx_simulator_power_watts',
      'gauge',
      'Power at the meter, positive while drawing.',
      (state) => state.power_watts,
    ),
    perUnit(
      'gtx_simulator_imported_joules_total',
      'counter',
      'Energy drawn.',
      (state) => Number(state.import_kwh) * JOULES_PER_KWH,
    ),
    perUnit(
      'gtx_simulator_exported_joules_total',
      'counter',
      'Energy given.',
      (state) => Number(state.export_kwh) * JOULES_PER_KWH,
    ),
    perUnit('gtx_simulator_requests_total', 'counter', 'Modbus requests.', (state) => state.requests),
    {
      name: 'gtx_simulator_faults_total',
      help: 'Faults injected, by unit and kind.',
      type: 'counter',
      labels: ['unit', 'fault'],
      samples: [...controls.faults()].map(([key, value]) => {
        const [unit = '', fault = ''] = key.split('/');
        return { labels: { unit, fault }, value };
      }),
    },
    {
      name: 'gtx_simulator_flow_watts',
      help: 'Power of a part of a described site, positive while it gives.',
      type: 'gauge',
      labels: ['site', 'part'],
      samples: Object.entries(controls.sites()).flatMap(([site, { parts }]) =>
        Object.entries(parts).map(([part, value]) => ({ labels: { site, part }, value })),
      ),
    },
    ...processMetrics({
      cpu: process.cpuUsage(),
      memory: process.memoryUsage(),
      startedSeconds: Math.round(Date.now() / 1000 - process.uptime()),
    }),
  ];
}

/** Every metric of a simulator, without one: for their table. */
export const describeSimulatorMetrics = (): Metric[] =>
  simulatorMetrics({ state: () => [], sites: () => ({}), faults: () => new Map() });
