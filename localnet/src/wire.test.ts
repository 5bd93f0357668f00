import { Keypair, PublicKey, SystemProgram, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeserializeError, parseTransaction, SanitizeError, withBlockhash } from './wire.js';

const payer = Keypair.generate();

function example(version: 'legacy' | 0, transfers = 2): VersionedTransaction {
  const message = new TransactionMessage({
    payerKey: payer.publicKey,
    recentBlockhash: PublicKey.unique().toBase58(),
    instructions: Array.from({ length: transfers }, (_, i) =>
      SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: PublicKey.unique(), lamports: i }),
    ),
  });
  const compiled = version === 0 ? message.compileToV0Message() : message.compileToLegacyMessage();
  const transaction = new VersionedTransaction(compiled);
  transaction.sign([payer]);
  return transaction;
}

test.each(['legacy', 0] as const)('reads a %s transaction as web3.js writes it', (version) => {
  const transaction = example(version);
  const { message } = transaction;
  const parsed = parseTransaction(transaction.serialize());
  expect(parsed.message.version).toBe(version);
  expect(parsed.message.accountKeys).toEqual(message.staticAccountKeys.map(String));
  expect(parsed.message.recentBlockhash).toBe(message.recentBlockhash);
  expect(parsed.message.instructions.map(({ programIdIndex }) => programIdIndex)).toEqual(
    message.compiledInstructions.map(({ programIdIndex }) => programIdIndex),
  );
  expect(Buffer.from(parsed.messageBytes)).toEqual(Buffer.from(message.serialize()));
  expect(parsed.signatures).toHaveLength(1);
});

test('replaces the blockhash and nothing else', () => {
  for (const version of ['legacy', 0] as const) {
    const transaction = example(version);
    const blockhash = PublicKey.unique();
    const replaced = withBlockhash(parseTransaction(transaction.serialize()), blockhash.toBytes());
    transaction.message.recentBlockhash = blockhash.toBase58();
    expect(Buffer.from(replaced)).toEqual(Buffer.from(transaction.serialize()));
  }
});

test('every truncation and every addition is refused', () => {
  for (const version of ['legacy', 0] as const) {
    const wire = example(version).serialize();
    for (let length = 0; length < wire.length; length++) {
      expect(() => parseTransaction(wire.subarray(0, length)), `${length} bytes`).toThrow();
    }
    expect(() => parseTransaction(Buffer.concat([wire, Buffer.from([0])]))).toThrow(DeserializeError);
  }
});

test('lengths in more bytes than needed, other versions and indexes out of range are refused', () => {
  const wire = example('legacy').serialize();
  expect(() => parseTransaction(Buffer.concat([Buffer.from([0x81, 0x00]), wire.subarray(1)]))).toThrow(
    DeserializeError,
  );
  const message = 1 + 64;
  const changed = (offset: number, value: number) => {
    const copy = Uint8Array.from(wire);
    copy[message + offset] = value;
    return copy;
  };
  expect(() => parseTransaction(changed(0, 0x81))).toThrow(DeserializeError);
  expect(() => parseTransaction(changed(0, 2))).toThrow(SanitizeError); // two signers, one signature
  expect(() => parseTransaction(changed(0, 0))).toThrow(SanitizeError);
  expect(() => parseTransaction(changed(1, 1))).toThrow(SanitizeError); // the payer would be read-only
  expect(() => parseTransaction(changed(2, 200))).toThrow(SanitizeError);
  const keys = wire[message + 3] as number;
  const program = 4 + 32 * keys + 32 + 1;
  expect(() => parseTransaction(changed(program, 0))).toThrow(SanitizeError); // the payer as program
  expect(() => parseTransaction(changed(program, keys))).toThrow(SanitizeError);
  expect(() => parseTransaction(changed(program + 2, keys))).toThrow(SanitizeError);
});

test('property: any bytes either parse or are refused with one of two errors', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1300 }), (bytes) => {
      try {
        parseTransaction(bytes);
      } catch (error) {
        expect(error instanceof DeserializeError || error instanceof SanitizeError).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});
