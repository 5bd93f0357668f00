import sodium from 'sodium-native';
import type { Submission } from './submission.js';

/**
 * Verifies an Ed25519 signature as strictly as Solana's precompile does (RFC 8032 5.1.7, canonical S,
 * no small-order key): libsodium does, node:crypto and @noble/ed25519 do not, and what the chain would
 * refuse must not be stored as valid.
 */
export function verifySignature(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  return sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

/** The part of a submission that its signature is about. */
export type SignedPart = Pick<Submission, 'message' | 'signatureBytes' | 'publicKeyBytes'>;

/** Whether the submission's signature is its key's over its 48 bytes. */
export function isSigned(submission: SignedPart): boolean {
  return verifySignature(submission.signatureBytes, submission.message, submission.publicKeyBytes);
}
