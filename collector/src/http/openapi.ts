import { ERRORS } from '@gridtokenx/protocol';
import { z } from 'zod';
import { type Access, errorsByStatus, type Route } from './route.js';
import { ErrorBodySchema, ROUTES } from './schemas.js';

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  return rest;
}

function parameters(route: Route): Json[] {
  const list: Json[] = [];
  for (const [place, shape] of [
    ['path', route.params],
    ['query', route.query],
  ] as const) {
    if (shape === undefined) continue;
    const schema = jsonSchema(shape, 'input') as { properties: Record<string, Json>; required?: string[] };
    for (const [name, property] of Object.entries(schema.properties)) {
      const required = place === 'path' || (schema.required ?? []).includes(name);
      const { description, ...rest } = property;
      list.push({
        name,
        in: place,
        required,
        ...(description !== undefined && { description }),
        schema: rest,
      });
    }
  }
  return list;
}

const ETAG = { ETag: { description: 'Weak validator of this answer', schema: { type: 'string' } } };

function responses(route: Route): Json {
  const result: Json = {};
  for (const [status, answer] of Object.entries(route.answers)) {
    const contentType = answer.contentType ?? 'application/json';
    result[status] = {
      description: answer.description,
      ...(route.cached && { headers: ETAG }),
      content: { [contentType]: { schema: answer.schema ? jsonSchema(answer.schema, 'output') : {} } },
    };
  }
  if (route.cached)
    result[304] = { description: 'Not changed since the answer whose ETag If-None-Match names.' };
  for (const [status, codes] of errorsByStatus(route)) {
    if (result[status] !== undefined) continue;
    result[status] = {
      description: codes.map((code) => `${code}: ${ERRORS[code].meaning}`).join('\n\n'),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      ...(status === 429 && {
        headers: { 'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer' } } },
      }),
    };
  }
  return result;
}

const SECURITY: Record<Access, Json[]> = {
  public: [],
  meter: [{ meter: [] }],
  wallet: [{ wallet: [] }],
  own: [{ wallet: [] }, { operator: [] }],
  operator: [{ operator: [] }, { wallet: [] }],
  anybody: [{}, { operator: [] }, { wallet: [] }],
};

/** `get /api/orders/{address}` is `getOrdersByAddress`. */
function operationId({ method, path }: Route): string {
  const words = path
    .replace(/^\/api\//, '')
    .replaceAll(/\{(\w+)\}/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/);
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The OpenAPI 3.1 document of the collector, made from the schemas that requests are validated with. */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) {
    const path = paths[route.path] ?? {};
    paths[route.path] = path;
    path[route.method] = {
      summary: route.summary,
      description: route.description,
      operationId: operationId(route),
      tags: [route.tag],
      ...(SECURITY[route.access].length > 0 && { security: SECURITY[route.access] }),
      ...((route.params || route.query) && { parameters: parameters(route) }),
      ...(route.body && {
        requestBody: {
          required: true,
          content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
        },
      }),
      responses: responses(route),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'gridtokenx collector',
      version,
      description:
        'Signed meter readings in; the market, tokens and figures out. Amounts are decimal text, times ISO 8601 or Unix ' +
        'seconds. Every refusal has an `error` with `code`, `message`, `retry` and `details`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(ROUTES.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: jsonSchema(ErrorBodySchema, 'output') },
      securitySchemes: {
        operator: { type: 'http', scheme: 'basic' },
        wallet: { type: 'http', scheme: 'bearer', description: "A wallet's session: see `/api/auth/login`" },
        meter: {
          type: 'http',
          scheme: 'GTXA',
          description:
            "`<Unix seconds>.<signature>`: base58 of the meter key's signature over the login message",
        },
      },
    },
  };
}
