/** How long a test waits for a condition before it calls the condition failed. Generous: the machine may be slow. */
const DEFAULT_TIMEOUT_MS = 180_000;

/**
 * Polls until `probe` gives something other than undefined or false, and returns that.
 * A probe that throws counts as "not yet"; its last error is told when time runs out.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, everyMs = 100 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
