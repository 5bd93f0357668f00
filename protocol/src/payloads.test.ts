import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  Ack,
  Command,
  encodeBase58,
  fromReading,
  GtxError,
  LoginPassword,
  parseJsonWith,
  parseWith,
  SignedEnvelope,
  Status,
  SubmitReading,
  Telemetry,
  toReading,
} from './index.js';

const key = encodeBase58(new Uint8Array(32).fill(3));
const signature = encodeBase58(new Uint8Array(64).fill(5));
const body = (): SubmitReading =>
  fromReading({
    meterId: 'MTR-001',
    wallet: key,
    reading: {
      flags: 0,
      sequence: 1n,
      intervalStart: 1_700_000_100,
      intervalEnd: 1_700_001_000,
      producedTotal: 25_000_000_000n,
      consumedTotal: 10_000_000_000n,
      surplusTotal: 15_000_000_000n,
    },
    amountNkwh: 15_000_000_000n,
    signature,
    publicKey: key,
  });

function issues(schema: z.ZodType, value: unknown): unknown {
  try {
    parseWith(schema, value);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof GtxError)) throw error;
    return error.details?.issues;
  }
}

describe('a submitted reading', () => {
  it('carries every reading through JSON', () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const reading = fc.record({
      flags: fc.nat(7),
      sequence: u64,
      intervalStart: u32,
      intervalEnd: u32,
      producedTotal: u64,
      consumedTotal: u64,
      surplusTotal: u64,
    });
    fc.assert(
      fc.property(reading, u64, (value, amountNkwh) => {
        const json = JSON.stringify({
          ...body(),
          ...fromReading({
            meterId: 'M',
            wallet: key,
            reading: value,
            amountNkwh,
            signature: new Uint8Array(64).fill(5),
            publicKey: new Uint8Array(32).fill(3),
          }),
        });
        const parsed = parseJsonWith(SubmitReading, json);
        expect(toReading(parsed)).toEqual(value);
        expect(parsed.public_key).toBe(key);
        expect(parsed.meter_signature).toBe(signature);
      }),
    );
  });

  it.each(['15', '15.0', 15, 15.3])('takes kwh_amount %j', (kwh_amount) => {
    expect(issues(SubmitReading, { ...body(), kwh_amount })).toBe('accepted');
  });
  it.each(['2023-11-14T22:30:00Z', '2023-11-15T05:30:00+07:00', 1_700_001_000])(
    'takes %j',
    (reading_timestamp) => {
      expect(issues(SubmitReading, { ...body(), reading_timestamp })).toBe('accepted');
    },
  );

  const spoiled: [string, unknown][] = [
    ['meter_id', ''],
    ['meter_id', 'a/b'],
    ['meter_id', 7],
    ['meter_id', 'a'.repeat(33)],
    ['wallet_address', 'x'],
    ['wallet_address', signature],
    ['wallet_address', key.slice(1)],
    ['wallet_address', `${key}0`],
    ['kwh_amount', '-1'],
    ['kwh_amount', '1e3'],
    ['kwh_amount', -1],
    ['kwh_amount', 1e-9],
    ['kwh_amount', null],
    ['kwh_amount', '0.0000000001'],
    ['kwh_amount', '18446744073.709551616'],
    ['kwh_amount', true],
    ['reading_timestamp', '2023-11-14T22:30:00'],
    ['reading_timestamp', -1],
    ['reading_timestamp', 1.5],
    ['meter_signature', key],
    ['meter_signature', ''],
    ['meter_signature', '!'.repeat(88)],
    ['public_key', signature],
    ['public_key', null],
    ['reading', null],
    ['reading', []],
    ['extra', 1],
    ['__proto_', {}],
    ['reading.flags', 8],
    ['reading.flags', -1],
    ['reading.flags', '0'],
    ['reading.flags', 0.5],
    ['reading.sequence', 1],
    ['reading.sequence', '01'],
    ['reading.sequence', '-1'],
    ['reading.sequence', '18446744073709551616'],
    ['reading.interval_start', -1],
    ['reading.interval_start', 2 ** 32],
    ['reading.interval_end', '1700001000'],
    ['reading.interval_end', 1.5],
    ['reading.produced_total', 1e9],
    ['reading.consumed_total', '1.0'],
    ['reading.surplus_total', ''],
    ['reading.extra', 1],
  ];
  it.each(spoiled)('with %s = %j is refused, naming the field and not the value', (path, value) => {
    const copy = structuredClone(body()) as Record<string, unknown>;
    const [field, inner] = path.split('.') as [string, string?];
    if (inner === undefined) copy[field] = value;
    else (copy[field] as Record<string, unknown>)[inner] = value;
    try {
      parseWith(SubmitReading, copy);
      expect.unreachable('accepted');
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_BODY', status: 400, retry: 'never' });
      const found = (error as GtxError).details?.issues as { path: string; message: string }[];
      // An unknown field is reported at its object.
      const where =
        path.endsWith('extra') || path.startsWith('__') ? (inner === undefined ? '' : field) : path;
      expect(found.map((issue) => issue.path)).toContain(where);
    }
  });

  it.each(Object.keys(body()))('without %s is refused', (field) => {
    const copy = structuredClone(body()) as Record<string, unknown>;
    delete copy[field];
    expect(issues(SubmitReading, copy)).toEqual([expect.objectContaining({ path: field })]);
  });

  it('from anything else is refused without another kind of error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(issues(SubmitReading, value)).not.toBe('accepted');
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseJsonWith(SubmitReading, bytes)).toThrowError(
          expect.objectContaining({ code: 'INVALID_BODY' }),
        );
      }),
    );
  });
});

