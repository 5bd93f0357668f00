/** What the gateway counts, as metrics (docs/metrics.md). */
import { type Metric, processMetrics, singleMetric } from '@gridtokenx/protocol';
import type { Alerts } from './alerts.js';
import type { DeviceReader } from './measure.js';
import type { Metering } from './metering.js';
import type { ModbusLine } from './modbus-line.js';
import type { Outbox } from './outbox.js';
import { NOTHING_COUNTED, type Publisher } from './publish.js';

type CountedMeter = Pick<Metering, 'id' | 'counters' | 'view'>;
type CountedDevice = Pick<DeviceReader, 'config' | 'health' | 'counters'>;
type CountedLine = Pick<ModbusLine, 'counters'>;

export interface CountedParts {
  readonly meters: readonly CountedMeter[];
  readonly readersOf: ReadonlyMap<string, readonly CountedDevice[]>;
  readonly lines: ReadonlyMap<string, CountedLine>;
  readonly publisher: Pick<Publisher, 'connected' | 'counters'>;
  readonly outbox: Pick<Outbox, 'depth' | 'counts' | 'size' | 'dropped'>;
  readonly alerts: Pick<Alerts, 'raised' | 'list'>;
}

/** Every metric of a gateway, without a gateway: for their table. */
export function describeAgentMetrics(): Metric[] {
  return agentMetrics({
    meters: [],
    readersOf: new Map(),
    lines: new Map(),
    publisher: { connected: false, counters: NOTHING_COUNTED },
    outbox: {
      depth: () => 0,
      counts: () => ({ pending: 0, sent: 0, stored: 0, held: 0, refused: 0 }),
      size: () => ({ bytes: 0, maxBytes: 0 }),
      dropped: 0,
    },
    alerts: { raised: new Map(), list: () => [] },
  });
}

/**
 * Everything that the parts count, as metrics. A meter is told by its place in the configuration, from 1: its id is
 * a home's, and has no business in a monitoring system that many look at.
 */
