import { escrowAddress, gridTokenAccount } from '@gridtokenx/chain';
import { noticeOf } from '@gridtokenx/protocol';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DifferenceKind } from '../audit/differences.js';
import { units } from '../matching/testing/market-world.js';
import { noRollupMetrics, Rollup } from '../overview/index.js';
import { Reviews } from '../review/reviews.js';
import { differenceEffects } from './effects.js';
import { reconcileMetrics } from './metrics.js';
import { isRepairable } from './repair.js';
import { lastAudit, recordAudit } from './report.js';
import { ReconcileStore } from './store.js';
import { AuditedWorld } from './testing/audited-world.js';

const world = new AuditedWorld();
const wallet = (who: 'seller' | 'buyer') => world[who].publicKey.toBase58();

beforeAll(async () => {
  await world.startAll();
  await world.mirror().catchUp();
  await world.reconciler().round();
});
afterAll(() => world.stop());

/** Every difference that was ever written down, with what became of it. */
async function remembered(): Promise<
  { kind: string; looks: number; confirmed: boolean; repair: string | null; resolved: boolean }[]
> {
  const { rows } = await world.pool.query(
    `SELECT kind, looks, confirmed_at IS NOT NULL AS confirmed, repair, resolved_at IS NOT NULL AS resolved
     FROM reconcile_differences ORDER BY id`,
  );
  return rows;
}

async function forget(): Promise<void> {
  await world.pool.query('DELETE FROM reconcile_differences');
}

async function change(sql: string, ...values: unknown[]): Promise<void> {
  const { rowCount } = await world.pool.query(sql, values);
  expect(rowCount, sql).toBeGreaterThan(0);
}

const order = (name: keyof AuditedWorld['orders']) => world.orders[name].address.toBase58();

it('finds nothing where nothing is wrong, and shows who holds what', async () => {
  const { differences, figures } = await world.audit();
  expect(differences).toEqual([]);
  expect(await remembered()).toEqual([]);
  const { market, holdings } = figures;
  expect(market).toMatchObject({ markets: 1, openOrders: 2, trades: 2, giftCount: 0 });
  expect(market.traded).toBe(units(5).toString());
  expect(market.escrowedGrid).toBe(units(7).toString());
  expect(holdings.held).toBe(holdings.supply);
  expect(holdings.inEscrows).toBe(units(7).toString());
  expect(BigInt(holdings.inWallets) + units(7)).toBe(BigInt(figures.supply));
  expect(figures.balances).toBeGreaterThanOrEqual(4);
});

