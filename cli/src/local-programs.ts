import { fileURLToPath } from 'node:url';
import {
  CERTIFICATES_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  TRADING_PROGRAM_ID,
} from '@gridtokenx/chain';
import type { DataLayout } from './data-dir.js';
import { ensureKey } from './key-files.js';
import { keyPath } from './keys.js';

/** The compiled programs of this checkout, and the addresses where they belong. */
export function localPrograms(): { id: string; soPath: string }[] {
  const artifact = (name: string): string =>
    fileURLToPath(new URL(`../../programs/artifacts/${name}.so`, import.meta.url));
  return [
    { id: REGISTRY_PROGRAM_ID.toBase58(), soPath: artifact('registry') },
    { id: ENERGY_TOKEN_PROGRAM_ID.toBase58(), soPath: artifact('energy_token') },
    { id: TRADING_PROGRAM_ID.toBase58(), soPath: artifact('trading') },
    { id: ORACLE_PROGRAM_ID.toBase58(), soPath: artifact('oracle') },
    { id: CERTIFICATES_PROGRAM_ID.toBase58(), soPath: artifact('certificates') },
    { id: GOVERNANCE_PROGRAM_ID.toBase58(), soPath: artifact('governance') },
  ];
}

/** The data folder's upgrade authority (base58), made when there is none yet. */
export function upgradeAuthorityOf(layout: DataLayout): string {
  return ensureKey(keyPath(layout, 'upgradeAuthority')).keypair.publicKey.toBase58();
}
