import { GtxError } from '@gridtokenx/protocol';
import { type AccountInfo, type Connection, PublicKey } from '@solana/web3.js';
import {
  meterAddress,
  meterKeyAddress,
  programDataAddress,
  registryConfigAddress,
  tokenConfigAddress,
  userAddress,
} from './addresses.js';
import { toChainError } from './failure.js';
import type { EnergyTokenConfig } from './idl/energy-token.js';
import type { RegistryConfig, RegistryMeter, RegistryMeterKey, RegistryUser } from './idl/registry.js';
import {
  ENERGY_TOKEN_PROGRAM_ID,
  energyToken,
  REGISTRY_PROGRAM_ID,
  registry,
  UPGRADEABLE_LOADER_ID,
} from './programs.js';

/** Accounts in one getMultipleAccounts. */
const PER_REQUEST = 100;

// --- decoding: the account's whole data in; GtxError MESSAGE_INVALID when it is another kind of account.

/** The registry's Config. */
export function decodeConfig(data: Uint8Array): RegistryConfig {
  return registry.decodeAccount('Config', data);
}

/** A User. */
export function decodeUser(data: Uint8Array): RegistryUser {
  return registry.decodeAccount('User', data);
}

/** A Meter. Energies are nkWh. */
export function decodeMeter(data: Uint8Array): RegistryMeter {
  return registry.decodeAccount('Meter', data);
}

/** A MeterKey. */
export function decodeMeterKey(data: Uint8Array): RegistryMeterKey {
  return registry.decodeAccount('MeterKey', data);
}

/** energy-token's Config: the supply figures in base units of GRID. */
export function decodeTokenConfig(data: Uint8Array): EnergyTokenConfig {
  return energyToken.decodeAccount('Config', data);
}

// --- fetching at `confirmed`: undefined when there is no such account; GtxError CHAIN_UNAVAILABLE without an answer.

/** Data of the accounts at these addresses, as far as the program owns them. */
async function fetchData(
  connection: Connection,
  programId: PublicKey,
  addresses: readonly PublicKey[],
): Promise<(Uint8Array | undefined)[]> {
  const found: (AccountInfo<Buffer> | null)[] = [];
  try {
    for (let start = 0; start < addresses.length; start += PER_REQUEST) {
      const some = addresses.slice(start, start + PER_REQUEST);
      found.push(...(await connection.getMultipleAccountsInfo(some, 'confirmed')));
    }
  } catch (error) {
    throw toChainError(error);
  }
  // Anybody can send lamports to an address: an account there counts only once the program owns it.
  return found.map((account) => (account?.owner.equals(programId) ? account.data : undefined));
}

/** One account of a program, decoded. */
export async function fetchOne<T>(
  connection: Connection,
  programId: PublicKey,
  address: PublicKey,
  decode: (data: Uint8Array) => T,
): Promise<T | undefined> {
  const [data] = await fetchData(connection, programId, [address]);
  return data ? decode(data) : undefined;
}

/** Several accounts of a program, decoded, in the given order. */
export async function fetchSome<T>(
  connection: Connection,
  programId: PublicKey,
  addresses: readonly PublicKey[],
  decode: (data: Uint8Array) => T,
): Promise<(T | undefined)[]> {
  const found = await fetchData(connection, programId, addresses);
  return found.map((data) => (data ? decode(data) : undefined));
}

/** The registry's Config; undefined before `chainInit`. */
export function fetchConfig(connection: Connection): Promise<RegistryConfig | undefined> {
  return fetchOne(connection, REGISTRY_PROGRAM_ID, registryConfigAddress(), decodeConfig);
}

/** energy-token's Config; undefined before `chainInit`. */
export function fetchTokenConfig(connection: Connection): Promise<EnergyTokenConfig | undefined> {
  return fetchOne(connection, ENERGY_TOKEN_PROGRAM_ID, tokenConfigAddress(), decodeTokenConfig);
}

/** A wallet's User. */
export function fetchUser(connection: Connection, wallet: PublicKey): Promise<RegistryUser | undefined> {
  return fetchOne(connection, REGISTRY_PROGRAM_ID, userAddress(wallet), decodeUser);
}

