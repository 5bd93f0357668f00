import { createPrivateKey, sign } from 'node:crypto';
import type { Keypair } from '@solana/web3.js';

/** A PKCS #8 wrapping of an Ed25519 seed (RFC 8410, section 7), up to the seed itself. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SEED_BYTES = 32;

/** Signs bytes as they are with Ed25519 (RFC 8032): 64 bytes. */
export function signMessage(keypair: Keypair, message: Uint8Array): Uint8Array {
  const seed = keypair.secretKey.subarray(0, SEED_BYTES);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  return new Uint8Array(sign(null, message, key));
}
