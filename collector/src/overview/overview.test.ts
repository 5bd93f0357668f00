import { encodeBase58, ListReplica } from '@gridtokenx/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROUTES } from '../http/schemas.js';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { TestLiveClient } from '../testing/live-client.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { bindTestNetwork, TestWallet } from '../testing/wallet.js';
import { quantile } from './figures.js';
import { withoutSecrets } from './health.js';
import { Remembered } from './overview.js';

/* Who sees which figures, and that they are those of the readings: a collector with five homes, of which one has a quarter of an hour
 * that no other has. */

/** 2025-10-09T09:00:00Z, which is 16:00 in Bangkok. */
const TIME = 1_760_000_400;
const OPS = { authorization: `Basic ${Buffer.from('ops:correct horse').toString('base64')}` };
const SIGNATURE = encodeBase58(new Uint8Array(64).fill(5));

let postgres: TestPostgres;
let collector: TestCollector;
const [ann, ben] = [new TestWallet(), new TestWallet()];
const tokens = new Map<TestWallet, string>();
const meters: TestMeter[] = [];

// biome-ignore lint/suspicious/noExplicitAny: whatever was answered
type Got = { status: number; body: any };

/** Asks, and checks that the answer is one that the route's description has. */
async function get(path: string, who?: TestWallet | Record<string, string>): Promise<Got> {
  const headers = who instanceof TestWallet ? { authorization: `Bearer ${tokens.get(who)}` } : (who ?? {});
  const response = await fetch(`${collector.httpUrl}${path}`, { headers });
  const body: unknown = await response.json();
  const { pathname } = new URL(response.url);
  const fitting = ROUTES.filter(
    (route) =>
      route.method === 'get' && new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  const schema = (fitting.find(({ path: name }) => name === pathname) ?? fitting[0])?.answers[response.status]
    ?.schema;
  if (response.status === 200) expect(schema?.safeParse(body).error?.issues).toBeUndefined();
  return { status: response.status, body };
}

/** Figures that another answer remembers for a second are waited for. */
const eventually = (
  path: string,
  who: Parameters<typeof get>[1],
  fits: (body: Got['body']) => boolean,
  what: string,
) =>
  until(async () => {
    const { body } = await get(path, who);
    return fits(body) && body;
  }, what);

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, {
    now: () => TIME * 1000,
    env: {
      GTX_OPERATOR_USERNAME: 'ops',
      GTX_OPERATOR_PASSWORD: 'correct horse',
      GTX_PUBLIC_POWER_METERS: '4',
    },
  });
  await bindTestNetwork(collector.pool);
  // Ann has two meters, Ben one, two are somebody's.
  const owners = [ann, ann, ben, new TestWallet(), new TestWallet()];
  for (const [index, owner] of owners.entries()) {
    const meter = new TestMeter(`MTR-${index}`, TIME - 5 * 900);
    collector.registry.register(meter, { wallet: owner.address });
    meters.push(meter);
  }
  // Quarters 1 and 2 of all five, quarter 3 of Ann's first alone.
  for (const meter of meters) {
    await collector.post(meter.next('1', '0.4'));
    await collector.post(meter.next('0.5', '0.7'));
  }
  await collector.post((meters[0] as TestMeter).next('0.25', '0'));
  for (const wallet of [ann, ben]) tokens.set(wallet, (await wallet.login(collector.httpUrl)).access_token);
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

const iso = (at: number) => new Date(at * 1000).toISOString().replace('.000', '');
const SINCE = iso(TIME - 5 * 900);
const PERIOD = `from=${SINCE}&to=${iso(TIME)}`;

