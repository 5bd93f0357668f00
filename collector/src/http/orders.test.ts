import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildTransaction,
  fetchQuoteMint,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  mintQuote,
  signMessage,
  writeKeypairFile,
} from '@gridtokenx/chain';
import { decodeBase58, encodeBase58, encodeReading, toReading } from '@gridtokenx/protocol';
import { createAssociatedTokenAccountInstruction, TOKEN_2022_PROGRAM_ID } from '@solana/spl-token';
import {
  ComputeBudgetProgram,
  Keypair,
  PublicKey,
  SystemProgram,
  type TransactionInstruction,
  VersionedTransaction,
} from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningCollector } from '../collector.js';
import { loadCollectorConfig } from '../config.js';
import { MarketWorld } from '../matching/testing/market-world.js';
import { startCollector } from '../server.js';
import { until } from '../testing/collector.js';
import { postJson } from '../testing/wallet.js';
import { verifySignature } from '../validate/signature.js';
import { BuiltOrder, TransactionState } from './order-schemas.js';

/* A wallet trades over HTTP with a real chain behind the collector: built here, signed there, relayed here. */

const world = new MarketWorld();
let folder: string;
let collector: RunningCollector;
let seller: Keypair;
let buyer: Keypair;
let newcomer: Keypair;
const tokens = new Map<Keypair, string>();

// biome-ignore lint/suspicious/noExplicitAny: whatever was answered
type Body = any;

async function login(keypair: Keypair): Promise<string> {
  const known = tokens.get(keypair);
  if (known !== undefined) return known;
  const wallet = keypair.publicKey.toBase58();
  const challenge = (await postJson(`${collector.httpUrl}/api/auth/challenge`, { wallet })).body as Body;
  const signature = encodeBase58(signMessage(keypair, new TextEncoder().encode(challenge.message)));
  const answer = await postJson(`${collector.httpUrl}/api/auth/login`, {
    wallet,
    nonce: challenge.nonce,
    signature,
  });
  const token: string = (answer.body as Body).access_token;
  tokens.set(keypair, token);
  return token;
}

async function get(path: string, keypair?: Keypair): Promise<Body> {
  const headers = keypair === undefined ? {} : { authorization: `Bearer ${await login(keypair)}` };
  return (await fetch(`${collector.httpUrl}${path}`, { headers })).json();
}

async function build(keypair: Keypair, wish: object): Promise<{ status: number; body: Body }> {
  const authorization = `Bearer ${await login(keypair)}`;
  const answer = await postJson(`${collector.httpUrl}/api/orders/build`, wish, { authorization });
  if (answer.status === 200) expect(BuiltOrder.safeParse(answer.body).error?.issues ?? []).toEqual([]);
  return answer as { status: number; body: Body };
}

const submit = (transaction: string) =>
  postJson(`${collector.httpUrl}/api/transactions/submit`, { transaction }) as Promise<{
    status: number;
    body: Body;
  }>;

const read = (base64: string) => VersionedTransaction.deserialize(Buffer.from(base64, 'base64'));
const written = (transaction: VersionedTransaction) =>
  Buffer.from(transaction.serialize()).toString('base64');

/** As a wallet does: shows it, signs it. */
function sign(base64: string, ...signers: Keypair[]): string {
  const transaction = read(base64);
  transaction.sign(signers);
  return written(transaction);
}

/** Builds, signs, submits, and waits for the result. */
async function carryOut(keypair: Keypair, wish: object): Promise<{ built: BuiltOrder; signature: string }> {
  const { status, body: built } = await build(keypair, wish);
  expect([status, built.error]).toEqual([200, undefined]);
  const sent = await submit(sign(built.transaction, keypair));
  expect([sent.status, sent.body.error]).toEqual([202, undefined]);
  const { signature, last_valid_block_height: height } = sent.body;
  await until(async () => {
    const state = await get(`/api/transactions/${signature}?last_valid_block_height=${height}`);
    expect(TransactionState.safeParse(state).error?.issues ?? []).toEqual([]);
    expect(state.state).not.toMatch(/failed|expired/);
    return state.state !== 'pending';
  }, 'the transaction is confirmed');
  return { built, signature };
}

