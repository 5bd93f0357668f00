export {
  type BookChanges,
  LiveBooks,
  type LiveBooksDeps,
  type LiveDelta,
  type LiveSnapshot,
} from './live-book.js';
export type { MarketInfo } from './rows.js';
