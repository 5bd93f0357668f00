import { readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { decodeBase58, encodeReading } from '@gridtokenx/protocol';
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { TestMeter } from '../testing/gateway.js';
import { isSigned, type SignedPart } from './signature.js';
import { SignatureVerifier } from './verifier.js';

const meter = new TestMeter('MTR-1', 1_700_000_000);

function signed(count: number, spoilt: ReadonlySet<number>): SignedPart[] {
  return Array.from({ length: count }, (_, index) => {
    const message = encodeReading({ ...meter.reading, sequence: BigInt(index + 1) });
    const signatureBytes = meter.sign(message);
    if (spoilt.has(index)) signatureBytes[index % 64] = (signatureBytes[index % 64] as number) ^ 1;
    return { message, signatureBytes, publicKeyBytes: meter.publicKeyBytes };
  });
}

const verifier = new SignatureVerifier(pino({ level: 'silent' }));
const worker = () => Reflect.get(verifier, 'worker') as Worker | undefined;
afterEach(() => verifier.stop());

describe('many signatures', () => {
  test('each gets its own verdict, however many there are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 70 }), fc.uniqueArray(fc.nat(69)), async (count, spoilt) => {
        const submissions = signed(count, new Set(spoilt));
        expect(await verifier.verify(submissions)).toEqual(submissions.map(isSigned));
      }),
      { numRuns: 30 },
    );
  });

  test('a thread is started only when it is worth it', async () => {
    expect(await verifier.verify(signed(3, new Set([1])))).toEqual([true, false, true]);
    expect(worker()).toBeUndefined();
    await verifier.verify(signed(100, new Set()));
    expect(worker()).toBeDefined();
  });

  test('the thread is as strict as Solana', async () => {
    const { valid, invalid } = JSON.parse(
      readFileSync(new URL('../../../protocol/src/fixtures/vectors.json', import.meta.url), 'utf8'),
    ) as Record<'valid' | 'invalid', { message_hex: string; public_key: string; signature: string }[]>;
    const parts = [...valid, ...invalid]
      .map((vector) => ({
        message: Buffer.from(vector.message_hex, 'hex'),
        signatureBytes: decodeBase58(vector.signature, 64),
        publicKeyBytes: decodeBase58(vector.public_key, 32),
      }))
      .filter(({ message }) => message.length === 48);
    const many = Array.from({ length: 20 }, () => parts).flat();
    const verdicts = await verifier.verify(many);
    expect(worker()).toBeDefined();
    expect(verdicts).toEqual(many.map(isSigned));
    expect(new Set(verdicts)).toEqual(new Set([true, false]));
  });

  test('batches are answered in their order', async () => {
    const finished: number[] = [];
    const batches = [100, 20, 64].map((count, index) =>
      verifier.verify(signed(count, new Set([index]))).then((verdicts) => {
        finished.push(index);
        return verdicts;
      }),
    );
    const answers = await Promise.all(batches);
    expect(answers.map((verdicts) => verdicts.indexOf(false))).toEqual([0, 1, 2]);
    expect(finished).toEqual([0, 1, 2]);
  });

  test('a thread that dies loses nothing, and another takes its place', async () => {
    await verifier.verify(signed(100, new Set()));
    const first = worker();
    const submissions = signed(100, new Set([7]));
    const answer = verifier.verify(submissions);
    await first?.terminate();
    expect(await answer).toEqual(submissions.map(isSigned));
    expect(await verifier.verify(submissions)).toEqual(submissions.map(isSigned));
    expect(worker()).toBeDefined();
    expect(worker()).not.toBe(first);
  });
});
