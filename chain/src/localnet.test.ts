import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { encodeReading, GtxError } from '@gridtokenx/protocol';
import { freePortPair } from '@gridtokenx/protocol/testing/port';
import { createCloseAccountInstruction } from '@solana/spl-token';
import { type Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, SystemProgram } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fetchAllMeterKeys,
  fetchAllMeters,
  fetchAllUsers,
  fetchConfig,
  fetchMeter,
  fetchMeterKey,
  fetchMeters,
  fetchTokenConfig,
  fetchUpgradeAuthority,
  fetchUser,
} from './accounts.js';
import {
  gridMintAddress,
  gridTokenAccount,
  meterAddress,
  registryConfigAddress,
  tokenConfigAddress,
} from './addresses.js';
import { openConnection } from './connection.js';
import { eventsOf } from './events.js';
import * as instructions from './instructions.js';
import { findLookupTables } from './lookup.js';
import { fetchGridMint } from './mint.js';
import { ENERGY_TOKEN_PROGRAM_ID, GRID_TOKEN_PROGRAM_ID, REGISTRY_PROGRAM_ID } from './programs.js';
import {
  confirmTransaction,
  type PreparedTransaction,
  prepareTransaction,
  resolveSignature,
  sendAndConfirm,
  sendPrepared,
} from './send.js';
import {
  buildSettlement,
  ensureTokenAccounts,
  type SettlementReading,
  SettlementTables,
} from './settlement.js';
import {
  chainInit,
  networkIdOf,
  ownerMessageFor,
  registerMeter,
  registerUser,
  rotateMeterKey,
  setLimits,
  setMetadataUri,
  setMeterCap,
  transferMeter,
  verifyUser,
} from './setup.js';
import { signMessage } from './sign.js';
import { RpcProxy } from './testing/proxy.js';
import { recentPriorityFee, simulate } from './transaction.js';

/* The client against a chain behind JSON-RPC, with the compiled programs: real requests, real signatures. */

const artifact = (name: string) =>
  fileURLToPath(new URL(`../../programs/artifacts/${name}.so`, import.meta.url));

const admin = Keypair.generate();
const registrar = Keypair.generate();
const guardian = Keypair.generate();
const feePayer = Keypair.generate();

let folder: string;
let port: number;
let localnet: Localnet;
let connection: Connection;
/** Added to the wall clock: tests that need time to pass do not wait for it. */
let aheadMs = 0;
const now = () => Date.now() + aheadMs;

/** The chain of these tests, each time on the same ports. */
const start = () =>
  startLocalnet({
    dataDir: folder,
    port,
    programs: [
      { id: REGISTRY_PROGRAM_ID.toBase58(), soPath: artifact('registry') },
      { id: ENERGY_TOKEN_PROGRAM_ID.toBase58(), soPath: artifact('energy_token') },
    ],
    upgradeAuthority: admin.publicKey.toBase58(),
    logger: pino({ level: 'silent' }),
    now,
  });

async function fund(...keys: PublicKey[]): Promise<void> {
  for (const key of keys) {
    const signature = await connection.requestAirdrop(key, 10 * LAMPORTS_PER_SOL);
    await confirmTransaction(connection, { signature, lastValidBlockHeight: Number.MAX_SAFE_INTEGER });
  }
}

async function errorOf(promise: Promise<unknown>): Promise<GtxError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof GtxError) return error;
  throw error ?? new Error('nothing was thrown');
}

interface Home {
  meterId: string;
  owner: Keypair;
  key: Keypair;
  sequence: bigint;
  lastEnd: number;
  surplus: bigint;
}

const init = (change: Partial<Parameters<typeof chainInit>[1]> = {}) =>
  chainInit(connection, {
    upgradeAuthority: admin,
    registrar: registrar.publicKey,
    guardian: guardian.publicKey,
    ...change,
  });

