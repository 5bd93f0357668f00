import type { Order, Side } from '../types.js';
import { units } from '../units.js';

/**
 * Open orders of one's own that a new one would meet. Nobody trades with themselves: the two pass each other by and wait for
 * others.
 */
export function ownCrossings(orders: readonly Order[], side: Side, price: string): Order[] {
  const limit = units(price);
  if (limit === undefined) return [];
  return orders.filter((order) => {
    if (order.status !== 'open' || order.side === side) return false;
    const other = units(order.price);
    if (other === undefined) return false;
    return side === 'buy' ? other <= limit : other >= limit;
  });
}
