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

export interface OperatorLogin {
  readonly username: string;
  readonly password: string;
}

/** Who asks; set by the session. */
export const credentials: {
  /** A wallet's access token. `refused`: one that the collector does not take, or not for long; another one is wanted. */
  token: (refused?: string) => Promise<string | undefined>;
  /** An operator's. */
  password: () => OperatorLogin | undefined;
  /** The collector does not know this name and password. */
  passwordRefused: (login: OperatorLogin) => void;
} = { token: async () => undefined, password: () => undefined, passwordRefused: () => {} };

/** What operators alone may ask, and the meters of others. */
const OPERATORS =
  /^\/api\/(status|settlement|health|audit|(fleet|alerts|reviews)(\/.*)?|meters\/[^/]+\/live)$/;

interface Login {
  /** Value of the header `authorization`. */
  readonly header: string;
  /** A wallet's. */
  readonly token?: string;
  readonly operator?: OperatorLogin;
}

/** A wallet's login comes before the password, but not where a wallet may be nobody. */
async function loginFor(path: string): Promise<Login | undefined> {
  const operator = credentials.password();
  const token = operator && OPERATORS.test(path) ? undefined : await credentials.token();
  if (token !== undefined) return bearer(token);
  if (operator === undefined) return undefined;
  const given = new TextEncoder().encode(`${operator.username}:${operator.password}`);
  return { header: `Basic ${base64(given)}`, operator };
}

const bearer = (token: string): Login => ({ header: `Bearer ${token}`, token });

/** No answer within this time is none: what waits for one would wait for good. */
const ANSWER_MS = 30_000;

/** How far the collector's clock is ahead of this one, by its last answer. */
let aheadMs = 0;
/** The collector's time, in milliseconds since 1970: by it tokens end, whatever the clock here says. */
export const collectorNow = (): number => Date.now() + aheadMs;
/** A token that ends within this time is renewed before it is used, so that nothing is missed. */
export const EARLY_MS = 30_000;

interface Request {
  method?: 'GET' | 'POST';
  body?: unknown;
  query?: Record<string, string | number | undefined>;
  signal?: AbortSignal;
  /** Without the session's token. */
  anonymous?: boolean;
  /** For what takes its time. */
  answerMs?: number;
  /** The answer is a file: a `Blob`. */
  file?: boolean;
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
  const login = request.anonymous ? undefined : await loginFor(url.pathname);
  let answer = await answerOf(url, request, login);
  if (answer.status === 401 && login?.token !== undefined) {
    // It was taken for one that counts: a clock is wrong, or the login was renewed elsewhere.
    const token = await credentials.token(login.token);
    if (token !== undefined) answer = await answerOf(url, request, bearer(token));
  }
  if (answer.status === 401 && login?.operator && OPERATORS.test(url.pathname))
    credentials.passwordRefused(login.operator);
  if (answer.ok) return answer.body as Answer;
  throw refusal(answer.status, answer.body);
}

/** @throws ApiError UNREACHABLE; or what an abort throws */
async function answerOf(
  url: URL,
  { method = 'GET', body, signal, answerMs = ANSWER_MS, file }: Request,
  login: Login | undefined,
): Promise<{ ok: boolean; status: number; body: unknown }> {
  const tooLate = AbortSignal.timeout(answerMs);
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(login !== undefined && { authorization: login.header }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, tooLate]) : tooLate,
    });
    const { ok, status, headers } = response;
    const date = Date.parse(headers.get('date') ?? '');
    if (!Number.isNaN(date)) aheadMs = date - Date.now();
    const json = headers.get('content-type')?.includes('json');
    const read = () => (ok && file ? response.blob() : json ? response.json() : response.text());
    return { ok, status, body: status === 204 ? undefined : await read() };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('UNREACHABLE', t('error.unreachable'), 0);
  }
}

function refusal(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; details?: unknown } } | null)?.error;
  const code = typeof error?.code === 'string' && isErrorCode(error.code) ? error.code : 'INTERNAL';
  const message = typeof error?.message === 'string' ? error.message : `HTTP ${status}`;
  return new ApiError(code, message, status, (error?.details ?? {}) as Record<string, unknown>);
}
