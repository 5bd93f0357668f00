import { type Ack, type Command, encodeBase58, encodeEnvelopeMessage, topicFor } from '@gridtokenx/protocol';
import sodium from 'sodium-native';

/** Signs what the collector tells gateways: acknowledgements and commands. */
export class EnvelopeSigner {
  /** Base58 of the public key that gateways pin. */
  readonly publicKey: string;

  /** @param secretKey 64 bytes: seed and public key, as in a Solana key file */
  constructor(private readonly secretKey: Uint8Array) {
    this.publicKey = encodeBase58(secretKey.subarray(32, 64));
  }

  ack(ack: Ack): { topic: string; payload: string } {
    return this.seal(topicFor(ack.meter_id, 'ack'), ack);
  }

  command(meterId: string, command: Command): { topic: string; payload: string } {
    return this.seal(topicFor(meterId, 'command'), command);
  }

  private seal(topic: string, content: Ack | Command): { topic: string; payload: string } {
    const payload = JSON.stringify(content);
    const signature = new Uint8Array(64);
    sodium.crypto_sign_detached(signature, encodeEnvelopeMessage(topic, payload), this.secretKey);
    return {
      topic,
      payload: JSON.stringify({
        payload,
        public_key: this.publicKey,
        signature: encodeBase58(signature),
      }),
    };
  }
}
