import { GRID_TOKEN_PROGRAM_ID, gridMintAddress, toChainError } from '@gridtokenx/chain';
import { decodeBase58 } from '@gridtokenx/protocol';
import type { Connection, PublicKey, VersionedTransactionResponse } from '@solana/web3.js';
import { type LandedTransaction, readLanded } from '../mirror/landed.js';
import { MIRRORED_PROGRAMS } from '../mirror/programs.js';

const LIST_PAGE = 1000;
const FETCH_PAGE = 50;
const PARALLEL_FETCHES = 8;

interface Listed {
  readonly signature: string;
  readonly slot: number;
}

/**
 * A page of an address's successful transactions, newest first.
 * @param before the page begins behind this signature; '' begins with the newest.
 * @returns `next` continues the list; undefined at its end.
 */
export async function listPage(
  connection: Connection,
  address: PublicKey,
  before: string,
): Promise<{ signatures: string[]; listed: Listed[]; next: string | undefined }> {
  try {
    const page = await connection.getSignaturesForAddress(
      address,
      { limit: LIST_PAGE, ...(before === '' ? {} : { before }) },
      'confirmed',
    );
    const good = page.filter(({ err }) => err === null);
    return {
      signatures: good.map(({ signature }) => signature),
      listed: good.map(({ signature, slot }) => ({ signature, slot })),
      next: page.length < LIST_PAGE ? undefined : page.at(-1)?.signature,
    };
  } catch (error) {
    throw toChainError(error);
  }
}

/** The successful transactions of an address up to `maxSlot`, newest first. */
async function* listed(connection: Connection, address: PublicKey, maxSlot: number): AsyncGenerator<Listed> {
  let before: string | undefined = '';
  while (before !== undefined) {
    const page: Awaited<ReturnType<typeof listPage>> = await listPage(connection, address, before);
    for (const item of page.listed) if (item.slot <= maxSlot) yield item;
    before = page.next;
  }
}

/** Lists, newest first, as one without repetitions: a transaction of several programs is in several. */
async function* merged(lists: readonly AsyncGenerator<Listed>[]): AsyncGenerator<Listed> {
  const heads = await Promise.all(lists.map((list) => list.next()));
  let slot = Number.POSITIVE_INFINITY;
  let inSlot = new Set<string>();
  for (;;) {
    let newest = -1;
    for (const [index, head] of heads.entries()) {
      if (!head.done && head.value.slot > (heads[newest]?.value?.slot ?? -1)) newest = index;
    }
    const value = heads[newest]?.value as Listed | undefined;
    const list = lists[newest];
    if (!value || !list) return;
    heads[newest] = await list.next();
    if (value.slot !== slot) {
      slot = value.slot;
      inSlot = new Set();
    }
    if (inSlot.has(value.signature)) continue;
    inSlot.add(value.signature);
    yield value;
  }
}

/** Transactions as the node tells them, in the given order; null for one that it does not show. */
async function fetchAll(
  connection: Connection,
  page: readonly Pick<Listed, 'signature'>[],
): Promise<(VersionedTransactionResponse | null)[]> {
  const found: (VersionedTransactionResponse | null)[] = [];
  for (let start = 0; start < page.length; start += PARALLEL_FETCHES) {
    const some = page.slice(start, start + PARALLEL_FETCHES);
    try {
      found.push(
        ...(await Promise.all(
          some.map(({ signature }) =>
            connection.getTransaction(signature, {
              commitment: 'confirmed',
              maxSupportedTransactionVersion: 0,
            }),
          ),
        )),
      );
    } catch (error) {
      throw toChainError(error);
    }
  }
  return found;
}

/** Reads transactions from the chain and takes them apart; what the node does not show is left out. */
export async function readTransactions(
  connection: Connection,
  signatures: readonly string[],
): Promise<LandedTransaction[]> {
  const page = signatures.map((signature) => ({ signature }));
  const responses = await fetchAll(connection, page);
  return page.flatMap(({ signature }, index) => {
    const response = responses[index];
    return response ? [readLanded(signature, response)] : [];
  });
}

