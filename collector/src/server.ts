import { openConnection, readKeypairFile } from '@gridtokenx/chain';
import { kwhToNkwh } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { CertificatesIssuer, certificatesMetrics } from './certificates/index.js';
import { type ChainParts, type ChainPartsDeps, type RunningCollector, runCollector } from './collector.js';
import type { CollectorConfig } from './config.js';
import { type LiveBooks, Matching, matchingMetrics } from './matching/index.js';
import { ChainMirror, mirrorMetrics } from './mirror/index.js';
import type { Mirrored } from './overview/index.js';
import { Reconciler, type ReconcileState, reconcileMetrics } from './reconcile/index.js';
import { prepareHeldDecision } from './review/prepare.js';
import { type Backlog, Settlement, settlementMetrics } from './settlement/index.js';

export interface StartOptions {
  logger: Logger;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/**
 * Starts a collector against a Solana cluster.
 * @param config from `loadCollectorConfig`
 * @returns URLs and `stop()`, when readings are taken
 * @throws GtxError KEY_FILE_INVALID, KEY_FILE_PERMISSIONS, STORAGE_UNAVAILABLE (no database within 30 s),
 *   PORT_IN_USE, CONFIG_INVALID (the database belongs to another chain). A chain that is away does not
 *   keep it from starting.
 */
export async function startCollector(
  config: CollectorConfig,
  { logger, now = Date.now }: StartOptions,
): Promise<RunningCollector> {
  const ackKey = readKeypairFile(config.ackKey);
  return runCollector(config, {
    logger,
    now,
    ackSecretKey: ackKey.secretKey,
    chainParts: (deps) => chainParts(config, deps),
  });
}

function chainParts(config: CollectorConfig, deps: ChainPartsDeps): ChainParts {
  const { metrics, logger } = deps;
  const feePayer = readKeypairFile(config.feePayerKey);
  const connection = openConnection(config.solanaRpcUrl, {
    ...(config.solanaWsUrl !== undefined && { wsUrl: config.solanaWsUrl }),
  });
  const currentSlot = async () => {
    try {
      return await connection.getSlot('confirmed');
    } catch (error) {
      logger.debug({ err: error }, 'the chain does not answer');
      return undefined;
    }
  };
  const told = mirrorMetrics(metrics.registry, currentSlot);
  let mirrored: Mirrored | undefined;
  const mirror = new ChainMirror({
    ...deps,
    connection,
    config: { wsUrl: config.solanaWsUrl },
    metrics: {
      ...told,
      caughtUp: (slot, millis) => {
        mirrored = { slot, millis };
        told.caughtUp(slot, millis);
      },
    },
  });
  // Metrics are read also while the database is away; then the last figures stand.
  let last: Backlog = { meters: 0, readings: 0, lagSeconds: 0, openSettlements: 0, reviews: 0 };
  const backlog = async () => {
    try {
      last = await settlement.backlog();
    } catch (error) {
      logger.debug({ err: error }, 'the settlement backlog could not be read');
    }
    return last;
  };
  const settlement: Settlement = new Settlement({
    ...deps,
    connection,
    feePayer,
    mirror,
    metrics: settlementMetrics(metrics.registry, backlog),
    config: {
      mode: config.settlement,
      intervalSeconds: config.settlementSeconds,
      minimumNkwh: config.settlementMinKwh === undefined ? undefined : kwhToNkwh(config.settlementMinKwh),
      maxWaitSeconds: config.settlementMaxWaitSeconds,
      maxPriorityMicroLamports: config.maxPriorityMicroLamports,
    },
  });
  const certificates =
    config.certificates === 'off'
      ? undefined
      : new CertificatesIssuer({
          ...deps,
          connection,
          feePayer,
          mirror,
          metrics: certificatesMetrics(metrics.registry),
          config: { mode: config.certificates, minimumNkwh: kwhToNkwh(config.certificatesMinKwh) },
        });
  // Another mirror than the one that follows the chain: its catching up waits for nothing here.
  const { pool, alerts, now } = deps;
  const doors = new ChainMirror({ pool, alerts, now, logger, connection, config: { wsUrl: false } });
  let lastState: ReconcileState = {
    lastRoundSeconds: undefined,
    differences: {},
    lastAuditSeconds: undefined,
  };
  const reconcileState = async () => {
    try {
      if (reconciler) lastState = await reconciler.state();
    } catch (error) {
      logger.debug({ err: error }, 'the state of the reconciler could not be read');
    }
    return lastState;
  };
  const reconciler: Reconciler | undefined =
    config.reconcile === 'off'
      ? undefined
      : new Reconciler({
          ...deps,
          connection,
          doors,
          metrics: reconcileMetrics(metrics.registry, reconcileState),
          config: {
            pagesPerSecond: config.reconcilePagesPerSecond,
            roundSeconds: config.reconcileRoundSeconds,
            walkSeconds: config.reconcileWalkSeconds,
            repair: config.reconcileRepair === 'on',
            auditHours: config.reconcileAuditHours,
          },
        });
  const matching = (books: LiveBooks) =>
    new Matching({
      ...deps,
      connection,
      feePayer,
      books,
      databaseUrl: config.databaseUrl,
      metrics: matchingMetrics(metrics.registry, () => books.figures()),
      config: {
        markets: config.matchingMarkets?.split(','),
        maxPriorityMicroLamports: config.maxPriorityMicroLamports,
      },
    });
  return {
    mirror,
    settlement,
    matching: config.matching === 'off' ? undefined : matching,
    certificates,
    reconciler,
    connection,
    mirrored: () => mirrored,
    prepareHeld: (reviewId, decision) =>
      prepareHeldDecision({ pool: deps.pool, connection }, reviewId, decision),
    chainUp: async () => (await currentSlot()) !== undefined,
  };
}
