import { describe, expect, it } from 'vitest';
import {
  CertificatesWorld,
  certificatesIdl,
  certificatesPda,
  KWH,
  padded,
  RETIREMENT_BYTES,
  textOf,
} from './certificates.js';
import { refusesWrongAccounts, type TestMeter } from './support.js';

const LONGEST = 'é'.repeat(48);

describe("certificates' retire", () => {
  it('closes the certificate and leaves a record for good', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const before = world.certificateState(certificate);
    const [buyer, payer, feePayer] = [world.key(), world.key(), world.key()];
    for (const { publicKey } of [payer, feePayer]) world.fund(publicKey);
    world.must([world.give(certificate, meter.owner.publicKey, buyer.publicKey)], [meter.owner]);
    const lamports = [world.lamports(payer.publicKey), world.lamports(world.payer.publicKey)];
    const record = certificatesPda.retirement(certificate);
    const rent = world.lamports(certificate);
    const result = world.must(
      [
        world.retireCertificate(
          meter,
          certificate,
          {
            holder: buyer.publicKey,
            beneficiary: padded(LONGEST, 96),
            reason: padded('Tōkyō office, 2023', 128),
          },
          { payer: payer.publicKey },
        ),
      ],
      [buyer, payer],
      { payer: feePayer },
    );
    const event = world.event(result, 'CertificateRetired');
    expect(event).toMatchObject({
      certificate: certificate.toBase58(),
      retirement: record.toBase58(),
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      producer: meter.owner.publicKey.toBase58(),
      retired_by: buyer.publicKey.toBase58(),
      serial: 1n,
      from_total: 0n,
      to_total: KWH,
      retired_total: KWH,
      timestamp: BigInt(world.now()),
      period_start: before?.periodStart,
      period_end: before?.periodEnd,
      source: before?.source,
    });
    expect(textOf(event.beneficiary as number[])).toBe(LONGEST);
    const written = world.decode('certificates', 'Retirement', record);
    expect(written).toMatchObject({
      certificate,
      meter: meter.address,
      meter_id: [...meter.id],
      producer: meter.owner.publicKey,
      retired_by: buyer.publicKey,
      attested_by: world.registrar.publicKey,
      period_start: before?.periodStart,
      period_end: before?.periodEnd,
      source: before?.source,
    });
    expect([written.from_total, written.to_total, written.retired_at].map(String)).toEqual(
      [0n, KWH, world.now()].map(String),
    );
    expect([textOf(written.beneficiary), textOf(written.reason)]).toEqual([LONGEST, 'Tōkyō office, 2023']);
    expect(world.account(certificate)).toBeUndefined();
    expect(world.bookState(meter)).toMatchObject({ certified: KWH, live: 0n, retired: KWH, count: 0n });
    expect(world.lamports(world.payer.publicKey)).toBe((lamports[1] as bigint) + rent);
    expect(world.lamports(payer.publicKey)).toBe((lamports[0] as bigint) - world.rent(RETIREMENT_BYTES));
  });

  it('happens once, and its address and record are never used again', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const retire = world.retireCertificate(meter, certificate);
    world.must([retire], [meter.owner]);
    world.refused('AccountDataTooSmall', [retire], [meter.owner]);
    const next = world.certified(meter);
    expect(next).toEqual(world.certificate(meter, 2n));
    const onto = { retirement: certificatesPda.retirement(certificate) };
    world.refused('WrongRetirement', [world.retireCertificate(meter, next, {}, onto)], [meter.owner]);
    const reopened = { certificate };
    world.produce(meter);
    world.refused('WrongCertificate', [world.issue(meter, 1n, reopened)], [meter.owner]);
  });

  it('has no instruction that changes or closes a record', () => {
    const writers = certificatesIdl.instructions
      .filter(({ accounts }) => accounts.some(({ name }) => name === 'retirement'))
      .map(({ name }) => name);
    expect(writers).toEqual(['retire']);
  });

  it('needs readable texts', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const refused = (error: string, options: Parameters<CertificatesWorld['retireCertificate']>[2]) =>
      world.refused(error, [world.retireCertificate(meter, certificate, options)], [meter.owner]);
    for (const text of ['', '   ', 'a\0b', 'a\nb', '\u001b[31mred', 'a\u202eb', 'a\u0085b']) {
      refused('BeneficiaryInvalid', { beneficiary: padded(text, 96) });
    }
    refused('BeneficiaryInvalid', { beneficiary: padded(Uint8Array.of(0xff, 0xfe), 96) });
    // A character cut in two at the end of the field.
    refused('BeneficiaryInvalid', { beneficiary: padded(`a${LONGEST}`, 96) });
    refused('ReasonInvalid', { reason: padded('a\nb', 128) });
    refused('ReasonInvalid', { reason: padded(Uint8Array.of(0x80), 128) });
    const full = { beneficiary: padded('x'.repeat(96), 96), reason: padded('', 128) };
    world.must([world.retireCertificate(meter, certificate, full)], [meter.owner]);
  });

  it('is for the holder, with the book of its meter; the rent goes back to whoever paid', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const { meter: other } = world.withCertificate();
    const thief = other.owner;
    const as = (holder: TestMeter['owner'], accounts = {}) =>
      world.retireCertificate(meter, certificate, { holder: holder.publicKey }, accounts);
    world.refused('NotHolder', [as(thief)], [thief]);
    world.refused('CertificateOfOtherBook', [as(meter.owner, { book: world.book(other) })], [meter.owner]);
    world.refused('WrongRentPayer', [as(meter.owner, { rent_payer: meter.owner.publicKey })], [meter.owner]);
    world.fund(certificatesPda.retirement(certificate));
    world.must([as(meter.owner)], [meter.owner]);
  });

  it('retires a part alone', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const part = world.certificate(meter, 2n);
    world.must([world.split(meter, certificate, 3n)], [meter.owner]);
    world.must([world.retireCertificate(meter, part)], [meter.owner]);
    expect(world.bookState(meter)).toMatchObject({ certified: KWH, live: KWH - 3n, retired: 3n, count: 1n });
    const written = world.decode('certificates', 'Retirement', certificatesPda.retirement(part));
    expect([written.serial, written.split_from, written.from_total].map(String)).toEqual(
      [2n, 1n, KWH - 3n].map(String),
    );
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    // Not the payer of the certificate: one account in two places is writable in both.
    const payer = world.key();
    world.fund(payer.publicKey);
    const retire = world.retireCertificate(meter, certificate, {}, { payer: payer.publicKey });
    refusesWrongAccounts(world, 'certificates', 'retire', [retire], [meter.owner, payer], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      holder: { other: 'NotHolder', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      certificate: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      retirement: { other: 'WrongRetirement', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
