import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeypairFile } from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { Keypair } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { dataLayout } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { keyPath } from '../keys.js';
import { localPrograms, upgradeAuthorityOf } from '../local-programs.js';
import { until } from '../testing/wait.js';

/* The market at a terminal: the commands in this process, on a chain of their own with the compiled programs. */

let folder: string;
let chain: Localnet;
/** Added to the wall clock: nobody waits for an order to expire. */
let aheadMs = 0;

async function gtx(...args: string[]) {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    // Nobody listens there: lists come from the chain.
    env: { GTX_DATA_DIR: folder, SOLANA_RPC_URL: chain.rpcUrl, GTX_COLLECTOR_URL: 'http://127.0.0.1:9' },
  });
  return { code, out, err };
}

/** Runs with --json. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function json(...args: string[]): Promise<{ code: number; value: any }> {
  const { code, out, err } = await gtx(...args, '--json');
  expect(out, err).not.toBe('');
  return { code, value: JSON.parse(out) };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
async function good(...args: string[]): Promise<any> {
  const { code, value } = await json(...args);
  expect(value, JSON.stringify(value)).not.toHaveProperty('error');
  expect(code).toBe(EXIT.ok);
  return value;
}

/** The error of a command that has to fail, and its exit code. */
async function bad(...args: string[]): Promise<{ code: number; error: Record<string, unknown> }> {
  const { code, value } = await json(...args);
  expect(value, JSON.stringify(value)).toHaveProperty('error');
  return { code, error: value.error };
}

const balances = async (...args: string[]) => {
  const { grid, grx } = await good('balances', ...args);
  return { grid: grid.amount, grid_in_orders: grid.in_orders, grx: grx.amount, grx_in_orders: grx.in_orders };
};

const buyer = () => join(folder, 'buyer.json');
const seller = () => readKeypairFile(keyPath(dataLayout(folder), 'owner')).publicKey.toBase58();
const buyerWallet = () => readKeypairFile(buyer()).publicKey.toBase58();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-market-'));
  const layout = dataLayout(folder);
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(layout),
    logger: pino({ level: 'silent' }),
    now: () => Date.now() + aheadMs,
  });
  await good('keygen', '--set');
  await good('airdrop');
  await good('keygen', '--out', buyer());
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('gtx chain init', () => {
  it('opens the embedded chain’s market, once', async () => {
    expect(await bad('book')).toMatchObject({ code: EXIT.refused, error: { code: 'NOT_FOUND' } });
    expect((await bad('faucet', '--amount', '1')).error.code).toBe('NOT_FOUND');
    const bare = await good('chain', 'init', '--max-rated-watts', '100000000', '--no-market');
    expect(bare.market).toBeNull();
    const { market } = await good('chain', 'init');
    expect(market.created).toEqual([
      'GRX mint',
      'oracle',
      'feed GRX/GRID',
      expect.stringMatching(/^publisher /),
      'price',
      'market',
    ]);
    expect(await good('chain', 'init')).toMatchObject({ changed: false, market: { created: [] } });
    expect(await good('market', 'show')).toMatchObject({
      address: market.address,
      quote_mint: market.quote_mint,
      lot_size: '0.001',
      tick_size: '0.001',
      fee_bps: 0,
      band_bps: 5_000,
      feed: market.feed,
      paused: false,
    });
    expect(await good('price')).toMatchObject({
      feed: { price: '3', counts: true, publishers: 1 },
      band: { lowest: '1.5', highest: '4.5' },
      guide: null,
      source: { from: 'chain', slot: expect.any(Number) },
    });
  });
});

