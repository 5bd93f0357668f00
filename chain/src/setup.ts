import { encodeOwnerMessage, GtxError, networkId, U64_MAX } from '@gridtokenx/protocol';
import {
  type Connection,
  type Keypair,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  SystemProgram,
  type TransactionInstruction,
} from '@solana/web3.js';

import { fetchConfig, fetchMeter, fetchTokenConfig, fetchUpgradeAuthority, fetchUser } from './accounts.js';
import { gridMintAddress } from './addresses.js';
import { fetchCertificatesConfig } from './certificates.js';
import { ed25519Instruction } from './ed25519.js';
import { toChainError } from './failure.js';
import type { RegistryConfig, RegistryMeter } from './idl/registry.js';
import * as instructions from './instructions.js';
import { fetchGridMint } from './mint.js';
import { CERTIFICATES_PROGRAM_ID, ENERGY_TOKEN_PROGRAM_ID, REGISTRY_PROGRAM_ID } from './programs.js';
import { type SendAndConfirmOptions, sendAndConfirm } from './send.js';
import { ensureTokenAccounts } from './settlement.js';

/** What the helpers here pass on to {@link sendAndConfirm}. */
export type ActionOptions = Omit<
  SendAndConfirmOptions,
  'payer' | 'signers' | 'instructions' | 'lookupTables'
>;

/** What a helper did: `changed` is false, and there is no signature, when everything was so already. */
export interface ActionResult {
  changed: boolean;
  signature?: string;
}

const UNCHANGED: ActionResult = { changed: false };

/**
 * The 32 bytes that name this network in meters' consents: sha256(genesis hash, registry program id).
 * @throws GtxError CHAIN_UNAVAILABLE
 */
export async function networkIdOf(connection: Connection): Promise<Uint8Array> {
  try {
    return networkId(await connection.getGenesisHash(), REGISTRY_PROGRAM_ID.toBase58());
  } catch (error) {
    throw toChainError(error);
  }
}

export interface ChainInitOptions extends ActionOptions {
  /** The programs' upgrade authority: signs and pays. Not needed when everything is initialised already. */
  upgradeAuthority: Keypair;
  registrar: PublicKey;
  guardian: PublicKey;
  /** Interval surplus unless given. Cannot be changed later. */
  policy?: instructions.Policy;
  /** No meter can be registered with more than this; 100 kW unless given. */
  maxRatedWatts?: number;
}

export interface ChainInitResult extends ActionResult {
  /** What was created by this call. */
  initialized: ('registry' | 'energy-token' | 'certificates')[];
  config: RegistryConfig;
  /** Settings on the chain that differ from the wanted ones. They are left as they are. */
  differences: { setting: string; wanted: string; actual: string }[];
}

const DEFAULT_MAX_RATED_WATTS = 100_000;

/**
 * Initialises the registry and energy-token on any cluster where they are deployed, and certificates where that
 * program is deployed too (the guardian is the registry's). What is initialised already stays as it is, so that running
 * it twice changes nothing; settings that differ are reported.
 *
 * @throws GtxError NOT_FOUND when a program is not deployed, FORBIDDEN when the key is not its upgrade
 * authority, CONFLICT when the registry was initialised for another network or the GRID mint by an earlier version,
 * CHAIN_REFUSED, CHAIN_UNAVAILABLE.
 */
