/* The daily cap of mints from stored reading to GRID, on the embedded chain with a clock that the test moves. */
import { fetchMeter, gridTokenAccount, setLimits, setMeterCap } from '@gridtokenx/chain';
import { nkwhToKwh } from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { runAudit } from '../audit/index.js';
import type { Settlement } from './settlement.js';
import { World, type WorldMeter } from './testing/world.js';

const KWH = 1_000_000_000n;
const DAY = 86_400;

const world = new World();
let owner: Keypair;

beforeAll(async () => {
  await world.start();
  owner = await world.addOwner();
});
afterAll(() => world.stop());
beforeEach(async () => {
  await world.useEmptyDatabase();
  await setLimits(world.connection, { admin: world.authority, dailyMintCapNkwh: 0n });
});

/** Moves the clock of chain and collectors to one in the morning (UTC) of the next day. */
function nextMorning(): void {
  const seconds = Math.floor(world.now() / 1000);
  world.pass((Math.floor(seconds / DAY) + 1) * DAY + 3_600 - seconds);
}

async function setup(): Promise<{ home: WorldMeter; settlement: Settlement; settle: () => Promise<void> }> {
  nextMorning();
  const home = await world.addMeter(owner);
  const mirror = world.mirror();
  await mirror.meter(home.meter.meterId);
  // Energy that only waits for its mint is looked at without waiting.
  const settlement = world.settlement(mirror, { intervalSeconds: 0 });
  const settle = async () => {
    await world.pool.query(`UPDATE settlement_meters SET next_attempt_at = '-infinity'`);
    await settlement.settleNow();
  };
  return { home, settlement, settle };
}

const account = ({ meter }: WorldMeter) => fetchMeter(world.connection, meter.meterId);
const balance = async () =>
  BigInt(
    (await world.connection.getTokenAccountBalance(gridTokenAccount(owner.publicKey), 'confirmed')).value
      .amount,
  );
const statuses = async ({ meter }: WorldMeter) =>
  (await world.readings(meter.meterId)).map(({ status }) => status);

async function auditPasses(): Promise<void> {
  const { pool, connection, logger, now } = world;
  const report = await runAudit({ pool, connection, logger, now });
  expect(report.differences).toEqual([]);
}

it('marks as minted only what was minted, and mints the rest on the next day', async () => {
  const { home, settlement, settle } = await setup();
  const before = await balance();
  await setLimits(world.connection, { admin: world.authority, dailyMintCapNkwh: (KWH * 3n) / 2n });

  await world.measure([home], '1', '0');
  await settle();
  expect(await statuses(home)).toEqual(['minted']);

  // Half of the second kilowatt-hour is minted: its reading waits, and says so.
  await world.measure([home], '1', '0');
  await settle();
  expect(await account(home)).toMatchObject({ settled: 2n * KWH, minted: (KWH * 3n) / 2n });
  expect(await statuses(home)).toEqual(['minted', 'accepted']);
  // A third is accepted without a mint.
  await world.measure([home], '0.25', '0');
  await settle();
  expect(await statuses(home)).toEqual(['minted', 'accepted', 'accepted']);
  expect((await balance()) - before).toBe((KWH * 3n) / 2n);
  await expect(settlement.backlog()).resolves.toMatchObject({ readings: 2 });
  await auditPasses();

  // Tried again today it costs nothing: no transaction, no attempt.
  const sent = (await world.states()).length;
  await settle();
  expect(await world.states()).toHaveLength(sent);
  const { rows } = await world.pool.query('SELECT reason, attempts FROM settlement_meters');
  expect(rows).toEqual([{ reason: 'DAILY_MINT_CAP', attempts: 0 }]);

  nextMorning();
  await settle();
  expect(await account(home)).toMatchObject({ settled: (KWH * 9n) / 4n, minted: (KWH * 9n) / 4n });
  expect(await statuses(home)).toEqual(['minted', 'minted', 'minted']);
  expect((await balance()) - before).toBe((KWH * 9n) / 4n);
  const signatures = (await world.readings(home.meter.meterId)).map(({ signature }) => signature);
  expect(signatures[1]).toBe(signatures[2]);
  expect(signatures[0]).not.toBe(signatures[1]);
  await expect(settlement.backlog()).resolves.toMatchObject({ readings: 0 });
  await auditPasses();
});

it('pays days of backlog cap by cap, the oldest readings first', async () => {
  const { home, settle } = await setup();
  await world.measure([home], '1', '0');
  await settle();
  await setMeterCap(world.connection, {
    authority: world.authority,
    meterId: home.meter.meterId,
    dailyMintCapNkwh: 2n * KWH,
  });
  for (let i = 0; i < 5; i++) await world.measure([home], '1', '0');
  await settle();
  // One kilowatt-hour was left of the day's two; all five readings came with the newest one.
  expect(await account(home)).toMatchObject({ minted: 2n * KWH, settled: 6n * KWH, lastSequence: 6n });
  expect(await statuses(home)).toEqual(['minted', ...Array(5).fill('accepted')]);
  await world.measure([home], '0.5', '0');
  await settle();
  for (const expected of [4n, 6n]) {
    nextMorning();
    await settle();
    expect((await account(home))?.minted).toBe(expected * KWH);
    await auditPasses();
  }
  // The five kilowatt-hours of the first settlement are paid, the half of the second is not.
  expect(await statuses(home)).toEqual([...Array(6).fill('minted'), 'accepted']);
  nextMorning();
  await settle();
  expect(await statuses(home)).toEqual(Array(7).fill('minted'));
  await auditPasses();
});

it('goes on at once when the cap is raised, and a database made anew from the chain says the same', async () => {
  const { home, settle } = await setup();
  await setLimits(world.connection, { admin: world.authority, dailyMintCapNkwh: KWH / 2n });
  for (let i = 0; i < 3; i++) {
    await world.measure([home], '1', '0');
    await settle();
  }
  expect(await statuses(home)).toEqual(['accepted', 'accepted', 'accepted']);
  await setMeterCap(world.connection, {
    authority: world.authority,
    meterId: home.meter.meterId,
    dailyMintCapNkwh: (KWH * 5n) / 2n,
  });
  await settle();
  expect(await statuses(home)).toEqual(['minted', 'minted', 'accepted']);
  expect(nkwhToKwh((await account(home))?.minted ?? 0n)).toBe('2.5');

  const before = await world.readings(home.meter.meterId);
  await world.useEmptyDatabase();
  await world.mirror().catchUp();
  expect(await world.readings(home.meter.meterId)).toEqual(before);
  await auditPasses();
});
