import bs58 from 'bs58';

/** Base58 (Bitcoin alphabet) text of the bytes. */
export function encodeBase58(bytes: Uint8Array): string {
  return bs58.encode(bytes);
}

/** The bytes of a base58 text, or `undefined` where a character is outside the alphabet. */
export function decodeBase58(text: string): Uint8Array | undefined {
  return bs58.decodeUnsafe(text);
}
