// SPL Token accounts and mints as bytes, and amounts as a node prints them (agave: account-decoder/parse_token.rs).
import { isTokenProgram, NATIVE_MINT, TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from './addresses.js';
import { encodeBase58 } from './base58.js';
import type { Json } from './json.js';

const MINT_LENGTH = 82;
const MULTISIG_LENGTH = 355;
/** Length of a token account without extensions. */
export const TOKEN_ACCOUNT_LENGTH = 165;
// Token-2022 pads to 165 bytes and then says what the account is: 1 mint, 2 token account.
const ACCOUNT_TYPE_MINT = 1;
const ACCOUNT_TYPE_ACCOUNT = 2;
/** Behind the type byte: type u16, length u16, value, and so on (spl-token-2022: extension/mod.rs). */
const FIRST_EXTENSION = TOKEN_ACCOUNT_LENGTH + 1;
const EXTENSION_HEADER = 4;

export interface TokenAccount {
  mint: string;
  owner: string;
  amount: bigint;
  delegate: string | undefined;
  state: 'initialized' | 'frozen';
  /** Rent-exempt reserve in lamports of a wrapped SOL account. */
  nativeReserve: bigint | undefined;
  delegatedAmount: bigint;
  closeAuthority: string | undefined;
}

export interface Mint {
  mintAuthority: string | undefined;
  supply: bigint;
  decimals: number;
  isInitialized: boolean;
  freezeAuthority: string | undefined;
}

export interface Multisig {
  requiredSigners: number;
  validSigners: number;
  isInitialized: boolean;
  signers: string[];
}

function optionalKey(data: Buffer, offset: number): string | undefined {
  return data.readUInt32LE(offset) === 1 ? encodeBase58(data.subarray(offset + 4, offset + 36)) : undefined;
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Decodes a token account, or `undefined` where the bytes are not an initialised one. */
export function decodeTokenAccount(bytes: Uint8Array): TokenAccount | undefined {
  const data = asBuffer(bytes);
  const plain = data.length === TOKEN_ACCOUNT_LENGTH;
  const extended =
    data.length > TOKEN_ACCOUNT_LENGTH &&
    data.length !== MULTISIG_LENGTH &&
    data[TOKEN_ACCOUNT_LENGTH] === ACCOUNT_TYPE_ACCOUNT;
  if (!plain && !extended) return undefined;
  const state = data[108];
  if (state !== 1 && state !== 2) return undefined;
  return {
    mint: encodeBase58(data.subarray(0, 32)),
    owner: encodeBase58(data.subarray(32, 64)),
    amount: data.readBigUInt64LE(64),
    delegate: optionalKey(data, 72),
    state: state === 1 ? 'initialized' : 'frozen',
    nativeReserve: data.readUInt32LE(109) === 1 ? data.readBigUInt64LE(113) : undefined,
    delegatedAmount: data.readBigUInt64LE(121),
    closeAuthority: optionalKey(data, 129),
  };
}

/** Decodes a mint, or `undefined` where the bytes are not an initialised one. */
export function decodeMint(bytes: Uint8Array): Mint | undefined {
  const data = asBuffer(bytes);
  const plain = data.length === MINT_LENGTH;
  const extended =
    data.length > TOKEN_ACCOUNT_LENGTH &&
    data.length !== MULTISIG_LENGTH &&
    data[TOKEN_ACCOUNT_LENGTH] === ACCOUNT_TYPE_MINT;
  if (!plain && !extended) return undefined;
  if (data[45] !== 1) return undefined;
  return {
    mintAuthority: optionalKey(data, 0),
    supply: data.readBigUInt64LE(36),
    decimals: data[44] as number,
    isInitialized: true,
    freezeAuthority: optionalKey(data, 46),
  };
}

/** An extension of a Token-2022 mint or account. */
export interface Extension {
  type: number;
  value: Buffer;
}

/** The extensions behind a mint's or token account's own bytes. The list ends at type 0 or where it is broken. */
export function extensionsOf(bytes: Uint8Array): Extension[] {
  const data = asBuffer(bytes);
  const found: Extension[] = [];
  let at = FIRST_EXTENSION;
  while (at + EXTENSION_HEADER <= data.length) {
    const type = data.readUInt16LE(at);
    const end = at + EXTENSION_HEADER + data.readUInt16LE(at + 2);
    if (type === 0 || end > data.length) break;
    found.push({ type, value: data.subarray(at + EXTENSION_HEADER, end) });
    at = end;
  }
  return found;
}

/** Decodes a token multisig account. */
export function decodeMultisig(bytes: Uint8Array): Multisig | undefined {
  if (bytes.length !== MULTISIG_LENGTH) return undefined;
  const signers: string[] = [];
  for (let i = 0; i < 11; i++) {
    const key = bytes.subarray(3 + 32 * i, 35 + 32 * i);
    if (key.some((byte) => byte !== 0)) signers.push(encodeBase58(key));
  }
  return {
    requiredSigners: bytes[0] as number,
    validSigners: bytes[1] as number,
    isInitialized: bytes[2] === 1,
    signers,
  };
}

/** `amount` base units as a decimal string without trailing zeros. */
export function uiAmountString(amount: bigint, decimals: number): string {
  if (decimals === 0) return amount.toString();
  const digits = amount.toString().padStart(decimals + 1, '0');
  const text = `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
  return text.replace(/0+$/, '').replace(/\.$/, '');
}

/** `UiTokenAmount`. `uiAmount` is a float, as the RPC defines it: never compute with it. */
export function uiTokenAmount(amount: bigint, decimals: number): { [key: string]: Json } {
  return {
    uiAmount: decimals <= 19 ? Number(amount) / 10 ** decimals : null,
    decimals,
    amount: amount.toString(),
    uiAmountString: uiAmountString(amount, decimals),
  };
}

/** Decimals of a mint, read through `accountData`; the wrapped SOL mint always has nine. */
export function decimalsOf(
  mint: string,
  accountData: (address: string) => Uint8Array | undefined,
): number | undefined {
  if (mint === NATIVE_MINT) return 9;
  const data = accountData(mint);
  return data && decodeMint(data)?.decimals;
}

/** The name under which `jsonParsed` data of this token program appears. */
export function tokenProgramName(program: string): string | undefined {
  if (program === TOKEN_PROGRAM) return 'spl-token';
  if (program === TOKEN_2022_PROGRAM) return 'spl-token-2022';
  return undefined;
}

export { isTokenProgram };
