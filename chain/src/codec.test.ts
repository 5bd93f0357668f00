import type { Idl } from '@coral-xyz/anchor';
import { encodeMeterId, GtxError } from '@gridtokenx/protocol';
import { Keypair, type PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProgramCodec } from './codec.js';

const bytes = (length: number) => ({ array: ['u8', length] as ['u8', number] });
const idl: Idl = {
  address: Keypair.generate().publicKey.toBase58(),
  metadata: { name: 'sample', version: '0.1.0', spec: '0.1.0' },
  instructions: [
    {
      name: 'do_it',
      discriminator: [9],
      accounts: [
        { name: 'the_signer', signer: true },
        { name: 'the_target', writable: true },
      ],
      args: [
        { name: 'meter_id', type: bytes(32) },
        { name: 'blob', type: bytes(3) },
        { name: 'amount', type: 'u64' },
        { name: 'delta', type: 'i64' },
        { name: 'small', type: 'u8' },
        { name: 'key', type: 'pubkey' },
        { name: 'flag', type: 'bool' },
      ],
    },
  ],
  accounts: [{ name: 'Box', discriminator: [1, 2, 3, 4, 5, 6, 7, 8] }],
  types: [
    { name: 'Item', type: { kind: 'struct', fields: [{ name: 'some_amount', type: 'u64' }] } },
    {
      name: 'Box',
      serialization: 'bytemuck',
      repr: { kind: 'c' },
      type: {
        kind: 'struct',
        fields: [
          { name: 'verified', type: 'u8' },
          { name: 'padding', type: bytes(2) },
          { name: 'items', type: { array: [{ defined: { name: 'Item' } }, 2] } },
          { name: 'some_key', type: 'pubkey' },
        ],
      },
    },
  ],
};

interface Args {
  meterId: string;
  blob: Uint8Array;
  amount: bigint;
  delta: bigint;
  small: number;
  key: PublicKey;
  flag: boolean;
}
const codec = new ProgramCodec<
  { Box: { verified: boolean; items: { someAmount: bigint }[]; someKey: PublicKey } },
  Record<never, never>,
  { do_it: Args },
  { do_it: { theSigner: PublicKey; theTarget: PublicKey } }
>(idl);

const keys = { theSigner: Keypair.generate().publicKey, theTarget: Keypair.generate().publicKey };
const args: Args = {
  meterId: 'METER-001',
  blob: Uint8Array.of(1, 2, 3),
  amount: 2n ** 64n - 1n,
  delta: -1n,
  small: 200,
  key: keys.theSigner,
  flag: true,
};

describe('ProgramCodec', () => {
  it('lays out an instruction as the IDL says', () => {
    const built = codec.instruction('do_it', args, keys, [
      { pubkey: keys.theSigner, isSigner: false, isWritable: true },
    ]);
    expect(built.data).toEqual(
      Buffer.concat([
        Buffer.of(9),
        encodeMeterId('METER-001'),
        Buffer.of(1, 2, 3),
        Buffer.alloc(16, 0xff),
        Buffer.of(200),
        keys.theSigner.toBytes(),
        Buffer.of(1),
      ]),
    );
    expect(built.keys).toEqual([
      { pubkey: keys.theSigner, isSigner: true, isWritable: false },
      { pubkey: keys.theTarget, isSigner: false, isWritable: true },
      { pubkey: keys.theSigner, isSigner: false, isWritable: true },
    ]);
  });

  it('reads back every argument that it wrote', () => {
    fc.assert(
      fc.property(
        fc.record({
          meterId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/),
          blob: fc.uint8Array({ minLength: 3, maxLength: 3 }).map((some) => new Uint8Array(some)),
          amount: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          delta: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
          small: fc.integer({ min: 0, max: 255 }),
          key: fc.constant(keys.theTarget),
          flag: fc.boolean(),
        }),
        (some) => {
          const { data } = codec.instruction('do_it', some, keys);
          expect(codec.decodeInstruction(data)).toEqual({ name: 'do_it', args: some, accountCount: 2 });
        },
      ),
    );
  });

  it('refuses what is missing', () => {
    const without = (name: string) =>
      codec.instruction('do_it', { ...args, [name]: undefined } as unknown as Args, keys);
    expect(() => without('amount')).toThrow('the argument amount is missing');
    expect(() => codec.instruction('do_it', args, { theSigner: keys.theSigner } as typeof keys)).toThrow(
      'the account theTarget',
    );
    expect(() => codec.instruction('nothing' as 'do_it', args, keys)).toThrow('no instruction nothing');
    expect(() => codec.instruction('do_it', { ...args, meterId: '-bad' }, keys)).toThrow(GtxError);
  });

  it('reads a zero-copy account, and none that is cut short by a single byte', () => {
    const data = Buffer.concat([
      Buffer.of(1, 2, 3, 4, 5, 6, 7, 8, 1, 0xaa, 0xaa),
      Buffer.from('ffffffffffffffff0100000000000000', 'hex'),
      keys.theTarget.toBytes(),
    ]);
    const box = {
      verified: true,
      items: [{ someAmount: 2n ** 64n - 1n }, { someAmount: 1n }],
      someKey: keys.theTarget,
    };
    expect(codec.decodeAccount('Box', data)).toEqual(box);
    // Programs may grow an account: what follows is not ours to judge.
    expect(codec.decodeAccount('Box', Buffer.concat([data, Buffer.of(0)]))).toEqual(box);
    for (let length = 0; length < data.length; length++) {
      expect(() => codec.decodeAccount('Box', data.subarray(0, length))).toThrow('not a Box account');
    }
  });
});
