import {
  EnergySource,
  fetchBook,
  fetchMeter,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  meterAddress,
} from '@gridtokenx/chain';
import { createBurnInstruction } from '@solana/spl-token';
import type { Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChainMirror } from '../mirror/mirror.js';
import { noRollupMetrics, Rollup } from '../overview/index.js';
import { repair } from '../reconcile/repair.js';
import type { Settlement } from '../settlement/settlement.js';
import { World, type WorldMeter } from '../settlement/testing/world.js';
import { type AuditReport, runAudit } from './audit.js';
import { DIFFERENCES, type DifferenceKind } from './differences.js';

const world = new World();
let owner: Keypair;
let homes: WorldMeter[];
let mirror: ChainMirror;
let settlement: Settlement;

beforeAll(async () => {
  await world.start();
  owner = await world.addOwner();
});
afterAll(() => world.stop());
beforeEach(async () => {
  // A new database mirrors the whole chain, readings of earlier tests included.
  await world.useEmptyDatabase();
  homes = [await world.addMeter(owner), await world.addMeter(owner)];
  mirror = world.mirror();
  await mirror.catchUp();
  settlement = world.settlement(mirror, { intervalSeconds: 0 });
  await world.measure(homes);
  await world.measure(homes, '0', '0.2');
  await world.measure(homes);
  await settlement.settleNow();
});

function audit(catchUp = true): Promise<AuditReport> {
  const { pool, connection, logger, now } = world;
  return runAudit({ pool, connection, logger, now, catchUp });
}

function meterId(index = 0): string {
  const home = homes[index];
  if (!home) throw new Error('no such meter');
  return home.meter.meterId;
}

async function kinds(catchUp = true): Promise<DifferenceKind[]> {
  const { differences } = await audit(catchUp);
  return [...new Set(differences.map(({ kind }) => kind))].sort();
}

