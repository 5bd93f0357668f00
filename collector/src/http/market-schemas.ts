/** Schemas and routes of what the collector knows from the chain: market, tokens, certificates, votes, events. */
import { z } from 'zod';
import {
  address,
  cursor,
  grid,
  grx,
  isoTime,
  kwh,
  limit,
  meterId,
  pageOf,
  price,
  signature,
  u64,
  wallet,
} from './fields.js';
import { type Route, route } from './route.js';

const side = z.enum(['sell', 'buy']).meta({ description: '`sell` offers GRID, `buy` offers GRX' });
const slot = z.number().int().meta({ description: 'Slot of the chain that this is from' });
const market = address.optional().meta({ description: 'A market; not needed while there is only one' });
const feeBps = z.number().int().meta({ description: 'Hundredths of a percent' });
const PUBLIC = 'It is on the chain for anybody to see, so it needs no login.';

export const MarketItem = z.strictObject({
  address,
  base_mint: address.meta({ description: 'The mint of GRID' }),
  quote_mint: address.meta({ description: 'The mint of GRX' }),
  lot_size: grid.meta({ description: 'Amounts of orders are multiples of it', examples: ['0.001'] }),
  tick_size: price.meta({ description: 'Prices of orders are multiples of it', examples: ['0.001'] }),
  fee_bps: feeBps.meta({ description: 'What a sale pays, in hundredths of a percent' }),
  band_bps: feeBps.meta({ description: "How far trades may be from the feed's price; 0: any price" }),
  feed: address.nullable(),
  treasury: address,
  admin: address,
  guardian: address,
  paused: z.boolean(),
  slot,
});

const Level = z.strictObject({ price, amount: grid, orders: z.number().int() });
export const Book = z.strictObject({
  market: address,
  epoch: z.string().meta({ description: 'The run of sequence numbers; deltas of another one do not fit' }),
  sequence: z
    .number()
    .int()
    .meta({ description: 'The next delta on the WebSocket has this number plus one' }),
  asks: z.array(Level).meta({ description: 'Sell orders by price, the lowest first' }),
  bids: z.array(Level).meta({ description: 'Buy orders by price, the highest first' }),
});

export const OrderItem = z.strictObject({
  address,
  market: address,
  owner: wallet,
  order_id: u64,
  side,
  price,
  amount: grid,
  remaining: grid,
  escrowed: z
    .string()
    .meta({ description: 'What its escrow holds: GRID of a sell order, GRX of a buy order' }),
  fee_bps: feeBps,
  status: z.enum(['open', 'filled', 'cancelled', 'expired']),
  expires_at: isoTime,
  created_at: isoTime,
  created_signature: signature,
  filled_at: isoTime.nullable(),
  closed_at: isoTime
    .nullable()
    .meta({ description: 'When its accounts were closed and what was left returned' }),
  closed_signature: signature.nullable(),
  slot,
});

export const TradeItem = z.strictObject({
  signature,
  event_index: z.number().int(),
  market: address,
  seller: wallet,
  buyer: wallet,
  sell_order: address.nullable().meta({ description: 'null: the seller took the buy order directly' }),
  buy_order: address.nullable().meta({ description: 'null: the buyer took the sell order directly' }),
  maker_order: address,
  taker_side: side,
  price,
  amount: grid,
  quote: grx.meta({ description: 'GRX that the buyer paid' }),
  fee: grx.meta({ description: 'GRX of it for the treasury' }),
  executed_at: isoTime,
  slot,
});

const Feed = z.strictObject({
  address,
  symbol: z.string().meta({ examples: ['GRX/GRID'] }),
  price: price.nullable().meta({ description: 'null before the first' }),
  published_at: isoTime.nullable(),
  counts: z
    .boolean()
    .meta({ description: 'Whether it can be relied on: not paused, not older than it may be' }),
  paused: z.boolean(),
  max_age_seconds: z.number().int(),
  max_deviation_bps: feeBps,
  publishers: z.number().int(),
  slot,
});
const Guide = z.strictObject({
  market: address,
  price,
  supply_kwh: kwh.meta({ description: 'Offered in the last intervals, weighted' }),
  demand_kwh: kwh.meta({ description: 'Wanted in the last intervals, weighted' }),
  imbalance_bps: z.number().int(),
  tariff_bps: z.number().int(),
  time: isoTime,
});
export const Prices = z.strictObject({
  feeds: z.array(Feed),
  guides: z
    .array(Guide)
    .meta({ description: 'What energy is about worth; no market is missing but one without a price' }),
});
export type GuidePrice = z.infer<typeof Guide>;

