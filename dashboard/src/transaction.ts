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
