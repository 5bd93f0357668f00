import { getPublicKeyAsync, signAsync, verifyAsync } from '@noble/ed25519';
import { Keypair, PublicKey, SystemProgram, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { base64, fromBase64, withSignature } from './transaction.js';

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
