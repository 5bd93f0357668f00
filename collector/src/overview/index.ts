export { Collectors, type CollectorsDeps } from './collectors.js';
export { readingCounts, sumOf } from './figures.js';
export { type HealthDeps, healthDetails, type Mirrored } from './health.js';
export { noRollupMetrics, type RollupMetrics, rollupMetrics } from './metrics.js';
export { Overview, type OverviewDeps } from './overview.js';
export { Received } from './received.js';
export { Rollup, type RollupDeps } from './rollup.js';
export { type OverviewRoutesDeps, overviewRoutes } from './routes.js';
export {
  type EnergyAnswer,
  type HealthAnswer,
  OVERVIEW_ROUTES,
  type OverviewAnswer,
  type SettlementAnswer,
} from './schemas.js';
