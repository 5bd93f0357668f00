import { encodeOwnerMessage, encodeReading, type Reading } from '@gridtokenx/protocol';
import { createAssociatedTokenAccountIdempotentInstruction } from '@solana/spl-token';
import { Keypair, type PublicKey } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeConfig, decodeMeter, decodeMeterKey, decodeTokenConfig, decodeUser } from './accounts.js';
import {
  gridMintAddress,
  gridTokenAccount,
  meterAddress,
  meterKeyAddress,
  registryConfigAddress,
  tokenConfigAddress,
  userAddress,
} from './addresses.js';
import { ed25519Instruction } from './ed25519.js';
import { decodeEvents } from './events.js';
import * as build from './instructions.js';
import { energyToken, GRID_TOKEN_PROGRAM_ID, registry } from './programs.js';
import {
  commonSettlementAddresses,
  maxMetersPerTransaction,
  type SettlementReading,
  settlementAddresses,
  settlementComputeUnits,
  settlementInstructions,
} from './settlement.js';
import { signMessage } from './sign.js';
import { type Executed, Svm } from './testing/svm.js';

/* Every builder against the compiled programs, run by the SVM itself. */

const START = 1_700_000_000;
const network = new Uint8Array(32).fill(7);

interface Home {
  meterId: string;
  owner: Keypair;
  key: Keypair;
}

let admin: Keypair;
let registrar: Keypair;
let guardian: Keypair;
let svm: Svm;

beforeEach(() => {
  [admin, registrar, guardian] = [Keypair.generate(), Keypair.generate(), Keypair.generate()];
  svm = new Svm(admin.publicKey, START + 10_000);
  svm.fund(admin.publicKey, registrar.publicKey, guardian.publicKey);
});

function done(executed: Executed): Executed {
  expect(executed.refused, executed.logs.join('\n')).toBeUndefined();
  return executed;
}

function initialize(): Executed {
  return done(
    svm.execute(
      [
        build.initializeRegistry({
          authority: admin.publicKey,
          network,
          policy: build.Policy.IntervalSurplus,
          registrar: registrar.publicKey,
          guardian: guardian.publicKey,
          maxRatedWatts: 50_000,
        }),
        build.initializeEnergyToken({ authority: admin.publicKey }),
      ],
      [admin],
    ),
  );
}

const consent = (key: Keypair, meterId: string, owner: PublicKey) => {
  const message = encodeOwnerMessage({ network, meterId, owner: owner.toBase58() });
  return ed25519Instruction([
    { publicKey: key.publicKey.toBytes(), message, signature: signMessage(key, message) },
  ]);
};

const openTokenAccount = (wallet: PublicKey) =>
  createAssociatedTokenAccountIdempotentInstruction(
    admin.publicKey,
    gridTokenAccount(wallet),
    wallet,
    gridMintAddress(),
    GRID_TOKEN_PROGRAM_ID,
  );

function registerOwner(owner: Keypair): void {
  done(
    svm.execute(
      [
        build.registerUser({ payer: admin.publicKey, wallet: owner.publicKey }),
        build.verifyUser({ registrar: registrar.publicKey, wallet: owner.publicKey, verified: true }),
        openTokenAccount(owner.publicKey),
      ],
      [admin, owner, registrar],
    ),
  );
}

function registerHome(meterId: string): Home {
  const home = { meterId, owner: Keypair.generate(), key: Keypair.generate() };
  registerOwner(home.owner);
  done(
    svm.execute(
      [
        consent(home.key, meterId, home.owner.publicKey),
        build.registerMeter({
          payer: admin.publicKey,
          owner: home.owner.publicKey,
          registrar: registrar.publicKey,
          meterId,
          publicKey: home.key.publicKey,
          ratedWatts: 5_000,
        }),
      ],
      [admin, home.owner, registrar],
    ),
  );
  return home;
}

