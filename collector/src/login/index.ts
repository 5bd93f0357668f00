/** Logins of people by wallet, and who may do what. Gateways log in elsewhere: `broker/login.ts`. */
export { Guards, type GuardsDeps } from './guards.js';
export { type LoginMetrics, loginMetrics } from './metrics.js';
export { LOGIN_ROUTES, type LoginRoutesDeps, loginRoutes } from './routes.js';
export { type Principal, Sessions, type SessionsDeps } from './sessions.js';
export { type SiteOptions, Sites } from './sites.js';
