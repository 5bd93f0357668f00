import { t } from '../text/index.js';

export function MarketPage(_: { rest: readonly string[] }) {
  return <h1>{t('nav.market')}</h1>;
}
