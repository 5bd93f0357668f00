/** deploy/grafana: dashboards and provisioning, read as Grafana and Prometheus read them. No Grafana runs here. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { catalogue } from './catalogue.js';
import { asked, dashboards, panelsOf } from './dashboards.js';
import { labelsOfResult, namesOf, referencesOf, unknownIn } from './promql.js';
import { hasPromtool, promtool } from './promtool.js';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const yaml = (path: string): unknown => parse(readFileSync(join(deploy, path), 'utf8'));

const known = namesOf(Object.values(await catalogue()).flat());
const recorded = (
  yaml('prometheus/rules/recording.yaml') as { groups: { rules: { record: string; expr: string }[] }[] }
).groups.flatMap(({ rules }) => rules);
for (const { record, expr } of recorded) known.set(record, labelsOfResult(expr));

const all = dashboards();

it('there is one dashboard of each subject, with an id and a title of its own', () => {
  expect([...all.keys()].toSorted()).toEqual(
    [
      'gtx-chain.json',
      'gtx-fleet.json',
      'gtx-ingestion.json',
      'gtx-market.json',
      'gtx-overview.json',
    ].toSorted(),
  );
  for (const [name, { uid, tags }] of all) {
    expect(name).toBe(`${uid}.json`);
    // The links between them go by this tag.
    expect(tags).toContain('gridtokenx');
  }
  expect(new Set([...all.values()].map(({ title }) => title)).size).toBe(all.size);
});

describe.each([...all])('%s', (_, dashboard) => {
  it('lays its panels out side by side, none over another', () => {
    const places = dashboard.panels.map(({ gridPos, title }) => ({ ...gridPos, title }));
    const overlaps = places.flatMap((a, index) =>
      places
        .slice(index + 1)
        .filter((b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h)
        .map((b) => `${a.title} and ${b.title}`),
    );
    expect(overlaps).toEqual([]);
    const ids = dashboard.panels.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
  });

  it('asks the data source that is chosen, and uses every variable that it offers', () => {
    const { list } = dashboard.templating;
    expect(list[0]).toMatchObject({ name: 'datasource', type: 'datasource' });
    const used = JSON.stringify(dashboard.panels);
    for (const { name } of list) {
      expect(used.includes(`$${name}`) || used.includes(`\${${name}}`), name).toBe(true);
    }
    for (const variable of used.matchAll(/\$\{?([a-z]+)\b/g)) {
      expect(list.map(({ name }) => name)).toContain(variable[1]);
    }
  });

  it('asks for metrics and labels that there are, and names series by labels that the answer has', () => {
    for (const { title, targets } of panelsOf(dashboard)) {
      for (const { expr, legendFormat } of targets) {
        expect(unknownIn(asked(expr), known), `${title}: ${expr}`).toEqual([]);
        const { metrics, grouped } = referencesOf(asked(expr));
        const aggregated = /^\s*(sum|max|min|avg|histogram_quantile)\b/.test(expr);
        const has = aggregated
          ? grouped
          : [...metrics.flatMap(({ name }) => known.get(name) ?? []), 'job', 'instance'];
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          expect(has, `${title}: ${legendFormat}`).toContain(label);
        }
      }
    }
  });
});

it.skipIf(!hasPromtool())('every panel’s expression is PromQL', () => {
  const exprs = [...all].flatMap(([name, dashboard]) =>
    panelsOf(dashboard).flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ what: `${name}: ${title}`, expr: asked(expr) })),
    ),
  );
  expect(exprs.length).toBeGreaterThan(80);
  const folder = mkdtempSync(join(tmpdir(), 'gtx-panels-'));
  try {
    // JSON is YAML: each expression as a rule that records it.
    const check = (rules: { what: string; expr: string }[]) => {
      const file = join(folder, 'panels.yaml');
      const groups = [
        {
          name: 'panels',
          rules: rules.map(({ expr }, index) => ({ record: `panel:expression:${index}`, expr })),
        },
      ];
      writeFileSync(file, JSON.stringify({ groups }));
      return promtool(['check', 'rules', file]);
    };
    const { code, said } = check(exprs);
    expect(code, said).toBe(0);
    expect(check([{ what: 'wrong', expr: 'sum by (le (up)' }]).code).not.toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('the provisioning files name a data source without a secret and the folder of the dashboards', () => {
  const text = z.string().min(1);
  const sources = z.strictObject({
    apiVersion: z.literal(1),
    datasources: z.tuple([
      z.strictObject({
        name: text,
        uid: text,
        type: z.literal('prometheus'),
        access: z.literal('proxy'),
        url: z.literal('$GTX_PROMETHEUS_URL'),
        isDefault: z.literal(true),
        editable: z.literal(false),
        jsonData: z.strictObject({ timeInterval: z.string().regex(/^\d+s$/) }),
      }),
    ]),
  });
  const providers = z.strictObject({
    apiVersion: z.literal(1),
    providers: z.tuple([
      z.strictObject({
        name: text,
        folder: text,
        type: z.literal('file'),
        disableDeletion: z.literal(true),
        allowUiUpdates: z.literal(false),
        updateIntervalSeconds: z.int().min(10),
        options: z.strictObject({ path: z.literal('/var/lib/grafana/dashboards') }),
      }),
    ]),
  });
  const read = (kind: string) =>
    readdirSync(join(deploy, 'grafana/provisioning', kind)).map((name) =>
      yaml(`grafana/provisioning/${kind}/${name}`),
    );
  const [source, ...others] = read('datasources');
  const interval = (yaml('prometheus/prometheus.yaml') as { global: { scrape_interval: string } }).global;
  expect(sources.parse(source).datasources[0].jsonData.timeInterval).toBe(interval.scrape_interval);
  expect(others).toEqual([]);
  expect(read('dashboards').map((one) => providers.parse(one))).toHaveLength(1);
});
