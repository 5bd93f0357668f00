/** Ed25519 for this package's tests only: libsodium, which is as strict about signatures as Solana is. */
import { createRequire } from 'node:module';

interface Sodium {
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  crypto_sign_detached(signature: Buffer, message: Buffer, secretKey: Buffer): void;
  crypto_sign_verify_detached(signature: Buffer, message: Buffer, publicKey: Buffer): boolean;
}
const sodium = createRequire(import.meta.url)('sodium-native') as Sodium;

export interface TestKey {
  publicKey: Buffer;
  sign(message: Uint8Array): Buffer;
}

/** A key from a 32-byte seed. */
export function testKey(seed: Uint8Array): TestKey {
  const publicKey = Buffer.alloc(32);
  const secretKey = Buffer.alloc(64);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.from(seed));
  return {
    publicKey,
    sign(message) {
      const signature = Buffer.alloc(64);
      sodium.crypto_sign_detached(signature, Buffer.from(message), secretKey);
      return signature;
    },
  };
}

/** Strict verification; wrong lengths are simply not valid. */
export function verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  return sodium.crypto_sign_verify_detached(
    Buffer.from(signature),
    Buffer.from(message),
    Buffer.from(publicKey),
  );
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
export const unhex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
