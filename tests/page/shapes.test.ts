import { readFileSync } from 'node:fs';
import { openApiDocument } from '@gridtokenx/collector';
import { expect, test } from 'vitest';

/*
 * The page's idea of the collector's answers, field by field, against the collector's own description of them: a field that is
 * renamed or dropped there must not silently be missing on the page.
 */

/** Fields of an object type; a field whose type is written out as an object has fields again. */
type Fields = Map<string, Fields | undefined>;

/** The interfaces of a source file, as far as names go. */
function interfacesOf(source: string): Map<string, Fields> {
  const found = new Map<string, Fields>();
  const plain = source.replace(/\/\*[\s\S]*?\*\//g, '');
  for (const match of plain.matchAll(/export interface (\w+) \{/g)) {
    found.set(match[1] as string, fieldsOf(plain.slice(match.index + match[0].length)));
  }
  return found;
}

/** @param text begins behind the opening brace */
function fieldsOf(text: string): Fields {
  const fields: Fields = new Map();
  let rest = text;
  for (;;) {
    const field = /^\s*(\w+)\??:\s*/.exec(rest);
    if (field === null) return fields;
    rest = rest.slice(field[0].length);
    let depth = 0;
    let end = 0;
    while (!(depth === 0 && (rest[end] === ';' || rest[end] === '}'))) {
      if (end >= rest.length) throw new Error(`${field[1]} does not end`);
      if (rest[end] === '{') depth += 1;
      if (rest[end] === '}') depth -= 1;
      end += 1;
    }
    const type = rest.slice(0, end);
    fields.set(field[1] as string, type.startsWith('{') ? fieldsOf(type.slice(1)) : undefined);
    // The last field of an object on one line ends with the object.
    rest = rest.slice(rest[end] === ';' ? end + 1 : end);
  }
}

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  $ref?: string;
}

const document = openApiDocument('0.0.0') as unknown as Record<string, unknown>;

function at(path: readonly string[]): Schema {
  let node: unknown = document;
  for (const step of path) {
    node = (node as Record<string, unknown> | undefined)?.[step];
    if (node === undefined) throw new Error(`the description has no ${path.join(' ')}`);
  }
  return node as Schema;
}

/** The object that a schema is about: behind references, lists and "or null". */
function objectOf(schema: Schema | undefined): Schema {
  if (schema?.$ref !== undefined) return objectOf(at(schema.$ref.split('/').slice(1)));
  if (schema?.items !== undefined) return objectOf(schema.items);
  if (schema?.anyOf !== undefined) {
    return { properties: Object.assign({}, ...schema.anyOf.map((one) => objectOf(one).properties)) };
  }
  return schema ?? {};
}

const answerOf = (route: string): Schema => {
  const [method = '', path = '', status = '200'] = route.split(' ');
  return objectOf(at(['paths', path, method, 'responses', status, 'content', 'application/json', 'schema']));
};
const itemOf = (route: string): Schema => objectOf(answerOf(route).properties?.items);

/** Names that the page reads and the description does not have. */
function unknownNames(fields: Fields, schema: Schema, where: string): string[] {
  return [...fields].flatMap(([name, inner]) => {
    const described = schema.properties?.[name];
    if (described === undefined) return [`${where}.${name}`];
    return inner === undefined ? [] : unknownNames(inner, objectOf(described), `${where}.${name}`);
  });
}

const source = readFileSync(new URL('../../dashboard/src/types.ts', import.meta.url), 'utf8');
const interfaces = interfacesOf(source);

const ANSWERS: Record<string, Schema> = {
  Market: itemOf('get /api/markets'),
  Order: itemOf('get /api/orders'),
  Trade: itemOf('get /api/trades'),
  Prices: answerOf('get /api/prices'),
  Guide: objectOf(answerOf('get /api/prices').properties?.guides),
  Balances: answerOf('get /api/balances/{wallet}'),
  BuiltTransaction: answerOf('post /api/orders/build'),
  Submitted: answerOf('post /api/transactions/submit 202'),
  TransactionState: answerOf('get /api/transactions/{signature}'),
  ProvenReading: objectOf(answerOf('get /api/transactions/{signature}').properties?.readings),
  Meter: itemOf('get /api/meters'),
  Reading: itemOf('get /api/meters/{meter_id}/readings'),
  Settlement: itemOf('get /api/settlements'),
  Certificate: itemOf('get /api/certificates'),
  ChainEvent: itemOf('get /api/events'),
  Review: itemOf('get /api/reviews'),
  Alert: itemOf('get /api/alerts'),
  CollectorStatus: answerOf('get /api/status'),
  Health: answerOf('get /healthz'),
  MeterLive: answerOf('get /api/meters/{meter_id}/live'),
  Power: answerOf('get /api/power'),
  EnergyBucket: itemOf('get /api/energy'),
  Energy: answerOf('get /api/energy'),
  Overview: answerOf('get /api/overview'),
  FleetItem: itemOf('get /api/fleet'),
  FleetPlaces: answerOf('get /api/fleet/places'),
  FleetSummary: answerOf('get /api/fleet/summary'),
  SettlementQueue: answerOf('get /api/settlement'),
  HealthDetails: answerOf('get /api/health'),
  Audit: answerOf('get /api/audit'),
};

test('every shape of the page is compared', () => {
  expect([...interfaces.keys()].sort()).toEqual(Object.keys(ANSWERS).sort());
});

test.each(Object.keys(ANSWERS))('%s: the collector describes every field that the page reads', (name) => {
  const fields = interfaces.get(name) as Fields;
  expect(fields.size).toBeGreaterThan(0);
  expect(unknownNames(fields, ANSWERS[name] as Schema, name)).toEqual([]);
});
