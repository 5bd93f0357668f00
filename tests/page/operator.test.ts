import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureTokenAccounts,
  fetchMeter,
  ownerMessageFor,
  registerMeter,
  registerUser,
  signMessage,
  verifyUser,
} from '@gridtokenx/chain';
import { encodeBase58 } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPerson, produce, terminalOf } from '../support/market.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import { enterAsOperator, enterWithKey, inspect, LOOKS, lookOptions, show } from './actions.js';
import { hasChromium, openBrowser, openWindow, takeDocumentedPicture, type Window } from './browser.js';
import { TestWallet } from './test-wallet.js';

/*
 * The operator's page in a real browser against the whole running system: who may see it, the fleet with its filters and map,
 * live traffic, settlement, decisions, health and audit.
 */

/** Meters whose gateways are rows that the intake would have written: what of them is wrong. */
const FLEET: readonly {
  state: 'online' | 'silent' | 'offline' | 'never';
  trouble?: 'clock' | 'bus' | 'outbox';
}[] = [
  ...Array.from({ length: 7 }, () => ({ state: 'online' as const })),
  { state: 'online', trouble: 'clock' },
  { state: 'online', trouble: 'bus' },
  { state: 'silent' },
  { state: 'silent', trouble: 'outbox' },
  { state: 'offline' },
  { state: 'never' },
];
const idOf = (index: number) => `FARM-${String(index + 1).padStart(2, '0')}`;

