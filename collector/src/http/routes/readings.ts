import { nkwhToKwh, parseLoginHeader, type SubmitReadingResult } from '@gridtokenx/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type pg from 'pg';
import type { Logins } from '../../broker/login.js';
import { type Answer, type Ingest, unavailableError } from '../../ingest/ingest.js';
import { refusalError, type StoredStatus } from '../../validate/rules.js';
import { toSubmission } from '../../validate/submission.js';
import type { Deliveries } from '../deliveries.js';
import { lastReading } from '../queries.js';
import { type HttpContext, serve } from '../route.js';
import { deliverReadings, getLastReading, submitReading } from '../schemas.js';

export interface ReadingDeps {
  ingest: Ingest;
  deliveries: Deliveries;
  logins: Pick<Logins, 'checkMeter'>;
  pool: pg.Pool;
  now: () => number;
}

/** How readings come in over HTTP, and how a gateway that lost its store finds its place. */
export function readingRoutes(app: FastifyInstance, context: HttpContext, deps: ReadingDeps): void {
  const { ingest, deliveries, logins, pool, now } = deps;

  serve(app, context, submitReading, async ({ request, reply }) => {
    const answer = await ingest.submitAndWait(toSubmission(request.body), 'http');
    const { status, body } = submitAnswer(answer);
    reply.code(status);
    return body;
  });

  /** Whose key signed the request; the last thing that is checked before it is answered. */
  const checkLogin = (meterId: string, request: FastifyRequest) =>
    logins.checkMeter(parseLoginHeader(meterId, request.headers.authorization));

  serve(app, context, deliverReadings, async ({ params, request }) => {
    await checkLogin(params.meter_id, request);
    return deliveries.deliver(params.meter_id, request.body);
  });

  serve(app, context, getLastReading, async ({ params, request }) => {
    await checkLogin(params.meter_id, request);
    return lastReading(pool, params.meter_id, Math.floor(now() / 1000));
  });
}

/** What a stored or refused submission is answered with. @throws GtxError for everything but stored */
function submitAnswer({ submission, outcome }: Answer): { status: number; body: SubmitReadingResult } {
  if (outcome.kind === 'unavailable') throw unavailableError(outcome.reason);
  if (outcome.kind === 'refused') throw refusalError(outcome.refusal);
  const status = publicStatus(outcome.status);
  return {
    status: outcome.duplicate ? 200 : status === 'held' ? 202 : 201,
    body: {
      meter_id: submission.meterId,
      sequence: submission.reading.sequence.toString(),
      status,
      kwh_amount: nkwhToKwh(outcome.amountNkwh),
      duplicate: outcome.duplicate,
    },
  };
}

/** What a sender needs to know of a reading's status; the rest is settlement's own business. */
function publicStatus(status: StoredStatus): SubmitReadingResult['status'] {
  switch (status) {
    case 'minted':
      return 'minted';
    case 'held':
    case 'chain_held':
    case 'written_off':
      return 'held';
    case 'covered':
    case 'superseded':
    case 'nothing_to_settle':
      return 'covered';
    default:
      return 'pending';
  }
}
