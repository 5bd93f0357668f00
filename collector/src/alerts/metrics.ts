import { Counter, Gauge, type Registry } from 'prom-client';

export interface DeliveryMetrics {
  sent(channel: string, count: number): void;
  failed(channel: string, count: number): void;
}

/** What is open and what is on its way, asked when metrics are read. */
export interface AlertFigures {
  readonly alerts: readonly { kind: string; severity: string; count: number }[];
  readonly reviews: readonly { kind: string; count: number }[];
  readonly due: readonly { channel: string; count: number }[];
}

export function deliveryMetrics(registry: Registry, figures: () => Promise<AlertFigures>): DeliveryMetrics {
  const notices = new Counter({
    name: 'gtx_alert_notices_total',
    help: 'Notices of alerts by channel and outcome (sent, failed: one attempt that the other side did not take)',
    labelNames: ['channel', 'outcome'] as const,
    registers: [registry],
  });
  const reviews = new Gauge({
    name: 'gtx_reviews_open',
    help: 'What waits for a person, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
  });
  const due = new Gauge({
    name: 'gtx_alert_notices_due',
    help: 'Notices of alerts that are not delivered yet, by channel',
    labelNames: ['channel'] as const,
    registers: [registry],
  });
  new Gauge({
    name: 'gtx_alerts_open',
    help: 'Open alerts by kind and severity',
    labelNames: ['kind', 'severity'] as const,
    registers: [registry],
    async collect() {
      const now = await figures();
      this.reset();
      reviews.reset();
      due.reset();
      for (const { kind, severity, count } of now.alerts) this.set({ kind, severity }, count);
      for (const { kind, count } of now.reviews) reviews.set({ kind }, count);
      for (const { channel, count } of now.due) due.set({ channel }, count);
    },
  });
  return {
    sent: (channel, count) => notices.inc({ channel, outcome: 'sent' }, count),
    failed: (channel, count) => notices.inc({ channel, outcome: 'failed' }, count),
  };
}
