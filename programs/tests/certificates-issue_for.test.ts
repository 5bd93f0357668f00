import type { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { BOOK_BYTES, CERTIFICATE_BYTES, CertificatesWorld, KWH } from './certificates.js';
import { refusesWrongAccounts, type TestMeter } from './support.js';

/** A meter whose owner has opted in, with 1 kWh settled. */
function optedIn(min = 0n): { world: CertificatesWorld; meter: TestMeter; collector: Keypair } {
  const world = new CertificatesWorld();
  const meter = world.withBook();
  world.must([world.setAutoIssue(meter, true, min)], [meter.owner]);
  world.produce(meter);
  const collector = world.key();
  world.fund(collector.publicKey);
  return { world, meter, collector };
}

describe('issue_for', () => {
  it('lets anybody issue all that is settled to an owner who opted in', () => {
    const { world, meter, collector } = optedIn();
    const issue = world.issueFor(meter, false, { payer: collector.publicKey });
    const result = world.must([issue], [collector]);
    expect(world.event(result, 'CertificateIssued')).toMatchObject({
      producer: meter.owner.publicKey.toBase58(),
      to_total: KWH,
      automatic: 1,
    });
    expect(world.certificateState(world.certificate(meter, 1n))).toMatchObject({
      holder: meter.owner.publicKey,
      rentPayer: collector.publicKey,
    });
    world.refused('NothingToCertify', [world.issueFor(meter, false)]);
    world.produce(meter, 5n);
    world.must([world.issueFor(meter, false)]);
    expect(world.bookState(meter)).toMatchObject({ certified: KWH + 5n, serial: 3n });
  });

  it("pays the rent out of the book's lamports, to the base unit", () => {
    const { world, meter, collector } = optedIn();
    const rent = world.rent(CERTIFICATE_BYTES);
    const issue = () => world.issueFor(meter, true, { payer: collector.publicKey });
    world.refused('FundsTooLow', [issue()], [collector]);
    world.fundBook(meter, rent - 1n);
    world.refused('FundsTooLow', [issue()], [collector]);
    world.fundBook(meter, 1n);
    const before = world.lamports(collector.publicKey);
    world.must([issue()], [collector]);
    expect(world.lamports(collector.publicKey)).toBe(before);
    expect(world.lamports(world.book(meter))).toBe(world.rent(BOOK_BYTES));
    expect(world.certificateState(world.certificate(meter, 1n))?.rentPayer).toEqual(meter.owner.publicKey);
  });

  it('takes no more than it spent where somebody paid a part of the rent before', () => {
    const { world, meter, collector } = optedIn();
    const rent = world.rent(CERTIFICATE_BYTES);
    world.fundBook(meter, rent);
    world.svm.airdrop(world.certificate(meter, 1n).toBase58() as never, 1_000_000n as never);
    const before = world.lamports(collector.publicKey);
    world.must([world.issueFor(meter, true, { payer: collector.publicKey })], [collector]);
    expect(world.lamports(collector.publicKey)).toBe(before);
    expect(world.lamports(world.book(meter))).toBe(world.rent(BOOK_BYTES) + 1_000_000n);
  });

  it("respects the owner's least amount", () => {
    const { world, meter } = optedIn(2n * KWH);
    world.refused('BelowMinimum', [world.issueFor(meter, false)]);
    world.produce(meter, KWH - 1n);
    world.refused('BelowMinimum', [world.issueFor(meter, false)]);
    world.produce(meter, 1n);
    world.must([world.issueFor(meter, false)]);
    expect(world.certificateState(world.certificate(meter, 1n))).toMatchObject({ from: 0n, to: 2n * KWH });
  });

  it('is refused without an opt-in, after an opt-out, and after the meter changed owners', () => {
    const { world, meter } = optedIn();
    world.must([world.setAutoIssue(meter, false)], [meter.owner]);
    world.refused('NotOptedIn', [world.issueFor(meter, false)]);
    world.must([world.setAutoIssue(meter, true)], [meter.owner]);
    const sold = world.handOver(meter, world.user());
    world.refused('BookNotAdopted', [world.issueFor(sold, false)]);
    world.must([world.adoptBook(sold)]);
    world.produce(sold);
    world.refused('NotOptedIn', [world.issueFor(sold, false)]);
  });

  it('is refused for a suspended meter, and for the accounts of another', () => {
    const { world, meter } = optedIn();
    const other = world.withBook();
    world.refused('WrongBook', [world.issueFor(meter, false, { meter: other.address })]);
    world.refused('WrongBook', [world.issueFor(meter, false, { book: world.book(other) })]);
    const later = { certificate: world.certificate(meter, 2n) };
    world.refused('WrongCertificate', [world.issueFor(meter, false, later)]);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [world.issueFor(meter, false)]);
  });

  it('refuses wrong accounts', () => {
    const { world, meter } = optedIn();
    refusesWrongAccounts(world, 'certificates', 'issue_for', [world.issueFor(meter, false)], [], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'WrongBook', copy: 'WrongBook' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      certificate: { other: 'WrongCertificate', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
