import { type ErrorCode, GtxError, nkwhToKwh, U64_MAX } from '@gridtokenx/protocol';
import { PublicKey } from '@solana/web3.js';
import type { OracleFeed } from './idl/oracle.js';
import type { TradingMarket, TradingOrder } from './idl/trading.js';
import { priceOf } from './oracle.js';
import { feeOf, quoteOf, Side } from './trading.js';

/*
 * What can be known before a wallet signs: the trading program checks all of it again. Pure; base units in, sentences out.
 */

/** One thing that was looked at before sending. */
export interface MarketCheck {
  check:
    | 'market_open'
    | 'amount'
    | 'price'
    | 'worth'
    | 'order_open'
    | 'not_self'
    | 'escrow'
    | 'price_in_band'
    | 'balance'
    | 'sol';
  ok: boolean;
  /** What was found, as a sentence. */
  message: string;
  /** What is refused with it, when not ok. */
  code?: ErrorCode;
  /** The figures of a refusal, for programs that say it in other words. */
  figures?: Readonly<Record<string, string>>;
}

const text = nkwhToKwh;
const good = (check: MarketCheck['check'], message: string): MarketCheck => ({ check, ok: true, message });
const bad = (check: MarketCheck['check'], code: ErrorCode, message: string): MarketCheck => ({
  check,
  ok: false,
  message,
  code,
});

/**
 * The multiples of a step on both sides of a value: the nearer one first. Zero is none, and nothing is above 2^64 - 1.
 * @returns empty when the value itself is a multiple
 */
export function nearestMultiples(value: bigint, step: bigint): bigint[] {
  const rest = value % step;
  if (rest === 0n && value > 0n) return [];
  const below = value - rest;
  const above = below + step;
  const found = rest * 2n < step ? [below, above] : [above, below];
  return found.filter((one) => one > 0n && one <= U64_MAX);
}

function multiple(check: 'amount' | 'price', value: bigint, step: bigint, unit: string): MarketCheck {
  const nearest = nearestMultiples(value, step);
  if (value > 0n && nearest.length === 0) return good(check, `${text(value)} ${unit}`);
  const what = check === 'amount' ? 'amounts are multiples of the lot' : 'prices are multiples of the tick';
  return bad(
    check,
    'VALUE_INVALID',
    `${what}, ${text(step)} ${unit}: ${text(value)} is none; the nearest: ${nearest.map(text).join(' and ')}`,
  );
}

const marketOpen = (market: Pick<TradingMarket, 'paused'>): MarketCheck =>
  market.paused
    ? bad('market_open', 'MARKET_CLOSED', 'the market is paused: orders can only be cancelled')
    : good('market_open', 'the market is open');

/** How far trades may be from the feed's price; undefined when the feed has none that counts. */
export interface PriceBand {
  /** GRX base units for 1 GRID, as the next two. Both ends are allowed. */
  reference: bigint;
  lowest: bigint;
  highest: bigint;
}

/**
 * Where trades of a market may be at `now` (Unix seconds by the chain).
 * @returns `none`: the market has no band. `no-price`: nothing trades, because its feed has no price that counts.
 */
export function bandOf(
  market: Pick<TradingMarket, 'feed' | 'bandBps'>,
  feed: OracleFeed | undefined,
  now: bigint,
): PriceBand | 'none' | 'no-price' {
  if (market.feed.equals(PublicKey.default)) return 'none';
  const price = feed && priceOf(feed, now);
  if (!price) return 'no-price';
  const distance = feeOf(price.price, market.bandBps);
  return {
    reference: price.price,
    lowest: price.price - distance,
    highest: price.price + distance,
  };
}

/** Whether a trade at this price may happen now. */
export function checkBand(price: bigint, band: PriceBand | 'none' | 'no-price'): MarketCheck {
  if (band === 'none') return good('price_in_band', 'the market has no price band');
  if (band === 'no-price')
    return bad(
      'price_in_band',
      'MARKET_CLOSED',
      'the market’s price feed has no price that counts now, so nothing trades until somebody publishes one',
    );
  const range = `${text(band.lowest)} to ${text(band.highest)} GRX`;
  return price >= band.lowest && price <= band.highest
    ? good('price_in_band', `${text(price)} GRX is within ${range}`)
    : bad(
        'price_in_band',
        'MARKET_CLOSED',
        `trades are at ${range} now, around the feed’s ${text(band.reference)} GRX; ${text(price)} is outside`,
      );
}

function balanceCheck(token: 'GRID' | 'GRX', needed: bigint, held: bigint | undefined): MarketCheck {
  const has = held ?? 0n;
  return has >= needed
    ? good('balance', `the wallet has ${text(has)} ${token} and needs ${text(needed)}`)
    : {
        ...bad(
          'balance',
          'BALANCE_TOO_LOW',
          `the wallet has ${text(has)} ${token} and needs ${text(needed)}: ${text(needed - has)} are missing`,
        ),
        figures: { token, has: text(has), needs: text(needed), missing: text(needed - has) },
      };
}

