/** Schemas and routes for trading with a wallet of one's own: transactions are built here, signed there, relayed here. */
import { kwhToNkwh } from '@gridtokenx/protocol';
import { z } from 'zod';
import { address, grx, instant, isoTime, kwh, meterId, price, signature, u64 } from './fields.js';
import { EventItem } from './market-schemas.js';
import { type Route, route } from './route.js';

/** A positive amount of a token with nine decimals, as base units. */
const amount = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,10})(?:\.[0-9]{1,9})?$/, 'must be a decimal with at most 9 decimals')
  .transform((text, context) => {
    try {
      const units = kwhToNkwh(text);
      if (units > 0n) return units;
    } catch {
      // More than 2^64 - 1 base units: said below.
    }
    context.addIssue({ code: 'custom', message: 'must be above 0 and at most 18446744073.709551615' });
    return z.NEVER;
  });
const decimal = (description: string, example: string) => amount.meta({ description, examples: [example] });

const Create = z.strictObject({
  kind: z.literal('create'),
  market: address.optional().meta({ description: 'Not needed while there is only one' }),
  side: z.enum(['sell', 'buy']),
  amount: decimal('GRID, in lots', '10'),
  price: decimal('GRX for 1 GRID, in ticks', '3'),
  expires_at: instant.optional().meta({ description: 'Within 366 days; in 7 days unless given' }),
});
const Match = z.strictObject({
  kind: z.literal('match'),
  order: address.meta({
    description: 'The order that is taken: a sell order is bought from, a buy order sold to',
  }),
  amount: amount
    .optional()
    .meta({ description: 'GRID; all that is left of the order unless given', examples: ['10'] }),
  min_amount: amount
    .optional()
    .meta({ description: 'The least that is worth a trade when others are faster; all of it unless given' }),
  limit_price: amount
    .optional()
    .meta({ description: 'The highest price at which the wallet buys, or the lowest at which it sells' }),
});
const Cancel = z.strictObject({
  kind: z.literal('cancel'),
  order: address.meta({ description: "An order of the wallet's own" }),
});
export const BuildOrder = z.discriminatedUnion('kind', [Create, Match, Cancel]);
export type BuildOrder = z.output<typeof BuildOrder>;

const tokens = z.string().meta({ description: 'Decimal text', examples: ['10'] });
const sol = z.string().meta({ description: 'SOL as decimal text', examples: ['0.000005'] });
const base64 = z.string().meta({ description: 'Base64' });

export const BuiltOrder = z.strictObject({
  transaction: base64.meta({
    description: 'Base64 of an unsigned versioned transaction; its fee payer is the wallet',
  }),
  message: z.string().meta({
    description: 'What it does, for the person who signs',
    examples: ['Sell 10 GRID at 3 GRX each: 30 GRX when all of it is sold'],
  }),
  blockhash: address,
  last_valid_block_height: z
    .number()
    .int()
    .meta({ description: 'Past this height it can no longer be carried out' }),
  expires_at: isoTime.meta({ description: 'About when that is' }),
  order: z.strictObject({
    address,
    order_id: u64,
    expires_at: isoTime,
  }),
  pre_flight: z
    .array(z.strictObject({ check: z.string(), ok: z.literal(true), message: z.string() }))
    .meta({ description: 'What was looked at, in words' }),
  pays: z.strictObject({
    token: z
      .enum(['GRID', 'GRX', 'none'])
      .meta({ description: 'What leaves the wallet, into escrow or to the other' }),
    amount: tokens,
  }),
  receives: z.strictObject({
    token: z.enum(['GRID', 'GRX']).meta({ description: 'At once, or for an order when all of it is filled' }),
    amount: tokens,
  }),
  price: price.nullable(),
  quote: grx.nullable().meta({ description: 'Amount times price' }),
  trading_fee: grx.meta({ description: 'The most of the quote that goes to the treasury' }),
  network_fee: sol,
  rent: sol.meta({ description: 'Paid for accounts; that of an order comes back when it is closed' }),
  rent_returned: sol,
});
export type BuiltOrder = z.infer<typeof BuiltOrder>;

export const SubmitTransaction = z.strictObject({
  transaction: z
    .string()
    .min(1)
    .max(4_096)
    .meta({ description: 'Base64 of the signed transaction, at most 1,232 bytes' }),
});

export const Submitted = z.strictObject({
  signature,
  last_valid_block_height: z
    .number()
    .int()
    .meta({ description: 'Past this height, without a result by then, it has expired' }),
});

