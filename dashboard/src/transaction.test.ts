import { ED25519_PROGRAM_ID, ed25519Instruction } from '@gridtokenx/chain';
import { getPublicKeyAsync, signAsync, verifyAsync } from '@noble/ed25519';
import { Keypair, PublicKey, SystemProgram, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { base64, ed25519Entries, fromBase64, takeApart, withSignature } from './transaction.js';

const [payer, other] = [Keypair.generate(), Keypair.generate()];

function unsigned(version: 'legacy' | 'v0'): Uint8Array {
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: PublicKey.default.toBase58(),
    instructions: [
      SystemProgram.transfer({ fromPubkey: other.publicKey, toPubkey: payer.publicKey, lamports: 1 }),
    ],
  });
  const compiled = version === 'v0' ? message.compileToV0Message() : message.compileToLegacyMessage();
  return new VersionedTransaction(compiled).serialize();
}

/** Takes nothing on trust of the code under test: the message is put together by another library. */
function withEd25519(entries: { publicKey: Uint8Array; signature: Uint8Array; message: Uint8Array }[]) {
  return new VersionedTransaction(
    new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: PublicKey.default.toBase58(),
      instructions: [
        SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: other.publicKey, lamports: 1 }),
        ed25519Instruction(entries),
      ],
    }).compileToV0Message(),
  ).serialize();
}

it('tells what an Ed25519 instruction has checked', () => {
  const entries = [3, 48, 200].map((length, index) => ({
    publicKey: new Uint8Array(32).fill(index + 1),
    signature: new Uint8Array(64).fill(index + 10),
    message: new Uint8Array(length).fill(index + 100),
  }));
  const { signatures, keys, instructions } = takeApart(withEd25519(entries));
  expect(signatures).toHaveLength(1);
  expect(keys[0]).toEqual(payer.publicKey.toBytes());
  expect(instructions).toHaveLength(2);
  const [, checked] = instructions;
  expect(checked?.program).toEqual(ED25519_PROGRAM_ID.toBytes());
  const data = checked?.data ?? new Uint8Array();
  expect(ed25519Entries(data, 1)).toEqual(entries);
  // A copy whose offsets name another instruction: nothing of it was checked here.
  const elsewhere = data.slice();
  new DataView(elsewhere.buffer).setUint16(2 + 2, 0, true);
  expect(ed25519Entries(elsewhere, 1)).toEqual(entries.slice(1));
  expect(ed25519Entries(elsewhere, 0)).toEqual(entries);
});

it('is not taken apart when it is cut off', () => {
  const wire = withEd25519([
    { publicKey: new Uint8Array(32), signature: new Uint8Array(64), message: new Uint8Array(48) },
  ]);
  // The last byte counts lookup tables, which nobody here asks for.
  for (let length = 0; length < wire.length - 1; length++)
    expect(() => takeApart(wire.subarray(0, length))).toThrow();
});

describe.each(['legacy', 'v0'] as const)('a %s transaction', (version) => {
  it('is signed as the chain expects it, each signer at its place', async () => {
    let wire = unsigned(version);
    for (const { secretKey } of [payer, other]) {
      const seed = secretKey.subarray(0, 32);
      const key = await getPublicKeyAsync(seed);
      wire = await withSignature(wire, key, (message) => signAsync(message, seed));
    }
    const read = VersionedTransaction.deserialize(fromBase64(base64(wire)));
    const message = read.message.serialize();
    for (const [index, keypair] of [payer, other].entries()) {
      const signature = read.signatures[index] as Uint8Array;
      expect(await verifyAsync(signature, message, keypair.publicKey.toBytes())).toBe(true);
    }
  });
  it('is not signed by somebody it does not ask', async () => {
    const stranger = Keypair.generate().publicKey.toBytes();
    await expect(withSignature(unsigned(version), stranger, async () => new Uint8Array(64))).rejects.toThrow(
      'not for this wallet',
    );
  });
  it('is refused when it is cut off', async () => {
    const wire = unsigned(version);
    for (const length of [0, 1, 64, 129, 131, 140])
      await expect(
        withSignature(wire.subarray(0, length), payer.publicKey.toBytes(), async () => new Uint8Array(64)),
      ).rejects.toThrow();
  });
});