/** What an order puts into its escrow: GRID of a sell order, GRX of a buy order. */
export const escrowOf = (side: number, amount: bigint, price: bigint): bigint =>
  side === Side.Sell ? amount : quoteOf(amount, price, 'up');

/** Looks at an order before it is made. @param balance what the wallet has of what it offers; undefined: no account */
export function checkNewOrder(order: {
  market: Pick<TradingMarket, 'paused' | 'lotSize' | 'tickSize'>;
  side: number;
  amount: bigint;
  price: bigint;
  balance: bigint | undefined;
}): MarketCheck[] {
  const { market, side, amount, price, balance } = order;
  const quote = quoteOf(amount, price, 'up');
  const checks = [
    marketOpen(market),
    multiple('amount', amount, market.lotSize, 'GRID'),
    multiple('price', price, market.tickSize, 'GRX'),
    quote > U64_MAX
      ? bad('worth', 'VALUE_INVALID', 'amount times price is more than any amount of GRX can be')
      : good('worth', `worth ${quote > U64_MAX ? '' : text(quote)} GRX`),
  ];
  if (quote > U64_MAX) return checks;
  return [
    ...checks,
    balanceCheck(side === Side.Sell ? 'GRID' : 'GRX', escrowOf(side, amount, price), balance),
  ];
}

/** Looks at a trade before an order is taken. */
export function checkTake(take: {
  market: Pick<TradingMarket, 'paused' | 'lotSize' | 'feeBps' | 'feed' | 'bandBps'>;
  feed: OracleFeed | undefined;
  /** Undefined: there is no such order (any more). */
  order: TradingOrder | undefined;
  /** What the order's escrow really holds. */
  escrow: bigint | undefined;
  taker: PublicKey;
  /** GRID; undefined: all that is left. */
  amount: bigint | undefined;
  /** The worst price for the taker: the highest when it buys, the lowest when it sells. */
  limit: bigint | undefined;
  /** What the taker has of what it pays with. */
  balance: bigint | undefined;
  /** Unix seconds by the chain. */
  now: bigint;
}): MarketCheck[] {
  const { market, order, taker, limit, now } = take;
  if (order === undefined || order.remaining === 0n) {
    return [
      marketOpen(market),
      bad('order_open', 'ORDER_CLOSED', 'there is no such order (any more): filled, cancelled or returned'),
    ];
  }
  const amount = take.amount ?? order.remaining;
  const sells = order.side === Side.Sell;
  const quote = quoteOf(amount, order.price, sells ? 'up' : 'down');
  const checks: MarketCheck[] = [marketOpen(market)];
  if (now >= order.expiresAt)
    checks.push(bad('order_open', 'ORDER_CLOSED', 'the order has expired and only goes back to its owner'));
  else if (amount > order.remaining)
    checks.push(
      bad(
        'order_open',
        'ORDER_CLOSED',
        `only ${text(order.remaining)} GRID of the order are left, not ${text(amount)}`,
      ),
    );
  else checks.push(good('order_open', `the order is open: ${text(order.remaining)} GRID are left`));
  checks.push(
    order.owner.equals(taker)
      ? bad('not_self', 'SELF_TRADE', 'the order is this wallet’s own')
      : good('not_self', 'the order is another wallet’s'),
  );
  // Whoever takes all that is left may take a rest that is no multiple.
  if (amount !== order.remaining) checks.push(multiple('amount', amount, market.lotSize, 'GRID'));
  const needed = sells ? amount : quote;
  const token = sells ? 'GRID' : 'GRX';
  checks.push(
    (take.escrow ?? 0n) >= needed
      ? good('escrow', `the order’s escrow holds ${text(take.escrow ?? 0n)} ${token}`)
      : bad(
          'escrow',
          'ORDER_CLOSED',
          `the order’s escrow does not hold the ${text(needed)} ${token} of the trade`,
        ),
  );
  if (limit !== undefined && (sells ? order.price > limit : order.price < limit))
    checks.push(
      bad(
        'price',
        'VALUE_INVALID',
        `the order’s price is ${text(order.price)} GRX, the limit ${text(limit)}`,
      ),
    );
  else checks.push(good('price', `${text(order.price)} GRX for 1 GRID`));
  checks.push(checkBand(order.price, bandOf(market, take.feed, now)));
  checks.push(
    quote === 0n
      ? bad('worth', 'VALUE_INVALID', 'the amount is worth less than the smallest unit of GRX')
      : good('worth', `worth ${text(quote)} GRX`),
  );
  checks.push(balanceCheck(sells ? 'GRX' : 'GRID', sells ? quote : amount, take.balance));
  return checks;
}

/** @throws GtxError of the first check that failed, with its figures and all failures (`checks`) in `details` */
export function assertChecks(checks: readonly MarketCheck[]): void {
  const failed = checks.filter(({ ok }) => !ok);
  const [first] = failed;
  if (first === undefined) return;
  throw new GtxError(first.code ?? 'CONFLICT', first.message, {
    ...first.figures,
    checks: failed.map(({ check, message }) => `${check}: ${message}`),
  });
}
