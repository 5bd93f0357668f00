/**
 * The page on a town of ten thousand meters and twenty million readings: how long until it shows its figures, until it
 * answers a click or a key, and until the collector has answered each of its questions.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKey } from '@gridtokenx/cli';
import { migrate } from '@gridtokenx/collector';
import { type LoginTokens, topicFor } from '@gridtokenx/protocol';
import { preparePublish, WireClient } from '@gridtokenx/simulator';
import pg from 'pg';
import pino from 'pino';
import { type Browser, chromium, type Page } from 'playwright-core';
import { BenchMeter, registerFleet } from './fleet.js';
import { endPlans, PlanReader, tableReadWhole, writePlans } from './plans.js';
import { processUsage } from './process-usage.js';
import { ask, logIn, type Question, questions } from './questions.js';
import type { Figure } from './report.js';
import { type RunningCollector, Stack, until } from './stack.js';
import { percentile } from './statistics.js';
import { fillFleet, fillTown } from './town.js';

/** Debian's. */
const CHROMIUM = process.env.GTX_CHROMIUM ?? '/usr/bin/chromium';
const METERS = 10_000;
const WALLETS = 3_000;
const ORDERS = 20_000;
/** Meters that measure while the page is looked at, each every two seconds: as many readings as all would send. */
const SENDING = 20;
const SEND_EVERY_MS = 2_000;
/** A statement that takes longer is told. */
const SLOW_MS = 50;
/** A click or key that takes longer is told. */
const TOLD_MS = 50;
const PATIENCE_MS = 120_000;

export interface PageOptions {
  quick: boolean;
  say: (text: string) => void;
  profileDir: string | undefined;
  /** Keep the data here, and use what an earlier run has left. */
  dataDir: string | undefined;
  /** Readings of each meter. */
  readings: number | undefined;
}

/** What a filled data folder holds. */
interface Town {
  readings: number;
  newest: number;
  market: string;
}

interface Place {
  /** As in the address, behind `#/`. */
  place: string;
  name: string;
  as: 'nobody' | 'owner' | 'operator';
  /** What it shows once its figures are there. */
  shows: string[];
}

const PLACES: Place[] = [
  { place: 'live', name: 'Live', as: 'nobody', shows: ['main .figure .value', 'main tbody tr'] },
  { place: 'market', name: 'Market', as: 'owner', shows: ['main tbody tr'] },
  { place: 'home', name: 'My home', as: 'owner', shows: ['main .figure .value', 'main tbody tr'] },
  { place: 'operator', name: 'Operator', as: 'operator', shows: ['main .figure .value'] },
  { place: 'operator/fleet', name: 'Operator, fleet', as: 'operator', shows: ['main tbody tr'] },
];

/** Tells in the page when all of that has been painted for the first time, and nothing is on its way any more. */
const watchFirstView = (shows: readonly string[]) => `(() => {
  const shows = ${JSON.stringify(shows)};
  const there = () => shows.every((one) => document.querySelector(one)) && !document.querySelector('main p.quiet[role=status]');
  let done = false;
  const look = () => {
    if (done || !there()) return;
    done = true;
    observer.disconnect();
    // After the frame that shows it.
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { globalThis.gtxFirstView = performance.now(); };
      port2.postMessage(0);
    });
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { childList: true, subtree: true, characterData: true });
})()`;

/**
 * Writes down how long it took from each click and key to the next paint; what took less than 16 ms is not told. What changes
 * nothing would count until the next press, so that a dot is drawn anew with each.
 */
const WATCH_INTERACTIONS = `(() => {
  globalThis.gtxInteractions = [];
  let dot;
  const draw = () => {
    if (dot === undefined) {
      dot = document.documentElement.appendChild(document.createElement('i'));
      // In view, however far the page is scrolled: what nobody sees is not painted.
      dot.style.cssText = 'position: fixed; left: 0; top: 0';
    }
    dot.textContent = dot.textContent === '.' ? ':' : '.';
  };
  for (const type of ['pointerdown', 'pointerup', 'keydown', 'keyup']) addEventListener(type, draw, true);
  new PerformanceObserver((list) => {
    for (const { interactionId, duration, name, target, startTime, processingStart, processingEnd } of list.getEntries()) {
      if (interactionId === 0) continue;
      const parts = [processingStart - startTime, processingEnd - processingStart, startTime + duration - processingEnd];
      const what = name + ' ' + (target?.textContent ?? target?.tagName ?? '').slice(0, 40);
      globalThis.gtxInteractions.push([interactionId, duration,
        what + ' (waited, worked, drew: ' + parts.map((part) => part.toFixed(0)).join(', ') + ' ms)']);
    }
  }).observe({ type: 'event', durationThreshold: 16, buffered: true });
})()`;

