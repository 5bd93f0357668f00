export { type MirrorMetrics, mirrorMetrics } from './metrics.js';
export { ChainMirror, type MirrorConfig, type MirrorDeps } from './mirror.js';
export { bindNetwork } from './network.js';