async function register(home: Home): Promise<void> {
  await registerUser(connection, { payer: feePayer, wallet: home.owner });
  await verifyUser(connection, { payer: feePayer, registrar, wallet: home.owner.publicKey });
  const message = await ownerMessageFor(connection, home.meterId, home.owner.publicKey);
  await registerMeter(connection, {
    payer: feePayer,
    owner: home.owner,
    registrar,
    meterId: home.meterId,
    publicKey: home.key.publicKey.toBytes(),
    consent: signMessage(home.key, message),
    ratedWatts: 10_000,
  });
  const meter = await fetchMeter(connection, home.meterId);
  home.lastEnd = meter?.lastEnd ?? 0;
}

let homes = 0;
const newHome = (): Home => {
  homes++;
  return {
    meterId: `METER-${homes}`,
    owner: Keypair.generate(),
    key: Keypair.generate(),
    sequence: 0n,
    lastEnd: 0,
    surplus: 0n,
  };
};

/** The home's next reading: 1 000 000 nkWh in the minute after the last one. */
function nextReading(home: Home): SettlementReading {
  home.sequence += 1n;
  home.surplus += 1_000_000n;
  const message = encodeReading({
    flags: 0,
    sequence: home.sequence,
    intervalStart: home.lastEnd,
    intervalEnd: home.lastEnd + 10,
    producedTotal: home.surplus,
    consumedTotal: 0n,
    surplusTotal: home.surplus,
  });
  home.lastEnd += 10;
  return {
    meterId: home.meterId,
    owner: home.owner.publicKey,
    publicKey: home.key.publicKey.toBytes(),
    message,
    signature: signMessage(home.key, message),
  };
}

async function balance(wallet: PublicKey): Promise<bigint> {
  const { value } = await connection.getTokenAccountBalance(gridTokenAccount(wallet), 'confirmed');
  return BigInt(value.amount);
}

async function settle(
  readings: SettlementReading[],
  tables?: SettlementTables,
): Promise<PreparedTransaction> {
  const [batch] = tables?.pack(readings) ?? [{ readings, lookupTables: [] }];
  const prepared = await buildSettlement(connection, { feePayer, ...batch, readings });
  await sendPrepared(connection, prepared);
  expect(await confirmTransaction(connection, prepared)).toMatchObject({ state: 'confirmed' });
  return prepared;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-chain-'));
  port = await freePortPair();
  localnet = await start();
  connection = openConnection(localnet.rpcUrl);
  await fund(admin.publicKey, feePayer.publicKey, guardian.publicKey);
});
afterAll(async () => {
  await localnet.stop();
  rmSync(folder, { recursive: true });
});

