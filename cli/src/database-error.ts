import { GtxError } from '@gridtokenx/protocol';

/**
 * What a person should read when the database does not do what it is asked: STORAGE_UNAVAILABLE with the server's or
 * the system's own words (an AggregateError of Node's has none, its parts do). GtxErrors stay as they are.
 */
export function databaseError(error: unknown): GtxError {
  if (error instanceof GtxError) return error;
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  const message = (error as Error).message || first?.message || 'no answer';
  const code = (error as { code?: unknown }).code;
  return new GtxError(
    'STORAGE_UNAVAILABLE',
    `the database does not answer as it should: ${message}`,
    typeof code === 'string' ? { reason: code } : {},
    { cause: error },
  );
}
