import { GtxError } from '@gridtokenx/protocol';
import { createAssociatedTokenAccountIdempotentInstruction } from '@solana/spl-token';
import {
  type AddressLookupTableAccount,
  type Connection,
  type Keypair,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  type TransactionInstruction,
} from '@solana/web3.js';
import {
  gridMintAddress,
  gridTokenAccount,
  meterAddress,
  mintAuthorityAddress,
  registryConfigAddress,
  tokenConfigAddress,
  userAddress,
} from './addresses.js';
import { type Ed25519Entry, ed25519Instruction } from './ed25519.js';
import { toChainError } from './failure.js';
import { submitAndMint } from './instructions.js';
import { LookupTables, type LookupTablesOptions } from './lookup.js';
import { ENERGY_TOKEN_PROGRAM_ID, GRID_TOKEN_PROGRAM_ID } from './programs.js';
import { type ConfirmOptions, type PreparedTransaction, prepareTransaction, sendAndConfirm } from './send.js';

/** Meters that one `submit_and_mint` takes: five signatures and their accounts just fit into a packet. */
export const maxMetersPerTransaction = 5;

/** A meter's newest signed reading, ready for the chain. */
export interface SettlementReading extends Ed25519Entry {
  meterId: string;
  /** The meter's owner as the chain has it: names the User account and the GRID account that receives. */
  owner: PublicKey;
}

/**
 * The compute limit of a settlement with `meters` meters. Five take some 31,000 units where the token program is
 * the new one (p-token); the older one adds 4,500 for each mint, and a held rise its event.
 */
export function settlementComputeUnits(meters: number): number {
  return 20_000 + 15_000 * meters;
}

/**
 * The two instructions that bring 1 to 5 meters' readings onto the chain and mint what they earned: the Ed25519
 * instruction with signature i for meter i, and right behind it `submit_and_mint`.
 *
 * @throws RangeError for no meters or too many; GtxError VALUE_INVALID when a meter is named twice.
 */
export function settlementInstructions(readings: readonly SettlementReading[]): TransactionInstruction[] {
  if (readings.length < 1 || readings.length > maxMetersPerTransaction) {
    throw new RangeError(`a settlement takes 1 to ${maxMetersPerTransaction} meters, not ${readings.length}`);
  }
  if (new Set(readings.map(({ meterId }) => meterId)).size < readings.length) {
    throw new GtxError('VALUE_INVALID', 'a settlement names each meter once');
  }
  return [ed25519Instruction(readings), submitAndMint({ meters: readings })];
}

/** The addresses that only this meter's settlement uses: meter, user, GRID account. */
export function settlementAddresses({
  meterId,
  owner,
}: Pick<SettlementReading, 'meterId' | 'owner'>): PublicKey[] {
  return [meterAddress(meterId), userAddress(owner), gridTokenAccount(owner)];
}

/** The addresses that every settlement uses, and that may be named through a table (programs called may not). */
export function commonSettlementAddresses(): PublicKey[] {
  return [
    registryConfigAddress(),
    SYSVAR_INSTRUCTIONS_PUBKEY,
    mintAuthorityAddress(),
    tokenConfigAddress(),
    gridMintAddress(),
    ENERGY_TOKEN_PROGRAM_ID,
    GRID_TOKEN_PROGRAM_ID,
  ];
}

export interface SettlementOptions {
  /** Pays the fee and signs, and has no other power. */
  feePayer: Keypair;
  readings: readonly SettlementReading[];
  lookupTables?: readonly AddressLookupTableAccount[];
  computeUnitLimit?: number;
  microLamportsPerCu?: number;
}

/**
 * Builds and signs a settlement without sending it. The intended order is: build, `simulate`, write down
 * `signature`, `lastValidBlockHeight` and `wire`, `sendPrepared`, `confirmTransaction`; after a crash
 * `resolveSignature` with what was written down. Two calls never give the same bytes.
 *
 * Without lookup tables two meters are the most that fit. The owners' GRID accounts must exist
 * (see {@link ensureTokenAccounts}).
 *
 * @throws GtxError CHAIN_UNAVAILABLE, CHAIN_REFUSED (reason TransactionTooLarge), VALUE_INVALID.
 */
export async function buildSettlement(
  connection: Connection,
  { feePayer, readings, lookupTables = [], ...options }: SettlementOptions,
): Promise<PreparedTransaction> {
  return prepareTransaction(connection, {
    payer: feePayer,
    instructions: settlementInstructions(readings),
    lookupTables,
    computeUnitLimit: settlementComputeUnits(readings.length),
    ...options,
  });
}

/** Readings that go into one transaction, and the table that makes them fit. */
export interface SettlementBatch<Reading extends SettlementReading = SettlementReading> {
  readings: Reading[];
  lookupTables: AddressLookupTableAccount[];
}

/**
 * The lookup tables of settlements, and the packing of readings into transactions of up to five meters. Each
 * table begins with what all settlements share; 83 meters of as many owners fill it.
 */
export class SettlementTables {
  private readonly tables: LookupTables;

  constructor(options: Omit<LookupTablesOptions, 'pinned'>) {
    this.tables = new LookupTables({ ...options, pinned: commonSettlementAddresses() });
  }

