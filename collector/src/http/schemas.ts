/** Schemas of the HTTP interface: requests are validated, the OpenAPI document and docs/http.md generated from them. */
import {
  DeliverReadings,
  LastReading,
  MAX_READINGS_PER_REQUEST,
  SignedEnvelope,
  SubmitReading,
  SubmitReadingResult,
} from '@gridtokenx/protocol';
import { z } from 'zod';
import { FLEET_ROUTES } from '../fleet/schemas.js';
import { LIVE_ROUTES } from '../live/route.js';
import { LOGIN_ROUTES } from '../login/routes.js';
import { OVERVIEW_ROUTES } from '../overview/schemas.js';
import { REVIEW_ROUTES } from '../review/routes.js';
import { STORED_STATUSES } from '../validate/rules.js';
import { AUDIT_ROUTES } from './audit-schemas.js';
import { cursor, instant, isoTime, kwh, limit, meterId, pageOf, wallet } from './fields.js';
import { MARKET_ROUTES } from './market-schemas.js';
import { ORDER_ROUTES } from './order-schemas.js';
import { type Route, route } from './route.js';

export const Health = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  component: z.literal('collector'),
  version: z.string(),
  /** Unix seconds. */
  time: z.number().int(),
  uptime_seconds: z.number().int(),
  demo: z.boolean().meta({ description: 'Nothing here has a value: the page may take key files' }),
  checks: z.strictObject({
    database: z.enum(['ok', 'unavailable']),
    broker: z.enum(['ok', 'unavailable']),
    chain: z.enum(['ok', 'unavailable']),
  }),
});
export type Health = z.infer<typeof Health>;

export const ServerTime = z.strictObject({
  time: z
    .number()
    .int()
    .meta({ description: 'Unix seconds', examples: [1700001000] }),
  iso: z.string().meta({ examples: ['2023-11-14T22:30:00Z'] }),
});

export const StoredReading = z.strictObject({
  id: z.string(),
  meter_id: meterId,
  wallet_address: z.string(),
  sequence: z.string(),
  flags: z.number().int(),
  interval_start: z.number().int(),
  interval_end: z.number().int(),
  produced_total: z.string().meta({ description: 'nkWh as decimal text' }),
  consumed_total: z.string(),
  surplus_total: z.string(),
  kwh_amount: kwh,
  reading_timestamp: isoTime,
  submitted_at: isoTime,
  status: z.enum(STORED_STATUSES),
  minted: z.boolean(),
  mint_tx_signature: z.string().nullable(),
  meter_signature: z.string(),
  public_key: z.string(),
});
export type StoredReading = z.infer<typeof StoredReading>;

export const ReadingsPage = pageOf(StoredReading);

const period = {
  from: instant
    .optional()
    .meta({ description: 'Readings whose interval ends then or later: one that ends exactly then is told' }),
  to: instant
    .optional()
    .meta({ description: 'Readings whose interval ends before: one that ends exactly then is not told' }),
};
export const ReadingsQuery = z.strictObject({
  ...period,
  limit,
  cursor: z
    .string()
    .regex(/^[1-9][0-9]{0,19}$/, 'must be a cursor from an earlier page')
    .optional(),
});

export const CSV_COLUMNS = [
  'interval_start',
  'interval_end',
  'sequence',
  'produced_total_kwh',
  'consumed_total_kwh',
  'surplus_total_kwh',
  'surplus_kwh',
  'status',
  'mint_tx_signature',
] as const;

export const MeterParams = z.strictObject({ meter_id: meterId });

export const MeterState = z.strictObject({
  meter_id: meterId,
  wallet_address: z.string(),
  public_key: z.string(),
  rated_watts: z.number(),
  status: z.enum(['active', 'suspended', 'rebase']),
  user_verified: z.boolean(),
  last_sequence: z.string(),
  through: z.string(),
  last_reading_at: isoTime.nullable(),
  surplus_kwh: kwh,
  minted_grid: kwh.meta({ description: 'GRID minted on chain' }),
  holds: z.number().int().meta({ description: 'Readings held for review; nothing settles while above 0' }),
});

export const CollectorStatus = z.strictObject({
  time: z.number().int(),
  meters: z.number().int(),
  users: z.number().int(),
  /** Stored readings, and how many of them have each status. */
  readings: z.strictObject({
    stored: z.number().int(),
    by_status: z.record(z.enum(STORED_STATUSES), z.number().int()),
  }),
  minted_grid: kwh,
  open_alerts: z.number().int(),
  open_reviews: z.number().int(),
  mqtt_url: z.string(),
  ack_public_key: z.string(),
});

