import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Keypair,
  PublicKey,
  SendTransactionError,
  SYSVAR_CLOCK_PUBKEY,
  SYSVAR_RENT_PUBKEY,
  SystemProgram,
  TransactionInstruction,
} from '@solana/web3.js';
import bs58 from 'bs58';
import { LiteSvm } from 'litesvm/dist/internal.js';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fund, send, startTestNet, type TestNet, temporaryDirectory } from './test-support.js';

const LOADER = new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111');

/** Programs that LiteSVM carries: real ELF files to deploy under other ids. */
const svm = new LiteSvm();
const elfOf = (address: string) => Buffer.from(svm.getAccount(bs58.decode(address))?.data() as Uint8Array);
const memoElf = elfOf('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const ataElf = elfOf('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL');

const program = Keypair.generate().publicKey;
const authority = Keypair.generate();
let soPath: string;
let net: TestNet;
let payer: Keypair;
let logged: string[];

const [programData] = PublicKey.findProgramAddressSync([program.toBytes()], LOADER);

beforeEach(async () => {
  soPath = join(temporaryDirectory(), 'program.so');
  writeFileSync(soPath, memoElf);
  logged = [];
  const logger = pino({}, { write: (line: string) => logged.push(JSON.parse(line).msg) });
  net = await startTestNet({
    programs: [{ id: program.toBase58(), soPath }],
    upgradeAuthority: authority.publicKey.toBase58(),
    logger,
  });
  payer = Keypair.generate();
  await fund(net.connection, payer, 100);
});
afterEach(() => net.close());

async function call(text: string): Promise<string[]> {
  const instruction = new TransactionInstruction({ programId: program, keys: [], data: Buffer.from(text) });
  const signature = await send(net.connection, [instruction], [payer]);
  return (await net.connection.getTransaction(signature))?.meta?.logMessages ?? [];
}

test('deploys under the upgradeable loader with the authority, and runs', async () => {
  const account = await net.connection.getParsedAccountInfo(program);
  expect(account.value?.owner.equals(LOADER)).toBe(true);
  expect(account.value?.executable).toBe(true);
  expect(account.value?.data).toMatchObject({
    parsed: { type: 'program', info: { programData: programData.toBase58() } },
  });
  const data = (await net.connection.getParsedAccountInfo(programData)).value?.data as {
    parsed: { type: string; info: { authority: string; slot: number; data: [string] } };
  };
  expect(data.parsed.info.authority).toBe(authority.publicKey.toBase58());
  expect(data.parsed.info.slot).toBe(0);
  expect(Buffer.from(data.parsed.info.data[0], 'base64').equals(memoElf)).toBe(true);
  expect((await call('one')).join()).toContain('one');
});

test('goes on with the same program, and upgrades it in place when the file has changed', async () => {
  await net.restart();
  expect((await call('two')).join()).toContain('two');
  expect(logged.filter((line) => line.startsWith('program'))).toEqual(['program deployed']);
  writeFileSync(soPath, ataElf);
  await net.restart();
  expect(logged.at(-2)).toContain('upgraded in place');
  await expect(call('three')).rejects.toBeInstanceOf(SendTransactionError);
  const info = await net.connection.getAccountInfo(programData);
  expect(info?.data.subarray(45).equals(ataElf)).toBe(true);
  expect(info?.data.subarray(13, 45)).toEqual(Buffer.from(authority.publicKey.toBytes()));
  expect(info?.lamports).toBe(
    await net.connection.getMinimumBalanceForRentExemption(info?.data.length as number),
  );
  await net.restart();
  expect(logged.filter((line) => line.includes('upgraded'))).toHaveLength(1);
  await expect(call('four')).rejects.toBeInstanceOf(SendTransactionError);
});

/** Loader instructions (solana-loader-v3-interface): bincode, u32 tag. */
function loader(tag: number, keys: [PublicKey, boolean, boolean][], data: Buffer = Buffer.alloc(0)) {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(tag);
  return new TransactionInstruction({
    programId: LOADER,
    keys: keys.map(([pubkey, isSigner, isWritable]) => ({ pubkey, isSigner, isWritable })),
    data: Buffer.concat([head, data]),
  });
}

async function writeBuffer(elf: Buffer): Promise<Keypair> {
  const buffer = Keypair.generate();
  const space = 37 + elf.length;
  await send(
    net.connection,
    [
      SystemProgram.createAccount({
        fromPubkey: payer.publicKey,
        newAccountPubkey: buffer.publicKey,
        lamports: await net.connection.getMinimumBalanceForRentExemption(space),
        space,
        programId: LOADER,
      }),
      loader(0, [
        [buffer.publicKey, false, true],
        [authority.publicKey, false, false],
      ]),
    ],
    [payer, buffer],
  );
  for (let at = 0; at < elf.length; at += 900) {
    const chunk = elf.subarray(at, at + 900);
    const head = Buffer.alloc(12);
    head.writeUInt32LE(at);
    head.writeBigUInt64LE(BigInt(chunk.length), 4);
    const write = loader(
      1,
      [
        [buffer.publicKey, false, true],
        [authority.publicKey, true, false],
      ],
      Buffer.concat([head, chunk]),
    );
    await send(net.connection, [write], [payer, authority]);
  }
  return buffer;
}

function upgradeWith(buffer: PublicKey, signer: PublicKey): TransactionInstruction {
  return loader(3, [
    [programData, false, true],
    [program, false, true],
    [buffer, false, true],
    [payer.publicKey, false, true],
    [SYSVAR_RENT_PUBKEY, false, false],
    [SYSVAR_CLOCK_PUBKEY, false, false],
    [signer, true, false],
  ]);
}

test('its authority, and nobody else, upgrades it by transaction; that holds across a restart', async () => {
  writeFileSync(soPath, ataElf);
  await net.restart();
  await expect(call('before')).rejects.toBeInstanceOf(SendTransactionError);
  const buffer = await writeBuffer(memoElf);
  net.skipSlots(2); // the loader refuses an upgrade in the slot of the last deployment
  const thief = Keypair.generate();
  await expect(
    send(net.connection, [upgradeWith(buffer.publicKey, thief.publicKey)], [payer, thief]),
  ).rejects.toThrow(/Incorrect authority/);
  await expect(call('still before')).rejects.toBeInstanceOf(SendTransactionError);
  await send(net.connection, [upgradeWith(buffer.publicKey, authority.publicKey)], [payer, authority]);
  net.skipSlots(2);
  expect((await call('after')).join()).toContain('after');
  // The file is still the old one, but has not changed: what was done on the chain stays.
  await net.restart();
  expect((await call('restarted')).join()).toContain('restarted');
  const info = await net.connection.getAccountInfo(programData);
  expect(info?.data.subarray(45, 45 + memoElf.length).equals(memoElf)).toBe(true);
});
