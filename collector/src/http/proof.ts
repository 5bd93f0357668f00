import { ED25519_PROGRAM_ID, readEd25519Instruction, toChainError } from '@gridtokenx/chain';
import {
  decodeBase58,
  decodeReading,
  encodeBase58,
  nkwhToKwh,
  READING_BYTES,
  toReadingFields,
} from '@gridtokenx/protocol';
import { type Connection, VersionedTransaction } from '@solana/web3.js';
import type pg from 'pg';
import type { z } from 'zod';
import type { TransactionState } from './order-schemas.js';

type State = z.infer<typeof TransactionState>;
/** What somebody needs who believes nobody, to check that meters have signed what a transaction minted. */
export type Proof = Pick<State, 'transaction' | 'readings' | 'accepted_in'>;

interface Row {
  signature: string;
  meter_id: string;
  sequence: string;
  public_key: string;
  counted: string;
  held: string;
  mint_signature: string | null;
  wire: Buffer | null;
  after_sequence: string | null;
}

const NONE: Proof = { transaction: null, readings: [], accepted_in: [] };
/** Other transactions of a mint that are named; a mint of what was accepted before pays few. */
const MOST_OTHERS = 20;

/**
 * The readings that a transaction brought to the chain, each with the bytes that its meter signed, from the transaction's own
 * Ed25519 instruction. One that only mints names the transactions that brought its readings.
 * @throws GtxError CHAIN_UNAVAILABLE: somebody else sent it, and the node that has to be asked does not answer
 */
export async function proofOf(pool: pg.Pool, connection: Connection, signature: string): Promise<Proof> {
  const { rows } = await pool.query<Row>(
    `SELECT c.signature, c.meter_id, c.sequence, c.public_key, c.counted, c.held, c.mint_signature,
            s.wire, i.after_sequence
     FROM (SELECT * FROM chain_readings WHERE signature = $1
           UNION SELECT * FROM chain_readings WHERE mint_signature = $1) c
     LEFT JOIN settlements s ON s.signature = $1
     LEFT JOIN settlement_items i ON i.settlement_id = s.id AND i.meter_id = c.meter_id
     ORDER BY c.meter_id, c.sequence`,
    [signature],
  );
  const brought = rows.filter((row) => row.signature === signature);
  const others = new Set(rows.map((row) => row.signature));
  others.delete(signature);
  const accepted_in = [...others].slice(0, MOST_OTHERS);
  if (brought.length === 0) return { ...NONE, accepted_in };
  const wire = brought[0]?.wire ?? (await wireOf(connection, signature));
  // The node keeps transactions for a while only.
  if (wire === undefined) return { ...NONE, accepted_in };
  const signed = signedReadings(wire);
  return {
    transaction: Buffer.from(wire).toString('base64'),
    readings: brought.flatMap((row) => {
      const found = signed.find(
        ({ publicKey, reading }) => publicKey === row.public_key && String(reading.sequence) === row.sequence,
      );
      if (found === undefined) return [];
      const { reading, message, signature: meterSignature } = found;
      return {
        meter_id: row.meter_id,
        public_key: row.public_key,
        meter_signature: meterSignature,
        message: Buffer.from(message).toString('hex'),
        ...toReadingFields(reading),
        after_sequence: row.after_sequence,
        counted_kwh: nkwhToKwh(BigInt(row.counted)),
        held_kwh: nkwhToKwh(BigInt(row.held)),
        mint_tx_signature: row.mint_signature,
      };
    }),
    accepted_in,
  };
}

/** A transaction that somebody else made, as the node has it; undefined when it has it no longer. */
async function wireOf(connection: Connection, signature: string): Promise<Uint8Array | undefined> {
  try {
    const found = await connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    if (found === null) return undefined;
    const { message, signatures } = found.transaction;
    return Buffer.concat([
      // A compact-u16 of one byte: a packet has room for fewer than 128 signatures.
      Buffer.of(signatures.length),
      ...signatures.map((text) => decodeBase58(text, 64)),
      message.serialize(),
    ]);
  } catch (error) {
    throw toChainError(error, { signature });
  }
}

/** Every reading whose signature the chain's Ed25519 program checked in this transaction. */
function signedReadings(wire: Uint8Array) {
  const { message } = VersionedTransaction.deserialize(wire);
  return message.compiledInstructions.flatMap(({ programIdIndex, data }, index) => {
    if (!message.staticAccountKeys[programIdIndex]?.equals(ED25519_PROGRAM_ID)) return [];
    return (readEd25519Instruction(data, index) ?? [])
      .filter((entry) => entry.message.length === READING_BYTES)
      .map((entry) => ({
        publicKey: encodeBase58(entry.publicKey),
        signature: encodeBase58(entry.signature),
        message: entry.message,
        reading: decodeReading(entry.message),
      }));
  });
}
