/*
 * Random sequences of everything that can happen to certificates, by several users, right and wrong, with the books
 * checked after each step against a model of its own. A failure prints its seed; GTX_TEST_SEED repeats it,
 * GTX_FUZZ_STEPS makes the sequences longer.
 */
import { type Keypair, PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BOOK_BYTES,
  CERTIFICATE_BYTES,
  CERTIFICATES,
  CertificatesWorld,
  certificatesPda,
  KWH,
  RETIREMENT_BYTES,
  SOLAR,
  WIND,
} from './certificates.js';
import { untilMet } from './histories.js';
import { pda, type TestMeter } from './support.js';

const USERS = 3;
const METERS = 2;

type Step =
  | { kind: 'produce'; meter: number; percent: number; settle: boolean }
  | { kind: 'settle'; meter: number }
  | { kind: 'issue'; meter: number; user: number | undefined; percent: number }
  | { kind: 'issueFor'; meter: number; fromBook: boolean }
  | { kind: 'optIn'; meter: number; user: number | undefined; enabled: boolean; min: number }
  | { kind: 'split'; certificate: number; user: number | undefined; percent: number }
  | { kind: 'give'; certificate: number; user: number | undefined; to: number }
  | { kind: 'retire'; certificate: number; user: number | undefined }
  | { kind: 'sell'; meter: number; to: number; counted: boolean }
  | { kind: 'adopt'; meter: number }
  | { kind: 'source'; meter: number; source: number }
  | { kind: 'fund'; meter: number; lamports: number }
  | { kind: 'withdraw'; meter: number; user: number | undefined; lamports: number }
  | { kind: 'review'; meter: number; release: boolean }
  | { kind: 'pause'; paused: boolean };

const meter = fc.nat(METERS - 1);
const user = fc.nat(USERS - 1);
/** Who signs: mostly whoever may (undefined), sometimes somebody who might not. */
const signer = fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: user });
const certificate = fc.nat(30);
/** 0 and more than everything included. */
const percent = fc.integer({ min: 0, max: 110 });
const record = <Kind extends Step['kind']>(
  weight: number,
  kind: Kind,
  fields: { [Field in Exclude<keyof Extract<Step, { kind: Kind }>, 'kind'>]: fc.Arbitrary<unknown> },
) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Step>,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  record(10, 'produce', { meter, percent: fc.integer({ min: 0, max: 140 }), settle: fc.boolean() }),
  record(2, 'settle', { meter }),
  record(8, 'issue', { meter, user: signer, percent }),
  record(4, 'issueFor', { meter, fromBook: fc.boolean() }),
  record(3, 'optIn', { meter, user: signer, enabled: fc.boolean(), min: fc.constantFrom(0, 1, 900_000_000) }),
  record(6, 'split', { certificate, user: signer, percent }),
  record(5, 'give', { certificate, user: signer, to: user }),
  record(4, 'retire', { certificate, user: signer }),
  record(2, 'sell', { meter, to: user, counted: fc.constantFrom(true, true, true, false) }),
  record(3, 'adopt', { meter }),
  record(1, 'source', { meter, source: fc.constantFrom(SOLAR, WIND) }),
  record(3, 'fund', { meter, lamports: fc.integer({ min: 1, max: 4_000_000 }) }),
  record(1, 'withdraw', { meter, user: signer, lamports: fc.integer({ min: 1, max: 4_000_000 }) }),
  record(2, 'review', { meter, release: fc.boolean() }),
  record(1, 'pause', { paused: fc.constantFrom(true, false, false, false) }),
);

/** A stretch of a meter's total, and whose it is. */
interface Piece {
  meter: number;
  from: bigint;
  to: bigint;
  holder: string;
  address: string;
}

class Books {
  readonly world = new CertificatesWorld();
  readonly users: Keypair[] = Array.from({ length: USERS }, () => this.world.user());
  readonly meters: TestMeter[] = Array.from({ length: METERS }, (_, index) =>
    this.world.withBook({ owner: this.users[index] as Keypair }),
  );
  live: Piece[] = [];
  retired: Piece[] = [];
  /** For each meter, where each owner's energy lies: what nobody else may certify. */
  readonly owned = this.meters.map((each) => [{ owner: each.owner.publicKey.toBase58(), from: 0n }]);
  counts = { done: 0, refused: 0 };
  uncounted = false;

  key(index: number): Keypair {
    return this.users[index] as Keypair;
  }

  /** The chosen signer, or else the one who may. */
  signer(chosen: number | undefined, rightful: string): Keypair {
    const found = this.users.find(({ publicKey }) => publicKey.toBase58() === rightful);
    return chosen === undefined && found ? found : this.key(chosen ?? 0);
  }

