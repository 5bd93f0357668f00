/** Schemas and routes of the figures about everything: public ones about the network, those of an owner, the operators'. */
import { z } from 'zod';
import { grid, instant, isoTime, kwh, meterId, signature, wallet } from '../http/fields.js';
import { type Route, route } from '../http/route.js';

export const STAGES = ['received', 'stored', 'accepted', 'minted', 'final'] as const;
export type Stage = (typeof STAGES)[number];

/** Why something is not shown to everybody. */
const Hidden = z.enum(['too_few_meters']).nullable().meta({
  description:
    'Why it is not shown: of fewer meters it would be the business of single homes. null: nothing is hidden',
});
const maybeKwh = kwh.nullable();
const energy = { produced_kwh: maybeKwh, consumed_kwh: maybeKwh, surplus_kwh: maybeKwh };
const watts = z.number().int();
const count = z.number().int();
const seconds = z.number();

export const PipelineStage = z.strictObject({
  stage: z.enum(STAGES),
  count_minute: count.meta({ description: 'Readings that came to this stage in the last 60 seconds' }),
  count_hour: count.meta({ description: 'and in the last hour' }),
  waiting: count.meta({ description: 'Readings that have come to this stage and not to the next' }),
  lag_seconds_p50: seconds.nullable().meta({
    description:
      'From the end of the interval to this stage: half of the last hour were faster; null without any',
  }),
  lag_seconds_p95: seconds.nullable(),
});
export type PipelineStage = z.infer<typeof PipelineStage>;

export const Mint = z.strictObject({
  signature,
  amount: grid,
  time: isoTime.nullable(),
  meters: count,
  state: z.enum(['confirmed', 'finalized']),
});
export type Mint = z.infer<typeof Mint>;

export const OverviewAnswer = z.strictObject({
  time: isoTime,
  zone: z.literal('UTC').meta({ description: 'Of `today` without `since`' }),
  power: z
    .strictObject({
      production_watts: watts,
      consumption_watts: watts,
      surplus_watts: watts,
      meters: count.meta({ description: 'Meters whose live values these are' }),
      at: isoTime.nullable(),
    })
    .nullable()
    .meta({ description: 'Power now; null where it is hidden, or no meter tells it' }),
  power_hidden: Hidden,
  today: z.strictObject({
    since: isoTime,
    ...energy,
    hidden: Hidden,
    minted_grid: grid,
    readings: count,
  }),
  total: z.strictObject({ minted_grid: grid, readings: count, meters: count, users: count }),
  pipeline: z.array(PipelineStage).meta({ description: 'The way of a reading, stage by stage' }),
  mints: z.array(Mint).meta({ description: 'The latest transactions that minted' }),
});
export type OverviewAnswer = z.infer<typeof OverviewAnswer>;

export const STEPS = ['quarter', 'hour', 'day'] as const;
export type Step = (typeof STEPS)[number];
/** Parts that an answer has at most. */
export const MAX_BUCKETS = 400;

const period = {
  from: instant.meta({
    description: 'Where the first part begins; an interval that ended exactly then is not in it',
  }),
  to: instant.meta({
    description:
      'The last part begins before this; an interval that ends exactly where that part does is in it',
  }),
  step: z.enum(STEPS).default('hour'),
  zone: z
    .string()
    .max(64)
    .refine(isZone, 'must be the name of a time zone')
    .default('UTC')
    .meta({ description: 'IANA name; hours and days are those of its clocks', examples: ['Asia/Bangkok'] }),
};
export const EnergyQuery = z.strictObject(period);

export const EnergyItem = z.strictObject({
  start: isoTime,
  end: isoTime,
  ...energy,
  readings: count,
  meters: count
    .nullable()
    .meta({ description: 'Most meters of one quarter of an hour; null for those of one owner' }),
  hidden: Hidden,
});
export type EnergyItem = z.infer<typeof EnergyItem>;

export const EnergyAnswer = z.strictObject({
  step: z.enum(STEPS),
  zone: z.string(),
  items: z.array(EnergyItem).meta({ description: 'Every part of the period, the oldest first' }),
  counted: z.boolean().meta({
    description: 'false while readings from before are still being added up: the figures will rise',
  }),
});
export type EnergyAnswer = z.infer<typeof EnergyAnswer>;

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    // RangeError: no such zone.
    return false;
  }
}

const COUNTS =
  'A reading counts, undivided, in the part in which its interval ended, against the reading of its meter before it: one that ' +
  "ended exactly where a part ends is that part's, not the next one's. (With `from` and `to` of a meter's readings it is the " +
  'other way about: those of a part are asked for from a second after its start to a second after its end.) ' +
  `At most ${MAX_BUCKETS} parts, of which each begins where the clocks of \`zone\` begin one: a day may have 23 or 25 hours.`;
const PRIVACY =
  'Of a quarter of an hour with fewer meters than GTX_PUBLIC_POWER_METERS only operators see the energy; for others it ' +
  'is in no sum.';

