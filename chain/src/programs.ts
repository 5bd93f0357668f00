import { TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from '@solana/spl-token';
import { PublicKey } from '@solana/web3.js';
import { ProgramCodec } from './codec.js';
import {
  type CertificatesAccounts,
  type CertificatesArgs,
  type CertificatesEvents,
  type CertificatesKeys,
  certificatesIdl,
} from './idl/certificates.js';
import {
  type EnergyTokenAccounts,
  type EnergyTokenArgs,
  type EnergyTokenEvents,
  type EnergyTokenKeys,
  energyTokenIdl,
} from './idl/energy-token.js';
import {
  type GovernanceAccounts,
  type GovernanceArgs,
  type GovernanceEvents,
  type GovernanceKeys,
  governanceIdl,
} from './idl/governance.js';
import {
  type OracleAccounts,
  type OracleArgs,
  type OracleEvents,
  type OracleKeys,
  oracleIdl,
} from './idl/oracle.js';
import {
  type RegistryAccounts,
  type RegistryArgs,
  type RegistryEvents,
  type RegistryKeys,
  registryIdl,
} from './idl/registry.js';
import {
  type TradingAccounts,
  type TradingArgs,
  type TradingEvents,
  type TradingKeys,
  tradingIdl,
} from './idl/trading.js';

/** Reads and writes the registry's accounts, events and instructions. */
export const registry = new ProgramCodec<RegistryAccounts, RegistryEvents, RegistryArgs, RegistryKeys>(
  registryIdl,
);
/** Reads and writes energy-token's accounts, events and instructions. */
export const energyToken = new ProgramCodec<
  EnergyTokenAccounts,
  EnergyTokenEvents,
  EnergyTokenArgs,
  EnergyTokenKeys
>(energyTokenIdl);

/** Reads and writes trading's accounts, events and instructions. */
export const trading = new ProgramCodec<TradingAccounts, TradingEvents, TradingArgs, TradingKeys>(tradingIdl);

/** Reads and writes the oracle's accounts, events and instructions. */
export const oracle = new ProgramCodec<OracleAccounts, OracleEvents, OracleArgs, OracleKeys>(oracleIdl);

/** Reads and writes certificates' accounts, events and instructions. */
export const certificates = new ProgramCodec<
  CertificatesAccounts,
  CertificatesEvents,
  CertificatesArgs,
  CertificatesKeys
>(certificatesIdl);

/** Reads and writes governance's accounts, events and instructions. */
export const governance = new ProgramCodec<
  GovernanceAccounts,
  GovernanceEvents,
  GovernanceArgs,
  GovernanceKeys
>(governanceIdl);

/** The registry program: users, meters, their readings and what may be minted for them. */
export const REGISTRY_PROGRAM_ID = registry.programId;
/** The energy-token program: the GRID mint, which only the registry's PDA can make mint. */
export const ENERGY_TOKEN_PROGRAM_ID = energyToken.programId;
/** The trading program: markets and orders for GRID. */
export const TRADING_PROGRAM_ID = trading.programId;
/** The token program of GRID: Token-2022, whose mints carry their own name and symbol. */
export const GRID_TOKEN_PROGRAM_ID = TOKEN_2022_PROGRAM_ID;
/** The classic SPL Token program, of which a market's quote token may be. */
export const CLASSIC_TOKEN_PROGRAM_ID = TOKEN_PROGRAM_ID;
/** The oracle program: price feeds. */
export const ORACLE_PROGRAM_ID = oracle.programId;
/** The certificates program: renewable-energy certificates for settled energy. */
export const CERTIFICATES_PROGRAM_ID = certificates.programId;
/** The governance program: deposits of GOV, votes, and proposals that run instructions of other programs. */
export const GOVERNANCE_PROGRAM_ID = governance.programId;
/** The loader that owns upgradeable programs and names their upgrade authority in a ProgramData account. */
export const UPGRADEABLE_LOADER_ID = new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111');
/** The precompile that checks Ed25519 signatures (RFC 8032, strict) before a transaction runs. */
export const ED25519_PROGRAM_ID = new PublicKey('Ed25519SigVerify111111111111111111111111111');
