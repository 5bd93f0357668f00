import { toChainError } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection, VersionedTransactionResponse } from '@solana/web3.js';
import { type LandedTransaction, readLanded } from './landed.js';

/** Transactions in one request. */
const BATCH = 50;
const PARALLEL_BATCHES = 2;
const PARALLEL_SINGLES = 8;
const MAX_BLOCKS = 256;
const SIGNATURE = /^[1-9A-HJ-NP-Za-km-z]{64,88}$/;
const WITHIN = { commitment: 'confirmed', maxSupportedTransactionVersion: 0 } as const;

/** Reads executed transactions, many at once where the node takes batches of requests. */
export class TransactionReader {
  private batches = true;
  /** Blocks' signatures by slot, for nodes that do not tell a transaction's index. The oldest go first. */
  private readonly blocks = new Map<number, Promise<readonly string[]>>();

  constructor(private readonly connection: Connection) {}

  /**
   * Reads transactions, in the given order; undefined for one that the node does not show.
   * @throws GtxError CHAIN_UNAVAILABLE
   */
  async read(signatures: readonly string[]): Promise<(LandedTransaction | undefined)[]> {
    // What is no signature at all is on no chain, and a node refuses the request for it.
    const real = signatures.filter((signature) => SIGNATURE.test(signature));
    if (real.length === signatures.length) return this.readAll(signatures);
    const found = await this.readAll(real);
    return signatures.map((signature) => found[real.indexOf(signature)]);
  }

  private async readAll(signatures: readonly string[]): Promise<(LandedTransaction | undefined)[]> {
    const found = new Array<VersionedTransactionResponse | null>(signatures.length).fill(null);
    if (this.batches && signatures.length > 1) {
      try {
        await inParallel(chunks(signatures.length, BATCH), PARALLEL_BATCHES, async ([from, to]) => {
          const some = await this.connection.getTransactions(signatures.slice(from, to), WITHIN);
          for (const [index, response] of some.entries()) found[from + index] = response;
        });
        return await this.landed(signatures, found);
      } catch (error) {
        // Many public nodes refuse batches, each in its own words. One that is away fails again below.
        if (error instanceof GtxError && error.code !== 'CHAIN_UNAVAILABLE') throw error;
      }
    }
    await inParallel(chunks(signatures.length, 1), PARALLEL_SINGLES, async ([at]) => {
      const signature = signatures[at] ?? '';
      try {
        found[at] = await this.connection.getTransaction(signature, WITHIN);
      } catch (error) {
        throw toChainError(error, { signature });
      }
    });
    if (signatures.length > 1) this.batches = false;
    return this.landed(signatures, found);
  }

  private async landed(
    signatures: readonly string[],
    responses: readonly (VersionedTransactionResponse | null)[],
  ): Promise<(LandedTransaction | undefined)[]> {
    const found: (LandedTransaction | undefined)[] = [];
    for (const [index, signature] of signatures.entries()) {
      const response = responses[index];
      const landed = response ? readLanded(signature, response) : undefined;
      found.push(landed && landed.txIndex === undefined ? await this.placed(landed) : landed);
    }
    return found;
  }

  /** Adds the index in the block, from the block; a transaction that left it meanwhile is not shown. */
  private async placed(transaction: LandedTransaction): Promise<LandedTransaction | undefined> {
    const { slot, signature } = transaction;
    let block = this.blocks.get(slot);
    if (!block) {
      block = this.connection.getBlockSignatures(slot, 'confirmed').then(({ signatures }) => signatures);
      this.blocks.set(slot, block);
      const oldest = this.blocks.keys().next().value;
      if (this.blocks.size > MAX_BLOCKS && oldest !== undefined) this.blocks.delete(oldest);
    }
    let txIndex: number;
    try {
      txIndex = (await block).indexOf(signature);
    } catch (error) {
      this.blocks.delete(slot);
      throw toChainError(error, { signature, slot });
    }
    if (txIndex >= 0) return { ...transaction, txIndex };
    // Of another fork, or read before it was complete.
    this.blocks.delete(slot);
    return undefined;
  }
}

function chunks(length: number, size: number): [from: number, to: number][] {
  const found: [number, number][] = [];
  for (let from = 0; from < length; from += size) found.push([from, Math.min(length, from + size)]);
  return found;
}

async function inParallel<T>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(workers, items.length) }, async () => {
      while (next < items.length) await work(items[next++] as T);
    }),
  );
}
