// Accounts and transactions in the encodings of the RPC (agave: account-decoder, transaction-status).

import { NATIVE_LOADER, SYSVAR_OWNER } from './addresses.js';
import {
  type Commitment,
  type InnerInstructions,
  type LoadedAddresses,
  RENT_EXEMPT_EPOCH,
  type StoredMeta,
} from './bank.js';
import { encodeBase58 } from './base58.js';
import type { StoredAccount, TransactionRow } from './journal.js';
import type { Json } from './json.js';
import { parseAccountData } from './parsed.js';
import { RpcError, unsupportedTransactionVersion } from './rpc-error.js';
import type { TransactionError } from './transaction-error.js';
import { isWritableStatic, type Message, parseTransaction } from './wire.js';

export type AccountEncoding = 'binary' | 'base58' | 'base64' | 'jsonParsed';
export type TransactionEncoding = 'json' | 'jsonParsed' | 'base58' | 'base64' | 'binary';

export interface DataSlice {
  offset: number;
  length: number;
}

const MAX_BASE58_BYTES = 128;

function slice(data: Uint8Array, dataSlice: DataSlice | undefined): Uint8Array {
  return dataSlice ? data.subarray(dataSlice.offset, dataSlice.offset + dataSlice.length) : data;
}

/** `UiAccount`. Base58 of more than 128 bytes is refused with -32600, as on a node. */
export function encodeAccount(
  account: StoredAccount,
  encoding: AccountEncoding,
  dataSlice: DataSlice | undefined,
  accountData: (address: string) => Uint8Array | undefined,
): { [key: string]: Json } {
  const bytes = slice(account.data, dataSlice);
  let data: Json;
  switch (encoding) {
    case 'binary':
    case 'base58': {
      if (bytes.length > MAX_BASE58_BYTES) {
        throw new RpcError(
          -32600,
          `Encoded binary (base 58) data should be less than ${MAX_BASE58_BYTES} bytes, please use Base64 encoding.`,
        );
      }
      const text = encodeBase58(bytes);
      data = encoding === 'binary' ? text : [text, 'base58'];
      break;
    }
    case 'jsonParsed':
      data = parseAccountData(account.owner, account.data, accountData);
      break;
    default:
      break;
  }
  return {
    lamports: account.lamports,
    data: data ?? [Buffer.from(bytes).toString('base64'), 'base64'],
    owner: account.owner,
    executable: account.executable,
    // Only the runtime's own accounts were made before rent epochs lost their meaning.
    rentEpoch: account.owner === SYSVAR_OWNER || account.owner === NATIVE_LOADER ? 0n : RENT_EXEMPT_EPOCH,
    space: account.data.length,
  };
}

/** `Result<(), TransactionError>` in serde's form. */
export function statusOf(err: TransactionError): Json {
  return err === null ? { Ok: null } : { Err: err };
}

/** The error that the journal keeps as text. */
export function parseErr(err: string | null): TransactionError {
  return err === null ? null : (JSON.parse(err) as TransactionError);
}

function partiallyDecoded(
  addresses: string[],
  instruction: { programIdIndex: number; accounts: Iterable<number>; data: string },
  stackHeight: number,
): Json {
  return {
    programId: addresses[instruction.programIdIndex],
    accounts: Array.from(instruction.accounts, (index) => addresses[index]),
    data: instruction.data,
    stackHeight,
  };
}

/** Inner instructions, with addresses in place of indexes where `parsed`. */
export function encodeInner(inner: InnerInstructions[] | null, addresses: string[], parsed: boolean): Json {
  if (inner === null) return null;
  return inner.map(({ index, instructions }) => ({
    index,
    instructions: instructions.map((instruction) =>
      parsed ? partiallyDecoded(addresses, instruction, instruction.stackHeight) : { ...instruction },
    ),
  }));
}

