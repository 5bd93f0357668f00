import { expect, test } from 'vitest';
import { hrefOf, placeOf } from './routes.js';

test('an address names a page and what is looked at', () => {
  expect(placeOf(hrefOf('home', 'MTR-001', 'day'))).toEqual({ page: 'home', rest: ['MTR-001', 'day'] });
  expect(placeOf(hrefOf('operator', 'a/b #?'))).toEqual({ page: 'operator', rest: ['a/b #?'] });
});

test.each(['', '#', '#/', '#/none', '#/%E0%A4%A', '#//market'])('%j is an address too', (hash) => {
  expect(['live', 'market']).toContain(placeOf(hash).page);
});
