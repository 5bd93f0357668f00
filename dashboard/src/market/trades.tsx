import { amount, short, shortAmount, time } from '../format.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Loading, Problem, Table, useColumns } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Market, Trade } from '../types.js';
import { TradesPlot } from './trades-plot.js';

/** Rows of the table; the plot has all that the channel tells. */
const ROWS = 50;

/** Who traded what, newest first, as it happens. */
export function TradesCard({ market }: { market: Market }) {
  const news = useTopic({ channel: 'trades', market: market.address })?.value;
  const trades = (news?.items ?? []) as unknown as Trade[];
  const columns = useColumns<Trade>(() => [
    {
      name: t('col.time'),
      cell: (trade) => <a href={hrefOf('live', trade.signature)}>{time(trade.executed_at)}</a>,
    },
    { name: 'GRX/kWh', number: true, cell: (trade) => amount(trade.price) },
    { name: 'GRID', number: true, cell: (trade) => shortAmount(trade.amount) },
    { name: 'GRX', number: true, cell: (trade) => shortAmount(trade.quote) },
    { name: t('col.seller'), cell: (trade) => <Who address={trade.seller} /> },
    { name: t('col.buyer'), cell: (trade) => <Who address={trade.buyer} /> },
  ]);
  return (
    <Card title={t('market.trades')} wide>
      {news?.problem && <Problem error={news.problem} />}
      {!news?.ready && <Loading />}
      {news?.ready && trades.length === 0 && <Empty>{t('market.trades.none')}</Empty>}
      {trades.length > 0 && (
        <>
          <TradesPlot trades={trades} />
          <Table
            label={t('market.trades')}
            rows={trades.slice(0, ROWS)}
            rowKey={(trade) => `${trade.signature}/${trade.event_index}`}
            columns={columns}
          />
        </>
      )}
    </Card>
  );
}

function Who({ address }: { address: string }) {
  if (address === wallet.value) return <strong title={address}>{t('market.me')}</strong>;
  return <code title={address}>{short(address)}</code>;
}