function encodeMessage(message: Message, loaded: LoadedAddresses, parsed: boolean): Json {
  const lookups =
    message.version === 0
      ? {
          addressTableLookups: message.lookups.map((lookup) => ({
            accountKey: lookup.table,
            writableIndexes: [...lookup.writableIndexes],
            readonlyIndexes: [...lookup.readonlyIndexes],
          })),
        }
      : {};
  if (!parsed) {
    return {
      header: {
        numRequiredSignatures: message.requiredSignatures,
        numReadonlySignedAccounts: message.readonlySigned,
        numReadonlyUnsignedAccounts: message.readonlyUnsigned,
      },
      accountKeys: message.accountKeys,
      recentBlockhash: message.recentBlockhash,
      instructions: message.instructions.map((instruction) => ({
        programIdIndex: instruction.programIdIndex,
        accounts: [...instruction.accounts],
        data: encodeBase58(instruction.data),
        stackHeight: 1,
      })),
      ...lookups,
    };
  }
  const addresses = [...message.accountKeys, ...loaded.writable, ...loaded.readonly];
  const invoked = new Set(message.instructions.map((instruction) => instruction.programIdIndex));
  return {
    accountKeys: addresses.map((pubkey, index) => ({
      pubkey,
      writable:
        index < message.accountKeys.length
          ? isWritableStatic(message, index) && !invoked.has(index)
          : index < message.accountKeys.length + loaded.writable.length,
      signer: index < message.requiredSignatures,
      source: index < message.accountKeys.length ? 'transaction' : 'lookupTable',
    })),
    recentBlockhash: message.recentBlockhash,
    instructions: message.instructions.map((instruction) =>
      partiallyDecoded(addresses, { ...instruction, data: encodeBase58(instruction.data) }, 1),
    ),
    ...lookups,
  };
}

/**
 * `EncodedConfirmedTransactionWithStatusMeta` of a stored transaction.
 * @throws {RpcError} -32015 when the transaction is versioned and the caller did not say that it knows versions
 */
export function encodeTransaction(
  row: TransactionRow,
  encoding: TransactionEncoding,
  maxSupportedVersion: number | undefined,
): Json {
  const { message, signatures } = parseTransaction(row.wire);
  if (
    message.version !== 'legacy' &&
    (maxSupportedVersion === undefined || message.version > maxSupportedVersion)
  ) {
    throw unsupportedTransactionVersion(message.version);
  }
  const meta = JSON.parse(row.meta) as StoredMeta;
  const err = parseErr(row.err);
  const parsed = encoding === 'jsonParsed';
  let transaction: Json;
  if (encoding === 'base64') transaction = [Buffer.from(row.wire).toString('base64'), 'base64'];
  else if (encoding === 'base58') transaction = [encodeBase58(row.wire), 'base58'];
  else if (encoding === 'binary') transaction = encodeBase58(row.wire);
  else {
    transaction = {
      signatures: signatures.map((signature) => encodeBase58(signature)),
      message: encodeMessage(message, meta.loadedAddresses, parsed),
    };
  }
  const addresses = [
    ...message.accountKeys,
    ...meta.loadedAddresses.writable,
    ...meta.loadedAddresses.readonly,
  ];
  return {
    slot: row.slot,
    transaction,
    meta: {
      err,
      status: statusOf(err),
      fee: BigInt(meta.fee),
      preBalances: meta.preBalances.map(BigInt),
      postBalances: meta.postBalances.map(BigInt),
      innerInstructions: encodeInner(meta.innerInstructions, addresses, parsed),
      logMessages: meta.logMessages,
      preTokenBalances: meta.preTokenBalances,
      postTokenBalances: meta.postTokenBalances,
      rewards: [],
      loadedAddresses: parsed ? undefined : { ...meta.loadedAddresses },
      returnData: meta.returnData && {
        programId: meta.returnData.programId,
        data: [meta.returnData.data, 'base64'],
      },
      computeUnitsConsumed: BigInt(meta.computeUnitsConsumed),
      costUnits: BigInt(meta.costUnits),
    },
    version: maxSupportedVersion === undefined ? undefined : message.version,
    blockTime: row.blockTime,
    transactionIndex: row.indexInSlot,
  };
}

export type { Commitment };
