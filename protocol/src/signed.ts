import { z } from 'zod';
import { publicKeyText, signatureText } from './fields.js';

/** ASCII `GTXC`: what a collector's key signs begins with it, so it can never be taken for anything else. */
export const COLLECTOR_MAGIC = 'GTXC';

/**
 * An acknowledgement or command as it goes over MQTT. `payload` is JSON *text* of an `Ack` or `Command`;
 * the signature is over exactly that text and the topic, so nothing needs canonical JSON and a message
 * cannot be moved to another meter.
 */
export const SignedEnvelope = z.strictObject({
  payload: z.string().min(2).max(65_536),
  public_key: publicKeyText,
  signature: signatureText,
});
export type SignedEnvelope = z.infer<typeof SignedEnvelope>;

/** The bytes that the collector's key signs: UTF-8 of `GTXC`, topic, newline, payload. */
export function encodeEnvelopeMessage(topic: string, payload: string): Uint8Array {
  return new TextEncoder().encode(`${COLLECTOR_MAGIC}${topic}\n${payload}`);
}
