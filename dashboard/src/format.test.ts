import { expect, test, vi } from 'vitest';
import { amount, count, duration, powerParts, roughAmount, shortAmount, time, zone } from './format.js';

test.each([
  [0, '0 W'],
  [-412.6, '-413 W'],
  [-0.2, '0 W'],
  [999, '999 W'],
  [999.6, '1.00 kW'],
  [-999.6, '-1.00 kW'],
  [1000, '1.00 kW'],
  [4268, '4.27 kW'],
  [999_994, '999.99 kW'],
  [999_999, '1.00 MW'],
  [12_345_678, '12.35 MW'],
])('%d W is shown as %s', (watts, text) => {
  const { value, unit } = powerParts(watts);
  expect(`${value} ${unit}`).toBe(text);
});

test.each([
  [0, '0 s'],
  [0.42, '0.4 s'],
  [3, '3 s'],
  [12.34, '12 s'],
  [119, '119 s'],
  [120, '2 min'],
  [900, '15 min'],
  [9000, '2.5 h'],
  [3 * 86_400, '3 d'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  ['0', '0'],
  ['0.001950264', '0.001'],
  ['0.000000001', '< 0.001'],
  ['7.123456789', '7.123'],
  ['22.871', '22.87'],
  ['1284.512345678', '1,284.5'],
  ['1234567.89', '1,234,567.8'],
])('%s from afar is %s', (exact, rough) => {
  expect(roughAmount(exact)).toBe(rough);
});

test('amounts keep every digit, and are cut off, never rounded up', () => {
  expect(amount('1234567.000000001')).toBe('1,234,567.000000001');
  expect(shortAmount('0.9999', 3)).toBe('0.999');
  expect(count(2_812_345)).toBe('2,812,345');
});

test('a page that travels tells the times of where it is', () => {
  const told = (zoneName: string) => {
    vi.stubEnv('TZ', zoneName);
    return [time('2026-11-23T00:00:00Z', 'bare'), zone()];
  };
  try {
    expect(told('Asia/Bangkok')).toEqual(['07:00:00', 'Asia/Bangkok']);
    expect(told('Europe/Berlin')).toEqual(['01:00:00', 'Europe/Berlin']);
  } finally {
    vi.unstubAllEnvs();
  }
});
