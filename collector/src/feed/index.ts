export {
  type Announcement,
  type Change,
  notifyChange,
  type StoredEvent,
} from './change.js';
export { ChangeFeed, type ChangeFeedDeps, readTransactions } from './feed.js';
