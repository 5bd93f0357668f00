import { type ChainEvent, gridMintAddress } from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
import fc from 'fast-check';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../store/migrate.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { EMPTY_SNAPSHOT } from './accounts.js';
import { applyTransactions, projectAnew, undoTransaction } from './apply.js';
import { tokenAccountOf } from './balances.js';
import { type LandedTransaction, landedEvent } from './landed.js';
import { positionOf } from './position.js';
import { inTransaction } from './transaction.js';

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('projections'));
  await migrate(pool, pino({ level: 'silent' }));
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const TABLES = [
  'chain_transactions',
  'chain_events',
  'markets',
  'orders',
  'trades',
  'user_balances',
  'certificates',
  'price_feeds',
  'prices',
  'proposals',
  'votes',
];

async function empty(): Promise<void> {
  await pool.query(`TRUNCATE ${TABLES.join(', ')} CASCADE`);
}

/** Every row of every table, without what a clock or a counter of the database put there. */
async function state(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const table of TABLES) {
    const { rows } = await pool.query(`SELECT * FROM ${table}`);
    found[table] = rows
      .map(({ updated_at, applied, applied_at, ...row }) => JSON.stringify(row))
      .sort((a, b) => (a < b ? -1 : 1));
  }
  return found;
}

const key = (name: string): PublicKey => new PublicKey(Buffer.alloc(32, name.padEnd(32, '.')));
const NONE = PublicKey.default;
const MARKET = key('market');
const FEED = key('feed');
const QUOTE = key('quote mint');
const BOOK = key('book');
const PROPOSAL = key('proposal');
const CLASSIC = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
const START = 1_700_000_000;

type Draft = { name: ChainEvent['name']; data: Record<string, unknown> };

/** A chain as programs could have written it: what comes later knows what came before. */
class History {
  readonly transactions: LandedTransaction[] = [];
  private slot = 100;
  private index = 0;
  private readonly open = new Map<
    string,
    { sell: boolean; owner: string; id: bigint; remaining: bigint; price: bigint; deposited: bigint }
  >();
  private readonly balances = new Map<string, bigint>();
  private readonly certificates: {
    address: string;
    serial: bigint;
    from: bigint;
    to: bigint;
    holder: string;
  }[] = [];
  private readonly votes = new Map<string, { choice: number; weight: bigint }>();
  private nextId = 1n;
  private nextSerial = 1n;
  private nextTotal = 0n;

  constructor(private readonly name: string) {
    this.commit([
      this.market(30, false),
      {
        name: 'FeedChanged',
        data: {
          feed: FEED,
          symbol: Buffer.from('GRX/GRID'.padEnd(16, '\0')),
          price: 0n,
          publishedAt: 0n,
          maxAgeSeconds: 60,
          guardSeconds: 60,
          maxDeviationBps: 500,
          minPublishers: 1,
          overridePublishers: 0,
          publishers: 1,
          paused: false,
          timestamp: this.time,
        },
      },
      {
        name: 'ProposalCreated',
        data: {
          proposal: PROPOSAL,
          id: 1n,
          proposer: key('proposer'),
          rentPayer: key('proposer'),
          title: 'a title',
          uri: '',
          descriptionHash: new Uint8Array(32),
          timestamp: this.time,
        },
      },
    ]);
  }

  private get time(): bigint {
    return BigInt(START + this.slot);
  }

  private market(feeBps: number, paused: boolean): Draft {
    const data = {
      market: MARKET,
      admin: key('admin'),
      pendingAdmin: NONE,
      guardian: key('guardian'),
      baseMint: gridMintAddress(),
      quoteMint: QUOTE,
      treasury: key('treasury'),
      feed: NONE,
      lotSize: 1n,
      tickSize: 1n,
      feeBps,
      bandBps: 0,
      paused,
      timestamp: this.time,
    };
    return { name: 'MarketChanged', data };
  }

  private commit(drafts: readonly Draft[], wallets: readonly string[] = []): void {
    const name = `${this.name} ${this.transactions.length}`;
    const events = drafts.map(({ name: event, data }, index) =>
      landedEvent({ name: event, programId: 'program', index, data } as unknown as ChainEvent),
    );
    const mint = QUOTE.toBase58();
    const balances = wallets.map((wallet) => {
      const owner = key(wallet).toBase58();
      const amount = this.balances.get(wallet) ?? 0n;
      const tokenAccount = tokenAccountOf(owner, { mint, tokenProgram: CLASSIC });
      return { owner, mint, tokenProgram: CLASSIC, amount, tokenAccount };
    });
    this.transactions.push({
      signature: name,
      slot: this.slot,
      txIndex: this.index,
      blockTime: START + this.slot,
      error: undefined,
      events,
      accepted: [],
      balances,
      recovery: undefined,
    });
  }

