import type { LiveLevel } from '@gridtokenx/protocol';
import { amount, shortAmount } from '../format.js';
import { useTopic } from '../parts/follow.js';
import { Card, Empty, Figure, Loading, Problem } from '../parts/frame.js';
import { t } from '../text/index.js';
import type { Market, Side } from '../types.js';
import { decimal, units } from '../units.js';
import { DepthPlot } from './depth-plot.js';

/** Levels in the tables; the plot has all. */
const LEVELS = 10;

/** Puts a price into the form. */
type Take = (side: Side, price: string) => void;

/** Who offers and wants how much at which price, as it is now. @param take undefined: there is no form */
export function BookCard({ market, take }: { market: Market; take: Take | undefined }) {
  const news = useTopic({ channel: 'book', market: market.address })?.value;
  const [asks, bids] = [news?.asks ?? [], news?.bids ?? []];
  const [ask, bid] = [units(asks[0]?.price ?? ''), units(bids[0]?.price ?? '')];
  const shown = { asks: asks.slice(0, LEVELS), bids: bids.slice(0, LEVELS) };
  const most = Math.max(1e-9, ...[...shown.asks, ...shown.bids].map((level) => Number(level.amount)));
  return (
    <Card title={t('market.book')} note={t('market.book.note')} wide>
      {news?.problem && <Problem error={news.problem} />}
      {!news?.ready && <Loading />}
      {news?.ready && asks.length + bids.length === 0 && <Empty>{t('market.book.empty')}</Empty>}
      {asks.length + bids.length > 0 && (
        <>
          <div class="figures">
            <Figure
              name={t('market.best.bid')}
              value={bids[0] ? amount(bids[0].price) : '–'}
              unit="GRX/kWh"
            />
            <Figure
              name={t('market.best.ask')}
              value={asks[0] ? amount(asks[0].price) : '–'}
              unit="GRX/kWh"
            />
            {ask !== undefined && bid !== undefined && ask >= bid && (
              <Figure name={t('market.spread')} value={amount(decimal(ask - bid))} unit="GRX/kWh" />
            )}
          </div>
          <div class="sides">
            <DepthPlot bids={bids} asks={asks} />
            <div class="book">
              <BookSide side="buy" levels={shown.bids} all={bids.length} most={most} take={take} />
              <BookSide side="sell" levels={shown.asks} all={asks.length} most={most} take={take} />
            </div>
          </div>
        </>
      )}
    </Card>
  );
}

function BookSide({
  side,
  levels,
  all,
  most,
  take,
}: {
  side: Side;
  levels: readonly LiveLevel[];
  all: number;
  most: number;
  take: Take | undefined;
}) {
  if (levels.length === 0) return null;
  // Who presses an offer wants to buy it.
  const mine: Side = side === 'sell' ? 'buy' : 'sell';
  return (
    <table class={`levels ${side}`}>
      <caption>{t(side === 'buy' ? 'market.bids' : 'market.asks')}</caption>
      <thead>
        <tr>
          <th scope="col" class="number">
            GRX/kWh
          </th>
          <th scope="col" class="number">
            GRID
          </th>
        </tr>
      </thead>
      <tbody>
        {levels.map((level) => (
          <tr key={level.price}>
            <td class="number">
              {take ? (
                <button
                  type="button"
                  class="plain"
                  aria-label={t(mine === 'buy' ? 'market.take.buy' : 'market.take.sell', {
                    price: amount(level.price),
                  })}
                  onClick={() => take(mine, level.price)}
                >
                  {amount(level.price)}
                </button>
              ) : (
                amount(level.price)
              )}
            </td>
            <td class="number">
              <meter class={side} min={0} max={most} value={Number(level.amount)} aria-hidden="true" />
              {shortAmount(level.amount)}
            </td>
          </tr>
        ))}
      </tbody>
      {all > levels.length && (
        <tfoot>
          <tr>
            <td colSpan={2} class="quiet">
              {t('market.levels.more', { count: all - levels.length })}
            </td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}
