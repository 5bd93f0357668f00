import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { BOOK_BYTES, CertificatesWorld, KWH, SOLAR } from './certificates.js';
import { ALLOWED_IN_900_S, pda, REGISTRY, refusesWrongAccounts } from './support.js';

describe('open_book', () => {
  it('starts at what is settled, with what the registrar attests', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    world.produce(meter);
    const before = world.lamports(world.book(meter));
    const result = world.must([world.openBook(meter)], [meter.owner, world.registrar]);
    expect(world.event(result, 'BookOpened')).toEqual({
      book: world.book(meter).toBase58(),
      meter: meter.address.toBase58(),
      meter_id: [...meter.id],
      owner: meter.owner.publicKey.toBase58(),
      attested_by: world.registrar.publicKey.toBase58(),
      next_total: KWH,
      period_start: meter.last.end,
      source: SOLAR,
      timestamp: BigInt(world.now()),
    });
    expect(world.bookState(meter)).toEqual({
      owner: meter.owner.publicKey,
      attestedBy: world.registrar.publicKey,
      next: KWH,
      certified: 0n,
      lapsed: KWH,
      live: 0n,
      retired: 0n,
      serial: 1n,
      count: 0n,
      min: 0n,
      periodStart: meter.last.end,
      transfers: 0,
      source: SOLAR,
      auto: 0,
    });
    expect([before, world.lamports(world.book(meter))]).toEqual([0n, world.rent(BOOK_BYTES)]);
  });

  it('starts earlier where the registrar attests that too', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    const registered = meter.last.end;
    world.produce(meter);
    const open = world.openBook(meter, { startTotal: 0n, periodStart: registered });
    world.must([open], [meter.owner, world.registrar]);
    world.must([world.issue(meter, KWH)], [meter.owner]);
    expect(world.certificateState(world.certificate(meter, 1n))).toMatchObject({
      from: 0n,
      to: KWH,
      periodStart: registered,
      periodEnd: meter.last.end,
    });
  });

  it('refuses a start outside what is settled and when that was produced', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    const registered = meter.last.end;
    world.produce(meter);
    const { end } = meter.last;
    for (const [startTotal, periodStart] of [
      [KWH + 1n, end],
      [KWH, end - 1],
      [KWH, end + 1],
      [KWH - 1n, end],
      [0n, registered - 1],
    ] as const) {
      const open = world.openBook(meter, { startTotal, periodStart });
      world.refused('StartInvalid', [open], [meter.owner, world.registrar]);
    }
    const open = world.openBook(meter, { startTotal: KWH - 1n, periodStart: end - 1 });
    world.must([open], [meter.owner, world.registrar]);
  });

  it("never starts within a former owner's energy", () => {
    const world = new CertificatesWorld();
    const first = world.newMeter();
    world.produce(first);
    const meter = world.handOver(first, world.user());
    const { end } = meter.last;
    world.produce(meter);
    const signers = [meter.owner, world.registrar];
    for (const [startTotal, periodStart] of [
      [0n, end],
      [KWH - 1n, end],
      [KWH, end - 1],
    ] as const) {
      world.refused('StartInvalid', [world.openBook(meter, { startTotal, periodStart })], signers);
    }
    world.must([world.openBook(meter, { startTotal: KWH, periodStart: end })], signers);
    expect(world.bookState(meter)).toMatchObject({ transfers: 1, next: KWH });
  });

  it('waits until the energy read so far is settled, and reviewed', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    const signers = [meter.owner, world.registrar];
    world.accept(meter, { made: ALLOWED_IN_900_S + 5n, used: 0n });
    world.refused('MeterNotSettled', [world.openBook(meter)], signers);
    world.must([world.settle(meter)]);
    world.refused('MeterNotSettled', [world.openBook(meter)], signers);
    world.must([world.review('write_off_held', meter, 1n)], [world.registrar]);
    world.must([world.openBook(meter)], signers);
  });

  it("needs the meter's owner and the registry's registrar, of now", () => {
    const world = new CertificatesWorld();
    const [meter, stranger] = [world.newMeter(), world.user()];
    const open = (accounts: Parameters<CertificatesWorld['openBook']>[2]) =>
      world.openBook(meter, {}, accounts);
    world.refused('NotMeterOwner', [open({ owner: stranger.publicKey })], [stranger, world.registrar]);
    for (const signer of [stranger, world.guardian, meter.owner]) {
      world.refused('NotRegistrar', [open({ registrar: signer.publicKey })], [meter.owner, signer]);
    }
    const next = Keypair.generate();
    world.must([world.admin('set_registrar', { new_registrar: next.publicKey })], [world.upgradeAuthority]);
    world.refused('NotRegistrar', [world.openBook(meter)], [meter.owner, world.registrar]);
    world.must([open({ registrar: next.publicKey })], [meter.owner, next]);
    expect(world.bookState(meter).attestedBy).toEqual(next.publicKey);
  });

  it('is done once, also where somebody sent lamports before, and not for a suspended meter', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    const signers = [meter.owner, world.registrar];
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [world.openBook(meter)], signers);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    for (const source of [0, 9, 255]) {
      world.refused('SourceInvalid', [world.openBook(meter, { source })], signers);
    }
    world.fund(world.book(meter));
    world.must([world.openBook(meter, { source: 8 })], signers);
    world.refused('BookExists', [world.openBook(meter)], signers);
  });

  it('takes meters of the registry alone, at their addresses', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    const signers = [meter.owner, world.registrar];
    const other = (key: typeof meter.address) => {
      const twin = { ...meter, address: key };
      return world.openBook(meter, {}, { meter: key, book: world.book(twin) });
    };
    // Another kind of account of the registry, bytes that no registry wrote, and a meter cut short.
    world.refused('WrongMeter', [other(pda.user(meter.owner.publicKey))], signers);
    world.refused('WrongMeter', [other(world.forgedCopy(meter.address))], signers);
    world.refused('WrongMeter', [other(world.forgedCopy(meter.address, REGISTRY))], signers);
    const cut = Keypair.generate().publicKey;
    world.setAccount(cut, REGISTRY, world.dataOf(meter.address).subarray(0, 359));
    world.refused('WrongMeter', [other(cut)], signers);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    const meter = world.newMeter();
    refusesWrongAccounts(
      world,
      'certificates',
      'open_book',
      [world.openBook(meter)],
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
        registry_config: {
          other: 'WrongRegistryConfig',
          copy: 'WrongRegistryConfig',
          twin: 'WrongRegistryConfig',
        },
        meter: { other: 'InvalidSeeds', copy: 'InvalidSeeds' },
        book: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
