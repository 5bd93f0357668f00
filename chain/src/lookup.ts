import { setTimeout as sleep } from 'node:timers/promises';
import { GtxError } from '@gridtokenx/protocol';
import {
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  type Connection,
  type Keypair,
  PublicKey,
} from '@solana/web3.js';
import { toChainError } from './failure.js';
import { sendAndConfirm } from './send.js';

/** Addresses that a table can hold. */
export const LOOKUP_TABLE_CAPACITY = 256;
/** Addresses in one extending transaction: 32 bytes each, and the rest of the packet for keys and signature. */
const EXTEND_CHUNK = 25;
/** `u32 kind, u64 deactivation slot, u64 last extended slot, u8 start index`, then `Option<authority>`. */
const AUTHORITY_TAG_OFFSET = 21;
const POLL_MS = 100;
/** How long new entries may take to become usable before something is wrong: it is one slot, 0.4 s. */
const ACTIVATION_TIMEOUT_MS = 60_000;

export interface LookupTablesOptions {
  connection: Connection;
  /** Owns the tables and pays for them. */
  authority: Keypair;
  /** In every table: addresses that every transaction uses. */
  pinned: readonly PublicKey[];
  /** Tables made before (base58), from wherever `onCreated` wrote them. One that is not there is passed over. */
  addresses?: readonly string[];
  /**
   * Called with a new table's address before its transaction is sent: write it down, so that a crash in between
   * loses no table and no rent. A table whose creation failed never exists and is passed over later.
   */
  onCreated?: (address: string) => void | Promise<void>;
  signal?: AbortSignal;
}

/** A set of addresses in a table's order. Text is compared: it is computed once for each address. */
class Addresses {
  readonly list: PublicKey[] = [];
  private readonly known = new Set<string>();

  add(addresses: readonly PublicKey[]): void {
    for (const address of addresses) {
      const text = address.toBase58();
      if (this.known.has(text)) continue;
      this.known.add(text);
      this.list.push(address);
    }
  }

  missing(addresses: readonly PublicKey[]): PublicKey[] {
    const wanted = new Map(addresses.map((address) => [address.toBase58(), address]));
    return [...wanted].filter(([text]) => !this.known.has(text)).map(([, address]) => address);
  }

  fits(addresses: readonly PublicKey[]): boolean {
    return this.list.length + this.missing(addresses).length <= LOOKUP_TABLE_CAPACITY;
  }
}

function copyOf(addresses: Addresses): Addresses {
  const copy = new Addresses();
  copy.add(addresses.list);
  return copy;
}

/** A table as it is on the chain. */
class Table extends Addresses {
  constructor(readonly account: AddressLookupTableAccount) {
    super();
    this.add(account.state.addresses);
  }
}

/**
 * Keeps address lookup tables so that each group of addresses that is used together is found in one table:
 * a transaction that needs two tables spends 34 more bytes.
 *
 * Tables are made when needed, extended while there is room, and used again after a restart. They are never
 * closed: their entries are what later transactions name.
 */
export class LookupTables {
  private tables: Table[] = [];
  /** Tables that another process fills at the same time: used, and not extended from here. */
  private readonly closed = new Set<string>();

  constructor(private readonly options: LookupTablesOptions) {}

  /**
   * Fetches the known tables: at start, and whenever another process may have extended them.
   * @throws GtxError CHAIN_UNAVAILABLE
   */
  async load(): Promise<void> {
    const known = new Set([...(this.options.addresses ?? []), ...this.addresses]);
    const { connection, authority } = this.options;
    const loaded: Table[] = [];
    for (const address of known) {
      const account = await fetchTable(connection, new PublicKey(address));
      if (account?.isActive() && account.state.authority?.equals(authority.publicKey)) {
        loaded.push(new Table(account));
      }
    }
    this.tables = loaded;
  }

  /** The tables' addresses, base58, for the next start. */
  get addresses(): string[] {
    return this.tables.map(({ account }) => account.key.toBase58());
  }

