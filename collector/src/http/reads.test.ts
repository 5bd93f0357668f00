import { gridMintAddress } from '@gridtokenx/chain';
import { encodeBase58 } from '@gridtokenx/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notifyChange } from '../feed/index.js';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { randomKey, TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, TestWallet } from '../testing/wallet.js';
import { ROUTES } from './schemas.js';

/* What can be read over HTTP, by whom, and that every answer is of the shape that the documents promise. */

const TIME = 1_760_000_400;
const MARKET = randomKey();
const GRID = gridMintAddress().toBase58();
const GRX = randomKey();
const ORDER = randomKey();
const SIGNATURE = encodeBase58(new Uint8Array(64).fill(5));

let postgres: TestPostgres;
let collector: TestCollector;
const [ann, ben] = [new TestWallet(), new TestWallet()];
let annsMeter: TestMeter;
let bensMeter: TestMeter;
const tokens = new Map<TestWallet, string>();

interface Got {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was answered
  body: any;
  headers: Headers;
}

const routeOf = (path: string) =>
  ROUTES.find(
    (route) =>
      route.method === 'get' && new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );

/** Asks, and checks that the answer is one that the route's description has. */
async function get(path: string, wallet?: TestWallet, headers: Record<string, string> = {}): Promise<Got> {
  const response = await fetch(`${collector.httpUrl}${path}`, {
    headers: {
      ...(wallet === undefined ? {} : { authorization: `Bearer ${tokens.get(wallet)}` }),
      ...headers,
    },
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  const body: unknown = json ? JSON.parse(text) : text;
  const schema = routeOf(new URL(response.url).pathname)?.answers[response.status]?.schema;
  if (schema !== undefined) expect(schema.safeParse(body).error?.issues ?? []).toEqual([]);
  return { status: response.status, body, headers: response.headers };
}

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, {
    now: () => TIME * 1000,
    env: { GTX_OPERATOR_USERNAME: 'ops', GTX_OPERATOR_PASSWORD: 'correct horse' },
  });
  const { pool, registry } = collector;
  await bindTestNetwork(pool);
  annsMeter = new TestMeter('MTR-ANN', TIME - 9_000);
  bensMeter = new TestMeter('MTR-BEN', TIME - 9_000);
  registry.register(annsMeter, { wallet: ann.address });
  registry.register(bensMeter, { wallet: ben.address });
  for (const meter of [annsMeter, annsMeter, annsMeter, bensMeter]) await collector.post(meter.next());
  await pool.query(
    `INSERT INTO chain_transactions (signature, slot, block_time, last_valid_block_height) VALUES ($1, 10, $2, 160)`,
    [SIGNATURE, TIME],
  );
  await pool.query(
    `INSERT INTO markets VALUES ($1, $2, $3, NULL, $4, NULL, $4, $4, 1000000, 1000000, 25, 0, false, 10, 1)`,
    [MARKET, GRID, GRX, randomKey()],
  );
  await pool.query(
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps, rent_payer,
       expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at, status, slot)
     VALUES ($1, $2, $3, 1, 'sell', 3000000000, 10000000000, 4000000000, 4000000000, 10000000000, 25, $3, $4, 10, 0, 0, $5,
       to_timestamp($6), 'open', 10),
       ($7, $2, $3, 2, 'buy', 2000000000, 10000000000, 10000000000, 20000000000, 20000000000, 25, $3, $6, 10, 0, 1, $5,
       to_timestamp($6), 'open', 10)`,
    [ORDER, MARKET, ann.address, TIME + 3_600, SIGNATURE, TIME, randomKey()],
  );
  await pool.query('INSERT INTO user_balances VALUES ($1, $2, $3, 5500000000, 10)', [
    ann.address,
    GRID,
    randomKey(),
  ]);
  // As whoever wrote this would have done.
  const client = await pool.connect();
  await client.query('BEGIN');
  await notifyChange(client, { kind: 'gap' });
  await client.query('COMMIT');
  client.release();
  for (const wallet of [ann, ben]) tokens.set(wallet, (await wallet.login(collector.httpUrl)).access_token);
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

describe('public', () => {
  test('markets, orders, an order; an order past its time is expired before it is returned', async () => {
    expect((await get('/api/markets')).body.items).toMatchObject([
      { address: MARKET, lot_size: '0.001', tick_size: '0.001', fee_bps: 25, paused: false },
    ]);
    const orders = await get(`/api/orders?owner=${ann.address}`);
    expect(orders.body.items).toMatchObject([
      { order_id: '2', side: 'buy', status: 'expired', escrowed: '20' },
      { order_id: '1', side: 'sell', price: '3', remaining: '4', status: 'open' },
    ]);
    expect((await get('/api/orders?status=open')).body.items).toHaveLength(1);
    expect((await get('/api/orders?status=expired&side=buy')).body.items).toHaveLength(1);
    expect((await get(`/api/orders?owner=${ben.address}`)).body).toEqual({ items: [], next_cursor: null });
    expect((await get(`/api/orders/${ORDER}`)).body).toMatchObject({ address: ORDER });
    expect((await get(`/api/orders/${randomKey()}`)).status).toBe(404);
  });

  test('the book of the only market, or of the one that is named', async () => {
    const book = await until(async () => {
      const answer = await get('/api/book');
      return answer.status === 200 && answer.body.asks.length > 0 && answer.body;
    }, 'the book has the order');
    expect(book).toMatchObject({
      market: MARKET,
      asks: [{ price: '3', amount: '4', orders: 1 }],
      bids: [],
    });
    expect((await get(`/api/book?market=${MARKET}&depth=1`)).status).toBe(200);
    expect((await get(`/api/book?market=${randomKey()}`)).body.error.code).toBe('NOT_FOUND');
  });

  test.each(['/api/trades', '/api/prices', '/api/certificates', '/api/proposals', '/api/events'])(
    '%s, still empty',
    async (path) => {
      expect((await get(path)).status).toBe(200);
    },
  );

  test('events are public, but what a home used is not among them', async () => {
    await collector.pool.query(
      `INSERT INTO chain_events (signature, event_index, slot, program_id, name, data, position, accounts)
       SELECT $1, i, 10, $2, CASE i WHEN 0 THEN 'MeterReadingSubmitted' ELSE 'TradeExecuted' END, '{}', i, ARRAY[$3]::varchar[]
       FROM generate_series(0, 1) AS i`,
      [SIGNATURE, randomKey(), ann.address],
    );
    const names = async (query: string) =>
      (await get(`/api/events?${query}`)).body.items.map(({ name }: { name: string }) => name);
    for (const query of ['', `account=${ann.address}`, `signature=${SIGNATURE}`])
      expect(await names(query)).toEqual(['TradeExecuted']);
    expect(await names('name=MeterReadingSubmitted')).toEqual([]);
    const { events } = (await get(`/api/transactions/${SIGNATURE}`)).body;
    expect(events.map(({ name }: { name: string }) => name)).toEqual(['TradeExecuted']);
  });

  test('a validator saves the transfer until something changes', async () => {
    const first = await get('/api/orders?limit=1');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/".+"$/);
    const again = await get('/api/orders?limit=1', undefined, { 'if-none-match': `"other", ${etag}` });
    expect(again).toMatchObject({ status: 304, body: '' });
    expect((await get('/api/orders?limit=1', undefined, { 'if-none-match': '"other"' })).status).toBe(200);
    // The other collector's word counts the same: it is of the body.
    expect((await get('/api/orders?limit=1')).headers.get('etag')).toBe(etag);
    await collector.pool.query('UPDATE orders SET remaining = remaining - 1 WHERE order_id = 2');
    expect((await get('/api/orders?limit=1', undefined, { 'if-none-match': etag })).status).toBe(200);
  });
});

describe('own', () => {
  const PRIVATE = (meter: string, wallet: string) => [
    `/api/meters/${meter}`,
    `/api/meters/${meter}/readings`,
    `/api/meters/${meter}/readings.csv`,
    `/api/balances/${wallet}`,
    `/api/meters?wallet=${wallet}`,
    `/api/settlements?wallet=${wallet}`,
  ];

  test('a wallet sees its meters, readings, tokens and settlements', async () => {
    expect((await get('/api/meters', ann)).body.items).toMatchObject([
      { meter_id: 'MTR-ANN', last_sequence: '3' },
    ]);
    expect((await get('/api/meters/MTR-ANN', ann)).body).toMatchObject({ wallet_address: ann.address });
    expect((await get('/api/meters/MTR-ANN/readings', ann)).body.items).toHaveLength(3);
    expect((await get('/api/settlements', ann)).body).toEqual({ items: [], next_cursor: null });
    const { balances } = (await get(`/api/balances/${ann.address}`, ann)).body;
    expect(balances).toMatchObject([
      { symbol: 'GRID', amount: '5.5', escrowed: '4', total: '9.5' },
      { symbol: 'GRX', mint: GRX, amount: '0', escrowed: '20', total: '20', token_account: null },
    ]);
    for (const path of PRIVATE('MTR-ANN', ann.address)) expect((await get(path, ann)).status).toBe(200);
  });

  test("another's are refused, and so is everybody without a login", async () => {
    for (const path of PRIVATE('MTR-ANN', ann.address)) {
      const other = await get(path, ben);
      expect([path, other.status, other.body.error?.code]).toEqual([path, 403, 'FORBIDDEN']);
      const nobody = await get(path);
      expect([path, nobody.status, nobody.body.error?.code]).toEqual([path, 401, 'UNAUTHENTICATED']);
      const forged = await get(path, undefined, { authorization: `Bearer ${'A'.repeat(43)}` });
      expect([path, forged.status]).toEqual([path, 401]);
    }
    expect((await get('/api/meters', ben)).body.items).toMatchObject([{ meter_id: 'MTR-BEN' }]);
    expect((await get('/api/status', ann)).status).toBe(403);
  });

  test('an operator sees all', async () => {
    const authorization = `Basic ${Buffer.from('ops:correct horse').toString('base64')}`;
    for (const path of PRIVATE('MTR-ANN', ann.address))
      expect((await get(path, undefined, { authorization })).status).toBe(200);
    expect((await get('/api/meters', undefined, { authorization })).body.items).toHaveLength(2);
    expect((await get('/api/settlements', undefined, { authorization })).status).toBe(200);
    expect((await get('/api/audit', undefined, { authorization })).body.last).toBeNull();
    await collector.pool.query(
      `INSERT INTO audit_reports (checked_at, ok, slot, report) VALUES (now(), false, 7, $1)`,
      [
        {
          ok: false,
          checkedAt: '2026-01-01T00:00:00Z',
          genesisHash: 'g',
          slot: 7,
          figures: { readingsOnChain: 1 },
          differences: [{ kind: 'order', orderAddress: ORDER }],
          differenceCount: 1,
        },
      ],
    );
    expect((await get('/api/audit', undefined, { authorization })).body.last).toMatchObject({
      checked_at: '2026-01-01T00:00:00Z',
      figures: { readings_on_chain: 1 },
      energy: null,
      differences: [{ order_address: ORDER }],
    });
    expect((await get('/api/audit', ann)).status).toBe(403);
  });

  test('what was measured before a meter was handed over stays with whom it was measured for', async () => {
    const meter = new TestMeter('MTR-SOLD', TIME - 9_000);
    collector.registry.register(meter, { wallet: ann.address });
    await collector.post(meter.next());
    await collector.post(meter.next());
    await collector.pool.query(
      `UPDATE meters SET wallet_address = $1::text, user_id = (SELECT id FROM users WHERE wallet_address = $1::text)
       WHERE meter_id = 'MTR-SOLD'`,
      [ben.address],
    );
    expect((await get('/api/meters/MTR-SOLD', ann)).status).toBe(403);
    expect((await get('/api/meters/MTR-SOLD/readings', ann)).body.items).toHaveLength(2);
    expect((await get('/api/meters/MTR-SOLD', ben)).status).toBe(200);
    expect((await get('/api/meters/MTR-SOLD/readings', ben)).body.items).toEqual([]);
  });

  test('readings as a table, and of a time', async () => {
    const [first, second, third] = (await get('/api/meters/MTR-ANN/readings', ann)).body.items.reverse();
    const table = await get('/api/meters/MTR-ANN/readings.csv', ann);
    expect(table.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const lines = table.body.split('\r\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toContain('interval_start,interval_end,sequence');
    expect(lines[1]).toBe(
      `${new Date(first.interval_start * 1000).toISOString().replace('.000', '')},` +
        `${first.reading_timestamp},1,1,0.4,0.6,0.6,pending,`,
    );
    const from = `from=${second.interval_end}`;
    const to = `to=${encodeURIComponent(third.reading_timestamp)}`;
    expect((await get(`/api/meters/MTR-ANN/readings?${from}&${to}`, ann)).body.items).toEqual([second]);
    expect((await get(`/api/meters/MTR-ANN/readings.csv?${from}`, ann)).body.split('\r\n')).toHaveLength(4);
    expect((await get('/api/meters/MTR-ANN/readings.csv?from=0', ann)).body.error.code).toBe('INVALID_BODY');
    expect((await get('/api/meters/MTR-ANN/readings.csv?from=yesterday', ann)).status).toBe(400);
    expect((await get('/api/meters/MTR-NONE/readings.csv', ann)).status).toBe(404);
  });
});
