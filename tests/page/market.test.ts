import { instructions, sendAndConfirm } from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
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
import {
  checkOrder,
  confirmed,
  enterAsOperator,
  enterWithKey,
  inspect,
  LOOKS,
  lookOptions,
  makeOrder,
  show,
} from './actions.js';
import {
  hasChromium,
  openBrowser,
  openWindow,
  PATIENCE_MS,
  takeDocumentedPicture,
  type Window,
} from './browser.js';
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
    await waitFor('there is something to sell', async () => (await gridOf(seller)) === '60');
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
    await confirmed(page).waitFor();
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
      ...['create-order', '--amount', '4', '--price', '9', '--expires', '60s', '--keypair', seller.keyFile],
    );
    const row = mine(page).locator('tbody tr', { hasText: /^3/ });
    // On a busy machine it may have ended before it is shown for the first time.
    await row.getByText(/^(open|expired)$/).waitFor();
    // A minute, and what the page may take for anything.
    await row.getByText('expired', { exact: true }).waitFor({ timeout: 60_000 + PATIENCE_MS });
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

  test('a market that is paused, and goes on, is told by itself', async () => {
    const { page } = market;
    const admin = system.key('upgrade-authority');
    const [{ address } = { address: '' }] = await system.query<{ address: string }>(
      'SELECT address FROM markets',
    );
    const pause = (paused: boolean) =>
      sendAndConfirm(system.connection, {
        payer: admin,
        instructions: [
          instructions.setMarketPaused({
            authority: admin.publicKey,
            market: new PublicKey(address),
            paused,
          }),
        ],
      });
    await show(page, url, 'market');
    await page.getByRole('heading', { name: 'Trades', exact: true }).waitFor();
    const paused = page.getByText('The market is paused: orders can only be cancelled.');
    expect(await paused.count()).toBe(0);
    await pause(true);
    await paused.waitFor();
    await pause(false);
    await paused.waitFor({ state: 'detached' });
  }, 600_000);

  test('a wallet that takes its time is asked once, and what is written meanwhile stays', async () => {
    const waiting = await openWindow(browser);
    const { page } = waiting;
    const wallet = new TestWallet(seller.keyFile);
    await wallet.install(page);
    await show(page, url, 'market');
    await page.getByRole('button', { name: 'Log in with Test Wallet' }).click();
    await page.getByText('Logged in as').waitFor();
    const transactions = () => wallet.asked.filter((what) => what === 'transaction').length;

    await checkOrder(page, { side: 'Sell', amount: '1', price: '9' });
    wallet.mood = 'wait';
    await page.getByRole('button', { name: 'Sign and send' }).click();
    await waitFor('the wallet is asked', () => transactions() === 1);
    const amount = page.getByLabel('How much (GRID)');
    await amount.fill('2.5');
    wallet.sign();
    await confirmed(page).waitFor();
    expect(await amount.inputValue()).toBe('2.5');

    const cancel = mine(page).getByRole('button', { name: /^Cancel order/ });
    await cancel.click();
    await waitFor('the wallet is asked again', () => transactions() === 2);
    expect(await cancel.isDisabled()).toBe(true);
    wallet.sign();
    await cancel.waitFor({ state: 'detached' });
    expect(transactions()).toBe(2);
    expect(waiting.complaints).toEqual([]);
    await waiting.close();
  }, 600_000);

  test('an order that was signed is followed to its end, whatever requests are lost', async () => {
    const window = await openWindow(browser);
    const { page } = window;
    await show(page, url, 'market');
    await enterWithKey(page, seller.keyFile);
    const before = (await ordersOf(seller)).length;
    let lost = 0;
    // The first look at what became of it.
    await page.route('**/api/transactions/*', async (route) => {
      if (route.request().method() !== 'GET' || lost > 0) return route.fallback();
      lost += 1;
      await route.abort();
    });
    await makeOrder(page, { side: 'Sell', amount: '1', price: '9' });
    expect(lost).toBe(1);
    expect(await page.getByRole('alert').count()).toBe(0);
    // The answer to its sending: the collector has sent it.
    await page.route('**/api/transactions/submit', async (route) => {
      if (lost > 1) return route.fallback();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await makeOrder(page, { side: 'Sell', amount: '1', price: '9.5' });
    expect(lost).toBe(2);
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.unrouteAll({ behavior: 'wait' });
    // The chain has confirmed them, which the page may know before the database does.
    await waitFor('both are in the books', async () => (await ordersOf(seller)).length >= before + 2);
    expect(await ordersOf(seller)).toHaveLength(before + 2);
    for (const price of ['9.5', '9']) {
      const row = mine(page).locator('tbody tr', {
        has: page.getByRole('cell', { name: price, exact: true }),
      });
      const cancel = row.getByRole('button');
      await cancel.click();
      await cancel.waitFor({ state: 'detached' });
    }
    await window.close();
  }, 600_000);

  test.each([
    { where: 'from this machine', locks: true, price: '1.3' },
    // Web locks are of pages that came encrypted, or from the machine itself.
    { where: 'over plain HTTP', locks: false, price: '1.4' },
  ])(
    '$where what is one’s own is followed on when the login’s token has ended',
    async ({ locks, price }) => {
      const window = await openWindow(browser);
      const { page } = window;
      if (!locks)
        await page.addInitScript("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })");
      let renewed = 0;
      page.on('response', (answer) => {
        if (answer.ok() && answer.url().endsWith('/api/auth/refresh')) renewed += 1;
      });
      await show(page, url, 'market');
      await enterWithKey(page, buyer.keyFile);
      await mine(page).locator('tbody tr').first().waitFor();
      // A token that the page takes for good for ten minutes, and that ends while it is followed, or before.
      await system.query(
        `UPDATE login_tokens t SET expires_at = extract(epoch from now())::bigint + 2
       FROM login_sessions s WHERE s.id = t.session_id AND s.wallet = $1 AND t.kind = 'access'`,
        [buyer.wallet],
      );
      await page.reload();
      // Told by the channel or to a question, or by itself: whichever comes first needs another one.
      await waitFor('there is another token', () => renewed > 0);
      const { length } = await ordersOf(buyer);
      await told(
        terminal,
        ...['create-order', '--side', 'buy', '--amount', '1', '--price', price, '--keypair', buyer.keyFile],
      );
      const row = mine(page).locator('tbody tr', {
        has: page.getByRole('cell', { name: price, exact: true }),
      });
      await row.getByText('open', { exact: true }).waitFor();
      expect(await ordersOf(buyer)).toHaveLength(length + 1);
      await told(
        terminal,
        ...['cancel-order', '--order-id', (await ordersOf(buyer)).at(-1)?.order_id ?? ''],
        ...['--keypair', buyer.keyFile],
      );
      await row.getByText('cancelled', { exact: true }).waitFor();
      await window.close();
    },
    600_000,
  );

  test('a subscription that the collector ends is renewed with a new login', async () => {
    const window = await openWindow(browser);
    const { page } = window;
    const sent: string[] = [];
    let followed = false;
    let deaf = false;
    let tell: (frame: object) => void = () => {};
    await page.routeWebSocket('**/ws', (socket) => {
      const collector = socket.connectToServer();
      tell = (frame) => socket.send(JSON.stringify(frame));
      socket.onMessage((message) => {
        const { op, channel } = JSON.parse(message.toString());
        if (deaf && op !== 'ping') sent.push([op, channel].filter(Boolean).join(' '));
        if (op === 'subscribe' && channel === 'orders') deaf = false;
        collector.send(message);
      });
      collector.onMessage((message) => {
        const own = JSON.parse(message.toString()).channel === 'orders';
        followed ||= own;
        if (!deaf || !own) socket.send(message);
      });
    });
    await show(page, url, 'market');
    await enterWithKey(page, buyer.keyFile);
    await mine(page).locator('tbody tr').first().waitFor();
    // The rows may have been there before: they were asked for.
    await waitFor('it is followed', () => followed);
    deaf = true;
    tell({
      channel: 'orders',
      type: 'ended',
      error: { code: 'UNAUTHENTICATED', message: 'the login has ended', retry: 'never', details: {} },
    });
    await waitFor('it is followed again', () => sent.length >= 2);
    expect(sent).toEqual(['auth', 'subscribe orders']);
    await told(
      terminal,
      ...['create-order', '--side', 'buy', '--amount', '1', '--price', '1.5', '--keypair', buyer.keyFile],
    );
    const row = mine(page).locator('tbody tr', {
      has: page.getByRole('cell', { name: '1.5', exact: true }),
    });
    const cancel = row.getByRole('button', { name: /^Cancel order/ });
    await cancel.click();
    await cancel.waitFor({ state: 'detached' });
    expect(window.complaints).toEqual([]);
    await window.close();
  }, 600_000);

  test('a login in another window is this window’s too, and nobody signs for somebody else', async () => {
    const window = await openWindow(browser);
    const { page } = window;
    await show(page, url, 'market');
    await enterWithKey(page, seller.keyFile);
    const other = await page.context().newPage();
    await show(other, url, 'market');
    await other.getByText('You are logged in. To sign orders in this window').waitFor();
    await other.getByRole('button', { name: 'Log out' }).click();
    await page.getByText('Log in with a wallet to see what is yours').waitFor();
    expect(await mine(page).count()).toBe(0);
    await enterWithKey(other, buyer.keyFile);
    await page.getByText('You are logged in. To sign orders in this window').waitFor();
    expect(await page.getByRole('button', { name: 'Check the order' }).count()).toBe(0);
    // The connection is the other's too.
    await told(
      terminal,
      ...['create-order', '--side', 'buy', '--amount', '1', '--price', '1.7', '--keypair', buyer.keyFile],
    );
    const row = (at: Page) =>
      mine(at).locator('tbody tr', { has: at.getByRole('cell', { name: '1.7', exact: true }) });
    await row(page).getByText('open', { exact: true }).waitFor();
    await row(other)
      .getByRole('button', { name: /^Cancel order/ })
      .click();
    await row(page).getByText('cancelled', { exact: true }).waitFor();
    await window.close();
  }, 600_000);

  test('an operator’s password, wrong or beside a wallet’s login, takes nothing away', async () => {
    const window = await openWindow(browser);
    const { page } = window;
    await show(page, url, 'operator');
    await page.locator('#operator-name').fill('operator');
    await page.locator('#operator-password').fill('not this one');
    await page.locator('form button.main').click();
    await page.getByRole('alert').getByText('does not know this name with this password').waitFor();
    await show(page, url, 'live');
    await page.getByRole('heading', { name: 'Newest GRID' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);

    await show(page, url, 'operator');
    await enterAsOperator(page, system.dataDir);
    await page.getByRole('navigation', { name: 'Parts of the operator’s page' }).waitFor();
    await show(page, url, 'market');
    await enterWithKey(page, buyer.keyFile);
    await mine(page).locator('tbody tr').first().waitFor();
    await show(page, url, 'operator/traffic');
    // By HTTP and by the channel.
    await page.getByRole('navigation', { name: 'Parts of the operator’s page' }).waitFor();
    await page.getByRole('table').locator('tbody tr').first().waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await window.close();
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
