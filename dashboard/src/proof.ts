import { decodeBase58, encodeReading, type Reading as SignedReading } from '@gridtokenx/protocol';
import { verifyAsync } from '@noble/ed25519';
import type { Reading } from './types.js';

/** The 48 bytes that the meter signed, put together from the reading's own figures. */
export function signedBytes(reading: Reading): Uint8Array {
  const signed: SignedReading = {
    flags: reading.flags,
    sequence: BigInt(reading.sequence),
    intervalStart: reading.interval_start,
    intervalEnd: reading.interval_end,
    producedTotal: BigInt(reading.produced_total),
    consumedTotal: BigInt(reading.consumed_total),
    surplusTotal: BigInt(reading.surplus_total),
  };
  return encodeReading(signed);
}

/**
 * Checks a meter's signature here, in the browser: nobody's word is taken for it, the collector's neither.
 * Strict as the chain is (RFC 8032, no ZIP 215 leniency).
 */
export async function isSignedByMeter(reading: Reading): Promise<boolean> {
  try {
    return await verifyAsync(
      decodeBase58(reading.meter_signature, 64),
      signedBytes(reading),
      decodeBase58(reading.public_key, 32),
      { zip215: false },
    );
  } catch {
    // Bytes that are no signature or no key prove nothing.
    return false;
  }
}
