import { randomUUID } from 'node:crypto';
import { maxMetersPerTransaction } from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { OutageAlert } from '../alerts/outage.js';
import type { ChainMirror } from '../mirror/mirror.js';
import { bindNetwork } from '../mirror/network.js';
import type { ChainDeps, SettlementPort } from '../ports.js';
import { RpcSettlementChain } from './chain.js';
import { SettlementEngine, type SettlementObserver } from './engine.js';
import { type Backlog, noSettlementMetrics } from './metrics.js';
import {
  type PolicyChoice,
  PUBLIC_CLUSTERS,
  type SettlementPolicy,
  settlementPolicy,
  yearlyFeeLamports,
} from './policy.js';
import { PgSettlementStore } from './store.js';

export interface SettlementConfig extends PolicyChoice {
  /** Meters leased at a time. Default 50. */
  readonly batchMeters?: number | undefined;
  /** How long a collector that says nothing more keeps its work. Default 20. */
  readonly leaseSeconds?: number | undefined;
  /** Seconds between two looks at what is confirmed and not final. Default 15. */
  readonly sweepSeconds?: number | undefined;
  /** Highest priority fee, micro-lamports per compute unit. Default 0: none. */
  readonly maxPriorityMicroLamports?: number | undefined;
}

export interface SettlementDeps extends ChainDeps<SettlementConfig> {
  readonly mirror: Pick<ChainMirror, 'apply' | 'reapply' | 'catchUpMeter' | 'onApplied'>;
  readonly metrics?: SettlementObserver;
}

/** In real-time mode, how often postponed meters are looked at while no reading arrives. */
const REALTIME_SECONDS = 5;
const LONGEST_RETRY_MS = 30_000;

/**
 * Turns stored readings into GRID: every `intervalSeconds`, and in real-time mode as soon as a reading is stored.
 * See docs/settlement.md.
 */
export class Settlement implements SettlementPort {
  private readonly collector = randomUUID();
  private readonly store: PgSettlementStore;
  private readonly engine: SettlementEngine;
  private readonly abort = new AbortController();
  private policy: SettlementPolicy | undefined;
  private loop: Promise<void> | undefined;
  private stopping = false;
  private news = false;
  /** A transaction of ours was taken since the fee payer was last found wanting. */
  private paid = false;
  private wakeUp: (() => void) | undefined;
  private unlisten: (() => void) | undefined;

  constructor(private readonly deps: SettlementDeps) {
    const { pool, connection, feePayer, logger, alerts, config, mirror } = deps;
    const metrics = deps.metrics ?? noSettlementMetrics;
    this.store = new PgSettlementStore({
      pool,
      collector: this.collector,
      policy: () => this.policyInForce(),
      leaseSeconds: config.leaseSeconds ?? 20,
      logger,
    });
    this.engine = new SettlementEngine({
      store: this.store,
      chain: new RpcSettlementChain({
        connection,
        feePayer,
        pool,
        mirror,
        logger,
        maxPriorityMicroLamports: config.maxPriorityMicroLamports ?? 0,
        onRefusedPayment: (reason) => this.feePayerAlert(reason),
        signal: this.abort.signal,
      }),
      logger,
      observer: {
        ...metrics,
        prepared: (meters) => {
          metrics.prepared(meters);
          this.paid = true;
        },
      },
      batchMeters: config.batchMeters ?? 50,
      pause: (milliseconds) => this.sleep(milliseconds, false),
      stopping: () => this.stopping,
      cannotPay: (reason) => this.feePayerAlert(reason),
      dropped: (signature) =>
        alerts.raise({
          kind: 'settlement_dropped',
          key: signature,
          severity: 'critical',
          message: `a fork took back transaction ${signature}; its readings wait again`,
          details: { signature },
        }),
    });
  }

  /** Starts settling; what an earlier run left behind is followed first. Does not wait for the chain. */
  async start(): Promise<void> {
    this.unlisten = this.deps.mirror.onApplied(() => this.wake());
    this.loop = this.run();
  }

  /** Ends after the step at hand. Whatever is on its way is followed by the next start, or by another collector. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.abort.abort(new GtxError('SERVICE_STOPPING'));
    this.unlisten?.();
    this.wakeUp?.();
    await this.loop;
    await this.store.abandon().catch((error: unknown) => {
      this.deps.logger.warn({ err: error }, 'the leases could not be given back; they end by themselves');
    });
  }

  wake(): void {
    if (this.policyInForce().mode !== 'realtime') return;
    this.news = true;
    this.wakeUp?.();
  }

  /** Settles everything that is due now, once. @throws GtxError CHAIN_UNAVAILABLE, or the database's error. */
  async settleNow(): Promise<void> {
    await this.findPolicy();
    await this.engine.run();
    if (this.paid) {
      this.paid = false;
      await this.deps.alerts.resolve('fee_payer', this.deps.feePayer.publicKey.toBase58());
    }
  }

