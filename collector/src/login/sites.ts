import { GtxError } from '@gridtokenx/protocol';

export interface SiteOptions {
  /** Where the HTTP server listens. */
  host: string;
  port: number;
  tls: boolean;
  /** `GTX_PUBLIC_URL` */
  publicUrl: string | undefined;
  /** `GTX_LOGIN_DOMAINS`: hosts, with a port where it is not the usual one. */
  domains: readonly string[];
}

/**
 * The pages that may ask a wallet for a login and open the WebSocket, by their origin (RFC 6454).
 *
 * A login message names the page's domain, so that a signature given to one page is of no use to another. The header
 * Host is not asked for it: whoever sends a request writes it. A browser writes Origin itself, and it counts only when
 * it is one of these.
 */
export class Sites {
  private readonly allowed: ReadonlySet<string>;
  /** The origin of requests that name none: those of programs. */
  readonly own: string;

  constructor({ host, port, tls, publicUrl, domains }: SiteOptions) {
    const scheme = tls ? 'https' : 'http';
    const anywhere = host === '0.0.0.0' || host === '::';
    const names = isLoopback(host) || anywhere ? ['localhost', '127.0.0.1', '[::1]'] : [];
    if (!anywhere) names.unshift(host.includes(':') ? `[${host}]` : host);
    const listening = names.map((name) => new URL(`${scheme}://${name}:${port}`).origin);
    const published = publicUrl === undefined ? [] : [new URL(publicUrl).origin];
    // Where nothing says that there is TLS, a page comes as it is served: in the clear.
    const plain = !tls && !publicUrl?.startsWith('https:');
    const others = domains.flatMap((domain) => [
      new URL(`https://${domain}`).origin,
      ...(plain ? [new URL(`http://${domain}`).origin] : []),
    ]);
    this.allowed = new Set([...published, ...listening, ...others]);
    this.own = published[0] ?? (listening[0] as string);
  }

  /** Whether a request with this header `Origin` may come from a page. `null` is an origin of nobody. */
  allows(origin: string): boolean {
    return this.allowed.has(origin);
  }

  /** Whether the header Host names one of the sites: else somebody's own name was pointed at this address. */
  hosts(host: string | undefined): boolean {
    return host !== undefined && [...this.allowed].some((origin) => new URL(origin).host === host);
  }

  /** The origin in whose name a login is asked for. @throws GtxError FORBIDDEN for one that is not allowed */
  of(origin: string | undefined): string {
    if (origin === undefined) return this.own;
    if (this.allows(origin)) return origin;
    throw new GtxError(
      'FORBIDDEN',
      'this page is not one of the collector: set GTX_PUBLIC_URL, or name its host in GTX_LOGIN_DOMAINS',
    );
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