export async function chainInit(connection: Connection, options: ChainInitOptions): Promise<ChainInitResult> {
  const { upgradeAuthority, registrar, guardian, policy, maxRatedWatts, ...send } = options;
  const wanted = {
    network: await networkIdOf(connection),
    policy: policy ?? instructions.Policy.IntervalSurplus,
    registrar,
    guardian,
    maxRatedWatts: maxRatedWatts ?? DEFAULT_MAX_RATED_WATTS,
  };
  const authority = upgradeAuthority.publicKey;
  const initialized: ChainInitResult['initialized'] = [];
  // Refuses a chain whose mint the programs could not use.
  await fetchGridMint(connection);
  const needed: TransactionInstruction[] = [];
  if (!(await fetchConfig(connection))) {
    await assertUpgradeAuthority(connection, 'registry', REGISTRY_PROGRAM_ID, authority);
    needed.push(instructions.initializeRegistry({ authority, ...wanted }));
    initialized.push('registry');
  }
  if (!(await fetchTokenConfig(connection))) {
    await assertUpgradeAuthority(connection, 'energy-token', ENERGY_TOKEN_PROGRAM_ID, authority);
    needed.push(instructions.initializeEnergyToken({ authority }));
    initialized.push('energy-token');
  }
  // A cluster may do without certificates.
  if (
    !(await fetchCertificatesConfig(connection)) &&
    (await fetchUpgradeAuthority(connection, CERTIFICATES_PROGRAM_ID))
  ) {
    await assertUpgradeAuthority(connection, 'certificates', CERTIFICATES_PROGRAM_ID, authority);
    needed.push(instructions.initializeCertificates({ authority, guardian }));
    initialized.push('certificates');
  }
  const sent =
    needed.length > 0
      ? await sendAndConfirm(connection, { ...send, payer: upgradeAuthority, instructions: needed })
      : undefined;

  const config = await fetchConfig(connection);
  if (!config) {
    throw new GtxError(
      'CHAIN_UNAVAILABLE',
      'the registry was initialised, but the node does not show it yet',
    );
  }
  const differences = Object.entries({
    network: [Buffer.from(wanted.network).toString('hex'), Buffer.from(config.network).toString('hex')],
    policy: [String(wanted.policy), String(config.policy)],
    registrar: [wanted.registrar.toBase58(), config.registrar.toBase58()],
    guardian: [wanted.guardian.toBase58(), config.guardian.toBase58()],
    max_rated_watts: [String(wanted.maxRatedWatts), String(config.maxRatedWatts)],
  })
    .map(([setting, [want = '', actual = '']]) => ({ setting, wanted: want, actual }))
    .filter(({ wanted: want, actual }) => want !== actual);
  if (differences.some(({ setting }) => setting === 'network')) {
    throw new GtxError(
      'CONFLICT',
      'the registry was initialised for another network: no meter could ever consent to this one',
      { differences },
    );
  }
  return {
    changed: sent !== undefined,
    ...(sent ? { signature: sent.signature } : {}),
    initialized,
    config,
    differences,
  };
}

/** @throws GtxError NOT_FOUND when the program is not deployed, FORBIDDEN when another key (or none) can upgrade it */
export async function assertUpgradeAuthority(
  connection: Connection,
  name: string,
  programId: PublicKey,
  authority: PublicKey,
): Promise<void> {
  const details = { program: name, program_id: programId.toBase58() };
  const deployed = await fetchUpgradeAuthority(connection, programId);
  if (!deployed) {
    throw new GtxError('NOT_FOUND', `the program ${name} is not deployed at ${details.program_id}`, details);
  }
  if (!deployed.upgradeAuthority?.equals(authority)) {
    const actual = deployed.upgradeAuthority?.toBase58() ?? 'none';
    throw new GtxError(
      'FORBIDDEN',
      `only the upgrade authority of ${name} (${actual}) can initialise it, not ${authority.toBase58()}`,
      { ...details, upgrade_authority: actual },
    );
  }
}

/** Registers a wallet; nothing when it is registered. */
export async function registerUser(
  connection: Connection,
  { payer, wallet, ...send }: ActionOptions & { payer: Keypair; wallet: Keypair },
): Promise<ActionResult> {
  if (await fetchUser(connection, wallet.publicKey)) return UNCHANGED;
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [wallet],
    instructions: [instructions.registerUser({ payer: payer.publicKey, wallet: wallet.publicKey })],
  });
  return { changed: true, signature };
}

/**
 * Attests a registered wallet's owner, or withdraws it; nothing when it is so already.
 * @throws GtxError NOT_FOUND when the wallet is not registered.
 */
export async function verifyUser(
  connection: Connection,
  {
    payer,
    registrar,
    wallet,
    verified = true,
    ...send
  }: ActionOptions & { payer: Keypair; registrar: Keypair; wallet: PublicKey; verified?: boolean },
): Promise<ActionResult> {
  const user = await fetchUser(connection, wallet);
  if (!user) throw new GtxError('NOT_FOUND', `the wallet ${wallet.toBase58()} is not registered`);
  if (user.verified === verified) return UNCHANGED;
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [registrar],
    instructions: [instructions.verifyUser({ registrar: registrar.publicKey, wallet, verified })],
  });
  return { changed: true, signature };
}

export interface RegisterMeterOptions extends ActionOptions {
  payer: Keypair;
  owner: Keypair;
  /** Attests that the key sits in a real meter of this power. */
  registrar: Keypair;
  meterId: string;
  /** The meter's Ed25519 key, 32 bytes. */
  publicKey: Uint8Array;
  /** The meter key's signature of {@link ownerMessageFor}: 64 bytes. */
  consent: Uint8Array;
  ratedWatts: number;
}

/** The `GTXM` message (100 bytes) with which a meter's key gives its meter to a wallet, on this network. */
export async function ownerMessageFor(
  connection: Connection,
  meterId: string,
  owner: PublicKey,
): Promise<Uint8Array> {
  return encodeOwnerMessage({ network: await networkIdOf(connection), meterId, owner: owner.toBase58() });
}

/**
 * Registers a meter with its owner's, its key's and the registrar's consent, and opens the owner's GRID account
 * if it is missing; nothing when the meter is registered like this.
 *
 * @throws GtxError CONFLICT when the id is registered with another owner, key or power; CHAIN_REFUSED.
 */
