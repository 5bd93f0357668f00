import { z } from 'zod';
import { encodeBase58 } from './base58.js';
import { type ErrorCode, GtxError } from './errors.js';
import {
  kwhAmount,
  meterIdText,
  publicKeyText,
  readingFlags,
  readingMessageText,
  readingTimestamp,
  signatureText,
  u64Text,
  unixSeconds,
} from './fields.js';
import { MAX_METERS_PER_LOGIN, MAX_SAMPLE_SECONDS, MIN_SAMPLE_SECONDS } from './limits.js';
import type { Reading } from './reading.js';
import { formatTimestamp } from './timestamp.js';
import { type Nkwh, nkwhToKwh, parseU64 } from './units.js';

/** The decoded fields of a signed reading, as JSON. The collector encodes them again and verifies. */
export const ReadingFields = z.strictObject({
  flags: readingFlags,
  sequence: u64Text,
  interval_start: unixSeconds,
  interval_end: unixSeconds,
  produced_total: u64Text,
  consumed_total: u64Text,
  surplus_total: u64Text,
});
export type ReadingFields = z.infer<typeof ReadingFields>;

/** Body of `POST /api/meters/submit-reading` and payload of `gtx/v1/{meter}/reading`. */
export const SubmitReading = z.strictObject({
  meter_id: meterIdText,
  wallet_address: publicKeyText,
  kwh_amount: kwhAmount,
  reading_timestamp: readingTimestamp,
  meter_signature: signatureText,
  public_key: publicKeyText,
  reading: ReadingFields,
});
export type SubmitReading = z.infer<typeof SubmitReading>;

/** The reading of a validated body. */
export function toReading(body: { reading: ReadingFields }): Reading {
  const fields = body.reading;
  return {
    flags: fields.flags,
    sequence: parseU64(fields.sequence, 'sequence'),
    intervalStart: fields.interval_start,
    intervalEnd: fields.interval_end,
    producedTotal: parseU64(fields.produced_total, 'produced_total'),
    consumedTotal: parseU64(fields.consumed_total, 'consumed_total'),
    surplusTotal: parseU64(fields.surplus_total, 'surplus_total'),
  };
}

/** A reading's fields as JSON. */
export function toReadingFields(reading: Reading): ReadingFields {
  return {
    flags: reading.flags,
    sequence: reading.sequence.toString(),
    interval_start: reading.intervalStart,
    interval_end: reading.intervalEnd,
    produced_total: reading.producedTotal.toString(),
    consumed_total: reading.consumedTotal.toString(),
    surplus_total: reading.surplusTotal.toString(),
  };
}

/** What `fromReading` needs beside the reading. */
export interface SubmissionParts {
  meterId: string;
  /** Owner's wallet, base58. */
  wallet: string;
  reading: Reading;
  /** Rise of the surplus total since the previous accepted reading. */
  amountNkwh: Nkwh;
  /** 64 bytes, or base58. */
  signature: Uint8Array | string;
  /** 32 bytes, or base58. */
  publicKey: Uint8Array | string;
}

/** Builds the body that carries a signed reading, over HTTP or MQTT. */
export function fromReading(parts: SubmissionParts): SubmitReading {
  return {
    meter_id: parts.meterId,
    wallet_address: parts.wallet,
    kwh_amount: nkwhToKwh(parts.amountNkwh),
    reading_timestamp: formatTimestamp(parts.reading.intervalEnd),
    meter_signature: base58(parts.signature),
    public_key: base58(parts.publicKey),
    reading: toReadingFields(parts.reading),
  };
}

/** What the collector answers a stored submission with (201, 200 or 202). */
export const SubmitReadingResult = z.strictObject({
  meter_id: meterIdText,
  sequence: u64Text,
  status: z.enum(['pending', 'covered', 'minted', 'held']),
  kwh_amount: z.string(),
  duplicate: z.boolean(),
});
export type SubmitReadingResult = z.infer<typeof SubmitReadingResult>;

/**
 * What the collector tells the holder of a meter's key about the newest reading that it has
 * (`GET /api/meters/{meter_id}/last-reading`), so that a gateway without its store can go on.
 */
