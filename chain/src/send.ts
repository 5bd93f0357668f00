import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import type {
  AddressLookupTableAccount,
  Connection,
  Keypair,
  TransactionInstruction,
  VersionedTransaction,
} from '@solana/web3.js';
import { type ChainFailure, describeFailure, RpcError, refusedError, toChainError } from './failure.js';
import { buildTransaction, programIdsOf } from './transaction.js';

/**
 * A signed transaction and all that is needed to find out later what became of it. Keep `signature`,
 * `lastValidBlockHeight` and `wire` on disk *before* sending: a crash in between then leaves no doubt.
 */
export interface PreparedTransaction {
  transaction: VersionedTransaction;
  /** Base58. Known before sending: it is the payer's own signature. */
  signature: string;
  /** The bytes to send; sending them again is harmless. */
  wire: Uint8Array;
  blockhash: string;
  /** Past this block height no block can contain the transaction any more. */
  lastValidBlockHeight: number;
}

/** Only what is needed to follow a transaction that was sent, by this process or by one before it. */
export type SentTransaction = Pick<PreparedTransaction, 'signature' | 'lastValidBlockHeight'> & {
  /** When given, the bytes are sent again every few seconds while there is no status. */
  wire?: Uint8Array;
};

export interface PrepareOptions {
  payer: Keypair;
  /** The other signers; the payer may be among them. */
  signers?: readonly Keypair[];
  instructions: readonly TransactionInstruction[];
  lookupTables?: readonly AddressLookupTableAccount[];
  computeUnitLimit?: number;
  microLamportsPerCu?: number;
}

/**
 * Builds and signs a transaction on a fresh blockhash. Two calls never give the same bytes, whatever they ask for.
 *
 * @throws GtxError CHAIN_UNAVAILABLE when the node gives no blockhash, CHAIN_REFUSED when it does not fit.
 */
export async function prepareTransaction(
  connection: Connection,
  options: PrepareOptions,
): Promise<PreparedTransaction> {
  let latest: Awaited<ReturnType<Connection['getLatestBlockhash']>>;
  try {
    latest = await connection.getLatestBlockhash('confirmed');
  } catch (error) {
    throw toChainError(error);
  }
  const { payer, signers = [], ...plan } = options;
  const transaction = buildTransaction({ ...plan, payer: payer.publicKey, blockhash: latest.blockhash });
  return signedTransaction(transaction, [payer, ...signers], latest.lastValidBlockHeight);
}

/** Signs a built transaction. The first signer is its payer; one given twice signs once. */
export function signedTransaction(
  transaction: VersionedTransaction,
  signers: readonly Keypair[],
  lastValidBlockHeight: number,
): PreparedTransaction {
  const unique = new Map(signers.map((signer) => [signer.publicKey.toBase58(), signer]));
  transaction.sign([...unique.values()]);
  const [signature] = transaction.signatures;
  if (!signature) throw new RangeError('a transaction needs its payer as a signer');
  return {
    transaction,
    signature: encodeBase58(signature),
    wire: transaction.serialize(),
    blockhash: transaction.message.recentBlockhash,
    lastValidBlockHeight,
  };
}

/** `sent`: the node took it. `not-forwarded`: the node does not know the blockhash (yet, or any more) and dropped it. */
export type SendOutcome = 'sent' | 'not-forwarded';

interface JsonRpcAnswer {
  result?: unknown;
  error?: { code: number; message: string; data?: { err?: unknown; logs?: string[] | null } };
}

/**
 * Sends a signed transaction once; the node simulates it first unless told otherwise. That it was sent does not
 * mean that it landed: ask {@link resolveSignature} or wait with {@link confirmTransaction}.
 *
 * @throws GtxError CHAIN_REFUSED when the simulation fails (nothing was forwarded), with the program error's
 * name in `details.reason`; CHAIN_UNAVAILABLE when the node does not answer (it may have forwarded it).
 */