describe('the network at one glance', () => {
  test('counts every reading, by the time of the reader', async () => {
    const body = await eventually(
      '/api/overview',
      OPS,
      ({ today, pipeline }) => today.readings === 11 && pipeline[0].count_hour === 11,
      'all are counted',
    );
    expect(body.today).toEqual({
      since: '2025-10-09T00:00:00Z',
      produced_kwh: '7.75',
      consumed_kwh: '5.5',
      surplus_kwh: '3.25',
      hidden: null,
      minted_grid: '0',
      readings: 11,
    });
    expect(body.total).toEqual({ minted_grid: '0', readings: 11, meters: 5, users: 4 });
    expect(body.pipeline.map(({ stage }: { stage: string }) => stage)).toEqual([
      'received',
      'stored',
      'accepted',
      'minted',
      'final',
    ]);
    expect(body.pipeline[1]).toMatchObject({ count_hour: 11, waiting: 11 });
    expect(body.pipeline[0]).toMatchObject({ count_hour: 11, waiting: 0 });
    expect(body.pipeline[2]).toMatchObject({ count_hour: 0, waiting: 0, lag_seconds_p50: null });
    // The last of the quarters only.
    const late = await get(`/api/overview?since=${iso(TIME - 3 * 900)}`, OPS);
    expect(late.body.today).toMatchObject({ readings: 1, produced_kwh: '0.25' });
    expect((await get(`/api/overview?since=${TIME + 1}`)).body.error.code).toBe('INVALID_BODY');
  });

  test('shows nobody else what single homes do', async () => {
    const public_ = (await get('/api/overview')).body;
    // Without the quarter that only one home has.
    expect(public_.today).toMatchObject({
      produced_kwh: '7.5',
      surplus_kwh: '3',
      readings: 11,
      hidden: null,
    });
    const alone = (await get(`/api/overview?since=${iso(TIME - 3 * 900)}`)).body;
    expect(alone.today).toMatchObject({ produced_kwh: null, readings: 1, hidden: 'too_few_meters' });
    expect((await get('/api/overview', ann)).body.today.produced_kwh).toBe('7.5');
    // A login that does not count is not taken for none.
    const wrong = { authorization: `Basic ${Buffer.from('ops:wrong').toString('base64')}` };
    expect((await get('/api/overview', wrong)).status).toBe(401);
    expect((await get('/api/overview', { authorization: 'Bearer nothing' })).status).toBe(401);
  });

  test('shows the power of so many homes, or hides it', async () => {
    const { pool } = collector;
    const live = async (count: number) => {
      await pool.query('DELETE FROM fleet');
      await pool.query(
        `INSERT INTO fleet (meter_id, production_watts, consumption_watts, telemetry_at, telemetry_seen)
         SELECT meter_id, 1000, 400, to_timestamp($2), to_timestamp($2) FROM meters ORDER BY meter_id LIMIT $1`,
        [count, TIME - 1],
      );
    };
    await live(3);
    const few = await eventually('/api/overview', OPS, ({ power }) => power?.meters === 3, 'three homes');
    expect(few.power).toMatchObject({ production_watts: 3000, consumption_watts: 1200, surplus_watts: 1800 });
    expect((await get('/api/overview')).body).toMatchObject({ power: null, power_hidden: 'too_few_meters' });
    await live(5);
    await eventually('/api/overview', undefined, ({ power }) => power?.meters === 5, 'five homes');
    await pool.query('DELETE FROM fleet');
    await eventually(
      '/api/overview',
      OPS,
      ({ power, power_hidden }) => power === null && power_hidden === null,
      'nothing known is not hidden',
    );
  });

  test('follows a reading to its token', async () => {
    const { pool } = collector;
    const minted = (await pool.query("SELECT address FROM meters WHERE meter_id = 'MTR-2'")).rows[0].address;
    await pool.query(
      `INSERT INTO chain_transactions (signature, slot, block_time, last_valid_block_height) VALUES ($1, 10, $2, 160)`,
      [SIGNATURE, TIME - 60],
    );
    await pool.query(
      `INSERT INTO chain_events (signature, event_index, slot, program_id, name, meter, data, block_time, position)
       VALUES ($1, 0, 10, 'p', 'ProductionMinted', $2, '{"amount": "600000000"}', $3, 1)`,
      [SIGNATURE, minted, TIME - 60],
    );
    // The second reading of each brings the first along, of which one had nothing to mint.
    await pool.query(
      `INSERT INTO chain_readings (meter_id, sequence, signature, slot, public_key, interval_end, produced_total, consumed_total,
         surplus_total, counted, held, state, mint_signature)
       SELECT meter, 2, $1, 10, 'k', $2, 1, 1, 1, 1, 0, 'minted', $1 FROM (VALUES ('MTR-2'), ('MTR-3')) AS m (meter)`,
      [SIGNATURE, TIME - 3 * 900],
    );
    await pool.query(
      `UPDATE meter_readings SET status = CASE meter_id WHEN 'MTR-2' THEN 'nothing_to_settle' ELSE 'accepted' END
       WHERE meter_id IN ('MTR-2', 'MTR-3') AND sequence = 1`,
    );
    await pool.query(
      `UPDATE meter_readings SET status = 'minted', minted = TRUE, mint_tx_signature = $1
       WHERE meter_id IN ('MTR-2', 'MTR-3') AND status <> 'nothing_to_settle'`,
      [SIGNATURE],
    );
    const stage = (body: Got['body'], name: string) =>
      body.pipeline.find((one: { stage: string }) => one.stage === name);
    const body = await eventually(
      '/api/overview',
      OPS,
      ({ mints, today }) => mints.length === 1 && today.minted_grid !== '0',
      'the mint is told',
    );
    expect(body.mints).toEqual([
      { signature: SIGNATURE, amount: '0.6', time: iso(TIME - 60), meters: 1, state: 'confirmed' },
    ]);
    expect(body.today.minted_grid).toBe('0.6');
    expect(body.total.minted_grid).toBe('0.6');
    expect(stage(body, 'stored').waiting).toBe(7);
    expect(stage(body, 'accepted')).toMatchObject({ count_hour: 3, waiting: 0 });
    expect(stage(body, 'minted')).toMatchObject({ count_hour: 3, waiting: 3 });
    expect(stage(body, 'minted').lag_seconds_p50).toBeGreaterThan(0);
    expect(stage(body, 'final')).toMatchObject({ count_hour: 0, waiting: 0 });
    await pool.query('UPDATE chain_transactions SET finalized = TRUE WHERE signature = $1', [SIGNATURE]);
    const final = await eventually(
      '/api/overview',
      OPS,
      ({ mints }) => mints[0].state === 'finalized',
      'final',
    );
    expect(stage(final, 'final').count_hour).toBe(3);
    expect(stage(final, 'minted').waiting).toBe(0);
    const { body: status } = await get('/api/status', OPS);
    expect(status.readings).toMatchObject({ stored: 11, by_status: { minted: 3, pending: 7, accepted: 0 } });
    // A fork takes it back.
    await pool.query('DELETE FROM chain_transactions WHERE signature = $1', [SIGNATURE]);
    const undone = await eventually('/api/overview', OPS, ({ mints }) => mints.length === 0, 'taken back');
    expect(undone.total.minted_grid).toBe('0');
  });

  test('is told over the WebSocket when it changes', async () => {
    const client = await TestLiveClient.connect(collector.httpUrl);
    try {
      await client.must({ op: 'subscribe', channel: 'overview' });
      const list = () => {
        const replica = new ListReplica('overview');
        for (const frame of client.of('overview')) expect(replica.apply(frame)).not.toBe('missed');
        return replica.items[0] as Got['body'];
      };
      await until(() => list()?.total.readings === 11, 'the snapshot');
      expect(list()).toMatchObject({ key: 'network', power: null, today: { produced_kwh: '7.5' } });
      await collector.post((meters[1] as TestMeter).next('0.125', '0'));
      await until(() => list().total.readings === 12, 'the next reading');
    } finally {
      client.close();
    }
  });
});

