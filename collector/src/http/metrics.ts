import type { FastifyInstance } from 'fastify';
import { Counter, Histogram, type Registry } from 'prom-client';

/** Signed transactions that wallets submit. */
export const relayMetrics = (registry: Registry): Counter<'outcome'> =>
  new Counter({
    name: 'gtx_collector_http_transactions_total',
    help: 'Signed transactions that were submitted over HTTP, by outcome (sent, or the code of the refusal)',
    labelNames: ['outcome'],
    registers: [registry],
  });

export const requestMetrics = (registry: Registry): Histogram<'route' | 'method' | 'status'> =>
  new Histogram({
    name: 'gtx_collector_http_request_duration_seconds',
    help: 'HTTP requests by route, method and class of the status (2xx, 4xx...), with their durations',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });

/** Counts and times what is answered, by the route's pattern: never by what a client wrote. */
export function measure(app: FastifyInstance, registry: Registry): void {
  const seconds = requestMetrics(registry);
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url;
    seconds.observe(
      {
        route: route ?? 'none',
        method: route === undefined ? 'any' : request.method,
        status: `${Math.floor(reply.statusCode / 100)}xx`,
      },
      reply.elapsedTime / 1000,
    );
  });
}
