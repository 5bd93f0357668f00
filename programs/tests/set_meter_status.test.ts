import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { refusesWrongAccounts, World } from './support.js';

describe('set_meter_status', () => {
  it('suspends, and activates with a new base: the first reading afterwards counts nothing', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 0n });
    const suspended = world.must([world.setStatus(meter, 1)], [world.registrar]);
    expect(suspended.events).toMatchObject([
      { name: 'MeterStatusChanged', data: { meter: meter.address, status: 1 } },
    ]);
    world.refused('MeterSuspended', world.reading(meter, world.next(meter)));
    const activated = world.must([world.setStatus(meter, 0)], [world.registrar]);
    expect(activated.events).toMatchObject([{ name: 'MeterStatusChanged', data: { status: 2 } }]);
    expect(world.meter(meter).status).toBe(2);

    const rebased = world.accept(meter, { made: 500n, used: 0n });
    expect(rebased.events[0]?.data).toMatchObject({ rebased: 1 });
    expect(world.meter(meter)).toMatchObject({
      status: 0,
      eligible: 1_000n,
      held: 0n,
      basis: 1_500n,
      produced: 1_500n,
    });
    world.accept(meter, { made: 70n, used: 0n });
    expect(world.meter(meter).eligible).toBe(1_070n);
  });

  it('a first reading after activation mints nothing in a batch either, and holds nothing', () => {
    const world = new World();
    const meter = world.newMeter();
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    world.must(world.batch([meter], { made: 10n ** 15n, used: 0n }));
    expect(world.supply()).toBe(0n);
    expect(world.meter(meter)).toMatchObject({ eligible: 0n, held: 0n });
  });

  it('the reading that sets the new base obeys every other rule', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    const refused = (error: string, change: Parameters<World['next']>[1]) =>
      world.refused(error, world.reading(meter, world.next(meter, change)));
    refused('TotalsDecreased', { produced: 0n, consumed: 0n, surplus: 0n });
    refused('SequenceNotHigher', { sequence: 1n });
    refused('EndNotLater', { start: 1, end: meter.last.end });
    expect(world.meter(meter).status).toBe(2);
  });

  it('keeps the highest level of the net policy over a new base', () => {
    const world = new World({ policy: 1 });
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 0n });
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    // Net falls to 400 meanwhile: what was counted once must not count again on the way up.
    world.accept(meter, { made: 0n, used: 600n });
    world.accept(meter, { made: 600n, used: 0n });
    expect(world.meter(meter).eligible).toBe(1_000n);
    world.accept(meter, { made: 9n, used: 0n });
    expect(world.meter(meter).eligible).toBe(1_009n);
  });

  it('is open to registrar and admin; the guardian can only suspend', () => {
    const world = new World();
    const meter = world.newMeter();
    const set = (status: number, signer: Keypair) => world.setStatus(meter, status, signer.publicKey);
    world.must([set(1, world.guardian)], [world.guardian]);
    world.refused('NotAuthorized', [set(0, world.guardian)], [world.guardian]);
    world.must([set(0, world.upgradeAuthority)], [world.upgradeAuthority]);
    world.must([set(1, world.upgradeAuthority)], [world.upgradeAuthority]);
    world.must([set(0, world.registrar)], [world.registrar]);
    for (const stranger of [meter.owner, meter.key, Keypair.generate()]) {
      world.refused('NotAuthorized', [set(1, stranger)], [stranger]);
    }
  });

  it('refuses other states and those that are there already', () => {
    const world = new World();
    const meter = world.newMeter();
    const refused = (error: string, status: number) =>
      world.refused(error, [world.setStatus(meter, status)], [world.registrar]);
    refused('StatusUnchanged', 0);
    refused('StatusInvalid', 2);
    refused('StatusInvalid', 255);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    refused('StatusUnchanged', 1);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    // Waiting for its new base, it is active: activating again must not skip that.
    refused('StatusUnchanged', 0);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    expect(world.meter(meter).status).toBe(2);
  });

  it('works while paused', () => {
    const world = new World();
    const meter = world.newMeter();
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const meter = world.newMeter();
    refusesWrongAccounts(
      world,
      'registry',
      'set_meter_status',
      [world.setStatus(meter, 1)],
      [world.registrar],
      {
        authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
