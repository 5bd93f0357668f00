import { describe, expect, it } from 'vitest';
import { BOOK_BYTES, CertificatesWorld } from './certificates.js';
import { refusesWrongAccounts, type WrongAccount } from './support.js';

const ACCOUNTS: Record<string, WrongAccount> = {
  owner: {
    other: 'NotBookOwner',
    unsigned: 'MissingRequiredSignature',
    readonly: 'MissingRequiredSignature',
  },
  book: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
};

describe('set_auto_issue', () => {
  it('opts in and out', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    const result = world.must([world.setAutoIssue(meter, true, 5n)], [meter.owner]);
    expect(world.event(result, 'AutoIssueSet')).toEqual({
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      meter_id: [...meter.id],
      owner: meter.owner.publicKey.toBase58(),
      enabled: true,
      min_energy_nkwh: 5n,
      timestamp: BigInt(world.now()),
    });
    expect(world.bookState(meter)).toMatchObject({ auto: 1, min: 5n });
    world.must([world.setAutoIssue(meter, false)], [meter.owner]);
    expect(world.bookState(meter)).toMatchObject({ auto: 0, min: 0n });
  });

  it("is the book's owner's alone", () => {
    const world = new CertificatesWorld();
    const [meter, other] = [world.withBook(), world.withBook()];
    const stranger = other.owner;
    const set = world.setAutoIssue(meter, true, 0n, { owner: stranger.publicKey });
    world.refused('NotBookOwner', [set], [stranger]);
    const moved = world.handOver(meter, world.user());
    world.must([world.adoptBook(moved)]);
    world.refused('NotBookOwner', [world.setAutoIssue(meter, true)], [meter.owner]);
    refusesWrongAccounts(
      world,
      'certificates',
      'set_auto_issue',
      [world.setAutoIssue(moved, true)],
      [moved.owner],
      ACCOUNTS,
    );
  });
});

describe('withdraw_funds', () => {
  it('returns lamports, never those that keep the book alive', () => {
    const world = new CertificatesWorld();
    const meter = world.withBook();
    world.refused('FundsTooLow', [world.withdrawFunds(meter, 1n)], [meter.owner]);
    world.fundBook(meter, 500n);
    world.refused('FundsTooLow', [world.withdrawFunds(meter, 501n)], [meter.owner]);
    world.refused('FundsTooLow', [world.withdrawFunds(meter, 2n ** 64n - 1n)], [meter.owner]);
    world.refused('ZeroAmount', [world.withdrawFunds(meter, 0n)], [meter.owner]);
    const before = world.lamports(meter.owner.publicKey);
    const result = world.must([world.withdrawFunds(meter, 500n)], [meter.owner]);
    expect(world.event(result, 'FundsWithdrawn')).toEqual({
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      owner: meter.owner.publicKey.toBase58(),
      lamports: 500n,
      timestamp: BigInt(world.now()),
    });
    expect(world.lamports(meter.owner.publicKey)).toBe(before + 500n);
    expect(world.lamports(world.book(meter))).toBe(world.rent(BOOK_BYTES));
  });

  it("is the book's owner's alone", () => {
    const world = new CertificatesWorld();
    const [meter, other] = [world.withBook(), world.withBook()];
    world.fundBook(meter, 500n);
    const steal = world.withdrawFunds(meter, 500n, { owner: other.owner.publicKey });
    world.refused('NotBookOwner', [steal], [other.owner]);
    refusesWrongAccounts(
      world,
      'certificates',
      'withdraw_funds',
      [world.withdrawFunds(meter, 500n)],
      [meter.owner],
      ACCOUNTS,
    );
  });
});