  /** Looks at what is confirmed: final or taken back by a fork. */
  async sweep(): Promise<void> {
    await this.engine.sweep();
  }

  /** What waits, for metrics and health. */
  async backlog(): Promise<Backlog> {
    const { rows } = await this.deps.pool.query<Record<keyof Backlog, string>>(
      `SELECT count(DISTINCT meter_id) AS meters, count(*) AS readings,
         coalesce(extract(epoch FROM now() - min(submitted_at)), 0) AS "lagSeconds",
         (SELECT count(*) FROM settlements WHERE state = 'prepared') AS "openSettlements",
         (SELECT count(*) FROM reviews WHERE status = 'open') AS reviews
       FROM meter_readings WHERE minted = FALSE AND status IN ('pending', 'covered', 'accepted')`,
    );
    const row = rows[0];
    return {
      meters: Number(row?.meters ?? 0),
      readings: Number(row?.readings ?? 0),
      lagSeconds: Number(row?.lagSeconds ?? 0),
      openSettlements: Number(row?.openSettlements ?? 0),
      reviews: Number(row?.reviews ?? 0),
    };
  }

  private async run(): Promise<void> {
    const { logger, alerts, config, now } = this.deps;
    const sweepMs = (config.sweepSeconds ?? 15) * 1000;
    const outage = new OutageAlert({
      alerts,
      now,
      part: 'settlement',
      severity: 'critical',
      says: 'settlement does not get on',
    });
    let failures = 0;
    let runAt = now();
    let sweepAt = now();
    while (!this.stopping) {
      try {
        if (this.news || now() >= runAt) {
          this.news = false;
          runAt = now() + this.pauseSeconds() * 1000;
          await this.settleNow();
        }
        if (!this.stopping && now() >= sweepAt) {
          await this.sweep();
          sweepAt = now() + sweepMs;
        }
        await outage.worked();
        failures = 0;
      } catch (error) {
        if (this.stopping) break;
        failures += 1;
        runAt = now();
        // After an outage another node may answer: it is asked who it is.
        this.policy = undefined;
        logger[failures === 1 ? 'warn' : 'debug']({ err: error, failures }, 'settlement is interrupted');
        await outage.failed(failures, error);
      }
      if (failures > 0)
        await this.sleep(Math.min(500 * 2 ** Math.min(failures, 10), LONGEST_RETRY_MS), false);
      else await this.sleep(Math.max(0, Math.min(runAt, sweepAt) - now()), true);
    }
  }

  private async feePayerAlert(reason: string): Promise<void> {
    const wallet = this.deps.feePayer.publicKey.toBase58();
    this.paid = false;
    await this.deps.alerts.raise({
      kind: 'fee_payer',
      key: wallet,
      severity: 'critical',
      message: `the fee payer ${wallet} cannot pay for settlements: send it SOL (${reason})`,
      details: { wallet, part: 'settlement', error: reason },
    });
  }

  private pauseSeconds(): number {
    const { mode, intervalSeconds } = this.policyInForce();
    return mode === 'realtime' ? Math.min(intervalSeconds, REALTIME_SECONDS) : intervalSeconds;
  }

  private policyInForce(): SettlementPolicy {
    // Until the chain has said which one it is, the careful defaults of a public cluster hold for what was left open.
    return this.policy ?? settlementPolicy(this.deps.config, Object.keys(PUBLIC_CLUSTERS)[0] ?? '');
  }

  private async findPolicy(): Promise<void> {
    if (this.policy) return;
    // Also whether this is the chain that the database belongs to: marking readings minted elsewhere would lose them.
    const genesisHash = await bindNetwork(this.deps.pool, this.deps.connection);
    this.policy = settlementPolicy(this.deps.config, genesisHash);
    const { mode, intervalSeconds, minimumNkwh, maxWaitSeconds } = this.policy;
    const settlementsPerDay = minimumNkwh > 0n ? 86_400 / maxWaitSeconds : 96;
    const lamports = yearlyFeeLamports({
      meters: 1,
      settlementsPerDay: Math.max(1, Math.round(settlementsPerDay)),
      metersPerTransaction: maxMetersPerTransaction,
    });
    this.deps.logger.info(
      {
        cluster: PUBLIC_CLUSTERS[genesisHash] ?? 'private',
        mode,
        intervalSeconds,
        minimumKwh: nkwhToKwh(minimumNkwh),
        maxWaitSeconds,
        yearlyFeeLamportsPerMeter: lamports.toString(),
      },
      'settlement policy',
    );
  }

  private async sleep(milliseconds: number, untilNews: boolean): Promise<void> {
    if (this.stopping || (untilNews && this.news)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        if (!untilNews && !this.stopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
