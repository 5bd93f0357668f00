import { expect, test } from 'vitest';
import type { Order } from '../types.js';
import { ownCrossings } from './crossing.js';

const order = (order_id: string, side: Order['side'], price: string, status: Order['status'] = 'open') =>
  ({ order_id, side, price, status }) as Order;

const mine = [
  order('1', 'sell', '3'),
  order('2', 'buy', '2.5'),
  order('3', 'sell', '2', 'filled'),
  order('4', 'sell', '10'),
];
const ids = (side: Order['side'], price: string) =>
  ownCrossings(mine, side, price).map((one) => one.order_id);

test('own orders that a new one would meet', () => {
  expect(ids('buy', '3')).toEqual(['1']);
  expect(ids('buy', '2.999999999')).toEqual([]);
  // By value, not by their letters.
  expect(ids('buy', '10')).toEqual(['1', '4']);
  expect(ids('sell', '2.5')).toEqual(['2']);
  expect(ids('sell', '2.6')).toEqual([]);
  expect(ids('sell', 'x')).toEqual([]);
});
