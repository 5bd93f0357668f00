// Solana's transaction wire format: strict parsing and the sanitation rules of solana-message.
//
// Strictness is not a nicety here: the native VM aborts the process on bytes that it cannot deserialise, so
// nothing reaches it that has not passed through this file.
import { encodeBase58 } from './base58.js';

/** Largest legacy or v0 transaction (IPv6 MTU less headers). */
export const PACKET_DATA_SIZE = 1232;

export interface CompiledInstruction {
  programIdIndex: number;
  accounts: Uint8Array;
  data: Uint8Array;
}

export interface LookupTableUse {
  /** Address of the table, base58. */
  table: string;
  writableIndexes: Uint8Array;
  readonlyIndexes: Uint8Array;
}

export interface Message {
  version: 'legacy' | 0;
  requiredSignatures: number;
  readonlySigned: number;
  readonlyUnsigned: number;
  /** Static account keys, base58. */
  accountKeys: string[];
  recentBlockhash: string;
  instructions: CompiledInstruction[];
  lookups: LookupTableUse[];
}

export interface ParsedTransaction {
  /** The bytes as they came in. */
  wire: Uint8Array;
  /** 64-byte signatures. */
  signatures: Uint8Array[];
  /** First signature, base58: the transaction's id. */
  signature: string;
  /** The bytes that the signatures cover. */
  messageBytes: Uint8Array;
  message: Message;
}

/** The bytes are not a transaction (or message) at all. */
export class DeserializeError extends Error {}

/** The bytes parse, but break a rule of `Sanitize`; the message is the one of `SanitizeError`. */
export class SanitizeError extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  peek(): number | undefined {
    return this.#bytes[this.offset];
  }

  u8(): number {
    const value = this.#bytes[this.offset];
    if (value === undefined) throw new DeserializeError('unexpected end of input');
    this.offset++;
    return value;
  }

  take(length: number): Uint8Array {
    if (length > this.remaining) throw new DeserializeError('unexpected end of input');
    const slice = this.#bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return slice;
  }

  /** solana-short-vec's compact u16: at most three bytes, and no longer than needed. */
  compactU16(): number {
    let value = 0;
    for (let i = 0; i < 3; i++) {
      const byte = this.u8();
      if (i > 0 && byte === 0) throw new DeserializeError('alias encoding of a short vector length');
      value |= (byte & 0x7f) << (7 * i);
      if ((byte & 0x80) === 0) {
        if (value > 0xffff) break;
        return value;
      }
    }
    throw new DeserializeError('short vector length overflows 16 bits');
  }

  compactBytes(): Uint8Array {
    return this.take(this.compactU16());
  }
}

function readInstructions(reader: Reader): CompiledInstruction[] {
  const count = reader.compactU16();
  const instructions: CompiledInstruction[] = [];
  for (let i = 0; i < count; i++) {
    instructions.push({
      programIdIndex: reader.u8(),
      accounts: reader.compactBytes(),
      data: reader.compactBytes(),
    });
  }
  return instructions;
}

function readMessage(reader: Reader): Message {
  const first = reader.peek();
  let version: Message['version'] = 'legacy';
  if (first !== undefined && first >= 0x80) {
    if (first !== 0x80) throw new DeserializeError(`transaction version ${first & 0x7f} is not offered here`);
    reader.u8();
    version = 0;
  }
  const requiredSignatures = reader.u8();
  const readonlySigned = reader.u8();
  const readonlyUnsigned = reader.u8();
  const keyCount = reader.compactU16();
  const accountKeys: string[] = [];
  for (let i = 0; i < keyCount; i++) accountKeys.push(encodeBase58(reader.take(32)));
  const recentBlockhash = encodeBase58(reader.take(32));
  const instructions = readInstructions(reader);
  const lookups: LookupTableUse[] = [];
  if (version === 0) {
    const count = reader.compactU16();
    for (let i = 0; i < count; i++) {
      lookups.push({
        table: encodeBase58(reader.take(32)),
        writableIndexes: reader.compactBytes(),
        readonlyIndexes: reader.compactBytes(),
      });
    }
  }
  return {
    version,
    requiredSignatures,
    readonlySigned,
    readonlyUnsigned,
    accountKeys,
    recentBlockhash,
    instructions,
    lookups,
  };
}

