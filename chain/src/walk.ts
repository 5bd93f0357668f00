import { GtxError } from '@gridtokenx/protocol';
import { type Connection, type GetProgramAccountsFilter, PublicKey } from '@solana/web3.js';
import { toChainError } from './failure.js';
import { JsonElements } from './json-elements.js';

/** An account as a walk shows it: its data as far as the slice goes. */
export interface WalkedAccount {
  /** Base58. */
  readonly address: string;
  readonly data: Buffer;
}

export interface WalkOptions {
  readonly filters?: readonly GetProgramAccountsFilter[];
  /** Which bytes of each account are wanted. */
  readonly slice: { readonly offset: number; readonly length: number };
  /** The whole answer must be there within this time. Default 120 s. */
  readonly timeoutMs?: number;
}

/**
 * Goes through every account of a program as of one slot, in the node's order. The answer is read as it arrives and
 * handed over in batches, so that memory does not grow with the number of accounts: web3.js would hold all of it,
 * several times over. Many public nodes refuse such requests.
 *
 * @returns the slot that all of it is of.
 * @throws GtxError CHAIN_UNAVAILABLE; what `visit` throws.
 */
export async function walkProgramAccounts(
  connection: Connection,
  programId: PublicKey,
  { filters = [], slice, timeoutMs = 120_000 }: WalkOptions,
  visit: (batch: readonly WalkedAccount[]) => Promise<void> | void,
): Promise<{ slot: number }> {
  const elements = new JsonElements(['result', 'value']);
  const signal = AbortSignal.timeout(timeoutMs);
  const decoder = new TextDecoder();
  const pass = async (text: string): Promise<void> => {
    const batch = elements.push(text).map(toAccount);
    if (batch.length > 0) await visit(batch);
  };
  const response = await unlessCut(() =>
    fetch(connection.rpcEndpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'getProgramAccounts',
        params: [
          programId.toBase58(),
          { commitment: 'confirmed', encoding: 'base64', withContext: true, dataSlice: slice, filters },
        ],
      }),
      signal,
    }),
  );
  const reader = response.body?.getReader();
  if (!response.ok || !reader) {
    await reader?.cancel();
    throw new GtxError('CHAIN_UNAVAILABLE', `the node answered getProgramAccounts with ${response.status}`);
  }
  try {
    for (;;) {
      const { done, value } = await unlessCut(() => reader.read());
      if (done) break;
      await pass(decoder.decode(value, { stream: true }));
    }
    await pass(decoder.decode());
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return { slot: slotOf(elements) };
}

/** A token account's owner and amount, base units. Addresses in base58. */
export interface TokenHolding {
  readonly address: string;
  readonly owner: string;
  readonly amount: bigint;
}

/** Token accounts begin with mint (32 bytes), owner (32) and amount (8), in the classic token program and Token-2022. */
const OWNER_AT = 32;
const AMOUNT_AT = 64;
const HOLDING_BYTES = 72;

/** Goes through every token account of a mint as of one slot, as {@link walkProgramAccounts} does. */
export function walkTokenAccounts(
  connection: Connection,
  mint: PublicKey,
  tokenProgram: PublicKey,
  visit: (batch: readonly TokenHolding[]) => Promise<void> | void,
): Promise<{ slot: number }> {
  const filters = [{ memcmp: { offset: 0, bytes: mint.toBase58() } }];
  return walkProgramAccounts(
    connection,
    tokenProgram,
    { filters, slice: { offset: 0, length: HOLDING_BYTES } },
    (batch) => visit(batch.flatMap((account) => decodeHolding(account) ?? [])),
  );
}

/** Undefined for an account that is too short to be a token account. */
export function decodeHolding({ address, data }: WalkedAccount): TokenHolding | undefined {
  if (data.length < HOLDING_BYTES) return undefined;
  return {
    address,
    owner: new PublicKey(data.subarray(OWNER_AT, AMOUNT_AT)).toBase58(),
    amount: data.readBigUInt64LE(AMOUNT_AT),
  };
}

function toAccount(text: string): WalkedAccount {
  const { pubkey, account } = JSON.parse(text) as { pubkey: string; account: { data: [string, string] } };
  return { address: pubkey, data: Buffer.from(account.data[0], 'base64') };
}

function slotOf(elements: JsonElements): number {
  let envelope: { result?: { context?: { slot?: unknown } }; error?: unknown };
  try {
    envelope = JSON.parse(elements.rest()) as typeof envelope;
  } catch (error) {
    throw new GtxError(
      'CHAIN_UNAVAILABLE',
      'the node’s answer to getProgramAccounts broke off',
      {},
      { cause: error },
    );
  }
  const slot = envelope.result?.context?.slot;
  if (typeof slot !== 'number') {
    throw new GtxError('CHAIN_UNAVAILABLE', 'the node refused getProgramAccounts', {
      error: envelope.error ?? null,
    });
  }
  return slot;
}

async function unlessCut<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw toChainError(error);
  }
}
