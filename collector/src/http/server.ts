import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import rateLimit from '@fastify/rate-limit';
import {
  errorBody,
  formatTimestamp,
  GtxError,
  MAX_PAYLOAD_BYTES,
  MAX_READINGS_PER_REQUEST,
  nkwhToKwh,
  parseLoginHeader,
  parseWith,
  type SubmitReadingResult,
} from '@gridtokenx/protocol';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { TlsMaterial, TlsSource } from '../broker/certificates.js';
import { type Logins, sameText } from '../broker/login.js';
import { keepFresh, serverOptions } from '../broker/tls.js';
import { type Answer, type Ingest, unavailableError } from '../ingest/ingest.js';
import type { Metrics } from '../metrics.js';
import { refusalError, type StoredStatus } from '../validate/rules.js';
import { toSubmission } from '../validate/submission.js';
import type { Deliveries } from './deliveries.js';
import { openApiDocument } from './openapi.js';
import { collectorFigures, lastReading, meterState, readingsPage } from './queries.js';
import { type Health, MeterParams, ReadingsQuery } from './schemas.js';

export interface HttpDeps {
  ingest: Ingest;
  deliveries: Deliveries;
  logins: Pick<Logins, 'checkMeter'>;
  pool: pg.Pool;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
  version: string;
  health: () => Promise<Health>;
  facts: () => { mqttUrl: string; ackPublicKey: string };
  options: {
    host: string;
    port: number;
    burst: number;
    windowSeconds: number;
    trustProxy: string | undefined;
    operator: { username: string; password: string } | undefined;
    /** HTTPS with these certificates; undefined: HTTP. Client certificates are not asked for here. */
    tls: TlsSource | undefined;
  };
}

/** A reading's body has some 750 bytes. */
const DELIVERED_READING_BYTES = 2 * 1024;

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
  const { options, logger, now, ingest, pool, metrics } = deps;
  const app: FastifyInstance = Fastify({
    ...(https && { https: https as never }),
    bodyLimit: MAX_PAYLOAD_BYTES,
    requestTimeout: 30_000,
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
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, new GtxError('NOT_FOUND', 'there is nothing at this path')),
  );

  await app.register(rateLimit, {
    global: false,
    max: options.burst,
    timeWindow: options.windowSeconds * 1000,
    cache: 10_000,
    errorResponseBuilder: (_request, context) =>
      new GtxError('RATE_LIMITED', undefined, { retry_after_seconds: Math.ceil(context.ttl / 1000) }),
  });

  app.post(
    '/api/meters/submit-reading',
    { config: { rateLimit: {} } },
    async (request: FastifyRequest, reply: FastifyReply) => {
      const submission = toSubmission(request.body);
      const answer = await ingest.submitAndWait(submission, 'http');
      const { status, body } = submitAnswer(answer);
      return reply.code(status).send(body);
    },
  );

  /** Whose key signed the request; the last thing that is checked before it is answered. */
  const meterOf = async (request: FastifyRequest): Promise<string> => {
    const { meter_id } = parseWith(MeterParams, request.params, 'NOT_FOUND');
    await deps.logins.checkMeter(parseLoginHeader(meter_id, request.headers.authorization));
    return meter_id;
  };
  app.post(
    '/api/meters/:meter_id/readings',
    {
      bodyLimit: MAX_READINGS_PER_REQUEST * DELIVERED_READING_BYTES,
      // As many readings as one address may submit one by one.
      config: { rateLimit: { max: Math.ceil(options.burst / 4) } },
    },
    async (request: FastifyRequest) => {
      const meterId = await meterOf(request);
      return deps.deliveries.deliver(meterId, request.body);
    },
  );
  app.get(
    '/api/meters/:meter_id/last-reading',
    { config: { rateLimit: { max: 30, timeWindow: 60_000 } } },
    async (request: FastifyRequest) => {
      const meterId = await meterOf(request);
      return lastReading(pool, meterId, Math.floor(now() / 1000));
    },
  );

  app.get('/api/time', () => {
    const time = Math.floor(now() / 1000);
    return { time, iso: formatTimestamp(time) };
  });

  const operatorOnly = { onRequest: operatorGuard(options) };
  app.get('/api/meters/:meter_id', operatorOnly, (request) => {
    const { meter_id } = parseWith(MeterParams, request.params, 'NOT_FOUND');
    return meterState(pool, meter_id);
  });
  app.get('/api/meters/:meter_id/readings', operatorOnly, (request) => {
    const { meter_id } = parseWith(MeterParams, request.params, 'NOT_FOUND');
    const { limit, cursor } = parseWith(ReadingsQuery, request.query);
    return readingsPage(pool, meter_id, limit, cursor);
  });
  app.get('/api/status', operatorOnly, async () => {
    const { mqttUrl, ackPublicKey } = deps.facts();
    const figures = await collectorFigures(pool);
    return { time: Math.floor(now() / 1000), ...figures, mqtt_url: mqttUrl, ack_public_key: ackPublicKey };
  });

  app.get('/healthz', async (_request, reply) => {
    const health = await deps.health();
    return reply.code(health.checks.database === 'ok' ? 200 : 503).send(health);
  });
  app.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.registry.contentType);
    return reply.send(await metrics.registry.metrics());
  });
  const document = openApiDocument(deps.version);
  app.get('/openapi.json', () => document);
  return app;
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

