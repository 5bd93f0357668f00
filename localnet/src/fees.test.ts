import {
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { LiteSvm } from 'litesvm/dist/internal.js';
import { expect, test } from 'vitest';
import { costUnits, feeFor } from './fees.js';
import { parseTransaction } from './wire.js';

const payer = Keypair.generate();
const second = Keypair.generate();
const memo = new TransactionInstruction({
  programId: new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr'),
  keys: [],
  data: Buffer.from('x'),
});
const transfer = (from: Keypair) =>
  SystemProgram.transfer({ fromPubkey: from.publicKey, toPubkey: PublicKey.unique(), lamports: 1_000_000 });
const price = (microLamports: number) => ComputeBudgetProgram.setComputeUnitPrice({ microLamports });
const limit = (units: number) => ComputeBudgetProgram.setComputeUnitLimit({ units });
const ed25519 = Ed25519Program.createInstructionWithPrivateKey({
  privateKey: payer.secretKey,
  message: Buffer.from('hello'),
});

// LiteSVM computes fees with agave's own code and prints them in its debug output.
test.each<[string, TransactionInstruction[], Keypair[]]>([
  ['a transfer', [transfer(payer)], [payer]],
  ['two signers', [transfer(payer), transfer(second)], [payer, second]],
  ['a price without a limit', [price(1_234_567), transfer(payer)], [payer]],
  ['a price without a limit, and a program', [price(999_999), memo, transfer(payer), memo], [payer]],
  ['a price and a limit', [limit(123_457), price(777_777), memo], [payer]],
  ['a limit above the highest', [limit(4_000_000), price(1_000_000), memo], [payer]],
  ['a price that rounds up', [limit(1000), price(1), transfer(payer)], [payer]],
  ['an Ed25519 signature', [price(1_000_000), ed25519, ed25519, transfer(payer)], [payer]],
])('%s costs what LiteSVM charges', (_name, instructions, signers) => {
  const svm = new LiteSvm();
  svm.setBlockhashCheck(false);
  for (const signer of signers) svm.airdrop(signer.publicKey.toBytes(), 10_000_000_000n);
  const transaction = new VersionedTransaction(
    new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: PublicKey.unique().toBase58(),
      instructions,
    }).compileToV0Message(),
  );
  transaction.sign(signers);
  const wire = transaction.serialize();
  const charged = /fee: (\d+) \}/.exec(svm.sendVersionedTransaction(wire).toString())?.[1];
  expect(feeFor(parseTransaction(wire).message).toString()).toBe(charged);
});

test('block cost of a transfer, as a validator reports it', () => {
  const transaction = new VersionedTransaction(
    new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: PublicKey.unique().toBase58(),
      instructions: [transfer(payer)],
    }).compileToLegacyMessage(),
  );
  transaction.sign([payer]);
  expect(costUnits(parseTransaction(transaction.serialize()).message, 150n, 213)).toBe(1481n);
});
