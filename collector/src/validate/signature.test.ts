import { readFileSync } from 'node:fs';
import { decodeBase58, encodeReading, fromReading } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TestMeter } from '../testing/gateway.js';
import { isSigned, verifySignature } from './signature.js';
import { toSubmission } from './submission.js';

interface Vector {
  note: string;
  message_hex: string;
  public_key: string;
  signature: string;
}
const vectors: { valid: Vector[]; invalid: Vector[] } = JSON.parse(
  readFileSync(new URL('../../../protocol/src/fixtures/vectors.json', import.meta.url), 'utf8'),
);

const verify = (vector: Vector) =>
  verifySignature(
    decodeBase58(vector.signature, 64),
    Buffer.from(vector.message_hex, 'hex'),
    decodeBase58(vector.public_key, 32),
  );

describe('failure 10: libraries disagree on which signatures are valid, and the collector accepts what the chain refuses', () => {
  test.each(vectors.valid)('accepts: $note', (vector) => expect(verify(vector)).toBe(true));
  test.each(vectors.invalid)('refuses: $note', (vector) => expect(verify(vector)).toBe(false));
});

test('a submission whose fields were altered after signing is not signed', () => {
  const meter = new TestMeter('MTR-1', 1_700_000_000);
  meter.wallet = meter.publicKey;
  const body = meter.next();
  expect(isSigned(toSubmission(body))).toBe(true);
  const fields = Object.keys(body.reading) as (keyof typeof body.reading)[];
  fc.assert(
    fc.property(fc.constantFrom(...fields), fc.integer({ min: 1, max: 6 }), (field, add) => {
      const value = body.reading[field];
      const altered =
        typeof value === 'string' ? String(BigInt(value) + BigInt(add)) : (value as number) ^ add;
      const reading = { ...body.reading, [field]: altered };
      return !isSigned(toSubmission({ ...body, reading }));
    }),
  );
});

test('a signature of one meter does not pass with the key of another', () => {
  const [a, b] = [new TestMeter('A', 0), new TestMeter('B', 0)];
  a.next();
  const forged = fromReading({
    meterId: 'B',
    wallet: b.publicKey,
    reading: a.reading,
    amountNkwh: 0n,
    signature: a.sign(encodeReading(a.reading)),
    publicKey: b.publicKeyBytes,
  });
  expect(isSigned(toSubmission(forged))).toBe(false);
});
