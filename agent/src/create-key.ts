/** Makes meter keys: Solana CLI format, as `readKeyFile` reads them. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import { getPublicKey, hashes } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { readKeyFile } from './keyfile.js';

hashes.sha512 = sha512;

/** Waits until a folder's entries are on the disk. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes a new file of mode 0600 as a whole or not at all; on the disk when this returns.
 * @throws GtxError KEY_FILE_EXISTS when there is one already, whatever is in it
 */
export function writeSecretFile(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}.new`;
  rmSync(aside, { force: true });
  const descriptor = openSync(aside, 'wx', 0o600);
  try {
    if (typeof content === 'string') writeSync(descriptor, content);
    else writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    // A link, unlike a renaming, takes the place of nothing.
    linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new GtxError('KEY_FILE_EXISTS', `${path} exists; it is never replaced`);
  } finally {
    rmSync(aside, { force: true });
  }
  syncFolder(dirname(path));
}

/**
 * The key in a file, made first when there is none.
 * @returns the public key (base58) and whether it is new; the secret stays in the file
 * @throws GtxError KEY_FILE_INVALID, KEY_FILE_PERMISSIONS for a file that is there and is not right
 */
export function ensureKeyFile(path: string): { publicKey: string; created: boolean } {
  if (existsSync(path)) return { publicKey: encodeBase58(readKeyFile(path).publicKey), created: false };
  const seed = randomBytes(32);
  const publicKey = getPublicKey(seed);
  writeSecretFile(path, `${JSON.stringify([...seed, ...publicKey])}\n`);
  return { publicKey: encodeBase58(publicKey), created: true };
}
