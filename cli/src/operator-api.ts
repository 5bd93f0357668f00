import { request } from 'node:https';
import { rootCertificates } from 'node:tls';
import { GtxError, isErrorCode } from '@gridtokenx/protocol';
import { z } from 'zod';
import { operatorLogin, type Targets } from './targets.js';

const PATIENCE_MS = 60_000;

const ErrorAnswer = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);

/** What operators may ask a collector, with their login of the environment or the data folder. */
export class OperatorApi {
  private readonly login: { username: string; password: string } | undefined;
  private readonly base: URL;

  /**
   * @param ca PEM of an authority that the collector's certificate is trusted by, besides the public ones
   * @throws GtxError CONFIG_INVALID when the login would travel unencrypted
   */
  constructor(
    targets: Pick<Targets, 'httpUrl' | 'layout'>,
    env: NodeJS.ProcessEnv,
    private readonly ca?: string,
  ) {
    this.base = new URL(targets.httpUrl);
    this.login = operatorLogin(targets.layout, env);
    if (this.login !== undefined && this.base.protocol !== 'https:' && !isLoopback(this.base.hostname)) {
      throw new GtxError('CONFIG_INVALID', `${this.base.origin}: the operator login is sent over https only`);
    }
  }

  /** Whether there is a login; without one only what is public is answered. */
  get hasLogin(): boolean {
    return this.login !== undefined;
  }

  /** @param alsoGood statuses above 299 that are answers too */
  get<T>(
    path: string,
    query: Record<string, string | undefined>,
    schema: z.ZodType<T>,
    alsoGood: readonly number[] = [],
  ): Promise<T> {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return this.ask(url, { method: 'GET' }, schema, alsoGood);
  }

  post<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return this.ask(
      new URL(path, this.base),
      { method: 'POST', headers, body: JSON.stringify(body) },
      schema,
    );
  }

  /** @throws GtxError with the collector's own code, or COLLECTOR_UNAVAILABLE */
  private async ask<T>(
    url: URL,
    init: { method: string; headers?: Record<string, string>; body?: string },
    schema: z.ZodType<T>,
    alsoGood: readonly number[] = [],
  ): Promise<T> {
    const { login } = this;
    const basic = login && Buffer.from(`${login.username}:${login.password}`).toString('base64');
    const headers = { ...init.headers, ...(basic && { authorization: `Basic ${basic}` }) };
    let status: number;
    let text: string;
    try {
      ({ status, text } = await this.send(url, { ...init, headers }));
    } catch (error) {
      const reason = (error as { cause?: { message?: string } }).cause?.message || (error as Error).message;
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        `the collector at ${url.origin} does not answer: ${reason}`,
      );
    }
    const answer = parsed(text);
    if ((status < 200 || status > 299) && !alsoGood.includes(status)) {
      const refusal = ErrorAnswer.safeParse(answer);
      if (!refusal.success || !isErrorCode(refusal.data.error.code)) {
        throw new GtxError(
          'COLLECTOR_UNAVAILABLE',
          `${url.origin} answered HTTP ${status} without an error code`,
        );
      }
      const { code, message, details } = refusal.data.error;
      throw new GtxError(code, message, details);
    }
    const result = schema.safeParse(answer);
    if (result.success) return result.data;
    throw new GtxError('COLLECTOR_UNAVAILABLE', `${url.origin} gave an answer that is not the collector’s`);
  }

  private async send(
    url: URL,
    init: { method: string; headers: Record<string, string>; body?: string },
  ): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    if (this.ca !== undefined && url.protocol === 'https:') {
      return await httpsRequest(url, init, [this.ca, ...rootCertificates], signal);
    }
    // The login is for the collector that was named.
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    return { status: response.status, text: await response.text() };
  }
}

/** fetch knows no authority of one's own before Node.js 22. Follows no redirection. */
function httpsRequest(
  url: URL,
  { method, headers, body }: { method: string; headers: Record<string, string>; body?: string },
  ca: string[],
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, ca, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the caller: it is no answer of a collector.
    return undefined;
  }
}
