import { useState } from 'preact/hooks';

/** Something that a person asked for, under way, and what went wrong. @param done afterwards, whatever came of it */
export function useWork(done?: () => void): {
  busy: boolean;
  error: Error | undefined;
  run: (work: () => Promise<unknown>) => Promise<void>;
  /** What went wrong is no matter any more. */
  clear: () => void;
} {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setBusy(false);
      done?.();
    }
  };
  return { busy, error, run, clear: () => setError(undefined) };
}
