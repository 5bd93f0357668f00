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

  /** @throws GtxError CONFIG_INVALID when the login would travel unencrypted */
  constructor(targets: Pick<Targets, 'httpUrl' | 'layout'>, env: NodeJS.ProcessEnv) {
    this.base = new URL(targets.httpUrl);
    this.login = operatorLogin(targets.layout, env);
    if (this.login !== undefined && this.base.protocol !== 'https:' && !isLoopback(this.base.hostname)) {
      throw new GtxError('CONFIG_INVALID', `${this.base.origin}: the operator login is sent over https only`);
    }
  }

  get<T>(path: string, query: Record<string, string | undefined>, schema: z.ZodType<T>): Promise<T> {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return this.ask(url, { method: 'GET' }, schema);
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
  ): Promise<T> {
    const { login } = this;
    const basic = login && Buffer.from(`${login.username}:${login.password}`).toString('base64');
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        ...init,
        headers: { ...init.headers, ...(basic && { authorization: `Basic ${basic}` }) },
        // The login is for the collector that was named.
        redirect: 'error',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      text = await response.text();
    } catch (error) {
      const reason = (error as { cause?: { message?: string } }).cause?.message || (error as Error).message;
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        `the collector at ${url.origin} does not answer: ${reason}`,
      );
    }
    const answer = parsed(text);
    if (!response.ok) {
      const refusal = ErrorAnswer.safeParse(answer);
      if (!refusal.success || !isErrorCode(refusal.data.error.code)) {
        throw new GtxError(
          'COLLECTOR_UNAVAILABLE',
          `${url.origin} answered HTTP ${response.status} without an error code`,
        );
      }
      const { code, message, details } = refusal.data.error;
      throw new GtxError(code, message, details);
    }
    const result = schema.safeParse(answer);
    if (result.success) return result.data;
    throw new GtxError('COLLECTOR_UNAVAILABLE', `${url.origin} gave an answer that is not the collector’s`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the caller: it is no answer of a collector.
    return undefined;
  }
}
