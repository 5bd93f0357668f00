import { t } from '../text/index.js';

export function HomePage(_: { rest: readonly string[] }) {
  return <h1>{t('nav.home')}</h1>;
}
