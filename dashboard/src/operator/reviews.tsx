import { ask, type Page } from '../api.js';
import { amount, time } from '../format.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useReason } from '../parts/dialog.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Loading, Problem, Table } from '../parts/frame.js';
import { signer } from '../session.js';
import { t } from '../text/index.js';
import type { Review, Submitted } from '../types.js';
import { useDecision } from './decision.js';
import { Kind } from './kind.js';

type Action = 'retry' | 'accept' | 'dismiss';
type Decision = 'release' | 'write_off';

interface Prepared {
  transaction: string;
}

/** The chain decides: the operator's own wallet signs what the collector has prepared. */
async function decide(review: Review, decision: Decision, reason: string): Promise<void> {
  if (!signer.value) throw new Error(t('operator.sign'));
  const { transaction } = await ask<Prepared>(`/api/reviews/${review.id}/prepare`, {
    method: 'POST',
    body: { decision, wallet: signer.value.address, reason },
  });
  await ask<Submitted>('/api/transactions/submit', {
    method: 'POST',
    body: { transaction: await signer.value.signTransaction(transaction) },
  });
}

/** What waits for a person's decision. */
export function ReviewsCard() {
  const reviews = useAsk<Page<Review>>('/api/reviews', { limit: 100 });
  const news = useTopic({ channel: 'reviews' })?.value;
  const { again } = reviews;
  useNews(news?.ready ? news.items : undefined, again);
  useRegularly(again, news?.problem !== undefined);
  const { busy, error, run } = useDecision(again);
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
  return (
    <Card title={t('operator.reviews')} note={t('operator.reviews.note')} wide>
      {(reviews.error ?? error) && <Problem error={(reviews.error ?? error) as Error} again={again} />}
      {!reviews.answer && reviews.loading && <Loading />}
      {reviews.answer && items.length === 0 && <Empty>{t('operator.nothing')}</Empty>}
      {items.length > 0 && (
        <Table
          label={t('operator.reviews')}
          rows={items}
          rowKey={({ id }) => id}
          columns={[
            { name: t('col.what'), cell: (one) => <Kind kind={one.kind} /> },
            { name: t('col.about'), cell: (one) => one.subject },
            { name: 'kWh', number: true, cell: (one) => amount(one.amount_kwh) },
            {
              name: t('col.message'),
              cell: (one) => (
                <span class="words" lang="en">
                  {one.reason}
                </span>
              ),
            },
            { name: t('col.since'), cell: (one) => time(one.created_at) },
            { name: t('col.action'), cell: (one) => <Actions review={one} busy={busy} act={act} /> },
          ]}
        />
      )}
      {items.some(({ actions }) => actions.includes('prepare')) && signer.value === undefined && (
        <p class="note">{t('operator.sign')}</p>
      )}
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
        <button
          key={action}
          type="button"
          disabled={busy || (signs && signer.value === undefined)}
          onClick={() => void act(review, action)}
        >
          {t(`review.${action}`)}
        </button>
      ))}
    </span>
  );
}
