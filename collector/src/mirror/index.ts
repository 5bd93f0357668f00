export { EMPTY_SNAPSHOT } from './accounts.js';
export { applyTransactions } from './apply.js';
export { type LandedTransaction, landedEvent } from './landed.js';
export { type MirrorMetrics, mirrorMetrics } from './metrics.js';
export { ChainMirror, type MirrorConfig, type MirrorDeps } from './mirror.js';
export { bindNetwork } from './network.js';
export { MIRRORED_PROGRAMS } from './programs.js';
export {
  type ReplayDifference,
  type ReplayOptions,
  type ReplayProgress,
  type ReplayReport,
  replay,
} from './replay.js';
