import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import { Connection } from '@solana/web3.js';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { migrate } from '../store/migrate.js';
import { watchPlans } from '../testing/plans.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { encodeCursor } from './cursor.js';
import * as lists from './market-queries.js';
import * as schemas from './market-schemas.js';
import { proofOf } from './proof.js';
import { assertReadable, metersPage, readingsCsv, readingsPage } from './queries.js';
import { MeterState, StoredReading } from './schemas.js';

/* Every list against tables with thousands of rows: pages that fit together, answers of the promised shape, and plans that
 * read no table from end to end. */

const ROWS = 6_000;
const NOW = 1_700_000_000 + ROWS;

let postgres: TestPostgres;
let pool: pg.Pool;

const base58 = (tag: number, bytes: number) => encodeBase58(new Uint8Array(bytes).fill(tag));
const WALLET = base58(7, 32);
const MARKET = base58(8, 32);
const FEED = base58(9, 32);
const PROPOSAL = base58(10, 32);
const SIGNATURE = base58(11, 64);
const METER = 'MTR-00007';

/** Twelve letters that are base58 and differ from number to number, behind a name: an address or a signature. */
const named = (prefix: string, length: number, number = 'n') =>
  `'${prefix}' || translate(lpad((${number})::text, ${length - prefix.length}, '0'), '0', 'z')`;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('lists'), 4);
  await migrate(pool, pino({ level: 'silent' }));
  const wallet = `CASE WHEN n % 100 = 7 THEN '${WALLET}' ELSE ${named('W', 43, 'n % 1000')} END`;
  const other = named('V', 43, 'n % 1000');
  const fill = `FROM generate_series(1, ${ROWS}) AS n`;
  for (const statement of [
    `INSERT INTO chain_transactions (signature, slot, block_time, finalized, last_valid_block_height)
     SELECT ${named('S', 87)}, n, 1700000000 + n, n < 5000, n + 150 ${fill}`,
    `INSERT INTO chain_events (signature, event_index, slot, program_id, name, data, position, block_time, accounts)
     SELECT ${named('S', 87)}, e, n, '${MARKET}', CASE WHEN n % 500 = 0 THEN 'MarketChanged' ELSE 'TradeExecuted' END, '{}',
       n::bigint * 1073741824 + e, 1700000000 + n, ARRAY['${MARKET}', ${wallet}] ${fill}, generate_series(0, 1) AS e`,
    `INSERT INTO markets VALUES ('${MARKET}', '${base58(1, 32)}', '${base58(2, 32)}', '${base58(3, 32)}', '${base58(4, 32)}', NULL,
       '${WALLET}', '${WALLET}', 1000000, 1000000, 25, 0, false, 1, 1)`,
    `INSERT INTO orders SELECT ${named('Q', 43)}, '${MARKET}', ${wallet}, n, CASE WHEN n % 2 = 0 THEN 'sell' ELSE 'buy' END,
       3000000000 + n, 10000000000, CASE WHEN n % 10 = 7 THEN 4000000000 ELSE 0 END, CASE WHEN n % 10 = 7 THEN 4000000000 ELSE 0 END,
       10000000000, 25, ${wallet}, ${NOW} + CASE WHEN n % 3 = 0 THEN -100 ELSE 100 END, n, 0, 0, ${named('S', 87)},
       to_timestamp(1700000000 + n), CASE WHEN n % 10 = 7 THEN 'open' ELSE 'filled' END, NULL, NULL, NULL, n ${fill}`,
    `INSERT INTO trades SELECT ${named('S', 87)}, 0, '${MARKET}', n, 0, n::bigint * 1073741824, ${wallet}, ${other},
       ${named('Q', 43, 'n % 700')}, NULL, 1, NULL, ${named('Q', 43, 'n % 700')}, 'buy', 3000000000, 1000000000, 3000000000, 7500000,
       true, false, to_timestamp(1700000000 + n) ${fill}`,
    `INSERT INTO user_balances (wallet, mint, token_account, amount, slot)
     SELECT ${named('W', 43)}, '${base58(1, 32)}', ${named('T', 43)}, n, n ${fill}`,
    `INSERT INTO certificates SELECT ${named('C', 43)}, ${named('B', 43, 'n % 50')}, ${named('M', 43, 'n % 50')},
       'MTR-' || lpad((n % 50)::text, 5, '0'), ${wallet}, ${wallet}, ${other}, n, NULL, n, n + 1000000000, n, n + 900, 'solar',
       'held', NULL, NULL, NULL, ${named('S', 87)}, to_timestamp(1700000000 + n), NULL, NULL, n ${fill}`,
    `INSERT INTO price_feeds VALUES ('${FEED}', 'GRX/GRID', 3000000000, ${NOW}, false, 3600, 60, 1000, 1, 2, 1, 1, 1)`,
    `INSERT INTO prices SELECT ${named('S', 87)}, 0, CASE WHEN n % 2 = 0 THEN '${FEED}' ELSE '${MARKET}' END, '${WALLET}', 3, 3, 3000000000,
       CASE WHEN n % 4 = 0 THEN 'published' ELSE 'too_few' END, n, 1700000000 + n, to_timestamp(n), n, n ${fill}`,
    `INSERT INTO proposals (address, id, proposer, title, uri, description_hash, status, created_signature, created_at, slot)
     SELECT ${named('P', 43)}, n, '${WALLET}', 'title', '', '', 'voting', ${named('S', 87)}, to_timestamp(n), n ${fill}`,
    `INSERT INTO votes SELECT CASE WHEN n % 20 = 0 THEN '${PROPOSAL}' ELSE ${named('P', 43, 'n % 100')} END, ${named('W', 43)}, 'yes',
       1000000000, to_timestamp(n), ${named('S', 87)}, n, n ${fill}`,
    `INSERT INTO users (wallet_address, verified) SELECT ${named('W', 43)}, true ${fill}`,
    `INSERT INTO users (wallet_address, verified) VALUES ('${WALLET}', true)`,
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, status)
     SELECT 'MTR-' || lpad(n::text, 5, '0'), ${named('M', 43)}, u.id, u.wallet_address, ${named('K', 43)}, 'active'
     ${fill} JOIN users u ON u.wallet_address = CASE WHEN n % 1000 = 7 THEN '${WALLET}' ELSE ${named('W', 43)} END`,
    `INSERT INTO settlements (signature, wire, blockhash, last_valid_block_height, collector, lease_until)
     SELECT ${named('S', 87)}, '', '', 1, 'c', now() ${fill}`,
    `INSERT INTO settlement_items SELECT s.id, m.meter_id, 'submit', 0, 1, 1000000000, 1000000000, false
     FROM settlements s CROSS JOIN LATERAL (SELECT 'MTR-' || lpad((1 + (s.id * 2 + k) % ${ROWS})::text, 5, '0') AS meter_id
       FROM generate_series(0, 1) AS k) AS m`,
    // Nine readings each that were brought one by one, and minted together by a transaction that brought none.
    `INSERT INTO chain_readings SELECT 'MTR-' || lpad((1 + n % 3000)::text, 5, '0'), 1 + n / 3000, ${named('S', 87)}, n, 'k', 1, 1, 1, 1,
       1, 0, 'minted', ${named('S', 87, 'n - n % 10')} ${fill} WHERE n % 10 <> 0`,
    'SELECT ensure_reading_partition(to_timestamp(1700000000)), ensure_reading_partition(to_timestamp(1702800000))',
    // 1,500 of one meter, over a month's end, and 15 of each of 700 others.
    `INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end, produced_total,
       consumed_total, surplus_total, amount_nkwh, reading_timestamp, message, meter_signature, public_key)
     SELECT gen_random_uuid(), u.id, m.meter_id, m.wallet_address, n, 0, at - 1800, at, n, n, n, n, to_timestamp(at),
       decode(repeat('00', 48), 'hex'), 's', 'k'
     FROM generate_series(1, 1500) AS n CROSS JOIN meters m JOIN users u ON u.id = m.user_id
     CROSS JOIN LATERAL (SELECT 1700000000 + 1800 * n AS at) AS t
     WHERE m.meter_id = '${METER}' OR (n % 100 = 0 AND m.meter_id BETWEEN 'MTR-00100' AND 'MTR-00799')`,
    'VACUUM ANALYZE',
  ]) {
    await pool.query(statement);
  }
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

type Lister = (pool: pg.Pool, cursor: string | undefined) => Promise<lists.Page<unknown>>;
const READINGS = { meterId: METER, wallet: WALLET, from: undefined, to: undefined };
const LISTS: [name: string, schema: z.ZodType, least: number, list: Lister][] = [
  ['orders', schemas.OrderItem, ROWS, (db, cursor) => lists.ordersPage(db, { limit: 500, cursor }, NOW)],
  [
    'orders of an owner',
    schemas.OrderItem,
    60,
    (db, cursor) => lists.ordersPage(db, { owner: WALLET, limit: 7, cursor }, NOW),
  ],
  [
    'open orders',
    schemas.OrderItem,
    400,
    (db, cursor) => lists.ordersPage(db, { status: 'open', limit: 50, cursor }, NOW),
  ],
  [
    'expired orders of a market and side',
    schemas.OrderItem,
    200,
    (db, cursor) =>
      lists.ordersPage(db, { status: 'expired', market: MARKET, side: 'buy', limit: 50, cursor }, NOW),
  ],
  ['trades', schemas.TradeItem, ROWS, (db, cursor) => lists.tradesPage(db, { limit: 500, cursor })],
  [
    'trades of a market',
    schemas.TradeItem,
    ROWS,
    (db, cursor) => lists.tradesPage(db, { market: MARKET, limit: 500, cursor }),
  ],
  [
    'trades of a wallet',
    schemas.TradeItem,
    60,
    (db, cursor) => lists.tradesPage(db, { wallet: WALLET, limit: 9, cursor }),
  ],
  [
    'trades of an order',
    schemas.TradeItem,
    9,
    (db, cursor) => lists.tradesPage(db, { order: `Q${'z'.repeat(40)}15`, limit: 3, cursor }),
  ],
  [
    'published prices',
    schemas.PublishedPrice,
    1_500,
    (db, cursor) => lists.publishedPricesPage(db, FEED, { limit: 400, cursor }),
  ],
  [
    'settlements',
    schemas.SettlementItem,
    2 * ROWS,
    (db, cursor) => lists.settlementsPage(db, undefined, { limit: 200, cursor }),
  ],
  [
    'settlements of a wallet',
    schemas.SettlementItem,
    12,
    (db, cursor) => lists.settlementsPage(db, WALLET, { limit: 4, cursor }),
  ],
  [
    'settlements of a meter',
    schemas.SettlementItem,
    2,
    (db, cursor) => lists.settlementsPage(db, undefined, { meter_id: METER, limit: 1, cursor }),
  ],
  [
    'certificates',
    schemas.CertificateItem,
    ROWS,
    (db, cursor) => lists.certificatesPage(db, { limit: 500, cursor }),
  ],
  [
    'certificates of a holder',
    schemas.CertificateItem,
    60,
    (db, cursor) => lists.certificatesPage(db, { holder: WALLET, limit: 11, cursor }),
  ],
  [
    'certificates of a meter',
    schemas.CertificateItem,
    120,
    (db, cursor) => lists.certificatesPage(db, { meter_id: METER, limit: 50, cursor }),
  ],
  ['proposals', schemas.ProposalItem, ROWS, (db, cursor) => lists.proposalsPage(db, { limit: 500, cursor })],
  ['meters', MeterState, ROWS, (db, cursor) => metersPage(db, undefined, { limit: 500, cursor })],
  ['meters of a wallet', MeterState, 6, (db, cursor) => metersPage(db, WALLET, { limit: 4, cursor })],
  ['readings', StoredReading, 1_500, (db, cursor) => readingsPage(db, READINGS, 400, cursor)],
  ['votes', schemas.VoteItem, 300, (db, cursor) => lists.votesPage(db, PROPOSAL, { limit: 70, cursor })],
  ['events', schemas.EventItem, 2 * ROWS, (db, cursor) => lists.eventsPage(db, { limit: 500, cursor })],
  [
    'events by name',
    schemas.EventItem,
    24,
    (db, cursor) => lists.eventsPage(db, { name: 'MarketChanged', limit: 5, cursor }),
  ],
  [
    'events of an account',
    schemas.EventItem,
    120,
    (db, cursor) => lists.eventsPage(db, { account: WALLET, limit: 50, cursor }),
  ],
];

describe.each(LISTS)('%s', (_name, schema, least, list) => {
  test('come in pages that hold everything once, by an index', async () => {
    const { pool: db, plans } = watchPlans(pool);
    const seen = new Set<string>();
    let [cursor, total, pages]: [string | undefined, number, number] = [undefined, 0, 0];
    do {
      const { items, next_cursor }: lists.Page<unknown> = await list(db, cursor);
      if (pages === 0) for (const item of items.slice(0, 3)) expect(withoutText(item)).toBeDefined();
      for (const item of items) seen.add(JSON.stringify(item));
      total += items.length;
      pages += 1;
      cursor = next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(total).toBe(seen.size);
    expect(total).toBe(least);
    expect(pages).toBeGreaterThan(1);
    for (const plan of plans) expect(plan).not.toMatch(/Seq Scan/);

    /** The addresses in these tables are only as long as real ones; everything else has to be as promised. */
    function withoutText(item: unknown): unknown {
      const result = schema.safeParse(item);
      const wrong = result.error?.issues.filter((issue) => !/base58|meter id/.test(issue.message));
      expect(wrong ?? []).toEqual([]);
      return item;
    }
  });
});

// Readings' cursors are sequences, which the route's schema judges.
describe.each(LISTS.filter(([name]) => name !== 'readings'))('%s', (_name, _schema, _least, list) => {
  test.each([
    '"; DROP TABLE orders; --',
    encodeCursor([]),
    encodeCursor(['1', '2', '3', '4', '5']),
    encodeCursor(["1'; SELECT 1; --", 'x y', '9'.repeat(30)]),
    Buffer.from('[{"toString":1}]').toString('base64url'),
    Buffer.from('{"__proto__":[]}').toString('base64url'),
  ])('a cursor of another kind is refused: %s', async (cursor) => {
    const error = await list(pool, cursor).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GtxError);
    expect(error).toMatchObject({ code: 'INVALID_BODY' });
  });
});

test('an owner’s orders come in pages also where their numbers are as large as the chain allows', async () => {
  const owner = base58(12, 32);
  const numbers = [2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 63n];
  for (const [at, number] of numbers.entries()) {
    await pool.query(
      `INSERT INTO orders SELECT '${base58(13, 31)}' || $1, market, $2, $3, side, price, amount, remaining, escrowed, deposited, fee_bps,
         rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at, status,
         closed_signature, closed_at, filled_at, slot FROM orders WHERE owner = '${WALLET}' LIMIT 1`,
      [String.fromCharCode(0x41 + at), owner, number.toString()],
    );
  }
  try {
    const first = await lists.ordersPage(pool, { owner, limit: 2, cursor: undefined }, NOW);
    const second = await lists.ordersPage(pool, { owner, limit: 2, cursor: first.next_cursor ?? '' }, NOW);
    expect([...first.items, ...second.items].map(({ order_id }) => BigInt(order_id))).toEqual(numbers);
    expect(second.next_cursor).toBeNull();
    const beyond = lists.ordersPage(pool, { owner, limit: 2, cursor: encodeCursor([2n ** 64n]) }, NOW);
    await expect(beyond).rejects.toMatchObject({ code: 'INVALID_BODY' });
  } finally {
    await pool.query('DELETE FROM orders WHERE owner = $1', [owner]);
  }
});

test('a table of readings is read a thousand lines at a time, and every line is there once', async () => {
  const { pool: db, plans } = watchPlans(pool);
  const parts: string[] = [];
  for await (const part of readingsCsv(db, READINGS)) parts.push(part);
  const lines = parts.join('').split('\r\n');
  expect(lines.pop()).toBe('');
  expect(lines).toHaveLength(1_501);
  expect(lines.slice(1).map((line) => line.split(',')[2])).toEqual(
    Array.from({ length: 1_500 }, (_, index) => String(index + 1)),
  );
  expect(plans).toHaveLength(2);
  for (const plan of plans) expect(plan).not.toMatch(/Seq Scan/);
  const [from, to] = [1_700_000_000 + 1_800 * 100, 1_700_000_000 + 1_800 * 103];
  const some: string[] = [];
  for await (const part of readingsCsv(db, { ...READINGS, from, to })) some.push(part);
  expect(
    some
      .join('')
      .split('\r\n')
      .slice(1, -1)
      .map((line) => line.split(',')[2]),
  ).toEqual(['100', '101', '102']);
});

test('single rows and figures are found by an index too', async () => {
  const { pool: db, plans } = watchPlans(pool);
  await lists.orderOf(db, `Q${'z'.repeat(40)}15`, NOW);
  const { balances } = await lists.balancesOf(db, WALLET);
  // Whose it is not is looked for among what the asker measured.
  const strangers = { ...READINGS, meterId: 'MTR-00008' };
  await expect(assertReadable(db, strangers)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await lists.eventsPage(db, { signature: SIGNATURE, limit: 5, cursor: undefined });
  expect(balances).toHaveLength(2);
  // Open orders of this wallet: those with n = 7, 107, 207... all buy orders, in a market whose GRX this is.
  expect(balances[1]).toMatchObject({ symbol: 'GRX', amount: '0', escrowed: '240', total: '240' });
  // There are only a few markets: that is read whole.
  for (const plan of plans) expect(plan).not.toMatch(/Seq Scan on (?!markets)/);
});

test('the readings behind a transaction are found by an index', async () => {
  const { pool: db, plans } = watchPlans(pool);
  const minted = `S${'z'.repeat(82)}4z1z`;
  // Nobody is asked: a transaction that only mints has no bytes to show.
  const proof = await proofOf(db, new Connection('http://127.0.0.1:1'), minted);
  expect(proof).toEqual({ transaction: null, readings: [], accepted_in: expect.any(Array) });
  expect(proof.accepted_in.toSorted()).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${minted.slice(0, -1)}${n}`),
  );
  expect(plans).toHaveLength(1);
  for (const plan of plans) expect(plan).not.toMatch(/Seq Scan/);
});

test('what was minted before a meter was handed over is not shown to its new owner', async () => {
  const before = await lists.settlementsPage(pool, WALLET, { meter_id: METER, limit: 10, cursor: undefined });
  expect(before.items).toHaveLength(2);
  const { rows } = await pool.query('SELECT signature FROM chain_transactions LIMIT 1');
  await pool.query(
    `INSERT INTO chain_events (signature, event_index, slot, program_id, name, meter, data, position, block_time)
     SELECT $1, 9, 9000, 'p', 'MeterTransferred', address, '{}', 9000::bigint << 30, extract(epoch FROM now())::bigint + 60
     FROM meters WHERE meter_id = $2`,
    [rows[0].signature, METER],
  );
  const after = await lists.settlementsPage(pool, WALLET, { meter_id: METER, limit: 10, cursor: undefined });
  expect(after.items).toEqual([]);
});
