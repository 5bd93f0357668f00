import { ask, type Page } from '../api.js';
import { amount, time } from '../format.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useReason } from '../parts/dialog.js';
import { useTopic } from '../parts/follow.js';
import { Button, Card, Empty, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { SigningPanel } from '../parts/wallet.js';
import { useWork } from '../parts/work.js';
import { decider } from '../session.js';
import { TextError, t } from '../text/index.js';
import { carryOut } from '../trade.js';
import type { Review } from '../types.js';
import { Kind } from './kind.js';
import { Notice } from './notice.js';

type Action = 'retry' | 'accept' | 'dismiss';
type Decision = 'release' | 'write_off';

interface Prepared {
  transaction: string;
  last_valid_block_height: number;
}

/** The chain decides: the operator's own wallet signs what the collector has prepared. Ends when the chain has executed it. */
async function decide(review: Review, decision: Decision, reason: string): Promise<void> {
  const by = decider.value;
  if (!by) throw new TextError('operator.sign');
  const prepared = await ask<Prepared>(`/api/reviews/${review.id}/prepare`, {
    method: 'POST',
    body: { decision, wallet: by.address, reason },
  });
  await carryOut(prepared, by, () => {});
}

/** What waits for a person's decision. */
export function ReviewsCard() {
  const reviews = useAsk<Page<Review>>('/api/reviews', { limit: 100 });
  const news = useTopic({ channel: 'reviews' })?.value;
  const { again } = reviews;
  useNews(news?.ready ? news.items : undefined, again);
  useRegularly(again, news?.problem !== undefined);
  const { busy, error, run } = useWork(again);
  const { ask: askReason, dialog } = useReason();
  const act = async (review: Review, action: Action | Decision) => {
    const reason = await askReason({
      title: `${t(`review.${action}`)}: ${review.subject}`,
      note: t('operator.reason'),
      go: t(`review.${action}`),
    });
    if (reason === undefined) return;
    await run(() =>
      action === 'release' || action === 'write_off'
        ? decide(review, action, reason)
        : ask(`/api/reviews/${review.id}/${action}`, { method: 'POST', body: { reason } }),
    );
  };
  const items = reviews.answer?.items ?? [];
  const columns = useColumns<Review>(
    () => [
      { name: t('col.what'), cell: (one) => <Kind kind={one.kind} /> },
      { name: t('col.about'), cell: (one) => one.subject },
      { name: 'kWh', number: true, cell: (one) => amount(one.amount_kwh) },
      {
        name: t('col.message'),
        cell: (one) => <Notice kind={one.kind} facts={{ ...one, ...one.details }} original={one.reason} />,
      },
      { name: t('col.since'), cell: (one) => time(one.created_at) },
      { name: t('col.action'), cell: (one) => <Actions review={one} busy={busy} act={act} /> },
    ],
    busy,
  );
  return (
    <Card title={t('operator.reviews')} note={t('operator.reviews.note')} wide>
      {(reviews.error ?? error) && <Problem error={(reviews.error ?? error) as Error} again={again} />}
      {!reviews.answer && reviews.loading && <Loading />}
      {reviews.answer && items.length === 0 && <Empty>{t('operator.nothing')}</Empty>}
      {items.length > 0 && (
        <Table label={t('operator.reviews')} rows={items} rowKey={({ id }) => id} columns={columns} />
      )}
      {items.some(({ actions }) => actions.includes('prepare')) && <SigningPanel why={t('operator.sign')} />}
      {dialog}
    </Card>
  );
}

function Actions({
  review,
  busy,
  act,
}: {
  review: Review;
  busy: boolean;
  act: (review: Review, action: Action | Decision) => Promise<void>;
}) {
  // What the chain decides needs a wallet that signs.
  const offered = review.actions.flatMap((action): { action: Action | Decision; signs: boolean }[] =>
    action === 'prepare'
      ? [
          { action: 'release', signs: true },
          { action: 'write_off', signs: true },
        ]
      : [{ action, signs: false }],
  );
  return (
    <span class="tools">
      {offered.map(({ action, signs }) => (
        <Button
          key={action}
          off={busy || (signs && decider.value === undefined)}
          title={signs && decider.value === undefined ? t('operator.sign') : undefined}
          press={() => void act(review, action)}
        >
          {t(`review.${action}`)}
        </Button>
      ))}
    </span>
  );
}
