import type { Logger } from 'pino';

/** Logs the first of a kind at once and then, at most every few seconds, how many more there were. */
export class LogLimiter {
  private readonly kinds = new Map<string, { loggedAt: number; unlogged: number }>();

  constructor(
    private readonly logger: Logger,
    private readonly now: () => number,
    private readonly everyMillis = 10_000,
  ) {}

  /** @param kind one of a small, fixed set of words */
  warn(kind: string, facts: Record<string, unknown>, message: string): void {
    const time = this.now();
    const state = this.kinds.get(kind) ?? { loggedAt: Number.NEGATIVE_INFINITY, unlogged: 0 };
    if (time - state.loggedAt < this.everyMillis) {
      state.unlogged += 1;
    } else {
      this.logger.warn({ kind, ...facts, ...(state.unlogged > 0 && { more: state.unlogged }) }, message);
      state.loggedAt = time;
      state.unlogged = 0;
    }
    this.kinds.set(kind, state);
  }
}