describe('a database that was changed behind its back', () => {
  /** A kind, what of, and the change that makes it. Changes of one group do not touch each other. */
  type Spoiled = readonly [kind: DifferenceKind, what: string, sql: string, ...values: (() => string)[]];
  const groups: Record<string, readonly Spoiled[]> = {
    'rows that say something else': [
      [
        'ORDER_DIFFERS',
        'order',
        'UPDATE orders SET remaining = remaining - 1000000 WHERE address = $1',
        () => order('sell'),
      ],
      [
        'ORDER_DIFFERS',
        'order',
        `UPDATE orders SET status = 'cancelled' WHERE address = $1`,
        () => order('filled'),
      ],
      [
        'ORDER_UNKNOWN',
        'order',
        `UPDATE orders SET status = 'open', closed_signature = NULL, closed_at = NULL WHERE address = $1`,
        () => order('cancelled'),
      ],
      [
        'TRADE_DIFFERS',
        'trade',
        'UPDATE trades SET quote = quote + 1 WHERE sell_order = $1',
        () => order('sell'),
      ],
      [
        'BALANCE_DIFFERS',
        '',
        'UPDATE user_balances SET amount = amount + 5 WHERE wallet = $1',
        () => wallet('seller'),
      ],
      ['ROW_DIFFERS', 'market', 'UPDATE markets SET fee_bps = fee_bps + 1'],
      ['ROW_DIFFERS', 'feed', 'UPDATE price_feeds SET price = price + 1'],
      ['ROW_DIFFERS', 'price', 'UPDATE prices SET median = median + 1'],
      ['ROW_DIFFERS', 'certificate', 'UPDATE certificates SET to_total = to_total + 1'],
      ['ROW_DIFFERS', 'proposal', `UPDATE proposals SET title = 'Other meters'`],
      ['ROW_DIFFERS', 'user', 'UPDATE users SET verified = NOT verified'],
      ['METER_DIFFERS', '', 'UPDATE meters SET chain_minted = chain_minted + 1'],
    ],
    'rows that are gone': [
      ['ORDER_MISSING', 'order', 'DELETE FROM orders WHERE address = $1', () => order('buy')],
      ['ORDER_MISSING', 'order', 'DELETE FROM orders WHERE address = $1', () => order('filled')],
      ['TRADE_MISSING', 'trade', 'DELETE FROM trades WHERE sell_order = $1', () => order('sell')],
      ['ROW_MISSING', 'market', 'DELETE FROM markets'],
      ['ROW_MISSING', 'feed', 'DELETE FROM price_feeds'],
      ['ROW_MISSING', 'price', 'DELETE FROM prices'],
      ['ROW_MISSING', 'certificate', 'DELETE FROM certificates'],
      ['ROW_MISSING', 'proposal', 'DELETE FROM proposals'],
    ],
    'balances that are gone': [
      ['BALANCE_MISSING', '', 'DELETE FROM user_balances WHERE wallet = $1', () => wallet('buyer')],
    ],
    'rows of what never was': [
      [
        'ORDER_DIFFERS',
        'order',
        `UPDATE orders SET status = 'cancelled', closed_signature = created_signature WHERE address = $1`,
        () => order('buy'),
      ],
      [
        'TRADE_UNKNOWN',
        'trade',
        `INSERT INTO trades SELECT (jsonb_populate_record(t, '{"event_index": 77}')).* FROM trades t
         WHERE sell_order = $1`,
        () => order('sell'),
      ],
      [
        'ROW_UNKNOWN',
        'market',
        `INSERT INTO markets SELECT (jsonb_populate_record(m, jsonb_build_object('address', $1::text))).* FROM markets m`,
        () => wallet('buyer'),
      ],
    ],
    'an event that says something else': [
      [
        'EVENT_DIFFERS',
        '',
        `UPDATE chain_events SET data = jsonb_set(data, '{quote}', '"1"')
         WHERE name = 'TradeExecuted' AND data ->> 'sellOrder' = $1`,
        () => order('sell'),
      ],
    ],
    'a transaction that is gone': [
      [
        'TRANSACTION_MISSING',
        '',
        'DELETE FROM chain_transactions WHERE signature = (SELECT signature FROM trades WHERE sell_order = $1)',
        () => order('sell'),
      ],
    ],
  };

  it.each(Object.entries(groups))(
    '%s are named, and mended by reading the chain again',
    async (_name, group) => {
      await forget();
      const reconciler = await world.repairer();
      for (const [, , sql, ...values] of group) await change(sql, ...values.map((value) => value()));
      const report = await world.audit(false);
      const named = report.differences.map(({ kind, what = '' }) => `${kind} ${what}`);
      for (const [kind, what] of group) expect(named).toContain(`${kind} ${what}`);
      // Of both tokens that the wallet holds.
      if (named.includes('BALANCE_MISSING '))
        expect(named.filter((name) => name === 'BALANCE_MISSING ')).toHaveLength(2);
      expect(report.differences.filter((difference) => !isRepairable(difference))).toEqual([]);
      await reconciler.round();
      const seen = await remembered();
      expect(seen.filter(({ resolved }) => !resolved)).toEqual([]);
      for (const [kind] of group) expect(seen.map((difference) => difference.kind)).toContain(kind);
      expect(seen.some(({ repair }) => repair?.includes('again'))).toBe(true);
      expect((await world.audit(false)).differences).toEqual([]);
    },
  );

  it('is told to a person when nothing may be repaired, and taken back when it is', async () => {
    await forget();
    await change('UPDATE orders SET remaining = remaining - 1000000 WHERE address = $1', order('sell'));
    const store = new ReconcileStore(world.pool);
    await world.reconciler({ repair: false }).round();
    const [open] = await store.open();
    expect(open).toMatchObject({ looks: 2, repairs: 0, confirmedAt: expect.any(Date) });
    expect(open?.difference).toMatchObject({ kind: 'ORDER_DIFFERS', account: order('sell') });
    const reviews = () =>
      world.pool.query(
        `SELECT r.status, EXISTS (SELECT FROM alerts a WHERE a.kind = r.kind AND a.dedupe_key = r.subject
           AND a.resolved_at IS NULL) AS alerted
         FROM reviews r WHERE r.kind = 'audit_difference' AND r.subject = $1`,
        [`ORDER_DIFFERS/order/${order('sell')}`],
      );
    expect((await reviews()).rows).toEqual([{ status: 'open', alerted: true }]);
    const desk = new Reviews({ pool: world.pool, effects: { audit_difference: differenceEffects } });
    const decide = async (action: 'retry' | 'dismiss') => {
      const { rows } = await world.pool.query<{ id: string }>(`SELECT id FROM reviews WHERE status = 'open'`);
      await desk[action](rows[0]?.id ?? '', { by: 'operator', reason: 'looked at it' });
    };
    const states = async () => (await reviews()).rows.map(({ status }) => status).sort();
    // Looked at again when a person says so, it comes back; dismissed, it does not while it stays the same difference.
    await decide('retry');
    await world.reconciler({ repair: false }).round();
    expect(await states()).toEqual(['open', 'retried']);
    await decide('dismiss');
    await world.pool.query('UPDATE reconcile_differences SET next_look_at = now()');
    await world.reconciler({ repair: false }).round();
    expect(await states()).toEqual(['dismissed', 'retried']);
    expect(await store.open()).toHaveLength(1);
    await world.pool.query('UPDATE reconcile_differences SET reviewed_at = NULL, next_look_at = now()');
    await world.reconciler({ repair: false }).round();
    expect(await states()).toEqual(['dismissed', 'open', 'retried']);

    await world.pool.query('UPDATE reconcile_differences SET next_look_at = now()');
    await world.reconciler().round();
    expect(await store.open()).toEqual([]);
    expect(await states()).toEqual(['dismissed', 'resolved', 'retried']);
    expect((await reviews()).rows.some(({ alerted }) => alerted)).toBe(false);
  });

  it('counts only what a second look finds too', async () => {
    await forget();
    await change('UPDATE trades SET quote = quote + 1 WHERE sell_order = $1', order('sell'));
    // The second look is far away.
    await world.reconciler({ secondLookSeconds: 3600 }).round();
    expect(await remembered()).toMatchObject([{ kind: 'TRADE_DIFFERS', confirmed: false, repair: null }]);
    await change('UPDATE trades SET quote = quote - 1 WHERE sell_order = $1', order('sell'));
    await change('UPDATE reconcile_differences SET next_look_at = now()');
    await world.reconciler().round();
    expect(await remembered()).toMatchObject([{ confirmed: false, repair: null, resolved: true }]);
  });
});

