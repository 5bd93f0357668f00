import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assertMeterId,
  decodeLoginMessage,
  decodeMeterId,
  decodeOwnerMessage,
  decodeReading,
  encodeBase58,
  encodeEnvelopeMessage,
  encodeLoginMessage,
  encodeMeterId,
  encodeOwnerMessage,
  encodeReading,
  GtxError,
  networkId,
  type Reading,
  topicFor,
} from './index.js';
import { testKey, verify } from './test-ed25519.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const meterId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/);
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const readings: fc.Arbitrary<Reading> = fc.record({
  flags: u32,
  sequence: u64,
  intervalStart: u32,
  intervalEnd: u32,
  producedTotal: u64,
  consumedTotal: u64,
  surplusTotal: u64,
});
const owners = fc.record({ network: bytes32, meterId, owner: bytes32.map(encodeBase58) });
const logins = fc.record({ unixSeconds: u32, meterId });

/** The signed formats, each with its decoder, so that every one meets the same tests. */
const FORMATS = [
  { name: 'reading', length: 48, values: readings, encode: encodeReading, decode: decodeReading },
  {
    name: 'owner message',
    length: 100,
    values: owners,
    encode: encodeOwnerMessage,
    decode: decodeOwnerMessage,
  },
  {
    name: 'login message',
    length: 40,
    values: logins,
    encode: encodeLoginMessage,
    decode: decodeLoginMessage,
  },
] as {
  name: string;
  length: number;
  values: fc.Arbitrary<unknown>;
  encode: (value: unknown) => Uint8Array;
  decode: (bytes: Uint8Array) => unknown;
}[];

function decodes(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof GtxError && error.code === 'MESSAGE_INVALID') return false;
    throw error;
  }
}
const flip = (bytes: Uint8Array, bit: number) => {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
};

describe.each(FORMATS)('$name', ({ length, values, encode, decode }) => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value);
        expect(bytes.length).toBe(length);
        expect(decode(bytes)).toEqual(value);
      }),
    );
  });

  it('is read from any place in a larger buffer', () => {
    fc.assert(
      fc.property(values, fc.nat(9), (value, offset) => {
        const around = new Uint8Array(length + offset + 5).fill(0xaa);
        around.set(encode(value), offset);
        expect(decode(around.subarray(offset, offset + length))).toEqual(value);
      }),
    );
  });

  it('is refused when truncated or lengthened, at every length', () => {
    fc.assert(
      fc.property(values, fc.uint8Array({ minLength: 1, maxLength: 8 }), (value, more) => {
        const bytes = encode(value);
        for (let size = 0; size < length; size++) {
          expect(decodes(decode, bytes.subarray(0, size))).toBe(false);
          if (size > 0) expect(decodes(decode, bytes.subarray(size))).toBe(false);
        }
        expect(decodes(decode, Uint8Array.of(...bytes, ...more))).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('is refused with any single bit flipped, by its form or by its signature', () => {
    fc.assert(
      fc.property(values, bytes32, (value, seed) => {
        const bytes = encode(value);
        const key = testKey(seed);
        const signature = key.sign(bytes);
        expect(verify(signature, bytes, key.publicKey)).toBe(true);
        for (let bit = 0; bit < length * 8; bit++) {
          const altered = flip(bytes, bit);
          // Whatever still decodes must say something else, and its signature must not hold.
          if (decodes(decode, altered)) expect(decode(altered)).not.toEqual(value);
          expect(verify(signature, altered, key.publicKey)).toBe(false);
        }
        for (let bit = 0; bit < 512; bit++)
          expect(verify(flip(signature, bit), bytes, key.publicKey)).toBe(false);
        for (let bit = 0; bit < 256; bit++)
          expect(verify(signature, bytes, flip(key.publicKey, bit))).toBe(false);
        for (let size = 0; size < 64; size++) {
          expect(verify(signature.subarray(0, size), bytes, key.publicKey)).toBe(false);
        }
      }),
      { numRuns: 3 },
    );
  });

  it('is never taken for another one', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value);
        const readAs = FORMATS.filter((format) => decodes(format.decode, bytes));
        expect(readAs).toHaveLength(1);
      }),
    );
  });
});

