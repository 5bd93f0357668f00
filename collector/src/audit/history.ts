import {
  ENERGY_TOKEN_PROGRAM_ID,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  REGISTRY_PROGRAM_ID,
  toChainError,
} from '@gridtokenx/chain';
import { decodeBase58 } from '@gridtokenx/protocol';
import type { Connection, PublicKey, VersionedTransactionResponse } from '@solana/web3.js';
import { type LandedTransaction, readLanded } from '../mirror/landed.js';

const LIST_PAGE = 1000;
const FETCH_PAGE = 50;
const PARALLEL_FETCHES = 8;

interface Listed {
  readonly signature: string;
  readonly slot: number;
}

/** The successful transactions of an address up to `maxSlot`, newest first. */
async function* listed(connection: Connection, address: PublicKey, maxSlot: number): AsyncGenerator<Listed> {
  let before: string | undefined;
  for (;;) {
    let page: Awaited<ReturnType<Connection['getSignaturesForAddress']>>;
    try {
      page = await connection.getSignaturesForAddress(
        address,
        { limit: LIST_PAGE, ...(before === undefined ? {} : { before }) },
        'confirmed',
      );
    } catch (error) {
      throw toChainError(error);
    }
    for (const { signature, slot, err } of page)
      if (err === null && slot <= maxSlot) yield { signature, slot };
    before = page.at(-1)?.signature;
    if (page.length < LIST_PAGE || before === undefined) return;
  }
}

/** Two lists, newest first, as one without repetitions: a transaction of both programs is in both. */
async function* merged(a: AsyncGenerator<Listed>, b: AsyncGenerator<Listed>): AsyncGenerator<Listed> {
  let left = await a.next();
  let right = await b.next();
  let slot = Number.POSITIVE_INFINITY;
  let inSlot = new Set<string>();
  while (!left.done || !right.done) {
    const takeLeft = right.done || (!left.done && left.value.slot >= right.value.slot);
    const value = (takeLeft ? left.value : right.value) as Listed;
    if (takeLeft) left = await a.next();
    else right = await b.next();
    if (value.slot !== slot) {
      slot = value.slot;
      inSlot = new Set();
    }
    if (inSlot.has(value.signature)) continue;
    inSlot.add(value.signature);
    yield value;
  }
}

async function fetchAll(
  connection: Connection,
  page: readonly Listed[],
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
  const all = merged(
    listed(connection, REGISTRY_PROGRAM_ID, maxSlot),
    listed(connection, ENERGY_TOKEN_PROGRAM_ID, maxSlot),
  );
  for await (const page of inPages(all, FETCH_PAGE)) {
    const responses = await fetchAll(connection, page);
    const transactions: LandedTransaction[] = [];
    page.forEach(({ signature }, index) => {
      const response = responses[index];
      if (response) transactions.push(readLanded(signature, response));
    });
    yield { listed: page.length, transactions };
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
