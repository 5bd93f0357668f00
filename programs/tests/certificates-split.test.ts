import { describe, expect, it } from 'vitest';
import { CERTIFICATE_BYTES, CertificatesWorld, KWH } from './certificates.js';
import { refusesWrongAccounts } from './support.js';

describe('split', () => {
  it('makes the last part a certificate of its own', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const whole = world.certificateState(certificate);
    const issuedAt = whole?.issuedAt;
    world.setClock(world.now() + 60);
    const part = world.certificate(meter, 2n);
    const result = world.must([world.split(meter, certificate, KWH / 4n)], [meter.owner]);
    expect(world.event(result, 'CertificateSplit')).toEqual({
      certificate: certificate.toBase58(),
      part: part.toBase58(),
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      holder: meter.owner.publicKey.toBase58(),
      serial: 1n,
      part_serial: 2n,
      from_total: 0n,
      split_total: (KWH * 3n) / 4n,
      to_total: KWH,
      timestamp: BigInt(world.now()),
    });
    expect(world.certificateState(certificate)).toEqual({ ...whole, to: (KWH * 3n) / 4n });
    expect(world.certificateState(part)).toEqual({
      ...whole,
      issuedAt,
      serial: 2n,
      splitFrom: 1n,
      from: (KWH * 3n) / 4n,
      to: KWH,
    });
    expect(world.lamports(part)).toBe(world.rent(CERTIFICATE_BYTES));
    expect(world.bookState(meter)).toMatchObject({ certified: KWH, live: KWH, count: 2n, serial: 3n });
  });

  it('goes down to one nkWh, never to nothing', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate(2n);
    world.refused('ZeroAmount', [world.split(meter, certificate, 0n)], [meter.owner]);
    world.refused('PartTooLarge', [world.split(meter, certificate, 2n)], [meter.owner]);
    world.refused('PartTooLarge', [world.split(meter, certificate, 2n ** 64n - 1n)], [meter.owner]);
    world.must([world.split(meter, certificate, 1n)], [meter.owner]);
    world.refused('PartTooLarge', [world.split(meter, certificate, 1n)], [meter.owner]);
    world.refused('PartTooLarge', [world.split(meter, world.certificate(meter, 2n), 1n)], [meter.owner]);
  });

  it('is for the holder, whoever made the energy, with the book of its meter', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const { meter: other, certificate: foreign } = world.withCertificate();
    const [owner, buyer] = [meter.owner, other.owner];
    const as = (holder: typeof owner, accounts = {}) =>
      world.split(meter, certificate, 1n, holder.publicKey, accounts);
    world.refused('NotHolder', [as(buyer)], [buyer]);
    world.refused('CertificateOfOtherBook', [as(owner, { book: world.book(other) })], [owner]);
    world.refused('NotHolder', [as(owner, { certificate: foreign })], [owner]);
    const taken = { part: world.certificate(meter, 1n) };
    world.refused('ConstraintDuplicateMutableAccount', [as(owner, taken)], [owner]);
    world.refused('WrongCertificate', [as(owner, { part: world.certificate(other, 2n) })], [owner]);
    world.must([world.give(certificate, owner.publicKey, buyer.publicKey)], [owner]);
    world.refused('NotHolder', [as(owner)], [owner]);
    world.must([as(buyer)], [buyer]);
    expect(world.certificateState(world.certificate(meter, 2n))?.holder).toEqual(buyer.publicKey);
  });

  it('works while the meter is suspended or belongs to another: certificates are their holders', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const { owner } = meter;
    world.handOver(meter, world.user());
    world.must([world.split(meter, certificate, 1n)], [owner]);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const split = world.split(meter, certificate, 1n);
    refusesWrongAccounts(world, 'certificates', 'split', [split], [meter.owner], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      holder: { other: 'NotHolder', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      certificate: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      part: { other: 'WrongCertificate', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
