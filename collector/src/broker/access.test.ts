import { describe, expect, test } from 'vitest';
import { mayPublish, mayReceive, maySubscribe, type Principal } from './access.js';

const gateway: Principal = {
  role: 'gateway',
  meters: new Map([
    ['OWN', true],
    ['WAITING', false],
  ]),
};
const operator: Principal = { role: 'operator' };
const topic = (meter: string, kind: string) => `gtx/v1/${meter}/${kind}`;

/** topic or filter: what a gateway may [publish, subscribe, receive], and an operator */
const table: [string, [boolean, boolean, boolean], [boolean, boolean, boolean]][] = [
  [topic('OWN', 'reading'), [true, false, false], [false, true, true]],
  [topic('OWN', 'telemetry'), [true, false, false], [false, true, true]],
  [topic('OWN', 'status'), [true, false, false], [false, true, true]],
  [topic('OWN', 'ack'), [false, true, true], [false, true, true]],
  [topic('OWN', 'command'), [false, true, true], [false, true, true]],
  // Named in the login but not granted: it may wait for its messages and gets none.
  [topic('WAITING', 'ack'), [false, true, false], [false, true, true]],
  [topic('WAITING', 'reading'), [true, false, false], [false, true, true]],
  [topic('OTHER', 'reading'), [false, false, false], [false, true, true]],
  [topic('OTHER', 'ack'), [false, false, false], [false, true, true]],
  [topic('OWN', 'other'), [false, false, false], [false, true, false]],
  ['gtx/v1/OWN', [false, false, false], [false, true, false]],
  ['gtx/v1/OWN/ack/x', [false, false, false], [false, true, false]],
  ['gtx/v2/OWN/ack', [false, false, false], [false, false, false]],
  ['gtx/v1/+/ack', [false, false, false], [false, true, false]],
  ['gtx/v1/#', [false, false, false], [false, true, false]],
  ['#', [false, false, false], [false, true, false]],
  ['$SYS/#', [false, false, false], [false, false, false]],
  ['$share/g/gtx/v1/+/reading', [false, false, false], [false, false, false]],
];

describe.each(table)('%s', (name, forGateway, forOperator) => {
  const rights = (principal: Principal | undefined) => [
    mayPublish(principal, name) !== undefined,
    maySubscribe(principal, name),
    mayReceive(principal, name),
  ];
  test('a gateway', () => expect(rights(gateway)).toEqual(forGateway));
  test('an operator', () => expect(rights(operator)).toEqual(forOperator));
  test('nobody', () => expect(rights(undefined)).toEqual([false, false, false]));
});
