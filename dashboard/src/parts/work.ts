import { useState } from 'preact/hooks';

/** Something that a person asked for, under way, and what went wrong. @param done afterwards, whatever came of it */
export function useWork(done?: () => void): {
  busy: boolean;
  error: Error | undefined;
  run: (work: () => Promise<unknown>) => Promise<void>;
  /** What went wrong is no matter any more. */
  clear: () => void;
} {
  // One may begin another: then both have to end.
  const [running, setRunning] = useState(0);
  const [error, setError] = useState<Error>();
  const run = async (work: () => Promise<unknown>) => {
    setRunning((count) => count + 1);
    setError(undefined);
    try {
      await work();
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setRunning((count) => count - 1);
      done?.();
    }
  };
  return { busy: running > 0, error, run, clear: () => setError(undefined) };
}
