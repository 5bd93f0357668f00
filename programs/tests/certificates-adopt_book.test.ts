import { describe, expect, it } from 'vitest';
import { BOOK_BYTES, CertificatesWorld, KWH } from './certificates.js';
import { ALLOWED_IN_900_S, refusesWrongAccounts } from './support.js';

describe('adopt_book', () => {
  it("gives the book to the meter's new owner, from where the former one's energy ends", () => {
    const world = new CertificatesWorld();
    const { meter: sold, certificate } = world.withCertificate();
    world.must([world.setAutoIssue(sold, true, 7n)], [sold.owner]);
    world.produce(sold, 400n);
    const meter = world.handOver(sold, world.user());
    const { end } = meter.last;
    // The new owner's energy before anybody adopts the book is not lost.
    world.produce(meter, 50n);
    const result = world.must([world.adoptBook(meter)]);
    expect(world.event(result, 'BookAdopted')).toEqual({
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      meter_id: [...meter.id],
      former_owner: sold.owner.publicKey.toBase58(),
      owner: meter.owner.publicKey.toBase58(),
      next_total: KWH + 400n,
      lapsed: 400n,
      period_start: end,
      refunded_lamports: 0n,
      timestamp: BigInt(world.now()),
    });
    expect(world.bookState(meter)).toMatchObject({
      owner: meter.owner.publicKey,
      auto: 0,
      min: 0n,
      lapsed: 400n,
      certified: KWH,
      transfers: 1,
    });
    world.refused('NotBookOwner', [world.issue(sold, 50n)], [sold.owner]);
    world.refused('NotSettled', [world.issue(meter, 51n)], [meter.owner]);
    world.must([world.issue(meter, 50n)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 2n))).toMatchObject({
      from: KWH + 400n,
      to: KWH + 450n,
      producer: meter.owner.publicKey,
      periodStart: end,
    });
    // What the former owner certified stays his.
    expect(world.certificateState(certificate)?.holder).toEqual(sold.owner.publicKey);
  });

  it('has to come first: neither the former nor the new owner issues before', () => {
    const world = new CertificatesWorld();
    const sold = world.withBook();
    world.produce(sold);
    const meter = world.handOver(sold, world.user());
    world.refused('BookNotAdopted', [world.issue(sold, KWH)], [sold.owner]);
    world.refused('NotBookOwner', [world.issue(meter, KWH)], [meter.owner]);
    world.must([world.adoptBook(meter)]);
    world.refused('NotSettled', [world.issue(meter, 1n)], [meter.owner]);
  });

  it("keeps another's energy from an owner who sold the meter and bought it back", () => {
    const world = new CertificatesWorld();
    const first = world.withBook();
    const second = world.handOver(first, world.user());
    world.produce(second);
    const third = world.handOver(second, first.owner);
    world.produce(third, 5n);
    world.refused('BookNotAdopted', [world.issue(third, KWH)], [first.owner]);
    world.must([world.adoptBook(third)]);
    world.refused('NotSettled', [world.issue(third, 6n)], [first.owner]);
    world.must([world.issue(third, 5n)], [first.owner]);
    expect(world.bookState(third)).toMatchObject({ lapsed: KWH, certified: 5n, transfers: 2 });
  });

  it('returns what is left for rent to the former owner', () => {
    const world = new CertificatesWorld();
    const sold = world.withBook();
    world.fundBook(sold, 3_000_000n);
    const before = world.lamports(sold.owner.publicKey);
    const meter = world.handOver(sold, world.user());
    const result = world.must([world.adoptBook(meter)]);
    expect(world.event(result, 'BookAdopted')).toMatchObject({ refunded_lamports: 3_000_000n });
    expect(world.lamports(sold.owner.publicKey)).toBe(before + 3_000_000n);
    expect(world.lamports(world.book(meter))).toBe(world.rent(BOOK_BYTES));
    const wrong = { former_owner: world.payer.publicKey };
    world.refused('WrongFormerOwner', [world.adoptBook(meter, wrong)]);
  });

  it('is not stopped by a former owner whose wallet is gone', () => {
    const world = new CertificatesWorld();
    const sold = world.withBook();
    world.fundBook(sold, 1_000n);
    const meter = world.handOver(sold, world.user());
    const account = sold.owner.publicKey;
    world.svm.setAccount({
      address: account.toBase58() as never,
      programAddress: '11111111111111111111111111111111' as never,
      data: new Uint8Array(),
      executable: false,
      lamports: 0n as never,
      space: 0n,
    });
    const result = world.must([world.adoptBook(meter)]);
    // Too little to open an account with: it stays for the new owner's rent.
    expect(world.event(result, 'BookAdopted')).toMatchObject({ refunded_lamports: 0n });
    expect(world.lamports(world.book(meter))).toBe(world.rent(BOOK_BYTES) + 1_000n);
  });

  it('is refused while the book is its owner’s, and with the accounts of another meter', () => {
    const world = new CertificatesWorld();
    const [meter, other] = [world.withBook(), world.withBook()];
    world.refused('NothingToAdopt', [world.adoptBook(meter)]);
    const moved = world.handOver(other, world.user());
    world.refused('WrongBook', [world.adoptBook(meter, { meter: moved.address })]);
    world.must([world.adoptBook(moved)]);
    world.refused('NothingToAdopt', [world.adoptBook(moved)]);
  });

  it('lets everything settled lapse where the registry did not count the transfer', () => {
    const world = new CertificatesWorld();
    const sold = world.withBook();
    world.produce(sold);
    const meter = world.handOver(sold, world.user(), false);
    world.refused('BookNotAdopted', [world.issue(sold, KWH)], [sold.owner]);
    world.accept(meter, { made: ALLOWED_IN_900_S + 5n, used: 0n });
    world.refused('MeterNotSettled', [world.adoptBook(meter)]);
    world.must([world.settle(meter)]);
    world.refused('MeterNotSettled', [world.adoptBook(meter)]);
    world.must([world.review('write_off_held', meter, 2n)], [world.registrar]);
    const result = world.must([world.adoptBook(meter)]);
    expect(world.event(result, 'BookAdopted')).toMatchObject({
      next_total: KWH + ALLOWED_IN_900_S,
      lapsed: KWH + ALLOWED_IN_900_S,
      period_start: meter.last.end,
    });
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const meter = world.handOver(world.withBook(), world.user());
    refusesWrongAccounts(world, 'certificates', 'adopt_book', [world.adoptBook(meter)], [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'WrongBook', copy: 'WrongBook' },
      book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      former_owner: { other: 'WrongFormerOwner', readonly: 'ConstraintMut' },
    });
  });
});
