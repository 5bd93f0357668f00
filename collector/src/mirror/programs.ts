import {
  CERTIFICATES_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  TRADING_PROGRAM_ID,
} from '@gridtokenx/chain';
import type { PublicKey } from '@solana/web3.js';

/** The programs whose history the mirror follows. */
export const MIRRORED_PROGRAMS: readonly PublicKey[] = [
  REGISTRY_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  TRADING_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  CERTIFICATES_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
];
