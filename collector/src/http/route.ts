import { ERRORS, type ErrorCode, GtxError, parseWith } from '@gridtokenx/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { sendCached } from './etag.js';
import { type Guards, mayActAsOperator, type Principal } from './guards.js';
import type { LimitName, Limits } from './limits.js';

interface Answer {
  description: string;
  schema?: z.ZodType;
  contentType?: string;
}

/**
 * Who may ask:
 * - `meter`: with a login message (`GTXA`) signed by the meter's key. The handler checks it, since that uses it up;
 * - `wallet`: a wallet's session (`Bearer`);
 * - `own`: such a session for what is the wallet's own, or the operator for anything;
 * - `operator`: the operator's login (HTTP Basic), a session of an operator's wallet, or loopback when no login is set;
 * - `anybody`: public, but who logs in is known: an operator sees more.
 */
export type Access = 'public' | 'meter' | 'wallet' | 'own' | 'operator' | 'anybody';

/** A route: what requests are validated with, and what the OpenAPI document and docs/http.md are generated from. */
export interface Route<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  method: 'get' | 'post' | 'put' | 'delete';
  /** With OpenAPI's `{name}` parameters. */
  path: string;
  /** The group that the documents show it in. */
  tag: string;
  summary: string;
  description: string;
  params?: Params;
  query?: Query;
  body?: Body;
  /** The body goes to the handler as it came: it is judged there, piece by piece. */
  rawBody?: true;
  bodyLimit?: number;
  access: Access;
  /** How often it may be asked; unlimited without. */
  limit?: LimitName;
  /** Public, and long: answered with a weak ETag, and with 304 to whoever has it. */
  cached?: true;
  answers: Record<number, Answer>;
  /** Refusals beyond those that access, limit and validation bring along (see {@link errorsOf}). */
  errors: readonly ErrorCode[];
}

/** Gives a route's schemas their own types. */
export function route<
  Params extends z.ZodObject = never,
  Query extends z.ZodObject = never,
  Body extends z.ZodType = never,
>(definition: Route<Params, Query, Body>): Route<Params, Query, Body> {
  return definition;
}

/** What a handler gets, validated. */
export interface Call<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  params: z.output<Params>;
  query: z.output<Query>;
  body: z.output<Body>;
  /** Who asks; undefined where anybody may, and at a meter's route. */
  principal: Principal | undefined;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** What every group of routes needs of the server. */
export interface HttpContext {
  guards: Guards;
  limits: Limits;
}

/**
 * Puts a route into the application: limit by address, access, limit by principal, then the schemas of path, query and
 * body, then the handler.
 * @param handler returns the body (JSON), or `reply` after sending by itself
 */
export function serve<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>(
  app: FastifyInstance,
  context: HttpContext,
  definition: Route<Params, Query, Body>,
  handler: (call: Call<Params, Query, Body>) => unknown,
): void {
  const { params, query, body, rawBody, access, limit, cached, bodyLimit } = definition;
  const principals = new WeakMap<FastifyRequest, Principal>();
  app.route({
    method: definition.method.toUpperCase() as 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: definition.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    ...(bodyLimit !== undefined && { bodyLimit }),
    // Before the body is read: nobody's megabytes are parsed who may not send them.
    onRequest: async (request, reply) => {
      if (limit !== undefined) await context.limits.address(limit, request);
      const principal = await admit(context.guards, access, request, reply);
      if (principal === undefined) return;
      principals.set(request, principal);
      if (limit !== undefined) await context.limits.principal(limit, principal, request);
    },
    handler: async (request, reply) => {
      const call = {
        params: params && parseWith(params, request.params, 'NOT_FOUND'),
        query: query && parseWith(query, request.query),
        body: body && !rawBody ? parseWith(body, request.body) : request.body,
        principal: principals.get(request),
        request,
        reply,
      } as Call<Params, Query, Body>;
      const answer = await handler(call);
      if (answer === reply) return reply;
      return cached ? sendCached(request, reply, answer) : reply.send(answer);
    },
  });
}

async function admit(
  guards: Guards,
  access: Access,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Principal | undefined> {
  switch (access) {
    case 'public':
    case 'meter':
      return undefined;
    case 'wallet':
      return guards.requireWallet(request);
    case 'own':
      if (isBearer(request)) return guards.requireWallet(request);
      return guards.requireOperator(request, reply);
    case 'operator':
      return guards.requireOperator(request, reply);
    case 'anybody':
      return whoever(guards, request);
  }
}

/** Who asks where nobody has to say it. @throws GtxError UNAUTHENTICATED for a login that does not count */
async function whoever(guards: Guards, request: FastifyRequest): Promise<Principal | undefined> {
  if (isBearer(request)) return guards.requireWallet(request);
  try {
    return await guards.requireOperator(request);
  } catch (error) {
    // Somebody without a login. A wrong one is not taken for none, or its owner would wonder what is missing.
    if (error instanceof GtxError && request.headers.authorization === undefined) return undefined;
    throw error;
  }
}

function isBearer(request: FastifyRequest): boolean {
  return /^bearer /i.test(request.headers.authorization ?? '');
}

/**
 * The wallet whose data is asked for: the asker's own unless an operator names another.
 * @throws GtxError FORBIDDEN for another's, INVALID_BODY when an operator names none
 */
export function ownWallet(principal: Principal | undefined, asked: string | undefined): string {
  const wallet = asked ?? principal?.wallet;
  if (wallet === undefined) {
    throw new GtxError('INVALID_BODY', 'wallet: an operator names the wallet', {
      issues: [{ path: 'wallet', message: 'an operator names the wallet' }],
    });
  }
  if (wallet !== principal?.wallet && !mayActAsOperator(principal)) {
    throw new GtxError('FORBIDDEN', "this is another wallet's");
  }
  return wallet;
}

/** The codes that a route can be refused with, its own and those of its access, limit and schemas. */
export function errorsOf(definition: Route): ErrorCode[] {
  const { access, limit, params, query, body, errors, method } = definition;
  const codes: ErrorCode[] = [...errors];
  if (params) codes.push('NOT_FOUND');
  if (query || body) codes.push('INVALID_BODY');
  if (method !== 'get') codes.push('PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE');
  if (access === 'own' || access === 'operator' || access === 'wallet')
    codes.push('UNAUTHENTICATED', 'FORBIDDEN');
  if (access === 'anybody') codes.push('UNAUTHENTICATED', 'STORAGE_UNAVAILABLE');
  if (limit) codes.push('RATE_LIMITED');
  if (access === 'own' || access === 'operator' || access === 'wallet' || (definition.cached && limit)) {
    codes.push('STORAGE_UNAVAILABLE');
  }
  return [...new Set(codes)];
}

/** Refusals of a route grouped by HTTP status, in the order of the status. */
export function errorsByStatus(definition: Route): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(definition)) {
    const { status } = ERRORS[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return new Map([...groups].sort(([a], [b]) => a - b));
}
