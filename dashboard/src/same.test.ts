import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sameAs } from './same.js';

const copy = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
// As it comes over the network: JSON has no -0.
const json = () => fc.jsonValue().map(copy);

test('what says the same is the earlier one', () => {
  fc.assert(
    fc.property(json(), (value) => {
      expect(sameAs(value, copy(value))).toBe(value);
    }),
  );
});

test('what is told is what was answered, whatever was answered before', () => {
  fc.assert(
    fc.property(json(), json(), (before, now) => {
      const told = copy(now);
      expect(sameAs(before, now)).toEqual(told);
      // Neither is written into.
      expect(now).toEqual(told);
    }),
  );
});

test('of a list with a changed row the others are the rows that were there', () => {
  const before = {
    items: [
      { id: 'a', of: [1] },
      { id: 'b', of: [2] },
    ],
    next: null,
  };
  const now = sameAs(before, {
    items: [
      { id: 'a', of: [1] },
      { id: 'b', of: [3] },
    ],
    next: null,
  });
  expect(now).not.toBe(before);
  expect(now.items).not.toBe(before.items);
  expect(now.items[0]).toBe(before.items[0]);
  expect(now.items[1]).toEqual({ id: 'b', of: [3] });
  expect(sameAs(before, { items: before.items.slice(0, 1), next: null }).items).toHaveLength(1);
  expect(sameAs([], {})).toEqual({});
  expect(sameAs({ 0: 1 }, [1])).toEqual([1]);
  expect(sameAs({ a: undefined }, { b: undefined })).toEqual({ b: undefined });
});
