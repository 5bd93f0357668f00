import { GtxError } from '@gridtokenx/protocol';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import type { Principal } from '../http/guards.js';
import { type HttpContext, type Route, route, serve } from '../http/route.js';
import { acknowledgeAlert, listAlerts, listReviews, reviewById } from './list.js';
import type { HeldDecision } from './prepare.js';
import type { Reviews } from './reviews.js';
import {
  AlertItem,
  AlertPage,
  AlertQuery,
  ChannelTests,
  Id,
  PreparedDecision,
  PrepareRequest,
  Reason,
  ReviewPage,
  ReviewQuery,
  ReviewWithHistory,
} from './schemas.js';

export interface ReviewRoutesDeps {
  pool: pg.Pool;
  reviews: Reviews;
  /** See `prepareHeldDecision`. */
  prepareHeld: (reviewId: string, decision: HeldDecision) => Promise<PreparedDecision>;
  /** Sends a test notice over every channel. */
  testAlerts: (by: string) => Promise<ChannelTests>;
}

const tag = 'Review';
const operatorRead = { tag, access: 'operator', limit: 'read' } as const;
const operatorWrite = { tag, access: 'operator', limit: 'write' } as const;

const getReviews = route({
  ...operatorRead,
  method: 'get',
  path: '/api/reviews',
  summary: 'What waits for a person',
  description: 'Newest first. Without `status` the open ones.',
  query: ReviewQuery,
  answers: { 200: { description: 'A page of reviews.', schema: ReviewPage } },
  errors: [],
});

const getReview = route({
  ...operatorRead,
  method: 'get',
  path: '/api/reviews/{id}',
  summary: 'A review with its history',
  description: 'Everything that was done with it: by whom, why and when.',
  params: Id,
  answers: { 200: { description: 'The review.', schema: ReviewWithHistory } },
  errors: [],
});

function actionRoute(action: 'retry' | 'accept' | 'dismiss', summary: string, description: string) {
  return route({
    ...operatorWrite,
    method: 'post',
    path: `/api/reviews/{id}/${action}`,
    summary,
    description: `${description} The first of two who decide at once wins; the other gets CONFLICT. So does an action that the review's kind does not offer: see its \`actions\`.`,
    params: Id,
    body: Reason,
    answers: { 200: { description: 'The review as it is now.', schema: ReviewWithHistory } },
    errors: ['CONFLICT'],
  });
}
const ACTIONS = {
  retry: actionRoute('retry', 'Try it again', 'Lets what failed ten times be tried again, up to ten times.'),
  accept: actionRoute(
    'accept',
    'Accept it',
    'A reading above the limit is released and settles like any other.',
  ),
  dismiss: actionRoute(
    'dismiss',
    'Put it aside',
    'A reading above the limit is written off: the next one carries its energy to the chain.',
  ),
};

const postPrepare = route({
  ...operatorWrite,
  method: 'post',
  path: '/api/reviews/{id}/prepare',
  summary: 'The transaction that releases or writes off held energy',
  description:
    "For a review of kind `energy_held`. The transaction is unsigned: only the registrar's or admin's wallet can sign it, and " +
    'this server has no such key. Compare it with what you mean to do, sign it and send it, to the chain or to ' +
    '`/api/transactions/submit`. The review ends when the chain has executed it.',
  params: Id,
  body: PrepareRequest,
  answers: { 200: { description: 'The unsigned transaction.', schema: PreparedDecision } },
  errors: ['CONFLICT', 'CHAIN_REFUSED', 'CHAIN_UNAVAILABLE'],
});

const getAlerts = route({
  ...operatorRead,
  method: 'get',
  path: '/api/alerts',
  summary: 'Alerts',
  description:
    'Newest first. Without `status` the open ones. The runbook says what each kind means and what to do.',
  query: AlertQuery,
  answers: { 200: { description: 'A page of alerts.', schema: AlertPage } },
  errors: [],
});

const postAcknowledge = route({
  ...operatorWrite,
  method: 'post',
  path: '/api/alerts/{id}/acknowledge',
  summary: 'Say that somebody looks after it',
  description: 'An acknowledged alert is not repeated on any channel. It stays open until its cause is gone.',
  params: Id,
  body: Reason,
  answers: { 200: { description: 'The alert as it is now.', schema: AlertItem } },
  errors: ['CONFLICT'],
});

const postTest = route({
  ...operatorWrite,
  method: 'post',
  path: '/api/alerts/test',
  summary: 'Send a test notice',
  description:
    'Over every channel that is configured, whatever its least severity, and says how each answered.',
  answers: { 200: { description: 'What each channel answered.', schema: ChannelTests } },
  errors: [],
});

/** Everything that this part serves. */
export const REVIEW_ROUTES: readonly Route[] = [
  getReviews,
  getReview,
  ...Object.values(ACTIONS),
  postPrepare,
  getAlerts,
  postAcknowledge,
  postTest,
] as readonly Route[];

/** The review queue and the alerts, for operators. */
export function reviewRoutes(app: FastifyInstance, context: HttpContext, deps: ReviewRoutesDeps): void {
  const { pool, reviews } = deps;
  serve(app, context, getReviews, ({ query }) => listReviews(pool, query));
  serve(app, context, getReview, ({ params }) => reviewById(pool, params.id));
  for (const action of ['retry', 'accept', 'dismiss'] as const) {
    serve(app, context, ACTIONS[action], async ({ params, body, principal }) => {
      await reviews[action](params.id, { by: actorOf(principal), reason: body.reason });
      return reviewById(pool, params.id);
    });
  }
  serve(app, context, postPrepare, ({ params, body, principal }) =>
    deps.prepareHeld(params.id, { ...body, by: actorOf(principal) }),
  );
  serve(app, context, getAlerts, ({ query }) => listAlerts(pool, query));
  serve(app, context, postAcknowledge, ({ params, body, principal }) =>
    acknowledgeAlert(pool, params.id, { by: actorOf(principal), reason: body.reason }),
  );
  serve(app, context, postTest, ({ principal }) => deps.testAlerts(actorOf(principal)));
}

/** Who is written into the history. */
function actorOf(principal: Principal | undefined): string {
  const actor = principal?.wallet ?? principal?.sessionId;
  if (actor === undefined) throw new GtxError('UNAUTHENTICATED');
  return actor;
}
