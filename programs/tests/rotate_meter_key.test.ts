import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import {
  consentBytes,
  ed25519,
  pda,
  refusesWrongAccounts,
  signed,
  type TestMeter,
  World,
} from './support.js';

function setup() {
  const world = new World();
  const meter = world.newMeter();
  const next = Keypair.generate();
  const consent = world.consent(next, meter.id, meter.owner.publicKey);
  const rotate = (accounts: Parameters<World['rotate']>[2] = {}) =>
    world.rotate(meter, next.publicKey, accounts);
  return { world, meter, next, consent, rotate };
}

describe('rotate_meter_key', () => {
  it('puts another key in place; sequence, totals and last end stay', () => {
    const { world, meter, next, consent, rotate } = setup();
    world.accept(meter, { sequence: 7n });
    const before = world.meter(meter);
    const result = world.must([consent, rotate()], [meter.owner, world.registrar]);
    const after = world.meter(meter);
    expect(after.publicKey).toEqual(next.publicKey);
    for (const name of [
      'lastSequence',
      'lastEnd',
      'produced',
      'consumed',
      'surplus',
      'basis',
      'eligible',
    ] as const) {
      expect(after[name]).toBe(before[name]);
    }
    const key = (bytes: Uint8Array) => world.decode('registry', 'MeterKey', pda.meterKey(bytes));
    expect(key(meter.key.publicKey.toBytes())).toMatchObject({ active: 0, meter: meter.address });
    expect(Number(key(meter.key.publicKey.toBytes()).until)).toBe(world.now());
    expect(key(next.publicKey.toBytes())).toMatchObject({ active: 1, meter: meter.address });
    expect(result.events).toMatchObject([
      {
        name: 'MeterKeyRotated',
        data: { meter: meter.address, old_public_key: meter.key.publicKey, new_public_key: next.publicKey },
      },
    ]);
  });

  it("refuses the old key's readings from then on, and takes the new one's", () => {
    const { world, meter, next, consent, rotate } = setup();
    world.accept(meter);
    world.must([consent, rotate()], [meter.owner, world.registrar]);
    world.refused('KeyMismatch', world.reading(meter, world.next(meter)));
    world.accept({ ...meter, key: next });
    expect(world.meter(meter).lastSequence).toBe(2n);
  });

  it('refuses a key that was ever used: by this meter before, by another meter now', () => {
    const { world, meter, next, consent, rotate } = setup();
    const other = world.newMeter();
    world.must([consent, rotate()], [meter.owner, world.registrar]);
    const rotated: TestMeter = { ...meter, key: next };
    for (const used of [meter.key, other.key]) {
      world.refused(
        'KeyAlreadyUsed',
        [world.consent(used, meter.id, meter.owner.publicKey), world.rotate(rotated, used.publicKey)],
        [meter.owner, world.registrar],
      );
    }
    // Nor can a retired key start another meter.
    const id = Buffer.alloc(32);
    id.write('METER-X');
    world.refused(
      'KeyAlreadyUsed',
      [
        world.consent(meter.key, id, meter.owner.publicKey),
        world.registerMeter({ id, key: meter.key.publicKey, owner: meter.owner.publicKey }),
      ],
      [meter.owner, world.registrar],
    );
  });

  it('refuses the key that the meter has', () => {
    const { world, meter } = setup();
    world.refused(
      'ConstraintDuplicateMutableAccount',
      [world.consent(meter.key, meter.id, meter.owner.publicKey), world.rotate(meter, meter.key.publicKey)],
      [meter.owner, world.registrar],
    );
  });

  it('needs the owner and the registrar', () => {
    const { world, meter, consent, rotate } = setup();
    const stranger = world.user();
    world.refused(
      'NotMeterOwner',
      [consent, rotate({ owner: stranger.publicKey })],
      [stranger, world.registrar],
    );
    world.refused(
      'NotRegistrar',
      [consent, rotate({ registrar: world.upgradeAuthority.publicKey })],
      [meter.owner, world.upgradeAuthority],
    );
  });

  it("needs the new key's consent to this meter, owner and network", () => {
    const { world, meter, next, consent, rotate } = setup();
    const signers = [meter.owner, world.registrar];
    const other = world.newMeter();
    world.refused('SignatureMissing', [rotate()], signers);
    world.refused(
      'KeyMismatch',
      [world.consent(meter.key, meter.id, meter.owner.publicKey), rotate()],
      signers,
    );
    world.refused(
      'ConsentMismatch',
      [world.consent(next, other.id, meter.owner.publicKey), rotate()],
      signers,
    );
    world.refused(
      'ConsentMismatch',
      [world.consent(next, meter.id, other.owner.publicKey), rotate()],
      signers,
    );
    const elsewhere = ed25519([
      signed(next, consentBytes(new Uint8Array(32), meter.id, meter.owner.publicKey)),
    ]);
    world.refused('ConsentMismatch', [elsewhere, rotate()], signers);
    const magic = ed25519([
      signed(next, consentBytes(world.network, meter.id, meter.owner.publicKey, 'GTX1')),
    ]);
    world.refused('MessageInvalid', [magic, rotate()], signers);
    world.must([consent, rotate()], signers);
  });

  it("refuses another meter's key account in place of the old one", () => {
    const { world, meter, consent, rotate } = setup();
    const other = world.newMeter();
    world.refused(
      'WrongMeterKey',
      [consent, rotate({ old_meter_key: pda.meterKey(other.key.publicKey.toBytes()) })],
      [meter.owner, world.registrar],
    );
  });

  it('works on a suspended meter, which stays suspended: a stolen key is replaced before reactivation', () => {
    const { world, meter, consent, rotate } = setup();
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([consent, rotate()], [meter.owner, world.registrar]);
    expect(world.meter(meter).status).toBe(1);
  });

  it('lets the owner pay, and works where somebody sent lamports before', () => {
    const { world, meter, next, consent, rotate } = setup();
    world.fund(pda.meterKey(next.publicKey.toBytes()));
    world.must([consent, rotate({ payer: meter.owner.publicKey })], [meter.owner, world.registrar]);
  });

  it('refuses while paused', () => {
    const { world, meter, consent, rotate } = setup();
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', [consent, rotate()], [meter.owner, world.registrar]);
  });

  it('refuses wrong accounts', () => {
    const { world, meter, consent, rotate } = setup();
    refusesWrongAccounts(
      world,
      'registry',
      'rotate_meter_key',
      [consent, rotate()],
      [meter.owner, world.registrar],
      {
        payer: {
          other: 'accepted',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        owner: { other: 'NotMeterOwner', unsigned: 'MissingRequiredSignature' },
        registrar: { other: 'NotRegistrar', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
        old_meter_key: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
        new_meter_key: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        instructions: { other: 'InvalidArgument' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
