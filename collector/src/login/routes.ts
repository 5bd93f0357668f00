import {
  Challenge,
  ChallengeRequest,
  formatTimestamp,
  LoginRequest,
  LoginTokens,
  Me,
  RefreshRequest,
} from '@gridtokenx/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type HttpContext, type Route, route, serve } from '../http/route.js';
import type { Principal, Sessions } from './sessions.js';
import type { Sites } from './sites.js';

export interface LoginRoutesDeps {
  sessions: Sessions;
  sites: () => Sites;
}

const postChallenge = route({
  method: 'post',
  path: '/api/auth/challenge',
  tag: 'Login',
  summary: 'A message for a wallet to sign',
  description:
    "The text names the page's domain, the wallet, the chain and a nonce. It counts once and for 5 minutes, at any collector " +
    'of this database. A request of a page (header `Origin`) is answered only when the page is one of the collector.',
  body: ChallengeRequest,
  access: 'public',
  limit: 'login',
  answers: { 200: { description: 'The message.', schema: Challenge } },
  errors: ['FORBIDDEN', 'CHAIN_UNAVAILABLE', 'STORAGE_UNAVAILABLE'],
});

const postLogin = route({
  method: 'post',
  path: '/api/auth/login',
  tag: 'Login',
  summary: "Log in with the wallet's signature",
  description:
    "`signature`: base58 of the wallet's Ed25519 signature over the UTF-8 bytes of the challenge's message. The challenge is " +
    'used up by the attempt, whatever comes of it. The access token counts for 10 minutes, the refresh token for 30 days.',
  body: LoginRequest,
  access: 'public',
  limit: 'login',
  answers: { 200: { description: 'Logged in.', schema: LoginTokens } },
  errors: ['LOGIN_REFUSED', 'CHAIN_UNAVAILABLE', 'STORAGE_UNAVAILABLE'],
});

const postRefresh = route({
  method: 'post',
  path: '/api/auth/refresh',
  tag: 'Login',
  summary: 'The next pair of tokens',
  description:
    'A refresh token counts once. One that comes a second time ends its login with all tokens: it may have been stolen. ' +
    'A login ends 90 days after the signature, however often it was refreshed.',
  body: RefreshRequest,
  access: 'public',
  limit: 'login',
  answers: { 200: { description: 'The next tokens.', schema: LoginTokens } },
  errors: ['UNAUTHENTICATED', 'STORAGE_UNAVAILABLE'],
});

const postLogout = route({
  method: 'post',
  path: '/api/auth/logout',
  tag: 'Login',
  summary: 'Log out',
  description: 'Ends the login that the access token belongs to, with all its tokens, at every collector.',
  access: 'wallet',
  limit: 'login',
  answers: { 204: { description: 'Ended.' } },
  errors: ['STORAGE_UNAVAILABLE'],
});

const getMe = route({
  method: 'get',
  path: '/api/auth/me',
  tag: 'Login',
  summary: 'Who I am here',
  description: 'The wallet and the roles of the login that came with the request.',
  access: 'own',
  limit: 'read',
  answers: { 200: { description: 'The login.', schema: Me } },
  errors: [],
});

export const LOGIN_ROUTES: readonly Route[] = [postChallenge, postLogin, postRefresh, postLogout, getMe];

/** The routes under `/api/auth`. Tokens go in bodies and in `Authorization`, never in a URL or a cookie. */
export function loginRoutes(
  app: FastifyInstance,
  context: HttpContext,
  { sessions, sites }: LoginRoutesDeps,
): void {
  const secret = <T>(reply: FastifyReply, answer: T): T => {
    reply.header('cache-control', 'no-store');
    return answer;
  };
  serve(app, context, postChallenge, async ({ body, request, reply }) =>
    secret(reply, await sessions.challenge(body.wallet, sites().of(request.headers.origin))),
  );
  serve(app, context, postLogin, async ({ body, reply }) => secret(reply, await sessions.login(body)));
  serve(app, context, postRefresh, async ({ body, reply }) =>
    secret(reply, await sessions.refresh(body.refresh_token)),
  );
  serve(app, context, postLogout, async ({ principal, reply }) => {
    await sessions.logout((principal as Principal).sessionId);
    return reply.code(204).send();
  });
  serve(app, context, getMe, ({ principal, reply }): Me => {
    const { wallet, roles, expiresAt } = principal as Principal;
    return secret(reply, {
      wallet: wallet ?? null,
      roles: [...roles],
      expires_at: expiresAt === undefined ? null : formatTimestamp(expiresAt),
    });
  });
}