export const PublishedPrice = z.strictObject({
  price,
  published_at: isoTime,
  publisher: address,
  submitted: price.meta({ description: "This publisher's own price; the published one is the median" }),
  signature,
  slot,
});

const Balance = z.strictObject({
  mint: address,
  symbol: z.enum(['GRID', 'GRX']),
  token_account: address
    .nullable()
    .meta({ description: 'null: the wallet has no account of this token yet' }),
  amount: grid.meta({ description: "In the wallet's account" }),
  escrowed: grid.meta({ description: 'In the escrows of its orders' }),
  total: grid,
  slot,
});
export const Balances = z.strictObject({ wallet, balances: z.array(Balance) });

export const SettlementItem = z.strictObject({
  id: z.string(),
  signature,
  state: z.enum(['prepared', 'confirmed', 'finalized', 'failed', 'expired', 'superseded', 'dropped']),
  meter_id: meterId,
  kind: z.enum(['submit', 'mint']),
  after_sequence: u64,
  through_sequence: u64.meta({ description: 'Readings above the one and up to the other are covered' }),
  expected: grid,
  minted: grid.nullable().meta({ description: 'null until the chain has told' }),
  created_at: isoTime,
  confirmed_at: isoTime.nullable(),
  error: z.string().nullable(),
});

export const CertificateItem = z.strictObject({
  address,
  meter_id: meterId,
  producer: wallet,
  holder: wallet,
  serial: u64,
  split_from: u64.nullable(),
  energy: kwh,
  from_total: kwh.meta({ description: "Of the meter's settled energy, from here" }),
  to_total: kwh.meta({ description: 'to here' }),
  period_start: isoTime,
  period_end: isoTime,
  source: z.string(),
  status: z.enum(['held', 'retired']),
  beneficiary: z.string().nullable(),
  reason: z.string().nullable(),
  issued_at: isoTime,
  issued_signature: signature,
  retired_at: isoTime.nullable(),
  retired_signature: signature.nullable(),
  slot,
});

const gov = z.string().meta({ description: 'GOV as decimal text', examples: ['1000'] });
export const ProposalItem = z.strictObject({
  address,
  id: u64,
  proposer: wallet,
  title: z.string(),
  uri: z.string(),
  description_hash: z.string(),
  status: z.enum(['draft', 'voting', 'queued', 'executed', 'defeated', 'cancelled']),
  yes: gov,
  no: gov,
  abstain: gov,
  quorum: gov.nullable(),
  threshold_bps: feeBps.nullable(),
  instructions: z.number().int(),
  executed: z.number().int().meta({ description: 'Instructions of it that have been executed' }),
  voting_ends_at: isoTime.nullable(),
  executable_at: isoTime.nullable(),
  expires_at: isoTime.nullable(),
  created_at: isoTime,
  removed_at: isoTime.nullable(),
  slot,
});
export const VoteItem = z.strictObject({
  wallet,
  choice: z.enum(['yes', 'no', 'abstain']),
  weight: gov,
  voted_at: isoTime,
  signature,
  slot,
});

export const EventItem = z.strictObject({
  signature,
  event_index: z.number().int(),
  name: z.string().meta({ examples: ['TradeExecuted'] }),
  program_id: address,
  slot,
  time: isoTime.nullable(),
  finalized: z.boolean(),
  data: z
    .record(z.string(), z.unknown())
    .meta({ description: 'The fields as the program logged them; integers are text' }),
});

export const listMarkets = route({
  method: 'get',
  path: '/api/markets',
  tag: 'Market',
  summary: 'Markets',
  description: `Where GRID is traded, with the rules of each. ${PUBLIC}`,
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'All of them.', schema: pageOf(MarketItem) } },
  errors: [],
});

export const getBook = route({
  method: 'get',
  path: '/api/book',
  tag: 'Market',
  summary: 'Order book',
  description: `What can be traded now, by price. To follow it use the WebSocket. ${PUBLIC}`,
  query: z.strictObject({
    market,
    depth: z.coerce
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(50)
      .meta({ description: 'Best prices of each side' }),
  }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'The book.', schema: Book } },
  errors: ['NOT_FOUND'],
});

export const listOrders = route({
  method: 'get',
  path: '/api/orders',
  tag: 'Market',
  summary: 'Orders',
  description: `Newest first. ${PUBLIC}`,
  query: z.strictObject({
    owner: wallet.optional(),
    market,
    side: side.optional(),
    status: z.enum(['open', 'filled', 'cancelled', 'expired']).optional(),
    limit,
    cursor,
  }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(OrderItem) } },
  errors: [],
});

