import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector, until } from '../testing/collector.js';
import { randomKey, TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';

let postgres: TestPostgres;
let collector: TestCollector;
/** The collector's clock. */
let time = 1_760_000_400;
let meters = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, { now: () => time * 1000 });
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

/** A registered meter whose next interval ends `intervals` x 900 s before now. */
function newMeter(options: { intervals?: number; verified?: boolean } = {}): TestMeter {
  meters += 1;
  const meter = new TestMeter(`MTR-${meters}`, time - (options.intervals ?? 10) * 900);
  collector.registry.register(meter, { verified: options.verified ?? true });
  return meter;
}

const stored = async (meter: TestMeter) =>
  (
    await collector.pool.query('SELECT * FROM meter_readings WHERE meter_id = $1 ORDER BY sequence', [
      meter.meterId,
    ])
  ).rows;

describe('stored', () => {
  test('201 with the columns of the process description', async () => {
    const meter = newMeter();
    const body = meter.next('25', '10');
    const answer = await collector.post(body);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      meter_id: meter.meterId,
      sequence: '1',
      status: 'pending',
      kwh_amount: '15',
      duplicate: false,
    });
    const [row] = await stored(meter);
    expect(row).toMatchObject({
      wallet_address: meter.wallet,
      kwh_amount: '15.000000000',
      amount_nkwh: '15000000000',
      minted: false,
      mint_tx_signature: null,
      meter_signature: body.meter_signature,
      public_key: meter.publicKey,
      status: 'pending',
      source: 'http',
    });
    expect(row.reading_timestamp.getTime() / 1000).toBe(meter.reading.intervalEnd);
    expect(row.message.length).toBe(48);
    const user = await collector.pool.query('SELECT wallet_address FROM users WHERE id = $1', [row.user_id]);
    expect(user.rows[0].wallet_address).toBe(meter.wallet);
    expect(collector.settlement.wakes).toBeGreaterThan(0);
  });

  test('200 for the identical reading again, stored once', async () => {
    const meter = newMeter();
    const body = meter.next();
    expect((await collector.post(body)).status).toBe(201);
    const again = await collector.post(body);
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ duplicate: true, status: 'pending', kwh_amount: '0.6' });
    expect(await stored(meter)).toHaveLength(1);
  });

  test('the timestamp may be ISO 8601 or Unix seconds, the amount text or number', async () => {
    const meter = newMeter();
    const one = meter.next();
    expect(
      (await collector.post({ ...one, reading_timestamp: one.reading.interval_end, kwh_amount: 0.6 })).status,
    ).toBe(201);
  });

  test('a late reading is covered, a zero one stored, the night after it too', async () => {
    const meter = newMeter();
    const [first, second, third] = [meter.next(), meter.next(), meter.next('0', '1')];
    await collector.post(first);
    // Over HTTP the amount is counted from the previous accepted reading.
    expect((await collector.post({ ...third, kwh_amount: '0.6' })).body.status).toBe('pending');
    expect((await collector.post(second)).body).toMatchObject({ status: 'covered', kwh_amount: '0.6' });
    const night = await collector.post(meter.next('0', '0.3'));
    expect(night.status).toBe(201);
    expect(night.body.kwh_amount).toBe('0');
    expect((await stored(meter)).map((row) => row.status)).toEqual([
      'pending',
      'covered',
      'pending',
      'pending',
    ]);
  });

  test('202 above 100 kWh: held, with a review and an alert, and nothing of the meter settles', async () => {
    const meter = newMeter();
    const answer = await collector.post(meter.next('100.000000001', '0'));
    expect(answer.status).toBe(202);
    expect(answer.body.status).toBe('held');
    const { rows } = await collector.pool.query('SELECT * FROM reviews WHERE meter_id = $1', [meter.meterId]);
    expect(rows).toMatchObject([
      { kind: 'held_amount', sequence: '1', amount_nkwh: '100000000001', status: 'open' },
    ]);
    const holds = await collector.pool.query('SELECT holds FROM meters WHERE meter_id = $1', [meter.meterId]);
    expect(holds.rows[0].holds).toBe(1);
    const again = await collector.post(meter.submission(meter.reading, 100_000_000_001n));
    expect(again.status).toBe(200);
    expect(again.body.status).toBe('held');
  });

  test('a backlog of a day arrives at once', async () => {
    const meter = newMeter({ intervals: 96 });
    const answers = [];
    for (let index = 0; index < 96; index += 1) answers.push((await collector.post(meter.next())).status);
    expect(new Set(answers)).toEqual(new Set([201]));
  });
});

