import { useCallback, useEffect, useState } from 'preact/hooks';
import { ask } from '../api.js';

/** Looked at this often where no channel tells of it. */
const LOOK_EVERY_MS = 5_000;

export interface Asked<Answer> {
  readonly answer: Answer | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  /** Asks again; what was answered stays on show meanwhile. */
  again(): void;
}

/** Asks the collector when the part of the page is shown, and again when what it asks for changes. `undefined`: not at all. */
export function useAsk<Answer>(
  path: string | undefined,
  query: Record<string, string | number | undefined> = {},
): Asked<Answer> {
  const [state, setState] = useState<{ answer?: Answer; error?: Error; loading: boolean }>({ loading: true });
  const [round, setRound] = useState(0);
  const key = JSON.stringify([path, query]);
  useEffect(() => {
    if (path === undefined) {
      setState({ loading: false });
      return;
    }
    const abort = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    ask<Answer>(path, { query, signal: abort.signal }).then(
      (answer) => setState({ answer, loading: false }),
      (error: Error) => {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, round]);
  const again = useCallback(() => setRound((value) => value + 1), []);
  return { answer: state.answer, error: state.error, loading: state.loading, again };
}

/** Asks again now and then, while the page is to be seen. */
export function useRegularly(again: () => void, wanted = true): void {
  useEffect(() => {
    if (!wanted) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') again();
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [again, wanted]);
}