describe('chainInit', () => {
  it('needs the upgrade authority', async () => {
    const error = await errorOf(init({ upgradeAuthority: feePayer }));
    expect(error.code).toBe('FORBIDDEN');
    expect(error.details).toMatchObject({
      program: 'registry',
      upgrade_authority: admin.publicKey.toBase58(),
    });
  });

  it('initialises once; run again it changes nothing and reports what differs', async () => {
    const first = await init({ maxRatedWatts: 20_000 });
    expect(first).toMatchObject({
      changed: true,
      initialized: ['registry', 'energy-token'],
      differences: [],
    });
    expect(first.config.network).toEqual(await networkIdOf(connection));

    const accounts = () =>
      connection.getMultipleAccountsInfo([registryConfigAddress(), tokenConfigAddress(), admin.publicKey]);
    const before = await accounts();
    const second = await init({ maxRatedWatts: 20_000 });
    expect(second).toEqual({ changed: false, initialized: [], differences: [], config: first.config });
    const third = await init({ registrar: guardian.publicKey, policy: instructions.Policy.NetOverAllTime });
    expect(third.differences).toEqual([
      { setting: 'policy', wanted: '1', actual: '0' },
      { setting: 'registrar', wanted: guardian.publicKey.toBase58(), actual: registrar.publicKey.toBase58() },
      { setting: 'max_rated_watts', wanted: '100000', actual: '20000' },
    ]);
    // Not even a fee was paid.
    expect(await accounts()).toEqual(before);
  });

  it('makes a mint that wallets can read: parsed by the node, and by this package', async () => {
    const { value } = await connection.getParsedAccountInfo(gridMintAddress(), 'confirmed');
    expect(value?.owner).toEqual(GRID_TOKEN_PROGRAM_ID);
    expect(value?.data).toMatchObject({
      program: 'spl-token-2022',
      parsed: {
        type: 'mint',
        info: {
          decimals: 9,
          supply: '0',
          isInitialized: true,
          freezeAuthority: null,
          mintAuthority: tokenConfigAddress().toBase58(),
          extensions: [
            {
              extension: 'metadataPointer',
              state: { authority: null, metadataAddress: gridMintAddress().toBase58() },
            },
            {
              extension: 'tokenMetadata',
              state: {
                name: 'GRID',
                symbol: 'GRID',
                uri: '',
                mint: gridMintAddress().toBase58(),
                updateAuthority: tokenConfigAddress().toBase58(),
                additionalMetadata: [['unit', '1 kWh']],
              },
            },
          ],
        },
      },
    });
    expect(await fetchGridMint(connection)).toEqual({
      decimals: 9,
      supply: 0n,
      mintAuthority: tokenConfigAddress(),
      freezeAuthority: undefined,
      metadata: {
        updateAuthority: tokenConfigAddress(),
        mint: gridMintAddress(),
        name: 'GRID',
        symbol: 'GRID',
        uri: '',
        fields: new Map([['unit', '1 kWh']]),
      },
    });
  });

  it('lets the admin say where wallets find more, rent included, and nobody else', async () => {
    const uri = 'https://example.org/grid.json';
    await expect(
      sendAndConfirm(connection, {
        payer: feePayer,
        signers: [registrar],
        instructions: [instructions.updateMetadata({ admin: registrar.publicKey, uri: '' })],
      }),
    ).rejects.toMatchObject({ details: { reason: 'NotAdmin' } });
    expect(await setMetadataUri(connection, { admin, uri })).toMatchObject({ changed: true });
    expect(await setMetadataUri(connection, { admin, uri })).toEqual({ changed: false });
    expect((await fetchGridMint(connection))?.metadata?.uri).toBe(uri);
    expect(await setMetadataUri(connection, { admin, uri: '' })).toMatchObject({ changed: true });
    expect((await fetchGridMint(connection))?.metadata?.uri).toBe('');
  });

  it('changes limits one at a time, and only when they differ', async () => {
    const before = await fetchConfig(connection);
    const limits = { maxRatedWatts: 20_000, dailyMintCapNkwh: 0n };
    expect(before).toMatchObject({ maxRatedWatts: 20_000, dailyMintCap: 0n });
    expect(await setLimits(connection, { admin })).toEqual({ changed: false, ...limits });
    expect(await setLimits(connection, { admin, dailyMintCapNkwh: 7n })).toMatchObject({
      changed: true,
      maxRatedWatts: 20_000,
      dailyMintCapNkwh: 7n,
    });
    expect(await fetchConfig(connection)).toMatchObject({ maxRatedWatts: 20_000, dailyMintCap: 7n });
    expect(await setLimits(connection, { admin, ...limits })).toMatchObject({ changed: true });
    expect(await fetchConfig(connection)).toEqual(before);
    await expect(
      setMeterCap(connection, { authority: admin, meterId: 'NONE', dailyMintCapNkwh: 1n }),
    ).rejects.toMatchObject({ code: 'METER_NOT_REGISTERED' });
  });

  it('knows who may upgrade, and what is not deployed', async () => {
    expect(await fetchUpgradeAuthority(connection, REGISTRY_PROGRAM_ID)).toEqual({
      upgradeAuthority: admin.publicKey,
    });
    expect(await fetchUpgradeAuthority(connection, Keypair.generate().publicKey)).toBeUndefined();
  });
});

