import { describe, expect, it } from 'vitest';
import { CERTIFICATE_BYTES, CERTIFICATES, CertificatesWorld, KWH, SOLAR } from './certificates.js';
import { ALLOWED_IN_900_S, refusesWrongAccounts } from './support.js';

describe('issue', () => {
  it('certifies what is settled, to its producer', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    const opened = meter.last.end;
    world.produce(meter);
    const certificate = world.certificate(meter, 1n);
    const result = world.must([world.issue(meter, KWH)], [meter.owner]);
    const owner = meter.owner.publicKey;
    expect(world.event(result, 'CertificateIssued')).toEqual({
      certificate: certificate.toBase58(),
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      meter_id: [...meter.id],
      producer: owner.toBase58(),
      attested_by: world.registrar.publicKey.toBase58(),
      serial: 1n,
      from_total: 0n,
      to_total: KWH,
      certified_total: KWH,
      timestamp: BigInt(world.now()),
      period_start: opened,
      period_end: meter.last.end,
      source: SOLAR,
      automatic: 0,
    });
    expect(world.certificateState(certificate)).toEqual({
      book: world.book(meter),
      meter: meter.address,
      producer: owner,
      holder: owner,
      attestedBy: world.registrar.publicKey,
      rentPayer: world.payer.publicKey,
      serial: 1n,
      splitFrom: 0n,
      from: 0n,
      to: KWH,
      issuedAt: BigInt(world.now()),
      periodStart: opened,
      periodEnd: meter.last.end,
      source: SOLAR,
    });
    expect(world.lamports(certificate)).toBe(world.rent(CERTIFICATE_BYTES));
    expect(world.bookState(meter)).toMatchObject({ certified: KWH, live: KWH, count: 1n, serial: 2n });
  });

  it('certifies no nkWh twice', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    const opened = meter.last.end;
    world.produce(meter);
    world.must([world.issue(meter, KWH - 1n)], [meter.owner]);
    world.refused('NotSettled', [world.issue(meter, 2n)], [meter.owner]);
    // The last nkWh was produced in the same period, or later.
    world.must([world.issue(meter, 1n)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 2n))).toMatchObject({
      from: KWH - 1n,
      to: KWH,
      periodStart: opened,
    });
    world.refused('NotSettled', [world.issue(meter, 1n)], [meter.owner]);
    const first = meter.last.end;
    world.produce(meter);
    world.refused('NotSettled', [world.issue(meter, KWH + 1n)], [meter.owner]);
    world.refused('NotSettled', [world.issue(meter, 2n ** 64n - 1n)], [meter.owner]);
    world.must([world.issue(meter, KWH)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 3n))).toMatchObject({
      from: KWH,
      to: 2n * KWH,
      periodStart: first,
      periodEnd: meter.last.end,
    });
  });

  it('needs settled energy: eligible, held and minted balances do not matter', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.refused('NotSettled', [world.issue(meter, 1n)], [meter.owner]);
    world.refused('ZeroAmount', [world.issue(meter, 0n)], [meter.owner]);
    const opened = meter.last.end;
    world.accept(meter, { made: ALLOWED_IN_900_S + 7n, used: 0n });
    world.refused('NotSettled', [world.issue(meter, 1n)], [meter.owner]);
    world.must([world.settleAndMint(meter)]);
    world.must([world.issue(meter, ALLOWED_IN_900_S)], [meter.owner]);
    // What was held was produced in that period: the next one starts where this one did.
    world.must([world.review('release_held', meter, 1n), world.settle(meter)], [world.registrar]);
    world.must([world.issue(meter, 7n)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 2n))).toMatchObject({
      from: ALLOWED_IN_900_S,
      periodStart: opened,
      periodEnd: meter.last.end,
    });
    expect(world.bookState(meter).periodStart).toBe(meter.last.end);
  });

  it('keeps a period open while some of it is read and not settled', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    const opened = meter.last.end;
    world.produce(meter);
    world.accept(meter, { made: KWH, used: 0n });
    world.must([world.issue(meter, KWH)], [meter.owner]);
    expect(world.bookState(meter).periodStart).toBe(opened);
    world.must([world.settle(meter)]);
    world.must([world.issue(meter, KWH)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 2n))).toMatchObject({ periodStart: opened });
  });

  it("is for the meter's owner, whose book it is", () => {
    const world = new CertificatesWorld();
    const [meter, other] = [world.withBook(), world.withBook()];
    world.produce(meter);
    const [owner, stranger] = [meter.owner, other.owner];
    world.refused('NotBookOwner', [world.issue(meter, KWH, { owner: stranger.publicKey })], [stranger]);
    world.refused('WrongBook', [world.issue(meter, KWH, { meter: other.address })], [owner]);
    const others = { book: world.book(other), owner: stranger.publicKey };
    world.refused('WrongBook', [world.issue(meter, KWH, others)], [stranger]);
    const foreign = { certificate: world.certificate(other, 1n) };
    world.refused('WrongCertificate', [world.issue(meter, KWH, foreign)], [owner]);
    const later = { certificate: world.certificate(meter, 2n) };
    world.refused('WrongCertificate', [world.issue(meter, KWH, later)], [owner]);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [world.issue(meter, KWH)], [owner]);
  });

  it('lets anybody pay, and takes an address where somebody sent lamports before', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.produce(meter);
    world.svm.airdrop(world.certificate(meter, 1n).toBase58() as never, 5_000_000n as never);
    world.must([world.issue(meter, 1n, { payer: meter.owner.publicKey })], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 1n))?.rentPayer).toEqual(meter.owner.publicKey);
  });

  it('takes meters of the registry alone', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.produce(meter);
    // No instruction makes a book of such a meter; one is written here to see the check.
    const fake = world.forgedCopy(meter.address);
    const bytes = world.dataOf(world.book(meter));
    bytes.set(fake.toBytes(), 8);
    const book = world.forgedCopy(world.book(meter));
    world.setAccount(book, CERTIFICATES, bytes);
    world.refused('WrongMeter', [world.issue(meter, KWH, { meter: fake, book })], [meter.owner]);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.produce(meter);
    refusesWrongAccounts(world, 'certificates', 'issue', [world.issue(meter, KWH)], [meter.owner], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      owner: { other: 'NotBookOwner', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'WrongBook', copy: 'WrongBook' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      certificate: { other: 'WrongCertificate', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