export async function sendPrepared(
  connection: Connection,
  prepared: Pick<PreparedTransaction, 'wire' | 'signature'> & { transaction?: VersionedTransaction },
  { skipPreflight = false }: { skipPreflight?: boolean } = {},
): Promise<SendOutcome> {
  const parameters = [
    Buffer.from(prepared.wire).toString('base64'),
    { encoding: 'base64', skipPreflight, preflightCommitment: 'confirmed' },
  ];
  try {
    // Connection's own sendRawTransaction drops the error's code and `err`. web3.js 1.x is pinned and final, and
    // this is the call that all its methods make, with the connection's headers, agent and retry on 429.
    const rpc = connection as unknown as {
      _rpcRequest(method: string, parameters: unknown[]): Promise<JsonRpcAnswer>;
    };
    const { error } = await rpc._rpcRequest('sendTransaction', parameters);
    if (!error) return 'sent';
    const transactionError = error.data?.err ?? undefined;
    if (transactionError === 'AlreadyProcessed') return 'sent';
    if (transactionError === 'BlockhashNotFound') return 'not-forwarded';
    const logs = error.data?.logs ?? [];
    if (transactionError !== undefined) {
      const programIds = prepared.transaction ? programIdsOf(prepared.transaction) : [];
      throw refusedError(describeFailure(transactionError, logs, programIds), {
        signature: prepared.signature,
      });
    }
    throw new RpcError(error.code, error.message, undefined, logs);
  } catch (error) {
    throw toChainError(error, { signature: prepared.signature });
  }
}

/** What became of a transaction. */
export interface Resolution {
  /**
   * - `confirmed`, `finalized`: it was executed successfully, with that commitment.
   * - `failed`: it landed and a program refused it (see `error`); only the fee was taken.
   * - `expired`: it has not landed and never will; its work may be signed again.
   * - `pending`: not known yet, ask again.
   */
  state: 'confirmed' | 'finalized' | 'failed' | 'expired' | 'pending';
  /** The slot it landed in, unless expired or unknown. */
  slot?: number;
  /** Set when failed. */
  error?: ChainFailure;
}

/**
 * Finds out, once, what became of a transaction. It says `expired` only when three things hold: the block height
 * at `expiryCommitment` has passed the last valid one; the status, asked for again *after* that height was seen
 * and in the whole history, is still absent; and that second answer comes from a node at least as far as the
 * first one (behind a load balancer they may be two). Otherwise a transaction that landed late, or on a node
 * that lags, would be signed and executed twice.
 *
 * @param lastValidBlockHeight as given with the transaction's blockhash.
 * @param expiryCommitment `finalized` by default, so that no fork can still bring it; `confirmed` is some 13
 * seconds sooner and right for transactions whose program refuses a repetition anyway.
 * @throws GtxError CHAIN_UNAVAILABLE when the node does not answer.
 */
export async function resolveSignature(
  connection: Connection,
  signature: string,
  lastValidBlockHeight: number,
  { expiryCommitment = 'finalized' }: { expiryCommitment?: 'confirmed' | 'finalized' } = {},
): Promise<Resolution> {
  try {
    const first = await statusOf(connection, signature);
    if (first.resolution) return first.resolution;
    const epoch = await connection.getEpochInfo(expiryCommitment);
    if (epoch.blockHeight === undefined || epoch.blockHeight <= lastValidBlockHeight)
      return { state: 'pending' };
    const second = await statusOf(connection, signature);
    if (second.resolution) return second.resolution;
    return { state: second.contextSlot >= epoch.absoluteSlot ? 'expired' : 'pending' };
  } catch (error) {
    throw toChainError(error, { signature });
  }
}

/** The resolution that a signature's status gives; none when the node knows no such transaction. */
async function statusOf(
  connection: Connection,
  signature: string,
): Promise<{ resolution?: Resolution; contextSlot: number }> {
  const { context, value } = await connection.getSignatureStatuses([signature], {
    searchTransactionHistory: true,
  });
  const contextSlot = context.slot;
  const status = value[0];
  if (!status) return { contextSlot };
  const { slot, err, confirmationStatus } = status;
  // `confirmations: null` means rooted; nodes before 1.4 give no confirmationStatus.
  const commitment = confirmationStatus ?? (status.confirmations === null ? 'finalized' : 'processed');
  if (commitment === 'processed') return { resolution: { state: 'pending', slot }, contextSlot };
  if (err !== null) {
    const error = await failureOf(connection, signature, err);
    return { resolution: { state: 'failed', slot, error }, contextSlot };
  }
  return { resolution: { state: commitment, slot }, contextSlot };
}

