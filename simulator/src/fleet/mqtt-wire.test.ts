import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameReader, preparePublish, publishOf } from './mqtt-wire.js';

function readInPieces(bytes: Buffer, cuts: number[]): Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  const edges = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...edges, bytes.length]) {
    frames.push(...reader.read(bytes.subarray(from, to)));
    from = to;
  }
  return frames;
}

describe('the MQTT of the load generator', () => {
  it('makes a PUBLISH as 3.3 says', () => {
    const { bytes, idOffset } = preparePublish('a/b', 'hi');
    bytes.writeUInt16BE(10, idOffset);
    expect(bytes.toString('hex')).toBe('32090003612f62000a6869');
  });

  it('writes lengths above 127 with more than one byte', () => {
    expect(preparePublish('t', 'x'.repeat(316)).bytes.subarray(0, 3).toString('hex')).toBe('32c102');
  });

  it('finds every packet, wherever the stream is cut', () => {
    const message = fc.tuple(fc.stringMatching(/^[a-z/]{1,40}$/), fc.string({ maxLength: 400 }));
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.array(fc.nat()), (messages, cuts) => {
        const packets = messages.map(([topic, payload], index) => {
          const { bytes, idOffset } = preparePublish(topic, payload);
          bytes.writeUInt16BE(index + 1, idOffset);
          return bytes;
        });
        const found = readInPieces(Buffer.concat(packets), cuts).map(publishOf);
        expect(found.map(({ topic, payload, id }) => [topic, payload.toString('utf8'), id])).toEqual(
          messages.map(([topic, payload], index) => [
            topic,
            Buffer.from(payload).toString('utf8'),
            index + 1,
          ]),
        );
      }),
    );
  });

  it('refuses a length of more than four bytes', () => {
    expect(() => [...new FrameReader().read(Buffer.from('30ffffffff01', 'hex'))]).toThrow(/MQTT/);
  });
});