export function agentMetrics({
  meters,
  readersOf,
  lines,
  publisher,
  outbox,
  alerts,
}: CountedParts): Metric[] {
  const places = new Map(meters.map(({ id }, index) => [id, index + 1]));
  const placeOf = (meterId: string): number => places.get(meterId) ?? 0;
  const perMeter = (
    name: string,
    help: string,
    type: Metric['type'],
    value: (meter: CountedMeter) => number,
  ): Metric => ({
    name,
    help,
    type,
    labels: ['meter'],
    samples: meters.map((meter) => ({ labels: { meter: placeOf(meter.id) }, value: value(meter) })),
  });
  const perDevice = (
    name: string,
    help: string,
    type: Metric['type'],
    value: (reader: CountedDevice) => number,
  ): Metric => ({
    name,
    help,
    type,
    labels: ['meter', 'role', 'unit'],
    samples: [...readersOf].flatMap(([meter, readers]) =>
      readers.map((reader) => ({
        labels: { meter: placeOf(meter), role: reader.config.role, unit: reader.config.unit },
        value: value(reader),
      })),
    ),
  });
  const perLine = (name: string, help: string, value: (line: CountedLine) => number): Metric => ({
    name,
    help,
    type: 'counter',
    labels: ['line'],
    samples: [...lines].map(([line, one]) => ({ labels: { line }, value: value(one) })),
  });
  const size = outbox.size();
  const sent = publisher.counters;
  return [
    perMeter('gtx_agent_samples_total', 'Samples of a meter begun.', 'counter', (m) => m.counters.cycles),
    perMeter(
      'gtx_agent_readings_total',
      'Readings signed and stored.',
      'counter',
      (m) => m.counters.readings,
    ),
    perMeter(
      'gtx_agent_intervals_missed_total',
      'Interval ends without a reading; the next covers them.',
      'counter',
      (m) => m.counters.missed,
    ),
    perMeter(
      'gtx_agent_meter_resets_total',
      'Registers that began anew: meter reset, or replaced by one that tells no serial number.',
      'counter',
      (m) => m.counters.resets,
    ),
    perMeter(
      'gtx_agent_meter_exchanges_total',
      'Devices replaced, by their serial numbers.',
      'counter',
      (m) => m.counters.exchanges,
    ),
    perMeter(
      'gtx_agent_series_returned_total',
      'Resets that were none: the registers from before came back.',
      'counter',
      (m) => m.counters.returned,
    ),
    perMeter(
      'gtx_agent_foreign_samples_total',
      'Samples of a device whose serial number is not the expected one.',
      'counter',
      (m) => m.counters.foreign,
    ),
    perMeter(
      'gtx_agent_frozen_samples_total',
      'Samples with a register that stands still while power flows.',
      'counter',
      (m) => m.counters.frozen,
    ),
    {
      name: 'gtx_agent_doubtful_values_total',
      help: 'Register values not believed at first sight, by reason.',
      type: 'counter',
      labels: ['meter', 'reason'],
      samples: meters.flatMap((meter) =>
        Object.entries(meter.counters.doubts).map(([reason, value]) => ({
          labels: { meter: placeOf(meter.id), reason },
          value,
        })),
      ),
    },
    perMeter('gtx_agent_sequence', 'Sequence of the last reading.', 'gauge', (m) => m.view().sequence),
    perMeter(
      'gtx_agent_last_interval_end_timestamp_seconds',
      'End of the last reading, Unix seconds.',
      'gauge',
      (m) => m.view().last_end,
    ),
    perMeter(
      'gtx_agent_outbox_undecided_readings',
      'Readings that the collector has not decided upon.',
      'gauge',
      (m) => outbox.depth(m.id),
    ),
    {
      name: 'gtx_agent_outbox_readings',
      help: 'Readings in the store, by state.',
      type: 'gauge',
      labels: ['meter', 'state'],
      samples: meters.flatMap((meter) =>
        Object.entries(outbox.counts(meter.id)).map(([state, value]) => ({
          labels: { meter: placeOf(meter.id), state },
          value,
        })),
      ),
    },
    perDevice('gtx_agent_device_online', 'Whether the device answered last.', 'gauge', (r) =>
      r.health.online ? 1 : 0,
    ),
    perDevice('gtx_agent_device_samples_total', 'Samples of a device.', 'counter', (r) => r.counters.samples),
    perDevice(
      'gtx_agent_device_failures_total',
      'Failed reads of a device.',
      'counter',
      (r) => r.counters.failures,
    ),
    perDevice(
      'gtx_agent_device_busy_total',
      'Answers that the device is busy.',
      'counter',
      (r) => r.counters.busy,
    ),
    perDevice(
      'gtx_agent_device_misconfigured_total',
      'Answers that configuration or profile do not fit the device (exceptions 1, 2 and 3).',
      'counter',
      (r) => r.counters.misconfigured,
    ),
    perDevice(
      'gtx_agent_device_invalid_values_total',
      'Values that are not numbers.',
      'counter',
      (r) => r.counters.invalidValues,
    ),
    perDevice(
      'gtx_agent_device_probes_total',
      'Requests only to get back in step after a time limit.',
      'counter',
      (r) => r.counters.probes,
    ),
    perLine('gtx_agent_line_requests_total', 'Requests on a line.', (l) => l.counters.requests),
    perLine(
      'gtx_agent_line_timeouts_total',
      'Requests without an answer in time.',
      (l) => l.counters.timeouts,
    ),
    perLine('gtx_agent_line_exceptions_total', 'Modbus exceptions.', (l) => l.counters.exceptions),
    perLine('gtx_agent_line_stale_frames_total', 'Late answers thrown away.', (l) => l.counters.staleFrames),
    perLine(
      'gtx_agent_line_stray_bytes_total',
      'Bytes that belonged to no answer.',
      (l) => l.counters.strayBytes,
    ),
    perLine(
      'gtx_agent_line_echoes_total',
      'Requests that the adapter sent back before the answer.',
      (l) => l.counters.echoes,
    ),
    perLine(
      'gtx_agent_line_connect_failures_total',
      'Failed attempts to open a line.',
      (l) => l.counters.connectFailures,
    ),
    singleMetric(
      'gtx_agent_broker_connected',
      'Whether the broker is connected.',
      'gauge',
      publisher.connected ? 1 : 0,
    ),
    singleMetric(
      'gtx_agent_readings_published_total',
      'Readings published, repeats included.',
      'counter',
      sent.published,
    ),
    singleMetric(
      'gtx_agent_readings_stored_total',
      'Readings that the collector has acknowledged as stored.',
      'counter',
      sent.stored,
    ),
    singleMetric(
      'gtx_agent_readings_refused_total',
      'Readings that the collector has refused for good.',
      'counter',
      sent.refused,
    ),
    singleMetric(
      'gtx_agent_readings_postponed_total',
      'Refusals that ask for another try later.',
      'counter',
      sent.postponed,
    ),
    singleMetric('gtx_agent_acks_total', 'Acknowledgements accepted.', 'counter', sent.acks),
    singleMetric(
      'gtx_agent_acks_refused_total',
      'Acknowledgements refused: forged, malformed, about readings never sent.',
      'counter',
      sent.acksRefused,
    ),
    singleMetric('gtx_agent_commands_total', 'Commands obeyed.', 'counter', sent.commands),
    singleMetric('gtx_agent_commands_refused_total', 'Commands refused.', 'counter', sent.commandsRefused),
    singleMetric('gtx_agent_connects_total', 'Connections to the broker.', 'counter', sent.connects),
    singleMetric(
      'gtx_agent_connect_failures_total',
      'Failed or lost connections to the broker.',
      'counter',
      sent.connectFailures,
    ),
    singleMetric(
      'gtx_agent_readings_sent_over_http_total',
      'Readings sent over HTTP because the broker was away, repeats included.',
      'counter',
      sent.httpReadings,
    ),
    singleMetric(
      'gtx_agent_http_failures_total',
      'Requests with readings that brought no acknowledgement.',
      'counter',
      sent.httpFailures,
    ),
    singleMetric(
      'gtx_agent_readings_dropped_total',
      'Acknowledged readings given up before their time because the store was full.',
      'counter',
      outbox.dropped,
    ),
    singleMetric('gtx_agent_store_bytes', 'Bytes of the store in use.', 'gauge', size.bytes),
    singleMetric('gtx_agent_store_limit_bytes', 'Bytes that the store may use.', 'gauge', size.maxBytes),
    {
      name: 'gtx_agent_alerts_open',
      help: 'Open alerts by code.',
      type: 'gauge',
      labels: ['code'],
      samples: [...alerts.raised.keys()].map((code) => ({
        labels: { code },
        value: alerts.list().filter((alert) => alert.code === code).length,
      })),
    },
    {
      name: 'gtx_agent_alerts_raised_total',
      help: 'Alerts raised by code.',
      type: 'counter',
      labels: ['code'],
      samples: [...alerts.raised].map(([code, value]) => ({ labels: { code }, value })),
    },
    ...processMetrics({
      cpu: process.cpuUsage(),
      memory: process.memoryUsage(),
      startedSeconds: Math.round(Date.now() / 1000 - process.uptime()),
    }),
  ];
}
