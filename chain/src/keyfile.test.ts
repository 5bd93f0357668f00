import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKeypairFile, writeKeypairFile } from './keyfile.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-keyfile-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function errorOf(action: () => unknown): GtxError {
  try {
    action();
  } catch (error) {
    if (error instanceof GtxError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('key files', () => {
  it('come back as they were written, in the format of the Solana CLI, mode 0600', () => {
    const path = join(folder, 'key.json');
    const keypair = Keypair.generate();
    writeKeypairFile(path, keypair);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([...keypair.secretKey]);
    expect(readKeypairFile(path).secretKey).toEqual(keypair.secretKey);
  });

  it('are never overwritten', () => {
    const path = join(folder, 'key.json');
    const first = Keypair.generate();
    writeKeypairFile(path, first);
    expect(errorOf(() => writeKeypairFile(path, Keypair.generate())).code).toBe('KEY_FILE_EXISTS');
    expect(readKeypairFile(path).secretKey).toEqual(first.secretKey);
  });

  it('are refused when group or others have any right', () => {
    const path = join(folder, 'key.json');
    writeKeypairFile(path, Keypair.generate());
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777]) {
      chmodSync(path, mode);
      expect(errorOf(() => readKeypairFile(path)).code, mode.toString(8)).toBe('KEY_FILE_PERMISSIONS');
    }
    for (const mode of [0o600, 0o400, 0o700]) {
      chmodSync(path, mode);
      expect(() => readKeypairFile(path)).not.toThrow();
    }
  });

  it('are refused when they are something else, without repeating what they hold', () => {
    const keypair = Keypair.generate();
    const other = Keypair.generate();
    const mixed = [...keypair.secretKey.subarray(0, 32), ...other.secretKey.subarray(32)];
    const secret = keypair.secretKey.subarray(0, 4).join(',');
    for (const text of [
      '',
      '{',
      `[${secret}`,
      '[]',
      JSON.stringify([...keypair.secretKey].slice(1)),
      JSON.stringify([...keypair.secretKey, 0]),
      JSON.stringify([256, ...[...keypair.secretKey].slice(1)]),
      JSON.stringify([-1, ...[...keypair.secretKey].slice(1)]),
      JSON.stringify([0.5, ...[...keypair.secretKey].slice(1)]),
      JSON.stringify(['1', ...[...keypair.secretKey].slice(1)]),
      JSON.stringify({ 0: 1 }),
      JSON.stringify(mixed),
    ]) {
      const path = join(folder, 'bad.json');
      writeFileSync(path, text, { mode: 0o600 });
      const error = errorOf(() => readKeypairFile(path));
      expect(error.code, text).toBe('KEY_FILE_INVALID');
      expect(`${error.message} ${JSON.stringify(error.details)} ${error.cause}`).not.toContain(secret);
      rmSync(path);
    }
  });

  it('must be there and be files', () => {
    expect(errorOf(() => readKeypairFile(join(folder, 'none.json'))).code).toBe('KEY_FILE_INVALID');
    expect(errorOf(() => readKeypairFile(folder)).code).toBe('KEY_FILE_INVALID');
    const path = join(folder, 'no-such-folder', 'key.json');
    expect(errorOf(() => writeKeypairFile(path, Keypair.generate())).code).toBe('KEY_FILE_INVALID');
    expect(existsSync(path)).toBe(false);
  });
});