/** Whether a transaction is on the chain and succeeded, also when no listing shows it. */
export async function isOnChain(connection: Connection, signature: string): Promise<boolean> {
  try {
    const { value } = await connection.getSignatureStatuses([signature], { searchTransactionHistory: true });
    const status = value[0];
    return status !== null && status !== undefined && status.err === null;
  } catch (error) {
    throw toChainError(error);
  }
}

async function* inPages<T>(items: AsyncGenerator<T>, size: number): AsyncGenerator<T[]> {
  let page: T[] = [];
  for await (const item of items) {
    page.push(item);
    if (page.length === size) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

/**
 * Every successful transaction of the programs up to `maxSlot`, newest first, in pages: read from the chain and
 * from nothing else. A listed transaction that the node does not show is left out and counted by the caller, which
 * knows what was listed.
 */
export async function* programHistory(
  connection: Connection,
  maxSlot: number,
): AsyncGenerator<{ listed: number; transactions: LandedTransaction[] }> {
  const all = merged(MIRRORED_PROGRAMS.map((program) => listed(connection, program, maxSlot)));
  for await (const page of inPages(all, FETCH_PAGE)) {
    const signatures = page.map(({ signature }) => signature);
    yield { listed: page.length, transactions: await readTransactions(connection, signatures) };
  }
}

/** A burn of GRID that went to the token program directly, past energy-token. */
export interface DirectBurn {
  readonly signature: string;
  /** Base units of GRID, which are nkWh. */
  readonly amount: string;
}

const TOKEN_PROGRAM = GRID_TOKEN_PROGRAM_ID.toBase58();
/** The token program's instructions: Burn and BurnChecked; both name the mint as second account and the amount first. */
const BURN = 8;
const BURN_CHECKED = 15;

/** Burns in the transactions of the GRID mint that energy-token knows nothing of. */
export async function* directBurns(connection: Connection, maxSlot: number): AsyncGenerator<DirectBurn> {
  for await (const page of inPages(listed(connection, gridMintAddress(), maxSlot), FETCH_PAGE)) {
    const responses = await fetchAll(connection, page);
    for (const [index, response] of responses.entries()) {
      const signature = page[index]?.signature ?? '';
      if (!response) continue;
      const burned = burnedBy(response);
      if (burned === 0n) continue;
      let known = 0n;
      for (const { event } of readLanded(signature, response).events) {
        if (event.name === 'TokensBurned' || event.name === 'EnergyRetired') known += event.data.amount;
      }
      if (burned > known) yield { signature, amount: (burned - known).toString() };
    }
  }
}

function burnedBy({ transaction, meta }: VersionedTransactionResponse): bigint {
  const { message } = transaction;
  const keys = message.getAccountKeys(
    meta?.loadedAddresses ? { accountKeysFromLookups: meta.loadedAddresses } : undefined,
  );
  const mint = gridMintAddress().toBase58();
  let burned = 0n;
  const look = (programIndex: number, accounts: readonly number[], data: Buffer) => {
    if (keys.get(programIndex)?.toBase58() !== TOKEN_PROGRAM) return;
    if ((data[0] !== BURN && data[0] !== BURN_CHECKED) || data.length < 9) return;
    if (keys.get(accounts[1] ?? -1)?.toBase58() === mint) burned += data.readBigUInt64LE(1);
  };
  for (const { programIdIndex, accountKeyIndexes, data } of message.compiledInstructions) {
    look(programIdIndex, accountKeyIndexes, Buffer.from(data));
  }
  for (const { instructions } of meta?.innerInstructions ?? []) {
    for (const { programIdIndex, accounts, data } of instructions) {
      look(programIdIndex, accounts, Buffer.from(decodeInner(data)));
    }
  }
  return burned;
}

/** Inner instructions come with their data in base58. */
function decodeInner(data: string): Uint8Array {
  return data === '' ? new Uint8Array() : decodeBase58(data);
}
