import { TransactionInstruction } from '@solana/web3.js';
import { ED25519_PROGRAM_ID } from './programs.js';

/** One signature for the precompile to check: all fields as raw bytes. */
export interface Ed25519Entry {
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** 64 bytes. */
  signature: Uint8Array;
  /** The signed bytes, as they are (Ed25519 hashes them itself). */
  message: Uint8Array;
}

const HEADER_BYTES = 2;
const OFFSETS_BYTES = 14;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** "This very instruction" in an offsets entry: a program can then trust that it reads what was checked. */
const CURRENT_INSTRUCTION = 0xffff;

/**
 * Builds one Ed25519 precompile instruction that checks several signatures, each with its own key and message.
 *
 * Layout (Solana's `ed25519-program`): `count u8, padding u8`, then per signature seven little-endian u16
 * `{signature_offset, signature_instruction, public_key_offset, public_key_instruction, message_offset,
 * message_length, message_instruction}`, then the data: per signature `public key (32), signature (64), message`.
 * Every instruction index is 0xffff, so no offset can point outside this instruction.
 *
 * @throws RangeError when there is no entry, more than 255, a key or signature has another length, or the
 * whole would pass the 65,535 bytes that an offset can name.
 */
export function ed25519Instruction(entries: readonly Ed25519Entry[]): TransactionInstruction {
  if (entries.length < 1 || entries.length > 255) {
    throw new RangeError(`an Ed25519 instruction holds 1 to 255 signatures, not ${entries.length}`);
  }
  const dataStart = HEADER_BYTES + OFFSETS_BYTES * entries.length;
  const total = entries.reduce(
    (sum, { message }) => sum + PUBLIC_KEY_BYTES + SIGNATURE_BYTES + message.length,
    dataStart,
  );
  if (total > 0xffff) throw new RangeError(`an Ed25519 instruction of ${total} bytes cannot be addressed`);

  const data = Buffer.alloc(total);
  data.writeUInt8(entries.length, 0);
  let header = HEADER_BYTES;
  let offset = dataStart;
  for (const { publicKey, signature, message } of entries) {
    if (publicKey.length !== PUBLIC_KEY_BYTES) {
      throw new RangeError(`an Ed25519 public key has 32 bytes, not ${publicKey.length}`);
    }
    if (signature.length !== SIGNATURE_BYTES) {
      throw new RangeError(`an Ed25519 signature has 64 bytes, not ${signature.length}`);
    }
    const publicKeyOffset = offset;
    const signatureOffset = publicKeyOffset + PUBLIC_KEY_BYTES;
    const messageOffset = signatureOffset + SIGNATURE_BYTES;
    data.set(publicKey, publicKeyOffset);
    data.set(signature, signatureOffset);
    data.set(message, messageOffset);
    offset = messageOffset + message.length;
    for (const field of [
      signatureOffset,
      CURRENT_INSTRUCTION,
      publicKeyOffset,
      CURRENT_INSTRUCTION,
      messageOffset,
      message.length,
      CURRENT_INSTRUCTION,
    ]) {
      data.writeUInt16LE(field, header);
      header += 2;
    }
  }
  return new TransactionInstruction({ programId: ED25519_PROGRAM_ID, keys: [], data });
}

/**
 * Reads an Ed25519 precompile instruction back into its entries. It accepts only instructions whose offsets
 * point into themselves, as {@link ed25519Instruction} makes them and as the programs require: undefined otherwise.
 *
 * @param ownIndex the instruction's position in its transaction: some clients write that in place of 0xffff,
 * which the programs accept too.
 */
export function readEd25519Instruction(data: Uint8Array, ownIndex?: number): Ed25519Entry[] | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const count = bytes[0];
  if (count === undefined || count === 0 || bytes.length < HEADER_BYTES + OFFSETS_BYTES * count)
    return undefined;
  const entries: Ed25519Entry[] = [];
  for (let i = 0; i < count; i++) {
    const field = (index: number): number => bytes.readUInt16LE(HEADER_BYTES + OFFSETS_BYTES * i + 2 * index);
    const here = (index: number): boolean => index === CURRENT_INSTRUCTION || index === ownIndex;
    const inside = [1, 3, 6].every((position) => here(field(position)));
    const slice = (start: number, length: number): Uint8Array | undefined =>
      start + length <= bytes.length ? new Uint8Array(bytes.subarray(start, start + length)) : undefined;
    const signature = slice(field(0), SIGNATURE_BYTES);
    const publicKey = slice(field(2), PUBLIC_KEY_BYTES);
    const message = slice(field(4), field(5));
    if (!inside || !signature || !publicKey || !message) return undefined;
    entries.push({ publicKey, signature, message });
  }
  return entries;
}
