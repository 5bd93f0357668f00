// The faucet: a key of this data directory that hands out the chain's SOL.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { SYSTEM_PROGRAM } from './addresses.js';
import { decodeBase58, encodeBase58 } from './base58.js';

// RFC 8410: the 16 bytes before the 32-byte seed in a PKCS #8 Ed25519 private key.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export class Faucet {
  /** Base58 address. */
  readonly address: string;
  readonly #key: KeyObject;
  readonly #publicKey: Uint8Array;

  constructor(secretKey: Uint8Array) {
    this.#key = createPrivateKey({
      key: Buffer.concat([PKCS8_PREFIX, secretKey.subarray(0, 32)]),
      format: 'der',
      type: 'pkcs8',
    });
    this.#publicKey = secretKey.subarray(32, 64);
    this.address = encodeBase58(this.#publicKey);
  }

  /** The wire bytes of a signed transfer (legacy message, one system instruction). */
  transfer(to: string, lamports: bigint, blockhash: string): Uint8Array {
    const destination = decodeBase58(to) as Uint8Array;
    const amount = Buffer.alloc(8);
    amount.writeBigUInt64LE(lamports);
    const same = to === this.address;
    const keys = same ? [this.#publicKey] : [this.#publicKey, destination];
    const message = Buffer.concat([
      Buffer.from([1, 0, 1, keys.length + 1]),
      ...keys,
      decodeBase58(SYSTEM_PROGRAM) as Uint8Array,
      decodeBase58(blockhash) as Uint8Array,
      // One instruction: the last key is the program; SystemInstruction::Transfer is tag 2.
      Buffer.from([1, keys.length, 2, 0, same ? 0 : 1, 12, 2, 0, 0, 0]),
      amount,
    ]);
    return Buffer.concat([Buffer.from([1]), sign(null, message, this.#key), message]);
  }
}

/**
 * Reads the faucet's key file (Solana CLI format: a JSON array of 64 bytes), or makes one with mode 0600.
 * @throws when the file can be read by others or is not such a key
 */
export function loadFaucet(file: string): Faucet {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const { privateKey } = generateKeyPairSync('ed25519');
    const jwk = privateKey.export({ format: 'jwk' });
    const secret = Buffer.concat([
      Buffer.from(jwk.d as string, 'base64url'),
      Buffer.from(jwk.x as string, 'base64url'),
    ]);
    const created = openSync(file, 'wx', 0o600);
    try {
      writeFileSync(created, JSON.stringify([...secret]));
      fsyncSync(created);
    } finally {
      closeSync(created);
    }
    return new Faucet(secret);
  }
  try {
    if (process.platform !== 'win32' && (fstatSync(fd).mode & 0o077) !== 0) {
      throw new Error(`${file} can be read by other users: run chmod 600 ${file}`);
    }
    let bytes: unknown;
    try {
      bytes = JSON.parse(readFileSync(fd, 'utf8'));
    } catch {
      throw new Error(`${file} is not a key file`);
    }
    const valid =
      Array.isArray(bytes) &&
      bytes.length === 64 &&
      bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
    if (!valid) throw new Error(`${file} is not a key file (a JSON array of 64 bytes)`);
    return new Faucet(Uint8Array.from(bytes as number[]));
  } finally {
    closeSync(fd);
  }
}
