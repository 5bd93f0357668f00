import { useState } from 'preact/hooks';
import type { Page } from '../api.js';
import { short } from '../format.js';
import { BookCard } from '../market/book.js';
import { PriceCard } from '../market/guide.js';
import { type Draft, TradeCard } from '../market/order-form.js';
import { OrdersCard } from '../market/orders.js';
import { TradesCard } from '../market/trades.js';
import { useAsk, useNews, useRegularly } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Empty, Loading, Problem } from '../parts/frame.js';
import { hrefOf } from '../routes.js';
import { signer, wallet } from '../session.js';
import { t } from '../text/index.js';
import type { Market, Order } from '../types.js';

/** Orders of one's own that are shown; older ones are in the HTTP interface. */
const ORDERS = 50;
/** News of one's own are looked at this soon. */
const SOON_MS = 500;

/** @param rest a market's address; the first one unless given */
export function MarketPage({ rest: [address] }: { rest: readonly string[] }) {
  const markets = useAsk<{ items: Market[] }>('/api/markets');
  // It may be paused, or cost another fee.
  useRegularly(markets.again);
  const all = markets.answer?.items ?? [];
  const market = all.find((one) => one.address === address) ?? all[0];
  return (
    <>
      <h1>{t('nav.market')}</h1>
      {markets.error && <Problem error={markets.error} again={markets.again} />}
      {!markets.answer && markets.loading && <Loading />}
      {markets.answer && !market && <Empty>{t('market.none')}</Empty>}
      {market && all.length > 1 && (
        <nav aria-label={t('market.which')} class="tabs">
          {all.map((one) => (
            <a
              key={one.address}
              class="tab"
              href={hrefOf('market', one.address)}
              aria-current={one === market ? 'page' : undefined}
              title={one.address}
            >
              {short(one.address)}
            </a>
          ))}
        </nav>
      )}
      {market && <MarketView key={market.address} market={market} />}
    </>
  );
}

function MarketView({ market }: { market: Market }) {
  const [draft, write] = useState<Draft>({ side: 'sell', size: '', price: '' });
  const owner = wallet.value;
  const orders = useAsk<Page<Order>>(owner === undefined ? undefined : '/api/orders', {
    owner,
    market: market.address,
    limit: ORDERS,
  });
  const news = useTopic({ channel: 'orders' })?.value;
  const { again } = orders;
  useNews(news?.ready ? news.items : undefined, again, SOON_MS);
  return (
    <div class="market">
      <div class="stack">
        <TradeCard market={market} draft={draft} write={write} own={orders.answer?.items ?? []} />
        <PriceCard market={market} />
      </div>
      <div class="stack">
        <BookCard
          market={market}
          take={
            signer.value &&
            ((side, price) => {
              write({ ...draft, side, price });
              document.getElementById('field-GRID')?.focus();
            })
          }
        />
        {owner !== undefined && <OrdersCard orders={orders} />}
        <TradesCard market={market} />
      </div>
    </div>
  );
}