const SettlementAnswer = z.strictObject({
  time: isoTime,
  queue: z
    .strictObject({ pending: count, covered: count, accepted: count, held: count, review: count })
    .meta({
      description: 'Readings by what they wait for; `held` those above a limit, here or on the chain',
    }),
  oldest_waiting_seconds: seconds.nullable().meta({ description: 'Since the oldest of them was stored' }),
  in_flight: z
    .array(
      z.strictObject({
        signature,
        state: z.enum(['prepared', 'confirmed']),
        meters: count,
        created_at: isoTime,
        age_seconds: seconds,
      }),
    )
    .meta({ description: 'Transactions that are not final, the oldest 100' }),
  in_flight_count: count,
  failed: z
    .array(z.strictObject({ signature, error: z.string().nullable(), created_at: isoTime }))
    .meta({ description: 'The last 20 that the chain refused' }),
  last_hour: z.strictObject({
    confirmed: count,
    failed: count,
    expired: count,
    p50_seconds: seconds.nullable().meta({ description: 'From making the transaction to its confirmation' }),
    p95_seconds: seconds.nullable(),
  }),
  paused: z.boolean().nullable().meta({
    description:
      'Whether the registry refuses readings until it is resumed; null when the chain does not answer',
  }),
});
export type SettlementAnswer = z.infer<typeof SettlementAnswer>;

const HealthAnswer = z.strictObject({
  time: isoTime,
  database: z.strictObject({
    version: z.string(),
    size_bytes: count,
    connections: count,
    max_connections: count,
    oldest_transaction_seconds: seconds.nullable(),
    partitions: count.meta({ description: 'Months of readings' }),
    rollup_behind: count.meta({ description: 'Meters with readings whose energy is not added up yet' }),
  }),
  chain: z.strictObject({
    cluster: z.string().nullable().meta({ description: 'Name of the cluster, or its genesis hash' }),
    rpc_ms: seconds.nullable().meta({ description: 'How long the node took to answer; null: it does not' }),
    slot: count.nullable(),
    block_height: count.nullable(),
    mirror_lag_slots: count.nullable(),
    mirror_lag_seconds: seconds.nullable().meta({ description: 'Since the mirror last had everything' }),
    queued: count.meta({ description: 'Transactions that are known and not yet applied' }),
  }),
  broker: z.strictObject({
    connected: z.boolean(),
    clients: count.nullable().meta({ description: 'null at an external broker' }),
    url: z.string().meta({ description: 'Without name and password' }),
  }),
  collectors: z.array(
    z.strictObject({
      id: z.string(),
      version: z.string(),
      started_at: isoTime,
      last_seen: isoTime,
      roles: z.array(z.string()),
    }),
  ),
  audit: z.strictObject({
    last_at: isoTime.nullable(),
    ok: z.boolean().nullable(),
    differences: count.meta({ description: 'That the last whole audit found' }),
    open: count.meta({ description: 'That the rolling comparison has found, and not seen go away' }),
  }),
});
export type HealthAnswer = z.infer<typeof HealthAnswer>;

export const getOverview = route({
  method: 'get',
  path: '/api/overview',
  tag: 'Overview',
  summary: 'The network at one glance',
  description: `Power now, energy and GRID of today, the way of the readings from meter to token, the latest mints. ${PRIVACY}`,
  query: z.strictObject({
    since: instant
      .optional()
      .meta({ description: 'Where today began, at a quarter of an hour; midnight in UTC unless given' }),
  }),
  access: 'anybody',
  limit: 'read',
  answers: { 200: { description: 'The figures, at most 2 seconds old.', schema: OverviewAnswer } },
  errors: [],
});

export const getEnergy = route({
  method: 'get',
  path: '/api/energy',
  tag: 'Overview',
  summary: 'Energy of the network',
  description: `${COUNTS} ${PRIVACY}`,
  query: EnergyQuery,
  access: 'anybody',
  limit: 'read',
  answers: { 200: { description: 'The parts.', schema: EnergyAnswer } },
  errors: [],
});

export const getMeterEnergy = route({
  method: 'get',
  path: '/api/meters/{meter_id}/energy',
  tag: 'Meters',
  summary: 'Energy of a meter',
  description: `${COUNTS} A wallet sees the time in which the meter was its own, whoever has it now.`,
  params: z.strictObject({ meter_id: meterId }),
  query: EnergyQuery,
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The parts.', schema: EnergyAnswer } },
  errors: [],
});

export const getOwnEnergy = route({
  method: 'get',
  path: '/api/energy/own',
  tag: 'Meters',
  summary: "Energy of a wallet's meters",
  description: `${COUNTS} The sum of what the wallet's meters measured while they were its own.`,
  query: z.strictObject({
    ...period,
    wallet: wallet.optional().meta({ description: 'For operators: whose' }),
  }),
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The parts.', schema: EnergyAnswer } },
  errors: [],
});

export const getSettlement = route({
  method: 'get',
  path: '/api/settlement',
  tag: 'Service',
  summary: 'The settlement queue',
  description: 'What waits for its mint, what is on its way, what the chain refused.',
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'The figures.', schema: SettlementAnswer } },
  errors: [],
});

export const getHealthDetails = route({
  method: 'get',
  path: '/api/health',
  tag: 'Service',
  summary: 'Health in detail',
  description:
    'Database, chain, broker and collectors, and what the audit says. For a yes or no there is /healthz.',
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'The figures.', schema: HealthAnswer } },
  errors: [],
});

export const OVERVIEW_ROUTES: readonly Route[] = [
  getOverview,
  getEnergy,
  getOwnEnergy,
  getMeterEnergy,
  getSettlement,
  getHealthDetails,
];
