import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome, until } from './testing/home.js';

describe('the gateway', () => {
  let home: TestHome;
  beforeEach(async () => {
    home = new TestHome();
    await home.collector.start();
  });
  afterEach(() => home.close());

  it('brings readings of a simulated meter to the collector', async () => {
    const simulator = await home.simulate([{ unit: 1 }]);
    home.meter('MTR-001', simulator, 1);
    const agent = await home.agent();
    await until('three readings stored', () => home.collector.sequences('MTR-001').length >= 3);
    expect(home.collector.faults).toEqual([]);
    expect(home.collector.sequences('MTR-001').slice(0, 3)).toEqual([1, 2, 3]);
    expect(agent.status().broker.connected).toBe(true);
  });
});
