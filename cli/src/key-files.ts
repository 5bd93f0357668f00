import { existsSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { readKeypairFile, writeKeypairFile } from '@gridtokenx/chain';
import { Keypair } from '@solana/web3.js';

/**
 * The key pair in a file, made first when there is none. Written aside and linked into place: a kill in between
 * leaves no half a key, and a key that is there is never replaced.
 */
export function ensureKey(path: string): { keypair: Keypair; created: boolean } {
  if (existsSync(path)) return { keypair: readKeypairFile(path), created: false };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const keypair = Keypair.generate();
  const aside = `${path}.${process.pid}.new`;
  rmSync(aside, { force: true });
  writeKeypairFile(aside, keypair);
  try {
    linkSync(aside, path);
    return { keypair, created: true };
  } catch (error) {
    // Another process has made it meanwhile: that one is the key.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { keypair: readKeypairFile(path), created: false };
  } finally {
    rmSync(aside, { force: true });
  }
}
