import { describe, expect, it } from 'vitest';
import { refusesWrongAccounts, World } from './support.js';

describe('get_unsettled_balance', () => {
  it('returns what a settlement would settle', () => {
    const world = new World();
    const meter = world.newMeter();
    const unsettled = () => world.must([world.getUnsettled(meter)]).returned.readBigUInt64LE();
    expect(world.send([world.getUnsettled(meter)]).ok).toBe(true);
    world.accept(meter, { made: 1_000n, used: 0n });
    expect(unsettled()).toBe(1_000n);
    world.must([world.settle(meter)]);
    world.accept(meter, { made: 77n, used: 0n });
    expect(unsettled()).toBe(77n);
  });

  it('answers while paused and for a suspended meter', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.must([world.getUnsettled(meter)]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const meter = world.newMeter();
    refusesWrongAccounts(world, 'registry', 'get_unsettled_balance', [world.getUnsettled(meter)], [], {
      meter: { other: 'IllegalOwner', copy: 'IllegalOwner' },
    });
  });
});
