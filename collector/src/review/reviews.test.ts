import { GtxError } from '@gridtokenx/protocol';
import type pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alerts } from '../alerts.js';
import { inTransaction } from '../mirror/transaction.js';
import { migrate } from '../store/migrate.js';
import { randomKey } from '../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { actionsOf, REVIEW_KINDS, type ReviewKind } from './kinds.js';
import { closeReview, type NewReview, openReview } from './queue.js';
import { Reviews } from './reviews.js';

const logger = pino({ level: 'silent' });
let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startTestPostgres();
  pool = openTestPool(await postgres.createDatabase('reviews'));
  await migrate(pool, logger);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

let meters = 0;
/** A meter with a reading of sequence 1. */
async function addReading(status: string, holds = 0): Promise<string> {
  meters += 1;
  const meterId = `MTR-${meters}`;
  const owner = randomKey();
  await pool.query(`SELECT ensure_reading_partition('2026-05-01Z')`);
  await pool.query(
    `WITH u AS (INSERT INTO users (wallet_address, verified) VALUES ($2, TRUE) RETURNING id),
     m AS (INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, holds)
       SELECT $1::text, $1::text, id, $2, $3, $5 FROM u RETURNING meter_id, user_id)
     INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end,
       produced_total, consumed_total, surplus_total, amount_nkwh, reading_timestamp, status, message, meter_signature,
       public_key)
     SELECT gen_random_uuid(), user_id, meter_id, $2, 1, 0, 1777593600, 1777594500, 5, 0, 5, 5, '2026-05-01Z', $4,
       decode(repeat('00', 48), 'hex'), 'none', $3 FROM m`,
    [meterId, owner, randomKey(), status, holds],
  );
  return meterId;
}

const open = (review: NewReview) => inTransaction(pool, (client) => openReview(client, review));
const close = (kind: ReviewKind, key: string) =>
  inTransaction(pool, (client) => closeReview(client, kind, { key }, 'gone'));

async function history(reviewId: string): Promise<string[]> {
  const { rows } = await pool.query(
    'SELECT action, actor, reason FROM review_actions WHERE review_id = $1 ORDER BY id',
    [reviewId],
  );
  return rows.map(({ action, actor, reason }) => `${action} by ${actor}: ${reason}`);
}

async function openAlerts(key: string): Promise<string[]> {
  const { rows } = await pool.query(
    'SELECT kind FROM alerts WHERE dedupe_key = $1 AND resolved_at IS NULL ORDER BY kind',
    [key],
  );
  return rows.map(({ kind }) => kind);
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof GtxError ? error.code : String(error)),
  );

