import { Ed25519Program, Keypair } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ed25519Instruction, readEd25519Instruction } from './ed25519.js';
import { signMessage } from './sign.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const entry = fc.record({
  publicKey: bytes(32),
  signature: bytes(64),
  message: fc.uint8Array({ maxLength: 120 }),
});

describe('ed25519Instruction', () => {
  it('lays out one signature exactly as web3.js does', () => {
    fc.assert(
      fc.property(entry, (one) => {
        const theirs = Ed25519Program.createInstructionWithPublicKey(one);
        const ours = ed25519Instruction([one]);
        expect(ours.programId.equals(theirs.programId)).toBe(true);
        expect(ours.keys).toEqual([]);
        expect(ours.data.equals(theirs.data)).toBe(true);
      }),
    );
  });

  it('lets every offset point at its own bytes, inside this instruction, without overlap', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), (entries) => {
        const { data } = ed25519Instruction(entries);
        expect(data[0]).toBe(entries.length);
        expect(data[1]).toBe(0);
        const used: [number, number][] = [[0, 2 + 14 * entries.length]];
        entries.forEach((one, index) => {
          const field = (position: number) => data.readUInt16LE(2 + 14 * index + 2 * position);
          expect([field(1), field(3), field(6)]).toEqual([0xffff, 0xffff, 0xffff]);
          expect(data.subarray(field(0), field(0) + 64)).toEqual(Buffer.from(one.signature));
          expect(data.subarray(field(2), field(2) + 32)).toEqual(Buffer.from(one.publicKey));
          expect(field(5)).toBe(one.message.length);
          expect(data.subarray(field(4), field(4) + field(5))).toEqual(Buffer.from(one.message));
          used.push([field(0), 64], [field(2), 32], [field(4), field(5)]);
        });
        // Together they cover the data without a gap: no two regions overlap, nothing is left over.
        expect(used.reduce((sum, [, length]) => sum + length, 0)).toBe(data.length);
      }),
    );
  });

  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), (entries) => {
        expect(readEd25519Instruction(ed25519Instruction(entries).data)).toEqual(
          entries.map(({ publicKey, signature, message }) => ({
            publicKey: new Uint8Array(publicKey),
            signature: new Uint8Array(signature),
            message: new Uint8Array(message),
          })),
        );
      }),
    );
  });

  it('refuses wrong lengths and counts', () => {
    const good = {
      publicKey: new Uint8Array(32),
      signature: new Uint8Array(64),
      message: new Uint8Array(48),
    };
    expect(() => ed25519Instruction([])).toThrow(RangeError);
    expect(() => ed25519Instruction(new Array(256).fill(good))).toThrow(RangeError);
    expect(() => ed25519Instruction([{ ...good, publicKey: new Uint8Array(31) }])).toThrow('32 bytes');
    expect(() => ed25519Instruction([{ ...good, signature: new Uint8Array(65) }])).toThrow('64 bytes');
    expect(() => ed25519Instruction([{ ...good, message: new Uint8Array(65_500) }])).toThrow('addressed');
  });
});

describe('readEd25519Instruction', () => {
  const keypair = Keypair.generate();
  const message = Buffer.from('a reading');
  const good = ed25519Instruction([
    { publicKey: keypair.publicKey.toBytes(), signature: signMessage(keypair, message), message },
  ]).data;

  it('refuses offsets into another instruction', () => {
    for (const position of [1, 3, 6]) {
      const forged = Buffer.from(good);
      forged.writeUInt16LE(0, 2 + 2 * position);
      expect(readEd25519Instruction(forged)).toBeUndefined();
      expect(readEd25519Instruction(forged, 1)).toBeUndefined();
    }
  });

  it("takes the instruction's own position for what it is", () => {
    const explicit = Buffer.from(good);
    for (const position of [1, 3, 6]) explicit.writeUInt16LE(4, 2 + 2 * position);
    expect(readEd25519Instruction(explicit)).toBeUndefined();
    expect(readEd25519Instruction(explicit, 4)).toEqual(readEd25519Instruction(good));
  });

  it('refuses whatever is cut short', () => {
    for (let length = 0; length < good.length; length++) {
      expect(readEd25519Instruction(good.subarray(0, length))).toBeUndefined();
    }
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (data) => void readEd25519Instruction(data)));
  });
});
