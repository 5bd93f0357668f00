// Errors with the codes and words of a Solana node (agave: rpc-client-api/src/custom_error.rs, JSON-RPC 2.0 §5.1).
import type { Json } from './json.js';

/** An answer with `error` in it: code and message as a validator words them. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: Json;

  constructor(code: number, message: string, data?: Json) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
    this.data = data;
  }

  /** The `error` member of a JSON-RPC response. */
  toObject(): Json {
    return {
      code: this.code,
      message: this.message,
      ...(this.data === undefined ? {} : { data: this.data }),
    };
  }
}

export const parseError = () => new RpcError(-32700, 'Parse error');
export const invalidRequest = (message = 'Invalid request') => new RpcError(-32600, message);
export const methodNotFound = () => new RpcError(-32601, 'Method not found');
export const invalidParams = (message: string) => new RpcError(-32602, message);
export const internalError = (message = 'Internal error') => new RpcError(-32603, message);
export const preflightFailure = (message: string, data: Json) => new RpcError(-32002, message, data);
export const blockNotAvailable = (slot: number) =>
  new RpcError(-32004, `Block not available for slot ${slot}`);
export const nodeUnhealthy = () => new RpcError(-32005, 'Node is unhealthy', { numSlotsBehind: null });
export const minContextSlotNotReached = (contextSlot: number) =>
  new RpcError(-32016, 'Minimum context slot has not been reached', { contextSlot });
export const filterTransactionNotFound = (signature: string) =>
  new RpcError(-32020, `Transaction ${signature} not found`);
export const unsupportedTransactionVersion = (version: number) =>
  new RpcError(
    -32015,
    `Transaction version (${version}) is not supported by the requesting client. Please try the request again ` +
      `with the following configuration parameter: "maxSupportedTransactionVersion": ${version}`,
  );