describe('registration', () => {
  const home = newHome();

  it('finds nothing where nothing is', async () => {
    expect(await fetchUser(connection, home.owner.publicKey)).toBeUndefined();
    expect(await fetchMeter(connection, home.meterId)).toBeUndefined();
    expect(await fetchMeterKey(connection, home.key.publicKey)).toBeUndefined();
    const error = await errorOf(
      verifyUser(connection, { payer: feePayer, registrar, wallet: home.owner.publicKey }),
    );
    expect(error.code).toBe('NOT_FOUND');
  });

  it('is not fooled by lamports at an address that is still free', async () => {
    const free = meterAddress('METER-FREE');
    await sendAndConfirm(connection, {
      payer: feePayer,
      instructions: [
        SystemProgram.transfer({
          fromPubkey: feePayer.publicKey,
          toPubkey: free,
          lamports: LAMPORTS_PER_SOL,
        }),
      ],
    });
    expect(await fetchMeter(connection, 'METER-FREE')).toBeUndefined();
  });

  it('registers user and meter once, however often it is asked', async () => {
    await register(home);
    const spent = await connection.getBalance(feePayer.publicKey, 'confirmed');
    await register(home);
    expect(await connection.getBalance(feePayer.publicKey, 'confirmed')).toBe(spent);
    expect(await fetchUser(connection, home.owner.publicKey)).toMatchObject({ verified: true, meters: 1 });
    expect(await balance(home.owner.publicKey)).toBe(0n);
    const [found, none] = await fetchMeters(connection, [home.meterId, 'METER-NONE']);
    expect(found).toMatchObject({ meterId: home.meterId, owner: home.owner.publicKey });
    expect(none).toBeUndefined();
  });

  it('says CONFLICT for an id that is taken', async () => {
    const other = { ...newHome(), meterId: home.meterId };
    expect((await errorOf(register(other))).code).toBe('CONFLICT');
  });

  it('maps a program error to CHAIN_REFUSED with its name', async () => {
    // The consent is a signature of other bytes than the owner's message: the precompile refuses it.
    const other = newHome();
    const error = await errorOf(
      registerMeter(connection, {
        payer: feePayer,
        owner: home.owner,
        registrar: guardian,
        meterId: other.meterId,
        publicKey: other.key.publicKey.toBytes(),
        consent: signMessage(
          other.key,
          await ownerMessageFor(connection, other.meterId, home.owner.publicKey),
        ),
        ratedWatts: 1,
      }),
    );
    expect(error.code).toBe('CHAIN_REFUSED');
    expect(error.details).toMatchObject({
      reason: 'NotRegistrar',
      programId: REGISTRY_PROGRAM_ID.toBase58(),
    });
  });

  it('rotates a key and transfers a meter', async () => {
    const next = Keypair.generate();
    const rotation = {
      payer: feePayer,
      owner: home.owner,
      registrar,
      meterId: home.meterId,
      publicKey: next.publicKey.toBytes(),
      consent: signMessage(next, await ownerMessageFor(connection, home.meterId, home.owner.publicKey)),
    };
    expect((await rotateMeterKey(connection, rotation)).changed).toBe(true);
    expect((await rotateMeterKey(connection, rotation)).changed).toBe(false);
    const newOwner = Keypair.generate();
    await registerUser(connection, { payer: feePayer, wallet: newOwner });
    const transfer = {
      payer: feePayer,
      oldOwner: home.owner,
      newOwner: newOwner.publicKey,
      registrar,
      meterId: home.meterId,
      consent: signMessage(next, await ownerMessageFor(connection, home.meterId, newOwner.publicKey)),
    };
    expect((await transferMeter(connection, transfer)).changed).toBe(true);
    expect((await transferMeter(connection, transfer)).changed).toBe(false);
    expect(await fetchMeter(connection, home.meterId)).toMatchObject({
      owner: newOwner.publicKey,
      publicKey: next.publicKey,
    });
    expect((await errorOf(rotateMeterKey(connection, { ...rotation, meterId: 'METER-NONE' }))).code).toBe(
      'METER_NOT_REGISTERED',
    );
  });
});

