import { randomInt } from 'node:crypto';
import { GtxError } from '@gridtokenx/protocol';
import {
  type AddressLookupTableAccount,
  ComputeBudgetProgram,
  type Connection,
  PACKET_DATA_SIZE,
  type PublicKey,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { type ChainFailure, describeFailure, toChainError } from './failure.js';

/** What a transaction is made from. */
export interface TransactionPlan {
  /** Pays the fee and signs first. */
  payer: PublicKey;
  /** In order. An Ed25519 instruction must stand right before the instruction that relies on it. */
  instructions: readonly TransactionInstruction[];
  /** A recent blockhash: its age limits the transaction's life to 150 blocks. */
  blockhash: string;
  /** Tables whose addresses are named by one byte instead of 32. */
  lookupTables?: readonly AddressLookupTableAccount[];
  /** Compute units that may be used; Solana's default (200,000 an instruction) otherwise. */
  computeUnitLimit?: number;
  /** Priority fee in millionths of a lamport for each compute unit of the limit. */
  microLamportsPerCu?: number;
  /** Makes the transaction unlike any other; the next one of {@link nextNonce} unless given. */
  nonce?: number;
}

/** 64 MiB: what Solana lets a transaction load unless it asks for less. */
const MAX_LOADED_BYTES = 64 * 1024 * 1024;
const NONCE_BITS = 24;
/** ComputeBudgetInstruction::SetLoadedAccountsDataSizeLimit(u32). web3.js 1.x has no builder for it. */
const SET_LOADED_ACCOUNTS_DATA_SIZE_LIMIT = 4;

let counter = randomInt(2 ** NONCE_BITS);

/** A number of 24 bits that this process has not used for 16 million transactions, and starts at random. */
export function nextNonce(): number {
  counter = (counter + 1) % 2 ** NONCE_BITS;
  return counter;
}

/**
 * The instruction that makes two otherwise equal transactions differ. A cluster executes byte-identical
 * transactions once and drops the others without an error, so "pay twice" with one blockhash would pay once.
 * The limit on loaded account data is the cheapest field that nobody else needs: 48 to 64 MiB are both far
 * above what any of our transactions loads, it costs no compute units and 8 bytes, and no extra program key.
 */
function uniqueInstruction(nonce: number): TransactionInstruction {
  if (!Number.isInteger(nonce) || nonce < 0 || nonce >= 2 ** NONCE_BITS) {
    throw new RangeError(`a nonce is an integer of ${NONCE_BITS} bits, not ${nonce}`);
  }
  const data = Buffer.alloc(5);
  data.writeUInt8(SET_LOADED_ACCOUNTS_DATA_SIZE_LIMIT, 0);
  data.writeUInt32LE(MAX_LOADED_BYTES - nonce, 1);
  return new TransactionInstruction({ programId: ComputeBudgetProgram.programId, keys: [], data });
}

/**
 * Builds an unsigned v0 transaction with its compute limit, priority fee and uniqueness.
 *
 * @throws GtxError CHAIN_REFUSED (reason TransactionTooLarge) when it does not fit into a packet of 1,232 bytes.
 */
export function buildTransaction(plan: TransactionPlan): VersionedTransaction {
  const budget: TransactionInstruction[] = [uniqueInstruction(plan.nonce ?? nextNonce())];
  if (plan.computeUnitLimit !== undefined) {
    budget.push(ComputeBudgetProgram.setComputeUnitLimit({ units: plan.computeUnitLimit }));
  }
  if (plan.microLamportsPerCu) {
    budget.push(ComputeBudgetProgram.setComputeUnitPrice({ microLamports: plan.microLamportsPerCu }));
  }
  const message = new TransactionMessage({
    payerKey: plan.payer,
    recentBlockhash: plan.blockhash,
    instructions: [...budget, ...plan.instructions],
  }).compileToV0Message([...(plan.lookupTables ?? [])]);
  const transaction = new VersionedTransaction(message);
  let size: number;
  try {
    size = transaction.serialize().length;
  } catch (error) {
    // web3.js writes into a buffer of one packet, so that what does not fit is a RangeError.
    if (!(error instanceof RangeError)) throw error;
    size = Number.POSITIVE_INFINITY;
  }
  if (size > PACKET_DATA_SIZE) {
    throw new GtxError(
      'CHAIN_REFUSED',
      `the transaction is larger than ${PACKET_DATA_SIZE} bytes: use fewer meters or a lookup table`,
      { reason: 'TransactionTooLarge' },
    );
  }
  return transaction;
}

/** What a simulation found. */
export interface Simulation {
  /** Set when the transaction would fail. */
  failure?: ChainFailure;
  logs: string[];
  unitsConsumed: number;
  /** What the last instruction that set return data gave back. */
  returnData?: { programId: string; data: Uint8Array };
}

/**
 * Runs a transaction on the node's confirmed state without changing anything. Signatures are not checked and
 * the blockhash is replaced by a fresh one, so an unsigned transaction will do. (The Ed25519 precompile does
 * check meter signatures here too.)
 *
 * @throws GtxError CHAIN_UNAVAILABLE when the node does not answer.
 */
export async function simulate(
  connection: Connection,
  transaction: VersionedTransaction,
): Promise<Simulation> {
  try {
    const { value } = await connection.simulateTransaction(transaction, {
      commitment: 'confirmed',
      replaceRecentBlockhash: true,
      sigVerify: false,
    });
    const logs = value.logs ?? [];
    return {
      ...(value.err === null ? {} : { failure: describeFailure(value.err, logs, programIdsOf(transaction)) }),
      logs,
      unitsConsumed: value.unitsConsumed ?? 0,
      ...(value.returnData
        ? {
            returnData: {
              programId: value.returnData.programId,
              data: Uint8Array.from(Buffer.from(value.returnData.data[0], 'base64')),
            },
          }
        : {}),
    };
  } catch (error) {
    throw toChainError(error);
  }
}

/** The program of each top-level instruction, in order: programs are never named through a lookup table. */
export function programIdsOf(transaction: VersionedTransaction): string[] {
  const { staticAccountKeys, compiledInstructions } = transaction.message;
  return compiledInstructions.map(
    ({ programIdIndex }) => staticAccountKeys[programIdIndex]?.toBase58() ?? 'unknown',
  );
}

/**
 * A priority fee (micro-lamports per compute unit) from what landed recently while writing the same accounts.
 *
 * @param percentile 0 to 100 over the recent slots' lowest landed fees.
 * @param max never returns more than this, whatever others pay.
 * @throws GtxError CHAIN_UNAVAILABLE when the node does not answer.
 */
export async function recentPriorityFee(
  connection: Connection,
  writable: readonly PublicKey[],
  { percentile, max }: { percentile: number; max: number },
): Promise<number> {
  try {
    const recent = await connection.getRecentPrioritizationFees({ lockedWritableAccounts: [...writable] });
    const fees = recent.map(({ prioritizationFee }) => prioritizationFee).sort((a, b) => a - b);
    const index = Math.min(fees.length - 1, Math.floor((percentile / 100) * fees.length));
    return Math.min(max, fees[index] ?? 0);
  } catch (error) {
    throw toChainError(error);
  }
}
