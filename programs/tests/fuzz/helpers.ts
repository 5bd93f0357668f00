/* What the actions share. */
import { createAssociatedTokenAccountIdempotentInstruction } from '@solana/spl-token';
import type { Keypair, PublicKey, TransactionInstruction } from '@solana/web3.js';
import { call, type ProgramName, pda, program } from '../support.js';
import type { Fields } from './accounts.js';
import type { Attempt, Stage } from './engine.js';
import type { Shadow } from './ledger.js';
import type { Random } from './random.js';
import { keyNamed } from './world.js';

/** Whether this build has the instruction. */
export const has = (of: ProgramName, name: string): boolean =>
  program(of).idl.instructions.some((each) => each.name === name);

/** An instruction with those of the arguments that this build knows. */
export function fitted(
  of: ProgramName,
  name: string,
  args: Record<string, unknown>,
  accounts: Record<string, PublicKey>,
): TransactionInstruction {
  const definition = program(of).idl.instructions.find((each) => each.name === name);
  const wanted = Object.fromEntries((definition?.args ?? []).map((arg) => [arg.name, args[arg.name]]));
  return call(of, name, wanted, accounts);
}

export const one = (instruction: TransactionInstruction, more: Partial<Attempt> = {}): Attempt => ({
  instructions: [instruction],
  ...more,
});

/** The fields of the one account of a kind. */
export const config = (stage: Stage, kind: string): Fields => stage.ledger.one(kind);
export const role = (stage: Stage, kind: string, field: string): PublicKey =>
  keyNamed(config(stage, kind)[field]);

/** Somebody who owns, trades and may hold roles. */
export const anybody = (stage: Stage, random: Random): Keypair => random.pick(stage.world.wallets) as Keypair;

/** Who does something that only `right` may: `right`, and now and then Eve, who must fail. */
export function doer(
  stage: Stage,
  random: Random,
  right: PublicKey,
): { who: PublicKey; more: Partial<Attempt> } {
  const eve = stage.world.eve.publicKey;
  if (random.chance(8) && !right.equals(eve))
    return { who: eve, more: { attack: 'nobody does what is others’ to do' } };
  return { who: right, more: {} };
}

/** The program that owns the GRID mint. */
export const gridProgram = (stage: Stage): PublicKey =>
  keyNamed((stage.ledger.get(pda.mint.toBase58()) as Shadow).owner);

/** Makes a wallet's GRID account unless it is there. */
export const gridAccountFor = (stage: Stage, wallet: PublicKey): TransactionInstruction =>
  createAssociatedTokenAccountIdempotentInstruction(
    stage.world.payer.publicKey,
    pda.tokenAccount(wallet),
    wallet,
    pda.mint,
    gridProgram(stage),
  );

export const amountIn = (stage: Stage, account: PublicKey): bigint =>
  (stage.ledger.get(account.toBase58(), 'token')?.fields.amount as bigint | undefined) ?? 0n;
