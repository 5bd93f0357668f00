import { useEffect } from 'preact/hooks';
import type { Page } from '../api.js';
import { amount, short, time } from '../format.js';
import { useAsk, useRegularly } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Loading, Problem, Table } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { wallet } from '../session.js';
import { t } from '../text/index.js';
import type { ChainEvent, Health, Settlement, TransactionState } from '../types.js';
import { decimal } from '../units.js';

export function LivePage({ rest: [signature] }: { rest: readonly string[] }) {
  if (signature !== undefined) return <TransactionView signature={signature} />;
  return (
    <>
      <h1>{t('live.title')}</h1>
      <div class="cards two">
        <HealthCard />
        <MintsCard />
        <ActivityCard />
      </div>
    </>
  );
}

function HealthCard() {
  const health = useAsk<Health>('/healthz');
  useRegularly(health.again);
  return (
    <Card title={t('live.health')} wide>
      {health.error && <Problem error={health.error} again={health.again} />}
      {health.answer && (
        <ul class="list parts">
          {(['broker', 'database', 'chain'] as const).map((part) => {
            const up = health.answer?.checks[part] === 'ok';
            return (
              <li key={part}>
                {t(`part.${part}`)}{' '}
                <span class={up ? 'tag good' : 'tag bad'}>{t(up ? 'part.up' : 'part.down')}</span>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}

/** An amount in base units, as events of the chain have it. */
const units = (value: unknown): string => (typeof value === 'string' ? amount(decimal(BigInt(value))) : '–');

function MintsCard() {
  const mints = useAsk<Page<ChainEvent>>('/api/events', { name: 'ProductionMinted', limit: 25 });
  useRegularly(mints.again);
  return (
    <Card title={t('live.mints')} note={t('live.mints.note')}>
      {mints.error && <Problem error={mints.error} again={mints.again} />}
      {!mints.answer && mints.loading && <Loading />}
      {mints.answer?.items.length === 0 && <Empty />}
      {mints.answer && mints.answer.items.length > 0 && (
        <Table
          label={t('live.mints')}
          rows={mints.answer.items}
          rowKey={(one) => `${one.signature}/${one.event_index}`}
          columns={[
            { name: t('col.time'), cell: (one) => (one.time === null ? '–' : time(one.time, 'clock')) },
            { name: 'GRID', number: true, cell: (one) => units(one.data.amount) },
            {
              name: t('col.transaction'),
              cell: (one) => (
                <a href={hrefOf('live', one.signature)}>
                  <code>{short(one.signature)}</code>
                </a>
              ),
            },
            { name: t('col.state'), cell: (one) => t(one.finalized ? 'chain.final' : 'chain.confirmed') },
          ]}
        />
      )}
    </Card>
  );
}

function ActivityCard() {
  const events = useAsk<Page<ChainEvent>>('/api/events', { limit: 50 });
  useRegularly(events.again);
  return (
    <Card title={t('live.activity')} note={t('live.activity.note')}>
      {events.error && <Problem error={events.error} again={events.again} />}
      {events.answer?.items.length === 0 && <Empty />}
      {events.answer && events.answer.items.length > 0 && (
        <Table
          label={t('live.activity')}
          rows={events.answer.items}
          rowKey={(one) => `${one.signature}/${one.event_index}`}
          columns={[
            { name: t('col.time'), cell: (one) => (one.time === null ? '–' : time(one.time, 'clock')) },
            { name: t('col.event'), cell: (one) => one.name },
            {
              name: t('col.transaction'),
              cell: (one) => (
                <a href={hrefOf('live', one.signature)}>
                  <code>{short(one.signature)}</code>
                </a>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}

function TransactionView({ signature }: { signature: string }) {
  const state = useAsk<TransactionState>(`/api/transactions/${encodeURIComponent(signature)}`);
  const events = useAsk<Page<ChainEvent>>('/api/events', { signature, limit: 100 });
  const settlements = useAsk<Page<Settlement>>(wallet.value === undefined ? undefined : '/api/settlements', {
    wallet: wallet.value,
    limit: 100,
  });
  const own = settlements.answer?.items.filter((one) => one.signature === signature) ?? [];
  const news = useTopic({ channel: 'trades' });
  useEffect(events.again, [news?.value, events.again]);
  return (
    <>
      <p>
        <a href={hrefOf('live')}>{t('live.back')}</a>
      </p>
      <h1>{t('live.transaction')}</h1>
      <p>
        <code class="long">{signature}</code>
      </p>
      <div class="cards">
        <Card title={t('live.result')}>
          {state.error && <Problem error={state.error} again={state.again} />}
          {state.answer && (
            <p>
              <span
                class={
                  state.answer.state === 'confirmed' || state.answer.state === 'finalized'
                    ? 'tag good'
                    : 'tag warn'
                }
              >
                {t(`transaction.${state.answer.state}`)}
              </span>
            </p>
          )}
          {state.answer?.error && <Problem error={new Error(state.answer.error.message)} />}
        </Card>
        {own.length > 0 && (
          <Card title={t('live.own')}>
            <ul class="list">
              {own.map((one) => (
                <li key={`${one.id}/${one.meter_id}`}>
                  <a href={hrefOf('home', one.meter_id)}>{one.meter_id}</a>:{' '}
                  {one.minted === null ? '–' : `${amount(one.minted)} GRID`}
                </li>
              ))}
            </ul>
          </Card>
        )}
        <Card title={t('live.events')} wide>
          {events.error && <Problem error={events.error} again={events.again} />}
          {events.answer?.items.length === 0 && <Empty>{t('live.events.none')}</Empty>}
          {events.answer?.items.map((one) => (
            <details key={one.event_index} open={events.answer?.items.length === 1}>
              <summary>{one.name}</summary>
              <dl>
                {Object.entries(one.data).map(([name, value]) => (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd>
                      <code class="long">{typeof value === 'string' ? value : JSON.stringify(value)}</code>
                    </dd>
                  </div>
                ))}
              </dl>
            </details>
          ))}
        </Card>
      </div>
    </>
  );
}
