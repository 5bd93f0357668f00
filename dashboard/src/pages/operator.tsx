import { t } from '../text/index.js';

export function OperatorPage(_: { rest: readonly string[] }) {
  return <h1>{t('nav.operator')}</h1>;
}
