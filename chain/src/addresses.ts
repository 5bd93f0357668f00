import { encodeMeterId, GtxError } from '@gridtokenx/protocol';
import { getAssociatedTokenAddressSync } from '@solana/spl-token';
import { PublicKey } from '@solana/web3.js';
import {
  CERTIFICATES_PROGRAM_ID,
  CLASSIC_TOKEN_PROGRAM_ID,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  GRID_TOKEN_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  TRADING_PROGRAM_ID,
  UPGRADEABLE_LOADER_ID,
} from './programs.js';

// The seeds, once: programs/shared/src/seeds.rs holds the same.
const SEED = {
  config: Buffer.from('config'),
  mint: Buffer.from('mint'),
  mintAuthority: Buffer.from('mint-authority'),
  user: Buffer.from('user'),
  meter: Buffer.from('meter'),
  meterKey: Buffer.from('meter-key'),
  market: Buffer.from('market'),
  trader: Buffer.from('trader'),
  order: Buffer.from('order'),
  escrow: Buffer.from('escrow'),
  book: Buffer.from('book'),
  certificate: Buffer.from('certificate'),
  retirement: Buffer.from('retirement'),
  feed: Buffer.from('feed'),
  vault: Buffer.from('vault'),
  governance: Buffer.from('governance'),
  voter: Buffer.from('voter'),
  proposal: Buffer.from('proposal'),
  instruction: Buffer.from('instruction'),
  vote: Buffer.from('vote'),
} as const;

/** Derivations that are remembered: each costs some curve checks, 0.2 to 0.5 ms, and the same ones are asked again and again. */
const MAX_REMEMBERED = 20_000;
const remembered = new Map<string, unknown>();

/** What `make` gave for the same key, unless it is long ago. The oldest are forgotten first. */
function remember<T>(key: string, make: () => T): T {
  const known = remembered.get(key) as T | undefined;
  if (known !== undefined) return known;
  const made = make();
  if (remembered.size >= MAX_REMEMBERED) {
    for (const oldest of remembered.keys()) {
      remembered.delete(oldest);
      break;
    }
  }
  remembered.set(key, made);
  return made;
}

const bytesKey = (...parts: Uint8Array[]): string =>
  parts.map((part) => `${part.length}:${Buffer.from(part).toString('latin1')}`).join('');

function deriveWithBump(program: PublicKey, ...seeds: Uint8Array[]): [PublicKey, number] {
  return remember(`p${bytesKey(program.toBytes(), ...seeds)}`, () =>
    PublicKey.findProgramAddressSync(seeds, program),
  );
}

/** A wallet's associated token account. A PDA may own one, so off-curve owners are allowed. */
function tokenAccount(mint: PublicKey, wallet: PublicKey, program: PublicKey): PublicKey {
  return remember(`t${bytesKey(mint.toBytes(), wallet.toBytes(), program.toBytes())}`, () =>
    getAssociatedTokenAddressSync(mint, wallet, true, program),
  );
}

function derive(program: PublicKey, ...seeds: Uint8Array[]): PublicKey {
  return deriveWithBump(program, ...seeds)[0];
}

/** A derivation without arguments, done once: each costs several curve checks. */
function once(program: PublicKey, seed: Uint8Array): () => PublicKey {
  let found: PublicKey | undefined;
  return () => {
    found ??= derive(program, seed);
    return found;
  };
}

/** The registry's Config account: admin, registrar, guardian, policy, limits, totals. */
export const registryConfigAddress = once(REGISTRY_PROGRAM_ID, SEED.config);
/** The registry's PDA that alone may make energy-token mint. It signs and holds no data. */
export const mintAuthorityAddress = once(REGISTRY_PROGRAM_ID, SEED.mintAuthority);
/** energy-token's Config account, which is also the GRID mint's authority. */
export const tokenConfigAddress = once(ENERGY_TOKEN_PROGRAM_ID, SEED.config);
/** The GRID mint, a Token-2022 mint that carries its own metadata: 9 decimals, 1 base unit = 1 nkWh. */
export const gridMintAddress = once(ENERGY_TOKEN_PROGRAM_ID, SEED.mint);

/** The User account of a wallet. */
export function userAddress(wallet: PublicKey): PublicKey {
  return derive(REGISTRY_PROGRAM_ID, SEED.user, wallet.toBytes());
}

/**
 * The Meter account of a meter id.
 * @throws GtxError when the id breaks the grammar of meter ids.
 */
export function meterAddress(meterId: string): PublicKey {
  return derive(REGISTRY_PROGRAM_ID, SEED.meter, encodeMeterId(meterId));
}

/** The MeterKey account of a meter's public key: it binds the key to one meter for ever. */
export function meterKeyAddress(publicKey: PublicKey | Uint8Array): PublicKey {
  const bytes = publicKey instanceof PublicKey ? publicKey.toBytes() : publicKey;
  return derive(REGISTRY_PROGRAM_ID, SEED.meterKey, bytes);
}

/** The wallet's GRID account (its associated token account). A PDA may own one, so off-curve owners are allowed. */
export function gridTokenAccount(wallet: PublicKey): PublicKey {
  return tokenAccount(gridMintAddress(), wallet, GRID_TOKEN_PROGRAM_ID);
}

/** The account in which the upgradeable loader keeps a program's bytes and its upgrade authority. */
export function programDataAddress(programId: PublicKey): PublicKey {
  return derive(UPGRADEABLE_LOADER_ID, programId.toBytes());
}

/** The Market of GRID against a quote mint (GRX). */
export function marketAddress(quoteMint: PublicKey): PublicKey {
  return derive(TRADING_PROGRAM_ID, SEED.market, quoteMint.toBytes());
}

