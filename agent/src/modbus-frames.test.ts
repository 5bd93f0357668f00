import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  crc16,
  encodeRtuRequest,
  encodeTcpRequest,
  findRtuAnswer,
  matchTcpFrame,
  nextTcpFrame,
  type ReadRequest,
} from './modbus-frames.js';

const request: ReadRequest = { unit: 1, function: 4, start: 0x48, count: 2 };

function rtuFrame(unit: number, pdu: number[]): Uint8Array {
  const body = Uint8Array.from([unit, ...pdu]);
  const crc = crc16(body);
  return Uint8Array.from([...body, crc & 0xff, crc >> 8]);
}

function answer(unit: number, data: number[], code = 4): Uint8Array {
  return rtuFrame(unit, [code, data.length, ...data]);
}

describe('Modbus frames', () => {
  it('has the CRC of the serial line standard', () => {
    // Modbus over Serial Line V1.02, appendix B: 02 07 gives the bytes 41 12 on the line.
    expect(crc16(Uint8Array.of(0x02, 0x07))).toBe(0x1241);
  });

  it('asks as the standard shows', () => {
    // V1.1b3, 6.3: read holding registers 108 to 110 is 03 00 6B 00 03.
    const example: ReadRequest = { unit: 0x11, function: 3, start: 0x6b, count: 3 };
    expect(encodeRtuRequest(example).toString('hex')).toBe('1103006b00037687');
    expect(encodeTcpRequest(0x1501, example).toString('hex')).toBe('1501000000061103006b0003');
  });

  it('finds the answer behind noise, an echo, another unit and another length, and nothing else', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const foreign = fc.oneof(
      fc.constant(Uint8Array.from(encodeRtuRequest(request))),
      fc.array(byte, { minLength: 4, maxLength: 4 }).map((data) => answer(2, data)),
      fc.array(byte, { minLength: 8, maxLength: 8 }).map((data) => answer(1, data)),
      fc.array(byte, { minLength: 4, maxLength: 4 }).map((data) => answer(1, data, 3)),
      fc.array(byte, { minLength: 4, maxLength: 4 }).map((data) => answer(1, data).subarray(0, 6)),
      fc.uint8Array({ maxLength: 20 }),
    );
    fc.assert(
      fc.property(
        fc.array(foreign, { maxLength: 4 }),
        fc.array(byte, { minLength: 4, maxLength: 4 }),
        (before, data) => {
          const noise = Uint8Array.from(before.flatMap((part) => [...part]));
          const line = Uint8Array.from([...noise, ...answer(1, data)]);
          // Random bytes may by chance be a whole answer, also together with the beginning of the one that follows, as those of
          // the example are; then nothing is to be told here.
          fc.pre(findRtuAnswer(line.subarray(0, -1), request) === undefined);
          const found = findRtuAnswer(line, request);
          expect(found?.answer).toEqual({ kind: 'registers', data: Uint8Array.from(data) });
          expect(found?.strayBytes).toBe(noise.length);
        },
      ),
      { examples: [[[answer(1, [0, 85, 105, 0]).subarray(0, 6)], [1, 2, 3, 4]]] },
    );
  });

  it('takes no answer with a single wrong bit', () => {
    const good = answer(1, [1, 2, 3, 4]);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Uint8Array.from(good);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(findRtuAnswer(bad, request)).toBeUndefined();
    }
  });

  it('knows an exception', () => {
    expect(findRtuAnswer(rtuFrame(1, [0x84, 6]), request)?.answer).toEqual({ kind: 'exception', code: 6 });
  });

  it('cuts TCP frames however they arrive, and tells stale from fitting', () => {
    const frame = (transaction: number, unit: number, pdu: number[]) => {
      const bytes = Buffer.alloc(7 + pdu.length);
      bytes.writeUInt16BE(transaction, 0);
      bytes.writeUInt16BE(pdu.length + 1, 4);
      bytes.writeUInt8(unit, 6);
      Buffer.from(pdu).copy(bytes, 7);
      return bytes;
    };
    const all = Buffer.concat([frame(7, 1, [4, 4, 0, 0, 0, 0]), frame(8, 1, [4, 4, 1, 2, 3, 4])]);
    for (let cut = 0; cut < 12; cut++) expect(nextTcpFrame(all.subarray(0, cut)).kind).toBe('more');
    const first = nextTcpFrame(all);
    if (first.kind !== 'frame') throw new Error(first.kind);
    const second = nextTcpFrame(all.subarray(first.consumed));
    if (second.kind !== 'frame') throw new Error(second.kind);
    const waiting = { transaction: 8, request };
    expect(matchTcpFrame(first, waiting)).toEqual({ kind: 'stale' });
    expect(matchTcpFrame(second, waiting)).toEqual({
      kind: 'answer',
      answer: { kind: 'registers', data: Uint8Array.of(1, 2, 3, 4) },
    });
    expect(matchTcpFrame({ ...second, unit: 2 }, waiting)).toEqual({ kind: 'mismatch' });
    expect(matchTcpFrame({ ...second, pdu: Uint8Array.of(4, 2, 1, 2) }, waiting)).toEqual({
      kind: 'mismatch',
    });
    expect(nextTcpFrame(Buffer.from('HTTP/1.1 400')).kind).toBe('broken');
  });
});
