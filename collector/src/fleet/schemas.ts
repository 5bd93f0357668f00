/** What the HTTP interface tells of gateways. */
import { z } from 'zod';
import { cursor, grid, isoTime, limit, meterId, pageOf, wallet } from '../http/fields.js';
import { type Route, route } from '../http/route.js';
import { FLEET_STATES, PROBLEMS } from './state.js';

const watts = z.number().int();

const Device = z.strictObject({
  role: z.enum(['grid', 'production', 'consumption']),
  unit: z.number().int().meta({ description: 'Address on the bus' }),
  ok: z.boolean(),
  failures: z.number().int().meta({ description: 'Since its last success' }),
  last_success: isoTime.nullable(),
  last_error: z.string().nullable().meta({ description: 'A code, see errors.md' }),
});

export const FleetItem = z.strictObject({
  meter_id: meterId,
  wallet_address: z.string(),
  chain_status: z.enum(['active', 'suspended', 'rebase']),
  state: z.enum(FLEET_STATES).meta({
    description:
      '`online`: it says so and was heard lately, or a reading came lately; `silent`: it is not heard any more and took no leave; `offline`: it took leave, or the broker for it; `never`: nothing has come yet',
  }),
  since: isoTime
    .nullable()
    .meta({ description: 'Since when, as far as it was seen; of `silent`: when it was heard last' }),
  last_heard_at: isoTime.nullable().meta({ description: 'Last status or live values of the gateway itself' }),
  last_reading_at: isoTime.nullable().meta({ description: "The newest reading's end" }),
  version: z.string().nullable().meta({ description: "The gateway's software" }),
  outbox_depth: z.number().int().nullable().meta({ description: 'Readings that it still has to deliver' }),
  clock: z.strictObject({ synchronised: z.boolean(), offset_ms: z.number().nullable() }).nullable(),
  bus: z
    .strictObject({
      ok: z.boolean(),
      failures: z.number().int().meta({ description: 'Of all devices, since their last success' }),
      last_error: z.string().nullable(),
      devices: z.array(Device),
    })
    .nullable(),
  alerts: z
    .array(z.strictObject({ code: z.string(), message: z.string(), since: isoTime }))
    .meta({ description: 'What the gateway itself complains of' }),
  power: z
    .strictObject({
      production_watts: watts.nullable(),
      consumption_watts: watts.nullable(),
      grid_watts: watts.nullable().meta({ description: 'Positive imports, negative exports' }),
      at: isoTime,
    })
    .nullable()
    .meta({ description: 'The last live values, however old' }),
  holds: z.number().int().meta({ description: 'Readings held for review; nothing settles while above 0' }),
  minted_grid: grid,
  site: z
    .strictObject({ latitude: z.number(), longitude: z.number() })
    .nullable()
    .meta({ description: 'From GTX_SITES_FILE' }),
});
export type FleetItem = z.infer<typeof FleetItem>;

export const FleetPage = pageOf(FleetItem);

export const FleetQuery = z.strictObject({
  state: z.enum(FLEET_STATES).optional(),
  problem: z.enum(PROBLEMS).optional().meta({
    description:
      '`clock`: not synchronised; `bus`: a device does not answer; `outbox`: 5 readings or more wait; `alert`: the gateway complains of something',
  }),
  version: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Gateways with this version of the software' }),
  q: z
    .string()
    .min(1)
    .max(44)
    .regex(/^[A-Za-z0-9._-]+$/, 'must be the beginning of a meter id, or a wallet')
    .optional()
    .meta({ description: 'The beginning of a meter id, or a whole wallet address' }),
  limit,
  cursor,
});
export type FleetQuery = z.infer<typeof FleetQuery>;

const count = z.number().int();

export const FleetPlacesQuery = FleetQuery.omit({ limit: true, cursor: true });

export const FleetPlaces = z.strictObject({
  items: z.array(
    z.strictObject({
      meter_id: meterId,
      state: z.enum(FLEET_STATES),
      latitude: z.number(),
      longitude: z.number(),
    }),
  ),
  meters: count.meta({ description: 'Meters that were looked at, with and without a place' }),
  more: z.boolean().meta({ description: 'There are more: filters lead to them' }),
});
export type FleetPlaces = z.infer<typeof FleetPlaces>;

export const FleetSummary = z.strictObject({
  time: isoTime,
  meters: count,
  states: z.strictObject({ online: count, silent: count, offline: count, never: count }),
  problems: z
    .strictObject({ clock: count, bus: count, outbox: count, alerts: count })
    .meta({ description: 'Meters with each problem, by the last status of their gateway' }),
  outbox_readings: count.meta({ description: 'Readings that gateways said they still have to deliver' }),
  versions: z
    .array(z.strictObject({ version: z.string(), meters: count }))
    .meta({ description: 'The most frequent first, at most 20' }),
});
export type FleetSummary = z.infer<typeof FleetSummary>;

export const Power = z.strictObject({
  at: isoTime.nullable().meta({ description: 'The newest of the live values; null without any' }),
  production_watts: watts,
  consumption_watts: watts,
  surplus_watts: watts.meta({ description: 'Of each meter what is left of its production, added up' }),
  meters: count.meta({ description: 'Meters whose live values of the last minute these are' }),
  silent: count.meta({ description: 'Meters without' }),
});
export type Power = z.infer<typeof Power>;

const tag = 'Fleet';
const MeterParams = z.strictObject({ meter_id: meterId });

export const listFleet = route({
  method: 'get',
  path: '/api/fleet',
  tag,
  summary: 'Gateways',
  description:
    'One item for each meter, by their ids: what its gateway said last of itself, and whether it is heard. Filters can be combined.',
  query: FleetQuery,
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'A page.', schema: FleetPage } },
  errors: [],
});

export const listFleetPlaces = route({
  method: 'get',
  path: '/api/fleet/places',
  tag,
  summary: 'Where the meters are',
  description:
    'For a map: of the first 2,000 meters by their ids, those whose place is known (GTX_SITES_FILE), with nothing but the state of ' +
    'their gateway. With the same filters as the list.',
  query: FleetPlacesQuery,
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'The places.', schema: FleetPlaces } },
  errors: [],
});

export const getFleetSummary = route({
  method: 'get',
  path: '/api/fleet/summary',
  tag,
  summary: 'Gateways in figures',
  description:
    'How many meters are in which state and have which problem. Two seconds old at most; with very many meters, some more.',
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'The figures.', schema: FleetSummary } },
  errors: [],
});

export const getMeterLive = route({
  method: 'get',
  path: '/api/meters/{meter_id}/live',
  tag,
  summary: "A meter's gateway now",
  description: 'The same item for one meter: for its owner, and for operators.',
  params: MeterParams,
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The item.', schema: FleetItem } },
  errors: [],
});

export const getPower = route({
  method: 'get',
  path: '/api/power',
  tag,
  summary: 'Power now',
  description:
    "Of a wallet's meters, or for an operator of all: the live values of the last minute, added up. A meter that measures only the " +
    'connection to the grid counts with what it exports and imports there.',
  query: z.strictObject({
    wallet: wallet.optional().meta({ description: 'For operators: whose; all unless given' }),
  }),
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The power.', schema: Power } },
  errors: [],
});

export const FLEET_ROUTES: readonly Route[] = [
  listFleet,
  listFleetPlaces,
  getFleetSummary,
  getMeterLive,
  getPower,
];
