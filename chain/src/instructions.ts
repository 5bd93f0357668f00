import {
  type AccountMeta,
  PublicKey,
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SystemProgram,
  type TransactionInstruction,
} from '@solana/web3.js';
import {
  gridMintAddress,
  gridTokenAccount,
  meterAddress,
  meterKeyAddress,
  mintAuthorityAddress,
  programDataAddress,
  registryConfigAddress,
  tokenConfigAddress,
  userAddress,
} from './addresses.js';
import {
  ENERGY_TOKEN_PROGRAM_ID,
  energyToken,
  GRID_TOKEN_PROGRAM_ID,
  REGISTRY_PROGRAM_ID,
  registry,
} from './programs.js';

/*
 * One builder for each instruction. Accounts that can be derived are derived; what is left to the caller is who
 * signs and what is meant. Those marked "after an Ed25519 instruction" must stand right behind one that holds
 * the named signatures (see `ed25519Instruction`).
 */

/** What counts as a meter's production; fixed when the registry is initialised. */
export const Policy = {
  /** Each interval's surplus: the rise of `surplus_total`. */
  IntervalSurplus: 0,
  /** Production less consumption over all time. */
  NetOverAllTime: 1,
} as const;
export type Policy = (typeof Policy)[keyof typeof Policy];

/** A meter's status on the chain. `setMeterStatus` takes Active and Suspended. */
export const MeterStatus = {
  Active: 0,
  Suspended: 1,
  /** Active again after a suspension: its next reading only sets a new base. */
  Rebase: 2,
} as const;
export type MeterStatus = (typeof MeterStatus)[keyof typeof MeterStatus];

/** The accounts with which the registry makes energy-token mint. */
const minting = () => ({
  mintAuthority: mintAuthorityAddress(),
  tokenConfig: tokenConfigAddress(),
  gridMint: gridMintAddress(),
  energyTokenProgram: ENERGY_TOKEN_PROGRAM_ID,
  tokenProgram: GRID_TOKEN_PROGRAM_ID,
});

const config = registryConfigAddress;
const asKey = (key: PublicKey | Uint8Array): PublicKey =>
  key instanceof PublicKey ? key : new PublicKey(key);

// --- registry: setting up and roles

/** Creates the registry's configuration. `authority` is the program's upgrade authority: it signs and pays. */
export function initializeRegistry(args: {
  authority: PublicKey;
  /** 32 bytes of `networkIdOf`. */
  network: Uint8Array;
  policy: Policy;
  registrar: PublicKey;
  guardian: PublicKey;
  /** No meter can be registered with more. */
  maxRatedWatts: number;
}): TransactionInstruction {
  const { authority, ...rest } = args;
  return registry.instruction('initialize', rest, {
    authority,
    config: config(),
    programData: programDataAddress(REGISTRY_PROGRAM_ID),
    systemProgram: SystemProgram.programId,
  });
}

/** Names the next admin, who has to accept. Signer: `admin`. */
export function proposeAdmin(args: { admin: PublicKey; newAdmin: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'propose_admin',
    { newAdmin: args.newAdmin },
    { admin: args.admin, config: config() },
  );
}

/** Becomes admin. Signer: the proposed `newAdmin`. */
export function acceptAdmin(args: { newAdmin: PublicKey }): TransactionInstruction {
  return registry.instruction('accept_admin', {}, { newAdmin: args.newAdmin, config: config() });
}

/** Names another registrar. Signer: `admin`. */
export function setRegistrar(args: { admin: PublicKey; registrar: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'set_registrar',
    { newRegistrar: args.registrar },
    { admin: args.admin, config: config() },
  );
}

/** Names another guardian. Signer: `admin`. */
export function setGuardian(args: { admin: PublicKey; guardian: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'set_guardian',
    { newGuardian: args.guardian },
    { admin: args.admin, config: config() },
  );
}