/** The Trader account of a wallet, which keeps its last order id. `openTrader` makes it. */
export function traderAddress(wallet: PublicKey): PublicKey {
  return derive(TRADING_PROGRAM_ID, SEED.trader, wallet.toBytes());
}

/** The Order account of an owner's order id (u64), with its bump. */
export function orderAddressWithBump(owner: PublicKey, orderId: bigint): [PublicKey, number] {
  const id = Buffer.alloc(8);
  id.writeBigUInt64LE(orderId);
  return deriveWithBump(TRADING_PROGRAM_ID, SEED.order, owner.toBytes(), id);
}

/** The Order account of an owner's order id (u64). */
export function orderAddress(owner: PublicKey, orderId: bigint): PublicKey {
  return orderAddressWithBump(owner, orderId)[0];
}

/** The token account that holds what an order offers, with its bump. */
export function escrowAddressWithBump(order: PublicKey): [PublicKey, number] {
  return deriveWithBump(TRADING_PROGRAM_ID, SEED.escrow, order.toBytes());
}

/** The token account that holds what an order offers. */
export function escrowAddress(order: PublicKey): PublicKey {
  return escrowAddressWithBump(order)[0];
}

/** The wallet's account of a quote mint (its associated token account); its program is the market's `quoteTokenProgram`. */
export function quoteTokenAccount(
  quoteMint: PublicKey,
  quoteTokenProgram: PublicKey,
  wallet: PublicKey,
): PublicKey {
  return tokenAccount(quoteMint, wallet, quoteTokenProgram);
}

/** The oracle's configuration: authority, guardian. */
export const oracleConfigAddress = once(ORACLE_PROGRAM_ID, SEED.config);

/** Characters of a feed's symbol. */
const SYMBOL_BYTES = 16;

/**
 * A feed's symbol as the chain keeps it, zero-padded to 16 bytes.
 * @throws GtxError MESSAGE_INVALID when it is not 1 to 16 of `A-Z 0-9 / . - _`.
 */
export function encodeSymbol(symbol: string): Uint8Array {
  if (!/^[A-Z0-9/._-]{1,16}$/.test(symbol))
    throw new GtxError('MESSAGE_INVALID', "a feed's symbol is 1 to 16 of A-Z, 0-9, '/', '.', '-' and '_'", {
      symbol,
    });
  const bytes = new Uint8Array(SYMBOL_BYTES);
  bytes.set(Buffer.from(symbol, 'ascii'));
  return bytes;
}

/** The text of a feed's symbol. */
export function decodeSymbol(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end === -1 ? bytes.length : end)).toString('ascii');
}

/**
 * The price feed of a symbol, for instance `GRX/GRID`.
 * @throws GtxError when the symbol breaks its grammar.
 */
export function feedAddress(symbol: string): PublicKey {
  return derive(ORACLE_PROGRAM_ID, SEED.feed, encodeSymbol(symbol));
}

/** The Config account of certificates: admin, guardian, whether they are paused. */
export const certificatesConfigAddress = once(CERTIFICATES_PROGRAM_ID, SEED.config);

/** The Book of a meter: how far its settled energy is certified. `meter` is the meter's account. */
export function bookAddress(meter: PublicKey): PublicKey {
  return derive(CERTIFICATES_PROGRAM_ID, SEED.book, meter.toBytes());
}

/** The Certificate of a book's serial number (u64). */
export function certificateAddress(book: PublicKey, serial: bigint): PublicKey {
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(serial);
  return derive(CERTIFICATES_PROGRAM_ID, SEED.certificate, book.toBytes(), number);
}

/** The record of a retired certificate. */
export function retirementAddress(certificate: PublicKey): PublicKey {
  return derive(CERTIFICATES_PROGRAM_ID, SEED.retirement, certificate.toBytes());
}

/** Governance's Config account: settings, guardian, totals. */
export const governanceConfigAddress = once(GOVERNANCE_PROGRAM_ID, SEED.config);
/** The GOV mint: 9 decimals, a supply that was minted once. */
export const govMintAddress = once(GOVERNANCE_PROGRAM_ID, SEED.mint);
/** The token account of all deposits; it is its own authority. */
export const govVaultAddress = once(GOVERNANCE_PROGRAM_ID, SEED.vault);
/**
 * The signer of executed proposals: what other programs are handed over to. It holds no data; lamports and tokens that
 * it owns are the treasury of which proposals dispose.
 */
export const governanceAddress = once(GOVERNANCE_PROGRAM_ID, SEED.governance);

/** The Voter account of a wallet. It is there while the wallet has something deposited, and until it closes it. */
export function voterAddress(wallet: PublicKey): PublicKey {
  return derive(GOVERNANCE_PROGRAM_ID, SEED.voter, wallet.toBytes());
}

/** The Proposal account of a number (u64). */
export function proposalAddress(id: bigint): PublicKey {
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(id);
  return derive(GOVERNANCE_PROGRAM_ID, SEED.proposal, number);
}

/** The account of a proposal's instruction, from 0. */
export function proposalInstructionAddress(proposal: PublicKey, index: number): PublicKey {
  return derive(GOVERNANCE_PROGRAM_ID, SEED.instruction, proposal.toBytes(), Uint8Array.of(index));
}

/** The Vote account of a wallet on a proposal. */
export function voteAddress(proposal: PublicKey, wallet: PublicKey): PublicKey {
  return derive(GOVERNANCE_PROGRAM_ID, SEED.vote, proposal.toBytes(), wallet.toBytes());
}

/** The wallet's GOV account (its associated token account). */
export function govTokenAccount(wallet: PublicKey): PublicKey {
  return getAssociatedTokenAddressSync(govMintAddress(), wallet, true, CLASSIC_TOKEN_PROGRAM_ID);
}
