import {
  Ack,
  decodeBase58,
  encodeEnvelopeMessage,
  encodeReading,
  formatLoginHeader,
  LastReading,
  type SignedEnvelope,
  topicFor,
} from '@gridtokenx/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestCollector, type TestCollector } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { verifySignature } from '../validate/signature.js';

let postgres: TestPostgres;
let collector: TestCollector;
let time = 1_760_000_400;
let meters = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, { now: () => time * 1000 });
});
beforeEach(() => {
  // A login's time counts once.
  time += 60;
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
});

function newMeter(): TestMeter {
  meters += 1;
  const meter = new TestMeter(`MTR-${meters}`, time - 90_000);
  collector.registry.register(meter);
  return meter;
}

const login = (meter: TestMeter, at = time) => formatLoginHeader(meter.loginEntry(at));

async function ask(meterId: string, authorization?: string): Promise<{ status: number; body: never }> {
  const response = await fetch(`${collector.httpUrl}/api/meters/${meterId}/last-reading`, {
    headers: authorization === undefined ? {} : { authorization },
  });
  return { status: response.status, body: (await response.json()) as never };
}

async function deliver(meter: TestMeter, readings: unknown[], authorization = login(meter, time++)) {
  const response = await fetch(`${collector.httpUrl}/api/meters/${meter.meterId}/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ readings }),
  });
  return { status: response.status, body: (await response.json()) as SignedEnvelope };
}

/** The acknowledgement of an envelope that the collector signed for this meter's topic. */
function opened(meter: TestMeter, envelope: SignedEnvelope): Ack {
  expect(envelope.public_key).toBe(collector.ackPublicKey);
  expect(
    verifySignature(
      decodeBase58(envelope.signature, 64),
      encodeEnvelopeMessage(topicFor(meter.meterId, 'ack'), envelope.payload),
      decodeBase58(collector.ackPublicKey, 32),
    ),
  ).toBe(true);
  return Ack.parse(JSON.parse(envelope.payload));
}

const stored = async (meter: TestMeter) =>
  (
    await collector.pool.query<{ sequence: string; source: string }>(
      'SELECT sequence, source FROM meter_readings WHERE meter_id = $1 ORDER BY submitted_at, sequence',
      [meter.meterId],
    )
  ).rows;

describe("a meter's newest reading", () => {
  test('is told to the holder of its key, with signature and what the chain has', async () => {
    const meter = newMeter();
    expect(LastReading.parse((await ask(meter.meterId, login(meter))).body)).toMatchObject({
      reading: null,
      through: '0',
      chain: { last_sequence: '0' },
    });
    for (let count = 0; count < 3; count += 1) expect((await collector.post(meter.next())).status).toBe(201);
    await collector.pool.query(
      `UPDATE meters SET chain_sequence = 2, chain_end = last_end - 900, chain_produced_total = 2000000000,
         chain_consumed_total = 800000000, chain_surplus_total = 1200000000 WHERE meter_id = $1`,
      [meter.meterId],
    );
    time += 1;
    const answer = LastReading.parse((await ask(meter.meterId, login(meter))).body);
    const message = decodeBase58(answer.reading?.message ?? '', 48);
    expect(Buffer.from(message)).toEqual(Buffer.from(encodeReading(meter.reading)));
    expect(answer.reading).toMatchObject({ sequence: '3', public_key: meter.publicKey });
    expect(
      verifySignature(decodeBase58(answer.reading?.signature ?? '', 64), message, meter.publicKeyBytes),
    ).toBe(true);
    expect(answer).toMatchObject({
      meter_id: meter.meterId,
      time,
      through: '3',
      chain: {
        last_sequence: '2',
        last_end: meter.reading.intervalEnd - 900,
        produced_total: '2000000000',
        consumed_total: '800000000',
        surplus_total: '1200000000',
      },
    });
  });

  test('is told to nobody else', async () => {
    const meter = newMeter();
    const other = newMeter();
    const refused = async (authorization?: string, meterId = meter.meterId) => {
      const { status, body } = await ask(meterId, authorization);
      return [status, (body as { error: { code: string } }).error.code];
    };
    expect(await refused()).toEqual([401, 'UNAUTHENTICATED']);
    expect(await refused('Basic b3BzOmNvcnJlY3Q=')).toEqual([401, 'LOGIN_REFUSED']);
    expect(await refused(login(other))).toEqual([401, 'LOGIN_REFUSED']);
    expect(await refused(login(meter, time - 301))).toEqual([401, 'LOGIN_STALE']);
    const once = login(meter);
    expect((await ask(meter.meterId, once)).status).toBe(200);
    expect(await refused(once)).toEqual([401, 'LOGIN_STALE']);
    expect(await refused(login(new TestMeter('NEW', time)), 'NEW')).toEqual([403, 'METER_NOT_REGISTERED']);
    expect(await refused(login(meter), 'no%20meter')).toEqual([404, 'NOT_FOUND']);
  });

  test('is not given to one who asks all the time', async () => {
    const meter = newMeter();
    const answers: number[] = [];
    for (let count = 0; count < 40; count += 1) answers.push((await ask(meter.meterId, 'GTXA 1.x')).status);
    expect(answers).toContain(429);
  });
});

describe('readings delivered over HTTP', () => {
  test('are stored in order and acknowledged as over MQTT', async () => {
    const meter = newMeter();
    // Later ones are computed from earlier ones that are not stored yet, as a gateway does.
    const bodies = Array.from({ length: 20 }, () => meter.next());
    const { status, body } = await deliver(meter, bodies);
    expect(status).toBe(200);
    const ack = opened(meter, body);
    expect(ack).toMatchObject({ meter_id: meter.meterId, through: '20', refused: [], held: [] });
    expect(ack.stored.map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    const rows = await stored(meter);
    expect(rows.map((row) => Number(row.sequence))).toEqual(ack.stored.map(Number));
    expect(new Set(rows.map((row) => row.source))).toEqual(new Set(['http']));
    const again = opened(meter, (await deliver(meter, bodies.slice(10))).body);
    expect(again.through).toBe('20');
    expect(await stored(meter)).toHaveLength(20);
  });

  test('one that cannot be taken holds up no other, and is refused for good', async () => {
    const meter = newMeter();
    const [first, second, third] = [meter.next(), meter.next(), meter.next()];
    const forged = { ...second, meter_signature: first.meter_signature };
    const malformed = { ...third, wallet_address: 'nobody' };
    const fourth = meter.next();
    const ack = opened(meter, (await deliver(meter, [first, forged, malformed, fourth])).body);
    expect(ack.stored).toEqual(['1', '4']);
    expect(ack.refused).toEqual([
      { sequence: '2', code: 'INVALID_SIGNATURE', retry: 'never' },
      { sequence: '3', code: 'INVALID_BODY', retry: 'never' },
    ]);
    expect(opened(meter, (await deliver(meter, [fourth])).body).through).toBe('4');
  });

  test("are not taken with another meter's login, nor for another meter", async () => {
    const meter = newMeter();
    const other = newMeter();
    const body = meter.next();
    expect((await deliver(meter, [body], login(other))).status).toBe(401);
    expect(await stored(meter)).toEqual([]);
    const ack = opened(other, (await deliver(other, [body], login(other))).body);
    expect(ack).toMatchObject({ stored: [], refused: [{ sequence: '1', code: 'INVALID_BODY' }] });
    expect(await stored(meter)).toEqual([]);
  });

  test('a frame that is none is refused', async () => {
    const meter = newMeter();
    expect((await deliver(meter, [])).status).toBe(400);
    expect((await deliver(meter, ['x'])).status).toBe(400);
    expect(
      (
        await deliver(
          meter,
          Array.from({ length: 33 }, () => meter.next()),
        )
      ).status,
    ).toBe(400);
  });

  test('while nothing can be stored, nothing is acknowledged', async () => {
    const meter = newMeter();
    const body = meter.next();
    expect((await deliver(meter, [body])).status).toBe(200);
    await postgres.kill();
    const refused = await deliver(meter, [meter.next()]);
    expect(refused).toMatchObject({ status: 503, body: { error: { retry: 'later' } } });
    await postgres.restart();
  });
});
