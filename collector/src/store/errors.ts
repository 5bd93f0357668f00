/** What a failed database call means for the readings in it. */
export type StorageFailure = 'unavailable' | 'retry' | 'data';

/**
 * Sorts errors of `pg` by SQLSTATE class: 22 and 23 come from a value in the batch (`data`), 40 is a
 * deadlock or serialisation failure (`retry`), all others, and errors without a state (connection
 * refused, reset, timed out), mean that the database cannot store now.
 */
export function storageFailure(error: unknown): StorageFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^[0-9A-Z]{5}$/.test(code)) {
    if (code.startsWith('22') || code.startsWith('23')) return 'data';
    if (code.startsWith('40')) return 'retry';
  }
  return 'unavailable';
}
