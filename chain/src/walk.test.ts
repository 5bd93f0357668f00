import { Keypair, PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openConnection } from './connection.js';
import { RpcProxy, type Verdict } from './testing/proxy.js';
import { type TokenHolding, walkProgramAccounts, walkTokenAccounts } from './walk.js';

const proxy = new RpcProxy();
const [mint, program] = [PublicKey.unique(), PublicKey.unique()];
let url = '';

beforeAll(async () => {
  url = await proxy.start();
});
afterAll(() => proxy.stop());

/** A token account as a node shows its first 72 bytes. */
function tokenAccount(amount: bigint): { owner: string; account: unknown } {
  const owner = Keypair.generate().publicKey;
  const data = Buffer.alloc(72);
  data.set(mint.toBytes(), 0);
  data.set(owner.toBytes(), 32);
  data.writeBigUInt64LE(amount, 64);
  const account = {
    data: [data.toString('base64'), 'base64'],
    executable: false,
    lamports: 1,
    owner: program.toBase58(),
    rentEpoch: 0,
    space: 165,
  };
  return { owner: owner.toBase58(), account: { pubkey: PublicKey.unique().toBase58(), account } };
}

const answer = (verdict: Verdict) => {
  proxy.decide = () => verdict;
  return openConnection(url);
};
const walk = (verdict: Verdict) =>
  walkProgramAccounts(
    answer(verdict),
    program,
    { slice: { offset: 0, length: 0 }, timeoutMs: 30_000 },
    () => {},
  );

it('hands over every token account of a mint, in batches, with the slot of all of them', async () => {
  const all = Array.from({ length: 3_000 }, (_, index) => tokenAccount(BigInt(index)));
  const connection = answer({ result: { context: { slot: 42 }, value: all.map(({ account }) => account) } });
  const found: TokenHolding[] = [];
  let batches = 0;
  const { slot } = await walkTokenAccounts(connection, mint, program, async (batch) => {
    batches += 1;
    found.push(...batch);
  });
  expect(slot).toBe(42);
  expect(batches).toBeGreaterThan(1);
  expect(found.map(({ owner, amount }) => [owner, amount])).toEqual(
    all.map(({ owner }, index) => [owner, BigInt(index)]),
  );
  const [, options] = (proxy.seen.at(-1)?.params ?? []) as unknown[];
  expect(options).toMatchObject({
    withContext: true,
    filters: [{ memcmp: { offset: 0, bytes: mint.toBase58() } }],
    dataSlice: { offset: 0, length: 72 },
  });
});

it('never takes a part for the whole', async () => {
  const unavailable = { code: 'CHAIN_UNAVAILABLE' };
  await expect(
    walk({ error: { code: -32010, message: 'excluded from account secondary indexes' } }),
  ).rejects.toMatchObject(unavailable);
  await expect(walk({ status: 503 })).rejects.toMatchObject(unavailable);
  await expect(walk('reset')).rejects.toMatchObject(unavailable);
  await expect(walk({ result: [] })).rejects.toMatchObject(unavailable);
});
