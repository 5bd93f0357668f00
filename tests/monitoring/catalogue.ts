/** Every metric of every component, as the components describe them, and the convention for their names. */
import { describeAgentMetrics } from '@gridtokenx/agent';
import { supervisorMetrics } from '@gridtokenx/cli';
import { collectorRegistry, publisherRegistry } from '@gridtokenx/collector';
import { localnetRegistry } from '@gridtokenx/localnet';
import type { Metric } from '@gridtokenx/protocol';
import { describeSimulatorMetrics } from '@gridtokenx/simulator';

export const COMPONENTS = ['agent', 'collector', 'publisher', 'localnet', 'simulator', 'supervisor'] as const;
export type ComponentName = (typeof COMPONENTS)[number];

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

type Registry = ReturnType<typeof collectorRegistry>;

async function ofRegistry(registry: Registry): Promise<DescribedMetric[]> {
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  return registry.getMetricsAsArray().map((metric) => ({
    name: metric.name,
    help: metric.help,
    type: types.get(metric.name) ?? 'unknown',
    // The library keeps the names with each metric; its types do not say so.
    labels: (metric as unknown as { labelNames: readonly string[] }).labelNames,
  }));
}

const ofList = (metrics: readonly Metric[]): DescribedMetric[] =>
  metrics.map(({ name, help, type, labels }) => ({ name, help, type, labels }));

/** By component, each sorted by name. */
export async function catalogue(): Promise<Record<ComponentName, DescribedMetric[]>> {
  const all: Record<ComponentName, DescribedMetric[]> = {
    agent: ofList(describeAgentMetrics()),
    collector: await ofRegistry(collectorRegistry()),
    publisher: await ofRegistry(publisherRegistry()),
    localnet: await ofRegistry(localnetRegistry()),
    simulator: ofList(describeSimulatorMetrics()),
    supervisor: ofList(supervisorMetrics([])),
  };
  for (const metrics of Object.values(all)) metrics.sort((a, b) => (a.name < b.name ? -1 : 1));
  return all;
}

/** What a client library tells of its process: its names are not ours. */
export const isOfProcess = (name: string): boolean => /^(process|nodejs)_/.test(name);

/** Units that a name may end in, and how the table calls them. */
const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ['_timestamp_seconds', 'Unix seconds'],
  ['_grx_per_kwh', 'GRX for 1 kWh'],
  ['_seconds', 'seconds'],
  ['_bytes', 'bytes'],
  ['_joules', 'joules'],
  ['_watts', 'watts'],
  ['_lamports', 'lamports'],
  ['_ratio', 'ratio, 0 to 1'],
];

export function unitOf(name: string): string {
  const counted = name.replace(/_total$/, '');
  return UNITS.find(([suffix]) => counted.endsWith(suffix))?.[1] ?? '';
}

/** Words that stand for a unit that is not a base unit, for a type, or for an abbreviation. */
const NEVER = new Set([
  ...['ms', 'millis', 'milliseconds', 'us', 'micros', 'ns', 'sec', 'secs', 'minutes', 'hours', 'days', 'age'],
  ...['kb', 'mb', 'kilobytes', 'megabytes', 'kilowatts', 'kw', 'milliwatts', 'w', 'wh', 'nkwh', 'percent'],
  ...['counter', 'gauge', 'histogram', 'summary', 'metric', 'count', 'sum', 'bucket', 'info'],
]);

/** Everything in which a metric departs from the convention of docs/metrics.md. */
export function offences(component: string, metric: DescribedMetric): string[] {
  const { name, type, labels, help } = metric;
  const found: string[] = [];
  const words = name.split('_');
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) found.push('not in snake case');
  if (!isOfProcess(name)) {
    if (!name.startsWith(`gtx_${component}_`)) found.push(`does not begin with gtx_${component}_`);
    if ((type === 'counter') !== name.endsWith('_total')) found.push('_total is for counters, and for all');
    if (words.some((word) => NEVER.has(word))) found.push('a word that no name has');
    if (words.includes('kwh') && !name.includes('_per_kwh')) found.push('energy is in joules');
    if (type === 'histogram' && words.includes('seconds') && !name.endsWith('_duration_seconds')) {
      found.push('a histogram of seconds is of a duration');
    }
    if (!/^[A-Z0-9]/.test(help)) found.push('no help text that begins as a sentence does');
  }
  for (const label of labels) {
    if (!LABELS.has(label)) found.push(`a label that is not on the list: ${label}`);
    if (CLASSES.has(label) && words.includes(label)) found.push(`the name repeats its label ${label}`);
  }
  return found;
}

/** Labels that there are. Each has values from a closed list, or as many as the configuration names. */
export const LABELS = new Set([
  ...[
    'source',
    'outcome',
    'reason',
    'kind',
    'problem',
    'severity',
    'channel',
    'error',
    'state',
    'side',
    'range',
    'rule',
  ],
  ...['route', 'method', 'status', 'result', 'code', 'component', 'stage'],
  // Of a gateway and a simulator: a place in the configuration, a bus address, a connection, a part of a home.
  ...['meter', 'role', 'unit', 'line', 'fault', 'site', 'part'],
  // Of the client library.
  ...['space', 'version', 'major', 'minor', 'patch'],
]);

/** Labels that divide what a metric counts; those that say whose it is (a line, a source) may be in its name. */
const CLASSES = new Set([
  'outcome',
  'reason',
  'kind',
  'severity',
  'state',
  'status',
  'method',
  'code',
  'result',
]);

/** The table of a component in docs/metrics.md. */
export function tableOf(metrics: readonly DescribedMetric[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [
    '| name | type | unit | labels | meaning |',
    '|---|---|---|---|---|',
    ...metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${unitOf(name)} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${cell(help)} |`,
    ),
  ].join('\n');
}

/** One sample line of an exposition. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly types: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
}

/** Reads the text format 0.0.4, as far as the components write it. @throws Error at a line that is none */
export function parseExposition(text: string): Exposition {
  const [types, helps] = [new Map<string, string>(), new Map<string, string>()];
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment) {
      (comment[1] === 'TYPE' ? types : helps).set(comment[2] as string, comment[3] as string);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!sample) throw new Error(`not a line of the text format: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, label, value] of (sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g)) {
      labels[label as string] = value as string;
    }
    samples.push({ name: sample[1] as string, labels, value: Number(sample[3]) });
  }
  return { types, helps, samples };
}
