import { existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readKeypairFile, writeKeypairFile } from '@gridtokenx/chain';
import { assertMeterId } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import type { DataLayout } from './data-dir.js';

/** The key files of a data folder: who each belongs to, and what it can do. One file each, mode 0600. */
export const KEY_ROLES = {
  upgradeAuthority: {
    file: 'upgrade-authority.json',
    does: 'initialises the programs and is their admin: keep it cold',
  },
  registrar: { file: 'registrar.json', does: 'attests users and meters; never on the collector' },
  guardian: { file: 'guardian.json', does: 'can pause and suspend, nothing else' },
  owner: { file: 'owner.json', does: 'the wallet that owns the meters and receives GRID' },
  feePayer: { file: 'fee-payer.json', does: 'pays the collector’s transaction fees; can mint nothing' },
  collectorAck: { file: 'collector-ack.json', does: 'signs the collector’s acknowledgements to the agents' },
} as const;

export type KeyRole = keyof typeof KEY_ROLES;

export const keyPath = (layout: DataLayout, role: KeyRole): string => join(layout.keys, KEY_ROLES[role].file);

export function meterKeyPath(layout: DataLayout, meterId: string): string {
  assertMeterId(meterId);
  return join(layout.keys, 'meters', `${meterId}.json`);
}

export const postgresPasswordPath = (layout: DataLayout): string => join(layout.keys, 'postgres-password');
export const operatorPasswordPath = (layout: DataLayout): string => join(layout.keys, 'operator-password');

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
  } finally {
    rmSync(aside, { force: true });
  }
  return { keypair, created: true };
}

/** Meters whose key files lie in the data folder. */
export function metersWithKeys(layout: DataLayout): string[] {
  const folder = join(layout.keys, 'meters');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}