/** Describes a landed failure with the transaction's logs, which name the innermost program. */
async function failureOf(connection: Connection, signature: string, err: unknown): Promise<ChainFailure> {
  const landed = await connection.getTransaction(signature, {
    commitment: 'confirmed',
    maxSupportedTransactionVersion: 0,
  });
  const message = landed?.transaction.message;
  const programIds = message
    ? message.compiledInstructions.map(
        ({ programIdIndex }) => message.staticAccountKeys[programIdIndex]?.toBase58() ?? 'unknown',
      )
    : [];
  return describeFailure(err, landed?.meta?.logMessages ?? [], programIds);
}

export interface ConfirmOptions {
  /** Wait for this commitment; `confirmed` by default. */
  commitment?: 'confirmed' | 'finalized';
  /** See {@link resolveSignature}. */
  expiryCommitment?: 'confirmed' | 'finalized';
  /** Give up with CHAIN_UNAVAILABLE when no node has answered for this long; 30 s by default. */
  unavailableAfterMs?: number;
  /** Give up with CHAIN_UNAVAILABLE when there is no outcome after this long; 5 minutes by default. */
  timeoutMs?: number;
  /** Longest pause between two looks; the first ones follow faster. 1 s by default. */
  pollMs?: number;
  /** Send the bytes again this often while there is no status; 2 s by default. */
  resendMs?: number;
  /**
   * Also subscribe to the signature, to notice it sooner. Off by default: polling is enough, and web3.js
   * writes to the console when a WebSocket fails.
   */
  websocket?: boolean;
  /** Ends the wait with its reason as the error. The transaction may still land. */
  signal?: AbortSignal;
  /** Milliseconds; Date.now unless given. */
  now?: () => number;
}

const FIRST_POLL_MS = 50;

/**
 * Waits until a sent transaction has an outcome, sending its bytes again meanwhile: leaders drop packets. It
 * rides out failures of the node, and polls, so that it needs no WebSocket.
 *
 * @returns never `pending`.
 * @throws GtxError CHAIN_UNAVAILABLE when the outcome stays unknown; `details` has `signature` and
 * `lastValidBlockHeight`, with which {@link resolveSignature} answers later.
 */
export async function confirmTransaction(
  connection: Connection,
  sent: SentTransaction,
  options: ConfirmOptions = {},
): Promise<Resolution> {
  const {
    commitment = 'confirmed',
    expiryCommitment = 'finalized',
    unavailableAfterMs = 30_000,
    timeoutMs = 300_000,
    pollMs = 1_000,
    resendMs = 2_000,
    websocket = false,
    signal,
    now = Date.now,
  } = options;
  const startedAt = now();
  let answeredAt = startedAt;
  let resentAt = startedAt;
  let pauseMs = Math.min(FIRST_POLL_MS, pollMs);
  const context = { signature: sent.signature, lastValidBlockHeight: sent.lastValidBlockHeight };
  const wake = websocket ? subscribe(connection, sent.signature, commitment) : undefined;
  try {
    for (;;) {
      signal?.throwIfAborted();
      let failure: GtxError | undefined;
      try {
        const resolution = await resolveSignature(connection, sent.signature, sent.lastValidBlockHeight, {
          expiryCommitment,
        });
        answeredAt = now();
        const waiting =
          resolution.state === 'pending' || (resolution.state === 'confirmed' && commitment === 'finalized');
        if (!waiting) return resolution;
        if (resolution.slot === undefined && sent.wire && now() - resentAt >= resendMs) {
          resentAt = now();
          // Without preflight: a repetition is to be forwarded, not judged.
          await sendPrepared(
            connection,
            { wire: sent.wire, signature: sent.signature },
            { skipPreflight: true },
          );
        }
      } catch (error) {
        // Refusals of a repetition say nothing about the first sending; only the status counts.
        failure = toChainError(error, context);
      }
      if (failure && now() - answeredAt >= unavailableAfterMs) {
        throw new GtxError('CHAIN_UNAVAILABLE', failure.message, context, { cause: failure });
      }
      if (now() - startedAt >= timeoutMs) {
        throw new GtxError('CHAIN_UNAVAILABLE', 'the transaction has no outcome yet', context, {
          cause: failure,
        });
      }
      await pause(pauseMs, wake, signal);
      pauseMs = Math.min(pauseMs * 2, pollMs);
    }
  } finally {
    wake?.stop();
  }
}

