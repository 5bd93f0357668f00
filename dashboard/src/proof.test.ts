import { encodeBase58, encodeReading } from '@gridtokenx/protocol';
import { getPublicKeyAsync, signAsync, utils } from '@noble/ed25519';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSignedByMeter } from './proof.js';
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
