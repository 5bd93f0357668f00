import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchMeter, signMessage } from '@gridtokenx/chain';
import { encodeReading, fromReading, type Reading } from '@gridtokenx/protocol';
import type { Browser, Locator, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPerson, type Person, persist, type Terminal, terminalOf, told } from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import { enterWithKey, inspect, LOOKS, lookOptions, show } from './actions.js';
import {
  hasChromium,
  openBrowser,
  openWindow,
  takeDocumentedPicture,
  takePicture,
  type Window,
} from './browser.js';

/*
 * Live and My home in a real browser against the whole running system: the demo's home produces, its readings become tokens,
 * and the page checks for itself that they are what the meter has signed.
 */

const QUARTER_SECONDS = 900;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

/**
 * How far the windows' zone is ahead of UTC: it is as near to noon there as can be, so that no midnight falls into the test; and
 * its days begin on another date of UTC.
 */
const HOURS_AHEAD = (() => {
  const fromNoon = (hours: number) => Math.abs(((new Date().getUTCHours() + hours) % 24) - 12);
  return Array.from({ length: 14 }, (_, index) => index + 1).reduce((best, hours) =>
    fromNoon(hours) < fromNoon(best) ? hours : best,
  );
})();
/** Unix seconds of the last midnight there. */
const midnightBefore = (time: number) => time - ((time + HOURS_AHEAD * HOUR_SECONDS) % DAY_SECONDS);
/** Its date there, `2026-11-23`. */
const dateThere = (time: number) =>
  new Date((time + HOURS_AHEAD * HOUR_SECONDS) * 1000).toISOString().slice(0, 10);
