import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { SIZES, seriousIssues, takePicture } from './browser.js';

/** What people do on the page, by the names that they see. */

export const show = (page: Page, url: string, place: string) => page.goto(new URL(`/#/${place}`, url).href);

/** Logs in with a key file, as a person with the demo's would. */
export async function enterWithKey(page: Page, keyFile: string): Promise<void> {
  await page.locator('input[type=file]').setInputFiles(keyFile);
  await page.getByText('demo key').first().waitFor();
}

/** Logs in by name and password, as the operator of the data folder. */
export async function enterAsOperator(page: Page, dataDir: string): Promise<void> {
  await page.locator('#operator-name').fill('operator');
  await page
    .locator('#operator-password')
    .fill(readFileSync(join(dataDir, 'keys', 'operator-password'), 'utf8').trim());
  await page.locator('form button.main').click();
}

export interface Wish {
  readonly side: 'Sell' | 'Buy';
  readonly amount: string;
  readonly price: string;
}

/** Fills the form in and lets the collector check it. */
export async function checkOrder(page: Page, { side, amount, price }: Wish): Promise<void> {
  await page.getByLabel(side, { exact: true }).check();
  await page.getByLabel('How much (GRID)').fill(amount);
  await page.getByLabel('At what price (GRX/kWh)').fill(price);
  await page.getByRole('button', { name: 'Check the order' }).click();
}

/** What is said of the form's order; the orders that there are have a place of their own for it. */
export const confirmed = (page: Page) => page.locator('form').getByText('Confirmed by the chain.');

/** Makes an order and waits until the chain has it. */
export async function makeOrder(page: Page, wish: Wish): Promise<void> {
  await checkOrder(page, wish);
  await page.getByRole('button', { name: 'Sign and send' }).click();
  await confirmed(page).waitFor();
}

/** How a page is looked at. */
export const LOOKS = [
  { name: 'desktop', size: SIZES.desktop, colorScheme: 'light', locale: 'en-GB' },
  { name: 'desktop-dark-th', size: SIZES.desktop, colorScheme: 'dark', locale: 'th-TH' },
  { name: 'phone-th', size: SIZES.phone, colorScheme: 'light', locale: 'th-TH' },
  { name: 'phone-dark', size: SIZES.phone, colorScheme: 'dark', locale: 'en-GB' },
  { name: 'wall-dark', size: { width: 1920, height: 1080 }, colorScheme: 'dark', locale: 'en-GB' },
] as const;
export type Look = (typeof LOOKS)[number];

export const lookOptions = ({ size, colorScheme, locale }: Look) => ({ viewport: size, colorScheme, locale });

/** Takes a picture; nothing is wider than the window, and axe finds nothing serious. */
export async function inspect(page: Page, name: string, look: Look): Promise<void> {
  await takePicture(page, `${name}-${look.name}`);
  const width = await page.evaluate<number>('document.documentElement.scrollWidth');
  expect(width, `${name} ${look.name}`).toBeLessThanOrEqual(look.size.width);
  expect(await seriousIssues(page), `${name} ${look.name}`).toEqual([]);
}
