export { REVIEW_KINDS, type ReviewKind } from './kinds.js';
export { prepareHeldDecision } from './prepare.js';
export { closeReview, type NewReview, openReview, type ReviewRecord } from './queue.js';
export { type ReviewEffect, type ReviewEffects, Reviews } from './reviews.js';
export { REVIEW_ROUTES, reviewRoutes } from './routes.js';