describe('any text in any field', () => {
  const paths = [
    ...Object.keys(body()).map((field) => [field]),
    ...Object.keys(body().reading).map((field) => ['reading', field]),
  ];
  const text = fc.oneof(
    fc.string({ maxLength: 100 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.stringMatching(/^[0-9a-f.eE+-]{0,60}$/),
    fc.stringMatching(/^[0-9]{15,60}$/),
    fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{20,120}$/),
  );
  it('is taken or refused with INVALID_BODY, never with another error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.oneof(text, fc.double(), fc.jsonValue()), (path, value) => {
        const copy = structuredClone(body()) as unknown as Record<string, Record<string, unknown>>;
        if (path.length === 1) copy[path[0] as string] = value as Record<string, unknown>;
        else (copy.reading as Record<string, unknown>)[path[1] as string] = value;
        issues(SubmitReading, copy);
      }),
      { numRuns: 2000 },
    );
  });
  it.each([
    'x'.repeat(20),
    '-'.repeat(25),
    '9'.repeat(20),
    '9'.repeat(5000),
    '1.5e300000000000000000',
    ' '.repeat(20),
  ])('such as %j as a sequence is refused', (sequence) => {
    expect(issues(SubmitReading, { ...body(), reading: { ...body().reading, sequence } })).toContainEqual(
      expect.objectContaining({ path: 'reading.sequence' }),
    );
  });
});

describe('the other payloads', () => {
  const time = 1_700_001_000;
  const status = {
    state: 'online',
    version: '0.1.0',
    time,
    outbox_depth: 0,
    clock: { synchronised: true },
    bus: { ok: true, devices: [{ role: 'grid', unit: 1, ok: true, failures: 0 }] },
    alerts: [],
  };
  const accepted: [string, z.ZodType, unknown][] = [
    [
      'an ack',
      Ack,
      {
        meter_id: 'M',
        time,
        through: '7',
        stored: ['9'],
        refused: [{ sequence: '8', code: 'USER_NOT_VERIFIED', retry: 'later' }],
        held: [{ sequence: '9' }],
      },
    ],
    [
      'an ack with a code of a later version',
      Ack,
      {
        meter_id: 'M',
        time,
        through: '0',
        stored: [],
        refused: [{ sequence: '1', code: 'SOMETHING_NEW', retry: 'never' }],
        held: [],
      },
    ],
    ['a resend', Command, { id: 'a', time, type: 'resend', from_sequence: '1' }],
    ['sampling', Command, { id: 'a', time, type: 'sampling', sample_seconds: 5 }],
    ['status online', Status, status],
    ['the last will', Status, { state: 'offline', version: '0.1.0', time }],
    ['telemetry', Telemetry, { meter_id: 'M', time, grid_watts: -7500, devices: [] }],
    ['a login', LoginPassword, [{ meter_id: 'M', time, signature }]],
    ['an envelope', SignedEnvelope, { payload: '{}', public_key: key, signature }],
  ];
  it.each(accepted)('%s is accepted', (_, schema, value) => {
    expect(issues(schema, value)).toBe('accepted');
  });

  const refused: [string, z.ZodType, unknown][] = [
    ['an ack with a number', Ack, { meter_id: 'M', time, through: 7, stored: [], refused: [], held: [] }],
    [
      'an ack with lower-case code',
      Ack,
      {
        meter_id: 'M',
        time,
        through: '7',
        stored: [],
        refused: [{ sequence: '1', code: 'x', retry: 'never' }],
        held: [],
      },
    ],
    ['an ack without through', Ack, { meter_id: 'M', time, stored: [], refused: [], held: [] }],
    [
      'an ack of a thousand and one',
      Ack,
      { meter_id: 'M', time, through: '7', stored: Array(1001).fill('1'), refused: [], held: [] },
    ],
    ['an unknown command', Command, { id: 'a', time, type: 'reboot' }],
    ['sampling of 0', Command, { id: 'a', time, type: 'sampling', sample_seconds: 0 }],
    ['sampling of an hour', Command, { id: 'a', time, type: 'sampling', sample_seconds: 3600 }],
    [
      'a resend with other fields',
      Command,
      { id: 'a', time, type: 'resend', from_sequence: '1', sample_seconds: 5 },
    ],
    ['status online without its health', Status, { state: 'online', version: '0.1.0', time }],
    ['an unknown state', Status, { ...status, state: 'asleep' }],
    ['an empty login', LoginPassword, []],
    [
      'a login that names a meter twice',
      LoginPassword,
      [
        { meter_id: 'M', time, signature },
        { meter_id: 'M', time, signature },
      ],
    ],
    [
      'a login of too many',
      LoginPassword,
      Array.from({ length: 65 }, (_, index) => ({ meter_id: `M${index}`, time, signature })),
    ],
    ['an envelope with an object', SignedEnvelope, { payload: {}, public_key: key, signature }],
  ];
  it.each(refused)('%s is refused', (_, schema, value) => {
    expect(issues(schema, value)).not.toBe('accepted');
  });

  it('all have a JSON schema, so that OpenAPI can be made from them', () => {
    for (const schema of [SubmitReading, Ack, Command, Status, Telemetry, LoginPassword, SignedEnvelope]) {
      expect(z.toJSONSchema(schema)).toHaveProperty('$schema');
    }
  });
});
