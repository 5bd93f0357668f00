import { useEffect, useRef, useState } from 'preact/hooks';
import { count, duration } from '../format.js';
import { t } from '../text/index.js';
import type { Overview } from '../types.js';

type Stage = Overview['pipeline'][number];

const STILL = globalThis.matchMedia('(prefers-reduced-motion: reduce)');
/** Dots in a pipe at once: more would be a line. */
const MOST_DOTS = 6;

/** The path of the readings from meter to token: each stage with what came there, what waits, and how late it is. */
export function Pipeline({ stages }: { stages: readonly Stage[] }) {
  return (
    <ol class="pipeline" aria-label={t('pipeline.label')}>
      {stages.map((stage, index) => (
        <li key={stage.stage} class={`stage ${stage.stage}`}>
          {index > 0 && <Pipe stage={stage} />}
          <div class="station">
            <span class="name">{t(`stage.${stage.stage}`)}</span>
            <span class="value">{stage.count_hour === null ? '–' : count(stage.count_hour)}</span>
            <span class="unit">{t('pipeline.hour')}</span>
            <ul class="facts">
              {stage.count_minute !== null && (
                <li>{t('pipeline.minute', { count: count(stage.count_minute) })}</li>
              )}
              <li class={stage.waiting !== null && stage.waiting > 0 ? 'waiting' : undefined}>
                {stage.waiting === null || stage.waiting === 0
                  ? t('pipeline.none')
                  : t('pipeline.waiting', { count: count(stage.waiting) })}
              </li>
              {stage.lag_seconds_p50 !== null && (
                <li title={t('pipeline.lag.why')}>
                  {t('pipeline.lag', { time: duration(Math.max(0, stage.lag_seconds_p50)) })}
                  {stage.lag_seconds_p95 !== null &&
                    ` ${t('pipeline.late', { time: duration(Math.max(0, stage.lag_seconds_p95)) })}`}
                </li>
              )}
            </ul>
          </div>
        </li>
      ))}
    </ol>
  );
}

/** The way to a stage. A dot runs for each reading that arrived there; only to look at, the figures say it too. */
function Pipe({ stage }: { stage: Stage }) {
  const [dots, setDots] = useState<readonly number[]>([]);
  const before = useRef<{ hour: number; at: number; owed: number } | undefined>(undefined);
  const next = useRef(0);
  useEffect(() => {
    const hour = stage.count_hour ?? 0;
    const now = Date.now();
    const last = before.current;
    const seconds = last ? Math.min(10, (now - last.at) / 1000) : 0;
    // The hour's count also falls by what is older: what came lately is known from the minute's.
    const owed = last ? last.owed + ((stage.count_minute ?? 0) * seconds) / 60 : 0;
    const arrived = Math.max(last ? hour - last.hour : 0, Math.floor(owed));
    before.current = { hour, at: now, owed: Math.min(MOST_DOTS, Math.max(0, owed - arrived)) };
    if (arrived <= 0 || STILL.matches || document.visibilityState !== 'visible') return;
    setDots((shown) => {
      const room = MOST_DOTS - shown.length;
      const fresh = Array.from({ length: Math.max(0, Math.min(arrived, room)) }, () => next.current++);
      return [...shown, ...fresh];
    });
  }, [stage]);
  const flows = (stage.count_minute ?? 0) > 0;
  return (
    <div class={flows ? 'pipe flows' : 'pipe'} aria-hidden="true">
      {dots.map((dot) => (
        <span
          key={dot}
          class={`dot late${dot % MOST_DOTS}`}
          onAnimationEnd={() => setDots((shown) => shown.filter((one) => one !== dot))}
        />
      ))}
    </div>
  );
}
