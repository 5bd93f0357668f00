import { ed25519Instruction } from '@gridtokenx/chain';
import { decodeBase58, encodeBase58, encodeReading } from '@gridtokenx/protocol';
import { getPublicKeyAsync, signAsync, utils } from '@noble/ed25519';
import { Keypair, PublicKey, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkTransaction, isSignedByMeter, signedBytes } from './proof.js';
import { base64 } from './transaction.js';
import type { Reading } from './types.js';

async function signedReading(): Promise<Reading> {
  const seed = utils.randomSecretKey();
  const figures = {
    flags: 0,
    sequence: 7n,
    intervalStart: 1_700_000_100,
    intervalEnd: 1_700_001_000,
    producedTotal: 25_000_000_000n,
    consumedTotal: 10_000_000_000n,
    surplusTotal: 15_000_000_000n,
  };
  return {
    id: 'a',
    meter_id: 'MTR-001',
    wallet_address: '',
    sequence: '7',
    flags: 0,
    interval_start: figures.intervalStart,
    interval_end: figures.intervalEnd,
    produced_total: '25000000000',
    consumed_total: '10000000000',
    surplus_total: '15000000000',
    kwh_amount: '15',
    reading_timestamp: '',
    submitted_at: '',
    status: 'minted',
    minted: true,
    mint_tx_signature: null,
    meter_signature: encodeBase58(await signAsync(encodeReading(figures), seed)),
    public_key: encodeBase58(await getPublicKeyAsync(seed)),
  };
}

test('a reading proves itself, and with any figure changed no more', async () => {
  const reading = await signedReading();
  expect(await isSignedByMeter(reading)).toBe(true);
  const changed = fc.constantFrom(
    { sequence: '8' },
    { flags: 1 },
    { interval_start: 1_700_000_101 },
    { interval_end: 1_700_001_001 },
    { produced_total: '25000000001' },
    { consumed_total: '9999999999' },
    { surplus_total: '15000000001' },
    { public_key: '11111111111111111111111111111111' },
    { meter_signature: '1'.repeat(64) },
    { meter_signature: 'nonsense' },
  );
  await fc.assert(
    fc.asyncProperty(changed, async (change) => !(await isSignedByMeter({ ...reading, ...change }))),
  );
});

/** A transaction that brings two meters' readings, as a collector makes it. */
async function provenReadings() {
  const payer = Keypair.generate();
  const readings = await Promise.all(
    [await signedReading(), await signedReading()].map(async (reading, index) => ({
      ...reading,
      meter_id: `MTR-00${index}`,
      message: '',
      after_sequence: '6',
      counted_kwh: '15',
      held_kwh: '0',
    })),
  );
  const transaction = new VersionedTransaction(
    new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: PublicKey.default.toBase58(),
      instructions: [
        ed25519Instruction(
          readings.map((reading) => ({
            publicKey: decodeBase58(reading.public_key),
            signature: decodeBase58(reading.meter_signature),
            message: signedBytes(reading),
          })),
        ),
      ],
    }).compileToV0Message(),
  );
  transaction.sign([payer]);
  const wire = transaction.serialize();
  return { name: encodeBase58(transaction.signatures[0] as Uint8Array), wire, readings };
}

test('a transaction proves its readings, and nothing that was put beside it', async () => {
  const { name, wire, readings } = await provenReadings();
  const outcome = async (called: string, bytes: Uint8Array | null, told = readings) => {
    const checked = await checkTransaction(called, bytes === null ? null : base64(bytes), told);
    return [checked.genuine, ...checked.readings.values()];
  };
  expect(await outcome(name, wire)).toEqual([true, true, true]);
  expect(await outcome(name, null)).toEqual([false, false, false]);
  // Another transaction's name, and bytes that were changed anywhere.
  expect(await outcome((await provenReadings()).name, wire)).toEqual([false, false, false]);
  await fc.assert(
    fc.asyncProperty(fc.nat(wire.length - 1), async (at) => {
      const changed = wire.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      return (await outcome(name, changed)).every((good) => !good);
    }),
    { numRuns: 30 },
  );
  const [first, second] = readings as [(typeof readings)[0], (typeof readings)[0]];
  for (const forged of [
    { surplus_total: '15000000001' },
    { interval_end: 1_700_001_001 },
    { sequence: '8' },
    { public_key: second.public_key },
    { meter_signature: second.meter_signature },
  ]) {
    const checked = await outcome(name, wire, [{ ...first, ...forged }]);
    expect(checked, JSON.stringify(forged)).toEqual([true, false]);
  }
  // A good signature of a key of one's own, but not in the transaction.
  const [made] = (await provenReadings()).readings;
  expect(await outcome(name, wire, [made as (typeof readings)[0], second])).toEqual([true, false, true]);
});