describe('runAudit', () => {
  it('finds nothing where nothing is wrong, and shows the figures that agree', async () => {
    const report = await audit();
    expect(report.differences).toEqual([]);
    expect(report.ok).toBe(true);
    const { figures } = report;
    expect(figures.sumOfMintedCounters).toBe(figures.totalMinted);
    expect(figures.sumOfMintEvents).toBe(figures.totalMinted);
    expect(figures.supply).toBe(figures.totalMinted);
    expect(figures).toMatchObject({
      meters: 2,
      totalBurned: '0',
      directBurns: [],
      readings: 6,
      settlements: 1,
    });
    expect(figures.signaturesVerified).toBe(6);
    expect(BigInt(figures.totalMinted)).toBeGreaterThan(0n);
  });

  it('accounts for burns, also those that went past energy-token', async () => {
    const account = gridTokenAccount(owner.publicKey);
    await world.send([instructions.burn({ owner: owner.publicKey, amountNkwh: 100n })], [owner]);
    const direct = await world.send(
      [createBurnInstruction(account, gridMintAddress(), owner.publicKey, 23n, [], GRID_TOKEN_PROGRAM_ID)],
      [owner],
    );
    const report = await audit();
    expect(report.differences).toEqual([]);
    expect(report.figures.directBurns).toEqual([{ signature: direct, amount: '23' }]);
    expect(BigInt(report.figures.supply)).toBe(BigInt(report.figures.totalMinted) - 123n);
  });

  it('adds certificates up', async () => {
    const meter = meterAddress(meterId());
    const { settled, lastEnd } = (await fetchMeter(world.connection, meterId())) ?? {
      settled: 0n,
      lastEnd: 0,
    };
    const payer = world.feePayer.publicKey;
    await world.send(
      [
        instructions.openBook({
          payer,
          owner: owner.publicKey,
          registrar: world.registrar.publicKey,
          meter,
          source: EnergySource.Solar,
          startTotal: settled - 300n,
          periodStart: lastEnd - 1,
        }),
        instructions.issueCertificate({
          payer,
          owner: owner.publicKey,
          book: { meter, nextSerial: 1n },
          energyNkwh: 200n,
        }),
      ],
      [owner, world.registrar],
    );
    expect((await fetchBook(world.connection, meter))?.certifiedTotal).toBe(200n);
    const report = await audit();
    expect(report.differences).toEqual([]);
    expect(report.figures.certificates).toEqual({
      books: 1,
      liveCertificates: 1,
      retiredCertificates: 0,
      certified: '200',
      certifiedAndRetired: '0',
    });
  });

  it('stays clean while settlement goes on', async () => {
    let done = false;
    const busy = (async () => {
      while (!done) {
        await world.measure(homes);
        await settlement.settleNow();
      }
    })();
    try {
      for (let i = 0; i < 3; i++) expect((await audit()).differences).toEqual([]);
    } finally {
      done = true;
      await busy;
    }
  });

  const changed: [DifferenceKind, string, string[]?][] = [
    [
      'SIGNATURE_INVALID',
      `UPDATE meter_readings SET meter_signature = (SELECT r.meter_signature FROM meter_readings r
        WHERE r.meter_id = $1 AND r.sequence = 2) WHERE meter_id = $1 AND sequence = 3`,
    ],
    [
      'READING_ALTERED',
      'UPDATE meter_readings SET surplus_total = surplus_total + 1 WHERE meter_id = $1 AND sequence = 2',
    ],
    [
      'MARKED_WRONGLY',
      `UPDATE meter_readings SET minted = TRUE, status = 'minted' WHERE meter_id = $1 AND minted = FALSE`,
    ],
    [
      'NOT_MARKED',
      `UPDATE meter_readings SET minted = FALSE, status = 'pending', mint_tx_signature = NULL
        WHERE meter_id = $1 AND sequence = 1`,
    ],
    [
      'WRONG_SIGNATURE',
      `UPDATE meter_readings SET mint_tx_signature = 'elsewhere' WHERE meter_id = $1 AND sequence = 3`,
    ],
    [
      'READING_MISSING',
      `WITH k AS (DELETE FROM reading_keys WHERE meter_id = $1 AND sequence = 3)
        DELETE FROM meter_readings WHERE meter_id = $1 AND sequence = 3`,
    ],
    [
      'SIGNATURE_MISSING',
      `UPDATE meter_readings SET meter_signature = '' WHERE meter_id = $1 AND sequence = 3`,
    ],
    ['KEY_UNKNOWN', `DELETE FROM meter_keys WHERE meter_id = $1`],
    [
      'KEY_HISTORY',
      `UPDATE meter_keys SET meter_id = (SELECT meter_id FROM meters WHERE meter_id <> $1
        ORDER BY registered_at DESC, meter_id LIMIT 1) WHERE meter_id = $1`,
    ],
    [
      'COUNTER_DIFFERS',
      `UPDATE chain_events SET data = jsonb_set(data, '{amount}', '"1"') WHERE name = 'ProductionMinted'
        AND meter = (SELECT address FROM meters WHERE meter_id = $1)`,
    ],
    [
      'EVENT_DIFFERS',
      `DELETE FROM chain_events WHERE name = 'MeterBalanceSettled'
        AND meter = (SELECT address FROM meters WHERE meter_id = $1)`,
    ],
    [
      'TRANSACTION_UNKNOWN',
      `INSERT INTO chain_transactions (signature, slot, last_valid_block_height)
        SELECT repeat('1', 64), 5, 5 FROM meters WHERE meter_id = $1`,
    ],
    ['METER_DIFFERS', `UPDATE meters SET chain_minted = chain_minted + 1 WHERE meter_id = $1`],
    ['RANGE_DIFFERS', `UPDATE chain_readings SET counted = counted + 1 WHERE meter_id = $1`],
    ['READING_DIFFERS', `UPDATE chain_readings SET surplus_total = surplus_total + 1 WHERE meter_id = $1`],
    ['SETTLEMENT_AMOUNT', `UPDATE settlement_items SET minted_nkwh = minted_nkwh + 1 WHERE meter_id = $1`],
    [
      'SETTLEMENT_STATE',
      `UPDATE settlements SET state = 'expired' WHERE id IN
        (SELECT settlement_id FROM settlement_items WHERE meter_id = $1)`,
    ],
    [
      'SETTLEMENT_MISSING',
      `UPDATE settlements SET signature = repeat('1', 64) WHERE id IN
        (SELECT settlement_id FROM settlement_items WHERE meter_id = $1 LIMIT 1)`,
    ],
    [
      'METER_UNKNOWN',
      `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key)
        SELECT 'nobody', '11111111111111111111111111111112', user_id, wallet_address, public_key FROM meters
        WHERE meter_id = $1`,
    ],
  ];
  it.each(changed)('names %s when the database is changed behind its back', async (kind, sql) => {
    if (kind === 'MARKED_WRONGLY') await world.measure(homes);
    const { rowCount } = await world.pool.query(sql, [meterId()]);
    expect(rowCount).toBeGreaterThan(0);
    const report = await audit(false);
    expect(report.ok).toBe(false);
    const found = report.differences.find((difference) => difference.kind === kind);
    expect(found, JSON.stringify(report.differences.map(({ kind: other }) => other))).toBeDefined();
    expect(found?.action).toBe(DIFFERENCES[kind]);
    // The other meter is not accused, unless a key was given to it.
    if (kind !== 'KEY_HISTORY')
      expect(report.differences.some(({ meter }) => meter === meterId(1))).toBe(false);
  });

  it('names readings that are gone or altered, and applying their transaction again mends both', async () => {
    const [first = '', second = ''] = [meterId(0), meterId(1)];
    await world.pool.query(
      `WITH k AS (DELETE FROM reading_keys WHERE meter_id = $1 AND sequence = 3)
       DELETE FROM meter_readings WHERE meter_id = $1 AND sequence = 3`,
      [first],
    );
    await world.pool.query('UPDATE chain_readings SET counted = counted + 1 WHERE meter_id = $1', [second]);
    const { differences } = await audit(false);
    const named = differences.map(({ kind, meter }) => `${kind} ${meter}`);
    expect(named).toContain(`READING_MISSING ${first}`);
    expect(named).toContain(`RANGE_DIFFERS ${second}`);
    for (const difference of differences) await repair({ doors: mirror, pool: world.pool }, difference);
    expect((await audit(false)).differences).toEqual([]);
  });

  describe('energy that was added up', () => {
    beforeEach(async () => {
      const { pool, logger } = world;
      const feed = { onChange: () => () => {} };
      await new Rollup({ pool, feed, logger, metrics: noRollupMetrics }).catchUp();
    });

    it('is compared with the readings', async () => {
      const { differences, figures } = await audit(false);
      expect(differences).toEqual([]);
      expect(figures.energy).toMatchObject({ whole: false, unproved: 0 });
      expect(figures.energy.readings).toBeGreaterThanOrEqual(6);
      expect(figures.energy.quarters).toBeGreaterThan(0);
    });

    const spoiled: [string, string][] = [
      ['another surplus', 'UPDATE energy_quarters SET surplus = surplus + 1 WHERE quarter = $1'],
      ['meters counted twice', 'UPDATE energy_quarters SET meters = meters * 2 WHERE quarter = $1'],
      ['a quarter that is gone', 'DELETE FROM energy_quarters WHERE quarter = $1'],
      [
        'a quarter that never was',
        `INSERT INTO energy_quarters VALUES ($1::timestamptz + interval '15 minutes', 1, 0, 0, 1, 1)`,
      ],
    ];
    it.each(spoiled)('%s is named, and mended by adding it up again', async (_what, sql) => {
      const { pool } = world;
      const energy = async () =>
        (await pool.query('SELECT * FROM energy_quarters ORDER BY quarter DESC')).rows;
      const before = await energy();
      expect((await pool.query(sql, [before[0].quarter])).rowCount).toBe(1);
      const { ok, differences } = await audit(false);
      expect(ok).toBe(false);
      expect(differences).toMatchObject([
        { kind: 'ENERGY_DIFFERS', what: 'quarter', action: DIFFERENCES.ENERGY_DIFFERS },
      ]);
      const [difference] = differences;
      if (!difference) throw new Error('nothing was found');
      expect(await repair({ doors: mirror, pool }, difference)).toContain(String(difference.quarter));
      expect(await energy()).toEqual(before);
      expect((await audit(false)).differences).toEqual([]);
    });

    it('is compared day by day on demand, and told so', async () => {
      const { pool, connection, logger, now } = world;
      const told: string[] = [];
      const { figures } = await runAudit({
        pool,
        connection,
        logger,
        now,
        catchUp: false,
        wholeEnergy: true,
        energyProgress: (done, of) => told.push(`${done}/${of}`),
      });
      expect(figures.energy).toMatchObject({ whole: true, days: told.length, readings: figures.readings });
      expect(told.at(-1)).toBe(`${told.length}/${told.length}`);
    });
  });

  it('names what the chain has and the database has not', async () => {
    await world.pool.query('DELETE FROM settlements');
    const victim = await world.pool.query(
      `DELETE FROM chain_transactions WHERE signature = (SELECT signature FROM chain_readings WHERE meter_id = $1
         ORDER BY sequence DESC LIMIT 1) RETURNING signature`,
      [meterId()],
    );
    const report = await audit(false);
    const missing = report.differences.find(({ kind }) => kind === 'TRANSACTION_MISSING');
    expect(missing?.signature).toBe(victim.rows[0].signature);

    await world.useEmptyDatabase();
    expect(await kinds(false)).toEqual(['METER_MISSING', 'ROW_MISSING', 'TRANSACTION_MISSING']);
    expect(await kinds(true)).toEqual([]);
  });

  it('tells the first differences in full and counts the rest', async () => {
    await world.pool.query(`UPDATE meter_readings SET meter_signature = ''`);
    const { pool, connection, logger, now } = world;
    const report = await runAudit({ pool, connection, logger, now, maxDifferences: 2 });
    expect(report.differences).toHaveLength(2);
    expect(report.differenceCount).toBeGreaterThan(2);
  });
});
