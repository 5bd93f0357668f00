import { amount, shortAmount, time } from '../format.js';
import { useAsk, useNews } from '../parts/ask.js';
import { useTopic } from '../parts/follow.js';
import { Card, Figure, Loading, Problem } from '../parts/frame.js';
import { t } from '../text/index.js';
import type { Guide, Market, Prices } from '../types.js';

/** Without a feed of its own a market's guide follows this one. */
const USUAL_FEED = 'GRX/GRID';

/** Hundredths of a percent as a percentage, without a sign. */
const percent = (bps: number): string => `${String(Math.abs(bps) / 100)} %`;

/** What energy is worth: the feed's price, the guide, and what went into it. */
export function PriceCard({ market }: { market: Market }) {
  const prices = useAsk<Prices>('/api/prices');
  const news = useTopic({ channel: 'prices' });
  const { again } = prices;
  useNews(news?.value.ready ? news.value.items : undefined, again);
  const guide = prices.answer?.guides.find((one) => one.market === market.address);
  const feeds = prices.answer?.feeds ?? [];
  const feed =
    feeds.find(({ address }) => address === market.feed) ?? feeds.find(({ symbol }) => symbol === USUAL_FEED);
  return (
    <Card title={t('market.price')} note={t('market.guide.note')}>
      {prices.error && <Problem error={prices.error} again={again} />}
      {!prices.answer && prices.loading && <Loading />}
      {market.paused && <p class="problem">{t('market.paused')}</p>}
      {prices.answer && (
        <>
          <div class="figures">
            <Figure name={t('market.guide')} value={guide ? amount(guide.price) : '–'} unit="GRX/kWh" />
            <Figure name={t('market.feed')} value={feed?.price ? amount(feed.price) : '–'} unit="GRX/kWh" />
          </div>
          <ul class="reasons">
            <li>{feedInWords(feed)}</li>
            {guide ? <GuideInWords guide={guide} /> : <li>{t('market.guide.none')}</li>}
            {market.band_bps > 0 && feed?.price && (
              <li>{t('market.band', { percent: percent(market.band_bps) })}</li>
            )}
            <li>
              {market.fee_bps === 0
                ? t('market.free')
                : t('market.costly', { percent: percent(market.fee_bps) })}
            </li>
          </ul>
        </>
      )}
    </Card>
  );
}

function feedInWords(feed: Prices['feeds'][number] | undefined): string {
  if (!feed?.price || feed.published_at === null) return t('market.feed.none');
  const values = { symbol: feed.symbol, price: amount(feed.price), time: time(feed.published_at) };
  return t(feed.counts ? 'market.feed.words' : 'market.feed.old', values);
}

function GuideInWords({ guide }: { guide: Guide }) {
  const values = {
    supply: shortAmount(guide.supply_kwh),
    demand: shortAmount(guide.demand_kwh),
    percent: percent(guide.imbalance_bps),
  };
  const { imbalance_bps: balance, tariff_bps: tariff } = guide;
  return (
    <>
      <li>
        {t(balance > 0 ? 'market.guide.up' : balance < 0 ? 'market.guide.down' : 'market.guide.even', values)}
      </li>
      <li>
        {tariff === 10_000
          ? t('market.tariff.usual')
          : t(tariff > 10_000 ? 'market.tariff.up' : 'market.tariff.down', {
              percent: percent(tariff - 10_000),
            })}
      </li>
      <li>{t('market.guide.time', { time: time(guide.time) })}</li>
    </>
  );
}
