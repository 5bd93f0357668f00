import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { assertMeterId } from '@gridtokenx/protocol';
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
  oraclePublisher: { file: 'oracle-publisher.json', does: 'submits prices to the oracle’s feed' },
  grxMint: { file: 'grx-mint.json', does: 'the address of the demo’s GRX; only for the embedded chain' },
  grxAuthority: { file: 'grx-authority.json', does: 'mints the demo’s GRX; only for the embedded chain' },
} as const;

export type KeyRole = keyof typeof KEY_ROLES;

export const keyPath = (layout: DataLayout, role: KeyRole): string => join(layout.keys, KEY_ROLES[role].file);

export function meterKeyPath(layout: DataLayout, meterId: string): string {
  assertMeterId(meterId);
  return join(layout.keys, 'meters', `${meterId}.json`);
}

export const postgresPasswordPath = (layout: DataLayout): string => join(layout.keys, 'postgres-password');
export const operatorPasswordPath = (layout: DataLayout): string => join(layout.keys, 'operator-password');

/** Meters whose key files lie in the data folder. */
export function metersWithKeys(layout: DataLayout): string[] {
  const folder = join(layout.keys, 'meters');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}
