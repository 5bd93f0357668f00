import { Keypair, type PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import {
  consentBytes,
  ed25519,
  meterIdBytes,
  pda,
  type Reading,
  readingBytes,
  refusesWrongAccounts,
  SystemProgram,
  signed,
  World,
} from './support.js';

function setup() {
  const world = new World();
  const owner = world.user();
  const key = Keypair.generate();
  const id = meterIdBytes('METER-001');
  const register = (
    change: { id?: Uint8Array; key?: PublicKey; owner?: PublicKey; watts?: number } = {},
    accounts: Record<string, PublicKey> = {},
  ) => world.registerMeter({ id, key: key.publicKey, owner: owner.publicKey, ...change }, accounts);
  const consent = world.consent(key, id, owner.publicKey);
  const refused = (error: string, instructions: TransactionInstruction[]) =>
    world.refused(error, instructions, [owner, world.registrar]);
  return { world, owner, key, id, register, consent, refused };
}

describe('register_meter', () => {
  it('registers a meter with what the three of them signed', () => {
    const { world, owner, key, id, register, consent } = setup();
    const result = world.must([consent, register()], [owner, world.registrar]);
    const meter = world.decode('registry', 'Meter', pda.meter(id));
    expect(Uint8Array.from(meter.meter_id)).toEqual(id);
    expect(meter.owner).toEqual(owner.publicKey);
    expect(meter.public_key).toEqual(key.publicKey);
    expect(meter.token_account).toEqual(pda.tokenAccount(owner.publicKey));
    expect([meter.rated_watts, meter.status, meter.last_end]).toEqual([5_000, 0, world.now()]);
    const mark = world.decode('registry', 'MeterKey', pda.meterKey(key.publicKey.toBytes()));
    expect([mark.active, Number(mark.since), Number(mark.until)]).toEqual([1, world.now(), 0]);
    expect(mark.meter).toEqual(pda.meter(id));
    expect(world.decode('registry', 'User', pda.user(owner.publicKey)).meters).toBe(1);
    expect(Number(world.config().meters)).toBe(1);
    expect(result.events).toMatchObject([
      { name: 'MeterRegistered', data: { meter: pda.meter(id), owner: owner.publicKey, rated_watts: 5_000 } },
    ]);
  });

  it('lets the owner pay', () => {
    const { world, owner, register, consent } = setup();
    world.must([consent, register({}, { payer: owner.publicKey })], [owner, world.registrar]);
  });

  it('registers at addresses to which somebody sent lamports before, a little or a lot', () => {
    const { world, owner, key, id, register, consent } = setup();
    world.fund(pda.meter(id));
    world.must([
      SystemProgram.transfer({
        fromPubkey: world.payer.publicKey,
        toPubkey: pda.meterKey(key.publicKey.toBytes()),
        lamports: 1_000_000,
      }),
    ]);
    world.must([consent, register()], [owner, world.registrar]);
    expect(world.decode('registry', 'Meter', pda.meter(id)).owner).toEqual(owner.publicKey);
  });

  it('gives one wallet several meters', () => {
    const { world, owner } = setup();
    world.newMeter({ owner });
    world.newMeter({ owner });
    expect(world.decode('registry', 'User', pda.user(owner.publicKey)).meters).toBe(2);
  });

  it("refuses without the registrar's own signature", () => {
    const { world, owner, register, consent } = setup();
    for (const signer of [owner, world.guardian, world.upgradeAuthority]) {
      world.refused(
        'NotRegistrar',
        [consent, register({}, { registrar: signer.publicKey })],
        [owner, signer],
      );
    }
  });

  it('refuses an unverified user', () => {
    const world = new World();
    const owner = world.user({ verified: false });
    const key = Keypair.generate();
    const id = meterIdBytes('M');
    world.refused(
      'UserNotVerified',
      [
        world.consent(key, id, owner.publicKey),
        world.registerMeter({ id, key: key.publicKey, owner: owner.publicKey }),
      ],
      [owner, world.registrar],
    );
  });

  it("refuses another wallet's user account", () => {
    const { world, register, consent, refused } = setup();
    const other = world.user();
    refused('UserMismatch', [consent, register({}, { user: pda.user(other.publicKey) })]);
  });

  it('refuses a meter id that is taken, whoever owns it', () => {
    const { world, owner, id, register, consent } = setup();
    world.must([consent, register()], [owner, world.registrar]);
    const other = world.user();
    const key = Keypair.generate();
    world.refused(
      'MeterAlreadyRegistered',
      [
        world.consent(key, id, other.publicKey),
        world.registerMeter({ id, key: key.publicKey, owner: other.publicKey }),
      ],
      [other, world.registrar],
    );
  });

  it("refuses another meter's key", () => {
    const { world, owner, key, register, consent, refused } = setup();
    world.must([consent, register()], [owner, world.registrar]);
    const id = meterIdBytes('METER-002');
    refused('KeyAlreadyUsed', [world.consent(key, id, owner.publicKey), register({ id })]);
  });

  it('refuses ids outside the grammar', () => {
    const { world, owner, key, register, refused } = setup();
    const gap = meterIdBytes('AB');
    gap[5] = 67;
    for (const id of ['', '-A', '.A', 'A B', 'A/B', 'A+', 'A#', 'é'].map(meterIdBytes).concat(gap)) {
      refused('MeterIdInvalid', [world.consent(key, id, owner.publicKey), register({ id })]);
    }
  });

  it('accepts an id that fills all 32 bytes', () => {
    const { world, owner, key, register } = setup();
    const id = meterIdBytes('0123456789abcdefABCDEF._-0123456');
    world.must([world.consent(key, id, owner.publicKey), register({ id })], [owner, world.registrar]);
  });

  it('refuses rated power of zero and above the limit, and accepts the limit', () => {
    const { world, owner, register, consent, refused } = setup();
    refused('RatedPowerInvalid', [consent, register({ watts: 0 })]);
    refused('RatedPowerInvalid', [consent, register({ watts: 100_001 })]);
    world.must([consent, register({ watts: 100_000 })], [owner, world.registrar]);
  });

  it('refuses while paused', () => {
    const { world, register, consent, refused } = setup();
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    refused('Paused', [consent, register()]);
  });

  describe("the key's consent", () => {
    it('has to be in the instruction right before', () => {
      const { world, owner, register, consent, refused } = setup();
      refused('SignatureMissing', [register()]);
      refused('SignatureMissing', [register(), consent]);
      const other = world.registerUser(owner.publicKey);
      refused('SignatureMissing', [consent, world.verifyUser(owner.publicKey), register()]);
      expect(other.programId).toEqual(register().programId);
    });

    it('has to be by the key that is registered', () => {
      const { world, owner, id, register, refused } = setup();
      refused('KeyMismatch', [world.consent(Keypair.generate(), id, owner.publicKey), register()]);
    });

    it('has to name this network, this meter and this owner', () => {
      const { world, owner, key, id, register, refused } = setup();
      const other = world.user().publicKey;
      const bytes = [
        consentBytes(new Uint8Array(32), id, owner.publicKey),
        consentBytes(world.network, meterIdBytes('METER-002'), owner.publicKey),
        consentBytes(world.network, id, other),
      ];
      for (const message of bytes) refused('ConsentMismatch', [ed25519([signed(key, message)]), register()]);
    });

    it('has to be a GTXM message of 100 bytes', () => {
      const { world, owner, key, id, register, refused } = setup();
      const good = consentBytes(world.network, id, owner.publicKey);
      const wrongMagic = consentBytes(world.network, id, owner.publicKey, 'GTXA');
      const reading: Reading = {
        flags: 0,
        sequence: 1n,
        start: 1,
        end: 2,
        produced: 0n,
        consumed: 0n,
        surplus: 0n,
      };
      for (const message of [
        wrongMagic,
        good.subarray(0, 99),
        Buffer.concat([good, Buffer.of(0)]),
        readingBytes(reading),
      ]) {
        refused('MessageInvalid', [ed25519([signed(key, message)]), register()]);
      }
    });

    it('has to be the only signature', () => {
      const { world, owner, key, id, register, refused } = setup();
      const good = signed(key, consentBytes(world.network, id, owner.publicKey));
      refused('SignatureCount', [ed25519([good, good]), register()]);
    });

    it('cannot be forged: a changed byte fails in the Ed25519 program', () => {
      const { world, owner, key, id, register } = setup();
      const good = signed(key, consentBytes(world.network, id, owner.publicKey));
      const message = Buffer.from(good.message);
      message[50] = (message[50] as number) ^ 1;
      const result = world.send([ed25519([{ ...good, message }]), register()], [owner, world.registrar]);
      expect([result.ok, result.failedAt]).toEqual([false, 0]);
    });
  });

  it('refuses wrong accounts', () => {
    const { world, owner, register, consent } = setup();
    refusesWrongAccounts(
      world,
      'registry',
      'register_meter',
      [consent, register()],
      [owner, world.registrar],
      {
        payer: {
          other: 'accepted',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        owner: { other: 'UserMismatch', unsigned: 'MissingRequiredSignature' },
        registrar: { other: 'NotRegistrar', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
        user: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
        meter: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        meter_key: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        instructions: { other: 'InvalidArgument' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
