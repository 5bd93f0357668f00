import { GtxError } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TestMeter } from '../testing/gateway.js';
import { testing, toSubmission } from './submission.js';

const meter = new TestMeter('MTR-1', 1_700_000_000);
meter.wallet = meter.publicKey;
const good = meter.next('15.3', '0.1');

function outcome(read: (body: unknown) => unknown, body: unknown): unknown {
  try {
    return read(body);
  } catch (error) {
    if (error instanceof GtxError) return error.code;
    throw error;
  }
}

test('a good body takes the short way, and both ways read the same', () => {
  const short = testing.fromWellFormed(good);
  expect(short).toBeDefined();
  expect(short).toEqual(testing.fromSchema(good));
});

/** Values that are nearly right, or come from another type. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    [],
    {},
    '',
    '0',
    '-0',
    '+1',
    '1e3',
    ' 1',
    '01',
    '1.',
    '.5',
    '0.0000000001',
    'NaN',
    NaN,
    -0,
    -1,
    0.1,
    1.5,
    1e21,
    4294967296,
    4294967295,
    '18446744073709551615',
    '18446744073709551616',
    '99999999999999999999',
    '2023-11-14T22:30:00Z',
    '2023-11-14T22:30:00',
    '2023-02-30T00:00:00Z',
    '1'.repeat(300),
    'MTR-1',
    '.hidden',
    'a/b',
    'é',
    good.public_key,
    good.meter_signature,
    `${good.public_key}1`,
    `1${good.public_key}`,
    8,
    7,
  ),
  fc.string(),
  fc.integer(),
  fc.double(),
);
const keys = [
  'meter_id',
  'wallet_address',
  'kwh_amount',
  'reading_timestamp',
  'meter_signature',
  'public_key',
  'reading',
];
const fields = Object.keys(good.reading);

test('the short way and the schema agree on every body', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...keys, ...fields, 'extra', 'reading.extra'),
      odd,
      fc.boolean(),
      (key, value, remove) => {
        const body = structuredClone(good) as Record<string, unknown> & { reading: Record<string, unknown> };
        const inside = fields.includes(key) || key.startsWith('reading.');
        const target = inside ? body.reading : body;
        if (remove) delete target[key];
        else target[key] = value;
        const short = outcome(testing.fromWellFormed, body);
        const long = outcome(testing.fromSchema, body);
        // The short way may pass a body on, never judge otherwise.
        if (short !== undefined) expect(short).toEqual(long);
        expect(outcome(toSubmission, body)).toEqual(long);
      },
    ),
    { numRuns: 3000 },
  );
});

test('what is not an object is refused with INVALID_BODY', () => {
  for (const value of [undefined, null, 1, 'x', [], [good]]) {
    expect(outcome(toSubmission, value)).toBe('INVALID_BODY');
  }
});