  /** One more transaction, of a kind and with details that the numbers choose. */
  step(kind: number, a: number, b: number): void {
    // Several transactions a slot, and slots without any.
    if (a % 3 === 0) {
      this.slot += 1 + (b % 3);
      this.index = 0;
    } else this.index += 1 + (b % 2);
    const orders = [...this.open];
    const picked = orders[a % Math.max(1, orders.length)];
    const wallet = `wallet ${b % 4}`;
    const earn = (who: string, amount: bigint) =>
      this.balances.set(who, (this.balances.get(who) ?? 1000n) + amount);
    switch (kind % 8) {
      case 0:
      case 1: {
        const id = this.nextId++;
        const order = `order ${this.name} ${id}`;
        const sell = a % 2 === 0;
        const amount = BigInt(1 + (b % 50));
        const price = BigInt(1 + (a % 9)) * 1_000_000_000n;
        const escrowed = sell ? amount : amount * BigInt(1 + (a % 9));
        this.open.set(order, { sell, owner: wallet, id, remaining: amount, price, deposited: escrowed });
        earn(wallet, -1n);
        const data = {
          market: MARKET,
          order: key(order),
          owner: key(wallet),
          rentPayer: key(wallet),
          orderId: id,
          price,
          amount,
          escrowed,
          expiresAt: this.time + 10n,
          timestamp: this.time,
          slot: BigInt(this.slot),
          feeBps: 30,
          side: sell ? 0 : 1,
        };
        this.commit([{ name: 'OrderCreated', data }], [wallet]);
        return;
      }
      case 2:
      case 3: {
        if (!picked) return;
        // One or two fills in a transaction.
        const drafts: Draft[] = [];
        for (let fill = 0; fill <= b % 2 && picked[1].remaining > 0n; fill++) {
          const [address, order] = picked;
          const amount = BigInt(1 + (b % Number(order.remaining)));
          order.remaining -= amount;
          const closed = order.remaining === 0n && a % 5 !== 0;
          if (closed) this.open.delete(address);
          drafts.push({
            name: 'TradeExecuted',
            data: {
              market: MARKET,
              seller: key(order.sell ? order.owner : 'taker'),
              buyer: key(order.sell ? 'taker' : order.owner),
              sellOrder: order.sell ? key(address) : NONE,
              buyOrder: order.sell ? NONE : key(address),
              sellOrderId: order.sell ? order.id : 0n,
              buyOrderId: order.sell ? 0n : order.id,
              price: order.price,
              amount,
              quote: (amount * order.price) / 1_000_000_000n,
              fee: 0n,
              sellRemaining: order.sell ? order.remaining : 0n,
              buyRemaining: order.sell ? 0n : order.remaining,
              sellRefunded: 0n,
              buyRefunded: 0n,
              timestamp: this.time,
              takerSide: order.sell ? 1 : 0,
              sellClosed: closed && order.sell,
              buyClosed: closed && !order.sell,
            },
          });
          earn(order.owner, amount);
        }
        if (drafts.length > 0) this.commit(drafts, [picked[1].owner]);
        return;
      }
      case 4: {
        if (!picked) return;
        const [address, order] = picked;
        this.open.delete(address);
        earn(order.owner, 1n);
        const data = {
          market: MARKET,
          order: key(address),
          owner: key(order.owner),
          destination: key(order.owner),
          orderId: order.id,
          remaining: order.remaining,
          refunded: 0n,
          timestamp: this.time,
          side: order.sell ? 0 : 1,
        };
        this.commit([{ name: a % 2 === 0 ? 'OrderCancelled' : 'OrderExpired', data }], [order.owner]);
        return;
      }
      case 5: {
        const data = {
          feed: FEED,
          publisher: key('publisher'),
          submitted: BigInt(a),
          observedAt: this.time,
          median: BigInt(a),
          price: BigInt(a + 1),
          publishedAt: this.time,
          timestamp: this.time,
          fresh: 1,
          outcome: b % 3,
        };
        this.commit([
          { name: 'PriceSubmitted', data },
          ...(b % 4 === 0 ? [this.market(b % 100, b % 2 === 0)] : []),
        ]);
        return;
      }
      case 6: {
        const shared = { book: BOOK, meter: key('meter'), meterId: 'meter-1', timestamp: this.time };
        const one = this.certificates[a % Math.max(1, this.certificates.length)];
        if (!one || b % 4 === 0) {
          const serial = this.nextSerial++;
          const from = this.nextTotal;
          this.nextTotal += BigInt(2 + (a % 20));
          const address = `certificate ${this.name} ${serial}`;
          this.certificates.push({ address, serial, from, to: this.nextTotal, holder: 'producer' });
          const data = {
            ...shared,
            certificate: key(address),
            producer: key('producer'),
            attestedBy: key('registrar'),
            serial,
            fromTotal: from,
            toTotal: this.nextTotal,
            certifiedTotal: this.nextTotal,
            periodStart: 1,
            periodEnd: 2,
            source: 1,
            automatic: false,
          };
          this.commit([{ name: 'CertificateIssued', data }]);
        } else if (b % 4 === 1 && one.to - one.from > 1n) {
          const serial = this.nextSerial++;
          const split = one.from + 1n;
          const part = `certificate ${this.name} ${serial}`;
          const data = {
            ...shared,
            certificate: key(one.address),
            part: key(part),
            holder: key(one.holder),
            serial: one.serial,
            partSerial: serial,
            fromTotal: one.from,
            splitTotal: split,
            toTotal: one.to,
          };
          this.certificates.push({ address: part, serial, from: split, to: one.to, holder: one.holder });
          one.to = split;
          this.commit([{ name: 'CertificateSplit', data }]);
        } else if (b % 4 === 2) {
          const data = {
            ...shared,
            certificate: key(one.address),
            oldHolder: key(one.holder),
            newHolder: key(wallet),
            serial: one.serial,
            fromTotal: one.from,
            toTotal: one.to,
          };
          one.holder = wallet;
          this.commit([{ name: 'CertificateTransferred', data }]);
        } else {
          this.certificates.splice(this.certificates.indexOf(one), 1);
          const data = {
            ...shared,
            certificate: key(one.address),
            retirement: key(`r ${one.address}`),
            producer: key('producer'),
            retiredBy: key(one.holder),
            serial: one.serial,
            fromTotal: one.from,
            toTotal: one.to,
            retiredTotal: 0n,
            periodStart: 1,
            periodEnd: 2,
            beneficiary: 'somebody',
            reason: '',
            source: 1,
          };
          this.commit([{ name: 'CertificateRetired', data }]);
        }
        return;
      }
      default: {
        const previous = this.votes.get(wallet);
        this.votes.set(wallet, { choice: a % 3, weight: BigInt(b) });
        const sum = (choice: number) =>
          [...this.votes.values()].reduce(
            (total, vote) => total + (vote.choice === choice ? vote.weight : 0n),
            0n,
          );
        const data = {
          proposal: PROPOSAL,
          wallet: key(wallet),
          weight: BigInt(b),
          previousWeight: previous?.weight ?? 0n,
          yes: sum(1),
          no: sum(0),
          abstain: sum(2),
          timestamp: this.time,
          choice: a % 3,
          previousChoice: previous?.choice ?? 0,
        };
        this.commit([{ name: 'VoteCast', data }]);
      }
    }
  }
}