  /** The table that holds all pinned addresses and all of these; undefined when none does. */
  tableFor(addresses: readonly PublicKey[]): AddressLookupTableAccount | undefined {
    const wanted = [...this.options.pinned, ...addresses];
    return this.tables.find((table) => table.missing(wanted).length === 0)?.account;
  }

  /**
   * Makes each group findable in one table, and returns when all are usable. Groups that are there already cost
   * nothing, not even a request.
   *
   * @param groups addresses that are used together; each at most 256 with the pinned ones.
   * @throws GtxError CHAIN_UNAVAILABLE, CHAIN_REFUSED (the authority cannot pay), TRANSACTION_EXPIRED.
   */
  async ensure(groups: readonly (readonly PublicKey[])[]): Promise<void> {
    for (;;) {
      const { extensions, fresh } = this.plan(groups);
      try {
        for (const { key, addresses } of extensions) await this.extend(key, addresses);
        for (const addresses of fresh) await this.create(addresses);
        return;
      } catch (error) {
        // Somebody else fills the same table: it is left to them, so that this ends.
        if (!(error instanceof TableFull)) throw error;
        this.closed.add(error.table.toBase58());
        this.keep(await this.usable(error.table));
      }
    }
  }

  /** What is missing, and where it goes: into tables that have room, then into new ones. */
  private plan(groups: readonly (readonly PublicKey[])[]): {
    extensions: { key: PublicKey; addresses: PublicKey[] }[];
    fresh: PublicKey[][];
  } {
    const plans = this.tables
      .filter(({ account }) => !this.closed.has(account.key.toBase58()))
      .map((table) => ({ table, plan: copyOf(table) }));
    const fresh: Addresses[] = [];
    for (const group of groups) {
      if (this.tableFor(group)) continue;
      const wanted = [...this.options.pinned, ...group];
      const table = [...plans.map(({ plan }) => plan), ...fresh].find((candidate) => candidate.fits(wanted));
      if (table) {
        table.add(wanted);
        continue;
      }
      const added = new Addresses();
      if (!added.fits(wanted)) {
        throw new RangeError(`a lookup table cannot hold ${wanted.length} addresses`);
      }
      added.add(wanted);
      fresh.push(added);
    }
    return {
      extensions: plans
        .map(({ table, plan }) => ({ key: table.account.key, addresses: table.missing(plan.list) }))
        .filter(({ addresses }) => addresses.length > 0),
      fresh: fresh.map(({ list }) => list),
    };
  }

  private async create(addresses: readonly PublicKey[]): Promise<void> {
    const { connection, authority, onCreated, signal } = this.options;
    const [instruction, key] = await this.newTable();
    await onCreated?.(key.toBase58());
    await sendAndConfirm(connection, {
      payer: authority,
      instructions: [instruction],
      // The recorded slot outlives a transaction (512 slots against 150), so a second signature still works.
      ...(signal ? { signal } : {}),
    });
    await this.extend(key, addresses);
  }

  /**
   * A table's address is derived from its authority and a recent slot, and creating one that is there already
   * succeeds without effect: two tables made in one slot would be one.
   */
  private async newTable(): Promise<ReturnType<typeof AddressLookupTableProgram.createLookupTable>> {
    const { connection, authority, signal } = this.options;
    const deadline = Date.now() + ACTIVATION_TIMEOUT_MS;
    for (;;) {
      let recentSlot: number;
      try {
        // A finalized slot is on every fork, and the chain remembers 512.
        recentSlot = await connection.getSlot('finalized');
      } catch (error) {
        throw toChainError(error);
      }
      const made = AddressLookupTableProgram.createLookupTable({
        authority: authority.publicKey,
        payer: authority.publicKey,
        recentSlot,
      });
      if (!(await fetchTable(connection, made[1]))) return made;
      if (Date.now() >= deadline) throw standsStill(recentSlot);
      await sleep(POLL_MS, undefined, signal ? { signal } : {});
    }
  }

