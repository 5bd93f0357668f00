import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Change, ChangeFeed } from '../feed/index.js';
import { PriceGuideSettings } from '../market/index.js';
import type { MarketInfo } from '../matching/index.js';
import { migrate } from '../store/migrate.js';
import { Partitions } from '../store/partitions.js';
import { until } from '../testing/collector.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { PriceGuides, readPriceGuideSettings } from './index.js';
import { volumes } from './volumes.js';

const logger = pino({ level: 'silent' });
const KWH = 1_000_000_000n;
const HOUR = 3600;
/** A full hour, UTC. */
const END = 1_795_431_600;
const market: MarketInfo = {
  address: 'market',
  baseMint: 'grid',
  quoteMint: 'grx',
  treasury: 'treasury',
  feed: undefined,
  lotSize: KWH / 1000n,
  tickSize: KWH / 1000n,
  feeBps: 0,
  bandBps: 0,
  paused: false,
};
let postgres: TestPostgres;
let url: string;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.createDatabase('pricing');
  pool = openTestPool(url);
  await migrate(pool, logger);
  await pool.query(
    `INSERT INTO chain_transactions (signature, slot, last_valid_block_height) VALUES ('tx', 1, 1)`,
  );
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});
afterEach(async () => {
  await pool.query('TRUNCATE orders, price_feeds, price_guides, meter_readings, meters CASCADE');
});

let orders = 0;
async function order(
  at: number,
  { side = 'sell', kwh = 10, price = 3, status = 'open', remaining = 10, of = 'market' } = {},
): Promise<void> {
  orders += 1;
  const units = (amount: number) => (BigInt(Math.round(amount * 1000)) * (KWH / 1000n)).toString();
  await pool.query(
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
       rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at, status, slot)
     VALUES ($1, $2, 'owner', $3, $4, $5, $6, $7, 0, 0, 0, 'owner', 0, 1, 1, 0, 'tx', to_timestamp($8), $9, 1)`,
    [`order ${orders}`, of, orders, side, units(price), units(kwh), units(remaining), at, status],
  );
}

async function price(published: number, value = 3n * KWH): Promise<void> {
  await pool.query(
    `INSERT INTO price_feeds (address, symbol, price, published_at, paused, max_age_seconds, guard_seconds,
       max_deviation_bps, min_publishers, override_publishers, publishers, slot, position)
     VALUES ('feed', 'GRX/GRID', $1, $2, FALSE, 7200, 0, 0, 1, 0, 1, 1, 1)
     ON CONFLICT (address) DO UPDATE SET price = excluded.price, published_at = excluded.published_at`,
    [value.toString(), published],
  );
}

/** A reading of an hour that ends at `end`; totals in kWh since the beginning. */
async function reading(
  end: number,
  sequence: number,
  [produced, consumed, surplus]: [number, number, number],
  { amount = 0, status = 'minted' } = {},
): Promise<void> {
  await pool.query(
    `INSERT INTO users (wallet_address, verified) VALUES ('wallet', TRUE) ON CONFLICT DO NOTHING`,
  );
  const { rows } = await pool.query<{ id: string }>(`SELECT id FROM users WHERE wallet_address = 'wallet'`);
  await pool.query(
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key)
     VALUES ('METER', 'meter', $1, 'wallet', 'key') ON CONFLICT DO NOTHING`,
    [rows[0]?.id],
  );
  await new Partitions(pool).ensure([end]);
  const units = (kwh: number) => (BigInt(kwh) * KWH).toString();
  await pool.query(
    `INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end,
       produced_total, consumed_total, surplus_total, amount_nkwh, reading_timestamp, status, message, meter_signature, public_key)
     VALUES (gen_random_uuid(), $1, 'METER', 'wallet', $2, 0, $3, $4::bigint, $5, $6, $7, $8, to_timestamp($4::bigint), $9, $10, 'signature', 'key')`,
    [
      rows[0]?.id,
      sequence,
      end - HOUR,
      end,
      units(produced),
      units(consumed),
      units(surplus),
      units(amount),
      status,
      Buffer.alloc(48),
    ],
  );
}

const settings = (over: object = {}) => PriceGuideSettings.parse({ intervals: 2, readings_bps: 0, ...over });

function guides(over: object = {}, now = END + 60): PriceGuides {
  return new PriceGuides({
    pool,
    markets: () => [market],
    settings: settings(over),
    intervalSeconds: HOUR,
    logger,
    now: () => now * 1000,
  });
}

