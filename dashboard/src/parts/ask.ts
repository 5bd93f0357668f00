import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../api.js';
import { sameAs } from '../same.js';

/** Looked at this often where no channel tells of it. */
const LOOK_EVERY_MS = 5_000;
/** What many small news ask for again is asked for at most this often. */
const NEWS_EVERY_MS = 3_000;

export interface Asked<Answer> {
  /** Of what is asked for now; undefined until it is there. */
  readonly answer: Answer | undefined;
  readonly error: Error | undefined;
  /** Asked, and not answered yet; no more once there is an answer, until asking again fails. */
  readonly loading: boolean;
  /** Asks again, after the answer that is still awaited; what was answered stays on show meanwhile. */
  again(): void;
}

interface State<Answer> {
  readonly key: string;
  readonly answer?: Answer;
  readonly error?: Error;
  readonly loading: boolean;
}

/** Asks the collector when the part of the page is shown, and again when what it asks for changes. `undefined`: not at all. */
export function useAsk<Answer>(
  path: string | undefined,
  query: Record<string, string | number | undefined> = {},
): Asked<Answer> {
  const key = JSON.stringify([path, query]);
  const [state, setState] = useState<State<Answer>>({ key, loading: true });
  const [round, setRound] = useState(0);
  const busy = useRef(false);
  const wanted = useRef(false);
  useEffect(() => {
    if (path === undefined) {
      setState({ key, loading: false });
      return;
    }
    const abort = new AbortController();
    busy.current = true;
    wanted.current = false;
    // Nobody shows that what is there is asked for again.
    setState((before) =>
      before.key === key && (before.loading || (before.answer !== undefined && before.error === undefined))
        ? before
        : { ...(before.key === key && before), key, loading: true },
    );
    ask<Answer>(path, { query, signal: abort.signal })
      .then(
        (answer) =>
          setState((before) => {
            const kept = sameAs(before.answer, answer);
            const same = before.key === key && before.answer === kept && !before.loading && !before.error;
            return same ? before : { key, answer: kept, loading: false };
          }),
        (error: Error) => {
          if (!abort.signal.aborted) setState((before) => ({ ...before, error, loading: false }));
        },
      )
      .finally(() => {
        if (abort.signal.aborted) return;
        busy.current = false;
        if (wanted.current) setRound((value) => value + 1);
      });
    return () => abort.abort();
  }, [key, round]);
  const again = useCallback(() => {
    // A slow answer is not thrown away for the next question: then there would never be one.
    if (busy.current) wanted.current = true;
    else setRound((value) => value + 1);
  }, []);
  const own = state.key === key ? state : undefined;
  return { answer: own?.answer, error: own?.error, loading: own?.loading ?? true, again };
}

/**
 * What is on show: the last answer, be it to another question, stays until the next is there, but not where there will be
 * none.
 */
export function useShown<Answer>({ answer, error }: Asked<Answer>): Answer | undefined {
  const last = useRef<Answer>(undefined);
  if (answer !== undefined) last.current = answer;
  return error ? answer : last.current;
}

/** Asks again now and then, while the page is to be seen. */
export function useRegularly(again: () => void, wanted = true, everyMs = LOOK_EVERY_MS): void {
  useEffect(() => {
    if (!wanted) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') again();
    }, everyMs);
    return () => clearInterval(timer);
  }, [again, wanted, everyMs]);
}

/** Asks again when there are news, however many they are not more often than every few seconds; the last ones always count. */
export function useNews(news: unknown, again: () => void, everyMs = NEWS_EVERY_MS): void {
  const last = useRef(0);
  useEffect(() => {
    if (news === undefined) return;
    const wait = Math.min(everyMs, Math.max(0, last.current + everyMs - Date.now()));
    const timer = setTimeout(() => {
      last.current = Date.now();
      again();
    }, wait);
    return () => clearTimeout(timer);
  }, [news, again, everyMs]);
}