  private async extend(key: PublicKey, addresses: readonly PublicKey[]): Promise<void> {
    const { connection, authority, signal } = this.options;
    try {
      for (let start = 0; start < addresses.length; start += EXTEND_CHUNK) {
        await sendAndConfirm(connection, {
          payer: authority,
          instructions: [
            AddressLookupTableProgram.extendLookupTable({
              lookupTable: key,
              authority: authority.publicKey,
              payer: authority.publicKey,
              addresses: addresses.slice(start, start + EXTEND_CHUNK),
            }),
          ],
          ...(signal ? { signal } : {}),
        });
      }
    } catch (error) {
      throw isFull(error) ? new TableFull(key, error) : error;
    }
    this.keep(await this.usable(key));
  }

  private keep(table: AddressLookupTableAccount): void {
    this.tables = [...this.tables.filter(({ account }) => !account.key.equals(table.key)), new Table(table)];
  }

  /**
   * Waits until the last entries are usable: they are from the slot after the one in which they were added.
   *
   * Simulation and execution go by that. A leader of a real cluster (agave 4) however looks tables up in its
   * root, some 13 s behind, and drops a transaction that names an entry it does not see there. The first one
   * after an extension therefore lands only on a later repetition, by the node or by `confirmTransaction`: well
   * within a blockhash's minute, and waiting here would take as long for everybody.
   */
  private async usable(key: PublicKey): Promise<AddressLookupTableAccount> {
    const { connection, signal } = this.options;
    const deadline = Date.now() + ACTIVATION_TIMEOUT_MS;
    for (;;) {
      const table = await fetchTable(connection, key);
      let slot: number;
      try {
        slot = await connection.getSlot('confirmed');
      } catch (error) {
        throw toChainError(error);
      }
      if (table && slot > table.state.lastExtendedSlot) return table;
      if (Date.now() >= deadline) {
        throw new GtxError(
          'CHAIN_UNAVAILABLE',
          'the chain makes no new slots: a lookup table stays unusable',
          {
            table: key.toBase58(),
            slot,
          },
        );
      }
      await sleep(POLL_MS, undefined, signal ? { signal } : {});
    }
  }
}

/** A table had less room than planned. */
class TableFull extends Error {
  constructor(
    readonly table: PublicKey,
    cause: unknown,
  ) {
    super(`the lookup table ${table.toBase58()} is full`, { cause });
  }
}

/** What the lookup table program says to an extension beyond 256 addresses: full already, or too long with it. */
function isFull(error: unknown): boolean {
  if (!(error instanceof GtxError) || error.code !== 'CHAIN_REFUSED') return false;
  const { programId, reason } = error.details ?? {};
  return (
    programId === AddressLookupTableProgram.programId.toBase58() &&
    (reason === 'InvalidArgument' || reason === 'InvalidInstructionData')
  );
}

function standsStill(slot: number): GtxError {
  return new GtxError(
    'CHAIN_UNAVAILABLE',
    `the chain makes no new slots after ${slot}: no lookup table can be used`,
  );
}

async function fetchTable(
  connection: Connection,
  key: PublicKey,
): Promise<AddressLookupTableAccount | undefined> {
  try {
    const { value } = await connection.getAddressLookupTable(key, { commitment: 'confirmed' });
    return value ?? undefined;
  } catch (error) {
    throw toChainError(error);
  }
}

/**
 * Finds all active tables of an authority: a way back when their addresses were lost. Public nodes often refuse
 * this request, so it is no substitute for writing them down.
 *
 * @throws GtxError CHAIN_UNAVAILABLE when the node refuses or does not answer.
 */
export async function findLookupTables(connection: Connection, authority: PublicKey): Promise<PublicKey[]> {
  try {
    const found = await connection.getProgramAccounts(AddressLookupTableProgram.programId, {
      commitment: 'confirmed',
      filters: [
        {
          memcmp: {
            offset: AUTHORITY_TAG_OFFSET,
            encoding: 'base64',
            bytes: Buffer.concat([Buffer.of(1), authority.toBytes()]).toString('base64'),
          },
        },
      ],
    });
    return found
      .filter(({ account, pubkey }) =>
        new AddressLookupTableAccount({
          key: pubkey,
          state: AddressLookupTableAccount.deserialize(account.data),
        }).isActive(),
      )
      .map(({ pubkey }) => pubkey);
  } catch (error) {
    throw toChainError(error);
  }
}