export const getOrder = route({
  method: 'get',
  path: '/api/orders/{address}',
  tag: 'Market',
  summary: 'An order',
  description: `${PUBLIC}`,
  params: z.strictObject({ address }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'The order.', schema: OrderItem } },
  errors: [],
});

export const listTrades = route({
  method: 'get',
  path: '/api/trades',
  tag: 'Market',
  summary: 'Trades',
  description: `Newest first. ${PUBLIC}`,
  query: z
    .strictObject({
      market,
      wallet: wallet.optional().meta({ description: 'Trades in which it sold or bought' }),
      order: address.optional().meta({ description: 'Trades of one order' }),
      limit,
      cursor,
    })
    .refine((query) => query.wallet === undefined || query.order === undefined, {
      path: ['order'],
      message: 'give a wallet or an order, not both',
    }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(TradeItem) } },
  errors: [],
});

export const getPrices = route({
  method: 'get',
  path: '/api/prices',
  tag: 'Market',
  summary: 'Prices',
  description: `What the oracle says, and the guide that the collector makes of it ([market.md](market.md)). ${PUBLIC}`,
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'Feeds and guides.', schema: Prices } },
  errors: [],
});

export const listPublishedPrices = route({
  method: 'get',
  path: '/api/prices/{feed}',
  tag: 'Market',
  summary: 'Published prices of a feed',
  description: `Newest first. ${PUBLIC}`,
  params: z.strictObject({ feed: address }),
  query: z.strictObject({ limit, cursor }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(PublishedPrice) } },
  errors: [],
});

export const getBalances = route({
  method: 'get',
  path: '/api/balances/{wallet}',
  tag: 'Wallet',
  summary: "A wallet's tokens",
  description: 'GRID and GRX in its accounts and in the escrows of its orders, as the chain was at `slot`.',
  params: z.strictObject({ wallet }),
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The balances.', schema: Balances } },
  errors: [],
});

export const listSettlements = route({
  method: 'get',
  path: '/api/settlements',
  tag: 'Wallet',
  summary: 'Settlements',
  description: "What was minted for a wallet's meters, newest first.",
  query: z.strictObject({
    wallet: wallet.optional().meta({ description: 'For operators: whose; all unless given' }),
    meter_id: meterId.optional(),
    limit,
    cursor,
  }),
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'A page.', schema: pageOf(SettlementItem) } },
  errors: [],
});

export const listCertificates = route({
  method: 'get',
  path: '/api/certificates',
  tag: 'Certificates',
  summary: 'Renewable-energy certificates',
  description: `Newest first. ${PUBLIC}`,
  query: z.strictObject({
    holder: wallet.optional(),
    meter_id: meterId.optional(),
    status: z.enum(['held', 'retired']).optional(),
    limit,
    cursor,
  }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(CertificateItem) } },
  errors: [],
});

export const listProposals = route({
  method: 'get',
  path: '/api/proposals',
  tag: 'Governance',
  summary: 'Proposals',
  description: `Newest first. ${PUBLIC}`,
  query: z.strictObject({ status: ProposalItem.shape.status.optional(), limit, cursor }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(ProposalItem) } },
  errors: [],
});

export const listVotes = route({
  method: 'get',
  path: '/api/proposals/{proposal}/votes',
  tag: 'Governance',
  summary: 'Votes on a proposal',
  description: `By wallet. ${PUBLIC}`,
  params: z.strictObject({ proposal: address }),
  query: z.strictObject({ limit, cursor }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(VoteItem) } },
  errors: [],
});

export const listEvents = route({
  method: 'get',
  path: '/api/events',
  tag: 'Chain',
  summary: 'Events of the programs',
  description:
    `What the programs logged, newest first. ${PUBLIC} Readings are left out: they tell when somebody is at home, and their ` +
    'owners find them under `/api/meters`.',
  query: z.strictObject({
    account: address.optional().meta({ description: 'Events that name this address' }),
    name: z
      .string()
      .regex(/^[A-Z][A-Za-z]{0,63}$/, 'must be the name of an event')
      .optional(),
    signature: signature.optional().meta({ description: 'Events of one transaction' }),
    limit,
    cursor,
  }),
  access: 'public',
  limit: 'read',
  cached: true,
  answers: { 200: { description: 'A page.', schema: pageOf(EventItem) } },
  errors: [],
});

export const MARKET_ROUTES: readonly Route[] = [
  listMarkets,
  getBook,
  listOrders,
  getOrder,
  listTrades,
  getPrices,
  listPublishedPrices,
  getBalances,
  listSettlements,
  listCertificates,
  listProposals,
  listVotes,
  listEvents,
];
