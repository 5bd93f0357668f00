import { link } from '../link.js';
import { hrefOf, PAGES, type Page } from '../routes.js';
import { LANGUAGES, type Language, language, setLanguage, t } from '../text/index.js';

const LANGUAGE_NAMES: Record<Language, string> = { en: 'English', th: 'ไทย' };

export function Header({ page }: { page: Page }) {
  const state = link.state.value;
  return (
    <header class="bar">
      <button type="button" class="skip" onClick={skip}>
        {t('nav.skip')}
      </button>
      <a class="brand" href={hrefOf('live')}>
        {t('app.name')}
      </a>
      <nav aria-label={t('nav.label')}>
        {PAGES.map((name) => (
          <a key={name} href={hrefOf(name)} aria-current={name === page ? 'page' : undefined}>
            {t(`nav.${name}`)}
          </a>
        ))}
      </nav>
      <select
        aria-label={t('nav.language')}
        value={language.value}
        onChange={(event) => setLanguage(event.currentTarget.value as Language)}
      >
        {Object.keys(LANGUAGES).map((name) => (
          <option key={name} value={name}>
            {LANGUAGE_NAMES[name as Language]}
          </option>
        ))}
      </select>
      <output class={`link ${state}`}>
        {state === 'up' ? t('link.up') : state === 'connecting' ? t('link.connecting') : t('link.down')}
      </output>
    </header>
  );
}

/** Not a link to `#content`: the address names the page. */
function skip(): void {
  document.getElementById('content')?.focus();
}
