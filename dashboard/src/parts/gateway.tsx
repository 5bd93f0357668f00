import type { ComponentChildren } from 'preact';
import { count, time } from '../format.js';
import { t } from '../text/index.js';
import type { MeterLive } from '../types.js';

const TONES = { online: 'good', silent: 'warn', offline: 'bad', never: 'warn' } as const;

export function GatewayTag({ state }: { state: MeterLive['state'] }) {
  return <span class={`tag ${TONES[state]}`}>{t(`gateway.${state}`)}</span>;
}

/** How a meter's gateway is, in plain words: what is well in short, what is not with what it means. */
export function Gateway({ live }: { live: MeterLive }) {
  const { state, since, version, clock, bus, outbox_depth: outbox, alerts } = live;
  return (
    <ul class="list gateway">
      <Line good={state === 'online'}>
        {t(`gateway.${state}.words`, { time: since === null ? '–' : time(since) })}
      </Line>
      {clock && (
        <Line good={clock.synchronised}>
          {clock.synchronised
            ? clock.offset_ms === null
              ? t('gateway.clock')
              : t('gateway.clock.off', { ms: Math.round(Math.abs(clock.offset_ms)) })
            : t('gateway.clock.bad')}
        </Line>
      )}
      {bus && (
        <Line good={bus.ok}>
          {bus.ok ? t('gateway.bus') : t('gateway.bus.bad')}
          {!bus.ok && bus.last_error !== null && (
            <span class="quiet" lang="en">
              {' '}
              ({bus.last_error})
            </span>
          )}
        </Line>
      )}
      {outbox !== null && (
        <Line good={outbox <= 1}>
          {outbox === 0
            ? t('gateway.outbox.none')
            : t(outbox === 1 ? 'gateway.outbox.one' : 'gateway.outbox', { count: count(outbox) })}
        </Line>
      )}
      {alerts.map((alert) => (
        <Line key={alert.code} good={false}>
          <span lang="en">{alert.message}</span>
        </Line>
      ))}
      {version !== null && <li class="quiet">{t('gateway.version', { version })}</li>}
    </ul>
  );
}

function Line({ good, children }: { good: boolean; children: ComponentChildren }) {
  return (
    <li class={good ? 'well' : 'ill'}>
      <span class="mark" role="img" aria-label={t(good ? 'gateway.well' : 'gateway.ill')}>
        {good ? '✓' : '!'}
      </span>
      <span>{children}</span>
    </li>
  );
}
