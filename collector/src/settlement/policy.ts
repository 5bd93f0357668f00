import { NKWH_PER_KWH } from '@gridtokenx/protocol';

/**
 * When a meter's unminted energy is settled. On a chain that costs nothing, whatever there is goes out with the
 * next run. On a public cluster every Ed25519 signature costs a signature fee and every transaction publishes a
 * home's totals, so a meter waits for `minimumNkwh` or, at the latest, for `maxWaitSeconds`.
 */
export interface SettlementPolicy {
  readonly mode: 'interval' | 'realtime';
  /** Seconds between two runs. */
  readonly intervalSeconds: number;
  /** Settle once this much waits; 0 settles every amount. */
  readonly minimumNkwh: bigint;
  /** Settle whatever waits once its oldest reading was submitted this long ago. */
  readonly maxWaitSeconds: number;
}

/** Genesis hashes of Solana's public clusters (docs.solana.com, "Clusters"). Everything else is a private chain. */
export const PUBLIC_CLUSTERS: Readonly<Record<string, 'mainnet-beta' | 'devnet' | 'testnet'>> = {
  '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d': 'mainnet-beta',
  EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG: 'devnet',
  '4uhcVJyU9pJkvQyS88uRDiswHScSGY3XcwPvHgPLn9r': 'testnet',
};

export interface PolicyChoice {
  readonly mode?: 'interval' | 'realtime' | undefined;
  readonly intervalSeconds?: number | undefined;
  readonly minimumNkwh?: bigint | undefined;
  readonly maxWaitSeconds?: number | undefined;
}

/**
 * The policy in force: what the operator chose, and for what was left open the default of the cluster. On a
 * public cluster a meter is settled daily or once 10 kWh wait, on a private one with every run. Choosing
 * `realtime` is choosing to settle every amount, anywhere.
 */
export function settlementPolicy(choice: PolicyChoice, genesisHash: string): SettlementPolicy {
  const mode = choice.mode ?? 'interval';
  const frugal = mode === 'interval' && genesisHash in PUBLIC_CLUSTERS;
  return {
    mode,
    intervalSeconds: choice.intervalSeconds ?? 60,
    minimumNkwh: choice.minimumNkwh ?? (frugal ? 10n * NKWH_PER_KWH : 0n),
    maxWaitSeconds: choice.maxWaitSeconds ?? 86_400,
  };
}

const LAMPORTS_PER_SIGNATURE = 5000n;

/**
 * Base fees of a year in lamports, priority fees not counted: one signature for each transaction and one for
 * each meter in it (an Ed25519 precompile signature is charged like a transaction signature).
 */
export function yearlyFeeLamports(load: {
  readonly meters: number;
  readonly settlementsPerDay: number;
  readonly metersPerTransaction: number;
}): bigint {
  const settled = BigInt(load.meters) * BigInt(load.settlementsPerDay) * 365n;
  const perTransaction = BigInt(load.metersPerTransaction);
  const transactions = (settled + perTransaction - 1n) / perTransaction;
  return (settled + transactions) * LAMPORTS_PER_SIGNATURE;
}