describe('refused', () => {
  async function refusal(body: unknown, headers?: Record<string, string>) {
    const answer = await collector.post(body, headers);
    return { status: answer.status, ...answer.body.error, headers: answer.headers };
  }

  test.each([
    ['not JSON', '{'],
    ['empty', ''],
    ['another type', '[]'],
    [
      'a missing field',
      (() => {
        const { meter_id, ...rest } = new TestMeter('X', 0).next();
        return rest;
      })(),
    ],
    ['an unknown field', { ...new TestMeter('X', 0).next(), extra: 1 }],
    ['a __proto__ key', '{"__proto__":{"x":1}}'],
  ])('400 INVALID_BODY: %s', async (_name, body) => {
    expect(await refusal(body)).toMatchObject({ status: 400, code: 'INVALID_BODY', retry: 'never' });
  });

  test('413 and 415', async () => {
    expect(await refusal(JSON.stringify({ x: 'y'.repeat(20_000) }))).toMatchObject({
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
    });
    expect(await refusal('hello', { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
  });

  test('401 INVALID_SIGNATURE', async () => {
    const meter = newMeter();
    const body = meter.next();
    const reading = { ...body.reading, produced_total: '2000000000' };
    expect(await refusal({ ...body, reading })).toMatchObject({ status: 401, code: 'INVALID_SIGNATURE' });
    expect(await stored(meter)).toEqual([]);
  });

  test('403 METER_NOT_REGISTERED, and accepted after registration', async () => {
    const meter = new TestMeter('MTR-LATE', time - 9000);
    meter.wallet = randomKey();
    const body = meter.next();
    expect(await refusal(body)).toMatchObject({ status: 403, code: 'METER_NOT_REGISTERED', retry: 'later' });
    collector.registry.register(meter, { wallet: meter.wallet });
    time += 6;
    expect((await collector.post(body)).status).toBe(201);
  });

  test('403 USER_NOT_VERIFIED blocks no other meter, and is accepted after verification', async () => {
    const [waiting, other] = [newMeter({ verified: false }), newMeter()];
    const body = waiting.next();
    expect(await refusal(body)).toMatchObject({ status: 403, code: 'USER_NOT_VERIFIED', retry: 'later' });
    expect((await collector.post(other.next())).status).toBe(201);
    const entry = collector.registry.chain.get(waiting.meterId);
    if (entry) entry.verified = true;
    time += 6;
    expect((await collector.post(body)).status).toBe(201);
  });

  test('403 METER_SUSPENDED, WALLET_MISMATCH, KEY_MISMATCH', async () => {
    const suspended = newMeter();
    const entry = collector.registry.chain.get(suspended.meterId);
    if (entry) entry.status = 'suspended';
    expect(await refusal(suspended.next())).toMatchObject({ status: 403, code: 'METER_SUSPENDED' });

    const meter = newMeter();
    const body = meter.next();
    expect(await refusal({ ...body, wallet_address: randomKey() })).toMatchObject({
      status: 403,
      code: 'WALLET_MISMATCH',
    });
    const stranger = new TestMeter(meter.meterId, time - 9000);
    stranger.wallet = meter.wallet;
    expect(await refusal(stranger.next())).toMatchObject({
      status: 403,
      code: 'KEY_MISMATCH',
      retry: 'never',
    });
    expect((await collector.post(body)).status).toBe(201);
  });

  test('after a key rotation the new key is accepted at once', async () => {
    const meter = newMeter();
    await collector.post(meter.next());
    const before = meter.reading;
    const rotated = new TestMeter(meter.meterId, 0);
    rotated.wallet = meter.wallet;
    const entry = collector.registry.chain.get(meter.meterId);
    if (entry) entry.publicKey = rotated.publicKey;
    time += 6;
    const next = {
      ...before,
      sequence: 2n,
      intervalStart: before.intervalEnd,
      intervalEnd: before.intervalEnd + 900,
    };
    expect((await collector.post(rotated.submission(next, 0n))).status).toBe(201);
    time += 6;
    const old = meter.submission(
      { ...next, sequence: 3n, intervalStart: next.intervalEnd, intervalEnd: next.intervalEnd + 900 },
      0n,
    );
    expect(await refusal(old)).toMatchObject({ code: 'KEY_MISMATCH' });
  });

  test('409 DUPLICATE_READING and SEQUENCE_CONFLICT with an alert', async () => {
    const meter = newMeter();
    await collector.post(meter.next());
    const first = meter.reading;
    const close = {
      ...first,
      sequence: 2n,
      intervalStart: first.intervalEnd,
      intervalEnd: first.intervalEnd + 899,
    };
    expect(await refusal(meter.submission(close, 0n))).toMatchObject({
      status: 409,
      code: 'DUPLICATE_READING',
    });
    const other = meter.submission({ ...first, consumedTotal: first.consumedTotal - 1n }, 600_000_000n);
    expect(await refusal(other)).toMatchObject({ status: 409, code: 'SEQUENCE_CONFLICT' });
    const alerts = async () =>
      (
        await collector.pool.query(
          `SELECT * FROM alerts WHERE kind = 'sequence_conflict' AND dedupe_key = $1`,
          [meter.meterId],
        )
      ).rows;
    await until(async () => (await alerts()).length === 1, 'one alert');
  });

  test('a stranger with another key raises no alert and sees no totals', async () => {
    const meter = newMeter();
    await collector.post(meter.next());
    const stranger = new TestMeter(meter.meterId, 0);
    stranger.wallet = meter.wallet;
    const forged = { ...meter.reading, producedTotal: meter.reading.producedTotal + 1n };
    const answer = await refusal(stranger.submission(forged, 0n));
    expect(answer.code).toBe('SEQUENCE_CONFLICT');
    expect(answer.details).toEqual({});
    const { rows } = await collector.pool.query('SELECT * FROM alerts WHERE dedupe_key = $1', [
      meter.meterId,
    ]);
    expect(rows).toEqual([]);
  });

  test('422 for times and totals', async () => {
    const meter = newMeter();
    await collector.post(meter.next());
    const last = meter.reading;
    const make = (change: Partial<typeof last>, amount = 0n) =>
      meter.submission(
        {
          ...last,
          sequence: 2n,
          intervalStart: last.intervalEnd,
          intervalEnd: last.intervalEnd + 900,
          ...change,
        },
        amount,
      );
    const cases: [string, unknown][] = [
      ['READING_TOO_OLD', make({ intervalStart: time - 700_000, intervalEnd: time - 605_000 })],
      ['READING_IN_FUTURE', make({ intervalEnd: time + 200 })],
      ['INTERVAL_INVALID', make({ intervalStart: last.intervalEnd + 900 })],
      ['INTERVAL_INVALID', { ...make({}), reading_timestamp: last.intervalEnd + 901 }],
      ['SEQUENCE_INVALID', make({ sequence: 0n })],
      ['SEQUENCE_INVALID', make({ sequence: 1_000_002n })],
      ['TOTALS_DECREASED', make({ consumedTotal: 0n })],
      ['TOTALS_INCONSISTENT', make({ surplusTotal: last.surplusTotal + 1n })],
    ];
    for (const [code, body] of cases)
      expect(await refusal(body)).toMatchObject({ status: 422, code, retry: 'never' });
    const wrong = await refusal(make({}, 1n));
    expect(wrong).toMatchObject({
      status: 422,
      code: 'AMOUNT_MISMATCH',
      details: { expected: '0', previous_sequence: '1' },
    });
    expect(await stored(meter)).toHaveLength(1);
  });

  test('503 CHAIN_UNAVAILABLE rather than a final refusal when the chain cannot be asked', async () => {
    const meter = new TestMeter('MTR-NOCHAIN', time - 9000);
    meter.wallet = randomKey();
    collector.registry.down = new GtxError('CHAIN_UNAVAILABLE');
    expect(await refusal(meter.next())).toMatchObject({
      status: 503,
      code: 'CHAIN_UNAVAILABLE',
      retry: 'later',
    });
    collector.registry.down = undefined;
  });

  test('429 RATE_LIMITED with Retry-After beyond the burst', async () => {
    const limited = await startTestCollector(postgres, {
      env: { GTX_HTTP_BURST: '3', GTX_HTTP_WINDOW_SECONDS: '60' },
    });
    const statuses = [];
    for (let index = 0; index < 4; index += 1) statuses.push((await limited.post('{}')).status);
    const last = await limited.post('{}');
    expect(statuses).toEqual([400, 400, 400, 429]);
    expect(last.body.error).toMatchObject({ code: 'RATE_LIMITED', retry: 'later' });
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    await limited.stop();
  });
});

describe('the other routes', () => {
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${collector.httpUrl}${path}`, { headers });
    return {
      status: response.status,
      text: await response.text(),
      type: response.headers.get('content-type'),
    };
  };

  test('time, health, metrics, OpenAPI, nothing', async () => {
    expect(JSON.parse((await get('/api/time')).text)).toEqual({
      time,
      iso: new Date(time * 1000).toISOString().replace('.000', ''),
    });
    // A database that takes long to answer counts as away.
    const health = await until(async () => {
      const said = JSON.parse((await get('/healthz')).text);
      return said.status === 'ok' && said;
    }, 'healthy');
    expect(health.checks).toEqual({ database: 'ok', broker: 'ok', chain: 'ok' });
    expect((await get('/metrics')).text).toMatch(
      /gtx_collector_readings_total\{source="http",outcome="pending"\} \d+/,
    );
    const document = JSON.parse((await get('/openapi.json')).text);
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths['/api/meters/submit-reading'].post.responses)).toEqual(
      expect.arrayContaining([
        '200',
        '201',
        '202',
        '400',
        '401',
        '403',
        '409',
        '413',
        '415',
        '422',
        '429',
        '503',
      ]),
    );
    expect(await get('/nothing')).toMatchObject({ status: 404 });
    expect(JSON.parse((await get('/api/meters/no%20meter')).text).error.code).toBe('NOT_FOUND');
  });

  test('a meter and its readings in pages, newest first', async () => {
    const meter = newMeter();
    for (let index = 0; index < 5; index += 1) await collector.post(meter.next());
    const state = JSON.parse((await get(`/api/meters/${meter.meterId}`)).text);
    expect(state).toMatchObject({
      last_sequence: '5',
      through: '5',
      surplus_kwh: nkwhToKwh(meter.reading.surplusTotal),
      holds: 0,
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { sequence: string }[]; next_cursor: string | null } = JSON.parse(
        (await get(`/api/meters/${meter.meterId}/readings?limit=2${cursor ? `&cursor=${cursor}` : ''}`)).text,
      );
      seen.push(...page.items.map((reading) => reading.sequence));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(['5', '4', '3', '2', '1']);
    expect((await get(`/api/meters/${meter.meterId}/readings?limit=0`)).status).toBe(400);
    expect(JSON.parse((await get('/api/status')).text).readings.stored).toBeGreaterThan(4);
  });

  test('with an operator login these need it', async () => {
    const guarded = await startTestCollector(postgres, {
      env: { GTX_OPERATOR_USERNAME: 'ops', GTX_OPERATOR_PASSWORD: 'correct horse' },
    });
    const status = async (authorization?: string) =>
      (await fetch(`${guarded.httpUrl}/api/status`, { headers: authorization ? { authorization } : {} }))
        .status;
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(await status()).toBe(401);
    expect(await status(basic('ops:wrong horse'))).toBe(401);
    expect(await status('Basic !')).toBe(401);
    expect(await status(basic('ops:correct horse'))).toBe(200);
    await guarded.stop();
  });
});