export const LastReading = z.strictObject({
  meter_id: meterIdText,
  time: unixSeconds,
  /** Highest sequence up to which all are stored or finally refused. */
  through: u64Text,
  /** The stored reading with the highest sequence; null when none is stored. */
  reading: z
    .strictObject({
      sequence: u64Text,
      /** The 48 signed bytes. */
      message: readingMessageText,
      signature: signatureText,
      public_key: publicKeyText,
    })
    .nullable(),
  /** Where the meter stands on the chain, as far as the collector has seen; sequence 0 before its first reading. */
  chain: z.strictObject({
    last_sequence: u64Text,
    last_end: unixSeconds,
    produced_total: u64Text,
    consumed_total: u64Text,
    surplus_total: u64Text,
  }),
});
export type LastReading = z.infer<typeof LastReading>;

const errorCode = z.string().regex(/^[A-Z][A-Z0-9_]{1,47}$/);

/** What the collector says about a meter's readings; the payload text of a `SignedEnvelope` on `.../ack`. */
export const Ack = z.strictObject({
  meter_id: meterIdText,
  time: unixSeconds,
  /** Highest sequence up to which all are stored or finally refused. */
  through: u64Text,
  /** Stored sequences above `through`, and those newly stored at or below it. */
  stored: z.array(u64Text).max(1000),
  refused: z
    .array(z.strictObject({ sequence: u64Text, code: errorCode, retry: z.enum(['never', 'later']) }))
    .max(1000),
  /** Stored, but waiting for a person's review (above 100 kWh). */
  held: z.array(z.strictObject({ sequence: u64Text })).max(1000),
});
export type Ack = z.infer<typeof Ack>;

const commandHead = {
  /** Unique, so that a gateway obeys a command once. */
  id: z.string().min(1).max(64),
  time: unixSeconds,
};

/** What a gateway is asked to do; the payload text of a `SignedEnvelope` on `.../command`. */
export const Command = z.discriminatedUnion('type', [
  z.strictObject({ ...commandHead, type: z.literal('resend'), from_sequence: u64Text }),
  z.strictObject({
    ...commandHead,
    type: z.literal('sampling'),
    sample_seconds: z.number().min(MIN_SAMPLE_SECONDS).max(MAX_SAMPLE_SECONDS),
  }),
]);
export type Command = z.infer<typeof Command>;

const deviceRole = z.enum(['grid', 'production', 'consumption']);

/** Live values of one meter (retained). Energy as u64 text in nkWh; power and the like for display only. */
export const Telemetry = z.strictObject({
  meter_id: meterIdText,
  time: unixSeconds,
  /** Produced now, where a production meter is there. */
  production_watts: z.number().optional(),
  /** Consumed now, where a consumption meter is there. */
  consumption_watts: z.number().optional(),
  /** At the grid connection: positive imports, negative exports. */
  grid_watts: z.number().optional(),
  produced_total: u64Text.optional(),
  consumed_total: u64Text.optional(),
  surplus_total: u64Text.optional(),
  devices: z
    .array(
      z.strictObject({
        role: deviceRole,
        profile: z.string().max(64),
        unit: z.number().int().min(0).max(255),
        online: z.boolean(),
        power_watts: z.number().optional(),
        /** Per phase. */
        voltage_volts: z.array(z.number()).max(3).optional(),
        /** Per phase. */
        current_amperes: z.array(z.number()).max(3).optional(),
        frequency_hertz: z.number().optional(),
        import_total: u64Text.optional(),
        export_total: u64Text.optional(),
      }),
    )
    .max(16),
});
export type Telemetry = z.infer<typeof Telemetry>;

const statusAlert = z.strictObject({
  code: errorCode,
  message: z.string().max(500),
  since: unixSeconds,
});

const statusBus = z.strictObject({
  ok: z.boolean(),
  devices: z
    .array(
      z.strictObject({
        role: deviceRole,
        unit: z.number().int().min(0).max(255),
        ok: z.boolean(),
        /** Failures since the last success. */
        failures: z.number().int().nonnegative(),
        last_success: unixSeconds.optional(),
        last_error: errorCode.optional(),
      }),
    )
    .max(16),
});

const statusClock = z.strictObject({ synchronised: z.boolean(), offset_ms: z.number().optional() });

