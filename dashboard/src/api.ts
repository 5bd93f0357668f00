import { type ErrorCode, isErrorCode } from '@gridtokenx/protocol';
import { t } from './text/index.js';
import { base64 } from './transaction.js';

/** A refusal of the collector, or `UNREACHABLE` when there was no answer. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode | 'UNREACHABLE',
    message: string,
    readonly status: number,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** Who asks; set by the session. `password`: an operator's, for whoever has logged in no wallet. */
export const credentials: {
  token: () => Promise<string | undefined>;
  password: () => { username: string; password: string } | undefined;
} = { token: async () => undefined, password: () => undefined };

/** The value of the header `authorization`. */
export async function authorization(): Promise<string | undefined> {
  const token = await credentials.token();
  if (token !== undefined) return `Bearer ${token}`;
  const operator = credentials.password();
  if (operator === undefined) return undefined;
  return `Basic ${base64(new TextEncoder().encode(`${operator.username}:${operator.password}`))}`;
}

interface Request {
  method?: 'GET' | 'POST';
  body?: unknown;
  query?: Record<string, string | number | undefined>;
  signal?: AbortSignal;
  /** Without the session's token. */
  anonymous?: boolean;
}

/**
 * Asks the collector's HTTP interface.
 * @param path from the root, `/api/markets`
 * @throws ApiError with the collector's own words
 */
export async function ask<Answer>(path: string, request: Request = {}): Promise<Answer> {
  const url = new URL(path, globalThis.location.origin);
  for (const [name, value] of Object.entries(request.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const login = request.anonymous ? undefined : await authorization();
  let response: Response;
  try {
    response = await fetch(url, {
      method: request.method ?? 'GET',
      headers: {
        ...(login !== undefined && { authorization: login }),
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      ...(request.signal && { signal: request.signal }),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('UNREACHABLE', t('error.unreachable'), 0);
  }
  if (response.status === 204) return undefined as Answer;
  const type = response.headers.get('content-type') ?? '';
  const body: unknown = type.includes('json') ? await response.json() : await response.text();
  if (response.ok) return body as Answer;
  throw refusal(response.status, body);
}

function refusal(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; details?: unknown } } | null)?.error;
  const code = typeof error?.code === 'string' && isErrorCode(error.code) ? error.code : 'INTERNAL';
  const message = typeof error?.message === 'string' ? error.message : `HTTP ${status}`;
  return new ApiError(code, message, status, (error?.details ?? {}) as Record<string, unknown>);
}
