import {
  buildTransaction,
  fetchConfig,
  fetchMeter,
  instructions,
  simulate,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import { inTransaction } from '../mirror/transaction.js';
import { lockOpen } from './queue.js';
import { notOffered } from './reviews.js';
import type { PreparedDecision } from './schemas.js';

export interface PrepareDeps {
  readonly pool: pg.Pool;
  readonly connection: Connection;
}

export interface HeldDecision {
  readonly decision: 'release' | 'write_off';
  /** The registrar's or admin's wallet, base58: signs, and pays the fee. */
  readonly wallet: string;
  readonly by: string;
  readonly reason: string;
}

/** Far above what either instruction takes. */
const COMPUTE_UNITS = 50_000;

/**
 * Makes the transaction that releases energy held on the chain, or writes it off. The collector has no power over it:
 * the wallet's owner signs and sends it, and the review ends when the mirror sees it executed.
 * @throws GtxError NOT_FOUND; CONFLICT when the review is over, decided in the database, or nothing is held any more;
 *   FORBIDDEN for a wallet that is neither registrar nor admin; CHAIN_REFUSED, CHAIN_UNAVAILABLE
 */
export async function prepareHeldDecision(
  { pool, connection }: PrepareDeps,
  reviewId: string,
  { decision, wallet, by, reason }: HeldDecision,
): Promise<PreparedDecision> {
  const review = await inTransaction(pool, (client) => lockOpen(client, reviewId));
  const { meter_id: meterId } = review;
  if (review.kind !== 'energy_held' || meterId === null) throw notOffered(review, 'prepare');
  const sequence = BigInt(review.sequence ?? 0);
  const authority = new PublicKey(wallet);

  const [config, meter] = await Promise.all([fetchConfig(connection), fetchMeter(connection, meterId)]);
  if (!config?.registrar.equals(authority) && !config?.admin.equals(authority)) {
    throw new GtxError(
      'FORBIDDEN',
      `only the registrar or the admin decides about held energy, not ${wallet}`,
      {
        // What the registry would call it.
        reason: 'NotAuthorized',
        registrar: config?.registrar.toBase58(),
        admin: config?.admin.toBase58(),
      },
    );
  }
  const hold = meter?.holds.find((one) => one.amount > 0n && one.sequence === sequence);
  if (hold === undefined) {
    throw new GtxError(
      'CONFLICT',
      `the chain holds nothing of ${meterId} under sequence ${sequence} any more`,
    );
  }

  let latest: { blockhash: string; lastValidBlockHeight: number };
  try {
    latest = await connection.getLatestBlockhash('confirmed');
  } catch (error) {
    throw toChainError(error);
  }
  const args = { authority, meterId, sequence };
  const transaction = buildTransaction({
    payer: authority,
    blockhash: latest.blockhash,
    computeUnitLimit: COMPUTE_UNITS,
    instructions: [decision === 'release' ? instructions.releaseHeld(args) : instructions.writeOffHeld(args)],
  });
  const { failure } = await simulate(connection, transaction);
  if (failure !== undefined) {
    throw new GtxError('CHAIN_REFUSED', `the chain would refuse it: ${failure.message}`, {
      reason: failure.reason,
    });
  }
  const amount = nkwhToKwh(hold.amount);
  await pool.query(
    `INSERT INTO review_actions (review_id, action, actor, reason, details) VALUES ($1, 'prepared', $2, $3, $4)`,
    [reviewId, by, reason, JSON.stringify({ decision, wallet, amount_kwh: amount })],
  );
  return {
    review_id: reviewId,
    decision,
    meter_id: meterId,
    sequence: sequence.toString(),
    amount_kwh: amount,
    wallet,
    transaction: Buffer.from(transaction.serialize()).toString('base64'),
    blockhash: latest.blockhash,
    last_valid_block_height: latest.lastValidBlockHeight,
  };
}