describe('energy', () => {
  test('of the network comes in quarters, hours and days, without what few homes did', async () => {
    // A reading is counted at once, and its energy a moment later.
    const body = await eventually(
      `/api/energy?${PERIOD}&step=quarter`,
      OPS,
      ({ items }) => items[2]?.readings === 2,
      'the last reading is summed up',
    );
    expect(body.items.map((item: Got['body']) => [item.start, item.produced_kwh, item.meters])).toEqual([
      ['2025-10-09T07:45:00Z', '5', 5],
      ['2025-10-09T08:00:00Z', '2.5', 5],
      ['2025-10-09T08:15:00Z', '0.375', 2],
      ['2025-10-09T08:30:00Z', '0', 0],
      ['2025-10-09T08:45:00Z', '0', 0],
    ]);
    expect(body.counted).toBe(true);
    const seen = (await get(`/api/energy?${PERIOD}&step=quarter`)).body.items;
    expect(seen[2]).toMatchObject({ produced_kwh: null, hidden: 'too_few_meters', readings: 2 });
    // Nobody gets it by taking away what he knows from a longer part either.
    const day = (await get(`/api/energy?${PERIOD}&step=day&zone=Asia/Bangkok`)).body.items;
    expect(day).toEqual([
      {
        start: '2025-10-08T17:00:00Z',
        end: '2025-10-09T17:00:00Z',
        produced_kwh: '7.5',
        consumed_kwh: '5.5',
        surplus_kwh: '3',
        readings: 12,
        meters: 5,
        hidden: null,
      },
    ]);
    const hours = (await get(`/api/energy?${PERIOD}&step=hour&zone=Asia/Kathmandu`, OPS)).body.items;
    expect(hours.map(({ start }: { start: string }) => start)).toEqual([
      '2025-10-09T07:15:00Z',
      '2025-10-09T08:15:00Z',
    ]);
    for (const query of ['step=week', 'zone=Nowhere/None', 'from=x', `to=${SINCE}`]) {
      const { status, body: refused } = await get(
        `/api/energy?from=${SINCE}&to=${iso(TIME)}&${query}`
          .replace(/from=[^&]*&(?=.*from=)/, '')
          .replace(/to=[^&]*&(?=.*to=)/, ''),
      );
      expect([query, status, refused.error.code]).toEqual([query, 400, 'INVALID_BODY']);
    }
  });

  test("of a home is its owner's and the operators'", async () => {
    const own = (await get(`/api/energy/own?${PERIOD}&step=quarter`, ann)).body;
    expect(
      own.items.map((item: Got['body']) => [item.produced_kwh, item.surplus_kwh, item.readings]),
    ).toEqual([
      ['2', '1.2', 2],
      ['1', '0', 2],
      ['0.375', '0.375', 2],
      ['0', '0', 0],
      ['0', '0', 0],
    ]);
    const path = `/api/meters/MTR-0/energy?${PERIOD}&step=quarter`;
    const meter = (await get(path, ann)).body.items;
    expect(meter.map((item: Got['body']) => item.produced_kwh)).toEqual(['1', '0.5', '0.25', '0', '0']);
    expect((await get(path, OPS)).body.items).toEqual(meter);
    // A part counts against the reading before it, which lies before the period.
    const later = await get(
      `/api/meters/MTR-0/energy?from=${iso(TIME - 3 * 900)}&to=${iso(TIME)}&step=quarter`,
      ann,
    );
    expect(later.body.items[0].produced_kwh).toBe('0.25');
    expect((await get(path, ben)).body.error.code).toBe('FORBIDDEN');
    expect((await get(path)).status).toBe(401);
    expect((await get('/api/meters/MTR-X/energy?from=1&to=2', ann)).status).toBe(404);
    expect((await get(`/api/energy/own?${PERIOD}&wallet=${ann.address}`, ben)).body.error.code).toBe(
      'FORBIDDEN',
    );
    expect((await get(`/api/energy/own?${PERIOD}&wallet=${ben.address}`, OPS)).status).toBe(200);
    expect((await get(`/api/energy/own?${PERIOD}`, OPS)).body.error.code).toBe('INVALID_BODY');
  });

  test('stays with who had the meter then', async () => {
    const { pool } = collector;
    await pool.query(
      `UPDATE meters SET wallet_address = u.wallet_address, user_id = u.id FROM users u WHERE u.wallet_address = $1 AND meter_id = 'MTR-1'`,
      [ben.address],
    );
    const total = async (wallet: TestWallet) =>
      (await get(`/api/energy/own?${PERIOD}&step=day`, wallet)).body.items[0].produced_kwh;
    expect(await total(ann)).toBe('3.375');
    expect(await total(ben)).toBe('1.5');
    expect((await get(`/api/meters/MTR-1/energy?${PERIOD}&step=day`, ann)).body.items[0].produced_kwh).toBe(
      '1.625',
    );
    expect((await get(`/api/meters/MTR-1/energy?${PERIOD}&step=day`, ben)).body.items[0].produced_kwh).toBe(
      '0',
    );
  });
});

