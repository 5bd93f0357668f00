import { PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import type { LandedTransaction } from '../mirror/landed.js';
import type { Differences } from './differences.js';

/** Rows that repeat single events: trades, submissions of prices. */
type EventRows = 'trade' | 'price';
type Row = Readonly<Record<string, string | null>>;

const NOBODY = PublicKey.default.toBase58();
const OUTCOMES = ['published', 'too_few', 'guarded'];

const COLUMNS: Record<EventRows, { readonly table: string; readonly columns: readonly string[] }> = {
  trade: {
    table: 'trades',
    columns: [
      'market',
      'seller',
      'buyer',
      'sell_order',
      'buy_order',
      'sell_order_id',
      'buy_order_id',
      'taker_side',
      'price',
      'amount',
      'quote',
      'fee',
    ],
  },
  price: {
    table: 'prices',
    columns: ['feed', 'publisher', 'submitted', 'median', 'price', 'outcome', 'observed_at', 'published_at'],
  },
};

/** What one of these transactions did to an order's existence. */
interface OrderFate {
  readonly signature: string;
  readonly order: string;
  /** Undefined: it came into being. */
  readonly status: 'filled' | 'cancelled' | 'expired' | undefined;
}

/** What the chain's transactions traded. */
export interface TradeFigures {
  readonly trades: number;
  /** GRID base units. */
  readonly amount: bigint;
}

/**
 * Compares what is stored of these transactions' single events, and of the orders that they made and closed, with the
 * transactions as the chain tells them. All of them must have been applied.
 */
export async function compareEventRows(
  db: Pick<pg.ClientBase, 'query'>,
  transactions: readonly LandedTransaction[],
  differences: Differences,
): Promise<TradeFigures> {
  const expected = { trade: new Map<string, Row>(), price: new Map<string, Row>() };
  const fates: OrderFate[] = [];
  let amount = 0n;
  for (const { signature, events } of transactions) {
    for (const { event, index } of events) {
      const key = `${signature}/${index}`;
      switch (event.name) {
        case 'TradeExecuted': {
          const { data } = event;
          amount += data.amount;
          const [sell, buy] = [orNull(data.sellOrder), orNull(data.buyOrder)];
          expected.trade.set(key, {
            market: data.market.toBase58(),
            seller: data.seller.toBase58(),
            buyer: data.buyer.toBase58(),
            sell_order: sell,
            buy_order: buy,
            sell_order_id: sell && data.sellOrderId.toString(),
            buy_order_id: buy && data.buyOrderId.toString(),
            taker_side: data.takerSide === 0 ? 'sell' : 'buy',
            price: data.price.toString(),
            amount: data.amount.toString(),
            quote: data.quote.toString(),
            fee: data.fee.toString(),
          });
          if (sell && data.sellClosed) fates.push({ signature, order: sell, status: 'filled' });
          if (buy && data.buyClosed) fates.push({ signature, order: buy, status: 'filled' });
          break;
        }
        case 'PriceSubmitted': {
          const { data } = event;
          expected.price.set(key, {
            feed: data.feed.toBase58(),
            publisher: data.publisher.toBase58(),
            submitted: data.submitted.toString(),
            median: data.median.toString(),
            price: data.price.toString(),
            outcome: OUTCOMES[data.outcome] ?? String(data.outcome),
            observed_at: data.observedAt.toString(),
            published_at: data.publishedAt.toString(),
          });
          break;
        }
        case 'OrderCreated':
          fates.push({ signature, order: event.data.order.toBase58(), status: undefined });
          break;
        case 'OrderCancelled':
        case 'OrderExpired': {
          const { order, remaining } = event.data;
          const ended = event.name === 'OrderExpired' ? 'expired' : 'cancelled';
          // Only its escrow's rest was to be returned: it had been filled before.
          fates.push({ signature, order: order.toBase58(), status: remaining === 0n ? 'filled' : ended });
          break;
        }
        default:
          break;
      }
    }
  }
  const signatures = transactions.map(({ signature }) => signature);
  for (const what of ['trade', 'price'] as const) {
    await compareRows(db, what, signatures, expected[what], differences);
  }
  await compareFates(db, fates, differences);
  return { trades: expected.trade.size, amount };
}

async function compareRows(
  db: Pick<pg.ClientBase, 'query'>,
  what: EventRows,
  signatures: readonly string[],
  expected: ReadonlyMap<string, Row>,
  differences: Differences,
): Promise<void> {
  const { table, columns } = COLUMNS[what];
  const { rows } = await db.query<Row & { signature: string; event_index: number }>(
    `SELECT signature, event_index, ${columns.map((name) => `${name}::text AS ${name}`).join(', ')}
     FROM ${table} WHERE signature = ANY($1::text[])`,
    [signatures],
  );
  const stored = new Map<string, Row>(rows.map((row) => [`${row.signature}/${row.event_index}`, row]));
  const kinds =
    what === 'trade'
      ? ({ missing: 'TRADE_MISSING', differs: 'TRADE_DIFFERS', unknown: 'TRADE_UNKNOWN' } as const)
      : ({ missing: 'ROW_MISSING', differs: 'ROW_DIFFERS', unknown: 'ROW_UNKNOWN' } as const);
  for (const key of new Set([...expected.keys(), ...stored.keys()])) {
    const [signature, event] = key.split('/') as [string, string];
    const where = { what, signature, event };
    const [told, row] = [expected.get(key), stored.get(key)];
    if (!told) differences.add(kinds.unknown, { ...where, expected: 'no such event', actual: `a ${what}` });
    else if (!row) differences.add(kinds.missing, { ...where, expected: `a ${what}`, actual: 'absent' });
    else {
      const wrong = columns.filter((name) => told[name] !== row[name]);
      if (wrong.length === 0) continue;
      const say = (from: Row) => wrong.map((name) => `${name} ${from[name] ?? 'none'}`).join(', ');
      differences.add(kinds.differs, { ...where, expected: say(told), actual: say(row) });
    }
  }
}

async function compareFates(
  db: Pick<pg.ClientBase, 'query'>,
  fates: readonly OrderFate[],
  differences: Differences,
): Promise<void> {
  if (fates.length === 0) return;
  const { rows } = await db.query<{ address: string; status: string; closed_signature: string | null }>(
    'SELECT address, status, closed_signature FROM orders WHERE address = ANY($1::text[])',
    [fates.map(({ order }) => order)],
  );
  const stored = new Map(rows.map((row) => [row.address, row]));
  for (const { order, status, signature } of fates) {
    const row = stored.get(order);
    const where = { what: 'order', account: order };
    if (!row) {
      if (status === undefined)
        differences.add('ORDER_MISSING', { ...where, expected: 'in the database', actual: 'absent' });
      continue;
    }
    if (status === undefined) continue;
    const actual = `${row.status}, closed by ${row.closed_signature ?? 'nothing'}`;
    differences.expect('ORDER_DIFFERS', '', `${status}, closed by ${signature}`, actual, where);
  }
}

function orNull(key: PublicKey): string | null {
  const address = key.toBase58();
  return address === NOBODY ? null : address;
}