/** A reading as its meter signed it, out of the transaction that brought it to the chain. */
const ProvenReading = z.strictObject({
  meter_id: meterId,
  public_key: address.meta({ description: 'The key in the meter' }),
  meter_signature: signature.meta({ description: "Base58 of the meter's Ed25519 signature over `message`" }),
  message: z
    .string()
    .regex(/^[0-9a-f]{96}$/)
    .meta({ description: 'Hex of the 48 bytes that the meter signed' }),
  flags: z.number().int(),
  sequence: u64,
  interval_start: z.number().int().meta({ description: 'Unix seconds' }),
  interval_end: z.number().int().meta({ description: 'Unix seconds' }),
  produced_total: u64.meta({ description: 'nkWh since the meter began' }),
  consumed_total: u64.meta({ description: 'nkWh since the meter began' }),
  surplus_total: u64.meta({ description: 'nkWh since the meter began' }),
  after_sequence: u64.nullable().meta({
    description:
      'It stands for all readings above this one, up to its own; null when no collector of this database sent it',
  }),
  counted_kwh: kwh.meta({ description: 'What the chain counted of it towards tokens' }),
  held_kwh: kwh.meta({ description: 'What the chain held back for a review' }),
  mint_tx_signature: signature.nullable().meta({ description: 'The transaction that minted its tokens' }),
});

export const TransactionState = z.strictObject({
  signature,
  state: z.enum(['pending', 'confirmed', 'finalized', 'failed', 'expired']),
  slot: z.number().int().nullable(),
  error: z
    .strictObject({
      reason: z.string().meta({ description: "The program's name for it", examples: ['OrderClosed'] }),
      message: z.string(),
      what_to_do: z.string(),
    })
    .nullable(),
  events: z.array(EventItem).meta({ description: 'As far as the collector has heard of it' }),
  transaction: base64.nullable().meta({
    description:
      'Base64 of the transaction as it is on the chain, when it brought readings and the collector or its node still has it',
  }),
  readings: z.array(ProvenReading).meta({
    description:
      'The readings that it brought to the chain, out of its Ed25519 instruction: whoever wants to can check each ' +
      "meter's signature. Public, as the transaction is",
  }),
  accepted_in: z.array(signature).meta({
    description: 'Transactions before it that brought readings whose tokens this one minted; at most 20',
  }),
});

const CHAIN = ['CHAIN_UNAVAILABLE', 'CHAIN_REFUSED'] as const;

export const buildOrder = route({
  method: 'post',
  path: '/api/orders/build',
  tag: 'Trading',
  summary: 'Build a transaction to sign',
  description:
    "Makes the transaction with which the session's wallet makes an order, takes one or takes its own back: with the " +
    'accounts that it still needs, tried out on the chain as it is now. The server holds no key: the wallet signs and pays. ' +
    'What would fail is refused, and `details.checks` says why.',
  body: BuildOrder,
  access: 'wallet',
  limit: 'write',
  answers: { 200: { description: 'The transaction, and what comes of it.', schema: BuiltOrder } },
  errors: [
    'NOT_FOUND',
    'VALUE_INVALID',
    'BALANCE_TOO_LOW',
    'ORDER_CLOSED',
    'SELF_TRADE',
    'MARKET_CLOSED',
    'CONFLICT',
    ...CHAIN,
  ],
});

export const submitTransaction = route({
  method: 'post',
  path: '/api/transactions/submit',
  tag: 'Trading',
  summary: 'Relay a signed transaction',
  description:
    "Sends a transaction as it is, after a trial run. Only instructions of this system's programs are relayed, with those that " +
    'set a compute budget, create associated token accounts, and check Ed25519 signatures. Sending the same again does no ' +
    'harm. A refusal of a program comes by its name in `details.reason`, with `details.what_to_do`.',
  body: SubmitTransaction,
  access: 'public',
  limit: 'write',
  answers: { 202: { description: 'Sent. Ask for its state.', schema: Submitted } },
  errors: ['TRANSACTION_INVALID', 'TRANSACTION_FORBIDDEN', ...CHAIN],
});

export const getTransaction = route({
  method: 'get',
  path: '/api/transactions/{signature}',
  tag: 'Trading',
  summary: 'What became of a transaction',
  description: 'Failed and expired are final; confirmed becomes finalized.',
  params: z.strictObject({ signature }),
  query: z.strictObject({
    last_valid_block_height: z.coerce
      .number()
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .meta({ description: 'From building or submitting it; without it `expired` is not found out' }),
  }),
  access: 'public',
  limit: 'follow',
  answers: { 200: { description: 'Its state.', schema: TransactionState } },
  errors: ['CHAIN_UNAVAILABLE'],
});

export const ORDER_ROUTES: readonly Route[] = [buildOrder, submitTransaction, getTransaction];
