import { confirmTransaction, instructions, sendPrepared, signedTransaction } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import {
  ComputeBudgetProgram,
  type Keypair,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { z } from 'zod';
import { connectTo, loadKey, type Result } from './chain-actions.js';
import type { OperatorApi } from './operator-api.js';
import { type Json, table } from './output.js';
import type { Targets } from './targets.js';

const details = z.record(z.string(), z.json());

const Review = z.object({
  id: z.string(),
  kind: z.string(),
  status: z.string(),
  subject: z.string(),
  meter_id: z.string().nullable(),
  sequence: z.string().nullable(),
  amount_kwh: z.string(),
  reason: z.string(),
  details,
  actions: z.array(z.string()),
  created_at: z.string(),
  resolved_at: z.string().nullable(),
  resolved_by: z.string().nullable(),
  resolution_note: z.string().nullable(),
});
const ReviewWithHistory = Review.extend({
  history: z.array(
    z.object({ action: z.string(), actor: z.string(), reason: z.string(), details, at: z.string() }),
  ),
});
type ReviewWithHistory = z.infer<typeof ReviewWithHistory>;
const ReviewPage = z.object({ items: z.array(Review), next_cursor: z.string().nullable() });

const Prepared = z.object({
  transaction: z.base64(),
  last_valid_block_height: z.number().int(),
  amount_kwh: z.string(),
});

const Alert = z.object({
  id: z.string(),
  kind: z.string(),
  key: z.string(),
  severity: z.string(),
  message: z.string(),
  details,
  occurrences: z.number(),
  first_seen: z.string(),
  last_seen: z.string(),
  resolved_at: z.string().nullable(),
  acknowledged_at: z.string().nullable(),
  acknowledged_by: z.string().nullable(),
  acknowledgement: z.string().nullable(),
});
const AlertPage = z.object({ items: z.array(Alert), next_cursor: z.string().nullable() });
const ChannelTests = z.object({
  channels: z.array(z.object({ channel: z.string(), delivered: z.boolean(), error: z.string().nullable() })),
});

/** Reviews, newest first. */
export async function listReviews(
  api: OperatorApi,
  query: { kind?: string; status?: string; meter_id?: string; limit: string; cursor?: string },
): Promise<Result> {
  const page = await api.get('/api/reviews', query, ReviewPage);
  const blocks = page.items.map(
    (review) =>
      `${review.id}  ${review.kind}  ${review.status}\n  ${review.subject}  ${review.amount_kwh} kWh  since ${review.created_at}\n  ${review.reason}`,
  );
  return { json: page as Json, text: listText(blocks, 'Nothing waits for a person.', page.next_cursor) };
}

export async function showReview(api: OperatorApi, id: string): Promise<Result> {
  const review = await api.get(`/api/reviews/${encodeURIComponent(id)}`, {}, ReviewWithHistory);
  return { json: review as Json, text: reviewText(review) };
}

/** Decides in the database: everything but energy held on the chain. */
export async function decide(
  api: OperatorApi,
  id: string,
  action: 'retry' | 'accept' | 'dismiss',
  reason: string,
): Promise<Result> {
  const path = `/api/reviews/${encodeURIComponent(id)}/${action}`;
  const review = await api.post(path, { reason }, ReviewWithHistory);
  return { json: review as Json, text: reviewText(review) };
}

export interface ChainDecision {
  readonly id: string;
  readonly decision: 'release' | 'write_off';
  readonly reason: string;
  readonly authorityKey: string | undefined;
  /** How long to wait until the collector has seen it. */
  readonly patienceMs: number;
  readonly progress: (text: string) => void;
}

/**
 * Has the collector prepare the transaction that decides about energy held on the chain, compares it with what was asked
 * for, signs it with the registrar's or admin's key and sends it.
 */
export async function decideOnChain(
  api: OperatorApi,
  targets: Targets,
  { id, decision, reason, authorityKey, patienceMs, progress }: ChainDecision,
): Promise<Result> {
  const path = `/api/reviews/${encodeURIComponent(id)}`;
  const before = await api.get(path, {}, ReviewWithHistory);
  const { meter_id: meterId, sequence } = before;
  if (before.kind !== 'energy_held' || meterId === null || sequence === null) {
    throw new GtxError('CONFLICT', `nothing is held on the chain here: use ${before.actions.join(' or ')}`, {
      kind: before.kind,
      actions: before.actions,
    });
  }
  const authority = loadKey(targets.layout, 'registrar', authorityKey);
  const wallet = authority.publicKey.toBase58();
  const prepared = await api.post(`${path}/prepare`, { decision, wallet, reason }, Prepared);
  const transaction = readTransaction(prepared.transaction);
  assertDecides(transaction, { authority, decision, meterId, sequence: BigInt(sequence) });
  const connection = connectTo(targets);
  const signed = signedTransaction(transaction, [authority], prepared.last_valid_block_height);
  await sendPrepared(connection, signed);
  const { state, error } = await confirmTransaction(connection, signed);
  if (state === 'failed') {
    throw new GtxError('CHAIN_REFUSED', error?.message ?? 'the chain refused the transaction', {
      reason: error?.reason,
      signature: signed.signature,
    });
  }
  if (state === 'expired') {
    throw new GtxError('TRANSACTION_EXPIRED', undefined, { signature: signed.signature });
  }
  progress(`Executed: ${signed.signature}. Waiting until the collector has seen it ...`);
  const deadline = Date.now() + patienceMs;
  let review = before;
  // Gone from the account, and by which decision is not known yet: the collector is about to read it.
  const undecided = () => review.status === 'open' || review.status === 'dismissed';
  while (undecided() && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    review = await api.get(path, {}, ReviewWithHistory);
  }
  const done = `${decision === 'release' ? 'Released' : 'Wrote off'} ${prepared.amount_kwh} kWh of ${meterId} held under sequence ${sequence}.`;
  const seen =
    review.status === 'open' ? '\nThe collector has not seen it yet; the review ends by itself.' : '';
  return {
    json: { ...(review as object), signature: signed.signature } as Json,
    text: `${done}${seen}\n  transaction ${signed.signature}`,
  };
}

function readTransaction(base64: string): VersionedTransaction {
  try {
    return VersionedTransaction.deserialize(Buffer.from(base64, 'base64'));
  } catch (error) {
    throw new GtxError('VALUE_INVALID', `the collector’s transaction cannot be read: ${String(error)}`);
  }
}

/** ComputeBudgetInstruction: the limits of compute units and of loaded data. Anything else there could cost money. */
const HARMLESS_BUDGET = new Set([2, 4]);

/**
 * A key signs what it has read, and not what somebody says that it is: the transaction must hold the one instruction that
 * this program would have made itself, and nothing else but limits.
 * @throws GtxError VALUE_INVALID
 */
export function assertDecides(
  transaction: VersionedTransaction,
  expected: {
    authority: Pick<Keypair, 'publicKey'>;
    decision: 'release' | 'write_off';
    meterId: string;
    sequence: bigint;
  },
): void {
  const wrong = (what: string) =>
    new GtxError(
      'VALUE_INVALID',
      `the collector’s transaction is not what was asked for (${what}): not signed`,
    );
  const { message } = transaction;
  if (message.addressTableLookups.length > 0) throw wrong('it names accounts through a table');
  const { payerKey, instructions: found } = TransactionMessage.decompile(message);
  const { authority, decision, meterId, sequence } = expected;
  if (!payerKey.equals(authority.publicKey)) throw wrong('another wallet pays');
  const args = { authority: authority.publicKey, meterId, sequence };
  const own = decision === 'release' ? instructions.releaseHeld(args) : instructions.writeOffHeld(args);
  const rest = found.filter(({ programId, data }) => {
    const limit = programId.equals(ComputeBudgetProgram.programId) && HARMLESS_BUDGET.has(data[0] ?? -1);
    return !limit;
  });
  const [only] = rest;
  if (only === undefined || rest.length !== 1) throw wrong(`${rest.length} instructions instead of one`);
  if (!only.programId.equals(own.programId)) throw wrong('another program');
  if (!only.data.equals(own.data)) throw wrong('another instruction');
  const sameKeys =
    only.keys.length === own.keys.length &&
    only.keys.every((key, index) => own.keys[index]?.pubkey.equals(key.pubkey));
  if (!sameKeys) throw wrong('other accounts');
}

/** Alerts, newest first. */
export async function listAlerts(
  api: OperatorApi,
  query: { kind?: string; status?: string; min_severity?: string; limit: string; cursor?: string },
): Promise<Result> {
  const page = await api.get('/api/alerts', query, AlertPage);
  const blocks = page.items.map(({ id, kind, key, severity, message, occurrences, first_seen, ...rest }) =>
    [
      `${id}  ${severity}  ${kind}  ${key}`,
      `  ${message}`,
      `  since ${first_seen}, ${occurrences} times${rest.resolved_at === null ? '' : `, over since ${rest.resolved_at}`}${
        rest.acknowledged_by === null
          ? ''
          : `, acknowledged by ${rest.acknowledged_by}: ${rest.acknowledgement}`
      }`,
    ].join('\n'),
  );
  return { json: page as Json, text: listText(blocks, 'No alerts.', page.next_cursor) };
}

export async function acknowledgeAlert(api: OperatorApi, id: string, reason: string): Promise<Result> {
  const alert = await api.post(`/api/alerts/${encodeURIComponent(id)}/acknowledge`, { reason }, Alert);
  return {
    json: alert as Json,
    text: `Acknowledged ${alert.kind} ${alert.key}: it is not repeated, and stays open until its cause is gone.`,
  };
}

/** @returns the result, and whether every channel took the notice */
export async function testAlerts(api: OperatorApi): Promise<Result & { delivered: boolean }> {
  const answer = await api.post('/api/alerts/test', {}, ChannelTests);
  return {
    json: answer as Json,
    text: table(
      answer.channels.map(({ channel, delivered, error }) => [
        channel,
        delivered ? 'delivered' : `failed: ${error ?? 'unknown'}`,
      ]),
    ),
    delivered: answer.channels.every(({ delivered }) => delivered),
  };
}

function listText(blocks: readonly string[], none: string, cursor: string | null): string {
  if (blocks.length === 0) return none;
  const more = cursor === null ? '' : `\n\nMore: --cursor ${cursor}`;
  return `${blocks.join('\n\n')}${more}`;
}

function reviewText(review: ReviewWithHistory): string {
  const facts: [string, string][] = [
    ['review', review.id],
    ['kind', review.kind],
    ['status', review.status],
    ['about', review.subject],
    ['energy', `${review.amount_kwh} kWh`],
    ['reason', review.reason],
    ...Object.entries(review.details).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ];
  if (review.actions.length > 0) facts.push(['offers', review.actions.join(', ')]);
  const history = review.history.map(
    ({ at, action, actor, reason }) => `  ${at}  ${action} by ${actor}${reason === '' ? '' : `: ${reason}`}`,
  );
  return `${table(facts)}\nhistory\n${history.join('\n')}`;
}
