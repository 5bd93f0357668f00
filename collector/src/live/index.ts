/** The WebSocket: what changes is told to those who watch. */
export { ReadingsAnnouncer } from './announcer.js';
export { LIVE_LIMITS, type LiveLimits } from './limits.js';
export { Live, type LiveDeps } from './live.js';
export { type LiveMetrics, liveMetrics } from './metrics.js';
export { type Seen, seenReading } from './seen.js';
