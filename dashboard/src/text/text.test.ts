import { expect, test } from 'vitest';
import { en } from './en.js';
import { th } from './th.js';

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test.each(Object.keys(en) as (keyof typeof en)[])('%s says the same in Thai', (key) => {
  expect(th[key].trim()).not.toBe('');
  expect(placeholders(th[key])).toEqual(placeholders(en[key]));
});