/** POSIX counts the hours behind UTC. */
const zoneAhead = (hours: number) => `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;

describe.skipIf(!hasChromium())('Live and My home', () => {
  let system: RunningSystem;
  let terminal: Terminal;
  let browser: Browser;
  let url: string;
  let neighbour: Person;
  let home: Window;

  beforeAll(async () => {
    system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    terminal = terminalOf(system);
    url = system.url('collector', 'http');
    browser = await openBrowser();
    neighbour = await newPerson(terminal, 'neighbour');
    await bringDay(neighbour, 'MTR-DAY');
    home = await open();
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
  });

  const open = () => openWindow(browser, { timezoneId: zoneAhead(HOURS_AHEAD) });
  const ownerKey = () => join(system.dataDir, 'keys', 'owner.json');

  /**
   * A home whose gateway was cut off, and now brings the readings of yesterday, six hours each, and those of today, a quarter of
   * an hour each; one ends at each of yesterday's midnights. Sun from six to six, and somebody at home in the morning and the
   * evening. Rated so high that the seconds since its registration are enough for their energy.
   */
  async function bringDay(person: Person, meterId: string): Promise<void> {
    const registrar = join(terminal.dataDir, 'keys', 'registrar.json');
    await told(terminal, 'register-user', '--wallet-key', person.keyFile, '--payer-key', registrar);
    await told(terminal, 'verify-user', '--wallet', person.wallet);
    await told(
      terminal,
      ...[
        'register-meter',
        '--meter-id',
        meterId,
        '--owner-key',
        person.keyFile,
        '--rated-watts',
        '1000000000',
      ],
    );
    const meter = system.key(`meters/${meterId}`);
    const account = await fetchMeter(system.connection, meterId);
    if (!account) throw new Error(`${meterId} is not registered`);
    const now = Math.floor(Date.now() / 1000) + 1;
    const midnight = midnightBefore(now);
    let last = { flags: 0, sequence: 0n, producedTotal: 0n, consumedTotal: 0n, surplusTotal: 0n };
    const ends = [24, 18, 12, 6, 0].map((hours) => midnight - hours * HOUR_SECONDS);
    // The chain takes no reading from before the registration; the one after it, and no other, stands for all of them.
    for (let end = midnight + QUARTER_SECONDS; end < account.lastEnd; end += QUARTER_SECONDS) ends.push(end);
    ends.push(now);
    for (const [index, end] of ends.entries()) {
      const hour = (24 + (end - midnight) / HOUR_SECONDS) % 24;
      // The last one has some at any hour, so that there is something to mint.
      const least = end === now ? 0.9 : 0;
      const sun = Math.max(least, Math.sin(((hour - 6) / 12) * Math.PI));
      const people = 0.2 + Math.exp(-((hour - 7) ** 2)) + 1.5 * Math.exp(-(((hour - 19.5) / 2) ** 2));
      const [produced, consumed] = [sun * 1.2, people * 0.3].map((kwh) => BigInt(Math.round(kwh * 1e9))) as [
        bigint,
        bigint,
      ];
      const reading: Reading = {
        flags: 0,
        sequence: last.sequence + 1n,
        intervalStart: ends[index - 1] ?? end - 6 * HOUR_SECONDS,
        intervalEnd: end,
        producedTotal: last.producedTotal + produced,
        consumedTotal: last.consumedTotal + consumed,
        surplusTotal: last.surplusTotal + (produced > consumed ? produced - consumed : 0n),
      };
      const body = fromReading({
        meterId,
        wallet: person.wallet,
        reading,
        amountNkwh: reading.surplusTotal - last.surplusTotal,
        signature: signMessage(meter, encodeReading(reading)),
        publicKey: meter.publicKey.toBytes(),
      });
      await waitFor(`reading ${reading.sequence} of ${meterId} is stored`, async () => {
        const answer = await fetch(new URL('/api/meters/submit-reading', url), {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
        return true;
      });
      last = reading;
    }
  }

  const readings = (page: Page) =>
    page.getByRole('region', { name: 'Readings', exact: true }).locator('tbody tr');
  const newestNumber = async (page: Page) =>
    Number(await readings(page).first().locator('td').nth(1).textContent());
  const card = (page: Page, name: string): Locator => page.getByRole('region', { name, exact: true });
  /** A figure's number and unit, by its name. */
  const figure = async (within: Locator, name: string) =>
    (await within.locator('.figure', { hasText: name }).locator('.value').first().innerText()).trim();

  /** Hands the page something else than the collector answered. */
  async function tamper(page: Page, path: string, change: (body: never) => void): Promise<void> {
    await page.route(path, async (route: Route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as never;
      change(body);
      await route.fulfill({ response: answer, json: body });
    });
  }

  test('a reading appears in the owner’s home, and the page has verified its signature', async () => {
    const { page } = home;
    await show(page, url, 'home');
    await page.getByText('whether the gateway in your home is well').waitFor();
    await enterWithKey(page, ownerKey());
    await readings(page).first().getByText('signature valid').waitFor();
    const before = await newestNumber(page);
    await waitFor('a later one appears by itself', async () => (await newestNumber(page)) > before);
    await readings(page).first().getByText('signature valid').waitFor();
    expect(await page.getByText('signature invalid').count()).toBe(0);
    // The sums over the period are of the same readings.
    const history = card(page, `Readings of ${system.meterId}`);
    await waitFor('the sum of the day is that of the database', async () => {
      const [row] = await system.query<{ surplus: string }>(
        'SELECT surplus_total::text AS surplus FROM meter_readings WHERE meter_id = $1 ORDER BY sequence DESC LIMIT 1',
        [system.meterId],
      );
      const shown = Number((await figure(history, 'Surplus')).split(/\s/)[0]);
      return shown > 0 && Math.abs(shown - Number(row?.surplus) / 1e9) < 0.01;
    });
    for (const [period, step] of [
      ['Week', 'hour'],
      ['Month', 'day'],
      ['Day', 'quarter'],
    ] as const) {
      await Promise.all([
        page.waitForResponse((answer) => answer.url().includes('/energy?') && answer.url().includes(step)),
        page.getByRole('button', { name: period, exact: true }).click(),
      ]);
      await history.locator('.energy[aria-busy=false] .chart canvas').waitFor();
      await waitFor(`the ${period} has a sum`, async () => /\d/.test(await figure(history, 'Surplus')));
    }
    await page.getByRole('button', { name: 'Earlier' }).click();
    await page.getByText('No readings in this time.').waitFor();
    await page.getByRole('button', { name: 'Later' }).click();
    await readings(page).first().waitFor();
  }, 600_000);

  test('a page of readings that is awaited is turned to once', async () => {
    const { page } = home;
    const [older, newer] = ['Older', 'Newer'].map((name) =>
      page.getByRole('button', { name: `${name} readings` }),
    ) as [Locator, Locator];
    await waitFor('there is more than a page', () => older.isEnabled());
    const [asked, go] = [gate(), gate()];
    await page.route('**/readings?*cursor=*', async (route) => {
      asked.open();
      await go.opened;
      await route.continue();
    });
    await older.click();
    await asked.opened;
    await older.click();
    const second = page.waitForResponse((answer) => answer.url().includes('cursor='));
    go.open();
    const { items } = (await (await second).json()) as { items: { sequence: string }[] };
    await waitFor(
      'the second page is there',
      async () => (await newestNumber(page)) === Number(items[0]?.sequence),
    );
    await page.unrouteAll({ behavior: 'wait' });
    await newer.click();
    await waitFor(
      'it is the first one again',
      async () => (await newestNumber(page)) > Number(items[0]?.sequence),
    );
    expect(await newer.isDisabled()).toBe(true);
    // It has kept the keyboard's place.
    expect(await newer.evaluate((one) => one.ownerDocument.activeElement === one)).toBe(true);
  }, 600_000);

  test('a day’s readings and table are those of its plot, from midnight to midnight', async () => {
    const { page, complaints, close } = await open();
    await show(page, url, 'home');
    await enterWithKey(page, neighbour.keyFile);
    const day = card(page, 'Readings of MTR-DAY');
    const energy = day.locator('.energy');
    await day.locator('.chart canvas').waitFor();
    await waitFor('its own day is there', async () => (await energy.getAttribute('aria-busy')) === 'false');
    const label = () => day.locator('.chart').getAttribute('aria-label');
    const today = await label();
    const go = gate();
    await page.route('**/energy?*', async (route) => {
      await go.opened;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Earlier' }).click();
    // Until yesterday's are there it is still today's that is on show, and that is said.
    await waitFor('it is marked', async () => (await energy.getAttribute('aria-busy')) === 'true');
    expect(await label()).toBe(today);
    expect(today).not.toContain(await day.locator('strong').innerText());
    go.open();
    await waitFor('yesterday is there', async () => (await energy.getAttribute('aria-busy')) === 'false');
    expect(await label()).toContain(await day.locator('strong').innerText());
    await page.unrouteAll({ behavior: 'wait' });

    const midnight = midnightBefore(Math.floor(Date.now() / 1000));
    const ends = [0, 6, 12, 18].map((hours) =>
      new Date((midnight - hours * HOUR_SECONDS) * 1000).toISOString().replace('.000', ''),
    );
    expect(await figure(day, 'Readings')).toBe(String(ends.length));
    await waitFor('its readings', async () => (await readings(page).count()) === ends.length);
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ]);
    expect(file.suggestedFilename()).toBe(`MTR-DAY-${dateThere(midnight - DAY_SECONDS)}-day.csv`);
    const [names = [], ...rows] = readFileSync(await file.path(), 'utf8')
      .trim()
      .split('\r\n')
      .map((line) => line.split(','));
    const column = (name: string) => rows.map((row) => row[names.indexOf(name)] as string);
    expect(column('interval_end').reverse()).toEqual(ends);
    const surplus = column('surplus_kwh').reduce((sum, kwh) => sum + Number(kwh), 0);
    expect(Number((await figure(day, 'Surplus')).split(/\s/)[0])).toBeCloseTo(surplus, 2);

    // A certificate that is issued meanwhile appears.
    const certificates = card(page, 'Certificates');
    await certificates.getByText('No certificates yet.').waitFor();
    const meter = ['--meter-id', 'MTR-DAY', '--owner-key', neighbour.keyFile];
    const byHand = ['--source', 'solar', '--include-settled', '--min-kwh', '1000'];
    await told(terminal, 'certificates', 'opt-in', ...meter, ...byHand);
    await persist(terminal, 'certificates', 'issue', ...meter, '--kwh', '0.1');
    await certificates.getByRole('cell', { name: '0.1', exact: true }).waitFor();
    expect(complaints).toEqual([]);
    await close();
  }, 600_000);

  test('at midnight the day that is on show is the next one, and nothing vanishes', async () => {
    const untilMidnight = (page: Page) =>
      page.evaluate<number>('new Date().setHours(24, 0, 0, 0) - Date.now()');
    // The last hour of a day, or the one before: it does not end by itself before the test is through.
    const started = new Date();
    const ahead = (started.getUTCMinutes() < 45 ? 23 : 22) - started.getUTCHours();
    const open = async () => {
      const window = await openWindow(browser, { timezoneId: zoneAhead(ahead > 14 ? ahead - 24 : ahead) });
      await window.page.clock.install();
      return window;
    };
    const live = await open();
    await show(live.page, url, 'live');
    const power = card(live.page, 'Power now');
    await power.locator('.chart canvas').waitFor();
    const cards = await live.page.locator('main .card').count();
    const since: string[] = [];
    const [asked, go] = [gate(), gate()];
    const first = (
      await live.page.evaluate<string>('new Date(new Date().setHours(24, 0, 0, 0)).toISOString()')
    ).replace('.000', '');
    await live.page.route('**/api/overview*', async (route) => {
      since.push(new URL(route.request().url()).searchParams.get('since') ?? '');
      if (since.at(-1) === first) asked.open();
      await go.opened;
      await route.continue();
    });
    await live.page.clock.fastForward((await untilMidnight(live.page)) + 1000);
    await asked.opened;
    expect(await live.page.locator('main .card').count()).toBe(cards);
    const next = live.page.waitForResponse((answer) => answer.url().includes(encodeURIComponent(first)));
    go.open();
    await next;
    expect(await live.page.locator('main .card').count()).toBe(cards);
    await live.page.unrouteAll({ behavior: 'ignoreErrors' });
    await live.close();

    const mine = await open();
    await show(mine.page, url, 'home');
    await enterWithKey(mine.page, ownerKey());
    const day = card(mine.page, `Readings of ${system.meterId}`);
    const title = () => day.locator('strong').innerText();
    await day.waitFor();
    const before = await title();
    // Whoever looks at an earlier day and comes back looks at today again.
    await mine.page.getByRole('button', { name: 'Earlier' }).click();
    await waitFor('the day before', async () => (await title()) !== before);
    await mine.page.getByRole('button', { name: 'Later' }).click();
    await waitFor('today again', async () => (await title()) === before);
    await mine.page.clock.fastForward((await untilMidnight(mine.page)) + 1000);
    await waitFor('the next day', async () => (await title()) !== before);
    expect(await mine.page.getByRole('button', { name: 'Later' }).isDisabled()).toBe(true);
    await mine.page.unrouteAll({ behavior: 'ignoreErrors' });
    await mine.close();
  }, 600_000);

  test('power now follows the meter, and the gateway tells how it is', async () => {
    const { page } = home;
    const power = card(page, 'My power now');
    const watts = async () => {
      const [value = '', unit = ''] = (await figure(power, 'Production')).split(/\s+/);
      return Number(value) * (unit === 'kW' ? 1000 : 1);
    };
    // The demo's meter sits where the house meets the grid: what the house needs itself it does not see.
    await system.setPower({ solar_watts: 4200, household_watts: 700 });
    await waitFor('it feeds 3.5 kW in', async () => Math.abs((await watts()) - 3500) < 200);
    await system.setPower({ solar_watts: 1300, household_watts: 700 });
    await waitFor('the cloud is seen', async () => Math.abs((await watts()) - 600) < 60);
    await waitFor('the surplus too', async () => /^[56]\d\d\s+W$/.test(await figure(power, 'Surplus')));
    const meters = card(page, 'My meters');
    await meters.getByText('connected', { exact: true }).waitFor();
    for (const text of [
      'The gateway is connected',
      'Its clock is right',
      'The meter answers it.',
      'Software',
    ])
      await meters.getByText(text).waitFor();
    expect(home.complaints).toEqual([]);
  }, 600_000);

  test('Live: power, the day’s curve, and the way of the readings, whose counts rise', async () => {
    const { page, complaints, close } = await openWindow(browser);
    await show(page, url, 'live');
    await waitFor('power is told', async () =>
      /kW|W/.test(await figure(card(page, 'Power now'), 'Production')),
    );
    await card(page, 'Power now').locator('.chart canvas').waitFor();
    const stages = page.getByRole('list', { name: 'The way of the readings, stage by stage' });
    const counts = async () =>
      (await stages.locator('.station > .value').allInnerTexts()).map((text) =>
        Number(text.replace(/,/g, '')),
      );
    await waitFor('something has come to every stage', async () => {
      const now = await counts();
      return now.length === 5 && now.every((count) => count > 0);
    });
    const before = await counts();
    await waitFor('the counts rise', async () =>
      (await counts()).every((count, stage) => count > (before[stage] ?? Number.POSITIVE_INFINITY)),
    );
    // A reading that moves on is a dot in the pipe.
    await page.locator('.pipe .dot').first().waitFor({ state: 'attached' });
    // The same in words, for those who do not look.
    const words = await stages.innerText();
    for (const name of ['Received', 'Stored', 'Accepted by the chain', 'Minted', 'Final'])
      expect(words).toContain(name);
    expect(words).toMatch(/\d+ in the last minute/);
    expect(words).toMatch(/after [\d.]+ (s|min|h)/);
    const grid = card(page, 'GRID');
    await waitFor('GRID of today', async () => /^[\d.,]+\s+GRID$/.test(await figure(grid, 'Minted today')));
    expect(complaints).toEqual([]);
    await close();

    // Nothing moves for those who asked for that.
    const still = await openWindow(browser, { reducedMotion: 'reduce' });
    await show(still.page, url, 'live');
    const quiet = still.page.getByRole('list', { name: 'The way of the readings, stage by stage' });
    const stored = async () => await quiet.locator('.station > .value').nth(1).innerText();
    await quiet.waitFor();
    const first = await stored();
    await waitFor('readings are stored meanwhile', async () => (await stored()) !== first);
    expect(await still.page.locator('.pipe .dot').count()).toBe(0);
    await still.close();
  }, 600_000);

  test('a mint appears on Live, and anybody’s browser verifies the readings behind it', async () => {
    const { page, complaints, close } = await openWindow(browser);
    await show(page, url, 'live');
    const target = async () => await mintsOf(page).first().getAttribute('href');
    const before = await target();
    await waitFor('a later one appears by itself', async () => (await target()) !== before);
    await mintsOf(page).first().click();
    await page.getByRole('heading', { name: 'Transaction', exact: true }).waitFor();
    expect(await page.evaluate('localStorage.getItem("gtx.session")')).toBe(null);
    await page.getByText('These are the bytes of this transaction').waitFor();
    const proof = page.getByRole('article').first();
    await proof.getByText('Signature valid').waitFor();
    expect(await page.getByText('did not sign').count()).toBe(0);
    const signature = decodeURIComponent(new URL(page.url()).hash.slice('#/live/'.length));
    // What it shows is what the database has of the reading.
    const [row] = await system.query<{ meter_id: string; sequence: string; surplus: string; signed: string }>(
      `SELECT c.meter_id, c.sequence, c.surplus_total AS surplus, r.meter_signature AS signed
       FROM chain_readings c JOIN meter_readings r USING (meter_id, sequence) WHERE c.signature = $1
       ORDER BY c.meter_id, c.sequence LIMIT 1`,
      [signature],
    );
    const text = await proof.innerText();
    expect(text).toContain(row?.meter_id);
    expect(text).toMatch(new RegExp(`\\b${row?.sequence}\\b`));
    await proof.getByText('What was signed').click();
    await proof.getByText(row?.signed ?? '').waitFor();
    await page.getByText('ProductionMinted').first().waitFor();
    await takeDocumentedPicture(page, 'transaction');
    expect(complaints).toEqual([]);
    await close();
  }, 600_000);

  test('figures that the meter did not sign are called invalid', async () => {
    const forged = await openWindow(browser);
    const { page } = forged;
    const [row] = await system.query<{ signature: string; other: string }>(
      `SELECT min(signature) AS signature, max(signature) AS other FROM chain_readings`,
    );
    const path = `live/${row?.signature}`;
    // One nkWh more than was signed.
    await tamper(page, '**/api/transactions/*', (body: { readings: { surplus_total: string }[] }) => {
      for (const reading of body.readings) reading.surplus_total = String(BigInt(reading.surplus_total) + 1n);
    });
    await show(page, url, path);
    await page.getByText('did not sign these figures').first().waitFor();
    expect(await page.getByText('Signature valid').count()).toBe(0);
    await page.unrouteAll({ behavior: 'ignoreErrors' });

    // Another transaction's bytes under this one's name.
    const other = (await (await fetch(new URL(`/api/transactions/${row?.other}`, url))).json()) as {
      transaction: string;
      readings: unknown[];
    };
    await tamper(page, '**/api/transactions/*', (body: typeof other) => {
      body.transaction = other.transaction;
      body.readings = other.readings;
    });
    await page.reload();
    await page.getByText('What was handed out is not this transaction').waitFor();
    expect(await page.getByText('Signature valid').count()).toBe(0);
    await page.unrouteAll({ behavior: 'ignoreErrors' });

    await tamper(page, '**/api/meters/*/readings?*', (body: { items: { surplus_total: string }[] }) => {
      for (const item of body.items) item.surplus_total = String(BigInt(item.surplus_total) + 1n);
    });
    await show(page, url, 'home');
    await enterWithKey(page, ownerKey());
    await page.getByText('signature invalid').first().waitFor();
    expect(await page.getByText('signature valid').count()).toBe(0);
    // The page goes on asking: what is under way when it closes is nobody's fault.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await forged.close();
  }, 600_000);

  test('a transaction that is confirmed while it is looked at is not called forged, and one’s own share appears', async () => {
    const { page, complaints, close } = await open();
    await page.addInitScript(`
      globalThis.called = 0;
      new MutationObserver((changes) => {
        for (const one of changes.flatMap(({ addedNodes }) => [...addedNodes]))
          if (one.matches?.('.verdict.bad') || one.querySelector?.('.verdict.bad')) globalThis.called += 1;
      }).observe(document, { childList: true, subtree: true });
    `);
    await show(page, url, 'home');
    await enterWithKey(page, ownerKey());
    const [row] = await system.query<{ signature: string }>(
      'SELECT signature FROM chain_readings WHERE meter_id = $1 ORDER BY sequence DESC LIMIT 1',
      [system.meterId],
    );
    const pending = { state: 'pending', transaction: null, readings: [], accepted_in: [], events: [] };
    const go = gate();
    // The later answers wait until what the first one says was seen.
    await page.route('**/api/transactions/*', async (route) => {
      await go.opened;
      await route.continue();
    });
    // The first answers are from before it was confirmed.
    for (const [path, earlier] of [
      ['**/api/transactions/*', pending],
      ['**/api/settlements?*limit=100*', { items: [] }],
    ] as const)
      await page.route(
        path,
        async (route) => {
          const answer = await route.fetch();
          await route.fulfill({ response: answer, json: { ...(await answer.json()), ...earlier } });
        },
        { times: 1 },
      );
    await page.evaluate(`location.hash = '#/live/${row?.signature}'`);
    await page.getByText('waits for the chain', { exact: true }).waitFor();
    go.open();
    await page.getByText('These are the bytes of this transaction').waitFor();
    await page.getByRole('article').first().getByText('Signature valid').waitFor();
    expect(await page.evaluate('globalThis.called')).toBe(0);
    await card(page, 'Of my meters').getByRole('link', { name: system.meterId }).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    expect(complaints).toEqual([]);
    await close();
  }, 600_000);

  test('another’s data is refused, by the collector', async () => {
    const { page } = home;
    const kept = [...home.complaints];
    const status = (path: string) =>
      page.evaluate<number>(`(async () => {
        const { access_token } = JSON.parse(localStorage.getItem('gtx.session'));
        const answer = await fetch(${JSON.stringify(path)}, { headers: { authorization: 'Bearer ' + access_token } });
        return answer.status;
      })()`);
    expect(await status(`/api/meters/${system.meterId}/live`)).toBe(200);
    const period = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&step=hour';
    for (const path of [
      '/api/meters/MTR-DAY/readings',
      '/api/meters/MTR-DAY/live',
      `/api/power?wallet=${neighbour.wallet}`,
      `/api/balances/${neighbour.wallet}`,
      `/api/settlements?wallet=${neighbour.wallet}`,
      `/api/energy/own?wallet=${neighbour.wallet}&${period}`,
    ])
      expect(await status(path), path).toBe(403);
    // Asked for by its address, another's meter is not shown: one's own is.
    await show(page, url, 'live');
    await page.getByRole('heading', { name: 'Live', exact: true }).waitFor();
    await Promise.all([
      page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/meters'),
      show(page, url, 'home/MTR-DAY'),
    ]);
    await card(page, `Readings of ${system.meterId}`).waitFor();
    expect(await page.getByText('MTR-DAY').count()).toBe(0);
    const stranger = await openWindow(browser);
    await show(stranger.page, url, 'live');
    for (const path of [
      '/api/meters/MTR-DAY/readings',
      '/api/meters/MTR-DAY/live',
      '/api/power',
      '/api/fleet',
    ])
      expect(
        await stranger.page.evaluate<number>(`fetch('${path}').then(({ status }) => status)`),
        path,
      ).toBe(401);
    await stranger.close();
    // The browser itself writes refusals into the console.
    home.complaints.splice(0, home.complaints.length, ...kept);
  }, 600_000);

  test('a wallet without a meter is told what comes next', async () => {
    const newcomer = await newPerson(terminal, 'newcomer');
    const { page, complaints, close } = await openWindow(browser, { locale: 'th-TH' });
    await show(page, url, 'home');
    await page.locator('input[type=file]').setInputFiles(newcomer.keyFile);
    await page.getByText('ยังไม่มีมิเตอร์').waitFor();
    await page.getByText(newcomer.wallet).waitFor();
    expect(complaints).toEqual([]);
    await close();
  }, 600_000);

  test.each(LOOKS)(
    '$name: nothing in the console, nothing serious for axe, nothing wider than the window',
    async (look) => {
      const { page, complaints, close } = await openWindow(browser, lookOptions(look));
      await show(page, url, 'home');
      await page.locator('input[type=file]').waitFor();
      await inspect(page, 'home-login', look);
      await show(page, url, 'live');
      await page.locator('.pipeline').waitFor();
      await page.locator('.chart canvas').waitFor();
      await mintsOf(page).first().waitFor();
      await page.locator('.parts li').first().waitFor({ state: 'attached' });
      await inspect(page, 'live', look);
      if (look.name === 'desktop') {
        // So tall that the whole way is in it.
        await page.setViewportSize({ width: look.size.width, height: 1010 });
        await takeDocumentedPicture(page, 'live');
        await page.setViewportSize(look.size);
      }
      if (look.name === 'wall-dark') {
        const { height } = look.size;
        const tall = await page.evaluate<number>('document.documentElement.scrollHeight');
        expect(tall, 'Live on a wall does not scroll').toBeLessThanOrEqual(height);
        await takeDocumentedPicture(page, 'wall');
      }
      await mintsOf(page).first().click();
      await page.locator('.verdict.good').nth(1).waitFor();
      await inspect(page, 'transaction', look);
      await show(page, url, 'home');
      await page.locator('input[type=file]').setInputFiles(ownerKey());
      await page.locator('.chart canvas').waitFor();
      await page.locator('.gateway .well').first().waitFor();
      await page.locator('td .tag.good').first().waitFor();
      await inspect(page, 'home', look);
      if (look.name === 'desktop') await takeDocumentedPicture(page, 'home');
      if (look.name === 'phone-dark') await takeDocumentedPicture(page, 'home-phone');
      expect(complaints, look.name).toEqual([]);
      await close();
    },
    600_000,
  );

  test('a day that was brought later is drawn, and its energy has become tokens', async () => {
    const { page, complaints, close } = await open();
    await show(page, url, 'home');
    await enterWithKey(page, neighbour.keyFile);
    const day = card(page, 'Readings of MTR-DAY');
    await day.locator('.chart canvas').waitFor();
    await readings(page).first().getByText('minted', { exact: true }).waitFor();
    await card(page, 'My meters')
      .getByText(/^(connected|silent)$/)
      .waitFor();
    await takePicture(page, 'home-day');
    await page.evaluate("document.querySelector('.chart').closest('.card').scrollIntoView()");
    await takeDocumentedPicture(page, 'home-day');
    // Its one transaction stands for every reading before it.
    await readings(page).first().locator('a').click();
    const proof = page.getByRole('article').first();
    await proof.getByText('Signature valid').waitFor();
    expect(await proof.innerText()).toMatch(/1–\d+/);
    expect(complaints).toEqual([]);
    await close();
  }, 600_000);

  test('a lost connection is told, and heals by itself', async () => {
    const { page } = home;
    await page.locator('output.link.up').waitFor();
    expect(home.complaints).toEqual([]);
    // Noted by the page itself: whoever looks only now and then may find it healed already.
    await page.evaluate(`(() => {
      globalThis.lost = false;
      const link = document.querySelector('output.link');
      const look = () => (globalThis.lost ||= link.classList.contains('down'));
      new MutationObserver(look).observe(link, { attributes: true });
    })()`);
    const killed = system.kill('collector');
    await waitFor('it is told', () => page.evaluate<boolean>('globalThis.lost'));
    await system.revived('collector', killed);
    await page.locator('output.link.up').waitFor();
    const before = await newestNumber(page);
    await waitFor('readings go on to appear', async () => (await newestNumber(page)) > before);
    // Refused connections are in the console; nothing that the page itself did wrong.
    expect(home.complaints.filter((text) => !/ERR_CONNECTION|WebSocket|Failed to load/.test(text))).toEqual(
      [],
    );
  }, 600_000);
});

/** Something that is waited for until it is let through. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** In any language. */
const mintsOf = (page: Page) => page.locator('.mints tbody a');
