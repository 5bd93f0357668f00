/** The reference part of docs/meter-profiles.md: the models, and every setting of a profile and a fixture. */
import { z } from 'zod';
import { fixtureSchema } from './fixture.js';
import { type MeterProfile, profileSchema, QUANTITIES, REGISTER_TYPES, VERIFIED } from './schema.js';

/** Everything between these lines of docs/meter-profiles.md is written by `renderProfileReference`. */
export const REFERENCE_BEGIN =
  '<!-- Generated from the profiles and their schema (UPDATE_DOCS=1 npx vitest run firmware-profiles): begin -->';
export const REFERENCE_END = '<!-- Generated: end -->';

/** Longer lists of values stand below the table. */
const UNFOLDED = 16;

interface Node {
  type?: string;
  description?: string;
  properties?: Record<string, Node>;
  required?: string[];
  items?: Node;
  anyOf?: Node[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  additionalProperties?: Node | boolean;
  propertyNames?: Node;
}

/** The reference in Markdown: models, settings of a profile, settings of a fixture. */
export function renderProfileReference(profiles: readonly MeterProfile[]): string {
  const lines = [
    '## Models',
    '',
    `${profiles.length} models. What the last column says: ${Object.entries(VERIFIED)
      .map(([name, text]) => `*${name}*: ${text}`)
      .join('; ')}.`,
    '',
    '| profile | maker and model | kind | phases | line | roles | scan finds it by | founded on |',
    '|---|---|---|---|---|---|---|---|',
    ...profiles.map((profile) =>
      row([
        `\`${profile.id}\``,
        `${profile.manufacturer} ${profile.model}`,
        profile.kind,
        String(profile.phases),
        profile.transports.join(', '),
        Object.keys(profile.roles).join(', '),
        profile.sunspec === undefined ? profile.identification.certainty : 'SunSpec discovery',
        profile.verified,
      ]),
    ),
    '',
    '## Settings of a profile',
    '',
    '| setting | what it is | values | |',
    '|---|---|---|---|',
    ...settings(z.toJSONSchema(profileSchema, { io: 'input' }) as Node, ''),
    '',
    '### Quantities',
    '',
    `${QUANTITIES.map((name) => `\`${name}\``).join(', ')}.`,
    '',
    'Power is positive while drawn, of inverters while given (`power_sign`). `energy_generated` is what an inverter gives to its AC side.',
    '',
    '### Types',
    '',
    '| type | registers |',
    '|---|---|',
    ...Object.entries(REGISTER_TYPES).map(([name, length]) => row([`\`${name}\``, String(length)])),
    row(['`ascii`', '`length`']),
    '',
    '`sm*` are sign and magnitude, `bcd*` decimal digits, `exp8_*24` a signed decimal exponent in the highest byte and a 24-bit number below it.',
    '',
    '## Settings of a fixture',
    '',
    '| setting | what it is | values | |',
    '|---|---|---|---|',
    ...settings(z.toJSONSchema(fixtureSchema, { io: 'input' }) as Node, ''),
  ];
  return `${lines.join('\n')}\n`;
}

function settings(node: Node, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, one]) => {
    if (name === '$schema') return [];
    const required = node.required?.includes(name) === true;
    const inner = one.items ?? one;
    const list = one.items !== undefined;
    const map = typeof inner.additionalProperties === 'object' ? inner.additionalProperties : undefined;
    const here = `${path}${name}${list ? '[]' : ''}`;
    const need = required
      ? 'required'
      : one.default !== undefined
        ? `default \`${JSON.stringify(one.default)}\``
        : 'optional';
    const text = [one.description, list ? inner.description : undefined].filter((part) => part !== undefined);
    const rows = [row([`\`${here}\``, text.join('. '), values(inner), need])];
    if (inner.properties !== undefined) rows.push(...settings(inner, `${here}.`));
    if (map?.properties !== undefined) rows.push(...settings(map, `${here}.*.`));
    return rows;
  });
}

function values(node: Node): string {
  if (node.enum !== undefined && node.enum.length > UNFOLDED) {
    return node.enum.includes('power_total') ? 'a quantity, see below' : 'a type, see below';
  }
  if (node.enum !== undefined) return node.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(values))].join(' or ');
  if (node.items !== undefined) return `list of ${values(node.items)}`;
  if (node.properties !== undefined) return 'settings below';
  if (typeof node.additionalProperties === 'object') {
    const keys = node.propertyNames?.enum;
    return keys === undefined ? `by name: ${values(node.additionalProperties)}` : 'by quantity, see below';
  }
  if (node.type === 'integer' || node.type === 'number') {
    const whole = node.type === 'integer' ? 'whole number' : 'number';
    const { minimum, maximum } = node;
    const bounded = (limit: number | undefined) => limit !== undefined && Math.abs(limit) < 2 ** 53 - 1;
    if (bounded(minimum) && bounded(maximum)) return `${whole} from ${minimum} to ${maximum}`;
    if (bounded(minimum)) return `${whole}, at least ${minimum}`;
    return whole;
  }
  if (node.type === 'boolean') return '`true`, `false`';
  return 'text';
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}