it('counts what was offered and not taken back, by interval, at prices that somebody may pay', async () => {
  await order(END - 2 * HOUR, { kwh: 20 });
  await order(END - 1.5 * HOUR, { kwh: 10, side: 'buy' });
  await order(END - HOUR, { kwh: 10, status: 'filled', remaining: 0 });
  // Cancelled after a part had been sold; far too dear, and far too cheap; too early and too late; of another market.
  await order(END - HOUR + 1, { kwh: 40, side: 'buy', status: 'cancelled', remaining: 25 });
  await order(END - 10, { price: 6.1 });
  await order(END - 10, { price: 1.4, side: 'buy' });
  await order(END - 2 * HOUR - 1);
  await order(END);
  await order(END - 10, { of: 'another' });
  const query = { market: 'market', end: END, intervalSeconds: HOUR, oraclePrice: 3n * KWH };
  expect(await volumes(pool, query, settings())).toEqual([
    { supply: 20n * KWH, demand: 10n * KWH },
    { supply: 10n * KWH, demand: 15n * KWH },
  ]);
});

it('counts measured surplus and net consumption with their share', async () => {
  await reading(END - 2 * HOUR, 1, [10, 10, 5], { amount: 5 });
  // 8 produced and 3 consumed while 6 went out: 1 came in.
  await reading(END - HOUR, 2, [18, 13, 11], { amount: 6 });
  // Nothing produced, 4 consumed.
  await reading(END, 3, [18, 17, 11]);
  const query = { market: 'market', end: END, intervalSeconds: HOUR, oraclePrice: 3n * KWH };
  expect(await volumes(pool, query, settings({ readings_bps: 5_000 }))).toEqual([
    { supply: 3n * KWH, demand: KWH / 2n },
    { supply: 0n, demand: 2n * KWH },
  ]);
  // One that waits for a person counts for nothing.
  await pool.query(`UPDATE meter_readings SET status = 'held' WHERE sequence = 2`);
  const [first] = await volumes(pool, query, settings({ readings_bps: 5_000 }));
  expect(first).toEqual({ supply: 0n, demand: 0n });
});

it("works out docs/market.md's example from orders and feed, once, whichever collector is first", async () => {
  await price(END - HOUR);
  await order(END - 2 * HOUR, { kwh: 20 });
  await order(END - 2 * HOUR, { kwh: 10, side: 'buy' });
  await order(END - HOUR, { kwh: 10 });
  await order(END - HOUR, { kwh: 40, side: 'buy' });
  const feed = new ChangeFeed({ databaseUrl: url, logger });
  const heard: Change[] = [];
  feed.onChange((change) => heard.push(change));
  await feed.start();
  try {
    const [one, two] = [
      guides({ tariff: { default_bps: 12_000 } }),
      guides({ tariff: { default_bps: 9_000 } }),
    ];
    await Promise.all([one.run(), one.run()]);
    await two.run();
    await until(() => heard.length > 0, 'the news');
    const expected = {
      market: 'market',
      price: '3.937',
      supply_kwh: '40',
      demand_kwh: '90',
      imbalance_bps: 3125,
      tariff_bps: 12_000,
      time: new Date(END * 1000).toISOString(),
    };
    expect(await one.current()).toEqual([expected]);
    expect(await two.current()).toEqual([expected]);
    expect(heard).toEqual([{ kind: 'guide' }]);
  } finally {
    await feed.stop();
  }
});

it('has no guide without a price that counts, and shows none that is old', async () => {
  const now = { at: END + 60 };
  const guide = new PriceGuides({
    pool,
    markets: () => [market],
    settings: settings(),
    intervalSeconds: HOUR,
    logger,
    now: () => now.at * 1000,
  });
  await guide.run();
  expect(await guide.current()).toEqual([]);
  await price(END);
  now.at += HOUR;
  await guide.run();
  expect(await guide.current()).toMatchObject([{ price: '3', supply_kwh: '0' }]);
  now.at += 2 * HOUR;
  // The feed has fallen silent: the newest row says so.
  await guide.run();
  expect(await guide.current()).toEqual([]);
  const { rows } = await pool.query('SELECT price FROM price_guides ORDER BY at');
  expect(rows.map((row) => row.price)).toEqual([null, '3000000000', null]);
});

it('works by itself, and stops', async () => {
  await price(END);
  const guide = guides();
  guide.start();
  await until(async () => (await guide.current()).length === 1, 'the guide');
  await guide.stop();
});

it('reads its settings from a file, and says what is wrong with it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-guide-'));
  const path = join(folder, 'guide.json');
  try {
    expect(readPriceGuideSettings(undefined)).toMatchObject({ intervals: 4, readings_bps: 2_500 });
    writeFileSync(path, '{"intervals": 8, "tariff": {"time_zone": "Asia/Bangkok"}}');
    expect(readPriceGuideSettings(path)).toMatchObject({
      intervals: 8,
      tariff: { time_zone: 'Asia/Bangkok' },
    });
    writeFileSync(path, '{"intervals": 0}');
    expect(() => readPriceGuideSettings(path)).toThrow(/intervals/);
    writeFileSync(path, '{');
    expect(() => readPriceGuideSettings(path)).toThrow(/not JSON/);
    expect(() => readPriceGuideSettings(join(folder, 'none'))).toThrow(/cannot read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
