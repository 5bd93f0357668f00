/** deploy/prometheus: the example of a configuration, rules and alerts, read by Prometheus' own tool. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { COMPONENTS, catalogue } from './catalogue.js';
import { labelsOfResult, namesOf, unknownIn } from './promql.js';
import { hasPromtool, promtool } from './promtool.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'deploy/prometheus');
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const text = z.string().min(1);

const Recording = z.strictObject({ record: text, expr: text });
const Alert = z.strictObject({
  alert: z.string().regex(/^Gtx([A-Z][a-z]+)+$/),
  expr: text,
  for: z
    .string()
    .regex(/^\d+[mh]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: text, description: text, runbook_url: text }),
});
const groupsOf = <Rule extends z.ZodType>(rule: Rule) =>
  z.strictObject({ groups: z.array(z.strictObject({ name: text, rules: z.array(rule).min(1) })).min(1) });

const recorded = groupsOf(Recording)
  .parse(parse(read('rules/recording.yaml')))
  .groups.flatMap(({ rules }) => rules);
const alerts = groupsOf(Alert)
  .parse(parse(read('rules/alerts.yaml')))
  .groups.flatMap(({ rules }) => rules);

const known = namesOf(Object.values(await catalogue()).flat());
for (const { record, expr } of recorded) known.set(record, labelsOfResult(expr));

describe('rules', () => {
  it('name only metrics and labels that components have', () => {
    for (const { record, expr } of recorded) expect(unknownIn(expr, known), record).toEqual([]);
    for (const { alert, expr } of alerts) expect(unknownIn(expr, known), alert).toEqual([]);
    expect(unknownIn('sum by (wallet) (gtx_collector_readings{source="mqtt"})', known)).toEqual([
      'no metric gtx_collector_readings',
      'nothing has a label wallet',
    ]);
    expect(unknownIn('gtx_collector_readings_total{meter_id="x"}', known)).toEqual([
      'gtx_collector_readings_total has no label meter_id',
    ]);
  });

  it('that record are named by level, metric and operations', () => {
    for (const { record } of recorded) {
      expect(record).toMatch(/^[a-z]+:gtx_[a-z_]+:[a-z0-9_]+$/);
      const [level] = record.split(':');
      const { expr } = recorded.find((one) => one.record === record) as { expr: string };
      if (level !== 'job') expect(labelsOfResult(expr), record).toContain(level);
    }
    expect(recorded.map(({ record }) => record)).toEqual([...new Set(recorded.map(({ record }) => record))]);
  });

  it('label a summary only with labels that the result has', () => {
    for (const { alert, expr, annotations } of alerts) {
      const labels = [...`${annotations.summary}${annotations.description}`.matchAll(/\$labels\.(\w+)/g)];
      for (const [, label] of labels) {
        // Aggregated: only what it is grouped by. Otherwise any label of its metrics.
        const aggregated = /^(sum|max|min|avg)\b/.test(expr) || /\b(sum|max)\(/.test(expr);
        if (aggregated) expect(labelsOfResult(expr), `${alert}: ${label}`).toContain(label);
        else expect(unknownIn(`sum by (${label}) (${expr})`, known), `${alert}: ${label}`).toEqual([]);
      }
    }
  });
});

describe('every alert', () => {
  const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
  const part = runbook.slice(runbook.indexOf('\n## Alerts of Prometheus\n'));
  const entries = new Map(
    part
      .split(/^### `/m)
      .slice(1)
      .map((entry): [string, string] => [entry.slice(0, entry.indexOf('`')), entry]),
  );

  it('has a name of its own, and an entry in docs/runbook.md at which it points; no entry is left over', () => {
    const names = alerts.map(({ alert }) => alert);
    expect(names).toEqual([...new Set(names)]);
    expect([...entries.keys()].toSorted()).toEqual(names.toSorted());
    for (const { alert, annotations, labels } of alerts) {
      expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
      const entry = entries.get(alert) ?? '';
      for (const word of ['**What.**', '**Look.**', '**Do.**', `\`${labels.severity}\``]) {
        expect(entry, alert).toContain(word);
      }
    }
  });

  it('says in one sentence what is wrong', () => {
    for (const { alert, annotations } of alerts) {
      expect(annotations.summary.replace(/\{\{[^}]*\}\}/g, 'x'), alert).toMatch(/^.{10,90}\.$/);
      expect(annotations.description, alert).toMatch(/\.$/);
    }
  });

  it('is tried with a series at which it fires and one at which it does not', () => {
    const tests = z
      .object({
        tests: z.array(
          z.object({
            alert_rule_test: z.array(z.object({ alertname: text, exp_alerts: z.array(z.unknown()) })),
          }),
        ),
      })
      .parse(parse(read('alerts.test.yaml')))
      .tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    for (const { alert } of alerts) {
      const outcomes = tests
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts }) => exp_alerts.length > 0);
      expect(outcomes.toSorted(), alert).toEqual([false, true]);
    }
    expect(tests).toHaveLength(2 * alerts.length);
  });
});

describe.skipIf(!hasPromtool())('promtool', () => {
  it.each(['prometheus/prometheus.yaml', 'compose/prometheus.yaml'])('takes the configuration %s', (file) => {
    const { code, said } = promtool(['check', 'config', join(root, 'deploy', file)]);
    expect(code, said).toBe(0);
  });

  it('takes the rules', () => {
    const { code, said } = promtool([
      'check',
      'rules',
      ...readdirSync(join(folder, 'rules')).map((name) => join(folder, 'rules', name)),
    ]);
    expect(code, said).toBe(0);
  });

  it('lets each alert fire where it should, and not where it should not', { timeout: 300_000 }, () => {
    const { code, said } = promtool(['test', 'rules', join(folder, 'alerts.test.yaml')]);
    expect(code, said).toBe(0);
  });
});

it('the configuration asks each component by a job of its name, and has no secret in it', () => {
  const config = parse(read('prometheus.yaml')) as {
    scrape_configs: { job_name: string; file_sd_configs: { files: string[] }[] }[];
  };
  expect(config.scrape_configs.map(({ job_name }) => job_name).toSorted()).toEqual(COMPONENTS.toSorted());
  for (const { file_sd_configs } of config.scrape_configs) {
    for (const file of file_sd_configs.flatMap(({ files }) => files)) {
      expect(parse(read(file)), file).toEqual([{ targets: [expect.stringMatching(/^[\w.-]+:\d+$/)] }]);
    }
  }
  expect(read('prometheus.yaml')).not.toMatch(/\b(password|credentials|bearer_token):/);
});
