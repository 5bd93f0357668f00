import { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { CertificatesWorld, KWH } from './certificates.js';
import { refusesWrongAccounts } from './support.js';

describe("certificates' transfer", () => {
  it('gives a certificate to another holder, who can give it on', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const [owner, buyer, third] = [meter.owner, world.key(), world.key()];
    const before = world.certificateState(certificate);
    const result = world.must([world.give(certificate, owner.publicKey, buyer.publicKey)], [owner]);
    expect(world.event(result, 'CertificateTransferred')).toEqual({
      certificate: certificate.toBase58(),
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      old_holder: owner.publicKey.toBase58(),
      new_holder: buyer.publicKey.toBase58(),
      serial: 1n,
      from_total: 0n,
      to_total: KWH,
      timestamp: BigInt(world.now()),
    });
    expect(world.certificateState(certificate)).toEqual({ ...before, holder: buyer.publicKey });
    world.refused('NotHolder', [world.give(certificate, owner.publicKey, third.publicKey)], [owner]);
    world.must([world.give(certificate, buyer.publicKey, third.publicKey)], [buyer]);
  });

  it('refuses nobody and oneself as the new holder', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    for (const holder of [PublicKey.default, meter.owner.publicKey]) {
      world.refused('HolderInvalid', [world.give(certificate, meter.owner.publicKey, holder)], [meter.owner]);
    }
  });

  it('moves no retired certificate', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    world.must([world.retireCertificate(meter, certificate)], [meter.owner]);
    const buyer = world.key().publicKey;
    world.refused(
      'AccountDataTooSmall',
      [world.give(certificate, meter.owner.publicKey, buyer)],
      [meter.owner],
    );
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const give = world.give(certificate, meter.owner.publicKey, world.key().publicKey);
    refusesWrongAccounts(world, 'certificates', 'transfer', [give], [meter.owner], {
      holder: { other: 'NotHolder', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      certificate: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
