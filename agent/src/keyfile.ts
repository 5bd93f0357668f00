/** Meter keys on disk: Solana CLI format, a JSON array of 64 bytes (RFC 8032 seed, then public key). */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { getPublicKey, hashes } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

/**
 * Reads a key file.
 * @returns seed and public key, 32 bytes each
 * @throws GtxError KEY_FILE_PERMISSIONS when others than the owner may read it, KEY_FILE_INVALID when it is
 *   missing, not a key, or its halves do not belong together. Errors name the path, never the content.
 */
export function readKeyFile(path: string): { seed: Uint8Array; publicKey: Uint8Array } {
  let text: string;
  let descriptor: number | undefined;
  try {
    // One descriptor for check and read: the file that was checked is the file that is read.
    descriptor = openSync(path, constants.O_RDONLY);
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw new GtxError('KEY_FILE_INVALID', `${path} is not a file`);
    if ((status.mode & 0o077) !== 0) {
      throw new GtxError('KEY_FILE_PERMISSIONS', `${path} can be read by others; run chmod 600 ${path}`);
    }
    text = readFileSync(descriptor, 'utf8');
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('KEY_FILE_INVALID', `cannot read key file ${path}: ${(error as Error).message}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  let bytes: unknown;
  try {
    bytes = JSON.parse(text);
  } catch {
    // The parser's message would quote the key.
    throw new GtxError('KEY_FILE_INVALID', `${path} is not a JSON array of 64 bytes`);
  }
  const isByte = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
  if (!Array.isArray(bytes) || bytes.length !== 64 || !bytes.every(isByte)) {
    throw new GtxError('KEY_FILE_INVALID', `${path} is not a JSON array of 64 bytes`);
  }
  const all = Uint8Array.from(bytes as number[]);
  const seed = all.slice(0, 32);
  const publicKey = getPublicKey(seed);
  if (!publicKey.every((byte, index) => byte === all[32 + index])) {
    throw new GtxError('KEY_FILE_INVALID', `${path}: the public half does not belong to the secret half`);
  }
  return { seed, publicKey };
}
