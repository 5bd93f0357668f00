/**
 * The seams between ingestion and the parts that talk to the chain.
 * Ingestion depends on these shapes only, so it can be run and tested without a chain.
 */
import type { Connection, Keypair } from '@solana/web3.js';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Alerts } from './alerts.js';

export type MeterStatus = 'active' | 'suspended' | 'rebase';

/** A meter as the chain has it, with its owner's state. Amounts in nkWh, times in Unix seconds. */
export interface MirroredMeter {
  meterId: string;
  /** Address (PDA) of the meter's account, base58. */
  address: string;
  /** `users.id` of the owner. */
  userId: string;
  /** The owner's wallet, base58. */
  wallet: string;
  userVerified: boolean;
  /** The meter's current Ed25519 key, base58. */
  publicKey: string;
  ratedWatts: number;
  status: MeterStatus;
  /** The newest reading that the chain has accepted (sequence 0 before the first). */
  chain: {
    sequence: bigint;
    end: number;
    producedTotal: bigint;
    consumedTotal: bigint;
    surplusTotal: bigint;
  };
}

/** Mirror of the chain's registry in Postgres (`users`, `meters`). */
export interface ChainMirrorPort {
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * The meter from the database; on a miss from the chain, whose answer is written to the database first.
   * With `refresh` the chain is asked even if the database knows the meter (used before a refusal that
   * stale knowledge could have caused). `undefined`: the chain has no such meter.
   * @throws GtxError CHAIN_UNAVAILABLE when the chain has to be asked and does not answer.
   */
  meter(meterId: string, options?: { refresh?: boolean }): Promise<MirroredMeter | undefined>;
}

export interface SettlementPort {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Called after readings have been committed; in real-time mode settlement then runs at once. */
  wake(): void;
}

/** What settlement, mirror and audit are built from. */
export interface ChainDeps<Config> {
  pool: pg.Pool;
  connection: Connection;
  feePayer: Keypair;
  logger: Logger;
  now: () => number;
  config: Config;
  alerts: Alerts;
}