/** A reading whose interval ends at the chain's own time: rated power since registration is no limit yet. */
function reading(home: Home, change: Partial<Reading> = {}): SettlementReading {
  const message = encodeReading({
    flags: 0,
    sequence: 1n,
    intervalStart: START + 10_000,
    intervalEnd: START + 10_060,
    producedTotal: 90_000_000n,
    consumedTotal: 20_000_000n,
    surplusTotal: 70_000_000n,
    ...change,
  });
  return {
    meterId: home.meterId,
    owner: home.owner.publicKey,
    publicKey: home.key.publicKey.toBytes(),
    message,
    signature: signMessage(home.key, message),
  };
}

const settle = (...readings: SettlementReading[]) => svm.execute(settlementInstructions(readings), [admin]);
const meterOf = (home: Home) => decodeMeter(svm.data(meterAddress(home.meterId)));

describe('setting up', () => {
  it('initialises both programs and reads their accounts', () => {
    const { logs } = initialize();
    expect(decodeConfig(svm.data(registryConfigAddress()))).toMatchObject({
      admin: admin.publicKey,
      registrar: registrar.publicKey,
      guardian: guardian.publicKey,
      network,
      policy: 0,
      paused: false,
      maxRatedWatts: 50_000,
      users: 0n,
      meters: 0n,
    });
    expect(decodeTokenConfig(svm.data(tokenConfigAddress()))).toMatchObject({
      totalMinted: 0n,
      totalBurned: 0n,
      totalRetired: 0n,
    });
    expect(decodeEvents(logs).events.map(({ name }) => name)).toEqual(['ConfigChanged']);
  });

  it('changes roles, limits and the pause', () => {
    initialize();
    const [nextAdmin, nextRegistrar, nextGuardian] = [
      Keypair.generate(),
      Keypair.generate(),
      Keypair.generate(),
    ];
    const pause = done(
      svm.execute([build.setPaused({ authority: guardian.publicKey, paused: true })], [guardian]),
    );
    expect(decodeEvents(pause.logs).events).toMatchObject([
      { name: 'PausedSet', data: { paused: true, authority: guardian.publicKey } },
    ]);
    expect(
      svm.execute([build.setPaused({ authority: guardian.publicKey, paused: false })], [guardian]).refused,
    ).toBe('NotAuthorized');
    done(
      svm.execute(
        [
          build.setPaused({ authority: admin.publicKey, paused: false }),
          build.setRegistrar({ admin: admin.publicKey, registrar: nextRegistrar.publicKey }),
          build.setGuardian({ admin: admin.publicKey, guardian: nextGuardian.publicKey }),
          build.setLimits({ admin: admin.publicKey, maxRatedWatts: 12_345, dailyMintCapNkwh: 7n }),
          build.proposeAdmin({ admin: admin.publicKey, newAdmin: nextAdmin.publicKey }),
          build.acceptAdmin({ newAdmin: nextAdmin.publicKey }),
        ],
        [admin, nextAdmin],
      ),
    );
    expect(decodeConfig(svm.data(registryConfigAddress()))).toMatchObject({
      admin: nextAdmin.publicKey,
      registrar: nextRegistrar.publicKey,
      guardian: nextGuardian.publicKey,
      maxRatedWatts: 12_345,
      dailyMintCap: 7n,
      paused: false,
    });
  });
});

