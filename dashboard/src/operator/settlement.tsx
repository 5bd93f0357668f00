import { amount, duration, short, time } from '../format.js';
import { useAsk, useRegularly } from '../parts/ask.js';
import { Card, Empty, Figure, Loading, Problem, Table } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { t } from '../text/index.js';
import type { SettlementQueue } from '../types.js';

const QUEUE = ['pending', 'covered', 'accepted', 'held', 'review'] as const;

const count = (value: number): string => amount(String(value));
const length = (seconds: number | null): string => (seconds === null ? '–' : duration(seconds));

/** What waits for the chain, what is on its way, and what it refused. */
export function SettlementView() {
  const asked = useAsk<SettlementQueue>('/api/settlement');
  useRegularly(asked.again);
  const { answer } = asked;
  return (
    <>
      <Card title={t('settlement.queue')} note={t('settlement.queue.note')} wide>
        {asked.error && <Problem error={asked.error} again={asked.again} />}
        {!answer && asked.loading && <Loading />}
        {answer?.paused && <p class="problem">{t('settlement.paused')}</p>}
        {answer && (
          <>
            <div class="figures">
              {QUEUE.map((name) => (
                <Figure key={name} name={t(`queue.${name}`)} value={count(answer.queue[name])} />
              ))}
              <Figure name={t('settlement.oldest')} value={length(answer.oldest_waiting_seconds)} />
              <Figure name={t('settlement.flying')} value={count(answer.in_flight_count)} />
            </div>
            <h3>{t('settlement.hour')}</h3>
            <div class="figures">
              <Figure name={t('settlement.confirmed')} value={count(answer.last_hour.confirmed)} />
              <Figure name={t('settlement.failed')} value={count(answer.last_hour.failed)} />
              <Figure name={t('settlement.expired')} value={count(answer.last_hour.expired)} />
              <Figure name={t('settlement.half')} value={length(answer.last_hour.p50_seconds)} />
              <Figure name={t('settlement.most')} value={length(answer.last_hour.p95_seconds)} />
            </div>
          </>
        )}
      </Card>
      {answer && (
        <>
          <Card title={t('settlement.flight')} wide>
            {answer.in_flight.length === 0 ? (
              <Empty>{t('settlement.flight.none')}</Empty>
            ) : (
              <Table
                label={t('settlement.flight')}
                rows={answer.in_flight}
                rowKey={({ signature }) => signature}
                columns={[
                  {
                    name: t('col.transaction'),
                    cell: (one) => (
                      <a href={hrefOf('live', one.signature)}>
                        <code title={one.signature}>{short(one.signature)}</code>
                      </a>
                    ),
                  },
                  { name: t('col.state'), cell: (one) => t(`settlement.${one.state}`) },
                  { name: t('operator.meters'), number: true, cell: (one) => one.meters },
                  { name: t('col.since'), cell: (one) => time(one.created_at) },
                  { name: t('settlement.age'), number: true, cell: (one) => length(one.age_seconds) },
                ]}
              />
            )}
          </Card>
          <Card title={t('settlement.failures')} note={t('settlement.failures.note')} wide>
            {answer.failed.length === 0 ? (
              <Empty>{t('settlement.failures.none')}</Empty>
            ) : (
              <Table
                label={t('settlement.failures')}
                rows={answer.failed}
                rowKey={({ signature }) => signature}
                columns={[
                  { name: t('col.time'), cell: (one) => time(one.created_at) },
                  {
                    name: t('settlement.reason'),
                    cell: (one) => (
                      <span class="words" lang="en">
                        {one.error ?? '–'}
                      </span>
                    ),
                  },
                  {
                    name: t('col.transaction'),
                    cell: (one) => (
                      <a href={hrefOf('live', one.signature)}>
                        <code title={one.signature}>{short(one.signature)}</code>
                      </a>
                    ),
                  },
                ]}
              />
            )}
          </Card>
        </>
      )}
    </>
  );
}