/** Sets both limits of the registry. Signer: `admin`. */
export function setLimits(args: {
  admin: PublicKey;
  /** The largest rated power of meters registered from now on. */
  maxRatedWatts: number;
  /** The most that a meter without a cap of its own mints in a day (UTC); 0: no cap. */
  dailyMintCapNkwh: bigint;
}): TransactionInstruction {
  return registry.instruction(
    'set_limits',
    { maxRatedWatts: args.maxRatedWatts, dailyMintCap: args.dailyMintCapNkwh },
    { admin: args.admin, config: config() },
  );
}

/**
 * Gives a meter a daily cap of its own; 0: the registry's again. What is above a cap stays settled and is minted on
 * a later day. Signer: registrar or admin.
 */
export function setMeterCap(args: {
  authority: PublicKey;
  meterId: string;
  dailyMintCapNkwh: bigint;
}): TransactionInstruction {
  return registry.instruction(
    'set_meter_cap',
    { dailyMintCap: args.dailyMintCapNkwh },
    { authority: args.authority, config: config(), meter: meterAddress(args.meterId) },
  );
}

/** Stops or resumes everything that moves energy. Signer: admin; the guardian can only pause. */
export function setPaused(args: { authority: PublicKey; paused: boolean }): TransactionInstruction {
  return registry.instruction(
    'set_paused',
    { paused: args.paused },
    { authority: args.authority, config: config() },
  );
}

// --- registry: users and meters

/** Registers a wallet. Signers: `payer`, `wallet`. */
export function registerUser(args: { payer: PublicKey; wallet: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'register_user',
    {},
    {
      payer: args.payer,
      wallet: args.wallet,
      config: config(),
      user: userAddress(args.wallet),
      systemProgram: SystemProgram.programId,
    },
  );
}

/** Attests (or withdraws) that a wallet's owner is known. Signer: `registrar`. */
export function verifyUser(args: {
  registrar: PublicKey;
  wallet: PublicKey;
  verified: boolean;
}): TransactionInstruction {
  return registry.instruction(
    'verify_user',
    { verified: args.verified },
    { registrar: args.registrar, config: config(), user: userAddress(args.wallet) },
  );
}

/**
 * Registers a meter. Signers: `payer`, `owner`, `registrar`. After an Ed25519 instruction with the meter key's
 * signature of its `GTXM` message.
 */
export function registerMeter(args: {
  payer: PublicKey;
  owner: PublicKey;
  registrar: PublicKey;
  meterId: string;
  /** The meter's Ed25519 key. */
  publicKey: PublicKey | Uint8Array;
  ratedWatts: number;
}): TransactionInstruction {
  const publicKey = asKey(args.publicKey);
  return registry.instruction(
    'register_meter',
    { meterId: args.meterId, publicKey, ratedWatts: args.ratedWatts },
    {
      payer: args.payer,
      owner: args.owner,
      registrar: args.registrar,
      config: config(),
      user: userAddress(args.owner),
      meter: meterAddress(args.meterId),
      meterKey: meterKeyAddress(publicKey),
      instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
      systemProgram: SystemProgram.programId,
    },
  );
}

/**
 * Gives a meter another key; the old one is never accepted again. Signers: `payer`, `owner`, `registrar`. After
 * an Ed25519 instruction with the new key's signature of its `GTXM` message.
 */
export function rotateMeterKey(args: {
  payer: PublicKey;
  owner: PublicKey;
  registrar: PublicKey;
  meterId: string;
  oldPublicKey: PublicKey | Uint8Array;
  newPublicKey: PublicKey | Uint8Array;
}): TransactionInstruction {
  const newPublicKey = asKey(args.newPublicKey);
  return registry.instruction(
    'rotate_meter_key',
    { newPublicKey },
    {
      payer: args.payer,
      owner: args.owner,
      registrar: args.registrar,
      config: config(),
      meter: meterAddress(args.meterId),
      oldMeterKey: meterKeyAddress(args.oldPublicKey),
      newMeterKey: meterKeyAddress(newPublicKey),
      instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
      systemProgram: SystemProgram.programId,
    },
  );
}

