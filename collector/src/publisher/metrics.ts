import { Counter, Gauge, Registry } from 'prom-client';
import { collectProcessMetrics } from '../process-metrics.js';

/** The publisher's figures; one registry for each, so that several can run in one process. */
export class PublisherMetrics {
  readonly registry = new Registry();

  readonly sourcePrice = new Gauge({
    name: 'gtx_publisher_source_price_grx_per_kwh',
    help: 'Last good price of a source, GRX for 1 kWh',
    labelNames: ['source'],
    registers: [this.registry],
  });
  readonly sourceReads = new Counter({
    name: 'gtx_publisher_source_reads_total',
    help: 'Times a source was asked, by outcome (good, no_answer, out_of_bounds, stale, from_the_future)',
    labelNames: ['source', 'outcome'],
    registers: [this.registry],
  });
  readonly price = new Gauge({
    name: 'gtx_publisher_price_grx_per_kwh',
    help: 'Last price made of all sources, GRX for 1 kWh',
    registers: [this.registry],
  });
  readonly submissions = new Counter({
    name: 'gtx_publisher_submissions_total',
    help: 'Submissions by outcome (published, too_few, guarded, refused, expired, unknown)',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly submittedAt = new Gauge({
    name: 'gtx_publisher_last_submission_timestamp_seconds',
    help: 'When this publisher observed what the chain took last, Unix seconds',
    registers: [this.registry],
  });
  readonly lamports = new Gauge({
    name: 'gtx_publisher_balance_lamports',
    help: 'What the publisher’s key has left to pay fees with',
    registers: [this.registry],
  });

  constructor() {
    collectProcessMetrics(this.registry);
  }
}