describe('users and meters', () => {
  it('registers them', () => {
    initialize();
    const home = registerHome('METER-001');
    expect(decodeUser(svm.data(userAddress(home.owner.publicKey)))).toMatchObject({
      wallet: home.owner.publicKey,
      verified: true,
      meters: 1,
    });
    expect(meterOf(home)).toMatchObject({
      meterId: 'METER-001',
      owner: home.owner.publicKey,
      publicKey: home.key.publicKey,
      tokenAccount: gridTokenAccount(home.owner.publicKey),
      ratedWatts: 5_000,
      status: build.MeterStatus.Active,
      lastSequence: 0n,
      holds: Array(4).fill({ sequence: 0n, amount: 0n }),
    });
    expect(decodeMeterKey(svm.data(meterKeyAddress(home.key.publicKey)))).toMatchObject({
      meter: meterAddress('METER-001'),
      publicKey: home.key.publicKey,
      active: true,
      until: 0n,
    });
  });

  it('rotates a key', () => {
    initialize();
    const home = registerHome('METER-001');
    const next = Keypair.generate();
    const { logs } = done(
      svm.execute(
        [
          consent(next, home.meterId, home.owner.publicKey),
          build.rotateMeterKey({
            payer: admin.publicKey,
            owner: home.owner.publicKey,
            registrar: registrar.publicKey,
            meterId: home.meterId,
            oldPublicKey: home.key.publicKey,
            newPublicKey: next.publicKey.toBytes(),
          }),
        ],
        [admin, home.owner, registrar],
      ),
    );
    expect(decodeEvents(logs).events).toMatchObject([
      { name: 'MeterKeyRotated', data: { oldPublicKey: home.key.publicKey, newPublicKey: next.publicKey } },
    ]);
    expect(meterOf(home).publicKey).toEqual(next.publicKey);
    expect(decodeMeterKey(svm.data(meterKeyAddress(home.key.publicKey))).active).toBe(false);
  });

  it('transfers a meter after minting to the old owner', () => {
    initialize();
    const home = registerHome('METER-001');
    const newOwner = Keypair.generate();
    registerOwner(newOwner);
    done(
      svm.execute(
        [
          ed25519Instruction([reading(home)]),
          build.submitMeterReading({ meterId: home.meterId, owner: home.owner.publicKey }),
        ],
        [admin],
      ),
    );
    const { logs } = done(
      svm.execute(
        [
          consent(home.key, home.meterId, newOwner.publicKey),
          build.transferMeter({
            oldOwner: home.owner.publicKey,
            newOwner: newOwner.publicKey,
            registrar: registrar.publicKey,
            meterId: home.meterId,
          }),
        ],
        [admin, home.owner, registrar],
      ),
    );
    expect(decodeEvents(logs).events.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['MeterBalanceSettled', 'ProductionMinted', 'MeterTransferred']),
    );
    expect(svm.tokens(gridTokenAccount(home.owner.publicKey))).toBe(70_000_000n);
    expect(meterOf(home).owner).toEqual(newOwner.publicKey);
    expect(meterOf(home).tokenAccount).toEqual(gridTokenAccount(newOwner.publicKey));
  });

  it('suspends and reactivates', () => {
    initialize();
    const home = registerHome('METER-001');
    const { Active, Rebase, Suspended } = build.MeterStatus;
    const set = (status: typeof Active | typeof Suspended) =>
      done(
        svm.execute(
          [build.setMeterStatus({ authority: registrar.publicKey, meterId: home.meterId, status })],
          [registrar],
        ),
      );
    set(Suspended);
    expect(meterOf(home).status).toBe(Suspended);
    expect(settle(reading(home)).refused).toBe('MeterSuspended');
    set(Active);
    expect(meterOf(home).status).toBe(Rebase);
  });
});

