import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface LiveMetrics {
  clients: Gauge;
  subscriptions: Gauge<'channel'>;
  refused: Counter<'reason'>;
  frames: Counter<'channel'>;
  skipped: Counter;
  closed: Counter<'reason'>;
  requests: Counter<'outcome'>;
  fanOutSeconds: Histogram;
}

export function liveMetrics(registry: Registry): LiveMetrics {
  const registers = [registry];
  return {
    clients: new Gauge({ name: 'gtx_collector_live_clients', help: 'Clients of the WebSocket', registers }),
    subscriptions: new Gauge({
      name: 'gtx_collector_live_subscriptions',
      help: 'Their subscriptions, by channel',
      labelNames: ['channel'],
      registers,
    }),
    refused: new Counter({
      name: 'gtx_collector_live_connections_refused_total',
      help: 'WebSocket connections refused, by reason (full, address, origin, stopping)',
      labelNames: ['reason'],
      registers,
    }),
    frames: new Counter({
      name: 'gtx_collector_live_frames_total',
      help: 'Snapshots, deltas and events sent to clients, by channel',
      labelNames: ['channel'],
      registers,
    }),
    skipped: new Counter({
      name: 'gtx_collector_live_frames_skipped_total',
      help: 'Frames not sent to a client that was behind; it gets a snapshot when it has caught up',
      registers,
    }),
    closed: new Counter({
      name: 'gtx_collector_live_connections_closed_total',
      help: 'WebSocket connections that the collector closed, by reason (slow, silent, abuse, stopping)',
      labelNames: ['reason'],
      registers,
    }),
    requests: new Counter({
      name: 'gtx_collector_live_requests_total',
      help: 'Frames from clients by outcome (ok, or the code of the refusal)',
      labelNames: ['outcome'],
      registers,
    }),
    fanOutSeconds: new Histogram({
      name: 'gtx_collector_live_fan_out_duration_seconds',
      help: 'Time to hand one frame to all its subscribers',
      buckets: [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registers,
    }),
  };
}
