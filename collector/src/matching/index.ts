export {
  type BookChanges,
  LiveBooks,
  type LiveBooksDeps,
  type LiveDelta,
  type LiveSnapshot,
} from './live-book.js';
export { Matching, type MatchingConfig, type MatchingDeps } from './matching.js';
export { type BookFigures, type MatchingObserver, matchingMetrics } from './metrics.js';
export type { MarketInfo } from './rows.js';
export { matchEffects } from './store.js';