describe('settlement', () => {
  const five = Array.from({ length: 5 }, newHome);
  const known: string[] = [];
  let tables: SettlementTables;

  beforeAll(async () => {
    for (const home of five) await register(home);
    tables = new SettlementTables({
      connection,
      authority: feePayer,
      onCreated: (address) => void known.push(address),
    });
  });

  it('makes a lookup table, settles five meters in one v0 transaction, and reads its events', async () => {
    const readings = five.map(nextReading);
    await tables.ensure(readings);
    expect(tables.addresses).toEqual(known);
    expect(known).toHaveLength(1);

    const batches = tables.pack(readings);
    expect(batches.map((batch) => batch.readings.length)).toEqual([5]);
    const [batch] = batches;
    if (!batch) throw new Error('no batch');
    const prepared = await buildSettlement(connection, { feePayer, ...batch });
    expect(prepared.transaction.version).toBe(0);
    expect(prepared.wire.length).toBeLessThanOrEqual(1_232);
    const simulated = await simulate(connection, prepared.transaction);
    expect(simulated.failure).toBeUndefined();
    expect(simulated.unitsConsumed).toBeGreaterThan(0);

    expect(await resolveSignature(connection, prepared.signature, prepared.lastValidBlockHeight)).toEqual({
      state: 'pending',
    });
    expect(await sendPrepared(connection, prepared)).toBe('sent');
    expect(await sendPrepared(connection, prepared)).toBe('sent');
    expect(await confirmTransaction(connection, prepared)).toMatchObject({ state: 'confirmed' });

    const landed = await connection.getTransaction(prepared.signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    const { events, truncated, unknown } = eventsOf(landed?.meta);
    expect({ truncated, unknown }).toEqual({ truncated: false, unknown: 0 });
    expect(events.map(({ index }) => index)).toEqual(events.map((_, index) => index));
    const minted = events.flatMap((event) => (event.name === 'ProductionMinted' ? [event.data] : []));
    expect(minted.map(({ meter }) => meter)).toEqual(five.map(({ meterId }) => meterAddress(meterId)));
    for (const { owner } of five) expect(await balance(owner.publicKey)).toBe(1_000_000n);
    expect((await fetchTokenConfig(connection))?.totalMinted).toBe(5_000_000n);
  });

  it('uses a table again after a restart, and pays nothing for meters that are in it', async () => {
    const again = new SettlementTables({ connection, authority: feePayer, addresses: known });
    await again.load();
    const spent = await connection.getBalance(feePayer.publicKey, 'confirmed');
    await again.ensure(five.map(({ meterId, owner }) => ({ meterId, owner: owner.publicKey })));
    expect(await connection.getBalance(feePayer.publicKey, 'confirmed')).toBe(spent);
    expect(again.addresses).toEqual(known);
    expect((await findLookupTables(connection, feePayer.publicKey)).map(String)).toEqual(known);
    expect(await findLookupTables(connection, admin.publicKey)).toEqual([]);
    await settle(five.map(nextReading), again);
  });

  it('extends a table for new meters; a meter that is in none goes alone', async () => {
    const more = newHome();
    await register(more);
    const readings = [...five.map(nextReading), nextReading(more)];
    const before = tables
      .pack(readings)
      .map(({ readings: some, lookupTables }) => [some.length, lookupTables.length]);
    expect(before).toEqual([
      [5, 1],
      [1, 0],
    ]);
    await tables.ensure(readings);
    expect(known).toHaveLength(1);
    const after = tables.pack(readings);
    expect(after.map(({ readings: some, lookupTables }) => [some.length, lookupTables.length])).toEqual([
      [5, 1],
      [1, 1],
    ]);
    for (const batch of after) {
      const prepared = await buildSettlement(connection, { feePayer, ...batch });
      await sendPrepared(connection, prepared);
      expect((await confirmTransaction(connection, prepared)).state).toBe('confirmed');
    }
  });

  it('passes over tables that are not there, or not ours', async () => {
    const none = new SettlementTables({
      connection,
      authority: admin,
      addresses: [...known, Keypair.generate().publicKey.toBase58()],
    });
    await none.load();
    expect(none.addresses).toEqual([]);
  });

  it('works with several processes that make and fill tables at once', async () => {
    const groups = [0, 1, 2].map((part) =>
      Array.from({ length: 30 }, (_, index) => ({
        meterId: `METER-P${part}-${index}`,
        owner: Keypair.generate().publicKey,
      })),
    );
    await Promise.all(
      groups.map(async (meters) => {
        const own = new SettlementTables({ connection, authority: guardian });
        await own.ensure(meters);
        const packed = own.pack(meters.map((meter) => ({ ...nextReading(newHome()), ...meter })));
        for (const { lookupTables } of packed) expect(lookupTables).toHaveLength(1);
      }),
    );
  });

  it('starts a second table when the first is full', async () => {
    const many = Array.from({ length: 90 }, (_, index) => ({
      meterId: `METER-MANY-${index}`,
      owner: Keypair.generate().publicKey,
    }));
    const fresh = new SettlementTables({ connection, authority: admin });
    await fresh.ensure(many);
    expect(fresh.addresses).toHaveLength(2);
    const readings = many.map((meter) => ({ ...nextReading(newHome()), ...meter }));
    const sizes = fresh.pack(readings).map((batch) => batch.readings.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(90);
    expect(sizes.filter((size) => size < 5).length).toBeLessThanOrEqual(2);
    for (const batch of fresh.pack(readings)) expect(batch.lookupTables).toHaveLength(1);
  });

  it('finds out that a landed settlement failed, and why', async () => {
    const [home] = five as [Home, ...Home[]];
    const reading = nextReading(home);
    await settle([reading]);
    const prepared = await buildSettlement(connection, { feePayer, readings: [reading] });
    expect((await simulate(connection, prepared.transaction)).failure).toMatchObject({
      reason: 'SequenceNotHigher',
      programId: REGISTRY_PROGRAM_ID.toBase58(),
    });
    const refused = await errorOf(sendPrepared(connection, prepared));
    expect(refused.code).toBe('CHAIN_REFUSED');
    expect(refused.details).toMatchObject({ reason: 'SequenceNotHigher', signature: prepared.signature });
    await sendPrepared(connection, prepared, { skipPreflight: true });
    expect(await confirmTransaction(connection, prepared)).toMatchObject({
      state: 'failed',
      error: { reason: 'SequenceNotHigher', programId: REGISTRY_PROGRAM_ID.toBase58() },
    });
  });

  it('lists every meter, user and key', async () => {
    const meters = await fetchAllMeters(connection);
    expect(meters.map(({ account }) => account.meterId)).toEqual(
      expect.arrayContaining(five.map(({ meterId }) => meterId)),
    );
    for (const { address, account } of meters) expect(address).toEqual(meterAddress(account.meterId));
    const config = await fetchConfig(connection);
    expect(BigInt(meters.length)).toBe(config?.meters);
    expect(BigInt((await fetchAllUsers(connection)).length)).toBe(config?.users);
    // One key was rotated.
    expect((await fetchAllMeterKeys(connection)).length).toBe(meters.length + 1);
  });
});

describe('ensureTokenAccounts', () => {
  it('creates each account once, and not again what its owner closed', async () => {
    const wallets = Array.from({ length: 10 }, () => Keypair.generate());
    const keys = wallets.map(({ publicKey }) => publicKey);
    const texts = keys.map((key) => key.toBase58());
    const first = await ensureTokenAccounts(connection, feePayer, [...keys, ...keys]);
    expect(first).toEqual({ existing: [], created: texts, closed: [], refused: [] });
    const second = await ensureTokenAccounts(connection, feePayer, keys);
    expect(second).toEqual({ existing: texts, created: [], closed: [], refused: [] });

    const [owner] = wallets as [Keypair];
    await sendAndConfirm(connection, {
      payer: feePayer,
      signers: [owner],
      instructions: [
        createCloseAccountInstruction(
          gridTokenAccount(owner.publicKey),
          owner.publicKey,
          owner.publicKey,
          [],
          GRID_TOKEN_PROGRAM_ID,
        ),
      ],
    });
    const third = await ensureTokenAccounts(connection, feePayer, keys, { paidBefore: new Set(texts) });
    expect(third).toMatchObject({ created: [], closed: [texts[0]] });
  });

  it('lets one that is refused hold up no other', async () => {
    // Money for one account of two.
    const poor = Keypair.generate();
    const rent = await connection.getMinimumBalanceForRentExemption(165);
    const empty = await connection.getMinimumBalanceForRentExemption(0);
    await sendAndConfirm(connection, {
      payer: feePayer,
      instructions: [
        SystemProgram.transfer({
          fromPubkey: feePayer.publicKey,
          toPubkey: poor.publicKey,
          lamports: rent + empty + 50_000,
        }),
      ],
    });
    const wallets = [Keypair.generate().publicKey, Keypair.generate().publicKey];
    const result = await ensureTokenAccounts(connection, poor, wallets);
    expect(result.created).toEqual([String(wallets[0])]);
    expect(result.refused).toMatchObject([{ wallet: String(wallets[1]), error: { code: 'CHAIN_REFUSED' } }]);
  });
});

describe('sending', () => {
  it('executes equal requests as often as they were made', async () => {
    const receiver = Keypair.generate().publicKey;
    const transfer = SystemProgram.transfer({
      fromPubkey: feePayer.publicKey,
      toPubkey: receiver,
      lamports: LAMPORTS_PER_SOL / 100,
    });
    await Promise.all(
      Array.from({ length: 8 }, () =>
        sendAndConfirm(connection, { payer: feePayer, instructions: [transfer] }),
      ),
    );
    expect(await connection.getBalance(receiver, 'confirmed')).toBe((8 * LAMPORTS_PER_SOL) / 100);
  });

  it('signs again after expiry, and only the second transaction is executed', async () => {
    const proxy = new RpcProxy(localnet.rpcUrl);
    const receiver = Keypair.generate().publicKey;
    const signed: PreparedTransaction[] = [];
    // The first transaction is swallowed, each time that it is sent.
    proxy.decide = ({ method, params }) =>
      method === 'sendTransaction' && params[0] === Buffer.from(signed[0]?.wire ?? []).toString('base64')
        ? { result: signed[0]?.signature }
        : 'forward';
    const through = openConnection(await proxy.start());
    const sending = sendAndConfirm(through, {
      payer: feePayer,
      instructions: [
        SystemProgram.transfer({
          fromPubkey: feePayer.publicKey,
          toPubkey: receiver,
          lamports: LAMPORTS_PER_SOL,
        }),
      ],
      pollMs: 20,
      onSigned: (prepared) => void signed.push(prepared),
    });
    while (proxy.count('getEpochInfo') < 2) await turn();
    expect(signed).toHaveLength(1);
    // 150 blocks of 0.4 s, and 32 more until the last of them is final.
    aheadMs += 80_000;
    const { signature, attempts } = await sending;
    await proxy.stop();
    expect(attempts).toBe(2);
    expect(signed.map((prepared) => prepared.signature)).toEqual([expect.any(String), signature]);
    expect(await connection.getBalance(receiver, 'confirmed')).toBe(LAMPORTS_PER_SOL);
    // What was swallowed comes to light too late: the chain does not take it any more.
    const [first] = signed as [PreparedTransaction];
    expect(await sendPrepared(connection, first)).toBe('not-forwarded');
    expect(await resolveSignature(connection, first.signature, first.lastValidBlockHeight)).toEqual({
      state: 'expired',
    });
    expect(await connection.getBalance(receiver, 'confirmed')).toBe(LAMPORTS_PER_SOL);
  });

  it('does not take a transaction for expired that landed while nobody looked', async () => {
    const prepared = await prepareTransaction(connection, { payer: feePayer, instructions: [] });
    await sendPrepared(connection, prepared);
    await confirmTransaction(connection, prepared);
    aheadMs += 200_000;
    const resolved = await resolveSignature(connection, prepared.signature, prepared.lastValidBlockHeight);
    expect(resolved).toMatchObject({ state: 'finalized', slot: expect.any(Number) });
  });

  it('hears of a confirmation by WebSocket too', async () => {
    const listening = openConnection(localnet.rpcUrl, { wsUrl: localnet.wsUrl });
    const { signature } = await sendAndConfirm(listening, {
      payer: feePayer,
      instructions: [],
      websocket: true,
    });
    expect((await connection.getSignatureStatus(signature)).value?.err).toBeNull();
  });

  it('waits for finality when asked to', async () => {
    const prepared = await prepareTransaction(connection, { payer: feePayer, instructions: [] });
    await sendPrepared(connection, prepared);
    await confirmTransaction(connection, prepared);
    const waiting = confirmTransaction(connection, prepared, { commitment: 'finalized', pollMs: 20 });
    aheadMs += 20_000;
    expect((await waiting).state).toBe('finalized');
  });

  it('finds the priority fee that others pay', async () => {
    const writable = Keypair.generate().publicKey;
    await sendAndConfirm(connection, {
      payer: feePayer,
      instructions: [
        SystemProgram.transfer({
          fromPubkey: feePayer.publicKey,
          toPubkey: writable,
          lamports: LAMPORTS_PER_SOL,
        }),
      ],
      computeUnitLimit: 2_000,
      microLamportsPerCu: 5_000,
    });
    expect(await recentPriorityFee(connection, [writable], { percentile: 100, max: 1_000_000 })).toBe(5_000);
    expect(await recentPriorityFee(connection, [writable], { percentile: 100, max: 40 })).toBe(40);
  });

  it('says CHAIN_UNAVAILABLE while the chain is gone, and goes on when it is back', async () => {
    const prepared = await prepareTransaction(connection, { payer: feePayer, instructions: [] });
    await localnet.stop();
    try {
      for (const error of [
        sendPrepared(connection, prepared),
        resolveSignature(connection, prepared.signature, prepared.lastValidBlockHeight),
        prepareTransaction(connection, { payer: feePayer, instructions: [] }),
        fetchMeter(connection, 'METER-1'),
        networkIdOf(connection),
        new SettlementTables({
          connection,
          authority: feePayer,
          addresses: [String(PublicKey.unique())],
        }).load(),
        confirmTransaction(connection, prepared, { unavailableAfterMs: 0 }),
        // All are listened to from the start: they end in any order.
      ].map(errorOf)) {
        expect((await error).code).toBe('CHAIN_UNAVAILABLE');
      }
      // Sent into the void and followed from there: the resending brings it through once the chain is back.
      const following = confirmTransaction(connection, prepared, { resendMs: 0, pollMs: 20 });
      localnet = await start();
      expect((await following).state).toMatch(/confirmed|finalized/);
    } finally {
      await localnet.stop();
      localnet = await start();
    }
  });
});