describe('what operators look after', () => {
  test('is shown to operators only', async () => {
    for (const path of ['/api/settlement', '/api/health']) {
      expect((await get(path)).status).toBe(401);
      expect((await get(path, ann)).status).toBe(403);
      expect((await get(path, OPS)).status).toBe(200);
    }
  });

  test('has the settlement queue', async () => {
    const { pool } = collector;
    const signatures = [1, 2, 3, 4, 5, 6].map((tag) => encodeBase58(new Uint8Array(64).fill(tag)));
    await pool.query(
      `INSERT INTO settlements (signature, wire, blockhash, last_valid_block_height, collector, lease_until, state, created_at,
         confirmed_at, error)
       SELECT ($1::text[])[n], '', '', 1, 'c', now(), state, now() - make_interval(secs => age),
         CASE WHEN took IS NOT NULL THEN now() - make_interval(secs => age - took) END, error
       FROM (VALUES (1, 'prepared', 30, NULL::int, NULL), (2, 'confirmed', 100, 4, NULL), (3, 'finalized', 200, 8, NULL),
         (4, 'failed', 300, NULL, 'MeterSuspended'), (5, 'expired', 400, NULL, NULL), (6, 'finalized', 4000, 90, NULL))
         AS s (n, state, age, took, error)`,
      [signatures],
    );
    await pool.query(
      `INSERT INTO settlement_items SELECT id, 'MTR-0', 'submit', 0, 1, 1, NULL, false FROM settlements WHERE signature = $1`,
      [signatures[1]],
    );
    const body = await eventually(
      '/api/settlement',
      OPS,
      ({ in_flight: all }) => all.length === 2,
      'they are there',
    );
    // Settlement's own readings: those of the meters of this file.
    expect(body.queue).toMatchObject({ accepted: 0, held: 0, review: 0 });
    expect(
      body.in_flight.map(({ signature, state, meters: of }: Got['body']) => [signature, state, of]),
    ).toEqual([
      [signatures[0], 'prepared', 0],
      [signatures[1], 'confirmed', 1],
    ]);
    expect(body.in_flight_count).toBe(2);
    expect(body.failed).toMatchObject([{ signature: signatures[3], error: 'MeterSuspended' }]);
    expect(body.last_hour).toMatchObject({ confirmed: 2, failed: 1, expired: 1, p50_seconds: 6 });
    expect(body.oldest_waiting_seconds).toBeGreaterThan(0);
    // No chain answers here.
    expect(body.paused).toBe(null);
  });

  test('has the health of everything, and no passwords', async () => {
    const body = await eventually(
      '/api/health',
      OPS,
      ({ collectors }) => collectors.length === 1,
      'it is there',
    );
    expect(body.database).toMatchObject({ rollup_behind: 0, max_connections: expect.any(Number) });
    expect(body.database.partitions).toBeGreaterThan(0);
    expect(body.broker).toMatchObject({ connected: true, clients: 0 });
    expect(body.chain).toMatchObject({ rpc_ms: null, slot: null, queued: 0 });
    expect(body.audit).toEqual({ last_at: null, ok: null, differences: 0, open: 0 });
    expect(withoutSecrets('mqtts://gtx:secret@broker.example.org:8883/?token=x')).toBe(
      'mqtts://broker.example.org:8883',
    );
  });
});

test('a share of many readings is found from their counts', () => {
  const lags = [
    { seconds: 1, readings: 50 },
    { seconds: 5, readings: 44 },
    { seconds: 60, readings: 6 },
  ];
  expect([0, 0.5, 0.51, 0.94, 0.95, 1].map((share) => quantile(lags, share))).toEqual([1, 1, 5, 5, 60, 60]);
  expect(quantile([], 0.5)).toBe(null);
});

test('an answer is found once for all who ask together, and an error is not remembered', async () => {
  let clock = 0;
  let found = 0;
  const remembered = new Remembered<number>(1_000, () => clock);
  const find = async () => {
    found += 1;
    if (found === 3) throw new Error('away');
    return found;
  };
  expect(await Promise.all([remembered.get('a', find), remembered.get('a', find)])).toEqual([1, 1]);
  expect(await remembered.get('b', find)).toBe(2);
  clock = 1_001;
  await expect(remembered.get('a', find)).rejects.toThrow('away');
  expect(await remembered.get('a', find)).toBe(4);
});
