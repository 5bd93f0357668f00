import { kwhToNkwh } from '@gridtokenx/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksOf } from '../support/books.js';
import {
  expectHoldings,
  newPerson,
  type Person,
  persist,
  produce,
  type Terminal,
  terminalOf,
} from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * The process from meter to neighbour, with every part as a process of its own: 25 kWh produced and 10 consumed are
 * 15 GRID; 10 of them are sold at 3 GRX; the neighbour has 10 GRID, the prosumer 5 GRID and 30 GRX; and chain, database and
 * wallets say the same.
 */

let system: RunningSystem;
let terminal: Terminal;
let prosumer: Person;
let consumer: Person;

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  terminal = terminalOf(system);
  prosumer = await newPerson(terminal, 'prosumer');
  consumer = await newPerson(terminal, 'consumer');
}, 600_000);
afterAll(() => system?.destroy());

test('25 kWh produced and 10 consumed are 15 GRID', async () => {
  await produce(terminal, prosumer, 'MTR-001', { production: '25', consumption: '10' });
  await expectHoldings(terminal, prosumer, { grid: '15', grx: '0' });
  await waitFor('the books tell the same', async () => {
    const { readings, chain, mirror } = await booksOf(system, 'MTR-001');
    expect(readings).toEqual({ total: kwhToNkwh('15'), sum: kwhToNkwh('15'), count: 1 });
    expect(chain.minted).toBe(kwhToNkwh('15'));
    expect(mirror.minted).toBe(kwhToNkwh('15'));
    return true;
  });
}, 600_000);

test('10 of them are offered at 3 GRX: they leave the wallet for the escrow and stand in the book', async () => {
  await system.gtxJson('faucet', '--amount', '100', '--to', consumer.wallet);
  const made = await persist(
    terminal,
    ...['create-order', '--side', 'sell', '--amount', '10', '--price', '3', '--keypair', prosumer.keyFile],
  );
  expect(made).toMatchObject({ order_id: '1', side: 'sell', amount: '10', price: '3' });
  const level = { price: '3', amount: '10', orders: 1 };
  await waitFor('the collector shows it', async () => {
    const book = await system.gtxJson('book', '--source', 'collector');
    return JSON.stringify(book.asks) === JSON.stringify([level]);
  });
  expect((await system.gtxJson('book', '--source', 'chain')).asks).toEqual([level]);
  const [row] = await system.query(
    `SELECT order_id, side, price, amount, remaining, escrowed, status FROM orders WHERE owner = $1`,
    [prosumer.wallet],
  );
  expect(row).toEqual({
    order_id: '1',
    side: 'sell',
    price: kwhToNkwh('3').toString(),
    amount: kwhToNkwh('10').toString(),
    remaining: kwhToNkwh('10').toString(),
    escrowed: kwhToNkwh('10').toString(),
    status: 'open',
  });
  const balances = await system.gtxJson('balances', '--wallet', prosumer.wallet);
  expect(balances).toMatchObject({ grid: { amount: '5', in_orders: '10' }, grx: { amount: '0' } });
}, 600_000);

test('nobody buys from themselves, and nobody with too little money', async () => {
  const own = await system.gtx('match-order', '--order-id', '1', '--keypair', prosumer.keyFile, '--json');
  expect(own.stdout).toContain('SELF_TRADE');
  const poor = await newPerson(terminal, 'poor');
  const without = await system.gtx('match-order', '--order-id', '1', '--keypair', poor.keyFile, '--json');
  expect(without.stdout).toContain('BALANCE_TOO_LOW');
  for (const { code } of [own, without]) expect(code).not.toBe(0);
}, 600_000);

test('the neighbour takes it: 10 GRID for 30 GRX, at once or not at all', async () => {
  const taken = await persist(terminal, 'match-order', '--order-id', '1', '--keypair', consumer.keyFile);
  expect(taken).toMatchObject({ amount: '10', price: '3', paid: '30', fee: '0', order_left: '0' });
  await expectHoldings(terminal, prosumer, { grid: '5', grx: '30' });
  await expectHoldings(terminal, consumer, { grid: '10', grx: '70' });

  await waitFor('the order is booked as filled', async () => {
    const [order] = await system.query<{ status: string; remaining: string; escrowed: string }>(
      'SELECT status, remaining, escrowed FROM orders WHERE owner = $1',
      [prosumer.wallet],
    );
    expect(order).toMatchObject({ status: 'filled', remaining: '0', escrowed: '0' });
    return true;
  });
  const trades = await system.query(
    'SELECT seller, buyer, price, amount, quote, fee, taker_side FROM trades',
  );
  expect(trades).toEqual([
    {
      seller: prosumer.wallet,
      buyer: consumer.wallet,
      price: kwhToNkwh('3').toString(),
      amount: kwhToNkwh('10').toString(),
      quote: kwhToNkwh('30').toString(),
      fee: '0',
      taker_side: 'buy',
    },
  ]);
  const listed = await persist(terminal, 'trades', '--wallet', consumer.wallet, '--source', 'collector');
  expect(listed.trades).toHaveLength(1);
  // Told again, the command finds that it has been done.
  expect((await system.gtx('match-order', '--order-id', '1', '--keypair', consumer.keyFile)).code).not.toBe(
    0,
  );
}, 600_000);

test('what is left trades by itself when two orders cross, at the older price', async () => {
  await persist(
    terminal,
    ...['create-order', '--side', 'buy', '--amount', '4', '--price', '3.5', '--keypair', consumer.keyFile],
  );
  await persist(
    terminal,
    ...['create-order', '--side', 'sell', '--amount', '4', '--price', '2.5', '--keypair', prosumer.keyFile],
  );
  // The collector's matcher pays for it and gains nothing: 4 x 3.5 = 14.
  await expectHoldings(terminal, prosumer, { grid: '1', grx: '44' });
  await expectHoldings(terminal, consumer, { grid: '14', grx: '56' });
}, 600_000);

test('chain, database and wallets agree, and the history of the chain gives the same database again', async () => {
  await system.standStill();
  await system.auditPasses();
  const replayed = await system.gtxJson('replay', '--check');
  expect(replayed).toMatchObject({ identical: true });
}, 600_000);
