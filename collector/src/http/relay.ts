import {
  CERTIFICATES_PROGRAM_ID,
  ED25519_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  resolveSignature,
  sendPrepared,
  TRADING_PROGRAM_ID,
  toChainError,
} from '@gridtokenx/chain';
import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import {
  ComputeBudgetProgram,
  type Connection,
  PACKET_DATA_SIZE,
  VersionedTransaction,
} from '@solana/web3.js';
import type pg from 'pg';
import type { Counter, Registry } from 'prom-client';
import type { z } from 'zod';
import { verifySignature } from '../validate/signature.js';
import { eventsPage } from './market-queries.js';
import { relayMetrics } from './metrics.js';
import type { TransactionState } from './order-schemas.js';
import { withAdvice } from './orders.js';
import { adviceFor } from './program-advice.js';
import { proofOf } from './proof.js';

export interface RelayDeps {
  pool: pg.Pool;
  connection: Connection;
  registry: Registry;
}

/** A transaction that may be relayed. */
export interface SignedTransaction {
  transaction: VersionedTransaction;
  wire: Uint8Array;
  /** Base58: the fee payer's. */
  signature: string;
  /** Base58. */
  feePayer: string;
}

const OWN_PROGRAMS = new Set(
  [
    REGISTRY_PROGRAM_ID,
    ENERGY_TOKEN_PROGRAM_ID,
    TRADING_PROGRAM_ID,
    ORACLE_PROGRAM_ID,
    CERTIFICATES_PROGRAM_ID,
    GOVERNANCE_PROGRAM_ID,
  ].map((id) => id.toBase58()),
);
const COMPUTE_BUDGET = ComputeBudgetProgram.programId.toBase58();
const ED25519 = ED25519_PROGRAM_ID.toBase58();
const ASSOCIATED_TOKEN = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL';
/** Associated token program: `CreateIdempotent`. */
const CREATE_IDEMPOTENT = 1;
/** How long a blockhash counts. */
const BLOCKHASH_BLOCKS = 150;

/** Sends what wallets have signed. It is not a way to Solana for everybody: other programs' transactions are refused. */
export class Relay {
  private readonly relayed: Counter;

  constructor(private readonly deps: RelayDeps) {
    this.relayed = relayMetrics(deps.registry);
  }

  /**
   * @throws GtxError CHAIN_REFUSED (`details.reason`, `details.what_to_do`) when its trial run fails, TRANSACTION_INVALID
   *   when it is too old, CHAIN_UNAVAILABLE
   */
  async send(signed: SignedTransaction): Promise<{ signature: string; last_valid_block_height: number }> {
    try {
      const answer = await this.sendOnce(signed);
      this.relayed.inc({ outcome: 'sent' });
      return answer;
    } catch (error) {
      this.relayed.inc({ outcome: error instanceof GtxError ? error.code : 'INTERNAL' });
      throw error;
    }
  }

  private async sendOnce(
    signed: SignedTransaction,
  ): Promise<{ signature: string; last_valid_block_height: number }> {
    const { connection } = this.deps;
    let height: number;
    try {
      height = await connection.getBlockHeight('confirmed');
    } catch (error) {
      throw toChainError(error);
    }
    const { wire, signature, transaction } = signed;
    const outcome = await sendPrepared(connection, { wire, signature, transaction }).catch(
      (error: unknown) => {
        throw error instanceof GtxError ? withAdvice(error) : error;
      },
    );
    if (outcome === 'not-forwarded') {
      throw new GtxError('TRANSACTION_INVALID', 'its blockhash is too old, or of another chain', {
        reason: 'BlockhashNotFound',
        what_to_do: adviceFor('BlockhashNotFound'),
      });
    }
    // Its blockhash is not younger than the height that was asked for before.
    return { signature, last_valid_block_height: height + BLOCKHASH_BLOCKS };
  }

