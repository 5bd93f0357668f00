/** Files that a configuration names: certificates, keys, passwords. */
import { readFileSync, statSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';

/**
 * A text file; a secret one must not be readable by others.
 * @throws GtxError CONFIG_INVALID when it cannot be read, KEY_FILE_PERMISSIONS
 */
export function readTextFile(path: string, secret: boolean): string {
  try {
    if (secret && (statSync(path).mode & 0o077) !== 0) {
      throw new GtxError('KEY_FILE_PERMISSIONS', `${path} can be read by others; run chmod 600 ${path}`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('CONFIG_INVALID', `cannot read ${path}: ${(error as Error).message}`);
  }
}

/** A password from its file, without the line's end. @throws GtxError as `readTextFile` */
export function readPasswordFile(path: string): string {
  return readTextFile(path, true).replace(/\r?\n$/, '');
}
