/** The configuration's reference as Markdown, made from the schema. */
import { z } from 'zod';
import { AgentConfig } from './config.js';

export const REFERENCE_BEGIN =
  '<!-- settings: generated from the schema, see agent/src/config-reference.ts -->';
export const REFERENCE_END = '<!-- end of settings -->';
export const EXAMPLE_BEGIN = '<!-- example -->';

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
}

/** A table of all settings: name, what it may be, default, meaning. */
export function configReference(): string {
  const schema = z.toJSONSchema(AgentConfig, { io: 'input', unrepresentable: 'any' }) as Schema;
  const rows = ['| setting | value | default | meaning |', '|---|---|---|---|'];
  describe(schema, '', rows);
  return rows.join('\n');
}

function describe(schema: Schema, prefix: string, rows: string[]): void {
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const path = `${prefix}${name}`;
    const required = schema.required?.includes(name) ?? false;
    const parts = [child, ...(child.oneOf ?? [])];
    const text = child.description ?? '';
    const fallback = JSON.stringify(child.default);
    const shown = child.default === undefined || fallback === '{}' ? '' : `\`${fallback}\``;
    rows.push(`| \`${path}\` | ${formOf(child)} | ${required ? 'required' : shown} | ${text} |`);
    for (const part of parts) {
      describe(part, `${path}.`, rows);
      if (part.items) describe(part.items, `${path}[].`, rows);
    }
  }
}

function formOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (schema.oneOf) return 'one of';
  if (schema.anyOf) return schema.anyOf.map(formOf).join(', ');
  if (schema.type === 'array') return 'list';
  if (schema.type === 'object') return 'group';
  if (schema.type === 'string') return 'text';
  if (schema.type === 'boolean') return '`true`, `false`';
  const bounded =
    schema.minimum !== undefined && schema.maximum !== undefined && schema.maximum < 2 ** 53 - 1;
  if (bounded) return `${schema.minimum} to ${schema.maximum}`;
  return schema.minimum === undefined ? 'number' : `from ${schema.minimum}`;
}

/** The example configuration of a page: its first YAML block after the marker. */
export function exampleOf(page: string): string {
  const from = page.indexOf('```yaml', page.indexOf(EXAMPLE_BEGIN));
  return page.slice(from + '```yaml'.length, page.indexOf('```', from + 3));
}