describe('the review queue', () => {
  it('keeps one open review and one alert for a subject, however often it is put in', async () => {
    const review = {
      kind: 'match_failed' as const,
      subject: { key: 'sell-1/buy-1' },
      reason: 'refused ten times',
      details: { attempts: 10n },
    };
    const first = await open(review);
    expect(first.opened).toBe(true);
    const second = await open({ ...review, reason: 'refused again', amountNkwh: 7n });
    expect(second).toEqual({ id: first.id, opened: false });
    const { rows } = await pool.query(
      'SELECT reason, amount_nkwh, details, subject FROM reviews WHERE id = $1',
      [first.id],
    );
    expect(rows).toEqual([
      { reason: 'refused again', amount_nkwh: '7', details: { attempts: '10' }, subject: 'sell-1/buy-1' },
    ]);
    expect(await openAlerts('sell-1/buy-1')).toEqual(['match_failed']);
    expect(await close('match_failed', 'sell-1/buy-1')).toBe(true);
    expect(await close('match_failed', 'sell-1/buy-1')).toBe(false);
    expect(await openAlerts('sell-1/buy-1')).toEqual([]);
    expect(await history(first.id)).toEqual([
      'opened by collector: refused ten times',
      'resolved by collector: gone',
    ]);
    expect((await open(review)).id).not.toBe(first.id);
  });

  it('releases a held reading or writes it off, with who and why', async () => {
    for (const [action, status, reading] of [
      ['accept', 'released', 'pending'],
      ['dismiss', 'written_off', 'written_off'],
    ] as const) {
      const meterId = await addReading('held', 1);
      await pool.query(
        `INSERT INTO reviews (kind, meter_id, sequence, reason) VALUES ('held_amount', $1, 1, 'above the limit')`,
        [meterId],
      );
      await new Alerts(pool, logger).raise({
        kind: 'reading_held',
        key: `${meterId}/1`,
        severity: 'warning',
        message: 'held',
        details: { meter_id: meterId, sequence: '1', amount_kwh: '7' },
      });
      const { rows } = await pool.query('SELECT id FROM reviews WHERE meter_id = $1', [meterId]);
      const ended = await new Reviews({ pool })[action](rows[0].id, {
        by: 'alice',
        reason: 'asked the owner',
      });
      expect(ended).toMatchObject({ status, resolved_by: 'alice', resolution_note: 'asked the owner' });
      const after = await pool.query(
        'SELECT r.status, m.holds FROM meter_readings r JOIN meters m USING (meter_id) WHERE meter_id = $1',
        [meterId],
      );
      expect(after.rows).toEqual([{ status: reading, holds: 0 }]);
      expect(await openAlerts(`${meterId}/1`)).toEqual([]);
      expect(await history(rows[0].id)).toEqual([
        'opened by collector: above the limit',
        `${status} by alice: asked the owner`,
      ]);
    }
  });

  it('lets one of many operators who decide at once win, and tells the others', async () => {
    const meterId = await addReading('held', 1);
    const held = await open({ kind: 'held_amount', subject: { meterId, sequence: 1n }, reason: 'above' });
    const pair = await open({ kind: 'match_failed', subject: { key: 'x/y' }, reason: 'ten times' });
    let effects = 0;
    const count = async () => {
      effects += 1;
    };
    const reviews = new Reviews({ pool, effects: { match_failed: { retry: count, dismiss: count } } });
    for (const [{ id }, actions] of [
      [held, ['accept', 'dismiss']],
      [pair, ['retry', 'dismiss']],
    ] as const) {
      const outcomes = await Promise.all(
        ['ann', 'bob', 'cem', 'dan', 'eve', 'fay'].map((by, index) =>
          codeOf(reviews[actions[index % 2] as 'dismiss'](id, { by, reason: 'mine' })),
        ),
      );
      expect(outcomes.toSorted()).toEqual([...Array(5).fill('CONFLICT'), 'done']);
      expect(await history(id)).toHaveLength(2);
    }
    expect(effects).toBe(1);
    const { rows } = await pool.query('SELECT holds FROM meters WHERE meter_id = $1', [meterId]);
    expect(rows).toEqual([{ holds: 0 }]);
  });

  it('tries a failed settlement again; the alert of its meter ends with the last review', async () => {
    const meterId = await addReading('review');
    await pool.query(
      `INSERT INTO settlement_meters (meter_id, attempts, next_attempt_at) VALUES ($1, 4, 'infinity')`,
      [meterId],
    );
    const ids = [];
    for (const sequence of [1n, 2n]) {
      ids.push(
        (await open({ kind: 'settlement_failed', subject: { meterId, sequence }, reason: 'refused' })).id,
      );
    }
    expect(await openAlerts(meterId)).toEqual(['settlement_failed']);
    const reviews = new Reviews({ pool });
    await reviews.retry(ids[0] as string, { by: 'ann', reason: 'account opened again' });
    const { rows } = await pool.query(
      `SELECT r.status, s.attempts, s.next_attempt_at = '-infinity' AS now
       FROM meter_readings r JOIN settlement_meters s USING (meter_id) WHERE meter_id = $1`,
      [meterId],
    );
    expect(rows).toEqual([{ status: 'pending', attempts: 0, now: true }]);
    expect(await openAlerts(meterId)).toEqual(['settlement_failed']);
    await reviews.dismiss(ids[1] as string, { by: 'ann', reason: 'covered by the next' });
    expect(await openAlerts(meterId)).toEqual([]);
  });

  it('refuses every action that a kind does not offer, and changes nothing by it', async () => {
    for (const kind of Object.keys(REVIEW_KINDS) as ReviewKind[]) {
      const meterId = await addReading('held', 1);
      const { id } = await open({ kind, subject: { meterId, sequence: 1n }, reason: 'why' });
      const reviews = new Reviews({ pool });
      for (const action of ['retry', 'accept', 'dismiss'] as const) {
        if (actionsOf(kind).includes(action)) continue;
        expect(await codeOf(reviews[action](id, { by: 'ann', reason: 'no' })), `${kind} ${action}`).toBe(
          'CONFLICT',
        );
      }
      expect(await history(id)).toEqual(['opened by collector: why']);
      // Every kind's alert ends with its review, also when SQL of another part ends it.
      const { alert } = REVIEW_KINDS[kind];
      const key = alert.key === 'meter' ? meterId : `${meterId}/1`;
      expect(await openAlerts(key)).toEqual([alert.kind]);
      await pool.query(`UPDATE reviews SET status = 'dismissed', resolved_by = 'chain' WHERE id = $1`, [id]);
      expect(await openAlerts(key)).toEqual([]);
      expect(await history(id)).toEqual(['opened by collector: why', 'dismissed by chain: ']);
    }
  });

  it("undoes the action when what it changes elsewhere fails, and runs other parts' effects with it", async () => {
    const { id } = await open({ kind: 'match_failed', subject: { key: 'pair' }, reason: 'ten times' });
    const seen: string[] = [];
    let fails = true;
    const reviews = new Reviews({
      pool,
      effects: {
        match_failed: {
          retry: async (client, review) => {
            await client.query(`UPDATE reviews SET details = '{"touched": true}' WHERE id = $1`, [review.id]);
            if (fails) throw new GtxError('CONFLICT', 'the orders are gone');
            seen.push(review.subject);
          },
        },
      },
    });
    expect(await codeOf(reviews.retry(id, { by: 'ann', reason: 'again' }))).toBe('CONFLICT');
    expect((await pool.query('SELECT status, details FROM reviews WHERE id = $1', [id])).rows).toEqual([
      { status: 'open', details: {} },
    ]);
    fails = false;
    expect(await reviews.retry(id, { by: 'ann', reason: 'again' })).toMatchObject({ status: 'retried' });
    expect(seen).toEqual(['pair']);
    expect(
      await codeOf(reviews.retry('00000000-0000-0000-0000-000000000000', { by: 'a', reason: 'b' })),
    ).toBe('NOT_FOUND');
  });

  it('tells the other collectors of every new and ended review and alert, not of every repetition', async () => {
    const listener = await pool.connect();
    const heard: string[] = [];
    listener.on('notification', ({ payload }) => heard.push(payload ?? ''));
    await listener.query('LISTEN gtx_changes');
    const review = { kind: 'audit_difference' as const, subject: { key: 'd1' }, reason: 'differs' };
    const { id } = await open(review);
    await open(review);
    await new Reviews({ pool }).dismiss(id, { by: 'ann', reason: 'known' });
    // Notifications come before the answer to a later statement of the same connection.
    await listener.query('SELECT 1');
    const { rows } = await pool.query(`SELECT id FROM alerts WHERE dedupe_key = 'd1'`);
    const news = (k: string, of: string) => JSON.stringify({ k, id: of });
    const parsed = heard.map((text) => JSON.stringify(JSON.parse(text)));
    expect(parsed.toSorted()).toEqual(
      [
        news('review', id),
        news('alert', rows[0].id),
        news('review', id),
        news('alert', rows[0].id),
      ].toSorted(),
    );
    listener.release(true);
  });
});
