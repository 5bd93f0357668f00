import { describe, expect, it } from 'vitest';
import { CertificatesWorld, KWH, SOLAR, WIND } from './certificates.js';
import { ALLOWED_IN_900_S, refusesWrongAccounts } from './support.js';

describe('set_source', () => {
  it('attests another source from now on; what is not certified lapses', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    world.produce(meter, 30n);
    const result = world.must([world.setSource(meter, WIND)], [world.registrar]);
    expect(world.event(result, 'SourceAttested')).toEqual({
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      meter_id: [...meter.id],
      attested_by: world.registrar.publicKey.toBase58(),
      source: WIND,
      next_total: KWH + 30n,
      lapsed: 30n,
      period_start: meter.last.end,
      timestamp: BigInt(world.now()),
    });
    expect(world.certificateState(certificate)?.source).toBe(SOLAR);
    const next = world.certified(meter);
    expect(world.certificateState(next)).toMatchObject({ source: WIND, from: KWH + 30n });
  });

  it('waits until what was read before is settled and reviewed', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.accept(meter, { made: ALLOWED_IN_900_S + 5n, used: 0n });
    world.refused('MeterNotSettled', [world.setSource(meter, WIND)], [world.registrar]);
    world.must([world.settle(meter)]);
    world.refused('MeterNotSettled', [world.setSource(meter, WIND)], [world.registrar]);
    world.must([world.review('release_held', meter, 1n), world.settle(meter)], [world.registrar]);
    world.must([world.setSource(meter, WIND)], [world.registrar]);
  });

  it("is the registry's registrar's alone, for the meter's own book", () => {
    const world = new CertificatesWorld();
    const [meter, other] = [world.withBook(), world.withBook()];
    for (const signer of [meter.owner, world.guardian, world.upgradeAuthority]) {
      const set = world.setSource(meter, WIND, { registrar: signer.publicKey });
      world.refused('NotRegistrar', [set], [signer]);
    }
    world.refused('WrongBook', [world.setSource(meter, WIND, { meter: other.address })], [world.registrar]);
    world.refused('SourceUnchanged', [world.setSource(meter, SOLAR)], [world.registrar]);
    for (const source of [0, 9]) {
      world.refused('SourceInvalid', [world.setSource(meter, source)], [world.registrar]);
    }
    const sold = world.handOver(other, world.user());
    world.refused('BookNotAdopted', [world.setSource(sold, WIND)], [world.registrar]);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [world.setSource(meter, WIND)], [world.registrar]);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    const set = world.setSource(meter, WIND);
    refusesWrongAccounts(world, 'certificates', 'set_source', [set], [world.registrar], {
      registrar: { other: 'NotRegistrar', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      registry_config: {
        other: 'WrongRegistryConfig',
        copy: 'WrongRegistryConfig',
        twin: 'WrongRegistryConfig',
      },
      meter: { other: 'WrongBook', copy: 'WrongBook' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