it('is worked on by one collector at a time, range by range, and goes on where one of them was killed', async () => {
  await forget();
  const store = new ReconcileStore(world.pool);
  const names = ['rows:order', 'balances'];
  await world.pool.query(`UPDATE reconcile_ranges SET next_at = '-infinity'`);
  const first = await store.lease('one', names, 60);
  const second = await store.lease('two', names, 60);
  expect([first?.name, second?.name].sort()).toEqual([...names].sort());
  expect(await store.lease('three', names, 60)).toBeUndefined();
  await store.release('one', first?.name ?? '', { cursor: 'here', waitSeconds: 0 });
  expect(await store.lease('three', names, 60)).toEqual({ name: first?.name, cursor: 'here' });
  // `two` is gone: its range is free when the lease has run out, and what it says afterwards changes nothing.
  await world.pool.query(`UPDATE reconcile_ranges SET lease_until = now() WHERE leased_by = 'two'`);
  expect((await store.lease('one', names, 60))?.name).toBe(second?.name);
  await store.release('two', second?.name ?? '', { cursor: 'elsewhere', waitSeconds: 0 });
  const { rows } = await world.pool.query('SELECT cursor FROM reconcile_ranges WHERE name = $1', [
    second?.name,
  ]);
  expect(rows[0].cursor).not.toBe('elsewhere');
  await world.pool.query(
    `UPDATE reconcile_ranges SET leased_by = NULL, lease_until = NULL, cursor = '', next_at = '-infinity'`,
  );

  await change('UPDATE markets SET fee_bps = fee_bps + 1');
  await Promise.all([world.reconciler().round(), world.reconciler().round()]);
  expect(await remembered()).toMatchObject([{ kind: 'ROW_DIFFERS', resolved: true }]);
});

