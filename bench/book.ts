/** How fast the order book is: in memory, on one thread, without anything around it. */
import { BASE_UNITS_PER_GRID, quoteOf, Side } from '@gridtokenx/chain';
import { OrderBook, type OrderState, planPairs } from '@gridtokenx/collector';
import type { Figure } from './report.js';

const LOT = BASE_UNITS_PER_GRID / 1000n;
const TICK = 1_000_000n;
/** Open orders before the measurement, and about as many during it. */
const RESTING = 20_000;
const OWNERS = 500;

type Operation =
  | { kind: 'insert'; order: OrderState }
  | {
      kind: 'fill';
      order: string;
      slot: number;
      amount: bigint;
      quote: bigint;
      remaining: bigint;
      closed: boolean;
    }
  | { kind: 'remove'; order: string; slot: number };

/** splitmix32: the same operations each time. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

/** Operations as the chain's events bring them: half make orders, three in ten trade, one in five cancels. */
function operations(count: number): { resting: OrderState[]; stream: Operation[] } {
  const random = generator(1);
  const open: { address: string; side: Side; price: bigint; remaining: bigint }[] = [];
  let made = 0;
  const make = (): OrderState => {
    made += 1;
    const side = random(2) === 0 ? Side.Sell : Side.Buy;
    // Around 3 GRX in steps of 0.001, both sides apart from each other: about 1,000 levels each.
    const distance = BigInt(1 + Math.floor((random(1000) * random(1000)) / 1000)) * TICK;
    const price = 3n * BASE_UNITS_PER_GRID + (side === Side.Sell ? distance : -distance);
    const amount = BigInt(1 + random(20_000)) * LOT;
    const address = `order-${made}-with-an-address-of-44-characters-`.padEnd(44, 'x');
    open.push({ address, side, price, remaining: amount });
    return {
      address,
      owner: `owner-${random(OWNERS)}`,
      rentPayer: 'payer',
      orderId: BigInt(made),
      side,
      price,
      amount,
      remaining: amount,
      escrowed: side === Side.Sell ? amount : quoteOf(amount, price, 'up'),
      expiresAt: 1_000 + random(1_000_000),
      feeBps: 25,
      position: { slot: made, transaction: 0, event: 0 },
    };
  };
  const resting = Array.from({ length: RESTING }, make);
  const stream: Operation[] = [];
  while (stream.length < count) {
    const what = random(10);
    const index = random(open.length);
    const order = open[index];
    if (what < 5 || order === undefined) {
      stream.push({ kind: 'insert', order: make() });
      continue;
    }
    const slot = made;
    const forget = () => {
      open[index] = open[open.length - 1] as (typeof open)[number];
      open.pop();
    };
    if (what < 8) {
      const lots = order.remaining / LOT;
      const amount = random(2) === 0 ? order.remaining : BigInt(1 + random(Number(lots))) * LOT;
      const quote = quoteOf(amount, order.price, 'down');
      order.remaining -= amount;
      const { address, remaining } = order;
      stream.push({ kind: 'fill', order: address, slot, amount, quote, remaining, closed: remaining === 0n });
      if (remaining === 0n) forget();
    } else {
      stream.push({ kind: 'remove', order: order.address, slot });
      forget();
    }
  }
  return { resting, stream };
}

/** Everything that the collector does with each event: the book itself, a delta every 100 events, old facts forgotten. */
function throughBook({ resting, stream }: ReturnType<typeof operations>): number {
  const book = new OrderBook({ lotSize: LOT, tickSize: TICK });
  for (const order of resting) book.insert(order);
  let slot = 0;
  const started = performance.now();
  stream.forEach((operation, index) => {
    slot = operation.kind === 'insert' ? operation.order.position.slot : operation.slot;
    if (operation.kind === 'insert') book.insert(operation.order);
    else if (operation.kind === 'fill') book.fill(operation);
    else book.remove(operation.order, operation.slot);
    if (index % 100 === 99) {
      book.takeDelta();
      book.advance(1_000 + index / 1_000);
    }
    if (index % 10_000 === 9_999) book.settledThrough(slot);
  });
  const seconds = (performance.now() - started) / 1000;
  if (book.size < RESTING / 2) throw new Error('the book is nearly empty');
  return stream.length / seconds;
}

/** The peer: the same operations on a plain map from address to what remains. No order, no levels: the least work there is. */
function throughMap({ resting, stream }: ReturnType<typeof operations>): number {
  const map = new Map<string, { order: OrderState; remaining: bigint }>();
  const insert = (order: OrderState) => map.set(order.address, { order, remaining: order.remaining });
  for (const order of resting) insert(order);
  const started = performance.now();
  for (const operation of stream) {
    if (operation.kind === 'insert') insert(operation.order);
    else if (operation.kind === 'remove' || operation.closed) map.delete(operation.order);
    else {
      const entry = map.get(operation.order);
      if (entry !== undefined) entry.remaining = operation.remaining;
    }
  }
  return stream.length / ((performance.now() - started) / 1000);
}

/** Trades planned per second where half of a book crosses the other half. */
function planning(orders: number): number {
  const random = generator(2);
  const book = new OrderBook({ lotSize: LOT, tickSize: TICK });
  for (let index = 0; index < orders; index += 1) {
    const side = index % 2 === 0 ? Side.Sell : Side.Buy;
    const price = 3n * BASE_UNITS_PER_GRID + BigInt(random(200) - (side === Side.Sell ? 150 : 50)) * TICK;
    const amount = BigInt(1 + random(20_000)) * LOT;
    book.insert({
      address: `order-${index}`,
      owner: `owner-${random(OWNERS)}`,
      rentPayer: 'payer',
      orderId: BigInt(index),
      side,
      price,
      amount,
      remaining: amount,
      escrowed: side === Side.Sell ? amount : quoteOf(amount, price, 'up'),
      expiresAt: 1_000_000,
      feeBps: 25,
      position: { slot: random(orders), transaction: index, event: 0 },
    });
  }
  const started = performance.now();
  const pairs = planPairs(book, { feeBps: 25 });
  return pairs.length / ((performance.now() - started) / 1000);
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** Runs without any service: one thread, one process. */
export function measureBook({ quick, say }: { quick: boolean; say: (text: string) => void }): Figure[] {
  const work = operations(quick ? 100_000 : 500_000);
  say(`${work.stream.length} operations on a book of about ${RESTING} orders, three times`);
  const rounds = Array.from({ length: 3 }, () => ({ book: throughBook(work), map: throughMap(work) }));
  const book = median(rounds.map((round) => round.book));
  const map = median(rounds.map((round) => round.map));
  const plans = median(Array.from({ length: 3 }, () => planning(quick ? 4_000 : 20_000)));
  const figure = (name: string, value: number, unit: string, goal?: Figure['goal']): Figure => ({
    benchmark: 'book',
    name,
    value,
    unit,
    ...(goal === undefined ? {} : { goal }),
  });
  return [
    figure('book operations', book, '/s', { atLeast: 100_000 }),
    figure('peer: a plain map told the same', map, '/s'),
    figure('ratio: book to plain map', book / map, ''),
    figure('trades planned', plans, '/s'),
  ];
}