  /** @throws GtxError CHAIN_UNAVAILABLE */
  async state(
    signature: string,
    lastValidBlockHeight: number | undefined,
  ): Promise<z.infer<typeof TransactionState>> {
    const { pool, connection } = this.deps;
    const [known, events] = await Promise.all([
      pool.query<{ slot: string; finalized: boolean; error: string | null }>(
        'SELECT slot, finalized, error FROM chain_transactions WHERE signature = $1',
        [signature],
      ),
      eventsPage(pool, { signature, limit: 500 }),
    ]);
    const row = known.rows[0];
    if (row !== undefined && row.error === null) {
      return {
        signature,
        state: row.finalized ? 'finalized' : 'confirmed',
        slot: Number(row.slot),
        error: null,
        events: events.items.reverse(),
        ...(await proofOf(pool, connection, signature)),
      };
    }
    const height = lastValidBlockHeight ?? Number.MAX_SAFE_INTEGER;
    const { state, slot, error } = await resolveSignature(connection, signature, height, {
      expiryCommitment: 'confirmed',
    });
    return {
      signature,
      state,
      slot: slot ?? null,
      error:
        error === undefined
          ? null
          : { reason: error.reason, message: error.message, what_to_do: adviceFor(error.reason) },
      events: [],
      transaction: null,
      readings: [],
      accepted_in: [],
    };
  }
}

/**
 * Reads what a wallet has signed and sees that it may be relayed: whole, signed by all its signers, and of our programs.
 * @param text base64
 * @throws GtxError TRANSACTION_INVALID, TRANSACTION_FORBIDDEN
 */
export function readSigned(text: string): SignedTransaction {
  const wire = Buffer.from(text, 'base64');
  if (wire.length === 0 || wire.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw invalid('it is not base64');
  }
  if (wire.length > PACKET_DATA_SIZE) {
    throw invalid(`it has ${wire.length} bytes, and ${PACKET_DATA_SIZE} at most fit into a packet`);
  }
  const transaction = decode(wire);
  const { message, signatures } = transaction;
  const { numRequiredSignatures } = message.header;
  if (signatures.length !== numRequiredSignatures || numRequiredSignatures === 0) {
    throw invalid(`it has ${signatures.length} signatures and wants ${numRequiredSignatures}`);
  }
  assertPrograms(transaction);
  const signed = message.serialize();
  for (const [index, signature] of signatures.entries()) {
    const key = message.staticAccountKeys[index];
    if (key === undefined || !verifySignature(signature, signed, key.toBytes())) {
      throw invalid(
        `the signature of ${key?.toBase58() ?? 'an account that is not there'} is missing or wrong`,
      );
    }
  }
  return {
    transaction,
    wire,
    signature: encodeBase58(signatures[0] as Uint8Array),
    feePayer: message.staticAccountKeys[0]?.toBase58() ?? '',
  };
}

function decode(wire: Buffer): VersionedTransaction {
  let transaction: VersionedTransaction;
  let again: Uint8Array;
  try {
    transaction = VersionedTransaction.deserialize(wire);
    again = transaction.serialize();
  } catch {
    // The library's own words would be about its buffers.
    throw invalid('it cannot be decoded');
  }
  // One way to write a transaction: what follows it, or is written otherwise, is no part of what was signed.
  if (!wire.equals(again)) throw invalid('it is not written as a transaction is, or something follows it');
  return transaction;
}

/** @throws GtxError TRANSACTION_FORBIDDEN, TRANSACTION_INVALID */
function assertPrograms({ message }: VersionedTransaction): void {
  let own = 0;
  for (const { programIdIndex, data } of message.compiledInstructions) {
    // A program is never named through a lookup table.
    const program = message.staticAccountKeys[programIdIndex]?.toBase58();
    if (program === undefined) throw invalid('an instruction names no program');
    if (OWN_PROGRAMS.has(program)) own += 1;
    else if (program === ASSOCIATED_TOKEN) {
      if (data.length === 1 && data[0] === CREATE_IDEMPOTENT) continue;
      throw forbidden('only the idempotent creation of associated token accounts is relayed', program);
    } else if (program !== COMPUTE_BUDGET && program !== ED25519) {
      throw forbidden('it calls a program that is not one of this system', program);
    }
  }
  if (own === 0) throw forbidden("it calls none of this system's programs");
}

const invalid = (message: string): GtxError => new GtxError('TRANSACTION_INVALID', message);
const forbidden = (message: string, program?: string): GtxError =>
  new GtxError('TRANSACTION_FORBIDDEN', message, program === undefined ? {} : { program });
