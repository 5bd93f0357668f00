import { GtxError } from '@gridtokenx/protocol';
import {
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  VersionedTransaction,
} from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { signedTransaction } from './send.js';
import { buildTransaction, nextNonce, programIdsOf } from './transaction.js';

const payer = Keypair.generate();
const blockhash = Keypair.generate().publicKey.toBase58();
const transfer = SystemProgram.transfer({
  fromPubkey: payer.publicKey,
  toPubkey: PublicKey.default,
  lamports: 1,
});

describe('buildTransaction', () => {
  it('failure 9: byte-identical transactions are dropped without an error: equal requests give different bytes and signatures', () => {
    const built = Array.from({ length: 200 }, () =>
      signedTransaction(
        buildTransaction({ payer: payer.publicKey, instructions: [transfer], blockhash }),
        [payer],
        1,
      ),
    );
    expect(new Set(built.map(({ signature }) => signature)).size).toBe(built.length);
    expect(new Set(built.map(({ wire }) => Buffer.from(wire).toString('hex'))).size).toBe(built.length);
  });

  it('is repeatable when the nonce is given', () => {
    const nonce = nextNonce();
    const bytes = () =>
      buildTransaction({
        payer: payer.publicKey,
        instructions: [transfer],
        blockhash,
        nonce,
      }).message.serialize();
    expect(bytes()).toEqual(bytes());
  });

  it('puts budget instructions first and leaves neighbours together', () => {
    const transaction = buildTransaction({
      payer: payer.publicKey,
      instructions: [transfer, transfer],
      blockhash,
      computeUnitLimit: 1234,
      microLamportsPerCu: 7,
      nonce: 5,
    });
    const budget = ComputeBudgetProgram.programId.toBase58();
    const system = SystemProgram.programId.toBase58();
    expect(programIdsOf(transaction)).toEqual([budget, budget, budget, system, system]);
    const [unique, limit, price] = transaction.message.compiledInstructions.map(({ data }) =>
      Buffer.from(data),
    );
    expect(unique?.readUInt8(0)).toBe(4);
    expect(unique?.readUInt32LE(1)).toBe(64 * 1024 * 1024 - 5);
    expect(limit).toEqual(ComputeBudgetProgram.setComputeUnitLimit({ units: 1234 }).data);
    expect(price).toEqual(ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 7 }).data);
  });

  it('says so when it does not fit into a packet', () => {
    const large = new TransactionInstruction({
      programId: PublicKey.default,
      keys: [],
      data: Buffer.alloc(1_200),
    });
    const build = () => buildTransaction({ payer: payer.publicKey, instructions: [large], blockhash });
    expect(build).toThrow(GtxError);
    try {
      build();
    } catch (error) {
      expect((error as GtxError).details).toEqual({ reason: 'TransactionTooLarge' });
    }
  });

  it('fills a packet to the last byte', () => {
    const build = (length: number) =>
      buildTransaction({
        payer: payer.publicKey,
        instructions: [
          new TransactionInstruction({ programId: PublicKey.default, keys: [], data: Buffer.alloc(length) }),
        ],
        blockhash,
      }).serialize().length;
    const overhead = build(1_000) - 1_000;
    expect(build(1_232 - overhead)).toBe(1_232);
    expect(() => build(1_233 - overhead)).toThrow(GtxError);
  });
});

describe('signedTransaction', () => {
  it("knows the signature before sending: it is the payer's", () => {
    const transaction = buildTransaction({ payer: payer.publicKey, instructions: [transfer], blockhash });
    const signed = signedTransaction(transaction, [payer, payer], 99);
    expect(signed.lastValidBlockHeight).toBe(99);
    expect(signed.blockhash).toBe(blockhash);
    const read = VersionedTransaction.deserialize(signed.wire);
    expect(
      new PublicKey(Buffer.from(read.message.staticAccountKeys[0]?.toBytes() ?? [])).equals(payer.publicKey),
    ).toBe(true);
    expect(read.signatures).toHaveLength(1);
  });
});