describe('readings and minting', () => {
  it('submits, settles and mints step by step', () => {
    initialize();
    const home = registerHome('METER-001');
    const submitted = done(
      svm.execute(
        [
          ed25519Instruction([reading(home)]),
          build.submitMeterReading({ meterId: home.meterId, owner: home.owner.publicKey }),
        ],
        [admin],
      ),
    );
    expect(decodeEvents(submitted.logs).events).toMatchObject([
      {
        name: 'MeterReadingSubmitted',
        data: {
          meter: meterAddress('METER-001'),
          meterId: 'METER-001',
          publicKey: home.key.publicKey,
          sequence: 1n,
          intervalStart: START + 10_000,
          intervalEnd: START + 10_060,
          producedTotal: 90_000_000n,
          consumedTotal: 20_000_000n,
          surplusTotal: 70_000_000n,
          counted: 70_000_000n,
          held: 0n,
          flags: 0,
          rebased: false,
        },
      },
    ]);
    const unsettled = done(svm.execute([build.getUnsettledBalance({ meterId: home.meterId })], [admin]));
    expect(Buffer.from(unsettled.returnData).readBigUInt64LE()).toBe(70_000_000n);

    const settled = done(svm.execute([build.settleMeterBalance({ meterId: home.meterId })], [admin]));
    expect(Buffer.from(settled.returnData).readBigUInt64LE()).toBe(70_000_000n);
    expect(meterOf(home)).toMatchObject({ eligible: 70_000_000n, settled: 70_000_000n, minted: 0n });
    expect(svm.execute([build.settleMeterBalance({ meterId: home.meterId })], [admin]).refused).toBe(
      'NoUnsettledBalance',
    );

    const mint = build.settleAndMintTokens({ meterId: home.meterId, owner: home.owner.publicKey });
    const minted = done(svm.execute([mint], [admin]));
    expect(decodeEvents(minted.logs).events).toMatchObject([
      {
        name: 'ProductionMinted',
        data: {
          meter: meterAddress('METER-001'),
          ownerTokenAccount: gridTokenAccount(home.owner.publicKey),
          amount: 70_000_000n,
          totalMinted: 70_000_000n,
        },
      },
    ]);
    expect(svm.tokens(gridTokenAccount(home.owner.publicKey))).toBe(70_000_000n);
    expect(svm.execute([mint], [admin]).refused).toBe('NoUnsettledBalance');
  });

  it('settles five meters in one packet with a lookup table, and within its compute limit', () => {
    initialize();
    const homes = Array.from({ length: maxMetersPerTransaction }, (_, index) =>
      registerHome(`METER-${index}`),
    );
    const readings = homes.map((home, index) => reading(home, { surplusTotal: 70_000_000n + BigInt(index) }));
    const table = svm.lookupTable([...commonSettlementAddresses(), ...readings.flatMap(settlementAddresses)]);
    const limit = settlementComputeUnits(readings.length);
    const { logs, size, units } = done(
      svm.execute(settlementInstructions(readings), [admin], {
        lookupTables: [table],
        computeUnitLimit: limit,
      }),
    );
    expect(size).toBeLessThanOrEqual(1_232);
    expect(units).toBeLessThan((limit * 2) / 3);
    const { events, truncated } = decodeEvents(logs);
    expect(truncated).toBe(false);
    expect(events.filter(({ name }) => name === 'MeterReadingSubmitted')).toHaveLength(5);
    expect(events.flatMap((event) => (event.name === 'ProductionMinted' ? [event.data.amount] : []))).toEqual(
      readings.map((_, index) => 70_000_000n + BigInt(index)),
    );
    homes.forEach((home, index) => {
      expect(svm.tokens(gridTokenAccount(home.owner.publicKey))).toBe(70_000_000n + BigInt(index));
    });
    expect(decodeTokenConfig(svm.data(tokenConfigAddress())).totalMinted).toBe(350_000_010n);
  });

  it('fits two meters without a lookup table, and no more', () => {
    initialize();
    const homes = [0, 1, 2].map((index) => registerHome(`METER-${index}`));
    expect(() => settle(...homes.map((home) => reading(home)))).toThrow('larger than');
    done(settle(...homes.slice(0, 2).map((home) => reading(home))));
  });

  it('names what the registry refuses', () => {
    initialize();
    const [home, other] = [registerHome('METER-1'), registerHome('METER-2')];
    expect(settle({ ...reading(home), meterId: other.meterId, owner: other.owner.publicKey }).refused).toBe(
      'KeyMismatch',
    );
    done(settle(reading(home)));
    expect(settle(reading(home)).refused).toBe('SequenceNotHigher');
    expect(settle(reading(other, { intervalEnd: START + 20_000 })).refused).toBe('EndInFuture');
    expect(
      svm.execute(
        [
          build.submitAndMint({
            meters: [other].map(({ meterId, owner }) => ({ meterId, owner: owner.publicKey })),
          }),
        ],
        [admin],
      ).refused,
    ).toBe('SignatureMissing');
    expect(() => settlementInstructions([reading(home), reading(home)])).toThrow('once');
    expect(() => settlementInstructions([])).toThrow(RangeError);
  });

  it('holds what is beyond rated power, releases it and writes it off', () => {
    initialize();
    const home = registerHome('METER-001');
    const much = { producedTotal: 5_000_000_000n, consumedTotal: 0n, surplusTotal: 5_000_000_000n };
    const { logs } = done(settle(reading(home, much)));
    const held = decodeEvents(logs).events.flatMap((event) =>
      event.name === 'EnergyHeld' ? [event.data] : [],
    );
    expect(held).toMatchObject([{ meterId: 'METER-001', sequence: 1n }]);
    const amount = held[0]?.amount ?? 0n;
    expect(meterOf(home)).toMatchObject({ held: amount, minted: 5_000_000_000n - amount });
    expect(meterOf(home).holds).toContainEqual({ sequence: 1n, amount });
    const release = { authority: registrar.publicKey, meterId: home.meterId, sequence: 1n };
    const released = done(svm.execute([build.releaseHeld(release)], [registrar]));
    expect(decodeEvents(released.logs).events).toMatchObject([{ name: 'HeldReleased', data: { amount } }]);
    expect(meterOf(home)).toMatchObject({ held: 0n, eligible: 5_000_000_000n });
    expect(svm.execute([build.writeOffHeld(release)], [registrar]).refused).toBe('HoldNotFound');
  });
});

