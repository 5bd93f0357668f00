import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import { meterState, readingsPage } from '../queries.js';
import { type HttpContext, serve } from '../route.js';
import { getMeter, listReadings } from '../schemas.js';

/** Meters and what they measured: their owners' and the operator's business. */
export function meterRoutes(app: FastifyInstance, context: HttpContext, { pool }: { pool: pg.Pool }): void {
  serve(app, context, getMeter, ({ params }) => meterState(pool, params.meter_id));
  serve(app, context, listReadings, ({ params, query }) =>
    readingsPage(pool, params.meter_id, query.limit, query.cursor),
  );
}