export async function measurePage(options: PageOptions): Promise<Figure[]> {
  const { quick, say } = options;
  const readings = options.readings ?? (quick ? 20 : 2_000);
  const stack = new Stack({
    say,
    profileDir: options.profileDir,
    keep: options.dataDir !== undefined,
    dataDir: options.dataDir,
  });
  const figures: Figure[] = [];
  const figure = (name: string, value: number, unit: string, goal?: Figure['goal']) =>
    figures.push({ benchmark: 'page', name, value, unit, ...(goal && { goal }) });
  let browser: Browser | undefined;
  let sender: Sender | undefined;
  let client: pg.Client | undefined;
  try {
    await stack.start();
    const owner = ensureKey(join(stack.layout.keys, 'town-owner.json')).keypair;
    const operator = ensureKey(join(stack.layout.keys, 'town-operator.json')).keypair;
    client = new pg.Client({ connectionString: stack.databaseUrl });
    await client.connect();
    const town = await openTown(stack, client, { ...options, readings, owner: owner.publicKey.toBase58() });
    const { rows } = await client.query<{ bytes: string; readings: string; meters: string }>(
      `SELECT pg_database_size(current_database()) AS bytes, (SELECT count(*) FROM meters) AS meters,
         (SELECT sum(reltuples)::bigint FROM pg_class WHERE relname LIKE 'meter_readings_%' AND relkind = 'r') AS readings`,
    );
    figure('meters', Number(rows[0]?.meters), '');
    figure('readings, about', Number(rows[0]?.readings), '');
    figure('database', Number(rows[0]?.bytes) / 1e9, 'GB');

    await writePlans(client, 0);
    const plans = new PlanReader(join(stack.layout.logs, 'postgres.log'));
    const began = performance.now();
    const collector = await stack.startCollector({
      settlement: 'interval',
      settlementSeconds: 86_400,
      env: {
        GTX_OPERATOR_WALLETS: operator.publicKey.toBase58(),
        GTX_HTTP_READS_PER_MINUTE: '1000000',
        // None of the town is on the chain: nobody is to look for it there.
        GTX_MATCHING: 'off',
        GTX_RECONCILE: 'off',
        GTX_SETTLEMENT_MIN_KWH: '1000000',
        GTX_SETTLEMENT_MAX_WAIT_SECONDS: '31536000',
        GTX_SITES_FILE: await placeMeters(stack, client),
      },
    });
    figure('collector ready', (performance.now() - began) / 1000, 's');
    // Once for all: whoever logs in again and again is held up.
    const logins = {
      nobody: undefined,
      owner: await logIn(collector.httpUrl, owner),
      operator: await logIn(collector.httpUrl, operator),
    };
    const { body } = await ask(collector.httpUrl, '/api/status', logins.operator.access_token);
    say(`status: ${JSON.stringify(body)}`);
    await caughtUp(client, say);
    sender = await Sender.start(stack, collector, say);

    const asked = questions({
      wallet: owner.publicKey.toBase58(),
      meter: 'TOWN-00001',
      market: town.market,
      newest: town.newest,
    });
    const tokens = {
      owner: logins.owner.access_token,
      operator: logins.operator.access_token,
      anybody: undefined,
    };
    plans.next();
    const times = await askAll(collector.httpUrl, asked, tokens, quick ? 5 : 100, say);
    for (const plan of plans.next()) {
      const table = tableReadWhole(plan);
      if (table !== undefined)
        say(`reads all of ${table}, ${plan.millis} ms: ${plan.statement.slice(0, 300)}`);
      else if (plan.millis > SLOW_MS) say(`${plan.millis} ms: ${plan.statement.slice(0, 300)}\n${plan.plan}`);
    }
    await endPlans(client);
    for (const page of ['live', 'market', 'home', 'operator'] as const) {
      const of = times.filter(({ question }) => question.page === page);
      const all = of.flatMap(({ millis }) => millis);
      figure(`answers to ${page}, p50`, percentile(all, 50), 'ms');
      figure(`answers to ${page}, p99`, percentile(all, 99), 'ms');
    }

    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    });
    for (const place of PLACES) {
      const views: number[] = [];
      for (let visit = 0; visit < (quick ? 1 : 7); visit += 1) {
        views.push(await firstView(browser, collector.httpUrl, place, logins[place.as]));
      }
      say(`${place.name}: ${views.map((millis) => millis.toFixed(0)).join(', ')} ms`);
      figure(`first view of ${place.name}, p50`, percentile(views, 50), 'ms');
      figure(`first view of ${place.name}, slowest`, Math.max(...views), 'ms', { atMost: 1_500 });
    }
    const before = processUsage(collector.pid);
    const began2 = performance.now();
    const interactions = await interact(
      browser,
      collector.httpUrl,
      [
        {
          login: await logIn(collector.httpUrl, owner),
          places: ['live', 'market', 'home', 'home/TOWN-00002'],
        },
        {
          login: logins.operator,
          places: [
            'operator',
            'operator/fleet',
            'operator/traffic',
            'operator/settlement',
            'operator/system',
          ],
        },
      ],
      quick ? 1 : 2,
      say,
    );
    const usage = processUsage(collector.pid);
    figure('clicks and keys', interactions.count, '');
    figure('from one to the next paint, p50, at most', percentile(interactions.millis, 50), 'ms');
    figure('from one to the next paint, p99', percentile(interactions.millis, 99), 'ms', { atMost: 100 });
    figure('from one to the next paint, longest', Math.max(...interactions.millis), 'ms');
    figure(
      'collector meanwhile: processor',
      (100 * (usage.cpuSeconds - before.cpuSeconds)) / ((performance.now() - began2) / 1000),
      '% of a core',
    );
    figure('collector meanwhile: memory', usage.rssMb, 'MB');
    await collector.stop();
  } finally {
    sender?.stop();
    await browser?.close();
    await client?.end().catch(() => undefined);
    await stack.stop();
  }
  return figures;
}