it('tells in metrics how old the last round is, and what is open', async () => {
  await forget();
  const registry = new Registry();
  const reconciler = world.reconciler({ repair: false });
  const observer = reconcileMetrics(registry, () => reconciler.state());
  await reconciler.round();
  await change('UPDATE markets SET fee_bps = fee_bps + 1');
  await world.reconciler({ repair: false }).round();
  observer.looked('history:someprogram', 'clean');
  observer.repaired('ROW_DIFFERS');
  const text = await registry.metrics();
  expect(text).toMatch(/^gtx_collector_reconcile_last_round_timestamp_seconds \d/m);
  expect(text).not.toMatch(/^gtx_collector_audit_last_run_timestamp_seconds \d/m);
  expect(text).toContain('gtx_collector_reconcile_differences{kind="ROW_DIFFERS"} 1');
  expect(text).toContain('gtx_collector_reconcile_pages_total{range="history",outcome="clean"} 1');
  expect(text).toContain('gtx_collector_reconcile_repairs_total{kind="ROW_DIFFERS"} 1');
  await world.pool.query('UPDATE reconcile_differences SET next_look_at = now()');
  await world.reconciler().round();
  expect(await registry.metrics()).not.toContain('gtx_collector_reconcile_differences{');
});

it('keeps the last report, with the time since when each difference is known', async () => {
  await forget();
  expect(await lastAudit(world.pool)).toBeUndefined();
  await change('UPDATE markets SET fee_bps = fee_bps + 1');
  const first = await recordAudit(world.pool, await world.audit(false));
  const since = first.differences[0]?.since;
  expect(since).toMatch(/Z$/);
  const second = await recordAudit(world.pool, await world.audit(false));
  expect(second.differences[0]?.since).toBe(since);
  expect(await lastAudit(world.pool)).toEqual(second);
  await world.reconciler().round();
  expect((await recordAudit(world.pool, await world.audit(false))).ok).toBe(true);
});

it('adds energy up again that an audit finds wrong, or tells a person', async () => {
  await forget();
  const { pool, logger } = world;
  const feed = { onChange: () => () => {} };
  await new Rollup({ pool, feed, logger, metrics: noRollupMetrics }).catchUp();
  const spoil = `UPDATE energy_quarters SET produced = produced + 7 WHERE quarter = (SELECT max(quarter) FROM energy_quarters)`;
  await change(spoil);
  await recordAudit(pool, await world.audit(false));
  await world.reconciler({ repair: false }).round();
  expect(await remembered()).toMatchObject([{ kind: 'ENERGY_DIFFERS', confirmed: true, resolved: false }]);
  const { rows } = await pool.query(
    `SELECT reason, details FROM reviews WHERE kind = 'audit_difference' AND status = 'open'`,
  );
  expect(rows[0]?.reason).toMatch(/^ENERGY_DIFFERS quarter\/20\d\d-.*Z: expected produced \d+, /);
  expect(noticeOf('audit_difference', rows[0]?.details)?.facts).toEqual({ kind: 'ENERGY_DIFFERS' });

  await change('UPDATE reconcile_differences SET next_look_at = now()');
  await world.reconciler().round();
  expect(await remembered()).toMatchObject([{ repair: expect.stringContaining('up again'), resolved: true }]);
  expect((await world.audit(false)).differences).toEqual([]);
});

