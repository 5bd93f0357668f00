import { type PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import { encodeSymbol, feedAddress, oracleConfigAddress, programDataAddress } from './addresses.js';
import type { FeedSettings } from './oracle.js';
import { ORACLE_PROGRAM_ID, oracle } from './programs.js';

/*
 * One builder for each instruction of the oracle. A feed is named by its symbol.
 */

const withConfig = (authority: PublicKey, symbol: string) => ({
  authority,
  config: oracleConfigAddress(),
  feed: feedAddress(symbol),
});

/** Sets the oracle up. `authority` is the program's upgrade authority: it signs, pays and becomes the oracle's authority. */
export function initializeOracle(args: {
  authority: PublicKey;
  guardian: PublicKey;
}): TransactionInstruction {
  const { authority, guardian } = args;
  return oracle.instruction(
    'initialize',
    { guardian },
    {
      authority,
      config: oracleConfigAddress(),
      programData: programDataAddress(ORACLE_PROGRAM_ID),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Makes a feed, for ever. Signers: `payer` (rent), and the oracle's `authority`, as of the following ones. */
export function createFeed(args: {
  payer: PublicKey;
  authority: PublicKey;
  symbol: string;
  settings: FeedSettings;
}): TransactionInstruction {
  const { payer, authority, symbol, settings } = args;
  return oracle.instruction(
    'create_feed',
    { ...settings, symbol: encodeSymbol(symbol) },
    { ...withConfig(authority, symbol), payer, systemProgram: SystemProgram.programId },
  );
}

/** Changes a feed's settings, all at once. */
export function setFeed(args: {
  authority: PublicKey;
  symbol: string;
  settings: FeedSettings;
}): TransactionInstruction {
  const { authority, symbol, settings } = args;
  return oracle.instruction('set_feed', { ...settings }, withConfig(authority, symbol));
}

/** Lets a key submit to a feed. */
export function addPublisher(args: {
  authority: PublicKey;
  symbol: string;
  publisher: PublicKey;
}): TransactionInstruction {
  const { authority, symbol, publisher } = args;
  return oracle.instruction('add_publisher', { publisher }, withConfig(authority, symbol));
}

/** Takes a publisher and its submission out of a feed. */
export function removePublisher(args: {
  authority: PublicKey;
  symbol: string;
  publisher: PublicKey;
}): TransactionInstruction {
  const { authority, symbol, publisher } = args;
  return oracle.instruction('remove_publisher', { publisher }, withConfig(authority, symbol));
}

/** Stops or resumes a feed. Signer: the oracle's authority; its guardian can only pause. */
export function setFeedPaused(args: {
  authority: PublicKey;
  symbol: string;
  paused: boolean;
}): TransactionInstruction {
  const { authority, symbol, paused } = args;
  return oracle.instruction('set_paused', { paused }, withConfig(authority, symbol));
}

/** A publisher's observation. Signer: `publisher`. */
export function submitPrice(args: {
  publisher: PublicKey;
  symbol: string;
  /** GRX base units for 1 GRID. */
  price: bigint;
  /** Unix seconds by the chain's clock, later than this publisher's last. */
  observedAt: bigint;
}): TransactionInstruction {
  const { publisher, symbol, price, observedAt } = args;
  return oracle.instruction('submit_price', { price, observedAt }, { publisher, feed: feedAddress(symbol) });
}

/** The price as return data: see `decodePrice`. Refused while it is stale or paused. */
export function getPrice(args: { symbol: string }): TransactionInstruction {
  return oracle.instruction('get_price', {}, { feed: feedAddress(args.symbol) });
}

/** Names another guardian. */
export function setOracleGuardian(args: {
  authority: PublicKey;
  guardian: PublicKey;
}): TransactionInstruction {
  const { authority, guardian } = args;
  return oracle.instruction(
    'set_guardian',
    { newGuardian: guardian },
    { authority, config: oracleConfigAddress() },
  );
}

/** Names the oracle's next authority, who has to accept; `PublicKey.default` withdraws. */
export function proposeOracleAuthority(args: {
  authority: PublicKey;
  newAuthority: PublicKey;
}): TransactionInstruction {
  const { authority, newAuthority } = args;
  return oracle.instruction(
    'propose_authority',
    { newAuthority },
    { authority, config: oracleConfigAddress() },
  );
}

/** Becomes the oracle's authority. Signer: the proposed `newAuthority`. */
export function acceptOracleAuthority(args: { newAuthority: PublicKey }): TransactionInstruction {
  return oracle.instruction('accept_authority', {}, { ...args, config: oracleConfigAddress() });
}
