import { noticeOf } from '@gridtokenx/protocol';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reconcileReadings } from '../mirror/reconcile.js';
import { migrate } from '../store/migrate.js';
import { Partitions } from '../store/partitions.js';
import { storeBatch } from '../store/readings.js';
import { TestMeter } from '../testing/gateway.js';
import { untilBlockedBy } from '../testing/locks.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { TestRegistry } from '../testing/registry.js';
import { DEFAULT_RULES } from '../validate/rules.js';
import { toSubmission } from '../validate/submission.js';
import { MAX_ATTEMPTS } from './refusal.js';
import { PgSettlementStore } from './store.js';

const logger = pino({ level: 'silent' });
const NOW = 1_760_000_400;
let postgres: TestPostgres;
let pool: pg.Pool;
let registry: TestRegistry;
let count = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(postgres.url);
  await migrate(pool, logger);
  await new Partitions(pool).ensureAround(NOW);
  registry = new TestRegistry(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** A meter with this many stored readings of 0.6 kWh each. */
async function measured(readings: number): Promise<TestMeter> {
  count += 1;
  const meter = new TestMeter(`MTR-${count}`, NOW - 20 * 900);
  registry.register(meter);
  await registry.meter(meter.meterId);
  const client = await pool.connect();
  try {
    const items = Array.from({ length: readings }, () => ({
      submission: toSubmission(meter.next()),
      signed: true,
      source: 'mqtt' as const,
      recheck: false,
      rules: { ...DEFAULT_RULES, intervalSeconds: 900, amount: 'pipelined' as const },
    }));
    await storeBatch(client, items, NOW * 1000);
  } finally {
    client.release();
  }
  return meter;
}

function store(): PgSettlementStore {
  return new PgSettlementStore({
    pool,
    collector: 'test',
    policy: () => ({ mode: 'interval', intervalSeconds: 60, minimumNkwh: 0n, maxWaitSeconds: 60 }),
    leaseSeconds: 20,
    logger,
  });
}

describe('a reading that came late', () => {
  it('takes no mint back that another collector applies at the same time', async () => {
    const { meterId, reading, publicKey } = await measured(2);
    // The chain has counted the second one; the first came in after it.
    await pool.query(
      `INSERT INTO chain_transactions (signature, slot, last_valid_block_height) VALUES ('accepting', 10, 100)`,
    );
    await pool.query(
      `INSERT INTO chain_readings (meter_id, sequence, signature, slot, public_key, interval_end, produced_total,
         consumed_total, surplus_total, counted, held, state)
       VALUES ($1, 2, 'accepting', 10, $2, $3, $4, $5, $6, $6, 0, 'mint_due')`,
      [
        meterId,
        publicKey,
        reading.intervalEnd,
        reading.producedTotal.toString(),
        reading.consumedTotal.toString(),
        reading.surplusTotal.toString(),
      ],
    );
    await pool.query('UPDATE meters SET chain_sequence = 2 WHERE meter_id = $1', [meterId]);
    await pool.query(
      `UPDATE meter_readings SET status = CASE sequence WHEN 2 THEN 'accepted' ELSE 'covered' END WHERE meter_id = $1`,
      [meterId],
    );

    const other = await pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM meters WHERE meter_id = $1 FOR UPDATE', [meterId]);
      await other.query(
        `UPDATE chain_readings SET state = 'minted', mint_signature = 'minting' WHERE meter_id = $1`,
        [meterId],
      );
      await reconcileReadings(other, [meterId]);
      const lease = store().lease(10);
      await untilBlockedBy(other, pool);
      await other.query('COMMIT');
      await lease;
    } finally {
      other.release();
    }
    const { rows } = await pool.query(
      `SELECT sequence::int, status, minted, mint_tx_signature AS signature FROM meter_readings WHERE meter_id = $1
       ORDER BY sequence`,
      [meterId],
    );
    expect(rows).toEqual([
      { sequence: 1, status: 'minted', minted: true, signature: 'minting' },
      { sequence: 2, status: 'minted', minted: true, signature: 'minting' },
    ]);
  });
});

describe('a reading that the chain refuses', () => {
  const refusal = { kind: 'refused', name: 'TokenAccountUnusable', message: 'closed' } as const;

  it('has its review and its alert together after ten times', async () => {
    const { meterId } = await measured(1);
    for (let i = 0; i < MAX_ATTEMPTS; i++) await store().refuse(meterId, 1n, refusal);
    const { rows } = await pool.query(
      `SELECT r.reason, r.amount_nkwh::text AS amount, r.details AS facts, a.severity, a.message, a.details
       FROM reviews r LEFT JOIN alerts a ON a.kind = r.kind AND a.dedupe_key = r.meter_id AND a.resolved_at IS NULL
       WHERE r.kind = 'settlement_failed' AND r.status = 'open' AND r.meter_id = $1`,
      [meterId],
    );
    const reason = expect.stringContaining('10 times: TokenAccountUnusable');
    const facts = { attempts: 10, error: 'TokenAccountUnusable', message: 'closed' };
    expect(rows).toMatchObject([
      { reason, amount: '600000000', facts, severity: 'critical', message: reason, details: facts },
    ]);
    expect(noticeOf('settlement_failed', rows[0].details)?.facts).toMatchObject({
      meter_id: meterId,
      sequence: '1',
    });
  });
});

it('locks the meter before anything that it writes of it, as does the mirror', async () => {
  const { meterId } = await measured(1);
  await store().lease(10);
  const other = await pool.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT FROM meters WHERE meter_id = $1 FOR UPDATE', [meterId]);
    await other.query('UPDATE settlement_meters SET attempts = 0 WHERE meter_id = $1', [meterId]);
    const ending = store().nothingToSettle(meterId, 1n);
    await untilBlockedBy(other, pool);
    // A deadlock, if it had the readings by now, which this one would find first.
    await other.query(`SET LOCAL deadlock_timeout = '1ms'`);
    await other.query(`UPDATE meter_readings SET status = 'pending' WHERE meter_id = $1`, [meterId]);
    await other.query('COMMIT');
    await ending;
  } finally {
    other.release();
  }
});