describe('collector messages', () => {
  const topics = fc
    .tuple(meterId, fc.constantFrom('ack' as const, 'command' as const))
    .map(([id, kind]) => topicFor(id, kind));

  it('bind the topic, so that none can be moved to another meter', () => {
    const pair = fc.tuple(topics, fc.string());
    fc.assert(
      fc.property(pair, pair, ([topicA, payloadA], [topicB, payloadB]) => {
        const same = topicA === topicB && payloadA === payloadB;
        const a = Buffer.from(encodeEnvelopeMessage(topicA, payloadA));
        expect(a.equals(Buffer.from(encodeEnvelopeMessage(topicB, payloadB)))).toBe(same);
      }),
    );
  });

  it('are never taken for something that a meter signs', () => {
    fc.assert(
      fc.property(topics, fc.string({ maxLength: 80 }), (topic, payload) => {
        const bytes = encodeEnvelopeMessage(topic, payload);
        expect(FORMATS.filter((format) => decodes(format.decode, bytes))).toEqual([]);
      }),
    );
  });
});

describe('a field that does not fit', () => {
  const good: Reading = {
    flags: 0,
    sequence: 1n,
    intervalStart: 1,
    intervalEnd: 2,
    producedTotal: 0n,
    consumedTotal: 0n,
    surplusTotal: 0n,
  };
  const bad = [-1, 2 ** 32, 1.5, Number.NaN, -0, '1' as unknown as number, 1n as unknown as number];
  const bad64 = [-1n, 2n ** 64n, 1 as unknown as bigint, '1' as unknown as bigint];
  it.each([
    ...(['flags', 'intervalStart', 'intervalEnd'] as const).flatMap((field) =>
      bad.map((value) => [field, value]),
    ),
    ...(['sequence', 'producedTotal', 'consumedTotal', 'surplusTotal'] as const).flatMap((field) =>
      bad64.map((value) => [field, value]),
    ),
  ] as [keyof Reading, unknown][])('%s = %s is refused', (field, value) => {
    expect(() => encodeReading({ ...good, [field]: value })).toThrowError(
      expect.objectContaining({ code: 'VALUE_INVALID' }),
    );
  });

  it('in an owner or login message is refused', () => {
    const owner = encodeBase58(new Uint8Array(32).fill(7));
    const network = new Uint8Array(32);
    for (const message of [
      { network: new Uint8Array(31), meterId: 'M', owner },
      { network, meterId: '', owner },
      { network, meterId: 'M', owner: encodeBase58(new Uint8Array(31).fill(7)) },
      { network, meterId: 'M', owner: 'not base58!' },
    ]) {
      expect(() => encodeOwnerMessage(message)).toThrowError(
        expect.objectContaining({ code: 'VALUE_INVALID' }),
      );
    }
    expect(() => encodeLoginMessage({ unixSeconds: -1, meterId: 'M' })).toThrowError(GtxError);
  });
});

describe('meter ids', () => {
  it('come back from 32 bytes', () => {
    fc.assert(
      fc.property(meterId, (id) => {
        expect(decodeMeterId(encodeMeterId(id))).toBe(id);
      }),
    );
  });

  it.each([
    '',
    '-a',
    '.a',
    '_a',
    'a/b',
    'a+b',
    'a#',
    '#',
    '+',
    'a b',
    'ä',
    'a\0',
    'a'.repeat(33),
    '..',
    '💡',
  ])('refuse %j', (id) => {
    expect(() => assertMeterId(id)).toThrowError(expect.objectContaining({ code: 'VALUE_INVALID' }));
  });

  it('have one encoding only', () => {
    const hole = new Uint8Array(32);
    hole.set([0x41, 0, 0x42]);
    for (const bytes of [
      new Uint8Array(32),
      new Uint8Array(31).fill(0x41),
      hole,
      new Uint8Array(32).fill(0xff),
    ]) {
      expect(() => decodeMeterId(bytes)).toThrowError(expect.objectContaining({ code: 'MESSAGE_INVALID' }));
    }
  });
});

describe('a network id', () => {
  it('is the hash of genesis and program, so that another of either is another network', () => {
    fc.assert(
      fc.property(bytes32, bytes32, (genesis, program) => {
        const id = networkId(encodeBase58(genesis), encodeBase58(program));
        const expected = createHash('sha256').update(genesis).update(program).digest();
        expect(Buffer.from(id).equals(expected)).toBe(true);
      }),
    );
    expect(() => networkId('1', encodeBase58(new Uint8Array(32)))).toThrowError(GtxError);
  });
});
