import {
  fetchMeter,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  verifyUser,
} from '@gridtokenx/chain';
import { encodeBase58, noticeOf } from '@gridtokenx/protocol';
import { createBurnInstruction, createCloseAccountInstruction } from '@solana/spl-token';
import { type Connection, Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChainMirror } from '../mirror/mirror.js';
import { Reviews } from '../review/reviews.js';
import { resolveHold } from '../store/reviews.js';
import { openTestPool } from '../testing/postgres.js';
import { MAX_ATTEMPTS } from './refusal.js';
import { until, World, type WorldMeter } from './testing/world.js';

const world = new World();
let owner: Keypair;

beforeAll(async () => {
  await world.start();
  owner = await world.addOwner();
});
afterAll(() => world.stop());
beforeEach(() => world.useEmptyDatabase());

async function minted({ meter }: WorldMeter): Promise<bigint> {
  return (await fetchMeter(world.connection, meter.meterId))?.minted ?? -1n;
}

async function balance(wallet: Keypair): Promise<bigint> {
  const { value } = await world.connection.getTokenAccountBalance(gridTokenAccount(wallet.publicKey));
  return BigInt(value.amount);
}

async function mirrored(...meters: WorldMeter[]): Promise<ChainMirror> {
  const mirror = world.mirror();
  for (const { meter } of meters) await mirror.meter(meter.meterId);
  return mirror;
}

