import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';

/** Bits of a file's mode that let anyone but its owner in. */
const OTHERS = 0o077;
const SECRET_KEY_BYTES = 64;

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

/**
 * Reads a key pair from a file in Solana's CLI format: a JSON array of 64 bytes, seed then public key.
 * What the file holds never appears in an error.
 *
 * @throws GtxError KEY_FILE_INVALID when it is missing, no such array, or the two halves do not belong
 * together; KEY_FILE_PERMISSIONS when group or others may read or write it.
 */
export function readKeypairFile(path: string): Keypair {
  let text: string;
  let descriptor: number | undefined;
  try {
    // One descriptor for check and read: the file that was checked is the file that is read.
    descriptor = openSync(path, 'r');
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new GtxError('KEY_FILE_INVALID', `${path} is not a file`, { path });
    // Windows has no such bits: node reports 0666 there whatever the access list says.
    if (process.platform !== 'win32' && (stat.mode & OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw new GtxError(
        'KEY_FILE_PERMISSIONS',
        `the key file ${path} has mode ${mode}: others can read it. Run: chmod 600 ${path}`,
        { path, mode },
      );
    }
    text = readFileSync(descriptor, 'utf8');
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('KEY_FILE_INVALID', `cannot read the key file ${path} (${errno(error)})`, {
      path,
      reason: errno(error),
    });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  const keypair = parseKeypair(text);
  if (!keypair) {
    throw new GtxError(
      'KEY_FILE_INVALID',
      `${path} is not a key file: expected a JSON array of 64 bytes, a seed and its public key`,
      { path },
    );
  }
  return keypair;
}

/** The key pair in a key file's text; undefined when it is none. Errors of parsers are dropped: they quote secrets. */
function parseKeypair(text: string): Keypair | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isByte = (item: unknown): item is number =>
    typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 255;
  if (!Array.isArray(value) || value.length !== SECRET_KEY_BYTES || !value.every(isByte)) return undefined;
  try {
    return Keypair.fromSecretKey(Uint8Array.from(value));
  } catch {
    return undefined;
  }
}

/**
 * Writes a key pair to a new file, mode 0600, on disk before it returns. It never replaces a file: a key that
 * is overwritten is lost for good.
 *
 * @throws GtxError KEY_FILE_EXISTS when there is a file already, KEY_FILE_INVALID when it cannot be written.
 */
export function writeKeypairFile(path: string, keypair: Keypair): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    const reason = errno(error);
    const code = reason === 'EEXIST' ? 'KEY_FILE_EXISTS' : 'KEY_FILE_INVALID';
    const what =
      reason === 'EEXIST' ? 'exists already and is not overwritten' : `cannot be created (${reason})`;
    throw new GtxError(code, `the key file ${path} ${what}`, { path, reason });
  }
  try {
    writeSync(descriptor, `${JSON.stringify([...keypair.secretKey])}\n`);
    fsyncSync(descriptor);
  } catch (error) {
    unlinkSync(path);
    throw new GtxError('KEY_FILE_INVALID', `the key file ${path} cannot be written (${errno(error)})`, {
      path,
      reason: errno(error),
    });
  } finally {
    closeSync(descriptor);
  }
  syncDirectory(dirname(path));
}

/** Makes a new file's name durable. Windows cannot open directories and keeps names with the file. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
