import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import { hasChromium, openBrowser, openWindow } from './browser.js';
import { ALLOWED, growth, growthOfLeast, HeapWatch, type Held, leaks } from './growth.js';

/*
 * Pages that stay open, as they do on a wall: what they hold must not grow, however many news they were told. Ten minutes
 * in continuous integration, an hour on demand: `GTX_PAGE_MINUTES=60 npx vitest run tests/page/memory.test.ts`.
 */

const MINUTES = Number(process.env.GTX_PAGE_MINUTES ?? 1);
const LOOKS = 60;
/** Looks in a row that see no more nodes, and looks after which it begins anyway. */
const SETTLED_LOOKS = 12;
const MOST_LOOKS = 70;
/**
 * What the collector may hold more: its garbage is collected when Node likes, so its least is compared, and only over
 * minutes in which that has happened several times.
 */
const COLLECTOR_BYTES = 12_000_000;
const COLLECTOR_MINUTES = 10;

describe.skipIf(!hasChromium())('pages that stay open', () => {
  let system: RunningSystem;
  let browser: Browser;

  beforeAll(async () => {
    system = await RunningSystem.start({ args: ['--interval-seconds', '2'] });
    browser = await openBrowser();
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await system?.destroy();
  });

  const show = (page: Page, place: string) =>
    page.goto(new URL(`/#/${place}`, system.url('collector', 'http')).href);

  async function openLive(): Promise<Page> {
    const { page } = await openWindow(browser);
    await show(page, 'live');
    await page.locator('table a').first().waitFor({ timeout: 240_000 });
    return page;
  }

  async function openHome(script?: string): Promise<Page> {
    const { page } = await openWindow(browser);
    if (script !== undefined) await page.addInitScript(script);
    await show(page, 'home');
    await page.locator('input[type=file]').setInputFiles(join(system.dataDir, 'keys', 'owner.json'));
    await page.locator('.chart canvas').first().waitFor({ timeout: 240_000 });
    return page;
  }

  async function openOperator(): Promise<Page> {
    const { page } = await openWindow(browser);
    await show(page, 'operator/traffic');
    await page.locator('#operator-name').fill('operator');
    await page
      .locator('#operator-password')
      .fill(readFileSync(join(system.dataDir, 'keys', 'operator-password'), 'utf8').trim());
    await page.locator('form button.main').click();
    await page.locator('main td').first().waitFor({ timeout: 240_000 });
    return page;
  }

  /** Looks at windows again and again, evenly over the time. @param looked after each look */
  async function follow(
    windows: readonly HeapWatch[],
    minutes: number,
    looks: number,
    looked: () => void,
  ): Promise<Held[][]> {
    const began = performance.now();
    const seen: Held[][] = windows.map(() => []);
    for (let look = 0; look < looks; look += 1) {
      const at = began + (look * minutes * 60_000) / looks;
      await waitFor('the next look', () => performance.now() >= at, { timeoutMs: minutes * 60_000 + 60_000 });
      for (const [index, window] of windows.entries()) (seen[index] as Held[]).push(await window.look());
      looked();
    }
    return seen;
  }

  /**
   * Lists grow to their full length, and the compiler gets to know what is run often, before it counts. A page that never
   * comes to rest is looked at all the same, and will not pass.
   */
  async function settle(windows: readonly HeapWatch[]): Promise<void> {
    const nodes: number[][] = windows.map(() => []);
    await waitFor(
      'the pages have all that they show',
      async () => {
        for (const [index, window] of windows.entries())
          (nodes[index] as number[]).push((await window.look()).nodes);
        const looks = (nodes[0] as number[]).length;
        const rest = (seen: number[]) => Math.abs(growth(seen.slice(-SETTLED_LOOKS))) < ALLOWED.nodes / 10;
        return looks >= MOST_LOOKS || (looks >= SETTLED_LOOKS && nodes.every(rest));
      },
      { everyMs: 2_000, timeoutMs: 600_000 },
    );
    console.info(`nodes until then: ${JSON.stringify(nodes)}`);
  }

  // What follows would be worth nothing if this went unnoticed.
  test('a page that keeps a little of everything it is told is noticed', async () => {
    const page = await openHome(`{
      const kept = [];
      const Native = globalThis.WebSocket;
      globalThis.WebSocket = class extends Native {
        constructor(...args) {
          super(...args);
          this.addEventListener('message', ({ data }) => {
            for (let n = 0; n < 100; n += 1) {
              const node = document.createElement('span');
              node.addEventListener('click', () => data);
              kept.push({ node, numbers: Array.from({ length: 100 }, Math.random) });
            }
          });
        }
      };
    }`);
    const watch = await HeapWatch.of(page);
    const looks: Held[] = [];
    await waitFor(
      'all three are noticed',
      async () => {
        looks.push(await watch.look());
        const found = looks.length < 3 ? [] : leaks(looks);
        return ['heap', 'nodes', 'listeners'].every((what) => found.some((one) => one.startsWith(what)));
      },
      { everyMs: 500, timeoutMs: 240_000 },
    );
    await page.context().close();
  }, 600_000);

  test(
    `after ${MINUTES} minutes Live, My home and Operator hold no more than before`,
    async () => {
      const names = ['live', 'home', 'operator'];
      const pages = [await openLive(), await openHome(), await openOperator()];
      const windows = await Promise.all(pages.map((page) => HeapWatch.of(page)));
      const collector: Record<'heap' | 'resident', number[]> = { heap: [], resident: [] };
      await settle(windows);
      const messages = await Promise.all(pages.map(countMessages));
      const asking = new AbortController();
      const asked = (async () => {
        while (!asking.signal.aborted) {
          collector.heap.push(await system.metric('collector', 'nodejs_heap_size_used_bytes'));
          collector.resident.push(await system.metric('collector', 'process_resident_memory_bytes'));
          await new Promise((resolve) => setTimeout(resolve, (MINUTES * 60_000) / (LOOKS * 4)));
        }
      })();
      const told: number[][] = [];
      const seen = await follow(windows, MINUTES, LOOKS, () => told.push(messages.map((count) => count())));
      asking.abort();
      await asked;
      const report = {
        minutes: MINUTES,
        pages: names.map((name, index) => {
          const looks = seen[index] as Held[];
          const of = (what: keyof Held) => {
            const values = looks.map((held) => held[what]);
            return { first: values[0], last: values.at(-1), growth: growth(values) };
          };
          return {
            name,
            messages: messages[index]?.(),
            heap: of('heap'),
            nodes: of('nodes'),
            listeners: of('listeners'),
          };
        }),
        collector: {
          heap: { least: Math.min(...collector.heap), growth: growthOfLeast(collector.heap) },
          resident: { last: collector.resident.at(-1), growth: growthOfLeast(collector.resident) },
        },
      };
      const folder = fileURLToPath(new URL('../../.ci/out/page/', import.meta.url));
      mkdirSync(folder, { recursive: true });
      writeFileSync(
        join(folder, 'memory.json'),
        `${JSON.stringify({ ...report, seen, collector }, null, 1)}\n`,
      );
      console.info(JSON.stringify(report));
      for (const [index, name] of names.entries()) expect(leaks(seen[index] as Held[]), name).toEqual([]);
      // They were told something to the end: a page that hears nothing holds nothing.
      const early = told[Math.floor((LOOKS * 2) / 3)] ?? [];
      for (const [index, name] of names.entries())
        expect(told.at(-1)?.[index], name).toBeGreaterThan(early[index] as number);
      if (MINUTES >= COLLECTOR_MINUTES) expect(report.collector.heap.growth).toBeLessThan(COLLECTOR_BYTES);
    },
    600_000 + MINUTES * 120_000,
  );

  /** Counts what the page's channels are told from now on: not what is answered to its pings. */
  async function countMessages(page: Page): Promise<() => number> {
    const session = await page.context().newCDPSession(page);
    let count = 0;
    session.on('Network.webSocketFrameReceived', ({ response }) => {
      if ('channel' in JSON.parse(response.payloadData)) count += 1;
    });
    await session.send('Network.enable');
    return () => count;
  }
});
