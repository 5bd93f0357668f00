/** Typed client of the programs: addresses, instructions, accounts, events, and transactions that end. */
export * from './accounts.js';
export * from './addresses.js';
export * from './certificates.js';
export * from './connection.js';
export * from './ed25519.js';
export * from './events.js';
export { type ChainFailure, describeFailure, refusedError, toChainError } from './failure.js';
export * from './governance.js';
export type * from './idl/certificates.js';
export { certificatesIdl } from './idl/certificates.js';
export type * from './idl/energy-token.js';
export { energyTokenIdl } from './idl/energy-token.js';
export type * from './idl/governance.js';
export { governanceIdl } from './idl/governance.js';
export type * from './idl/oracle.js';
export { oracleIdl } from './idl/oracle.js';
export type * from './idl/registry.js';
export { registryIdl } from './idl/registry.js';
export type * from './idl/trading.js';
export { tradingIdl } from './idl/trading.js';
/** One builder for each instruction of the programs; the names without prefix are helpers that also send. */
export * as instructions from './instructions.js';
export { MeterStatus, Policy } from './instructions.js';
export * from './keyfile.js';
export * from './logs.js';
export * from './lookup.js';
export * from './market-checks.js';
export * from './market-plan.js';
export * from './market-setup.js';
export * from './mint.js';
export * from './oracle.js';
export * from './programs.js';
export * from './send.js';
export * from './settlement.js';
export * from './setup.js';
export * from './sign.js';
export * from './trading.js';
export * from './transaction.js';
export {
  decodeHolding,
  type TokenHolding,
  type WalkedAccount,
  type WalkOptions,
  walkProgramAccounts,
  walkTokenAccounts,
} from './walk.js';
