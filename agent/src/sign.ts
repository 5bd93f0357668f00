/**
 * A meter's key at work. It signs two kinds of messages, told apart by their first four bytes: readings
 * (`GTX1`) and logins (`GTXA`). Ed25519 as in RFC 8032.
 */
import {
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  GtxError,
  type Reading,
} from '@gridtokenx/protocol';
import { hashes, sign, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { readKeyFile } from './keyfile.js';

hashes.sha512 = sha512;

/** A reading's 48 bytes and their signature. */
export interface SignedReading {
  bytes: Uint8Array;
  signature: Uint8Array;
}

/** Signs for one meter. The secret cannot be printed: it is a private field and not enumerable. */
export class MeterSigner {
  readonly #seed: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Base58. */
  readonly publicKeyText: string;

  constructor(key: { seed: Uint8Array; publicKey: Uint8Array }) {
    this.#seed = key.seed;
    this.publicKey = key.publicKey;
    this.publicKeyText = encodeBase58(key.publicKey);
  }

  /** @throws GtxError KEY_FILE_INVALID, KEY_FILE_PERMISSIONS */
  static fromFile(path: string): MeterSigner {
    return new MeterSigner(readKeyFile(path));
  }

  /**
   * Signs a reading and verifies the result, so that a fault of memory or library cannot put a signature
   * into the outbox that nobody accepts.
   * @throws GtxError INTERNAL when the signature does not verify
   */
  signReading(reading: Reading): SignedReading {
    const bytes = encodeReading(reading);
    return { bytes, signature: this.signChecked(bytes) };
  }

  /** The signature over a login message. */
  signLogin(meterId: string, unixSeconds: number): Uint8Array {
    return this.signChecked(encodeLoginMessage({ meterId, unixSeconds }));
  }

  private signChecked(bytes: Uint8Array): Uint8Array {
    const signature = sign(bytes, this.#seed);
    if (!verify(signature, bytes, this.publicKey, { zip215: false })) {
      throw new GtxError('INTERNAL', 'a signature made here does not verify; nothing was stored');
    }
    return signature;
  }
}

/** Verification by RFC 8032 (canonical encodings only) of the pinned collector key's signature. */
export function verifyStrict(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  return verify(signature, message, publicKey, { zip215: false });
}
