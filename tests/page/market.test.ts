import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectHoldings,
  newPerson,
  type Person,
  persist,
  produce,
  type Terminal,
  terminalOf,
  told,
} from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import { checkOrder, enterWithKey, inspect, LOOKS, lookOptions, makeOrder, show } from './actions.js';
import { hasChromium, openBrowser, openWindow, takeDocumentedPicture, type Window } from './browser.js';
import { TestWallet } from './test-wallet.js';

/*
 * The market in a real browser against the whole running system: orders signed by a wallet of the Wallet Standard and by the
 * demo's key file, and what the page says when something cannot be.
 */

describe.skipIf(!hasChromium())('the market', () => {
  let system: RunningSystem;
  let terminal: Terminal;
  let browser: Browser;
  let url: string;
  let seller: Person;
  let buyer: Person;
  let market: Window;

  beforeAll(async () => {
    system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    terminal = terminalOf(system);
    url = system.url('collector', 'http');
    browser = await openBrowser();
    seller = await newPerson(terminal, 'seller');
    buyer = await newPerson(terminal, 'buyer');
    await produce(terminal, seller, 'MTR-001', { production: '70', consumption: '10' });
    for (const { wallet } of [seller, buyer])
      await system.gtxJson('faucet', '--amount', '200', '--to', wallet);
    market = await openWindow(browser);
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
  });

  const mine = (page: Page) => page.getByRole('region', { name: 'My orders' });
  const ordersOf = ({ wallet }: Person) =>
    system.query<{ order_id: string; status: string }>(
      'SELECT order_id::text, status FROM orders WHERE owner = $1 ORDER BY order_id',
      [wallet],
    );
  const gridOf = async ({ wallet }: Person): Promise<string> =>
    (await told(terminal, 'balances', '--wallet', wallet)).grid.amount;

  test('a wallet of the Wallet Standard logs in by a signed message, and signs an order that the chain confirms', async () => {
    const { page } = market;
    const wallet = new TestWallet(seller.keyFile);
    await wallet.install(page);
    await show(page, url, 'market');
    const enter = page.getByRole('button', { name: 'Log in with Test Wallet' });
    // Who declines, by code or in words, is told so, and is not logged in.
    for (const mood of ['decline', 'decline in words'] as const) {
      wallet.mood = mood;
      await enter.click();
      await page.getByRole('alert').getByText('You declined in Test Wallet. Nothing was sent').waitFor();
    }
    wallet.mood = 'fail';
    await enter.click();
    await page.getByRole('alert').getByText('Test Wallet did not sign.').waitFor();

    wallet.mood = 'sign';
    await enter.click();
    await page.getByText('Logged in as').waitFor();
    expect(wallet.asked).toHaveLength(1);
    expect(wallet.asked[0]).toContain(seller.wallet);
    expect(await page.getByText('demo key').count()).toBe(0);

    await checkOrder(page, { side: 'Sell', amount: '10', price: '3' });
    await page.getByText('Sell 10 GRID at 3 GRX each: 30 GRX when all of it is sold.').waitFor();
    wallet.mood = 'decline';
    await page.getByRole('button', { name: 'Sign and send' }).click();
    await page.getByRole('alert').getByText('You declined in Test Wallet. Nothing was sent').waitFor();
    expect(await ordersOf(seller)).toEqual([]);
    wallet.mood = 'sign';
    await page.getByRole('button', { name: 'Sign and send' }).click();
    await page.getByText('Confirmed by the chain.').waitFor();
    expect(wallet.asked.slice(1)).toEqual(['transaction']);
    await mine(page).getByText('open', { exact: true }).waitFor();
    expect(await ordersOf(seller)).toEqual([{ order_id: '1', status: 'open' }]);
    const { orders } = await told(terminal, 'orders', '--wallet', seller.wallet, '--source', 'chain');
    expect(orders).toHaveLength(1);
    expect(await gridOf(seller)).toBe('50');
  }, 600_000);

  test('the depth of the book follows the channel, and its prices go into the form', async () => {
    const other = await openWindow(browser);
    const { page } = other;
    await show(page, url, 'market');
    await enterWithKey(page, buyer.keyFile);
    const depth = page.getByRole('img', { name: /^Depth of the market/ });
    await depth.and(page.getByLabel('10 GRID offered, at 3 GRX/kWh or more')).waitFor();
    await makeOrder(page, { side: 'Buy', amount: '5', price: '2.5' });
    for (const one of [page, market.page]) {
      await one.getByLabel('5 GRID wanted, at 2.5 GRX/kWh or less').waitFor();
    }
    await page.getByRole('button', { name: 'Buy at 3 GRX/kWh' }).click();
    expect(await page.getByLabel('At what price (GRX/kWh)').inputValue()).toBe('3');
    expect(await page.getByLabel('Buy', { exact: true }).isChecked()).toBe(true);
    await other.close();
    expect(other.complaints).toEqual([]);
  }, 600_000);

  test('an order that meets one’s own is told so, and the two do not trade', async () => {
    const { page } = market;
    await page.getByLabel('Buy', { exact: true }).check();
    await page.getByLabel('How much (GRID)').fill('10');
    await page.getByLabel('At what price (GRX/kWh)').fill('3');
    await page.getByText('This meets your own order 1. You do not trade with yourself').waitFor();
    await makeOrder(page, { side: 'Buy', amount: '10', price: '3' });
    await waitFor('both are in the books', async () => (await ordersOf(seller)).length === 2);
    // Somebody else's order that meets one of them is a later round of matching: by then the two would have traded.
    await told(
      terminal,
      ...['create-order', '--side', 'buy', '--amount', '1', '--price', '3', '--keypair', buyer.keyFile],
    );
    await waitFor('the other one has traded', async () => {
      const [trade] = await system.query<{ buyer: string }>('SELECT buyer FROM trades');
      return trade?.buyer === buyer.wallet;
    });
    expect(await system.count('SELECT count(*) FROM trades WHERE seller = buyer')).toBe(0);
    expect(await ordersOf(seller)).toEqual([
      { order_id: '1', status: 'open' },
      { order_id: '2', status: 'open' },
    ]);
  }, 600_000);

  test('an order is taken back, and what was in it returns', async () => {
    const { page } = market;
    const row = (id: number) =>
      mine(page).locator('tr', { has: page.getByRole('cell', { name: String(id), exact: true }).first() });
    for (const id of [1, 2]) {
      await mine(page)
        .getByRole('button', { name: `Cancel order ${id}` })
        .click();
      await row(id).getByText('cancelled').waitFor();
    }
    expect(await mine(page).getByRole('button').count()).toBe(0);
    expect((await ordersOf(seller)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    await waitFor('the rest is back', async () => (await gridOf(seller)) === '59');
  }, 600_000);

  test('an answer about something that has been written over meanwhile offers nothing to sign', async () => {
    const { page } = market;
    const amount = page.getByLabel('How much (GRID)');
    const check = page.getByRole('button', { name: 'Check the order' });
    await page.route('**/api/orders/build', async (route) => {
      await amount.fill('2');
      await route.continue();
    });
    await Promise.all([
      page.waitForResponse('**/api/orders/build'),
      checkOrder(page, { side: 'Sell', amount: '1', price: '8' }),
    ]);
    await page.unrouteAll({ behavior: 'wait' });
    // It can be checked again as soon as the answer has been dealt with.
    await waitFor('the answer is dealt with', () => check.isEnabled());
    expect(await page.getByRole('button', { name: 'Sign and send' }).count()).toBe(0);
    expect(await page.getByText('Checked: the chain would carry it out').count()).toBe(0);
    await check.click();
    await page.getByText('Sell 2 GRID at 8 GRX each').waitFor();
    await amount.fill('3');
    expect(await page.getByRole('button', { name: 'Sign and send' }).count()).toBe(0);
  }, 600_000);

  test('an order that ends is shown as expired by itself', async () => {
    const { page } = market;
    await told(
      terminal,
      ...['create-order', '--amount', '4', '--price', '9', '--expires', '20s', '--keypair', seller.keyFile],
    );
    const row = mine(page).locator('tbody tr', { hasText: /^3/ });
    // On a busy machine it may have ended before it is shown for the first time.
    await row.getByText(/^(open|expired)$/).waitFor();
    await row.getByText('expired', { exact: true }).waitFor();
    expect(await row.getByRole('button').count()).toBe(0);
    await waitFor('its energy is back', async () => (await gridOf(seller)) === '59');
  }, 600_000);

  test('what cannot be is said in plain words, in the reader’s language', async () => {
    const { page } = market;
    const alert = page.getByRole('alert');
    await checkOrder(page, { side: 'Sell', amount: '1000', price: '3' });
    await alert
      .getByText('Your wallet has 59 GRID, and this takes 1000 GRID: 941 GRID are missing.')
      .waitFor();
    await page.getByLabel('Language').selectOption('th');
    await alert.getByText('กระเป๋าเงินมี 59 GRID แต่ต้องใช้ 1000 GRID ขาดอีก 941 GRID').waitFor();
    await page.getByLabel('ภาษา').selectOption('en');

    await page.getByLabel('How much (GRID)').fill('0.0001');
    await page.getByText('It must be a multiple of 0.001 GRID: 0.001').waitFor();
    expect(await page.getByRole('button', { name: 'Check the order' }).isDisabled()).toBe(true);

    // An order that is gone by the time it is cancelled: the page still shows it.
    await makeOrder(page, { side: 'Sell', amount: '1', price: '8' });
    const cancel = mine(page).getByRole('button', { name: 'Cancel order 4' });
    await cancel.waitFor();
    await page.route('**/api/orders/build', async (route) => {
      await told(terminal, 'cancel-order', '--order-id', '4', '--keypair', seller.keyFile);
      await route.continue();
    });
    await cancel.click();
    await alert.getByText('This order is not open any more').waitFor();
    await page.unrouteAll({ behavior: 'wait' });
    // The browser itself tells of refusals.
    expect(market.complaints.filter((text) => !/status of 4(09|22)/.test(text))).toEqual([]);
    market.complaints.length = 0;
  }, 600_000);

  test('two people in two browsers trade: what one offers the other sees at once', async () => {
    await told(terminal, 'cancel-order', '--order-id', '1', '--keypair', buyer.keyFile);
    const [offering, buying] = [await openWindow(browser), await openWindow(browser)];
    for (const [{ page }, person] of [
      [offering, seller],
      [buying, buyer],
    ] as const) {
      await show(page, url, 'market');
      await enterWithKey(page, person.keyFile);
    }
    await buying.page.getByText('Nobody offers or wants energy right now.').waitFor();
    await makeOrder(offering.page, { side: 'Sell', amount: '10', price: '3.2' });
    const offered = buying.page.locator('table.levels.sell tbody tr').first();
    await offered.waitFor();
    expect(await offered.innerText()).toMatch(/^3\.2\s+10$/);
    await makeOrder(buying.page, { side: 'Buy', amount: '10', price: '3.2' });
    for (const { page } of [offering, buying]) {
      const trade = page.getByRole('region', { name: 'Trades' }).locator('tbody tr').first();
      await waitFor('both see the trade', async () =>
        /^3\.2 10$/.test((await trade.locator('td').allInnerTexts()).slice(1, 3).join(' ')),
      );
      await mine(page).getByText('filled').first().waitFor();
    }
    await expectHoldings(terminal, seller, { grid: '49', grx: '235' });
    await expectHoldings(terminal, buyer, { grid: '11', grx: '165' });
    for (const window of [offering, buying]) {
      expect(window.complaints).toEqual([]);
      await window.close();
    }
  }, 600_000);

  test('looks well to everybody: sizes, colors, languages', async () => {
    // A market with something to see.
    const trade = async (price: string, amount: string) => {
      await told(
        terminal,
        ...['create-order', '--amount', amount, '--price', price, '--keypair', seller.keyFile],
      );
      await told(
        terminal,
        ...[
          'create-order',
          '--side',
          'buy',
          '--amount',
          amount,
          '--price',
          price,
          '--keypair',
          buyer.keyFile,
        ],
      );
    };
    for (const [price, amount] of [
      ['3.1', '2'],
      ['3.4', '1'],
      ['3.25', '3.5'],
    ] as const)
      await trade(price, amount);
    for (const [side, price, amount, key] of [
      ['sell', '3.3', '4', seller.keyFile],
      ['sell', '3.5', '6', seller.keyFile],
      ['sell', '3.8', '9', seller.keyFile],
      ['buy', '3', '3', buyer.keyFile],
      ['buy', '2.8', '7', buyer.keyFile],
    ] as const)
      await persist(
        terminal,
        ...['create-order', '--side', side, '--amount', amount, '--price', price, '--keypair', key],
      );
    await waitFor(
      'all is in the books',
      async () => (await system.count('SELECT count(*) FROM trades')) >= 4,
    );
    for (const look of LOOKS) {
      const window = await openWindow(browser, lookOptions(look));
      const { page } = window;
      await show(page, url, 'market');
      await page.locator('input[type=file]').waitFor();
      if (look.name === 'desktop') await inspect(page, 'market-out', look);
      await page.locator('input[type=file]').setInputFiles(seller.keyFile);
      await page.locator('#field-GRID').fill('2');
      await page.locator('#field-GRXkWh').fill('3.6');
      await page.locator('.plot .area.sell').waitFor();
      await page.locator('.plot .point').first().waitFor();
      await page.locator('.levels.sell tbody tr').nth(2).waitFor();
      await page.locator('button.main').first().click();
      await page.locator('fieldset.confirm').waitFor();
      await inspect(page, 'market', look);
      if (look.name === 'desktop') await takeDocumentedPicture(page, 'market');
      if (look.name === 'phone-dark') await takeDocumentedPicture(page, 'market-phone');
      expect(window.complaints, look.name).toEqual([]);
      await window.close();
    }
  }, 600_000);
});
