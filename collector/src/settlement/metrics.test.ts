import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { settlementMetrics } from './metrics.js';

it('tells of one moment, of the one when it is asked, with one look at the database', async () => {
  const registry = new Registry();
  let looks = 0;
  settlementMetrics(registry, async () => {
    looks += 1;
    return { meters: looks, readings: looks, lagSeconds: looks, openSettlements: looks, reviews: looks };
  });
  for (const look of [1, 2]) {
    const samples = (await registry.metrics()).match(/^gtx_collector_settlement_(pending|lag|open).* \d+$/gm);
    expect(samples).toHaveLength(5);
    for (const sample of samples ?? []) expect(sample).toMatch(new RegExp(` ${look}$`));
  }
});