/** The town of an earlier run, or a new one. */
async function openTown(
  stack: Stack,
  client: pg.Client,
  { readings, owner, say }: PageOptions & { readings: number; owner: string },
): Promise<Town> {
  const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 1 });
  await migrate(pool, pino({ level: 'warn' }, pino.destination(2)));
  await pool.end();
  const file = join(stack.layout.root, 'town.json');
  if (!existsSync(file)) {
    const newest = Math.floor(Date.now() / 900_000) * 900;
    const began = performance.now();
    await fillTown(client, {
      meters: METERS,
      wallets: WALLETS,
      readings,
      owner,
      endSeconds: newest,
      orders: ORDERS,
      say,
    });
    say(`filled in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    const { rows } = await client.query<{ address: string }>('SELECT address FROM markets');
    const town: Town = { readings, newest, market: rows[0]?.address as string };
    writeFileSync(file, JSON.stringify(town));
  }
  const town = JSON.parse(readFileSync(file, 'utf8')) as Town;
  // What gateways say ages; what they measured does not.
  await client.query('DELETE FROM fleet');
  await fillFleet(client, Math.floor(Date.now() / 1000));
  await client.query('ANALYZE fleet');
  return town;
}

/** Gives each meter of the town a place, for the map. @returns the sites file */
async function placeMeters(stack: Stack, client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ meter_id: string; latitude: number; longitude: number }>(
    // In no pattern, and the same in every run.
    `SELECT meter_id, round((13.6 + 0.4 * (n * 0.7548776662 % 1))::numeric, 5)::float8 AS latitude,
       round((100.3 + 0.5 * (n * 0.5698402910 % 1))::numeric, 5)::float8 AS longitude
     FROM (SELECT meter_id, row_number() OVER (ORDER BY meter_id) AS n FROM meters WHERE meter_id LIKE 'TOWN-%') AS m`,
  );
  const file = join(stack.layout.root, 'sites.json');
  const sites = rows.map(({ meter_id, ...place }) => [meter_id, { kind: 'other', ...place }]);
  writeFileSync(file, JSON.stringify({ meters: Object.fromEntries(sites) }));
  return file;
}

/** Waits until all readings are in the sums by quarters of an hour. */
async function caughtUp(client: pg.Client, say: (text: string) => void): Promise<void> {
  const began = performance.now();
  let before = -1;
  await until(
    'the sums of all readings',
    async () => {
      const { rows } = await client.query<{ waiting: number }>(
        `SELECT count(*)::int AS waiting FROM meters m LEFT JOIN energy_meters e USING (meter_id)
         WHERE m.last_sequence > coalesce(e.sequence, 0)`,
      );
      const waiting = rows[0]?.waiting ?? 0;
      if (Math.floor(waiting / 1000) !== before) say(`readings of ${waiting} meters are to be added up`);
      before = Math.floor(waiting / 1000);
      return waiting === 0;
    },
    3_600,
  );
  say(`added up after ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

/** Meters that are on the chain and send readings all the time. */
class Sender {
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly homes: { meter: BenchMeter; client: WireClient; sequence: number }[],
  ) {}

  static async start(
    stack: Stack,
    collector: RunningCollector,
    say: (text: string) => void,
  ): Promise<Sender> {
    const prefix = `SEND-${Date.now() % 1_000_000}`;
    const fleet = await registerFleet(stack.connection(), stack.registrar, { prefix, count: SENDING });
    const homes: { meter: BenchMeter; client: WireClient; sequence: number }[] = [];
    for (const data of fleet) {
      const meter = new BenchMeter(data);
      const client = new WireClient({
        url: collector.mqttUrl,
        clientId: data.meterId,
        username: data.meterId,
        password: JSON.stringify([meter.login(Math.floor(Date.now() / 1000))]),
        onLost: (error) => say(`lost: ${error.message}`),
        onMessage: () => undefined,
      });
      await client.start();
      homes.push({ meter, client, sequence: 0 });
    }
    const sender = new Sender(homes);
    let next = 0;
    sender.timer = setInterval(() => {
      const home = homes[next % homes.length];
      next += 1;
      if (home === undefined) return;
      home.sequence += 1;
      const { meter } = home;
      const end = Math.floor(Date.now() / 1000);
      const body = meter.submission(meter.reading(home.sequence, end, 1));
      home.client.publish([preparePublish(topicFor(meter.data.meterId, 'reading'), JSON.stringify(body))]);
    }, SEND_EVERY_MS / homes.length);
    return sender;
  }

  stop(): void {
    clearInterval(this.timer);
    for (const { client } of this.homes) client.stop();
  }
}

interface Answered {
  question: Question;
  millis: number[];
}

async function askAll(
  httpUrl: string,
  asked: readonly Question[],
  tokens: Record<Question['as'], string | undefined>,
  times: number,
  say: (text: string) => void,
): Promise<Answered[]> {
  const answered = asked.map((question) => ({ question, millis: [] as number[] }));
  // In turn, as readers do, and not each a hundred times while its rows are warm. The first round warms the collector.
  for (let round = -1; round < times; round += 1) {
    for (const { question, millis } of answered) {
      const began = performance.now();
      await ask(httpUrl, question.path, tokens[question.as]);
      if (round >= 0) millis.push(performance.now() - began);
    }
  }
  for (const { question, millis } of answered) {
    const [p50, p99] = [percentile(millis, 50), percentile(millis, 99)].map((value) => value.toFixed(1));
    say(`${p50} ms, p99 ${p99} ms: ${question.page} ${question.path}`);
  }
  return answered;
}

async function openPage(browser: Browser, login: LoginTokens | undefined, script: string): Promise<Page> {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Asia/Bangkok',
    viewport: { width: 1280, height: 800 },
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('dialog', (dialog) => void dialog.dismiss());
  if (login !== undefined) {
    const kept = JSON.stringify(JSON.stringify(login));
    await page.addInitScript(
      `localStorage.getItem('gtx.session') ?? localStorage.setItem('gtx.session', ${kept})`,
    );
  }
  await page.addInitScript(script);
  return page;
}

/** Waits in the browser's stead: the page's policy lets nobody evaluate text in it but the debugger. */
function inPage(page: Page, condition: string): Promise<void> {
  return until(condition, () => page.evaluate<boolean>(condition), PATIENCE_MS / 1000);
}

/** Milliseconds from the navigation's start, with nothing in the browser's cache. */
async function firstView(
  browser: Browser,
  httpUrl: string,
  { place, shows }: Place,
  login: LoginTokens | undefined,
): Promise<number> {
  const page = await openPage(browser, login, watchFirstView(shows));
  await page.goto(`${httpUrl}/#/${place}`);
  await inPage(page, 'globalThis.gtxFirstView !== undefined');
  const millis = await page.evaluate<number>('globalThis.gtxFirstView');
  await page.context().close();
  return millis;
}

/** What would end the visit, or leave something behind. */
const NOT_PRESSED =
  /log out|leave|forget|download|sign|send|accept|release|write|dismiss|acknowledge|pause|cancel|csv/i;
/** At most so many buttons of a place: lists have one in each line. */
const BUTTONS = 14;

/** Goes through the places and uses what is there: links of the head, buttons, choices, fields. */
async function interact(
  browser: Browser,
  httpUrl: string,
  visits: readonly { login: LoginTokens; places: readonly string[] }[],
  rounds: number,
  say: (text: string) => void,
): Promise<{ count: number; millis: number[] }> {
  const millis: number[] = [];
  let count = 0;
  for (const { login, places } of visits) {
    const page = await openPage(browser, login, WATCH_INTERACTIONS);
    await page.goto(`${httpUrl}/#/${places[0]}`);
    await page.locator('main h1').waitFor();
    const quiet = () => inPage(page, "!document.querySelector('main p.quiet[role=status]')");
    // What is pressed has to be drawn before its time can be told.
    const settle = async () => {
      await page.waitForTimeout(250);
      await quiet();
    };
    const collect = async (place: string) => {
      await page.waitForTimeout(500);
      const seen = await page.evaluate<[number, number, string][]>('globalThis.gtxInteractions.splice(0)');
      const longest = new Map<number, [number, string]>();
      for (const [id, duration, what] of seen)
        if (duration > (longest.get(id)?.[0] ?? 0)) longest.set(id, [duration, what]);
      for (const [duration, what] of longest.values()) {
        millis.push(duration);
        if (duration > TOLD_MS) say(`${duration} ms: ${what} on ${place}`);
      }
      return longest.size;
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const place of places) {
        await page.goto(`${httpUrl}/#/${place}`);
        await page.locator('main h1').waitFor();
        await settle();
        let pressed = 0;
        const act = async (work: () => Promise<unknown>) => {
          await work();
          pressed += 1;
          await settle();
        };
        const buttons = page.locator('main button:visible:enabled, main summary:visible');
        for (let n = 0; n < Math.min(BUTTONS, await buttons.count()); n += 1) {
          const button = buttons.nth(n);
          const text = (await button.innerText().catch(() => '')) || '';
          if (NOT_PRESSED.test(text)) continue;
          await act(() => button.click({ timeout: 5_000 }).catch(() => undefined));
          await page.keyboard.press('Escape');
        }
        const selects = page.locator('main select:visible:enabled');
        for (let n = 0; n < (await selects.count()); n += 1) {
          await selects.nth(n).focus();
          for (const key of ['ArrowDown', 'ArrowUp']) await act(() => page.keyboard.press(key));
        }
        const fields = page.locator(
          'main input[type=text]:visible:enabled, main input[type=search]:visible:enabled, main input:not([type]):visible:enabled',
        );
        for (let n = 0; n < (await fields.count()); n += 1) {
          await fields.nth(n).click();
          for (const key of ['1', '2', 'Backspace', 'Backspace']) await act(() => page.keyboard.press(key));
        }
        const links = page.locator('header nav a, main nav.tabs a');
        for (let n = 0; n < (await links.count()); n += 1) {
          await act(() =>
            links
              .nth(n)
              .click({ timeout: 5_000 })
              .catch(() => undefined),
          );
        }
        const told = await collect(place);
        // The browser tells of none that took less than 16 ms: they count as 16.
        for (let n = told; n < pressed; n += 1) millis.push(16);
        count += Math.max(pressed, told);
      }
    }
    await page.context().close();
  }
  return { count, millis };
}