/**
 * Readings tell when somebody is at home. Without an operator's login they are shown on loopback only.
 */
function operatorGuard(options: HttpDeps['options']) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { operator } = options;
    if (operator === undefined) {
      const loopback = /^(127\.|::1$|::ffff:127\.)/.test(request.socket.remoteAddress ?? '');
      if (loopback && request.headers['x-forwarded-for'] === undefined) return;
      throw new GtxError('FORBIDDEN', 'configure an operator login to read this from another machine');
    }
    const [scheme, encoded] = (request.headers.authorization ?? '').split(' ');
    const text =
      scheme?.toLowerCase() === 'basic' ? Buffer.from(encoded ?? '', 'base64').toString('utf8') : '';
    const colon = text.indexOf(':');
    const username = text.slice(0, Math.max(colon, 0));
    const password = text.slice(colon + 1);
    const nameOk = sameText(username, operator.username);
    const passwordOk = sameText(password, operator.password);
    if (nameOk && passwordOk) return;
    reply.header('www-authenticate', 'Basic realm="gridtokenx", charset="UTF-8"');
    throw new GtxError('UNAUTHENTICATED', 'the operator login is needed');
  };
}

function sendError(reply: FastifyReply, error: GtxError): FastifyReply {
  if (error.code === 'RATE_LIMITED' && reply.getHeader('retry-after') === undefined) {
    reply.header('retry-after', String(error.details?.retry_after_seconds ?? 1));
  }
  if (error.status === 503) reply.header('retry-after', '5');
  return reply.code(error.status).type('application/json; charset=utf-8').send(errorBody(error));
}

/** Errors of fastify and of the database as errors of the catalogue. */
function knownError(error: unknown): GtxError {
  if (error instanceof GtxError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const statusCode = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : undefined;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new GtxError('PAYLOAD_TOO_LARGE');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new GtxError('UNSUPPORTED_MEDIA_TYPE');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new GtxError('INVALID_BODY', 'the body is empty or its length is wrong', { issues: [] });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new GtxError('INVALID_BODY', 'the request cannot be understood', { issues: [] });
  }
  // Errors of the database driver: a SQLSTATE, a socket error, or a pool that gave up waiting.
  if (/^(08|53|57|ECONN|ETIMEDOUT|EPIPE)/.test(code) || isPoolTimeout(error)) {
    return new GtxError('STORAGE_UNAVAILABLE');
  }
  return new GtxError('INTERNAL');
}

function isPoolTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Connection terminated/.test(error.message)
  );
}