/**
 * Gives a meter to another registered user, and first mints what is still due to the old one. Signers:
 * `oldOwner`, `registrar`. After an Ed25519 instruction with the meter key's `GTXM` that names the new owner.
 */
export function transferMeter(args: {
  oldOwner: PublicKey;
  newOwner: PublicKey;
  registrar: PublicKey;
  meterId: string;
}): TransactionInstruction {
  return registry.instruction(
    'transfer_meter',
    {},
    {
      oldOwner: args.oldOwner,
      registrar: args.registrar,
      config: config(),
      meter: meterAddress(args.meterId),
      oldUser: userAddress(args.oldOwner),
      newUser: userAddress(args.newOwner),
      instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
      ownerTokenAccount: gridTokenAccount(args.oldOwner),
      ...minting(),
    },
  );
}

/** Suspends or reactivates a meter. Signer: registrar or admin; the guardian can only suspend. */
export function setMeterStatus(args: {
  authority: PublicKey;
  meterId: string;
  status: typeof MeterStatus.Active | typeof MeterStatus.Suspended;
}): TransactionInstruction {
  return registry.instruction(
    'set_meter_status',
    { status: args.status },
    { authority: args.authority, config: config(), meter: meterAddress(args.meterId) },
  );
}

// --- registry: readings, settling, minting

/** Submits a reading without settling it. After an Ed25519 instruction with its signature. */
export function submitMeterReading(args: { meterId: string; owner: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'submit_meter_reading',
    {},
    {
      config: config(),
      user: userAddress(args.owner),
      meter: meterAddress(args.meterId),
      instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
    },
  );
}

/** Raises `settled` to `eligible` and returns the rise; anybody may call it, nothing is minted or lost. */
export function settleMeterBalance(args: { meterId: string }): TransactionInstruction {
  return registry.instruction(
    'settle_meter_balance',
    {},
    { config: config(), meter: meterAddress(args.meterId) },
  );
}

/** Settles and mints what is due to the meter's owner; anybody may call it, the destination is fixed. */
export function settleAndMintTokens(args: { meterId: string; owner: PublicKey }): TransactionInstruction {
  return registry.instruction(
    'settle_and_mint_tokens',
    {},
    {
      config: config(),
      meter: meterAddress(args.meterId),
      ownerTokenAccount: gridTokenAccount(args.owner),
      ...minting(),
    },
  );
}

/**
 * Submits, settles and mints for 1 to 5 different meters. After an Ed25519 instruction with signature i for
 * meter i.
 */
export function submitAndMint(args: {
  meters: readonly { meterId: string; owner: PublicKey }[];
}): TransactionInstruction {
  const remaining = args.meters.flatMap(({ meterId, owner }): AccountMeta[] => [
    { pubkey: meterAddress(meterId), isSigner: false, isWritable: true },
    { pubkey: userAddress(owner), isSigner: false, isWritable: false },
    { pubkey: gridTokenAccount(owner), isSigner: false, isWritable: true },
  ]);
  return registry.instruction(
    'submit_and_mint',
    {},
    { config: config(), instructions: SYSVAR_INSTRUCTIONS_PUBKEY, ...minting() },
    remaining,
  );
}

/** Returns a meter's unsettled balance (u64 return data) without changing anything. */
export function getUnsettledBalance(args: { meterId: string }): TransactionInstruction {
  return registry.instruction('get_unsettled_balance', {}, { meter: meterAddress(args.meterId) });
}

/** Makes energy that was held under this sequence eligible. Signer: registrar or admin. */
export function releaseHeld(args: {
  authority: PublicKey;
  meterId: string;
  sequence: bigint;
}): TransactionInstruction {
  return registry.instruction(
    'release_held',
    { sequence: args.sequence },
    { authority: args.authority, config: config(), meter: meterAddress(args.meterId) },
  );
}