/**
 * The gateway's health for one meter (retained). `offline` is the last will, written when the connection
 * begins, and so says nothing but that.
 */
export const Status = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('online'),
    version: z.string().max(64),
    time: unixSeconds,
    outbox_depth: z.number().int().nonnegative(),
    clock: statusClock,
    bus: statusBus,
    alerts: z.array(statusAlert).max(32),
  }),
  z.strictObject({
    state: z.literal('offline'),
    version: z.string().max(64),
    time: unixSeconds,
    outbox_depth: z.number().int().nonnegative().optional(),
    clock: statusClock.optional(),
    bus: statusBus.optional(),
    alerts: z.array(statusAlert).max(32).optional(),
  }),
]);
export type Status = z.infer<typeof Status>;

/** MQTT CONNECT password of a gateway: one signed `GTXA` message per served meter, as a JSON array. */
export const LoginPassword = z
  .array(z.strictObject({ meter_id: meterIdText, time: unixSeconds, signature: signatureText }))
  .min(1)
  .max(MAX_METERS_PER_LOGIN)
  .refine(
    (entries) => new Set(entries.map((entry) => entry.meter_id)).size === entries.length,
    'must name each meter once',
  );
export type LoginPassword = z.infer<typeof LoginPassword>;

/** A login over HTTP: the header `Authorization: GTXA <unix seconds>.<signature>` for the meter of the path. */
const LOGIN_HEADER = /^GTXA (0|[1-9][0-9]{0,9})\.([1-9A-HJ-NP-Za-km-z]{64,88})$/;

/** The value of the header `Authorization` for one signed `GTXA` message. */
export function formatLoginHeader(login: { time: number; signature: Uint8Array | string }): string {
  return `GTXA ${login.time}.${base58(login.signature)}`;
}

/**
 * Reads a login out of the header `Authorization`.
 * @throws GtxError UNAUTHENTICATED without one, LOGIN_REFUSED when it is malformed
 */
export function parseLoginHeader(meterId: string, header: string | undefined): LoginPassword[number] {
  if (header === undefined) {
    throw new GtxError('UNAUTHENTICATED', 'send the header Authorization: GTXA <unix seconds>.<signature>');
  }
  const match = LOGIN_HEADER.exec(header);
  const entry = { meter_id: meterId, time: Number(match?.[1]), signature: match?.[2] };
  const [login] = parseWith(LoginPassword, [entry], 'LOGIN_REFUSED');
  return login as LoginPassword[number];
}

/** Most readings in one request to `POST /api/meters/{meter_id}/readings`. */
export const MAX_READINGS_PER_REQUEST = 32;

/** Body of `POST /api/meters/{meter_id}/readings`: what a gateway would publish, one after the other. */
export const DeliverReadings = z.strictObject({
  readings: z.array(SubmitReading).min(1).max(MAX_READINGS_PER_REQUEST),
});
export type DeliverReadings = z.infer<typeof DeliverReadings>;

/**
 * Validates `value` against `schema`.
 * @param code the refusal's code (INVALID_BODY for bodies, ACK_INVALID, CONFIG_INVALID and so on)
 * @throws GtxError with `details.issues`: [{path, message}], at most 20, never the offending values
 */
export function parseWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  code: ErrorCode = 'INVALID_BODY',
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message,
  }));
  const first = issues[0];
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  throw new GtxError(code, `${where}${first?.message ?? 'does not match the schema'}`, { issues });
}

/** Parses JSON text (or its UTF-8 bytes) and validates it, see `parseWith`. @throws GtxError with `code` */
export function parseJsonWith<S extends z.ZodType>(
  schema: S,
  json: string | Uint8Array,
  code: ErrorCode = 'INVALID_BODY',
): z.output<S> {
  let value: unknown;
  try {
    const text = typeof json === 'string' ? json : new TextDecoder('utf-8', { fatal: true }).decode(json);
    value = JSON.parse(text);
  } catch (cause) {
    throw new GtxError(code, 'not valid JSON in UTF-8', { issues: [] }, { cause });
  }
  return parseWith(schema, value, code);
}

function base58(value: Uint8Array | string): string {
  return typeof value === 'string' ? value : encodeBase58(value);
}