  send(...args: Parameters<CertificatesWorld['send']>): boolean {
    const result = this.world.send(...args);
    this.counts[result.ok ? 'done' : 'refused']++;
    if (!result.ok) {
      expect(result.error, result.logs.join('\n')).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(result.error).not.toMatch(
        /InvariantViolated|ArithmeticOverflow|ProgramFailed|InsufficientFunds/,
      );
    }
    return result.ok;
  }

  run(next: Step): void {
    const { world } = this;
    if (next.kind === 'pause') {
      this.send([world.pauseCertificates(next.paused)], [world.upgradeAuthority]);
      return;
    }
    if (next.kind === 'split' || next.kind === 'give' || next.kind === 'retire') {
      this.move(next);
      return;
    }
    const target = this.meters[next.meter] as TestMeter;
    const { settled, held, eligible } = world.meter(target);
    const book = world.bookState(target);
    const open = settled > book.next ? settled - book.next : 0n;
    const address = world.certificate(target, book.serial);
    if (next.kind === 'produce') {
      const made = (KWH * BigInt(next.percent)) / 100n;
      world.accept(target, { made, used: 0n });
      if (next.settle && world.meter(target).eligible > settled) world.must([world.settle(target)]);
    } else if (next.kind === 'settle') {
      if (eligible > settled) world.must([world.settle(target)]);
    } else if (next.kind === 'issue') {
      const signer = this.signer(next.user, target.owner.publicKey.toBase58());
      const energy = (open * BigInt(next.percent)) / 100n;
      const instruction = world.issue(target, energy, { owner: signer.publicKey });
      if (this.send([instruction], [signer])) {
        expect(signer.publicKey).toEqual(target.owner.publicKey);
        this.issued(next.meter, book.next, book.next + energy, address);
      }
    } else if (next.kind === 'issueFor') {
      if (this.send([world.issueFor(target, next.fromBook)])) {
        expect(book.auto).toBe(1);
        this.issued(next.meter, book.next, settled, address);
      }
    } else if (next.kind === 'optIn') {
      const signer = this.signer(next.user, book.owner.toBase58());
      const accounts = { owner: signer.publicKey };
      const set = world.setAutoIssue(target, next.enabled, BigInt(next.min), accounts);
      expect(this.send([set], [signer])).toBe(signer.publicKey.equals(book.owner));
    } else if (next.kind === 'sell') {
      const buyer = this.key(next.to);
      // The registry refuses a transfer to oneself, and one with energy held.
      if (buyer.publicKey.equals(target.owner.publicKey) || held > 0n) return;
      this.meters[next.meter] = world.handOver(target, buyer, next.counted);
      const from = world.meter(target).settled;
      this.owned[next.meter]?.push({ owner: buyer.publicKey.toBase58(), from });
      if (!next.counted) this.uncounted = true;
    } else if (next.kind === 'adopt') {
      this.send([world.adoptBook(target)]);
    } else if (next.kind === 'source') {
      this.send([world.setSource(target, next.source)], [world.registrar]);
    } else if (next.kind === 'fund') {
      world.fundBook(target, BigInt(next.lamports));
    } else if (next.kind === 'withdraw') {
      const signer = this.signer(next.user, book.owner.toBase58());
      const take = world.withdrawFunds(target, BigInt(next.lamports), { owner: signer.publicKey });
      if (this.send([take], [signer])) expect(signer.publicKey).toEqual(book.owner);
    } else {
      const hold = world.meter(target).holds.find(({ amount }) => amount > 0n);
      const name = next.release ? 'release_held' : 'write_off_held';
      if (hold) world.must([world.review(name, target, hold.sequence)], [world.registrar]);
    }
  }

  move(next: Extract<Step, { kind: 'split' | 'give' | 'retire' }>): void {
    const { world } = this;
    const piece = this.live[next.certificate % Math.max(1, this.live.length)];
    if (!piece) return;
    const target = this.meters[piece.meter] as TestMeter;
    const signer = this.signer(next.user, piece.holder);
    const holds = signer.publicKey.toBase58() === piece.holder;
    const address = new PublicKey(piece.address);
    if (next.kind === 'split') {
      const energy = ((piece.to - piece.from) * BigInt(next.percent)) / 100n;
      const part = world.certificate(target, world.bookState(target).serial);
      if (!this.send([world.split(target, address, energy, signer.publicKey)], [signer])) return;
      this.live.push({ ...piece, from: piece.to - energy, address: part.toBase58() });
      piece.to -= energy;
    } else if (next.kind === 'give') {
      const to = this.key(next.to).publicKey;
      if (!this.send([world.give(address, signer.publicKey, to)], [signer])) return;
      piece.holder = to.toBase58();
    } else {
      const retire = world.retireCertificate(target, address, { holder: signer.publicKey });
      if (!this.send([retire], [signer])) return;
      this.live.splice(this.live.indexOf(piece), 1);
      this.retired.push(piece);
    }
    expect(holds).toBe(true);
  }

