import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startTestCollector, type TestCollector } from '../testing/collector.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { openApiDocument } from './openapi.js';
import { ROUTES } from './schemas.js';

/* The OpenAPI document against the rules of OpenAPI 3.1.0 and JSON Schema 2020-12, as far as this document uses them. */

/** JSON Schema 2020-12, the keywords that the documents use: others are mistakes until they are put here. */
interface JsonSchema {
  [keyword: string]: unknown;
}
const Type = z.enum(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']);
const count = z.number().int().nonnegative();
const JsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.strictObject({
    type: z.union([Type, z.array(Type).min(1)]).optional(),
    description: z.string().min(1).optional(),
    examples: z.array(z.unknown()).min(1).optional(),
    default: z.unknown().optional(),
    const: z.unknown().optional(),
    enum: z.array(z.unknown()).min(1).optional(),
    pattern: z
      .string()
      .refine((text) => new RegExp(text, 'u') instanceof RegExp)
      .optional(),
    format: z.string().optional(),
    contentEncoding: z.string().optional(),
    minLength: count.optional(),
    maxLength: count.optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    minItems: count.optional(),
    maxItems: count.optional(),
    items: JsonSchema.optional(),
    properties: z.record(z.string(), JsonSchema).optional(),
    required: z.array(z.string()).optional(),
    additionalProperties: z.union([z.boolean(), JsonSchema]).optional(),
    propertyNames: JsonSchema.optional(),
    anyOf: z.array(JsonSchema).min(1).optional(),
    oneOf: z.array(JsonSchema).min(1).optional(),
    allOf: z.array(JsonSchema).min(1).optional(),
  }),
);
const Reference = z.strictObject({ $ref: z.string().startsWith('#/components/schemas/') });
const Content = z.record(
  z.string().regex(/^[a-z]+\/[a-z.+-]+$/),
  z.strictObject({ schema: z.union([Reference, JsonSchema]) }),
);
const Operation = z.strictObject({
  operationId: z.string().regex(/^[a-z][A-Za-z0-9]+$/),
  tags: z.array(z.string()).length(1),
  summary: z.string().min(1).max(80),
  description: z.string().min(1),
  security: z
    .array(z.record(z.string(), z.array(z.string())))
    .min(1)
    .optional(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string(),
        in: z.enum(['path', 'query']),
        required: z.boolean(),
        description: z.string().optional(),
        schema: JsonSchema,
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.literal(true), content: Content }).optional(),
  responses: z.record(
    z.string().regex(/^[1-5][0-9]{2}$/),
    z.strictObject({
      description: z.string().min(1),
      content: Content.optional(),
      headers: z
        .record(z.string(), z.strictObject({ description: z.string(), schema: JsonSchema }))
        .optional(),
    }),
  ),
});
const Document = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({
    title: z.string(),
    version: z.string().regex(/^\d+\.\d+\.\d+/),
    description: z.string(),
    license: z.strictObject({ name: z.string(), identifier: z.string() }),
  }),
  tags: z.array(z.strictObject({ name: z.string() })),
  paths: z.record(
    z.string().regex(/^\/[A-Za-z0-9/{}_.-]*$/),
    z.strictObject({
      get: Operation.optional(),
      post: Operation.optional(),
      put: Operation.optional(),
      delete: Operation.optional(),
    }),
  ),
  components: z.strictObject({
    schemas: z.record(z.string(), JsonSchema),
    securitySchemes: z.record(
      z.string(),
      z.strictObject({ type: z.literal('http'), scheme: z.string(), description: z.string().optional() }),
    ),
  }),
});

describe('the document', () => {
  const document = openApiDocument('1.2.3');
  const checked = Document.safeParse(document);
  const operations = Object.entries(checked.data?.paths ?? {}).flatMap(([path, methods]) =>
    Object.values(methods).flatMap((operation) => (operation ? [{ path, operation }] : [])),
  );

  test('has the structure of OpenAPI 3.1', () => {
    expect(checked.error === undefined ? '' : z.prettifyError(checked.error)).toBe('');
    expect(operations).toHaveLength(ROUTES.length);
  });

  test('names what it refers to, and each operation by a name of its own', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    const tags = checked.data?.tags.map(({ name }) => name);
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = (operation.parameters ?? []).filter((one) => one.in === 'path');
      expect([path, described.map(({ name }) => name)]).toEqual([path, inPath]);
      expect(described.every(({ required }) => required)).toBe(true);
      expect(tags).toContain(operation.tags[0]);
      for (const scheme of (operation.security ?? []).flatMap(Object.keys)) {
        expect(checked.data?.components.securitySchemes).toHaveProperty(scheme);
      }
      expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    for (const [, name] of references) expect(checked.data?.components.schemas).toHaveProperty(name ?? '');
    // Required properties exist; a schema that cannot be matched would pass every other test.
    const walk = (schema: unknown): void => {
      if (typeof schema !== 'object' || schema === null) return;
      const { required, properties } = schema as { required?: string[]; properties?: object };
      if (Array.isArray(required) && properties !== undefined)
        expect(Object.keys(properties)).toEqual(expect.arrayContaining(required));
      Object.values(schema).forEach(walk);
    };
    walk(document);
  });
});

describe('a running collector', () => {
  let postgres: TestPostgres;
  let collector: TestCollector;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    collector = await startTestCollector(postgres);
  });
  afterAll(async () => {
    await collector?.stop();
    await postgres?.stop();
  });
  const ask = (path: string, init: RequestInit = {}) => fetch(`${collector.httpUrl}${path}`, init);

  test('serves the document, and every route that is in it', async () => {
    expect(await (await ask('/openapi.json')).json()).toEqual(openApiDocument('0.1.0'));
    for (const { method, path } of ROUTES) {
      const answer = await ask(path.replaceAll(/\{\w+\}/g, 'x'), { method: method.toUpperCase() });
      const text = await answer.text();
      expect([path, text]).not.toEqual([path, expect.stringContaining('nothing at this path')]);
      expect([path, answer.status]).not.toEqual([path, 405]);
    }
  });

  test('another method is answered with those that there are', async () => {
    const answer = await ask('/api/orders/x', { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET');
    expect(await answer.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
    expect((await ask('/api/orders/x/y')).status).toBe(404);
  });

  test('nothing of it may be framed, sniffed or run, and the pages only run what is of this server', async () => {
    for (const path of ['/api/time', '/nothing', '/metrics', '/healthz', '/api/status']) {
      const { headers } = await ask(path);
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; frame-ancestors 'none'/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    expect((await ask('/api/time')).headers.get('cache-control')).toBe('no-store');
  });

  test('/docs: a page, its script and its style, all from here', async () => {
    const page = await ask('/docs');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]+src=)|\son\w+=|https?:|style=/);
    const files = [...html.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, path]) => path as string);
    expect(files).toHaveLength(3);
    for (const file of files) {
      const answer = await ask(file);
      expect([file, answer.status]).toEqual([file, 200]);
      expect(answer.headers.get('content-type')).toMatch(file.endsWith('css') ? /^text\/css/ : /javascript/);
      expect((await answer.text()).length).toBeGreaterThan(100);
    }
    expect((await ask('/docs/', { redirect: 'manual' })).headers.get('location')).toBe('/docs');
    for (const path of [
      '/docs/index.html',
      '/docs/../package.json',
      '/docs/%2e%2e/package.json',
      '/docs/package.json',
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});
