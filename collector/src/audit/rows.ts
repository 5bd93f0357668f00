import {
  decodeHolding,
  decodeOrder,
  escrowAddress,
  gridMintAddress,
  Side,
  toChainError,
  walkProgramAccounts,
} from '@gridtokenx/chain';
import { encodeBase58 } from '@gridtokenx/protocol';
import { type AccountInfo, type Connection, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import { type Difference, Differences } from './differences.js';
import { type Columns, ORDERS, type Projection } from './projections.js';

/** What comparing needs. */
export interface CompareContext {
  readonly db: Pick<pg.ClientBase, 'query'>;
  readonly connection: Connection;
  /**
   * Brings the database up to everything that the chain shows now. Without it nothing is looked at twice, and what is
   * only in flight counts as a difference.
   */
  readonly catchUp?: (() => Promise<void>) | undefined;
}

/** A busy system moves while it is looked at: what differs is looked at again before it counts. */
export const LOOKS = 4;
/** Rows in one look: with the escrows of orders one request of at most 100 accounts. */
export const ROWS_PER_LOOK = 50;
const ACCOUNTS_PER_REQUEST = 100;

/** What one order's escrow holds; amounts in base units of what the order offers. */
export interface EscrowSeen {
  readonly order: string;
  /** The escrow's token account. */
  readonly account: string;
  /** `sell`: GRID; `buy`: the market's quote token. */
  readonly side: 'sell' | 'buy';
  readonly market: string;
  readonly escrowed: bigint;
  readonly held: bigint;
}

interface RowSeen {
  readonly live: boolean;
  readonly columns: Columns;
  /** Everything that tells whether the row has changed. */
  readonly state: string;
}

/**
 * Compares the rows of these keys with their accounts. What differs counts only if the row did not change while the
 * database was brought up to date after the account was read: then it has no part in anything that is under way.
 *
 * @param onEscrow called for each order whose escrow was read.
 * @throws GtxError CHAIN_UNAVAILABLE, the database's error.
 */
export async function compareRows(
  context: CompareContext,
  projection: Projection,
  keys: readonly string[],
  onEscrow: (escrow: EscrowSeen) => void = () => undefined,
): Promise<Difference[]> {
  const { db, connection, catchUp } = context;
  const found: Difference[] = [];
  let left = [...new Set(keys)];
  for (let look = 1; left.length > 0 && look <= LOOKS; look++) {
    const again: string[] = [];
    for (let start = 0; start < left.length; start += ROWS_PER_LOOK) {
      const some = left.slice(start, start + ROWS_PER_LOOK);
      const before = await readRows(db, projection, some);
      const accounts = await readAccounts(connection, addressesOf(projection, some));
      const suspects = new Map<string, Difference[]>();
      for (const key of some) {
        const differences = new Differences(Number.POSITIVE_INFINITY);
        const account = accountOf(projection, accounts.get(projection.addressOf(key).toBase58()));
        judge(projection, key, before.get(key), account, differences);
        if (projection === ORDERS && account) {
          const escrow = escrowOf(key, account, accounts);
          if (look === 1 || escrow.held >= escrow.escrowed) onEscrow(escrow);
          checkEscrow(escrow, differences);
        }
        if (differences.count > 0) suspects.set(key, differences.list);
      }
      if (suspects.size === 0) continue;
      if (!catchUp) {
        for (const list of suspects.values()) found.push(...list);
        continue;
      }
      await catchUp();
      const after = await readRows(db, projection, [...suspects.keys()]);
      for (const [key, list] of suspects) {
        if (before.get(key)?.state === after.get(key)?.state) found.push(...list);
        else again.push(key);
      }
    }
    left = again;
  }
  return found;
}

/** Keys of a projection's live rows behind `after`, in order. */
export async function liveKeys(
  db: Pick<pg.ClientBase, 'query'>,
  { table, key, live }: Projection,
  after: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ key: string }>(
    `SELECT ${key} AS key FROM ${table} WHERE ${live} AND ${key} > $1 ORDER BY ${key} LIMIT ${limit}`,
    [after],
  );
  return rows.map((row) => row.key);
}

/** Those of these keys that have no live row. */
export async function withoutRow(
  db: Pick<pg.ClientBase, 'query'>,
  { table, key, live }: Projection,
  keys: readonly string[],
): Promise<string[]> {
  const { rows } = await db.query<{ key: string }>(
    `SELECT ${key} AS key FROM ${table} WHERE ${live} AND ${key} = ANY($1::text[])`,
    [keys],
  );
  const known = new Set(rows.map((row) => row.key));
  return keys.filter((candidate) => !known.has(candidate));
}

/** Goes through all accounts of a projection's kind; `visit` gets the keys of their rows, in batches. */
export async function walkProjection(
  connection: Connection,
  { programId, discriminator, keyAt }: Projection,
  visit: (keys: string[]) => Promise<void>,
): Promise<{ slot: number }> {
  const bytes = Buffer.from(discriminator).toString('base64');
  return walkProgramAccounts(
    connection,
    programId,
    {
      filters: [{ memcmp: { offset: 0, encoding: 'base64', bytes } }],
      slice: keyAt ?? { offset: 0, length: 0 },
    },
    (batch) => visit(batch.map(({ address, data }) => (keyAt ? encodeBase58(data) : address))),
  );
}