beforeAll(async () => {
  await world.startMarket(30);
  [seller, buyer] = [await world.trader({ grid: 20 }), await world.trader({ grx: 100 })];
  newcomer = await world.trader({ grx: 50 });
  folder = mkdtempSync(join(tmpdir(), 'gtx-orders-'));
  const [feePayer, ack] = [join(folder, 'fee-payer.json'), join(folder, 'ack.json')];
  writeKeypairFile(feePayer, world.feePayer);
  writeKeypairFile(ack, Keypair.generate());
  collector = await startCollector(
    loadCollectorConfig({
      DATABASE_URL: world.databaseUrl,
      SOLANA_RPC_URL: world.rpcUrl,
      GTX_FEE_PAYER_KEY: feePayer,
      GTX_ACK_KEY: ack,
      GTX_MQTT_PORT: '0',
      GTX_HTTP_PORT: '0',
      // The tests ask again and again until something is so.
      GTX_HTTP_READS_PER_MINUTE: '1000000',
      GTX_HTTP_WRITES_PER_MINUTE: '1000000',
    }),
    { logger: world.logger, now: world.now },
  );
  await until(async () => (await get('/api/markets')).items.length === 1, 'the collector knows the market');
});
afterAll(async () => {
  await collector?.stop();
  await world.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe('a wallet sells 10 GRID at 3 GRX and a neighbour buys them', () => {
  let address: string;

  test('the order is built, signed by the wallet and in the book', async () => {
    const { built, signature } = await carryOut(seller, {
      kind: 'create',
      side: 'sell',
      amount: '10',
      price: '3',
    });
    expect(built).toMatchObject({
      message: 'Sell 10 GRID at 3 GRX each: 30 GRX when all of it is sold',
      pays: { token: 'GRID', amount: '10' },
      // One percent goes to the treasury.
      receives: { token: 'GRX', amount: '29.7' },
      quote: '30',
      trading_fee: '0.3',
      network_fee: '0.000005',
      rent_returned: '0',
    });
    expect(Number(built.rent)).toBeGreaterThan(0.001);
    expect(built.pre_flight.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['market_open', 'amount', 'price', 'balance', 'trial_run']),
    );
    address = built.order.address;
    const order = await until(async () => {
      const found = await get(`/api/orders/${address}`);
      return found.error === undefined && found;
    }, 'the order is in the database');
    expect(order).toMatchObject({
      owner: seller.publicKey.toBase58(),
      order_id: built.order.order_id,
      status: 'open',
      remaining: '10',
      escrowed: '10',
      expires_at: built.order.expires_at,
      created_signature: signature,
    });
    await until(async () => (await get('/api/book')).asks[0]?.amount === '10', 'the order is in the book');
    // As the chain has it, and the costs were as they were told.
    expect(await world.grid(seller.publicKey)).toBe(10_000_000_000n);
  });

  test('the buyer takes it: both are paid, and the trade is in the list with its transaction', async () => {
    const lamports = await world.connection.getBalance(buyer.publicKey, 'confirmed');
    const { built, signature } = await carryOut(buyer, { kind: 'match', order: address, limit_price: '3' });
    expect(built).toMatchObject({
      message: 'Buy 10 GRID at 3 GRX each now: 30 GRX',
      pays: { token: 'GRX', amount: '30' },
      receives: { token: 'GRID', amount: '10' },
    });
    const after = await world.connection.getBalance(buyer.publicKey, 'confirmed');
    const told = Math.round(
      (Number(built.network_fee) + Number(built.rent) - Number(built.rent_returned)) * 1e9,
    );
    expect(lamports - after).toBe(told);
    expect(await world.grid(buyer.publicKey)).toBe(10_000_000_000n);
    expect(await world.grxOf(buyer.publicKey)).toBe(70_000_000_000n);
    expect(await world.grxOf(seller.publicKey)).toBe(29_700_000_000n);
    const [trade] = await until(async () => {
      const { items } = await get(`/api/trades?wallet=${buyer.publicKey.toBase58()}`);
      return items.length > 0 && items;
    }, 'the trade is in the list');
    expect(trade).toMatchObject({
      signature,
      seller: seller.publicKey.toBase58(),
      buyer: buyer.publicKey.toBase58(),
      sell_order: address,
      buy_order: null,
      price: '3',
      amount: '10',
      quote: '30',
      fee: '0.3',
    });
    const state = await until(async () => {
      const found = await get(`/api/transactions/${signature}`);
      return found.events.length > 0 && found;
    }, 'the transaction shows its events');
    expect(state.events.map(({ name }: Body) => name)).toContain('TradeExecuted');
    await until(async () => {
      const { balances } = await get(`/api/balances/${seller.publicKey.toBase58()}`, seller);
      return balances[0]?.total === '10' && balances[1]?.total === '29.7';
    }, 'the balances are in the database');
    expect((await get(`/api/orders/${address}`)).status).toBe('filled');
  });

  test('anybody can check the meter’s signature of what a transaction minted, from the transaction itself', async () => {
    const { rows } = await world.pool.query<{ signature: string; meter_id: string }>(
      'SELECT signature, meter_id FROM chain_readings',
    );
    const [accepted] = rows;
    expect(rows).toHaveLength(1);
    const ask = () => get(`/api/transactions/${accepted?.signature}`);
    const state = await ask();
    expect(TransactionState.safeParse(state).error?.issues ?? []).toEqual([]);
    const [reading] = state.readings;
    expect(state.readings).toHaveLength(1);
    expect(reading).toMatchObject({
      meter_id: accepted?.meter_id,
      sequence: '1',
      after_sequence: '0',
      counted_kwh: '100',
      held_kwh: '0',
      mint_tx_signature: accepted?.signature,
    });
    const message = Buffer.from(reading.message, 'hex');
    expect(Buffer.from(encodeReading(toReading({ reading })))).toEqual(message);
    const [key, signature] = [decodeBase58(reading.public_key), decodeBase58(reading.meter_signature)];
    expect(verifySignature(signature, message, key)).toBe(true);
    const transaction = read(state.transaction);
    expect(encodeBase58(transaction.signatures[0] as Uint8Array)).toBe(accepted?.signature);
    expect(Buffer.from(transaction.message.serialize()).includes(message)).toBe(true);

    // One that somebody else sent is read from the chain, and is the same.
    await world.pool.query(`UPDATE settlements SET signature = 'another'`);
    const { after_sequence: _, ...same } = reading;
    const foreign = await ask();
    expect(foreign.readings).toEqual([{ ...same, after_sequence: null }]);
    expect(foreign.transaction).toBe(state.transaction);
    await world.pool.query('UPDATE settlements SET signature = $1', [accepted?.signature]);
    // A trade brings no reading.
    const { rows: trades } = await world.pool.query<{ signature: string }>(
      `SELECT signature FROM chain_events WHERE name = 'TradeExecuted'`,
    );
    const trade = await get(`/api/transactions/${trades[0]?.signature}`);
    expect(trade).toMatchObject({ readings: [], transaction: null, accepted_in: [] });
  });

  test('a wallet that never traded gets its accounts with its first order, and takes the order back', async () => {
    // It has neither a GRID account nor a trader account.
    const fresh = Keypair.generate();
    await world.fund(fresh, 1);
    const { connection, feePayer } = world;
    const created = await build(fresh, { kind: 'create', side: 'buy', amount: '1', price: '2' });
    expect(created.body.error).toMatchObject({ code: 'BALANCE_TOO_LOW' });
    const mint = await fetchQuoteMint(connection, world.grx.publicKey);
    if (mint === undefined) throw new Error('there is no GRX');
    const paid = { payer: feePayer, authority: world.authority, to: fresh.publicKey, amount: 5_000_000_000n };
    await mintQuote(connection, { ...paid, mint });
    const { built } = await carryOut(fresh, { kind: 'create', side: 'buy', amount: '1', price: '2' });
    expect(built).toMatchObject({
      pays: { token: 'GRX', amount: '2' },
      receives: { token: 'GRID', amount: '1' },
    });
    expect(await connection.getAccountInfo(gridTokenAccount(fresh.publicKey), 'confirmed')).not.toBeNull();
    expect(await world.grxOf(fresh.publicKey)).toBe(3_000_000_000n);

    const other = await build(buyer, { kind: 'cancel', order: built.order.address });
    expect(other.body.error.code).toBe('FORBIDDEN');
    const taken = await build(fresh, { kind: 'match', order: built.order.address });
    expect(taken.body.error.code).toBe('SELF_TRADE');
    const back = await carryOut(fresh, { kind: 'cancel', order: built.order.address });
    expect(back.built).toMatchObject({
      pays: { token: 'none', amount: '0' },
      receives: { token: 'GRX', amount: '2' },
      rent: '0',
    });
    expect(Number(back.built.rent_returned)).toBeGreaterThan(0.001);
    expect(await world.grxOf(fresh.publicKey)).toBe(5_000_000_000n);
    const gone = await build(fresh, { kind: 'cancel', order: built.order.address });
    expect(gone.body.error.code).toBe('ORDER_CLOSED');
  });
});

test('tokens that came by a plain transfer are told at once, also to a wallet that never traded', async () => {
  const stranger = await world.trader({ grx: 50 });
  const { balances } = await get(`/api/balances/${stranger.publicKey.toBase58()}`, stranger);
  expect(balances).toMatchObject([
    { symbol: 'GRID', amount: '0', total: '0' },
    { symbol: 'GRX', amount: '50', escrowed: '0', total: '50', token_account: expect.any(String) },
  ]);
});

describe('what cannot be built is refused in words', () => {
  const sell = { kind: 'create', side: 'sell', amount: '1', price: '3' };

  test.each([
    ['VALUE_INVALID', { ...sell, amount: '1.0005' }],
    ['VALUE_INVALID', { ...sell, price: '3.0001' }],
    ['BALANCE_TOO_LOW', { ...sell, amount: '1000' }],
    ['VALUE_INVALID', { ...sell, expires_at: '1' }],
    ['NOT_FOUND', { ...sell, market: encodeBase58(new Uint8Array(32).fill(3)) }],
    ['ORDER_CLOSED', { kind: 'match', order: encodeBase58(new Uint8Array(32).fill(3)) }],
    ['INVALID_BODY', { ...sell, amount: '-1' }],
    ['INVALID_BODY', { ...sell, amount: '0' }],
    ['INVALID_BODY', { ...sell, amount: '1e3' }],
    ['INVALID_BODY', { ...sell, amount: 1 }],
    ['INVALID_BODY', { ...sell, amount: '99999999999' }],
    ['INVALID_BODY', { ...sell, amount: '9'.repeat(3_000) }],
    ['INVALID_BODY', { ...sell, wallet: 'another' }],
    ['INVALID_BODY', { ...sell, kind: '__proto__' }],
    ['INVALID_BODY', { ...sell, market: 'constructor' }],
    ['INVALID_BODY', []],
  ])('%s: %j', async (code, wish) => {
    expect((await build(seller, wish)).body.error.code).toBe(code);
  });

  test('without a login; without enough SOL; while the market is paused', async () => {
    const nobody = await postJson(`${collector.httpUrl}/api/orders/build`, sell);
    expect(nobody.status).toBe(401);
    const poor = await world.trader({ grid: 1 });
    const lamports = await world.connection.getBalance(poor.publicKey, 'confirmed');
    await world.send(
      [
        SystemProgram.transfer({
          fromPubkey: poor.publicKey,
          toPubkey: world.feePayer.publicKey,
          lamports,
        }),
      ],
      [poor],
    );
    const refused = (await build(poor, sell)).body.error;
    expect(refused).toMatchObject({ code: 'BALANCE_TOO_LOW' });
    expect(refused.message).toMatch(/^the wallet has 0 SOL and needs 0\.00\d+: 0\.000005 for the fee/);
    const told = [...refused.message.matchAll(/([0-9]+\.[0-9]+)/g)].map(([text]: string[]) => Number(text));
    const [needed = 0, fee = 0, accounts = 0, kept = 0] = told;
    // Between nothing and this an account may hold no balance.
    expect(kept).toBe((await world.connection.getMinimumBalanceForRentExemption(0)) / 1e9);
    expect(needed).toBeCloseTo(fee + accounts + kept, 9);
    const missing = Number(/: ([0-9.]+) are missing$/.exec(refused.message)?.[1]) * 1e9;
    const give = (lamports: number) =>
      world.send(
        [
          SystemProgram.transfer({
            fromPubkey: world.feePayer.publicKey,
            toPubkey: poor.publicKey,
            lamports: Math.round(lamports),
          }),
        ],
        [],
      );
    // One lamport less is too little, and what was asked for is enough.
    await give(missing - 1);
    expect((await build(poor, sell)).body.error.code).toBe('BALANCE_TOO_LOW');
    await give(1);
    await carryOut(poor, sell);

    const pause = (paused: boolean) =>
      world.send(
        [
          instructions.setMarketPaused({
            authority: world.authority.publicKey,
            market: world.marketKey,
            paused,
          }),
        ],
        [world.authority],
      );
    await pause(true);
    expect((await build(seller, sell)).body.error.code).toBe('MARKET_CLOSED');
    await pause(false);
  });
});

describe('what is not relayed', () => {
  let built: BuiltOrder;
  beforeAll(async () => {
    built = (await build(seller, { kind: 'create', side: 'sell', amount: '1', price: '9' })).body;
  });

  async function signed(list: TransactionInstruction[], signer = seller): Promise<string> {
    const { blockhash } = await world.connection.getLatestBlockhash('confirmed');
    const transaction = buildTransaction({ payer: signer.publicKey, instructions: list, blockhash });
    transaction.sign([signer]);
    return written(transaction);
  }
  const outcome = async (transaction: string) => {
    const { status, body } = await submit(transaction);
    return [status, body.error?.code];
  };
  const INVALID = [400, 'TRANSACTION_INVALID'];
  const FORBIDDEN = [403, 'TRANSACTION_FORBIDDEN'];
  const payAway = () =>
    SystemProgram.transfer({ fromPubkey: seller.publicKey, toPubkey: buyer.publicKey, lamports: 1 });
  const cancelOf = () =>
    instructions.cancelOrder({
      market: world.account,
      order: { owner: seller.publicKey, orderId: 1n, side: 0, rentPayer: seller.publicKey },
    });

  test('unsigned, signed by another, tampered with, followed by something, too large, no transaction', async () => {
    expect(await outcome(built.transaction)).toEqual(INVALID);
    const other = read(built.transaction);
    other.signatures[0] = signMessage(buyer, other.message.serialize());
    expect(await outcome(written(other))).toEqual(INVALID);
    const good = Buffer.from(sign(built.transaction, seller), 'base64');
    for (const at of [1, 64, 66, 70, 100, good.length - 1]) {
      const tampered = Buffer.from(good);
      tampered[at] = (tampered[at] as number) ^ 1;
      const [status, code] = await outcome(tampered.toString('base64'));
      expect([at, status, code]).toEqual([at, ...INVALID]);
    }
    expect(await outcome(Buffer.concat([good, Buffer.alloc(1)]).toString('base64'))).toEqual(INVALID);
    expect(await outcome(good.subarray(0, -1).toString('base64'))).toEqual(INVALID);
    expect(await outcome(Buffer.concat([good, Buffer.alloc(1_300)]).toString('base64'))).toEqual(INVALID);
    expect(await outcome(Buffer.alloc(300, 255).toString('base64'))).toEqual(INVALID);
    expect(await outcome('not base64 at all!')).toEqual(INVALID);
    expect(await outcome('A'.repeat(5_000))).toEqual([400, 'INVALID_BODY']);
    expect(await world.grid(seller.publicKey)).toBe(10_000_000_000n);
  });

  test('what calls other programs', async () => {
    expect(await outcome(await signed([payAway()]))).toEqual(FORBIDDEN);
    expect(await outcome(await signed([cancelOf(), payAway()]))).toEqual(FORBIDDEN);
    expect(await outcome(await signed([ComputeBudgetProgram.setComputeUnitLimit({ units: 1 })]))).toEqual(
      FORBIDDEN,
    );
    const [account, owner] = [gridTokenAccount(world.guardian.publicKey), world.guardian.publicKey];
    const create = createAssociatedTokenAccountInstruction(
      seller.publicKey,
      account,
      owner,
      gridMintAddress(),
      TOKEN_2022_PROGRAM_ID,
    );
    expect(await outcome(await signed([cancelOf(), create]))).toEqual(FORBIDDEN);
    // An instruction whose program's address is the fee payer's own: there is nothing that it could be.
    expect(
      await outcome(
        await signed([{ programId: new PublicKey(seller.publicKey), keys: [], data: Buffer.alloc(0) }]),
      ),
    ).toEqual(FORBIDDEN);
  });

  test('what a program refuses comes back by its name, with what to do', async () => {
    const { built: order } = await carryOut(seller, {
      kind: 'create',
      side: 'sell',
      amount: '1',
      price: '4',
    });
    const take = await build(newcomer, { kind: 'match', order: order.order.address });
    const transaction = sign(take.body.transaction, newcomer);
    await carryOut(seller, { kind: 'cancel', order: order.order.address });
    const { status, body } = await submit(transaction);
    expect([status, body.error.code]).toEqual([422, 'CHAIN_REFUSED']);
    expect(body.error.details).toMatchObject({
      reason: 'OrderClosed',
      what_to_do: 'The order was filled, cancelled or returned. Look at the book again.',
    });
  });

  test('the same twice is carried out once; too late it is refused, and known to have expired', async () => {
    const before = await world.grid(seller.publicKey);
    const { body } = await build(seller, { kind: 'create', side: 'sell', amount: '1', price: '5' });
    const transaction = sign(body.transaction, seller);
    const answers = await Promise.all([submit(transaction), submit(transaction)]);
    answers.push(await submit(transaction));
    expect(new Set(answers.map(({ body }) => body.signature)).size).toBe(1);
    await until(async () => (await world.grid(seller.publicKey)) < before, 'it was carried out');
    expect(await world.grid(seller.publicKey)).toBe(before - 1_000_000_000n);

    const late = await build(seller, { kind: 'create', side: 'sell', amount: '1', price: '5' });
    const lateTransaction = sign(late.body.transaction, seller);
    world.pass(300);
    const { body: refused } = await submit(lateTransaction);
    expect(refused.error).toMatchObject({
      code: 'TRANSACTION_INVALID',
      details: { reason: 'BlockhashNotFound' },
    });
    const signature = encodeBase58(read(lateTransaction).signatures[0] as Uint8Array);
    const height = late.body.last_valid_block_height;
    await until(async () => {
      const { state } = await get(`/api/transactions/${signature}?last_valid_block_height=${height}`);
      return state === 'expired';
    }, 'it has expired');
    expect((await get(`/api/transactions/${signature}`)).state).toBe('pending');
  });
});
