import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, START, type TestMeter, World } from './support.js';

const DAY = 86_400;
const dayOf = (seconds: number): bigint => BigInt(Math.floor(seconds / DAY));

/** The chain's clock at `seconds` after the midnight that follows the start of the tests. */
const at = (day: number, seconds: number): number => (Math.floor(START / DAY) + 1 + day) * DAY + seconds;

/** A meter with this much eligible energy, in nkWh, at the first midnight. */
function setup(eligible: bigint): { world: World; meter: TestMeter } {
  const world = new World();
  const meter = world.newMeter();
  world.accept(meter, { made: eligible, used: 0n, end: at(0, 0) });
  expect(world.meter(meter).eligible).toBe(eligible);
  return { world, meter };
}

describe('the daily cap', () => {
  it('is none at the start, for the registry and for each meter', () => {
    const { world, meter } = setup(1_000n);
    expect(String(world.config().daily_mint_cap)).toBe('0');
    expect(world.meter(meter)).toMatchObject({ dailyMintCap: 0n, mintedToday: 0n, mintedOn: 0n });
    world.must([world.settleAndMint(meter)]);
    expect(world.meter(meter)).toMatchObject({
      minted: 1_000n,
      mintedToday: 1_000n,
      mintedOn: dayOf(at(0, 0)),
    });
  });

  it('mints exactly up to the cap and tells what it put off', () => {
    const { world, meter } = setup(1_000n);
    world.setCap(600n);
    const result = world.must([world.settleAndMint(meter)]);
    expect(result.returned.readBigUInt64LE()).toBe(600n);
    expect(result.events.map(({ name }) => name)).toEqual([
      'MeterBalanceSettled',
      'ProductionMinted',
      'MintDeferred',
    ]);
    const deferred = result.events[2]?.data;
    expect(deferred.meter).toEqual(meter.address);
    expect(
      [deferred.deferred, deferred.minted_today, deferred.total_minted, deferred.day].map(String),
    ).toEqual(['400', '600', '600', String(dayOf(at(0, 0)))]);
    // Nothing is lost: all of it is settled.
    expect(world.meter(meter)).toMatchObject({ settled: 1_000n, minted: 600n, mintedToday: 600n });
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(600n);
    expect(world.tokenConfig().minted).toBe(600n);
    world.refused('DailyMintCapReached', [world.settleAndMint(meter)]);
  });

  it('does not concern what is due exactly at the cap', () => {
    const { world, meter } = setup(1_000n);
    world.setCap(1_000n);
    const result = world.must([world.settleAndMint(meter)]);
    expect(result.events.map(({ name }) => name)).toEqual(['MeterBalanceSettled', 'ProductionMinted']);
    world.refused('NoUnsettledBalance', [world.settleAndMint(meter)]);
  });

  it('begins anew with the UTC day of the chain, to the second', () => {
    const { world, meter } = setup(1_000n);
    world.setCap(600n);
    world.must([world.settleAndMint(meter)]);
    world.setClock(at(0, DAY - 1));
    world.refused('DailyMintCapReached', [world.settleAndMint(meter)]);
    world.setClock(at(1, 0));
    const result = world.must([world.settleAndMint(meter)]);
    // Settled before: only the mint is new.
    expect(result.events.map(({ name }) => name)).toEqual(['ProductionMinted']);
    expect(world.meter(meter)).toMatchObject({
      minted: 1_000n,
      mintedToday: 400n,
      mintedOn: dayOf(at(1, 0)),
    });
  });

  it('lets readings through: one is accepted without a mint, the next one after midnight pays for all', () => {
    const { world, meter } = setup(1_000n);
    world.setCap(1_000n);
    world.must([world.settleAndMint(meter)]);
    const accepted = world.must(world.batch([meter], { made: 500n, used: 0n, end: at(0, 900) }));
    expect(accepted.events.map(({ name }) => name)).toEqual([
      'MeterReadingSubmitted',
      'MeterBalanceSettled',
      'MintDeferred',
    ]);
    expect(world.meter(meter)).toMatchObject({ settled: 1_500n, minted: 1_000n, lastEnd: at(0, 900) });
    meter.last = { ...meter.last, sequence: 2n, end: at(0, 900), produced: 1_500n, surplus: 1_500n };
    world.must(world.batch([meter], { made: 100n, used: 0n, end: at(1, 900) }));
    expect(world.meter(meter)).toMatchObject({ settled: 1_600n, minted: 1_600n, mintedToday: 600n });
  });

  it('is each meter’s own in a batch', () => {
    const world = new World();
    const meters = [world.newMeter(), world.newMeter()] as [TestMeter, TestMeter];
    world.setCap(300n);
    world.must([world.setMeterCap(meters[1], 800n)], [world.registrar]);
    world.must(world.batch(meters, { made: 1_000n, used: 0n }));
    expect(meters.map((meter) => world.meter(meter).minted)).toEqual([300n, 800n]);
  });

  it('of a meter goes before the registry’s: lower, higher, none, and the registry’s again', () => {
    const { world, meter } = setup(10_000n);
    world.setCap(600n);
    const set = (cap: bigint) => world.must([world.setMeterCap(meter, cap)], [world.registrar]);
    const mint = () => world.must([world.settleAndMint(meter)]).returned.readBigUInt64LE();
    set(100n);
    expect(mint()).toBe(100n);
    set(0n);
    expect(mint()).toBe(500n);
    set(2_000n);
    expect(mint()).toBe(1_400n);
    // Below what was minted today already.
    set(1n);
    world.refused('DailyMintCapReached', [world.settleAndMint(meter)]);
    set(2n ** 64n - 1n);
    expect(mint()).toBe(8_000n);
  });

  it('holds up a transfer until the old owner is paid: nothing goes to the new one', () => {
    const { world, meter } = setup(1_000n);
    world.setCap(600n);
    const buyer = world.user();
    const transfer = () => [
      world.consent(meter.key, meter.id, buyer.publicKey),
      world.transfer(meter, buyer.publicKey),
    ];
    const signers = [meter.owner, world.registrar];
    world.refused('DailyMintCapReached', transfer(), signers);
    world.must([world.settleAndMint(meter)]);
    world.refused('DailyMintCapReached', transfer(), signers);
    world.setClock(at(1, 0));
    world.must(transfer(), signers);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(1_000n);
    expect(world.balance(pda.tokenAccount(buyer.publicKey))).toBe(0n);
    expect(world.meter(meter).owner).toEqual(buyer.publicKey);
    // What the new owner's production may mint today is what is left of the meter's day.
    meter.owner = buyer;
    world.must(world.batch([meter], { made: 900n, used: 0n, end: at(1, 900) }));
    expect(world.balance(pda.tokenAccount(buyer.publicKey))).toBe(200n);
  });

  it('remembers for certificates what the old owner had settled', () => {
    const { world, meter } = setup(1_000n);
    const buyer = world.user();
    const signers = [meter.owner, world.registrar];
    expect(world.meter(meter).raw).toMatchObject({ transfers: 0, end_at_transfer: 0 });
    world.must(
      [world.consent(meter.key, meter.id, buyer.publicKey), world.transfer(meter, buyer.publicKey)],
      signers,
    );
    const { raw } = world.meter(meter);
    expect([raw.transfers, raw.end_at_transfer, String(raw.settled_at_transfer)]).toEqual([
      1,
      at(0, 0),
      '1000',
    ]);
    // Where other programs look for them.
    const data = world.dataOf(meter.address);
    expect(data.readBigUInt64LE(344)).toBe(1_000n);
    expect(data.readUInt32LE(352)).toBe(at(0, 0));
    expect(data.readUInt32LE(356)).toBe(1);
    expect(data).toHaveLength(360);
  });

  it('never lets a UTC day mint more, and loses nothing, over random days', () => {
    const seed = Number(process.env.GTX_TEST_SEED ?? Date.now() % 2 ** 31);
    console.log(`GTX_TEST_SEED=${seed}`);
    const step = fc.record({
      wait: fc.integer({ min: 900, max: DAY }),
      made: fc.integer({ min: 0, max: 2_000 }),
      how: fc.constantFrom('batch', 'settle', 'mint', 'cap', 'own'),
      cap: fc.constantFrom(0, 1, 500, 1_500),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 30 }), (steps) => {
        const world = new World();
        const meter = world.newMeter();
        let [cap, own, produced, day, today, minted] = [0n, 0n, 0n, 0n, 0n, 0n];
        for (const { wait, made, how, cap: next } of steps) {
          world.setClock(world.now() + wait);
          if (how === 'cap') {
            cap = BigInt(next);
            world.setCap(cap);
          } else if (how === 'own') {
            own = BigInt(next);
            world.must([world.setMeterCap(meter, own)], [world.registrar]);
          } else if (how === 'settle') world.send([world.settle(meter)]);
          else if (how === 'mint') world.send([world.settleAndMint(meter)]);
          else {
            const reading = world.next(meter, { made: BigInt(made), used: 0n, end: world.now() });
            world.must(world.batch([meter], { made: BigInt(made), used: 0n, end: world.now() }));
            meter.last = reading;
            produced += BigInt(made);
          }
          const now = world.meter(meter);
          if (dayOf(world.now()) !== day) [day, today] = [dayOf(world.now()), 0n];
          const rise = now.minted - minted;
          today += rise;
          minted = now.minted;
          const limit = own || cap;
          // A cap that was lowered since leaves what the day has minted already, and lets nothing more through.
          if (rise > 0n && limit > 0n) expect(today).toBeLessThanOrEqual(limit);
          expect(now.eligible).toBe(produced);
          expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(minted);
        }
        // Without a cap the rest is there.
        world.setCap(0n);
        world.must([world.setMeterCap(meter, 0n)], [world.registrar]);
        if (produced > minted) world.must([world.settleAndMint(meter)]);
        expect(world.meter(meter).minted).toBe(produced);
      }),
      { seed, numRuns: 12, endOnFailure: true },
    );
  });
});

describe('set_meter_cap', () => {
  it('is for registrar and admin, and told', () => {
    const { world, meter } = setup(1n);
    for (const authority of [world.registrar, world.upgradeAuthority]) {
      const result = world.must([world.setMeterCap(meter, 5n, authority.publicKey)], [authority]);
      expect(result.events[0]).toMatchObject({
        name: 'MeterCapChanged',
        data: { meter: meter.address, authority: authority.publicKey },
      });
      expect(String(result.events[0]?.data.daily_mint_cap)).toBe('5');
    }
    for (const authority of [world.guardian, meter.owner]) {
      world.refused('NotAuthorized', [world.setMeterCap(meter, 5n, authority.publicKey)], [authority]);
    }
  });

  it('refuses wrong accounts', () => {
    const { world, meter } = setup(1n);
    const instruction = world.setMeterCap(meter, 5n);
    refusesWrongAccounts(world, 'registry', 'set_meter_cap', [instruction], [world.registrar], {
      authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
