// `jsonParsed` account data for the account types that localnet knows. Everything else is answered in base64,
// which is what a node does for programs that it cannot parse.
import { BPF_LOADER_UPGRADEABLE, isTokenProgram, LOOKUP_TABLE_PROGRAM } from './addresses.js';
import { encodeBase58 } from './base58.js';
import type { Json } from './json.js';
import {
  decimalsOf,
  decodeMint,
  decodeMultisig,
  decodeTokenAccount,
  extensionsOf,
  tokenProgramName,
  uiTokenAmount,
} from './token.js';
import { parseExtensions } from './token-extensions.js';

type AccountData = (address: string) => Uint8Array | undefined;

function parseToken(data: Uint8Array, accountData: AccountData): { type: string; info: Json } | undefined {
  const account = decodeTokenAccount(data);
  if (account) {
    const decimals = decimalsOf(account.mint, accountData);
    if (decimals === undefined) return undefined;
    return {
      type: 'account',
      info: {
        mint: account.mint,
        owner: account.owner,
        tokenAmount: uiTokenAmount(account.amount, decimals),
        delegate: account.delegate,
        state: account.state,
        isNative: account.nativeReserve !== undefined,
        rentExemptReserve:
          account.nativeReserve === undefined ? undefined : uiTokenAmount(account.nativeReserve, decimals),
        delegatedAmount:
          account.delegate === undefined ? undefined : uiTokenAmount(account.delegatedAmount, decimals),
        closeAuthority: account.closeAuthority,
        extensions: parseExtensions(extensionsOf(data)),
      },
    };
  }
  const mint = decodeMint(data);
  if (mint) {
    return {
      type: 'mint',
      info: {
        mintAuthority: mint.mintAuthority ?? null,
        supply: mint.supply.toString(),
        decimals: mint.decimals,
        isInitialized: mint.isInitialized,
        freezeAuthority: mint.freezeAuthority ?? null,
        extensions: parseExtensions(extensionsOf(data)),
      },
    };
  }
  const multisig = decodeMultisig(data);
  if (multisig) {
    return {
      type: 'multisig',
      info: {
        numRequiredSigners: multisig.requiredSigners,
        numValidSigners: multisig.validSigners,
        isInitialized: multisig.isInitialized,
        signers: multisig.signers,
      },
    };
  }
  return undefined;
}

/** Size of a lookup table's header; addresses follow (solana-address-lookup-table-interface, LOOKUP_TABLE_META_SIZE). */
const LOOKUP_TABLE_META_SIZE = 56;

export interface LookupTable {
  deactivationSlot: bigint;
  lastExtendedSlot: bigint;
  lastExtendedStartIndex: number;
  authority: string | undefined;
  addresses: string[];
}

/** Decodes an address lookup table; `undefined` where the bytes are none or it is not initialised. */
export function decodeLookupTable(bytes: Uint8Array): LookupTable | undefined {
  if (bytes.length < LOOKUP_TABLE_META_SIZE || (bytes.length - LOOKUP_TABLE_META_SIZE) % 32 !== 0)
    return undefined;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.readUInt32LE(0) !== 1) return undefined;
  const addresses: string[] = [];
  for (let at = LOOKUP_TABLE_META_SIZE; at < data.length; at += 32) {
    addresses.push(encodeBase58(data.subarray(at, at + 32)));
  }
  return {
    deactivationSlot: data.readBigUInt64LE(4),
    lastExtendedSlot: data.readBigUInt64LE(12),
    lastExtendedStartIndex: data[20] as number,
    authority: data[21] === 1 ? encodeBase58(data.subarray(22, 54)) : undefined,
    addresses,
  };
}

function parseLookupTable(bytes: Uint8Array): { type: string; info?: Json } | undefined {
  if (bytes.length === LOOKUP_TABLE_META_SIZE && bytes[0] === 0) return { type: 'uninitialized' };
  const table = decodeLookupTable(bytes);
  if (!table) return undefined;
  return {
    type: 'lookupTable',
    info: {
      deactivationSlot: table.deactivationSlot.toString(),
      lastExtendedSlot: table.lastExtendedSlot.toString(),
      lastExtendedSlotStartIndex: table.lastExtendedStartIndex,
      authority: table.authority,
      addresses: table.addresses,
    },
  };
}

/** `UpgradeableLoaderState`: 1 buffer, 2 program, 3 program data (bincode, u32 tag). */
function parseLoaderState(bytes: Uint8Array): { type: string; info?: Json } | undefined {
  if (bytes.length < 4) return undefined;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const authorityAt = (offset: number) =>
    data[offset] === 1 ? encodeBase58(data.subarray(offset + 1, offset + 33)) : null;
  const rest = (offset: number): Json => [
    data.subarray(data[offset] === 1 ? offset + 33 : offset + 1).toString('base64'),
    'base64',
  ];
  switch (data.readUInt32LE(0)) {
    case 0:
      return { type: 'uninitialized' };
    case 1:
      return data.length < 37
        ? undefined
        : { type: 'buffer', info: { authority: authorityAt(4), data: rest(4) } };
    case 2:
      return data.length < 36
        ? undefined
        : { type: 'program', info: { programData: encodeBase58(data.subarray(4, 36)) } };
    case 3:
      return data.length < 45
        ? undefined
        : {
            type: 'programData',
            info: { slot: data.readBigUInt64LE(4), authority: authorityAt(12), data: rest(12) },
          };
    default:
      return undefined;
  }
}

/**
 * `{program, parsed, space}` for `jsonParsed`, or `undefined` where localnet has no parser for the account.
 * @param accountData reads another account's bytes (a token account's amount needs its mint's decimals)
 */
export function parseAccountData(owner: string, data: Uint8Array, accountData: AccountData): Json {
  let program: string | undefined;
  let parsed: Json;
  if (isTokenProgram(owner)) {
    program = tokenProgramName(owner);
    parsed = parseToken(data, accountData);
  } else if (owner === LOOKUP_TABLE_PROGRAM) {
    program = 'address-lookup-table';
    parsed = parseLookupTable(data);
  } else if (owner === BPF_LOADER_UPGRADEABLE) {
    program = 'bpf-upgradeable-loader';
    parsed = parseLoaderState(data);
  }
  return program && parsed ? { program, parsed, space: data.length } : undefined;
}
