import { amount, shortAmount } from '../format.js';
import { Card, Figure } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { t } from '../text/index.js';
import type { CollectorStatus } from '../types.js';

const WAITING = ['pending', 'covered', 'accepted'] as const;

export function FiguresCard({ status }: { status: CollectorStatus }) {
  const { stored, by_status: count } = status.readings;
  const waiting = WAITING.reduce((sum, name) => sum + (count[name] ?? 0), 0);
  return (
    <Card title={t('operator.figures')} wide>
      <div class="figures">
        <Figure name={t('operator.meters')} value={amount(String(status.meters))} />
        <Figure name={t('operator.users')} value={amount(String(status.users))} />
        <Figure name={t('operator.stored')} value={amount(String(stored))} />
        <Figure name={t('operator.waiting')} value={amount(String(waiting))} />
        <Figure name={t('meter.minted')} value={shortAmount(status.minted_grid)} unit="GRID" />
        <Figure name={t('operator.alerts')} value={String(status.open_alerts)} />
        <Figure name={t('operator.reviews')} value={String(status.open_reviews)} />
      </div>
      <p class="more">
        <a href={hrefOf('operator', 'settlement')}>{t('operator.settlement.link')}</a>
      </p>
    </Card>
  );
}