describe('Settlement', () => {
  it('mints what a reading says, to its owner, and marks every reading that it covers', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const before = await balance(owner);
    await world.measure([home], '2', '0.5');
    await world.measure([home], '0', '1');
    await world.measure([home], '1', '0');
    const settlement = world.settlement(mirror);
    await settlement.settleNow();

    expect(await minted(home)).toBe(2_500_000_000n);
    expect((await balance(owner)) - before).toBe(2_500_000_000n);
    const readings = await world.readings(home.meter.meterId);
    expect(readings.map(({ status, minted: done }) => [status, done])).toEqual([
      ['minted', true],
      ['minted', true],
      ['minted', true],
    ]);
    expect(new Set(readings.map(({ signature }) => signature)).size).toBe(1);
    expect(await world.states()).toEqual(['confirmed']);
    await expect(settlement.backlog()).resolves.toMatchObject({ meters: 0, readings: 0, openSettlements: 0 });
    const supply = await world.connection.getTokenSupply(gridMintAddress());
    expect(BigInt(supply.value.amount)).toBeGreaterThanOrEqual(2_500_000_000n);
  });

  it('packs twelve meters into three transactions, five at most in one', async () => {
    const homes: WorldMeter[] = [];
    for (let i = 0; i < 12; i++) homes.push(await world.addMeter(owner));
    const mirror = await mirrored(...homes);
    await world.measure(homes);
    await world.settlement(mirror).settleNow();
    for (const home of homes) expect(await minted(home)).toBe(600_000_000n);
    const { rows } = await world.pool.query(
      `SELECT count(*)::int AS meters FROM settlements s JOIN settlement_items i ON i.settlement_id = s.id
       WHERE s.state = 'confirmed' GROUP BY s.id ORDER BY s.id`,
    );
    expect(rows.map(({ meters }) => meters)).toEqual([5, 5, 2]);
    // The next round uses the same table.
    await world.measure(homes);
    await world.settlement(mirror).settleNow();
    for (const home of homes) expect(await minted(home)).toBe(1_200_000_000n);
    const tables = await world.pool.query('SELECT count(*)::int AS count FROM lookup_tables');
    expect(tables.rows[0].count).toBe(1);
  });

  it('settles a night of zero readings by not settling it, and does not let them wait for ever', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const settlement = world.settlement(mirror);
    await world.measure([home], '0', '1');
    await world.measure([home], '0', '2');
    await settlement.settleNow();
    expect(await world.states()).toEqual([]);
    expect((await world.readings(home.meter.meterId)).map(({ status }) => status)).toEqual([
      'nothing_to_settle',
      'nothing_to_settle',
    ]);
    await expect(settlement.backlog()).resolves.toMatchObject({ readings: 0 });
    await world.measure([home], '3', '1');
    await settlement.settleNow();
    expect(await minted(home)).toBe(2_000_000_000n);
  });

  it('waits for an owner who is not verified yet, holding up nobody and counting no attempt', async () => {
    const stranger = await world.addOwner();
    const waiting = await world.addMeter(stranger);
    const home = await world.addMeter(owner);
    const mirror = await mirrored(waiting, home);
    await world.measure([waiting, home]);
    const verify = (verified: boolean) =>
      verifyUser(world.connection, {
        payer: world.feePayer,
        registrar: world.registrar,
        wallet: stranger.publicKey,
        verified,
      });
    // Withdrawn after the reading was stored.
    await verify(false);
    const settlement = world.settlement(mirror);
    await settlement.settleNow();
    expect(await minted(home)).toBe(600_000_000n);
    expect(await minted(waiting)).toBe(0n);
    const { rows } = await world.pool.query(
      'SELECT attempts, reason FROM settlement_meters WHERE meter_id = $1',
      [waiting.meter.meterId],
    );
    expect(rows[0]).toEqual({ attempts: 0, reason: 'USER_NOT_VERIFIED' });

    await verify(true);
    await mirror.catchUp();
    await settlement.settleNow();
    expect(await minted(waiting)).toBe(600_000_000n);
  });

  it('settles nothing of a meter while one of its readings is held for review', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const settlement = world.settlement(mirror);
    world.pass(2 * 3600);
    const held = home.meter.next('100.000000001', '0', 2);
    expect(await world.store(held)).toBe('held');
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(0n);
    const { rows } = await world.pool.query('SELECT id FROM reviews WHERE meter_id = $1', [
      home.meter.meterId,
    ]);
    await resolveHold(world.pool, { reviewId: rows[0].id, decision: 'released', by: 'test', note: 'seen' });
    await settlement.settleNow();
    expect(await minted(home)).toBe(100_600_000_001n);
    expect((await world.readings(home.meter.meterId)).every(({ minted: done }) => done)).toBe(true);
  });

  it.each([false, true])(
    'books what the rated power does not allow as held, with a review, and mints it once released (account read first: %s)',
    async (early) => {
      const home = await world.addMeter(owner, 1000);
      const mirror = await mirrored(home);
      const settlement = world.settlement(mirror, { intervalSeconds: 0 });
      // The first reading is measured from the registration on.
      await world.measure([home], '0.1', '0');
      await settlement.settleNow();
      await world.measure([home], '5', '0');
      await settlement.settleNow();
      expect(await minted(home)).toBe(1_200_000_000n);
      const { rows } = await world.pool.query(
        `SELECT sequence::int, amount_nkwh::text AS amount, status FROM reviews WHERE kind = 'energy_held'`,
      );
      expect(rows).toEqual([{ sequence: 2, amount: '3900000000', status: 'open' }]);
      const alerts = await world.pool.query(
        `SELECT dedupe_key, details FROM alerts WHERE kind = 'energy_held'`,
      );
      expect(alerts.rows).toMatchObject([{ dedupe_key: `${home.meter.meterId}/2` }]);
      const facts = { meter_id: home.meter.meterId, sequence: '2', amount_kwh: '3.9' };
      expect(noticeOf('energy_held', alerts.rows[0]?.details)).toEqual({ name: 'energy_held', facts });

      await world.send(
        [
          instructions.releaseHeld({
            authority: world.registrar.publicKey,
            meterId: home.meter.meterId,
            sequence: 2n,
          }),
        ],
        [world.registrar],
      );
      // The account may be read before the event: the hold is gone, and why is not known yet.
      if (early) {
        await world.pool.query(`UPDATE reviews SET status = 'dismissed', resolved_by = 'chain'`);
      }
      await mirror.catchUp();
      const review = await world.pool.query(
        `SELECT status, resolved_by, resolution_note AS note FROM reviews WHERE kind = 'energy_held'`,
      );
      const decided = expect.stringContaining(`decided by ${world.registrar.publicKey.toBase58()} in `);
      expect(review.rows).toEqual([{ status: 'released', resolved_by: 'chain', note: decided }]);
      const closed = await world.pool.query(
        `SELECT FROM alerts WHERE kind = 'energy_held' AND resolved_at IS NULL`,
      );
      expect(closed.rowCount).toBe(0);
      await settlement.settleNow();
      expect(await minted(home)).toBe(5_100_000_000n);
    },
  );

  it('lets one owner’s closed token account hold up nobody, pays for it once, and asks a person after ten refusals', async () => {
    const careless = await world.addOwner();
    const broken = await world.addMeter(careless);
    const homes = [await world.addMeter(owner), await world.addMeter(owner)];
    const mirror = await mirrored(broken, ...homes);
    const settlement = world.settlement(mirror);
    const account = gridTokenAccount(careless.publicKey);
    const close = async () => {
      const { value } = await world.connection.getTokenAccountBalance(account);
      const burn = createBurnInstruction(
        account,
        gridMintAddress(),
        careless.publicKey,
        BigInt(value.amount),
        [],
        GRID_TOKEN_PROGRAM_ID,
      );
      const shut = createCloseAccountInstruction(
        account,
        careless.publicKey,
        careless.publicKey,
        [],
        GRID_TOKEN_PROGRAM_ID,
      );
      await world.send(value.amount === '0' ? [shut] : [burn, shut], [careless]);
    };
    // Opened by whoever registered the meter; the collector pays for it for the first time now.
    await close();
    await world.measure([broken, ...homes]);
    await settlement.settleNow();
    for (const home of [broken, ...homes]) expect(await minted(home)).toBe(600_000_000n);

    await close();
    await world.measure([broken, ...homes]);
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      await world.pool.query(`UPDATE settlement_meters SET next_attempt_at = '-infinity'`);
      await settlement.settleNow();
    }
    for (const home of homes) expect(await minted(home)).toBe(1_200_000_000n);
    expect(await minted(broken)).toBe(600_000_000n);
    expect((await world.readings(broken.meter.meterId)).at(-1)?.status).toBe('review');
    const { rows } = await world.pool.query(
      `SELECT id, reason, amount_nkwh::text AS amount FROM reviews WHERE kind = 'settlement_failed' AND status = 'open'`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ amount: '600000000', reason: expect.stringContaining('10 times') });
    const alerts = await world.pool.query(
      `SELECT dedupe_key, details FROM alerts WHERE kind = 'settlement_failed'`,
    );
    expect(alerts.rows).toMatchObject([{ dedupe_key: broken.meter.meterId }]);
    expect(noticeOf('settlement_failed', alerts.rows[0]?.details)?.facts).toMatchObject({
      meter_id: broken.meter.meterId,
    });
    await world.pool.query(`UPDATE settlement_meters SET next_attempt_at = '-infinity'`);
    await settlement.settleNow();
    expect(await minted(broken)).toBe(600_000_000n);

    await world.pool.query('DELETE FROM token_accounts'); // the owner opens it again; here the collector does
    await expect(
      new Reviews({ pool: world.pool }).retry(rows[0].id, { by: 'test', reason: 'opened again' }),
    ).resolves.toMatchObject({ status: 'retried' });
    await settlement.settleNow();
    expect(await minted(broken)).toBe(1_200_000_000n);
    const open = await world.pool.query(`SELECT FROM alerts WHERE resolved_at IS NULL`);
    expect(open.rowCount).toBe(0);
  });

  it('parts a batch that the chain refuses, so that only the meter at fault goes without', async () => {
    const careless = await world.addOwner();
    const broken = await world.addMeter(careless);
    const homes = [await world.addMeter(owner), broken, await world.addMeter(owner)];
    const mirror = await mirrored(...homes);
    await world.measure(homes);
    // A row that was changed after it was stored: the signature is of something else.
    await world.pool.query('UPDATE meter_readings SET meter_signature = $2 WHERE meter_id = $1', [
      broken.meter.meterId,
      encodeBase58(broken.meter.sign(new Uint8Array(48))),
    ]);
    await world.settlement(mirror).settleNow();
    expect(await Promise.all(homes.map(minted))).toEqual([600_000_000n, 0n, 600_000_000n]);
    const { rows } = await world.pool.query(
      'SELECT meter_id, attempts, reason FROM settlement_meters WHERE attempts > 0',
    );
    expect(rows).toEqual([
      {
        meter_id: broken.meter.meterId,
        attempts: 1,
        reason: expect.stringContaining('Custom'),
      },
    ]);
  });

  it('tells that the fee payer is empty, counts no attempt, and goes on once it has SOL', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    await world.measure([home]);
    const poor = Keypair.generate();
    const settlement = world.settlement(mirror, {}, undefined, undefined, poor);
    await settlement.settleNow();
    expect(await minted(home)).toBe(0n);
    const open = () =>
      world.pool.query(`SELECT dedupe_key FROM alerts WHERE kind = 'fee_payer' AND resolved_at IS NULL`);
    expect((await open()).rows).toEqual([{ dedupe_key: poor.publicKey.toBase58() }]);
    const { rows } = await world.pool.query('SELECT attempts FROM settlement_meters');
    expect(rows).toEqual([{ attempts: 0 }]);
    await world.fund(poor);
    await world.pool.query(`UPDATE settlement_meters SET next_attempt_at = '-infinity'`);
    await settlement.settleNow();
    expect(await minted(home)).toBe(600_000_000n);
    expect((await open()).rows).toEqual([]);
  });

  it('ends what an earlier run told of an outage that is over', async () => {
    await world.alerts.raise({
      kind: 'chain_unavailable',
      key: 'settlement',
      severity: 'critical',
      message: 'before',
      details: { part: 'settlement' },
    });
    const settlement = world.settlement(await mirrored());
    await settlement.start();
    try {
      await until(async () => (await world.openAlerts('chain_unavailable')).length === 0);
    } finally {
      await settlement.stop();
    }
  });

  it('lets a meter wait for a set amount, or for a day, where every settlement costs a fee', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const settlement = world.settlement(mirror, { minimumNkwh: 1_000_000_000n, maxWaitSeconds: 86_400 });
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(0n);
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(1_200_000_000n);
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(1_200_000_000n);
    await world.pool.query(
      `UPDATE meter_readings SET submitted_at = now() - interval '1 day' WHERE NOT minted`,
    );
    await settlement.settleNow();
    expect(await minted(home)).toBe(1_800_000_000n);
  });

  it('keeps others settling while one transaction’s outcome is open', async () => {
    const [first, second] = [await world.addMeter(owner), await world.addMeter(owner)];
    const mirror = await mirrored(first, second);
    await world.measure([first]);
    // The first transaction is lost again and again.
    let lost: string | undefined;
    const losing = intercept(world.connection, async (method, forward, args) => {
      if (method !== 'sendTransaction') return forward();
      lost ??= String(args[0]);
      return lost === args[0] ? { jsonrpc: '2.0', id: '1', result: 'taken' } : forward();
    });
    const running = world.settlement(mirror, {}, losing).settleNow();
    await until(async () => lost !== undefined);
    await world.store(second.meter.next());
    await until(async () => (await minted(second)) === 600_000_000n);
    expect(await minted(first)).toBe(0n);
    losing.restore();
    await running;
    expect(await minted(first)).toBe(600_000_000n);
  });

  it('survives an outage of the node without counting attempts', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    await world.measure([home]);
    const settlement = world.settlement(mirror);
    const port = await world.stopChain();
    try {
      await expect(settlement.settleNow()).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' });
    } finally {
      await world.startChain(port);
    }
    await world.settlement(mirror).settleNow();
    expect(await minted(home)).toBe(600_000_000n);
    const { rows } = await world.pool.query('SELECT attempts FROM settlement_meters');
    expect(rows).toEqual([{ attempts: 0 }]);
  });

  it('signs again only after what it sent has expired, and mints once', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    await world.measure([home]);
    // A node that takes transactions and loses them.
    let lost = 0;
    const losing = intercept(world.connection, async (method, forward) => {
      if (method !== 'sendTransaction') return forward();
      lost += 1;
      return { jsonrpc: '2.0', id: '1', result: 'taken' };
    });
    const settlement = world.settlement(mirror, {}, losing);
    const running = settlement.settleNow();
    await until(async () => lost > 0);
    await expect(world.states()).resolves.toEqual(['prepared']);
    losing.restore();
    world.pass(120);
    await running;
    expect(await world.states()).toEqual(['expired', 'confirmed']);
    expect(await minted(home)).toBe(600_000_000n);
    const readings = await world.readings(home.meter.meterId);
    const { rows } = await world.pool.query(`SELECT signature FROM settlements WHERE state = 'confirmed'`);
    expect(readings[0]?.signature).toBe(rows[0].signature);
  });

  it('shares the work between two collectors without settling anything twice', async () => {
    const homes: WorldMeter[] = [];
    for (let i = 0; i < 14; i++) homes.push(await world.addMeter(owner));
    const mirror = await mirrored(...homes);
    await world.measure(homes);
    const otherPool = openTestPool(world.databaseUrl, 6);
    try {
      const one = world.settlement(mirror, { batchMeters: 4 });
      const two = world.settlement(mirror, { batchMeters: 4 }, undefined, otherPool);
      await Promise.all([one.settleNow(), two.settleNow()]);
      await one.settleNow();
    } finally {
      await otherPool.end();
    }
    for (const home of homes) expect(await minted(home)).toBe(600_000_000n);
    const { rows } = await world.pool.query(
      `SELECT i.meter_id, count(*)::int AS count FROM settlement_items i JOIN settlements s ON s.id = i.settlement_id
       WHERE s.state = 'confirmed' GROUP BY i.meter_id`,
    );
    expect(rows).toHaveLength(homes.length);
    expect(rows.every(({ count }) => count === 1)).toBe(true);
    const states = new Set(await world.states());
    expect(states).toEqual(new Set(['confirmed']));
  });

  it('waits for the first reading of a new key when the newest one is signed with the old key', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const settlement = world.settlement(mirror);
    await world.measure([home]);
    await world.rotateKey(home);
    await settlement.settleNow();
    expect(await minted(home)).toBe(0n);
    const { rows } = await world.pool.query('SELECT attempts, reason FROM settlement_meters');
    expect(rows).toEqual([{ attempts: 0, reason: 'KEY_ROTATED' }]);
    await mirror.catchUp();
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(1_200_000_000n);
    expect((await world.readings(home.meter.meterId)).every(({ minted: done }) => done)).toBe(true);
  });

  it('waits while the registry is paused and goes on when it runs again', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    await mirror.catchUp();
    await world.measure([home]);
    const settlement = world.settlement(mirror);
    const setPaused = (paused: boolean) =>
      world.send(
        [instructions.setPaused({ authority: world.authority.publicKey, paused })],
        [world.authority],
      );
    await setPaused(true);
    try {
      await mirror.catchUp();
      await settlement.settleNow();
      expect(await minted(home)).toBe(0n);
      const open = await world.pool.query(
        `SELECT count(*)::int AS n FROM alerts WHERE kind = 'paused' AND resolved_at IS NULL`,
      );
      expect(open.rows[0].n).toBe(1);
    } finally {
      await setPaused(false);
    }
    await mirror.catchUp();
    await settlement.settleNow();
    expect(await minted(home)).toBe(600_000_000n);
    const open = await world.pool.query(
      `SELECT count(*)::int AS n FROM alerts WHERE kind = 'paused' AND resolved_at IS NULL`,
    );
    expect(open.rows[0].n).toBe(0);
  });

  it('settles a reactivated meter’s first reading, which mints nothing and sets a new base', async () => {
    const home = await world.addMeter(owner);
    const mirror = await mirrored(home);
    const settlement = world.settlement(mirror);
    const set = (status: 0 | 1) =>
      world.send(
        [
          instructions.setMeterStatus({
            authority: world.registrar.publicKey,
            meterId: home.meter.meterId,
            status,
          }),
        ],
        [world.registrar],
      );
    await set(1);
    await world.measure([home]);
    await settlement.settleNow();
    expect(await world.states()).toEqual([]);
    await set(0);
    await mirror.catchUp();
    await settlement.settleNow();
    expect(await minted(home)).toBe(0n);
    expect((await world.readings(home.meter.meterId)).map(({ status }) => status)).toEqual([
      'nothing_to_settle',
    ]);
    await world.measure([home]);
    await settlement.settleNow();
    expect(await minted(home)).toBe(600_000_000n);
  });

  it('runs by itself in real-time mode, follows what is final, and stops cleanly', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror({ pollSeconds: 0.2 });
    await mirror.start();
    await mirror.meter(home.meter.meterId);
    const settlement = world.settlement(mirror, { mode: 'realtime', sweepSeconds: 0.2 });
    await settlement.start();
    try {
      await world.measure([home]);
      settlement.wake();
      await until(async () => (await minted(home)) === 600_000_000n);
      await until(async () => (await world.states())[0] === 'confirmed');
      world.pass(60);
      await until(async () => (await world.states())[0] === 'finalized');
      await until(async () => {
        const { rows } = await world.pool.query('SELECT bool_and(finalized) AS all FROM chain_transactions');
        return rows[0].all === true;
      });
    } finally {
      await settlement.stop();
      await mirror.stop();
    }
  });
});

/** The same connection with its RPC calls passing through `through`. */
function intercept(
  connection: Connection,
  through: (method: string, forward: () => Promise<unknown>, args: unknown[]) => Promise<unknown>,
): Connection & { restore: () => void } {
  let active = true;
  const rpc = connection as unknown as { _rpcRequest(method: string, args: unknown[]): Promise<unknown> };
  const copy = Object.create(connection) as Connection & { restore: () => void };
  Object.defineProperty(copy, '_rpcRequest', {
    value: (method: string, args: unknown[]) => {
      const forward = () => rpc._rpcRequest(method, args);
      return active ? through(method, forward, args) : forward();
    },
  });
  copy.restore = () => {
    active = false;
  };
  return copy;
}
