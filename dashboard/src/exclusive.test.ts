import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { exclusively } from './exclusive.js';

/* A browser's windows, one after the other. Where there are no locks, the storage that they share is played. */

let storage: Map<string, string>;

beforeEach(() => {
  storage = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => storage.get(name) ?? null,
    setItem: (name: string, value: string) => storage.set(name, value),
    removeItem: (name: string) => storage.delete(name),
  });
  vi.stubGlobal('navigator', {});
});
afterEach(() => vi.unstubAllGlobals());

test('the browser’s locks are used where there are some', async () => {
  const request = vi.fn((_name: string, work: () => Promise<number>) => work());
  vi.stubGlobal('navigator', { locks: { request } });
  expect(await exclusively('login', 60_000, async () => 7)).toBe(7);
  expect(request).toHaveBeenCalledOnce();
  expect(storage.size).toBe(0);
});

test('without locks five that begin at once take turns, and leave nothing', async () => {
  let inside = 0;
  const most: number[] = [];
  const one = (n: number) =>
    exclusively('login', 60_000, async () => {
      inside += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
      most.push(inside);
      inside -= 1;
      return n;
    });
  expect(await Promise.all([1, 2, 3, 4, 5].map(one))).toEqual([1, 2, 3, 4, 5]);
  expect(most).toEqual([1, 1, 1, 1, 1]);
  expect(storage.size).toBe(0);
});

test('whoever fails lets the next one in', async () => {
  const fail = () => Promise.reject(new Error('no answer'));
  await expect(exclusively('login', 60_000, fail)).rejects.toThrow('no answer');
  expect(await exclusively('login', 60_000, async () => 2)).toBe(2);
});

test.each([
  ['a window that has gone', -1],
  ['a clock that was ahead', 3_600_000],
])('the mark of %s keeps nobody out', async (_, aheadMs) => {
  storage.set('login.busy', `${Date.now() + aheadMs} 0.5`);
  expect(await exclusively('login', 60_000, async () => 3)).toBe(3);
});