it('reads balances again when tokens move past the programs, and calls that no difference', async () => {
  await forget();
  const balance = async () => {
    const { rows } = await world.pool.query(
      `SELECT b.amount FROM user_balances b WHERE b.token_account = $1`,
      [gridTokenAccount(world.buyer.publicKey).toBase58()],
    );
    return BigInt(rows[0].amount);
  };
  const before = await balance();
  await world.transfer(world.seller, world.buyer.publicKey, 2);
  const report = await world.audit(false);
  expect(report.differences).toEqual([]);
  expect(report.figures.balancesBehind).toBe(2);
  await world.reconciler().round();
  expect(await balance()).toBe(before + units(2));
  expect((await world.audit(false)).figures.balancesBehind).toBe(0);
  expect(await remembered()).toEqual([]);
});

it('calls what somebody sent to an escrow a gift', async () => {
  const escrow = escrowAddress(world.orders.sell.address);
  await world.send([world.transferInstruction(world.seller, escrow, 1)], [world.seller]);
  const { differences, figures } = await world.audit();
  expect(differences).toEqual([]);
  expect(figures.market.gifts).toEqual([{ order: order('sell'), side: 'sell', amount: units(1).toString() }]);
  expect(figures.holdings.held).toBe(figures.holdings.supply);
});

it('stays clean while trading and minting go on', async () => {
  await forget();
  const mirror = world.mirror();
  const settlement = world.settlement(mirror, { intervalSeconds: 0 });
  let busy = true;
  const trading = async () => {
    for (let n = 0; n < 12; n++) {
      const sell = await world.order(world.seller, 'sell', 1, 0.1);
      await world.take(sell, world.buyer, 0.4);
      await Promise.all([
        world.take(sell, world.buyer, 0.6),
        world.transfer(world.buyer, world.seller.publicKey, 0.3),
      ]);
      await mirror.catchUp();
    }
  };
  const minting = async () => {
    for (let n = 0; n < 8; n++) {
      await world.measure(world.homes, '1', '0');
      await settlement.settleNow();
    }
  };
  const work = Promise.all([trading(), minting()]).finally(() => {
    busy = false;
  });
  const reconciler = world.reconciler();
  const looking = async () => {
    do {
      const [report] = await Promise.all([world.audit(), reconciler.round()]);
      expect(report.differences).toEqual([]);
    } while (busy);
  };
  await Promise.all([work, looking()]);
  expect(await remembered()).toEqual([]);
}, 600_000);

describe('a chain that is wrong', () => {
  const AMOUNT_AT = 64;

  it('stays reported when reading it again cannot mend it: an escrow that holds too little', async () => {
    await forget();
    const escrow = escrowAddress(world.orders.sell.address);
    const move = (by: bigint) =>
      world.falsify(escrow, (data) => {
        data.writeBigUInt64LE(data.readBigUInt64LE(AMOUNT_AT) + by, AMOUNT_AT);
      });
    await move(-units(3));
    const kinds = (await world.audit()).differences.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['ESCROW_SHORT', 'TOKEN_SUM']);
    await world.reconciler().round();
    const seen = await remembered();
    expect(seen.map(({ kind }) => kind).sort()).toEqual(['ESCROW_SHORT', 'TOKEN_SUM']);
    for (const difference of seen)
      expect(difference).toMatchObject({ confirmed: true, repair: null, resolved: false });
    expect((await world.audit()).differences).toHaveLength(2);

    await move(units(3));
    await world.pool.query('UPDATE reconcile_differences SET next_look_at = now()');
    await world.reconciler().round();
    expect((await remembered()).every(({ resolved }) => resolved)).toBe(true);
    expect((await world.audit()).differences).toEqual([]);
  });
});
