/** How fast the event processor writes what the chain tells into PostgreSQL: alone, and from a real node. */
import { type ChainEvent, gridMintAddress, instructions, sendAndConfirm } from '@gridtokenx/chain';
import {
  Alerts,
  applyTransactions,
  ChainMirror,
  createPool,
  EMPTY_SNAPSHOT,
  type LandedTransaction,
  landedEvent,
  migrate,
} from '@gridtokenx/collector';
import { Keypair, PublicKey } from '@solana/web3.js';
import pg from 'pg';
import { familyCpuSeconds, processUsage } from './process-usage.js';
import type { Figure } from './report.js';
import type { Stack } from './stack.js';

const EVENTS = 60_000;
const QUICK_EVENTS = 6_000;
/** As the mirror's own page. */
const PAGE = 500;
/** Transactions that a node serves: the embedded chain executes some dozens a second. */
const FROM_CHAIN = 400;
const QUICK_FROM_CHAIN = 60;
const WALLETS = 500;
const GOAL_PER_SECOND = 5_000;

const NONE = PublicKey.default;

/** splitmix32: the same history each time. */
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

/**
 * A market's history: half of the transactions make an order, three in ten cross three pairs of them, the others take
 * orders back; a few per cent are prices.
 */
function history(events: number): LandedTransaction[] {
  const random = generator(7);
  let made = 0;
  const key = () => {
    made += 1;
    const bytes = Buffer.alloc(32);
    for (let at = 0; at < 32; at += 4) bytes.writeUInt32LE(random(0xffffffff), at);
    bytes.writeUInt32LE(made, 0);
    return new PublicKey(bytes);
  };
  const wallets = Array.from({ length: WALLETS }, key);
  const wallet = () => wallets[random(WALLETS)] as PublicKey;
  const market = key();
  const feed = key();
  const quoteMint = key();
  const open: {
    order: PublicKey;
    owner: PublicKey;
    id: bigint;
    sell: boolean;
    remaining: bigint;
    price: bigint;
  }[] = [];
  const found: LandedTransaction[] = [];
  let count = 0;
  let nextId = 1n;
  const commit = (drafts: { name: ChainEvent['name']; data: Record<string, unknown> }[]) => {
    const slot = 1_000 + Math.floor(found.length / 20);
    count += drafts.length;
    found.push({
      signature: `${found.length}`.padStart(88, 'x'),
      slot,
      txIndex: found.length % 20,
      blockTime: 1_700_000_000 + slot,
      error: undefined,
      events: drafts.map(({ name, data }, index) =>
        landedEvent({ name, programId: market.toBase58(), index, data } as unknown as ChainEvent),
      ),
      accepted: [],
      balances: [],
      recovery: undefined,
    });
  };
  commit([
    {
      name: 'MarketChanged',
      data: {
        market,
        admin: wallet(),
        pendingAdmin: NONE,
        guardian: wallet(),
        baseMint: gridMintAddress(),
        quoteMint,
        treasury: key(),
        feed,
        lotSize: 1n,
        tickSize: 1n,
        feeBps: 30,
        bandBps: 0,
        paused: false,
        timestamp: 1_700_000_000n,
      },
    },
  ]);
  while (count < events) {
    const timestamp = BigInt(1_700_000_000 + found.length);
    const chance = random(100);
    if (chance < 52 || open.length < 20) {
      const sell = random(2) === 0;
      const amount = BigInt(1 + random(1_000_000));
      const price = 3_000_000_000n + BigInt(random(1_000_000));
      const made = { order: key(), owner: wallet(), id: nextId++, sell, remaining: amount, price };
      open.push(made);
      commit([
        {
          name: 'OrderCreated',
          data: {
            market,
            order: made.order,
            owner: made.owner,
            rentPayer: made.owner,
            orderId: made.id,
            price,
            amount,
            escrowed: sell ? amount : amount * 4n,
            expiresAt: timestamp + 1_000n,
            timestamp,
            slot: 1n,
            feeBps: 30,
            side: sell ? 0 : 1,
          },
        },
      ]);
    } else if (chance < 78) {
      const drafts = [0, 1, 2].map(() => {
        const at = random(open.length);
        const one = open[at] as (typeof open)[number];
        const amount = one.remaining > 1n && random(3) > 0 ? one.remaining / 2n : one.remaining;
        one.remaining -= amount;
        const closed = one.remaining === 0n;
        if (closed) open.splice(at, 1);
        return {
          name: 'TradeExecuted' as const,
          data: {
            market,
            seller: one.sell ? one.owner : wallet(),
            buyer: one.sell ? wallet() : one.owner,
            sellOrder: one.sell ? one.order : NONE,
            buyOrder: one.sell ? NONE : one.order,
            sellOrderId: one.sell ? one.id : 0n,
            buyOrderId: one.sell ? 0n : one.id,
            price: one.price,
            amount,
            quote: amount * 3n,
            fee: 0n,
            sellRemaining: 0n,
            buyRemaining: 0n,
            sellRefunded: 0n,
            buyRefunded: 0n,
            timestamp,
            takerSide: one.sell ? 1 : 0,
            sellClosed: closed && one.sell,
            buyClosed: closed && !one.sell,
          },
        };
      });
      commit(drafts);
    } else if (chance < 97) {
      const [one] = open.splice(random(open.length), 1);
      if (!one) continue;
      const { order, owner, id: orderId, remaining, sell } = one;
      commit([
        {
          name: 'OrderCancelled',
          data: {
            market,
            order,
            owner,
            destination: owner,
            orderId,
            remaining,
            refunded: 0n,
            timestamp,
            side: sell ? 0 : 1,
          },
        },
      ]);
    } else {
      const price = 3_000_000_000n;
      commit([
        {
          name: 'PriceSubmitted',
          data: {
            feed,
            publisher: wallet(),
            submitted: price,
            observedAt: timestamp,
            median: price,
            price,
            publishedAt: timestamp,
            timestamp,
            fresh: 3,
            outcome: 0,
          },
        },
      ]);
    }
  }
  return found;
}

