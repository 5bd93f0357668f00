import type { Page } from '../api.js';
import { amount, shortAmount, time } from '../format.js';
import type { Asked } from '../parts/ask.js';
import { Card, Empty, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { signer } from '../session.js';
import { t } from '../text/index.js';
import type { Order } from '../types.js';
import { Outcome, useTransaction } from './transaction.js';

/** Somebody's own orders, and taking them back. */
export function OrdersCard({ orders }: { orders: Asked<Page<Order>> }) {
  const { answer, error, loading, again } = orders;
  const action = useTransaction();
  const cancel = (order: Order) =>
    action.prepare({ kind: 'cancel', order: order.address }, (built) => void action.carryOut(built, again));
  const columns = useColumns<Order>(
    () => [
      { name: t('col.number'), number: true, cell: (order) => order.order_id },
      { name: t('col.side'), cell: (order) => t(`market.${order.side}`) },
      { name: 'GRX/kWh', number: true, cell: (order) => amount(order.price) },
      { name: 'GRID', number: true, cell: (order) => shortAmount(order.amount) },
      { name: t('col.left'), number: true, cell: (order) => shortAmount(order.remaining) },
      {
        name: t('col.state'),
        cell: (order) => (
          <span class={order.status === 'open' ? 'tag good' : 'tag info'}>{t(`order.${order.status}`)}</span>
        ),
      },
      {
        name: t('col.action'),
        cell: (order) =>
          order.status === 'open' &&
          signer.value !== undefined && (
            <button type="button" disabled={action.busy} onClick={() => cancel(order)}>
              {t('market.cancel', { id: order.order_id })}
            </button>
          ),
      },
      { name: t('col.until'), cell: (order) => time(order.expires_at) },
    ],
    action.busy,
  );
  return (
    <Card title={t('market.mine')} note={t('market.mine.note')} wide>
      {error && <Problem error={error} again={again} />}
      {!answer && loading && <Loading />}
      {answer?.items.length === 0 && <Empty>{t('market.mine.none')}</Empty>}
      {answer && answer.items.length > 0 && (
        <Table
          label={t('market.mine')}
          rows={answer.items}
          rowKey={({ address }) => address}
          columns={columns}
        />
      )}
      <Outcome action={action} />
    </Card>
  );
}
