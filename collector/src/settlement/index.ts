export { type Backlog, settlementMetrics } from './metrics.js';
export { type SettlementPolicy, settlementPolicy, yearlyFeeLamports } from './policy.js';
export { Settlement, type SettlementConfig, type SettlementDeps } from './settlement.js';
