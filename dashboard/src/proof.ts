import {
  decodeBase58,
  decodeReading,
  encodeBase58,
  encodeReading,
  READING_BYTES,
  type Reading as SignedReading,
} from '@gridtokenx/protocol';
import { verifyAsync } from '@noble/ed25519';
import { ed25519Entries, fromBase64, takeApart } from './transaction.js';
import type { ProvenReading, Reading } from './types.js';

/** What of a reading a meter signs, with its signature. */
export type Signed = Pick<
  Reading,
  | 'flags'
  | 'sequence'
  | 'interval_start'
  | 'interval_end'
  | 'produced_total'
  | 'consumed_total'
  | 'surplus_total'
  | 'meter_signature'
  | 'public_key'
>;

/** Address of the program that checks Ed25519 signatures on the chain. */
const ED25519_PROGRAM = 'Ed25519SigVerify111111111111111111111111111';

/** The 48 bytes that the meter signed, put together from the reading's own figures. */
export function signedBytes(reading: Signed): Uint8Array {
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
export async function isSignedByMeter(reading: Signed): Promise<boolean> {
  try {
    return await isSigned(
      decodeBase58(reading.meter_signature, 64),
      signedBytes(reading),
      decodeBase58(reading.public_key, 32),
    );
  } catch {
    // Bytes that are no signature or no key prove nothing.
    return false;
  }
}

async function isSigned(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): Promise<boolean> {
  try {
    return await verifyAsync(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}

/** What the page found out about a transaction by itself. */
export interface Checked {
  /** The transaction's bytes are those that its signature is for. */
  readonly genuine: boolean;
  /** By meter key and sequence: whether the transaction holds these very figures, signed by that key. */
  readonly readings: ReadonlyMap<string, boolean>;
}

export const checkedKey = ({ public_key, sequence }: Pick<Signed, 'public_key' | 'sequence'>): string =>
  `${public_key}/${sequence}`;

/**
 * Checks what the collector tells of a transaction's readings, with nothing but the transaction: its bytes carry the signature
 * that it is called by, that signature is good for them, and their Ed25519 instruction holds each reading's figures with a good
 * signature of the meter's key.
 * @param wire base64; null: nobody has it, so nothing is proven
 */
export async function checkTransaction(
  name: string,
  wire: string | null,
  readings: readonly ProvenReading[],
): Promise<Checked> {
  const found = new Map<string, boolean>(readings.map((reading) => [checkedKey(reading), false]));
  if (wire === null) return { genuine: false, readings: found };
  let genuine = false;
  try {
    const { signatures, message, keys, instructions } = takeApart(fromBase64(wire));
    const [first, payer] = [signatures[0], keys[0]];
    genuine =
      first !== undefined &&
      payer !== undefined &&
      encodeBase58(first) === name &&
      (await isSigned(first, message, payer));
    if (!genuine) return { genuine, readings: found };
    const entries = instructions.flatMap(({ program, data }, index) =>
      program !== undefined && encodeBase58(program) === ED25519_PROGRAM ? ed25519Entries(data, index) : [],
    );
    for (const reading of readings) {
      const entry = entries.find(
        (one) =>
          one.message.length === READING_BYTES &&
          encodeBase58(one.publicKey) === reading.public_key &&
          String(decodeReading(one.message).sequence) === reading.sequence,
      );
      if (entry === undefined) continue;
      const shown = signedBytes(reading);
      const same =
        shown.every((byte, index) => byte === entry.message[index]) &&
        encodeBase58(entry.signature) === reading.meter_signature;
      found.set(
        checkedKey(reading),
        same && (await isSigned(entry.signature, entry.message, entry.publicKey)),
      );
    }
  } catch {
    // Bytes that are no transaction, figures that are none: not proven.
  }
  return { genuine, readings: found };
}
