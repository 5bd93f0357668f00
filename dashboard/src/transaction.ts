/**
 * As much of Solana's wire format as signing needs: a compact array of 64-byte signatures, then the message, whose first
 * keys are the signers. (Solana documentation, "Transactions and Instructions"; versioned messages begin with a byte of 128 and
 * more.)
 */

export function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @throws Error when it is not base64 */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** A compact-u16: seven bits a byte, the lowest first. */
function compact(bytes: Uint8Array, offset: number): { value: number; next: number } {
  let value = 0;
  for (let i = 0; i < 3; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) break;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, next: offset + i + 1 };
  }
  throw new Error('the transaction is cut off');
}

/** A transaction taken apart, as far as checking needs. */
export interface Wire {
  /** 64 bytes each; the first is what the transaction is called by. */
  readonly signatures: readonly Uint8Array[];
  /** What was signed. */
  readonly message: Uint8Array;
  /** Public keys that the message itself names; the first is who pays. */
  readonly keys: readonly Uint8Array[];
  readonly instructions: readonly { readonly program: Uint8Array | undefined; readonly data: Uint8Array }[];
}

/** @throws Error when it is cut off */
export function takeApart(wire: Uint8Array): Wire {
  let at = 0;
  const count = () => {
    const { value, next } = compact(wire, at);
    at = next;
    return value;
  };
  const take = (length: number) => {
    const bytes = wire.subarray(at, at + length);
    if (bytes.length !== length) throw new Error('the transaction is cut off');
    at += length;
    return bytes;
  };
  const many = <Item>(item: () => Item): Item[] => Array.from({ length: count() }, item);
  const signatures = many(() => take(64));
  const message = wire.subarray(at);
  // A versioned message begins with a byte of its own; then three counts of signers.
  take((message[0] ?? 0) >= 0x80 ? 4 : 3);
  const keys = many(() => take(32));
  take(32);
  const instructions = many(() => {
    const [program = 0] = take(1);
    take(count());
    return { program: keys[program], data: take(count()) };
  });
  return { signatures, message, keys, instructions };
}

/** One signature that the chain's Ed25519 program has checked. */
export interface CheckedSignature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
}

/** "This very instruction" in an Ed25519 instruction's offsets. */
const HERE = 0xffff;

/**
 * The entries of an instruction of the Ed25519 program: `count u8, padding u8`, then for each seven little-endian u16: where
 * signature, key and message stand. (Solana documentation, "Ed25519 Program".) Entries that point elsewhere are left out.
 */
export function ed25519Entries(data: Uint8Array, ownIndex: number): CheckedSignature[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const entries: CheckedSignature[] = [];
  for (let entry = 0; entry < (data[0] ?? 0); entry++) {
    if (2 + 14 * (entry + 1) > data.length) break;
    const field = (index: number) => view.getUint16(2 + 14 * entry + 2 * index, true);
    if (![1, 3, 6].every((index) => field(index) === HERE || field(index) === ownIndex)) continue;
    const part = (start: number, length: number) => data.subarray(start, start + length);
    const [signature, publicKey, message] = [
      part(field(0), 64),
      part(field(2), 32),
      part(field(4), field(5)),
    ];
    if (signature.length === 64 && publicKey.length === 32 && message.length === field(5))
      entries.push({ signature, publicKey, message });
  }
  return entries;
}

/**
 * Puts a signer's signature into its place.
 * @throws Error when the transaction does not ask for this signer
 */
export async function withSignature(
  wire: Uint8Array,
  publicKey: Uint8Array,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const signatures = compact(wire, 0);
  const message = wire.subarray(signatures.next + 64 * signatures.value);
  const header = (message[0] ?? 0) >= 0x80 ? 1 : 0;
  const required = message[header] ?? 0;
  const keys = compact(message, header + 3);
  for (let index = 0; index < Math.min(required, keys.value); index++) {
    const start = keys.next + 32 * index;
    const key = message.subarray(start, start + 32);
    if (key.length !== 32 || !key.every((byte, i) => byte === publicKey[i])) continue;
    const signed = wire.slice();
    signed.set(await sign(message), signatures.next + 64 * index);
    return signed;
  }
  throw new Error('the transaction is not for this wallet to sign');
}
