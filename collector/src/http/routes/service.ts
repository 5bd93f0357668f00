import { formatTimestamp } from '@gridtokenx/protocol';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import type { Metrics } from '../../metrics.js';
import { openApiDocument } from '../openapi.js';
import { collectorFigures } from '../queries.js';
import { type HttpContext, serve } from '../route.js';
import { getHealth, getMetrics, getOpenApi, getStatus, getTime, type Health } from '../schemas.js';

export interface ServiceDeps {
  pool: pg.Pool;
  metrics: Metrics;
  now: () => number;
  version: string;
  health: () => Promise<Health>;
  facts: () => { mqttUrl: string; ackPublicKey: string };
}

/** What is asked of the collector itself. */
export function serviceRoutes(app: FastifyInstance, context: HttpContext, deps: ServiceDeps): void {
  const { pool, metrics, now } = deps;

  serve(app, context, getTime, () => {
    const time = Math.floor(now() / 1000);
    return { time, iso: formatTimestamp(time) };
  });
  serve(app, context, getStatus, async () => {
    const { mqttUrl, ackPublicKey } = deps.facts();
    const figures = await collectorFigures(pool);
    return { time: Math.floor(now() / 1000), ...figures, mqtt_url: mqttUrl, ack_public_key: ackPublicKey };
  });
  serve(app, context, getHealth, async ({ reply }) => {
    const health = await deps.health();
    reply.code(health.checks.database === 'ok' ? 200 : 503);
    return health;
  });
  serve(app, context, getMetrics, async ({ reply }) => {
    reply.header('content-type', metrics.registry.contentType);
    return metrics.registry.metrics();
  });
  const document = openApiDocument(deps.version);
  serve(app, context, getOpenApi, () => document);
}
