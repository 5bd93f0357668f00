export { FleetView, type FleetViewDeps } from './fleet.js';
export { FleetIntake } from './intake.js';
export { fleetMetrics } from './metrics.js';
export { powerNow } from './power.js';
export { walletPower } from './queries.js';
export { type FleetRoutesDeps, fleetRoutes } from './routes.js';
export { FLEET_ROUTES, type FleetItem, type FleetSummary, type Power } from './schemas.js';
export { FLEET_STATES, type FleetRules, type FleetState } from './state.js';
export { FleetWatch } from './watch.js';
