import { describe, expect, it } from 'vitest';
import { refusesWrongAccounts, World } from './support.js';

describe('settle_meter_balance', () => {
  it('raises the settled balance without minting, and returns by how much', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 300n });
    const result = world.must([world.settle(meter)]);
    expect(result.returned.readBigUInt64LE()).toBe(700n);
    expect(world.meter(meter)).toMatchObject({ eligible: 700n, settled: 700n, minted: 0n });
    expect(world.supply()).toBe(0n);
    expect(result.events).toMatchObject([{ name: 'MeterBalanceSettled', data: { meter: meter.address } }]);
    expect(result.events[0]?.data.total_settled.toString()).toBe('700');
  });

  it('destroys nothing: what is settled is minted later', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter, { made: 1_000n, used: 0n });
    world.must([world.settle(meter)]);
    const result = world.must([world.settleAndMint(meter)]);
    expect(result.returned.readBigUInt64LE()).toBe(1_000n);
    expect(world.supply()).toBe(1_000n);
    // Nothing was settled anew, so only the mint is told.
    expect(result.events.map(({ name }) => name)).toEqual(['ProductionMinted']);
  });

  it('refuses when nothing is eligible, or nothing new', () => {
    const world = new World();
    const meter = world.newMeter();
    world.refused('NoUnsettledBalance', [world.settle(meter)]);
    world.accept(meter, { made: 0n });
    world.refused('NoUnsettledBalance', [world.settle(meter)]);
    world.accept(meter);
    world.must([world.settle(meter)]);
    world.refused('NoUnsettledBalance', [world.settle(meter)]);
  });

  it('refuses a suspended meter, and everything while paused', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [world.settle(meter)]);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', [world.settle(meter)]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const meter = world.newMeter();
    world.accept(meter);
    refusesWrongAccounts(world, 'registry', 'settle_meter_balance', [world.settle(meter)], [], {
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
    });
  });
});