export const ErrorBodySchema = z.strictObject({
  error: z.strictObject({
    code: z.string().meta({ examples: ['INVALID_SIGNATURE'] }),
    message: z.string(),
    retry: z.enum(['never', 'later']),
    details: z.record(z.string(), z.unknown()),
  }),
});

/** A reading's body has some 750 bytes. */
const DELIVERED_READING_BYTES = 2 * 1024;

export const submitReading = route({
  method: 'post',
  path: '/api/meters/submit-reading',
  tag: 'Readings',
  summary: 'Submit a signed reading',
  description:
    'Stores a reading signed by its meter. Checked in this order: signature, freshness, duplicates, amount; then ' +
    "meter, owner, wallet and key. `kwh_amount` must equal the surplus since the meter's previous accepted reading, " +
    "and `reading_timestamp` the interval's end. The answer is given when the reading is durable, not before.",
  body: SubmitReading,
  rawBody: true,
  access: 'public',
  limit: 'submit',
  answers: {
    200: { description: 'The identical reading is stored already.', schema: SubmitReadingResult },
    201: {
      description: 'Stored; `covered` when a later reading already carries its energy.',
      schema: SubmitReadingResult,
    },
    202: {
      description: 'Stored, and held for review: above 100 kWh. Nothing of the meter settles until then.',
      schema: SubmitReadingResult,
    },
  },
  errors: [
    'INVALID_BODY',
    'INVALID_SIGNATURE',
    'METER_NOT_REGISTERED',
    'METER_SUSPENDED',
    'USER_NOT_VERIFIED',
    'WALLET_MISMATCH',
    'KEY_MISMATCH',
    'DUPLICATE_READING',
    'SEQUENCE_CONFLICT',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'READING_TOO_OLD',
    'READING_IN_FUTURE',
    'INTERVAL_INVALID',
    'SEQUENCE_INVALID',
    'AMOUNT_MISMATCH',
    'TOTALS_DECREASED',
    'TOTALS_INCONSISTENT',
    'RATE_LIMITED',
    'STORAGE_UNAVAILABLE',
    'CHAIN_UNAVAILABLE',
    'SERVICE_STOPPING',
    'INTERNAL',
  ],
});

export const deliverReadings = route({
  method: 'post',
  path: '/api/meters/{meter_id}/readings',
  tag: 'Readings',
  summary: "Deliver a gateway's readings",
  description:
    'The second way for a gateway whose broker is away. Each reading is what the gateway would publish on ' +
    '`gtx/v1/{meter_id}/reading` and is judged by the same rules, in order. The answer is what the collector would ' +
    'publish on `gtx/v1/{meter_id}/ack`: an acknowledgement in a signed envelope, bound to that topic, given when the ' +
    'readings are durable. A reading that it does not mention is to be sent again.',
  params: MeterParams,
  body: DeliverReadings,
  bodyLimit: MAX_READINGS_PER_REQUEST * DELIVERED_READING_BYTES,
  rawBody: true,
  access: 'meter',
  limit: 'deliver',
  answers: { 200: { description: 'The signed acknowledgement.', schema: SignedEnvelope } },
  errors: [
    'INVALID_BODY',
    'UNAUTHENTICATED',
    'LOGIN_REFUSED',
    'LOGIN_STALE',
    'METER_NOT_REGISTERED',
    'NOT_FOUND',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'RATE_LIMITED',
    'STORAGE_UNAVAILABLE',
    'CHAIN_UNAVAILABLE',
    'SERVICE_STOPPING',
    'INTERNAL',
  ],
});

export const getLastReading = route({
  method: 'get',
  path: '/api/meters/{meter_id}/last-reading',
  tag: 'Readings',
  summary: "A meter's newest reading, for the holder of its key",
  description:
    'For a gateway that has its key and has lost its store. Check the signature over the 48 bytes before believing ' +
    'them. At most 30 requests a minute from one address.',
  params: MeterParams,
  access: 'meter',
  limit: 'recover',
  answers: { 200: { description: 'The newest reading, if there is one.', schema: LastReading } },
  errors: [
    'UNAUTHENTICATED',
    'LOGIN_REFUSED',
    'LOGIN_STALE',
    'METER_NOT_REGISTERED',
    'NOT_FOUND',
    'RATE_LIMITED',
    'STORAGE_UNAVAILABLE',
    'CHAIN_UNAVAILABLE',
  ],
});

