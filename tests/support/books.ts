import { fetchMeter, fetchTokenConfig, gridMintAddress, gridTokenAccount } from '@gridtokenx/chain';
import { PublicKey } from '@solana/web3.js';
import { expect } from 'vitest';
import type { RunningSystem } from './up.js';
import { waitFor } from './wait.js';

/** One meter's energy in every place that keeps it, in nkWh (a base unit of GRID each). */
export interface Books {
  /** Newest stored reading's total, and the sum of all stored readings' own amounts. */
  readonly readings: { readonly total: bigint; readonly sum: bigint; readonly count: number };
  /** The database's mirror of the chain. */
  readonly mirror: { readonly surplus: bigint; readonly minted: bigint };
  readonly chain: {
    readonly surplus: bigint;
    readonly eligible: bigint;
    readonly settled: bigint;
    readonly minted: bigint;
    readonly held: bigint;
  };
}

export async function booksOf(system: RunningSystem, meterId: string): Promise<Books> {
  const [row] = await system.query<Record<'total' | 'sum' | 'count' | 'surplus' | 'minted', string>>(
    `SELECT coalesce(max(r.surplus_total), 0) AS total, coalesce(sum(r.amount_nkwh), 0) AS sum, count(r.*) AS count,
       m.chain_surplus_total AS surplus, m.chain_minted AS minted
     FROM meters m LEFT JOIN meter_readings r USING (meter_id) WHERE meter_id = $1 GROUP BY m.meter_id`,
    [meterId],
  );
  const meter = await fetchMeter(system.connection, meterId);
  if (row === undefined || meter === undefined) throw new Error(`nobody knows meter ${meterId}`);
  return {
    readings: { total: BigInt(row.total), sum: BigInt(row.sum), count: Number(row.count) },
    mirror: { surplus: BigInt(row.surplus), minted: BigInt(row.minted) },
    chain: {
      surplus: meter.surplusTotal,
      eligible: meter.eligible,
      settled: meter.settled,
      minted: meter.minted,
      held: meter.held,
    },
  };
}

/** The GRID in a wallet, in base units; 0 without a token account. */
export async function walletBalance(system: RunningSystem, wallet: string): Promise<bigint> {
  const account = gridTokenAccount(new PublicKey(wallet));
  const info = await system.connection.getAccountInfo(account, 'confirmed');
  if (info === null) return 0n;
  return BigInt((await system.connection.getTokenAccountBalance(account, 'confirmed')).value.amount);
}

/**
 * Waits until a meter whose counters stand still is settled, then checks that readings, database, chain and the
 * owner's wallet tell the same amount to the last nkWh. All of the wallet's meters are added up.
 */
export async function expectBooksToAgree(
  system: RunningSystem,
  { wallet, meters }: { wallet: string; meters: readonly string[] },
): Promise<bigint> {
  await waitFor(`${meters.join(', ')} are settled`, async () => {
    for (const meter of meters) {
      const { readings, chain, mirror } = await booksOf(system, meter);
      if (chain.minted !== readings.total || mirror.minted !== readings.total) return false;
    }
    return true;
  });
  let total = 0n;
  for (const meter of meters) {
    const { readings, mirror, chain } = await booksOf(system, meter);
    total += readings.total;
    expect({ meter, sum: readings.sum, mirror, chain }).toEqual({
      meter,
      sum: readings.total,
      mirror: { surplus: readings.total, minted: readings.total },
      chain: {
        surplus: readings.total,
        eligible: readings.total,
        settled: readings.total,
        minted: readings.total,
        held: 0n,
      },
    });
  }
  expect(await walletBalance(system, wallet)).toBe(total);
  return total;
}

/** Supply of the mint and the energy token's own count of what was ever minted. */
export async function supplyOf(system: RunningSystem): Promise<{ supply: bigint; totalMinted: bigint }> {
  const supply = await system.connection.getTokenSupply(gridMintAddress(), 'confirmed');
  const config = await fetchTokenConfig(system.connection);
  if (config === undefined) throw new Error('energy-token is not initialised');
  return { supply: BigInt(supply.value.amount), totalMinted: config.totalMinted };
}
