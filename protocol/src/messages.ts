import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase58, encodeBase58 } from './base58.js';
import { GtxError } from './errors.js';
import { assertU32 } from './units.js';

export const METER_ID_BYTES = 32;
export const METER_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
export const NETWORK_BYTES = 32;
export const OWNER_MESSAGE_BYTES = 100;
export const LOGIN_MESSAGE_BYTES = 40;
/** ASCII `GTXM`. */
export const OWNER_MAGIC = Uint8Array.of(0x47, 0x54, 0x58, 0x4d);
/** ASCII `GTXA`. */
export const LOGIN_MAGIC = Uint8Array.of(0x47, 0x54, 0x58, 0x41);

/** What a meter key signs to give its meter to a wallet on one network (`GTXM`). */
export interface OwnerMessage {
  /** 32 bytes, see `networkId`. */
  network: Uint8Array;
  meterId: string;
  /** Wallet, base58 of 32 bytes. */
  owner: string;
}

/** What a meter key signs to log in (`GTXA`). */
export interface LoginMessage {
  unixSeconds: number;
  meterId: string;
}

/** True when `text` is a meter id: 1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit. */
export function isMeterId(text: string): boolean {
  return typeof text === 'string' && METER_ID_PATTERN.test(text);
}

/**
 * Refuses what is not a meter id. The grammar fits 32 bytes, one MQTT topic level and a file name.
 * @throws GtxError VALUE_INVALID
 */
export function assertMeterId(text: string): void {
  if (!isMeterId(text)) {
    throw new GtxError(
      'VALUE_INVALID',
      'a meter id has 1 to 32 characters A-Z a-z 0-9 . _ - and begins with a letter or digit',
    );
  }
}

/** The meter id as 32 bytes: UTF-8, zero-padded. @throws GtxError VALUE_INVALID */
export function encodeMeterId(meterId: string): Uint8Array {
  assertMeterId(meterId);
  const bytes = new Uint8Array(METER_ID_BYTES);
  for (let index = 0; index < meterId.length; index++) bytes[index] = meterId.charCodeAt(index);
  return bytes;
}

/** The meter id of 32 zero-padded bytes. @throws GtxError MESSAGE_INVALID */
export function decodeMeterId(bytes: Uint8Array): string {
  if (bytes.length !== METER_ID_BYTES) throw new GtxError('MESSAGE_INVALID', 'a meter id has 32 bytes');
  let length = METER_ID_BYTES;
  while (length > 0 && bytes[length - 1] === 0) length--;
  const text = String.fromCharCode(...bytes.subarray(0, length));
  if (!isMeterId(text)) throw new GtxError('MESSAGE_INVALID', 'the bytes are not a meter id');
  return text;
}

/**
 * The network that an owner message names: sha256(genesis hash, registry program id), so that a consent
 * given on one network cannot be used on another.
 * @param genesisHash base58 of 32 bytes, as `getGenesisHash` answers
 * @param registryProgramId base58 of 32 bytes
 * @throws GtxError VALUE_INVALID
 */
export function networkId(genesisHash: string, registryProgramId: string): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set(decodeBase58(genesisHash, 32), 0);
  bytes.set(decodeBase58(registryProgramId, 32), 32);
  return sha256(bytes);
}

/** The 100 bytes `GTXM`, network, meter id, owner. @throws GtxError VALUE_INVALID */
export function encodeOwnerMessage(message: OwnerMessage): Uint8Array {
  if (message.network.length !== NETWORK_BYTES) {
    throw new GtxError('VALUE_INVALID', 'a network id has 32 bytes');
  }
  const bytes = new Uint8Array(OWNER_MESSAGE_BYTES);
  bytes.set(OWNER_MAGIC, 0);
  bytes.set(message.network, 4);
  bytes.set(encodeMeterId(message.meterId), 36);
  bytes.set(decodeBase58(message.owner, 32), 68);
  return bytes;
}

/** The fields of an owner message. @throws GtxError MESSAGE_INVALID */
export function decodeOwnerMessage(bytes: Uint8Array): OwnerMessage {
  assertForm(bytes, OWNER_MESSAGE_BYTES, OWNER_MAGIC, 'GTXM');
  return {
    network: bytes.slice(4, 36),
    meterId: decodeMeterId(bytes.subarray(36, 68)),
    owner: encodeBase58(bytes.subarray(68, 100)),
  };
}

/** The 40 bytes `GTXA`, u32 little-endian Unix seconds, meter id. @throws GtxError VALUE_INVALID */
export function encodeLoginMessage(message: LoginMessage): Uint8Array {
  assertU32(message.unixSeconds, 'unixSeconds');
  const bytes = new Uint8Array(LOGIN_MESSAGE_BYTES);
  bytes.set(LOGIN_MAGIC, 0);
  new DataView(bytes.buffer).setUint32(4, message.unixSeconds, true);
  bytes.set(encodeMeterId(message.meterId), 8);
  return bytes;
}

/** The fields of a login message. @throws GtxError MESSAGE_INVALID */
export function decodeLoginMessage(bytes: Uint8Array): LoginMessage {
  assertForm(bytes, LOGIN_MESSAGE_BYTES, LOGIN_MAGIC, 'GTXA');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { unixSeconds: view.getUint32(4, true), meterId: decodeMeterId(bytes.subarray(8, 40)) };
}

function assertForm(bytes: Uint8Array, length: number, magic: Uint8Array, name: string): void {
  if (bytes.length !== length) {
    throw new GtxError('MESSAGE_INVALID', `a ${name} message has ${length} bytes, not ${bytes.length}`);
  }
  if (!magic.every((byte, index) => bytes[index] === byte)) {
    throw new GtxError('MESSAGE_INVALID', `the message does not begin with ${name}`);
  }
}
