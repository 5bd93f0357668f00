import {
  GRID_TOKEN_PROGRAM_ID,
  gridTokenAccount,
  LookupTables,
  quoteTokenAccount,
  type TradingMarket,
} from '@gridtokenx/chain';
import { type AddressLookupTableAccount, type Connection, type Keypair, PublicKey } from '@solana/web3.js';
import type { Logger } from 'pino';
import type { AccountName } from '../market/index.js';
import type { MatchingStore } from './store.js';

export interface MatchingTablesDeps {
  connection: Connection;
  feePayer: Keypair;
  store: MatchingStore;
  logger: Logger;
  signal: AbortSignal;
}

/** Who is in a pair: owners, and who paid the rent. */
interface Parties {
  sell: { owner: string; rentPayer: string };
  buy: { owner: string; rentPayer: string };
}

/** Tables that one transaction can name: each costs 34 bytes beside its entries. */
const MAX_TABLES = 6;
export const TABLE_BYTES = 34;
/** Wallets entered at a time. */
const MAX_WALLETS = 40;

/**
 * The lookup tables of one market: what all of its trades use, and three accounts of each wallet that trades there (itself,
 * for the rent; its GRID and its GRX account). Orders and escrows are not entered: they live once.
 */
export class MatchingTables {
  private readonly tables: LookupTables;
  /** What was found of each wallet; null: nothing. */
  private readonly found = new Map<string, AddressLookupTableAccount | null>();
  private growing: Promise<void> | undefined;

  private constructor(
    private readonly deps: MatchingTablesDeps,
    private readonly market: TradingMarket,
    private readonly address: string,
    addresses: readonly string[],
  ) {
    const { connection, feePayer, store, signal } = deps;
    const authority = feePayer.publicKey.toBase58();
    this.tables = new LookupTables({
      connection,
      authority: feePayer,
      pinned: [
        new PublicKey(address),
        market.treasury,
        market.feed,
        GRID_TOKEN_PROGRAM_ID,
        market.quoteTokenProgram,
      ],
      addresses,
      onCreated: (table) => store.addTable(table, authority, address),
      signal,
    });
  }

  /** The tables of a market as the database knows them and the chain has them. @throws GtxError CHAIN_UNAVAILABLE */
  static async load(
    deps: MatchingTablesDeps,
    address: string,
    market: TradingMarket,
  ): Promise<MatchingTables> {
    const known = await deps.store.tables(deps.feePayer.publicKey.toBase58(), address);
    const tables = new MatchingTables(deps, market, address, known.slice(0, MAX_TABLES));
    await tables.tables.load();
    return tables;
  }

  /** How many bytes a transaction has to leave free for further tables than one. */
  get reserve(): number {
    return TABLE_BYTES * Math.max(0, this.tables.addresses.length - 1);
  }

  /** Whether an account stands in a table; undefined without tables. */
  get inTable(): ((account: AccountName) => boolean) | undefined {
    if (this.tables.addresses.length === 0) return undefined;
    return (account) => {
      const [kind, key = ''] = account.split(':');
      if (kind === 'fixed') return true;
      return (kind === 'wallet' || kind === 'grid' || kind === 'grx') && this.tableOf(key) !== undefined;
    };
  }

  /** The tables that these pairs' accounts stand in. */
  tablesOf(pairs: readonly Parties[]): AddressLookupTableAccount[] {
    const tables = new Set<AddressLookupTableAccount>();
    for (const wallet of walletsOf(pairs)) {
      const table = this.tableOf(wallet);
      if (table) tables.add(table);
    }
    if (tables.size > 0) return [...tables];
    const any = this.tables.tableFor([]);
    return any ? [any] : [];
  }

  /** Enters the wallets of these pairs, in the background and once at a time. It takes seconds and costs their rent. */
  grow(pairs: readonly Parties[]): void {
    if (this.growing !== undefined || this.tables.addresses.length >= MAX_TABLES) return;
    const wallets = [...walletsOf(pairs)]
      .filter((wallet) => this.tableOf(wallet) === undefined)
      .slice(0, MAX_WALLETS);
    if (wallets.length === 0) return;
    this.growing = this.tables
      .ensure(wallets.map((wallet) => this.accountsOf(wallet)))
      .then(() =>
        this.deps.logger.info({ market: this.address, wallets: wallets.length }, 'lookup table extended'),
      )
      .catch((error: unknown) => {
        // Tables only save room: without one fewer pairs fit.
        if (!this.deps.signal.aborted)
          this.deps.logger.warn({ err: error }, 'a lookup table cannot be extended');
      })
      .finally(() => {
        this.found.clear();
        this.growing = undefined;
      });
  }

  /** Returns when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.growing;
  }

  private tableOf(wallet: string): AddressLookupTableAccount | undefined {
    if (this.tables.addresses.length === 0) return undefined;
    let table = this.found.get(wallet);
    if (table === undefined) {
      table = this.tables.tableFor(this.accountsOf(wallet)) ?? null;
      this.found.set(wallet, table);
    }
    return table ?? undefined;
  }

  private accountsOf(wallet: string): PublicKey[] {
    const key = new PublicKey(wallet);
    const { quoteMint, quoteTokenProgram } = this.market;
    return [key, gridTokenAccount(key), quoteTokenAccount(quoteMint, quoteTokenProgram, key)];
  }
}

function walletsOf(pairs: readonly Parties[]): Set<string> {
  return new Set(pairs.flatMap(({ sell, buy }) => [sell.owner, buy.owner, sell.rentPayer, buy.rentPayer]));
}
