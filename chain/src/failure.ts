import { GtxError } from '@gridtokenx/protocol';
import { SendTransactionError, SolanaJSONRPCError } from '@solana/web3.js';
import { programError } from './errors.js';
import { readLogs } from './logs.js';

/** Why the chain refused a transaction, in words that a program can act on and a person can read. */
export interface ChainFailure {
  /**
   * The program error's name as its IDL has it (`StaleSequence`), else the runtime's own name
   * (`InsufficientFundsForRent`), else `Custom`.
   */
  reason: string;
  /** The program's error code, where it gave one. */
  code?: number;
  /** The program that refused, the innermost when one called another. */
  programId?: string;
  /** Position of the top-level instruction, budget instructions counted. */
  instructionIndex?: number;
  message: string;
}

const CUSTOM_IN_LOG = /^custom program error: 0x([0-9a-fA-F]+)$/;

/**
 * Turns a `TransactionError` of the RPC API into a {@link ChainFailure}.
 *
 * @param error as in `err` of a signature status, a simulation or a transaction's meta.
 * @param logs the transaction's log lines: they name the innermost program that failed.
 * @param programIds the program of each top-level instruction, used when there are no logs.
 */
export function describeFailure(
  error: unknown,
  logs: readonly string[] = [],
  programIds: readonly string[] = [],
): ChainFailure {
  const parsed = parseTransactionError(error);
  const failed = readLogs(logs).failure;
  const outer = parsed.instructionIndex === undefined ? undefined : programIds[parsed.instructionIndex];
  const programId = failed?.programId ?? outer;
  const logged = CUSTOM_IN_LOG.exec(failed?.message ?? '')?.[1];
  const code = parsed.code ?? (logged === undefined ? undefined : Number.parseInt(logged, 16));
  const known = code === undefined ? undefined : programError(programId, code);
  const reason = known?.name ?? parsed.reason ?? (code === undefined ? 'Unknown' : 'Custom');
  const where = parsed.instructionIndex === undefined ? '' : ` in instruction ${parsed.instructionIndex}`;
  const said =
    known?.message ?? failed?.message ?? (code === undefined ? reason : `custom program error ${code}`);
  return {
    reason,
    ...(code === undefined ? {} : { code }),
    ...(programId === undefined ? {} : { programId }),
    ...(parsed.instructionIndex === undefined ? {} : { instructionIndex: parsed.instructionIndex }),
    message: said === reason ? `${reason}${where}` : `${reason}${where}: ${said}`,
  };
}

interface ParsedError {
  reason?: string;
  code?: number;
  instructionIndex?: number;
}

/** Reads the JSON forms of `TransactionError`: a name, or `{InstructionError: [index, name | {Custom: code}]}`. */
function parseTransactionError(error: unknown): ParsedError {
  if (typeof error === 'string') return { reason: error };
  if (typeof error !== 'object' || error === null) return {};
  const [kind, value] = Object.entries(error)[0] ?? [];
  if (kind === undefined) return {};
  if (kind !== 'InstructionError' || !Array.isArray(value)) return { reason: kind };
  const [index, inner] = value as unknown[];
  const at = typeof index === 'number' ? { instructionIndex: index } : {};
  if (typeof inner === 'string') return { ...at, reason: inner };
  if (typeof inner === 'object' && inner !== null) {
    const [name, detail] = Object.entries(inner)[0] ?? [];
    if (name === 'Custom' && typeof detail === 'number') return { ...at, code: detail };
    if (name !== undefined) return { ...at, reason: name };
  }
  return at;
}

/**
 * The error for a transaction that the chain refused.
 * @param context what the caller knows and a log should show, such as the signature.
 */
export function refusedError(failure: ChainFailure, context: Record<string, unknown> = {}): GtxError {
  return new GtxError('CHAIN_REFUSED', `the chain refused: ${failure.message}`, { ...failure, ...context });
}

/** JSON-RPC codes with which a node says "not this request, ever": anything else may work later or elsewhere. */
const REFUSING_CODES = new Set([
  -32602, // invalid params: the transaction cannot be decoded or is too large
  -32002, // preflight failure
  -32003, // a signature of the transaction does not verify
  -32006, // precompile verification failure
  -32013, // wrong signature length
]);

/**
 * Sorts anything thrown while talking to a node: a refusal (CHAIN_REFUSED) counts against what was sent, an
 * outage (CHAIN_UNAVAILABLE: no answer, overloaded, behind, not a Solana node) does not. A GtxError passes as it is.
 */
export function toChainError(error: unknown, context: Record<string, unknown> = {}): GtxError {
  if (error instanceof GtxError) return error;
  if (error instanceof RpcError && REFUSING_CODES.has(error.code)) {
    if (error.transactionError !== undefined) {
      return refusedError(describeFailure(error.transactionError, error.logs), context);
    }
    return refusedError({ reason: `RPC ${error.code}`, code: error.code, message: error.message }, context);
  }
  if (error instanceof SendTransactionError) {
    const failure = describeFailure(undefined, error.logs ?? []);
    return refusedError({ ...failure, message: error.transactionError.message }, context);
  }
  if (
    error instanceof SolanaJSONRPCError &&
    typeof error.code === 'number' &&
    REFUSING_CODES.has(error.code)
  ) {
    return refusedError({ reason: `RPC ${error.code}`, code: error.code, message: error.message }, context);
  }
  return new GtxError(
    'CHAIN_UNAVAILABLE',
    `the chain's node does not answer as it should: ${textOf(error)}`,
    context,
  );
}

/** The first line of an error with its cause: node's fetch says only "fetch failed" and keeps the reason there. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const first = error.message.split('\n')[0] ?? '';
  return error.cause instanceof Error ? `${first} (${error.cause.message})` : first;
}

/** A JSON-RPC error answer with everything that the node said; web3.js drops most of it for sendTransaction. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** The `err` of a preflight failure. */
    readonly transactionError: unknown,
    readonly logs: readonly string[],
  ) {
    super(message);
    this.name = 'RpcError';
  }
}
