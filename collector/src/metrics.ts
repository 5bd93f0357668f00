import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { collectProcessMetrics } from './process-metrics.js';

/** The collector's own figures; one registry for each collector, so that several can run in one process. */
export class Metrics {
  readonly registry = new Registry();

  readonly readings = new Counter({
    name: 'gtx_collector_readings_total',
    help: 'Readings by source and outcome (stored, duplicate, held, covered, or the refusal code)',
    labelNames: ['source', 'outcome'],
    registers: [this.registry],
  });
  readonly poison = new Counter({
    name: 'gtx_collector_poison_messages_total',
    help: 'MQTT messages that could not be taken for a reading, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly dropped = new Counter({
    name: 'gtx_collector_readings_dropped_total',
    help: 'Readings left without an acknowledgement (the gateway sends them again), by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly batchRows = new Histogram({
    name: 'gtx_collector_batch_readings',
    help: 'Readings in one database transaction',
    buckets: [1, 5, 20, 50, 100, 250, 500, 1000],
    registers: [this.registry],
  });
  readonly batchSeconds = new Histogram({
    name: 'gtx_collector_batch_duration_seconds',
    help: 'Duration of one database transaction',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [this.registry],
  });
  readonly storeSeconds = new Histogram({
    name: 'gtx_collector_store_duration_seconds',
    help: 'Time from a reading arriving to its being durable',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.registry],
  });
  readonly queued = new Gauge({
    name: 'gtx_collector_queued_readings',
    help: 'Readings received and not yet answered',
    registers: [this.registry],
  });
  readonly storageUp = new Gauge({
    name: 'gtx_collector_database_up',
    help: '1 while the database can be written',
    registers: [this.registry],
  });
  readonly mqttClients = new Gauge({
    name: 'gtx_collector_mqtt_clients',
    help: 'Clients of the embedded broker',
    registers: [this.registry],
  });
  readonly logins = new Counter({
    name: 'gtx_collector_mqtt_logins_total',
    help: 'MQTT logins by outcome',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly acks = new Counter({
    name: 'gtx_collector_acks_total',
    help: 'Acknowledgements published',
    registers: [this.registry],
  });

  /** Adds the process's own figures (memory, CPU, event loop). */
  collectProcess(): void {
    collectProcessMetrics(this.registry);
  }
}