describe.skipIf(!hasChromium())('the operator’s page', () => {
  let system: RunningSystem;
  let browser: Browser;
  let url: string;
  let operator: Window;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gtx-sites-'));
    const sites = join(folder, 'sites.json');
    const places = [...FLEET.keys()].map((index) => [
      idOf(index),
      // Around a small town, in no pattern.
      {
        latitude: 18.79 + ((7 * index ** 2 + 3 * index) % 29) / 700,
        longitude: 98.98 + ((5 * index ** 2 + 11 * index) % 31) / 300,
      },
    ]);
    writeFileSync(sites, JSON.stringify({ meters: Object.fromEntries(places) }));
    system = await RunningSystem.start({
      args: ['--interval-seconds', '2'],
      // What is made wrong for an audit to find is not to be put right before it has looked.
      env: { GTX_SITES_FILE: sites, GTX_RECONCILE_REPAIR: 'off' },
    });
    url = system.url('collector', 'http');
    browser = await openBrowser();
    await registerFarm();
    operator = await openWindow(browser);
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  async function registerFarm(): Promise<void> {
    const { connection } = system;
    const registrar = system.key('registrar');
    const owner = Keypair.generate();
    await registerUser(connection, { payer: registrar, wallet: owner });
    await verifyUser(connection, { payer: registrar, registrar, wallet: owner.publicKey });
    await ensureTokenAccounts(connection, registrar, [owner.publicKey]);
    for (const index of FLEET.keys()) {
      const key = Keypair.generate();
      const meterId = idOf(index);
      await registerMeter(connection, {
        payer: registrar,
        owner,
        registrar,
        meterId,
        publicKey: key.publicKey.toBytes(),
        consent: signMessage(key, await ownerMessageFor(connection, meterId, owner.publicKey)),
        ratedWatts: 10_000,
      });
    }
    await waitFor(
      'the collector knows them',
      async () =>
        (await system.count(`SELECT count(*) FROM meters WHERE meter_id LIKE 'FARM-%'`)) === FLEET.length,
    );
    for (const [index, { state, trouble }] of FLEET.entries()) {
      if (state === 'never') continue;
      await system.query(
        `INSERT INTO fleet (meter_id, online, changed_at, heard_at, status_at, status_seen, version, outbox_depth,
           outbox_waiting, clock_synchronised, clock_offset_ms, bus_ok, bus_failures, bus_last_error, bus_devices,
           telemetry_at, telemetry_seen, production_watts, consumption_watts, grid_watts)
         SELECT $1, $2, now() - interval '3 hours', heard, heard, heard, $4, $5::bigint, $5::bigint > 4, $6, 12, $7, $8, $9, $10,
           heard, heard, $11::int, 420, 420 - $11::int
         FROM (SELECT now() + $3::interval AS heard) h`,
        [
          idOf(index),
          state !== 'offline',
          // Heard from for as long as the test takes.
          state === 'online' ? '2 hours' : '-40 minutes',
          index % 4 === 0 ? '0.0.9' : '0.1.0',
          trouble === 'outbox' ? 48 : 0,
          trouble !== 'clock',
          trouble !== 'bus',
          trouble === 'bus' ? 17 : 0,
          trouble === 'bus' ? 'METER_BUS_ERROR' : null,
          JSON.stringify([
            {
              role: 'grid',
              unit: 1,
              ok: trouble !== 'bus',
              failures: trouble === 'bus' ? 17 : 0,
              last_error: trouble === 'bus' ? 'METER_BUS_ERROR' : undefined,
              last_success: Math.floor(Date.now() / 1000) - 3_600,
            },
          ]),
          1_000 + 300 * index,
        ],
      );
    }
  }

  /** Rows of the list by their meters. */
  const listed = (page: Page) =>
    page.getByRole('region', { name: 'All meters' }).locator('tbody tr td:first-child').allInnerTexts();
  const wanted = (test: (one: (typeof FLEET)[number]) => boolean) =>
    [...FLEET.entries()].filter(([, one]) => test(one)).map(([index]) => idOf(index));

  test('an owner who is no operator gets nothing, from the collector', async () => {
    const { page, complaints, close } = await openWindow(browser);
    await show(page, url, 'operator');
    await enterWithKey(page, join(system.dataDir, 'keys', 'owner.json'));
    await page.getByText('This wallet is no operator’s.').waitFor();
    expect(await page.getByRole('region').count()).toBe(1);
    const refused = await page.evaluate<Record<string, number>>(`(async () => {
      const { access_token } = JSON.parse(localStorage.getItem('gtx.session'));
      const headers = { authorization: 'Bearer ' + access_token };
      const paths = ['status', 'fleet', 'fleet/summary', 'settlement', 'health', 'audit', 'alerts', 'reviews'];
      const answers = await Promise.all(paths.map((path) => fetch('/api/' + path, { headers })));
      return Object.fromEntries(paths.map((path, index) => [path, answers[index].status]));
    })()`);
    expect(new Set(Object.values(refused))).toEqual(new Set([403]));
    const channels = await page.evaluate<string[]>(`new Promise((resolve) => {
      const { access_token } = JSON.parse(localStorage.getItem('gtx.session'));
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
      const names = ['fleet', 'traffic', 'alerts', 'reviews'];
      const codes = [];
      socket.onopen = () => {
        socket.send(JSON.stringify({ op: 'auth', access_token }));
        for (const channel of names) socket.send(JSON.stringify({ id: channel, op: 'subscribe', channel }));
      };
      socket.onmessage = ({ data }) => {
        const { id, error, ok } = JSON.parse(data);
        if (!names.includes(id)) return;
        codes.push(id + ' ' + (ok ? 'ok' : error.code));
        if (codes.length === names.length) { socket.close(); resolve(codes); }
      };
    })`);
    expect(channels.sort()).toEqual(
      ['alerts', 'fleet', 'reviews', 'traffic'].map((channel) => `${channel} FORBIDDEN`),
    );
    // The browser itself tells of refusals.
    expect(complaints.filter((text) => !/status of 40[13]/.test(text))).toEqual([]);
    await close();
  }, 600_000);

  test('the fleet by the server’s filters and search, and each gateway in full', async () => {
    const { page } = operator;
    await show(page, url, 'operator');
    await page.locator('#operator-name').waitFor();
    // A wrong password is called wrong once, a right one never.
    await page.evaluate(`(() => {
      globalThis.told = 0;
      new MutationObserver((changes) => {
        for (const one of changes.flatMap(({ addedNodes }) => [...addedNodes]))
          if (one.matches?.('[role=alert]') || one.querySelector?.('[role=alert]')) globalThis.told += 1;
      }).observe(document, { childList: true, subtree: true });
    })()`);
    await page.locator('#operator-name').fill('operator');
    await page.locator('#operator-password').fill('not this one');
    await page.locator('form button.main').click();
    await page.getByRole('alert').getByText('does not know this name with this password').waitFor();
    await enterAsOperator(page, system.dataDir);
    const silent = page.getByRole('link', { name: 'silent 2' });
    await silent.waitFor();
    expect(await page.evaluate('globalThis.told')).toBe(1);
    await page.getByRole('link', { name: 'Fleet' }).click();
    await waitFor('all are listed', async () => (await listed(page)).length === FLEET.length + 1);

    await page.getByLabel('State', { exact: true }).selectOption('silent');
    await waitFor(
      'the silent ones',
      async () => (await listed(page)).join() === wanted(({ state }) => state === 'silent').join(),
    );
    await page.getByLabel('Trouble').selectOption('outbox');
    await waitFor(
      'with readings that pile up',
      async () => (await listed(page)).join() === wanted(({ trouble }) => trouble === 'outbox').join(),
    );
    // What is chosen is in the address, so that a link leads away from it, and to it again.
    expect(new URL(page.url()).hash).toBe('#/operator/fleet/~silent/~outbox');
    await silent.click();
    const onlySilent = async () =>
      (await listed(page)).join() === wanted(({ state }) => state === 'silent').join();
    await waitFor('the silent ones again', onlySilent);
    await page.getByLabel('State', { exact: true }).selectOption('offline');
    await waitFor(
      'the one that is offline',
      async () => (await listed(page)).join() === wanted(({ state }) => state === 'offline').join(),
    );
    await silent.click();
    await waitFor('the silent ones once more', onlySilent);
    expect(await page.getByLabel('State', { exact: true }).inputValue()).toBe('silent');
    await page.getByLabel('Meter (beginning of its id) or wallet').fill('FARM-11');
    await waitFor('one of them', async () => (await listed(page)).join() === 'FARM-11');
    // Also where the address is the same.
    await silent.click();
    await waitFor('both', onlySilent);
    await page.getByLabel('State', { exact: true }).selectOption('');
    await page.getByLabel('Meter (beginning of its id) or wallet').fill('FARM-1');
    await waitFor(
      'by the beginning of their ids',
      async () =>
        (await listed(page)).join() ===
        [...FLEET.keys()]
          .map(idOf)
          .filter((id) => id.startsWith('FARM-1'))
          .join(),
    );
    // The map has those that the list has.
    await page
      .getByRole('img', { name: /^Map of 4 meters: online 0, silent 2, offline 1, never heard 1/ })
      .waitFor();
    await page.getByLabel('Meter (beginning of its id) or wallet').fill('% or');
    await page.getByText('Write letters, digits').waitFor();
    await page.getByLabel('Meter (beginning of its id) or wallet').fill('');

    const bus = wanted(({ trouble }) => trouble === 'bus')[0] as string;
    await page.getByRole('region', { name: 'All meters' }).getByRole('link', { name: bus }).click();
    const devices = page.getByRole('region', { name: 'Devices on the bus' });
    await devices.getByText('METER_BUS_ERROR').waitFor();
    await page.getByText('does not answer').first().waitFor();
  }, 600_000);

  test('what stays as it is is not drawn again, and the map is one picture however many meters it shows', async () => {
    const { page } = operator;
    await page.getByRole('link', { name: 'Fleet' }).click();
    await waitFor('all are listed', async () => (await listed(page)).length === FLEET.length + 1);
    expect(await page.locator('.map canvas').count()).toBe(1);
    expect(await page.locator('.map canvas ~ *').count()).toBe(1);
    const farm = await system.query<{ time: number }>(
      `SELECT floor(extract(epoch FROM t))::float8 AS time FROM fleet, unnest(ARRAY[changed_at, heard_at]) AS t
       WHERE meter_id LIKE 'FARM-%'`,
    );
    const times = new Set(farm.map(({ time }) => time));
    // Each row is drawn with one of its times in words: these are counted.
    await page.evaluate(`(() => {
      globalThis.worded = [];
      const { get } = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format');
      Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {
        configurable: true,
        get() {
          const format = get.call(this);
          return (date) => (globalThis.worded.push(Math.floor(Number(date) / 1000)), format(date));
        },
      });
    })()`);
    const drawn = async () =>
      (await page.evaluate<number[]>('globalThis.worded.splice(0)')).filter((time) => times.has(time)).length;
    const asked = (path: string) => page.waitForResponse((response) => response.url().includes(path));
    // Of what is asked for again and again, twice all; what the first of them brought is shown before the second.
    for (let round = 0; round < 2; round += 1) await Promise.all(['/api/fleet?', '/api/status'].map(asked));
    await waitFor('something was drawn', () => page.evaluate<boolean>('globalThis.worded.length > 0'));
    expect(await drawn()).toBe(0);
    const one = idOf(FLEET.findIndex(({ state }) => state === 'online'));
    await system.query('UPDATE fleet SET outbox_depth = 3 WHERE meter_id = $1', [one]);
    await page.locator('tr', { hasText: one }).getByRole('cell', { name: '3', exact: true }).waitFor();
    expect(await drawn()).toBe(1);
  }, 240_000);

  test('live traffic: by kind and meter, stopped and gone on with', async () => {
    const { page } = operator;
    await page.getByRole('link', { name: 'Traffic', exact: true }).click();
    const rows = page.getByRole('region', { name: 'Live traffic' }).locator('tbody tr');
    const cells = (row: number) => rows.nth(row).locator('td').allInnerTexts();
    await rows.nth(3).waitFor();
    await page.getByLabel('reading', { exact: true }).check();
    await page.getByLabel('Meter (beginning of its id)').fill(system.meterId.slice(0, 3));
    await waitFor('only readings of this meter', async () => {
      const kinds = await rows.locator('td:nth-child(3)').allInnerTexts();
      const [, , , meter, outcome] = await cells(0);
      return (
        kinds.length > 1 &&
        kinds.every((kind) => kind === 'reading') &&
        meter === system.meterId &&
        outcome?.includes('stored')
      );
    });

    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    const stopped = await cells(0);
    await page.getByText(/Paused; [1-9]\d* newer\./).waitFor();
    expect(await cells(0)).toEqual(stopped);
    await page.getByRole('button', { name: 'Go on' }).click();
    await waitFor('it goes on', async () => (await cells(0)).join() !== stopped.join());

    // A filter that nothing passes shows nothing, and says so.
    await page.getByLabel('Outcome').selectOption('refused');
    await page.getByText('Nothing yet. Messages appear as they come.').waitFor();
    // Stopped before anything came, and looked at through another filter: all are newer.
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused; 0 newer.').waitFor();
    await page.getByLabel('Outcome').selectOption('');
    await page.getByText(/Paused; [1-9]\d* newer\./).waitFor();
    expect(await rows.count()).toBe(0);
  }, 600_000);

  test('a decision asks for its reason in a dialog that the keyboard can leave', async () => {
    const terminal = terminalOf(system);
    await produce(terminal, await newPerson(terminal, 'large'), 'MTR-002', {
      production: '130',
      consumption: '10',
    });
    const { page } = operator;
    await page.getByRole('link', { name: 'Overview' }).click();
    const dismiss = page.locator('tr', { hasText: 'MTR-002/1' }).getByRole('button', { name: 'Put aside' });
    await dismiss.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Put aside: MTR-002/1' });
    await dialog.waitFor();
    // Without a reason nothing can be decided.
    expect(await dialog.getByRole('button', { name: 'Put aside' }).isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Put aside');
    const statusOf = async () =>
      (
        await system.query<{ status: string; note: string | null }>(
          `SELECT status, resolution_note AS note FROM reviews WHERE subject = 'MTR-002/1'`,
        )
      )[0];
    expect(await statusOf()).toEqual({ status: 'open', note: null });

    // Left and asked for again before the first dialog has told that it was closed: the second is there all the same.
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.evaluate(`document.querySelector('dialog').close(), document.activeElement.click()`);
    await dialog.waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).toBe('TEXTAREA');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect(await statusOf()).toEqual({ status: 'open', note: null });

    // Opened within the key's own turn, so that what is typed next is not lost, however busy the machine.
    expect(
      await page.evaluate(
        'document.activeElement.click(), Promise.resolve().then(() => document.activeElement.tagName)',
      ),
    ).toBe('TEXTAREA');
    await page.keyboard.type('the inverter counts twice');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await dismiss.waitFor({ state: 'detached' });
    expect(await statusOf()).toEqual({ status: 'written_off', note: 'the inverter counts twice' });
  }, 600_000);

  test('an operator accepts a reading that was held, and its energy becomes tokens', async () => {
    const terminal = terminalOf(system);
    const owner = await newPerson(terminal, 'larger');
    await produce(terminal, owner, 'MTR-003', { production: '140', consumption: '10' });
    const { page } = operator;
    // The channel brings it: nothing is loaded again.
    const accept = page.locator('tr', { hasText: 'MTR-003/1' }).getByRole('button', { name: 'Accept' });
    await accept.click();
    const dialog = page.getByRole('dialog', { name: 'Accept: MTR-003/1' });
    await dialog.getByLabel('Why').fill('seen on site');
    await dialog.getByRole('button', { name: 'Accept' }).click();
    await accept.waitFor({ state: 'detached' });
    await waitFor('it is minted', async () => {
      const [review] = await system.query<{ status: string; note: string }>(
        `SELECT status, resolution_note AS note FROM reviews WHERE subject = 'MTR-003/1'`,
      );
      const [meter] = await system.query<{ minted: string }>(
        `SELECT chain_minted::text AS minted FROM meters WHERE meter_id = 'MTR-003'`,
      );
      return (
        review?.status === 'released' && review.note === 'seen on site' && meter?.minted === '130000000000'
      );
    });
  }, 600_000);

  test('energy that the chain holds back: the registrar’s own wallet decides, and nobody else’s', async () => {
    const terminal = terminalOf(system);
    const keyFile = (name: string) => join(system.dataDir, 'keys', `${name}.json`);
    for (const meterId of ['MTR-004', 'MTR-005']) {
      const owner = await newPerson(terminal, `owner-of-${meterId}`);
      // Far more than a kilowatt gives in the seconds since the meter was registered.
      await produce(terminal, owner, meterId, { production: '50', consumption: '10', ratedWatts: '1000' });
    }
    const queue = (page: Page) => page.getByRole('region', { name: 'Waiting for a decision' });
    const button = (page: Page, meterId: string, name: string) =>
      queue(page)
        .locator('tr', { hasText: `${meterId}/1` })
        .getByRole('button', { name });
    const decide = async (page: Page, meterId: string, name: string) => {
      await button(page, meterId, name).click();
      const dialog = page.getByRole('dialog', { name: `${name}: ${meterId}/1` });
      await dialog.getByLabel('Why').fill('seen on site');
      await dialog.getByRole('button', { name }).click();
    };
    const onChain = async (meterId: string) => {
      const { held, minted, eligible } = (await fetchMeter(system.connection, meterId)) ?? {};
      return { held, minted, eligible };
    };
    const reviewOf = async (meterId: string) =>
      (
        await system.query<{ status: string; by: string | null; note: string | null }>(
          'SELECT status, resolved_by AS by, resolution_note AS note FROM reviews WHERE subject = $1',
          [`${meterId}/1`],
        )
      )[0];
    const open = { status: 'open', by: null, note: null };
    const registrar = system.key('registrar').publicKey.toBase58();
    /** The account may be read before the event that tells who decided. */
    const expectDecided = async (meterId: string, status: string) => {
      await waitFor(`it is ${status}`, async () => (await reviewOf(meterId))?.status === status);
      const note = expect.stringContaining(`decided by ${registrar} in `);
      expect(await reviewOf(meterId)).toEqual({ status, by: 'chain', note });
    };

    // Without a wallet that could sign, nothing can be decided, and it says why.
    const own = await openWindow(browser);
    const { page } = own;
    await show(page, url, 'operator');
    await enterAsOperator(page, system.dataDir);
    for (const meterId of ['MTR-004', 'MTR-005'])
      for (const name of ['Release', 'Write off']) {
        await button(page, meterId, name).waitFor();
        expect(await button(page, meterId, name).isDisabled()).toBe(true);
        expect(await button(page, meterId, name).getAttribute('title')).toMatch(/^Connect the registrar’s/);
      }
    const why = page.getByText('Connect the registrar’s or admin’s wallet first');
    await why.waitFor();

    // Somebody else's wallet is told so, before it is asked to sign anything.
    const before = await onChain('MTR-004');
    expect(before.held).toBeGreaterThan(39_000_000_000n);
    const file = page.getByLabel('Demo only: sign with a key file');
    await file.setInputFiles(keyFile('owner'));
    await page.getByText('Signs in this window').waitFor();
    await decide(page, 'MTR-004', 'Release');
    await page
      .getByRole('alert')
      .getByText('This wallet may not decide about held energy: connect the registrar’s or the admin’s.')
      .waitFor();
    expect(await onChain('MTR-004')).toEqual(before);
    expect(await reviewOf('MTR-004')).toEqual(open);

    await page.getByRole('button', { name: 'Disconnect' }).click();
    await why.waitFor();
    await file.setInputFiles(keyFile('registrar'));
    await decide(page, 'MTR-004', 'Release');
    await button(page, 'MTR-004', 'Release').waitFor({ state: 'detached' });
    await waitFor('it is minted', async () => (await onChain('MTR-004')).minted === 40_000_000_000n);
    await expectDecided('MTR-004', 'released');

    // The same with a wallet of the Wallet Standard, in a window of its own.
    const other = await openWindow(browser);
    const wallet = new TestWallet(keyFile('registrar'));
    await wallet.install(other.page);
    await show(other.page, url, 'operator');
    await enterAsOperator(other.page, system.dataDir);
    await other.page.getByRole('button', { name: 'Connect Test Wallet' }).click();
    await other.page.getByText('Signs in this window').waitFor();
    const held = await onChain('MTR-005');
    wallet.mood = 'decline';
    await decide(other.page, 'MTR-005', 'Write off');
    await other.page.getByRole('alert').getByText('You declined in Test Wallet. Nothing was sent').waitFor();
    expect(await onChain('MTR-005')).toEqual(held);
    expect(await reviewOf('MTR-005')).toEqual(open);
    wallet.mood = 'sign';
    await decide(other.page, 'MTR-005', 'Write off');
    for (const one of [other.page, page])
      await button(one, 'MTR-005', 'Write off').waitFor({ state: 'detached' });
    expect(wallet.asked).toEqual(['transaction']);
    await expectDecided('MTR-005', 'written_off');
    // Gone for good: nothing of it is minted.
    const { eligible } = held;
    await waitFor('the rest is minted', async () => (await onChain('MTR-005')).minted === eligible);
    expect(await onChain('MTR-005')).toEqual({ held: 0n, minted: eligible, eligible });
    for (const window of [own, other]) {
      // The browser itself tells of refusals.
      expect(window.complaints.filter((text) => !/status of 40[13]/.test(text))).toEqual([]);
      await window.close();
    }
  }, 600_000);

  test('settlement tells what the chain refused and why; the system, whether the books agree', async () => {
    const { page } = operator;
    await system.query(
      `INSERT INTO settlements (signature, wire, blockhash, last_valid_block_height, state, collector, lease_until, error, closed_at)
       VALUES ($1, '', $2, 1, 'failed', 'another', now(), 'MeterSuspended: the meter is suspended', now())`,
      [encodeBase58(new Uint8Array(64).fill(7)), encodeBase58(new Uint8Array(32).fill(7))],
    );
    await page.getByRole('link', { name: 'Settlement', exact: true }).click();
    await page
      .getByRole('region', { name: 'Refused by the chain' })
      .getByText('MeterSuspended')
      .first()
      .waitFor();
    await page.getByText('Wait to be sent').waitFor();

    await page.getByRole('link', { name: 'System' }).click();
    await page.getByText(/^PostgreSQL \d+/).waitFor();
    await page.getByRole('region', { name: 'Collectors' }).locator('tbody tr').first().waitFor();
    await page.getByText('There was no whole audit yet.').waitFor();
    // A changed balance is a difference, which a whole audit finds; so is energy that was added up otherwise.
    const [{ minted } = { minted: '' }] = await system.query<{ minted: string }>(
      'SELECT chain_minted AS minted FROM meters WHERE meter_id = $1',
      [idOf(0)],
    );
    await system.query(`UPDATE meters SET chain_minted = $2::numeric + 1 WHERE meter_id = $1`, [
      idOf(0),
      minted,
    ]);
    await system.query(
      `UPDATE energy_quarters SET surplus = surplus + 1 WHERE quarter = (SELECT min(quarter) FROM energy_quarters)`,
    );
    const audit = await system.gtx('audit', '--energy', '--json');
    expect(audit.stderr).toMatch(/^Energy of (\d+) of \1 days compared with its readings\.$/m);
    await page.getByText(/^. The last whole audit, .* found differences up to slot \d+: [1-9]/).waitFor();
    await page
      .getByText(
        /^Energy by quarters of an hour compared with the readings: [1-9]\d* quarters, [1-9].* of all days/,
      )
      .waitFor();
    for (const kind of ['METER_DIFFERS', 'ENERGY_DIFFERS'])
      await page
        .getByRole('region', { name: 'Differences of the last audit' })
        .getByText(kind)
        .first()
        .waitFor();
    // Exactly as it was, whoever has written it meanwhile.
    await system.query(`UPDATE meters SET chain_minted = $2 WHERE meter_id = $1`, [idOf(0), minted]);
    expect(operator.complaints.filter((text) => !/401/.test(text))).toEqual([]);
  }, 600_000);

  test('looks well to everybody: sizes, colors, languages', async () => {
    for (const look of LOOKS) {
      const window = await openWindow(browser, lookOptions(look));
      const { page } = window;
      await show(page, url, 'operator');
      await page.locator('#operator-name').waitFor();
      await enterAsOperator(page, system.dataDir);
      const parts = {
        overview: 'svg.states',
        fleet: '.map .state',
        traffic: 'tbody tr:nth-child(5)',
        settlement: 'td',
        system: '.factlist',
      };
      for (const [index, [name, there]] of Object.entries(parts).entries()) {
        await page.locator('.tabs a').nth(index).click();
        // The address is told a moment later: what the part before shows is not to count.
        await page.locator('.tabs a').nth(index).and(page.locator('[aria-current=page]')).waitFor();
        await page.locator(there).first().waitFor();
        if (name === 'fleet') await page.locator('td').first().waitFor();
        await inspect(page, `operator-${name}`, look);
        if (look.name === 'desktop')
          await takeDocumentedPicture(page, name === 'overview' ? 'operator' : `operator-${name}`);
        if (look.name === 'phone-dark' && name === 'overview')
          await takeDocumentedPicture(page, 'operator-phone');
      }
      // Asked without a login, the collector refuses, and the browser tells it.
      const others = window.complaints.filter((text) => !/401 .*\/api\/status/.test(text));
      expect(others, look.name).toEqual([]);
      await window.close();
    }
  }, 600_000);
});
