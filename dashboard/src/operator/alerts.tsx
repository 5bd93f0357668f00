import { ask, type Page } from '../api.js';
import { time } from '../format.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useReason } from '../parts/dialog.js';
import { useTopic } from '../parts/follow.js';
import { Button, Card, Empty, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { useWork } from '../parts/work.js';
import { t } from '../text/index.js';
import type { Alert } from '../types.js';
import { Kind, kindInWords } from './kind.js';
import { Notice } from './notice.js';

/** What needs somebody, the worst first, and who looks after it. */
export function AlertsCard() {
  const alerts = useAsk<Page<Alert>>('/api/alerts', { limit: 100 });
  const news = useTopic({ channel: 'alerts' })?.value;
  const { again } = alerts;
  useNews(news?.ready ? news.items : undefined, again);
  useRegularly(again, news?.problem !== undefined);
  const { busy, error, run } = useWork(again);
  const { ask: askReason, dialog } = useReason();
  const acknowledge = async (alert: Alert) => {
    const reason = await askReason({
      title: `${t('operator.ack')}: ${kindInWords(alert.kind)} ${alert.key}`,
      note: t('operator.ack.why'),
      go: t('operator.ack'),
    });
    if (reason !== undefined)
      await run(() => ask(`/api/alerts/${alert.id}/acknowledge`, { method: 'POST', body: { reason } }));
  };
  const items = alerts.answer?.items ?? [];
  const columns = useColumns<Alert>(
    () => [
      {
        name: t('col.severity'),
        cell: (one) => <span class={`tag ${one.severity}`}>{t(`severity.${one.severity}`)}</span>,
      },
      { name: t('col.what'), cell: (one) => <Kind kind={one.kind} of={one.key} /> },
      {
        name: t('col.message'),
        cell: (one) => <Notice kind={one.kind} facts={one.details} original={one.message} />,
      },
      { name: t('col.times'), number: true, cell: (one) => one.occurrences },
      { name: t('col.since'), cell: (one) => time(one.first_seen) },
      {
        name: t('col.action'),
        cell: (one) =>
          one.acknowledged_at === null ? (
            <Button off={busy} press={() => void acknowledge(one)}>
              {t('operator.ack')}
            </Button>
          ) : (
            t('operator.acked')
          ),
      },
    ],
    busy,
  );
  return (
    <Card title={t('operator.alerts')} wide>
      {(alerts.error ?? error) && <Problem error={(alerts.error ?? error) as Error} again={again} />}
      {!alerts.answer && alerts.loading && <Loading />}
      {alerts.answer && items.length === 0 && <Empty>{t('operator.quiet')}</Empty>}
      {items.length > 0 && (
        <Table label={t('operator.alerts')} rows={items} rowKey={({ id }) => id} columns={columns} />
      )}
      {dialog}
    </Card>
  );
}
