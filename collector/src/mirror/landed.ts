import {
  type ChainEvent,
  describeFailure,
  ED25519_PROGRAM_ID,
  eventsOf,
  readEd25519Instruction,
} from '@gridtokenx/chain';
import { encodeBase58, encodeReading, READING_BYTES, type Reading } from '@gridtokenx/protocol';
import type { VersionedTransactionResponse } from '@solana/web3.js';

/** A reading that the registry accepted, with what the transaction says about it. Energies in nkWh. */
export interface AcceptedReading {
  readonly meterId: string;
  /** Address of the meter's account, base58. */
  readonly meter: string;
  /** The key it was signed with, base58. */
  readonly publicKey: string;
  readonly reading: Reading;
  readonly message: Uint8Array;
  /** Base58; from the Ed25519 instruction of the same transaction. */
  readonly signature: string;
  readonly counted: bigint;
  readonly held: bigint;
}

export interface LandedEvent {
  readonly index: number;
  readonly programId: string;
  readonly name: ChainEvent['name'];
  /** Address of the meter's account, where the event names one. */
  readonly meter: string | undefined;
  /** The event's fields as JSON: integers of 64 bits as decimal strings, keys in base58, bytes in hex. */
  readonly json: Record<string, unknown>;
  readonly event: ChainEvent;
}

/** One executed transaction of the programs, taken apart. */
export interface LandedTransaction {
  readonly signature: string;
  readonly slot: number;
  /** Unix seconds by the cluster's clock. */
  readonly blockTime: number | undefined;
  /** Set when it was executed and refused: then it had no effects. */
  readonly error: string | undefined;
  readonly events: readonly LandedEvent[];
  readonly accepted: readonly AcceptedReading[];
  /**
   * Log lines are missing (a transaction may log too much): events may be missing too, and only what the
   * instructions themselves tell is known.
   */
  readonly truncated: boolean;
  /** Every account that the transaction wrote, base58. */
  readonly written: readonly string[];
}

/**
 * Takes a transaction apart as `getTransaction` gives it: its events, and for every reading that the registry
 * accepted the signed bytes from the Ed25519 instruction before it.
 */
export function readLanded(signature: string, response: VersionedTransactionResponse): LandedTransaction {
  const { meta, slot, blockTime, transaction } = response;
  const { message } = transaction;
  const keys = message.getAccountKeys(
    meta?.loadedAddresses ? { accountKeysFromLookups: meta.loadedAddresses } : undefined,
  );
  const nameOf = (index: number) => keys.get(index)?.toBase58() ?? '';
  const written: string[] = [];
  for (let index = 0; index < keys.length; index++)
    if (message.isAccountWritable(index)) written.push(nameOf(index));
  const common = { signature, slot, blockTime: blockTime ?? undefined, written };

  const err: unknown = meta?.err;
  if (err !== null && err !== undefined) {
    const programIds = message.compiledInstructions.map(({ programIdIndex }) => nameOf(programIdIndex));
    const failure = describeFailure(err, meta?.logMessages ?? [], programIds);
    return {
      ...common,
      error: `${failure.reason}: ${failure.message}`,
      events: [],
      accepted: [],
      truncated: false,
    };
  }

  const decoded = eventsOf(meta);
  const events = decoded.events.map((event): LandedEvent => {
    const json = toJson(event.data) as Record<string, unknown>;
    return {
      index: event.index,
      programId: event.programId,
      name: event.name,
      meter: typeof json.meter === 'string' ? json.meter : undefined,
      json,
      event,
    };
  });

  // Signed messages by key and content: the instruction that was verified, wherever it stands.
  const signatures = new Map<string, string>();
  for (const [index, { programIdIndex, data }] of message.compiledInstructions.entries()) {
    if (nameOf(programIdIndex) !== ED25519_PROGRAM_ID.toBase58()) continue;
    for (const entry of readEd25519Instruction(data, index) ?? []) {
      if (entry.message.length !== READING_BYTES) continue;
      signatures.set(keyOf(encodeBase58(entry.publicKey), entry.message), encodeBase58(entry.signature));
    }
  }

  const accepted: AcceptedReading[] = [];
  for (const { event } of events) {
    if (event.name !== 'MeterReadingSubmitted') continue;
    const { data } = event;
    const reading: Reading = {
      flags: data.flags,
      sequence: data.sequence,
      intervalStart: data.intervalStart,
      intervalEnd: data.intervalEnd,
      producedTotal: data.producedTotal,
      consumedTotal: data.consumedTotal,
      surplusTotal: data.surplusTotal,
    };
    const bytes = encodeReading(reading);
    const publicKey = data.publicKey.toBase58();
    const signed = signatures.get(keyOf(publicKey, bytes));
    accepted.push({
      meterId: data.meterId,
      meter: data.meter.toBase58(),
      publicKey,
      reading,
      message: bytes,
      // The registry lets nothing pass without it; an instruction that cannot be read (called from another
      // program, offsets into elsewhere) leaves it empty, which the audit shows.
      signature: signed ?? '',
      counted: data.counted,
      held: data.held,
    });
  }
  return { ...common, error: undefined, events, accepted, truncated: decoded.truncated };
}

function keyOf(publicKey: string, message: Uint8Array): string {
  return `${publicKey}:${Buffer.from(message).toString('hex')}`;
}

/** Integers of 64 bits become decimal strings, public keys base58, other bytes hex. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object' && value !== null) {
    if ('toBase58' in value && typeof value.toBase58 === 'function') return value.toBase58();
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
  }
  return value;
}
