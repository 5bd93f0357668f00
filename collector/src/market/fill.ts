import { feeOf, quoteOf, Side, type TradingErrors } from '@gridtokenx/chain';
import type { OrderState } from './order.js';

/*
 * What a trade comes to, as programs/trading/src/matching.rs works it out.
 */

const U64_MAX = 2n ** 64n - 1n;

/** What a trade needs to know of an order. */
export type Tradable = Pick<OrderState, 'owner' | 'side' | 'price' | 'remaining' | 'escrowed' | 'feeBps'> & {
  position: { slot: number };
};

/** One trade. The buyer pays `quote`; of it the seller receives `proceeds` and the treasury `fee`. */
export interface Fill {
  /** GRID base units. */
  amount: bigint;
  /** GRX base units for 1 GRID. */
  price: bigint;
  /** GRX base units, as the next two. */
  quote: bigint;
  fee: bigint;
  proceeds: bigint;
  /** Who came to the other's order. */
  taker: Side;
}

/** Why two orders do not trade: the program's error. */
export type Refusal = Extract<
  keyof TradingErrors,
  | 'SideMismatch'
  | 'SelfTrade'
  | 'OrderFilled'
  | 'NotCrossing'
  | 'QuoteOverflow'
  | 'InvariantViolated'
  | 'ZeroQuote'
  | 'OutOfBand'
>;

/** Where trades may be: within `bandBps` of the feed's price, both ends included. */
export interface Band {
  /** GRX base units for 1 GRID. */
  reference: bigint;
  bandBps: number;
}

/** Whether the market's band lets a trade at `price` happen; a market without a band lets all. */
export function inBand(price: bigint, band: Band | undefined): boolean {
  if (band === undefined) return true;
  const distance = price > band.reference ? price - band.reference : band.reference - price;
  return distance <= feeOf(band.reference, band.bandBps);
}

/** The price of two orders that cross: the older one's; of one slot, the sell order's. */
export function crossPrice(sell: Tradable, buy: Tradable): { price: bigint; taker: Side } {
  return sell.position.slot <= buy.position.slot
    ? { price: sell.price, taker: Side.Buy }
    : { price: buy.price, taker: Side.Sell };
}

/**
 * Two resting orders trade as much as both have left (`cross_orders`). The younger one is the taker: the cost is rounded
 * up when it buys, as far as its escrow covers its rest as well, and down when it sells.
 *
 * @param marketFeeBps the market's fee now; a sell order pays no more than when it was made
 */
export function crossFill(
  sell: Tradable,
  buy: Tradable,
  marketFeeBps: number,
  band?: Band,
): Fill | { refused: Refusal } {
  if (sell.side !== Side.Sell || buy.side !== Side.Buy) return { refused: 'SideMismatch' };
  if (sell.owner === buy.owner) return { refused: 'SelfTrade' };
  if (sell.remaining === 0n || buy.remaining === 0n) return { refused: 'OrderFilled' };
  if (sell.price > buy.price) return { refused: 'NotCrossing' };
  const amount = sell.remaining < buy.remaining ? sell.remaining : buy.remaining;
  const { price, taker } = crossPrice(sell, buy);
  let quote = quoteOf(amount, price, taker === Side.Buy ? 'up' : 'down');
  if (quote > U64_MAX) return { refused: 'QuoteOverflow' };
  if (taker === Side.Buy) {
    const affordable = buy.escrowed - quoteOf(buy.remaining - amount, buy.price, 'up');
    if (affordable < 0n) return { refused: 'InvariantViolated' };
    if (affordable < quote) quote = affordable;
  }
  if (quote === 0n) return { refused: 'ZeroQuote' };
  if (!inBand(price, band)) return { refused: 'OutOfBand' };
  const fee = feeOf(quote, Math.min(marketFeeBps, sell.feeBps));
  return { amount, price, quote, fee, proceeds: quote - fee, taker };
}

/**
 * What a taker gets who fills an order directly (`match_order`): rounded in favour of the order's owner.
 *
 * @param amount GRID base units; no more than remains is traded
 * @param marketFeeBps the market's fee now, which a selling taker pays; a sell order pays no more than when it was made
 */
export function takeFill(
  order: Tradable,
  amount: bigint,
  marketFeeBps: number,
  band?: Band,
): Fill | { refused: Refusal } {
  const traded = amount < order.remaining ? amount : order.remaining;
  if (traded <= 0n) return { refused: 'OrderFilled' };
  const sells = order.side === Side.Sell;
  const quote = quoteOf(traded, order.price, sells ? 'up' : 'down');
  if (quote > U64_MAX) return { refused: 'QuoteOverflow' };
  if (quote === 0n) return { refused: 'ZeroQuote' };
  if (!inBand(order.price, band)) return { refused: 'OutOfBand' };
  const fee = feeOf(quote, sells ? Math.min(marketFeeBps, order.feeBps) : marketFeeBps);
  return {
    amount: traded,
    price: order.price,
    quote,
    fee,
    proceeds: quote - fee,
    taker: sells ? Side.Buy : Side.Sell,
  };
}
