import type { DescribedMetric } from './catalogue.js';

/** What an expression of PromQL names. */
export interface References {
  /** Metrics, with their selectors and the labels that these ask for. */
  readonly metrics: readonly {
    readonly name: string;
    readonly selector: string;
    readonly labels: readonly string[];
  }[];
  /** Labels of `by (...)`. */
  readonly grouped: readonly string[];
}

const METRIC = /(?<![\w:$])((?:gtx_|process_|nodejs_)\w+|\w+:\w+:\w+|up)(?![\w:(])(?:\{([^}]*)\})?/g;

/** @param expr one expression; `$__rate_interval` and variables may be in it */
export function referencesOf(expr: string): References {
  const bare = expr.replace(/\[[^\]]*\]/g, '');
  return {
    metrics: [...bare.matchAll(METRIC)].map(([, name, selector]) => ({
      name: name as string,
      selector: `${name}{${selector ?? ''}}`,
      labels: [...(selector ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label as string),
    })),
    grouped: [...bare.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, labels]) =>
      (labels as string)
        .split(',')
        .map((label) => label.trim())
        .filter((label) => label !== ''),
    ),
  };
}

/** Labels that Prometheus itself adds, and a histogram's bound. */
const ADDED = ['job', 'instance', 'le'];

/**
 * What an expression names that is not there.
 * @param known metrics, and names that rules record, with the labels that these have
 */
export function unknownIn(expr: string, known: ReadonlyMap<string, readonly string[]>): string[] {
  const { metrics, grouped } = referencesOf(expr);
  const found: string[] = [];
  if (metrics.length === 0) found.push('no metric at all');
  const all = new Set(ADDED);
  for (const { name, labels } of metrics) {
    const has = known.get(name);
    if (has === undefined) {
      found.push(`no metric ${name}`);
      continue;
    }
    for (const label of has) all.add(label);
    for (const label of labels) {
      if (![...has, ...ADDED].includes(label)) found.push(`${name} has no label ${label}`);
    }
  }
  for (const label of grouped) if (!all.has(label)) found.push(`nothing has a label ${label}`);
  return found;
}

/** Names with their labels: of each component, and the three of which a histogram consists. */
export function namesOf(described: readonly DescribedMetric[]): Map<string, readonly string[]> {
  const names = new Map<string, readonly string[]>([['up', []]]);
  for (const { name, type, labels } of described) {
    const parts = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const part of parts) {
      names.set(`${name}${part}`, [...new Set([...(names.get(`${name}${part}`) ?? []), ...labels])]);
    }
  }
  return names;
}

/** The labels that an expression's result has, as far as its outermost `by` says: a recorded metric's. */
export const labelsOfResult = (expr: string): string[] =>
  referencesOf(expr).grouped.filter((label) => label !== 'le');
