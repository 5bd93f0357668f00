/** Seconds after a notice until the next one about an alert that is still open and that nobody has acknowledged. */
export const REPEAT_SECONDS: readonly number[] = [3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600];

/** A notice that could not be delivered for this long is given up; an alert that is still open is told anew later. */
export const GIVE_UP_SECONDS = 24 * 3_600;

/** Attempts after which a notice goes alone: it may be what the other side cannot take. */
export const TRIES_TOGETHER = 3;

const FIRST_RETRY_SECONDS = 5;
const LONGEST_RETRY_SECONDS = 900;

/** Seconds until the next attempt: doubling from 5 s to at most a quarter of an hour. */
export function retrySeconds(attempts: number): number {
  return Math.min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** Math.min(Math.max(attempts - 1, 0), 16));
}
