import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeBase58,
  decodeLoginMessage,
  decodeOwnerMessage,
  decodeReading,
  encodeBase58,
  encodeLoginMessage,
  encodeOwnerMessage,
  encodeReading,
  fromReading,
  parseWith,
  SubmitReading,
  toReading,
} from './index.js';
import { hex, testKey, unhex, verify } from './test-ed25519.js';

interface Vector {
  note: string;
  flags: number;
  sequence: string;
  interval_start: number;
  interval_end: number;
  produced_total: string;
  consumed_total: string;
  surplus_total: string;
  message_hex: string;
  public_key: string;
  signature: string;
  seed_hex: string;
}
interface Vectors {
  valid: Vector[];
  invalid: Vector[];
  owner_message: Record<
    'meter_id' | 'owner' | 'message_hex' | 'public_key' | 'signature' | 'network',
    string
  >;
  login_message: Record<'meter_id' | 'message_hex' | 'public_key' | 'signature', string> & {
    unix_seconds: number;
  };
}
const file = new URL('./fixtures/vectors.json', import.meta.url);
const vectors: Vectors = JSON.parse(readFileSync(file, 'utf8'));

/** What the collector does with a submission: decode the signature and key, encode the fields, verify. */
function accepts(vector: Vector, message = unhex(vector.message_hex)): boolean {
  return verify(decodeBase58(vector.signature, 64), message, decodeBase58(vector.public_key, 32));
}
const reading = (vector: Vector) =>
  toReading({
    reading: {
      flags: vector.flags,
      sequence: vector.sequence,
      interval_start: vector.interval_start,
      interval_end: vector.interval_end,
      produced_total: vector.produced_total,
      consumed_total: vector.consumed_total,
      surplus_total: vector.surplus_total,
    },
  });

describe('vectors of an independent implementation', () => {
  const shared = new URL('../../../shared/design/vectors.json', import.meta.url);
  it.runIf(existsSync(shared))('are the ones that were agreed on', () => {
    expect(JSON.parse(readFileSync(shared, 'utf8'))).toEqual(vectors);
  });

  it.each(vectors.valid)('valid: $note', (vector) => {
    expect(hex(encodeReading(reading(vector)))).toBe(vector.message_hex);
    expect(decodeReading(unhex(vector.message_hex))).toEqual(reading(vector));
    expect(accepts(vector)).toBe(true);
    const key = testKey(unhex(vector.seed_hex));
    expect(encodeBase58(key.publicKey)).toBe(vector.public_key);
    expect(encodeBase58(key.sign(unhex(vector.message_hex)))).toBe(vector.signature);
    const body = fromReading({
      meterId: 'MTR-001',
      wallet: vectors.owner_message.owner,
      reading: reading(vector),
      amountNkwh: 0n,
      signature: vector.signature,
      publicKey: vector.public_key,
    });
    expect(toReading(parseWith(SubmitReading, JSON.parse(JSON.stringify(body))))).toEqual(reading(vector));
  });

  it.each(vectors.invalid)('refused: $note', (vector) => {
    expect(accepts(vector)).toBe(false);
    const message = unhex(vector.message_hex);
    if (vector.note.startsWith('magic')) {
      expect(() => decodeReading(message)).toThrowError(expect.objectContaining({ code: 'MESSAGE_INVALID' }));
    } else if (!vector.note.startsWith('one bit')) {
      expect(hex(encodeReading(reading(vector)))).toBe(vector.message_hex);
    }
  });

  it("shows why a lax verifier would not do: node's own accepts the small-order key", () => {
    const vector = vectors.invalid.find((candidate) => candidate.note.startsWith('small-order')) as Vector;
    const jwk = {
      kty: 'OKP',
      crv: 'Ed25519',
      x: Buffer.from(decodeBase58(vector.public_key, 32)).toString('base64url'),
    };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const message = unhex(vector.message_hex);
    expect(nodeVerify(null, message, key, decodeBase58(vector.signature, 64))).toBe(true);
    expect(accepts(vector)).toBe(false);
    // ... for any message at all.
    expect(nodeVerify(null, unhex('00'), key, decodeBase58(vector.signature, 64))).toBe(true);
  });

  it('owner message', () => {
    const vector = vectors.owner_message;
    const network = decodeBase58(vector.network, 32);
    const message = encodeOwnerMessage({ network, meterId: vector.meter_id, owner: vector.owner });
    expect(hex(message)).toBe(vector.message_hex);
    expect(decodeOwnerMessage(message)).toEqual({ network, meterId: vector.meter_id, owner: vector.owner });
    expect(verify(decodeBase58(vector.signature, 64), message, decodeBase58(vector.public_key, 32))).toBe(
      true,
    );
  });

  it('login message', () => {
    const vector = vectors.login_message;
    const message = encodeLoginMessage({ unixSeconds: vector.unix_seconds, meterId: vector.meter_id });
    expect(hex(message)).toBe(vector.message_hex);
    expect(decodeLoginMessage(message)).toEqual({
      unixSeconds: vector.unix_seconds,
      meterId: vector.meter_id,
    });
    expect(verify(decodeBase58(vector.signature, 64), message, decodeBase58(vector.public_key, 32))).toBe(
      true,
    );
  });
});