/** Accounts at these addresses in one state of the chain for each hundred; absent ones are left out. */
export async function readAccounts(
  connection: Connection,
  addresses: readonly PublicKey[],
): Promise<Map<string, AccountInfo<Buffer>>> {
  const found = new Map<string, AccountInfo<Buffer>>();
  for (let start = 0; start < addresses.length; start += ACCOUNTS_PER_REQUEST) {
    const some = addresses.slice(start, start + ACCOUNTS_PER_REQUEST);
    let accounts: (AccountInfo<Buffer> | null)[];
    try {
      accounts = await connection.getMultipleAccountsInfo(some, 'confirmed');
    } catch (error) {
      throw toChainError(error);
    }
    some.forEach((address, index) => {
      const account = accounts[index];
      if (account) found.set(address.toBase58(), account);
    });
  }
  return found;
}

function addressesOf(projection: Projection, keys: readonly string[]): PublicKey[] {
  const addresses = keys.map((key) => projection.addressOf(key));
  // An order and its escrow are read together, so that they are of one moment.
  return projection === ORDERS ? addresses.flatMap((order) => [order, escrowAddress(order)]) : addresses;
}

/** The account's data, if it is one of the projection's kind: anybody can send lamports to an address. */
function accountOf(projection: Projection, account: AccountInfo<Buffer> | undefined): Buffer | undefined {
  if (!account?.owner.equals(projection.programId)) return undefined;
  const { discriminator } = projection;
  return discriminator.every((byte, index) => account.data[index] === byte) ? account.data : undefined;
}

async function readRows(
  db: Pick<pg.ClientBase, 'query'>,
  { table, key, live, columns }: Projection,
  keys: readonly string[],
): Promise<Map<string, RowSeen>> {
  const { rows } = await db.query<
    { key: string; live: boolean; slot: string } & Record<string, string | null>
  >(
    `SELECT ${key} AS key, (${live}) AS live, slot::text AS slot, ${columns.map((name) => `${name}::text AS c_${name}`).join(', ')}
     FROM ${table} WHERE ${key} = ANY($1::text[])`,
    [keys],
  );
  return new Map(
    rows.map((row) => {
      const seen = Object.fromEntries(columns.map((name) => [name, row[`c_${name}`] ?? null]));
      return [row.key, { live: row.live, columns: seen, state: JSON.stringify([row.live, row.slot, seen]) }];
    }),
  );
}

/** Names what one row and its account say differently. */
export function judge(
  projection: Projection,
  key: string,
  row: Pick<RowSeen, 'live' | 'columns'> | undefined,
  account: Uint8Array | undefined,
  differences: Differences,
): void {
  const { kinds, what } = projection;
  const expected = account && projection.read(account);
  const meter = expected?.meter_id ?? row?.columns.meter_id;
  const where = what === 'meter' && meter ? { meter, account: key } : { what, account: key };
  if (!expected) {
    if (row?.live)
      differences.add(kinds.unknown, { ...where, expected: 'an account on the chain', actual: 'absent' });
    return;
  }
  if (!row) {
    differences.add(kinds.missing, { ...where, expected: 'in the database', actual: 'absent' });
    return;
  }
  const wrong = projection.columns.filter((name) => row.columns[name] !== expected[name]);
  if (wrong.length === 0 && row.live) return;
  const say = (columns: Columns) => wrong.map((name) => `${name} ${columns[name] ?? 'none'}`);
  const status = row.live ? [[], []] : [['on the chain'], ['closed in the database']];
  differences.add(kinds.differs, {
    ...where,
    expected: [...(status[0] ?? []), ...say(expected)].join(', '),
    actual: [...(status[1] ?? []), ...say(row.columns)].join(', '),
  });
}

function escrowOf(
  key: string,
  account: Uint8Array,
  accounts: ReadonlyMap<string, AccountInfo<Buffer>>,
): EscrowSeen & { mint: PublicKey | undefined } {
  const order = decodeOrder(account);
  const side = order.side === Side.Sell ? 'sell' : 'buy';
  const address = order.escrow.toBase58();
  const escrow = accounts.get(address);
  const holding = escrow && decodeHolding({ address, data: escrow.data });
  return {
    order: key,
    account: address,
    side,
    market: order.market.toBase58(),
    escrowed: order.escrowed,
    held: holding?.amount ?? 0n,
    mint: escrow && holding ? new PublicKey(escrow.data.subarray(0, 32)) : undefined,
  };
}

function checkEscrow(escrow: EscrowSeen & { mint: PublicKey | undefined }, differences: Differences): void {
  const where = { what: 'order', account: escrow.order };
  if (escrow.held < escrow.escrowed) {
    differences.add('ESCROW_SHORT', {
      ...where,
      expected: `at least ${escrow.escrowed} in the escrow`,
      actual: escrow.mint ? escrow.held.toString() : 'no token account',
    });
  } else if (escrow.side === 'sell' && escrow.mint && !escrow.mint.equals(gridMintAddress())) {
    differences.add('ESCROW_SHORT', {
      ...where,
      expected: 'GRID in the escrow',
      actual: `tokens of ${escrow.mint.toBase58()}`,
    });
  }
}
