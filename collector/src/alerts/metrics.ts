import { Counter, Gauge, type Registry } from 'prom-client';

export interface DeliveryMetrics {
  sent(channel: string, count: number): void;
  failed(channel: string, count: number): void;
}

/** What is open and what is on its way: labels and their count, asked when metrics are read. */
export interface AlertFigures {
  alerts(): Promise<readonly Figure<'kind' | 'severity'>[]>;
  reviews(): Promise<readonly Figure<'kind'>[]>;
  due(): Promise<readonly Figure<'channel'>[]>;
}

type Figure<Label extends string> = Record<Label, string> & { readonly count: number };

export function deliveryMetrics(registry: Registry, figures: AlertFigures): DeliveryMetrics {
  const notices = new Counter({
    name: 'gtx_collector_alert_notices_total',
    help: 'Notices of alerts by channel and outcome (sent, failed: one attempt that the other side did not take)',
    labelNames: ['channel', 'outcome'] as const,
    registers: [registry],
  });
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    ask: () => Promise<readonly Figure<Label>[]>,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const found = await ask();
        this.reset();
        for (const { count, ...labels } of found) this.set(labels as unknown as Record<Label, string>, count);
      },
    });
  gauge(
    'gtx_collector_alerts_open',
    'Open alerts by kind and severity',
    ['kind', 'severity'],
    figures.alerts,
  );
  gauge('gtx_collector_reviews_open', 'What waits for a person, by kind', ['kind'], figures.reviews);
  gauge(
    'gtx_collector_alert_notices_due',
    'Notices of alerts that are not delivered yet, by channel',
    ['channel'],
    figures.due,
  );
  return {
    sent: (channel, count) => notices.inc({ channel, outcome: 'sent' }, count),
    failed: (channel, count) => notices.inc({ channel, outcome: 'failed' }, count),
  };
}
