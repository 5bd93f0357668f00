import { GtxError } from '@gridtokenx/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sameText } from '../broker/login.js';
import type { Principal, Sessions } from './sessions.js';
import { isLoopback, type Sites } from './sites.js';

export interface GuardsDeps {
  sessions: Pick<Sessions, 'authenticate'>;
  /** Read when asked: the port is known only when the server listens. */
  sites: () => Sites;
  /** The operator's password, where one is configured. */
  operator: { username: string; password: string } | undefined;
  operatorWallets: readonly string[];
}

type Request = Pick<FastifyRequest, 'headers' | 'socket'>;

/** Who asks, from a request's headers. */
export class Guards {
  constructor(private readonly deps: GuardsDeps) {}

  /**
   * The owner of a wallet, by `Authorization: Bearer <access token>`.
   * @throws GtxError UNAUTHENTICATED; or the database's error
   */
  requireWallet = async (request: Request): Promise<Principal & { wallet: string }> => {
    const token = bearerOf(request);
    if (token === undefined) {
      throw new GtxError('UNAUTHENTICATED', 'send the header Authorization: Bearer <access token>');
    }
    const principal = await this.deps.sessions.authenticate(token);
    const { wallet } = principal;
    if (wallet === undefined) throw new GtxError('UNAUTHENTICATED', 'this login has no wallet');
    return { ...principal, wallet };
  };

  /**
   * An operator: by a wallet of GTX_OPERATOR_WALLETS, by the operator's password (HTTP Basic), or, where neither is
   * configured, by asking from this machine. Readings tell when somebody is at home.
   * @param reply told to ask for the password, where that is of use
   * @throws GtxError UNAUTHENTICATED, FORBIDDEN; or the database's error
   */
  requireOperator = async (request: Request, reply?: FastifyReply): Promise<Principal> => {
    const { operator, operatorWallets, sessions } = this.deps;
    const token = bearerOf(request);
    if (token !== undefined) {
      const principal = await sessions.authenticate(token);
      if (principal.roles.includes('operator')) return principal;
      throw new GtxError('FORBIDDEN', "this is for operators, and this wallet is none's");
    }
    this.refuseStrangePages(request);
    if (operator === undefined) {
      if (operatorWallets.length > 0) {
        throw new GtxError('UNAUTHENTICATED', "log in with an operator's wallet");
      }
      if (this.isHere(request)) return { wallet: undefined, roles: ['operator'], sessionId: 'this machine' };
      throw new GtxError('FORBIDDEN', 'configure an operator login to read this from another machine');
    }
    const given = basicOf(request);
    const nameOk = sameText(given.username, operator.username);
    const passwordOk = sameText(given.password, operator.password);
    if (nameOk && passwordOk) {
      return { wallet: undefined, roles: ['operator'], sessionId: `password of ${operator.username}` };
    }
    // A browser that gets this for a request of a page puts its own window before the page.
    const mode = request.headers['sec-fetch-mode'];
    if (mode === undefined || mode === 'navigate') {
      reply?.header('www-authenticate', 'Basic realm="gridtokenx", charset="UTF-8"');
    }
    throw new GtxError('UNAUTHENTICATED', 'the operator login is needed');
  };

  /** A browser sends a remembered password, and comes from this machine, for any page that makes it ask. */
  private refuseStrangePages(request: Request): void {
    const { origin } = request.headers;
    if (origin !== undefined && !this.deps.sites().allows(origin)) {
      throw new GtxError('FORBIDDEN', 'a page of another site may not ask this');
    }
  }

  private isHere(request: Request): boolean {
    const loopback = /^(127\.|::1$|::ffff:127\.)/.test(request.socket.remoteAddress ?? '');
    if (!loopback || request.headers['x-forwarded-for'] !== undefined) return false;
    // A name of somebody else's that was pointed at this machine makes a browser take his page for ours.
    const { host } = request.headers;
    const name = host?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return name === undefined || isLoopback(name) || this.deps.sites().hosts(host);
  }
}

const BEARER = /^Bearer ([A-Za-z0-9_-]{1,128})$/i;

/** The token of the header; undefined when another scheme is used. @throws GtxError UNAUTHENTICATED when malformed */
function bearerOf(request: Request): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined || !/^bearer(?: |$)/i.test(header)) return undefined;
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) throw new GtxError('UNAUTHENTICATED', 'the access token is malformed');
  return token;
}

function basicOf(request: Request): { username: string; password: string } {
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ');
  const text = scheme?.toLowerCase() === 'basic' ? Buffer.from(encoded ?? '', 'base64').toString('utf8') : '';
  const colon = text.indexOf(':');
  return { username: text.slice(0, Math.max(colon, 0)), password: text.slice(colon + 1) };
}