/** Resolves after the pause, or as soon as the subscription has news. */
async function pause(
  milliseconds: number,
  wake: Wake | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ended = new AbortController();
  const stop = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
  const timer = sleep(milliseconds, undefined, { signal: stop }).catch((error: unknown) => {
    if (signal?.aborted) throw signal.reason;
    if (!ended.signal.aborted) throw error;
  });
  try {
    await (wake ? Promise.race([timer, wake.news]) : timer);
  } finally {
    ended.abort();
  }
}

interface Wake {
  news: Promise<void>;
  stop: () => void;
}

/** A one-time signature subscription. After its one message only polling goes on, at its own pace. */
function subscribe(connection: Connection, signature: string, commitment: 'confirmed' | 'finalized'): Wake {
  const wake: Wake = { news: new Promise(() => {}), stop: () => {} };
  wake.news = new Promise((resolve) => {
    let done = false;
    const id = connection.onSignature(
      signature,
      () => {
        done = true;
        resolve();
        // Promise.race with a settled promise would no longer pause.
        wake.news = new Promise(() => {});
      },
      commitment,
    );
    wake.stop = () => {
      if (done) return;
      connection.removeSignatureListener(id).catch(() => {
        // The socket is gone and the subscription with it: nothing is left to remove.
      });
    };
  });
  return wake;
}

export interface SendAndConfirmOptions extends PrepareOptions, ConfirmOptions {
  /** Signed at most this often, each time after the one before has expired; 3 by default. */
  maxAttempts?: number;
  /** Called with each signed transaction before it is sent: the place to write it down. */
  onSigned?: (prepared: PreparedTransaction) => void | Promise<void>;
}

export interface Confirmed {
  signature: string;
  slot: number;
  /** How many transactions were signed. */
  attempts: number;
}

/**
 * Signs, sends and confirms, and signs again on a new blockhash only after the one before has provably expired.
 *
 * @throws GtxError CHAIN_REFUSED when the chain refuses (`details.reason` is the program error's name),
 * TRANSACTION_EXPIRED when every attempt expired, CHAIN_UNAVAILABLE when the node is gone: with
 * `details.signature` when something was sent whose outcome is unknown.
 */
export async function sendAndConfirm(
  connection: Connection,
  options: SendAndConfirmOptions,
): Promise<Confirmed> {
  const { maxAttempts = 3, onSigned, payer, signers, instructions, lookupTables, ...rest } = options;
  const { computeUnitLimit, microLamportsPerCu, ...confirmOptions } = rest;
  let signature: string | undefined;
  for (let attempts = 1; attempts <= maxAttempts; attempts++) {
    confirmOptions.signal?.throwIfAborted();
    const prepared = await prepareTransaction(connection, {
      payer,
      instructions,
      ...(signers ? { signers } : {}),
      ...(lookupTables ? { lookupTables } : {}),
      ...(computeUnitLimit === undefined ? {} : { computeUnitLimit }),
      ...(microLamportsPerCu === undefined ? {} : { microLamportsPerCu }),
    });
    signature = prepared.signature;
    await onSigned?.(prepared);
    try {
      await sendPrepared(connection, prepared);
    } catch (error) {
      // No answer does not mean not sent: only the status tells.
      if (!(error instanceof GtxError) || error.code !== 'CHAIN_UNAVAILABLE') throw error;
    }
    const { state, slot, error } = await confirmTransaction(connection, prepared, confirmOptions);
    if (state === 'failed' && error) throw refusedError(error, { signature, slot });
    if (state !== 'expired' && slot !== undefined) return { signature, slot, attempts };
  }
  throw new GtxError('TRANSACTION_EXPIRED', `not included in a block, ${maxAttempts} times in a row`, {
    signature,
  });
}
