import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc16, RtuRequestParser, rtuFrame } from './rtu-framing.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('CRC-16/MODBUS', () => {
  it('is that of the catalogue of CRCs and of the manufacturer', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0x4b37);
    // The meter manufacturer's own example of a request and its answer.
    expect(rtuFrame(1, hex('04 0156 0002'))).toEqual(hex('01 04 0156 0002 9027'));
    expect(rtuFrame(1, hex('04 04 4366 3334'))).toEqual(hex('01 04 04 4366 3334 1B38'));
  });
});

describe('finding requests in a stream', () => {
  const read = fc
    .tuple(fc.integer({ min: 1, max: 247 }), fc.integer({ min: 1, max: 6 }), fc.nat(0xffff), fc.nat(0xffff))
    .map(([unit, code, a, b]) => {
      const pdu = Buffer.alloc(5);
      pdu[0] = code;
      pdu.writeUInt16BE(a, 1);
      pdu.writeUInt16BE(b, 3);
      return { unit, pdu };
    });
  const write = fc
    .tuple(fc.integer({ min: 1, max: 247 }), fc.uint8Array({ minLength: 2, maxLength: 40 }))
    .map(([unit, data]) => ({
      unit,
      pdu: Buffer.from([16, 0, 0, 0, data.length >> 1, data.length, ...data]),
    }));

  it('does not depend on how the bytes arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(read, write), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(20)),
        (requests, cuts) => {
          const stream = Buffer.concat(requests.map(({ unit, pdu }) => rtuFrame(unit, pdu)));
          const parser = new RtuRequestParser();
          const found = [];
          let position = 0;
          for (const cut of [...cuts, stream.length]) {
            found.push(...parser.push(stream.subarray(position, position + cut)));
            position += cut;
          }
          expect(found).toEqual(requests);
          expect(parser.pending).toBe(false);
        },
      ),
    );
  });

  it('finds a request right behind noise that looks like one', () => {
    const frame = rtuFrame(1, hex('04 0048 0002'));
    for (const noise of ['01', '0104', '010400480002', '0103030303030303', '04040404040404']) {
      const parser = new RtuRequestParser();
      expect(parser.push(Buffer.concat([hex(noise), frame]))).toEqual([
        { unit: 1, pdu: hex('04 0048 0002') },
      ]);
    }
  });

  it('goes on after noise once the line was silent', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), read, (noise, request) => {
        const parser = new RtuRequestParser();
        parser.push(noise);
        parser.idle();
        expect(parser.push(rtuFrame(request.unit, request.pdu))).toEqual([request]);
      }),
    );
  });

  it('refuses every frame with a flipped bit', () => {
    fc.assert(
      fc.property(read, fc.nat(63), (request, bit) => {
        const frame = rtuFrame(request.unit, request.pdu);
        frame[bit >> 3] = (frame[bit >> 3] as number) ^ (1 << (bit & 7));
        const parser = new RtuRequestParser();
        expect(parser.push(frame)).toEqual([]);
        expect(parser.idle()).toBeUndefined();
      }),
    );
  });

  it('takes an unknown function as a whole after silence', () => {
    const parser = new RtuRequestParser();
    expect(parser.push(rtuFrame(1, hex('2B 0E 01 00')))).toEqual([]);
    expect(parser.idle()).toEqual({ unit: 1, pdu: hex('2B 0E 01 00') });
    expect(parser.idle()).toBeUndefined();
  });
});
