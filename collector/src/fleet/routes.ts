import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import { mayActAsOperator } from '../http/guards.js';
import { type HttpContext, ownWallet, serve } from '../http/route.js';
import { powerNow } from './power.js';
import { type FleetAsked, fleetPage, fleetPlaces, meterLive } from './queries.js';
import {
  type FleetSummary,
  getFleetSummary,
  getMeterLive,
  getPower,
  listFleet,
  listFleetPlaces,
} from './schemas.js';

export interface FleetRoutesDeps {
  pool: pg.Pool;
  /** What questions are asked with, at this moment. */
  asked: () => Promise<FleetAsked>;
  /** Some seconds old at most. */
  summary: () => Promise<FleetSummary>;
}

/** What gateways say of themselves: the operator's business, and of a meter its owner's. */
export function fleetRoutes(app: FastifyInstance, context: HttpContext, deps: FleetRoutesDeps): void {
  const { pool, asked, summary } = deps;
  serve(app, context, listFleet, async ({ query }) => fleetPage(pool, query, await asked()));
  serve(app, context, listFleetPlaces, async ({ query }) => fleetPlaces(pool, query, await asked()));
  serve(app, context, getFleetSummary, () => summary());
  serve(app, context, getMeterLive, async ({ params, principal }) => {
    // Without a wallet and without the role there is nobody: such a request is not admitted, and would see nothing.
    const asker = mayActAsOperator(principal) ? undefined : (principal?.wallet ?? '');
    return meterLive(pool, params.meter_id, asker, await asked());
  });
  serve(app, context, getPower, async ({ query, principal }) => {
    const all = query.wallet === undefined && principal?.wallet === undefined && mayActAsOperator(principal);
    const wallet = all ? undefined : ownWallet(principal, query.wallet);
    const { nowSeconds } = await asked();
    return powerNow(pool, { wallet }, nowSeconds);
  });
}