/** Gives energy that was held under this sequence up for good. Signer: registrar or admin. */
export function writeOffHeld(args: {
  authority: PublicKey;
  meterId: string;
  sequence: bigint;
}): TransactionInstruction {
  return registry.instruction(
    'write_off_held',
    { sequence: args.sequence },
    { authority: args.authority, config: config(), meter: meterAddress(args.meterId) },
  );
}

// --- energy-token

/** Creates energy-token's configuration and the GRID mint. `authority` is its upgrade authority: signs and pays. */
export function initializeEnergyToken(args: { authority: PublicKey }): TransactionInstruction {
  return energyToken.instruction(
    'initialize',
    {},
    {
      authority: args.authority,
      config: tokenConfigAddress(),
      mint: gridMintAddress(),
      programData: programDataAddress(ENERGY_TOKEN_PROGRAM_ID),
      tokenProgram: GRID_TOKEN_PROGRAM_ID,
      systemProgram: SystemProgram.programId,
    },
  );
}

/** What only the registry's PDA can call; here so that tests can show that nobody else can. */
export function mintFromProduction(args: {
  mintAuthority: PublicKey;
  meter: PublicKey;
  destination: PublicKey;
  amountNkwh: bigint;
}): TransactionInstruction {
  return energyToken.instruction(
    'mint_from_production',
    { meter: args.meter, amount: args.amountNkwh },
    {
      mintAuthority: args.mintAuthority,
      config: tokenConfigAddress(),
      mint: gridMintAddress(),
      destination: args.destination,
      tokenProgram: GRID_TOKEN_PROGRAM_ID,
    },
  );
}

/** Destroys the signer's GRID. */
export function burn(args: {
  owner: PublicKey;
  amountNkwh: bigint;
  /** The owner's associated GRID account unless given. */
  tokenAccount?: PublicKey;
}): TransactionInstruction {
  return energyToken.instruction(
    'burn',
    { amount: args.amountNkwh },
    {
      owner: args.owner,
      config: tokenConfigAddress(),
      mint: gridMintAddress(),
      tokenAccount: args.tokenAccount ?? gridTokenAccount(args.owner),
      tokenProgram: GRID_TOKEN_PROGRAM_ID,
    },
  );
}

/** Destroys the signer's GRID as energy consumed at a meter of theirs. */
export function retire(args: {
  owner: PublicKey;
  meterId: string;
  amountNkwh: bigint;
  tokenAccount?: PublicKey;
}): TransactionInstruction {
  return energyToken.instruction(
    'retire',
    { amount: args.amountNkwh },
    {
      owner: args.owner,
      config: tokenConfigAddress(),
      mint: gridMintAddress(),
      tokenAccount: args.tokenAccount ?? gridTokenAccount(args.owner),
      tokenProgram: GRID_TOKEN_PROGRAM_ID,
      meter: meterAddress(args.meterId),
    },
  );
}

/**
 * Says where wallets find more about GRID; '' for nowhere. Signer: the registry's admin. A longer URI makes the mint
 * longer: it has to hold the rent for that before, so put a transfer of lamports to it in front.
 */
export function updateMetadata(args: { admin: PublicKey; uri: string }): TransactionInstruction {
  return energyToken.instruction(
    'update_metadata',
    { uri: args.uri },
    {
      admin: args.admin,
      registryConfig: config(),
      config: tokenConfigAddress(),
      mint: gridMintAddress(),
      tokenProgram: GRID_TOKEN_PROGRAM_ID,
    },
  );
}

/** Returns what was minted, burned and retired (three u64 of return data) without changing anything. */
export function getSupply(): TransactionInstruction {
  return energyToken.instruction('get_supply', {}, { config: tokenConfigAddress() });
}

// --- trading, oracle, certificates and governance

export * from './certificates-instructions.js';
export * from './governance-instructions.js';
export * from './oracle-instructions.js';
export * from './trading-instructions.js';
