import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { confirmTransaction, openConnection, sendAndConfirm, sendPrepared } from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { type Connection, Keypair, LAMPORTS_PER_SOL, SystemProgram } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type AskOptions, askOnce } from './journal.js';

/* What is asked once happens once, wherever the command is killed. What is asked here is a payment. */

const PAYMENT = 1_000_000;
let folder: string;
let journal: string;
let chain: Localnet;
let connection: Connection;
/** Added to the wall clock: nobody waits for a transaction to expire. */
let aheadMs = 0;
const payer = Keypair.generate();
let receiver: Keypair;
let told: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-journal-'));
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: [],
    logger: pino({ level: 'silent' }),
    now: () => Date.now() + aheadMs,
  });
  connection = openConnection(chain.rpcUrl);
  const signature = await connection.requestAirdrop(payer.publicKey, LAMPORTS_PER_SOL);
  await confirmTransaction(connection, { signature, lastValidBlockHeight: Number.MAX_SAFE_INTEGER });
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  journal = mkdtempSync(join(folder, 'journal-'));
  receiver = Keypair.generate();
  told = [];
});

type Moment = 'before sending' | 'after sending' | 'never';

/** One run of a command that pays, killed at a moment. */
function pay(words: string, killed: Moment = 'never', lamports = PAYMENT): ReturnType<typeof askOnce> {
  const options: AskOptions = {
    connection,
    folder: journal,
    wallet: payer.publicKey.toBase58(),
    intent: { command: 'pay', words },
    progress: (text) => told.push(text),
    send: (onSigned) =>
      sendAndConfirm(connection, {
        payer,
        instructions: [
          SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: receiver.publicKey, lamports }),
        ],
        onSigned: async (prepared) => {
          onSigned(prepared);
          if (killed === 'after sending') await sendPrepared(connection, prepared);
          if (killed !== 'never') throw new Error('killed');
        },
      }),
  };
  return askOnce(options);
}
const paid = async () => (await connection.getBalance(receiver.publicKey, 'confirmed')) / PAYMENT;
const entries = () => readdirSync(journal).filter((name) => name.endsWith('.json'));

it.each(['before sending', 'after sending'] as const)('finishes what was killed %s', async (moment) => {
  await expect(pay('once', moment)).rejects.toThrow('killed');
  expect(statSync(join(journal, entries()[0] ?? '')).mode & 0o777).toBe(0o600);
  const asked = await pay('once');
  expect(asked.repeated).toBe(true);
  expect(await paid()).toBe(1);
  // Killed again before the answer was shown: the same answer again.
  expect(await pay('once')).toMatchObject({ repeated: true, signature: asked.signature });
  expect(await paid()).toBe(1);
  asked.shown();
  expect(entries()).toEqual([]);
  const another = await pay('once');
  expect(another.repeated).toBe(false);
  expect(await paid()).toBe(2);
});

it('does not send again what is no longer wanted, and waits for what becomes of it', async () => {
  await expect(pay('first', 'before sending')).rejects.toThrow('killed');
  // The first has not been sent, so that it expires; here that takes no time.
  const waiting = pay('second');
  aheadMs += 120_000;
  expect(await waiting).toMatchObject({ repeated: false });
  expect(await paid()).toBe(1);
  expect(told.join('\n')).toContain('was not carried out: pay, words first');
});

it('says that an interrupted command was carried out, and does the new one as well', async () => {
  await expect(pay('first', 'after sending')).rejects.toThrow('killed');
  expect(await pay('second')).toMatchObject({ repeated: false });
  expect(await paid()).toBe(2);
  expect(told.join('\n')).toContain('was carried out: pay, words first');
});

it('sends anew what was killed and has expired', async () => {
  await expect(pay('once', 'before sending')).rejects.toThrow('killed');
  aheadMs += 120_000;
  await connection.getSlot('confirmed');
  expect(await pay('once')).toMatchObject({ repeated: false });
  expect(await paid()).toBe(1);
});

it('forgets what was refused', async () => {
  await expect(pay('too much', 'never', 2 * LAMPORTS_PER_SOL)).rejects.toMatchObject({
    code: 'CHAIN_REFUSED',
  });
  expect(entries()).toEqual([]);
});

it('cares for its own chain only, and guesses nothing', async () => {
  await expect(pay('once', 'before sending')).rejects.toThrow('killed');
  const file = join(journal, entries()[0] ?? '');
  const entry = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...entry, genesis_hash: 'another' }));
  const asked = await pay('once');
  expect(asked.repeated).toBe(false);
  expect(await paid()).toBe(1);
  writeFileSync(file, '{"version":1');
  await expect(pay('once')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(await paid()).toBe(1);
});

it('lets one command of a wallet run at a time', async () => {
  const [one, other] = await Promise.allSettled([pay('one'), pay('other')]);
  expect(one.status).toBe('fulfilled');
  expect(other).toMatchObject({ status: 'rejected', reason: { code: 'DATA_DIR_IN_USE' } });
  expect(await paid()).toBe(1);
});
