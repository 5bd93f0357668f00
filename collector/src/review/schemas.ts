/** Schemas of the review queue and the alerts, as the HTTP interface shows them. */
import { z } from 'zod';
import { address, cursor, isoTime, kwh, limit, meterId, pageOf } from '../http/fields.js';
import { REVIEW_KINDS, type ReviewKind } from './kinds.js';

const kinds = Object.keys(REVIEW_KINDS) as [ReviewKind, ...ReviewKind[]];
const ENDS = ['released', 'written_off', 'dismissed', 'retried', 'resolved'] as const;
const SEVERITIES = ['info', 'warning', 'critical'] as const;

/** By kind, with what the review knows of itself: NOTICE_FACTS of the protocol. */
const details = z.record(z.string(), z.unknown()).meta({
  description:
    'What it is about as data, so that it can be said in any language: docs/alerts.md lists the facts that each kind has; there may be more',
});

export const ReviewItem = z.strictObject({
  id: z.uuid(),
  kind: z.string().meta({ description: `One of ${kinds.join(', ')}` }),
  status: z.enum(['open', ...ENDS]),
  subject: z.string().meta({
    description: 'What it is about: meter/sequence for a reading, else a lasting name',
    examples: ['MTR-001/7'],
  }),
  meter_id: z.string().nullable(),
  sequence: z.string().nullable(),
  amount_kwh: kwh,
  reason: z.string().meta({ description: 'Why a person is needed, in English' }),
  details,
  actions: z
    .array(z.enum(['retry', 'accept', 'dismiss', 'prepare']))
    .meta({ description: 'What can be done with it now' }),
  created_at: isoTime,
  resolved_at: isoTime.nullable(),
  resolved_by: z.string().nullable(),
  resolution_note: z.string().nullable(),
});
export type ReviewItem = z.infer<typeof ReviewItem>;

export const ReviewWithHistory = z.strictObject({
  ...ReviewItem.shape,
  history: z.array(
    z.strictObject({
      action: z.enum(['opened', 'prepared', ...ENDS]),
      actor: z.string().meta({ description: 'A wallet, a login, `collector` or `chain`' }),
      reason: z.string(),
      details: z.record(z.string(), z.unknown()),
      at: isoTime,
    }),
  ),
});
export type ReviewWithHistory = z.infer<typeof ReviewWithHistory>;

export const ReviewPage = pageOf(ReviewItem);

export const ReviewQuery = z.strictObject({
  kind: z.enum(kinds).optional(),
  status: z.enum(['open', ...ENDS, 'all']).default('open'),
  meter_id: meterId.optional(),
  limit,
  cursor,
});
export type ReviewQuery = z.output<typeof ReviewQuery>;

export const Id = z.strictObject({ id: z.uuid() });

/** Why: it is kept for good, with who and when. */
const reason = z.string().trim().min(1).max(500).meta({ description: 'Why; kept in the history' });
export const Reason = z.strictObject({ reason });

export const PrepareRequest = z.strictObject({
  decision: z.enum(['release', 'write_off']),
  wallet: address.meta({ description: 'The registrar or admin who will sign, and pays the fee' }),
  reason,
});

export const PreparedDecision = z.strictObject({
  review_id: z.uuid(),
  decision: z.enum(['release', 'write_off']),
  meter_id: meterId,
  sequence: z.string(),
  amount_kwh: kwh,
  wallet: address,
  transaction: z.string().meta({ description: 'The unsigned transaction, base64' }),
  blockhash: z.string(),
  last_valid_block_height: z.number().int(),
});
export type PreparedDecision = z.infer<typeof PreparedDecision>;

export const AlertItem = z.strictObject({
  id: z.uuid(),
  kind: z.string().meta({ examples: ['settlement_failed'] }),
  key: z.string().meta({ description: 'What it is about', examples: ['MTR-001'] }),
  severity: z.enum(SEVERITIES),
  message: z.string().meta({ description: 'In English' }),
  details,
  occurrences: z.number().int(),
  first_seen: isoTime,
  last_seen: isoTime,
  resolved_at: isoTime.nullable(),
  acknowledged_at: isoTime.nullable(),
  acknowledged_by: z.string().nullable(),
  acknowledgement: z.string().nullable(),
});
export type AlertItem = z.infer<typeof AlertItem>;

export const AlertPage = pageOf(AlertItem);

export const AlertQuery = z.strictObject({
  status: z.enum(['open', 'resolved', 'all']).default('open'),
  kind: z
    .string()
    .regex(/^[a-z_]{1,64}$/)
    .optional(),
  min_severity: z.enum(SEVERITIES).default('info'),
  limit,
  cursor,
});
export type AlertQuery = z.output<typeof AlertQuery>;

export const ChannelTests = z.strictObject({
  channels: z.array(
    z.strictObject({
      channel: z.string().meta({ examples: ['webhook', 'email', 'log'] }),
      delivered: z.boolean(),
      error: z.string().nullable(),
    }),
  ),
});
export type ChannelTests = z.infer<typeof ChannelTests>;
