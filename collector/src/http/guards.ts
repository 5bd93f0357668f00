import { GtxError } from '@gridtokenx/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sameText } from '../broker/login.js';

/** Who asks. */
export interface Principal {
  /** Base58; undefined for an operator who came without a wallet. */
  wallet: string | undefined;
  roles: readonly ('owner' | 'operator')[];
  sessionId: string;
}

/** Who may ask for what is not public. */
export interface Guards {
  /** @throws GtxError UNAUTHENTICATED */
  requireWallet(request: FastifyRequest): Promise<Principal>;
  /** @throws GtxError UNAUTHENTICATED, FORBIDDEN */
  requireOperator(
    request: Pick<FastifyRequest, 'headers' | 'socket'>,
    reply?: FastifyReply,
  ): Promise<Principal>;
}

export function mayActAsOperator(principal: Principal | undefined): boolean {
  return principal?.roles.includes('operator') ?? false;
}

/**
 * Checks the operator's own login (HTTP Basic). Readings tell when somebody is at home: without a login they are shown on
 * loopback only.
 * @throws GtxError UNAUTHENTICATED, FORBIDDEN
 */
export function checkOperator(
  operator: { username: string; password: string } | undefined,
  request: FastifyRequest,
): Principal {
  const principal: Principal = { wallet: undefined, roles: ['operator'], sessionId: 'operator' };
  if (operator === undefined) {
    const loopback = /^(127\.|::1$|::ffff:127\.)/.test(request.socket.remoteAddress ?? '');
    if (loopback && request.headers['x-forwarded-for'] === undefined) return principal;
    throw new GtxError('FORBIDDEN', 'configure an operator login to read this from another machine');
  }
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ');
  const text = scheme?.toLowerCase() === 'basic' ? Buffer.from(encoded ?? '', 'base64').toString('utf8') : '';
  const colon = text.indexOf(':');
  const username = text.slice(0, Math.max(colon, 0));
  const password = text.slice(colon + 1);
  const nameOk = sameText(username, operator.username);
  const passwordOk = sameText(password, operator.password);
  if (nameOk && passwordOk) return principal;
  throw new GtxError('UNAUTHENTICATED', 'the operator login is needed');
}