/** An empty database with the schema, beside the stack's own. */
async function emptyDatabase(stack: Stack, name: string): Promise<{ url: string; pool: pg.Pool }> {
  const client = new pg.Client({ connectionString: stack.databaseUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${name}`;
  const pool = createPool(url.href, 8, stack.logger);
  await migrate(pool, stack.logger);
  return { url: url.href, pool };
}

export async function measureEvents(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  const benchmark = 'events';
  const transactions = history(quick ? QUICK_EVENTS : EVENTS);
  const events = transactions.reduce((sum, transaction) => sum + transaction.events.length, 0);
  say(`${events} events in ${transactions.length} transactions into PostgreSQL`);
  const { pool } = await emptyDatabase(stack, 'bench_events');
  let applySeconds: number;
  let cpu: { own: number; postgres: number };
  try {
    const usage = () => ({
      own: processUsage(process.pid).cpuSeconds,
      postgres: familyCpuSeconds(stack.postgresPid),
    });
    const before = usage();
    const began = performance.now();
    for (let start = 0; start < transactions.length; start += PAGE) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await applyTransactions(client, transactions.slice(start, start + PAGE), EMPTY_SNAPSHOT, 1);
        await client.query('COMMIT');
      } finally {
        client.release();
      }
    }
    applySeconds = (performance.now() - began) / 1000;
    const after = usage();
    cpu = { own: after.own - before.own, postgres: after.postgres - before.postgres };
    const { rows } = await pool.query<{ events: number; orders: number; trades: number }>(
      `SELECT (SELECT count(*)::int FROM chain_events) AS events, (SELECT count(*)::int FROM orders) AS orders,
         (SELECT count(*)::int FROM trades) AS trades`,
    );
    if (rows[0]?.events !== events) throw new Error(`only ${rows[0]?.events} of ${events} events are there`);
    say(`${rows[0].orders} orders and ${rows[0].trades} trades`);
  } finally {
    await pool.end();
  }
  const figures: Figure[] = [
    {
      benchmark,
      name: 'events into PostgreSQL with all that follows from them',
      value: events / applySeconds,
      unit: 'events/s',
      goal: { atLeast: GOAL_PER_SECOND },
    },
    {
      benchmark,
      name: 'transactions of them',
      value: transactions.length / applySeconds,
      unit: 'transactions/s',
    },
    { benchmark, name: 'CPU of the collector per 1,000 events', value: (cpu.own / events) * 1e6, unit: 'ms' },
    {
      benchmark,
      name: 'CPU of PostgreSQL per 1,000 events',
      value: (cpu.postgres / events) * 1e6,
      unit: 'ms',
    },
  ];
  return [...figures, ...(await fromTheChain(stack, { quick, say }))];
}

/** The whole way from a node: listing, reading, decoding, applying. */
async function fromTheChain(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  const benchmark = 'events';
  const wanted = quick ? QUICK_FROM_CHAIN : FROM_CHAIN;
  const { registrar } = stack;
  const connection = stack.connection();
  say(`${wanted} transactions on the embedded chain`);
  let sent = 0;
  // Users are registered four at a time: four events in a transaction.
  const worker = async () => {
    while (sent < wanted) {
      sent += 1;
      const wallets = Array.from({ length: 4 }, () => Keypair.generate());
      await sendAndConfirm(connection, {
        payer: registrar,
        signers: wallets,
        instructions: wallets.map(({ publicKey }) =>
          instructions.registerUser({ payer: registrar.publicKey, wallet: publicKey }),
        ),
      });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  const { pool } = await emptyDatabase(stack, 'bench_mirror');
  let events = 0;
  let applied = 0;
  const mirror = new ChainMirror({
    pool,
    connection,
    logger: stack.logger,
    now: Date.now,
    alerts: new Alerts(pool, stack.logger),
    config: { wsUrl: false },
    metrics: {
      applied(transactions, some) {
        applied += transactions;
        events += some;
      },
      failed() {},
      caughtUp() {},
      queued() {},
    },
  });
  try {
    const began = performance.now();
    await mirror.catchUp();
    const seconds = (performance.now() - began) / 1000;
    return [
      {
        benchmark,
        name: 'events from the embedded chain into PostgreSQL',
        value: events / seconds,
        unit: 'events/s',
      },
      {
        benchmark,
        name: 'transactions of them, from the node',
        value: applied / seconds,
        unit: 'transactions/s',
      },
    ];
  } finally {
    await pool.end();
  }
}