  issued(index: number, from: bigint, to: bigint, address: PublicKey): void {
    const target = this.meters[index] as TestMeter;
    const holder = target.owner.publicKey.toBase58();
    this.live.push({ meter: index, from, to, holder, address: address.toBase58() });
    // Only of energy that was settled while this owner had the meter; a registry that does not count transfers hides a
    // meter that was sold and bought back between two issues (see docs/decisions/certificates.md).
    if (this.uncounted) return;
    const owned = this.owned[index] ?? [];
    owned.forEach((stretch, i) => {
      const end = owned[i + 1]?.from;
      if (stretch.owner === holder || end === undefined) return;
      expect(from >= end || to <= stretch.from, 'energy of another owner').toBe(true);
    });
  }

  check(): void {
    const { world } = this;
    this.meters.forEach((target, index) => {
      const of = (pieces: Piece[]) => pieces.filter((piece) => piece.meter === index);
      const sum = (pieces: Piece[]) => pieces.reduce((total, piece) => total + piece.to - piece.from, 0n);
      const book = world.bookState(target);
      const { settled } = world.meter(target);
      expect({ live: book.live, retired: book.retired, count: book.count }).toEqual({
        live: sum(of(this.live)),
        retired: sum(of(this.retired)),
        count: BigInt(of(this.live).length),
      });
      expect(book.certified).toBe(book.live + book.retired);
      expect(book.certified + book.lapsed).toBe(book.next);
      expect(book.next).toBeLessThanOrEqual(settled);
      // No nkWh is in two certificates.
      const sorted = of([...this.live, ...this.retired]).sort((a, b) => (a.from < b.from ? -1 : 1));
      sorted.forEach((piece, i) => {
        expect(piece.from).toBeLessThan(piece.to);
        const following = sorted[i + 1];
        if (following) expect(piece.to).toBeLessThanOrEqual(following.from);
      });
      expect(world.lamports(world.book(target))).toBeGreaterThanOrEqual(world.rent(BOOK_BYTES));
    });
    for (const piece of this.live) {
      const address = new PublicKey(piece.address);
      const state = world.certificateState(address);
      expect(state).toMatchObject({ from: piece.from, to: piece.to, holder: new PublicKey(piece.holder) });
      expect(state?.periodStart).toBeLessThan(state?.periodEnd ?? 0);
      expect(world.lamports(address)).toBe(world.rent(CERTIFICATE_BYTES));
    }
    for (const piece of this.retired) {
      const address = new PublicKey(piece.address);
      expect(world.account(address)).toBeUndefined();
      const kept = world.decode('certificates', 'Retirement', certificatesPda.retirement(address));
      expect([kept.from_total, kept.to_total].map(String)).toEqual([piece.from, piece.to].map(String));
      expect(kept.retired_by.toBase58()).toBe(piece.holder);
      expect(world.lamports(certificatesPda.retirement(address))).toBe(world.rent(RETIREMENT_BYTES));
    }
    // Nothing else is there: the configuration, the books, what is live and what was retired.
    const accounts = world.svm.getProgramAccounts(CERTIFICATES.toBase58() as never).length;
    expect(accounts).toBe(1 + METERS + this.live.length + this.retired.length);
    // Certificates move no GRID.
    expect(world.supply()).toBe(
      this.users.reduce((sum, { publicKey }) => sum + world.balance(pda.tokenAccount(publicKey)), 0n),
    );
  }
}

describe('certificates', () => {
  it('are never more than what is settled, and never of another owner, whatever happens', () => {
    const steps = Number(process.env.GTX_FUZZ_STEPS ?? 60);
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    const totals = new Map<string, number>();
    const sequences = fc.property(fc.array(step, { minLength: steps, maxLength: steps }), (sequence) => {
      const books = new Books();
      for (const next of sequence) {
        books.run(next);
        books.check();
      }
      for (const [what, count] of Object.entries({
        ...books.counts,
        live: books.live.length,
        retired: books.retired.length,
      }))
        totals.set(what, (totals.get(what) ?? 0) + count);
    });
    console.log(`GTX_TEST_SEED=${seed}`);
    untilMet(['done', 'refused', 'live', 'retired'], totals, seed, (from) =>
      fc.assert(sequences, { seed: from, numRuns: 8 }),
    );
  }, 600_000);
});
