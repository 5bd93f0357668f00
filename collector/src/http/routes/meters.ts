import { Readable } from 'node:stream';
import { GtxError } from '@gridtokenx/protocol';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import { mayActAsOperator, type Principal } from '../guards.js';
import { assertReadable, meterState, metersPage, readingsCsv, readingsPage } from '../queries.js';
import { type HttpContext, ownWallet, serve } from '../route.js';
import { getMeter, getReadingsCsv, listMeters, listReadings } from '../schemas.js';

const YEAR_SECONDS = 366 * 86_400;

/** Meters and what they measured: their owners' and the operator's business. */
export function meterRoutes(
  app: FastifyInstance,
  context: HttpContext,
  { pool, now }: { pool: pg.Pool; now: () => number },
): void {
  serve(app, context, listMeters, ({ query, principal }) => {
    const all = query.wallet === undefined && principal?.wallet === undefined;
    return metersPage(pool, all ? undefined : ownWallet(principal, query.wallet), query);
  });
  serve(app, context, getMeter, ({ params, principal }) =>
    meterState(pool, params.meter_id, askerOf(principal)),
  );
  serve(app, context, listReadings, ({ params, query, principal }) => {
    const { from, to, limit, cursor } = query;
    return readingsPage(
      pool,
      { meterId: params.meter_id, wallet: askerOf(principal), from, to },
      limit,
      cursor,
    );
  });
  serve(app, context, getReadingsCsv, async ({ params, query, principal, reply }) => {
    const to = query.to ?? Math.floor(now() / 1000) + 1;
    const from = query.from ?? to - YEAR_SECONDS;
    if (to - from > YEAR_SECONDS) {
      const message = 'ask for at most 366 days at once';
      throw new GtxError('INVALID_BODY', `from: ${message}`, { issues: [{ path: 'from', message }] });
    }
    const asked = { meterId: params.meter_id, wallet: askerOf(principal), from, to };
    await assertReadable(pool, asked);
    return reply
      .type('text/csv; charset=utf-8')
      .header('content-disposition', `attachment; filename="readings-${params.meter_id}.csv"`)
      .send(Readable.from(readingsCsv(pool, asked)));
  });
}

/** Whose eyes readings are shown to; undefined: an operator's, who sees all. */
function askerOf(principal: Principal | undefined): string | undefined {
  if (mayActAsOperator(principal)) return undefined;
  // Without a wallet and without the role there is nobody: such a request is not admitted, and would see nothing.
  return principal?.wallet ?? '';
}
