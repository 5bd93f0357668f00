export { differenceEffects } from './effects.js';
export {
  noReconcileMetrics,
  type ReconcileObserver,
  type ReconcileState,
  reconcileMetrics,
} from './metrics.js';
export { type ReconcileConfig, Reconciler, type ReconcilerDeps } from './reconciler.js';
export { type ChainDoors, isRepairable, type Reprojected, repair } from './repair.js';
export { lastAudit, recordAudit } from './report.js';
export { type RangeProgress, ReconcileStore, type RememberedDifference } from './store.js';
