import { formatTimestamp, GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import { mayActAsOperator } from '../http/guards.js';
import { type HttpContext, ownWallet, serve } from '../http/route.js';
import { isQuarter, readingsEnergy } from './energy.js';
import type { Overview } from './overview.js';
import { Remembered } from './overview.js';
import {
  getEnergy,
  getHealthDetails,
  getMeterEnergy,
  getOverview,
  getOwnEnergy,
  getSettlement,
  type HealthAnswer,
  type SettlementAnswer,
} from './schemas.js';
import { registryPaused, settlementFigures } from './settlement.js';

export interface OverviewRoutesDeps {
  pool: pg.Pool;
  connection: Connection;
  /** Milliseconds since 1970. */
  now: () => number;
  overview: Overview;
  healthDetails: () => Promise<HealthAnswer>;
}

const FRESH_MILLIS = 1_000;
/** Whether the registry is paused is asked of the chain. */
const PAUSED_MILLIS = 5_000;

/** Figures about the network, an owner's energy, and what operators look after. */
export function overviewRoutes(app: FastifyInstance, context: HttpContext, deps: OverviewRoutesDeps): void {
  const { pool, overview, connection } = deps;
  const queue = new Remembered<Omit<SettlementAnswer, 'time' | 'paused'>>(FRESH_MILLIS);
  const paused = new Remembered<boolean | null>(PAUSED_MILLIS);
  const health = new Remembered<HealthAnswer>(FRESH_MILLIS);

  serve(app, context, getOverview, ({ query, principal }) => {
    const { since } = query;
    if (since !== undefined && !isQuarter(since)) {
      const message = 'must be at a quarter of an hour';
      throw new GtxError('INVALID_BODY', `since: ${message}`, { issues: [{ path: 'since', message }] });
    }
    return overview.now({ since, operator: mayActAsOperator(principal) });
  });
  serve(app, context, getEnergy, ({ query, principal }) =>
    overview.energy(query, mayActAsOperator(principal)),
  );
  serve(app, context, getOwnEnergy, ({ query, principal }) => {
    const { wallet, ...period } = query;
    return readingsEnergy(pool, { wallet: ownWallet(principal, wallet) }, period);
  });
  serve(app, context, getMeterEnergy, ({ params, query, principal }) => {
    const wallet = mayActAsOperator(principal) ? undefined : (principal?.wallet ?? '');
    return readingsEnergy(pool, { meterId: params.meter_id, wallet }, query);
  });
  serve(app, context, getSettlement, async () => {
    const [figures, stopped] = await Promise.all([
      queue.get('', () => settlementFigures(pool)),
      paused.get('', () => registryPaused(connection)),
    ]);
    return { time: formatTimestamp(Math.floor(deps.now() / 1000)), ...figures, paused: stopped };
  });
  serve(app, context, getHealthDetails, () => health.get('', deps.healthDetails));
}
