import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { ALLOWED_IN_900_S, pda, refusesWrongAccounts, World } from './support.js';

/** A meter with 5 nkWh held under sequence 1 and 70 under sequence 2. */
function setup() {
  const world = new World();
  const meter = world.newMeter();
  world.accept(meter, { made: ALLOWED_IN_900_S + 5n, used: 0n });
  world.accept(meter, { made: ALLOWED_IN_900_S + 70n, used: 0n });
  const review = (sequence: bigint, authority: Keypair = world.registrar) =>
    world.review('write_off_held', meter, sequence, authority.publicKey);
  return { world, meter, review };
}

describe('write_off_held', () => {
  it('gives held energy up: it never becomes eligible', () => {
    const { world, meter, review } = setup();
    const result = world.must([review(2n)], [world.registrar]);
    expect(world.meter(meter)).toMatchObject({ eligible: 2n * ALLOWED_IN_900_S, held: 5n });
    expect(result.events).toMatchObject([
      { name: 'HeldWrittenOff', data: { meter: meter.address, authority: world.registrar.publicKey } },
    ]);
    expect([result.events[0]?.data.sequence.toString(), result.events[0]?.data.amount.toString()]).toEqual([
      '2',
      '70',
    ]);
    // The totals contain it, so no later reading brings it back.
    world.accept(meter, { made: 10n, used: 0n });
    world.must([world.settleAndMint(meter)]);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(2n * ALLOWED_IN_900_S + 10n);
  });

  it('does it once only', () => {
    const { world, review } = setup();
    world.must([review(2n)], [world.registrar]);
    world.refused('HoldNotFound', [review(2n)], [world.registrar]);
    world.must([review(1n)], [world.registrar]);
    world.refused('HoldNotFound', [review(1n)], [world.registrar]);
  });

  it('refuses a sequence under which nothing is held, zero included', () => {
    const { world, review } = setup();
    for (const sequence of [0n, 3n, 2n ** 64n - 1n]) {
      world.refused('HoldNotFound', [review(sequence)], [world.registrar]);
    }
  });

  it("does not touch another meter's", () => {
    const { world } = setup();
    const other = world.newMeter();
    world.refused('HoldNotFound', [world.review('write_off_held', other, 1n)], [world.registrar]);
  });

  it('is open to registrar and admin alone', () => {
    const { world, meter, review } = setup();
    for (const stranger of [world.guardian, meter.owner, Keypair.generate()]) {
      world.refused('NotAuthorized', [review(1n, stranger)], [stranger]);
    }
    world.must([review(1n, world.upgradeAuthority)], [world.upgradeAuthority]);
  });

  it('works while paused: it can only make less', () => {
    const { world, review } = setup();
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.must([review(1n)], [world.registrar]);
  });

  it('refuses wrong accounts', () => {
    const { world, review } = setup();
    refusesWrongAccounts(world, 'registry', 'write_off_held', [review(1n)], [world.registrar], {
      authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