describe('selling and buying', () => {
  it('begins with 15 GRID of a meter and some GRX', async () => {
    await good('register-user');
    await good('verify-user');
    const registrar = keyPath(dataLayout(folder), 'registrar');
    await good('register-meter', '--rated-watts', '100000000', '--payer-key', registrar);
    await until('the interval is not empty', async () => {
      const args = ['--production', '25', '--consumption', '10', '--direct'];
      const { code, value } = await json('submit-reading', ...args);
      if (value.error?.code === 'VALUE_INVALID') return false;
      expect(value, JSON.stringify(value)).not.toHaveProperty('error');
      return code === EXIT.ok;
    });
    expect(await good('settle-meter-balance')).toMatchObject({ minted_grid: '15' });
    // The faucet also gives SOL for fees, once.
    expect(await good('faucet', '--to', buyerWallet(), '--amount', '60')).toMatchObject({
      given: '60',
      balance: '60',
      sol: '2',
    });
    expect(await good('faucet', '--to', buyerWallet(), '--amount', '40')).toMatchObject({
      balance: '100',
      sol: '2',
    });
    expect(await balances()).toMatchObject({ grid: '15', grx: '0' });
    expect(await balances('--keypair', buyer())).toMatchObject({ grid: '0', grx: '100' });
  });

  it('sells 10 GRID at 3 GRX: 30 GRX arrive, and the buyer has 10 GRID', async () => {
    const order = await good('create-order', '--amount', '10', '--price', '3');
    expect(order).toMatchObject({
      changed: true,
      order_id: '1',
      owner: seller(),
      side: 'sell',
      total: '30',
      escrowed: '10',
      note: null,
    });
    expect(await balances()).toMatchObject({ grid: '5', grid_in_orders: '10' });
    expect(await good('orders', '--status', 'open')).toMatchObject({
      orders: [{ order_id: '1', side: 'sell', remaining: '10', price: '3', status: 'open' }],
      source: { from: 'chain' },
    });
    expect(await good('book')).toMatchObject({ asks: [{ price: '3', amount: '10', orders: 1 }], bids: [] });

    const trade = await good('match-order', '--order-id', '1', '--keypair', buyer());
    expect(trade).toMatchObject({
      changed: true,
      side: 'buy',
      seller: seller(),
      buyer: buyerWallet(),
      amount: '10',
      price: '3',
      paid: '30',
      fee: '0',
      order_closed: true,
    });
    expect(await balances()).toEqual({ grid: '5', grid_in_orders: '0', grx: '30', grx_in_orders: '0' });
    expect(await balances('--keypair', buyer())).toMatchObject({ grid: '10', grx: '70' });
    expect(await good('orders')).toMatchObject({ orders: [] });
    const trades = await good('trades');
    expect(trades.trades).toMatchObject([{ amount: '10', price: '3', paid: '30', taker_side: 'buy' }]);
    expect(trades.trades[0].signature).toBe(trade.signature);
    expect((await good('trades', '--wallet', Keypair.generate().publicKey.toBase58())).trades).toEqual([]);
  });

  it('sells in parts, and takes the rest back', async () => {
    const { order_id } = await good('create-order', '--amount', '5', '--price', '2.5', '--expires', '7d');
    expect(order_id).toBe('2');
    const part = ['match-order', '--order-id', '2', '--keypair', buyer(), '--amount', '1.5'];
    expect(await good(...part, '--max-price', '2.5')).toMatchObject({
      amount: '1.5',
      paid: '3.75',
      order_left: '3.5',
      order_closed: false,
    });
    // Only what is left can be taken, unless less will do.
    const more = ['match-order', '--order-id', '2', '--keypair', buyer(), '--amount', '4'];
    expect((await bad(...more)).error).toMatchObject({ code: 'ORDER_CLOSED' });
    expect(await good('cancel-order', '--order-id', '2')).toMatchObject({ refunded: '3.5', token: 'GRID' });
    expect(await balances()).toMatchObject({ grid: '3.5', grid_in_orders: '0', grx: '33.75' });
    expect((await bad('cancel-order', '--order-id', '2')).error.code).toBe('ORDER_CLOSED');
    expect((await bad(...part)).error.code).toBe('ORDER_CLOSED');
  });

  it('buys with an order, to which the seller sells', async () => {
    const made = await good(
      ...['create-order', '--side', 'buy', '--amount', '2', '--price', '2', '--keypair', buyer()],
    );
    expect(made).toMatchObject({ order_id: '1', side: 'buy', escrowed: '4' });
    expect(await balances('--keypair', buyer())).toMatchObject({ grx_in_orders: '4' });
    expect((await good('book')).bids).toEqual([{ price: '2', amount: '2', orders: 1 }]);
    const wrong = await bad('match-order', '--order-id', '1', '--max-price', '3');
    expect(wrong.error).toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining('--min-price'),
    });
    expect(await good('match-order', '--order-id', '1', '--min-price', '2')).toMatchObject({
      side: 'sell',
      seller: seller(),
      paid: '4',
      order_closed: true,
    });
    expect(await balances('--keypair', buyer())).toMatchObject({ grid: '13.5', grx_in_orders: '0' });
  });

  it('returns expired orders to their owner, for anybody', async () => {
    await good('create-order', '--amount', '0.5', '--price', '3', '--expires', '1h');
    const early = await bad('expire-order', '--order-id', '3');
    expect(early).toMatchObject({ code: EXIT.refused, error: { code: 'CONFLICT' } });
    aheadMs += 3_700_000;
    await until('the chain’s clock has passed the end of the order', async () => {
      const { orders } = await good('orders');
      return orders[0].status === 'expired';
    });
    expect((await good('book')).asks).toEqual([]);
    const late = await bad('match-order', '--order-id', '3', '--keypair', buyer());
    expect(late.error).toMatchObject({ code: 'ORDER_CLOSED', message: expect.stringContaining('expired') });
    expect(await good('expire-order', '--order-id', '3')).toMatchObject({ owner: seller(), refunded: '0.5' });
    expect(await balances()).toMatchObject({ grid: '1.5', grid_in_orders: '0' });
  });
});