export const getTime = route({
  method: 'get',
  path: '/api/time',
  tag: 'Service',
  summary: "The collector's clock",
  description: 'For a gateway whose login was refused as stale.',
  access: 'public',
  answers: { 200: { description: 'The time.', schema: ServerTime } },
  errors: [],
});

export const listMeters = route({
  method: 'get',
  path: '/api/meters',
  tag: 'Meters',
  summary: 'Meters',
  description: "A wallet's meters by their ids, or for an operator all.",
  query: z.strictObject({
    wallet: wallet.optional().meta({ description: 'For operators: whose; all unless given' }),
    limit,
    cursor,
  }),
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'A page.', schema: pageOf(MeterState) } },
  errors: [],
});

export const getMeter = route({
  method: 'get',
  path: '/api/meters/{meter_id}',
  tag: 'Meters',
  summary: 'A meter',
  description: 'What the collector knows of a meter, and how far it has come.',
  params: MeterParams,
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The meter.', schema: MeterState } },
  errors: [],
});

export const listReadings = route({
  method: 'get',
  path: '/api/meters/{meter_id}/readings',
  tag: 'Meters',
  summary: "A meter's readings",
  description:
    'Newest first. A wallet sees the readings from the time in which the meter was its own, whoever has it now.',
  params: MeterParams,
  query: ReadingsQuery,
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'A page.', schema: ReadingsPage } },
  errors: [],
});

export const getReadingsCsv = route({
  method: 'get',
  path: '/api/meters/{meter_id}/readings.csv',
  tag: 'Meters',
  summary: "A meter's readings as a table",
  description: `Oldest first: ${CSV_COLUMNS.map((name) => `\`${name}\``).join(', ')}. Energy in kWh, times in UTC. At most 366 days at once.`,
  params: MeterParams,
  query: z.strictObject(period),
  access: 'own',
  limit: 'read',
  answers: {
    200: { description: 'The table, with a line of names first (RFC 4180).', contentType: 'text/csv' },
  },
  errors: [],
});

export const getStatus = route({
  method: 'get',
  path: '/api/status',
  tag: 'Service',
  summary: 'Figures',
  description: 'How many meters, readings and mints there are, and what waits for a person.',
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'The figures.', schema: CollectorStatus } },
  errors: ['UNAUTHENTICATED', 'FORBIDDEN', 'STORAGE_UNAVAILABLE'],
});

export const getHealth = route({
  method: 'get',
  path: '/healthz',
  tag: 'Service',
  summary: 'Health',
  description: '200 while readings can be stored, 503 otherwise; the body says what is wrong.',
  access: 'public',
  answers: {
    200: { description: 'Readings can be stored.', schema: Health },
    503: { description: 'They cannot.', schema: Health },
  },
  errors: [],
});

export const getMetrics = route({
  method: 'get',
  path: '/metrics',
  tag: 'Service',
  summary: 'Figures for Prometheus',
  description: 'Text format.',
  access: 'public',
  answers: { 200: { description: 'The figures.', contentType: 'text/plain' } },
  errors: [],
});

export const getOpenApi = route({
  method: 'get',
  path: '/openapi.json',
  tag: 'Service',
  summary: 'This interface as OpenAPI 3.1',
  description: 'Generated from the schemas that requests are validated with.',
  access: 'public',
  cached: true,
  answers: { 200: { description: 'The document.', contentType: 'application/json' } },
  errors: [],
});

export const getDocs = route({
  method: 'get',
  path: '/docs',
  tag: 'Service',
  summary: 'This interface as a page',
  description:
    'Shows all of this, and lets you try it. Everything on the page comes from the collector itself.',
  access: 'public',
  answers: { 200: { description: 'The page.', contentType: 'text/html' } },
  errors: [],
});

/** Every route of the collector. */
export const ROUTES: readonly Route[] = [
  submitReading,
  deliverReadings,
  getLastReading,
  ...LOGIN_ROUTES,
  ...LIVE_ROUTES,
  ...REVIEW_ROUTES,
  ...OVERVIEW_ROUTES,
  listMeters,
  getMeter,
  listReadings,
  getReadingsCsv,
  ...FLEET_ROUTES,
  ...MARKET_ROUTES,
  ...ORDER_ROUTES,
  ...AUDIT_ROUTES,
  getTime,
  getStatus,
  getHealth,
  getMetrics,
  getOpenApi,
  getDocs,
];
