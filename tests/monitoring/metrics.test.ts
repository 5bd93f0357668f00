/** The names of metrics: the convention, and the tables in docs/metrics.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMPONENTS, catalogue, type DescribedMetric, LABELS, offences, tableOf } from './catalogue.js';

const file = fileURLToPath(new URL('../../docs/metrics.md', import.meta.url));
const all = await catalogue();

describe('every metric that a component describes', () => {
  for (const component of COMPONENTS) {
    it(`is named by the convention: ${component}`, () => {
      expect(all[component].length).toBeGreaterThan(5);
      const found = all[component].flatMap((metric) =>
        offences(component, metric).map((offence) => `${metric.name}: ${offence}`),
      );
      expect(found).toEqual([]);
    });

    it(`is in the table of docs/metrics.md, and no other is: ${component} (UPDATE_DOCS=1 writes it)`, () => {
      const page = readFileSync(file, 'utf8');
      const [begin, end] = [`<!-- begin ${component} -->`, `<!-- end ${component} -->`];
      const [from, to] = [page.indexOf(begin), page.indexOf(end)];
      expect(from, begin).toBeGreaterThan(0);
      expect(to, end).toBeGreaterThan(from);
      const written = `${page.slice(0, from + begin.length)}\n${tableOf(all[component])}\n${page.slice(to)}`;
      if (process.env.UPDATE_DOCS === '1') writeFileSync(file, written);
      else expect(page).toBe(written);
    });
  }

  it('has only labels that the page lists, and the page lists no other', () => {
    const page = readFileSync(file, 'utf8');
    const listed = page.slice(page.indexOf('## Labels'), page.indexOf('## What the components tell'));
    const named = new Set(
      [...listed.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)]
        .flatMap(([, cell]) => [...(cell as string).matchAll(/`(\w+)`/g)])
        .map(([, label]) => label as string),
    );
    expect([...named].toSorted()).toEqual([...LABELS].toSorted());
  });
});

describe('the convention', () => {
  const good: DescribedMetric = {
    name: 'gtx_collector_store_duration_seconds',
    type: 'histogram',
    labels: ['outcome'],
    help: 'From a reading’s arrival to its being durable',
  };
  it.each<[string, Partial<DescribedMetric>]>([
    ['another component', { name: 'gtx_agent_store_duration_seconds' }],
    ['no prefix', { name: 'store_duration_seconds' }],
    ['milliseconds', { name: 'gtx_collector_store_milliseconds', type: 'gauge' }],
    ['an age', { name: 'gtx_collector_audit_age_seconds', type: 'gauge' }],
    ['kilowatt-hours', { name: 'gtx_collector_energy_kwh_total', type: 'counter' }],
    ['a counter without _total', { name: 'gtx_collector_readings', type: 'counter' }],
    ['a gauge with _total', { name: 'gtx_collector_meters_total', type: 'gauge' }],
    ['a histogram that is no duration', { name: 'gtx_collector_store_seconds' }],
    ['capitals', { name: 'gtx_collector_storeDuration_seconds', type: 'gauge' }],
    ['no help', { help: '' }],
    ['a meter’s id', { labels: ['meter_id'] }],
    ['a wallet', { labels: ['wallet'] }],
    ['a label in the name', { name: 'gtx_collector_outcome_total', type: 'counter' }],
  ])('refuses %s', (_, change) => {
    expect(offences('collector', good)).toEqual([]);
    expect(offences('collector', { ...good, ...change })).not.toEqual([]);
  });
});
