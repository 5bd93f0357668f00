import { ERRORS } from '@gridtokenx/protocol';
import { z } from 'zod';
import { type Access, errorsByStatus, type Route } from './route.js';
import { ROUTES } from './schemas.js';

interface Property {
  type?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Property[];
  oneOf?: Property[];
  items?: Property;
  properties?: Record<string, Property>;
  required?: string[];
  examples?: unknown[];
}

function typeOf(property: Property): string {
  if (property.const !== undefined) return `\`${property.const}\``;
  if (property.enum !== undefined) return property.enum.map((value) => `\`${value}\``).join(', ');
  if (property.anyOf !== undefined) return [...new Set(property.anyOf.map(typeOf))].join(' or ');
  if (property.type === 'array') return `list of ${typeOf(property.items ?? {})}`;
  return property.type ?? 'any';
}

function rowsOf(schema: Property, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const optional = (schema.required ?? []).includes(name) ? '' : ' (optional)';
    const example =
      property.examples?.[0] === undefined ? '' : ` e.g. \`${JSON.stringify(property.examples[0])}\``;
    const text = `${property.description ?? ''}${example}`.trim();
    const row = `| \`${prefix}${name}\`${optional} | ${typeOf(property)} | ${text} |`;
    const inner = property.type === 'array' ? property.items : property;
    const below = property.type === 'array' ? `${prefix}${name}[].` : `${prefix}${name}.`;
    return [row, ...rowsOf(inner ?? {}, below)];
  });
}

function table(schema: z.ZodType, io: 'input' | 'output'): string[] {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Property;
  // One of several shapes: a table for each.
  return (json.oneOf ?? json.anyOf ?? [json]).flatMap((one) => [
    '| field | type | what |',
    '|---|---|---|',
    ...rowsOf(one),
    '',
  ]);
}

const ACCESS: Record<Access, string[] | undefined> = {
  public: undefined,
  wallet: ["Needs a wallet's session: the header `Authorization: Bearer <access token>`."],
  own: [
    "Needs a wallet's session (`Authorization: Bearer <access token>`), which sees what is its own, or the operator's login,",
    'which sees all.',
  ],
  operator: [
    "Needs the operator's login (HTTP Basic) or the session of an operator's wallet. Where no login is configured, it is",
    'answered on loopback only.',
  ],
  anybody: ['Anybody may ask. An operator who sends a login sees what is hidden from others.'],
  meter: [
    "Needs the meter's login: the header `Authorization: GTXA <Unix seconds>.<signature>`, the signature (base58) being the",
    "meter key's over the login message of that time (see [protocol.md](protocol.md)). The time must be within 5 minutes of",
    "the collector's and newer than the meter's last login, over HTTP or at the broker.",
  ],
};

function section(route: Route): string[] {
  const lines = [
    `## ${route.method.toUpperCase()} ${route.path}`,
    '',
    `**${route.summary}.** ${route.description}`,
    '',
  ];
  const access = ACCESS[route.access];
  if (access !== undefined) lines.push(...access, '');
  if (route.params) lines.push('In the path:', '', ...table(route.params, 'input'));
  if (route.query) lines.push('In the query:', '', ...table(route.query, 'input'));
  if (route.body) lines.push('Body (JSON):', '', ...table(route.body, 'input'));
  for (const [status, answer] of Object.entries(route.answers)) {
    lines.push(`**${status}** ${answer.description}`, '');
    if (answer.schema && answer.schema !== shownBefore(route, status))
      lines.push(...table(answer.schema, 'output'));
  }
  const errors = [...errorsByStatus(route)].flatMap(([status, codes]) =>
    codes.map((code) => `| ${status} | \`${code}\` | ${ERRORS[code].retry} | ${ERRORS[code].meaning} |`),
  );
  if (errors.length > 0) {
    lines.push(
      'Refusals:',
      '',
      '| HTTP | code | retry | what happened |',
      '|---|---|---|---|',
      ...errors,
      '',
    );
  }
  return lines;
}

/** The schema of the first answer, when a later one has the same: it is not printed twice. */
function shownBefore(route: Route, status: string): z.ZodType | undefined {
  const first = Object.keys(route.answers)[0];
  return first === status ? undefined : route.answers[Number(first)]?.schema;
}

/** All routes by their groups, with links. */
function contents(): string[] {
  const tags = [...new Set(ROUTES.map(({ tag }) => tag))];
  const anchor = ({ method, path }: Route) =>
    `${method}-${path}`.toLowerCase().replaceAll(/[^a-z0-9_ -]/g, '');
  const lines = tags.map((tag) => {
    const links = ROUTES.filter((one) => one.tag === tag).map(
      (one) => `[${one.method.toUpperCase()} ${one.path}](#${anchor(one)})`,
    );
    return `- ${tag}: ${links.join(', ')}`;
  });
  return ['## All routes', '', ...lines, ''];
}

/** docs/http.md. */
export function httpReference(): string {
  return [
    '# HTTP interface of the collector',
    '',
    'Generated from the schemas that requests are validated with (`UPDATE_DOCS=1 npx vitest run collector/src/docs.test.ts`).',
    'A running collector serves the same as OpenAPI 3.1 at `/openapi.json`, and as a page to try it out at `/docs`.',
    '',
    'To try it: `gtx submit-reading --production 25 --consumption 10` signs and submits a reading of a software meter.',
    '',
    '- **Amounts** are decimal text: GRID, GRX, SOL and kWh where the field says so, otherwise nkWh (1 kWh = 1 GRID =',
    '  1,000,000,000 nkWh). **Times** are Unix seconds or ISO 8601 in UTC.',
    '- **Refusals** have the body `{"error":{"code","message","retry","details"}}`; `retry` says whether the same request can be',
    '  accepted later. What to do about each code is in [errors.md](errors.md).',
    '- **Lists** come in pages: `{"items":[...],"next_cursor"}`. Give `next_cursor` as `cursor`, with the same other parameters,',
    '  until it is null. `limit` is at most 500.',
    '- **Public lists** have a weak `ETag`; with `If-None-Match` an unchanged one is answered 304 without a body.',
    "- **Limits** count by address (an IPv6 client's is its /64) and by wallet; 429 says in `Retry-After` how long to wait. How much",
    '  each may ask is among the settings in [collector.md](collector.md).',
    '- **Pages of other sites** cannot read the answers: no CORS headers are sent.',
    '',
    '## Trading over HTTP',
    '',
    "The server has no key of anybody's. A wallet trades in four steps:",
    '',
    '1. It logs in: `POST /api/auth/challenge`, signs the message, `POST /api/auth/login`.',
    '2. `POST /api/orders/build` with `{"kind":"create","side":"sell","amount":"10","price":"3"}`, or `{"kind":"match","order":"..."}`,',
    '   or `{"kind":"cancel","order":"..."}`, answers with a transaction that was tried out on the chain, what it does in words, and',
    '   what will be paid.',
    '3. The wallet shows and signs it. `POST /api/transactions/submit` sends it as it is, within a minute.',
    '4. `GET /api/transactions/{signature}?last_valid_block_height=...` tells when it is confirmed, or that it has failed or expired.',
    '   What came of it is then in orders, trades and balances.',
    '',
    ...contents(),
    ...ROUTES.flatMap(section),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
}