function sanitizeMessage(message: Message): void {
  const staticKeys = message.accountKeys.length;
  const outOfBounds = () => new SanitizeError('index out of bounds');
  const invalidValue = () => new SanitizeError('invalid value');
  if (message.requiredSignatures + message.readonlyUnsigned > staticKeys) throw outOfBounds();
  // The fee payer signs and is writable, so at least one signer is not read-only.
  if (message.readonlySigned >= message.requiredSignatures) throw outOfBounds();
  let total = staticKeys;
  for (const lookup of message.lookups) {
    const used = lookup.writableIndexes.length + lookup.readonlyIndexes.length;
    if (used === 0) throw invalidValue();
    total += used;
  }
  if (message.version === 0 && staticKeys === 0) throw invalidValue();
  if (total > 256) throw outOfBounds();
  for (const instruction of message.instructions) {
    // A program may not come from a lookup table, nor be the fee payer.
    if (instruction.programIdIndex >= staticKeys || instruction.programIdIndex === 0) throw outOfBounds();
    for (const index of instruction.accounts) if (index >= total) throw outOfBounds();
  }
}

/**
 * Parses and sanitises a signed (or partially signed) transaction.
 * @throws {DeserializeError} when the bytes are no transaction
 * @throws {SanitizeError} when an index or count is out of range
 */
export function parseTransaction(wire: Uint8Array): ParsedTransaction {
  const reader = new Reader(wire);
  const count = reader.compactU16();
  const signatures: Uint8Array[] = [];
  for (let i = 0; i < count; i++) signatures.push(reader.take(64));
  const messageStart = reader.offset;
  const message = readMessage(reader);
  if (reader.remaining > 0)
    throw new DeserializeError(`${reader.remaining} bytes left over after the transaction`);
  if (message.requiredSignatures > signatures.length) throw new SanitizeError('index out of bounds');
  if (message.requiredSignatures < signatures.length) throw new SanitizeError('invalid value');
  sanitizeMessage(message);
  const first = signatures[0];
  if (!first) throw new SanitizeError('index out of bounds');
  return {
    wire,
    signatures,
    signature: encodeBase58(first),
    messageBytes: wire.subarray(messageStart),
    message,
  };
}

/** Parses and sanitises a bare message, as `getFeeForMessage` takes it. Errors as {@link parseTransaction}. */
export function parseMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const message = readMessage(reader);
  if (reader.remaining > 0)
    throw new DeserializeError(`${reader.remaining} bytes left over after the message`);
  sanitizeMessage(message);
  return message;
}

/** A copy of the wire bytes with another recent blockhash (32 bytes) in the message; signatures stay as they are. */
export function withBlockhash(transaction: ParsedTransaction, blockhash: Uint8Array): Uint8Array {
  const { wire, messageBytes, message } = transaction;
  const start = wire.length - messageBytes.length;
  const header = (message.version === 0 ? 1 : 0) + 3;
  const lengthBytes = message.accountKeys.length < 0x80 ? 1 : 2;
  const copy = Uint8Array.from(wire);
  copy.set(blockhash, start + header + lengthBytes + 32 * message.accountKeys.length);
  return copy;
}

/** Whether the static key at `index` may be written, by the message header alone. */
export function isWritableStatic(message: Message, index: number): boolean {
  const { requiredSignatures, readonlySigned, readonlyUnsigned, accountKeys } = message;
  if (index < requiredSignatures) return index < requiredSignatures - readonlySigned;
  return index < accountKeys.length - readonlyUnsigned;
}
