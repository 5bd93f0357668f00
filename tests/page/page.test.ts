import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectHoldings,
  newPerson,
  type Person,
  produce,
  type Terminal,
  terminalOf,
} from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import {
  hasChromium,
  openBrowser,
  openWindow,
  SIZES,
  seriousIssues,
  takeDocumentedPicture,
  takePicture,
  type Window,
} from './browser.js';

/*
 * The page in a real browser against the whole running system: an owner, two who trade, an operator; and that it is
 * usable by everybody, on a phone too.
 */

describe.skipIf(!hasChromium())('the page', () => {
  let system: RunningSystem;
  let terminal: Terminal;
  let browser: Browser;
  let url: string;
  let prosumer: Person;
  let consumer: Person;
  let home: Window;
  const windows: Window[] = [];

  beforeAll(async () => {
    // Amounts of the market are whole; the demo's home goes on beside them.
    system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    terminal = terminalOf(system);
    url = system.url('collector', 'http');
    browser = await openBrowser();
    prosumer = await newPerson(terminal, 'prosumer');
    consumer = await newPerson(terminal, 'consumer');
    await produce(terminal, prosumer, 'MTR-001', { production: '25', consumption: '10' });
    await system.gtxJson('faucet', '--amount', '100', '--to', consumer.wallet);
    home = await window();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
  });

  async function window(options?: Parameters<typeof openWindow>[1]): Promise<Window> {
    const opened = await openWindow(browser, options);
    windows.push(opened);
    return opened;
  }

  const show = (page: Page, place: string) => page.goto(new URL(`/#/${place}`, url).href);

  /** Logs in with a key file, as a person with the demo's would. */
  async function enter(page: Page, keyFile: string): Promise<void> {
    await page.locator('input[type=file]').setInputFiles(keyFile);
    await page.getByText('demo key').first().waitFor();
  }

  const ownerKey = () => join(system.dataDir, 'keys', 'owner.json');

  async function enterOperator(page: Page): Promise<void> {
    await page.locator('#operator-name').fill('operator');
    await page
      .locator('#operator-password')
      .fill(readFileSync(join(system.dataDir, 'keys', 'operator-password'), 'utf8').trim());
    await page.locator('form button.main').click();
  }

  test('a reading appears in the owner’s home, and the page has verified its signature', async () => {
    const { page } = home;
    await show(page, 'home');
    await enter(page, ownerKey());
    const newest = page.getByRole('region', { name: 'Readings', exact: true }).locator('tbody tr').first();
    await newest.getByText('signature valid').waitFor();
    const number = async () => Number(await newest.locator('td').nth(1).textContent());
    const before = await number();
    await waitFor('a later one appears by itself', async () => (await number()) > before);
    await newest.getByText('signature valid').waitFor();
    expect(await page.getByText('signature invalid').count()).toBe(0);
  }, 240_000);

  test('a signature that the meter did not make is called invalid', async () => {
    const { page, close } = await window();
    await page.route('**/api/meters/*/readings?*', async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { items: { surplus_total: string }[] };
      // One nkWh more than was signed.
      for (const item of body.items) item.surplus_total = String(BigInt(item.surplus_total) + 1n);
      await route.fulfill({ response: answer, json: body });
    });
    await show(page, 'home');
    await enter(page, ownerKey());
    await page.getByText('signature invalid').first().waitFor();
    expect(await page.getByText('signature valid').count()).toBe(0);
    // The page goes on asking: what is under way when it closes is nobody's fault.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await close();
  }, 240_000);

  test('a mint appears on Live, and its transaction opens', async () => {
    const { page } = await window();
    await show(page, 'live');
    const first = page.locator('table').first().locator('tbody tr').first().locator('a');
    const target = async () => await first.getAttribute('href');
    const before = await target();
    await waitFor('a later one appears by itself', async () => (await target()) !== before);
    const href = (await target()) as string;
    await page.goto(new URL(`/${href}`, url).href);
    await page.getByRole('heading', { name: 'Transaction', exact: true }).waitFor();
    await page.getByText('ProductionMinted').first().waitFor();
    await page
      .getByText(/^(confirmed|final)/)
      .first()
      .waitFor();
    await page
      .getByText(decodeURIComponent(href.slice('#/live/'.length)))
      .first()
      .waitFor();
  }, 240_000);

  async function order(page: Page, side: 'Sell' | 'Buy', amount: string, price: string): Promise<void> {
    await page.getByLabel(side, { exact: true }).check();
    await page.getByLabel('How much (GRID)').fill(amount);
    await page.getByLabel('At what price (GRX/kWh)').fill(price);
    await page.getByRole('button', { name: 'Check the order' }).click();
    await page.getByRole('button', { name: 'Sign and send' }).click();
    await page.getByText('Confirmed by the chain.').waitFor();
  }

  test('two people in two browsers trade: what one offers the other sees at once', async () => {
    const seller = await window();
    const buyer = await window();
    for (const [{ page }, person] of [
      [seller, prosumer],
      [buyer, consumer],
    ] as const) {
      await show(page, 'market');
      await enter(page, person.keyFile);
    }
    await buyer.page.getByText('Nobody offers or wants energy right now.').waitFor();
    await order(seller.page, 'Sell', '10', '3');
    const offered = buyer.page.locator('table.levels.sell tbody tr').first();
    await offered.waitFor();
    expect(await offered.innerText()).toMatch(/^3\s+10$/);
    await takePicture(buyer.page, 'market-offer');

    await order(buyer.page, 'Buy', '10', '3');
    for (const { page } of [seller, buyer]) {
      const trade = page.getByRole('region', { name: 'Trades' }).locator('tbody tr').first();
      await trade.waitFor();
      expect((await trade.locator('td').allInnerTexts()).slice(1, 3)).toEqual(['3', '10']);
      const mine = page.getByRole('region', { name: 'My orders' });
      await mine.getByText('filled').first().waitFor();
    }
    await expectHoldings(terminal, prosumer, { grid: '5', grx: '30' });
    await expectHoldings(terminal, consumer, { grid: '10', grx: '70' });

    // What cannot be is said before anything is sent.
    await seller.page.getByLabel('How much (GRID)').fill('0.0000000001');
    await seller.page.getByText('Write a number with at most 9 decimals').waitFor();
    await seller.page.getByLabel('How much (GRID)').fill('1000');
    await seller.page.getByLabel('At what price (GRX/kWh)').fill('3');
    await seller.page.getByRole('button', { name: 'Check the order' }).click();
    await seller.page.getByRole('alert').waitFor();
  }, 300_000);

  test('an operator accepts a reading that was held', async () => {
    await produce(terminal, await newPerson(terminal, 'large'), 'MTR-002', {
      production: '130',
      consumption: '10',
    });
    const operator = await window();
    const { page } = operator;
    await show(page, 'operator');
    // Wrong first: nothing is shown, and it says so.
    await page.locator('#operator-name').fill('operator');
    await page.locator('#operator-password').fill('wrong');
    await page.locator('form button.main').click();
    await page.getByText('The collector does not know this name').waitFor();
    await enterOperator(page);
    const held = page.locator('tr', { hasText: 'MTR-002/1' });
    const accept = held.getByRole('button', { name: 'Accept' });
    await accept.waitFor();
    await takePicture(page, 'operator-review');
    await accept.click();
    const dialog = page.getByRole('dialog', { name: 'Accept: MTR-002/1' });
    await dialog.getByLabel('Why').fill('seen on site');
    await dialog.getByRole('button', { name: 'Accept' }).click();
    await accept.waitFor({ state: 'detached' });
    const [review] = await system.query<{ status: string; resolution_note: string }>(
      `SELECT status, resolution_note FROM reviews WHERE subject = 'MTR-002/1'`,
    );
    expect(review).toEqual({ status: 'released', resolution_note: 'seen on site' });
    expect(operator.complaints.filter((text) => !text.includes('401'))).toEqual([]);
    operator.complaints.length = 0;
  }, 240_000);

  test('another’s data is refused, by the collector', async () => {
    const { page } = home;
    const status = (path: string) =>
      page.evaluate<number>(`(async () => {
        const { access_token } = JSON.parse(localStorage.getItem('gtx.session'));
        const answer = await fetch(${JSON.stringify(path)}, { headers: { authorization: 'Bearer ' + access_token } });
        return answer.status;
      })()`);
    const kept = [...home.complaints];
    expect(await status(`/api/meters/${system.meterId}/readings`)).toBe(200);
    expect(await status('/api/meters/MTR-001/readings')).toBe(403);
    expect(await status(`/api/balances/${prosumer.wallet}`)).toBe(403);
    expect(await status(`/api/settlements?wallet=${prosumer.wallet}`)).toBe(403);
    expect(await status('/api/reviews')).toBe(403);
    const stranger = await window();
    await show(stranger.page, 'live');
    const without = await stranger.page.evaluate<number>(
      `fetch('/api/meters/MTR-001/readings').then(({ status }) => status)`,
    );
    expect(without).toBe(401);
    stranger.complaints.length = 0;
    // The browser itself writes refusals into the console.
    home.complaints.splice(0, home.complaints.length, ...kept);
  }, 240_000);

  test('every page: nothing in the console, nothing serious for axe, nothing wider than the window', async () => {
    for (const look of [
      { name: 'desktop', size: SIZES.desktop, colorScheme: 'light', locale: 'en-GB' },
      { name: 'desktop-dark-th', size: SIZES.desktop, colorScheme: 'dark', locale: 'th-TH' },
      { name: 'phone', size: SIZES.phone, colorScheme: 'light', locale: 'th-TH' },
      { name: 'phone-dark', size: SIZES.phone, colorScheme: 'dark', locale: 'en-GB' },
    ] as const) {
      const options = { viewport: look.size, colorScheme: look.colorScheme, locale: look.locale };
      const owner = await window(options);
      const operator = await window(options);
      const check = async ({ page }: Window, name: string) => {
        await takePicture(page, `${name}-${look.name}`);
        const width = await page.evaluate<number>('document.documentElement.scrollWidth');
        expect(width, `${name} ${look.name}`).toBeLessThanOrEqual(look.size.width);
        expect(await seriousIssues(page), `${name} ${look.name}`).toEqual([]);
      };
      const { page } = owner;
      await show(page, 'home');
      await page.locator('input[type=file]').waitFor();
      await check(owner, 'home-login');
      await page.locator('input[type=file]').setInputFiles(ownerKey());
      await page.locator('.chart canvas').waitFor();
      await page.locator('.tag.good').nth(1).waitFor();
      await check(owner, 'home');
      if (look.name === 'desktop') await takeDocumentedPicture(page, 'home');
      await show(page, 'market');
      await page.locator('#field-GRID').waitFor();
      await page.locator('tbody tr').first().waitFor();
      await check(owner, 'market');
      await show(page, 'live');
      await page.locator('table a').first().waitFor();
      await check(owner, 'live');
      await page.locator('table a').first().click();
      await page.locator('details').first().waitFor();
      await check(owner, 'transaction');
      await show(operator.page, 'operator');
      await operator.page.locator('#operator-name').waitFor();
      await check(operator, 'operator-login');
      // Asked without a login, the collector refuses, and the browser tells it.
      expect(operator.complaints.filter((text) => !/401 .*\/api\/status/.test(text))).toEqual([]);
      operator.complaints.length = 0;
      await enterOperator(operator.page);
      await operator.page.locator('td').first().waitFor();
      await check(operator, 'operator');
      expect(operator.complaints, look.name).toEqual([]);
      expect(owner.complaints, look.name).toEqual([]);
      await owner.close();
      await operator.close();
    }
    expect(home.complaints).toEqual([]);
  }, 300_000);

  test('a lost connection is told, and heals by itself', async () => {
    const { page } = home;
    await page.locator('output.link.up').waitFor();
    const killed = system.kill('collector');
    await page.locator('output.link.down').waitFor();
    await system.revived('collector', killed);
    await page.locator('output.link.up').waitFor();
    const newest = page.getByRole('region', { name: 'Readings', exact: true }).locator('tbody tr').first();
    const number = async () => Number(await newest.locator('td').nth(1).textContent());
    const before = await number();
    await waitFor('readings go on to appear', async () => (await number()) > before);
    // Refused connections are in the console; nothing that the page itself did wrong.
    expect(home.complaints.filter((text) => !/ERR_CONNECTION|WebSocket|Failed to load/.test(text))).toEqual(
      [],
    );
  }, 240_000);
});
