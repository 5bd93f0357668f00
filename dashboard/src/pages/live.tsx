import { t } from '../text/index.js';

export function LivePage(_: { rest: readonly string[] }) {
  return <h1>{t('nav.live')}</h1>;
}
