import type { Side, TradingEvents, TradingOrder } from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
import type { BookOutcome, OrderBook } from './book.js';
import { type ChainPosition, type OrderState, unplaced } from './order.js';

const BOOK_EVENTS = ['OrderCreated', 'OrderCancelled', 'OrderExpired', 'TradeExecuted'] as const;

/** The events of trading that change a book. */
export type BookEvent = {
  [Name in (typeof BOOK_EVENTS)[number]]: { name: Name; data: TradingEvents[Name] };
}[(typeof BOOK_EVENTS)[number]];

/** Whether an event changes a book: that of the market which its data names. */
export function isBookEvent<Event extends { name: string }>(
  event: Event,
): event is Extract<Event, BookEvent> {
  return BOOK_EVENTS.some((name) => name === event.name);
}

/**
 * Tells a book of one event of its market.
 *
 * @param position where the event stands on the chain
 * @returns what became of it, for each order that it concerns
 */
export function applyEvent(
  book: OrderBook,
  event: BookEvent,
  position: ChainPosition,
): { order: string; outcome: BookOutcome }[] {
  const { slot } = position;
  if (event.name === 'OrderCreated') {
    const { data } = event;
    const order: OrderState = {
      address: data.order.toBase58(),
      owner: data.owner.toBase58(),
      rentPayer: data.rentPayer.toBase58(),
      orderId: data.orderId,
      side: data.side as Side,
      price: data.price,
      amount: data.amount,
      remaining: data.amount,
      escrowed: data.escrowed,
      expiresAt: Number(data.expiresAt),
      feeBps: data.feeBps,
      position,
    };
    return [{ order: order.address, outcome: book.insert(order) }];
  }
  if (event.name === 'TradeExecuted') {
    const { data } = event;
    // The side that took the other's order directly has no order of its own.
    const sides = [
      { order: data.sellOrder, remaining: data.sellRemaining, closed: data.sellClosed },
      { order: data.buyOrder, remaining: data.buyRemaining, closed: data.buyClosed },
    ].filter(({ order }) => !order.equals(PublicKey.default));
    return sides.map(({ order, ...rest }) => {
      const address = order.toBase58();
      const { amount, quote } = data;
      return { order: address, outcome: book.fill({ order: address, slot, amount, quote, ...rest }) };
    });
  }
  const order = event.data.order.toBase58();
  return [{ order, outcome: book.remove(order, slot) }];
}

/**
 * An order's account for {@link OrderBook.update}.
 *
 * @param position from the event of its making; without it only the slot is known
 */
export function orderState(address: string, order: TradingOrder, position?: ChainPosition): OrderState {
  return {
    address,
    owner: order.owner.toBase58(),
    rentPayer: order.rentPayer.toBase58(),
    orderId: order.orderId,
    side: order.side as Side,
    price: order.price,
    amount: order.amount,
    remaining: order.remaining,
    escrowed: order.escrowed,
    expiresAt: Number(order.expiresAt),
    feeBps: order.feeBps,
    position: position ?? unplaced(Number(order.createdSlot)),
  };
}
