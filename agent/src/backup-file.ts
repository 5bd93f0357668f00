/**
 * A backup as a file: encrypted under a passphrase, as a whole or not at all.
 *
 * 40 bytes of header: `GTXAGBK` and the version (1), then scrypt's log2 N, r and p (RFC 7914), one 0, 16 bytes of salt,
 * 12 of nonce. Then the content and the 16 bytes of its tag, AES-256-GCM with the header as associated data
 * (NIST SP 800-38D): no bit of the file can be changed unnoticed.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { syncFolder } from './create-key.js';

const MAGIC = Buffer.from('GTXAGBK\x01', 'latin1');
const HEADER_BYTES = 40;
const TAG_BYTES = 16;
/** log2 of scrypt's N: 128 MiB of memory. */
export const BACKUP_COST = 17;
/** What is taken from a file: below, it would be no protection; above, memory for the asking. */
const LEAST_COST = 14;
const MOST_COST = 18;
const R = 8;
const P = 1;

/** Shortest passphrase for a new backup: the file is made to be kept elsewhere. */
export const LEAST_PASSPHRASE = 12;

/** Encrypts. @param cost log2 of scrypt's N */
export async function sealBackup(
  content: Uint8Array,
  passphrase: string,
  cost = BACKUP_COST,
): Promise<Buffer> {
  const header = Buffer.concat([MAGIC, Buffer.from([cost, R, P, 0]), randomBytes(28)]);
  const cipher = createCipheriv('aes-256-gcm', await keyOf(header, passphrase), header.subarray(28));
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts. @throws GtxError BACKUP_INVALID for a wrong passphrase, a changed file, or no backup at all */
export async function unsealBackup(file: Uint8Array, passphrase: string): Promise<Buffer> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < HEADER_BYTES + TAG_BYTES || !bytes.subarray(0, 7).equals(MAGIC.subarray(0, 7))) {
    throw new GtxError('BACKUP_INVALID', 'this is no backup of a gateway');
  }
  if (bytes[7] !== MAGIC[7]) {
    throw new GtxError(
      'BACKUP_INVALID',
      `the backup is of version ${bytes[7]}, which this program cannot read`,
    );
  }
  const header = bytes.subarray(0, HEADER_BYTES);
  const [cost = 0, r, p, zero] = header.subarray(8, 12);
  if (cost < LEAST_COST || cost > MOST_COST || r !== R || p !== P || zero !== 0) {
    throw new GtxError('BACKUP_INVALID', 'the backup’s header is damaged');
  }
  const decipher = createDecipheriv('aes-256-gcm', await keyOf(header, passphrase), header.subarray(28), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(header);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new GtxError('BACKUP_INVALID', 'the passphrase is wrong, or the backup is damaged');
  }
}

function keyOf(header: Buffer, passphrase: string): Promise<Buffer> {
  const N = 2 ** (header[8] as number);
  return new Promise((done, failed) => {
    // The same letters, however a keyboard composes them.
    scrypt(
      passphrase.normalize('NFC'),
      header.subarray(12, 28),
      32,
      { N, r: R, p: P, maxmem: 256 * N * R },
      (error, key) => (error ? failed(error) : done(key)),
    );
  });
}

/** @throws GtxError CONFLICT when there is a file that may not be replaced */
export function refuseExistingBackup(path: string, force: boolean): void {
  if (!force && existsSync(path)) {
    throw new GtxError('CONFLICT', `${path} exists; --force replaces it`);
  }
}

/**
 * Writes a backup, mode 0600, as a whole or not at all; on the disk when this returns. Its folder must be there: a medium
 * that is not mounted is noticed.
 * @throws GtxError CONFLICT when there is a file and `force` is not set; VALUE_INVALID when it cannot be written
 */
export function writeBackupFile(path: string, sealed: Uint8Array, force: boolean): void {
  const target = resolve(path);
  refuseExistingBackup(target, force);
  const aside = `${target}.${process.pid}.new`;
  try {
    rmSync(aside, { force: true });
    const descriptor = openSync(aside, 'wx', 0o600);
    try {
      writeFileSync(descriptor, sealed);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (force) renameSync(aside, target);
    else placeNew(aside, target);
    syncFolder(dirname(target));
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('VALUE_INVALID', `${path} cannot be written: ${(error as Error).message}`);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** A link takes the place of nothing; FAT, as on most sticks, has none. */
function placeNew(aside: string, target: string): void {
  try {
    linkSync(aside, target);
  } catch (error) {
    if (
      !['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(String((error as NodeJS.ErrnoException).code))
    ) {
      refuseExistingBackup(target, false);
      throw error;
    }
    refuseExistingBackup(target, false);
    renameSync(aside, target);
  }
}
