import { fetchMeter, gridMintAddress, gridTokenAccount } from '@gridtokenx/chain';
import type { Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChainMirror } from '../mirror/mirror.js';
import { World, type WorldMeter } from './testing/world.js';

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
});
