import {
  decodeBase58,
  encodeReading,
  GtxError,
  isMeterId,
  kwhAmountToNkwh,
  type Nkwh,
  parseTimestamp,
  parseWith,
  READING_FLAGS_MASK,
  type Reading,
  SubmitReading,
  U32_MAX,
  U64_MAX,
} from '@gridtokenx/protocol';
import sodium from 'sodium-native';

/** A submitted reading in the forms that validation works with. Nothing about it has been believed yet. */
export interface Submission {
  meterId: string;
  /** Wallet that the sender takes for the owner's, base58. */
  wallet: string;
  /** `kwh_amount`: what the sender takes for the surplus since the previous accepted reading. */
  claimedNkwh: Nkwh;
  /** `reading_timestamp` in Unix seconds. */
  timestamp: number;
  /** Base58, and its 32 bytes. */
  publicKey: string;
  publicKeyBytes: Uint8Array;
  /** Base58, and its 64 bytes. */
  signature: string;
  signatureBytes: Uint8Array;
  reading: Reading;
  /** The 48 bytes that must have been signed. */
  message: Uint8Array;
  /** sha256 of `message`. */
  messageHash: Buffer;
}

const U64_TEXT = /^(?:0|[1-9][0-9]{0,19})$/;

function u64(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || !U64_TEXT.test(value)) return undefined;
  const number = BigInt(value);
  return number <= U64_MAX ? number : undefined;
}

function u32(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= U32_MAX
    ? value
    : undefined;
}

function record(value: unknown, keys: number): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.keys(value).length === keys ? (value as Record<string, unknown>) : undefined;
}

/**
 * A submission from a parsed JSON body.
 *
 * The usual, well-formed body is checked by hand, because base58 is decoded here anyway and the schema
 * would decode it a second time; whatever the short way does not take goes to the schema, which decides and
 * explains. So the two cannot disagree on what is refused; a property test shows that they agree on what
 * is accepted.
 * @throws GtxError INVALID_BODY with `details.issues`
 */
export function toSubmission(body: unknown): Submission {
  return fromWellFormed(body) ?? fromSchema(body);
}

function fromWellFormed(value: unknown): Submission | undefined {
  const body = record(value, 7);
  const fields = record(body?.reading, 7);
  if (body === undefined || fields === undefined) return undefined;
  const { meter_id, wallet_address, kwh_amount, reading_timestamp, meter_signature, public_key } = body;
  if (
    typeof meter_id !== 'string' ||
    !isMeterId(meter_id) ||
    typeof wallet_address !== 'string' ||
    wallet_address.length > 44 ||
    typeof meter_signature !== 'string' ||
    meter_signature.length > 88 ||
    typeof public_key !== 'string' ||
    public_key.length > 44 ||
    (typeof kwh_amount !== 'string' && typeof kwh_amount !== 'number') ||
    (typeof reading_timestamp !== 'string' && typeof reading_timestamp !== 'number')
  ) {
    return undefined;
  }
  const flags = u32(fields.flags);
  const sequence = u64(fields.sequence);
  const intervalStart = u32(fields.interval_start);
  const intervalEnd = u32(fields.interval_end);
  const producedTotal = u64(fields.produced_total);
  const consumedTotal = u64(fields.consumed_total);
  const surplusTotal = u64(fields.surplus_total);
  if (
    flags === undefined ||
    flags > READING_FLAGS_MASK ||
    sequence === undefined ||
    intervalStart === undefined ||
    intervalEnd === undefined ||
    producedTotal === undefined ||
    consumedTotal === undefined ||
    surplusTotal === undefined
  ) {
    return undefined;
  }
  try {
    decodeBase58(wallet_address, 32);
    const reading: Reading = {
      flags,
      sequence,
      intervalStart,
      intervalEnd,
      producedTotal,
      consumedTotal,
      surplusTotal,
    };
    return assemble({
      meterId: meter_id,
      wallet: wallet_address,
      claimedNkwh: kwhAmountToNkwh(kwh_amount),
      timestamp: parseTimestamp(reading_timestamp),
      publicKey: public_key,
      publicKeyBytes: decodeBase58(public_key, 32),
      signature: meter_signature,
      signatureBytes: decodeBase58(meter_signature, 64),
      reading,
    });
  } catch (error) {
    // Not swallowed: the schema now finds the same fault and says where it is.
    if (error instanceof GtxError) return undefined;
    throw error;
  }
}

function fromSchema(value: unknown): Submission {
  const body = parseWith(SubmitReading, value);
  const fields = body.reading;
  return assemble({
    meterId: body.meter_id,
    wallet: body.wallet_address,
    claimedNkwh: kwhAmountToNkwh(body.kwh_amount),
    timestamp: parseTimestamp(body.reading_timestamp),
    publicKey: body.public_key,
    publicKeyBytes: decodeBase58(body.public_key, 32),
    signature: body.meter_signature,
    signatureBytes: decodeBase58(body.meter_signature, 64),
    reading: {
      flags: fields.flags,
      sequence: BigInt(fields.sequence),
      intervalStart: fields.interval_start,
      intervalEnd: fields.interval_end,
      producedTotal: BigInt(fields.produced_total),
      consumedTotal: BigInt(fields.consumed_total),
      surplusTotal: BigInt(fields.surplus_total),
    },
  });
}

function assemble(parts: Omit<Submission, 'message' | 'messageHash'>): Submission {
  const message = encodeReading(parts.reading);
  const messageHash = Buffer.alloc(32);
  sodium.crypto_hash_sha256(messageHash, message);
  return { ...parts, message, messageHash };
}

/** The short way alone, for the test that compares it with the schema. */
export const testing = { fromWellFormed, fromSchema };