const apply = (transactions: readonly LandedTransaction[]) =>
  inTransaction(pool, (client) => applyTransactions(client, transactions, EMPTY_SNAPSHOT, 1));
const undo = (signature: string) => inTransaction(pool, (client) => undoTransaction(client, signature));

const steps = fc.array(fc.tuple(fc.nat(63), fc.nat(1000), fc.nat(1000)), { minLength: 20, maxLength: 60 });

function historyOf(name: string, from: readonly (readonly [number, number, number])[]): History {
  const history = new History(name);
  for (const [kind, a, b] of from) history.step(kind, a, b);
  return history;
}

/** Even the transaction that makes the market, which says which tokens are of interest, may come last. */
function inDisorder(
  transactions: readonly LandedTransaction[],
  order: readonly number[],
): LandedTransaction[] {
  return transactions
    .map((each, index) => ({ each, key: order[index % order.length] ?? 0, index }))
    .sort((x, y) => x.key - y.key || y.index - x.index)
    .map(({ each }) => each);
}

describe('projections', () => {
  it('are the same whatever the order of arrival, repeated or in whichever pages', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.array(fc.nat(1000), { minLength: 7, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        fc.array(fc.nat(200), { maxLength: 10 }),
        async (from, order, pages, repeats) => {
          const { transactions } = historyOf('h', from);
          await empty();
          await apply(transactions);
          const expected = await state();

          await empty();
          const arriving = inDisorder(transactions, order);
          for (const index of repeats) arriving.push(arriving[index % arriving.length] as LandedTransaction);
          for (let start = 0, page = 0; start < arriving.length; page++) {
            const size = pages[page % pages.length] ?? 1;
            await apply(arriving.slice(start, start + size));
            start += size;
          }
          expect(await state()).toEqual(expected);

          // What is stored can be made anew from the events, and is the same again.
          await pool.query("UPDATE orders SET remaining = 0, status = 'cancelled'");
          await pool.query('DELETE FROM certificates');
          const orders = transactions.flatMap(({ events }) =>
            events.flatMap(({ name, json }) => (name === 'OrderCreated' ? [String(json.order)] : [])),
          );
          await inTransaction(pool, (client) =>
            projectAnew(client, {
              orders,
              markets: [],
              certificates: [BOOK.toBase58()],
              feeds: [],
              proposals: [],
            }),
          );
          expect(await state()).toEqual(expected);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('forget what a fork took back, whenever that is noticed', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.tuple(fc.nat(63), fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(1000), { minLength: 7, maxLength: 60 }),
        async (from, at, forked, order) => {
          // Both chains share a beginning; the second one has other transactions after it.
          const cut = Math.min(at, from.length);
          const { transactions } = historyOf('h', from);
          const other = historyOf('h', from.slice(0, cut));
          const shared = other.transactions.length;
          for (const [kind, a, b] of forked) other.step(kind, a, b);
          const lost = other.transactions
            .slice(shared)
            .map((each) => ({ ...each, signature: `fork of ${each.signature}` }));
          await empty();
          await apply(transactions);
          const expected = await state();

          await empty();
          const pending = inDisorder([...transactions, ...lost], order);
          for (let start = 0; start < pending.length; start += 5)
            await apply(pending.slice(start, start + 5));
          for (const { signature } of lost) await undo(signature);
          const { user_balances: balances, ...rest } = await state();
          const { user_balances: expectedBalances, ...others } = expected;
          expect(rest).toEqual(others);
          // Balances cannot be worked out: those of anybody concerned are read anew from the accounts.
          const concerned = new Set(lost.flatMap((each) => each.balances.map(({ owner }) => owner)));
          for (const row of balances ?? []) {
            const { wallet, slot } = JSON.parse(row) as { wallet: string; slot: string };
            if (concerned.has(wallet)) expect(slot).toBe('0');
            else if (slot !== '0') expect(expectedBalances).toContain(row);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('loses no trade of an order when two collectors write one each at the same time', async () => {
    await empty();
    const history = new History('h');
    // One order for 50, of which two transactions fill a part each.
    history.step(0, 2, 49);
    history.step(2, 0, 0);
    history.step(2, 0, 2);
    const [market, order, first, second] = history.transactions as [
      LandedTransaction,
      LandedTransaction,
      LandedTransaction,
      LandedTransaction,
    ];
    await apply([market, order]);
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await applyTransactions(client, [first], EMPTY_SNAPSHOT, 1);
      const other = apply([second]);
      await until(async () => {
        const { rows } = await pool.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        );
        return rows.length > 0;
      }, 'the other one waits');
      await client.query('COMMIT');
      await other;
    } finally {
      client.release();
    }
    const { rows } = await pool.query(
      `SELECT remaining::int, (SELECT sum(amount)::int FROM trades) AS traded FROM orders`,
    );
    expect(rows[0].traded).toBeGreaterThan(1);
    expect(rows).toEqual([{ remaining: 50 - rows[0].traded, traded: rows[0].traded }]);
  });

  it('applies nothing of a transaction that was refused, and each one once when two collectors apply it', async () => {
    await empty();
    const { transactions } = historyOf(
      'h',
      Array.from({ length: 30 }, (_, n) => [n, n * 7, n * 13] as const),
    );
    await apply(transactions.map((each) => ({ ...each, error: 'refused', events: [] })));
    expect((await state()).chain_transactions).toEqual([]);
    const halves = [transactions.slice(0, 20), transactions.slice(10)];
    await Promise.all([...halves, transactions].map((some) => apply(some)));
    const together = await state();
    await empty();
    await apply(transactions);
    expect(together).toEqual(await state());
  });
});

it('places an event in the order of the chain', () => {
  const order = [positionOf(5, 0, 0), positionOf(5, 0, 1), positionOf(5, 1, 0), positionOf(6, 0, 0)];
  expect([...order].sort((a, b) => (a < b ? -1 : 1))).toEqual(order);
  expect(positionOf(7, 3, 2)).toBe(7n * 1_073_741_824n + 3n * 16_384n + 2n);
  expect(() => positionOf(1, 65_536, 0)).toThrow(RangeError);
  expect(() => positionOf(1, 0, 16_384)).toThrow(RangeError);
});