/** Several wallets' Users, in the given order. */
export async function fetchUsers(
  connection: Connection,
  wallets: readonly PublicKey[],
): Promise<(RegistryUser | undefined)[]> {
  const found = await fetchData(connection, REGISTRY_PROGRAM_ID, wallets.map(userAddress));
  return found.map((data) => (data ? decodeUser(data) : undefined));
}

/** A Meter by its id. */
export function fetchMeter(connection: Connection, meterId: string): Promise<RegistryMeter | undefined> {
  return fetchOne(connection, REGISTRY_PROGRAM_ID, meterAddress(meterId), decodeMeter);
}

/** Several Meters by their ids, in the given order, 100 a request. */
export async function fetchMeters(
  connection: Connection,
  meterIds: readonly string[],
): Promise<(RegistryMeter | undefined)[]> {
  const found = await fetchData(connection, REGISTRY_PROGRAM_ID, meterIds.map(meterAddress));
  return found.map((data) => (data ? decodeMeter(data) : undefined));
}

/** A MeterKey by the meter's public key. */
export function fetchMeterKey(
  connection: Connection,
  publicKey: PublicKey | Uint8Array,
): Promise<RegistryMeterKey | undefined> {
  return fetchOne(connection, REGISTRY_PROGRAM_ID, meterKeyAddress(publicKey), decodeMeterKey);
}

/** An account with the address it was found at. */
export interface Found<T> {
  address: PublicKey;
  account: T;
}

async function fetchAll<T>(
  connection: Connection,
  name: Parameters<typeof registry.accountDiscriminator>[0],
  decode: (data: Uint8Array) => T,
): Promise<Found<T>[]> {
  try {
    const found = await connection.getProgramAccounts(REGISTRY_PROGRAM_ID, {
      commitment: 'confirmed',
      filters: [
        {
          memcmp: {
            offset: 0,
            encoding: 'base64',
            bytes: Buffer.from(registry.accountDiscriminator(name)).toString('base64'),
          },
        },
      ],
    });
    return found.map(({ pubkey, account }) => ({ address: pubkey, account: decode(account.data) }));
  } catch (error) {
    throw toChainError(error);
  }
}

/** Every Meter there is: for audits and the first fill of a mirror. Many public nodes refuse such requests. */
export function fetchAllMeters(connection: Connection): Promise<Found<RegistryMeter>[]> {
  return fetchAll(connection, 'Meter', decodeMeter);
}

/** Every User there is. */
export function fetchAllUsers(connection: Connection): Promise<Found<RegistryUser>[]> {
  return fetchAll(connection, 'User', decodeUser);
}

/** Every key that a meter has or had. */
export function fetchAllMeterKeys(connection: Connection): Promise<Found<RegistryMeterKey>[]> {
  return fetchAll(connection, 'MeterKey', decodeMeterKey);
}

// --- the loader's accounts

/** `u32 kind = 3, u64 slot of the last deployment, Option<Pubkey> upgrade authority`, then the program's bytes. */
const PROGRAM_DATA_HEADER = 45;
const PROGRAM_DATA_KIND = 3;

/**
 * A deployed program's upgrade authority; `undefined` inside when it was made immutable, and undefined as a
 * whole when no upgradeable program is deployed under this id.
 */
export async function fetchUpgradeAuthority(
  connection: Connection,
  programId: PublicKey,
): Promise<{ upgradeAuthority: PublicKey | undefined } | undefined> {
  let account: AccountInfo<Buffer> | null;
  try {
    account = await connection.getAccountInfo(programDataAddress(programId), {
      commitment: 'confirmed',
      // Behind the header lies the whole program.
      dataSlice: { offset: 0, length: PROGRAM_DATA_HEADER },
    });
  } catch (error) {
    throw toChainError(error);
  }
  if (!account?.owner.equals(UPGRADEABLE_LOADER_ID)) return undefined;
  const { data } = account;
  if (data.length < PROGRAM_DATA_HEADER || data.readUInt32LE(0) !== PROGRAM_DATA_KIND) {
    throw new GtxError('MESSAGE_INVALID', `${programId.toBase58()} has no ProgramData account`);
  }
  return { upgradeAuthority: data[12] === 1 ? new PublicKey(data.subarray(13, 45)) : undefined };
}
