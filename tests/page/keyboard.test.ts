import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPerson, type Person, produce, type Terminal, terminalOf } from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import { show } from './actions.js';
import { hasChromium, openBrowser, openWindow, type Window } from './browser.js';
import { goTo, NOTE_MOUSE_LISTENERS, stop, walk } from './keyboard.js';

/*
 * Every page in a real browser against the whole running system, by keyboard alone: everything can be come to and left again,
 * where the focus is can be seen, and what people do on the pages they can do without a mouse.
 */

describe.skipIf(!hasChromium())('by keyboard alone', () => {
  let system: RunningSystem;
  let terminal: Terminal;
  let browser: Browser;
  let url: string;
  let trader: Person;
  let owner: Window;
  let operator: Window;

  beforeAll(async () => {
    system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    terminal = terminalOf(system);
    url = system.url('collector', 'http');
    browser = await openBrowser();
    trader = await newPerson(terminal, 'trader');
    await produce(terminal, trader, 'MTR-001', { production: '25', consumption: '10' });
    // Held for a decision.
    await produce(terminal, await newPerson(terminal, 'large'), 'MTR-002', {
      production: '130',
      consumption: '10',
    });
    owner = await open();
    operator = await open();
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
  });

  async function open(): Promise<Window> {
    const opened = await openWindow(browser);
    await opened.page.addInitScript(NOTE_MOUSE_LISTENERS);
    return opened;
  }

  /** Chooses a key file in the dialog of the browser, which is opened with the space bar. */
  async function enterWithKeyFile(page: Page, keyFile: string): Promise<void> {
    // Listening comes first: the browser learns of it by a message of its own, which a key would overtake.
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      goTo(page, 'input:file').then(() => page.keyboard.press('Space')),
    ]);
    await chooser.setFiles(keyFile);
    await page.getByText('demo key').first().waitFor();
  }

  test('the first key leads past the links of the head to what the page is about', async () => {
    const { page } = owner;
    await show(page, url, 'live');
    await page.locator('main table a').first().waitFor();
    await page.keyboard.press('Tab');
    const first = await stop(page);
    expect(first.name).toContain('Skip to content');
    expect(first.marked).toBe(true);
    expect(await page.getByRole('button', { name: 'Skip to content' }).isVisible()).toBe(true);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.closest("main") !== null')).toBe(true);
  }, 600_000);

  test('Live: every stop, both ways; a mint is opened and left', async () => {
    const { page } = owner;
    await show(page, url, 'live');
    await page.locator('main table a').first().waitFor();
    const stops = await walk(page);
    for (const name of ['Live', 'Market', 'My home', 'Operator', 'Language'])
      expect(
        stops.some((one) => one.includes(name)),
        name,
      ).toBe(true);
    await goTo(page, /^a "Open|^a "\w+…/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Transaction', exact: true }).waitFor();
    await page.locator('main summary').first().waitFor();
    await walk(page);
    const details = page.locator('main details').first();
    await goTo(page, 'summary');
    await page.keyboard.press('Enter');
    expect(await details.evaluate((one) => (one as unknown as { open: boolean }).open)).toBe(true);
  }, 600_000);

  test('the language is changed with the arrows, on any page', async () => {
    const { page } = owner;
    await show(page, url, 'live');
    await goTo(page, 'Language');
    await page.keyboard.press('ArrowDown');
    await waitFor('Thai', () => page.evaluate<boolean>("document.documentElement.lang === 'th'"));
    // The focus stays where it was.
    expect(await page.evaluate('document.activeElement.tagName')).toBe('SELECT');
    await page.keyboard.press('ArrowUp');
    await waitFor('English', () => page.evaluate<boolean>("document.documentElement.lang === 'en'"));
  }, 600_000);

  test('My home: logged in, every stop both ways, periods and days', async () => {
    const { page } = owner;
    await goTo(page, /^a "My home"/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'My home', exact: true }).waitFor();
    await enterWithKeyFile(page, join(system.dataDir, 'keys', 'owner.json'));
    await page.locator('.chart canvas').first().waitFor();
    await page.getByText('signature valid').first().waitFor();
    await walk(page);
    for (const period of ['Week', 'Month', 'Day']) {
      await goTo(page, new RegExp(`^button:button "${period}"$`, 'i'));
      await page.keyboard.press('Space');
      await page.getByRole('button', { name: period, exact: true, pressed: true }).waitFor();
      // The button that was pressed keeps the focus, whatever is drawn anew around it.
      expect((await stop(page)).name.toLowerCase()).toContain(period.toLowerCase());
    }
    await page.getByText('signature valid').first().waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      goTo(page, /CSV/).then(() => page.keyboard.press('Enter')),
    ]);
    expect(file.suggestedFilename()).toMatch(/\.csv$/);
    // It could not be pressed meanwhile, and the focus has stayed.
    expect((await stop(page)).name).toContain('CSV');
  }, 600_000);

  test('Market: every stop both ways; an order is made and taken back', async () => {
    const trading = await open();
    const { page } = trading;
    await show(page, url, 'market');
    await page.getByRole('heading', { name: 'Market', exact: true }).waitFor();
    await enterWithKeyFile(page, trader.keyFile);
    await page.locator('#field-GRID').waitFor();
    await walk(page);
    // Of the two sides one is come to, and the arrows choose.
    await goTo(page, 'input:radio');
    await page.keyboard.press('ArrowDown');
    expect(await page.getByLabel('Buy', { exact: true }).isChecked()).toBe(true);
    await page.keyboard.press('ArrowUp');
    expect(await page.getByLabel('Sell', { exact: true }).isChecked()).toBe(true);
    await goTo(page, 'How much (GRID)');
    await page.keyboard.type('5');
    await goTo(page, 'At what price');
    await page.keyboard.type('3');
    // Enter in a field sends the form.
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign and send' }).waitFor();
    await goTo(page, 'Sign and send');
    await page.keyboard.press('Enter');
    await page.getByText('Confirmed by the chain.').waitFor();
    const mine = page.getByRole('region', { name: 'My orders' });
    await mine.getByText('open', { exact: true }).waitFor();
    await goTo(page, /^button:button "(Cancel|Take back)/);
    await page.keyboard.press('Enter');
    await mine.getByText('cancelled').waitFor();
    expect(trading.complaints).toEqual([]);
    await trading.close();
  }, 600_000);

  test('Operator: logged in by name and password; every part, every stop both ways', async () => {
    const { page } = operator;
    await show(page, url, 'operator');
    await page.locator('#operator-name').waitFor();
    await walk(page);
    await goTo(page, 'Name');
    await page.keyboard.type('operator');
    await goTo(page, 'Password');
    await page.keyboard.type(readFileSync(join(system.dataDir, 'keys', 'operator-password'), 'utf8').trim());
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Accept' }).waitFor();
    await walk(page);
    for (const part of ['Fleet', 'Traffic', 'Settlement', 'System', 'Overview']) {
      await goTo(page, new RegExp(`^a "${part}"`));
      await page.keyboard.press('Enter');
      await page.locator('nav.tabs a[aria-current=page]', { hasText: part }).waitFor();
      await page.locator('main td, main .figure').first().waitFor();
      await walk(page);
    }
  }, 600_000);

  test('a dialog keeps the keys within, gives the focus back, and lets a held reading be accepted', async () => {
    const { page } = operator;
    const accept = page.getByRole('button', { name: 'Accept' });
    await accept.waitFor();
    await goTo(page, '"Accept"');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).toBe('TEXTAREA');
    // Round and round: never behind the dialog. (The browser's own part of the window may have its turn.)
    for (let key = 0; key < 8; key += 1) {
      await page.keyboard.press(key < 4 ? 'Tab' : 'Shift+Tab');
      expect(
        await page.evaluate(
          'document.activeElement === document.body || document.activeElement.closest("dialog") !== null',
        ),
      ).toBe(true);
    }
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect((await stop(page)).name).toContain('Accept');
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.type('seen on site');
    await goTo(page, '"Accept"');
    await page.keyboard.press('Enter');
    await accept.waitFor({ state: 'detached' });
    const [review] = await system.query<{ status: string; resolution_note: string }>(
      `SELECT status, resolution_note FROM reviews WHERE subject = 'MTR-002/1'`,
    );
    expect(review).toEqual({ status: 'released', resolution_note: 'seen on site' });
    // The button has gone with its row: the way goes on, and not from the beginning of the page.
    await page.keyboard.press('Tab');
    expect((await stop(page)).name).not.toContain('Skip to content');
  }, 600_000);

  test('what cannot be come to, or cannot be seen, is noticed', async () => {
    const { page } = owner;
    await show(page, url, 'live');
    await page.locator('main table a').first().waitFor();
    const spoil = (script: string) => page.evaluate(script);
    await spoil(`document.querySelector('main section').addEventListener('click', () => {})`);
    await spoil(`document.querySelector('main h1').addEventListener('click', () => {})`);
    await expect(walk(page)).rejects.toThrow('cannot be come to');
    await page.reload();
    await page.locator('main table a').first().waitFor();
    await spoil(`document.querySelector('header nav a').style.outline = 'none'`);
    await expect(walk(page)).rejects.toThrow('something is drawn around');
    await page.reload();
    await page.locator('main table a').first().waitFor();
    await spoil(
      `document.querySelector('header select').addEventListener('keydown', (event) => event.preventDefault())`,
    );
    await expect(walk(page)).rejects.toThrow();
  }, 600_000);
});