describe('what cannot be', () => {
  it('is refused before anything is sent, with what to do', async () => {
    expect((await bad('create-order', '--amount', '1.6', '--price', '3')).error).toMatchObject({
      code: 'BALANCE_TOO_LOW',
      message: expect.stringContaining('0.1 are missing'),
    });
    const offLot = await gtx('create-order', '--amount', '1.0004', '--price', '3');
    expect(offLot).toMatchObject({ code: EXIT.usage, out: '' });
    expect(offLot.err).toContain('the nearest: 1 and 1.001');
    const offTick = await gtx('create-order', '--amount', '1', '--price', '3.0006');
    expect(offTick.err).toContain('the nearest: 3.001 and 3');
    const decimals = await gtx('create-order', '--amount', '1', '--price', '3.0000000006');
    expect(decimals).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('3.000000001') });
    expect((await gtx('create-order', '--amount', '-1', '--price', '3')).code).toBe(EXIT.usage);
    expect((await gtx('create-order', '--amount', '0', '--price', '3')).code).toBe(EXIT.usage);
    expect((await gtx('create-order', '--amount', '1', '--price', '3', '--expires', '24')).code).toBe(
      EXIT.usage,
    );
  });

  it('is a trade with oneself, with money that is not there, or of an order that is not', async () => {
    const { order_id } = await good('create-order', '--amount', '1.5', '--price', '4');
    const own = await bad('match-order', '--order-id', order_id);
    expect(own).toMatchObject({ code: EXIT.refused, error: { code: 'SELF_TRADE' } });
    const limited = ['match-order', '--order-id', order_id, '--keypair', buyer()];
    expect((await bad(...limited, '--max-price', '3.999')).error.code).toBe('VALUE_INVALID');
    const poor = join(folder, 'poor.json');
    await good('keygen', '--out', poor);
    expect((await bad('match-order', '--order-id', order_id, '--keypair', poor)).error).toMatchObject({
      code: 'BALANCE_TOO_LOW',
      message: expect.stringContaining('needs 6'),
    });
    expect((await bad('match-order', '--order-id', '99', '--keypair', buyer())).error.code).toBe(
      'ORDER_CLOSED',
    );
    const foreign = await bad('cancel-order', '--order-id', order_id, '--keypair', buyer());
    expect(foreign).toMatchObject({ code: EXIT.refused, error: { code: 'FORBIDDEN' } });
    expect(foreign.error.details).toMatchObject({ owners: [seller()] });
    await good('cancel-order', '--order-id', order_id);
  });

  it('is a trade outside the price band, which the order’s maker is told', async () => {
    const order = await good('create-order', '--amount', '1', '--price', '5');
    expect(order.note).toContain('1.5 to 4.5 GRX');
    const refused = await bad('match-order', '--order-id', order.order_id, '--keypair', buyer());
    expect(refused.error).toMatchObject({ code: 'MARKET_CLOSED' });
    await good('cancel-order', '--order-id', order.order_id);
  });

  it('is an id that two wallets have, without saying whose', async () => {
    const third = join(folder, 'third.json');
    const made = await good('keygen', '--out', third);
    await good('faucet', '--to', made.public_key, '--amount', '10');
    // The buyer's second order, and then the third wallet's first two.
    await good('create-order', '--side', 'buy', '--amount', '1', '--price', '2', '--keypair', buyer());
    for (const price of ['1.9', '1.8'])
      await good('create-order', '--side', 'buy', '--amount', '1', '--price', price, '--keypair', third);
    const unclear = await bad('match-order', '--order-id', '2');
    expect(unclear.error).toMatchObject({
      code: 'CONFLICT',
      details: { owners: expect.arrayContaining([buyerWallet(), made.public_key]) },
    });
    const named = await good('match-order', '--order-id', '2', '--seller', buyerWallet(), '--amount', '0.5');
    expect(named).toMatchObject({ buyer: buyerWallet(), amount: '0.5', price: '2' });
    // The wallet's own does not count while there is another's: it is that one that it has no GRID for.
    const others = await bad('match-order', '--order-id', '2', '--keypair', third);
    expect(others.error.code).toBe('BALANCE_TOO_LOW');
  });

  it('is a key file that others can read', async () => {
    const open = join(folder, 'open.json');
    copyFileSync(buyer(), open);
    chmodSync(open, 0o644);
    const refused = await bad('cancel-order', '--order-id', '1', '--keypair', open);
    expect(refused).toMatchObject({ code: EXIT.usage, error: { code: 'KEY_FILE_PERMISSIONS' } });
    const missing = await bad('cancel-order', '--order-id', '1', '--keypair', join(folder, 'none.json'));
    expect(missing.error.code).toBe('KEY_FILE_INVALID');
  });

  it('is a collector’s list without a collector', async () => {
    const refused = await bad('book', '--source', 'collector');
    expect(refused).toMatchObject({ code: EXIT.unavailable, error: { code: 'COLLECTOR_UNAVAILABLE' } });
    expect((await bad('orders', '--status', 'cancelled')).error.code).toBe('COLLECTOR_UNAVAILABLE');
  });
});

