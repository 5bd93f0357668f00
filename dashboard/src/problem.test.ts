import { expect, test } from 'vitest';
import { ApiError } from './api.js';
import { inWords } from './problem.js';
import { setLanguage } from './text/index.js';
import { TransactionFailed } from './trade.js';
import { keyFileSigner, WalletRefused } from './wallets.js';

const refused = (code: ConstructorParameters<typeof ApiError>[0], details = {}) =>
  inWords(new ApiError(code, 'in the collector’s words', 422, details));

test('a refusal is said by its code, with its figures, and keeps the collector’s own words', () => {
  const balance = { token: 'GRX', has: '3', needs: '10', missing: '7' };
  expect(refused('BALANCE_TOO_LOW', balance)).toEqual({
    text: 'Your wallet has 3 GRX, and this takes 10 GRX: 7 GRX are missing. Choose a smaller amount, or cancel an order.',
    original: 'BALANCE_TOO_LOW: in the collector’s words',
  });
  // Without its figures it says less, and nothing wrong.
  expect(refused('BALANCE_TOO_LOW', { token: 'GRX' }).text).toBe(
    'Your wallet does not hold enough for this.',
  );
  expect(refused('SELF_TRADE').text).toContain('Nobody trades with themselves');
  expect(refused('RATE_LIMITED', { retry_after_seconds: 7 }).text).toContain('Wait 7 s');
  expect(refused('CHAIN_REFUSED', { reason: 'FeedStale' }).text).toContain('too old to trade by');
  expect(refused('CHAIN_REFUSED', { reason: 'NobodyKnows' }).text).toContain('The chain refused it');
  expect(refused('PROFILE_INVALID').text).toContain('Something went wrong in the collector');
  expect(refused('UNREACHABLE').original).toBeUndefined();
});

test('so is what the chain refused, or what came too late', () => {
  expect(inWords(new TransactionFailed('OrderClosed', 'x')).text).toContain('The order is gone');
  expect(inWords(new TransactionFailed('expired', 'expired')).text).toContain('too late');
});

test('declining in a wallet is no failure of the wallet', () => {
  expect(inWords(new WalletRefused('W', true, 'User rejected')).text).toContain('You declined in W');
  expect(inWords(new WalletRefused('W', false, 'locked'))).toEqual({
    text: 'W did not sign. Look at the wallet, then try again.',
    original: 'locked',
  });
});

test('in the reader’s language', async () => {
  Object.assign(globalThis, { document: { documentElement: {} } });
  setLanguage('th');
  expect(refused('ORDER_CLOSED').text).toContain('คำสั่งนี้ปิดแล้ว');
  const noKey = await keyFileSigner('{}').catch((error: Error) => error);
  expect(inWords(noKey as Error).text).toContain('ไฟล์นี้ไม่ใช่ไฟล์กุญแจ');
  setLanguage('en');
  expect(inWords(noKey as Error).text).toContain('This is no key file');
});
