import { Keypair, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import {
  ALLOWED_IN_900_S,
  ed25519,
  type Offsets,
  pda,
  REGISTRY,
  type Reading,
  readingBytes,
  refusesWrongAccounts,
  signed,
  type TestMeter,
  World,
} from './support.js';

function setup(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const meter = world.newMeter();
  const refused = (error: string, change: Parameters<World['next']>[1]) =>
    world.refused(error, world.reading(meter, world.next(meter, change)));
  return { world, meter, refused };
}

describe('submit_meter_reading', () => {
  it('counts the surplus of a signed reading', () => {
    const { world, meter } = setup();
    const result = world.accept(meter, { flags: 2, made: 1_000_000_000n, used: 400_000_000n });
    expect(world.meter(meter)).toMatchObject({
      lastSequence: 1n,
      lastEnd: meter.last.end,
      produced: 1_000_000_000n,
      consumed: 400_000_000n,
      surplus: 600_000_000n,
      basis: 600_000_000n,
      eligible: 600_000_000n,
      settled: 0n,
      minted: 0n,
      held: 0n,
    });
    expect(result.events).toHaveLength(1);
    const [event] = result.events;
    expect(event?.name).toBe('MeterReadingSubmitted');
    expect(event?.data).toMatchObject({
      meter: meter.address,
      public_key: meter.key.publicKey,
      flags: 2,
      interval_start: meter.last.start,
      interval_end: meter.last.end,
      rebased: 0,
    });
    const big = (name: string) => BigInt(event?.data[name].toString());
    expect(
      ['sequence', 'produced_total', 'consumed_total', 'surplus_total', 'counted', 'held'].map(big),
    ).toEqual([1n, 1_000_000_000n, 400_000_000n, 600_000_000n, 600_000_000n, 0n]);
  });

  it('accepts a reading without surplus, and counts nothing', () => {
    const { world, meter } = setup();
    world.accept(meter, { made: 0n, used: 250_000_000n });
    expect(world.meter(meter)).toMatchObject({ lastSequence: 1n, eligible: 0n, consumed: 250_000_000n });
  });

  it('lets one reading cover those that never came', () => {
    const { world, meter } = setup();
    world.accept(meter);
    world.accept(meter, { sequence: 9n, end: meter.last.end + 8 * 900, made: 5_000_000_000n, used: 0n });
    expect(world.meter(meter)).toMatchObject({ lastSequence: 9n, eligible: 5_750_000_000n, held: 0n });
  });

  describe('signature', () => {
    it('has to be in the Ed25519 instruction right before', () => {
      const { world, meter } = setup();
      const [signature, submit] = world.reading(meter, world.next(meter)) as [
        TransactionInstruction,
        TransactionInstruction,
      ];
      world.refused('SignatureMissing', [submit]);
      world.refused('SignatureMissing', [submit, signature]);
      world.refused('SignatureMissing', [signature, world.getUnsettled(meter), submit]);
    });

    it('serves one submission only', () => {
      const { world, meter } = setup();
      const [signature, submit] = world.reading(meter, world.next(meter)) as [
        TransactionInstruction,
        TransactionInstruction,
      ];
      world.refused('SignatureMissing', [signature, submit, submit]);
    });

    it("has to be the meter's own, not another meter's or a stranger's", () => {
      const { world, meter } = setup();
      const other = world.newMeter();
      const message = readingBytes(world.next(meter));
      world.refused('KeyMismatch', [ed25519([signed(other.key, message)]), world.submit(meter)]);
      world.refused('KeyMismatch', [ed25519([signed(Keypair.generate(), message)]), world.submit(meter)]);
    });

    it('of meter A does not serve meter B', () => {
      const { world, meter: a } = setup();
      const b = world.newMeter({ owner: a.owner });
      const [signature] = world.reading(a, world.next(a)) as [TransactionInstruction];
      world.refused('KeyMismatch', [signature, world.submit(b)]);
    });

    it('cannot be forged: the Ed25519 program itself refuses changed bytes', () => {
      const { world, meter } = setup();
      const honest = signed(meter.key, readingBytes(world.next(meter)));
      for (const position of [9, 24, 32, 47]) {
        const message = Buffer.from(honest.message);
        message[position] = (message[position] as number) ^ 1;
        const result = world.send([ed25519([{ ...honest, message }]), world.submit(meter)]);
        expect([result.ok, result.failedAt]).toEqual([false, 0]);
      }
    });

    it('has to sign 48 bytes that start with GTX1', () => {
      const { world, meter } = setup();
      const good = readingBytes(world.next(meter));
      const messages = [
        readingBytes(world.next(meter), 'GTX2'),
        readingBytes(world.next(meter), 'GTXM'),
        good.subarray(0, 47),
        Buffer.concat([good, Buffer.of(0)]),
        Buffer.alloc(0),
      ];
      for (const message of messages) {
        world.refused('MessageInvalid', [ed25519([signed(meter.key, message)]), world.submit(meter)]);
      }
    });

    it('has to stand alone: one meter, one signature', () => {
      const { world, meter } = setup();
      const good = signed(meter.key, readingBytes(world.next(meter)));
      world.refused('SignatureCount', [ed25519([good, good]), world.submit(meter)]);
      // The precompile accepts an instruction without signatures when it is two bytes long.
      const none = ed25519([], { count: 0 });
      const result = world.send([none, world.submit(meter)]);
      expect(result.ok).toBe(false);
      if (result.failedAt === 1) expect(result.error).toBe('SignatureCount');
    });

    describe('with offsets that point elsewhere', () => {
      // The attacker has a genuine reading of their own meter signed by their own key in another instruction, and puts
      // bytes of the victim's meter where an unwary program would read.
      const fields: (keyof Offsets)[] = ['signatureInstruction', 'keyInstruction', 'messageInstruction'];

      it.each(fields)('is refused when %s names another instruction', (field) => {
        const { world, meter } = setup();
        const honest = signed(meter.key, readingBytes(world.next(meter)));
        // Instruction 0 is the compute budget, 1 the forged one, 2 a twin whose bytes lie at the same offsets.
        const twinFirst = [ed25519([honest]), ed25519([honest], { forge: () => ({ [field]: 1 }) })];
        world.refused('SignatureOffsets', [...twinFirst, world.submit(meter)]);
      });

      it("is refused when a thief's key and message in another instruction are what was verified", () => {
        const { world, meter } = setup();
        const thief = Keypair.generate();
        const verified = signed(thief, readingBytes(world.next(meter)));
        const decoy = {
          key: meter.key.publicKey.toBytes(),
          signature: new Uint8Array(64),
          message: verified.message,
        };
        const forged = ed25519([decoy], {
          forge: () => ({ signatureInstruction: 1, keyInstruction: 1, messageInstruction: 1 }),
        });
        const result = world.refused('SignatureOffsets', [ed25519([verified]), forged, world.submit(meter)]);
        // The runtime did verify it: only the registry stood in the way.
        expect(result.failedAt).toBe(2);
      });

      it('is accepted when the index is that of the Ed25519 instruction itself', () => {
        const { world, meter } = setup();
        const reading = world.next(meter);
        const own = ed25519([signed(meter.key, readingBytes(reading))], {
          forge: () => ({ signatureInstruction: 1, keyInstruction: 1, messageInstruction: 1 }),
        });
        world.must([own, world.submit(meter)]);
      });

      it('is refused by the runtime when they leave the instruction', () => {
        const { world, meter } = setup();
        const honest = signed(meter.key, readingBytes(world.next(meter)));
        for (const forge of [
          { keyOffset: 150 },
          { messageOffset: 150 },
          { messageOffset: 0xffff },
          { keyOffset: 0xffff },
        ]) {
          const result = world.send([ed25519([honest], { forge: () => forge }), world.submit(meter)]);
          expect([result.ok, result.failedAt]).toEqual([false, 0]);
        }
      });
    });
  });

  describe('sequence', () => {
    it('refuses a replay', () => {
      const { world, meter } = setup();
      const reading = world.next(meter);
      world.must(world.reading(meter, reading));
      world.refused('SequenceNotHigher', world.reading(meter, reading));
    });

    it('refuses a lower one', () => {
      const { world, meter, refused } = setup();
      world.accept(meter, { sequence: 5n });
      refused('SequenceNotHigher', { sequence: 5n });
      refused('SequenceNotHigher', { sequence: 4n });
      refused('SequenceNotHigher', { sequence: 0n });
      expect(world.meter(meter).lastSequence).toBe(5n);
    });

    it('may jump by 1,000,000 and not by one more', () => {
      const { world, meter, refused } = setup();
      refused('SequenceJump', { sequence: 1_000_001n });
      refused('SequenceJump', { sequence: 2n ** 64n - 1n });
      world.accept(meter, { sequence: 1_000_000n });
      expect(world.meter(meter).lastSequence).toBe(1_000_000n);
    });

    it('works up to the last number there is, and not beyond', () => {
      const { world, meter, refused } = setup();
      world.patch(meter.address, 8 + 128, 2n ** 64n - 2n);
      world.accept(meter, { sequence: 2n ** 64n - 1n });
      refused('SequenceNotHigher', { sequence: 2n ** 64n - 1n });
      refused('SequenceNotHigher', { sequence: 0n });
    });
  });

  describe('interval', () => {
    it('has to end after its start', () => {
      const { meter, refused } = setup();
      refused('IntervalInvalid', { start: meter.last.end + 900 });
      refused('IntervalInvalid', { start: meter.last.end + 901 });
    });

    it('has to end after the registration, then after the last accepted one', () => {
      const { world, meter, refused } = setup();
      refused('EndNotLater', { start: 1, end: meter.last.end });
      world.accept(meter);
      refused('EndNotLater', { start: 1, end: meter.last.end });
      refused('EndNotLater', { start: 1, end: meter.last.end - 1 });
    });

    it('may end 2 minutes ahead of the chain and not a second more', () => {
      const { world, meter } = setup();
      const reading = world.next(meter);
      world.setClock(reading.end - 121);
      world.refused('EndInFuture', world.reading(meter, reading));
      world.refused('EndInFuture', world.reading(meter, { ...reading, end: 2 ** 32 - 1 }));
      world.setClock(reading.end - 120);
      world.must(world.reading(meter, reading));
    });
  });

  describe('totals', () => {
    it('never fall', () => {
      const { world, meter, refused } = setup();
      world.accept(meter);
      const { produced, consumed, surplus } = meter.last;
      refused('TotalsDecreased', { produced: produced - 1n });
      refused('TotalsDecreased', { consumed: consumed - 1n });
      refused('TotalsDecreased', { surplus: surplus - 1n });
      refused('TotalsDecreased', { produced: 0n, consumed: 0n, surplus: 0n });
    });

    it('keep the surplus between production less consumption, and production', () => {
      const { world, meter, refused } = setup();
      world.accept(meter);
      const { produced, consumed, surplus } = meter.last;
      const [dp, dc] = [800_000_000n, 300_000_000n];
      const totals = (ds: bigint, c = dc) => ({
        produced: produced + dp,
        consumed: consumed + c,
        surplus: surplus + ds,
      });
      refused('TotalsInconsistent', totals(dp - dc - 1n));
      refused('TotalsInconsistent', totals(dp + 1n));
      refused('TotalsInconsistent', totals(1n, 0n));
      world.must(world.reading(meter, world.next(meter, totals(dp - dc))));
    });

    it('may count all production as surplus, as a bidirectional meter does, or none when more was consumed', () => {
      const { world, meter } = setup();
      world.accept(meter, { produced: 1_000n, consumed: 700n, surplus: 1_000n });
      world.accept(meter, { produced: 2_000n, consumed: 1_700n, surplus: 1_000n });
      expect(world.meter(meter).eligible).toBe(1_000n);
    });

    it('near the largest u64 neither overflow nor count more than rated power allows', () => {
      const { world, meter } = setup();
      const top = 2n ** 64n - 1n;
      const result = world.accept(meter, { produced: top, consumed: top, surplus: top });
      expect(world.meter(meter)).toMatchObject({ eligible: ALLOWED_IN_900_S, held: top - ALLOWED_IN_900_S });
      expect(result.events.map(({ name }) => name)).toEqual(['MeterReadingSubmitted', 'EnergyHeld']);
      world.accept(meter, { produced: top, consumed: top, surplus: top });
      world.must([world.review('release_held', meter, 1n)], [world.registrar]);
      expect(world.meter(meter)).toMatchObject({ eligible: top, held: 0n });
    });

    it('refuse to carry a counter past its range', () => {
      const { world, meter, refused } = setup();
      world.patch(meter.address, 8 + 128 + 5 * 8, 2n ** 64n - 10n);
      refused('ArithmeticOverflow', {});
      expect(world.meter(meter).eligible).toBe(2n ** 64n - 10n);
    });
  });

  describe('rated power', () => {
    it('lets exactly rated power and a tenth count, and holds the rest', () => {
      const { world, meter } = setup();
      world.accept(meter, { made: ALLOWED_IN_900_S, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: ALLOWED_IN_900_S, held: 0n });
      const result = world.accept(meter, { made: ALLOWED_IN_900_S + 7n, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: 2n * ALLOWED_IN_900_S, held: 7n });
      expect(world.meter(meter).holds[0]).toEqual({ sequence: 2n, amount: 7n });
      expect(result.events[1]).toMatchObject({ name: 'EnergyHeld', data: { meter: meter.address } });
      expect(result.events[1]?.data.amount.toString()).toBe('7');
    });

    it('counts the time since the last accepted end, not since the interval start that a reading claims', () => {
      const { world, meter } = setup();
      world.accept(meter, { start: 1, made: 10n * ALLOWED_IN_900_S, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: ALLOWED_IN_900_S, held: 9n * ALLOWED_IN_900_S });
    });

    it('counts a first reading from the registration on', () => {
      const { world, meter } = setup();
      world.setClock(meter.last.end + 60);
      world.accept(meter, {
        end: meter.last.end + 60,
        start: meter.last.end - 84_000,
        made: ALLOWED_IN_900_S,
        used: 0n,
      });
      expect(world.meter(meter).eligible).toBe((ALLOWED_IN_900_S * 60n) / 900n);
    });

    it('counts at most 366 days, however long a meter was silent', () => {
      const { world, meter } = setup();
      const years = 3 * 366 * 86_400;
      const [made, allowed] = [200_000_000_000_000n, (ALLOWED_IN_900_S * BigInt(366 * 86_400)) / 900n];
      world.setClock(meter.last.end + years);
      world.accept(meter, { end: meter.last.end + years, made, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: allowed, held: made - allowed });
    });

    it('keeps four excesses apart and joins a fifth to the newest, so that a home is never stopped', () => {
      const { world, meter } = setup();
      for (const excess of [1n, 20n, 300n, 4_000n])
        world.accept(meter, { made: ALLOWED_IN_900_S + excess, used: 0n });
      expect(world.meter(meter).holds.map(({ sequence, amount }) => [sequence, amount])).toEqual([
        [1n, 1n],
        [2n, 20n],
        [3n, 300n],
        [4n, 4_000n],
      ]);
      const result = world.accept(meter, { made: ALLOWED_IN_900_S + 50_000n, used: 0n });
      expect(world.meter(meter).holds[3]).toEqual({ sequence: 5n, amount: 54_000n });
      expect(world.meter(meter).held).toBe(54_321n);
      expect(result.events[1]?.data.sequence.toString()).toBe('5');
      // A slot that is free again is used first.
      world.must([world.review('write_off_held', meter, 2n)], [world.registrar]);
      world.accept(meter, { made: ALLOWED_IN_900_S + 6n, used: 0n });
      expect(world.meter(meter).holds[1]).toEqual({ sequence: 6n, amount: 6n });
    });
  });

  describe('policy: net over all time', () => {
    it('counts production less consumption above its highest level so far, as the seed does', () => {
      const { world, meter } = setup({ policy: 1 });
      world.accept(meter, { made: 1_000n, used: 400n });
      expect(world.meter(meter)).toMatchObject({ eligible: 600n, basis: 600n });
      // More is consumed than produced: the net falls by 500, and what was counted stays.
      world.accept(meter, { made: 100n, used: 600n });
      expect(world.meter(meter)).toMatchObject({ eligible: 600n, basis: 600n });
      // Up by 450, still 50 below.
      world.accept(meter, { made: 450n, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: 600n, basis: 600n });
      // Up by 80: 30 above.
      world.accept(meter, { made: 80n, used: 0n });
      expect(world.meter(meter)).toMatchObject({ eligible: 630n, basis: 630n });
    });

    it('counts nothing while consumption leads from the start', () => {
      const { world, meter } = setup({ policy: 1 });
      world.accept(meter, { made: 100n, used: 5_000n });
      world.accept(meter, { made: 4_000n, used: 0n });
      expect(world.meter(meter).eligible).toBe(0n);
      world.accept(meter, { made: 1_000n, used: 0n });
      expect(world.meter(meter).eligible).toBe(100n);
    });

    it('holds what is beyond rated power', () => {
      const { world, meter } = setup({ policy: 1 });
      world.accept(meter, { made: ALLOWED_IN_900_S + 9n, used: 0n });
      expect(world.meter(meter)).toMatchObject({
        eligible: ALLOWED_IN_900_S,
        held: 9n,
        basis: ALLOWED_IN_900_S + 9n,
      });
    });
  });

  describe('who', () => {
    it('refuses an unverified owner, and again after a verification was taken back', () => {
      const { world, meter } = setup();
      world.must([world.verifyUser(meter.owner.publicKey, false)], [world.registrar]);
      world.refused('UserNotVerified', world.reading(meter, world.next(meter)));
      world.must([world.verifyUser(meter.owner.publicKey)], [world.registrar]);
      world.accept(meter);
    });

    it("refuses another user's account", () => {
      const { world, meter } = setup();
      const other = world.user();
      const [signature] = world.reading(meter, world.next(meter)) as [TransactionInstruction];
      world.refused('UserMismatch', [signature, world.submit(meter, { user: pda.user(other.publicKey) })]);
    });

    it('refuses while paused, and goes on afterwards', () => {
      const { world, meter, refused } = setup();
      world.must([world.setPaused(true, world.guardian.publicKey)], [world.guardian]);
      refused('Paused', {});
      world.must([world.setPaused(false)], [world.upgradeAuthority]);
      world.accept(meter);
    });

    it('refuses a suspended meter', () => {
      const { world, meter, refused } = setup();
      world.must([world.setStatus(meter, 1)], [world.registrar]);
      refused('MeterSuspended', {});
    });
  });

  it('refuses an account of the registry that is no meter, and no user', () => {
    const { world, meter } = setup();
    const [signature] = world.reading(meter, world.next(meter)) as [TransactionInstruction];
    world.refused('AccountDataTooSmall', [
      signature,
      world.submit(meter, { meter: pda.meterKey(meter.key.publicKey.toBytes()) }),
    ]);
    world.refused('InvalidAccountData', [signature, world.submit(meter, { user: pda.config })]);
  });

  it('refuses an account that another program wrote to look like a meter', () => {
    const { world, meter } = setup();
    const key = Keypair.generate();
    const data = world.dataOf(meter.address);
    data.set(key.publicKey.toBytes(), 8 + 64);
    const forged = Keypair.generate().publicKey;
    world.setAccount(forged, Keypair.generate().publicKey, data);
    const mine: TestMeter = { ...meter, key, address: forged };
    world.refused('IllegalOwner', world.reading(mine, world.next(mine)));
  });

  it('refuses wrong accounts', () => {
    const { world, meter } = setup();
    refusesWrongAccounts(
      world,
      'registry',
      'submit_meter_reading',
      world.reading(meter, world.next(meter)),
      [],
      {
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        user: { other: 'IllegalOwner', copy: 'IllegalOwner' },
        meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
        instructions: { other: 'InvalidArgument' },
      },
    );
  });

  it('reads the signature of the top-level instruction right before, not of itself', () => {
    const { world, meter } = setup();
    const reading: Reading = world.next(meter);
    // An Ed25519 instruction after the call is worth nothing, whatever it signs.
    const [signature, submit] = world.reading(meter, reading) as [
      TransactionInstruction,
      TransactionInstruction,
    ];
    world.refused('SignatureMissing', [world.getUnsettled(meter), submit, signature]);
    expect(submit.programId).toEqual(REGISTRY);
  });
});