export async function registerMeter(
  connection: Connection,
  options: RegisterMeterOptions,
): Promise<ActionResult> {
  const { payer, owner, registrar, meterId, publicKey, consent, ratedWatts, ...send } = options;
  const key = new PublicKey(publicKey);
  const meter = await fetchMeter(connection, meterId);
  if (meter) {
    const same =
      meter.owner.equals(owner.publicKey) && meter.publicKey.equals(key) && meter.ratedWatts === ratedWatts;
    if (same) return UNCHANGED;
    throw new GtxError('CONFLICT', `the meter ${meterId} is registered with another owner, key or power`, {
      meter_id: meterId,
      owner: meter.owner.toBase58(),
      public_key: meter.publicKey.toBase58(),
      rated_watts: meter.ratedWatts,
    });
  }
  const message = await ownerMessageFor(connection, meterId, owner.publicKey);
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [owner, registrar],
    instructions: [
      ed25519Instruction([{ publicKey, signature: consent, message }]),
      instructions.registerMeter({
        payer: payer.publicKey,
        owner: owner.publicKey,
        registrar: registrar.publicKey,
        meterId,
        publicKey,
        ratedWatts,
      }),
    ],
  });
  await ensureTokenAccounts(connection, payer, [owner.publicKey]);
  return { changed: true, signature };
}

/**
 * Gives a meter a new key, with the owner's, the new key's and the registrar's consent; nothing when it has it.
 * @throws GtxError METER_NOT_REGISTERED; CHAIN_REFUSED, for instance when the key was used before.
 */
export async function rotateMeterKey(
  connection: Connection,
  options: Omit<RegisterMeterOptions, 'ratedWatts'>,
): Promise<ActionResult> {
  const { payer, owner, registrar, meterId, publicKey, consent, ...send } = options;
  const meter = await fetchMeter(connection, meterId);
  if (!meter) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  if (meter.publicKey.equals(new PublicKey(publicKey))) return UNCHANGED;
  const message = await ownerMessageFor(connection, meterId, owner.publicKey);
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [owner, registrar],
    instructions: [
      ed25519Instruction([{ publicKey, signature: consent, message }]),
      instructions.rotateMeterKey({
        payer: payer.publicKey,
        owner: owner.publicKey,
        registrar: registrar.publicKey,
        meterId,
        oldPublicKey: meter.publicKey,
        newPublicKey: publicKey,
      }),
    ],
  });
  return { changed: true, signature };
}

/**
 * Gives a meter to another registered wallet; what is due is minted to the old owner first. Nothing when it
 * belongs to the new owner already.
 *
 * @param options.consent the meter key's signature of the `GTXM` message that names the new owner.
 * @throws GtxError METER_NOT_REGISTERED; CHAIN_REFUSED, for instance while energy is held.
 */
export async function transferMeter(
  connection: Connection,
  options: ActionOptions & {
    payer: Keypair;
    oldOwner: Keypair;
    newOwner: PublicKey;
    registrar: Keypair;
    meterId: string;
    consent: Uint8Array;
  },
): Promise<ActionResult> {
  const { payer, oldOwner, newOwner, registrar, meterId, consent, ...send } = options;
  const meter = await fetchMeter(connection, meterId);
  if (!meter) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  if (meter.owner.equals(newOwner)) return UNCHANGED;
  await ensureTokenAccounts(connection, payer, [oldOwner.publicKey, newOwner]);
  const message = await ownerMessageFor(connection, meterId, newOwner);
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer,
    signers: [oldOwner, registrar],
    instructions: [
      ed25519Instruction([{ publicKey: meter.publicKey.toBytes(), signature: consent, message }]),
      instructions.transferMeter({
        oldOwner: oldOwner.publicKey,
        newOwner,
        registrar: registrar.publicKey,
        meterId,
      }),
    ],
  });
  return { changed: true, signature };
}

/**
 * Changes the registry's limits; what is not given stays. Nothing when they are so already.
 * @throws GtxError CHAIN_UNAVAILABLE before `chainInit`; CHAIN_REFUSED when the key is not the admin's.
 */
