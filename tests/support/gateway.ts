import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { Ack, decodeBase58, encodeEnvelopeMessage, SignedEnvelope, topicFor } from '@gridtokenx/protocol';
import mqtt from 'mqtt';
import type { SigningMeter } from './signing-meter.js';
import type { RunningSystem } from './up.js';

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** The login of a gateway that serves these meters, as of now. */
export function gatewayLogin(...meters: readonly SigningMeter[]): Login {
  const time = Math.floor(Date.now() / 1000);
  return {
    username: meters[0]?.meterId ?? '',
    password: JSON.stringify(meters.map((meter) => meter.login(time))),
  };
}

/** One MQTT connection that does not come back by itself. @throws the broker's refusal */
export function connectTo(system: RunningSystem, login: Partial<Login>): Promise<mqtt.MqttClient> {
  return mqtt.connectAsync(
    system.url('collector', 'mqtt'),
    { clientId: `test-${randomUUID()}`, reconnectPeriod: 0, clean: true, ...login },
    false,
  );
}

/** A gateway of the test's own, logged in with its meters' keys; collects the collector's signed answers. */
export class TestGateway {
  readonly acks: Ack[] = [];
  /** How often the broker has closed the connection. */
  closed = 0;

  private constructor(readonly client: mqtt.MqttClient) {}

  static async login(system: RunningSystem, ...meters: readonly SigningMeter[]): Promise<TestGateway> {
    const client = await connectTo(system, gatewayLogin(...meters));
    const gateway = new TestGateway(client);
    const ackKey = createPublicKey({
      format: 'jwk',
      key: {
        kty: 'OKP',
        crv: 'Ed25519',
        x: Buffer.from(system.key('collector-ack').publicKey.toBytes()).toString('base64url'),
      },
    });
    client.on('close', () => {
      gateway.closed += 1;
    });
    client.on('message', (topic, payload) => {
      const envelope = SignedEnvelope.parse(JSON.parse(payload.toString('utf8')));
      const message = encodeEnvelopeMessage(topic, envelope.payload);
      const signed = verify(null, message, ackKey, decodeBase58(envelope.signature, 64));
      if (!signed) throw new Error(`a message on ${topic} is not signed by the collector`);
      gateway.acks.push(Ack.parse(JSON.parse(envelope.payload)));
    });
    await client.subscribeAsync(
      meters.map(({ meterId }) => topicFor(meterId, 'ack')),
      { qos: 1 },
    );
    return gateway;
  }

  /** Resolves with the broker's PUBACK. */
  async publish(meterId: string, payload: string | Buffer | object): Promise<void> {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    await this.client.publishAsync(topicFor(meterId, 'reading'), bytes, { qos: 1 });
  }

  /** Highest sequence up to which the collector has decided upon everything. */
  through(meterId: string): bigint {
    return this.acks
      .filter((ack) => ack.meter_id === meterId)
      .reduce((highest, ack) => (BigInt(ack.through) > highest ? BigInt(ack.through) : highest), 0n);
  }

  async end(): Promise<void> {
    await this.client.endAsync(true);
  }
}