  /** Fetches the known tables. @throws GtxError CHAIN_UNAVAILABLE */
  load(): Promise<void> {
    return this.tables.load();
  }

  /** The tables' addresses, base58, to be written down. */
  get addresses(): string[] {
    return this.tables.addresses;
  }

  /**
   * Enters meters that are not in a table yet; sends nothing when all are.
   * @throws GtxError as {@link LookupTables.ensure}.
   */
  ensure(meters: readonly Pick<SettlementReading, 'meterId' | 'owner'>[]): Promise<void> {
    return this.tables.ensure(meters.map(settlementAddresses));
  }

  /**
   * Packs readings into as few transactions as their tables allow. Meters of one table go together, in the
   * given order; a meter that is in no table goes alone, which fits without one.
   */
  pack<Reading extends SettlementReading>(readings: readonly Reading[]): SettlementBatch<Reading>[] {
    const open = new Map<string, SettlementBatch<Reading>>();
    const batches: SettlementBatch<Reading>[] = [];
    for (const reading of readings) {
      const table = this.tables.tableFor(settlementAddresses(reading));
      const batch = table && open.get(table.key.toBase58());
      if (batch && batch.readings.length < maxMetersPerTransaction) {
        batch.readings.push(reading);
        continue;
      }
      const started = { readings: [reading], lookupTables: table ? [table] : [] };
      batches.push(started);
      if (table) open.set(table.key.toBase58(), started);
    }
    return batches;
  }
}

/** getMultipleAccounts takes at most this many. */
const ACCOUNTS_PER_REQUEST = 100;
/** Token accounts created in one transaction: some 74 bytes each. */
const CREATIONS_PER_TRANSACTION = 8;
/** An associated token account's creation, with the search for its address. */
const COMPUTE_UNITS_PER_CREATION = 60_000;

export interface EnsureTokenAccountsOptions extends ConfirmOptions {
  /**
   * Wallets (base58) whose account was paid for before. An owner can close an empty account and keep its rent:
   * paying again and again would let anybody drain the fee payer, so that these are reported and not created.
   */
  paidBefore?: ReadonlySet<string>;
  microLamportsPerCu?: number;
}

/** What {@link ensureTokenAccounts} did, by wallet (base58). */
export interface TokenAccountsResult {
  existing: string[];
  created: string[];
  /** Paid for before and closed by the owner since: the owner has to open it again. */
  closed: string[];
  refused: { wallet: string; error: GtxError }[];
}

/**
 * Creates the GRID accounts that wallets lack. Running it again, or twice at once, changes nothing.
 *
 * @param payer pays the rent (about 0.002 SOL each).
 * @throws GtxError CHAIN_UNAVAILABLE, TRANSACTION_EXPIRED. One that the chain refuses holds up no other.
 */
export async function ensureTokenAccounts(
  connection: Connection,
  payer: Keypair,
  wallets: readonly PublicKey[],
  { paidBefore = new Set(), microLamportsPerCu, ...confirm }: EnsureTokenAccountsOptions = {},
): Promise<TokenAccountsResult> {
  const result: TokenAccountsResult = { existing: [], created: [], closed: [], refused: [] };
  const absent: PublicKey[] = [];
  const asked = [...new Set(wallets.map((wallet) => wallet.toBase58()))];
  for (let start = 0; start < asked.length; start += ACCOUNTS_PER_REQUEST) {
    const some = asked.slice(start, start + ACCOUNTS_PER_REQUEST);
    const keys = some.map((wallet) => new PublicKey(wallet));
    let accounts: Awaited<ReturnType<Connection['getMultipleAccountsInfo']>>;
    try {
      accounts = await connection.getMultipleAccountsInfo(keys.map(gridTokenAccount), 'confirmed');
    } catch (error) {
      throw toChainError(error);
    }
    some.forEach((wallet, index) => {
      // Lamports sent to the address beforehand make an account that is not yet a token account.
      const exists = accounts[index]?.owner.equals(GRID_TOKEN_PROGRAM_ID) ?? false;
      if (exists) result.existing.push(wallet);
      else if (paidBefore.has(wallet)) result.closed.push(wallet);
      else absent.push(keys[index] as PublicKey);
    });
  }

  const create = async (some: readonly PublicKey[]): Promise<void> => {
    try {
      await sendAndConfirm(connection, {
        ...confirm,
        payer,
        instructions: some.map((wallet) =>
          createAssociatedTokenAccountIdempotentInstruction(
            payer.publicKey,
            gridTokenAccount(wallet),
            wallet,
            gridMintAddress(),
            GRID_TOKEN_PROGRAM_ID,
          ),
        ),
        computeUnitLimit: COMPUTE_UNITS_PER_CREATION * some.length,
        ...(microLamportsPerCu === undefined ? {} : { microLamportsPerCu }),
      });
      result.created.push(...some.map((wallet) => wallet.toBase58()));
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'CHAIN_REFUSED') throw error;
      const [only, ...others] = some;
      if (only && others.length === 0) {
        result.refused.push({ wallet: only.toBase58(), error });
        return;
      }
      for (const wallet of some) await create([wallet]);
    }
  };
  for (let start = 0; start < absent.length; start += CREATIONS_PER_TRANSACTION) {
    await create(absent.slice(start, start + CREATIONS_PER_TRANSACTION));
  }
  return result;
}