export async function setLimits(
  connection: Connection,
  {
    admin,
    maxRatedWatts,
    dailyMintCapNkwh,
    ...send
  }: ActionOptions & {
    admin: Keypair;
    maxRatedWatts?: number | undefined;
    /** The most that a meter without a cap of its own mints in a day (UTC); 0: no cap. */
    dailyMintCapNkwh?: bigint | undefined;
  },
): Promise<ActionResult & { maxRatedWatts: number; dailyMintCapNkwh: bigint }> {
  const config = await fetchConfig(connection);
  if (!config)
    throw new GtxError('NOT_FOUND', 'the registry is not initialised on this chain: run gtx chain init');
  const wanted = {
    maxRatedWatts: maxRatedWatts ?? config.maxRatedWatts,
    dailyMintCapNkwh: dailyMintCapNkwh ?? config.dailyMintCap,
  };
  if (wanted.maxRatedWatts === config.maxRatedWatts && wanted.dailyMintCapNkwh === config.dailyMintCap) {
    return { ...UNCHANGED, ...wanted };
  }
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer: admin,
    instructions: [instructions.setLimits({ admin: admin.publicKey, ...wanted })],
  });
  return { changed: true, signature, ...wanted };
}

/**
 * Gives a meter a daily cap of its own, or with 0 the registry's again. Nothing when it is so already.
 * @throws GtxError METER_NOT_REGISTERED; CHAIN_REFUSED when the key is neither the registrar's nor the admin's.
 */
export async function setMeterCap(
  connection: Connection,
  {
    authority,
    meterId,
    dailyMintCapNkwh,
    ...send
  }: ActionOptions & { authority: Keypair; meterId: string; dailyMintCapNkwh: bigint },
): Promise<ActionResult> {
  const meter = await fetchMeter(connection, meterId);
  if (!meter) throw new GtxError('METER_NOT_REGISTERED', undefined, { meter_id: meterId });
  if (meter.dailyMintCap === dailyMintCapNkwh) return UNCHANGED;
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer: authority,
    instructions: [instructions.setMeterCap({ authority: authority.publicKey, meterId, dailyMintCapNkwh })],
  });
  return { changed: true, signature };
}

/**
 * Says where wallets find more about GRID, and pays the mint the rent that a longer URI takes. Nothing when it is so.
 * @throws GtxError NOT_FOUND before `chainInit`; CHAIN_REFUSED when the key is not the admin's or it is no URI.
 */
export async function setMetadataUri(
  connection: Connection,
  { admin, uri, ...send }: ActionOptions & { admin: Keypair; uri: string },
): Promise<ActionResult> {
  const mint = await fetchGridMint(connection);
  if (!mint?.metadata)
    throw new GtxError('NOT_FOUND', 'there is no GRID mint on this chain: run gtx chain init');
  if (mint.metadata.uri === uri) return UNCHANGED;
  const growth = Math.max(0, Buffer.byteLength(uri) - Buffer.byteLength(mint.metadata.uri));
  let rent = 0;
  try {
    const [more, none] = await Promise.all(
      [growth, 0].map((bytes) => connection.getMinimumBalanceForRentExemption(bytes)),
    );
    rent = (more ?? 0) - (none ?? 0);
  } catch (error) {
    throw toChainError(error);
  }
  const { signature } = await sendAndConfirm(connection, {
    ...send,
    payer: admin,
    instructions: [
      ...(rent > 0
        ? [
            SystemProgram.transfer({
              fromPubkey: admin.publicKey,
              toPubkey: gridMintAddress(),
              lamports: rent,
            }),
          ]
        : []),
      instructions.updateMetadata({ admin: admin.publicKey, uri }),
    ],
  });
  return { changed: true, signature };
}

/** Seconds of a UTC day of the chain's clock. */
const DAY_SECONDS = 86_400n;

/** The chain's clock, Unix seconds: what the programs take for now. @throws GtxError CHAIN_UNAVAILABLE */
export async function chainTime(connection: Connection): Promise<bigint> {
  let account: Awaited<ReturnType<Connection['getAccountInfo']>>;
  try {
    account = await connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY, 'confirmed');
  } catch (error) {
    throw toChainError(error);
  }
  // Clock: slot, epoch start, epoch, leader schedule epoch, then the time (i64).
  if (!account || account.data.length < 40) {
    throw new GtxError('CHAIN_UNAVAILABLE', 'the node does not show the chain’s clock');
  }
  return account.data.readBigInt64LE(32);
}

/** What may be minted of a meter at `now` (the chain's clock), and when its next day begins. */
export function mintAllowance(
  meter: Pick<RegistryMeter, 'dailyMintCap' | 'mintedToday' | 'mintedOn'>,
  config: Pick<RegistryConfig, 'dailyMintCap'>,
  now: bigint,
): { capNkwh: bigint | undefined; leftNkwh: bigint; nextDay: bigint } {
  const day = now / DAY_SECONDS;
  const nextDay = (day + 1n) * DAY_SECONDS;
  const cap = meter.dailyMintCap > 0n ? meter.dailyMintCap : config.dailyMintCap;
  if (cap === 0n) return { capNkwh: undefined, leftNkwh: U64_MAX, nextDay };
  const today = day > meter.mintedOn ? 0n : meter.mintedToday;
  return { capNkwh: cap, leftNkwh: cap > today ? cap - today : 0n, nextDay };
}
