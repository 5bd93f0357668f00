/** Throughput of ingestion, over MQTT and without a broker, as a share of what one thread could verify. */
import { encodeBase58 } from '@gridtokenx/protocol';
import { Child } from './child.js';
import { type MeterData, registerFleet } from './fleet.js';
import type { DirectJob } from './ingest-direct-worker.js';
import type { GeneratorJob, GeneratorResult } from './ingest-generator.js';
import type { Ingested, ReadingsJob } from './ingest-job.js';
import { familyCpuSeconds } from './process-usage.js';
import type { Figure } from './report.js';
import type { Stack } from './stack.js';
import { VerifyLoop } from './verify-loop.js';

const METERS = 256;
const CONNECTIONS = 8;
/** An agent's default window of unacknowledged readings. */
const WINDOW = 32;
const DAY_SECONDS = 86_400;
/** Longer than any measurement: settlement is not part of this one. */
const NO_SETTLEMENT_SECONDS = 31 * DAY_SECONDS;

export interface IngestOptions {
  quick: boolean;
  say: (text: string) => void;
}

/** The meters, registered once, and how far their readings have come. */
export class IngestFleet {
  private meters: MeterData[] | undefined;
  private nextSequence = 1;
  /** Readings end from here on, a second apart: in the past, and not yet seven days old for days to come. */
  private readonly baseSeconds = Math.floor(Date.now() / 1000) - 6 * DAY_SECONDS;

  constructor(
    private readonly stack: Stack,
    private readonly options: IngestOptions,
  ) {}

  private async job(): Promise<ReadingsJob> {
    const { quick, say } = this.options;
    if (this.meters === undefined) {
      say(`registering ${METERS} meters on the chain`);
      const names = { prefix: 'INGEST', count: METERS };
      this.meters = await registerFleet(this.stack.connection(), this.stack.registrar, names);
    }
    const perMeter = quick ? 80 : 500;
    const firstSequence = this.nextSequence;
    this.nextSequence += perMeter;
    return { meters: this.meters, perMeter, firstSequence, baseSeconds: this.baseSeconds, window: WINDOW };
  }

  /** Signed readings per second from MQTT to durable and acknowledged. */
  async mqtt(): Promise<Figure[]> {
    const { stack, options } = this;
    const job = await this.job();
    const collector = await stack.startCollector({
      settlement: 'interval',
      settlementSeconds: NO_SETTLEMENT_SECONDS,
    });
    const child = new Child('ingest-generator', stack.nodeArgs('generator'));
    try {
      options.say(`signing ${job.meters.length * job.perMeter} readings`);
      const prepare: GeneratorJob = {
        ...job,
        mqttUrl: collector.mqttUrl,
        ackPublicKey: encodeBase58(stack.ackPublicKey),
        connections: CONNECTIONS,
      };
      const measured = await this.measure<GeneratorResult>(child, prepare, 'over MQTT', {
        collector: collector.pid,
        PostgreSQL: stack.postgresPid,
      });
      const { result, cpuSeconds } = measured;
      cpuSeconds.push({ name: 'generator', seconds: result.cpuSeconds });
      return [
        ...figuresOf('ingest-mqtt', measured, 0.35),
        {
          benchmark: 'ingest-mqtt',
          name: 'acknowledgements per reading',
          value: result.acks / result.readings,
          unit: '',
        },
      ];
    } finally {
      await child.stop();
      await collector.stop();
    }
  }

  /** The same without broker and generator, in one process. */
  async direct(): Promise<Figure[]> {
    const { stack, options } = this;
    const job = await this.job();
    const child = new Child('ingest-direct-worker', stack.nodeArgs('direct'));
    try {
      options.say(`signing ${job.meters.length * job.perMeter} readings`);
      const prepare: DirectJob = {
        ...job,
        databaseUrl: stack.databaseUrl,
        rpcUrl: stack.rpcUrl,
        wsUrl: stack.wsUrl,
      };
      const measured = await this.measure<Ingested>(child, prepare, 'without a broker', {
        'ingesting process': child.pid,
        PostgreSQL: stack.postgresPid,
      });
      return figuresOf('ingest-direct', measured, 0.7);
    } finally {
      await child.stop();
    }
  }

  /** Everything prepared; then the verify loop alone, the measurement, the verify loop alone again. */
  private async measure<R extends Ingested>(
    child: Child,
    prepare: ReadingsJob,
    what: string,
    pids: Record<string, number>,
  ): Promise<Measured<R>> {
    const { say, quick } = this.options;
    child.send({ prepare });
    await child.next();
    const loop = new VerifyLoop(prepare.meters, prepare.baseSeconds);
    const seconds = quick ? 1 : 4;
    const verifies = [loop.measure(seconds)];
    say(`ingesting ${what}`);
    const cpu = Object.entries(pids).map(([name, pid]) => ({ name, pid, before: familyCpuSeconds(pid) }));
    child.send({ run: true });
    const result = await child.next<R>();
    const cpuSeconds = cpu.map(({ name, pid, before }) => ({
      name,
      seconds: familyCpuSeconds(pid) - before,
    }));
    verifies.push(loop.measure(seconds));
    return { result, verifies, cpuSeconds };
  }
}

interface Measured<R extends Ingested> {
  result: R;
  /** The verify-only loop, before and after. */
  verifies: number[];
  cpuSeconds: { name: string; seconds: number }[];
}

function figuresOf(
  benchmark: string,
  { result, verifies, cpuSeconds }: Measured<Ingested>,
  atLeast: number,
): Figure[] {
  const [before = 0, after = 0] = verifies;
  const share = result.perSecond / ((before + after) / 2);
  return [
    { benchmark, name: 'share of a verify-only loop', value: share, unit: '', goal: { atLeast } },
    { benchmark, name: 'readings', value: result.perSecond, unit: 'per second' },
    { benchmark, name: 'measured for', value: result.seconds, unit: 's' },
    { benchmark, name: 'verify-only loop before', value: before, unit: 'per second' },
    { benchmark, name: 'verify-only loop after', value: after, unit: 'per second' },
    ...cpuSeconds.map(({ name, seconds }) => ({
      benchmark,
      name: `processor time per reading, ${name}`,
      value: (seconds / result.readings) * 1e6,
      unit: 'µs',
    })),
  ];
}
