import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import rateLimit from '@fastify/rate-limit';
import { GtxError, MAX_PAYLOAD_BYTES } from '@gridtokenx/protocol';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { TlsMaterial, TlsSource } from '../broker/certificates.js';
import { keepFresh, serverOptions } from '../broker/tls.js';
import { type FleetRoutesDeps, fleetRoutes } from '../fleet/routes.js';
import type { Live } from '../live/index.js';
import { Guards, loginRoutes, type Sessions, Sites } from '../login/index.js';
import { type OverviewRoutesDeps, overviewRoutes } from '../overview/routes.js';
import { type ReviewRoutesDeps, reviewRoutes } from '../review/routes.js';
import { knownError, refuseUnreadable, sendError } from './errors.js';
import { securityHeaders } from './headers.js';
import { type LimitOptions, Limits } from './limits.js';
import { measure } from './metrics.js';
import { type PageDeps, servePage } from './page.js';
import type { HttpContext, Route } from './route.js';
import { auditRoutes } from './routes/audit.js';
import { docsRoutes } from './routes/docs.js';
import { type MarketDeps, marketRoutes } from './routes/market.js';
import { meterRoutes } from './routes/meters.js';
import { type OrderDeps, orderRoutes } from './routes/orders.js';
import { type ReadingDeps, readingRoutes } from './routes/readings.js';
import { type ServiceDeps, serviceRoutes } from './routes/service.js';
import { ROUTES } from './schemas.js';

export interface HttpDeps extends ReadingDeps, ServiceDeps, MarketDeps, OrderDeps, PageDeps {
  logger: Logger;
  sessions: Sessions;
  live: Live;
  review: ReviewRoutesDeps;
  fleet: FleetRoutesDeps;
  overview: OverviewRoutesDeps;
  options: LimitOptions & {
    host: string;
    port: number;
    /** How long a client may take to send a request. */
    requestSeconds: number;
    trustProxy: string | undefined;
    operator: { username: string; password: string } | undefined;
    operatorWallets: readonly string[];
    publicUrl: string | undefined;
    loginDomains: readonly string[];
    /** HTTPS with these certificates; undefined: HTTP. Client certificates are not asked for here. */
    tls: TlsSource | undefined;
  };
}

/** The collector's HTTP interface. */
export class HttpServer {
  private app: FastifyInstance | undefined;
  private keeper: NodeJS.Timeout | undefined;

  constructor(private readonly deps: HttpDeps) {}

  get url(): string {
    const { host, port, tls } = this.deps.options;
    const address = this.app?.server.address() as AddressInfo | null | undefined;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'http' : 'https'}://${name}:${address?.port ?? port}`;
  }

  async start(): Promise<void> {
    const { host, port, tls } = this.deps.options;
    const material = await tls?.load();
    const app = await buildHttp(this.deps, material && httpsOptions(material));
    this.app = app;
    if (tls !== undefined && material !== undefined) {
      const use = (fresh: TlsMaterial) => (app.server as HttpsServer).setSecureContext(httpsOptions(fresh));
      this.keeper = keepFresh(tls, material, use, this.deps.logger);
    }
    try {
      await app.listen({ host, port });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
        throw new GtxError('PORT_IN_USE', `the HTTP port ${port} on ${host} is taken`);
      }
      throw error;
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.keeper);
    await this.app?.close();
  }
}

function httpsOptions({ cert, key }: TlsMaterial): TlsOptions {
  return serverOptions({ cert, key });
}

/** The fastify application, not yet listening. */
export async function buildHttp(deps: HttpDeps, https?: TlsOptions): Promise<FastifyInstance> {
  const { options, logger } = deps;
  const requestTimeout = options.requestSeconds * 1000;
  const slow = {
    requestTimeout,
    headersTimeout: requestTimeout,
    // How often node looks for requests that are too slow.
    connectionsCheckingInterval: Math.min(5_000, requestTimeout / 2),
  };
  const app: FastifyInstance = Fastify({
    ...(https ? { https: { ...https, ...slow } as never } : { http: slow }),
    bodyLimit: MAX_PAYLOAD_BYTES,
    requestTimeout,
    frameworkErrors: (error, _request, reply) => sendError(reply, knownError(error)),
    clientErrorHandler: refuseUnreadable,
    connectionTimeout: 60_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    ...(options.trustProxy !== undefined && {
      trustProxy: options.trustProxy.split(',').map((part) => part.trim()),
    }),
  });
  // A __proto__ key is data like any other unknown key: the schema refuses it.
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, JSON.parse(text as string));
    } catch {
      // The parser's own message would quote the body.
      done(new GtxError('INVALID_BODY', 'the body is not valid JSON', { issues: [] }));
    }
  });

  app.setErrorHandler((error, request, reply) => {
    const known = knownError(error);
    if (known.code === 'INTERNAL') logger.error({ err: error, url: request.url }, 'a request failed');
    return sendError(reply, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url);
    if (methods.length === 0 || methods.includes(request.method))
      return sendError(reply, new GtxError('NOT_FOUND', 'there is nothing at this path'));
    reply.header('allow', methods.join(', '));
    return sendError(
      reply,
      new GtxError('METHOD_NOT_ALLOWED', `this path knows ${methods.join(' and ')} only`),
    );
  });

  measure(app, deps.metrics.registry);
  securityHeaders(app, { tls: https !== undefined });
  await app.register(rateLimit, { global: false, cache: 10_000 });
  const sites = sitesOf(app, options, https !== undefined);
  const { sessions } = deps;
  const { operator, operatorWallets } = options;
  const context: HttpContext = {
    guards: new Guards({ sessions, sites, operator, operatorWallets }),
    limits: new Limits(app, options),
  };
  loginRoutes(app, context, { sessions, sites });
  deps.live.attach(app, context, sites);
  readingRoutes(app, context, deps);
  meterRoutes(app, context, deps);
  fleetRoutes(app, context, deps.fleet);
  overviewRoutes(app, context, deps.overview);
  reviewRoutes(app, context, deps.review);
  marketRoutes(app, context, deps);
  orderRoutes(app, context, deps);
  auditRoutes(app, context, deps);
  serviceRoutes(app, context, deps);
  await docsRoutes(app, context);
  await servePage(app, deps);
  return app;
}

/** The methods that a path can be asked with. */
function methodsOf(url: string): string[] {
  const parts = (url.split('?', 1)[0] ?? '').split('/');
  const fits = ({ path }: Route) => {
    const wanted = path.split('/');
    return (
      wanted.length === parts.length && wanted.every((name, at) => name.startsWith('{') || name === parts[at])
    );
  };
  return ROUTES.filter(fits).map(({ method }) => method.toUpperCase());
}

/** The collector's pages; to be asked when the server listens, since its port may be a free one. */
function sitesOf(app: FastifyInstance, options: HttpDeps['options'], tls: boolean): () => Sites {
  const { host, publicUrl, loginDomains: domains } = options;
  let known: Sites | undefined;
  return () => {
    const address = app.server.address() as AddressInfo | null;
    known ??= new Sites({ host, port: address?.port ?? options.port, tls, publicUrl, domains });
    return known;
  };
}