describe('energy-token', () => {
  it('burns, retires and reports the supply', () => {
    initialize();
    const home = registerHome('METER-001');
    done(settle(reading(home)));
    svm.fund(home.owner.publicKey);
    const { logs } = done(
      svm.execute(
        [
          build.burn({ owner: home.owner.publicKey, amountNkwh: 10_000_000n }),
          build.retire({ owner: home.owner.publicKey, meterId: home.meterId, amountNkwh: 20_000_000n }),
        ],
        [home.owner],
      ),
    );
    expect(decodeEvents(logs).events).toMatchObject([
      { name: 'TokensBurned', data: { amount: 10_000_000n, totalBurned: 10_000_000n } },
      {
        name: 'EnergyRetired',
        data: { amount: 20_000_000n, totalBurned: 30_000_000n, totalRetired: 20_000_000n },
      },
    ]);
    const supply = Buffer.from(done(svm.execute([build.getSupply()], [admin])).returnData);
    expect([0, 8, 16].map((offset) => supply.readBigUInt64LE(offset))).toEqual([
      70_000_000n,
      30_000_000n,
      20_000_000n,
    ]);
    expect(svm.tokens(gridTokenAccount(home.owner.publicKey))).toBe(40_000_000n);
  });

  it('lets nobody but the registry mint', () => {
    initialize();
    const home = registerHome('METER-001');
    const forged = build.mintFromProduction({
      mintAuthority: admin.publicKey,
      meter: meterAddress(home.meterId),
      destination: gridTokenAccount(home.owner.publicKey),
      amountNkwh: 1n,
    });
    expect(svm.execute([forged], [admin]).refused).toBe('NotRegistry');
  });
});

describe('ProgramCodec', () => {
  it('reads instructions back', () => {
    const owner = Keypair.generate().publicKey;
    const registerMeter = build.registerMeter({
      payer: owner,
      owner,
      registrar: owner,
      meterId: 'METER-001',
      publicKey: owner,
      ratedWatts: 5_000,
    });
    expect(registry.decodeInstruction(registerMeter.data)).toMatchObject({
      name: 'register_meter',
      args: { meterId: 'METER-001', ratedWatts: 5_000 },
      accountCount: registerMeter.keys.length,
    });
    const batch = build.submitAndMint({ meters: [{ meterId: 'METER-001', owner }] });
    const decoded = registry.decodeInstruction(batch.data);
    expect(decoded?.name).toBe('submit_and_mint');
    expect(batch.keys.length - (decoded?.accountCount ?? 0)).toBe(3);
    expect(registry.decodeInstruction(new Uint8Array(3))).toBeUndefined();
    expect(energyToken.decodeInstruction(batch.data)).toBeUndefined();
  });

  it('refuses accounts of another kind and those cut short', () => {
    initialize();
    const data = svm.data(registryConfigAddress());
    expect(() => decodeMeter(data)).toThrow('not a Meter account');
    expect(() => decodeConfig(data.subarray(0, data.length - 1))).toThrow('not a Config account');
    expect(() => decodeConfig(new Uint8Array())).toThrow('not a Config account');
  });
});
