export { ALERT_KINDS, type AlertKind } from './alerts/kinds.js';
export { type AlertInput, type AlertSeverity, Alerts } from './alerts.js';
export {
  type AuditFigures,
  type AuditReport,
  DIFFERENCES,
  type Difference,
  runAudit,
} from './audit/index.js';
export { EnvelopeSigner } from './broker/envelope.js';
export { type BrokerRules, type BrokerRulesOptions, parseListen, writeBrokerRules } from './broker/rules.js';
export type { RunningCollector } from './collector.js';
export { CollectorConfig, flagOf, loadCollectorConfig, SETTINGS } from './config.js';
export { notifyChange } from './feed/index.js';
export { openApiDocument } from './http/openapi.js';
export { type Health, Health as HealthSchema } from './http/schemas.js';
export { type Answer, Ingest, type IngestDeps, type IngestLimits, type Outcome } from './ingest/ingest.js';
export { Receiver } from './ingest/receive.js';
export * from './market/index.js';
export {
  LiveBooks,
  type LiveDelta,
  type LiveSnapshot,
  Matching,
  type MatchingConfig,
  type MatchingDeps,
} from './matching/index.js';
export { Metrics } from './metrics.js';
export { collectorRegistry, publisherRegistry } from './metrics-catalogue.js';
export {
  applyTransactions,
  ChainMirror,
  EMPTY_SNAPSHOT,
  type LandedTransaction,
  landedEvent,
  MIRRORED_PROGRAMS,
  type ReplayDifference,
  type ReplayProgress,
  type ReplayReport,
  replay,
} from './mirror/index.js';
export { asOfOneMoment } from './mirror/transaction.js';
export type { ChainDeps, ChainMirrorPort, MeterStatus, MirroredMeter, SettlementPort } from './ports.js';
export {
  loadPublisherConfig,
  type PublisherConfig,
  PublisherSettings,
  startPublisher,
} from './publisher/index.js';
export {
  type ChainDoors,
  isRepairable,
  lastAudit,
  ReconcileStore,
  type RememberedDifference,
  recordAudit,
  repair,
} from './reconcile/index.js';
export { REVIEW_KINDS, type ReviewKind } from './review/kinds.js';
export { type StartOptions, startCollector } from './server.js';
export { Settlement, settlementPolicy } from './settlement/index.js';
export { migrate, migrationFiles } from './store/migrate.js';
export { Partitions } from './store/partitions.js';
export { createPool } from './store/pool.js';
export { type ImportedReading, importReading } from './store/readings.js';
export { type HoldDecision, resolveHold } from './store/reviews.js';
export { verifySignature } from './validate/signature.js';
export { type Submission, toSubmission } from './validate/submission.js';
export {
  type Finding,
  isSilent,
  judgeDay,
  judgeReading,
  type Production,
  powerShare,
} from './watch/index.js';
