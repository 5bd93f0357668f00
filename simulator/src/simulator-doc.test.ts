import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SimulatorConfig } from './config.js';
import { Fault, LineFault } from './faults.js';
import { parseScenario, scenarioJsonSchema } from './scenario-file.js';

const DOC = new URL('../../docs/simulator.md', import.meta.url);

interface Schema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
}
const jsonSchema = (schema: z.ZodType) =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;

/** What a setting may be, in a few words. */
function values(schema: Schema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  const options = schema.oneOf ?? schema.anyOf;
  if (options !== undefined) return [...new Set(options.map(values))].join(' or ');
  if (schema.minimum !== undefined && schema.maximum !== undefined) {
    return `${schema.type} ${schema.minimum} to ${schema.maximum}`;
  }
  return (Array.isArray(schema.type) ? schema.type.join(' or ') : schema.type) ?? 'any';
}

/** One row for each setting, with its path. */
function rows(schema: Schema, path = ''): string[] {
  const result: string[] = [];
  // First what distinguishes the kinds, then their settings, each once.
  for (const part of schema.oneOf ?? []) {
    const kind = part.properties?.type;
    if (kind?.const !== undefined && kind.description !== undefined) {
      result.push(`| \`${path}type\` | \`${kind.const}\` | | ${kind.description} |`);
    }
    const { type: _, ...others } = part.properties ?? {};
    const own = rows({ ...part, properties: others }, path);
    // Where there are many kinds, each setting says whose it is.
    const many = (schema.oneOf?.length ?? 0) > 4;
    result.push(...(many ? own.map((row) => row.replace(/\| ([^|]*) \|$/, `| (${kind?.const}) $1 |`)) : own));
  }
  result.sort(
    (a, b) => Number(!a.startsWith(`| \`${path}type\``)) - Number(!b.startsWith(`| \`${path}type\``)),
  );
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const record =
      typeof property.additionalProperties === 'object' ? property.additionalProperties : undefined;
    const inner = record ?? property.items ?? property;
    const deeper = inner.properties !== undefined || inner.oneOf !== undefined;
    const fallback =
      property.default === undefined || deeper ? '' : `\`${JSON.stringify(property.default)}\``;
    const needed = schema.required?.includes(name) ? 'required' : fallback;
    result.push(
      `| \`${path}${name}\` | ${deeper ? '' : values(property)} | ${needed} | ${property.description ?? ''} |`,
    );
    const step = record !== undefined ? '.NAME.' : property.items === undefined ? '.' : '[].';
    if (deeper) result.push(...rows(inner, `${path}${name}${step}`));
  }
  return [...new Set(result)];
}

const settings = () =>
  ['| setting | value | default | meaning |', '|---|---|---|---|', ...rows(jsonSchema(SimulatorConfig))].join(
    '\n',
  );

const faults = () =>
  [
    '| fault | settings | what the meter does |',
    '|---|---|---|',
    ...[Fault, LineFault]
      .flatMap((schema) => jsonSchema(schema).oneOf ?? [])
      .map((fault) => {
        const { type, ...others } = fault.properties ?? {};
        const names = Object.entries(others).map(([name, schema]) =>
          schema.default === undefined ? `\`${name}\`` : `\`${name}\` (${JSON.stringify(schema.default)})`,
        );
        return `| \`${type?.const}\` | ${names.join(', ')} | ${fault.description} |`;
      }),
  ].join('\n');

function fill(page: string, name: string, content: string): string {
  const begin = `<!-- ${name}: generated -->\n`;
  const end = `<!-- end of ${name} -->`;
  const from = page.indexOf(begin) + begin.length;
  return `${page.slice(0, from)}${content}\n${page.slice(page.indexOf(end))}`;
}

describe('docs/simulator.md', () => {
  it('has the settings and faults of the schemas (UPDATE_DOCS=1 writes them)', () => {
    const page = readFileSync(DOC, 'utf8');
    const filled = fill(fill(page, 'settings', settings()), 'faults', faults());
    if (process.env.UPDATE_DOCS === '1') writeFileSync(DOC, filled);
    expect(readFileSync(DOC, 'utf8')).toBe(filled);
    for (const row of filled.split('\n').filter((line) => line.startsWith('| `'))) {
      expect(row.split('|').at(-2)?.trim(), row).not.toBe('');
    }
  });

  it('has scenario files that are valid', () => {
    const page = readFileSync(DOC, 'utf8');
    const files = [...page.matchAll(/<!-- file: (\S+\.yaml) -->\n```yaml\n([\s\S]*?)```/g)];
    expect(files.map(([, name]) => name)).toEqual([
      'home.yaml',
      'fast.yaml',
      'measured.yaml',
      'own.yaml',
      'bad-line.yaml',
    ]);
    for (const [, name, text] of files) parseScenario(text as string, name as string);
  });
});

describe('the JSON schema of scenario files', () => {
  it('is up to date (UPDATE_DOCS=1 writes it)', () => {
    const file = new URL('../scenario.schema.json', import.meta.url);
    const text = `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`;
    if (process.env.UPDATE_DOCS === '1') writeFileSync(file, text);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(text));
  });
});
