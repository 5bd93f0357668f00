import type { Connection } from '@solana/web3.js';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import type { Metrics } from '../../metrics.js';
import { buildOrder, getTransaction, submitTransaction } from '../order-schemas.js';
import { OrderBuilder } from '../orders.js';
import { Relay, readSigned } from '../relay.js';
import { type HttpContext, ownWallet, serve } from '../route.js';

export interface OrderDeps {
  pool: pg.Pool;
  connection: Connection;
  metrics: Metrics;
  now: () => number;
}

/** Trading with a wallet of one's own: built here, signed there, relayed here. */
export function orderRoutes(app: FastifyInstance, context: HttpContext, deps: OrderDeps): void {
  const { pool, connection, metrics, now } = deps;
  const builder = new OrderBuilder({ pool, connection, now });
  const relay = new Relay({ pool, connection, registry: metrics.registry });

  serve(app, context, buildOrder, ({ body, principal }) =>
    builder.build(ownWallet(principal, undefined), body),
  );
  serve(app, context, submitTransaction, async ({ body, request, reply }) => {
    const signed = readSigned(body.transaction);
    // Its signature says who asks, from however many addresses.
    const principal = { wallet: signed.feePayer, roles: [], sessionId: signed.feePayer };
    await context.limits.principal('write', principal, request);
    const sent = await relay.send(signed);
    reply.code(202);
    return sent;
  });
  serve(app, context, getTransaction, ({ params, query }) =>
    relay.state(params.signature, query.last_valid_block_height),
  );
}