describe('the price feed', () => {
  it('is shown, submitted to, paused and changed', async () => {
    expect(await good('oracle', 'init')).toMatchObject({ changed: false });
    const publisher = readKeypairFile(keyPath(dataLayout(folder), 'oraclePublisher')).publicKey.toBase58();
    expect(await good('oracle', 'show')).toMatchObject({
      symbol: 'GRX/GRID',
      price: '3',
      publishers: [{ publisher, price: '3' }],
    });
    expect(await good('oracle', 'submit', '--price', '3.2')).toMatchObject({
      outcome: 'published',
      price: '3.2',
    });
    expect((await good('price')).feed).toMatchObject({ price: '3.2', counts: true });
    expect((await bad('oracle', 'submit', '--price', '3', '--keypair', buyer())).error.code).toBe(
      'FORBIDDEN',
    );

    expect(await good('oracle', 'feed', '--pause')).toMatchObject({ changed: true, paused: true });
    const order = await good('create-order', '--amount', '1', '--price', '3');
    expect(order.note).toContain('no price that counts');
    const refused = await bad('match-order', '--order-id', order.order_id, '--keypair', buyer());
    expect(refused.error.code).toBe('MARKET_CLOSED');
    expect(await good('oracle', 'feed', '--resume', '--max-deviation-bps', '9000')).toMatchObject({
      changed: true,
      paused: false,
      max_deviation_bps: 9_000,
      max_age_seconds: 86_400,
    });
    expect(await good('oracle', 'feed')).toMatchObject({ changed: false });
    await good('cancel-order', '--order-id', order.order_id);
  });

  it('is made under another symbol, for other publishers', async () => {
    const made = ['oracle', 'feed', '--symbol', 'NIGHT', '--min-publishers', '2'];
    expect(await good(...made)).toMatchObject({ changed: true, price: null, counts: false, publishers: [] });
    const add = ['oracle', 'add-publisher', '--symbol', 'NIGHT', '--publisher', buyerWallet()];
    expect(await good(...add)).toMatchObject({ changed: true, may_submit: true });
    expect(await good(...add)).toMatchObject({ changed: false });
    const submit = ['oracle', 'submit', '--symbol', 'NIGHT', '--price', '2', '--keypair', buyer()];
    expect(await good(...submit)).toMatchObject({ outcome: 'too_few', price: null });
    const remove = ['oracle', 'remove-publisher', '--symbol', 'NIGHT', '--publisher', buyerWallet()];
    expect(await good(...remove)).toMatchObject({ changed: true, may_submit: false });
    expect((await bad('oracle', 'show', '--symbol', 'DAY')).error.code).toBe('NOT_FOUND');
    expect((await gtx('oracle', 'show')).out).toContain('3.2 GRX for 1 kWh, until');
  });
});

it('leaves nothing behind in the journal once the answers were shown', () => {
  const files = [seller(), buyerWallet()].map((wallet) => join(dataLayout(folder).market, `${wallet}.json`));
  expect(files.filter((file) => existsSync(file))).toEqual([]);
});

it('prints texts for people', async () => {
  const order = await gtx('create-order', '--amount', '1', '--price', '3');
  expect(order.out).toContain('sell 1 GRID at 3 GRX, 3 GRX in all');
  expect(order.err).toContain('checked: the wallet has');
  expect((await gtx('book')).out).toMatch(/sell +3 +1 +1\n/);
  expect((await gtx('orders')).out).toContain('(from the chain');
  expect((await gtx('trades', '--all')).out).toContain(buyerWallet());
  expect((await gtx('balances')).out).toMatch(/GRID +[\d.]+ +1 /);
  expect((await gtx('price')).out).toContain('3.2 GRX for 1 kWh');
  expect((await gtx('market', 'show')).out).toContain('multiples of 0.001 GRID');
});
