import { GtxError } from '@gridtokenx/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from './guards.js';

/** How often one client may ask. Routes with the same name share the count. */
export interface LimitOptions {
  /** Readings that one address may submit within the window. */
  burst: number;
  windowSeconds: number;
  /** Requests a minute of one address, and of one wallet, for lists and figures. */
  readsPerMinute: number;
  /** The same for what asks the chain: transactions to build and submit; five times as often to follow them. */
  writesPerMinute: number;
  /** The same for logins, their refreshing and ending, and the operator's password over the WebSocket. */
  loginsPerMinute: number;
}

/**
 * - `submit`, `deliver`: readings by themselves and in lots; `recover`: a gateway that lost its store;
 * - `read`: lists and figures; `write`: what costs requests to the chain; `follow`: what costs one or two;
 * - `login`: what asks for logins and ends them.
 */
export type LimitName = 'submit' | 'deliver' | 'recover' | 'read' | 'write' | 'follow' | 'login';

const MINUTE_MILLIS = 60_000;

type Check = ReturnType<FastifyInstance['createRateLimit']>;

/** Limits by address (an IPv6 client is its /64) and by principal. Needs @fastify/rate-limit in the application. */
export class Limits {
  private readonly byAddress: Record<LimitName, Check>;
  private readonly byPrincipal: Record<LimitName, Check>;
  private readonly asking = new WeakMap<FastifyRequest, Principal>();

  constructor(app: FastifyInstance, options: LimitOptions) {
    const { burst, windowSeconds, readsPerMinute, writesPerMinute, loginsPerMinute } = options;
    const limits: Record<LimitName, { max: number; timeWindow: number }> = {
      submit: { max: burst, timeWindow: windowSeconds * 1000 },
      // As many readings as one address may submit one by one.
      deliver: { max: Math.ceil(burst / 4), timeWindow: windowSeconds * 1000 },
      recover: { max: 30, timeWindow: MINUTE_MILLIS },
      read: { max: readsPerMinute, timeWindow: MINUTE_MILLIS },
      write: { max: writesPerMinute, timeWindow: MINUTE_MILLIS },
      follow: { max: 5 * writesPerMinute, timeWindow: MINUTE_MILLIS },
      login: { max: loginsPerMinute, timeWindow: MINUTE_MILLIS },
    };
    const each = (extra: (name: LimitName) => object): Record<LimitName, Check> =>
      Object.fromEntries(
        Object.entries(limits).map(([name, limit]) => [
          name,
          app.createRateLimit({ ...limit, ...extra(name as LimitName) }),
        ]),
      ) as Record<LimitName, Check>;
    this.byAddress = each(() => ({}));
    this.byPrincipal = each(() => ({
      keyGenerator: (request: FastifyRequest) => {
        const principal = this.asking.get(request);
        return principal?.wallet ?? principal?.sessionId ?? '';
      },
    }));
  }

  /** @throws GtxError RATE_LIMITED */
  async address(name: LimitName, request: FastifyRequest): Promise<void> {
    refuse(await this.byAddress[name](request));
  }

  /** However many addresses a wallet asks from. @throws GtxError RATE_LIMITED */
  async principal(name: LimitName, principal: Principal, request: FastifyRequest): Promise<void> {
    this.asking.set(request, principal);
    refuse(await this.byPrincipal[name](request));
  }
}

function refuse(result: Awaited<ReturnType<Check>>): void {
  if (result.isAllowed || !result.isExceeded) return;
  throw new GtxError('RATE_LIMITED', undefined, { retry_after_seconds: Math.max(1, result.ttlInSeconds) });
}
