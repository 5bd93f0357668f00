/**
 * The gateways of the MQTT benchmark, as a process of its own. Readings are signed and packets made before the
 * measurement. A reading counts when the collector's acknowledgement covers it; the acknowledgements' signatures
 * are all verified after the measurement, since the gateways' processors are not what is measured.
 */
import { verifySignature } from '@gridtokenx/collector';
import {
  type Ack,
  decodeBase58,
  encodeEnvelopeMessage,
  GtxError,
  type SignedEnvelope,
  topicFor,
} from '@gridtokenx/protocol';
import { type PreparedPublish, preparePublish, WireClient } from '@gridtokenx/simulator';
import { AcknowledgedReadings } from './acknowledged.js';
import { serve } from './child.js';
import { BenchMeter } from './fleet.js';
import { type Ingested, ingested, type ReadingsJob, submissionText, watchForStall } from './ingest-job.js';
import type { Progress } from './statistics.js';

export interface GeneratorJob extends ReadingsJob {
  mqttUrl: string;
  /** Base58; acknowledgements of another key are refused. */
  ackPublicKey: string;
  connections: number;
}

export interface GeneratorResult extends Ingested {
  /** Signed acknowledgements that it took. */
  acks: number;
  /** This process's own processor time, without the verification of the acknowledgements. */
  cpuSeconds: number;
}

interface Sender {
  meter: BenchMeter;
  packets: PreparedPublish[];
  sent: number;
}

class Generator {
  private readonly connections: Sender[][];
  private readonly acks: { topic: string; envelope: SignedEnvelope }[] = [];
  private readonly readings = new AcknowledgedReadings();
  private readonly progress: Progress[] = [];
  private readonly total: number;

  constructor(private readonly job: GeneratorJob) {
    const senders = job.meters.map((data): Sender => {
      const meter = new BenchMeter(data);
      const topic = topicFor(data.meterId, 'reading');
      this.readings.begin(data.meterId, BigInt(job.firstSequence - 1));
      const packets = Array.from({ length: job.perMeter }, (_, index) =>
        preparePublish(topic, submissionText(meter, job, index)),
      );
      return { meter, packets, sent: 0 };
    });
    this.connections = Array.from({ length: job.connections }, (_, index) =>
      senders.filter((_sender, position) => position % job.connections === index),
    );
    this.total = job.meters.length * job.perMeter;
  }

  async run(): Promise<GeneratorResult> {
    const before = process.cpuUsage();
    let stall: { stop(): void } | undefined;
    const clients: WireClient[] = [];
    try {
      await new Promise<void>((done, fail) => {
        stall = watchForStall(() => this.readings.count, fail);
        const begin = async () => {
          for (const [index, senders] of this.connections.entries()) {
            clients.push(await this.connect(index, senders, done, fail));
          }
          this.progress.push({ atMillis: performance.now(), count: 0 });
          for (const [index, senders] of this.connections.entries()) {
            this.fill(clients[index] as WireClient, senders);
          }
        };
        begin().catch(fail);
      });
    } finally {
      stall?.stop();
      for (const client of clients) client.stop();
    }
    const { user, system } = process.cpuUsage(before);
    this.verifyAcks();
    return {
      ...ingested(this.progress, this.total),
      acks: this.acks.length,
      cpuSeconds: (user + system) / 1e6,
    };
  }

  private async connect(
    index: number,
    senders: Sender[],
    done: () => void,
    fail: (error: Error) => void,
  ): Promise<WireClient> {
    const { job } = this;
    const byId = new Map(senders.map((sender) => [sender.meter.data.meterId, sender]));
    const time = Math.floor(Date.now() / 1000);
    let begun = false;
    const client: WireClient = new WireClient({
      url: job.mqttUrl,
      clientId: `bench-${index}`,
      username: senders[0]?.meter.data.meterId ?? '',
      password: JSON.stringify(senders.map(({ meter }) => meter.login(time))),
      onLost: fail,
      onMessage: (topic, payload) => {
        try {
          const envelope = JSON.parse(payload.toString('utf8')) as SignedEnvelope;
          const ack = JSON.parse(envelope.payload) as Ack;
          this.acks.push({ topic, envelope });
          if (this.readings.add(ack) > 0) {
            begun = true;
            this.progress.push({ atMillis: performance.now(), count: this.readings.count });
          }
          const sender = byId.get(ack.meter_id);
          // The first acknowledgements only say how far the meter had come before.
          if (sender !== undefined && begun) this.fill(client, [sender]);
          if (this.readings.count === this.total) done();
        } catch (error) {
          fail(error as Error);
        }
      },
    });
    await client.start();
    await client.subscribe(senders.map(({ meter }) => topicFor(meter.data.meterId, 'ack')));
    return client;
  }

  /** Sends what the meters' windows have room for, meters taking turns. */
  private fill(client: WireClient, senders: readonly Sender[]): void {
    const { window, firstSequence, perMeter } = this.job;
    const room = senders.map((sender) => {
      const acknowledged = Number(this.readings.through(sender.meter.data.meterId)) - firstSequence + 1;
      return Math.min(window - (sender.sent - acknowledged), perMeter - sender.sent);
    });
    const batch: PreparedPublish[] = [];
    for (let turn = 0; turn < window; turn += 1) {
      for (const [index, sender] of senders.entries()) {
        if (turn >= (room[index] as number)) continue;
        batch.push(sender.packets[sender.sent] as PreparedPublish);
        sender.sent += 1;
      }
    }
    client.publish(batch);
  }

  private verifyAcks(): void {
    const { ackPublicKey } = this.job;
    const key = decodeBase58(ackPublicKey, 32);
    for (const { topic, envelope } of this.acks) {
      const message = encodeEnvelopeMessage(topic, envelope.payload);
      const good =
        envelope.public_key === ackPublicKey &&
        verifySignature(decodeBase58(envelope.signature, 64), message, key) &&
        topic === topicFor((JSON.parse(envelope.payload) as Ack).meter_id, 'ack');
      if (!good) throw new GtxError('ACK_INVALID', `an acknowledgement on ${topic} is not the collector's`);
    }
  }
}

let generator: Generator | undefined;
serve<{ prepare: GeneratorJob } | { run: true }>(async (message) => {
  if ('prepare' in message) {
    generator = new Generator(message.prepare);
    process.send?.({ prepared: true });
  } else if (generator !== undefined) {
    process.send?.(await generator.run());
  }
});
