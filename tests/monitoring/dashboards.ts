import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/**
 * The parts of Grafana's dashboard model (classic) that these dashboards use, as its documentation has them:
 * https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
 */
const text = z.string().min(1);
const source = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('$' + '{datasource}') });
/** The grid is 24 columns wide; a row of it is 30 pixels high. */
const gridPos = z
  .strictObject({
    x: z.int().min(0).max(23),
    y: z.int().min(0),
    w: z.int().min(1).max(24),
    h: z.int().min(1),
  })
  .refine(({ x, w }) => x + w <= 24, 'wider than the grid');

/** Ids of units in Grafana's list (`none`: a bare number). */
const unit = z.enum(['none', 'cps', 'reqps', 's', 'bytes', 'percentunit', 'watt']);

const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: source,
  expr: text,
  legendFormat: text,
  range: z.boolean(),
  instant: z.boolean(),
});
const panel = z.strictObject({
  id: z.int().positive(),
  type: z.enum(['timeseries', 'stat']),
  title: text,
  description: text,
  datasource: source,
  gridPos,
  targets: z.array(target).min(1),
  fieldConfig: z.strictObject({
    defaults: z.looseObject({ unit }),
    overrides: z.array(z.never()),
  }),
  options: z.looseObject({}),
});
const row = z.strictObject({
  id: z.int().positive(),
  type: z.literal('row'),
  title: text,
  collapsed: z.literal(false),
  gridPos,
  panels: z.array(z.never()),
});
const sourceVariable = z.looseObject({
  name: z.literal('datasource'),
  type: z.literal('datasource'),
  query: z.literal('prometheus'),
});
const queryVariable = z.looseObject({
  name: z.string().regex(/^[a-z]+$/),
  type: z.literal('query'),
  datasource: source,
  definition: text,
  query: z.strictObject({ query: text, refId: text }),
});
const span = z.string().regex(/^now(-\d+[hdm])?$/);

export const Dashboard = z.strictObject({
  // At most 40 characters that a URL takes as they are.
  uid: z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/),
  title: text,
  description: text,
  tags: z.array(text),
  schemaVersion: z.int().min(36),
  version: z.int(),
  editable: z.boolean(),
  graphTooltip: z.literal([0, 1, 2]),
  timezone: z.enum(['browser', 'utc']),
  refresh: z.string().regex(/^\d+[sm]$/),
  time: z.strictObject({ from: span, to: span }),
  templating: z.strictObject({ list: z.array(z.union([sourceVariable, queryVariable])) }),
  annotations: z.strictObject({ list: z.array(z.unknown()) }),
  links: z.array(z.looseObject({ type: z.enum(['dashboards', 'link']), title: text })),
  panels: z.array(z.union([panel, row])).min(1),
});
export type Dashboard = z.infer<typeof Dashboard>;
export type Panel = z.infer<typeof panel>;

const folder = fileURLToPath(new URL('../../deploy/grafana/dashboards/', import.meta.url));

/** Every dashboard, by the name of its file. */
export function dashboards(): Map<string, Dashboard> {
  return new Map(
    readdirSync(folder).map((name) => [
      name,
      Dashboard.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
    ]),
  );
}

export const panelsOf = (dashboard: Dashboard): Panel[] =>
  dashboard.panels.filter((one): one is Panel => one.type !== 'row');

/** An expression as Prometheus is asked: with an interval for Grafana's own, and every instance. */
export const asked = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*');
